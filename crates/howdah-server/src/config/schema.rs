//! The keys of the file, their defaults, and the rules between them.

use std::net::SocketAddr;

use super::section::Section;
use super::site::read_sites;
use super::source::{Found, Source};
use super::{Config, Server, Templates, TlsFiles};
use crate::api::AuthMode;
use crate::limits::Limits;

const LISTEN: &str = "127.0.0.1:8780";
const UNIX: &str = "/run/howdah/howdah.sock";
const STORE: &str = "/var/lib/howdah/howdah.db";

/// Reads everything; `None` if a required value is missing; the source records the problem.
pub(super) fn read(source: &mut Source<'_>) -> Option<Config> {
    let document = source.parse()?;
    let whole = source.whole();
    let mut root = Section::root(document.get_ref(), whole);
    let server = server(source, &mut root);
    let store = store(source, &mut root);
    let templates = templates(source, &mut root);
    let limits = limits(source, &mut root);
    let sites = read_sites(source, &mut root);
    root.finish(source);
    source.finish_env();
    source.finish_file();
    Some(Config { server: server?, store, templates, limits, sites: sites? })
}

fn server(source: &mut Source<'_>, root: &mut Section<'_>) -> Option<Server> {
    let mut section = root.section(source, "server");
    let auth = section.text_or(source, "auth", "keystone");
    let mode = match auth.value.as_str() {
        "keystone" => Some(AuthMode::Keystone),
        "local" => Some(AuthMode::Local),
        other => {
            let message = format!("server.auth is {other:?}, but must be \"keystone\" or \"local\"");
            source.error(auth.origin.clone(), message, None);
            None
        }
    };
    let mut listen = section.text(source, "listen");
    let mut unix = section.file(source, "unix");
    if listen.is_none() && unix.is_none() {
        if mode == Some(AuthMode::Local) {
            let found = section.text_or(source, "unix", UNIX);
            unix = Some(Found { value: UNIX.into(), origin: found.origin });
        } else {
            listen = Some(section.text_or(source, "listen", LISTEN));
        }
    }
    let listen = listen.map(|l| address(source, l));
    let mut tls = section.section(source, "tls");
    let certificate = tls.file(source, "certificate");
    let key = tls.file(source, "key");
    let tls_origin = tls.origin();
    tls.finish(source);
    section.finish(source);
    let tls = match (certificate, key) {
        (Some(certificate), Some(key)) => {
            for file in [&certificate, &key] {
                if let Err(e) = std::fs::File::open(&file.value) {
                    source.error(file.origin.clone(), format!("{} cannot be read: {e}", file.value.display()), None);
                }
            }
            Some(TlsFiles { certificate: certificate.value, key: key.value })
        }
        (None, None) => None,
        _ => {
            source.error(tls_origin, "server.tls needs both certificate and key", None);
            return None;
        }
    };
    if let Some(Some(listen)) = &listen {
        if mode == Some(AuthMode::Local) {
            source.error(
                listen.origin.clone(),
                "server.auth is \"local\", but server.listen is set: local authentication does not work over TCP",
                Some("Remove server.listen, or set server.auth to \"keystone\".".to_owned()),
            );
        }
        if !listen.value.ip().is_loopback() && tls.is_none() {
            source.error(
                listen.origin.clone(),
                format!("server.listen is {} without TLS, and other hosts can reach it", listen.value),
                Some("Set server.tls, or listen on 127.0.0.1.".to_owned()),
            );
        }
    }
    let listen = match listen {
        Some(None) => return None,
        Some(Some(found)) => Some(found.value),
        None => None,
    };
    Some(Server { listen, unix: unix.map(|u| u.value), auth: mode?, tls })
}

fn address(source: &mut Source<'_>, found: Found<String>) -> Option<Found<SocketAddr>> {
    match found.value.parse() {
        Ok(value) => Some(Found { value, origin: found.origin }),
        Err(_) => {
            let message = format!("server.listen is {:?}, which is not an address with a port", found.value);
            source.error(found.origin, message, Some(format!("Write it like {LISTEN} or [::1]:8780.")));
            None
        }
    }
}

fn store(source: &mut Source<'_>, root: &mut Section<'_>) -> howdah_store::Options {
    let mut section = root.section(source, "store");
    let path = section.text_or(source, "path", STORE);
    let path = source.resolve(&path.value);
    let beside = path.with_file_name("secret.key");
    let key_file = section.text_or(source, "key_file", &beside.to_string_lossy());
    let key_file = source.resolve(&key_file.value);
    section.finish(source);
    howdah_store::Options { path, key_file }
}

fn limits(source: &mut Source<'_>, root: &mut Section<'_>) -> Limits {
    let usual = Limits::default();
    let mut section = root.section(source, "limits");
    let limits = Limits {
        clusters: section.limit(source, "clusters_per_project", usual.clusters),
        nodes: section.limit(source, "nodes_per_project", usual.nodes),
        creates: section.limit(source, "creates_per_project", usual.creates),
        streams: section.limit(source, "streams_per_project", usual.streams),
    };
    section.finish(source);
    limits
}

fn templates(source: &mut Source<'_>, root: &mut Section<'_>) -> Templates {
    let mut section = root.section(source, "templates");
    let credentials = section.boolean(source, "credentials", false).value;
    let files_below = section.file(source, "files_below");
    section.finish(source);
    if let Some(folder) = files_below.as_ref().filter(|folder| !folder.value.is_dir()) {
        source.error(folder.origin.clone(), format!("{} is not a directory", folder.value.display()), None);
    }
    Templates { credentials, files_below: files_below.map(|f| f.value) }
}
