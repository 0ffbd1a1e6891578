//! The world before the first call: inventory, node template, registrations, projects, networks.

use std::collections::{BTreeMap, BTreeSet};

use howdah_core::ids::VmRef;
use howdah_core::systems::vcenter::{Power, Tools};
use jiff::Timestamp;

use crate::world::actor::{Actor, Origin};
use crate::world::bde::{AppManager, Bde, BdeDatastore, BdePool, Distro};
use crate::world::clock::Dice;
use crate::world::faults::{Counters, Faults};
use crate::world::guest::external::External;
use crate::world::journal::Journal;
use crate::world::keystone::{Keystone, Project, User};
use crate::world::neutron::{Neutron, SecurityGroup};
use crate::world::settings::{SiteSettings, bystander_power};
use crate::world::state::State;
use crate::world::vcenter::inventory::{
    Backing, Compute, Datacenter, Datastore, Folder, GuestState, Host, Inventory, MoRef, Nic, Pool, PortGroup, Switch,
    Vm,
};

/// VMware's prefix; generated addresses have 80 to bf in the fourth byte.
const VMWARE: [u8; 3] = [0x00, 0x50, 0x56];

/// The state at the start. Networks of the settings are made by the caller's first write, since
/// making one is an operation with rules.
pub(crate) fn state(settings: SiteSettings, now: Timestamp) -> State {
    let dice = Dice::new(settings.seed);
    let vc = inventory(&settings, &dice, now);
    let bde = cluster_manager(&settings, &dice, &vc);
    let keystone = identity(&settings, &dice);
    let neutron = networking(&settings, &dice, &keystone);
    State {
        settings,
        now,
        revision: 0,
        vc,
        bde,
        neutron,
        keystone,
        counters: Counters::default(),
        faults: Faults::default(),
        journal: Journal::default(),
        external: External::default(),
        dice,
        actor: Actor::default(),
        guard: None,
        touched: BTreeSet::new(),
    }
}

fn folder(vc: &mut Inventory, name: &str, parent: Option<&MoRef>, child_type: &'static str, prefix: &str) -> MoRef {
    let key = vc.new_ref(prefix);
    let made = Folder { name: name.to_owned(), parent: parent.cloned(), child_type, children: BTreeSet::new() };
    vc.folders.insert(key.clone(), made);
    key
}

fn inventory(settings: &SiteSettings, dice: &Dice, now: Timestamp) -> Inventory {
    let mut vc = Inventory::default();
    vc.uuid = dice.uuid("vcenter", "");
    vc.root = folder(&mut vc, "Datacenters", None, "Datacenter", "group-d");
    for (index, name) in settings.datacenters.iter().enumerate() {
        datacenter(&mut vc, settings, dice, name, index);
    }
    let template = template(&mut vc, settings, dice);
    if let Some(template) = template {
        add_bystanders(&mut vc, &template, dice, settings.bystanders, now);
        vc.add_vm(template);
    }
    vc
}

