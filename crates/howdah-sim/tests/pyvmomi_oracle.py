#!/usr/bin/env python3
"""Reads all VMs and their network cards from a vCenter with PyVmomi and prints them as JSON.

PyVmomi is the reference client for Python: what it can read from the simulated vCenter has the
shape that real clients expect. Needs `pip install pyvmomi`.
"""

import argparse
import json
import sys
from urllib.parse import urlsplit

from pyVim.connect import Disconnect, SmartConnect
from pyVim.task import WaitForTask
from pyVmomi import vim, vmodl


def card(device):
    backing = device.backing
    if isinstance(backing, vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo):
        segment = backing.port.portgroupKey
    elif isinstance(backing, vim.vm.device.VirtualEthernetCard.OpaqueNetworkBackingInfo):
        segment = backing.opaqueNetworkId
    else:
        segment = None
    return {
        "key": device.key,
        "label": device.deviceInfo.label,
        "mac": device.macAddress,
        "segment": segment,
        "connected": device.connectable.connected,
        "external_id": device.externalId,
    }


def in_bulk(content):
    """Names and power states by one traversal, as well-behaved clients read them."""
    view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
    collector = vmodl.query.PropertyCollector
    traversal = collector.TraversalSpec(name="v", path="view", skip=False, type=vim.view.ContainerView)
    spec = collector.FilterSpec(
        objectSet=[collector.ObjectSpec(obj=view, skip=True, selectSet=[traversal])],
        propSet=[collector.PropertySpec(type=vim.VirtualMachine, pathSet=["name", "runtime.powerState"], all=False)],
    )
    page = content.propertyCollector.RetrievePropertiesEx([spec], collector.RetrieveOptions(maxObjects=2))
    found = {}
    while page:
        for obj in page.objects:
            values = {p.name: p.val for p in obj.propSet}
            found[obj.obj._moId] = [values.get("name"), values.get("runtime.powerState")]
        token = page.token
        page = content.propertyCollector.ContinueRetrievePropertiesEx(token) if token else None
    view.DestroyView()
    return found


def machine(vm):
    """One VM, property by property, as scripts read them."""
    config = vm.config
    devices = config.hardware.device if config else []
    return {
        "name": vm.name,
        "power": vm.runtime.powerState,
        "host": vm.runtime.host.name,
        "folder": vm.parent.name,
        "instance_uuid": config.instanceUuid if config else None,
        "disks_kb": [d.capacityInKB for d in devices if isinstance(d, vim.vm.device.VirtualDisk)],
        "nics": [card(d) for d in devices if isinstance(d, vim.vm.device.VirtualEthernetCard)],
        "addresses": {str(n.deviceConfigId): list(n.ipAddress) for n in vm.guest.net},
        "networks": [n.name for n in vm.network],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="http(s)://host:port")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--power-on", metavar="NAME", help="power this VM on first, and wait for the task")
    options = parser.parse_args()
    url = urlsplit(options.url)
    site = SmartConnect(
        protocol=url.scheme,
        host=url.hostname,
        port=url.port or (443 if url.scheme == "https" else 80),
        user=options.user,
        pwd=options.password,
        disableSslCertValidation=True,
    )
    try:
        content = site.RetrieveContent()
        view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
        if options.power_on:
            WaitForTask([v for v in view.view if v.name == options.power_on][0].PowerOn())
        facts = {
            "product": content.about.fullName,
            "user": content.sessionManager.currentSession.userName,
            "datacenters": [d.name for d in content.rootFolder.childEntity],
            "bulk": in_bulk(content),
            "vms": {v._moId: machine(v) for v in view.view},
        }
        view.Destroy()
    finally:
        Disconnect(site)
    json.dump(facts, sys.stdout, indent=1, sort_keys=True)
    print()


if __name__ == "__main__":
    main()
