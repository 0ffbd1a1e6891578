//! `howdah cluster ...`: sends requests to a service and prints the answers as tables or JSON.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use howdah_api as api;
use howdah_core::observe::GROUPS_NOT_APPLIED;
use howdah_openstack::{Keys, OpenStack, clouds_files};
use howdah_server::runtime::SystemClock;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::cli::{Change, Cluster, Connection, Create};
use crate::exit::Failed;
use crate::follow::{Outcome, follow};
use crate::printer::{Printer, table};
use crate::service::Service;
use crate::template;

/// Runs the command.
pub async fn run(printer: Printer, connection: &Connection, command: &Cluster) -> Result<(), Failed> {
    let service = connect(connection).await?;
    match command {
        Cluster::Create(create) => {
            let body = body(create, connection.site.as_deref())?;
            let site = body.get("site").and_then(Value::as_str).map(str::to_owned);
            let service = service.at(site);
            let id = create.id.unwrap_or_else(Uuid::new_v4);
            let accepted = patiently(printer, &service, || service.want(id, &body)).await?;
            printer.note(&format!("Cluster {} ({id}): {} accepted.", accepted.cluster.name, accepted.operation.kind));
            finish(printer, &service, accepted, create.no_wait).await
        }
        Cluster::List => list(printer, &patiently(printer, &service, || service.list()).await?),
        Cluster::Show { cluster } => show(printer, &find(printer, &service, cluster).await?),
        Cluster::Watch { cluster } => {
            let cluster = find(printer, &service, cluster).await?;
            report(printer, follow(printer, &service, cluster, None).await?)
        }
        Cluster::Stop(change) => to_state(printer, &service, change, api::State::Stopped).await,
        Cluster::Start(change) => to_state(printer, &service, change, api::State::Running).await,
        Cluster::Delete(change) => {
            let cluster = find(printer, &service, &change.cluster).await?;
            let accepted = patiently(printer, &service, || service.delete(&cluster)).await?;
            finish(printer, &service, accepted, change.no_wait).await
        }
    }
}

async fn to_state(printer: Printer, service: &Service, change: &Change, state: api::State) -> Result<(), Failed> {
    let cluster = find(printer, service, &change.cluster).await?;
    let accepted = patiently(printer, service, || service.want_state(&cluster, state)).await?;
    finish(printer, service, accepted, change.no_wait).await
}

async fn find(printer: Printer, service: &Service, name: &str) -> Result<api::Cluster, Failed> {
    patiently(printer, service, || service.find(name)).await
}

