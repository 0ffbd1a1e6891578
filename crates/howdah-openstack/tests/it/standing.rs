//! Whether a requester still may, asked over a socket.

use howdah_core::failure::ErrorKind;
use howdah_core::ids::ProjectId;
use howdah_core::rights::Standing;
use howdah_core::systems::identity::Identity;

use crate::site::Site;

/// The ids of the member `demo` and of their project.
fn demo(site: &Site) -> (String, ProjectId) {
    site.world.read(|s| {
        let (user, project) = (s.keystone.user("demo").unwrap(), s.keystone.project("demo").unwrap());
        (user.id.clone(), ProjectId::new(project.id.clone()))
    })
}

fn roles(site: &Site, names: &[&str]) {
    let (user, project) = demo(site);
    let names = names.iter().map(|n| (*n).to_owned()).collect();
    site.world.write(|s| s.keystone.assignments.insert((user, project.to_string()), names));
}

#[tokio::test]
async fn roles_count_as_they_are_now() {
    let site = Site::new().await;
    let client = site.client();
    let (user, project) = demo(&site);
    let asked = || client.still_may(&user, &project);
    assert_eq!(asked().await.unwrap(), Standing::Good);
    for (names, good) in [(&["_member_"][..], true), (&["admin"], true), (&["reader"], false), (&[], false)] {
        roles(&site, names);
        assert_eq!(asked().await.unwrap() == Standing::Good, good, "{names:?}");
    }
    let elsewhere = client.still_may(&user, &"no-such-project".into()).await.unwrap();
    assert!(matches!(elsewhere, Standing::Lost(_)));
    let nobody = client.still_may("no-such-user", &project).await.unwrap();
    assert!(matches!(nobody, Standing::Lost(_)));
}

#[tokio::test]
async fn a_disabled_user_or_project_counts_as_no() {
    let site = Site::new().await;
    let client = site.client();
    let (user, project) = demo(&site);
    site.world.write(|s| s.keystone.users.get_mut(&user).unwrap().enabled = false);
    assert_eq!(client.still_may(&user, &project).await.unwrap(), Standing::without_user());
    site.world.write(|s| s.keystone.users.get_mut(&user).unwrap().enabled = true);
    // The service's own user is of the same project in this world: it has logged in before.
    site.world.write(|s| s.keystone.projects.get_mut(project.as_str()).unwrap().enabled = false);
    assert_eq!(client.still_may(&user, &project).await.unwrap(), Standing::without_project());
}

#[tokio::test]
async fn an_account_that_may_not_ask_knows_nothing() {
    let site = Site::new().await;
    let client = site.with(site.member());
    let howdah = site.world.read(|s| s.keystone.user("howdah").unwrap().id.clone());
    let (_, project) = demo(&site);
    assert_eq!(client.still_may(&howdah, &project).await.unwrap(), Standing::Hidden);
}

#[tokio::test]
async fn a_keystone_that_fails_says_neither_yes_nor_no() {
    use howdah_core::failure::System;
    use howdah_sim::world::faults::{Effect, FaultRule};
    let site = Site::new().await;
    let client = site.client();
    let (user, project) = demo(&site);
    let kind = ErrorKind::Internal;
    site.world.write(|s| {
        s.faults.add(FaultRule::new(System::Keystone, "role_assignments", Effect::Refuse { kind }));
    });
    let error = client.still_may(&user, &project).await.unwrap_err();
    assert!(error.kind.is_transient(), "{error:?}");
}
