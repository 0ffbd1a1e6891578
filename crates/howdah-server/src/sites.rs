//! The sites of the service: adapters behind the core's traits, and the fields by which a request selects a
//! site. Invariant: a request never makes the service contact an arbitrary host; it only selects one of the
//! operator's sites.

use std::sync::Arc;
use std::time::Duration;

use howdah_api::{Site, SystemHealth};
use howdah_core::failure::System;
use howdah_core::ids::{NetworkId, SiteName};
use howdah_core::policy::{NetworkBackend, Networks};
use howdah_core::systems::Remote;
use howdah_core::systems::identity::Identity;
use howdah_core::systems::manager::ClusterManager;
use howdah_core::systems::networking::{Networking, PortQuery};
use howdah_core::systems::vcenter::VCenter;
use howdah_serengeti::Rules;
use secrecy::SecretString;

use crate::api::ApiError;
use crate::metrics::{Metrics, system_word};

/// Creates a cluster manager client with a template's credentials: user, password.
pub type ManagerAs = Arc<dyn Fn(&str, SecretString) -> Remote<Arc<dyn ClusterManager>> + Send + Sync>;

/// One site with its adapters.
#[derive(Clone)]
pub struct SiteHandles {
    /// Its name in the configuration.
    pub name: SiteName,
    /// Whether requests without a site use it.
    pub default: bool,
    /// The networks of its OpenStack.
    pub networks: Networks,
    /// The rules for requests at this site; `manager` applies the same rules.
    pub rules: Rules,
    /// Host name of its BDE.
    pub bde_host: String,
    /// Host name of its vCenter.
    pub vcenter_host: String,
    /// The URL of its Keystone: sites with the same URL share an OpenStack and its tokens.
    pub realm: String,
    /// BDE.
    pub manager: Arc<dyn ClusterManager>,
    /// BDE with credentials of a template, if the operator allows that.
    pub manager_as: Option<ManagerAs>,
    /// vCenter.
    pub vcenter: Arc<dyn VCenter>,
    /// Neutron.
    pub networking: Arc<dyn Networking>,
    /// Keystone, and Neutron with the requester's rights.
    pub identity: Arc<dyn Identity>,
}

impl SiteHandles {
    /// Asks each system, with the service's credentials, for what a create needs of it. Returns which systems answered
    /// and the code of what failed. An answer that takes longer than the limit is none.
    pub async fn probe(&self, limit: Duration) -> [(System, Option<&'static str>); 4] {
        async fn within<T>(
            limit: Duration,
            none: &'static str,
            call: impl Future<Output = Remote<T>>,
        ) -> Option<&'static str> {
            tokio::time::timeout(limit, call).await.map_or(Some(none), |answer| answer.err().map(|e| e.code))
        }
        // A list that is short, whatever the cloud's size.
        let none = PortQuery { network: Some(NetworkId::new(uuid::Uuid::nil().to_string())), ..PortQuery::default() };
        let neutron = async {
            self.networking.features().await?;
            self.networking.ports(&none).await
        };
        let (bde, vcenter, neutron, keystone) = tokio::join!(
            within(limit, "bde_no_answer", self.manager.networks()),
            within(limit, "vcenter_no_answer", self.vcenter.version()),
            within(limit, "neutron_no_answer", neutron),
            within(limit, "keystone_no_answer", self.identity.own_login()),
        );
        [(System::Bde, bde), (System::VCenter, vcenter), (System::Neutron, neutron), (System::Keystone, keystone)]
    }
}

/// All sites.
#[derive(Clone)]
pub struct Sites {
    all: Vec<SiteHandles>,
    metrics: Arc<Metrics>,
}

/// The fields of a request that select a site.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice<'a> {
    /// A site's name.
    pub site: Option<&'a str>,
    /// A BDE's host.
    pub bde_endpoint: Option<&'a str>,
    /// A vCenter's host.
    pub vcm_server: Option<&'a str>,
}

impl Choice<'_> {
    /// Whether none is set.
    pub fn says_something(&self) -> bool {
        let words = [self.site, self.bde_endpoint, self.vcm_server];
        words.iter().flatten().any(|word| !word.trim().is_empty())
    }
}

impl Sites {
    /// The sites; their adapters report to these metrics.
    pub const fn new(all: Vec<SiteHandles>, metrics: Arc<Metrics>) -> Self {
        Self { all, metrics }
    }

    /// What the sites' adapters and probes report to.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// A site by name.
    pub fn get(&self, name: &SiteName) -> Option<&SiteHandles> {
        self.all.iter().find(|s| s.name == *name)
    }

    /// All of them.
    pub fn all(&self) -> &[SiteHandles] {
        &self.all
    }

