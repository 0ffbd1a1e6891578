//! What may stand in a requester's specification, and who may say it: one row for each field of
//! [`ClusterCreate`](crate::wire::ClusterCreate) and of what is nested in it.
//!
//! Invariant: what has no row is refused, so a field that a later release brings is closed until
//! somebody writes its row here; a test compares the rows with the wire types' own fields. The appliance works with
//! the operator's account: a field is the tenant's only if it shapes the tenant's own nodes and
//! reaches nothing else. What makes the appliance fetch, register or look up something, or puts
//! nodes outside the registered pools and datastores, is the operator's to allow, site by site.

/// Who may say a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    /// Whoever asks for a cluster.
    Tenant,
    /// Whoever asks for a cluster, where the operator allows it by name.
    Operator,
    /// Nobody: Howdah sets it. What to do in its place, as a sentence.
    Ours(&'static str),
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// A whole number from 0 up to this; also as text, as the service reads it.
    Count(i32),
    /// A number that is not negative.
    Ratio,
    /// Yes or no; also as text, as the service reads it.
    YesNo,
    /// One of these words.
    Word(&'static [&'static str]),
    /// The same in any case, as the service reads it.
    AnyCase(&'static [&'static str]),
    /// An object with these fields.
    One(&'static [Row]),
    /// A list of them.
    Many(&'static [Row]),
    /// The services' own configuration, free in form but for [`DOORS`].
    Configuration,
    /// Anything.
    Free,
}

/// A field.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name on the wire.
    pub name: &'static str,
    /// Who may say it.
    pub say: Say,
    /// What it holds.
    pub form: Form,
}

/// More nodes than this are a mistyped number: vCenter holds 40,000 VMs in all.
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
    // A prefix that meets a cluster's name gives nodes the host names of somebody else's.
    operator("hostnamePrefix", Form::Text),
    tenant("topologyPolicy", Form::Word(&["NONE", "RACK_AS_RACK", "HOST_AS_RACK", "HVE"])),
    operator("externalHDFS", Form::Text),
    operator("externalMapReduce", Form::Text),
    operator("externalNamenode", Form::Text),
    operator("externalSecondaryNamenode", Form::Text),
    operator("externalDatanodes", Form::Texts),
    // The operator's user directory, and whose users become root.
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

/// Those of a node group.
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

/// Those of a group's disks.
pub const STORAGE: &[Row] = &[
    tenant("type", Form::AnyCase(&["SHARED", "LOCAL", "TEMPFS"])),
    tenant("sizeGB", ANY),
    tenant("dsNames", Form::Texts),
    tenant("dsNames4System", Form::Texts),
    tenant("dsNames4Data", Form::Texts),
    tenant("diskNum", ANY),
    // What the service works out for itself.
    operator("shareDatastore", Form::YesNo),
    operator("diskstoreNamePattern", Form::Free),
    operator("imagestoreNamePattern", Form::Free),
    tenant("splitPolicy", Form::Word(&["EVEN_SPLIT", "AGGREGATE", "BI_SECTOR"])),
    tenant("controllerType", Form::Word(&["LSI_CONTROLLER", "PARA_VIRTUAL_CONTROLLER"])),
    // Thick disks take their whole size at once.
    operator("allocType", Form::Text),
];

/// Those of where a group's nodes go, among the pools that it may use.
pub const PLACEMENT: &[Row] = &[
    tenant("instancePerHost", ANY),
    tenant("groupRacks", Form::One(RACKS)),
    tenant("groupAssociations", Form::Many(ASSOCIATION)),
];

/// Those of a choice of racks.
pub const RACKS: &[Row] = &[tenant("type", Form::Word(&["ROUNDROBIN", "SAMERACK"])), tenant("racks", Form::Texts)];

/// Those of a group that goes with another.
pub const ASSOCIATION: &[Row] = &[tenant("reference", Form::Text), tenant("type", Form::Word(&["WEAK", "STRICT"]))];

/// Places in a configuration that say the same as a field that is the operator's to allow, or reach
/// as far: the way to each, and under which name it is allowed.
///
/// Source: the appliance's `InfrastructureUpdator` takes the external HDFS and MapReduce of a cluster
/// from its Hadoop configuration; `ClusterManager` looks the names of `service_user` up in the
/// operator's user directory.
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

    /// Asks a type for the names of its fields: serde tells them to whoever it reads from.
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
