//! Neutron's wire types: networks, subnets, ports, quotas, and their conversion to the core's types. No
//! I/O, no decisions.

use std::collections::BTreeMap;
use std::net::IpAddr;

use howdah_core::ids::{Mac, ProjectId};
use howdah_core::systems::networking::{Binding, FixedIp, Network, Port, PortChange, PortRequest, Quota, Subnet};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::pools::Pool;

#[derive(Debug, Deserialize)]
pub(crate) struct NetworkBody {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: String,
    project_id: Option<String>,
    tenant_id: Option<String>,
    #[serde(rename = "router:external", default)]
    pub(crate) external: bool,
}

/// Newer Neutrons have both, older ones only `tenant_id`.
fn owner(project: Option<String>, tenant: Option<String>) -> ProjectId {
    ProjectId::new(project.or(tenant).unwrap_or_default())
}

impl From<NetworkBody> for Network {
    fn from(b: NetworkBody) -> Self {
        let project = owner(b.project_id, b.tenant_id);
        Self { id: b.id.as_str().into(), name: b.name, project, external: b.external }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct SubnetBody {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) network_id: String,
    pub(crate) cidr: String,
    pub(crate) ip_version: u8,
    #[serde(default)]
    pub(crate) enable_dhcp: bool,
    #[serde(default)]
    pub(crate) allocation_pools: Vec<Pool>,
}

impl SubnetBody {
    pub(crate) fn with_use(self, used: u64) -> Subnet {
        Subnet {
            capacity: self.allocation_pools.iter().fold(0, |sum: u64, p| sum.saturating_add(p.size())),
            id: self.id.as_str().into(),
            name: self.name,
            network: self.network_id.as_str().into(),
            cidr: self.cidr,
            ip_version: self.ip_version,
            dhcp: self.enable_dhcp,
            used,
        }
    }

