//! Which calls are reported, and how they end.

use std::sync::Arc;

use howdah_core::failure::{ErrorKind, System};
use howdah_core::systems::manager::ClusterManager;
use howdah_serengeti::routes::ServerProfile;
use howdah_serengeti::wire::ErrorBody;
use howdah_serengeti::{Client, Release};
use howdah_transport::meter::{Note, Notes, Whose};

use crate::support::Appliance;

fn note(method: &str, failed: Option<ErrorKind>) -> Note {
    (System::Bde, method.to_owned(), Whose::Service, failed)
}

#[tokio::test]
async fn a_call_is_reported_once_by_its_final_answer() {
    let appliance = Appliance::start(ServerProfile::appliance(Release::V2_3)).await;
    let notes = Arc::new(Notes::default());
    let client = Client::metered(appliance.settings(), notes.clone()).unwrap();
    client.networks().await.unwrap();
    assert_eq!(notes.take(), [note("POST login", None), note("GET networks", None)]);
    // Names and queries are no part of a method.
    client.cluster(&"c1".parse().unwrap()).await.unwrap();
    assert_eq!(notes.take(), [note("GET cluster", Some(ErrorKind::NotFound))]);
    // A new login is a call of its own, and the repeat is part of the call.
    appliance.memory.expire_sessions();
    client.networks().await.unwrap();
    assert_eq!(notes.take(), [note("POST login", None), note("GET networks", None)]);
    appliance.memory.refuse_next(ErrorBody::new("BDE.INTERNAL", "no"));
    client.networks().await.unwrap_err();
    assert!(matches!(notes.take()[..], [(System::Bde, _, Whose::Service, Some(_))]));
}
