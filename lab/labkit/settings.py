"""Where a lab is, which ports it has, and what a person may set.

A lab is a state directory. What was chosen when it was first brought up (flavour, ports) is kept
there in `lab.json`, so that later commands find the same lab; several labs run side by side
when they have different directories.

    HOWDAH_LAB_FLAVOUR      pypi (default): today's OpenStack in a virtualenv, its Heat on threads;
                            debian: Debian 12's packages, its Heat 19 on eventlet
    HOWDAH_LAB_NEUTRON      ml2 (default): today's Neutron with its DHCP agent, and Heat;
                            nsx-v: Neutron 17 with VMware's NSX-v plugin, without Heat; pypi only
    HOWDAH_LAB_STATE        the lab's directory       [target/lab/FLAVOUR, or target/lab/nsx-v]
    HOWDAH_LAB_CACHE        virtualenv and database seeds, shared by labs [~/.cache/howdah-lab]
    HOWDAH_LAB_PORTS        first of a block of 20 ports                  [a free block]
    HOWDAH_LAB_SPEED        how much faster than real time the simulated vSphere works   [10]
    HOWDAH_LAB_TOKEN_SECONDS  lifetime of Keystone's tokens             [3600]
    HOWDAH_LAB_HEAT_WORKERS number of Heat engine workers                 [1]
    HOWDAH_BIN              the howdah program         [target/debug/howdah]
"""
import hashlib
import json
import os
import pathlib
import random
import socket
import sys

LAB = pathlib.Path(__file__).resolve().parent.parent
REPO = LAB.parent
NSXV = LAB / "nsxv_lab"
PASSWORD = "labsecret"  # of every user: nothing here is reachable from outside, or kept
HOST = "lab-host"
REGION = "RegionOne"

PORT_NAMES = (
    "keystone", "neutron", "heat", "heat_cfn", "rabbit", "rabbit_dist", "epmd", "howdah",
    "vcenter", "bde", "sim_keystone", "sim_neutron", "sim_control", "nsx",
)  # fmt: skip
BLOCK = 20


class LabError(Exception):
    """Something a person has to know of, in one line."""


class Settings:
    """One lab."""

    def __init__(self, environ=os.environ):
        self.flavour = environ.get("HOWDAH_LAB_FLAVOUR", "pypi")
        if self.flavour not in ("pypi", "debian"):
            raise LabError("HOWDAH_LAB_FLAVOUR is %r, known are pypi and debian" % self.flavour)
        self.debian = self.flavour == "debian"
        self.neutron = environ.get("HOWDAH_LAB_NEUTRON", "ml2")
        if self.neutron not in ("ml2", "nsx-v"):
            raise LabError("HOWDAH_LAB_NEUTRON is %r, known are ml2 and nsx-v" % self.neutron)
        self.nsxv = self.neutron == "nsx-v"
        if self.nsxv and self.debian:
            raise LabError("the NSX-v lab has the flavour pypi only")
        target = pathlib.Path(environ.get("CARGO_TARGET_DIR", REPO / "target"))
        cache = pathlib.Path(environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
        own = self.neutron if self.nsxv else self.flavour
        self.state = pathlib.Path(environ.get("HOWDAH_LAB_STATE", REPO / "target/lab" / own)).absolute()
        self.cache = pathlib.Path(environ.get("HOWDAH_LAB_CACHE", cache / "howdah-lab")).absolute()
        self.bin_howdah = pathlib.Path(environ.get("HOWDAH_BIN", target / "debug/howdah")).absolute()
        self.speed = float(environ.get("HOWDAH_LAB_SPEED", "10"))
        self.token_seconds = int(environ.get("HOWDAH_LAB_TOKEN_SECONDS", "3600"))
        self.heat_workers = int(environ.get("HOWDAH_LAB_HEAT_WORKERS", "1"))
        self.nodes = int(environ.get("HOWDAH_LAB_NODES", "20"))
        self.run, self.etc, self.log = self.state / "run", self.state / "etc", self.state / "log"
        self.venv = self.cache / ("venv-" + digest((LAB / "constraints.txt").read_bytes()))
        self.nsxv_venv = self.cache / ("venv-nsxv-" + digest((NSXV / "constraints.txt").read_bytes()))
        self.bin = pathlib.Path("/usr/bin") if self.debian else self.venv / "bin"
        # where the paste files of the APIs are
        self.share = pathlib.Path("/etc") if self.debian else self.venv / "etc"
        # The virtualenv is shared by labs and the system's Python is not pip's to change: what is
        # installed of ours stands beside Heat, on its path
        self.plugin_home = self.state / "plugin"
        self.mariadb_socket = self.state / "mariadb.sock"
        if len(str(self.mariadb_socket)) > 100:
            raise LabError("the path %s is too long for a socket: set HOWDAH_LAB_STATE" % self.state)
        # short, for names of network interfaces, which are the whole machine's
        self.tag = digest(str(self.state).encode())[:4]
        self.ports = self._ports(environ)

    def _ports(self, environ):
        kept = self.state / "lab.json"
        if kept.exists():
            base = json.loads(kept.read_text())["ports"]
        elif "HOWDAH_LAB_PORTS" in environ:
            base = int(environ["HOWDAH_LAB_PORTS"])
        else:
            base = free_block()
        return {name: base + i for i, name in enumerate(PORT_NAMES)}

    def keep(self):
        """Writes down what later commands must find the same."""
        for directory in (self.state, self.run, self.etc, self.log):
            directory.mkdir(parents=True, exist_ok=True)
        (self.state / "lab.json").write_text(
            json.dumps({"flavour": self.flavour, "ports": self.ports[PORT_NAMES[0]]})
        )

    def exists(self):
        return (self.state / "lab.json").exists()

    def url(self, name, path=""):
        return "http://127.0.0.1:%d%s" % (self.ports[name], path)

    @property
    def keystone(self):
        return self.url("keystone", "/v3")

    def seed(self):
        """Name of the database seed: it is good for one set of versions."""
        versions = "debian12" if self.debian else digest((LAB / "constraints.txt").read_bytes())
        return self.cache / ("seed-%s-%s" % (self.flavour, versions))


def digest(data):
    return hashlib.sha256(data).hexdigest()[:12]


def free_block():
    """First port of a block that nobody listens on, below the range of outgoing connections."""
    choice = random.SystemRandom()
    for _ in range(200):
        base = 20000 + BLOCK * choice.randrange(12000 // BLOCK)
        if all(is_free(base + i) for i in range(BLOCK)):
            return base
    raise LabError("no block of %d free ports found" % BLOCK)


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def say(text):
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
