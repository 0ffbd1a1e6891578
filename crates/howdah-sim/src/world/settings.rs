//! What kind of site it is: versions, backend, sizes, credentials, timings. All of it may be
//! left at its default; nothing here changes once the world runs.

pub use howdah_core::policy::NetworkBackend;
use howdah_core::systems::vcenter::Power;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::world::timings::Timings;

/// What asks for a lease in a guest, and how patient it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestProfile {
    /// `dhclient -1` of the RHEL 6 and 7 network scripts: one minute, then never again.
    #[default]
    Initscripts,
    /// `dhclient` that stays: a minute, then again after five.
    Ifupdown,
    /// NetworkManager: four tries of 45 s, then again after five minutes, or at once when the
    /// link comes back.
    NetworkManager,
    /// systemd-networkd: without limit, with gaps of up to 64 s, or immediately when the link is back.
    Networkd,
}

impl GuestProfile {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Initscripts, Self::Ifupdown, Self::NetworkManager, Self::Networkd];
}

/// Where leases come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestMode {
    /// From the world's own Neutron.
    #[default]
    Simulated,
    /// From outside: somebody runs a DHCP client for each powered-on VM and reports its address.
    External,
}

/// A user and password.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Login {
    /// User.
    pub user: String,
    /// Password. Simulated, so not a secret.
    pub password: String,
}

impl Login {
    /// From both.
    pub fn new(user: &str, password: &str) -> Self {
        Self { user: user.to_owned(), password: password.to_owned() }
    }
}

/// A Neutron network that is there from the start, with one subnet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NetworkSeed {
    /// Network's name.
    pub name: String,
    /// Subnet's name.
    pub subnet: String,
    /// Subnet's range.
    pub cidr: String,
    /// Whether the subnet hands out leases.
    pub dhcp: bool,
    /// Whether other projects may use it.
    pub shared: bool,
}

/// A registered resource pool, datastore, ... of the cluster manager, by its registered name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DistroSeed {
    /// Name.
    pub name: String,
    /// Vendor, upper case.
    pub vendor: String,
    /// Version.
    pub version: String,
    /// Roles.
    pub roles: Vec<String>,
}

/// A site.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct SiteSettings {
    /// Same seed, same settings, same calls: same run.
    pub seed: u64,
    /// What the clock shows at the start.
    pub epoch: Timestamp,
    /// How fast the clock runs against tokio's.
    pub speed: f64,
    /// How long things take.
    pub timings: Timings,
    /// Network backend.
    pub backend: NetworkBackend,
    /// Which plugin and switches, if the backend is NSX-T.
    #[serde(default)]
    pub nsx_t: NsxT,
    /// The guests that the node template makes.
    pub guest: GuestProfile,
    /// Whether the node template has VMware Tools.
    pub guest_tools: bool,
    /// Where leases come from.
    pub guest_mode: GuestMode,
    /// vCenter's API version.
    pub vcenter_version: String,
    /// The cluster manager's version.
    pub bde_version: String,
    /// Whether creates of clusters run side by side.
    pub bde_concurrent: bool,
    /// Datacenters; the node template is in the first.
    pub datacenters: Vec<String>,
    /// Hosts of each datacenter's one compute cluster.
    pub hosts: usize,
    /// Distributed switches of the first datacenter.
    pub switches: usize,
    /// VMs of others; two of three are on.
    pub bystanders: usize,
    /// Resource pools, registered in the cluster manager under the same names.
    pub resource_pools: Vec<String>,
    /// Datastores, registered in the cluster manager under the same names.
    pub datastores: Vec<String>,
    /// Distributions of the manager `Default`.
    pub distros: Vec<DistroSeed>,
    /// Networks, owned by the first project.
    pub networks: Vec<NetworkSeed>,
    /// Projects; the first is the demo user's.
    pub projects: Vec<String>,
    /// Port quota of every project.
    pub port_quota: Option<u64>,
    /// Login of vCenter.
    pub vcenter_login: Login,
    /// Login of the cluster manager.
    pub bde_login: Login,
    /// The service's own Keystone user: admin of the first project.
    pub service_login: Login,
    /// A Keystone user with the member role on the first project.
    pub user_login: Login,
}

impl SiteSettings {
    /// Whether vCenter's port groups show their NSX segment: since version 7.0 of the API.
    pub fn shows_nsx_segments(&self) -> bool {
        self.vcenter_version.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_some_and(|n| n >= 7)
    }

    /// What vCenter calls itself.
    pub fn vcenter_product(&self) -> String {
        format!("VMware vCenter Server {}.0 build-0 (simulated by Howdah)", self.vcenter_version)
    }
}

impl Default for SiteSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            epoch: Timestamp::constant(1_767_225_600, 0),
            speed: 1.0,
            timings: Timings::default(),
            backend: NetworkBackend::default(),
            nsx_t: NsxT::default(),
            guest: GuestProfile::default(),
            guest_tools: true,
            guest_mode: GuestMode::default(),
            vcenter_version: "6.5".to_owned(),
            bde_version: "2.3.2".to_owned(),
            bde_concurrent: false,
            datacenters: vec!["dc1".to_owned()],
            hosts: 4,
            switches: 1,
            bystanders: 0,
            resource_pools: vec!["openstackRP".to_owned()],
            datastores: vec!["shared01".to_owned()],
            distros: default_distros(),
            networks: vec![NetworkSeed {
                name: "data".to_owned(),
                subnet: "data-subnet".to_owned(),
                cidr: "10.20.0.0/22".to_owned(),
                dhcp: true,
                shared: false,
            }],
            projects: vec!["demo".to_owned(), "other".to_owned()],
            port_quota: Some(5000),
            vcenter_login: Login::new("administrator@vsphere.local", "vc-secret"),
            bde_login: Login::new("serengeti", "bde-secret"),
            service_login: Login::new("howdah", "service-secret"),
            user_login: Login::new("demo", "demo-secret"),
        }
    }
}

fn default_distros() -> Vec<DistroSeed> {
    let distro = |name: &str, vendor: &str, version: &str, roles: &[&str]| DistroSeed {
        name: name.to_owned(),
        vendor: vendor.to_owned(),
        version: version.to_owned(),
        roles: roles.iter().map(|r| (*r).to_owned()).collect(),
    };
    let hadoop = [
        "hadoop_namenode",
        "hadoop_resourcemanager",
        "hadoop_datanode",
        "hadoop_nodemanager",
        "hadoop_client",
        "hive",
        "hive_server",
        "pig",
        "zookeeper",
        "hbase_master",
        "hbase_regionserver",
        "hbase_client",
    ];
    let mesos = ["zookeeper", "mesos_master", "mesos_chronos", "mesos_marathon", "mesos_slave", "mesos_docker"];
    vec![
        distro("bigtop", "BIGTOP", "0.8", &hadoop),
        distro("mesos", "MESOS", "0.21", &mesos),
        distro("kafka", "GENERIC", "0.8", &["zookeeper", "kafka_broker", "basic"]),
    ]
}

/// How NSX-T serves Neutron and the hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NsxT {
    /// Plugin `nsx_p`, distributed switches (VDS 7): segment IDs are Neutron's network IDs.
    #[default]
    Policy,
    /// Plugin `nsx_v3`, distributed switches: only NSX's own IDs.
    Manager,
    /// Plugin `nsx_v3`, N-VDS: opaque networks, without port groups.
    Opaque,
}

/// Whether a bystander is on in the initial inventory.
pub(crate) fn bystander_power(index: usize) -> Power {
    if index.is_multiple_of(3) { Power::Off } else { Power::On }
}
