//! A canary in every place of a request where a secret can be given, from create to delete against a
//! simulated site: afterwards it is in no answer, no event, no log line and no byte of the database.
//!
//! The places are listed from the schema: the API's own description of the request, and below
//! `specification` the table of what may be said. A new field is a secret until it is written down
//! here as one that is shown, with a value for it.

use std::fs;
use std::path::{Path, PathBuf};

use howdah_serengeti::body::table::{CLUSTER, Form, Row, Say, allowable};
use howdah_sim::world::settings::{Login, Timings};
use howdah_sim::{Listen, Site, SiteSettings};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::harness::{but, log, path};
use crate::whole::{Service, token};

/// Fields of a request that name things, which are shown for what they are, or are looked at and not
/// kept. `null`: left out.
fn shown(site: &Site, field: &str) -> Option<Value> {
    Some(match field {
        "name" => json!("canaries"),
        "cluster_type" => json!("bigtop"),
        "network" => json!("data"),
        "subnet" => json!("data-subnet"),
        "site" => json!("main"),
        "username" => json!("serengeti"),
        "vcm_server" => json!(site.urls().vcenter),
        "bde_endpoint" => json!(site.urls().bde),
        "remedy" => json!("auto"),
        "wait_for" => json!("addresses"),
        "state" => json!("running"),
        // Paths of the service's own host, which are only looked at.
        "bde_config" | "vio_config" => json!(null),
        // Those of the specification are used in place of these.
        "security_groups" | "resource_pools" | "datastores" | "node_groups" | "app_manager" => json!(null),
        _ => return None,
    })
}

/// Fields of a specification that name things or count them, likewise.
fn shown_below(place: &str) -> Option<Value> {
    Some(match place {
        "appManager" => json!("Default"),
        "rpNames" | "nodeGroups.rpNames" => json!(["openstackRP"]),
        "dsNames"
        | "nodeGroups.storage.dsNames"
        | "nodeGroups.storage.dsNames4System"
        | "nodeGroups.storage.dsNames4Data" => json!(["shared01"]),
        "nodeGroups.name" | "nodeGroups.placementPolicies.groupAssociations.reference" => json!("worker"),
        "nodeGroups.roles" => json!(["hadoop_datanode"]),
        "nodeGroups.instanceNum" => json!(2),
        "nodeGroups.memCapacityMB" => json!(4096),
        _ => return None,
    })
}

/// The canaries so far: each is one place's, and would do as a password.
#[derive(Default)]
struct Canaries(Vec<(String, String)>);

impl Canaries {
    fn of(&mut self, place: &str) -> String {
        let canary = format!("Cnry_{:03}_zq", self.0.len());
        self.0.push((place.to_owned(), canary.clone()));
        canary
    }

    fn specification(&mut self, below: &str, rows: &[Row]) -> Value {
        let mut fields = Map::new();
        for row in rows.iter().filter(|row| !matches!(row.say, Say::Ours(_))) {
            let place = format!("{below}{}", row.name);
            let known = shown_below(&place);
            let inner = format!("{place}.");
            let value = known.unwrap_or_else(|| match row.form {
                Form::Text => json!(self.of(&place)),
                Form::Texts => json!([self.of(&place)]),
                Form::Count(_) | Form::Ratio => json!(1),
                Form::YesNo => json!(true),
                Form::Word(words) | Form::AnyCase(words) => json!(words[0]),
                Form::One(rows) => self.specification(&inner, rows),
                Form::Many(rows) => json!([self.specification(&inner, rows)]),
                Form::Configuration => json!({"hadoop": {"core-site.xml": {"a.password": self.of(&place)}}}),
                Form::Free if place == "vcClusters" => {
                    json!([{"name": self.of(&place), "vcRps": [self.of(&place)]}])
                }
                Form::Free => json!({"ldap": {"ldap_password": self.of(&place)}, "list": [self.of(&place)]}),
            });
            fields.insert(row.name.to_owned(), value);
        }
        Value::Object(fields)
    }

