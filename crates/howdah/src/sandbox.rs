//! `howdah sandbox`: a simulated site over real HTTP, for other clients.

use std::fs::{OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use howdah_sim::SiteSettings;
use howdah_sim::site::{Listen, Site};
use howdah_sim::world::settings::{GuestMode, NetworkBackend};
use serde_json::json;

use crate::cli::{Backend, Sandbox};
use crate::exit::Failed;
use crate::printer::{Printer, table};

/// Runs a site until Ctrl-C.
pub async fn run(printer: Printer, args: &Sandbox) -> Result<(), Failed> {
    let site = Site::start(settings(args), listen(args))
        .await
        .map_err(|e| Failed::Run { what: "cannot start the simulated site".to_owned(), source: e.into() })?;
    let config = args.config_out.as_deref().map(|path| write_config(path, &site, args.backend)).transpose()?;
    tell(printer, &site, config.as_deref())?;
    crate::serve::shutdown().await;
    site.stop().await;
    Ok(())
}

fn settings(args: &Sandbox) -> SiteSettings {
    let mut settings = SiteSettings {
        seed: args.seed,
        speed: args.speed,
        backend: args.backend.into(),
        bde_version: args.bde_version.clone(),
        bystanders: args.bystanders,
        guest_mode: if args.external_guests { GuestMode::External } else { GuestMode::Simulated },
        // Real clients compare the site's time with their own clock.
        epoch: jiff::Timestamp::now(),
        ..SiteSettings::default()
    };
    if args.cloned_at_once {
        settings.timings.clone_parallel = None;
        settings.timings.clone_together = true;
    }
    settings
}

impl From<Backend> for NetworkBackend {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::NsxV => Self::NsxV,
            Backend::NsxT => Self::NsxT,
            Backend::Ml2 => Self::Ml2,
        }
    }
}

impl Backend {
    const fn word(self) -> &'static str {
        match self {
            Self::NsxV => "nsx-v",
            Self::NsxT => "nsx-t",
            Self::Ml2 => "ml2",
        }
    }
}

fn listen(args: &Sandbox) -> Listen {
    let port = |n| args.port.map_or(0, |first| first.saturating_add(n));
    Listen {
        address: args.listen,
        tls: args.tls,
        vcenter: port(0),
        bde: port(1),
        keystone: port(2),
        neutron: port(3),
        control: port(4),
    }
}

/// Writes a `howdah serve` configuration for this site.
fn write_config(path: &Path, site: &Site, backend: Backend) -> Result<PathBuf, Failed> {
    let failed = |e: std::io::Error| Failed::Write { path: path.to_owned(), source: e };
    let path = std::path::absolute(path).map_err(failed)?;
    let text = config(site, backend, path.parent().unwrap_or(Path::new("/")));
    write_private(&path, &text).map_err(failed)?;
    Ok(path)
}

/// Writes a file that nobody else may read: it holds passwords. One that is there already is narrowed first.
pub fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    if file.metadata()?.is_file() {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    file.write_all(text.as_bytes())
}

/// The configuration of a service for this site; its files and socket are in `folder`.
pub fn config(site: &Site, backend: Backend, folder: &Path) -> String {
    let urls = site.urls();
    let (vcenter, bde, service, project) = site.world().read(|s| {
        let settings = &s.settings;
        let project = settings.projects.first().cloned().unwrap_or_default();
        (settings.vcenter_login.clone(), settings.bde_login.clone(), settings.service_login.clone(), project)
    });
    let pin = site.fingerprint().map(|f| format!("pin_sha256 = \"{f}\"\n")).unwrap_or_default();
    let folder = folder.display();
    format!(
        r#"# A Howdah service for a simulated site. The passwords are those of the simulation.

[server]
unix = "{folder}/howdah.sock"
auth = "local"

[store]
path = "{folder}/howdah.db"

[[site]]
name = "sandbox"
default = true
network_backend = "{backend}"

[site.bde]
url = "{bde_url}"
username = "{bde_user}"
password = "{bde_password}"
{pin}
[site.vcenter]
url = "{vcenter_url}"
username = "{vcenter_user}"
password = "{vcenter_password}"
{pin}
[site.openstack]
auth_url = "{keystone_url}"
username = "{service_user}"
password = "{service_password}"
project_name = "{project}"
user_domain_id = "default"
project_domain_id = "default"
{pin}"#,
        backend = backend.word(),
        bde_url = urls.bde,
        bde_user = bde.user,
        bde_password = bde.password,
        vcenter_url = urls.vcenter,
        vcenter_user = vcenter.user,
        vcenter_password = vcenter.password,
        keystone_url = urls.keystone,
        service_user = service.user,
        service_password = service.password,
    )
}

fn tell(printer: Printer, site: &Site, config: Option<&Path>) -> Result<(), Failed> {
    let urls = site.urls();
    let (vcenter, bde, user, project) = site.world().read(|s| {
        let settings = &s.settings;
        let project = settings.projects.first().cloned().unwrap_or_default();
        (settings.vcenter_login.clone(), settings.bde_login.clone(), settings.user_login.clone(), project)
    });
    if printer.is_json() {
        return printer.json(&json!({
            "urls": urls, "vcenter": vcenter, "bde": bde, "openstack": user, "project": project,
            "fingerprint": site.fingerprint(), "certificate": site.certificate(), "config": config,
        }));
    }
    let row = |what: &str, url: &str, user: &str, password: &str| {
        vec![what.to_owned(), url.to_owned(), user.to_owned(), password.to_owned()]
    };
    let rows = [
        row("vCenter", &format!("{}/sdk", urls.vcenter), &vcenter.user, &vcenter.password),
        row("BDE", &format!("{}/serengeti", urls.bde), &bde.user, &bde.password),
        row("Keystone", &urls.keystone, &user.user, &user.password),
        row("Neutron", &urls.neutron, "(by Keystone)", ""),
        row("control", &urls.control, "", ""),
    ];
    printer.lines(&table(&["system", "url", "user", "password"], rows))?;
    if let Some(fingerprint) = site.fingerprint() {
        printer.lines(&format!("\ncertificate SHA-256: {fingerprint}"))?;
    }
    printer.lines(&format!(
        "\nOpenStack clients:\n  export OS_AUTH_URL={} OS_USERNAME={} OS_PASSWORD={} OS_PROJECT_NAME={project}\n  \
         export OS_USER_DOMAIN_ID=default OS_PROJECT_DOMAIN_ID=default OS_IDENTITY_API_VERSION=3",
        urls.keystone, user.user, user.password
    ))?;
    match config {
        Some(path) => printer.lines(&format!(
            "\nTo run a service for this site:\n  howdah serve --config {}\n  howdah cluster --endpoint unix:{}/howdah.sock list",
            path.display(),
            path.parent().unwrap_or(Path::new("/")).display()
        ))?,
        None => printer.lines("\nTo write a service configuration, add --config-out FILE.")?,
    }
    printer.note("Press Ctrl-C to stop the site.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_reads_a_file_with_passwords() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let new = folder.path().join("new");
        write_private(&new, "a").unwrap();
        let there = folder.path().join("there");
        std::fs::write(&there, "longer than what comes").unwrap();
        std::fs::set_permissions(&there, Permissions::from_mode(0o644)).unwrap();
        write_private(&there, "b").unwrap();
        assert_eq!((mode(&new), mode(&there)), (0o600, 0o600));
        assert_eq!(std::fs::read_to_string(&there).unwrap(), "b");
    }
}
