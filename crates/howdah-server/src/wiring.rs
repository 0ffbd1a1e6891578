//! Real adapters for the sites of a configuration. This makes no call: a site that is down when the
//! service starts may come up later.

use std::sync::Arc;

use howdah_core::systems::identity::Identity;
use howdah_core::systems::manager::ClusterManager;
use howdah_core::systems::networking::Networking;
use howdah_core::time::Clock;
use howdah_openstack::OpenStack;
use howdah_serengeti::Rules;
use howdah_transport::LoginPaces;
use howdah_transport::meter::Meter;
use secrecy::SecretString;

use crate::ServerError;
use crate::config::{Config, Endpoint, Site};
use crate::metered::SiteMeter;
use crate::metrics::Metrics;
use crate::sites::{ManagerAs, SiteHandles};

/// The sites of a configuration, and the counters that their adapters report to.
pub struct Wired {
    /// The sites.
    pub sites: Vec<SiteHandles>,
    /// The counters.
    pub metrics: Arc<Metrics>,
}

/// All sites.
///
/// # Errors
/// If one of the clients cannot be set up, for example because a CA file is missing.
pub fn sites(config: &Config, clock: &Arc<dyn Clock>) -> Result<Wired, ServerError> {
    let metrics = Arc::new(Metrics::default());
    let wire = |site| wire(site, config.templates.credentials, clock, &metrics);
    let sites = config.sites.iter().map(wire).collect::<Result<_, _>>()?;
    Ok(Wired { sites, metrics })
}

fn wire(
    site: &Site,
    credentials: bool,
    clock: &Arc<dyn Clock>,
    metrics: &Arc<Metrics>,
) -> Result<SiteHandles, ServerError> {
    let own = SiteMeter::new(site.name.clone(), Arc::clone(metrics), Arc::clone(clock));
    let meter: Arc<dyn Meter> = Arc::new(own.clone());
    let failed = |system| {
        let site = site.name.to_string();
        move |source: Box<dyn std::error::Error + Send + Sync>| ServerError::Adapter { site, system, source }
    };
    // One for both: BDE verifies its logins at vCenter, and often has the same account.
    let paces = Arc::new(LoginPaces::default());
    let vcenter = howdah_vsphere::Settings {
        url: site.vcenter.url.clone(),
        username: site.vcenter.username.clone(),
        password: site.vcenter.password.clone(),
        trust: site.vcenter.trust.clone(),
        folder_prefix: site.folder_prefix.clone(),
        switch: site.switch.clone(),
        pace: paces.of(&site.vcenter.username),
        timeouts: howdah_vsphere::Timeouts::default(),
    };
    let vcenter =
        howdah_vsphere::Client::metered(vcenter, Arc::clone(&meter)).map_err(|e| failed("vCenter")(e.into()))?;
    let openstack = OpenStack::metered(site.openstack.clone(), Arc::clone(clock), Arc::clone(&meter));
    let openstack = Arc::new(openstack.map_err(|e| failed("OpenStack")(e.into()))?);
    let manager = manager(&site.bde, &site.rules, &site.bde.username, site.bde.password.clone(), meter, &paces)
        .map_err(|e| failed("BDE")(e.into()))?;
    let networking: Arc<dyn Networking> = openstack.clone();
    let identity: Arc<dyn Identity> = openstack;
    Ok(SiteHandles {
        name: site.name.clone(),
        default: site.default,
        networks: site.networks.clone(),
        rules: site.rules.clone(),
        bde_host: site.bde.host.clone(),
        vcenter_host: site.vcenter.host.clone(),
        realm: site.openstack.auth_url.to_string(),
        manager,
        manager_as: credentials
            .then(|| manager_as(site.bde.clone(), site.rules.clone(), Arc::new(own.of_requesters()), paces)),
        vcenter: Arc::new(vcenter),
        networking,
        identity,
    })
}

fn manager(
    bde: &Endpoint,
    rules: &Rules,
    username: &str,
    password: SecretString,
    meter: Arc<dyn Meter>,
    paces: &LoginPaces,
) -> Result<Arc<dyn ClusterManager>, howdah_serengeti::Error> {
    let settings = howdah_serengeti::Settings {
        url: bde.url.clone(),
        username: username.to_owned(),
        password,
        trust: bde.trust.clone(),
        pace: paces.of(username),
        timeouts: howdah_serengeti::Timeouts::default(),
    };
    Ok(Arc::new(howdah_serengeti::Client::metered(settings, meter)?.with_rules(rules.clone())))
}

/// A client with other credentials for the same appliance.
fn manager_as(bde: Endpoint, rules: Rules, meter: Arc<dyn Meter>, paces: Arc<LoginPaces>) -> ManagerAs {
    Arc::new(move |user, password| {
        manager(&bde, &rules, user, password, Arc::clone(&meter), &paces).map_err(Into::into)
    })
}
