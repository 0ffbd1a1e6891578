//! A written-down site as a simulated world.
//!
//! Invariant: what is planted is whose it was. What the service had made bears its name, so that
//! a guard and the rules about leftovers count it; strangers' things do not.

use std::collections::BTreeSet;

use howdah_core::policy::NetworkBackend;
use howdah_core::systems::vcenter::Power;
use howdah_sim::world::actor::Origin;
use howdah_sim::world::bde::{BdeCluster, BdeGroup, BdeNetwork, BdeNode, BdeTask, ClusterRequest, GroupRequest};
use howdah_sim::world::inventory::{Backing, FIRST_NIC, Nic, Vm};
use howdah_sim::world::neutron::NeutronPort;
use howdah_sim::world::state::State;
use howdah_sim::{SiteSettings, World};

use crate::written::{
    Card, Cluster, Group, Machine, Manager, Named, Node, Port, Site, Task, Whose, node_status, status, task_status,
};

impl Cluster {
    const fn origin(&self) -> Origin {
        match self.whose {
            Whose::Ours => Origin::Service,
            Whose::Stranger => Origin::People,
        }
    }

    /// Whether the manager was at work on it.
    fn is_worked_on(&self) -> bool {
        self.manager.as_ref().is_some_and(|m| !status(&m.status).is_stable())
    }
}

impl Site {
    /// The world as it was. `registered`: the registrations that the service had made. Must be called
    /// under a paused clock.
    pub async fn plant(&self, registered: &BTreeSet<String>) -> World {
        let (seed, epoch, backend) = (self.seed, self.epoch, self.backend);
        let world = World::new(SiteSettings { seed, epoch, backend, ..SiteSettings::default() });
        self.is_the_site_of(&world);
        world.sleep(self.taken.duration_since(epoch).unsigned_abs()).await;
        world.write(|s| {
            for network in &self.registrations {
                let origin = if registered.contains(&network.name) { Origin::Service } else { Origin::People };
                let made = BdeNetwork { origin, ..BdeNetwork::dhcp(&network.name, &network.port_group) };
                s.bde.networks.insert(network.name.clone(), made);
            }
            for cluster in &self.clusters {
                plant_cluster(s, cluster);
            }
            // What is made from now on has other ids than what was planted.
            s.neutron.next += 1000;
            while s.vc.new_ref("vm") != "vm-100" {}
        });
        for cluster in self.clusters.iter().filter(|c| c.is_worked_on()) {
            // Guests that were booting boot again; one that hangs, hangs.
            for vm in cluster.vms.iter().filter(|vm| vm.is_booting()) {
                world.by_hand_power_on(&vm.moref).unwrap();
            }
            world.bde_go_on(&cluster.name);
        }
        world
    }

    /// Seed and settings have made the same furniture. Only the names of NSX-T's segments were others at that time:
    /// they are given back.
    fn is_the_site_of(&self, world: &World) {
        world.write(|s| {
            let ids = |named: &[Named]| named.iter().map(|n| n.id.clone()).collect::<Vec<_>>();
            assert_eq!(s.neutron.networks.keys().cloned().collect::<Vec<_>>(), ids(&self.networks), "{}", self.site);
            assert_eq!(s.neutron.subnets.keys().cloned().collect::<Vec<_>>(), ids(&self.subnets), "{}", self.site);
            assert_eq!(s.neutron.ports.keys().cloned().collect::<Vec<_>>(), ids(&self.other_ports), "{}", self.site);
            for segment in &self.segments {
                let group = s.vc.port_groups.get_mut(&segment.key).unwrap();
                if s.settings.backend == NetworkBackend::NsxT {
                    group.name.clone_from(&segment.name);
                }
                assert_eq!(group.name, segment.name, "{}", self.site);
            }
        });
    }
}

impl Machine {
    fn is_booting(&self) -> bool {
        self.power == Power::On && self.nics.iter().all(|n| n.reported.is_empty())
    }
}

fn plant_cluster(s: &mut State, cluster: &Cluster) {
    for task in &cluster.tasks {
        s.bde.next_task = s.bde.next_task.max(task.id);
        s.bde.tasks.insert(task.id, planted_task(task, &cluster.name));
    }
    if let Some(manager) = &cluster.manager {
        let root = s.vc.datacenters.values().next().unwrap().vm_folder.clone();
        let root = s.vc.ensure_folder(&root, &s.bde.root_folder.clone());
        let folder = s.vc.ensure_folder(&root, &cluster.name);
        let planted = planted_manager(s, cluster, manager, &folder);
        s.bde.made.insert(cluster.name.clone(), 1);
        s.bde.clusters.insert(cluster.name.clone(), planted);
        for vm in &cluster.vms {
            let folder = s.vc.ensure_folder(&folder, &vm.group);
            let vm = planted_vm(s, vm, cluster, folder);
            s.vc.add_vm(vm);
        }
    }
    for port in &cluster.ports {
        plant_port(s, port, cluster.origin());
    }
}

