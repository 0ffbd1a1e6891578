//! Others at the site: clusters, VMs and ports that are not the service's.
//!
//! The added objects are stable: they run and do not change with time, so that a comparison of
//! [`foreign_part`](World::foreign_part) shows only changes by an actor. The exception is
//! [`World::start_stranger`], a real create, which takes time and waits for its turn.

use howdah_core::ids::VmRef;

use crate::world::World;
use crate::world::bde::jobs::Work;
use crate::world::bde::{ClusterRequest, GroupRequest};
use crate::world::bde_error::BdeError;
use crate::world::neutron::{NeutronError, NeutronPort, PortBody};
use crate::world::vctask::VcFault;

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

    pub(super) fn request(&self) -> ClusterRequest {
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