fn datacenter(vc: &mut Inventory, settings: &SiteSettings, dice: &Dice, name: &str, index: usize) {
    let key = vc.new_ref("datacenter");
    let vm_folder = folder(vc, "vm", Some(&key), "VirtualMachine", "group-v");
    let host_folder = folder(vc, "host", Some(&key), "ComputeResource", "group-h");
    let network_folder = folder(vc, "network", Some(&key), "Network", "group-n");
    let datastore_folder = folder(vc, "datastore", Some(&key), "Datastore", "group-s");
    let root = vc.root.clone();
    if let Some(root) = vc.folders.get_mut(&root) {
        root.children.insert(key.clone());
    }
    let compute = vc.new_ref("domain-c");
    let root_pool = vc.new_ref("resgroup");
    vc.pools.insert(
        root_pool.clone(),
        Pool { name: "Resources".to_owned(), parent: compute.clone(), compute: compute.clone() },
    );
    if index == 0 {
        for pool in &settings.resource_pools {
            let key = vc.new_ref("resgroup");
            let made = Pool { name: pool.clone(), parent: root_pool.clone(), compute: compute.clone() };
            vc.pools.insert(key, made);
        }
    }
    let hosts = (0..settings.hosts.max(1))
        .map(|n| {
            let key = vc.new_ref("host");
            let made = Host { name: format!("esx{:02}.{name}.example", n + 1), compute: compute.clone() };
            vc.hosts.insert(key.clone(), made);
            key
        })
        .collect();
    let made = Compute {
        name: format!("{name}-cluster"),
        parent: host_folder.clone(),
        pool: root_pool,
        hosts,
        not_on: BTreeSet::new(),
    };
    vc.computes.insert(compute.clone(), made);
    if let Some(folder) = vc.folders.get_mut(&host_folder) {
        folder.children.insert(compute);
    }
    for datastore in &settings.datastores {
        let ds = vc.new_ref("datastore");
        vc.datastores.insert(ds.clone(), Datastore { name: datastore.clone(), parent: datastore_folder.clone() });
        if let Some(folder) = vc.folders.get_mut(&datastore_folder) {
            folder.children.insert(ds);
        }
    }
    for n in 0..settings.switches.max(1) {
        let switch = vc.new_ref("dvs");
        let made = Switch {
            name: format!("{name}-dvs{n}"),
            uuid: dice.uuid("switch", &switch).to_string(),
            parent: network_folder.clone(),
            datacenter: key.clone(),
        };
        vc.switches.insert(switch.clone(), made);
        if let Some(folder) = vc.folders.get_mut(&network_folder) {
            folder.children.insert(switch.clone());
        }
        vc.add_port_group(PortGroup {
            name: if n == 0 { format!("{name}-management") } else { format!("{name}-management{n}") },
            switch,
            parent: network_folder.clone(),
            backing_type: "standard",
            segment_id: None,
            logical_switch: None,
            network: None,
            vlan: Some(10),
        });
    }
    let made = Datacenter { name: name.to_owned(), vm_folder, host_folder, network_folder, datastore_folder };
    vc.datacenters.insert(key, made);
}

fn template(vc: &mut Inventory, settings: &SiteSettings, dice: &Dice) -> Option<Vm> {
    let (_, dc) = vc.datacenters.first_key_value()?;
    let folder = dc.vm_folder.clone();
    let (_, compute) = vc.computes.first_key_value()?;
    let (pool, host) = (compute.pool.clone(), compute.hosts.first()?.clone());
    let datastore = vc.datastores.first_key_value()?.0.clone();
    let (key, _) = vc.port_groups.first_key_value()?;
    let backing = Backing::PortGroup { key: key.clone(), port_key: "1".to_owned() };
    let moref = VmRef::new(vc.new_ref("vm"));
    Some(Vm {
        moref,
        name: "hadoop-template".to_owned(),
        folder,
        host,
        pool,
        datastore,
        instance_uuid: dice.uuid("instance", "template"),
        uuid: dice.uuid("bios", "template"),
        template: false,
        configured: true,
        change_version: 1,
        revision: 0,
        power: Power::Off,
        boot_time: None,
        boot: 0,
        nics: vec![Nic::new(0, dice.mac(VMWARE, 0x80, 0xbf, "mac", "template"), backing)],
        tools: if settings.guest_tools { Tools::NotRunning } else { Tools::NotInstalled },
        guest_state: GuestState::NotRunning,
        profile: settings.guest,
        extra_config: BTreeMap::new(),
        cpus: 1,
        memory_mb: 2048,
        disks_gb: vec![20],
        cluster: None,
        origin: Origin::People,
    })
}

/// Adds VMs of others, copies of one VM but for what tells them apart.
pub(crate) fn add_bystanders(vc: &mut Inventory, like: &Vm, dice: &Dice, count: usize, now: Timestamp) {
    let begin = vc.bystanders;
    for index in begin..begin.saturating_add(count) {
        bystander(vc, like, dice, index, now);
    }
    vc.bystanders += count;
}