    /// How many of these ports' addresses belong to this subnet's pools.
    pub(crate) fn count(&self, ports: &[PortAddresses]) -> u64 {
        let ours =
            |ip: &&FixedIpBody| ip.subnet_id == self.id && self.allocation_pools.iter().any(|p| p.holds(ip.ip_address));
        ports.iter().flat_map(|p| &p.fixed_ips).filter(ours).count() as u64
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct GroupBody {
    pub(crate) id: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FixedIpBody {
    pub(crate) subnet_id: String,
    pub(crate) ip_address: IpAddr,
}

/// A port with only its addresses.
#[derive(Debug, Deserialize)]
pub(crate) struct PortAddresses {
    #[serde(default)]
    pub(crate) fixed_ips: Vec<FixedIpBody>,
}

/// A port without fields, for counting.
#[derive(Debug, Deserialize)]
pub(crate) struct PortThere {}

#[derive(Debug, Deserialize)]
pub(crate) struct PortBody {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    project_id: Option<String>,
    tenant_id: Option<String>,
    pub(crate) network_id: String,
    pub(crate) mac_address: Mac,
    #[serde(default)]
    pub(crate) fixed_ips: Vec<FixedIpBody>,
    pub(crate) device_owner: Option<String>,
    pub(crate) device_id: Option<String>,
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) security_groups: Vec<String>,
    pub(crate) vnic_index: Option<u32>,
    #[serde(default)]
    pub(crate) status: String,
    /// Its keys depend on the plugin.
    #[serde(rename = "binding:vif_details", default)]
    vif_details: Value,
    #[serde(rename = "binding:host_id")]
    host: Option<String>,
    #[serde(rename = "binding:vif_type")]
    vif_type: Option<String>,
}

impl From<PortBody> for Port {
    fn from(b: PortBody) -> Self {
        let fixed_ip = |ip: FixedIpBody| FixedIp { subnet: ip.subnet_id.as_str().into(), address: ip.ip_address };
        Self {
            id: b.id.as_str().into(),
            name: b.name.unwrap_or_default(),
            project: owner(b.project_id, b.tenant_id),
            network: b.network_id.as_str().into(),
            mac: b.mac_address,
            fixed_ips: b.fixed_ips.into_iter().map(fixed_ip).collect(),
            device_owner: b.device_owner.unwrap_or_default(),
            device_id: b.device_id.unwrap_or_default(),
            description: b.description.unwrap_or_default(),
            security_groups: b.security_groups.iter().map(|g| g.as_str().into()).collect(),
            vnic_index: b.vnic_index,
            status: b.status,
            binding: b.vif_type.map(|vif_type| Binding { host: b.host.unwrap_or_default(), vif_type }),
            logical_switch: b.vif_details["nsx-logical-switch-id"].as_str().map(str::to_owned),
        }
    }
}

/// The body to create a port. Without groups the key is omitted, which means the project's default. An
/// address that Neutron chooses is omitted too.
pub(crate) fn new_port(request: &PortRequest) -> Value {
    let mut fixed_ip = json!({"subnet_id": request.subnet.as_str()});
    if let Some(address) = request.address {
        fixed_ip["ip_address"] = address.to_string().into();
    }
    let mut port = json!({
        "network_id": request.network.as_str(),
        "fixed_ips": [fixed_ip],
        "mac_address": request.mac.to_string(),
        "name": request.name,
        "project_id": request.project.as_str(),
        "device_owner": request.device_owner,
        "device_id": request.device_id.to_string(),
        "description": request.description,
    });
    if let Some(host) = &request.host {
        port["binding:host_id"] = host.as_str().into();
    }
    if !request.security_groups.is_empty() {
        port["security_groups"] = request.security_groups.iter().map(|g| g.as_str()).collect();
    }
    port
}

/// The body to change a port: only the changed fields.
pub(crate) fn changed_port(change: &PortChange) -> Value {
    let mut port = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            port.insert(key.to_owned(), value);
        }
    };
    put("device_owner", change.device_owner.as_deref().map(Value::from));
    put("device_id", change.device_id.map(|id| id.to_string().into()));
    put("name", change.name.as_deref().map(Value::from));
    put("description", change.description.as_deref().map(Value::from));
    put("binding:host_id", change.host.as_deref().map(Value::from));
    put("security_groups", change.security_groups.as_ref().map(|g| g.iter().map(|g| g.as_str()).collect()));
    Value::Object(port)
}

#[derive(Debug, Deserialize)]
pub(crate) struct Extension {
    pub(crate) alias: String,
}

/// `GET /quotas/{project}/details.json`
#[derive(Debug, Deserialize)]
pub(crate) struct QuotaDetails {
    quota: QuotaOfPorts,
}

#[derive(Debug, Deserialize)]
struct QuotaOfPorts {
    port: Detail,
}

#[derive(Debug, Deserialize)]
struct Detail {
    limit: i64,
    #[serde(default)]
    used: u64,
    /// A string in some releases, a number in others.
    #[serde(default)]
    reserved: Value,
}

impl From<QuotaDetails> for Quota {
    fn from(b: QuotaDetails) -> Self {
        let d = b.quota.port;
        let reserved = d.reserved.as_u64().or_else(|| d.reserved.as_str()?.parse().ok()).unwrap_or(0);
        Self { limit: limit(d.limit), used: d.used + reserved }
    }
}

/// `GET /quotas/{project}`
#[derive(Debug, Deserialize)]
pub(crate) struct QuotaLimits {
    pub(crate) quota: BTreeMap<String, i64>,
}

/// Neutron uses -1 for "unlimited".
pub(crate) fn limit(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_port_says_all_that_the_back_ends_need() {
        let request = PortRequest {
            network: "n".into(),
            subnet: "s".into(),
            mac: "00:50:56:AA:00:01".parse().unwrap(),
            address: None,
            name: "c-w-0-port0".into(),
            project: "p".into(),
            device_owner: "compute:None".into(),
            device_id: uuid::Uuid::from_u128(1),
            security_groups: vec!["g".into()],
            description: "mark".into(),
            host: None,
        };
        insta::assert_snapshot!(new_port(&request), @r#"{"description":"mark","device_id":"00000000-0000-0000-0000-000000000001","device_owner":"compute:None","fixed_ips":[{"subnet_id":"s"}],"mac_address":"00:50:56:aa:00:01","name":"c-w-0-port0","network_id":"n","project_id":"p","security_groups":["g"]}"#);
        let again = PortRequest { address: Some("10.0.0.5".parse().unwrap()), ..request.clone() };
        assert_eq!(new_port(&again)["fixed_ips"], json!([{"subnet_id": "s", "ip_address": "10.0.0.5"}]));
        let bound = PortRequest { host: Some("esx-1".into()), ..request.clone() };
        assert_eq!(new_port(&bound)["binding:host_id"], "esx-1");
        assert!(new_port(&PortRequest { security_groups: vec![], ..request }).get("security_groups").is_none());
    }

    #[test]
    fn a_change_says_only_what_changes() {
        assert_eq!(changed_port(&PortChange::default()), json!({}));
        let change = PortChange { device_owner: Some("compute:None".into()), ..PortChange::default() };
        assert_eq!(changed_port(&change), json!({"device_owner": "compute:None"}));
        let change = PortChange { host: Some("esx-1".into()), ..PortChange::default() };
        assert_eq!(changed_port(&change), json!({"binding:host_id": "esx-1"}));
        let change = PortChange { security_groups: Some(vec![]), ..PortChange::default() };
        assert_eq!(changed_port(&change), json!({"security_groups": []}));
    }

    #[test]
    fn ports_of_older_and_newer_neutrons_read_alike() {
        let port = |extra: &str| {
            let text = format!(r#"{{"id": "i", "network_id": "n", "mac_address": "FA:16:3E:00:00:01"{extra}}}"#);
            Port::from(serde_json::from_str::<PortBody>(&text).unwrap())
        };
        assert_eq!(port(r#", "tenant_id": "p""#).project.as_str(), "p");
        let full = port(
            r#", "project_id": "p", "tenant_id": "p", "device_id": null, "vnic_index": 1, "fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.5"}]"#,
        );
        assert_eq!((full.vnic_index, full.device_id.as_str()), (Some(1), ""));
        assert_eq!((full.logical_switch, full.binding), (None, None));
        let bound = port(r#", "binding:vif_type": "unbound", "binding:host_id": null"#).binding;
        assert_eq!(bound, Some(Binding { host: String::new(), vif_type: "unbound".into() }));
        for (details, switch) in [("null", None), (r#"{"nsx-logical-switch-id": null}"#, None), ("{}", None)] {
            assert_eq!(port(&format!(r#", "binding:vif_details": {details}"#)).logical_switch, switch, "{details}");
        }
        let nsx_t = port(r#", "binding:vif_details": {"port_filter": true, "nsx-logical-switch-id": "ls-1"}"#);
        assert_eq!(nsx_t.logical_switch.as_deref(), Some("ls-1"));
        assert_eq!(full.fixed_ips[0].address.to_string(), "10.0.0.5");
    }

    #[test]
    fn only_addresses_of_the_pools_count_as_used() {
        let subnet: SubnetBody = serde_json::from_str(
            r#"{"id": "s", "network_id": "n", "cidr": "10.0.0.0/24", "ip_version": 4, "enable_dhcp": true,
                "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.9"}, {"start": "10.0.0.20", "end": "10.0.0.20"}]}"#,
        )
        .unwrap();
        let ports: Vec<PortAddresses> = serde_json::from_str(
            r#"[{"fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.1"}]},
                {"fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.2"}, {"subnet_id": "other", "ip_address": "10.0.0.3"}]},
                {"fixed_ips": []}]"#,
        )
        .unwrap();
        let used = subnet.count(&ports);
        let subnet = subnet.with_use(used);
        assert_eq!((subnet.capacity, subnet.used), (9, 1));
    }

    #[test]
    fn quotas_in_both_spellings() {
        let quota = |text: &str| Quota::from(serde_json::from_str::<QuotaDetails>(text).unwrap());
        let q = quota(r#"{"quota": {"port": {"limit": 500, "used": 3, "reserved": "2"}}}"#);
        assert_eq!((q.limit, q.used), (Some(500), 5));
        let q = quota(r#"{"quota": {"port": {"limit": -1, "used": 3, "reserved": 0}}}"#);
        assert_eq!((q.limit, q.used), (None, 3));
    }
}
