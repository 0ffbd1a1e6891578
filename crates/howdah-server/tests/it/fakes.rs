//! Fakes of the core's traits: systems that nobody reaches, and a Keystone with a fixed set of
//! tokens and networks.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use howdah_core::controller::Ended;
use howdah_core::entropy::Entropy;
use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::{ClusterKey, ClusterName, NetworkId, PortId, ProjectId, SubnetId, TaskId, VmRef};
use howdah_core::rights::Standing;
use howdah_core::systems::Remote;
use howdah_core::systems::identity::Principal;
use howdah_core::systems::identity::{Identity, NetworkGrant, NetworkWish, TOKEN_REFUSED};
use howdah_core::systems::manager::ClusterManager;
use howdah_core::systems::manager::{
    Catalog, Demand, ManagedChange, ManagedCluster, ManagedSpec, ManagedTask, RegisteredNetwork, Unregistered,
};
use howdah_core::systems::networking::Networking;
use howdah_core::systems::networking::{
    Network, NetworkingFeatures, Port, PortChange, PortQuery, PortRequest, Quota, Subnet,
};
use howdah_core::systems::vcenter::VCenter;
use howdah_core::systems::vcenter::{Segment, VmFacts, WatchEvent};
use howdah_core::time::Clock;
use howdah_core::time::Mono;
use howdah_serengeti::{Body, Rules};
use howdah_server::supervisor::RunController;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

/// Systems that are switched off, and count what they are asked all the same.
#[derive(Default)]
pub struct Nobody {
    pub asked: AtomicU64,
}

fn nobody<T>(system: System) -> Remote<T> {
    Err(RemoteError::new(system, ErrorKind::Unreachable, "unreachable", "nobody is there"))
}

macro_rules! nobody {
    ($trait:ident, $system:ident, $({ $($pure:item)* },)? $($name:ident($($arg:ident: $of:ty),*) -> $ret:ty),* $(,)?) => {
        #[async_trait]
        impl $trait for Nobody {
            $($($pure)*)?
            $(async fn $name(&self, $($arg: $of),*) -> Remote<$ret> {
                $(let _ = $arg;)*
                self.asked.fetch_add(1, Ordering::Relaxed);
                nobody(System::$system)
            })*
        }
    };
}

nobody!(ClusterManager, Bde,
    {
        fn demand(&self, spec: &ManagedSpec) -> Remote<Demand> {
            Body::build(spec, &Rules::default())
                .map(|body| body.demand)
                .map_err(|refusal| howdah_serengeti::Error::from(refusal).into())
        }
    },
    version() -> String,
    catalog(app: Option<&str>) -> Catalog,
    networks() -> Vec<RegisteredNetwork>,
    register_network(network: &RegisteredNetwork) -> (),
    unregister_network(name: &str) -> Unregistered,
    cluster(name: &ClusterName) -> Option<ManagedCluster>,
    clusters() -> std::collections::BTreeMap<String, ManagedCluster>,
    create_cluster(spec: &ManagedSpec) -> TaskId,
    change_cluster(name: &ClusterName, change: ManagedChange) -> TaskId,
    delete_cluster(name: &ClusterName) -> Option<TaskId>,
    task(task: &TaskId) -> Option<ManagedTask>,
    tasks() -> Vec<ManagedTask>,
);

nobody!(VCenter, VCenter,
    version() -> String,
    segments() -> Vec<Segment>,
    vms(vms: &[VmRef]) -> Vec<VmFacts>,
    watch(cluster: &ClusterName) -> BoxStream<'static, Remote<WatchEvent>>,
    power_on(vm: &VmRef) -> (),
    power_off(vm: &VmRef) -> (),
    reset(vm: &VmRef) -> (),
    set_external_id(vm: &VmRef, key: i32, port: &PortId) -> (),
);

nobody!(Networking, Neutron,
    features() -> NetworkingFeatures,
    network(id: &NetworkId) -> Option<Network>,
    subnet(id: &SubnetId) -> Option<Subnet>,
    port_quota(project: &ProjectId) -> Option<Quota>,
    ports(query: &PortQuery) -> Vec<Port>,
    create_ports(requests: &[PortRequest]) -> Vec<Port>,
    update_port(id: &PortId, change: &PortChange) -> Port,
    set_vnic_index(id: &PortId, index: u32) -> Option<u32>,
    delete_port(id: &PortId) -> (),
);

/// A Keystone and the requester's view of Neutron. Tokens are `<user>@<project>:<role>`, such as
/// `ann@p1:member`; any other is bad. With a `?` at its end the token is of a project that is not the one for
/// administration. There are the networks `apps` (`net-1`, subnet `apps-v4`
/// or `sub-1`) and `other` (`net-2`, subnet `other-v4` or `sub-2`), and the group `web` (`sg-1`).
#[derive(Default)]
pub struct FakeCloud {
    /// Whether nobody answers.
    pub down: Mutex<bool>,
    /// Whether the service's own credentials are refused.
    pub locked: Mutex<bool>,
    /// Tokens that were valid and are still cached.
    pub revoked: Mutex<Vec<String>>,
    /// Tokens whose role is `member` by now.
    pub demoted: Mutex<Vec<String>>,
    /// The tokens that were shown here.
    pub shown: Mutex<Vec<String>>,
    /// Whether it takes this long to be answered: until somebody has notified it.
    pub slow: Mutex<Option<Arc<Notify>>>,
    /// The tokens that are good without being asked about.
    pub known: Mutex<Vec<String>>,
    /// The tokens with which something was looked up, `None` for the service's own rights.
    pub grants: Mutex<Vec<Option<String>>>,
    /// What was looked up.
    pub wishes: Mutex<Vec<NetworkWish>>,
}

