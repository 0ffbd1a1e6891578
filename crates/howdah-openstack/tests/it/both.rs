//! Both implementations of the core's traits behind one: [`Both`] passes each call to the simulated
//! OpenStack in process and to the production client over its HTTP face, and writes down where they differ.
//!
//! The two have a world each; the worlds are made alike and have to be treated alike. Because the traits
//! are implemented here in full, a new method does not compile before it is compared.

use std::fmt::Debug;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use howdah_core::ids::{NetworkId, PortId, ProjectId, SubnetId};
use howdah_core::rights::Standing;
use howdah_core::systems::Remote;
use howdah_core::systems::identity::{Identity, NetworkGrant, NetworkWish, Principal};
use howdah_core::systems::networking::{
    Network, Networking, NetworkingFeatures, Port, PortChange, PortQuery, PortRequest, Quota, Subnet,
};
use howdah_openstack::OpenStack;
use howdah_sim::inprocess::{SimIdentity, SimNetworking};
use howdah_sim::world::faults::FaultRule;
use howdah_sim::{SiteSettings, World};
use jiff::Timestamp;
use secrecy::SecretString;

use crate::site::Site;

pub struct Both {
    pub here: Site,
    pub there: Site,
    ports: SimNetworking,
    people: SimIdentity,
    wire: OpenStack,
    /// Faults are injected: see [`Both::inject`].
    faulty: AtomicBool,
    said: Mutex<Vec<String>>,
    differences: Mutex<Vec<String>>,
}

fn shown<T: Debug>(result: &Remote<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(e) => format!("{} {:?} {}", e.system, e.kind, e.code),
    }
}

/// The same in few words, for the table: of a long value only what kind it is.
fn end<T: Debug>(result: &Remote<T>) -> String {
    let whole = shown(result);
    if result.is_err() || whole.len() <= 20 {
        return whole;
    }
    format!("{}...", whole.split(['(', '{', '[']).next().unwrap_or_default())
}

impl Both {
    pub async fn of(settings: SiteSettings) -> Self {
        let (here, there) = (Site::of(settings.clone(), None).await, Site::of(settings, None).await);
        let (ports, people) = (SimNetworking::new(here.world.clone()), SimIdentity::new(here.world.clone()));
        let wire = there.client();
        Self {
            here,
            there,
            ports,
            people,
            wire,
            faulty: AtomicBool::new(false),
            said: Mutex::default(),
            differences: Mutex::default(),
        }
    }

    /// Does the same to both worlds; what came of it must be the same.
    #[track_caller]
    pub fn prepare<T: PartialEq + Debug>(&self, prepare: impl Fn(&Site) -> T) -> T {
        let done = prepare(&self.here);
        assert_eq!(done, prepare(&self.there), "the worlds are alike");
        done
    }

    /// The same for the worlds themselves.
    pub fn change(&self, change: impl Fn(&World)) {
        change(&self.here.world);
        change(&self.there.world);
    }

    /// From now on this rule meets the calls of both worlds. The injected error has one code in process, and
    /// what it looks like on the wire has others: so the kinds are compared, and what follows from them.
    pub fn inject(&self, rule: &FaultRule) {
        self.change(|w| {
            w.write(|s| s.faults.add(rule.clone()));
        });
        self.faulty.store(true, Ordering::SeqCst);
    }

    /// The kinds of both sides. They may differ if the client handles a refusal itself; but the client must not
    /// report a possible effect, or a transient failure, that the simulation does not have.
    fn kinds<T>(&self, call: &str, within: &Remote<T>, wire: &Remote<T>) {
        let word = |r: &Remote<T>| r.as_ref().map_or_else(|e| format!("{:?}", e.kind), |_| "fine".to_owned());
        let (left, right) = (word(within), word(wire));
        let row = if left == right { left } else { format!("{left} in process, {right} on the wire") };
        if let (Err(within), Err(wire)) = (within, wire)
            && (wire.kind.is_ambiguous(), wire.kind.is_transient())
                != (within.kind.is_ambiguous(), within.kind.is_transient())
        {
            self.differences.lock().unwrap().push(format!("{call}: {row}"));
        }
        self.said.lock().unwrap().push(format!("{call}: {row}"));
    }

    fn compared<T: Debug>(&self, call: String, within: Remote<T>, wire: Remote<T>) -> Remote<T> {
        if self.faulty.load(Ordering::SeqCst) {
            self.kinds(&call, &within, &wire);
            return within;
        }
        let (left, right) = (shown(&within), shown(&wire));
        if left != right {
            let difference = format!("{call}\n  in process  {left}\n  on the wire {right}");
            self.differences.lock().unwrap().push(difference);
        }
        self.said.lock().unwrap().push(format!("{call}: {}", end(&within)));
        within
    }

