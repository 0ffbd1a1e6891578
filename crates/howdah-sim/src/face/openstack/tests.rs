//! Both services' answers to requests that Howdah's own client does not or must not make: row by row the
//! observed answers of real ones.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{keystone, neutron};
use crate::world::keystone::{AppCredential, Method};
use crate::world::neutron::{NetworkBody, SubnetBody};
use crate::{SiteSettings, World};

struct Said {
    status: u16,
    token: String,
    body: Value,
}

async fn ask(routes: &Router, call: &str, headers: &[(&str, &str)], body: Option<Value>) -> Said {
    let (method, path) = call.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path).header("host", "h:1");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = body.map_or_else(Body::empty, |b| Body::from(b.to_string()));
    let response = routes.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let token = response.headers().get("x-subject-token").map(|t| t.to_str().unwrap().to_owned()).unwrap_or_default();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    Said { status, token, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
}

fn world() -> World {
    World::new(SiteSettings::default())
}

fn token(world: &World, user: &str) -> String {
    let password = if user == "howdah" { "service-secret" } else { "demo-secret" };
    let method = Method::Password { user: user.into(), password: password.into() };
    world.issue_token(&method, Some("demo")).unwrap().id
}

/// A login by password, with these changes to its user and scope.
fn login(user: Value, scope: Option<Value>) -> Option<Value> {
    let mut auth = json!({"identity": {"methods": ["password"], "password": {"user": user}}});
    if let Some(scope) = scope {
        auth["scope"] = scope;
    }
    Some(json!({ "auth": auth }))
}

// ---------------------------------------------------------------- Keystone

