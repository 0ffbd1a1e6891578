//! Others at the site: clusters, VMs and ports that are not the service's.
//!
//! What is added here is settled: it runs, and nothing of it changes by itself, so that a
//! comparison of [`foreign_part`](World::foreign_part) sees only what somebody did to it. The
//! exception says so: [`World::start_stranger`] is a real create, which takes its time and its turn.

use std::net::{IpAddr, Ipv4Addr};

use howdah_core::facts::{Power, Tools};
use howdah_core::ids::{Mac, VmRef};

use crate::world::World;
use crate::world::bde::jobs::Work;
use crate::world::bde::{BdeNetwork, BdeStatus, BdeTaskStatus, ClusterRequest, GroupRequest, NodeStatus};
use crate::world::bde_error::BdeError;
use crate::world::inventory::{Backing, FIRST_NIC, GuestState};
use crate::world::neutron::{Caller, NeutronError, NeutronPort, PortBody};
use crate::world::state::State;
use crate::world::vctask::VcFault;
use crate::world::vm_ops::{CloneSpec, NicChange, Reconfigure};

/// What ports others have made for their nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortForm {
    /// None.
    None,
    /// As the plugin of 2015 made them: `<vm>-port0`, the VM's name for a device id, no owner.
    Of2015,
    /// As Nova makes them: an owner that begins with `compute:`, the instance UUID for a device id.
    Compute,
}

/// A cluster that somebody else has, or asks for.
#[derive(Debug, Clone)]
pub struct Stranger {
    /// Name in the cluster manager.
    pub name: String,
    /// Its one node group.
    pub group: String,
    /// Roles of its nodes.
    pub roles: Vec<String>,
    /// Nodes.
    pub nodes: u32,
    /// Distribution.
    pub distro: String,
    /// Neutron network; the site's first if absent.
    pub network: Option<String>,
    /// Name under which its network is registered, and is found if it is registered already.
    pub registration: String,
    /// Project of its ports; the network's if absent.
    pub project: Option<String>,
    /// Its ports.
    pub ports: PortForm,
}

impl Stranger {
    /// A cluster on the site's first network, with ports as the plugin of 2015 made them.
    pub fn new(name: &str, nodes: u32) -> Self {
        Self {
            name: name.to_owned(),
            group: "worker".to_owned(),
            roles: vec!["hadoop_client".to_owned()],
            nodes,
            distro: "bigtop".to_owned(),
            network: None,
            registration: "by-hand".to_owned(),
            project: None,
            ports: PortForm::Of2015,
        }
    }

    /// The same on a network.
    #[must_use]
    pub fn on(mut self, network: &str) -> Self {
        self.network = Some(network.to_owned());
        self
    }

    /// The same with its network registered under this name.
    #[must_use]
    pub fn registered_as(mut self, name: &str) -> Self {
        name.clone_into(&mut self.registration);
        self
    }

    /// The same with ports of a project.
    #[must_use]
    pub fn of_project(mut self, project: &str) -> Self {
        self.project = Some(project.to_owned());
        self
    }

    /// The same with other ports.
    #[must_use]
    pub fn with_ports(mut self, ports: PortForm) -> Self {
        self.ports = ports;
        self
    }

    fn request(&self) -> ClusterRequest {
        let roles: Vec<_> = self.roles.iter().map(String::as_str).collect();
        ClusterRequest {
            name: self.name.clone(),
            distro: Some(self.distro.clone()),
            networks: [("MGT_NETWORK".to_owned(), vec![self.registration.clone()])].into(),
            groups: vec![GroupRequest::new(&self.group, &roles, self.nodes)],
            ..ClusterRequest::default()
        }
    }
}

/// A VM that somebody runs beside the service's, with its port.
#[derive(Debug, Clone)]
pub struct Neighbour {
    /// VM's name.
    pub name: String,
    /// Neutron network; the site's first if absent.
    pub network: Option<String>,
    /// Project of its port; the network's if absent.
    pub project: Option<String>,
    /// Somebody put it into the folder of this cluster.
    pub in_folder_of: Option<String>,
    /// Its port.
    pub ports: PortForm,
}

impl Neighbour {
    /// A VM on the site's first network, with a port as Nova makes it.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), network: None, project: None, in_folder_of: None, ports: PortForm::Compute }
    }
}

/// What was added for somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Added {
    /// VMs, in the order of their nodes.
    pub vms: Vec<VmRef>,
    /// Ids of ports, in the same order.
    pub ports: Vec<String>,
}

