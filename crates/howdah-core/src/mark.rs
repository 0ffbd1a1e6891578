//! How a Neutron port says that it is ours.
//!
//! The mark stands in the port's `description`, because that is set in the same request that
//! makes the port; tags are silently ignored there by most Neutrons. Format, version 1:
//!
//! ```text
//! howdah/1 cluster=<uuid> node=<name> nic=<index>
//! ```
//!
//! Invariant: a port without a mark that parses is never changed or deleted, except for the form
//! that the 2015 plugin left (see [`is_of_2015`]), which is adopted.

use std::fmt;

use crate::facts::Port;
use crate::ids::{ClusterId, NodeName};

const PREFIX: &str = "howdah/1";

/// Whose port it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The cluster.
    pub cluster: ClusterId,
    /// The node.
    pub node: NodeName,
    /// The card's index, from 0.
    pub nic: u32,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX} cluster={} node={} nic={}", self.cluster, self.node, self.nic)
    }
}

impl Mark {
    /// Reads the mark of a description, if there is one of a version that we know.
    pub fn parse(description: &str) -> Option<Self> {
        let mut words = description.split_whitespace();
        if words.next() != Some(PREFIX) {
            return None;
        }
        let (mut cluster, mut node, mut nic) = (None, None, None);
        for word in words {
            match word.split_once('=')? {
                ("cluster", v) => cluster = v.parse().ok(),
                ("node", v) => node = Some(NodeName::new(v)),
                ("nic", v) => nic = v.parse().ok(),
                _ => {}
            }
        }
        Some(Self { cluster: cluster?, node: node?, nic: nic? })
    }

    /// The name that a port of this mark gets: `<vm>-port<n>`.
    pub fn port_name(&self) -> String {
        format!("{}-port{}", self.node, self.nic)
    }
}

/// Whether a port is of the form that the 2015 plugin left for this node: named
/// `<vm>-port0`, with the VM's name for a device id.
pub fn is_of_2015(port: &Port, node: &NodeName) -> bool {
    port.device_id == node.as_str() && port.name == format!("{node}-port0") && Mark::parse(&port.description).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back() {
        let mark = Mark { cluster: ClusterId(uuid::Uuid::from_u128(7)), node: "c-worker-3".into(), nic: 1 };
        let text = mark.to_string();
        assert_eq!(text, "howdah/1 cluster=00000000-0000-0000-0000-000000000007 node=c-worker-3 nic=1");
        assert_eq!(Mark::parse(&text), Some(mark.clone()));
        assert_eq!(mark.port_name(), "c-worker-3-port1");
        // A later writer may add words; another version or half a mark is not ours.
        assert_eq!(Mark::parse(&format!("{text} extra=1")), Some(mark));
        for other in ["", "howdah/2 cluster=x", "howdah/1 node=a nic=0", "made by hand", "howdah/1 garbage"] {
            assert_eq!(Mark::parse(other), None, "{other}");
        }
    }
}
