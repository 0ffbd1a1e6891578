//! Which calls are reported, and how they end.

use std::sync::Arc;

use howdah_core::failure::{ErrorKind, System};
use howdah_core::systems::vcenter::VCenter;
use howdah_transport::meter::{Note, Notes, Whose};
use howdah_vsphere::{Client, Settings};

use crate::site::Site;

fn note(method: &str, failed: Option<ErrorKind>) -> Note {
    (System::VCenter, method.to_owned(), Whose::Service, failed)
}

#[tokio::test]
async fn each_soap_call_is_reported_once_and_an_ended_session_is_no_failure() {
    let site = Site::start().await;
    let notes = Arc::new(Notes::default());
    let client = Client::metered(site.settings(), notes.clone()).unwrap();
    client.vms(&["vm-1".into()]).await.unwrap();
    assert_eq!(notes.take(), [note("Login", None), note("RetrievePropertiesEx", None)]);
    site.face.end_sessions();
    client.vms(&["vm-1".into()]).await.unwrap();
    let again = [note("RetrievePropertiesEx", None), note("Login", None), note("RetrievePropertiesEx", None)];
    assert_eq!(notes.take(), again);
    let wrong = Settings { password: "wrong".into(), ..site.settings() };
    let client = Client::metered(wrong, notes.clone()).unwrap();
    client.vms(&["vm-1".into()]).await.unwrap_err();
    assert_eq!(notes.take(), [note("Login", Some(ErrorKind::Credentials))]);
}
