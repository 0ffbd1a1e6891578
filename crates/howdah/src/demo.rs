//! `howdah demo`: a simulated site, a service and a cluster, all in one process.
//!
//! It takes no shortcuts: the site serves vCenter's SOAP, BDE's REST, Keystone and Neutron on
//! loopback; the service is the one that `howdah serve` runs, on the site's (fast) clock; and the
//! demo requests the cluster over the native API with a Keystone token. It creates only the
//! template's network and subnet directly, as Heat would.

use std::sync::Arc;
use std::time::Duration;

use howdah_api as api;
use howdah_core::failure::System;
use howdah_core::time::Clock;
use howdah_openstack::{Keys, OpenStack};
use howdah_server::serve::{Parts, Running, start};
use howdah_server::{Config, wiring};
use howdah_sim::SiteSettings;
use howdah_sim::site::{Listen, Site};
use howdah_sim::world::clock::Span;
use howdah_sim::world::journal::Report;
use howdah_sim::world::neutron::{NetworkBody, SubnetBody};
use howdah_store::SqliteStore;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::cli::{Backend, Demo};
use crate::exit::Failed;
use crate::follow::{Outcome, follow};
use crate::printer::Printer;
use crate::service::Service;
use crate::template::{self, Plan};
use crate::{cluster, sandbox};

const BUILT_IN: &str = include_str!("../../../examples/hadoop-2015.json");
const BUILT_IN_NAME: &str = "examples/hadoop-2015.json";

/// Runs the demonstration.
pub async fn run(printer: Printer, args: &Demo) -> Result<(), Failed> {
    let (name, plan) = plan(args)?;
    let mut body =
        template::body(plan.cluster.clone()).map_err(|source| Failed::Template { path: name.clone(), source })?;
    resize(&mut body, args.nodes)?;

    let folder = tempfile::tempdir().map_err(|e| run_failed("cannot create a temporary directory", e))?;
    let site = Site::start(settings(args), Listen::default())
        .await
        .map_err(|e| run_failed("cannot start the simulated site", e))?;
    let token = network_as_heat_would(&site, &plan).await?;
    let running = service(&site, folder.path()).await?;
    let Some(address) = running.tcp else {
        return Err(Failed::usage("the service has no TCP listener"));
    };
    printer.note(&format!(
        "Started a simulated site (seed {}, {} times real time) and a Howdah service. Template: {name}",
        args.seed, args.speed
    ));

    let service = Service::new(&format!("http://{address}"), None, Some(token), Duration::from_secs(120))?;
    let accepted = service.want(Uuid::new_v4(), &Value::Object(body)).await?;
    let outcome = follow(printer, &service, accepted.cluster, Some(accepted.capability.into())).await;
    running.stop();
    running.wait().await;
    let result = match outcome {
        Ok(Outcome::Done(cluster)) => show(printer, &site, &cluster),
        Ok(Outcome::Gone) => Ok(()),
        Err(e) => Err(e),
    };
    site.stop().await;
    result
}

fn run_failed(what: &str, source: impl std::error::Error + Send + Sync + 'static) -> Failed {
    Failed::Run { what: what.to_owned(), source: source.into() }
}

fn plan(args: &Demo) -> Result<(String, Plan), Failed> {
    let (name, text) = match &args.template {
        None => (BUILT_IN_NAME.to_owned(), BUILT_IN.to_owned()),
        Some(path) => {
            let read = |source| Failed::Read { path: path.clone(), source };
            (path.display().to_string(), std::fs::read_to_string(path).map_err(read)?)
        }
    };
    let plan = template::read(&text, &args.params).map_err(|source| Failed::Template { path: name.clone(), source })?;
    Ok((name, plan))
}

/// Resizes the largest group so that the cluster has this many nodes in total.
fn resize(body: &mut Map<String, Value>, nodes: u32) -> Result<(), Failed> {
    let count = |group: &Value| group.get("count").and_then(Value::as_u64).unwrap_or(0);
    let groups = body
        .entry("node_groups")
        .or_insert_with(|| json!([{ "name": "worker", "count": 1, "roles": ["hadoop_client"] }]));
    let Some(groups) = groups.as_array_mut() else {
        return Err(Failed::usage("the template's node_groups is not a list"));
    };
    let total: u64 = groups.iter().map(count).sum();
    let Some(largest) = groups.iter_mut().max_by_key(|g| count(g)) else {
        return Err(Failed::usage("the template's node_groups is empty"));
    };
    let others = total - count(largest);
    if u64::from(nodes) <= others {
        return Err(Failed::usage(format!("--nodes {nodes} is too small: the other groups have {others} nodes")));
    }
    if let Some(largest) = largest.as_object_mut() {
        largest.insert("count".to_owned(), (u64::from(nodes) - others).into());
    }
    Ok(())
}