fn bystander(vc: &mut Inventory, like: &Vm, dice: &Dice, index: usize, now: Timestamp) {
    let name = format!("bystander-{index:05}");
    let power = bystander_power(index);
    let mut vm = like.clone();
    vm.moref = VmRef::new(vc.new_ref("vm"));
    vm.instance_uuid = dice.uuid("instance", &name);
    vm.uuid = dice.uuid("bios", &name);
    vm.power = power;
    for nic in &mut vm.nics {
        nic.mac = dice.mac(VMWARE, 0x80, 0xbf, "mac", &name);
    }
    if power == Power::On {
        vm.boot_time = Some(now);
        vm.tools = Tools::Running;
        vm.guest_state = GuestState::Running;
        for nic in &mut vm.nics {
            nic.connected = true;
            let [a, b] = u16::try_from(index % 65_000).unwrap_or(0).to_be_bytes();
            nic.reported = vec![std::net::IpAddr::from([172, 30, a, b])];
        }
    }
    vm.name = name;
    vc.add_vm(vm);
}

fn cluster_manager(settings: &SiteSettings, dice: &Dice, vc: &Inventory) -> Bde {
    let uuid = dice.uuid("bde", "");
    let compute = vc.computes.values().next().map(|c| c.name.clone()).unwrap_or_default();
    let pools = settings.resource_pools.iter().map(|name| {
        let pool = BdePool { name: name.clone(), vc_cluster: compute.clone(), vc_pool: name.clone() };
        (name.clone(), pool)
    });
    let datastores = settings.datastores.iter().map(|name| {
        let ds = BdeDatastore { name: name.clone(), kind: "SHARED".to_owned(), spec: vec![name.clone()], regex: false };
        (name.clone(), ds)
    });
    let distros = settings.distros.iter().map(|d| Distro {
        name: d.name.clone(),
        vendor: d.vendor.clone(),
        version: d.version.clone(),
        hve: false,
        roles: d.roles.clone(),
    });
    let default = AppManager {
        name: "Default".to_owned(),
        kind: "Default".to_owned(),
        description: "Default application manager".to_owned(),
        url: String::new(),
        username: String::new(),
        version: settings.bde_version.clone(),
        distros: distros.collect(),
    };
    Bde {
        version: settings.bde_version.clone(),
        uuid,
        root_folder: format!("SERENGETI-vApp-{uuid}"),
        template: vc.vm_named("hadoop-template").map(|v| v.moref.clone()),
        pools: pools.collect(),
        datastores: datastores.collect(),
        managers: BTreeMap::from([("Default".to_owned(), default)]),
        ..Bde::default()
    }
}

/// Keystone's ids: a UUID without hyphens.
fn short(dice: &Dice, purpose: &str, subject: &str) -> String {
    dice.uuid(purpose, subject).simple().to_string()
}

fn identity(settings: &SiteSettings, dice: &Dice) -> Keystone {
    let mut keystone = Keystone::default();
    for name in &settings.projects {
        let id = short(dice, "project", name);
        keystone.projects.insert(id.clone(), Project { id, name: name.clone(), enabled: true });
    }
    let first = settings.projects.first().map(|name| short(dice, "project", name)).unwrap_or_default();
    let logins = [
        (&settings.service_login, ["admin", "member", "reader"].as_slice()),
        (&settings.user_login, &["member", "reader"]),
    ];
    for (login, roles) in logins {
        let id = short(dice, "user", &login.user);
        let user = User { id: id.clone(), name: login.user.clone(), password: login.password.clone(), enabled: true };
        keystone.users.insert(id.clone(), user);
        let roles = roles.iter().map(|r| (*r).to_owned()).collect();
        keystone.assignments.insert((id, first.clone()), roles);
    }
    keystone
}

fn networking(settings: &SiteSettings, dice: &Dice, keystone: &Keystone) -> Neutron {
    let mut neutron = Neutron::default();
    for project in keystone.projects.keys() {
        let id = dice.uuid("group", project).to_string();
        let group = SecurityGroup {
            id: id.clone(),
            name: "default".to_owned(),
            project: project.clone(),
            description: "Default security group".to_owned(),
        };
        neutron.groups.insert(id, group);
        if let Some(limit) = settings.port_quota {
            neutron.port_quota.insert(project.clone(), limit);
        }
    }
    neutron
}
