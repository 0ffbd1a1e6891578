//! Converts a request's body to a cluster's record, and compares it with the existing one.
//! Pure except for the files of 2015-style templates. Invariant: every check that needs no remote system is
//! here, and runs before any call.

use std::collections::BTreeSet;

use howdah_api::{ClusterBody, NodeGroupBody, Remedy, State};
use howdah_core::event::{Event, Level};
use howdah_core::ids::{ClusterKey, ClusterName, GroupName};
use howdah_core::mark::MarkKey;
use howdah_core::sealed::SealedSecrets;
use howdah_core::specification::{SealedSpecification, Specification};
use howdah_core::systems::identity::{NetworkGrant, NetworkWish};
use howdah_core::systems::manager::{Demand, ManagedSpec};
use howdah_core::wanted::{ClusterRecord, ClusterSpec, Goal, NodeGroup, RemedyPolicy, Secrets, Shape, WaitFor};
use howdah_serengeti::body::{Body, NODES_LIMIT, Rules};
use howdah_serengeti::names::check_password;
use jiff::Timestamp;
use secrecy::SecretString;

use super::{ApiError, bounds};
use crate::config::Templates;
use crate::sites::Choice;

/// A checked body.
pub(super) struct Wish {
    pub(super) name: ClusterName,
    pub(super) network: NetworkWish,
    node_groups: Vec<NodeGroup>,
    remedy: RemedyPolicy,
    wait_for: WaitFor,
    specification: Option<Specification>,
    body: ClusterBody,
}

impl Wish {
    /// Checks a body.
    pub(super) fn read(mut body: ClusterBody) -> Result<Self, ApiError> {
        bounds::check(&body)?;
        let name = body.name.parse().map_err(|e: howdah_core::ids::NameError| invalid("name", e.to_string()))?;
        for (field, value) in
            [("cluster_type", &body.cluster_type), ("network", &body.network), ("subnet", &body.subnet)]
        {
            if value.trim().is_empty() {
                return Err(invalid(field, "must not be empty"));
            }
        }
        let node_groups = groups(body.node_groups.take().unwrap_or_default())?;
        // In templates an empty string means none.
        for word in [&mut body.app_manager, &mut body.username, &mut body.vio_config, &mut body.bde_config] {
            *word = word.take().filter(|w| !w.is_empty());
        }
        if let Some(password) = &body.cluster_password {
            // BDE checks it only after the VMs exist.
            check_password(password).map_err(|rule| invalid("cluster_password", rule.to_string()))?;
        }
        let network = NetworkWish {
            network: body.network.clone(),
            subnet: body.subnet.clone(),
            security_groups: once(&body.security_groups),
        };
        Ok(Self {
            name,
            network,
            node_groups,
            remedy: body.remedy.map_or_else(RemedyPolicy::default, remedy),
            wait_for: body.wait_for.map_or_else(WaitFor::default, wait_for),
            specification: body.specification.take().map(|fields| Specification::new(fields.0)),
            body,
        })
    }

    /// The requested state.
    pub(super) fn wanted(&self) -> Goal {
        wanted(self.body.state)
    }

