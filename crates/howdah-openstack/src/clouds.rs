//! `clouds.yaml`, the configuration file of OpenStack clients, with `secure.yaml` in the same directory.
//! It reads one cloud's credentials, region, interface, trust and Neutron endpoint, and ignores settings for
//! other clients. Unsupported authentication types are refused by name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

use crate::{Error, Keys};

#[derive(Deserialize, Default)]
struct File {
    #[serde(default)]
    clouds: BTreeMap<String, Cloud>,
}

#[derive(Deserialize, Default)]
struct Cloud {
    auth: Option<Auth>,
    auth_type: Option<String>,
    profile: Option<String>,
    region_name: Option<String>,
    interface: Option<String>,
    endpoint_type: Option<String>,
    network_endpoint_override: Option<String>,
    cacert: Option<PathBuf>,
    verify: Option<bool>,
}

#[derive(Deserialize, Default)]
struct Auth {
    auth_url: Option<String>,
    username: Option<String>,
    user_id: Option<String>,
    #[serde(default, deserialize_with = "secret")]
    password: Option<SecretString>,
    user_domain_id: Option<String>,
    user_domain_name: Option<String>,
    #[serde(alias = "tenant_id")]
    project_id: Option<String>,
    #[serde(alias = "tenant_name")]
    project_name: Option<String>,
    project_domain_id: Option<String>,
    project_domain_name: Option<String>,
    domain_id: Option<String>,
    domain_name: Option<String>,
    application_credential_id: Option<String>,
    application_credential_name: Option<String>,
    #[serde(default, deserialize_with = "secret")]
    application_credential_secret: Option<SecretString>,
    #[serde(default, deserialize_with = "secret")]
    token: Option<SecretString>,
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(SecretString::from))
}

/// The search path of `clouds.yaml`, in order; `env` returns environment variables.
/// If `OS_CLIENT_CONFIG_FILE` is set, it is the only path.
pub fn clouds_files(env: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    if let Some(file) = env("OS_CLIENT_CONFIG_FILE").filter(|f| !f.is_empty()) {
        return vec![file.into()];
    }
    let config =
        env("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| Some(PathBuf::from(env("HOME")?).join(".config")));
    let folders = [Some(PathBuf::from(".")), config.map(|c| c.join("openstack")), Some("/etc/openstack".into())];
    folders.into_iter().flatten().flat_map(|f| [f.join("clouds.yaml"), f.join("clouds.yml")]).collect()
}

pub(crate) fn read(path: &Path, wanted: Option<&str>) -> Result<Keys, Error> {
    let mut clouds = load(path)?.clouds;
    let name = match wanted {
        Some(name) => name.to_owned(),
        None if clouds.len() == 1 => clouds.keys().next().cloned().unwrap_or_default(),
        None => {
            return Err(Error::MissingSetting {
                key: "cloud",
                hint: format!("{} has {}: select one.", path.display(), names(&clouds).join(", ")),
            });
        }
    };
    let known = names(&clouds);
    let Some(cloud) = clouds.remove(&name) else {
        return Err(Error::UnknownCloud { path: path.to_owned(), cloud: name, known });
    };
    if let Some(profile) = cloud.profile {
        return Err(Error::ParseFile {
            path: path.to_owned(),
            reason: format!(
                "the cloud {name:?} uses the profile {profile:?}, which is not supported; write out its values"
            ),
        });
    }
    refuse_other_types(cloud.auth_type.as_deref(), path, &name)?;

    let mut secret = Cloud::default();
    let beside = path.with_file_name("secure.yaml");
    if beside.exists() {
        secret = load(&beside)?.clouds.remove(&name).unwrap_or_default();
    }
    Ok(keys(secret).or(keys(cloud)))
}

fn names(clouds: &BTreeMap<String, Cloud>) -> Vec<String> {
    if clouds.is_empty() { vec!["none".to_owned()] } else { clouds.keys().cloned().collect() }
}

fn load(path: &Path) -> Result<File, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::ReadFile { path: path.to_owned(), source: source.into() })?;
    serde_saphyr::from_str(&text).map_err(|e| {
        // The parser's message can quote lines of the file, and with them a password.
        let place = e.location().map(|l| format!("line {}, column {}", l.line(), l.column()));
        let place = place.unwrap_or_else(|| "it".to_owned());
        Error::ParseFile { path: path.to_owned(), reason: format!("{place} has an unexpected type") }
    })
}

fn refuse_other_types(auth_type: Option<&str>, path: &Path, cloud: &str) -> Result<(), Error> {
    match auth_type.map(|t| t.strip_prefix("v3").unwrap_or(t)) {
        None | Some("password" | "token" | "applicationcredential") => Ok(()),
        Some(_) => Err(Error::ParseFile {
            path: path.to_owned(),
            reason: format!(
                "the cloud {cloud:?} uses the auth_type {:?}; supported are password, v3applicationcredential and token",
                auth_type.unwrap_or_default()
            ),
        }),
    }
}

fn keys(cloud: Cloud) -> Keys {
    let auth = cloud.auth.unwrap_or_default();
    Keys {
        auth_url: auth.auth_url,
        username: auth.username,
        user_id: auth.user_id,
        password: auth.password,
        // `domain_*` scopes a token to a domain; with a project it sets both domains.
        user_domain_id: auth.user_domain_id.or(auth.domain_id.clone()),
        user_domain_name: auth.user_domain_name.or(auth.domain_name.clone()),
        project_id: auth.project_id,
        project_name: auth.project_name,
        project_domain_id: auth.project_domain_id.or(auth.domain_id),
        project_domain_name: auth.project_domain_name.or(auth.domain_name),
        application_credential_id: auth.application_credential_id,
        application_credential_name: auth.application_credential_name,
        application_credential_secret: auth.application_credential_secret,
        token: auth.token,
        region: cloud.region_name,
        interface: cloud.interface.or(cloud.endpoint_type),
        neutron_url: cloud.network_endpoint_override,
        cacert: cloud.cacert,
        verify: cloud.verify,
    }
}
