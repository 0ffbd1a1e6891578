//! Networks, subnets, quota and ports with the service's credentials.
//!
//! One request creates all ports of a wave; Neutron creates all of them or none. That request is never
//! repeated here: after a lost answer the caller checks which MAC addresses have ports.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use howdah_core::ids::{Mac, NetworkId, PortId, ProjectId, SubnetId};
use howdah_core::systems::Remote;
use howdah_core::systems::networking::Networking;
use howdah_core::systems::networking::{
    Network, NetworkingFeatures, Port, PortChange, PortQuery, PortRequest, Quota, Subnet,
};
use http::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::session::{As, Call};
use crate::wire::{
    Extension, NetworkBody, PortAddresses, PortBody, PortThere, QuotaDetails, QuotaLimits, SubnetBody, changed_port,
    limit, new_port,
};
use crate::{Error, OpenStack};

/// Neutron needs about a quarter of a second per port of a large wave; NSX-v retries its own calls
/// for more than a minute.
const LONG: Duration = Duration::from_secs(180);

/// The maximum number of MAC addresses in one query: more would exceed the servers' limit for URLs.
const MACS_A_QUERY: usize = 100;

/// `{"<key>": ...}`: every body of Neutron has its content under one key.
fn content(answer: &crate::answer::Answer, key: &str) -> Result<Value, Error> {
    let mut body: Value = answer.json()?;
    body.get_mut(key).map(Value::take).ok_or_else(|| answer.bad(format!("it has no `{key}`")))
}

fn read<T: DeserializeOwned>(answer: &crate::answer::Answer, key: &str) -> Result<T, Error> {
    serde_json::from_value(content(answer, key)?).map_err(|e| answer.bad(e.to_string()))
}

/// `Ok(None)` for a 404.
fn unless_absent<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.is_status(404) => Ok(None),
        Err(e) => Err(e),
    }
}

impl OpenStack {
    /// One object by its ID; `None` if it does not exist or is not visible.
    pub(crate) async fn show<T: DeserializeOwned>(
        &self,
        who: As<'_>,
        step: &'static str,
        kinds: &str,
        kind: &str,
        id: &str,
    ) -> Result<Option<T>, Error> {
        let answer = self.call(who, &Call::neutron(step, Method::GET, &[kinds, id])).await;
        unless_absent(answer)?.map(|a| read(&a, kind)).transpose()
    }

    /// All matching objects, page after page.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        who: As<'_>,
        step: &'static str,
        kinds: &str,
        query: Vec<(&'static str, String)>,
    ) -> Result<Vec<T>, Error> {
        self.list_as(who, step, kinds, kinds, query).await
    }

    /// The same for a body whose key differs from the path's word.
    pub(crate) async fn list_as<T: DeserializeOwned>(
        &self,
        who: As<'_>,
        step: &'static str,
        kinds: &str,
        key: &str,
        query: Vec<(&'static str, String)>,
    ) -> Result<Vec<T>, Error> {
        let mut call = Call::neutron(step, Method::GET, &[kinds]);
        let mut all = vec![];
        let mut markers = BTreeSet::new();
        call.query.clone_from(&query);
        loop {
            let answer = self.call(who, &call).await?;
            let mut body: Value = answer.json()?;
            let page = body.get_mut(key).map(Value::take);
            let page = page.ok_or_else(|| answer.bad(format!("it has no `{key}`")))?;
            all.extend(serde_json::from_value::<Vec<T>>(page).map_err(|e| answer.bad(e.to_string()))?);
            let Some(marker) = next_marker(&body, key) else {
                return Ok(all);
            };
            if !markers.insert(marker.clone()) {
                return Err(answer.bad("its pages form a loop".to_owned()));
            }
            call.query.clone_from(&query);
            call.query.extend(marker);
        }
    }

    /// The subnet with its use. The service counts it, because a requester sees only their own ports.
    pub(crate) async fn with_use(&self, subnet: SubnetBody) -> Result<Subnet, Error> {
        let query = vec![("fixed_ips", format!("subnet_id={}", subnet.id)), ("fields", "fixed_ips".to_owned())];
        let ports: Vec<PortAddresses> = self.list(As::Service, "count a subnet's ports", "ports", query).await?;
        let used = subnet.count(&ports);
        Ok(subnet.with_use(used))
    }

    async fn quota(&self, project: &ProjectId) -> Result<Option<Quota>, Error> {
        let step = "read a port quota";
        let details = Call::neutron(step, Method::GET, &["quotas", project.as_str(), "details.json"]);
        match self.call(As::Service, &details).await {
            Ok(answer) => return answer.json::<QuotaDetails>().map(|q| Some(q.into())),
            Err(e) if e.is_status(403) => return Ok(None),
            // Older Neutrons and some backends do not count.
            Err(e) if e.is_status(404) || e.is_status(400) => {}
            Err(e) => return Err(e),
        }
        let limits = Call::neutron(step, Method::GET, &["quotas", project.as_str()]);
        let limits: QuotaLimits = match self.call(As::Service, &limits).await {
            Ok(answer) => answer.json()?,
            Err(e) if e.is_status(403) || e.is_status(404) => return Ok(None),
            Err(e) => return Err(e),
        };
        let Some(ports) = limits.quota.get("port") else {
            return Ok(None);
        };
        let query = vec![("project_id", project.as_str().to_owned()), ("fields", "id".to_owned())];
        let used: Vec<PortThere> = self.list(As::Service, "count a project's ports", "ports", query).await?;
        Ok(Some(Quota { limit: limit(*ports), used: used.len() as u64 }))
    }
}

/// The query of the next page. Only the link's parameters are used: behind a proxy its host is often
/// unreachable, and it is not the configured one.
fn next_marker(body: &Value, key: &str) -> Option<Vec<(&'static str, String)>> {
    let links = body.get(format!("{key}_links"))?.as_array()?;
    let href = links.iter().find(|l| l["rel"] == "next")?["href"].as_str()?;
    let (_, query) = href.split_once('?')?;
    let mut found = vec![];
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match key.as_ref() {
            "marker" => found.push(("marker", value.into_owned())),
            "limit" => found.push(("limit", value.into_owned())),
            _ => {}
        }
    }
    found.iter().any(|(key, _)| *key == "marker").then_some(found)
}