    /// The fields that select the site.
    pub(super) fn choice(&self) -> Choice<'_> {
        choice(&self.body)
    }

    /// The cluster's demand, read from the body that BDE would get; the network does not matter for it. Makes
    /// no call.
    pub(super) fn demand(&self, rules: &Rules) -> Result<Demand, ApiError> {
        let body = &self.body;
        let spec = ManagedSpec {
            name: self.name.clone(),
            distro: body.cluster_type.clone(),
            app_manager: body.app_manager.clone(),
            resource_pools: body.resource_pools.clone().unwrap_or_default(),
            datastores: body.datastores.clone().unwrap_or_default(),
            network: String::new(),
            node_groups: self.node_groups.clone(),
            password: None,
            specification: self.specification.clone(),
        };
        Ok(Body::build(&spec, rules)?.demand)
    }

    /// The record's fixed part, with the specification's digest.
    pub(super) fn spec(
        &self,
        marks: &MarkKey,
        key: &ClusterKey,
        grant: NetworkGrant,
        specification: Option<SealedSpecification>,
    ) -> Result<ClusterSpec, ApiError> {
        if grant.subnet.network != grant.network.id {
            return Err(ApiError::SubnetElsewhere { subnet: grant.subnet.name, network: grant.network.name });
        }
        Ok(ClusterSpec {
            distro: self.body.cluster_type.clone(),
            app_manager: self.body.app_manager.clone(),
            network: grant.network,
            subnet: grant.subnet,
            security_groups: grant.security_groups,
            resource_pools: self.body.resource_pools.clone().unwrap_or_default(),
            datastores: self.body.datastores.clone().unwrap_or_default(),
            specification,
            secrets: Some(self.sealed_secrets(marks, key)),
            wait_for: self.wait_for,
            remedy: self.remedy,
        })
    }

    /// The record's initial shape.
    pub(super) fn shape(&self) -> Shape {
        Shape::first(self.node_groups.clone())
    }

    fn sealed_secrets(&self, marks: &MarkKey, key: &ClusterKey) -> SealedSecrets {
        SealedSecrets::of(marks, key, self.body.cluster_password.as_ref(), self.body.password.as_ref())
    }

    /// The specification's part of the record.
    pub(super) fn sealed(&self, marks: &MarkKey, key: &ClusterKey, demand: &Demand) -> Option<SealedSpecification> {
        self.specification.as_ref().map(|s| s.sealed(marks, key, demand.nodes))
    }

    /// Whether the names of network, subnet and groups equal the record's: the comparison then needs no
    /// lookup.
    pub(super) fn names_the_same(&self, record: &ClusterRecord) -> bool {
        let spec = &record.spec;
        let known: Vec<_> = spec.security_groups.iter().map(|g| g.as_str()).collect();
        self.network.network == spec.network.id.as_str()
            && self.network.subnet == spec.subnet.id.as_str()
            && same(&self.network.security_groups, &known)
    }

    /// The fields in which the record differs; the grant is `None` if
    /// [`names_the_same`](Self::names_the_same) is true.
    pub(super) fn differences(
        &self,
        record: &ClusterRecord,
        site: Option<&str>,
        grant: Option<&NetworkGrant>,
        marks: &MarkKey,
    ) -> Vec<&'static str> {
        let (body, spec) = (&self.body, &record.spec);
        // The fields may have been deleted; the record keeps their digest.
        let digest = self.specification.as_ref().map(|s| s.digest(marks, &record.key()));
        // A repeated request may omit a password; older records have no digest to compare with.
        let asked = self.sealed_secrets(marks, &record.key());
        let known = spec.secrets.as_ref().unwrap_or(&asked);
        let is_another = |asked: &Option<String>, known: &Option<String>| asked.is_some() && asked != known;
        let empty = Vec::new();
        let groups_differ = grant.is_some_and(|g| {
            let ids = |all: &[howdah_core::ids::SecurityGroupId]| -> BTreeSet<String> {
                all.iter().map(ToString::to_string).collect()
            };
            ids(&g.security_groups) != ids(&spec.security_groups)
        });
        let checks = [
            ("name", self.name != record.name),
            ("site", site.is_some_and(|s| s != record.site.as_str())),
            ("cluster_type", body.cluster_type != spec.distro),
            ("network", grant.is_some_and(|g| g.network.id != spec.network.id)),
            ("subnet", grant.is_some_and(|g| g.subnet.id != spec.subnet.id)),
            ("security_groups", groups_differ),
            ("resource_pools", !same(body.resource_pools.as_ref().unwrap_or(&empty), &spec.resource_pools)),
            ("datastores", !same(body.datastores.as_ref().unwrap_or(&empty), &spec.datastores)),
            ("node_groups", self.node_groups != record.shape.node_groups),
            ("app_manager", body.app_manager != spec.app_manager),
            ("remedy", self.remedy != spec.remedy),
            ("wait_for", self.wait_for != spec.wait_for),
            ("specification", digest.as_ref() != spec.specification.as_ref().map(|s| &s.digest)),
            ("cluster_password", is_another(&asked.cluster_password, &known.cluster_password)),
            ("password", is_another(&asked.password, &known.password)),
        ];
        checks.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect()
    }

    /// The secrets to store, and the warnings.
    pub(super) fn secrets(&self, templates: &Templates, now: Timestamp) -> (Secrets, Vec<Event>) {
        let body = &self.body;
        let mut secrets = Secrets {
            cluster_password: body.cluster_password.clone(),
            credentials: None,
            specification: self.specification.clone(),
        };
        let mut warnings = Vec::new();
        let mut warn = |reason: &str, message: String| {
            let (at, level, reason) = (now, Level::Warning, reason.to_owned());
            warnings.push(Event { at, level, reason, node: None, message });
        };
        match (&body.username, &body.password) {
            (None, None) => {}
            _ if !templates.credentials => warn(
                "credentials_ignored",
                "ignoring username and password: the service uses the operator's credentials (templates.credentials is false)"
                    .to_owned(),
            ),
            (Some(user), Some(password)) => secrets.credentials = Some((user.clone(), password.clone())),
            _ => warn("credentials_ignored", "ignoring username and password: one of them is missing".to_owned()),
        }
        if let Some(path) = &body.bde_config {
            match self.bde_file(templates, path) {
                Ok(credentials) => secrets.credentials = secrets.credentials.or(Some(credentials)),
                Err(why) => warn("bde_config_ignored", format!("ignoring bde_config: {why}")),
            }
        }
        if body.vio_config.is_some() {
            warn(
                "vio_config_ignored",
                "ignoring vio_config: the service looks the network up with the requester's token and creates ports with \
                its own credentials"
                    .to_owned(),
            );
        }
        (secrets, warnings)
    }

    fn bde_file(&self, templates: &Templates, path: &str) -> Result<(String, SecretString), String> {
        if !templates.credentials {
            return Err("the service uses the operator's credentials (templates.credentials is false)".to_owned());
        }
        templates.bde_credentials(path).map_err(|e| e.to_string())
    }
}

