"""NSX Manager as the NSX-v plugin sees it: the plugin's own FakeVcns, made to remember and to refuse.

FakeVcns (vmware-nsx 17.0.0, vmware_nsx/tests/unit/nsx_v/vshield/fake_vcns.py) answers every call of the plugin but
forgets most and refuses nothing. This one holds the DHCP bindings of each edge, refuses a second one with the same
MAC, address or host name with the codes that the plugin knows, and fails calls when a test asks for it.

Its state is in memory: when the process ends, the plugin's database is of no use. The plugin must find it
under the class's name, so that there is one for the whole process. It knows nothing of VMs: no vNIC is checked.
"""
import importlib.util
import json
import pathlib

import vmware_nsx
from vmware_nsx.plugins.nsx_v.vshield.common import exceptions

# By its path: importing the package of the tests replaces time.sleep in the whole process.
FAKE = pathlib.Path(vmware_nsx.__file__).parent / "tests/unit/nsx_v/vshield/fake_vcns.py"
_spec = importlib.util.spec_from_file_location("fake_vcns_by_path", FAKE)
_fake = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fake)

# What NSX refuses a binding for, and the code by which the plugin knows it (vmware_nsx/plugins/nsx_v/vshield/
# common/constants.py).
UNIQUE = {"macAddress": 12518, "ipAddress": 12501, "hostname": 12504}


class Manager(_fake.FakeVcns):
    def __init__(self):
        super().__init__()
        self.approved = {}
        self.failing = {}  # call -> how often it fails

    # ------------------------------------------------------------ what the lab asks
    def fail(self, call, times):
        """The next calls of this name fail with an error that the plugin takes for NSX's trouble."""
        self.failing[call] = times

    def state(self):
        """What NSX holds, in JSON's types."""
        groups = [g for g in self._securitygroups.values() if isinstance(g, dict)]
        return {
            "bindings": [
                {"edge": edge, "id": key, "mac": one["macAddress"].lower(), "address": one["ipAddress"]}
                for edge in self._dhcp_bindings for key, one in self._held(edge).items()
            ],
            "approved": [
                {"vnic": vnic, **what} for (_policy, vnic), what in self.approved.items()
            ],
            "groups": [{"name": group["name"], "members": sorted(group["members"])} for group in groups],
            # NSX names a wire's port group by switch, wire, segment and the wire's name.
            "wires": [
                {"name": wire["name"], "port_group": "vxw-dvs-1-%s-sid-5001-%s" % (key, wire["name"])}
                for key, wire in self._fake_virtual_wires.items()
            ],
        }  # fmt: skip

    # ------------------------------------------------------------ what the plugin asks
    def _trouble(self, call):
        if self.failing.get(call, 0) > 0:
            self.failing[call] -= 1
            self._refuse(call, 100, "failed because a test asked for it")

    def _refuse(self, call, code, why):
        body = json.dumps({"errorCode": code, "details": why})
        raise exceptions.RequestBad(uri=call, status=400, header={}, response=body)

    def _held(self, edge):
        return {key: one for key, one in self._dhcp_bindings.get(edge, {}).items() if key != "idx"}

    def _must_hold(self, edge, binding):
        if binding not in self._held(edge):
            raise exceptions.ResourceNotFound(uri="binding " + binding, status=404, header={}, response="{}")

    def create_dhcp_binding(self, edge_id, request):
        self._trouble("create_dhcp_binding")
        for held in self._held(edge_id).values():
            for what, code in UNIQUE.items():
                if held[what].lower() == request[what].lower():
                    self._refuse("create_dhcp_binding", code, "%s %s is in use" % (what, request[what]))
        return super().create_dhcp_binding(edge_id, request)

    def delete_edge(self, edge_id):
        self._dhcp_bindings.pop(edge_id, None)  # they are the edge's own
        return super().delete_edge(edge_id)

    def delete_dhcp_binding(self, edge_id, binding_id):
        self._trouble("delete_dhcp_binding")
        self._must_hold(edge_id, binding_id)
        return super().delete_dhcp_binding(edge_id, binding_id)

    def get_dhcp_binding(self, edge_id, binding_id):
        self._must_hold(edge_id, binding_id)
        header, content = super().get_dhcp_binding(edge_id, binding_id)
        return header, {**content, "bindingId": binding_id}

    def query_dhcp_configuration(self, edge_id):
        held = [{**one, "bindingId": key} for key, one in self._held(edge_id).items()]
        return {"status": 200}, {"featureType": "dhcp_4.0", "version": 14, "enabled": True,
                                 "staticBindings": {"staticBindings": held}, "ipPools": {"ipPools": []}}  # fmt: skip

    def reconfigure_dhcp_service(self, edge_id, request):
        given = request.get("staticBindings", {}).get("staticBindings", [])
        self._dhcp_bindings[edge_id] = {"idx": len(given), **{"binding-%d" % n: one for n, one in enumerate(given)}}
        return super().reconfigure_dhcp_service(edge_id, request)

    def approve_assigned_addresses(self, policy_id, vnic_id, mac_addr, addresses):
        self.approved[policy_id, vnic_id] = {"mac": mac_addr.lower(), "addresses": list(addresses), "published": False}

    def publish_assigned_addresses(self, policy_id, vnic_id):
        if (policy_id, vnic_id) in self.approved:
            self.approved[policy_id, vnic_id]["published"] = True

    def inactivate_vnic_assigned_addresses(self, policy_id, vnic_id):
        self.approved.pop((policy_id, vnic_id), None)
