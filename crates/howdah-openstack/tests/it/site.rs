//! A simulated OpenStack on loopback, and clients of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use futures::FutureExt;
use futures::future::BoxFuture;
use howdah_core::failure::{Failure, RemoteError, System};
use howdah_core::systems::networking::PortRequest;
use howdah_core::time::Clock;
use howdah_core::time::Mono;
use howdah_openstack::{Keys, OpenStack};
use howdah_sim::face::openstack;
use howdah_sim::world::clock::Span;
use howdah_sim::world::keystone::{AppCredential, Endpoint, Method};
use howdah_sim::world::neutron::{NetworkBody, NeutronNetwork, NeutronSubnet, SubnetBody};
use howdah_sim::{SiteSettings, World};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::net::TcpListener;

pub struct Site {
    pub world: World,
    pub keystone: String,
    pub neutron: String,
}

/// Serves routes on a free port of loopback until the test ends.
pub async fn serve(routes: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}")
}

/// Settings in which nothing takes time.
pub fn at_once() -> SiteSettings {
    let mut settings = SiteSettings::default();
    settings.timings.call = Span::exactly(0.0);
    settings.timings.port_create = Span::exactly(0.0);
    settings
}

impl Site {
    pub async fn new() -> Self {
        Self::of(at_once(), None).await
    }

    pub async fn of(settings: SiteSettings, page: Option<usize>) -> Self {
        let world = World::new(settings);
        let keystone = serve(openstack::keystone(world.clone())).await;
        let neutron = serve(openstack::neutron_with_pages(world.clone(), page)).await;
        let endpoint = |service: &str, name: &str, url: &str| Endpoint {
            service: service.to_owned(),
            name: name.to_owned(),
            region: "RegionOne".to_owned(),
            url: url.to_owned(),
        };
        world.write(|s| {
            let identity = endpoint("identity", "keystone", &format!("{keystone}/v3"));
            s.keystone.catalog = vec![identity, endpoint("network", "neutron", &neutron)];
        });
        Self { world, keystone, neutron }
    }

    /// The service's login.
    pub fn keys(&self) -> Keys {
        Keys {
            auth_url: Some(format!("{}/v3", self.keystone)),
            username: Some("howdah".to_owned()),
            password: Some("service-secret".into()),
            project_name: Some("demo".to_owned()),
            ..Keys::default()
        }
    }

    /// The login of an ordinary member.
    pub fn member(&self) -> Keys {
        Keys { username: Some("demo".to_owned()), password: Some("demo-secret".into()), ..self.keys() }
    }

    pub fn client(&self) -> OpenStack {
        self.with(self.keys())
    }

    pub fn with(&self, keys: Keys) -> OpenStack {
        OpenStack::new(keys.settings(None).unwrap(), self.world.clock()).unwrap()
    }

    /// A requester's token.
    pub fn token(&self, user: &str) -> SecretString {
        let password = if user == "howdah" { "service-secret" } else { "demo-secret" };
        let method = Method::Password { user: user.to_owned(), password: password.to_owned() };
        self.world.issue_token(&method, Some("demo")).unwrap().id.into()
    }

    pub fn app_credential(&self) -> (String, String) {
        self.world.write(|s| {
            let (user, project) =
                (s.keystone.user("howdah").unwrap().id.clone(), s.keystone.project("demo").unwrap().id.clone());
            let made = AppCredential {
                id: "cred1".to_owned(),
                name: "for-howdah".to_owned(),
                secret: "app-secret".to_owned(),
                user,
                project,
                roles: vec!["admin".to_owned(), "member".to_owned()],
            };
            s.keystone.app_credentials.insert(made.id.clone(), made);
        });
        ("cred1".to_owned(), "app-secret".to_owned())
    }

    pub fn project(&self, name: &str) -> String {
        self.world.read(|s| s.keystone.project(name).unwrap().id.clone())
    }

    /// The network and subnet that are there from the start.
    pub fn data(&self) -> (NeutronNetwork, NeutronSubnet) {
        self.world.read(|s| {
            let network = s.neutron.networks.values().find(|n| n.name == "data").unwrap().clone();
            let subnet = s.neutron.subnets.values().find(|n| n.network == network.id).unwrap().clone();
            (network, subnet)
        })
    }

    /// One more, owned by a project.
    pub fn network(&self, name: &str, owner: &str, cidr: &str, shared: bool) -> (NeutronNetwork, NeutronSubnet) {
        let owner = self.project(owner);
        let caller = self.world.service();
        let body = NetworkBody { name: name.to_owned(), project: Some(owner), shared, ..NetworkBody::default() };
        let network = self.world.create_network(body, &caller).unwrap();
        let body = SubnetBody {
            network: network.id.clone(),
            name: format!("{name}-subnet"),
            cidr: cidr.to_owned(),
            ..SubnetBody::default()
        };
        let subnet = self.world.create_subnet(body, &caller).unwrap();
        (network, subnet)
    }

    /// A port as the service asks for it, on the network that is there from the start.
    pub fn request(&self, node: u8) -> PortRequest {
        let (network, subnet) = self.data();
        PortRequest {
            network: network.id.as_str().into(),
            subnet: subnet.id.as_str().into(),
            mac: format!("00:50:56:aa:00:{node:02x}").parse().unwrap(),
            address: None,
            name: format!("c-worker-{node}-port0"),
            project: self.project("demo").as_str().into(),
            device_owner: "compute:None".to_owned(),
            device_id: uuid::Uuid::from_u128(u128::from(node)),
            security_groups: vec![],
            description: format!("howdah/1 cluster=x node=c-worker-{node} nic=0"),
            host: None,
        }
    }

    pub fn calls(&self, system: System, method: &str) -> u64 {
        self.world.read(|s| s.counters.of(system, method))
    }

    /// A text in which what differs from run to run has fixed names.
    pub fn told(&self, text: &str) -> String {
        text.replace(&self.keystone, "KEYSTONE").replace(&self.neutron, "NEUTRON")
    }
}

/// An error as a person and a program see it.
pub fn shown(error: &RemoteError) -> String {
    let failure = Failure::from(error);
    format!("{} {:?}\n{}\n{}", error.code, error.kind, failure.message, failure.hint.as_deref().unwrap_or("-"))
}

/// A clock that is moved by hand.
pub struct Hands {
    start: Timestamp,
    stepped: AtomicI64,
    passed: AtomicU64,
}

impl Hands {
    pub fn at(start: Timestamp) -> Arc<Self> {
        Arc::new(Self { start, stepped: AtomicI64::new(0), passed: AtomicU64::new(0) })
    }

    /// Time goes by.
    pub fn forward(&self, seconds: u64) {
        self.passed.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Somebody sets the wall clock.
    pub fn step(&self, seconds: i64) {
        self.stepped.fetch_add(seconds, Ordering::SeqCst);
    }

    fn passed(&self) -> Duration {
        Duration::from_secs(self.passed.load(Ordering::SeqCst))
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        self.start + self.passed() + SignedDuration::from_secs(self.stepped.load(Ordering::SeqCst))
    }

    fn mono(&self) -> Mono {
        Mono::new(self.passed())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}
