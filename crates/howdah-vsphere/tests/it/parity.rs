//! The simulated vCenter in process and the production client over its SOAP face: a caller of the core's
//! trait must not see a difference, neither in values nor in errors.
//!
//! [`Both`] implements the trait over two equal worlds, so a new method does not compile before it is
//! compared here.

use std::fmt::Debug;
use std::sync::Mutex;

use async_trait::async_trait;
use futures::StreamExt;
use futures::future::join_all;
use futures::stream::BoxStream;
use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::{ClusterName, PortId, VmRef};
use howdah_core::systems::Remote;
use howdah_core::systems::vcenter::{Power, Segment, Tools, VCenter, VmFacts, WatchEvent};
use howdah_sim::SiteSettings;
use howdah_sim::inprocess::SimVCenter;
use howdah_sim::world::faults::{Effect, FaultRule, Inner};
use howdah_sim::world::inventory::{Backing, OpaqueNetwork, Vm};
use howdah_vsphere::Client;
use jiff::Timestamp;

use crate::site::{Site, cluster, swift};

const NODE: &str = "c-worker-0";

/// Both implementations, each over a world of its own; the worlds are made alike and treated alike.
struct Both {
    within: SimVCenter,
    wire: Client,
    /// What each call gave.
    said: Mutex<Vec<(String, String)>>,
}

fn shown<T: Debug>(result: &Remote<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(e) => format!("{} {:?} {}", e.system, e.kind, e.code),
    }
}

impl Both {
    fn of(here: &Site, there: &Site) -> Self {
        Self { within: SimVCenter::new(here.world.clone()), wire: there.client(), said: Mutex::default() }
    }

    /// Writes down what both said; the first goes on.
    fn compared<T: Debug>(&self, within: Remote<T>, wire: Remote<T>) -> Remote<T> {
        self.said.lock().unwrap().push((shown(&within), shown(&wire)));
        within
    }

    /// What the last call gave, and a line that says so if it was not the same for both.
    fn last(&self, situation: &str, call: &str) -> (String, Option<String>) {
        let (within, wire) = self.said.lock().unwrap().last().unwrap().clone();
        let line = format!("{situation}, {call}:\n  in process  {within}\n  on the wire {wire}");
        (within.clone(), (within != wire).then_some(line))
    }
}

/// Facts without the moment of the last power on, which the two worlds do not share.
fn timeless(mut vms: Vec<VmFacts>) -> Vec<VmFacts> {
    vms.iter_mut().for_each(|vm| vm.boot_time = vm.boot_time.map(|_| Timestamp::UNIX_EPOCH));
    vms.sort_by(|a, b| a.vm.cmp(&b.vm));
    vms
}

/// What a watch tells until it is in sync.
async fn present(watch: Remote<BoxStream<'static, Remote<WatchEvent>>>) -> Remote<Vec<VmFacts>> {
    let (mut watch, mut told) = (watch?, Vec::new());
    while let Some(event) = watch.next().await {
        match event? {
            WatchEvent::Vm(facts) => told.push(facts),
            WatchEvent::Synced => break,
            other => panic!("{other:?} before the present state was told"),
        }
    }
    Ok(timeless(told))
}

#[async_trait]
impl VCenter for Both {
    async fn version(&self) -> Remote<String> {
        self.compared(self.within.version().await, self.wire.version().await)
    }

    async fn segments(&self) -> Remote<Vec<Segment>> {
        let sorted = |mut found: Vec<Segment>| {
            found.sort_by(|a, b| a.key.cmp(&b.key));
            found
        };
        self.compared(self.within.segments().await.map(sorted), self.wire.segments().await.map(sorted))
    }

    async fn vms(&self, vms: &[VmRef]) -> Remote<Vec<VmFacts>> {
        self.compared(self.within.vms(vms).await.map(timeless), self.wire.vms(vms).await.map(timeless))
    }

    async fn watch(&self, cluster: &ClusterName) -> Remote<BoxStream<'static, Remote<WatchEvent>>> {
        let within = present(self.within.watch(cluster).await).await;
        let told = self.compared(within, present(self.wire.watch(cluster).await).await)?;
        Ok(futures::stream::iter(told).map(|facts| Ok(WatchEvent::Vm(facts))).boxed())
    }

    async fn power_on(&self, vm: &VmRef) -> Remote<()> {
        self.compared(self.within.power_on(vm).await, self.wire.power_on(vm).await)
    }

    async fn power_off(&self, vm: &VmRef) -> Remote<()> {
        self.compared(self.within.power_off(vm).await, self.wire.power_off(vm).await)
    }

    async fn reset(&self, vm: &VmRef) -> Remote<()> {
        self.compared(self.within.reset(vm).await, self.wire.reset(vm).await)
    }

    async fn set_external_id(&self, vm: &VmRef, nic_key: i32, port: &PortId) -> Remote<()> {
        let within = self.within.set_external_id(vm, nic_key, port).await;
        self.compared(within, self.wire.set_external_id(vm, nic_key, port).await)
    }
}