/// The fields of a body that select the site.
pub(super) fn choice(body: &ClusterBody) -> Choice<'_> {
    fn given(word: &Option<String>) -> Option<&str> {
        word.as_deref().filter(|word| !word.trim().is_empty())
    }
    Choice { site: given(&body.site), bde_endpoint: given(&body.bde_endpoint), vcm_server: given(&body.vcm_server) }
}

/// The core's value.
pub(super) const fn wanted(state: State) -> Goal {
    match state {
        State::Running => Goal::Running,
        State::Stopped => Goal::Stopped,
    }
}

const fn remedy(word: Remedy) -> RemedyPolicy {
    match word {
        Remedy::Auto => RemedyPolicy::Auto,
        Remedy::Bounce => RemedyPolicy::Bounce,
        Remedy::Off => RemedyPolicy::Off,
    }
}

const fn wait_for(word: howdah_api::WaitFor) -> WaitFor {
    match word {
        howdah_api::WaitFor::Addresses => WaitFor::Addresses,
        howdah_api::WaitFor::Services => WaitFor::Services,
    }
}

fn invalid(field: &str, says: impl Into<String>) -> ApiError {
    ApiError::InvalidField { field: field.to_owned(), says: says.into() }
}

/// Each entry once, in order: each costs a lookup.
fn once(words: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    words.iter().filter(|word| seen.insert(word.as_str())).cloned().collect()
}

fn same<A: AsRef<str>, B: AsRef<str>>(one: &[A], other: &[B]) -> bool {
    let set = |all: &mut dyn Iterator<Item = String>| all.collect::<BTreeSet<_>>();
    set(&mut one.iter().map(|w| w.as_ref().to_owned())) == set(&mut other.iter().map(|w| w.as_ref().to_owned()))
}

fn groups(bodies: Vec<NodeGroupBody>) -> Result<Vec<NodeGroup>, ApiError> {
    let mut names = BTreeSet::new();
    let mut groups = Vec::with_capacity(bodies.len());
    for (at, body) in bodies.into_iter().enumerate() {
        let refuse = |part: &str, says: &str| Err(invalid(&format!("node_groups[{at}].{part}"), says));
        let name: GroupName = match body.name.parse() {
            Ok(name) => name,
            Err(e) => return refuse("name", &howdah_core::ids::NameError::to_string(&e)),
        };
        if !names.insert(name.clone()) {
            return refuse("name", &format!("two groups have the name {name}"));
        }
        if body.roles.is_empty() {
            return refuse("roles", "a group needs at least one role");
        }
        if body.count == 0 || body.count > NODES_LIMIT {
            return refuse("count", &format!("is {}, but must be from 1 to {NODES_LIMIT}", body.count));
        }
        for (part, size) in [("cpu", body.cpu), ("memory_mb", body.memory_mb), ("disk_gb", body.disk_gb)] {
            if size == Some(0) {
                return refuse(part, "must be at least 1");
            }
        }
        groups.push(NodeGroup {
            name,
            roles: body.roles,
            count: body.count,
            cpu: body.cpu,
            memory_mb: body.memory_mb,
            disk_gb: body.disk_gb,
        });
    }
    Ok(groups)
}