fn principal(user: &str, project: &str, role: &str) -> Principal {
    Principal {
        user: format!("id-of-{user}"),
        user_name: user.to_owned(),
        project: project.into(),
        roles: vec![role.trim_end_matches('?').to_owned()],
        is_admin_project: !role.ends_with('?'),
        expires: None,
    }
}

#[async_trait]
impl Identity for FakeCloud {
    async fn authenticate_anew(&self, token: &SecretString) -> Remote<Principal> {
        if self.revoked.lock().unwrap().iter().any(|t| t == token.expose_secret()) {
            return Err(RemoteError::new(System::Keystone, ErrorKind::Credentials, TOKEN_REFUSED, "it was revoked"));
        }
        self.authenticate(token).await
    }

    async fn authenticate(&self, token: &SecretString) -> Remote<Principal> {
        self.shown.lock().unwrap().push(token.expose_secret().to_owned());
        let slow = self.slow.lock().unwrap().clone();
        if let Some(notify) = slow {
            notify.notified().await;
        }
        self.own_login().await?;
        let bad = || RemoteError::new(System::Keystone, ErrorKind::Credentials, TOKEN_REFUSED, "the token is bad");
        let (user, rest) = token.expose_secret().split_once('@').ok_or_else(bad)?;
        let (project, role) = rest.split_once(':').ok_or_else(bad)?;
        let demoted = self.demoted.lock().unwrap().iter().any(|t| t == token.expose_secret());
        Ok(principal(user, project, if demoted { "member" } else { role }))
    }

    fn recall(&self, token: &SecretString) -> Option<Principal> {
        let token = token.expose_secret();
        let (user, rest) = token.split_once('@')?;
        let (project, role) = rest.split_once(':')?;
        self.known.lock().unwrap().iter().any(|known| known == token).then(|| principal(user, project, role))
    }

    async fn own_login(&self) -> Remote<()> {
        if *self.down.lock().unwrap() {
            return nobody(System::Keystone);
        }
        if *self.locked.lock().unwrap() {
            let (kind, code) = (ErrorKind::Credentials, "keystone_credentials_refused");
            let e = RemoteError::new(System::Keystone, kind, code, "the login of howdah was refused");
            return Err(e.hint("Check [site.openstack]."));
        }
        Ok(())
    }

    async fn still_may(&self, _: &str, _: &ProjectId) -> Remote<Standing> {
        nobody(System::Keystone)
    }

    async fn grant(&self, token: Option<&SecretString>, wish: &NetworkWish) -> Remote<NetworkGrant> {
        self.grants.lock().unwrap().push(token.map(|t| t.expose_secret().to_owned()));
        self.wishes.lock().unwrap().push(wish.clone());
        let missing = |what: &str, name: &str| {
            let (code, message) = match what {
                "network" => ("network_not_found", format!("there is no network {name}")),
                "subnet" => ("subnet_not_found", format!("there is no subnet {name}")),
                _ => ("security_group_not_found", format!("there is no security group {name}")),
            };
            RemoteError::new(System::Neutron, ErrorKind::NotFound, code, message)
        };
        let (network, name) = match wish.network.as_str() {
            "apps" | "net-1" => ("net-1", "apps"),
            "other" | "net-2" => ("net-2", "other"),
            other => return Err(missing("network", other)),
        };
        let (subnet, subnet_name, of) = match wish.subnet.as_str() {
            "apps-v4" | "sub-1" => ("sub-1", "apps-v4", "net-1"),
            "other-v4" | "sub-2" => ("sub-2", "other-v4", "net-2"),
            other => return Err(missing("subnet", other)),
        };
        let mut security_groups = Vec::new();
        for group in &wish.security_groups {
            match group.as_str() {
                "web" | "sg-1" => security_groups.push("sg-1".into()),
                other => return Err(missing("group", other)),
            }
        }
        Ok(NetworkGrant {
            network: Network { id: network.into(), name: name.into(), project: "p1".into(), external: false },
            subnet: Subnet {
                id: subnet.into(),
                name: subnet_name.into(),
                network: of.into(),
                cidr: "10.0.0.0/24".into(),
                ip_version: 4,
                dhcp: true,
                capacity: 250,
                used: 3,
            },
            security_groups,
        })
    }
}

/// A clock that stands still.
pub struct Still;

pub fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

impl Clock for Still {
    fn now(&self) -> Timestamp {
        now()
    }
    fn mono(&self) -> Mono {
        Mono::default()
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        std::future::pending().boxed()
    }
}

/// UUIDs in order.
#[derive(Default)]
pub struct Ordered(AtomicU64);

impl Entropy for Ordered {
    fn uuid(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed)) + 0xa000)
    }
    fn fraction(&self) -> f64 {
        0.5
    }
}

/// Controllers that do nothing but count: how often they were started, and woken.
#[derive(Default)]
pub struct Idle {
    pub started: Mutex<Vec<ClusterKey>>,
    pub woken: Arc<AtomicU64>,
}

impl RunController for Idle {
    fn run(
        &self,
        key: ClusterKey,
        wake: Arc<Notify>,
        mut stop: watch::Receiver<bool>,
    ) -> BoxFuture<'static, Remote<Ended>> {
        self.started.lock().unwrap().push(key);
        let woken = Arc::clone(&self.woken);
        async move {
            loop {
                tokio::select! {
                    () = wake.notified() => drop(woken.fetch_add(1, Ordering::Relaxed)),
                    () = async { drop(stop.wait_for(|s| *s).await) } => return Ok(Ended::Stopped),
                }
            }
        }
        .boxed()
    }
}
