//! The simulated vCenter as core's `VCenter`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use howdah_core::facts::{NicFacts, Segment, VmFacts, WatchEvent};
use howdah_core::failure::System;
use howdah_core::ids::{ClusterName, NodeName, PortId, SegmentKey, VmRef};
use howdah_core::traits::{Remote, VCenter};
use tokio::sync::watch;

use super::call;
use crate::World;
use crate::world::inventory::{Backing, MoRef, Nic, Vm};
use crate::world::state::State;
use crate::world::vctask::VcFault;
use crate::world::vm_ops::{NicChange, Reconfigure};

/// Core's view of the simulated vCenter.
#[derive(Debug, Clone)]
pub struct SimVCenter(World);

/// From a change to its being told: the property collector's own pace.
const COLLECTOR: Duration = Duration::from_millis(100);

impl SimVCenter {
    /// Over a world.
    pub const fn new(world: World) -> Self {
        Self(world)
    }

    async fn call<T>(&self, method: &str, object: &str, work: impl FnOnce(&World) -> Remote<T>) -> Remote<T> {
        call(&self.0, System::VCenter, method, object, async { work(&self.0) }).await
    }

    /// Starts a task and waits for its end.
    async fn task(
        &self,
        method: &str,
        vm: &VmRef,
        start: impl FnOnce(&World) -> Result<String, VcFault>,
    ) -> Remote<Result<(), VcFault>> {
        let work = async {
            let Ok(key) = start(&self.0) else {
                return Ok(Err(VcFault::not_found(vm.as_str())));
            };
            Ok(self.0.task_end(&key).await.map(|_| ()))
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

/// A watch on one cluster's folder.
struct Watch {
    world: World,
    cluster: String,
    folder: Option<MoRef>,
    changes: watch::Receiver<u64>,
    known: BTreeMap<VmRef, VmFacts>,
    queue: VecDeque<Remote<WatchEvent>>,
    started: bool,
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

    fn resync(&mut self) {
        self.known = self.present();
        self.queue.extend(self.known.values().cloned().map(|f| Ok(WatchEvent::Vm(f))));
        self.queue.push_back(Ok(WatchEvent::Synced));
    }

    async fn next(mut self) -> Option<(Remote<WatchEvent>, Self)> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some((event, self));
            }
            if !self.started {
                self.started = true;
                self.resync();
                continue;
            }
            self.changes.changed().await.ok()?;
            self.world.sleep(COLLECTOR).await;
            self.changes.mark_unchanged();
            let verdict = self.world.call(System::VCenter, "watch_update", &self.cluster).await;
            if let Some(broken) = verdict.refusal(System::VCenter) {
                self.queue.push_back(Err(broken));
                self.queue.push_back(Ok(WatchEvent::Reset));
                self.resync();
                continue;
            }
            let present = self.present();
            let gone = self.known.keys().filter(|v| !present.contains_key(*v));
            self.queue.extend(gone.cloned().map(|v| Ok(WatchEvent::Gone(v))));
            let changed = present.values().filter(|f| self.known.get(&f.vm) != Some(f));
            self.queue.extend(changed.cloned().map(|f| Ok(WatchEvent::Vm(f))));
            self.known = present;
        }
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
        self.call("vms", "", |w| Ok(w.read(|s| vms.iter().filter_map(|v| s.vm(v)).map(facts).collect()))).await
    }

    async fn watch(&self, cluster: &ClusterName) -> Remote<BoxStream<'static, Remote<WatchEvent>>> {
        let start = |w: &World| {
            let watch = Watch {
                world: w.clone(),
                cluster: cluster.as_str().to_owned(),
                folder: None,
                changes: w.subscribe_cluster(cluster.as_str()),
                known: BTreeMap::new(),
                queue: VecDeque::new(),
                started: false,
            };
            Ok(futures::stream::unfold(watch, Watch::next).boxed())
        };
        self.call("watch", cluster.as_str(), start).await
    }

    async fn power_on(&self, vm: &VmRef) -> Remote<()> {
        match self.task("power_on", vm, |w| w.power_on_task(vm)).await? {
            Err(fault) if fault.name != "InvalidPowerState" => Err(fault.into()),
            _ => Ok(()),
        }
    }

    async fn power_off(&self, vm: &VmRef) -> Remote<()> {
        match self.task("power_off", vm, |w| w.power_off_task(vm)).await? {
            Err(fault) if fault.name != "InvalidPowerState" => Err(fault.into()),
            _ => Ok(()),
        }
    }

    async fn reset(&self, vm: &VmRef) -> Remote<()> {
        Ok(self.task("reset", vm, |w| w.reset_task(vm)).await??)
    }

    async fn set_external_id(&self, vm: &VmRef, nic_key: i32, port: &PortId) -> Remote<()> {
        let nic = NicChange { external_id: Some(port.as_str().to_owned()), ..NicChange::edit(nic_key) };
        let change = Reconfigure { nics: vec![nic], ..Reconfigure::default() };
        Ok(self.task("set_external_id", vm, |w| w.reconfigure_task(vm, change)).await??)
    }
}