/// Why nothing could be added for somebody else.
#[derive(Debug, thiserror::Error)]
pub enum StrangerError {
    /// The cluster manager refused.
    #[error("BDE refused it")]
    Bde(#[from] BdeError),
    /// Neutron refused.
    #[error("Neutron refused it")]
    Neutron(#[from] NeutronError),
    /// vCenter refused.
    #[error("vCenter refused it")]
    VCenter(#[from] VcFault),
    /// The site has none of these.
    #[error("the site has no {0}")]
    Missing(&'static str),
}

type Answer<T> = Result<T, StrangerError>;

impl World {
    /// Somebody's cluster that has been running for long, with its VMs on and its ports made.
    ///
    /// # Errors
    /// If its name is taken, or one of its ports cannot be made.
    pub fn add_stranger(&self, stranger: &Stranger) -> Answer<Added> {
        self.write(|s| s.add_stranger(stranger))
    }

    /// Somebody asks for a cluster: its task. It waits for its turn, others wait for theirs behind
    /// it, and its ports are made as soon as their MACs are final.
    ///
    /// # Errors
    /// If it is refused.
    pub fn start_stranger(&self, stranger: &Stranger) -> Answer<i64> {
        let task = self.write(|s| {
            s.register_by_hand(stranger)?;
            Ok::<_, StrangerError>(s.accept_create(stranger.request())?)
        })?;
        self.spawn_job(&stranger.name, task, Work::Create);
        if stranger.ports != PortForm::None {
            self.spawn(self.clone().keep_ports(stranger.clone()));
        }
        Ok(task)
    }

    /// A queue in front of the cluster manager: so many creates of others, the first of them
    /// running; their tasks. With one create at a time (`bde_concurrent`), the next waits for all.
    ///
    /// # Errors
    /// If one is refused.
    pub fn queue_strangers(&self, clusters: u32, nodes: u32) -> Answer<Vec<i64>> {
        let start = |n| {
            let stranger = Stranger::new(&format!("queued{n}"), nodes).with_ports(PortForm::Compute);
            self.start_stranger(&stranger)
        };
        (0..clusters).map(start).collect()
    }

    /// A VM of somebody else's, on, with its port.
    ///
    /// # Errors
    /// If the name is taken in its folder, or its port cannot be made.
    pub fn add_neighbour(&self, neighbour: &Neighbour) -> Answer<Added> {
        self.write(|s| s.add_neighbour(neighbour))
    }

    /// A port of somebody else's: with a MAC or an address, it holds that.
    ///
    /// # Errors
    /// As Neutron's.
    pub fn add_foreign_port(&self, body: PortBody) -> Result<NeutronPort, NeutronError> {
        self.write(|s| s.add_foreign_port(body))
    }

    /// Makes the ports of somebody's create, until it has ended.
    async fn keep_ports(self, stranger: Stranger) {
        let mut changes = self.subscribe_cluster(&stranger.name);
        loop {
            let (due, done) = self.read(|s| {
                let done = s.bde.clusters.get(&stranger.name).is_none_or(|c| c.status.is_stable());
                (s.vms_without_port(&stranger.name), done)
            });
            for vm in due {
                let network = stranger.network.as_deref();
                // Somebody else may hold the MAC: then this node gets no address.
                let _ = self.write(|s| s.port_for(&vm, stranger.ports, network, stranger.project.clone()));
            }
            if done || changes.changed().await.is_err() {
                return;
            }
        }
    }
}

impl State {
    fn add_stranger(&mut self, stranger: &Stranger) -> Answer<Added> {
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

    fn add_neighbour(&mut self, neighbour: &Neighbour) -> Answer<Added> {
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
        // Whoever watches the folder that it was put into sees it.
        self.touched.extend(neighbour.in_folder_of.clone());
        Ok(Added { vms: vec![vm], ports: port.into_iter().map(|p| p.id).collect() })
    }

    fn add_foreign_port(&mut self, body: PortBody) -> Result<NeutronPort, NeutronError> {
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
    fn register_by_hand(&mut self, stranger: &Stranger) -> Answer<()> {
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

    fn port_for(
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
    fn vms_without_port(&self, cluster: &str) -> Vec<VmRef> {
        let is_final = |vm: &VmRef| self.journal.vms.get(vm).is_some_and(|t| t.mac_final.is_some());
        let has_port = |mac: Option<Mac>| mac.is_some_and(|m| self.neutron.by_mac.contains_key(&m));
        let of_cluster = self.vc.vms.values().filter(|v| v.cluster.as_deref() == Some(cluster));
        of_cluster
            .filter(|v| is_final(&v.moref) && !has_port(v.nics.first().map(|n| n.mac)))
            .map(|v| v.moref.clone())
            .collect()
    }
}
