//! Adds objects of others in a stable state: clusters, VMs that have been on for long, ports.
//! [`strangers`](super::strangers) describes them.

use std::net::{IpAddr, Ipv4Addr};

use howdah_core::ids::{Mac, VmRef};
use howdah_core::systems::vcenter::{Power, Tools};

use crate::world::bde::{BdeNetwork, BdeStatus, BdeTaskStatus, NodeStatus};
use crate::world::inventory::{Backing, FIRST_NIC, GuestState};
use crate::world::neutron::{Caller, NeutronError, NeutronPort, PortBody};
use crate::world::state::State;
use crate::world::strangers::{Added, Neighbour, PortForm, Stranger, StrangerError};
use crate::world::vm_ops::{CloneSpec, NicChange, Reconfigure};

type Answer<T> = Result<T, StrangerError>;

impl State {
    pub(super) fn add_stranger(&mut self, stranger: &Stranger) -> Answer<Added> {
        self.register_by_hand(stranger)?;
        let task = self.accept_create(stranger.request())?;
        let name = &stranger.name;
        self.make_cluster_folder(name);
        let nodes: Vec<String> = self.bde.clusters.get_mut(name).map_or_else(Vec::new, |c| {
            c.plan_nodes();
            c.nodes().map(|n| n.name.clone()).collect()
        });
        let mut added = Added::default();
        for (place, node) in (1_usize..).zip(&nodes) {
            let (template, spec) =
                self.clone_spec(name, &stranger.group, node, place).ok_or(StrangerError::Missing("node template"))?;
            let nics = self.nic_changes(name).map_err(|_| StrangerError::Missing("port group of the network"))?;
            let vm = self.add_running_vm(&template, &spec, nics)?;
            let port = self.port_for(&vm, stranger.ports, stranger.network.as_deref(), stranger.project.clone())?;
            let address = self.give_address(&vm, port.as_ref(), place);
            let host = self.vm(&vm).and_then(|v| self.vc.hosts.get(&v.host)).map(|h| h.name.clone());
            if let Some(node) = self.bde.clusters.get_mut(name).and_then(|c| c.node_mut(node)) {
                node.vm = Some(vm.clone());
                node.status = NodeStatus::ServiceReady;
                node.host = host;
                node.addresses.insert(stranger.registration.clone(), address);
                node.incarnation = 1;
            }
            added.vms.push(vm);
            added.ports.extend(port.map(|p| p.id));
        }
        let now = self.now;
        if let Some(task) = self.bde.tasks.get_mut(&task) {
            task.status = BdeTaskStatus::Completed;
            task.progress = 1.0;
            task.ended = Some(now);
        }
        if let Some(cluster) = self.bde.clusters.get_mut(name) {
            cluster.status = BdeStatus::Running;
        }
        Ok(added)
    }

    pub(super) fn add_neighbour(&mut self, neighbour: &Neighbour) -> Answer<Added> {
        let network = self.network_or_first(neighbour.network.as_deref())?;
        let group = self.vc.port_groups.iter().find(|(_, p)| p.network.as_ref() == Some(&network));
        let key = group.map(|(key, _)| key.clone()).ok_or(StrangerError::Missing("port group of the network"))?;
        let template = self.bde.template.clone().ok_or(StrangerError::Missing("node template"))?;
        let folder = match &neighbour.in_folder_of {
            Some(cluster) => self.bde.clusters.get(cluster).and_then(|c| c.folder.clone()),
            None => self.vc.datacenters.first_key_value().map(|(_, d)| d.vm_folder.clone()),
        };
        let spec = CloneSpec {
            name: neighbour.name.clone(),
            folder: folder.ok_or(StrangerError::Missing("folder for it"))?,
            pool: None,
            host: None,
            change: Reconfigure::default(),
            power_on: false,
            cluster: None,
            subject: String::new(),
        };
        let backing = Backing::PortGroup { key, port_key: "1".to_owned() };
        let nics = vec![NicChange { backing: Some(backing), ..NicChange::edit(FIRST_NIC) }];
        let vm = self.add_running_vm(&template, &spec, nics)?;
        let port = self.port_for(&vm, neighbour.ports, Some(&network), neighbour.project.clone())?;
        self.give_address(&vm, port.as_ref(), self.neutron.ports.len());
        // The watchers of its folder see it.
        self.touched.extend(neighbour.in_folder_of.clone());
        Ok(Added { vms: vec![vm], ports: port.into_iter().map(|p| p.id).collect() })
    }

