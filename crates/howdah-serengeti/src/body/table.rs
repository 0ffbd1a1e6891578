//! The allowed fields of a requester's specification, and who may set them: one row for each field of
//! [`ClusterCreate`](crate::wire::ClusterCreate) and of its nested types.
//!
//! Invariant: a field without a row is refused, so a later release's field is closed until a developer adds
//! its row; a test compares the rows with the fields of the wire types. The appliance works with
//! the operator's account: a tenant may set a field only if it shapes the tenant's own nodes and
//! reaches nothing else. Fields that make the appliance fetch, register or look up something, or that place
//! nodes outside the registered pools and datastores, need the operator's permission for the site.

/// Who may set a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    /// Every requester.
    Tenant,
    /// Every requester, if the operator allows the field by name.
    Operator,
    /// No requester: Howdah sets it. The sentence says what to use instead.
    Ours(&'static str),
}

/// The type of a field.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// A string.
    Text,
    /// A list of strings.
    Texts,
    /// A whole number from 0 to this; also as a string, like the service.
    Count(i32),
    /// A number that is not negative.
    Ratio,
    /// A boolean; also as a string, like the service.
    YesNo,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of these words in any case, like the service.
    AnyCase(&'static [&'static str]),
    /// An object with these fields.
    One(&'static [Row]),
    /// A list of them.
    Many(&'static [Row]),
    /// The services' configuration, free in form except for [`DOORS`].
    Configuration,
    /// Anything.
    Free,
}

/// A field.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name on the wire.
    pub name: &'static str,
    /// Who may set it.
    pub say: Say,
    /// Its type.
    pub form: Form,
}

/// A larger number of nodes is a typing error: vCenter supports 40,000 VMs in total.
pub const NODES_LIMIT: u32 = 10_000;

const ANY: Form = Form::Count(i32::MAX);

const fn tenant(name: &'static str, form: Form) -> Row {
    Row { name, say: Say::Tenant, form }
}

const fn operator(name: &'static str, form: Form) -> Row {
    Row { name, say: Say::Operator, form }
}

const fn ours(name: &'static str, instead: &'static str) -> Row {
    Row { name, say: Say::Ours(instead), form: Form::Free }
}

/// The fields of a cluster.
pub const CLUSTER: &[Row] = &[
    ours("name", "The request's `name` sets the cluster's name."),
    tenant("appManager", Form::Text),
    tenant("type", Form::Word(&["DEFAULT", "HDFS", "HDFS_MAPRED", "HDFS_HBASE"])),
    ours("distro", "Set the distribution in cluster_type."),
    ours("distroVendor", "The distribution determines it."),
    ours("distroVersion", "The distribution determines it."),
    // Any VM that the operator keeps as a template.
    operator("templateName", Form::Text),
    tenant("rpNames", Form::Texts),
    tenant("dsNames", Form::Texts),
    ours("networkConfig", "The request's `network` carries all traffic."),
    tenant("nodeGroups", Form::Many(GROUP)),
    tenant("specFile", Form::YesNo),
    tenant("validateConfig", Form::YesNo),
    tenant("configuration", Form::Configuration),
    ours("password", "Use cluster_password; Howdah keeps it secret."),
    // The appliance fetches it.
    operator("localRepoURL", Form::Text),
    // A prefix that matches another cluster's name gives its nodes' host names to these nodes.
    operator("hostnamePrefix", Form::Text),
    tenant("topologyPolicy", Form::Word(&["NONE", "RACK_AS_RACK", "HOST_AS_RACK", "HVE"])),
    operator("externalHDFS", Form::Text),
    operator("externalMapReduce", Form::Text),
    operator("externalNamenode", Form::Text),
    operator("externalSecondaryNamenode", Form::Text),
    operator("externalDatanodes", Form::Texts),
    // The operator's user directory, and the users who become root.
    operator("infrastructure_config", Form::Free),
    // Registers pools on the fly.
    operator("vcClusters", Form::Free),
    operator("clusterCloneType", Form::Text),
    operator("networkings", Form::Free),
    operator("packageRepos", Form::Free),
    operator("packagesExistStatus", Form::Free),
    operator("distroMap", Form::Free),
    operator("hostToRackMap", Form::Free),
    operator("httpProxy", Form::Text),
    operator("noProxy", Form::Text),
    operator("deployPolicy", Form::Free),
    operator("sharedDatastorePattern", Form::Free),
    operator("localDatastorePattern", Form::Free),
];

/// The fields of a node group.
pub const GROUP: &[Row] = &[
    tenant("name", Form::Text),
    tenant("roles", Form::Texts),
    tenant("instanceNum", Form::Count(NODES_LIMIT as i32)),
    tenant("instanceType", Form::Word(&["SMALL", "MEDIUM", "LARGE", "EXTRA_LARGE"])),
    tenant("cpuNum", ANY),
    tenant("memCapacityMB", ANY),
    tenant("storage", Form::One(STORAGE)),
    tenant("swapRatio", Form::Ratio),
    tenant("haFlag", Form::AnyCase(&["off", "on", "ft"])),
    tenant("latencySensitivity", Form::Word(&["LOW", "NORMAL", "MEDIUM", "HIGH"])),
    tenant("reservedCpuRatio", Form::Ratio),
    tenant("reservedMemRatio", Form::Ratio),
    tenant("placementPolicies", Form::One(PLACEMENT)),
    tenant("rpNames", Form::Texts),
    tenant("configuration", Form::Configuration),
    // Any folder of vCenter.
    operator("vmFolderPath", Form::Text),
    operator("vcClusters", Form::Free),
];

