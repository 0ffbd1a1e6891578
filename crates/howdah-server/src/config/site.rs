//! The keys of one `[[site]]`; [`rules`](super::rules) has the keys that restrict requests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use howdah_core::failure::chain;
use howdah_core::ids::SiteName;
use howdah_core::policy::{NetworkBackend, Networks};
use howdah_openstack::{Error as OpenStackError, Keys, Settings};
use howdah_transport::{Fingerprint, Trust};
use howdah_vsphere::DEFAULT_FOLDER_PREFIX;
use url::{Host, Url};

use super::rules::rules;
use super::section::Section;
use super::source::{Found, Source};
use super::{Endpoint, Origin, Site};

/// All sites; `None` if one of them lacks something.
pub(super) fn read_sites(source: &mut Source<'_>, root: &mut Section<'_>) -> Option<Vec<Site>> {
    let tables = root.tables(source, "site");
    if tables.is_empty() {
        let origin = source.whole();
        source.error(
            origin,
            "[[site]] is missing",
            Some("Add at least one, with its BDE, vCenter and OpenStack.".to_owned()),
        );
    }
    let mut all = Some(Vec::new());
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    let mut default: Option<String> = None;
    let mut appliances: BTreeMap<_, String> = BTreeMap::new();
    for (table, origin) in tables {
        // The name is part of the other keys' names, so it is read first and only from the file.
        let mut named = Section::of("site".to_owned(), "HOWDAH_SITE".to_owned(), table, origin.clone());
        let Some(name) = site_name(source, &mut named, table) else {
            all = None;
            continue;
        };
        let variable = variable_of(&name.value);
        if let Some(other) = variables.insert(variable.clone(), name.value.clone()) {
            let message =
                format!("the sites {} and {other} have the same name or the same environment variables", name.value);
            source.error(name.origin.clone(), message, None);
        }
        let mut section = Section::of(format!("site.{}", name.value), variable, table, origin.clone());
        let is_default = section.boolean(source, "default", false);
        if is_default.value
            && let Some(other) = default.replace(name.value.clone())
        {
            source.error(
                is_default.origin,
                format!("{} and {other} are both marked as the default site", name.value),
                None,
            );
        }
        let site = site(source, &mut section, SiteName::new(name.value), is_default.value);
        section.text_known("name");
        section.finish(source);
        // Registered networks and turns have one owner per site, so two sites must not share an appliance.
        if let Some(site) = &site
            && let Some(other) = appliances.insert(appliance(&site.bde.url), site.name.to_string())
        {
            let message = format!("the sites {} and {other} use the same BDE", site.name);
            let hint = "Use one site: two remove each other's registered networks and exceed BDE's queue.";
            source.warn(origin, message, Some(hint.to_owned()));
        }
        all = all.zip(site).map(|(mut all, site)| {
            all.push(site);
            all
        });
    }
    all
}

/// What identifies an appliance in its URL.
fn appliance(url: &str) -> Option<(String, Option<u16>)> {
    let url = Url::parse(url).ok()?;
    Some((url.host_str()?.to_ascii_lowercase(), url.port_or_known_default()))
}

fn variable_of(name: &str) -> String {
    let word: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("HOWDAH_SITE_{word}")
}

fn site_name(
    source: &mut Source<'_>,
    section: &mut Section<'_>,
    table: &toml::de::DeTable<'_>,
) -> Option<Found<String>> {
    let Some(value) = table.get("name") else {
        let origin = section.origin();
        source.error(origin, "site.name is missing", Some("Give each [[site]] a name.".to_owned()));
        return None;
    };
    let origin = source.at(value.span().start);
    let Some(name) = value.get_ref().as_str() else {
        source.error(origin, "site.name must be a string", None);
        return None;
    };
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        source.error(origin, format!("site.name is {name:?}, but may have only letters, digits, - and _"), None);
        return None;
    }
    Some(Found { value: name.to_owned(), origin })
}

fn site(source: &mut Source<'_>, section: &mut Section<'_>, name: SiteName, default: bool) -> Option<Site> {
    let backend = section.text_or(source, "network_backend", "nsx-v");
    let backend = match backend.value.as_str() {
        "nsx-v" => Some(NetworkBackend::NsxV),
        "nsx-t" => Some(NetworkBackend::NsxT),
        "ml2" => Some(NetworkBackend::Ml2),
        other => {
            let message = format!("{} is {other:?}, but must be nsx-v, nsx-t or ml2", section.name("network_backend"));
            source.error(backend.origin, message, None);
            None
        }
    };
    let networks = networks(source, section, backend);
    let rules = rules(source, section);
    let mut bde_section = section.section(source, "bde");
    let bde = endpoint(source, &mut bde_section);
    bde_section.finish(source);

    let mut vcenter_section = section.section(source, "vcenter");
    let vcenter = endpoint(source, &mut vcenter_section);
    let folder_prefix = vcenter_section.text_or(source, "folder_prefix", DEFAULT_FOLDER_PREFIX).value;
    let switch = vcenter_section.text(source, "switch").map(|s| s.value);
    vcenter_section.finish(source);

    let mut openstack_section = section.section(source, "openstack");
    let openstack = openstack(source, &mut openstack_section);
    openstack_section.finish(source);

    Some(Site {
        name,
        default,
        networks: networks?,
        rules: rules?,
        bde: bde?,
        vcenter: vcenter?,
        folder_prefix,
        switch,
        openstack: openstack?,
    })
}

