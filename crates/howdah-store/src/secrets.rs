//! The secrets of a cluster as a document: sealed for that cluster, in hexadecimal digits.
//!
//! Invariant: no text of an error quotes what was opened.

use howdah_core::ids::ClusterKey;
use howdah_core::specification::Specification;
use howdah_core::wanted::Secrets;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::seal::{Sealer, hex, unhex};

#[derive(Serialize, Deserialize)]
struct Plain<T> {
    #[serde(default)]
    cluster_password: Option<T>,
    #[serde(default)]
    credentials: Option<(T, T)>,
    #[serde(default)]
    specification: Option<T>,
}

fn context(key: &ClusterKey) -> String {
    format!("secrets of {} of project {}", key.id, key.project)
}

/// What the first release bound secrets to.
fn first_context(key: &ClusterKey) -> String {
    format!("secrets of {}", key.id)
}

/// The document; `None` if there is no secret.
pub(crate) fn seal(sealer: &Sealer, key: &ClusterKey, secrets: &Secrets) -> Result<Option<String>, StoreError> {
    let Secrets { cluster_password, credentials, specification } = secrets;
    if cluster_password.is_none() && credentials.is_none() && specification.is_none() {
        return Ok(None);
    }
    let plain = Plain {
        cluster_password: cluster_password.as_ref().map(|p| p.expose_secret()),
        credentials: credentials.as_ref().map(|(user, password)| (user.as_str(), password.expose_secret())),
        specification: specification.as_ref().map(Specification::expose),
    };
    let text = serde_json::to_vec(&plain)
        .map(Zeroizing::new)
        .map_err(|source| StoreError::Encode { what: "secrets", source })?;
    sealer.seal(&context(key), &text).map(|sealed| Some(hex(&sealed)))
}

/// Opens the document.
pub(crate) fn unseal(sealer: &Sealer, key: &ClusterKey, sealed: &str) -> Result<Secrets, StoreError> {
    let unreadable = || StoreError::Unseal { key: key.clone() };
    let sealed = unhex(sealed).ok_or_else(unreadable)?;
    let open = |context: String| sealer.unseal(&context, &sealed);
    let text = open(context(key)).or_else(|| open(first_context(key))).ok_or_else(unreadable)?;
    // A parse error could quote what it read.
    let plain: Plain<String> = serde_json::from_slice(&text).map_err(|_| unreadable())?;
    Ok(Secrets {
        cluster_password: plain.cluster_password.map(SecretString::from),
        credentials: plain.credentials.map(|(user, password)| (user, SecretString::from(password))),
        specification: match plain.specification {
            Some(text) => Some(Specification::parse(SecretString::from(text)).ok_or_else(unreadable)?),
            None => None,
        },
    })
}
