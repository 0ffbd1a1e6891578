//! The right to read one cluster, without a token: what an accepted operation hands out.
//!
//! A capability is an HMAC-SHA-256 over the cluster and the operation, with the installation's key. So
//! the same operation always has the same one: whoever repeats a request whose answer was lost gets the
//! capability that they missed, and a request that changes nothing makes no new one. Whether it is good
//! is the store's to say, which keeps its hash for as long as the cluster is remembered.
//!
//! Invariant: project, cluster and operation follow from the signed text without doubt; the
//! project, whose form is Keystone's, comes last.

use secrecy::SecretString;

use crate::ids::{ClusterKey, OperationId};
use crate::mark::MarkKey;

/// The capability of an operation: 64 hexadecimal digits.
pub fn of(key: &MarkKey, cluster: &ClusterKey, operation: &OperationId) -> SecretString {
    key.digest("read capability", &format!("{}\n{}\n{}", cluster.id, operation.0, cluster.project)).into()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use uuid::Uuid;

    use super::*;
    use crate::ids::ClusterId;

    #[test]
    fn each_operation_of_each_cluster_has_one_of_its_own() {
        let cluster = |project: &str, id| ClusterKey { project: project.into(), id: ClusterId(Uuid::from_u128(id)) };
        let operation = |n| OperationId(Uuid::from_u128(n));
        let of = |key: &[u8], cluster, n| of(&MarkKey::new(key), &cluster, &operation(n)).expose_secret().to_owned();
        let one = of(b"secret", cluster("p1", 1), 1);
        assert_eq!(one, of(b"secret", cluster("p1", 1), 1), "the same again");
        assert!(one.len() == 64 && one.bytes().all(|b| b.is_ascii_hexdigit()), "{one}");
        for other in [
            of(b"other", cluster("p1", 1), 1),
            of(b"secret", cluster("p2", 1), 1),
            of(b"secret", cluster("p1", 2), 1),
            of(b"secret", cluster("p1", 1), 2),
        ] {
            assert_ne!(one, other);
        }
    }
}
