"""Properties and attributes of the resource type: names, schemas, and the request they make.

The first thirteen names are those of the plugin of 2015, whose templates load unchanged. Its
defaults for hosts, credentials and file paths named one installation and are gone: left out,
they mean the site that the operator made the default. No property can be updated in place yet,
so every change of one replaces the cluster.
"""
from typing import Any, Dict, List, Mapping, Optional

from heat.common.i18n import _
from heat.engine import attributes, constraints, properties, translation

Schema = properties.Schema

PROPERTIES = (
    BDE_ENDPOINT, VCM_SERVER, USERNAME, PASSWORD, CLUSTER_NAME, CLUSTER_TYPE, NETWORK,
    CLUSTER_PASSWORD, CLUSTER_RP, VIO_CONFIG, BDE_CONFIG, SECURITY_GROUP, SUBNET,
    SECURITY_GROUPS, NODE_GROUPS, DATASTORES, SITE, APP_MANAGER, REMEDY, WAIT_FOR, SPECIFICATION,
) = (
    "bde_endpoint", "vcm_server", "username", "password", "cluster_name", "cluster_type", "network",
    "cluster_password", "cluster_rp", "vio_config", "bde_config", "security_group", "subnet",
    "security_groups", "node_groups", "datastores", "site", "app_manager", "remedy", "wait_for", "specification",
)  # fmt: skip

NODE_GROUP_KEYS = (
    GROUP_NAME, GROUP_ROLES, GROUP_COUNT, GROUP_CPU, GROUP_MEMORY, GROUP_DISK,
) = ("name", "roles", "count", "cpu", "memory_mb", "disk_gb")  # fmt: skip

ATTRIBUTES = (
    CLUSTER_ID, STATUS, STATUS_REASON, PROGRESS, NODES, ADDRESSES, MASTER_ADDRESS, OPERATION, EVENTS,
) = (
    "cluster_id", "status", "status_reason", "progress", "nodes", "addresses", "master_address",
    "operation", "events",
)  # fmt: skip

_STRING, _LIST, _MAP, _INTEGER = Schema.STRING, Schema.LIST, Schema.MAP, Schema.INTEGER

_NODE_GROUP = {
    GROUP_NAME: Schema(_STRING, _("Name of the node group."), required=True),
    GROUP_ROLES: Schema(
        _LIST, _("Roles of its nodes, as the distribution names them."), required=True, schema=Schema(_STRING)
    ),
    GROUP_COUNT: Schema(_INTEGER, _("How many nodes."), required=True, constraints=[constraints.Range(min=1)]),
    GROUP_CPU: Schema(_INTEGER, _("CPUs of a node."), constraints=[constraints.Range(min=1)]),
    GROUP_MEMORY: Schema(_INTEGER, _("Memory of a node in MiB."), constraints=[constraints.Range(min=1)]),
    GROUP_DISK: Schema(_INTEGER, _("Data disk of a node in GiB."), constraints=[constraints.Range(min=1)]),
}

PROPERTIES_SCHEMA: Dict[str, Any] = {
    BDE_ENDPOINT: Schema(
        _STRING, _("Host name of a BDE server: chooses its site among those that Howdah is configured for.")
    ),
    VCM_SERVER: Schema(
        _STRING, _("Host name of a vCenter server: chooses its site among those that Howdah is configured for.")
    ),
    USERNAME: Schema(_STRING, _("User of BDE and vCenter. Ignored unless the operator allows it for the site.")),
    PASSWORD: Schema(_STRING, _("Password of that user. Ignored unless the operator allows it for the site.")),
    CLUSTER_NAME: Schema(
        _STRING,
        _("Name of the cluster, unique in its site."),
        required=True,
        constraints=[
            constraints.AllowedPattern("[a-zA-Z0-9_]+", _("A cluster name has letters, digits and underscores only."))
        ],
    ),
    CLUSTER_TYPE: Schema(_STRING, _("Distribution of the cluster, by its name in BDE."), required=True),
    NETWORK: Schema(
        _STRING,
        _("Name or id of the network that the nodes are on."),
        required=True,
        constraints=[constraints.CustomConstraint("neutron.network")],
    ),
    CLUSTER_PASSWORD: Schema(_STRING, _("Password of the nodes.")),
    CLUSTER_RP: Schema(
        _LIST,
        _("Resource pools by their names in BDE."),
        default=["openstackRP"],
        schema=Schema(_STRING),
        allow_conversion=True,  # one name, or several with commas, as a string: the shape of 2015
    ),
    VIO_CONFIG: Schema(
        _STRING, _("Path, on the Howdah server, of a 2015-style file with OpenStack credentials.")
    ),
    BDE_CONFIG: Schema(_STRING, _("Path, on the Howdah server, of a 2015-style file with BDE settings.")),
    SECURITY_GROUP: Schema(
        _STRING,
        _("Name or id of one security group of the nodes."),
        constraints=[constraints.CustomConstraint("neutron.security_group")],
    ),
    SUBNET: Schema(
        _STRING,
        _("Name or id of the subnet that the nodes get their addresses from."),
        required=True,
        constraints=[constraints.CustomConstraint("neutron.subnet")],
    ),
    SECURITY_GROUPS: Schema(
        _LIST,
        _("Names or ids of the security groups of the nodes. None: the project's default."),
        schema=Schema(_STRING, constraints=[constraints.CustomConstraint("neutron.security_group")]),
    ),
    NODE_GROUPS: Schema(
        _LIST,
        _("Node groups. None: what the distribution's default template says."),
        schema=Schema(_MAP, schema=_NODE_GROUP),
    ),
    DATASTORES: Schema(_LIST, _("Datastores by their names in BDE. None: all of them."), schema=Schema(_STRING)),
    SITE: Schema(_STRING, _("Name of the site, where Howdah is configured for several.")),
    APP_MANAGER: Schema(_STRING, _("Application manager of BDE. None: its default.")),
    REMEDY: Schema(
        _STRING,
        _("What may be done to a node that missed its address."),
        constraints=[constraints.AllowedValues(["auto", "bounce", "off"])],
    ),
    WAIT_FOR: Schema(
        _STRING,
        _("What has to be true before the cluster counts as complete."),
        constraints=[constraints.AllowedValues(["addresses", "services"])],
    ),
    SPECIFICATION: Schema(_MAP, _("Further fields of a BDE cluster specification: those that the site allows.")),
}