    /// The whole request, from the API's description of it.
    fn request(&mut self, site: &Site, bde_password: &str) -> Value {
        let document = serde_json::to_value(howdah_server::api::document()).unwrap();
        let properties = document["components"]["schemas"]["ClusterBody"]["properties"].as_object().unwrap();
        let mut fields = Map::new();
        for (field, schema) in properties {
            let value = match (field.as_str(), shown(site, field)) {
                (_, Some(value)) => value,
                ("specification", None) => self.specification("", CLUSTER),
                // It has to be the right one, so the site has a canary for it.
                ("password", None) => json!(bde_password),
                _ if schema["type"].to_string().contains("string") => json!(self.of(field)),
                _ => panic!("{field} is new: is it a secret? {schema}"),
            };
            if !value.is_null() {
                fields.insert(field.clone(), value);
            }
        }
        Value::Object(fields)
    }
}

fn config(folder: &Path, site: &Site, bde_password: &str) -> PathBuf {
    let (urls, pin) = (site.urls(), site.fingerprint().unwrap());
    let allow = serde_json::to_string(&allowable()).unwrap();
    let text = format!(
        r#"
        [server]
        listen = "127.0.0.1:0"
        [store]
        path = "db/howdah.db"
        key_file = "secret.key"
        [templates]
        credentials = true
        [limits]
        nodes_per_project = "none"
        [[site]]
        name = "main"
        allow_specification = {allow}
        [site.bde]
        url = "{}"
        username = "serengeti"
        password = "{bde_password}"
        pin_sha256 = "{pin}"
        [site.vcenter]
        url = "{}"
        username = "administrator@vsphere.local"
        password = "vc-secret"
        pin_sha256 = "{pin}"
        [site.openstack]
        auth_url = "{}"
        username = "howdah"
        password = "service-secret"
        project_name = "demo"
        pin_sha256 = "{pin}"
        "#,
        urls.bde, urls.vcenter, urls.keystone
    );
    let file = folder.join("howdah.toml");
    fs::write(&file, text).unwrap();
    file
}