#[async_trait]
impl Networking for OpenStack {
    async fn features(&self) -> Remote<NetworkingFeatures> {
        let query = vec![("fields", "alias".to_owned())];
        let extensions: Vec<Extension> = self.list(As::Service, "list the extensions", "extensions", query).await?;
        Ok(NetworkingFeatures { vnic_index: extensions.iter().any(|e| e.alias == "vnic-index") })
    }

    async fn network(&self, id: &NetworkId) -> Remote<Option<Network>> {
        let found = self.show::<NetworkBody>(As::Service, "read a network", "networks", "network", id.as_str()).await?;
        Ok(found.map(Network::from))
    }

    async fn subnet(&self, id: &SubnetId) -> Remote<Option<Subnet>> {
        let found = self.show::<SubnetBody>(As::Service, "read a subnet", "subnets", "subnet", id.as_str()).await?;
        match found {
            Some(subnet) => Ok(Some(self.with_use(subnet).await?)),
            None => Ok(None),
        }
    }

    async fn port_quota(&self, project: &ProjectId) -> Remote<Option<Quota>> {
        Ok(self.quota(project).await?)
    }

    async fn ports(&self, query: &PortQuery) -> Remote<Vec<Port>> {
        let step = "list ports";
        let network = query.network.as_ref().map(|n| ("network_id", n.as_str().to_owned()));
        if query.macs.is_empty() {
            let ports: Vec<PortBody> = self.list(As::Service, step, "ports", network.into_iter().collect()).await?;
            return Ok(ports.into_iter().map(Port::from).collect());
        }
        let mut found = vec![];
        for macs in query.macs.chunks(MACS_A_QUERY) {
            let macs = macs.iter().map(|m| ("mac_address", m.to_string()));
            let query = network.clone().into_iter().chain(macs).collect();
            let ports: Vec<PortBody> = self.list(As::Service, step, "ports", query).await?;
            found.extend(ports.into_iter().map(Port::from));
        }
        Ok(found)
    }

    async fn create_ports(&self, requests: &[PortRequest]) -> Remote<Vec<Port>> {
        if requests.is_empty() {
            return Ok(vec![]);
        }
        // Also on two networks: NSX-v allows a MAC address only once over all networks.
        let mut macs = BTreeSet::new();
        if let Some(twice) = requests.iter().find(|r| !macs.insert(r.mac)) {
            return Err(Error::SameMac { mac: twice.mac }.into());
        }
        let ports: Vec<Value> = requests.iter().map(new_port).collect();
        let call =
            Call::neutron("create ports", Method::POST, &["ports"]).body(json!({ "ports": ports })).deadline(LONG);
        let answer = self.call(As::Service, &call).await?;
        let made: Vec<PortBody> = read(&answer, "ports")?;
        let mut made: BTreeMap<Mac, Port> = made.into_iter().map(|p| (p.mac_address, Port::from(p))).collect();
        let of =
            |r: &PortRequest| made.remove(&r.mac).ok_or_else(|| answer.bad(format!("it has no port of {}", r.mac)));
        Ok(requests.iter().map(of).collect::<Result<_, _>>()?)
    }

    async fn update_port(&self, id: &PortId, change: &PortChange) -> Remote<Port> {
        let call = Call::neutron("change a port", Method::PUT, &["ports", id.as_str()])
            .body(json!({"port": changed_port(change)}))
            .deadline(LONG);
        let answer = self.call(As::Service, &call).await?;
        Ok(read::<PortBody>(&answer, "port").map(Port::from)?)
    }

    async fn set_vnic_index(&self, id: &PortId, index: u32) -> Remote<Option<u32>> {
        // A separate request: NSX-v's plugin ignores it together with other fields.
        let call = Call::neutron("set a port's vnic_index", Method::PUT, &["ports", id.as_str()])
            .body(json!({"port": {"vnic_index": index}}))
            .deadline(LONG);
        self.call(As::Service, &call).await?;
        // The plugin also answers 200 if it did nothing, so only a new read counts.
        let call = Call::neutron("read a port", Method::GET, &["ports", id.as_str()]);
        let answer = self.call(As::Service, &call).await?;
        Ok(read::<PortBody>(&answer, "port")?.vnic_index)
    }

    async fn delete_port(&self, id: &PortId) -> Remote<()> {
        let call = Call::neutron("delete a port", Method::DELETE, &["ports", id.as_str()]).deadline(LONG);
        match unless_absent(self.call(As::Service, &call).await)? {
            Some(answer) => Ok(answer.nothing()?),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_gives_its_marker_and_never_its_host() {
        let body = json!({"ports_links": [
            {"rel": "previous", "href": "http://evil/v2.0/ports?marker=a"},
            {"rel": "next", "href": "http://evil/v2.0/ports?limit=2&marker=b&x=1"}]});
        let expected = vec![("limit", "2".to_owned()), ("marker", "b".to_owned())];
        assert_eq!(next_marker(&body, "ports"), Some(expected));
        assert_eq!(next_marker(&json!({"ports": []}), "ports"), None);
    }
}
