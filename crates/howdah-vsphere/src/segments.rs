//! Reads the port groups and opaque networks of every datacenter, and which compute clusters use them, always in
//! three calls: create a view of the datacenters and clusters, retrieve from there and through the network
//! folders, destroy the view.
//! Invariant: it never reads hosts, VMs or VM folders.

use std::collections::{BTreeMap, BTreeSet};

use howdah_core::ids::SegmentKey;
use howdah_core::systems::vcenter::Segment;

use crate::error::Error;
use crate::fault::FaultKind;
use crate::request::{self, Ref};
use crate::retrieve::{Object, Wanted, retrieve_in};
use crate::session::{Live, Session};
use crate::vm::unescape;
use crate::xml::Element;

const CLUSTER: &str = "ClusterComputeResource";
const PORT_GROUP: &[&str] = &["name", "parent", "key", "config.distributedVirtualSwitch"];
/// Since API version 7.0; older servers refuse a request with them.
const PORT_GROUP_NSX: &[&str] = &["config.segmentId", "config.logicalSwitchUuid"];

/// All segments; with a `switch` (name or reference) only its segments, and opaque networks, which have no
/// switch.
pub(crate) async fn segments(session: &Session, switch: Option<&str>) -> Result<Vec<Segment>, Error> {
    let live = session.live().await?;
    match segments_in(session, &live, switch).await {
        Err(e) if e.fault_kind() == Some(FaultKind::NotAuthenticated) => {
            session.bury(&live).await;
            let live = session.live().await?;
            segments_in(session, &live, switch).await
        }
        other => other,
    }
}

async fn segments_in(session: &Session, live: &Live, switch: Option<&str>) -> Result<Vec<Segment>, Error> {
    let content = &live.content;
    let made = session
        .call_in(live, &request::container_view(&content.views, &content.root, &["Datacenter", CLUSTER]))
        .await?;
    let view = made
        .child("returnval")
        .and_then(Ref::read)
        .ok_or_else(|| Error::Incomplete { method: "CreateContainerView".to_owned(), missing: "returnval" })?;
    let retrieved = match retrieve_in(session, live, &wanted(&view, true)).await {
        Err(e) if e.fault_kind() == Some(FaultKind::InvalidProperty) => {
            retrieve_in(session, live, &wanted(&view, false)).await
        }
        other => other,
    };
    // A remaining view ends with its session at the latest.
    if let Err(error) = session.call_in(live, &request::plain("DestroyView", &view)).await {
        tracing::debug!(%error, "could not remove a view");
    }
    Ok(read(&retrieved?, switch))
}

fn wanted(view: &Ref, nsx: bool) -> Wanted {
    let port_group: Vec<&str> = PORT_GROUP.iter().chain(PORT_GROUP_NSX.iter().filter(|_| nsx)).copied().collect();
    let down = request::traversal(
        "networks",
        "Datacenter",
        "networkFolder",
        vec![request::traversal("children", "Folder", "childEntity", vec![request::selection("children")])],
    );
    Wanted {
        properties: vec![
            request::properties("Datacenter", &["name"]),
            request::properties(CLUSTER, &["name", "network"]),
            request::properties("Folder", &["parent"]),
            request::properties("DistributedVirtualSwitch", &["name"]),
            request::properties("DistributedVirtualPortgroup", &port_group),
            request::properties("OpaqueNetwork", &["name", "parent", "summary"]),
        ],
        objects: request::viewed(view, vec![down]),
    }
}

fn read(objects: &[Object], switch: Option<&str>) -> Vec<Segment> {
    let named = |ty: &str| -> BTreeMap<&str, String> {
        let of_type = objects.iter().filter(|o| o.obj.ty.ends_with(ty));
        of_type.map(|o| (o.obj.value.as_str(), o.text("name").map(unescape).unwrap_or_default())).collect()
    };
    let datacenters = named("Datacenter");
    let switches = named("DistributedVirtualSwitch");
    let parents: BTreeMap<&str, Ref> =
        objects.iter().filter_map(|o| Some((o.obj.value.as_str(), o.reference("parent")?))).collect();
    let datacenter_of = |object: &Object| {
        let mut at = parents.get(object.obj.value.as_str());
        // Folders should form a tree; the limit guards against a cycle.
        for _ in 0..64 {
            let Some(parent) = at else { break };
            if let Some(name) = datacenters.get(parent.value.as_str()) {
                return name.clone();
            }
            at = parents.get(parent.value.as_str());
        }
        String::new()
    };
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for cluster in objects.iter().filter(|o| o.obj.ty == CLUSTER) {
        for network in cluster.references("network") {
            users.entry(network.value).or_default().extend(cluster.text("name").map(unescape));
        }
    }
    let clusters = |own: &str| users.get(own).cloned().unwrap_or_default();
    let is_wanted = |moref: &str| switch.is_none_or(|w| w == moref || switches.get(moref).is_some_and(|n| n == w));

    let mut found = Vec::new();
    for object in objects {
        let own = object.obj.value.as_str();
        let name = object.text("name").map(unescape).unwrap_or_default();
        match object.obj.ty.as_str() {
            "DistributedVirtualPortgroup" => {
                let switch = object.reference("config.distributedVirtualSwitch").map(|r| r.value);
                if switch.as_deref().is_some_and(|s| !is_wanted(s)) {
                    continue;
                }
                found.push(Segment {
                    key: SegmentKey::new(object.text("key").unwrap_or(own)),
                    name,
                    switch,
                    datacenter: datacenter_of(object),
                    segment_id: object.text("config.segmentId").map(str::to_owned),
                    logical_switch: object.text("config.logicalSwitchUuid").map(str::to_owned),
                    clusters: clusters(own),
                });
            }
            "OpaqueNetwork" => {
                let id = object.properties.get("summary").and_then(|s| opaque_id(s)).unwrap_or(own);
                found.push(Segment {
                    key: SegmentKey::new(id),
                    name,
                    switch: None,
                    datacenter: datacenter_of(object),
                    segment_id: None,
                    logical_switch: Some(id.to_owned()),
                    clusters: clusters(own),
                });
            }
            _ => {}
        }
    }
    found
}

fn opaque_id(summary: &Element) -> Option<&str> {
    summary.text_of("opaqueNetworkId").filter(|t| !t.is_empty())
}