def _live(text: str, kind: Optional[str]) -> Any:
    return attributes.Schema(text, type=kind, cache_mode=attributes.Schema.CACHE_NONE)


ATTRIBUTES_SCHEMA: Dict[str, Any] = {
    CLUSTER_ID: attributes.Schema(_("Id of the cluster in Howdah."), type=attributes.Schema.STRING),
    STATUS: _live(_("The cluster in one word."), attributes.Schema.STRING),
    STATUS_REASON: _live(_("Why it is so."), attributes.Schema.STRING),
    # Attributes know no type for a number with a fraction.
    PROGRESS: _live(_("How far the operation is, from 0 to 1."), None),
    NODES: _live(
        _(
            "List of nodes: name, group, roles, address, mac, port_id, vm_id, instance_uuid, stage, "
            "manager_says, conditions."
        ),
        attributes.Schema.LIST,
    ),
    ADDRESSES: _live(_("Map of node group to the addresses of its nodes."), attributes.Schema.MAP),
    MASTER_ADDRESS: _live(_("Address of the master node."), attributes.Schema.STRING),
    OPERATION: _live(_("The newest operation: kind, state, error."), attributes.Schema.MAP),
    EVENTS: _live(_("What has happened to the cluster."), attributes.Schema.LIST),
}


def translation_rules(props: Any, neutron: Any) -> List[Any]:
    """Names of networks, subnets and security groups become ids before the resource sees them."""
    rule = translation.TranslationRule
    entities = {
        NETWORK: "network",
        SUBNET: "subnet",
        SECURITY_GROUP: "security_group",
        SECURITY_GROUPS: "security_group",
    }
    return [
        rule(props, rule.RESOLVE, [name], client_plugin=neutron, finder="find_resourceid_by_name_or_id", entity=entity)
        for name, entity in entities.items()
    ]


def wanted(props: Mapping[str, Any]) -> Dict[str, Any]:
    """The body of the request that asks for the cluster: what was given, and nothing else."""
    groups = list(props[SECURITY_GROUPS] or [])
    if props[SECURITY_GROUP] and props[SECURITY_GROUP] not in groups:
        groups.insert(0, props[SECURITY_GROUP])
    body = {
        "name": props[CLUSTER_NAME],
        "cluster_type": props[CLUSTER_TYPE],
        "network": props[NETWORK],
        "subnet": props[SUBNET],
        "security_groups": groups,
        "resource_pools": list(props[CLUSTER_RP] or []),
        "node_groups": [
            {key: value for key, value in group.items() if value is not None} for group in props[NODE_GROUPS] or []
        ],
    }
    for key in (
        BDE_ENDPOINT, VCM_SERVER, USERNAME, PASSWORD, CLUSTER_PASSWORD, VIO_CONFIG, BDE_CONFIG,
        DATASTORES, SITE, APP_MANAGER, REMEDY, WAIT_FOR, SPECIFICATION,
    ):  # fmt: skip
        if props[key]:
            body[key] = props[key]
    return {key: value for key, value in body.items() if value or key in ("name", "network", "subnet")}