/// Retries for a while as long as the service reports that it is not ready, and prints why. Every
/// request is idempotent.
async fn patiently<T, F: Future<Output = Result<T, Failed>>>(
    printer: Printer,
    service: &Service,
    ask: impl Fn() -> F,
) -> Result<T, Failed> {
    let begun = Instant::now();
    let mut told = String::new();
    loop {
        let failed = match ask().await {
            Err(failed @ Failed::Unavailable { .. }) => failed,
            answer => return answer,
        };
        if begun.elapsed() + PAUSE > service.patience {
            return Err(failed);
        }
        let says = failed.to_string();
        if says != told {
            let hint = failed.hint().map(|hint| format!(" {hint}")).unwrap_or_default();
            printer.warn(&format!("{says}.{hint} Retrying for up to {} s.", service.patience.as_secs()));
            told = says;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Pause between two tries.
const PAUSE: Duration = Duration::from_secs(1);

async fn finish(printer: Printer, service: &Service, accepted: api::Accepted, no_wait: bool) -> Result<(), Failed> {
    if no_wait {
        return show(printer, &accepted.cluster);
    }
    report(printer, follow(printer, service, accepted.cluster, Some(accepted.capability.into())).await?)
}

fn report(printer: Printer, outcome: Outcome) -> Result<(), Failed> {
    match outcome {
        Outcome::Done(cluster) => show(printer, &cluster),
        Outcome::Gone if printer.is_json() => printer.json(&json!({ "deleted": true })),
        Outcome::Gone => printer.data("The cluster, its VMs and its ports are deleted."),
    }
}

/// The service that the flags and the environment name, and a token for it.
async fn connect(connection: &Connection) -> Result<Service, Failed> {
    let local = connection.endpoint.as_deref().is_some_and(|e| e.starts_with("unix:"));
    let mut token = connection.token.clone().map(SecretString::from);
    let mut endpoint = connection.endpoint.clone();
    if (token.is_none() && !local) || endpoint.is_none() {
        let openstack = openstack(connection)?;
        if endpoint.is_none() {
            endpoint = openstack.endpoint_of("data-processing").await.map_err(|e| Failed::Remote(e.into()))?;
        }
        if token.is_none() {
            token = Some(openstack.bearer().await.map_err(|e| Failed::Remote(e.into()))?);
        }
    }
    let Some(endpoint) = endpoint else {
        return Err(Failed::Usage {
            message: "the Keystone catalogue has no data-processing service".to_owned(),
            hint: Some("Set the service's address with --endpoint or HOWDAH_ENDPOINT.".to_owned()),
        });
    };
    let patience = Duration::from_secs(connection.patience);
    Ok(Service::new(&endpoint, connection.ca_file.clone(), token, patience)?.at(connection.site.clone()))
}

/// A client with the credentials of the environment or `clouds.yaml`.
fn openstack(connection: &Connection) -> Result<OpenStack, Failed> {
    let refused = |e: howdah_openstack::Error| Failed::Remote(e.into());
    let keys = if connection.cloud.is_some() {
        let files = clouds_files(|name| std::env::var(name).ok());
        let Some(file) = files.iter().find(|f| f.is_file()) else {
            return Err(Failed::usage("--cloud needs a clouds.yaml, and none was found"));
        };
        Keys::from_clouds_file(file, connection.cloud.as_deref()).map_err(refused)?
    } else {
        let lines: Vec<_> =
            std::env::vars().filter(|(k, _)| k.starts_with("OS_")).map(|(k, v)| format!("{k}={v}")).collect();
        if !lines.iter().any(|l| l.starts_with("OS_AUTH_URL=")) {
            return Err(Failed::Usage {
                message: "no OpenStack credentials: neither OS_AUTH_URL nor --cloud is set".to_owned(),
                hint: Some("Source an openrc file, or use --endpoint unix:/PATH on the service's host.".to_owned()),
            });
        }
        Keys::from_vio_text(&lines.join("\n"), Path::new("the environment")).map_err(refused)?
    };
    let settings = keys.settings(None).map_err(refused)?;
    OpenStack::new(settings, Arc::new(SystemClock)).map_err(refused)
}

/// The request's body, from flags or from a template.
fn body(create: &Create, site: Option<&str>) -> Result<Value, Failed> {
    let mut body = match &create.template {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|source| Failed::Read { path: path.clone(), source })?;
            let refused = |source| Failed::Template { path: path.display().to_string(), source };
            let plan = template::read(&text, &create.params).map_err(refused)?;
            if plan.network.is_some() || plan.subnet.is_some() {
                return Err(Failed::Usage {
                    message: format!("{} creates networks, which only Heat supports", path.display()),
                    hint: Some(format!("Use Heat: openstack stack create -t {} NAME", path.display())),
                });
            }
            template::body(plan.cluster).map_err(refused)?
        }
        None => flags(create)?,
    };
    if let Some(site) = site {
        body.insert("site".to_owned(), site.into());
    }
    if let Some(path) = &create.password_file {
        let text = std::fs::read_to_string(path).map_err(|source| Failed::Read { path: path.clone(), source })?;
        body.insert("cluster_password".to_owned(), text.trim_end_matches(['\r', '\n']).into());
    }
    Ok(Value::Object(body))
}

fn flags(create: &Create) -> Result<Map<String, Value>, Failed> {
    let mut body = Map::new();
    let texts = [
        ("name", &create.name),
        ("network", &create.network),
        ("subnet", &create.subnet),
        ("cluster_type", &create.cluster_type),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            body.insert(key.to_owned(), value.clone().into());
        }
    }
    for (key, list) in [("security_groups", &create.security_groups), ("resource_pools", &create.resource_pools)] {
        if !list.is_empty() {
            body.insert(key.to_owned(), json!(list));
        }
    }
    if !create.groups.is_empty() {
        let groups = create.groups.iter().map(|g| group(g)).collect::<Result<Vec<_>, _>>()?;
        body.insert("node_groups".to_owned(), json!(groups));
    }
    Ok(body)
}