/// Every byte of the database and of the other files in its directory.
fn database(folder: &Path) -> Vec<u8> {
    let files = fs::read_dir(folder.join("db")).unwrap();
    files.flat_map(|file| fs::read(file.unwrap().path()).unwrap_or_default()).collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_of_a_request_is_seen_from_create_to_delete() {
    let mut canaries = Canaries::default();
    let bde_password = canaries.of("password");
    let settings = SiteSettings {
        timings: Timings::quick(),
        speed: 20.0,
        epoch: jiff::Timestamp::now(),
        bde_login: Login::new("serengeti", &bde_password),
        ..SiteSettings::default()
    };
    let site = Site::start(settings, Listen { tls: true, ..Listen::default() }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = config(folder.path(), &site, &bde_password);
    let request = canaries.request(&site, &bde_password);
    let places: Vec<_> = canaries.0.iter().map(|(place, _)| place.as_str()).collect();
    insta::assert_snapshot!(places.join("\n"));

    log();
    let service = Service::start(&file, &token(&site).await).await;
    let mut answers = String::new();
    let mut note = |(status, body): &(u16, Value)| answers.push_str(&format!("{status} {body}\n"));
    let accepted = service.ask(Method::PUT, &path(1), Some(request.clone())).await;
    assert_eq!(accepted.0, 202, "{}", accepted.1);
    note(&accepted);
    let capability = accepted.1["capability"].as_str().unwrap().to_owned();
    let known = |bytes: &[u8]| canaries.0.iter().find(|(_, canary)| holds(bytes, canary)).cloned();
    assert_eq!(known(&database(folder.path())), None, "in the database while it is created");
    let running = service.until("running", |_, c| c["operation"]["state"] == "succeeded").await;
    assert_eq!(running["nodes"].as_array().map(Vec::len), Some(2), "the groups of the specification are made");
    note(&(200, running));

    // The words were sent, and forgotten here; they are known again all the same.
    let sent = site.world().read(|s| serde_json::to_string(&s.bde.clusters["canaries"].request.raw).unwrap());
    for (place, canary) in canaries.0.iter().filter(|(place, _)| !place.contains("password")) {
        assert!(place.ends_with("vcClusters") || sent.contains(canary.as_str()), "{place} was not sent");
    }
    let again = service.ask(Method::PUT, &path(1), Some(request.clone())).await;
    assert_eq!((again.0, &again.1["operation"]["id"]), (202, &accepted.1["operation"]["id"]), "{}", again.1);
    note(&again);
    let other = but(request.clone(), json!({"specification": {"topologyPolicy": "HVE"}}));
    let differs = service.ask(Method::PUT, &path(1), Some(other)).await;
    assert_eq!((differs.0, &differs.1["error"]["details"]["differences"]), (409, &json!(["specification"])));
    note(&differs);
    // Where a secret stands in the wrong place.
    let mut wrong = request["specification"].clone();
    wrong["nodeGroups"][0]["instanceNum"] = json!(canaries.0[1].1);
    wrong["nonsense"] = json!(canaries.0[1].1);
    for body in [
        but(request.clone(), json!({"specification": wrong, "name": "another"})),
        but(request.clone(), json!({"specification": canaries.0[1].1})),
        but(request.clone(), json!({"specification": {"password": canaries.0[1].1}})),
    ] {
        let refused = service.ask(Method::PUT, &path(2), Some(body)).await;
        assert_eq!(refused.0, 400, "{}", refused.1);
        note(&refused);
    }

    let state = format!("{}/state", path(1));
    for word in ["stopped", "running"] {
        note(&service.ask(Method::PUT, &state, Some(json!({ "state": word }))).await);
        let done = move |_, c: &Value| c["status"] == word && c["operation"]["state"] == "succeeded";
        note(&(200, service.until(word, done).await));
    }
    note(&service.ask(Method::GET, "/v1/clusters", None).await);
    note(&service.ask(Method::GET, "/v1/sites", None).await);
    assert_eq!(known(&database(folder.path())), None, "in the database while it runs");
    note(&service.ask(Method::DELETE, &path(1), None).await);
    service.until("gone", |status, _| status == 404).await;
    let events =
        service.client.get(format!("{}{}/events", service.base, path(1))).header("X-Howdah-Capability", capability);
    let events = events.send().await.unwrap().text().await.unwrap();
    assert!(events.contains("operation_succeeded"), "{events}");
    let metrics = service.client.get(format!("{}/metrics", service.base)).send().await.unwrap().text().await.unwrap();
    service.stop().await;

    let files = database(folder.path());
    assert!(holds(&files, "data-subnet"), "the database was looked at");
    // That of all tests together: each canary is this test's alone.
    let log = log();
    assert!(log.contains("canaries"), "the log was listened to");
    for (what, bytes) in [
        ("the database", files.as_slice()),
        ("the log", log.as_bytes()),
        ("an answer", answers.as_bytes()),
        ("the events", events.as_bytes()),
        ("the metrics", metrics.as_bytes()),
    ] {
        assert_eq!(known(bytes), None, "in {what}");
    }
    site.stop().await;
}

/// The checks before a create look at the groups of the specification.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_specification_asks_for_has_to_fit_before_anything_is_made() {
    let settings = SiteSettings {
        timings: Timings::quick(),
        speed: 20.0,
        epoch: jiff::Timestamp::now(),
        ..SiteSettings::default()
    };
    let site = Site::start(settings, Listen { tls: true, ..Listen::default() }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = config(folder.path(), &site, "bde-secret");
    let service = Service::start(&file, &token(&site).await).await;
    let group = |change: Value| but(json!({"name": "worker", "roles": ["hadoop_datanode"], "instanceNum": 2}), change);
    let rows = [
        (json!({"nodeGroups": [group(json!({"instanceNum": 2000}))]}), "subnet_full"),
        (json!({"nodeGroups": [group(json!({"rpNames": ["gold"]}))]}), "resource_pool_not_found"),
        (json!({"nodeGroups": [group(json!({"storage": {"dsNames4Data": ["fast"]}}))]}), "datastore_not_found"),
        (json!({"appManager": "ambari", "nodeGroups": [group(json!({}))]}), "app_manager_not_found"),
    ];
    for (n, (specification, expected)) in (1..).zip(rows) {
        let wish = json!({
            "name": format!("c{n}"), "cluster_type": "bigtop", "network": "data", "subnet": "data-subnet",
            "specification": specification,
        });
        let (status, body) = service.ask(Method::PUT, &path(n), Some(wish)).await;
        assert_eq!(status, 202, "{body}");
        let mut last = Value::Null;
        for _ in 0..600 {
            last = service.ask(Method::GET, &path(n), None).await.1;
            if last["operation"]["state"] == "failed" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(last["operation"]["error"]["code"], expected, "{last}");
    }
    assert!(site.world().read(|s| s.bde.clusters.is_empty() && s.bde.networks.is_empty()), "nothing was made");
    service.stop().await;
    site.stop().await;
}
