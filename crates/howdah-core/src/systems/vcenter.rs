//! vCenter Server: what it is asked, and what it says of VMs, cards and port groups.
//!
//! Invariant: what it says is what was *seen*, never what was concluded from it; anything that may be
//! absent there is an `Option` here. No wire words: the adapter (`howdah-vsphere`) translates.

use std::collections::BTreeMap;
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
    /// Product and version; for people and for the log.
    async fn version(&self) -> Remote<String>;

    /// The port groups and opaque networks of every datacenter.
    async fn segments(&self) -> Remote<Vec<Segment>>;

    /// These VMs as they are now; those that are gone are left out.
    async fn vms(&self, vms: &[VmRef]) -> Remote<Vec<VmFacts>>;

    /// Follows the VMs in the folder of this cluster, from before the folder exists until the
    /// stream is dropped. Lost connections are healed inside and told as
    /// [`WatchEvent::Reset`]; an `Err` item reports one that is not healed yet.
    async fn watch(&self, cluster: &ClusterName) -> Remote<BoxStream<'static, Remote<WatchEvent>>>;

    /// Powers a VM on; fine if it is on.
    async fn power_on(&self, vm: &VmRef) -> Remote<()>;

    /// Powers a VM off, hard; fine if it is off.
    async fn power_off(&self, vm: &VmRef) -> Remote<()>;

    /// Resets a VM, hard.
    async fn reset(&self, vm: &VmRef) -> Remote<()>;

    /// Sets a card's NSX-T attachment, leaving everything else of it as it is.
    async fn set_external_id(&self, vm: &VmRef, nic_key: i32, port: &PortId) -> Remote<()>;
}

/// A dvPortgroup or an opaque network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// What a NIC's backing names.
    pub key: SegmentKey,
    /// The name, unescaped.
    pub name: String,
    /// The moref of its distributed switch; none for an opaque network.
    pub switch: Option<String>,
    /// The datacenter's name, for messages.
    pub datacenter: String,
    /// NSX-T policy path (`/infra/segments/<id>`), on vSphere 7 and later.
    pub segment_id: Option<String>,
    /// NSX logical switch UUID (also an opaque network's id).
    pub logical_switch: Option<String>,
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

/// What is known of the guest's tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Tools {
    /// User space is up.
    Running,
    /// Installed (or not known to be absent) and silent.
    #[default]
    NotRunning,
    /// There are none: never wait for them.
    NotInstalled,
}

/// A VM as vCenter shows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VmFacts {
    /// Its reference.
    pub vm: VmRef,
    /// Its name; absent for a moment while it is being cloned.
    pub name: Option<NodeName>,
    /// Nova's and NSX's handle of it.
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
    /// Its address on the wire; absent for a moment while it is being made.
    pub mac: Option<Mac>,
    /// What it is plugged into, if that is a dvPortgroup or opaque network.
    pub segment: Option<SegmentKey>,
    /// NSX-T attachment: the port id that NSX should plug it into.
    pub external_id: Option<String>,
    /// Whether the link is up as the guest sees it.
    pub connected: bool,
    /// Addresses that the guest's tools report for it, link-local ones left out.
    pub addresses: Vec<IpAddr>,
}

impl NicFacts {
    /// The index NSX-v knows the card by: the device key less 4000.
    pub const fn index(&self) -> u32 {
        (self.key - 4000).unsigned_abs()
    }
}

/// What a watch on a cluster's folder says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEvent {
    /// A VM as it is now: new or changed, the adapter need not know which.
    Vm(VmFacts),
    /// A VM that is gone.
    Gone(VmRef),
    /// The connection was lost and is back: everything known so far is void; the present state
    /// follows as [`WatchEvent::Vm`]s.
    Reset,
    /// The present state has been told completely (after start and after [`WatchEvent::Reset`]).
    Synced,
}

/// The facts about a set of VMs, by reference.
pub type Vms = BTreeMap<VmRef, Arc<VmFacts>>;