/// `worker=3:hadoop_datanode+hadoop_nodemanager`
fn group(text: &str) -> Result<api::NodeGroupBody, Failed> {
    let parsed = text.split_once('=').and_then(|(name, rest)| {
        let (count, roles) = rest.split_once(':')?;
        let count: u32 = count.parse().ok()?;
        let roles: Vec<_> = roles.split('+').filter(|r| !r.is_empty()).map(str::to_owned).collect();
        let group =
            api::NodeGroupBody { name: name.to_owned(), roles, count, cpu: None, memory_mb: None, disk_gb: None };
        (!name.is_empty() && !group.roles.is_empty()).then_some(group)
    });
    parsed.ok_or_else(|| Failed::usage(format!("--group {text}: expected NAME=COUNT:ROLE+ROLE")))
}

fn list(printer: Printer, clusters: &api::Clusters) -> Result<(), Failed> {
    if printer.is_json() {
        return printer.json(clusters);
    }
    if clusters.clusters.is_empty() && clusters.unreadable.is_empty() {
        printer.note("No clusters found.");
        return Ok(());
    }
    let rows = clusters.clusters.iter().map(|c| {
        let addressed = format!("{}/{}", c.stages.addressed, c.node_count);
        vec![c.id.to_string(), c.name.clone(), c.site.clone(), c.status.clone(), addressed, c.network.name.clone()]
    });
    let odd = clusters.unreadable.iter().map(|c| {
        let none = || "-".to_owned();
        vec![c.id.to_string(), c.name.clone(), c.site.clone(), c.status.clone(), none(), none()]
    });
    printer.lines(&table(&["id", "name", "site", "status", "addressed", "network"], rows.chain(odd)))
}

/// Shows a cluster: a summary of a few lines, then its nodes.
pub fn show(printer: Printer, cluster: &api::Cluster) -> Result<(), Failed> {
    if printer.is_json() {
        return printer.json(cluster);
    }
    printer.data(&format!("{} ({})", cluster.name, cluster.id))?;
    printer.data(&format!(
        "  site {}, type {}, network {} ({})",
        cluster.site, cluster.cluster_type, cluster.network.name, cluster.subnet.cidr
    ))?;
    printer.data(&format!("  {}: {}", cluster.status, cluster.status_reason))?;
    if let Some(hint) = cluster.operation.error.as_ref().and_then(|e| e.hint.as_ref()) {
        printer.data(&format!("  hint: {hint}"))?;
    }
    if !cluster.conditions.is_empty() {
        printer.data("")?;
        printer.lines(&conditions(cluster))?;
    }
    if !cluster.nodes.is_empty() {
        printer.data("")?;
        printer.lines(&nodes(cluster))?;
    }
    Ok(())
}

/// The table of the cluster's conditions.
fn conditions(cluster: &api::Cluster) -> String {
    let rows = cluster.conditions.iter().map(|c| {
        let since = c.since.round(jiff::Unit::Second).unwrap_or(c.since);
        vec![c.kind.clone(), c.status.to_string(), since.to_string(), c.reason.clone(), c.message.clone()]
    });
    table(&["condition", "status", "since", "reason", "message"], rows)
}

/// The table of nodes.
pub fn nodes(cluster: &api::Cluster) -> String {
    let text = |t: &Option<String>| t.clone().unwrap_or_else(|| "-".to_owned());
    let rows = cluster.nodes.iter().map(|n| {
        vec![
            n.name.clone(),
            n.group.clone(),
            text(&n.vm_id),
            text(&n.mac),
            text(&n.port_id),
            text(&n.address),
            match n.conditions.iter().find(|c| c.reason == GROUPS_NOT_APPLIED) {
                Some(_) if n.stage == api::Stage::Addressed => format!("{}, {GROUPS_NOT_APPLIED}", n.stage),
                _ => n.stage.to_string(),
            },
        ]
    });
    table(&["name", "group", "vm", "mac", "port", "address", "stage"], rows)
}