    /// How each call ended; fails if any two ends differ.
    #[track_caller]
    pub fn rows(self) -> String {
        let differences = self.differences.into_inner().unwrap();
        assert!(differences.is_empty(), "{}", differences.join("\n"));
        self.said.into_inner().unwrap().join("\n")
    }

    /// Says what the calls that follow are about.
    pub fn about(&self, what: &str) {
        self.said.lock().unwrap().push(format!("# {what}"));
    }
}

/// In which order ports are listed is not said.
fn sorted(mut ports: Vec<Port>) -> Vec<Port> {
    ports.sort_by(|a, b| a.id.cmp(&b.id));
    ports
}

/// The worlds' clocks run, so the end of a token is a little later in one of them.
fn timeless(mut principal: Principal) -> Principal {
    principal.expires = principal.expires.map(|_| Timestamp::UNIX_EPOCH);
    principal
}

#[async_trait]
impl Networking for Both {
    async fn features(&self) -> Remote<NetworkingFeatures> {
        self.compared("features".to_owned(), self.ports.features().await, self.wire.features().await)
    }

    async fn network(&self, id: &NetworkId) -> Remote<Option<Network>> {
        self.compared("network".to_owned(), self.ports.network(id).await, self.wire.network(id).await)
    }

    async fn subnet(&self, id: &SubnetId) -> Remote<Option<Subnet>> {
        self.compared("subnet".to_owned(), self.ports.subnet(id).await, self.wire.subnet(id).await)
    }

    async fn port_quota(&self, project: &ProjectId) -> Remote<Option<Quota>> {
        let within = self.ports.port_quota(project).await;
        self.compared("port_quota".to_owned(), within, self.wire.port_quota(project).await)
    }

    async fn ports(&self, query: &PortQuery) -> Remote<Vec<Port>> {
        let (within, wire) = (self.ports.ports(query).await, self.wire.ports(query).await);
        self.compared("ports".to_owned(), within.map(sorted), wire.map(sorted))
    }

    async fn create_ports(&self, requests: &[PortRequest]) -> Remote<Vec<Port>> {
        let within = self.ports.create_ports(requests).await;
        self.compared("create_ports".to_owned(), within, self.wire.create_ports(requests).await)
    }

    async fn update_port(&self, id: &PortId, change: &PortChange) -> Remote<Port> {
        let within = self.ports.update_port(id, change).await;
        self.compared("update_port".to_owned(), within, self.wire.update_port(id, change).await)
    }

    async fn set_vnic_index(&self, id: &PortId, index: u32) -> Remote<Option<u32>> {
        let within = self.ports.set_vnic_index(id, index).await;
        self.compared("set_vnic_index".to_owned(), within, self.wire.set_vnic_index(id, index).await)
    }

    async fn delete_port(&self, id: &PortId) -> Remote<()> {
        self.compared("delete_port".to_owned(), self.ports.delete_port(id).await, self.wire.delete_port(id).await)
    }
}

#[async_trait]
impl Identity for Both {
    async fn authenticate(&self, token: &SecretString) -> Remote<Principal> {
        let (within, wire) = (self.people.authenticate(token).await, self.wire.authenticate(token).await);
        self.compared("authenticate".to_owned(), within.map(timeless), wire.map(timeless))
    }

    async fn authenticate_anew(&self, token: &SecretString) -> Remote<Principal> {
        let (within, wire) = (self.people.authenticate_anew(token).await, self.wire.authenticate_anew(token).await);
        self.compared("authenticate_anew".to_owned(), within.map(timeless), wire.map(timeless))
    }

    async fn still_may(&self, user: &str, project: &ProjectId) -> Remote<Standing> {
        let within = self.people.still_may(user, project).await;
        self.compared("still_may".to_owned(), within, self.wire.still_may(user, project).await)
    }

    fn recall(&self, token: &SecretString) -> Option<Principal> {
        // What an adapter remembers is its own affair, and the one in process remembers nothing.
        self.wire.recall(token).map(timeless)
    }

    async fn own_login(&self) -> Remote<()> {
        self.compared("own_login".to_owned(), self.people.own_login().await, self.wire.own_login().await)
    }

    async fn grant(&self, token: Option<&SecretString>, wish: &NetworkWish) -> Remote<NetworkGrant> {
        let within = self.people.grant(token, wish).await;
        self.compared("grant".to_owned(), within, self.wire.grant(token, wish).await)
    }
}
