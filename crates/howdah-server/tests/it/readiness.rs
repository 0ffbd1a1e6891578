//! Whether the service says that it can do its work: its own calls alone decide. The adapters are the real ones;
//! that they report whose a call is has tests next to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use howdah_core::failure::{ErrorKind, System};
use howdah_core::time::Clock;
use howdah_server::config::{Config, Env};
use howdah_server::sites::SiteHandles;
use howdah_server::wiring::{self, Wired};
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_sim::{Listen, Site, SiteSettings};
use reqwest::Method;
use serde_json::{Value, json};

use crate::fakes::Still;
use crate::harness::{path, wish};
use crate::whole::{Service, configuration, file, token};

/// The URL of a port without a listener.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A configuration whose systems are all down.
fn down(folder: &Path) -> PathBuf {
    configuration(folder, [&nobody(), &nobody(), &format!("{}/v3", nobody())], None)
}

/// Asks until the answer is wanted.
async fn ready(service: &Service, wanted: impl Fn(u16, &Value) -> bool) -> (u16, Value) {
    let look = async {
        loop {
            let response = service.client.get(format!("{}/readyz", service.base)).send().await.unwrap();
            let (status, body) = (response.status().as_u16(), response.json().await.unwrap());
            if wanted(status, &body) {
                return (status, body);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), look).await.expect("never so")
}

#[tokio::test]
async fn nothing_that_a_requester_brings_along_makes_the_service_unready() {
    let epoch = jiff::Timestamp::now();
    let site =
        Site::start(SiteSettings { epoch, ..SiteSettings::default() }, Listen { tls: true, ..Listen::default() })
            .await
            .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&file(folder.path(), &site), &token(&site).await).await;
    let is_ready = async || ready(&service, |_, body| !body.to_string().contains("unknown")).await;
    assert_eq!(is_ready().await.0, 200);
    for token in ["bad".to_owned(), "x".repeat(70_000), "x".repeat(7_000), "y@p:member".to_owned()] {
        let request = service.client.get(format!("{}/v1/clusters", service.base)).header("X-Auth-Token", token);
        assert!([401, 431].contains(&request.send().await.unwrap().status().as_u16()));
        assert_eq!(is_ready().await.0, 200);
    }
    for network in ["nope", &"x".repeat(9_000)] {
        let mut odd = wish(1);
        odd["network"] = json!(network);
        let (status, answer) = service.ask(Method::PUT, &path(1), Some(odd)).await;
        assert!((400..500).contains(&status), "{answer}");
        let (status, answer) = is_ready().await;
        assert_eq!(status, 200, "{answer}");
    }
    service.stop().await;
}

#[tokio::test]
async fn systems_that_are_down_make_the_service_unready() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&down(folder.path()), "no token").await;
    let (status, answer) = ready(&service, |_, body| !body.to_string().contains("unknown")).await;
    assert_eq!(status, 503);
    insta::assert_json_snapshot!(answer);
    let metrics = service.client.get(format!("{}/metrics", service.base)).send().await.unwrap().text().await.unwrap();
    let down = metrics.lines().filter(|l| l.starts_with("howdah_remote_up{") && l.ends_with(" 0")).count();
    assert_eq!(down, 4, "{metrics}");
    service.stop().await;
}

/// A site whose templates may bring their own BDE credentials.
#[tokio::test]
async fn credentials_of_a_template_say_nothing_of_the_appliance() {
    let folder = tempfile::tempdir().unwrap();
    let file = down(folder.path());
    let text = std::fs::read_to_string(&file).unwrap() + "[templates]\ncredentials = true\n";
    std::fs::write(&file, text).unwrap();
    let config = Config::load(&file, &Env::new()).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(Still);
    let Wired { mut sites, metrics } = wiring::sites(&config, &clock).unwrap();
    let main = sites.remove(0);
    let theirs = main.manager_as.as_ref().unwrap()("tenant", "wrong".into()).unwrap();
    theirs.version().await.unwrap_err();
    assert_eq!(metrics.health("main", System::Bde), None);
    let counted = "{site=\"main\",system=\"bde\",method=\"POST login\",outcome=\"unreachable\"} 1";
    let text = metrics.text(&BTreeMap::new(), &BTreeMap::new(), 0);
    assert!(text.contains(counted), "counted all the same: {text}");
    main.manager.version().await.unwrap_err();
    assert_eq!(metrics.health("main", System::Bde).unwrap().failing, Some("bde_unreachable"));
}