fn planted_task(task: &Task, target: &str) -> BdeTask {
    BdeTask {
        id: task.id,
        kind: if task.kind == "DELETE" { "DELETE" } else { "INNER" },
        target: target.to_owned(),
        status: task_status(&task.status),
        progress: task.progress,
        error: task.error.clone(),
        error_code: task.error_code.clone(),
        started: task.started,
        ended: task.ended,
    }
}

fn planted_manager(s: &State, cluster: &Cluster, manager: &Manager, folder: &str) -> BdeCluster {
    let group = |group: &Group| {
        let roles: Vec<_> = group.roles.iter().map(String::as_str).collect();
        let nodes = manager.nodes.iter().filter(|n| n.group == group.name);
        BdeGroup {
            request: GroupRequest::new(&group.name, &roles, group.count),
            cpu: group.cpu,
            memory_mb: group.memory_mb,
            disk_gb: group.disk_gb,
            nodes: nodes.map(planted_node).collect(),
        }
    };
    let groups: Vec<_> = manager.groups.iter().map(group).collect();
    let distros = &s.bde.managers[&manager.app_manager].distros;
    BdeCluster {
        request: ClusterRequest {
            name: cluster.name.clone(),
            distro: Some(manager.distro.clone()),
            networks: manager.networks.clone(),
            rp_names: manager.rp_names.clone(),
            ds_names: manager.ds_names.clone(),
            groups: groups.iter().map(|g| g.request.clone()).collect(),
            ..ClusterRequest::default()
        },
        distro: distros.iter().find(|d| d.name == manager.distro).unwrap().clone(),
        app_manager: manager.app_manager.clone(),
        rp_names: manager.rp_names.clone(),
        ds_names: manager.ds_names.clone(),
        groups,
        status: status(&manager.status),
        task: manager.task,
        version: s.bde.version.clone(),
        created: manager.created,
        folder: Some(folder.to_owned()),
        origin: cluster.origin(),
        ordinal: 1,
    }
}

fn planted_node(node: &Node) -> BdeNode {
    BdeNode {
        vm: node.vm.clone(),
        status: node_status(&node.status),
        action: node.action.clone(),
        action_failed: node.action_failed,
        error: node.error.clone(),
        host: node.host.clone(),
        pool: node.pool.clone(),
        addresses: node.addresses.clone(),
        incarnation: node.incarnation,
        ..BdeNode::planned(node.name.clone())
    }
}

/// A guest that was booting when everything stopped is switched off here, and on again afterwards.
fn planted_vm(s: &State, vm: &Machine, cluster: &Cluster, folder: String) -> Vm {
    let boots = cluster.is_worked_on() && vm.is_booting();
    let nic = |card: &Card| Nic {
        connected: card.connected && !boots,
        external_id: card.external_id.clone(),
        address: card.address,
        reported: card.reported.clone(),
        ..Nic::new(
            card.key - FIRST_NIC,
            card.mac,
            Backing::PortGroup { key: card.segment.clone(), port_key: "0".to_owned() },
        )
    };
    let template = s.bde.template.as_ref().and_then(|t| s.vm(t)).unwrap();
    Vm {
        moref: vm.moref.clone(),
        name: vm.name.clone(),
        folder,
        instance_uuid: vm.instance_uuid,
        uuid: vm.uuid,
        template: false,
        configured: vm.configured,
        power: if boots { Power::Off } else { vm.power },
        boot_time: vm.boot_time,
        boot: if boots { vm.boot - 1 } else { vm.boot },
        nics: vm.nics.iter().map(nic).collect(),
        tools: vm.tools,
        guest_state: vm.guest_state,
        profile: vm.profile,
        cpus: vm.cpus,
        memory_mb: vm.memory_mb,
        disks_gb: vm.disks_gb.clone(),
        cluster: Some(cluster.name.clone()),
        origin: cluster.origin(),
        ..template.clone()
    }
}

fn plant_port(s: &mut State, port: &Port, origin: Origin) {
    let planted = NeutronPort {
        id: port.id.clone(),
        name: port.name.clone(),
        project: port.project.clone(),
        network: port.network.clone(),
        mac: port.mac,
        fixed_ips: port.fixed_ips.iter().map(|ip| (ip.subnet.clone(), ip.address)).collect(),
        device_owner: port.device_owner.clone(),
        device_id: port.device_id.clone(),
        description: port.description.clone(),
        security_groups: port.security_groups.clone(),
        admin_up: true,
        port_security: true,
        host: port.host.clone(),
        status: if port.status == "ACTIVE" { "ACTIVE" } else { "DOWN" },
        vnic_index: port.vnic_index,
        binding: port.binding,
        tags: vec![],
        revision: 1,
        created: port.created,
        updated: port.created,
        origin,
    };
    s.neutron.by_mac.entry(port.mac).or_default().push(port.id.clone());
    s.neutron.by_address.extend(planted.fixed_ips.iter().cloned().map(|held| (held, port.id.clone())));
    s.neutron.ports.insert(port.id.clone(), planted);
}
