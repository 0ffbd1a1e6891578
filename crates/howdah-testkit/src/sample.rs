//! Sample values of the core's types. Invariant: the same number gives the same value, and different numbers
//! give clusters that do not collide.

use howdah_core::event::{Event, Level};
use howdah_core::ids::{ClusterId, ClusterKey, OperationId};
use howdah_core::systems::networking::{Network, Subnet};
use howdah_core::wanted::{ClusterRecord, ClusterSpec, OperationKind, OperationRequest, RemedyPolicy, Shape, WaitFor};
use jiff::Timestamp;
use uuid::Uuid;

/// The ID of cluster `n`.
pub fn id(n: u128) -> ClusterId {
    ClusterId(Uuid::from_u128(n))
}

/// The key that [`record`] of the same number has.
pub fn key(n: u128) -> ClusterKey {
    key_in("p1", n)
}

/// The same ID in a project.
pub fn key_in(project: &str, n: u128) -> ClusterKey {
    ClusterKey { project: project.into(), id: id(n) }
}

/// A moment.
pub fn time(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

/// A request for an operation.
pub fn operation(n: u128, kind: OperationKind) -> OperationRequest {
    OperationRequest { id: OperationId(Uuid::from_u128(n)), kind, requested: time(0), by: None, request: None }
}

/// Cluster `n` of project `p1` on site `main`, whose nodes are left to the distribution. Its create is operation
/// `100 + n`.
pub fn record(n: u128, name: &str) -> ClusterRecord {
    let network = Network { id: "net-1".into(), name: "apps".into(), project: "p1".into(), external: false };
    let subnet = Subnet {
        id: "sub-1".into(),
        name: "apps-v4".into(),
        network: network.id.clone(),
        cidr: "10.0.0.0/24".into(),
        ip_version: 4,
        dhcp: true,
        capacity: 253,
        used: 2,
    };
    ClusterRecord {
        id: id(n),
        site: "main".into(),
        project: "p1".into(),
        name: name.parse().unwrap(),
        spec: ClusterSpec {
            distro: "bigtop".into(),
            app_manager: None,
            network,
            subnet,
            security_groups: vec![],
            resource_pools: vec![],
            datastores: vec![],
            specification: None,
            secrets: None,
            wait_for: WaitFor::Addresses,
            remedy: RemedyPolicy::Auto,
        },
        shape: Shape::first(vec![]),
        operation: operation(100 + n, OperationKind::Create),
        created: time(i64::try_from(n).unwrap()),
    }
}

/// An event.
pub fn event(reason: &str) -> Event {
    Event { at: time(1), level: Level::Info, reason: reason.into(), node: None, message: format!("It was {reason}.") }
}
