//! The simulated vCenter as core's `VCenter`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::{ClusterName, NodeName, PortId, SegmentKey, VmRef};
use howdah_core::systems::Remote;
use howdah_core::systems::vcenter::VCenter;
use howdah_core::systems::vcenter::{NicFacts, Segment, VmFacts, WatchEvent};
use tokio::sync::watch;

use super::{call, call_now};
use crate::World;
use crate::world::faults::injected;
use crate::world::inventory::{Backing, MoRef, Nic, Vm};
use crate::world::state::State;
use crate::world::trip::Arrival;
use crate::world::vctask::VcFault;
use crate::world::vm_ops::{NicChange, Reconfigure};

/// Core's view of the simulated vCenter.
#[derive(Debug, Clone)]
pub struct SimVCenter(World);

/// From a connection that broke to the next try.
const RECONNECT: Duration = Duration::from_secs(1);

impl SimVCenter {
    /// Over a world.
    pub const fn new(world: World) -> Self {
        Self(world)
    }

    async fn call<T: Send + 'static>(
        &self,
        method: &str,
        object: &str,
        work: impl FnOnce(&World) -> Remote<T> + Send + 'static,
    ) -> Remote<T> {
        call_now(&self.0, System::VCenter, method, object, work).await
    }

    /// Starts a task and waits for its end.
    async fn task(
        &self,
        method: &str,
        vm: &VmRef,
        start: impl FnOnce(&World, &VmRef) -> Result<String, VcFault> + Send + 'static,
    ) -> Remote<Result<(), VcFault>> {
        let target = vm.clone();
        let work = |w: World| async move {
            let Ok(key) = start(&w, &target) else {
                return Ok(Err(VcFault::not_found(target.as_str())));
            };
            Ok(w.task_end(&key).await.map(|_| ()))
        };
        call(&self.0, System::VCenter, method, vm.as_str(), work).await
    }
}

/// A VM as core knows it.
pub fn facts(vm: &Vm) -> VmFacts {
    let nics = if vm.configured { vm.nics.iter().map(nic_facts).collect() } else { Vec::new() };
    VmFacts {
        vm: vm.moref.clone(),
        name: vm.configured.then(|| NodeName::new(vm.name.clone())),
        instance_uuid: vm.configured.then_some(vm.instance_uuid),
        power: vm.power,
        boot_time: vm.boot_time,
        tools: vm.tools,
        nics,
    }
}

fn nic_facts(nic: &Nic) -> NicFacts {
    let segment = match &nic.backing {
        Backing::PortGroup { key, .. } => Some(SegmentKey::new(key.clone())),
        Backing::Opaque(id) => Some(SegmentKey::new(id.clone())),
        Backing::Standard(_) => None,
    };
    NicFacts {
        key: nic.key,
        mac: Some(nic.mac),
        segment,
        external_id: nic.external_id.clone(),
        connected: nic.connected,
        addresses: nic.reported.clone(),
    }
}

fn segments(s: &State) -> Vec<Segment> {
    let datacenter = |switch: &str| {
        let key = s.vc.switches.get(switch).map(|d| &d.datacenter);
        key.and_then(|k| s.vc.datacenters.get(k)).map(|d| d.name.clone()).unwrap_or_default()
    };
    let groups = s.vc.port_groups.iter().map(|(key, group)| Segment {
        key: SegmentKey::new(key.clone()),
        name: group.name.clone(),
        switch: Some(group.switch.clone()),
        datacenter: datacenter(&group.switch),
        segment_id: group.segment_id.clone(),
        logical_switch: group.logical_switch.clone(),
    });
    let opaque = s.vc.opaque.values().map(|network| Segment {
        key: SegmentKey::new(network.opaque_id.clone()),
        name: network.name.clone(),
        switch: None,
        datacenter: s
            .vc
            .datacenters
            .values()
            .find(|d| d.network_folder == network.parent)
            .map(|d| d.name.clone())
            .unwrap_or_default(),
        segment_id: None,
        logical_switch: Some(network.opaque_id.clone()),
    });
    groups.chain(opaque).collect()
}

/// A watch on one cluster's folder. Its initial read is a call `watch_start`, and each later one a call
/// `watch_update`: a fault rule can delay or break them.
struct Watch {
    world: World,
    cluster: String,
    folder: Option<MoRef>,
    changes: watch::Receiver<u64>,
    known: BTreeMap<VmRef, VmFacts>,
    queue: VecDeque<Remote<WatchEvent>>,
    told: Told,
    looks: u64,
}

/// What a watch has reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    /// The present state, and what has changed since.
    Present,
    /// It was interrupted; the current state must be reported again.
    Broken,
}

impl Watch {
    /// The VMs in the cluster's folder, wherever that is by now.
    fn present(&mut self) -> BTreeMap<VmRef, VmFacts> {
        let (cluster, known) = (&self.cluster, self.folder.take());
        let (folder, present) = self.world.read(|s| {
            // The folder that it was last time spares the search, if it is still there.
            let folder = known.filter(|f| s.vc.folders.contains_key(f)).or_else(|| {
                let root = s.vc.datacenters.values().find_map(|d| s.vc.child_folder(&d.vm_folder, &s.bde.root_folder));
                root.and_then(|r| s.vc.child_folder(r, cluster)).cloned()
            });
            let vms = folder.as_ref().map(|f| s.vc.vms_below(f)).unwrap_or_default();
            let present = vms.iter().filter_map(|v| s.vm(v)).map(|v| (v.moref.clone(), facts(v))).collect();
            (folder, present)
        });
        self.folder = folder;
        present
    }

