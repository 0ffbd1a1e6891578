//! A simulated site on the wire, in this process, and a service for it as a child process.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use howdah_sim::invariants::Moment;
use howdah_sim::world::settings::Timings;
use howdah_sim::world::state::State;
use howdah_sim::{Listen, Site, SiteSettings, World};
use tokio::runtime::Runtime;

use crate::child::{PATIENCE, Ran, Running, finish, howdah};

/// A site with its service's folder. The site ends with it.
pub struct Setup {
    // In this order: the site's tasks end before their runtime does.
    pub site: Site,
    pub folder: tempfile::TempDir,
    runtime: Runtime,
}

/// Every step takes seconds instead of minutes, and those pass `speed` times as fast.
pub fn quick(speed: f64) -> SiteSettings {
    SiteSettings { timings: Timings::quick(), speed, epoch: jiff::Timestamp::now(), ..SiteSettings::default() }
}

impl Setup {
    pub fn new(settings: SiteSettings) -> Self {
        Self::listening(settings, Listen::default())
    }

    pub fn listening(settings: SiteSettings, listen: Listen) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let site = runtime.block_on(Site::start(settings, listen)).unwrap();
        let setup = Self { site, folder: tempfile::tempdir().unwrap(), runtime };
        setup.configure(|text| text);
        setup
    }

    pub fn world(&self) -> &World {
        self.site.world()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn text_path(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub fn endpoint(&self) -> String {
        format!("unix:{}", self.text_path("howdah.sock"))
    }

    /// Writes the service's configuration after the change `bend`.
    pub fn configure(&self, bend: impl FnOnce(String) -> String) {
        let urls = self.site.urls();
        let folder = self.folder.path().display();
        let text = format!(
            r#"[server]
unix = "{folder}/howdah.sock"
auth = "local"

[store]
path = "{folder}/howdah.db"

[[site]]
name = "main"
default = true
network_backend = "nsx-v"

[site.bde]
url = "{bde}"
username = "serengeti"
password = "bde-secret"

[site.vcenter]
url = "{vcenter}"
username = "administrator@vsphere.local"
password = "vc-secret"

[site.openstack]
auth_url = "{keystone}"
username = "howdah"
password = "service-secret"
project_name = "demo"
user_domain_id = "default"
project_domain_id = "default"
"#,
            bde = urls.bde,
            vcenter = urls.vcenter,
            keystone = urls.keystone,
        );
        let path = self.path("howdah.toml");
        std::fs::write(&path, bend(text)).unwrap();
        // It holds secrets.
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    }

    /// Starts the service and waits until it listens.
    pub fn serve(&self) -> Running {
        let running = Running::start(self.serve_command());
        running.says("Howdah is listening on");
        running
    }

    pub fn serve_command(&self) -> Command {
        howdah(&["serve", "--config", &self.text_path("howdah.toml")])
    }

    /// `howdah cluster ...` over the UNIX socket.
    pub fn cluster_command(&self, args: &[&str]) -> Command {
        let endpoint = self.endpoint();
        howdah(&[&["cluster", "--endpoint", &endpoint], args].concat())
    }

    #[track_caller]
    pub fn cluster(&self, args: &[&str]) -> Ran {
        finish(self.cluster_command(args))
    }

    /// Starts the service over TCP, for Keystone's users. Returns its URL.
    pub fn serve_tcp(&self) -> (Running, String) {
        self.configure(|text| {
            let (front, rest) = (text.find("unix = ").unwrap(), text.find("[store]").unwrap());
            format!("{}listen = \"127.0.0.1:0\"\nauth = \"keystone\"\n\n{}", &text[..front], &text[rest..])
        });
        let service = Running::start(self.serve_command());
        let line = service.says("Howdah is listening on");
        let address = line.trim_start_matches("Howdah is listening on ").trim_end_matches('.');
        let url = format!("http://{address}");
        (service, url)
    }

    /// The same command as a user of the site's Keystone.
    pub fn as_demo(&self, password: &str, args: &[&str]) -> Command {
        let mut command = howdah(args);
        command
            .env("OS_AUTH_URL", &self.site.urls().keystone)
            .env("OS_USERNAME", "demo")
            .env("OS_PASSWORD", password)
            .env("OS_PROJECT_NAME", "demo")
            .env("OS_USER_DOMAIN_ID", "default")
            .env("OS_PROJECT_DOMAIN_ID", "default");
        command
    }

    /// Waits until the world is in the wanted state.
    #[track_caller]
    pub fn until(&self, what: &str, reached: impl FnMut(&State) -> bool) {
        let waited = async { tokio::time::timeout(PATIENCE, self.world().wait_until(reached)).await };
        assert!(self.runtime.block_on(waited).is_ok(), "{what}: not in {PATIENCE:?}; left: {:?}", self.left());
    }

    /// Ports of Howdah's, VMs of clusters, network registrations of Howdah's.
    pub fn left(&self) -> (usize, usize, usize) {
        self.world().read(|s| {
            let ports = s.neutron.ports.values().filter(|p| p.description.starts_with("howdah/")).count();
            let vms = s.vc.vms.values().filter(|vm| vm.cluster.is_some()).count();
            let registrations = s.bde.networks.keys().filter(|n| n.starts_with("howdah-")).count();
            (ports, vms, registrations)
        })
    }

    /// Waits until the cluster manager is idle, and checks the world's invariants.
    #[track_caller]
    pub fn sound(&self, texts: &[String]) {
        self.until("BDE idle", |s| s.bde.tasks.values().all(|t| t.status.is_final()));
        let found = self.world().invariants(Moment::AtRest, texts);
        assert!(found.is_empty(), "{found:?}");
    }

    /// Waits for a random moment.
    pub fn pause(&self, time: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(time).await });
    }
}

/// A create of so many nodes on the site's own network.
pub fn create<'a>(name: &'a str, group: &'a str) -> Vec<&'a str> {
    vec!["create", name, "--network", "data", "--subnet", "data-subnet", "--type", "bigtop", "--group", group]
}
