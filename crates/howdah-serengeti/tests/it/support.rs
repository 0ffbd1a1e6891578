//! An appliance in memory, and servers for it. Its clusters are complete immediately; tests can read its
//! requests and set its refusals.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use howdah_core::failure::RemoteError;
use howdah_serengeti::routes::{Backend, Change, LoginRefusal, Outcome, Refusal, ServerProfile, router};
use howdah_serengeti::wire::{
    AppManagerRead, ClusterCreate, ClusterRead, ClusterStatus, DatastoreRead, DistroRead, ErrorBody, IpConfig,
    NetworkAdd, NetworkRead, NodeGroupRead, NodeRead, ResourcePoolRead, TaskRead, TaskStatus, code,
};
use howdah_serengeti::{Client, Settings, Timeouts};
use howdah_transport::Trust;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;

pub const USER: &str = "administrator@vsphere.local";
pub const PASSWORD: &str = "bde s€cret&%+";

#[derive(Default)]
pub struct Memory {
    pub logins: AtomicU64,
    /// A session is good while its login was at this count.
    pub epoch: AtomicU64,
    pub never_valid: AtomicBool,
    pub maintenance: AtomicBool,
    pub uninitialised: AtomicBool,
    pub vcenter_down: AtomicBool,
    /// While it is held for writing, calls wait.
    pub gate: tokio::sync::RwLock<()>,
    /// What the next call is refused with.
    pub refuse: Mutex<Option<Refusal>>,
    /// The same for the distributions, which are looked at on the way to others.
    pub refuse_distros: Mutex<Option<Refusal>>,
    pub networks: Mutex<BTreeMap<String, NetworkAdd>>,
    pub clusters: Mutex<BTreeMap<String, (ClusterCreate, ClusterStatus)>>,
    pub tasks: Mutex<Vec<TaskRead>>,
}

impl Memory {
    pub fn expire_sessions(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    pub fn refuse_next(&self, refusal: impl Into<Refusal>) {
        *self.refuse.lock().unwrap() = Some(refusal.into());
    }

    pub fn logins(&self) -> u64 {
        self.logins.load(Ordering::SeqCst)
    }

    async fn met(&self) -> Outcome<()> {
        drop(self.gate.read().await);
        self.refuse.lock().unwrap().take().map_or(Ok(()), Err)
    }

    fn begin(&self, target: &str) -> i64 {
        let mut tasks = self.tasks.lock().unwrap();
        let id = 100 + i64::try_from(tasks.len()).unwrap();
        tasks.push(task(id, target, TaskStatus::Completed));
        id
    }
}

pub fn task(id: i64, target: &str, status: TaskStatus) -> TaskRead {
    TaskRead {
        id,
        status,
        kind: Some("INNER".into()),
        progress: Some(if status == TaskStatus::Completed { 1.0 } else { 0.25 }),
        progress_message: None,
        error_message: None,
        work_dir: None,
        target: Some(target.to_owned()),
        succeed_nodes: vec![],
        fail_nodes: vec![],
    }
}

fn node(cluster: &str, group: &str, index: u32, network: &str) -> NodeRead {
    let ip = IpConfig {
        port_group_name: Some("pg".into()),
        network_name: Some(network.to_owned()),
        traffic_type: Some("MGT_NETWORK".into()),
        ip_address: format!("10.0.0.{}", 10 + index),
        fqdn: None,
    };
    NodeRead {
        name: format!("{cluster}-{group}-{index}"),
        mo_id: Some(format!("null:VirtualMachine:vm-{index}")),
        status: Some("VM Ready".into()),
        action: Some("Bootstrapping VM".into()),
        action_failed: false,
        err_message: None,
        host_name: Some("esx-1".into()),
        rack: None,
        ip_configs: Some(BTreeMap::from([("MGT_NETWORK".to_owned(), vec![ip])])),
        roles: Some(vec!["basic".into()]),
        cpu_number: 1,
        memory: 3748,
        volumes: None,
        version: Some("2.3.2".into()),
    }
}

/// A cluster as the service shows it, its nodes out of order as it may.
pub fn shown(name: &str, spec: &ClusterCreate, status: ClusterStatus) -> ClusterRead {
    let network = spec.network_config.as_ref().map_or("", |c| c["MGT_NETWORK"][0].as_str());
    let groups = spec.node_groups.clone().unwrap_or_default().into_iter().map(|g| {
        let (group, count) = (g.name.unwrap(), u32::try_from(g.instance_num).unwrap());
        NodeGroupRead {
            roles: g.roles,
            cpu_num: 1,
            mem_capacity_mb: 3748,
            swap_ratio: Some(1.0),
            networking: None,
            storage: None,
            instance_num: count,
            instances: Some((0..count).rev().map(|i| node(name, &group, i, network)).collect()),
            placement_policies: None,
            compute_only: false,
            name: group,
        }
    });
    let groups: Vec<_> = groups.collect();
    ClusterRead {
        instance_num: groups.iter().map(|g| g.instance_num).sum(),
        node_groups: groups,
        distro: spec.distro.clone(),
        ..ClusterRead::new(name, status)
    }
}

#[async_trait]
impl Backend for Memory {
    type User = u64;