/// The fields of a group's disks.
pub const STORAGE: &[Row] = &[
    tenant("type", Form::AnyCase(&["SHARED", "LOCAL", "TEMPFS"])),
    tenant("sizeGB", ANY),
    tenant("dsNames", Form::Texts),
    tenant("dsNames4System", Form::Texts),
    tenant("dsNames4Data", Form::Texts),
    tenant("diskNum", ANY),
    // The service computes these.
    operator("shareDatastore", Form::YesNo),
    operator("diskstoreNamePattern", Form::Free),
    operator("imagestoreNamePattern", Form::Free),
    tenant("splitPolicy", Form::Word(&["EVEN_SPLIT", "AGGREGATE", "BI_SECTOR"])),
    tenant("controllerType", Form::Word(&["LSI_CONTROLLER", "PARA_VIRTUAL_CONTROLLER"])),
    // Thick disks allocate their whole size immediately.
    operator("allocType", Form::Text),
];

/// The fields of the placement of a group's nodes within its pools.
pub const PLACEMENT: &[Row] = &[
    tenant("instancePerHost", ANY),
    tenant("groupRacks", Form::One(RACKS)),
    tenant("groupAssociations", Form::Many(ASSOCIATION)),
];

/// The fields of a choice of racks.
pub const RACKS: &[Row] = &[tenant("type", Form::Word(&["ROUNDROBIN", "SAMERACK"])), tenant("racks", Form::Texts)];

/// The fields of an association with another group.
pub const ASSOCIATION: &[Row] = &[tenant("reference", Form::Text), tenant("type", Form::Word(&["WEAK", "STRICT"]))];

/// Parts of a configuration that have the effect of a field that needs the operator's permission: the path
/// of each, and the name that allows it.
///
/// Source: the appliance's `InfrastructureUpdator` reads the external HDFS and MapReduce of a cluster
/// from its Hadoop configuration; `ClusterManager` looks up the names of `service_user` in the operator's
/// user directory.
pub const DOORS: &[(&[&str], &str)] = &[
    (&["hadoop", "core-site.xml", "fs.default.name"], "externalHDFS"),
    (&["hadoop", "mapred-site.xml", "mapred.job.tracker"], "externalMapReduce"),
    (&["hadoop", "yarn-site.xml", "yarn.resourcemanager.hostname"], "externalMapReduce"),
    (&["service_user"], "configuration.service_user"),
];

/// The names that an operator may allow: `localRepoURL`, `nodeGroups.vmFolderPath`, ...
pub fn allowable() -> Vec<String> {
    let mut names = Vec::new();
    collect("", CLUSTER, &mut names);
    names.extend(DOORS.iter().map(|(_, name)| (*name).to_owned()));
    names.sort();
    names.dedup();
    names
}

fn collect(below: &str, rows: &[Row], names: &mut Vec<String>) {
    for row in rows {
        let name = format!("{below}{}", row.name);
        match (row.say, row.form) {
            (Say::Operator, _) => names.push(name),
            (Say::Tenant, Form::One(rows) | Form::Many(rows)) => collect(&format!("{name}."), rows, names),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::de::value::Error;
    use serde::de::{Deserialize, Deserializer, Error as _, Visitor};

    use super::*;
    use crate::wire::{ClusterCreate, GroupAssociation, GroupRacks, NodeGroupCreate, PlacementPolicies, Storage};

    /// The names of a type's fields, which serde passes to a deserializer.
    struct Asking<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Asking<'_> {
        type Error = Error;

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Error> {
            *self.0 = fields;
            Err(Error::custom("that was all"))
        }

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(Error::custom("it is not a struct"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    fn fields_of<'de, T: Deserialize<'de>>() -> BTreeSet<&'static str> {
        let mut fields: &'static [&'static str] = &[];
        assert!(T::deserialize(Asking(&mut fields)).is_err());
        fields.iter().copied().collect()
    }

    #[test]
    fn every_field_of_the_wire_has_one_row() {
        let rows = |rows: &[Row]| {
            let names: BTreeSet<_> = rows.iter().map(|r| r.name).collect();
            assert_eq!(names.len(), rows.len(), "a row stands there twice");
            names
        };
        assert_eq!(rows(CLUSTER), fields_of::<ClusterCreate>());
        assert_eq!(rows(GROUP), fields_of::<NodeGroupCreate>());
        assert_eq!(rows(STORAGE), fields_of::<Storage>());
        assert_eq!(rows(PLACEMENT), fields_of::<PlacementPolicies>());
        assert_eq!(rows(RACKS), fields_of::<GroupRacks>());
        assert_eq!(rows(ASSOCIATION), fields_of::<GroupAssociation>());
    }

    #[test]
    fn what_an_operator_may_allow() {
        insta::assert_snapshot!(allowable().join("\n"));
    }
}
