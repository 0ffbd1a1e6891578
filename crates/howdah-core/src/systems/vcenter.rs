//! vCenter Server: VMs, cards and port groups.
//!
//! Invariant: answers contain *observations*, never conclusions; every value that may be absent is an
//! `Option`. No wire formats: the adapter (`howdah-vsphere`) translates.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{ClusterName, Mac, NodeName, PortId, SegmentKey, VmRef};
use crate::systems::Remote;

/// vCenter Server.
#[async_trait]
pub trait VCenter: Send + Sync {
    /// Product and version, for display and the log. Always a call.
    async fn version(&self) -> Remote<String>;

    /// The port groups and opaque networks of every datacenter.
    async fn segments(&self) -> Remote<Vec<Segment>>;

    /// The current state of these VMs, without those that no longer exist.
    async fn vms(&self, vms: &[VmRef]) -> Remote<Vec<VmFacts>>;

    /// Watches the VMs in the folder of this cluster, from before the folder exists until the
    /// stream is dropped. The implementation reconnects and reports [`WatchEvent::Reset`]; an `Err` item
    /// reports a connection that is still down.
    async fn watch(&self, cluster: &ClusterName) -> Remote<BoxStream<'static, Remote<WatchEvent>>>;

    /// Powers a VM on; succeeds if it is on.
    async fn power_on(&self, vm: &VmRef) -> Remote<()>;

    /// Powers a VM off, hard; succeeds if it is off.
    async fn power_off(&self, vm: &VmRef) -> Remote<()>;

    /// Resets a VM, hard.
    async fn reset(&self, vm: &VmRef) -> Remote<()>;

    /// Sets a card's NSX-T attachment and leaves the rest of the card unchanged.
    async fn set_external_id(&self, vm: &VmRef, nic_key: i32, port: &PortId) -> Remote<()>;
}

/// A dvPortgroup or an opaque network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The reference in a card's backing.
    pub key: SegmentKey,
    /// The name, unescaped.
    pub name: String,
    /// The reference of its distributed switch; `None` for an opaque network.
    pub switch: Option<String>,
    /// The datacenter's name, for messages.
    pub datacenter: String,
    /// NSX-T policy path (`/infra/segments/<id>`), on vSphere 7 and later.
    pub segment_id: Option<String>,
    /// NSX logical switch UUID (also an opaque network's ID).
    pub logical_switch: Option<String>,
    /// The names of the compute clusters whose hosts can use it.
    #[serde(default)]
    pub clusters: BTreeSet<String>,
}

/// Power state of a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// Running.
    On,
    /// Not running.
    Off,
    /// Suspended to disk.
    Suspended,
}

/// The state of VMware Tools in the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tools {
    /// Running.
    Running,
    /// Installed (or not known to be absent), but not running.
    #[default]
    NotRunning,
    /// Not installed: never wait for it.
    NotInstalled,
}

/// A VM in vCenter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VmFacts {
    /// Its reference.
    pub vm: VmRef,
    /// Its name; absent for a moment during its clone.
    pub name: Option<NodeName>,
    /// Its identifier for Nova and NSX.
    pub instance_uuid: Option<Uuid>,
    /// Power state.
    pub power: Power,
    /// Server time of the last power on.
    pub boot_time: Option<Timestamp>,
    /// Guest tools.
    pub tools: Tools,
    /// Its cards, by key.
    pub nics: Vec<NicFacts>,
}

/// A card of a VM.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NicFacts {
    /// Device key; 4000 is the first card.
    pub key: i32,
    /// Its MAC address; absent for a moment during its creation.
    pub mac: Option<Mac>,
    /// Its segment, if that is a dvPortgroup or opaque network.
    pub segment: Option<SegmentKey>,
    /// NSX-T attachment: the ID of its port.
    pub external_id: Option<String>,
    /// Whether the guest sees the link up.
    pub connected: bool,
    /// Addresses that VMware Tools reports for it, without link-local ones.
    pub addresses: Vec<IpAddr>,
}

impl NicFacts {
    /// The card's index for NSX-v: the device key minus 4000.
    pub const fn index(&self) -> u32 {
        (self.key - 4000).unsigned_abs()
    }
}

/// An update from the watch on a cluster's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEvent {
    /// The current state of a VM that is new or has changed.
    Vm(VmFacts),
    /// A VM that is gone.
    Gone(VmRef),
    /// The connection was lost and is back: earlier updates are obsolete; the current state follows as
    /// [`WatchEvent::Vm`]s.
    Reset,
    /// The current state is complete (after start and after [`WatchEvent::Reset`]).
    Synced,
}

/// The facts about a set of VMs, by reference.
pub type Vms = BTreeMap<VmRef, Arc<VmFacts>>;
