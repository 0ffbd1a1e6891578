//! Logging in, staying logged in, and requesters' tokens.

use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::systems::identity::Identity;
use howdah_core::systems::identity::Principal;
use howdah_core::systems::networking::Networking;
use howdah_core::time::Clock;
use howdah_openstack::{Error, Keys, OpenStack, clouds_files};
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_sim::world::keystone::Method;
use secrecy::ExposeSecret;

use crate::site::{Hands, Site, shown};

#[tokio::test]
async fn a_password_and_names_find_neutron_in_the_catalogue() {
    let site = Site::new().await;
    assert_eq!(site.client().check().await.unwrap().as_str(), format!("{}/", site.neutron));
}

#[tokio::test]
async fn every_kind_of_credentials_works() {
    let site = Site::new().await;
    let (id, secret) = site.app_credential();
    let url = Keys { auth_url: Some(site.keystone.clone()), ..Keys::default() };
    let by_id =
        Keys { application_credential_id: Some(id), application_credential_secret: Some(secret.into()), ..url.clone() };
    let by_name = Keys {
        application_credential_id: None,
        application_credential_name: Some("for-howdah".into()),
        username: Some("howdah".into()),
        ..by_id.clone()
    };
    let token = Keys { token: Some(site.token("howdah")), ..url };
    let rescoped = Keys { project_id: Some(site.project("demo")), ..token.clone() };
    let user_id = site.world.read(|s| s.keystone.user("howdah").unwrap().id.clone());
    let ids = Keys {
        user_id: Some(user_id),
        username: None,
        project_id: Some(site.project("demo")),
        project_name: None,
        ..site.keys()
    };
    for keys in [by_id, by_name, token, rescoped, ids] {
        let (network, _) = site.data();
        let shown = format!("{keys:?}");
        assert!(site.with(keys).network(&network.id.as_str().into()).await.unwrap().is_some(), "{shown}");
    }
}

#[tokio::test]
async fn other_services_are_found_and_asked_as_the_same_user() {
    let site = Site::new().await;
    let client = site.with(site.member());
    assert_eq!(client.endpoint_of("identity").await.unwrap(), Some(format!("{}/v3", site.keystone)));
    assert_eq!(client.endpoint_of("data-processing").await.unwrap(), None);
    let token = client.bearer().await.unwrap();
    assert!(site.world.token(token.expose_secret()).is_some());
    assert_eq!(site.calls(System::Keystone, "login"), 1);
}

#[tokio::test]
async fn many_callers_log_in_once() {
    let site = Site::new().await;
    let client = site.client();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.features().await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(site.calls(System::Keystone, "login"), 1);
}