    async fn log_in(&self, name: &str, password: &SecretString) -> Result<u64, LoginRefusal> {
        self.logins.fetch_add(1, Ordering::SeqCst);
        if self.vcenter_down.load(Ordering::SeqCst) {
            return Err(LoginRefusal::Unreachable("vcenter:443 refused".into()));
        }
        if name == USER && password.expose_secret() == PASSWORD {
            Ok(self.epoch.load(Ordering::SeqCst))
        } else {
            Err(LoginRefusal::Credentials)
        }
    }

    fn is_valid(&self, user: &u64) -> bool {
        *user == self.epoch.load(Ordering::SeqCst) && !self.never_valid.load(Ordering::SeqCst)
    }

    fn in_maintenance(&self) -> bool {
        self.maintenance.load(Ordering::SeqCst)
    }

    fn not_initialised(&self) -> Option<String> {
        self.uninitialised.load(Ordering::SeqCst).then(|| "vcenter:443 is silent".to_owned())
    }

    async fn networks(&self, _: &u64) -> Outcome<Vec<NetworkRead>> {
        self.met().await?;
        let read = |n: &NetworkAdd| NetworkRead {
            dns_type: n.dns_type,
            is_generate_hostname: n.is_generate_hostname,
            ..NetworkRead::dhcp(n.name.clone().unwrap(), n.port_group.clone().unwrap())
        };
        Ok(self.networks.lock().unwrap().values().map(read).collect())
    }

    async fn add_network(&self, _: &u64, network: NetworkAdd) -> Outcome<()> {
        self.met().await?;
        let name = network.name.clone().unwrap();
        let mut networks = self.networks.lock().unwrap();
        if networks.contains_key(&name) {
            return Err(ErrorBody::already_exists("Network", &name).into());
        }
        networks.insert(name, network);
        Ok(())
    }

    async fn remove_network(&self, _: &u64, name: &str) -> Outcome<()> {
        self.met().await?;
        let used =
            |spec: &ClusterCreate| spec.network_config.iter().flat_map(|c| c.values()).flatten().any(|n| n == name);
        if self.clusters.lock().unwrap().values().any(|(spec, _)| used(spec)) {
            return Err(ErrorBody::new(code::NETWORK_IN_USE, "It is used by cluster demo.").into());
        }
        match self.networks.lock().unwrap().remove(name) {
            Some(_) => Ok(()),
            None => Err(ErrorBody::not_found("Network", name).into()),
        }
    }

    async fn resource_pools(&self, _: &u64) -> Outcome<Vec<ResourcePoolRead>> {
        self.met().await?;
        Ok(vec![ResourcePoolRead {
            rp_name: "openstackRP".into(),
            vc_cluster: "cluster-1".into(),
            rp_vsphere_name: "openstack".into(),
            total_ram_in_mb: 0,
            used_ram_in_mb: 0,
            total_cpu_in_mhz: 0,
            used_cpu_in_mhz: 0,
            nodes: Some(vec![]),
        }])
    }

    async fn datastores(&self, _: &u64) -> Outcome<Vec<DatastoreRead>> {
        Ok(vec![DatastoreRead {
            name: "shared".into(),
            kind: "SHARED".into(),
            total_space_gb: 0.0,
            free_space_gb: 0.0,
            regex: Some("FALSE".into()),
            datastore_read_details: Some(vec![]),
        }])
    }

    async fn app_managers(&self, _: &u64) -> Outcome<Vec<AppManagerRead>> {
        Ok(vec![AppManagerRead::built_in(Some("2.3.2"))])
    }

    async fn distros(&self, _: &u64, _: &str) -> Outcome<Vec<DistroRead>> {
        self.refuse_distros.lock().unwrap().take().map_or(Ok(()), Err)?;
        let distro = |name: &str, vendor: &str| DistroRead {
            name: name.to_owned(),
            vendor: Some(vendor.to_owned()),
            version: Some("1.0".into()),
            hve_supported: false,
            roles: Some(vec!["basic".into()]),
        };
        Ok(vec![distro("bigtop", "BIGTOP"), distro("mesos", "MESOS"), distro("CDH-5.2", "CDH")])
    }

