"""What the NSX-v plugin does with single requests, where that is not what one would expect.

Each is a fact that the service or the simulated Neutron rests on.
"""
import time

from labtests.nsxv import Nsx


def address(port):
    return port["fixed_ips"][0]["ip_address"]


def served(nsx, port):
    return nsx.bindings(port["mac_address"]) == {port["mac_address"]: address(port)}


def test_a_port_gets_binding_index_spoofguard_and_group(cloud):
    nsx = Nsx(cloud)
    with nsx.network() as (network, _):
        port = nsx.make(network)
        assert port["vnic_index"] == 0 and served(nsx, port)
        assert nsx.approved(port["mac_address"]) and nsx.in_group(port["device_id"])
        assert nsx.ask("DELETE", "/ports/" + port["id"])[0] == 204
        assert not nsx.bindings(port["mac_address"]), "the binding outlives its port"
        assert not nsx.approved(port["mac_address"]) and not nsx.in_group(port["device_id"])


def test_another_device_id_costs_the_binding_until_the_owner_is_sent_again(cloud):
    nsx = Nsx(cloud)
    with nsx.network() as (network, _):
        port = nsx.make(network)
        changed = dict(device_id="11111111-2222-3333-4444-555555555555", device_owner=port["device_owner"])
        assert nsx.put(port, **changed)[0] == 200
        assert nsx.get(port).get("vnic_index") is None, "the index outlives the device"
        assert not nsx.approved(port["mac_address"]) and not nsx.in_group(port["device_id"])
        assert not nsx.bindings(port["mac_address"]), "the plugin made the binding again: the repair can be shorter"
        assert nsx.put(port, device_owner=port["device_owner"])[0] == 200
        assert served(nsx, port)
        nsx.put(port, vnic_index=0)
        assert nsx.get(port)["vnic_index"] == 0
        assert nsx.in_group(changed["device_id"])


def test_the_same_owner_again_replaces_the_binding(cloud):
    nsx = Nsx(cloud)
    with nsx.network() as (network, _):
        port = nsx.make(network)

        def ids():
            return [b["id"] for b in nsx.state()["bindings"] if b["mac"] == port["mac_address"]]

        before = ids()
        assert nsx.put(port, device_owner=port["device_owner"])[0] == 200
        assert served(nsx, port) and ids() != before, "the binding was left as it was"
        assert nsx.get(port)["vnic_index"] == 0


def test_a_refused_bulk_leaves_bindings_without_ports(cloud):
    nsx = Nsx(cloud)
    with nsx.network() as (network, _):
        taken = nsx.make(network)
        first, last = nsx.node(network), nsx.node(network, mac_address=taken["mac_address"])
        status, answer = nsx.ask("POST", "/ports", {"ports": [first, last]})
        assert (status, answer["NeutronError"]["type"]) == (409, "MacAddressInUse"), answer
        assert [port["id"] for port in nsx.ports(network)] == [taken["id"]]
        left = nsx.bindings(first["mac_address"])
        assert left, "a refused bulk leaves nothing: it may be used with NSX-v"
        port = nsx.must("POST", "/ports", {"port": first})["port"]
        assert served(nsx, port), "asking for the same MAC again heals it"


def test_a_refused_delete_of_a_network_ends_its_dhcp_until_that_is_switched_off_and_on(cloud):
    nsx = Nsx(cloud)
    with nsx.network() as (network, subnet):
        port = nsx.make(network)
        assert nsx.has_dhcp_port(network)
        status, answer = nsx.ask("DELETE", "/networks/" + network)
        assert (status, answer["NeutronError"]["type"]) == (409, "SubnetInUse"), answer
        assert not nsx.has_dhcp_port(network) and not nsx.bindings(port["mac_address"])
        later = nsx.must("POST", "/ports", {"port": nsx.node(network)})["port"]
        assert later["status"] == "ACTIVE" and not nsx.bindings(later["mac_address"])
        for switch in (False, True):
            nsx.must("PUT", "/subnets/" + subnet, {"subnet": {"enable_dhcp": switch}})
        assert nsx.has_dhcp_port(network) and served(nsx, port) and served(nsx, later)


def test_an_index_once_set_is_not_changed(cloud):
    nsx = Nsx(cloud)
    with nsx.network() as (network, _):
        port = nsx.make(network)
        assert nsx.put(port, vnic_index=1)[0] == 500
        assert nsx.put(port, vnic_index=None)[0] == 200
        assert nsx.get(port)["vnic_index"] == 0


def test_only_a_read_tells_that_an_index_did_not_take(cloud):
    nsx = Nsx(cloud)
    with nsx.network() as (network, _):
        port = nsx.must("POST", "/ports", {"port": nsx.node(network, device_owner="", device_id="")})["port"]
        status, answer = nsx.put(port, vnic_index=0)
        assert (status, answer["port"]["vnic_index"]) == (200, 0), answer
        assert nsx.get(port).get("vnic_index") is None


def test_nameservers_of_a_subnet_break_every_create(cloud):
    nsx = Nsx(cloud)
    with nsx.network(dns_nameservers=["10.20.0.2"]) as (network, _):
        assert nsx.ask("POST", "/ports", {"port": nsx.node(network)})[0] == 500


def test_three_failures_of_nsx_are_not_seen(cloud):
    nsx = Nsx(cloud)
    with nsx.network() as (network, _):
        nsx.fail("create_dhcp_binding", 3)
        port = nsx.must("POST", "/ports", {"port": nsx.node(network)})["port"]
        assert served(nsx, port)


def deep_lasting_trouble_of_nsx_is_an_error_after_minutes(cloud):
    nsx = Nsx(cloud)
    with nsx.network() as (network, _):
        nsx.fail("create_dhcp_binding", 1000)
        began = time.monotonic()
        try:
            status, answer = nsx.ask("POST", "/ports", {"port": nsx.node(network)})
        finally:
            nsx.fail("create_dhcp_binding", 0)
        took = time.monotonic() - began
        assert (status, answer["NeutronError"]["type"]) == (500, "RequestBad"), answer
        assert 100 < took < 180, "%.0f s: the service allows 180" % took
        assert not nsx.ports(network), "the port outlives its refusal"