fn networks(source: &mut Source<'_>, section: &mut Section<'_>, backend: Option<NetworkBackend>) -> Option<Networks> {
    let host = section.text(source, "binding_host");
    let defaults = Networks::of(backend.unwrap_or_default());
    let require_attachment = section.boolean(source, "require_attachment", defaults.require_attachment).value;
    let backend = backend?;
    if let Some(host) = host.as_ref().filter(|_| backend != NetworkBackend::Ml2) {
        let message =
            format!("{} has no effect: the NSX plugins bind ports without a host", section.name("binding_host"));
        source.warn(host.origin.clone(), message, None);
    }
    Some(Networks { require_attachment, binding_host: host.map(|h| h.value), ..defaults })
}

fn endpoint(source: &mut Source<'_>, section: &mut Section<'_>) -> Option<Endpoint> {
    let url = section.text_needed(source, "url");
    let username = section.text_needed(source, "username");
    let password = section.secret_needed(source, "password");
    let trust = trust(source, section);
    let url = url?;
    let host = match Url::parse(&url.value) {
        Ok(parsed) if !parsed.username().is_empty() || parsed.password().is_some() => {
            let message = format!("{} contains a user name; set username and password instead", section.name("url"));
            source.error(url.origin.clone(), message, None);
            None
        }
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") => {
            warn_if_plain(source, url.origin.clone(), &section.name("url"), &parsed, "its password");
            parsed.host_str().map(|h| h.trim_start_matches('[').trim_end_matches(']').to_owned())
        }
        _ => {
            let message =
                format!("{} is {:?}, which is not an http:// or https:// URL", section.name("url"), url.value);
            source.error(url.origin.clone(), message, None);
            None
        }
    };
    Some(Endpoint {
        url: url.value,
        host: host?,
        username: username?.value,
        password: password?.value,
        trust: trust?.unwrap_or_default(),
    })
}

/// Warns about an address to which the service sends a secret in clear text.
fn warn_if_plain(source: &mut Source<'_>, origin: Origin, name: &str, url: &Url, what: &str) {
    let on_this_host = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => true,
    };
    if url.scheme() == "http" && !on_this_host {
        let host = url.host_str().unwrap_or_default();
        let message = format!("{name} is http:// to {host}: {what} can be read on the network");
        source.warn(origin, message, Some("Use https://, or a TLS proxy on this host.".to_owned()));
    }
}

/// `Some(None)` if the setting is absent; `None` if it is invalid.
#[allow(clippy::option_option, reason = "an absent choice and a bad one are not the same")]
fn trust(source: &mut Source<'_>, section: &mut Section<'_>) -> Option<Option<Trust>> {
    let ca_file = section.file(source, "ca_file");
    let pin = section.text(source, "pin_sha256");
    let insecure = section.boolean(source, "insecure", false);
    let name = section.name("");
    let name = name.trim_end_matches('.');
    let said = [ca_file.is_some(), pin.is_some(), insecure.value].into_iter().filter(|s| *s).count();
    if said > 1 {
        let origin = section.origin();
        source.error(origin, format!("{name} sets more than one of ca_file, pin_sha256 and insecure"), None);
        return None;
    }
    if let Some(file) = ca_file {
        if let Err(e) = std::fs::File::open(&file.value) {
            source.error(file.origin, format!("{} cannot be read: {e}", file.value.display()), None);
            return None;
        }
        return Some(Some(Trust::CaFile(file.value)));
    }
    if let Some(pin) = pin {
        return match pin.value.parse::<Fingerprint>() {
            Ok(fingerprint) => Some(Some(Trust::Pin(fingerprint))),
            Err(e) => {
                let message = format!("{}: {e}", section.name("pin_sha256"));
                source.error(pin.origin, message, None);
                None
            }
        };
    }
    if insecure.value {
        source.warn(
            insecure.origin,
            format!("{name} does not verify the certificate: its password can be intercepted"),
            Some("Set ca_file or pin_sha256 instead.".to_owned()),
        );
        return Some(Some(Trust::Insecure));
    }
    Some(None)
}

