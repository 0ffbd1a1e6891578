"""Real guests for simulated VMs.

The simulated site tells when a VM is powered on or off and has no network of its own. For each
card of a VM that is on, this makes a network namespace with a veth of the card's MAC on the
Neutron network's bridge, runs a real DHCP client in it with the guest's patience, and tells the
site what the client got: that is what vCenter's guest.net shows then. Neutron's DHCP agent and
dnsmasq do not know the difference.

It also tells the site of each Neutron network, which appears as a port group in vCenter.

Invariant: every namespace is written down in the state directory before it is made, and only
those are ever removed. Patience is in real seconds, however fast the simulated vSphere works.
"""
import itertools
import pathlib
import signal
import subprocess
import threading
import time

from labkit import identity
from labkit.process import send
from labkit.settings import LAB, LabError, say

# Seconds from one DISCOVER to the next, and pauses without requests, as the clients of these
# guests do. A real client sends each; what is laid down here is when.
MINUTE = [10] * 6
PATIENCE = {
    "initscripts": lambda: iter(MINUTE),  # dhclient -1: gives up for good
    "ifupdown": lambda: itertools.cycle([*MINUTE, -300]),
    "network-manager": lambda: itertools.cycle([3] * 60 + [-300]),
    "networkd": lambda: itertools.chain([2, 4, 8, 16, 32], itertools.repeat(64)),
}


