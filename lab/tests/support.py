"""What the lab's tests ask of the cloud, in the words of its APIs."""
import contextlib
import json
import os
import pathlib
import subprocess
import time

from labkit import commands, guests, identity, process, services
from labkit.settings import REPO

EXAMPLE = REPO / "examples/hadoop-2015.json"
# Generous: the machine may be busy compiling.
PATIENCE = 900.0


def seconds_of(call):
    began = time.monotonic()
    call()
    return time.monotonic() - began


class Cloud:
    """The cloud as user demo sees it, and as its operator does."""

    def __init__(self, lab):
        self.lab = lab
        self.project = None
        self._token = None
        self._good_until = 0.0

    # ------------------------------------------------------------ access
    def token(self):
        if time.monotonic() > self._good_until:
            self._token, self.project = identity.login(self.lab)
            self._good_until = time.monotonic() + min(self.lab.token_seconds, 20) * 0.5
        return self._token

    def forget_token(self):
        """The next call logs in again."""
        self._good_until = 0.0

    def call(self, method, service, path, body=None):
        token = self.token()
        if service == "heat":
            path = "/v1/%s%s" % (self.project, path)
        return identity.call(method, self.lab.url(service, path), body, token)[1]

    def cli(self, *words):
        """The command line client, as a person uses it."""
        environment = {**os.environ, **commands.environment(self.lab)}
        done = subprocess.run(["openstack", *map(str, words)], env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)  # fmt: skip
        assert done.returncode == 0, "openstack %s: %s%s" % (" ".join(map(str, words)), done.stdout, done.stderr)
        return done.stdout

    # ------------------------------------------------------------ stacks
    def create(self, name, nodes=None, template=None, minutes=30, **parameters):
        document = json.loads(EXAMPLE.read_text()) if template is None else template
        if nodes:
            parameters["Workers"] = nodes - 2
        body = {"stack_name": name, "template": document, "parameters": parameters, "timeout_mins": minutes,
                "disable_rollback": True}  # fmt: skip
        self.call("POST", "heat", "/stacks", body)

    def stack(self, name):
        """The stack, or None."""
        try:
            # by name Heat redirects to the id, and a redirect loses the token
            found = self.call("GET", "heat", "/stacks?name=" + name)["stacks"]
        except identity.ApiError as problem:
            if problem.code == 404:
                return None
            raise
        return found[0] if found else None

    def path(self, name):
        stack = self.stack(name)
        return "/stacks/%s/%s" % (name, stack["id"])

    def wait(self, name, *wanted, timeout=PATIENCE, during=None):
        """Waits for one of these states; any other that is final fails."""
        until = time.monotonic() + timeout
        while True:
            stack = self.stack(name)
            state = stack["stack_status"] if stack else "GONE"
            if state in wanted:
                return stack
            assert state.endswith("IN_PROGRESS") or "GONE" in wanted and state == "DELETE_COMPLETE", (
                "stack %s is %s, not %s: %s" % (name, state, wanted, (stack or {}).get("stack_status_reason"))
            )
            assert time.monotonic() < until, "stack %s is %s after %d s" % (name, state, timeout)
            if during:
                during()
            time.sleep(0.5)

    def delete(self, name):
        if self.stack(name):
            self.call("DELETE", "heat", self.path(name))
            self.wait(name, "GONE")

    @contextlib.contextmanager
    def removed(self, *names):
        """Whatever happens, these stacks are gone afterwards."""
        try:
            yield
        finally:
            for name in names:
                self.delete(name)

    def resource(self, name, resource="Cluster"):
        return self.call("GET", "heat", "%s/resources/%s" % (self.path(name), resource))["resource"]

    # ------------------------------------------------------------ clusters
    def cluster(self, cluster_id):
        """The cluster as the service shows it, or None."""
        try:
            found = self.call("GET", "howdah", "/v1/clusters/" + cluster_id)
        except identity.ApiError as problem:
            if problem.code == 404:
                return None
            raise
        return found.get("cluster", found)

    def clusters(self):
        return self.call("GET", "howdah", "/v1/clusters?detail=true")["clusters"]

    def cluster_under_way(self, name, stage="cloned"):
        """Waits until a cluster of this stack has been asked for and has some VMs; returns its id."""

        def look():
            found = self.resource(name)["physical_resource_id"]
            cluster = self.cluster(found) if found else None
            return found if cluster and any(node.get("vm_id") for node in cluster["nodes"]) else None

        def patient():
            try:
                return look()
            except identity.ApiError as problem:  # the resource is not in Heat's database yet
                raise OSError(str(problem))

        return process.wait_until("stack %s has a cluster with VMs" % name, patient, timeout=PATIENCE)

    def ports(self, **query):
        filters = "&".join("%s=%s" % item for item in query.items())
        return self.call("GET", "neutron", "/v2.0/ports?" + filters)["ports"]

    def networks(self, name):
        return self.call("GET", "neutron", "/v2.0/networks?name=" + name)["networks"]

    # ------------------------------------------------------------ the simulated vSphere
    def vms(self):
        """Names of the VMs of clusters in vCenter."""
        return [vm["name"] for vm in self.site("/vms")["vms"]]

    def registrations(self):
        """Port groups of the networks registered in BDE."""
        return [network["port_group"] for network in self.site("/state")["registered_networks"]]

    def site(self, path):
        return identity.call("GET", self.lab.url("sim_control", "/sandbox/v1" + path))[1]

    def lease(self, mac):
        """The address that the guest with this MAC really has on its card."""
        name = "h%s%s" % (self.lab.tag, mac.replace(":", "")[-10:])
        shown = guests.ip("-n", name, "-4", "-j", "addr", "show", "dev", "eth0", check=False)
        found = [a["local"] for link in json.loads(shown.stdout or "[]") for a in link.get("addr_info", [])]
        return found[0] if found else None

    def namespaces(self):
        """Namespaces of this lab's guests."""
        return [path.name for path in pathlib.Path("/run/netns").glob("h%s*" % self.lab.tag)]

    # ------------------------------------------------------------ processes
    def kill(self, name):
        commands.cmd_kill(self.lab, [name])

    def stop(self, name):
        commands.cmd_stop(self.lab, [name])

    def start(self, name):
        service = services.table(self.lab)[name]
        process.start(self.lab, name, service)
        if service.port:
            process.wait_listens(self.lab, name, service.port)

    def restart_engine(self):
        """Heat's engine is killed and started again; waits until the new one takes requests."""

        def up():
            return {s["engine_id"] for s in identity.call("GET", url, token=token)[1]["services"] if s["status"] == "up"}

        def there():
            try:
                return up() - before
            except identity.ApiError as problem:
                raise OSError(str(problem))

        token, project = identity.login(self.lab, "admin", "admin")
        url = self.lab.url("heat", "/v1/%s/services" % project)
        before = up()
        self.kill("heat-engine")
        self.start("heat-engine")
        process.wait_until("the new engine reports", there, timeout=PATIENCE,
                           alive=process.must_live(self.lab, "heat-engine"))  # fmt: skip

    # ------------------------------------------------------------ checks that several tests make
    def check_addresses(self, cluster, nodes):
        """Every node's address is its port's, and is what its real DHCP client was given."""
        assert len(cluster["nodes"]) == nodes, "%d nodes, not %d" % (len(cluster["nodes"]), nodes)
        ports = {port["mac_address"]: port for port in self.ports(network_id=cluster["network"]["id"])
                 if not port["device_owner"].startswith("network:")}  # fmt: skip
        assert len(ports) == nodes, "%d ports for %d nodes" % (len(ports), nodes)
        for node in cluster["nodes"]:
            port = ports[node["mac"].lower()]
            promised = [fixed["ip_address"] for fixed in port["fixed_ips"]]
            assert port["id"] == node["port_id"], (port["id"], node)
            assert [node["address"]] == promised, "%s has %s, its port %s" % (node["name"], node["address"], promised)
            lease = self.lease(node["mac"])
            assert lease == node["address"], "%s: the lease is %s, shown is %s" % (node["name"], lease, node["address"])

    def check_nothing_left(self, network, cluster_id):
        assert self.cluster(cluster_id) is None, "the service still knows the cluster"
        assert not self.ports(network_id=network), "ports are left"
        assert network not in [found["id"] for found in self.call("GET", "neutron", "/v2.0/networks")["networks"]]
        assert self.vms() == [], "VMs are left: %s" % self.vms()
        assert network not in self.registrations(), "BDE still has a registration"
        process.wait_until("no guest is left", lambda: not self.namespaces(), timeout=30)
