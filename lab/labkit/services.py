"""The table of processes, in the order in which they are started."""
from labkit import config, howdah
from labkit.process import Service
from labkit.settings import NSXV


def table(lab):
    """Name to process, for this lab's flavour."""
    services = {**infrastructure(lab), **openstack(lab), **howdah.services(lab)}
    if lab.nsxv:
        return with_nsxv(lab, services)
    if lab.debian:
        as_in_debian(lab, services)
    return services


def infrastructure(lab):
    home = lab.state / "rabbit"
    rabbit = {
        "HOME": home,
        "ERL_EPMD_PORT": lab.ports["epmd"],
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": "lab%s@localhost" % lab.tag,
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": lab.ports["rabbit"],
        "RABBITMQ_DIST_PORT": lab.ports["rabbit_dist"],
        "RABBITMQ_MNESIA_BASE": home / "mnesia",
        "RABBITMQ_LOG_BASE": lab.log,
        "RABBITMQ_ENABLED_PLUGINS_FILE": home / "enabled_plugins",
        "RABBITMQ_PID_FILE": home / "pid",
        "RABBITMQ_CONFIG_FILE": home / "none",
        # one scheduler that does not spin: cheap, on loopback only
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
    }
    return {
        "mariadb": Service(
            [
                "mariadbd", "--no-defaults", "--user=root", "--datadir=%s/mariadb" % lab.state,
                "--socket=%s" % lab.mariadb_socket, "--pid-file=%s/mariadb.pid" % lab.state,
                # no TCP; and no fsync, the data is thrown away
                "--skip-networking", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0",
                "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M", "--max-connections=300",
            ]
        ),
        "epmd": Service(
            ["epmd", "-address", "127.0.0.1", "-port", lab.ports["epmd"]], rabbit, lab.ports["epmd"]
        ),
        "rabbit": Service(["/usr/lib/rabbitmq/bin/rabbitmq-server"], rabbit, lab.ports["rabbit"]),
    }  # fmt: skip


def openstack(lab):
    neutron = {
        "OS_NEUTRON_CONFIG_DIR": lab.etc,
        "OS_NEUTRON_CONFIG_FILES": "neutron.conf;ml2.ini",
        "PYTHONPATH": config.driver_path(),
    }
    neutron_files = ["--config-file", lab.etc / "neutron.conf", "--config-file", lab.etc / "ml2.ini"]
    heat = {"PYTHONPATH": lab.plugin_home}
    return {
        "keystone": uwsgi(lab, "keystone", "keystone.wsgi.api:application", {"OS_KEYSTONE_CONFIG_DIR": lab.etc}),
        "neutron-api": uwsgi(lab, "neutron", "neutron.wsgi.api:application", neutron),
        "neutron-rpc": Service([lab.bin / "neutron-rpc-server", *neutron_files], neutron),
        "heat-api": uwsgi(
            lab, "heat", "heat.wsgi.api:application", heat, "--config-file %s/heat.conf" % lab.etc
        ),
        "heat-engine": Service([lab.bin / "heat-engine", "--config-file", lab.etc / "heat.conf"], heat),
        "neutron-dhcp": Service(
            [
                lab.bin / "neutron-dhcp-agent", "--config-file", lab.etc / "neutron.conf",
                "--config-file", lab.etc / "dhcp.ini",
            ],
            neutron,
        ),
    }  # fmt: skip


def with_nsxv(lab, services):
    """Neutron 17 in one process, which needs neither broker nor agent; Heat is shown with the other Neutron."""
    neutron = Service(
        [lab.nsxv_venv / "bin/python", NSXV / "server.py", lab.etc / "nsxv.conf", lab.ports["nsx"]],
        port=lab.ports["neutron"],
    )
    kept = {name: services[name] for name in ("mariadb", "keystone", "sandbox", "guests", "howdah") if name in services}
    return {**kept, "neutron-api": neutron}


def uwsgi(lab, port, module, environment, arguments=""):
    command = [
        lab.bin / "uwsgi",
        # Debian's uwsgi knows no option of Python's before it has loaded the plugin
        *(["--plugin", "python3"] if lab.debian else ["--virtualenv", lab.venv]),
        "--http-socket", "127.0.0.1:%d" % lab.ports[port], "--module", module,
        "--master", "--processes", "1", "--threads", "4", "--enable-threads", "--lazy-apps",
        "--thunder-lock", "--die-on-term", "--need-app", "--buffer-size", "65535",
        # --http-socket closes after each answer but does not say so: clients would use the
        # connection again and see it reset now and then
        "--add-header", "Connection: close",
        "--hook-master-start", "unix_signal:15 gracefully_kill_them_all",
        *(["--pyargv", arguments] if arguments else []),
    ]  # fmt: skip
    return Service(command, environment, lab.ports[port])


def as_in_debian(lab, services):
    """Debian 12's Neutron server and Heat API are programs of their own."""
    neutron = services["neutron-api"].environment
    files = ["--config-file", lab.etc / "neutron.conf", "--config-file", lab.etc / "ml2.ini"]
    del services["neutron-rpc"]
    services["neutron-api"] = Service([lab.bin / "neutron-server", *files], neutron, lab.ports["neutron"])
    heat = services["heat-api"]
    services["heat-api"] = Service(
        [lab.bin / "heat-api", "--config-file", lab.etc / "heat.conf"], heat.environment, heat.port
    )
    keystone = services["keystone"]
    swap = {"--module": "--wsgi-file", "keystone.wsgi.api:application": "/usr/bin/keystone-wsgi-public"}
    keystone.command = [swap.get(part, part) for part in keystone.command]
