"""Our own processes: the simulated BDE and vCenter, the guests, and the service itself."""
import sys

from labkit import config, identity
from labkit.process import Service
from labkit.settings import LAB, PASSWORD, REGION, LabError


def services(lab):
    if not lab.bin_howdah.exists():
        return {}
    return {
        "sandbox": Service(
            [
                lab.bin_howdah, "sandbox", "--port", lab.ports["vcenter"], "--backend", lab.neutron,
                "--speed", lab.speed, "--external-guests",
            ],
            port=lab.ports["sim_control"],
        ),
        "guests": Service([sys.executable, LAB / "lab.py", "guests"], lab_environment(lab)),
        "howdah": Service(
            [lab.bin_howdah, "serve", "--config", lab.etc / "howdah.toml"],
            {"RUST_LOG": "info,howdah=debug"},
            lab.ports["howdah"],
        ),
    }  # fmt: skip


def lab_environment(lab):
    """Makes another lab.py find the same lab."""
    return {
        "HOWDAH_LAB_FLAVOUR": lab.flavour,
        "HOWDAH_LAB_NEUTRON": lab.neutron,
        "HOWDAH_LAB_STATE": lab.state,
        "HOWDAH_LAB_CACHE": lab.cache,
        "HOWDAH_BIN": lab.bin_howdah,
    }


def must_be_built(lab):
    if not lab.bin_howdah.exists():
        raise LabError("there is no %s: run `cargo build -p howdah`, or set HOWDAH_BIN" % lab.bin_howdah)


def configure(lab):
    """Writes howdah.toml; the simulated site runs already and says who may log in."""
    _, site = identity.call("GET", lab.url("sim_control", "/sandbox/v1/endpoints"))
    config.write(
        lab,
        "howdah.toml",
        f"""
[server]
listen = "127.0.0.1:{lab.ports["howdah"]}"
auth = "keystone"

[store]
path = "{lab.state}/howdah/howdah.db"
key_file = "{lab.state}/howdah/secret.key"

[[site]]
name = "lab"
default = true
network_backend = "{lab.neutron}"

[site.bde]
url = "{site["urls"]["bde"]}"
username = "{site["bde"]["user"]}"
password = "{site["bde"]["password"]}"

[site.vcenter]
url = "{site["urls"]["vcenter"]}"
username = "{site["vcenter"]["user"]}"
password = "{site["vcenter"]["password"]}"

[site.openstack]
auth_url = "{lab.keystone}"
username = "howdah"
password = "{PASSWORD}"
project_name = "service"
user_domain_id = "default"
project_domain_id = "default"
region = "{REGION}"
""",
    )
    (lab.state / "howdah").mkdir(exist_ok=True, mode=0o700)
