"""A cluster through the real NSX-v plugin: the service over its API, vCenter and BDE simulated.

A node's address can only come from a DHCP binding that the plugin made: the guest asks NSX for one with its MAC.
"""
import uuid

from labkit import process
from labtests.nsxv import Nsx

NODES = 4


def test_a_cluster_lives_by_bindings_that_the_plugin_made(cloud):
    nsx = Nsx(cloud)
    network = cloud.call("POST", "neutron", "/v2.0/networks", {"network": {"name": "data"}})["network"]["id"]
    subnet = cloud.call("POST", "neutron", "/v2.0/subnets", {"subnet": {
        "network_id": network, "ip_version": 4, "cidr": "10.30.0.0/24", "name": "data-subnet"}})  # fmt: skip
    cluster = str(uuid.uuid4())
    path = "/v1/clusters/" + cluster
    body = {
        "name": "nsxv", "cluster_type": "bigtop", "network": network, "subnet": subnet["subnet"]["id"],
        "node_groups": [{"name": "worker", "count": NODES, "roles": ["hadoop_datanode"]}],
    }  # fmt: skip
    try:
        finish(cloud, cloud.call("PUT", "howdah", path, body), cluster)
        check(cloud, nsx, cluster)
        finish(cloud, cloud.call("PUT", "howdah", path + "/state", {"state": "stopped"}), cluster)
        assert cloud.cluster(cluster)["status"] == "stopped"
        finish(cloud, cloud.call("PUT", "howdah", path + "/state", {"state": "running"}), cluster)
        macs, vms = check(cloud, nsx, cluster)
    finally:
        cloud.call("DELETE", "howdah", path)
        process.wait_until("the cluster is gone", lambda: not cloud.clusters(), timeout=120)
        left = nsx.ports(network)
        cloud.call("DELETE", "neutron", "/v2.0/networks/" + network)
    assert not left, left
    assert not nsx.bindings(*macs) and not any(map(nsx.approved, macs)) and not any(map(nsx.in_group, vms))


def finish(cloud, accepted, cluster):
    """Waits for the end of the operation, which must be good."""

    def end():
        operation = cloud.cluster(cluster)["operation"]
        return operation if operation["state"] != "running" else None

    assert accepted["operation"]["state"] == "running", accepted
    operation = process.wait_until("the operation's end", end, timeout=300)
    assert operation["state"] == "succeeded", operation


def check(cloud, nsx, cluster):
    """Every node has its port's address, by a binding, may send, and is in its group; returns MACs and devices."""
    nodes = cloud.cluster(cluster)["nodes"]
    assert len(nodes) == NODES
    macs, vms = [node["mac"].lower() for node in nodes], []
    assert nsx.bindings(*macs) == {node["mac"].lower(): node["address"] for node in nodes}
    for node in nodes:
        port = nsx.get({"id": node["port_id"]})
        assert port["vnic_index"] == 0, port
        assert nsx.approved(port["mac_address"]) and nsx.in_group(port["device_id"])
        vms.append(port["device_id"])
    return macs, vms