#[tokio::test]
async fn wrong_credentials_are_tried_once_for_all_who_wait_and_never_shown() {
    let site = Site::new().await;
    // Slow enough that all callers wait for the first one's answer.
    site.world.write(|s| s.faults.add(FaultRule::new(System::Keystone, "login", Effect::Delay).delayed(0.2)));
    let client = site.with(Keys { password: Some("not-it".into()), ..site.keys() });
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.network(&"x".into()).await.unwrap_err() })
        })
        .collect();
    let mut errors = vec![];
    for call in calls {
        errors.push(call.await.unwrap());
    }
    assert_eq!(site.calls(System::Keystone, "login"), 1);
    for e in &errors {
        assert!(!format!("{e:?} {}", shown(e)).contains("not-it"));
    }
    insta::assert_snapshot!(shown(&errors[7]), @r"
    keystone_credentials_refused Credentials
    Keystone: could not log in: the credentials were refused (HTTP 401)
    Check the user, password, project and domains (the service's are in [site.openstack]); Keystone does not report which is wrong. Verify the same values with `openstack token issue`.
    ");
}

#[tokio::test]
async fn what_keystone_refuses_as_malformed_is_told() {
    let site = Site::new().await;
    site.world.write(|s| {
        let rule = FaultRule::new(System::Keystone, "login", Effect::Refuse { kind: ErrorKind::Invalid });
        s.faults.add(rule);
    });
    let e: RemoteError = site.client().check().await.unwrap_err().into();
    insta::assert_snapshot!(shown(&e), @r"
    keystone_request_refused Invalid
    Keystone: could not log in: a fault was injected here (HTTPBadRequest, HTTP 400)
    -
    ");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let site = Site::new().await;
    let clock = Hands::at(site.world.clock().now());
    let client = OpenStack::new(site.keys().settings(None).unwrap(), clock.clone()).unwrap();
    client.check().await.unwrap();
    clock.forward(3600 - 130);
    client.check().await.unwrap();
    assert_eq!(site.calls(System::Keystone, "login"), 1);
    clock.forward(20);
    client.check().await.unwrap();
    assert_eq!(site.calls(System::Keystone, "login"), 2);
}

#[tokio::test]
async fn a_stepped_wall_clock_neither_renews_a_token_nor_keeps_it() {
    let site = Site::new().await;
    for hours in [6, -6] {
        let clock = Hands::at(site.world.clock().now());
        let client = OpenStack::new(site.keys().settings(None).unwrap(), clock.clone()).unwrap();
        client.check().await.unwrap();
        let logins = site.calls(System::Keystone, "login");
        clock.step(hours * 3600);
        client.check().await.unwrap();
        client.features().await.unwrap();
        assert_eq!(site.calls(System::Keystone, "login"), logins, "{hours} h");
        clock.forward(3600 - 110);
        client.check().await.unwrap();
        assert_eq!(site.calls(System::Keystone, "login"), logins + 1, "{hours} h");
        // A login by a clock that is wrong already.
        clock.forward(3600 - 130);
        client.check().await.unwrap();
        assert_eq!(site.calls(System::Keystone, "login"), logins + 1, "{hours} h");
        // Dead before its time, as after a host has slept: refused once, then replaced.
        site.world.write(|s| s.keystone.tokens.clear());
        client.network(&site.data().0.id.as_str().into()).await.unwrap();
        assert_eq!(site.calls(System::Keystone, "login"), logins + 2, "{hours} h");
    }
}

#[tokio::test]
async fn a_token_that_ended_midway_is_replaced_and_the_ports_are_made_once() {
    let site = Site::new().await;
    let client = site.client();
    client.check().await.unwrap();
    site.world.write(|s| s.keystone.tokens.clear());
    let ports = client.create_ports(&[site.request(1), site.request(2)]).await.unwrap();
    assert_eq!(ports.len(), 2);
    assert_eq!(site.calls(System::Keystone, "login"), 2);
    assert_eq!(site.world.read(|s| s.neutron.ports.values().filter(|p| p.device_owner == "compute:None").count()), 2);
}

#[tokio::test]
async fn a_neutron_that_does_not_take_keystones_tokens_is_named() {
    let (here, there) = (Site::new().await, Site::new().await);
    let client = here.with(Keys { neutron_url: Some(there.neutron.clone()), ..here.keys() });
    let e = client.features().await.unwrap_err();
    insta::assert_snapshot!(shown(&e), @r"
    neutron_token_refused Credentials
    Neutron: could not list the extensions: the service's new token was refused (HTTP 401)
    Neutron rejects a token that Keystone issued: check Neutron's [keystone_authtoken].
    ");
    assert_eq!(here.calls(System::Keystone, "login"), 2, "one new token is tried, no more");
}

#[tokio::test]
async fn region_and_interface_that_are_not_there_name_what_is() {
    let site = Site::new().await;
    let e: RemoteError =
        site.with(Keys { region: Some("Mars".into()), ..site.keys() }).check().await.unwrap_err().into();
    insta::assert_snapshot!(shown(&e), @r#"
    keystone_no_endpoint Invalid
    Keystone: the catalogue has no public endpoint of the service type `network` in the region "Mars"; it has identity admin RegionOne, identity internal RegionOne, identity public RegionOne, network admin RegionOne, network internal RegionOne, network public RegionOne
    Set `region`, `interface` or `neutron_url` in [site.openstack].
    "#);
}

#[tokio::test]
async fn the_vio_config_of_2015_logs_in() {
    let site = Site::new().await;
    site.world.write(|s| {
        let id = s.keystone.user("howdah").unwrap().id.clone();
        s.keystone.users.get_mut(&id).unwrap().password = "a=b==c".to_owned();
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vio.config");
    let text = format!(
        "OS_AUTH_URL={}/v2.0\nOS_USERNAME=howdah\nOS_PASSWORD=a=b==c\nOS_TENANT_NAME=demo\nOS_TENANT_ID={id}\n\
         OS_URL={}/\nOS_TOKEN={id}\n",
        site.keystone,
        site.neutron,
        id = site.project("demo"),
    );
    std::fs::write(&path, text).unwrap();
    let client = site.with(Keys::from_vio_config(&path).unwrap());
    assert!(client.features().await.unwrap().vnic_index);

    let e: RemoteError = Keys::from_vio_config(&folder.path().join("other")).unwrap_err().into();
    let said = shown(&e).replace(folder.path().to_str().unwrap(), "FOLDER");
    insta::assert_snapshot!(said, @r"
    openstack_settings Invalid
    Keystone: cannot read FOLDER/other: No such file or directory (os error 2)
    -
    ");
}

#[tokio::test]
async fn clouds_yaml_and_its_secrets_log_in() {
    let site = Site::new().await;
    site.world.write(|s| {
        let id = s.keystone.user("howdah").unwrap().id.clone();
        s.keystone.users.get_mut(&id).unwrap().password = "123456".to_owned();
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clouds.yaml");
    let text = format!(
        "clouds:\n  vio:\n    auth:\n      auth_url: {}/v3\n      username: howdah\n      project_name: demo\n      \
         user_domain_name: Default\n      project_domain_id: default\n    region_name: RegionOne\n    \
         interface: internalURL\n    identity_api_version: 3\n  other:\n    auth_type: v3oidcpassword\n  \
         third: {{profile: vexxhost}}\n",
        site.keystone
    );
    std::fs::write(&path, text).unwrap();
    // A password of digits is still a text.
    std::fs::write(folder.path().join("secure.yaml"), "clouds: {vio: {auth: {password: 123456}}}").unwrap();
    site.with(Keys::from_clouds_file(&path, Some("vio")).unwrap()).check().await.unwrap();

    let said = |cloud: Option<&str>| {
        let e: RemoteError = Keys::from_clouds_file(&path, cloud).unwrap_err().into();
        shown(&e).replace(folder.path().to_str().unwrap(), "FOLDER")
    };
    insta::assert_snapshot!(said(None), @r"
    openstack_settings Invalid
    Keystone: the OpenStack setting `cloud` is missing
    FOLDER/clouds.yaml has other, third, vio: select one.
    ");
    insta::assert_snapshot!(said(Some("nimbus")), @r#"
    openstack_settings Invalid
    Keystone: FOLDER/clouds.yaml has no cloud "nimbus"; it has other, third, vio
    -
    "#);
    insta::assert_snapshot!(said(Some("other")), @r#"
    openstack_settings Invalid
    Keystone: cannot parse FOLDER/clouds.yaml: the cloud "other" uses the auth_type "v3oidcpassword"; supported are password, v3applicationcredential and token
    -
    "#);
    insta::assert_snapshot!(said(Some("third")), @r#"
    openstack_settings Invalid
    Keystone: cannot parse FOLDER/clouds.yaml: the cloud "third" uses the profile "vexxhost", which is not supported; write out its values
    -
    "#);

    std::fs::write(&path, "clouds:\n  vio:\n    auth: [password: geheim]\n").unwrap();
    let text = said(None);
    assert!(!text.contains("geheim"), "{text}");
    insta::assert_snapshot!(text, @r"
    openstack_settings Invalid
    Keystone: cannot parse FOLDER/clouds.yaml: line 3, column 11 has an unexpected type
    -
    ");
}

#[test]
fn clouds_yaml_is_looked_for_where_every_client_does() {
    let env = |vars: &'static [(&str, &str)]| {
        let found = clouds_files(|k| vars.iter().find(|(n, _)| *n == k).map(|(_, v)| (*v).to_owned()));
        found.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(env(&[("OS_CLIENT_CONFIG_FILE", "/x/c.yaml"), ("HOME", "/root")]), "/x/c.yaml");
    insta::assert_snapshot!(env(&[("HOME", "/root")]), @"./clouds.yaml ./clouds.yml /root/.config/openstack/clouds.yaml /root/.config/openstack/clouds.yml /etc/openstack/clouds.yaml /etc/openstack/clouds.yml");
}

// ---------------------------------------------------------------- requesters

#[tokio::test]
async fn a_requesters_token_is_verified_once_a_minute() {
    let site = Site::new().await;
    let clock = Hands::at(site.world.clock().now());
    let client = OpenStack::new(site.keys().settings(None).unwrap(), clock.clone()).unwrap();
    let token = site.token("demo");
    let who: Principal = client.authenticate(&token).await.unwrap();
    assert_eq!((who.user_name.as_str(), who.project.as_str()), ("demo", site.project("demo").as_str()));
    assert_eq!(who.roles, ["member", "reader"]);
    clock.forward(59);
    client.authenticate(&token).await.unwrap();
    assert_eq!(site.calls(System::Keystone, "authenticate"), 1);
    clock.forward(1);
    client.authenticate(&token).await.unwrap();
    assert_eq!(site.calls(System::Keystone, "authenticate"), 2);
    // Remembered no longer than it lives: this one ends within the minute.
    clock.forward(3600 - 60 - 10);
    client.authenticate(&token).await.unwrap();
    site.world.revoke_token(token.expose_secret());
    clock.forward(11);
    let e = client.authenticate(&token).await.unwrap_err();
    assert_eq!(e.code, "token_refused");
}

#[tokio::test]
async fn whether_a_requesters_token_has_ended_is_keystones_word() {
    let site = Site::new().await;
    let clock = Hands::at(site.world.clock().now());
    let client = OpenStack::new(site.keys().settings(None).unwrap(), clock.clone()).unwrap();
    let token = site.token("demo");
    // By our clock it ended hours ago: good all the same, and asked about each time.
    clock.step(6 * 3600);
    for asked in 1..=3 {
        client.authenticate(&token).await.unwrap();
        assert_eq!(site.calls(System::Keystone, "authenticate"), asked);
    }
    // By our clock it lives for hours yet: believed for the minute and no longer.
    clock.step(-12 * 3600);
    client.authenticate(&token).await.unwrap();
    site.world.revoke_token(token.expose_secret());
    clock.forward(59);
    client.authenticate(&token).await.unwrap();
    clock.forward(1);
    assert_eq!(client.authenticate(&token).await.unwrap_err().code, "token_refused");
}

#[tokio::test]
async fn a_bad_token_is_refused_and_the_services_own_login_stays() {
    let site = Site::new().await;
    let client = site.client();
    let e = client.authenticate(&"made-up".into()).await.unwrap_err();
    insta::assert_snapshot!(shown(&e), @r"
    token_refused Credentials
    Keystone: the token was refused: it is invalid, revoked or expired
    Get a new token: `openstack token issue`.
    ");
    let e = client.authenticate(&"line\nbreak".into()).await.unwrap_err();
    assert_eq!(e.code, "token_refused");
    let revoked = site.token("demo");
    site.world.revoke_token(revoked.expose_secret());
    assert_eq!(client.authenticate(&revoked).await.unwrap_err().code, "token_refused");
    assert_eq!(site.calls(System::Keystone, "login"), 1);
}

#[tokio::test]
async fn the_services_own_login_is_asked_about_each_time() {
    let site = Site::new().await;
    let client = site.client();
    client.own_login().await.unwrap();
    // Ended behind our back: a new one is fetched on the way.
    site.world.revoke_token(client.bearer().await.unwrap().expose_secret());
    client.own_login().await.unwrap();
    assert_eq!(site.calls(System::Keystone, "login"), 2);
    client.own_login().await.unwrap();
    let wrong = site.with(Keys { password: Some("wrong".into()), ..site.keys() });
    let e = wrong.own_login().await.unwrap_err();
    assert_eq!((e.system, e.kind), (System::Keystone, ErrorKind::Credentials));
    let nowhere = site.with(Keys { auth_url: Some("http://127.0.0.1:9/v3".into()), ..site.keys() });
    assert_eq!(nowhere.own_login().await.unwrap_err().kind, ErrorKind::Unreachable);
}

#[tokio::test]
async fn who_was_verified_is_recalled_and_nobody_else() {
    let site = Site::new().await;
    let (client, token) = (site.client(), site.token("demo"));
    assert_eq!(client.recall(&token), None);
    let who = client.authenticate(&token).await.unwrap();
    assert_eq!(client.recall(&token), Some(who));
    assert_eq!(client.recall(&"made-up".into()), None);
}

#[tokio::test]
async fn a_token_without_a_project_is_good_for_nothing() {
    let site = Site::new().await;
    let method = Method::Password { user: "demo".into(), password: "demo-secret".into() };
    let unscoped = site.world.issue_token(&method, None).unwrap().id;
    let e = site.client().authenticate(&unscoped.into()).await.unwrap_err();
    insta::assert_snapshot!(shown(&e), @r"
    token_without_project Forbidden
    Keystone: the token is not scoped to a project
    Get a token with a project scope.
    ");
}

#[tokio::test]
async fn a_service_that_may_not_verify_lets_the_token_vouch_for_itself() {
    let site = Site::new().await;
    let client = site.with(site.member());
    let who = client.authenticate(&site.token("howdah")).await.unwrap();
    assert_eq!(who.user_name, "howdah");
    let e = client.authenticate(&"made-up".into()).await.unwrap_err();
    assert_eq!(e.code, "token_refused");
}

#[tokio::test]
async fn errors_of_settings_keep_their_kind_across_the_trait() {
    let e = Error::MissingSetting { key: "auth_url", hint: "h".into() };
    let remote: RemoteError = e.into();
    assert_eq!((remote.kind, remote.code), (ErrorKind::Invalid, "openstack_settings"));
}
