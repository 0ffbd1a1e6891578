"""What the tests of the NSX-v lab ask of Neutron and of NSX Manager.

Answers are returned with their status, because what the plugin refuses is as much of interest as what it does.
"""
import contextlib
import itertools
import json
import urllib.error
import urllib.request
import uuid

from labkit import identity

MACS = itertools.count(1)


class Nsx:
    """Neutron with the rights that the service has, and NSX Manager."""

    def __init__(self, cloud):
        self.lab = cloud.lab
        self.token, self.project = identity.login(self.lab, "howdah", "service")

    def ask(self, method, path, body=None):
        """Status and body."""
        request = urllib.request.Request(
            self.lab.url("neutron", "/v2.0" + path), method=method, data=json.dumps(body).encode() if body else None
        )
        request.add_header("X-Auth-Token", self.token)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=400) as answer:
                return answer.status, identity.parse(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, identity.parse(error.read())

    def must(self, method, path, body=None):
        status, answer = self.ask(method, path, body)
        assert status < 300, "%s %s: %d %s" % (method, path, status, answer)
        return answer

    @contextlib.contextmanager
    def network(self, **subnet):
        """A network and its subnet, removed afterwards with all their ports."""
        made = self.must("POST", "/networks", {"network": {"name": "net-" + uuid.uuid4().hex[:8]}})["network"]
        try:
            body = {"network_id": made["id"], "ip_version": 4, "cidr": "10.20.0.0/24", **subnet}
            yield made["id"], self.must("POST", "/subnets", {"subnet": body})["subnet"]["id"]
        finally:
            for port in self.ports(made["id"]):
                self.ask("DELETE", "/ports/" + port["id"])
            self.must("DELETE", "/networks/" + made["id"])

    def ports(self, network):
        """All but Neutron's own."""
        found = self.must("GET", "/ports?network_id=" + network)["ports"]
        return [port for port in found if not port["device_owner"].startswith("network:")]

    def has_dhcp_port(self, network):
        return bool(self.must("GET", "/ports?device_owner=network:dhcp&network_id=" + network)["ports"])

    def node(self, network, **changes):
        """The body of a node's port, as the service asks for it."""
        mac = "00:50:56:%02x:%02x:%02x" % ((0xEE,) + divmod(next(MACS), 256))
        return {"network_id": network, "mac_address": mac, "device_owner": "compute:howdah",
                "device_id": str(uuid.uuid4()), **changes}  # fmt: skip

    def make(self, network):
        """A node's port with its card's index."""
        port = self.must("POST", "/ports", {"port": self.node(network)})["port"]
        self.put(port, vnic_index=0)
        return self.get(port)

    def put(self, port, **changes):
        return self.ask("PUT", "/ports/" + port["id"], {"port": changes})

    def get(self, port):
        return self.must("GET", "/ports/" + port["id"])["port"]

    # ------------------------------------------------------------ what NSX holds
    def state(self):
        return identity.call("GET", self.lab.url("nsx", "/state"))[1]

    def fail(self, call, times):
        identity.call("POST", self.lab.url("nsx", "/fail"), {"call": call, "times": times})

    def bindings(self, *macs):
        """MAC to address, of the DHCP bindings that there are for these MACs."""
        return {b["mac"]: b["address"] for b in self.state()["bindings"] if b["mac"] in macs}

    def approved(self, mac):
        """Whether SpoofGuard lets the card send."""
        return any(a["mac"] == mac and a["published"] for a in self.state()["approved"])

    def in_group(self, device):
        """Whether a card of this VM is a member of a security group."""
        return any(device in member for group in self.state()["groups"] for member in group["members"])
