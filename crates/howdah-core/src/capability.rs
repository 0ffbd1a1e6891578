//! The right to read one cluster without a token. Every accepted operation returns one.
//!
//! A capability is an HMAC-SHA-256 over the cluster and the operation, with the installation's key. An
//! operation therefore always has the same capability: a client that repeats a request after a lost answer
//! gets it, and a request that changes nothing creates no new one. The store decides whether a capability is
//! valid: it keeps the hash as long as the cluster's record.
//!
//! Invariant: the signed text determines project, cluster and operation unambiguously; the
//! project, whose form Keystone chooses, comes last.

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
