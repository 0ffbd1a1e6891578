//! The mark by which a Neutron port is recognised as ours.
//!
//! The mark is in the port's `description`, because the request that creates the port can set it;
//! most Neutrons silently ignore tags there. Format, version 2:
//!
//! ```text
//! howdah/2 cluster=<uuid> node=<name> nic=<index> tag=<32 hex digits>
//! ```
//!
//! A port's project can write its description, so the words alone prove nothing. The *tag* is
//! an HMAC-SHA-256 over the cluster's project, the port's MAC address and the words, with a key
//! that only this installation has: copied to another port, it proves nothing. The project is the cluster's,
//! even if the port belongs to another one (a local user's cluster), because IDs are unique per project only.
//! The first release wrote version 1 (`howdah/1`, without a tag).
//!
//! Invariant: only [`crate::own`] decides who owns a port; a mark is one part of its evidence.

use std::fmt;

use ring::hmac;
use secrecy::zeroize::Zeroizing;

use crate::ids::{ClusterId, ClusterKey, Mac, NodeName, ProjectId};

const KEYED: &str = "howdah/2";
const UNKEYED: &str = "howdah/1";

/// How many bytes of the HMAC a tag has.
const TAG_BYTES: usize = 16;

/// The signing key of this installation: for the tags of ports and for read capabilities
/// ([`crate::capability`]). It cannot be printed.
#[derive(Clone)]
pub struct MarkKey(hmac::Key);

impl fmt::Debug for MarkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MarkKey(hidden)")
    }
}

impl MarkKey {
    /// A key from a secret that only this installation has.
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The description of a port with this mark; the project is the cluster's.
    pub fn describe(&self, project: &ProjectId, mark: &Mark, mac: Mac) -> String {
        let words = mark.words();
        format!("{KEYED} {words} tag={}", self.tag(project, &words, mac))
    }

    /// Whether this installation wrote the mark for a cluster of this project.
    pub fn wrote(&self, project: &ProjectId, mark: &Mark, mac: Mac) -> bool {
        // Constant time is not needed: a tag is not a secret, every port shows it.
        mark.tag.as_deref() == Some(self.tag(project, &mark.words(), mac).as_str())
    }

    /// Signs a text for a purpose; a signature for one purpose is invalid for another.
    fn sign(&self, purpose: &'static str, text: &str) -> hmac::Tag {
        // Piece by piece: the text may be a secret, which must not be copied.
        let mut signing = hmac::Context::with_key(&self.0);
        for piece in [purpose, "\n", text] {
            signing.update(piece.as_bytes());
        }
        signing.sign()
    }

    /// A digest of 64 hexadecimal digits that identifies a text and reveals nothing about it without the
    /// key.
    pub(crate) fn digest(&self, purpose: &'static str, text: &str) -> String {
        hex(self.sign(purpose, text).as_ref())
    }

    /// The digest of a cluster's secret: the same secret has a different digest in each cluster.
    pub(crate) fn digest_of_secret(&self, purpose: &'static str, cluster: &ClusterKey, secret: &str) -> String {
        let text = Zeroizing::new(format!("{}\n{}\n{secret}", cluster.project, cluster.id));
        self.digest(purpose, &text)
    }

    fn tag(&self, project: &ProjectId, words: &str, mac: Mac) -> String {
        let signed = self.sign("port mark", &format!("{project}\n{mac}\n{words}"));
        hex(&signed.as_ref()[..TAG_BYTES])
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| char::from(DIGITS[usize::from(n)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A port's statement about its owner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The cluster.
    pub cluster: ClusterId,
    /// The node.
    pub node: NodeName,
    /// The card's index, from 0.
    pub nic: u32,
    /// The tag, as it was read.
    pub tag: Option<String>,
}

impl Mark {
    /// The mark of a node's card, before it is written.
    pub const fn new(cluster: ClusterId, node: NodeName, nic: u32) -> Self {
        Self { cluster, node, nic, tag: None }
    }

    /// Reads the mark of a description, if there is one of a supported version.
    pub fn parse(description: &str) -> Option<Self> {
        let mut words = description.split_whitespace();
        let keyed = match words.next()? {
            KEYED => true,
            UNKEYED => false,
            _ => return None,
        };
        let (mut cluster, mut node, mut nic, mut tag) = (None, None, None, None);
        for word in words {
            match word.split_once('=')? {
                ("cluster", v) => cluster = v.parse().ok(),
                ("node", v) => node = Some(NodeName::new(v)),
                ("nic", v) => nic = v.parse().ok(),
                ("tag", v) if keyed => tag = Some(v.to_owned()),
                _ => {}
            }
        }
        Some(Self { cluster: cluster?, node: node?, nic: nic?, tag })
    }

    /// The name of a port with this mark: `<vm>-port<n>`.
    pub fn port_name(&self) -> String {
        format!("{}-port{}", self.node, self.nic)
    }

    fn words(&self) -> String {
        format!("cluster={} node={} nic={}", self.cluster, self.node, self.nic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac() -> Mac {
        "00:50:56:00:00:01".parse().unwrap()
    }

    fn mark() -> Mark {
        Mark::new(ClusterId(uuid::Uuid::from_u128(7)), "c-worker-3".into(), 1)
    }

    #[test]
    fn a_mark_reads_back_and_its_tag_verifies() {
        let key = MarkKey::new(b"secret");
        let text = key.describe(&"p1".into(), &mark(), mac());
        assert!(text.starts_with("howdah/2 cluster=00000000-0000-0000-0000-000000000007 node=c-worker-3 nic=1 tag="));
        assert!(text.len() <= 255, "Neutron's limit");
        let read = Mark::parse(&text).unwrap();
        assert!(key.wrote(&"p1".into(), &read, mac()));
        assert_eq!(read.port_name(), "c-worker-3-port1");
        // A later writer may add words.
        assert_eq!(Mark::parse(&format!("{text} extra=1")), Some(read));
    }

    #[test]
    fn a_tag_is_of_one_installation_project_cluster_node_and_card() {
        let key = MarkKey::new(b"secret");
        let read = Mark::parse(&key.describe(&"p1".into(), &mark(), mac())).unwrap();
        assert!(!MarkKey::new(b"other").wrote(&"p1".into(), &read, mac()), "another installation's");
        assert!(!key.wrote(&"p2".into(), &read, mac()), "another project's");
        assert!(!key.wrote(&"p1".into(), &read, "00:50:56:00:00:02".parse().unwrap()), "copied to another port");
        for other in [
            Mark { node: "c-worker-4".into(), ..read.clone() },
            Mark { nic: 0, ..read.clone() },
            Mark { cluster: ClusterId(uuid::Uuid::nil()), ..read.clone() },
            Mark { tag: None, ..read },
        ] {
            assert!(!key.wrote(&"p1".into(), &other, mac()), "{other:?}");
        }
    }

    #[test]
    fn the_first_version_is_read_and_never_verifies() {
        let old = "howdah/1 cluster=00000000-0000-0000-0000-000000000007 node=c-worker-3 nic=1";
        let read = Mark::parse(&format!("{old} tag=00")).unwrap();
        assert_eq!(read, mark());
        assert!(!MarkKey::new(b"secret").wrote(&"p1".into(), &read, mac()));
        for other in ["", "howdah/3 cluster=x", "howdah/1 node=a nic=0", "made by hand", "howdah/2 garbage"] {
            assert_eq!(Mark::parse(other), None, "{other}");
        }
    }
}