fn openstack(source: &mut Source<'_>, section: &mut Section<'_>) -> Option<Settings> {
    let errors = source.errors();
    let mut text = |key: &str| section.text(source, key).map(|f| f.value);
    let mut keys = Keys {
        auth_url: text("auth_url"),
        username: text("username"),
        user_id: text("user_id"),
        user_domain_id: text("user_domain_id"),
        user_domain_name: text("user_domain_name"),
        project_id: text("project_id"),
        project_name: text("project_name"),
        project_domain_id: text("project_domain_id"),
        project_domain_name: text("project_domain_name"),
        application_credential_id: text("application_credential_id"),
        application_credential_name: text("application_credential_name"),
        region: text("region"),
        interface: text("interface"),
        neutron_url: text("neutron_url"),
        ..Keys::default()
    };
    keys.password = section.secret(source, "password").map(|s| s.value);
    keys.application_credential_secret = section.secret(source, "application_credential_secret").map(|s| s.value);
    keys.token = section.secret(source, "token").map(|s| s.value);
    let allow_http_endpoints = section.boolean(source, "allow_http_endpoints", false);
    let cloud = section.text(source, "cloud");
    let clouds_file = section.file(source, "clouds_file");
    let vio = section.file(source, "vio_config");
    let trust = trust(source, section)?;
    if cloud.is_some() || clouds_file.is_some() {
        let place = cloud.as_ref().map_or_else(|| section.origin(), |c| c.origin.clone());
        let path = match clouds_file {
            Some(file) => Some(file.value),
            None => standard_clouds_file(source, &place),
        }?;
        let read = Keys::from_clouds_file(&path, cloud.as_ref().map(|c| c.value.as_str()));
        let read = noted(source, section, &place, read)?;
        if read.verify == Some(false) && trust.is_none() {
            let message = format!("{} says verify: false: the password can be intercepted", path.display());
            source.warn(place.clone(), message, Some("Set cacert there, or ca_file or pin_sha256 here.".to_owned()));
        }
        // If secure.yaml exists, it has the secrets.
        let secure = path.with_file_name("secure.yaml");
        warn_of_secrets(source, &place, if secure.exists() { &secure } else { &path }, &read);
        keys = keys.or(read);
    }
    if let Some(file) = vio {
        let read = Keys::from_vio_config(&file.value);
        let read = noted(source, section, &file.origin, read)?;
        warn_of_secrets(source, &file.origin, &file.value, &read);
        keys = keys.or(read);
    }
    // A missing key may be one that was refused above.
    if source.errors() > errors {
        return None;
    }
    let place = section.origin();
    let settings = keys.settings(trust);
    let settings = noted(source, section, &place, settings)?;
    let origin = section.place(source, "auth_url");
    warn_if_plain(source, origin, &section.name("auth_url"), &settings.auth_url, "the service's password and tokens");
    if let Some(url) = &settings.neutron_url {
        let origin = section.place(source, "neutron_url");
        warn_if_plain(source, origin, &section.name("neutron_url"), url, "the service's token");
    }
    if allow_http_endpoints.value {
        let name = section.name("allow_http_endpoints");
        let message = format!("{name} is true: the service may send its token to Neutron in clear text");
        source.warn(allow_http_endpoints.origin, message, Some("Register https:// endpoints.".to_owned()));
    }
    Some(Settings { allow_http_endpoints: allow_http_endpoints.value, ..settings })
}

/// Warns about another client's file if it contains a used secret and is readable by others.
fn warn_of_secrets(source: &mut Source<'_>, place: &Origin, path: &Path, keys: &Keys) {
    if [&keys.password, &keys.application_credential_secret, &keys.token].into_iter().any(Option::is_some) {
        source.warn_if_exposed(place.clone(), path, " and holds secrets");
    }
}

fn standard_clouds_file(source: &mut Source<'_>, place: &Origin) -> Option<PathBuf> {
    let files = howdah_openstack::clouds_files(|name| source.variable(name));
    let found = files.iter().find(|f| f.exists()).cloned();
    if found.is_none() {
        let looked: Vec<_> = files.iter().map(|f| f.display().to_string()).collect();
        let message = format!("no clouds.yaml found; searched {}", looked.join(", "));
        source.error(place.clone(), message, Some("Set its path in clouds_file.".to_owned()));
    }
    found
}

/// Records an error of the OpenStack adapter about its keys, at the key if it names one.
fn noted<T>(
    source: &mut Source<'_>,
    section: &Section<'_>,
    place: &Origin,
    result: Result<T, OpenStackError>,
) -> Option<T> {
    let e = match result {
        Ok(value) => return Some(value),
        Err(e) => e,
    };
    match &e {
        OpenStackError::MissingSetting { key, hint } => {
            source.error(place.clone(), format!("{} is missing", section.name(key)), Some(hint.clone()));
        }
        OpenStackError::BadSetting { key, reason } => {
            let origin = section.place(source, key);
            source.error(origin, format!("{}: {reason}", section.name(key)), None);
        }
        other => source.error(place.clone(), chain(other), None),
    }
    None
}