fn settings(args: &Demo) -> SiteSettings {
    let mut settings = SiteSettings { seed: args.seed, speed: args.speed, ..SiteSettings::default() };
    if args.slow_neutron {
        // A wave of eight ports takes longer than the quickest guests take to boot.
        settings.timings.port_create = Span::new(1.0, 3.0);
    }
    settings
}

/// Creates the template's network and subnet in the site's Neutron and returns a user's token.
async fn network_as_heat_would(site: &Site, plan: &Plan) -> Result<SecretString, Failed> {
    let world = site.world();
    let (user, project) =
        world.read(|s| (s.settings.user_login.clone(), s.settings.projects.first().cloned().unwrap_or_default()));
    let keys = Keys {
        auth_url: Some(site.urls().keystone.clone()),
        username: Some(user.user),
        password: Some(user.password.into()),
        project_name: Some(project),
        ..Keys::default()
    };
    let remote = |e: howdah_openstack::Error| Failed::Remote(e.into());
    let openstack = OpenStack::new(keys.settings(None).map_err(remote)?, world.clock()).map_err(remote)?;
    let token = openstack.bearer().await.map_err(remote)?;
    let Some(caller) = world.caller(token.expose_secret()) else {
        return Err(Failed::usage("the simulated Keystone rejected its own token"));
    };
    let neutron = |e| run_failed("cannot create the template's network", e);
    if let Some(network) = &plan.network {
        let body = NetworkBody { name: network.name.clone(), ..NetworkBody::default() };
        let made = world.create_network(body, &caller).map_err(neutron)?;
        if let Some(subnet) = &plan.subnet {
            let body = SubnetBody {
                network: made.id,
                name: subnet.name.clone(),
                cidr: subnet.cidr.clone(),
                dhcp: Some(subnet.dhcp),
                ..SubnetBody::default()
            };
            world.create_subnet(body, &caller).map_err(neutron)?;
        }
    }
    Ok(token)
}

/// The service as `howdah serve` runs it, on the site's clock.
async fn service(site: &Site, folder: &std::path::Path) -> Result<Running, Failed> {
    let path = folder.join("howdah.toml");
    let text = sandbox::config(site, Backend::NsxV, folder)
        .replace(&format!("unix = \"{}/howdah.sock\"\nauth = \"local\"", folder.display()), "listen = \"127.0.0.1:0\"");
    sandbox::write_private(&path, &text).map_err(|source| Failed::Write { path: path.clone(), source })?;
    let nothing = howdah_server::config::Env::default();
    let config = Config::load(&path, &nothing).map_err(|e| Failed::Config(e.to_string()))?;
    let clock: Arc<dyn Clock> = site.world().clock();
    let store = SqliteStore::open(&config.store).await.map_err(|e| run_failed("no database", e))?;
    let wired = wiring::sites(&config, &clock).map_err(|e| run_failed("cannot set up the service", e))?;
    let parts = Parts::new(&config, wired, &Arc::new(store), clock, site.world().entropy());
    start(&config.server, parts).await.map_err(|e| run_failed("cannot start the service", e))
}

fn show(printer: Printer, site: &Site, cluster: &api::Cluster) -> Result<(), Failed> {
    let (report, calls) = site.world().read(|s| {
        let calls: Map<String, Value> = [System::Bde, System::VCenter, System::Neutron, System::Keystone]
            .into_iter()
            .map(|system| (system.to_string(), s.counters.total(system).into()))
            .collect();
        (s.journal.report(&cluster.name), calls)
    });
    if printer.is_json() {
        return printer.json(&json!({
            "cluster": cluster,
            "summary": {
                "calls": calls,
                "seconds": report.seconds,
                "floor_seconds": report.floor_seconds,
                "slowest_port_seconds": report.slowest_port_seconds,
            },
        }));
    }
    printer.lines(&cluster::nodes(cluster))?;
    printer.data("")?;
    printer.data(&summary(cluster, &report, &calls))
}

fn summary(cluster: &api::Cluster, report: &Report, calls: &Map<String, Value>) -> String {
    let calls: Vec<_> = calls.iter().map(|(system, n)| format!("{system} {n}")).collect();
    let time = match (report.seconds, report.floor_seconds) {
        (Some(took), Some(floor)) => {
            format!(" in {took:.0} simulated s, {:.1} s above the site's minimum of {floor:.0} s", took - floor)
        }
        _ => String::new(),
    };
    format!("{} of {} nodes addressed{time}; calls: {}", cluster.stages.addressed, cluster.node_count, calls.join(", "))
}
