//! A simulated vCenter on a port of its own, and shorthands for what tests do to it.

use std::time::Duration;

use futures::{Stream, StreamExt};
use howdah_core::failure::System;
use howdah_core::ids::{ClusterName, VmRef};
use howdah_core::systems::Remote;
use howdah_core::systems::vcenter::{VmFacts, WatchEvent};
use howdah_sim::face::vcenter::VCenterFace;
use howdah_sim::world::clock::Span;
use howdah_sim::world::inventory::PortGroup;
use howdah_sim::world::settings::Timings;
use howdah_sim::world::vm_ops::{CloneSpec, Reconfigure};
use howdah_sim::{SiteSettings, World};
use howdah_transport::Trust;
use howdah_vsphere::{Client, DEFAULT_FOLDER_PREFIX, Settings, Timeouts};

pub struct Site {
    pub world: World,
    pub face: VCenterFace,
    pub url: String,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
        self.world.stop();
    }
}

/// Settings under which everything happens at once.
pub fn swift() -> SiteSettings {
    let now = Span::exactly(0.0);
    let timings = Timings { call: now, clone: now, power: now, destroy: now, reconfigure: now, ..Timings::quick() };
    SiteSettings { timings, networks: Vec::new(), ..SiteSettings::default() }
}

impl Site {
    pub async fn start() -> Self {
        Self::with(swift()).await
    }

    pub async fn with(settings: SiteSettings) -> Self {
        let world = World::new(settings);
        let face = VCenterFace::new(world.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = face.router();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { world, face, url, server }
    }

    pub fn settings(&self) -> Settings {
        let login = self.world.read(|s| s.settings.vcenter_login.clone());
        Settings {
            url: self.url.clone(),
            username: login.user,
            password: login.password.into(),
            trust: Trust::System,
            folder_prefix: DEFAULT_FOLDER_PREFIX.to_owned(),
            switch: None,
            pace: std::sync::Arc::default(),
            timeouts: Timeouts {
                connect: Duration::from_secs(5),
                call: Duration::from_secs(10),
                task: Duration::from_secs(20),
            },
        }
    }

    pub fn client(&self) -> Client {
        Client::new(self.settings()).unwrap()
    }

    /// The folder of a group of a cluster, made where BDE makes it.
    pub fn folder(&self, cluster: &str, group: &str) -> String {
        self.world.write(|s| {
            let root = s.vc.datacenters.values().next().unwrap().vm_folder.clone();
            let app = s.bde.root_folder.clone();
            let app = s.vc.ensure_folder(&root, &app);
            let cluster = s.vc.ensure_folder(&app, cluster);
            s.vc.ensure_folder(&cluster, group)
        })
    }

    /// A network of NSX-T on the last switch, with a name that vCenter escapes.
    pub fn add_nsx_network(&self) {
        self.world.write(|s| {
            let (switch, parent) =
                s.vc.switches.iter().map(|(k, w)| (k.clone(), w.parent.clone())).next_back().unwrap();
            s.vc.add_port_group(PortGroup {
                name: "50%/net\\work".to_owned(),
                switch,
                parent,
                backing_type: "nsx",
                segment_id: Some("/infra/segments/abc".to_owned()),
                logical_switch: Some("ls-1".to_owned()),
                network: None,
                vlan: None,
            });
        });
    }

    /// Clones the node template into a folder.
    pub async fn make_vm(&self, name: &str, folder: &str) -> VmRef {
        let template = self.world.read(|s| s.vc.vm_named("hadoop-template").unwrap().moref.clone());
        let spec = CloneSpec {
            name: name.to_owned(),
            folder: folder.to_owned(),
            pool: None,
            host: None,
            change: Reconfigure::default(),
            power_on: false,
            cluster: None,
            subject: String::new(),
        };
        let task = self.world.clone_task(&template, spec).unwrap();
        VmRef::new(self.world.task_end(&task).await.unwrap().unwrap())
    }

    pub fn calls(&self, method: &str) -> u64 {
        self.world.read(|s| s.counters.of(System::VCenter, method))
    }

    pub fn all_calls(&self) -> u64 {
        self.world.read(|s| s.counters.total(System::VCenter))
    }
}

pub fn cluster(name: &str) -> ClusterName {
    name.parse().unwrap()
}

/// The next item of a watch; nothing here takes ten seconds.
pub async fn next(watch: &mut (impl Stream<Item = Remote<WatchEvent>> + Unpin)) -> WatchEvent {
    let item = tokio::time::timeout(Duration::from_secs(10), watch.next()).await;
    item.expect("the watch says nothing").expect("the watch has ended").expect("the watch reports an error")
}

/// Reads a watch until a VM is as wanted.
pub async fn until(
    watch: &mut (impl Stream<Item = Remote<WatchEvent>> + Unpin),
    mut wanted: impl FnMut(&VmFacts) -> bool,
) -> VmFacts {
    loop {
        if let WatchEvent::Vm(facts) = next(watch).await
            && wanted(&facts)
        {
            return facts;
        }
    }
}

/// Lets time pass without waiting for it, and then lets everybody do what that set off. Client and
/// server share this one thread, so some dozen turns of its loop are enough for any call.
pub async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until something is as wanted.
pub async fn settled(mut reached: impl FnMut() -> bool) {
    let wait = async {
        while !reached() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("it does not come to that");
}

/// Reports that a test needs what this machine lacks; fails if all tests are required.
pub fn skip(what: &str, advice: &str) {
    assert!(std::env::var_os("HOWDAH_REQUIRE_ALL").is_none(), "{what} is required and not there: {advice}");
    say(&format!("SKIPPED {what}: {advice}"));
}

/// Writes a line past the test runner, which shows a test's own output only if it failed.
pub fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}
