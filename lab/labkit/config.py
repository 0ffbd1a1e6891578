"""Configuration files of the OpenStack services.

What is unusual here, and why: MariaDB without TCP, because SQLite cannot take Neutron's migrations;
cheap password hashes, because a lab logs in all the time; our own mechanism and interface
drivers, because Neutron no longer has any that need neither Open vSwitch nor a kernel module.
"""
from labkit.settings import HOST, LAB, PASSWORD, REGION

PRIVSEP_CONTEXTS = ("privsep", "privsep_dhcp_release", "privsep_ovs_vsctl", "privsep_namespace",
                    "privsep_conntrack", "privsep_link")  # fmt: skip

# One broker, thrown away at the end: durability would only slow it down.
RABBIT = """
[oslo_messaging_rabbit]
rabbit_quorum_queue = false
amqp_durable_queues = false
heartbeat_in_pthread = false
"""


def write_all(lab, plugin_dir):
    write(lab, "keystone.conf", keystone(lab))
    write(lab, "neutron.conf", neutron(lab))
    if lab.nsxv:
        write(lab, "nsxv.conf", neutron_nsxv(lab))
    write(lab, "ml2.ini", ml2(lab))
    write(lab, "dhcp.ini", DHCP)
    write(lab, "heat.conf", heat(lab, plugin_dir))


def write(lab, name, text, mode=0o600):
    path = lab.etc / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=mode)
    path.write_text(text)


def database(lab, name):
    return "[database]\nconnection = mysql+pymysql://root@localhost/%s?unix_socket=%s\n" % (name, lab.mariadb_socket)


def transport(lab):
    return "rabbit://guest:guest@127.0.0.1:%d/" % lab.ports["rabbit"]


def login(lab, user):
    return f"""auth_type = password
auth_url = {lab.keystone}
user_domain_id = default
username = {user}
password = {PASSWORD}
"""


def login_to_service(lab, user):
    return login(lab, user) + "project_domain_id = default\nproject_name = service\n"


def keystone(lab):
    return f"""
[DEFAULT]
log_file = {lab.log}/keystone.log
{database(lab, "keystone")}
[token]
provider = fernet
expiration = {lab.token_seconds}
[fernet_tokens]
key_repository = {lab.etc}/fernet-keys
[fernet_receipts]
key_repository = {lab.etc}/fernet-keys
[credential]
key_repository = {lab.etc}/credential-keys
[identity]
password_hash_rounds = 4
[oslo_policy]
enforce_scope = false
"""


def neutron(lab):
    helper = "%s/privsep-helper --config-file %s/neutron.conf --config-file %s/dhcp.ini" % (lab.bin, lab.etc, lab.etc)
    return f"""
[DEFAULT]
log_file =
state_path = {lab.state}/neutron
host = {HOST}
auth_strategy = keystone
core_plugin = ml2
service_plugins = router
api_paste_config = {lab.share}/neutron/api-paste.ini
transport_url = {transport(lab)}
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
dhcp_agents_per_network = 1
bind_host = 127.0.0.1
bind_port = {lab.ports["neutron"]}
api_workers = 1
rpc_workers = 1
rpc_state_report_workers = 0
agent_down_time = 60
global_physnet_mtu = 1500
{database(lab, "neutron")}
[oslo_concurrency]
lock_path = {lab.state}/lock
[agent]
root_helper =
report_interval = 15
[keystone_authtoken]
www_authenticate_uri = {lab.keystone}
{login_to_service(lab, "neutron")}
{RABBIT}
""" + "".join("[%s]\nhelper_command = %s\n" % (context, helper) for context in PRIVSEP_CONTEXTS)


def neutron_nsxv(lab):
    """Everything below [nsxv] names objects of NSX and vCenter that nobody looks at here."""
    return f"""
[DEFAULT]
state_path = {lab.state}/neutron
use_stderr = true
auth_strategy = keystone
core_plugin = vmware_nsxv
service_plugins =
api_paste_config = {lab.nsxv_venv}/etc/neutron/api-paste.ini
transport_url = fake://
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
allow_overlapping_ips = true
bind_host = 127.0.0.1
bind_port = {lab.ports["neutron"]}
api_workers = 0
rpc_workers = 0
rpc_state_report_workers = 0
{database(lab, "nsxv")}
[oslo_concurrency]
lock_path = {lab.state}/lock
[keystone_authtoken]
www_authenticate_uri = {lab.keystone}
{login_to_service(lab, "neutron")}
[nsxv]
manager_uri = https://nsx
user = admin
password = {PASSWORD}
vdn_scope_id = vdnscope-1
dvs_id = dvs-1
datacenter_moid = datacenter-1
resource_pool_id = resgroup-1
datastore_id = datastore-1
external_network = network-1
deployment_container_id = datastore-1
backup_edge_pool =
"""


def ml2(lab):
    network_types = "tenant_network_types" if lab.debian else "project_network_types"
    return f"""
[ml2]
type_drivers = flat,vlan,vxlan,local
{network_types} = vxlan
mechanism_drivers = lab
extension_drivers = port_security
[ml2_type_vxlan]
vni_ranges = 5000:5999
[securitygroup]
enable_security_group = true
firewall_driver = noop
"""


DHCP = """
[DEFAULT]
interface_driver = labbridge
dhcp_driver = neutron.agent.linux.dhcp.Dnsmasq
enable_isolated_metadata = false
resync_interval = 5
"""


def heat(lab, plugin_dir):
    return f"""
[DEFAULT]
log_file =
host = {HOST}
transport_url = {transport(lab)}
plugin_dirs = {plugin_dir}
num_engine_workers = {lab.heat_workers}
auth_encryption_key = 0123456789abcdef0123456789abcdef
region_name_for_services = {REGION}
stack_user_domain_name = heat
stack_domain_admin = heat_domain_admin
stack_domain_admin_password = {PASSWORD}
heat_metadata_server_url = {lab.url("heat_cfn")}
heat_waitcondition_server_url = {lab.url("heat_cfn", "/v1/waitcondition")}
{database(lab, "heat")}
[paste_deploy]
api_paste_config = {lab.share}/heat/api-paste.ini
[oslo_concurrency]
lock_path = {lab.state}/lock
[clients_keystone]
auth_uri = {lab.url("keystone")}
[heat_api]
bind_host = 127.0.0.1
bind_port = {lab.ports["heat"]}
workers = 0
# without a project: a trust brings its own
[trustee]
{login(lab, "heat")}
[keystone_authtoken]
www_authenticate_uri = {lab.keystone}
{login_to_service(lab, "heat")}
{RABBIT}
"""


def driver_path():
    """PYTHONPATH that makes our Neutron drivers known by their entry points."""
    return str(LAB)