    pub(super) fn add_foreign_port(&mut self, body: PortBody) -> Result<NeutronPort, NeutronError> {
        let owner = self.neutron.networks.get(&body.network).map(|n| n.project.clone()).unwrap_or_default();
        let caller = Caller { project: body.project.clone().unwrap_or(owner), admin: true };
        let made = self.add_ports(&[body], &caller)?;
        made.into_iter().next().ok_or_else(|| NeutronError::bad_request("port", "nothing was asked for"))
    }

    fn network_or_first(&self, network: Option<&str>) -> Answer<String> {
        let first = || self.neutron.networks.values().min_by_key(|n| (n.created, n.segmentation)).map(|n| n.id.clone());
        network.map(str::to_owned).or_else(first).ok_or(StrangerError::Missing("network"))
    }

    /// Somebody registers the network of their cluster, unless the name is there already.
    pub(super) fn register_by_hand(&mut self, stranger: &Stranger) -> Answer<()> {
        if self.bde.networks.contains_key(&stranger.registration) {
            return Ok(());
        }
        let network = self.network_or_first(stranger.network.as_deref())?;
        let group = self.vc.port_groups.values().find(|p| p.network.as_ref() == Some(&network));
        let group = group.ok_or(StrangerError::Missing("port group of the network"))?;
        let registered =
            BdeNetwork { origin: self.actor.origin, ..BdeNetwork::dhcp(&stranger.registration, &group.name) };
        self.bde.networks.insert(stranger.registration.clone(), registered);
        Ok(())
    }

    /// A VM that has been on for long; its guest is not simulated any further.
    fn add_running_vm(&mut self, template: &VmRef, spec: &CloneSpec, nics: Vec<NicChange>) -> Answer<VmRef> {
        let vm = self.add_clone(template, spec)?;
        self.finish_clone(&vm);
        self.reconfigure(&vm, &Reconfigure { nics, ..Reconfigure::default() })?;
        let now = self.now;
        self.change_vm(&vm, |v| {
            v.power = Power::On;
            v.boot_time = Some(now);
            v.boot += 1;
            v.guest_state = GuestState::Running;
            if v.tools != Tools::NotInstalled {
                v.tools = Tools::Running;
            }
            for nic in &mut v.nics {
                nic.connected = true;
            }
        });
        Ok(vm)
    }

    /// The guest has the address of its port, or one that somebody configured.
    fn give_address(&mut self, vm: &VmRef, port: Option<&NeutronPort>, place: usize) -> IpAddr {
        let [c, d] = u16::try_from(place % 65_000).unwrap_or(0).to_be_bytes();
        let configured = IpAddr::V4(Ipv4Addr::new(172, 31, c, d));
        let address = port.and_then(|p| p.fixed_ips.first()).map_or(configured, |(_, a)| *a);
        self.change_vm(vm, |v| {
            for nic in v.nics.iter_mut().take(1) {
                nic.address = Some(address);
                nic.reported = vec![address];
            }
        });
        address
    }

    pub(super) fn port_for(
        &mut self,
        vm: &VmRef,
        form: PortForm,
        network: Option<&str>,
        project: Option<String>,
    ) -> Answer<Option<NeutronPort>> {
        let network = self.network_or_first(network)?;
        let Some((name, uuid, mac)) =
            self.vm(vm).and_then(|v| Some((v.name.clone(), v.instance_uuid.to_string(), v.nics.first()?.mac)))
        else {
            return Ok(None);
        };
        let body = PortBody { network, project, mac: Some(mac), ..PortBody::default() };
        let body = match form {
            PortForm::None => return Ok(None),
            PortForm::Of2015 => PortBody { name: format!("{name}-port0"), device_id: name, ..body },
            PortForm::Compute => PortBody { device_owner: "compute:nova".to_owned(), device_id: uuid, ..body },
        };
        Ok(Some(self.add_foreign_port(body)?))
    }

    /// VMs of a cluster whose MAC is final and that no port has.
    pub(super) fn vms_without_port(&self, cluster: &str) -> Vec<VmRef> {
        let is_final = |vm: &VmRef| self.journal.vms.get(vm).is_some_and(|t| t.mac_final.is_some());
        let has_port = |mac: Option<Mac>| mac.is_some_and(|m| self.neutron.by_mac.contains_key(&m));
        let of_cluster = self.vc.vms.values().filter(|v| v.cluster.as_deref() == Some(cluster));
        of_cluster
            .filter(|v| is_final(&v.moref) && !has_port(v.nics.first().map(|n| n.mac)))
            .map(|v| v.moref.clone())
            .collect()
    }
}
