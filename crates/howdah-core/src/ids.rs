//! Typed names and identifiers, so that a VM reference cannot be passed instead of a port ID.
//! Invariant: a value of a validated type ([`ClusterName`], [`GroupName`], [`Mac`]) satisfies its
//! rule. Nothing here calls a remote system. Clones share their text: each pass of a controller clones
//! thousands of IDs.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                s.parse().map(Self)
            }
        }
    };
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a name as the remote system gave it.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text as the remote system wants it back.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(s: &str) -> Self {
                Self(s.into())
            }
        }
    };
}

uuid_id! {
    /// A cluster, chosen by the caller before the first request.
    ClusterId
}
uuid_id! {
    /// An operation: a create, stop, start or delete.
    OperationId
}
text_id! {
    /// A site as the operator named it: one vCenter, its BDE and its OpenStack.
    SiteName
}
text_id! {
    /// A Keystone project.
    ProjectId
}
text_id! {
    /// A Neutron network's UUID.
    NetworkId
}
text_id! {
    /// A Neutron subnet's UUID.
    SubnetId
}
text_id! {
    /// A Neutron security group's UUID.
    SecurityGroupId
}
text_id! {
    /// A Neutron port's UUID.
    PortId
}
text_id! {
    /// A vCenter managed object reference of a virtual machine, such as `vm-123`.
    VmRef
}
text_id! {
    /// The key of a dvPortgroup (its moref value) or the id of an opaque network: what a
    /// NIC's backing names.
    SegmentKey
}
text_id! {
    /// A node: `<cluster>-<group>-<index>`, which is also the name of its VM.
    NodeName
}
text_id! {
    /// A task of the cluster manager.
    TaskId
}

/// A cluster's key. Callers choose IDs, so an ID is unique in a project only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterKey {
    /// Its project.
    pub project: ProjectId,
    /// The cluster.
    pub id: ClusterId,
}

impl fmt::Display for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of project {}", self.id, self.project)
    }
}

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name is empty.
    #[error("the name is empty")]
    Empty,
    /// A character that the cluster manager does not support.
    #[error("{name:?} has the character {found:?}; only letters, digits{extra} are allowed")]
    Character {
        /// The name as given.
        name: String,
        /// The first offending character.
        found: char,
        /// Allowed characters besides letters and digits.
        extra: &'static str,
    },
    /// Longer than the cluster manager can store.
    #[error("{name:?} has {length} characters; at most {limit} are allowed")]
    TooLong {
        /// The name as given.
        name: String,
        /// Its length in characters.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// A MAC address that is not six bytes.
    #[error("{0:?} is not a MAC address")]
    Mac(String),
}

fn check(name: &str, extra: &'static str, shown: &'static str, limit: usize) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if let Some(found) = name.chars().find(|c| !c.is_ascii_alphanumeric() && !extra.contains(*c)) {
        return Err(NameError::Character { name: name.to_owned(), found, extra: shown });
    }
    let length = name.chars().count();
    if length > limit {
        return Err(NameError::TooLong { name: name.to_owned(), length, limit });
    }
    Ok(())
}

macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $extra:literal, $shown:literal, $limit:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(s: &str) -> Result<Self, NameError> {
                check(s, $extra, $shown, $limit)?;
                Ok(Self(s.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(s: String) -> Result<Self, NameError> {
                s.parse()
            }
        }

        impl From<$name> for String {
            fn from(n: $name) -> String {
                n.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_name! {
    /// A cluster's name. BDE allows `[a-zA-Z0-9_]+` and stores names in 80 characters; the longest default
    /// group name and two separators need ten of them.
    ClusterName, "_", " and _", 70
}
checked_name! {
    /// A node group's name. BDE allows letters and digits only.
    GroupName, "", "", 80
}

impl NodeName {
    /// The name BDE gives to node `index` (from 0) of `group`.
    pub fn of(cluster: &ClusterName, group: &GroupName, index: u32) -> Self {
        Self::new(format!("{cluster}-{group}-{index}"))
    }

    /// The number at the end, for sorting; names without one sort last.
    pub fn index(&self) -> u32 {
        self.0.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(u32::MAX)
    }
}

/// A MAC address. Invariant: lower case, colons, six bytes, as Neutron stores it, so equal addresses have
/// equal texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac([u8; 6]);

impl Mac {
    /// From its six bytes.
    pub const fn new(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        let refuse = || NameError::Mac(s.to_owned());
        let mut bytes = [0; 6];
        let mut parts = s.split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next().filter(|p| p.len() == 2).ok_or_else(refuse)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| refuse())?;
        }
        if parts.next().is_some() {
            return Err(refuse());
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Mac {
    type Error = NameError;
    fn try_from(s: String) -> Result<Self, NameError> {
        s.parse()
    }
}

impl From<Mac> for String {
    fn from(m: Mac) -> String {
        m.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cluster_names_follow_the_rule_of_bde() {
        assert!("hadoop_1".parse::<ClusterName>().is_ok());
        for (name, says) in [
            ("", "the name is empty"),
            ("my-cluster", "\"my-cluster\" has the character '-'; only letters, digits and _ are allowed"),
            ("a b", "\"a b\" has the character ' '; only letters, digits and _ are allowed"),
        ] {
            assert_eq!(name.parse::<ClusterName>().unwrap_err().to_string(), says);
        }
        assert!("x".repeat(71).parse::<ClusterName>().unwrap_err().to_string().contains("at most 70"));
    }

    #[test]
    fn macs_are_normalised() {
        let mac: Mac = "00-50-56-AA-01-FF".parse().unwrap();
        assert_eq!(mac.to_string(), "00:50:56:aa:01:ff");
        for bad in ["", "00:50:56:aa:01", "00:50:56:aa:01:ff:00", "00:50:56:aa:1:ff", "zz:50:56:aa:01:ff"] {
            assert!(bad.parse::<Mac>().is_err(), "{bad}");
        }
    }

    #[test]
    fn node_names_sort_by_index() {
        let name = NodeName::of(&"c".parse().unwrap(), &"worker".parse().unwrap(), 10);
        assert_eq!(name.as_str(), "c-worker-10");
        assert_eq!(name.index(), 10);
    }
}