    /// The site that a request selects.
    ///
    /// # Errors
    /// `unknown_site`, `sites_differ`, `site_missing`.
    pub fn choose(&self, choice: Choice<'_>) -> Result<&SiteHandles, ApiError> {
        let mut found: Option<(&'static str, &SiteHandles)> = None;
        if let Some(name) = choice.site.filter(|n| !n.is_empty()) {
            let site = self.all.iter().find(|s| s.name.as_str() == name);
            found = Some(("site", site.ok_or_else(|| self.unknown(format!("named {name}")))?));
        }
        type Host = fn(&SiteHandles) -> &str;
        let hosts: [(&'static str, Option<&str>, Host, &str); 2] = [
            ("bde_endpoint", choice.bde_endpoint, |s| &s.bde_host, "BDE"),
            ("vcm_server", choice.vcm_server, |s| &s.vcenter_host, "vCenter"),
        ];
        for (word, given, its, what) in hosts {
            let Some(host) = given.map(host_of).filter(|h| !h.is_empty()) else { continue };
            let has = |s: &SiteHandles| its(s).eq_ignore_ascii_case(host);
            // Two sites may share a vCenter: the other fields decide.
            let site = found
                .map(|(_, site)| site)
                .filter(|site| has(site))
                .or_else(|| self.all.iter().find(|s| has(s) && s.default))
                .or_else(|| self.all.iter().find(|s| has(s)))
                .ok_or_else(|| self.unknown(format!("with the {what} {host}")))?;
            match found {
                Some((first, one)) if one.name != site.name => {
                    return Err(ApiError::SitesDiffer {
                        first,
                        one: one.name.to_string(),
                        second: word,
                        other: site.name.to_string(),
                    });
                }
                Some(_) => {}
                None => found = Some((word, site)),
            }
        }
        match found {
            Some((_, site)) => Ok(site),
            None => self
                .all
                .iter()
                .find(|s| s.default)
                .or(match self.all.as_slice() {
                    [only] => Some(only),
                    _ => None,
                })
                .ok_or_else(|| ApiError::SiteMissing { known: self.names() }),
        }
    }

    /// Each OpenStack once, with the first of its sites.
    pub fn realms(&self) -> Vec<(&str, &SiteHandles)> {
        let mut found: Vec<(&str, &SiteHandles)> = Vec::new();
        for site in &self.all {
            if !found.iter().any(|(realm, _)| *realm == site.realm) {
                found.push((&site.realm, site));
            }
        }
        found
    }

    /// The Keystone that verifies the tokens of an OpenStack.
    pub fn identity(&self, realm: &str) -> Option<&Arc<dyn Identity>> {
        self.all.iter().find(|s| s.realm == realm).map(|s| &s.identity)
    }

    /// The API's view of the sites.
    pub fn views(&self) -> Vec<Site> {
        self.all.iter().map(|s| self.view(s)).collect()
    }

    /// Systems that failed at the last call: site, system, code.
    pub fn failing(&self) -> Vec<(String, System, &'static str)> {
        let mut failing = Vec::new();
        for site in &self.all {
            for system in SYSTEMS {
                if let Some(code) = self.metrics.health(site.name.as_str(), system).and_then(|h| h.failing) {
                    failing.push((site.name.to_string(), system, code));
                }
            }
        }
        failing
    }

    fn view(&self, site: &SiteHandles) -> Site {
        let systems = SYSTEMS.map(|system| {
            let health = self.metrics.health(site.name.as_str(), system);
            let word = match &health {
                None => "unknown",
                Some(h) if h.failing.is_none() => "ok",
                Some(_) => "failing",
            };
            SystemHealth {
                system: system_word(system).to_owned(),
                health: word.to_owned(),
                code: health.as_ref().and_then(|h| h.failing).map(str::to_owned),
                at: health.map(|h| h.at),
            }
        });
        Site {
            name: site.name.to_string(),
            default: site.default,
            network_backend: backend_word(site.networks.backend).to_owned(),
            bde: site.bde_host.clone(),
            vcenter: site.vcenter_host.clone(),
            systems: systems.to_vec(),
        }
    }

    fn names(&self) -> Vec<String> {
        self.all.iter().map(|s| s.name.to_string()).collect()
    }

    fn unknown(&self, asked: String) -> ApiError {
        let described =
            self.all.iter().map(|s| format!("{} (BDE {}, vCenter {})", s.name, s.bde_host, s.vcenter_host)).collect();
        ApiError::UnknownSite { asked, known: self.names(), described }
    }
}

const SYSTEMS: [System; 4] = [System::Bde, System::VCenter, System::Neutron, System::Keystone];

/// The backend's word, as in the configuration.
pub const fn backend_word(backend: NetworkBackend) -> &'static str {
    match backend {
        NetworkBackend::NsxV => "nsx-v",
        NetworkBackend::NsxT => "nsx-t",
        NetworkBackend::Ml2 => "ml2",
    }
}

/// The host in a template's value: `host`, `host:port`, or a URL.
fn host_of(text: &str) -> &str {
    let text = text.trim();
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.split(['/', '?', '#']).next().unwrap_or(text);
    match text.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None if text.matches(':').count() == 1 => text.split(':').next().unwrap_or(text),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_from_what_templates_hold() {
        for (given, host) in [
            ("bde.example", "bde.example"),
            ("bde.example:8443", "bde.example"),
            ("https://bde.example:8443/serengeti/api", "bde.example"),
            (" 10.0.0.1 ", "10.0.0.1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("", ""),
        ] {
            assert_eq!(host_of(given), host);
        }
    }
}