    fn tell_all(&mut self, present: BTreeMap<VmRef, VmFacts>) {
        if self.told == Told::Broken {
            self.queue.push_back(Ok(WatchEvent::Reset));
        }
        self.queue.extend(present.values().cloned().map(|f| Ok(WatchEvent::Vm(f))));
        self.queue.push_back(Ok(WatchEvent::Synced));
        self.known = present;
        self.told = Told::Present;
    }

    fn tell_changes(&mut self, present: BTreeMap<VmRef, VmFacts>) {
        let gone = self.known.keys().filter(|v| !present.contains_key(*v));
        self.queue.extend(gone.cloned().map(|v| Ok(WatchEvent::Gone(v))));
        let changed = present.values().filter(|f| self.known.get(&f.vm) != Some(f));
        self.queue.extend(changed.cloned().map(|f| Ok(WatchEvent::Vm(f))));
        self.known = present;
    }

    /// One look, as late as the site's timings and the fault rules make it.
    async fn look(&mut self) -> Arrival<BTreeMap<VmRef, VmFacts>> {
        let (world, cluster) = (self.world.clone(), self.cluster.clone());
        let timings = |s: &State| (s.settings.timings.watch_start, s.settings.timings.watch_update);
        let (start, update) = world.read(timings);
        let (method, pace) = match self.told {
            Told::Present => ("watch_update", update),
            Told::Nothing | Told::Broken => ("watch_start", start),
        };
        let trip = world.depart(System::VCenter, method, &cluster);
        self.looks += 1;
        world.sleep(world.dice().span(pace, method, &format!("{cluster}/{}", self.looks))).await;
        trip.attend(async {
            self.changes.mark_unchanged();
            self.present()
        })
        .await
    }

    async fn next(mut self) -> Option<(Remote<WatchEvent>, Self)> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some((event, self));
            }
            match self.told {
                Told::Nothing => {}
                Told::Present => self.changes.changed().await.ok()?,
                Told::Broken => self.world.sleep(RECONNECT).await,
            }
            match (self.look().await, self.told) {
                (Arrival::Answered(present), Told::Present) => self.tell_changes(present),
                (Arrival::Answered(present), _) => self.tell_all(present),
                (Arrival::Refused(kind), _) => self.break_off(injected(System::VCenter, kind)),
                (Arrival::Lost, _) => {
                    let says = "the connection of the watch broke";
                    self.break_off(RemoteError::new(System::VCenter, ErrorKind::Unreachable, "watch_broken", says));
                }
            }
        }
    }

    fn break_off(&mut self, error: RemoteError) {
        self.told = Told::Broken;
        self.queue.push_back(Err(error));
    }
}

#[async_trait]
impl VCenter for SimVCenter {
    async fn version(&self) -> Remote<String> {
        let look = |w: &World| Ok(w.read(|s| format!("VMware vCenter Server {}", s.settings.vcenter_version)));
        self.call("version", "", look).await
    }

    async fn segments(&self) -> Remote<Vec<Segment>> {
        self.call("segments", "", |w| Ok(w.read(segments))).await
    }

    async fn vms(&self, vms: &[VmRef]) -> Remote<Vec<VmFacts>> {
        let wanted = vms.to_vec();
        self.call("vms", "", move |w| Ok(w.read(|s| wanted.iter().filter_map(|v| s.vm(v)).map(facts).collect()))).await
    }

    async fn watch(&self, cluster: &ClusterName) -> Remote<BoxStream<'static, Remote<WatchEvent>>> {
        let name = cluster.as_str().to_owned();
        let start = |w: &World| {
            let watch = Watch {
                world: w.clone(),
                changes: w.subscribe_cluster(&name),
                cluster: name,
                folder: None,
                known: BTreeMap::new(),
                queue: VecDeque::new(),
                told: Told::Nothing,
                looks: 0,
            };
            Ok(futures::stream::unfold(watch, Watch::next).boxed())
        };
        self.call("watch", cluster.as_str(), start).await
    }

    async fn power_on(&self, vm: &VmRef) -> Remote<()> {
        match self.task("power_on", vm, |w, vm| w.power_on_task(vm)).await? {
            Err(fault) if fault.name != "InvalidPowerState" => Err(fault.into()),
            _ => Ok(()),
        }
    }

    async fn power_off(&self, vm: &VmRef) -> Remote<()> {
        match self.task("power_off", vm, |w, vm| w.power_off_task(vm)).await? {
            Err(fault) if fault.name != "InvalidPowerState" => Err(fault.into()),
            _ => Ok(()),
        }
    }

    async fn reset(&self, vm: &VmRef) -> Remote<()> {
        Ok(self.task("reset", vm, |w, vm| w.reset_task(vm)).await??)
    }

    async fn set_external_id(&self, vm: &VmRef, nic_key: i32, port: &PortId) -> Remote<()> {
        let nic = NicChange { external_id: Some(port.as_str().to_owned()), ..NicChange::edit(nic_key) };
        let change = Reconfigure { nics: vec![nic], ..Reconfigure::default() };
        Ok(self.task("set_external_id", vm, move |w, vm| w.reconfigure_task(vm, change)).await??)
    }
}
