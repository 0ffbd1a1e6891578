//! Whether the service says that it can do its work: by its own calls alone.

use std::sync::Arc;

use howdah_core::failure::{ErrorKind, System};
use howdah_server::metrics::Metrics;
use howdah_server::sites::Sites;
use reqwest::Method;
use serde_json::{Value, json};

use crate::fakes::{FakeCloud, Still};
use crate::harness::{ANN, Service, but, path, site, wish};

const ALL: [ErrorKind; 12] = [
    ErrorKind::Unreachable,
    ErrorKind::NoAnswer,
    ErrorKind::Certificate,
    ErrorKind::Credentials,
    ErrorKind::Forbidden,
    ErrorKind::NotFound,
    ErrorKind::Conflict,
    ErrorKind::Exhausted,
    ErrorKind::Invalid,
    ErrorKind::Unavailable,
    ErrorKind::BadAnswer,
    ErrorKind::Internal,
];

async fn is_ready(service: &Service) -> Result<(), Value> {
    let response = service.request(Method::GET, "/readyz").send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    let text = service.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    let up = !text.lines().any(|line| line.starts_with("howdah_remote_up{") && line.ends_with(" 0"));
    if status == 200 && up { Ok(()) } else { Err(body) }
}

#[tokio::test]
async fn nothing_that_a_requester_brings_along_makes_the_service_unready() {
    let service = Service::new().await;
    let get = async |token: String| {
        let request = service.request(Method::GET, "/v1/clusters").header("X-Auth-Token", token);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(get("x".repeat(70_000)).await, 401);
    is_ready(&service).await.unwrap();
    for n in 0..50 {
        get(format!("bad-{n}")).await;
    }
    is_ready(&service).await.unwrap();
    service.cloud.known.lock().unwrap().push(ANN.to_owned());
    assert_eq!(service.put(&path(1), but(wish(1), json!({"network": "nope"}))).await.0, 400);
    is_ready(&service).await.unwrap();
    for kind in ALL {
        *service.cloud.chokes.lock().unwrap() = Some(kind);
        // A token that Keystone chokes on, then a lookup that Neutron chokes on.
        get(format!("{kind:?}@p1:member")).await;
        assert!(service.put(&path(1), wish(1)).await.0 >= 400, "{kind:?}");
        is_ready(&service).await.unwrap_or_else(|e| panic!("{kind:?}: {e}"));
    }
}

#[tokio::test]
async fn a_keystone_that_refuses_the_service_itself_is_told_by_the_probe() {
    let metrics = Arc::new(Metrics::default());
    let cloud = Arc::new(FakeCloud::default());
    let sites = Sites::new(vec![site("main", true, "k", &cloud)], metrics.clone(), Arc::new(Still));
    let keystone = || metrics.health("main", System::Keystone);
    assert_eq!(keystone(), None);
    let main = &sites.all()[0];
    main.probe().await;
    assert_eq!(keystone().unwrap().failing, None);
    for (switch, code) in [(&cloud.down, "unreachable"), (&cloud.locked, "keystone_credentials_refused")] {
        *switch.lock().unwrap() = true;
        main.probe().await;
        assert_eq!(keystone().unwrap().failing, Some(code));
        *switch.lock().unwrap() = false;
        // A requester's good token is no cure, as a bad one is no harm.
        main.identity.authenticate(&ANN.into()).await.unwrap();
        assert_eq!(keystone().unwrap().failing, Some(code));
        main.probe().await;
        assert_eq!(keystone().unwrap().failing, None);
    }
}

#[tokio::test]
async fn a_keystone_that_is_down_makes_the_service_unready() {
    let service = Service::with(|parts| {
        let cloud = Arc::new(FakeCloud::default());
        *cloud.down.lock().unwrap() = true;
        parts.sites = vec![site("main", true, "k", &cloud)];
        parts.probe = true;
    })
    .await;
    let look = async {
        loop {
            match is_ready(&service).await {
                Err(e) if !e.to_string().contains("unknown") => return e,
                _ => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            }
        }
    };
    let answer = tokio::time::timeout(std::time::Duration::from_secs(20), look).await.expect("never probed");
    insta::assert_json_snapshot!(answer);
}

/// A site whose templates may bring their own BDE credentials.
#[tokio::test]
async fn credentials_of_a_template_say_nothing_of_the_appliance() {
    let metrics = Arc::new(Metrics::default());
    let mut handles = site("main", true, "k", &Arc::new(FakeCloud::default()));
    handles.manager_as = Some(Arc::new(|_, _| Ok(Arc::new(crate::fakes::Nobody))));
    let sites = Sites::new(vec![handles], metrics.clone(), Arc::new(Still));
    let main = &sites.all()[0];
    let theirs = main.manager_as.as_ref().unwrap()("tenant", "wrong".into()).unwrap();
    theirs.version().await.unwrap_err();
    assert_eq!(metrics.health("main", System::Bde), None);
    assert_eq!(metrics.calls().get(&System::Bde), Some(&1), "counted all the same");
    main.manager.version().await.unwrap_err();
    assert_eq!(metrics.health("main", System::Bde).unwrap().failing, Some("unreachable"));
}
