//! Digests that identify the secrets of a request after the secrets were deleted.
//!
//! Invariant: a [`SealedSecrets`] contains only digests under the installation's key, which differ between
//! clusters. The specification has its own digest ([`crate::specification`]).

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::ids::ClusterKey;
use crate::mark::MarkKey;

/// The digests of a request's passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedSecrets {
    /// Of the nodes' root password; `None` if the request has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_password: Option<String>,
    /// Of the password for the cluster manager, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

impl SealedSecrets {
    /// Of these passwords, for a cluster.
    pub fn of(
        marks: &MarkKey,
        cluster: &ClusterKey,
        cluster_password: Option<&SecretString>,
        password: Option<&SecretString>,
    ) -> Self {
        let digest = |purpose, secret: &SecretString| marks.digest_of_secret(purpose, cluster, secret.expose_secret());
        Self {
            cluster_password: cluster_password.map(|secret| digest("cluster password", secret)),
            password: password.map(|secret| digest("manager password", secret)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::record;

    fn sealed(key: &[u8], cluster: &ClusterKey, word: &str) -> SealedSecrets {
        SealedSecrets::of(&MarkKey::new(key), cluster, Some(&word.into()), None)
    }

    #[test]
    fn the_same_password_is_known_again_in_one_cluster_of_one_installation() {
        let key = record().key();
        let one = sealed(b"secret", &key, "hush");
        assert_eq!(sealed(b"secret", &key, "hush"), one);
        let other = ClusterKey { project: "p2".into(), ..key.clone() };
        for differs in
            [sealed(b"secret", &key, "Hush"), sealed(b"other", &key, "hush"), sealed(b"secret", &other, "hush")]
        {
            assert_ne!(differs, one);
        }
        let swapped = SealedSecrets::of(&MarkKey::new(b"secret"), &key, None, Some(&"hush".into()));
        assert_ne!(swapped.password, one.cluster_password, "a digest of one says nothing of the other");
    }

    #[test]
    fn what_is_kept_tells_nothing_of_the_words() {
        let text = serde_json::to_string(&sealed(b"secret", &record().key(), "hush")).unwrap();
        assert!(!text.contains("hush"), "{text}");
    }
}
