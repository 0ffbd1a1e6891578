//! `world.json`: what was written down of each site when its service was killed. What no test needs
//! is left out; the fixture's README says what the fields mean.

use std::collections::BTreeMap;
use std::net::IpAddr;

use howdah_core::ids::{Mac, VmRef};
use howdah_core::systems::vcenter::{Power, Tools};
use howdah_sim::world::bde::{BdeStatus, BdeTaskStatus, NodeStatus};
use howdah_sim::world::inventory::GuestState;
use howdah_sim::world::settings::{GuestProfile, NetworkBackend};
use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

/// A site, as `world.json` has it; what is not needed is left out.
#[derive(Deserialize)]
pub struct Site {
    pub site: String,
    pub backend: NetworkBackend,
    pub seed: u64,
    pub epoch: Timestamp,
    pub taken: Timestamp,
    pub networks: Vec<Named>,
    pub subnets: Vec<Named>,
    pub segments: Vec<Segment>,
    pub registrations: Vec<Registered>,
    pub clusters: Vec<Cluster>,
    pub other_ports: Vec<Named>,
}

#[derive(Deserialize)]
pub struct Named {
    pub id: String,
}

#[derive(Deserialize)]
pub struct Segment {
    pub key: String,
    pub name: String,
}

#[derive(Deserialize)]
pub struct Registered {
    pub name: String,
    pub port_group: String,
}

#[derive(Deserialize)]
pub struct Cluster {
    pub name: String,
    pub whose: Whose,
    pub manager: Option<Manager>,
    pub tasks: Vec<Task>,
    pub vms: Vec<Machine>,
    pub ports: Vec<Port>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    Ours,
    Stranger,
}

#[derive(Deserialize)]
pub struct Manager {
    pub status: String,
    pub task: i64,
    pub created: Timestamp,
    pub distro: String,
    pub app_manager: String,
    pub networks: BTreeMap<String, Vec<String>>,
    pub rp_names: Vec<String>,
    pub ds_names: Vec<String>,
    pub groups: Vec<Group>,
    pub nodes: Vec<Node>,
}

#[derive(Deserialize)]
pub struct Group {
    pub name: String,
    pub roles: Vec<String>,
    pub count: u32,
    pub cpu: u32,
    pub memory_mb: u32,
    pub disk_gb: u32,
}

#[derive(Deserialize)]
pub struct Node {
    pub name: String,
    pub group: String,
    pub vm: Option<VmRef>,
    pub status: String,
    pub action: Option<String>,
    pub action_failed: bool,
    pub error: Option<String>,
    pub host: Option<String>,
    pub pool: Option<String>,
    pub addresses: BTreeMap<String, IpAddr>,
    pub incarnation: u32,
}

#[derive(Deserialize)]
pub struct Task {
    pub id: i64,
    pub kind: String,
    pub status: String,
    pub progress: f64,
    pub error: Option<String>,
    pub error_code: Option<String>,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
}

#[derive(Deserialize)]
pub struct Machine {
    pub moref: VmRef,
    pub name: String,
    pub group: String,
    pub instance_uuid: Uuid,
    pub uuid: Uuid,
    pub configured: bool,
    pub power: Power,
    pub boot_time: Option<Timestamp>,
    pub boot: u64,
    pub tools: Tools,
    pub guest_state: GuestState,
    pub profile: GuestProfile,
    pub cpus: u32,
    pub memory_mb: u32,
    pub disks_gb: Vec<u32>,
    pub nics: Vec<Card>,
}

#[derive(Deserialize)]
pub struct Card {
    pub key: i32,
    pub mac: Mac,
    pub segment: String,
    pub connected: bool,
    pub external_id: Option<String>,
    pub address: Option<IpAddr>,
    pub reported: Vec<IpAddr>,
}

#[derive(Deserialize)]
pub struct Port {
    pub id: String,
    pub name: String,
    pub project: String,
    pub network: String,
    pub mac: Mac,
    pub fixed_ips: Vec<FixedIp>,
    pub device_owner: String,
    pub device_id: String,
    pub description: String,
    pub security_groups: Vec<String>,
    pub host: String,
    pub status: String,
    pub vnic_index: Option<u32>,
    pub binding: Option<Timestamp>,
    pub created: Timestamp,
}

#[derive(Deserialize)]
pub struct FixedIp {
    pub subnet: String,
    pub address: IpAddr,
}

/// All sites.
pub fn sites() -> Vec<Site> {
    let text = std::fs::read_to_string(super::stored::folder().join("world.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The word's value, among these.
fn spelled<T: Copy>(word: &str, values: &[T], as_str: fn(T) -> &'static str) -> T {
    values.iter().copied().find(|v| as_str(*v) == word).unwrap_or_else(|| panic!("no value is spelled {word:?}"))
}

pub fn status(word: &str) -> BdeStatus {
    use BdeStatus as S;
    let values =
        [S::Provisioning, S::ProvisionError, S::Running, S::Stopping, S::Stopped, S::Starting, S::Deleting, S::Error];
    spelled(word, &values, S::as_str)
}

pub fn node_status(word: &str) -> NodeStatus {
    use NodeStatus as S;
    spelled(word, &[S::NotExist, S::PoweredOff, S::PoweredOn, S::VmReady, S::ServiceReady], S::as_str)
}

pub fn task_status(word: &str) -> BdeTaskStatus {
    use BdeTaskStatus as S;
    spelled(word, &[S::Started, S::Completed, S::Failed], S::as_str)
}