// ---------------------------------------------------------------- situations

/// What is done to the VM of both worlds before the calls.
type Situation = (&'static str, fn(&Site, &VmRef));

fn change(site: &Site, vm: &VmRef, change: impl FnOnce(&mut Vm)) {
    site.world.write(|s| s.change_vm(vm, change));
}

fn plugged(site: &Site, vm: &VmRef, backing: Backing) {
    change(site, vm, |v| v.nics[0].backing = backing);
}

fn runs(v: &mut Vm) {
    v.power = Power::On;
    v.boot_time = Some(Timestamp::UNIX_EPOCH);
    v.tools = Tools::Running;
    v.nics[0].connected = true;
}

const SITUATIONS: [Situation; 13] = [
    ("off", |_, _| {}),
    ("off again", |site, vm| change(site, vm, |v| v.boot_time = Some(Timestamp::UNIX_EPOCH))),
    ("on", |site, vm| change(site, vm, runs)),
    ("on with addresses", |site, vm| {
        change(site, vm, |v| {
            runs(v);
            v.nics[0].reported = vec!["10.0.0.7".parse().unwrap(), "fd00::7".parse().unwrap()];
        });
    }),
    ("suspended", |site, vm| change(site, vm, |v| v.power = Power::Suspended)),
    ("being cloned", |site, vm| change(site, vm, |v| v.configured = false)),
    ("without tools", |site, vm| change(site, vm, |v| v.tools = Tools::NotInstalled)),
    ("without cards", |site, vm| change(site, vm, |v| v.nics.clear())),
    ("on an opaque network", |site, vm| {
        let folder = site.world.read(|s| s.vc.datacenters.values().next().unwrap().network_folder.clone());
        let network =
            OpaqueNetwork { name: "o/1".into(), opaque_id: "ls-1".into(), parent: folder.clone(), network: None };
        site.world.write(|s| {
            let key = s.vc.new_ref("network");
            s.vc.folders.get_mut(&folder).unwrap().children.insert(key.clone());
            s.vc.opaque.insert(key, network);
        });
        plugged(site, vm, Backing::Opaque("ls-1".into()));
    }),
    ("on a standard switch", |site, vm| plugged(site, vm, Backing::Standard("VM Network".into()))),
    ("attached already", |site, vm| change(site, vm, |v| v.nics[0].external_id = Some("port-1".into()))),
    ("failing", |site, _| {
        site.world.write(|s| s.faults.add(FaultRule::inner(Inner::Task, "*")));
    }),
    ("gone", |site, vm| {
        site.world.write(|s| s.vc.remove_vm(vm));
    }),
];

const SITES: [Situation; 4] = [
    ("of one datacenter", |_, _| {}),
    ("with an opaque network", SITUATIONS[8].1),
    ("with a network of NSX-T", |site, _| site.add_nsx_network()),
    ("with a network of NSX-T, and a vCenter that does not show it", |site, _| {
        site.add_nsx_network();
        site.world.write(|s| s.settings.vcenter_version = "6.7".to_owned());
    }),
];

/// Two worlds with a VM in the same situation.
async fn pair((_, prepare): Situation) -> (Site, Site, VmRef) {
    let settings = SiteSettings { vcenter_version: "7.0".to_owned(), ..swift() };
    let (here, there) = (Site::with(settings.clone()).await, Site::with(settings).await);
    let mut vms = Vec::new();
    for site in [&here, &there] {
        let vm = site.make_vm(NODE, &site.folder("c", "worker")).await;
        prepare(site, &vm);
        vms.push(vm);
    }
    assert_eq!(vms[0], vms[1], "the worlds are alike");
    let vm = vms.remove(0);
    (here, there, vm)
}

/// One call in a new pair of worlds: a row of the table, and the differences.
async fn called(situation: Situation, call: &'static str) -> (String, Vec<String>) {
    let (here, there, vm) = pair(situation).await;
    let both = Both::of(&here, &there);
    let port = PortId::new("port-1");
    let ended = match call {
        "version" => both.version().await.map(drop),
        "segments" => both.segments().await.map(drop),
        "vms" => both.vms(std::slice::from_ref(&vm)).await.map(drop),
        "watch" => both.watch(&cluster("c")).await.map(drop),
        "power_on" => both.power_on(&vm).await,
        "power_off" => both.power_off(&vm).await,
        "reset" => both.reset(&vm).await,
        "set_external_id" => both.set_external_id(&vm, 4000, &port).await,
        "set_external_id, no such card" => both.set_external_id(&vm, 4007, &port).await,
        other => panic!("{other} is no call"),
    };
    let (_, differ) = both.last(situation.0, call);
    let _ = both.vms(&[vm]).await;
    let (seen, after) = both.last(situation.0, &format!("after {call}"));
    let power = ["On", "Off", "Suspended"].into_iter().find(|p| seen.contains(&format!("power: {p},")));
    let outcome = ended.map_or_else(|e| format!("{:?} {}", e.kind, e.code), |()| "fine".to_owned());
    let row = format!("{}, {call}: {outcome}, then {}", situation.0, power.unwrap_or("not there"));
    (row, differ.into_iter().chain(after).collect())
}

/// All these calls in all these situations at a time; the table of how they end.
async fn same(situations: &[Situation], calls: &[&'static str]) -> String {
    let all = situations.iter().flat_map(|s| calls.iter().map(|call| called(*s, call)));
    let (rows, differ): (Vec<_>, Vec<_>) = join_all(all).await.into_iter().unzip();
    let differ = differ.concat();
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    rows.join("\n")
}

#[tokio::test]
async fn a_vm_looks_and_behaves_the_same_in_process_and_on_the_wire() {
    let calls = ["vms", "watch", "power_on", "power_off", "reset", "set_external_id", "set_external_id, no such card"];
    insta::assert_snapshot!(same(&SITUATIONS, &calls).await);
}

#[tokio::test]
async fn a_site_looks_the_same_in_process_and_on_the_wire() {
    same(&SITES, &["version", "segments"]).await;
}

/// All that can be asked of vCenter while a rule meets every call: the kinds of the ends of both.
async fn met(effect: Effect) -> Vec<String> {
    let (here, there, vm) = pair(SITUATIONS[0]).await;
    let both = Both::of(&here, &there);
    both.wire.connect().await.unwrap();
    let rule = FaultRule::new(System::VCenter, "*", effect.clone());
    for site in [&here, &there] {
        site.world.write(|s| s.faults.add(rule.clone()));
    }
    let port = PortId::new("port-1");
    let vms = std::slice::from_ref(&vm);
    // Not the version: the client knows it since it connected. Not a watch: it heals itself.
    vec![
        kinds(&effect, "segments", both.within.segments().await, both.wire.segments().await),
        kinds(&effect, "vms", both.within.vms(vms).await, both.wire.vms(vms).await),
        kinds(&effect, "power_on", both.within.power_on(&vm).await, both.wire.power_on(&vm).await),
        kinds(
            &effect,
            "set_external_id",
            both.within.set_external_id(&vm, 4000, &port).await,
            both.wire.set_external_id(&vm, 4000, &port).await,
        ),
    ]
}

/// The kinds of both sides, which may differ if the client handles a refusal itself; but their meaning for the
/// controller must not.
fn kinds<T>(effect: &Effect, call: &str, within: Remote<T>, wire: Remote<T>) -> String {
    let word = |r: &Remote<T>| r.as_ref().map_or_else(|e| format!("{:?}", e.kind), |_| "fine".to_owned());
    let (left, right) = (word(&within), word(&wire));
    let row = if left == right { left } else { format!("{left} in process, {right} on the wire") };
    let row = format!("{effect:?}, {call}: {row}");
    let follows = |e: &RemoteError| (e.kind.is_ambiguous(), e.kind.is_transient());
    match (within, wire) {
        (Err(within), Err(wire)) if follows(&within) != follows(&wire) => format!("{row}: NOT THE SAME"),
        _ => row,
    }
}

#[tokio::test]
async fn a_fault_means_the_same_in_process_and_on_the_wire() {
    use ErrorKind::{BadAnswer, Credentials, Exhausted, Forbidden, Internal, Invalid, NotFound, Unavailable};
    // A refused certificate is below HTTP. A conflict is on the wire that another task is at work, which passes.
    let kinds = [Credentials, Forbidden, NotFound, Exhausted, Invalid, Unavailable, BadAnswer, Internal];
    let refused = kinds.into_iter().map(|kind| Effect::Refuse { kind });
    let all = refused.chain([Effect::LoseRequest, Effect::LoseAnswer]).map(met);
    let rows = join_all(all).await.concat().join("\n");
    assert!(!rows.contains("NOT THE SAME"), "whether an effect may have come, or whether it passes:\n{rows}");
    insta::assert_snapshot!(rows);
}