#[tokio::test(start_paused = true)]
async fn keystone_speaks_version_3_only() {
    let k = keystone(world());
    let said = ask(&k, "GET /", &[], None).await;
    assert_eq!((said.status, &said.body["versions"]["values"][0]["id"]), (300, &json!("v3.14")));
    assert_eq!(ask(&k, "GET /v3/", &[], None).await.body["version"]["links"][0]["href"], "http://h:1/v3/");
    for old in ["GET /v2.0", "POST /v2.0/tokens"] {
        assert_eq!(ask(&k, old, &[], None).await.status, 404, "{old}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_needs_a_domain_and_does_not_say_what_was_wrong() {
    let k = keystone(world());
    let domain = json!({"id": "default"});
    let project = json!({"project": {"name": "demo", "domain": {"name": "Default"}}});
    let demo = json!({"name": "demo", "domain": domain, "password": "demo-secret"});
    let post = "POST /v3/auth/tokens";
    let good = ask(&k, post, &[], login(demo.clone(), Some(project.clone()))).await;
    assert_eq!((good.status, good.token.is_empty()), (201, false));
    assert_eq!(good.body["token"]["catalog"], json!([]));

    let homeless = json!({"name": "demo", "password": "demo-secret"});
    let said = ask(&k, post, &[], login(homeless, Some(project.clone()))).await;
    assert_eq!(said.status, 400);
    assert!(said.body["error"]["message"].as_str().unwrap().starts_with("Expecting to find domain in user."));

    let wrong = json!({"name": "demo", "domain": domain, "password": "no"});
    let elsewhere = json!({"project": {"name": "nope", "domain": domain}});
    let one = ask(&k, post, &[], login(wrong, Some(project))).await;
    let two = ask(&k, post, &[], login(demo.clone(), Some(elsewhere))).await;
    assert_eq!((one.status, two.status), (401, 401));
    assert_eq!(one.body, two.body);

    let unscoped = ask(&k, post, &[], login(demo, None)).await;
    assert_eq!(unscoped.status, 201);
    assert_eq!(unscoped.body["token"].get("catalog"), None);
    assert_eq!(ask(&k, post, &[], Some(json!("no login"))).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn a_delegated_token_makes_no_other() {
    let world = world();
    let k = keystone(world.clone());
    world.write(|s| {
        let made = AppCredential {
            id: "c".into(),
            name: "n".into(),
            secret: "s".into(),
            user: s.keystone.user("demo").unwrap().id.clone(),
            project: s.keystone.project("demo").unwrap().id.clone(),
            roles: vec!["member".into()],
        };
        s.keystone.app_credentials.insert("c".into(), made);
    });
    let methods = |m: &str, v: Value| Some(json!({"auth": {"identity": {"methods": [m], m: v}}}));
    let by = methods("application_credential", json!({"id": "c", "secret": "s"}));
    let first = ask(&k, "POST /v3/auth/tokens", &[], by).await;
    assert_eq!((first.status, &first.body["token"]["project"]["name"]), (201, &json!("demo")));
    let second = ask(&k, "POST /v3/auth/tokens", &[], methods("token", json!({"id": first.token}))).await;
    assert_eq!(second.status, 403);
    let message = second.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("Using a delegated token to create another token"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn who_may_ask_about_whose_token() {
    let world = world();
    let k = keystone(world.clone());
    let (admin, member) = (token(&world, "howdah"), token(&world, "demo"));
    let about = "GET /v3/auth/tokens";
    let rows: [(&str, &str, u16); 6] = [
        (&admin, &member, 200),
        (&member, &member, 200),
        (&member, &admin, 403),
        (&admin, "unknown", 404),
        ("unknown", &member, 401),
        ("", &member, 401),
    ];
    for (who, whose, status) in rows {
        let said = ask(&k, about, &[("x-auth-token", who), ("x-subject-token", whose)], None).await;
        assert_eq!(said.status, status, "{who} about {whose}");
    }
    let headers = [("x-auth-token", member.as_str()), ("x-subject-token", member.as_str())];
    assert_eq!(ask(&k, "DELETE /v3/auth/tokens", &headers, None).await.status, 204);
    assert_eq!(ask(&k, about, &headers, None).await.status, 401);
    assert_eq!(ask(&neutron(world), "GET /v2.0/networks", &headers[..1], None).await.status, 401);
}

// ---------------------------------------------------------------- Neutron

struct Neutron {
    world: World,
    routes: Router,
    member: String,
}

impl Neutron {
    fn new() -> Self {
        let world = world();
        Self { routes: neutron(world.clone()), member: token(&world, "demo"), world }
    }

    async fn ask(&self, call: &str, body: Option<Value>) -> (u16, Value) {
        let said = ask(&self.routes, call, &[("x-auth-token", &self.member)], body).await;
        (said.status, said.body)
    }

    /// Status and error type.
    async fn refused(&self, call: &str, body: Value) -> (u16, String) {
        let (status, body) = self.ask(call, Some(body)).await;
        (status, body["NeutronError"]["type"].as_str().unwrap_or_else(|| panic!("no error: {body}")).to_owned())
    }

    fn data(&self) -> String {
        self.world.read(|s| s.neutron.networks.values().next().unwrap().id.clone())
    }

    async fn port(&self, body: Value) -> Value {
        let (status, body) = self.ask("POST /v2.0/ports", Some(json!({ "port": body }))).await;
        assert_eq!(status, 201, "{body}");
        body["port"].clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_network_and_its_subnet_come_and_go() {
    let n = Neutron::new();
    let (status, made) = n.ask("POST /v2.0/networks", Some(json!({"network": {"name": "new"}}))).await;
    assert_eq!((status, &made["network"]["status"]), (201, &json!("ACTIVE")));
    let network = made["network"]["id"].as_str().unwrap();
    let body = json!({"subnet": {"network_id": network, "cidr": "10.9.0.0/24", "ip_version": 4, "gateway_ip": null}});
    let (status, made) = n.ask("POST /v2.0/subnets", Some(body)).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["subnet"]["allocation_pools"], json!([{"start": "10.9.0.1", "end": "10.9.0.254"}]));
    let subnet = made["subnet"]["id"].as_str().unwrap();
    let (_, shown) = n.ask(&format!("GET /v2.0/networks/{network}"), None).await;
    assert_eq!(shown["network"]["subnets"], json!([subnet]));
    let change = json!({"network": {"name": "newer"}});
    let (_, changed) = n.ask(&format!("PUT /v2.0/networks/{network}"), Some(change)).await;
    assert_eq!(changed["network"]["name"], "newer");
    let (_, found) = n.ask("GET /v2.0/networks?name=newer&fields=id", None).await;
    assert_eq!(found, json!({"networks": [{"id": network}]}));

    let port = n.port(json!({"network_id": network})).await;
    let (status, held) = n.ask(&format!("DELETE /v2.0/networks/{network}"), None).await;
    assert_eq!((status, &held["NeutronError"]["type"]), (409, &json!("NetworkInUse")));
    assert!(held["NeutronError"]["message"].as_str().unwrap().contains(port["id"].as_str().unwrap()));
    for (path, again) in [
        (format!("DELETE /v2.0/ports/{}", port["id"].as_str().unwrap()), 404),
        (format!("DELETE /v2.0/subnets/{subnet}"), 404),
        (format!("DELETE /v2.0/networks/{network}"), 404),
    ] {
        assert_eq!(n.ask(&path, None).await.0, 204, "{path}");
        assert_eq!(n.ask(&path, None).await.0, again, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_malformed_is_refused_by_name() {
    let n = Neutron::new();
    let network = n.data();
    let port = |extra: Value| {
        let mut port = json!({"network_id": network});
        port.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({ "port": port })
    };
    let mut said = vec![];
    for (call, body) in [
        ("POST /v2.0/ports", port(json!({"colour": "red"}))),
        ("POST /v2.0/ports", port(json!({"network_id": "data"}))),
        ("POST /v2.0/ports", port(json!({"security_groups": ["default"]}))),
        ("POST /v2.0/ports", port(json!({"mac_address": "00:50"}))),
        ("POST /v2.0/ports", json!({"ports": []})),
        ("POST /v2.0/ports", json!({"prot": {}})),
        ("POST /v2.0/subnets", json!({"subnet": {"network_id": network, "cidr": "10.0.0.0/99"}})),
        ("GET /v2.0/networks?colour=red", Value::Null),
        ("GET /v2.0/colours", Value::Null),
    ] {
        let (status, body) = n.ask(call, Some(body)).await;
        let error = &body["NeutronError"];
        said.push(format!("{status} {} {}", error["type"].as_str().unwrap(), error["message"].as_str().unwrap()));
    }
    insta::assert_snapshot!(said.join("\n"), @r"
    400 HTTPBadRequest Unrecognized attribute(s) 'colour'
    400 HTTPBadRequest Invalid input for network_id. Reason: 'data' is not a valid UUID.
    400 HTTPBadRequest Invalid input for security_groups. Reason: 'default' is not a valid UUID.
    400 HTTPBadRequest Invalid input for mac_address. Reason: '00:50' is not valid.
    400 HTTPBadRequest Resources required
    400 HTTPBadRequest Unable to find 'port' in request body
    400 InvalidInput Invalid input for operation: '10.0.0.0/99' is not a valid CIDR.
    400 HTTPBadRequest ['colour'] is invalid attribute for filtering
    404 HTTPNotFound The resource could not be found.
    ");
}

#[tokio::test(start_paused = true)]
async fn a_bulk_is_whole_or_nothing_and_one_mac_twice_takes_a_minute_and_a_half() {
    let n = Neutron::new();
    let network = n.data();
    let ports = |macs: &[&str]| {
        let one = |m: &&str| json!({"network_id": network, "mac_address": m});
        json!({"ports": macs.iter().map(one).collect::<Vec<_>>()})
    };
    let before = n.world.read(|s| s.neutron.ports.len());
    let (status, _) = n.ask("POST /v2.0/ports", Some(ports(&["00-50-56-AA-00-FF"]))).await;
    assert_eq!(status, 201);
    let (_, found) = n.ask("GET /v2.0/ports?mac_address=00:50:56:AA:00:ff", None).await;
    assert_eq!(found["ports"][0]["mac_address"], "00:50:56:aa:00:ff", "normalised");
    let taken = n.refused("POST /v2.0/ports", ports(&["00:50:56:aa:00:01", "00:50:56:aa:00:ff"])).await;
    assert_eq!(taken, (409, "MacAddressInUse".to_owned()));
    let began = tokio::time::Instant::now();
    let twice = n.refused("POST /v2.0/ports", ports(&["00:50:56:aa:00:02", "00:50:56:aa:00:02"])).await;
    assert_eq!(twice.0, 500);
    assert!(began.elapsed().as_secs() >= 96);
    assert_eq!(n.world.read(|s| s.neutron.ports.len()), before + 1);
}

#[tokio::test(start_paused = true)]
async fn tags_are_ignored_in_a_create_and_set_afterwards() {
    let n = Neutron::new();
    let port = n.port(json!({"network_id": n.data(), "tags": ["a"]})).await;
    assert_eq!(port["tags"], json!([]));
    let id = port["id"].as_str().unwrap();
    let (status, _) = n.ask(&format!("PUT /v2.0/ports/{id}/tags"), Some(json!({"tags": ["a", "b=c"]}))).await;
    assert_eq!(status, 200);
    let (_, found) = n.ask("GET /v2.0/ports?tags=b%3Dc,a&fields=id", None).await;
    assert_eq!(found, json!({"ports": [{"id": id}]}));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_something_older_is_refused() {
    let n = Neutron::new();
    let port = n.port(json!({"network_id": n.data()})).await;
    let call = format!("PUT /v2.0/ports/{}", port["id"].as_str().unwrap());
    let change = |seen: &'static str| {
        let headers = [("x-auth-token", n.member.as_str()), ("if-match", seen)];
        let (routes, call) = (n.routes.clone(), call.clone());
        async move { ask(&routes, &call, &headers, Some(json!({"port": {"name": "x"}}))).await }
    };
    assert_eq!(change("revision_number=1").await.status, 200);
    let said = change("revision_number=1").await;
    assert_eq!((said.status, &said.body["NeutronError"]["type"]), (412, &json!("RevisionNumberConstraintFailed")));
    assert_eq!(n.refused(&call, json!({"port": {"mac_address": "00:50:56:aa:00:09"}})).await.0, 403);
}

#[tokio::test(start_paused = true)]
async fn a_member_names_no_mac_on_anothers_network() {
    let n = Neutron::new();
    let service = n.world.service();
    let other = n.world.read(|s| s.keystone.project("other").unwrap().id.clone());
    let body = NetworkBody { name: "shared".into(), project: Some(other), shared: true, ..NetworkBody::default() };
    let network = n.world.create_network(body, &service).unwrap().id;
    let body = SubnetBody { network: network.clone(), cidr: "10.9.0.0/24".into(), ..SubnetBody::default() };
    n.world.create_subnet(body, &service).unwrap();
    let port = json!({"port": {"network_id": network, "mac_address": "00:50:56:aa:00:01"}});
    assert_eq!(n.refused("POST /v2.0/ports", port).await, (403, "PolicyNotAuthorized".to_owned()));
    n.port(json!({"network_id": network})).await;
    let host = json!({"port": {"network_id": n.data(), "binding:host_id": "esx1"}});
    assert_eq!(n.refused("POST /v2.0/ports", host).await, (403, "PolicyNotAuthorized".to_owned()));
    assert_eq!(n.ask(&format!("DELETE /v2.0/networks/{network}"), None).await.0, 403);
}