    async fn clusters(&self, _: &u64, _: bool) -> Outcome<Vec<ClusterRead>> {
        Ok(self.clusters.lock().unwrap().iter().map(|(name, (spec, status))| shown(name, spec, *status)).collect())
    }

    async fn cluster(&self, _: &u64, name: &str, _: bool) -> Outcome<ClusterRead> {
        self.met().await?;
        match self.clusters.lock().unwrap().get(name) {
            Some((spec, status)) => Ok(shown(name, spec, *status)),
            None => Err(ErrorBody::not_found("Cluster", name).into()),
        }
    }

    async fn cluster_spec(&self, _: &u64, name: &str) -> Outcome<ClusterCreate> {
        match self.clusters.lock().unwrap().get(name) {
            Some((spec, _)) => Ok(spec.clone()),
            None => Err(ErrorBody::new(code::CLUSTER_CONFIG_NOT_FOUND, format!("No configuration of {name}.")).into()),
        }
    }

    async fn create_cluster(&self, _: &u64, cluster: ClusterCreate) -> Outcome<i64> {
        let name = cluster.name.clone().unwrap();
        if self.clusters.lock().unwrap().contains_key(&name) {
            return Err(ErrorBody::already_exists("Cluster", &name).into());
        }
        self.clusters.lock().unwrap().insert(name.clone(), (cluster, ClusterStatus::Running));
        // After the effect: an answer may be lost.
        self.met().await?;
        Ok(self.begin(&name))
    }

    async fn change_cluster(&self, _: &u64, name: &str, change: Change, _: bool) -> Outcome<i64> {
        self.met().await?;
        let mut clusters = self.clusters.lock().unwrap();
        let Some((_, status)) = clusters.get_mut(name) else {
            return Err(ErrorBody::not_found("Cluster", name).into());
        };
        *status = match (change, *status) {
            (Change::Stop, ClusterStatus::Running) => ClusterStatus::Stopped,
            (Change::Start, ClusterStatus::Stopped) => ClusterStatus::Running,
            (Change::Stop, ClusterStatus::Stopped) => {
                return Err(ErrorBody::new(code::IS_STOPPED, format!("Cluster {name} is stopped already.")).into());
            }
            (Change::Resume, _) => {
                return Err(ErrorBody::new(code::CANNOT_UPDATE, format!("Cannot update cluster {name}.")).into());
            }
            (_, other) => other,
        };
        Ok(self.begin(name))
    }

    async fn delete_cluster(&self, _: &u64, name: &str) -> Outcome<i64> {
        self.met().await?;
        match self.clusters.lock().unwrap().remove(name) {
            Some(_) => Ok(self.begin(name)),
            None => Err(ErrorBody::not_found("Cluster", name).into()),
        }
    }

    async fn tasks(&self, _: &u64) -> Outcome<Vec<TaskRead>> {
        Ok(self.tasks.lock().unwrap().clone())
    }

    async fn task(&self, _: &u64, id: i64) -> Outcome<TaskRead> {
        self.met().await?;
        let tasks = self.tasks.lock().unwrap();
        tasks.iter().find(|t| t.id == id).cloned().ok_or_else(|| ErrorBody::not_found("Task", &id.to_string()).into())
    }
}

/// A server that lives as long as its test's runtime.
pub struct Appliance {
    pub memory: Arc<Memory>,
    pub url: String,
}

impl Appliance {
    pub async fn start(profile: ServerProfile) -> Self {
        let memory = Arc::new(Memory::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = router(memory.clone(), profile.plain_http());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { memory, url }
    }

    pub fn settings(&self) -> Settings {
        Settings {
            url: self.url.clone(),
            username: USER.to_owned(),
            password: PASSWORD.into(),
            trust: Trust::Insecure,
            pace: std::sync::Arc::default(),
            timeouts: Timeouts { answer: Duration::from_secs(20), ..Timeouts::default() },
        }
    }

    pub fn client(&self) -> Client {
        Client::new(self.settings()).unwrap()
    }
}

/// An error as a person gets to see it, with the port that changes from run to run taken out.
pub fn told(error: &RemoteError) -> String {
    let chain = howdah_core::failure::chain(error);
    let hint = error.hint.as_deref().map(|h| format!("\n  hint: {h}")).unwrap_or_default();
    let text = format!("{} ({:?})\n  {chain}{hint}", error.code, error.kind);
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("127.0.0.1:") {
        out.push_str(before);
        out.push_str("127.0.0.1:PORT");
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out + rest
}