def ip(*words, check=True):
    return subprocess.run(["ip", *words], check=check, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class Guest:
    """One card of one booted VM."""

    def __init__(self, lab, site, event):
        self.lab, self.event, self.site = lab, event, site
        digits = event["mac"].replace(":", "")
        # names of interfaces have 15 characters and are the whole machine's
        self.name = "h%s%s" % (lab.tag, digits[-10:])
        self.note = lab.state / "guests" / self.name
        self.bridge = "brq" + (event.get("network") or "")[:11]
        self.over = threading.Event()
        self.client = None
        self.thread = threading.Thread(target=self.run, name=event["name"], daemon=True)
        self.thread.start()

    def run(self):
        try:
            if self.over.wait(float(self.event["discover_after"])):
                return
            self.plug()
            address = self.ask()
            if address:
                say("%s (%s) got %s" % (self.event["name"], self.event["mac"], address))
                self.site.address(self.event, address)
        except (OSError, LabError, subprocess.CalledProcessError) as problem:
            say("%s: %s %s" % (self.event["name"], problem, getattr(problem, "stderr", "")))

    def plug(self):
        self.note.touch()
        ip("netns", "add", self.name)
        ip("link", "add", self.name, "type", "veth", "peer", "name", "eth0",
           "address", self.event["mac"], "netns", self.name)  # fmt: skip
        # the bridge is made by the DHCP agent, with the network's first port
        until = time.monotonic() + 60
        while not pathlib.Path("/sys/class/net", self.bridge).exists():
            if self.over.wait(0.1) or time.monotonic() > until:
                raise LabError("there is no bridge %s" % self.bridge)
        ip("link", "set", self.name, "master", self.bridge, "up")
        ip("-n", self.name, "link", "set", "eth0", "up")

    def ask(self):
        """Sends DISCOVERs until one is answered, the guest's patience or its life ends."""
        for seconds in PATIENCE[self.event["profile"]]():
            if seconds < 0:
                if self.over.wait(-seconds):
                    return None
                continue
            address = self.discover(seconds)
            if self.over.is_set():
                return None
            if address:
                return address
        say("%s gave up asking" % self.event["name"])
        return None

    def discover(self, seconds):
        """Sends one DISCOVER and waits so long for the lease; returns its address."""
        self.client = subprocess.Popen(
            ["ip", "netns", "exec", self.name, "udhcpc", "-f", "-q", "-n", "-i", "eth0", "-t", "1",
             "-T", str(seconds), "-s", str(LAB / "udhcpc.script")],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        out, _ = self.client.communicate()
        found = [line.split("=", 1)[1] for line in out.splitlines() if line.startswith("lease=")]
        return found[0] if found else None

    def end(self):
        """Power off: the client, the card and the namespace go."""
        self.over.set()
        if self.client and self.client.poll() is None:
            send([self.client.pid], signal.SIGKILL)
        self.thread.join(20)
        remove(self.note)


class EdgeGuest(Guest):
    """One card on a network whose DHCP server is an NSX edge.

    The edge has static bindings only: a DISCOVER is answered if NSX holds one for the card's MAC at
    that moment. Nothing is on a wire here.
    """

    def plug(self):
        pass

    def discover(self, seconds):
        _, nsx = identity.call("GET", self.lab.url("nsx", "/state"))
        for binding in nsx["bindings"]:
            if binding["mac"] == self.event["mac"].lower():
                return binding["address"]
        self.over.wait(seconds)
        return None

    def end(self):
        self.over.set()
        self.thread.join(20)


def remove(note):
    """Removes a namespace that was written down, and whatever runs in it."""
    listed = ip("netns", "pids", note.name, check=False)
    send([int(pid) for pid in listed.stdout.split()], signal.SIGKILL)
    ip("link", "del", note.name, check=False)
    ip("netns", "del", note.name, check=False)
    note.unlink(missing_ok=True)


def remove_all(lab):
    for note in (lab.state / "guests").glob("h*"):
        remove(note)


class Site:
    """The control port of the simulated site."""

    def __init__(self, lab):
        self.base = lab.url("sim_control", "/sandbox/v1")

    def events(self, after):
        """Events after a number; answers when there are any, or after half a minute."""
        _, body = identity.call("GET", "%s/guests/events?after=%d" % (self.base, after), timeout=90)
        return body["events"]

    def address(self, event, address):
        body = {"vm": event["vm"], "boot": event["boot"], "nic": event["nic"], "address": address}
        identity.call("POST", self.base + "/guests/address", body)

    def add_network(self, network_id, name):
        try:
            identity.call("POST", self.base + "/port-groups", {"network_id": network_id, "name": name})
        except identity.ApiError as problem:
            if problem.code != 409:  # it is there already
                raise


class Networks(threading.Thread):
    """Makes a port group of every network that Neutron has."""

    def __init__(self, lab, site):
        super().__init__(name="networks", daemon=True)
        self.lab, self.site = lab, site
        self.token, self.good_until = None, 0.0
        self.known = set()

    def run(self):
        while True:
            try:
                self.look()
            except (OSError, LabError) as problem:
                self.good_until = 0.0
                say("networks: %s" % problem)
            time.sleep(1)

    def look(self):
        if time.monotonic() > self.good_until:
            self.token, _ = identity.login(self.lab, "howdah", "service")
            self.good_until = time.monotonic() + self.lab.token_seconds * 0.5
        _, body = identity.call("GET", self.lab.url("neutron", "/v2.0/networks?fields=id"), token=self.token)
        for network_id in {network["id"] for network in body["networks"]} - self.known:
            name = self.port_group(network_id)
            if name:
                self.site.add_network(network_id, name)
                self.known.add(network_id)
                say("network %s is the port group %s" % (network_id, name))

    def port_group(self, network_id):
        """How the backend names the network's port group; None if it has made none yet."""
        if not self.lab.nsxv:
            return network_id  # ML2 on a distributed switch
        _, nsx = identity.call("GET", self.lab.url("nsx", "/state"))
        return next((wire["port_group"] for wire in nsx["wires"] if wire["name"].endswith(network_id)), None)


def serve(lab):
    """Follows the site's events until it is stopped."""
    (lab.state / "guests").mkdir(exist_ok=True)
    remove_all(lab)  # of a run that was killed
    site, kind = Site(lab), EdgeGuest if lab.nsxv else Guest
    Networks(lab, site).start()
    guests, after = {}, 0
    while True:
        try:
            events = site.events(after)
        except (OSError, LabError) as problem:
            say("the simulated site: %s" % problem)
            time.sleep(1)
            continue
        for event in events:
            after = event["number"]
            key = (event["vm"], event["nic"])
            change = event["change"]
            if change in ("on", "off", "link_up") and key in guests:
                guests.pop(key).end()
            # a link that comes back makes NetworkManager and networkd ask again, others not
            if change == "on" or change == "link_up" and event["profile"] in ("network-manager", "networkd"):
                guests[key] = kind(lab, site, event)