#[tokio::test]
async fn a_wrong_password_of_one_account_for_both_systems_does_not_lock_it() {
    let site = Site::start(SiteSettings::default(), Listen { tls: true, ..Listen::default() }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = file(folder.path(), &site);
    // One account for both, as is usual: BDE verifies its logins at vCenter.
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("\"serengeti\"", "\"administrator@vsphere.local\"");
    let text = text.replace("bde-secret", "outdated").replace("vc-secret", "outdated");
    std::fs::write(&file, format!("{text}\n[templates]\ncredentials = true\n")).unwrap();
    let config = Config::load(&file, &Env::new()).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(Still);
    let Wired { mut sites, .. } = wiring::sites(&config, &clock).unwrap();
    let own = sites.remove(0);
    let of_template = own.manager_as.clone().unwrap();
    let again = || of_template("Administrator@vsphere.local", "outdated".to_owned().into()).unwrap();
    let mut said = vec![];
    said.push(own.vcenter.segments().await.unwrap_err());
    let mut watch = own.vcenter.watch(&"c1".parse().unwrap()).await.unwrap();
    said.push(futures::StreamExt::next(&mut watch).await.unwrap().unwrap_err());
    said.push(own.manager.networks().await.unwrap_err());
    for _ in 0..3 {
        said.push(again().networks().await.unwrap_err());
    }
    assert!(said.iter().all(|e| e.kind == ErrorKind::Credentials), "{said:#?}");
    assert!(said[3].message.contains("more would lock the account"), "{}", said[3].message);
    // A person who knows the password still gets in.
    let person = of_template("serengeti", "bde-secret".to_owned().into()).unwrap();
    person.networks().await.unwrap();
    assert!(site.world().read(|s| s.vc.sso.values().all(|account| account.lockouts == 0)));
    assert_eq!(site.world().read(|s| s.vc.sso["administrator@vsphere.local"].refused()), 3);
}

#[tokio::test]
async fn a_probe_asks_for_what_the_work_needs() {
    let site = Site::start(SiteSettings::default(), Listen { tls: true, ..Listen::default() }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), &site);
    let clock: Arc<dyn Clock> = Arc::new(Still);
    let wired = |path: &Path| {
        let config = Config::load(path, &Env::new()).unwrap();
        wiring::sites(&config, &clock).unwrap().sites.remove(0)
    };
    let main = wired(&path);
    let failing = async |site: &SiteHandles| {
        let found = site.probe(Duration::from_secs(5)).await;
        found.into_iter().filter_map(|(system, code)| Some((system, code?))).collect::<Vec<_>>()
    };
    assert_eq!(failing(&main).await, []);
    // Each system was asked before and has a session: an outage shows all the same, whatever kind it is of.
    for system in [System::Bde, System::VCenter, System::Neutron, System::Keystone] {
        for kind in [ErrorKind::Unavailable, ErrorKind::NotFound, ErrorKind::Forbidden] {
            let rule = FaultRule::new(system, "*", Effect::Refuse { kind });
            site.world().write(|s| s.faults.add(rule));
            let found: Vec<_> = failing(&main).await.into_iter().map(|(system, _)| system).collect();
            assert!(found.contains(&system), "{system} {kind:?}: {found:?}");
            site.world().write(|s| s.faults.clear());
        }
    }
    assert_eq!(failing(&main).await, []);
    // A region that the catalogue does not have fails every create.
    let text = std::fs::read_to_string(&path).unwrap().replace("project_name", "region = \"nowhere\"\nproject_name");
    std::fs::write(&path, text).unwrap();
    let found = failing(&wired(&path)).await;
    assert!(matches!(found.as_slice(), [(System::Neutron, _)]), "{found:?}");
}
