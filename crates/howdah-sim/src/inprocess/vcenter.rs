//! The simulated vCenter as core's `VCenter`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::{ClusterName, NodeName, PortId, SegmentKey, VmRef};
use howdah_core::systems::Remote;
use howdah_core::systems::vcenter::{NicFacts, Power, Segment, VCenter, VmFacts, WatchEvent};
use howdah_vsphere::{Error, Fault, FaultKind};
use tokio::sync::watch;

use super::{call, call_now};
use crate::World;
use crate::world::faults::injected;
use crate::world::inventory::{Backing, MoRef, Nic, Vm};
use crate::world::power::power_word;
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

    /// Carries out a power operation, which is fine if it leads to where the VM is already.
    async fn power(
        &self,
        method: &str,
        request: &'static str,
        vm: &VmRef,
        leads_to: Option<Power>,
        start: impl FnOnce(&World, &VmRef) -> Result<String, VcFault> + Send + 'static,
    ) -> Remote<()> {
        let target = vm.clone();
        let work = move |w: World| async move {
            match carry_out(&w, request, &target, start).await {
                Err(Error::Task { fault, .. }) if leads_to.is_some_and(|power| is_already(&fault, power)) => Ok(()),
                ended => Ok(ended?),
            }
        };
        call(&self.0, System::VCenter, method, vm.as_str(), work).await
    }
}

/// Starts a task by the SOAP method `request` and waits for its end. The errors are the production
/// client's: both stand behind the same trait.
async fn carry_out(
    world: &World,
    request: &str,
    vm: &VmRef,
    start: impl FnOnce(&World, &VmRef) -> Result<String, VcFault>,
) -> Result<(), Error> {
    let method = request.to_owned();
    match start(world, vm) {
        Err(fault) => Err(Error::Refused { method, fault: Box::new(fault.into()) }),
        Ok(task) => match world.task_end(&task).await {
            Err(fault) => Err(Error::Task { method, vm: vm.to_string(), fault: Box::new(fault.into()) }),
            Ok(_) => Ok(()),
        },
    }
}

fn is_already(fault: &Fault, power: Power) -> bool {
    fault.kind == FaultKind::InvalidPowerState && fault.about.as_deref() == Some(power_word(power))
}

/// What NSX-T's attachment of a card is now. A VM that is being cloned shows no cards yet.
fn attachment(s: &State, vm: &VmRef, nic_key: i32) -> Result<Option<String>, Error> {
    let found = s.vm(vm).ok_or_else(|| Error::NoVm { vm: vm.to_string() })?;
    let card = found.nic(nic_key).filter(|_| found.configured);
    let card = card.ok_or_else(|| Error::NoNic { vm: vm.to_string(), key: nic_key })?;
    Ok(card.external_id.clone())
}

/// A VM as core knows it.
pub fn facts(vm: &Vm) -> VmFacts {
    let nics = if vm.configured { vm.nics.iter().map(nic_facts).collect() } else { Vec::new() };
    VmFacts {
        vm: vm.moref.clone(),
        name: vm.configured.then(|| NodeName::new(vm.name.clone())),
        instance_uuid: vm.configured.then_some(vm.instance_uuid),
        power: vm.power,
        boot_time: vm.running_since(),
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
    let nsx = s.settings.shows_nsx_segments();
    let groups = s.vc.port_groups.iter().map(|(key, group)| Segment {
        key: SegmentKey::new(key.clone()),
        name: group.name.clone(),
        switch: Some(group.switch.clone()),
        datacenter: datacenter(&group.switch),
        segment_id: group.segment_id.clone().filter(|_| nsx),
        logical_switch: group.logical_switch.clone().filter(|_| nsx),
        clusters: s.vc.computes.values().filter(|c| s.vc.uses(c, group)).map(|c| c.name.clone()).collect(),
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
        clusters: s.vc.computes.values().map(|c| c.name.clone()).collect(),
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
        self.call("version", "", |w| Ok(w.read(|s| s.settings.vcenter_product()))).await
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
        self.power("power_on", "PowerOnVM_Task", vm, Some(Power::On), World::power_on_task).await
    }

    async fn power_off(&self, vm: &VmRef) -> Remote<()> {
        self.power("power_off", "PowerOffVM_Task", vm, Some(Power::Off), World::power_off_task).await
    }

    async fn reset(&self, vm: &VmRef) -> Remote<()> {
        self.power("reset", "ResetVM_Task", vm, None, World::reset_task).await
    }

    async fn set_external_id(&self, vm: &VmRef, nic_key: i32, port: &PortId) -> Remote<()> {
        let (target, port) = (vm.clone(), port.as_str().to_owned());
        let work = move |w: World| async move {
            if w.read(|s| attachment(s, &target, nic_key))?.as_deref() == Some(&port) {
                return Ok(());
            }
            let nic = NicChange { external_id: Some(port), ..NicChange::edit(nic_key) };
            let change = Reconfigure { nics: vec![nic], ..Reconfigure::default() };
            Ok(carry_out(&w, "ReconfigVM_Task", &target, |w, vm| w.reconfigure_task(vm, change)).await?)
        };
        call(&self.0, System::VCenter, "set_external_id", vm.as_str(), work).await
    }
}
