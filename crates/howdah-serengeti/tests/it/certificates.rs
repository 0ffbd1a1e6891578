//! TLS: whom the client trusts, and what it says when it does not.

use std::sync::Arc;

use howdah_core::systems::manager::ClusterManager;
use howdah_serengeti::routes::{ServerProfile, router};
use howdah_serengeti::{Client, Release};
use howdah_testkit::tls::TlsServer;
use howdah_transport::{Fingerprint, Trust};
use rustls::pki_types::CertificateDer;

use crate::support::{Appliance, Memory};

async fn appliance() -> (Appliance, CertificateDer<'static>) {
    let memory = Arc::new(Memory::default());
    let server = TlsServer::start(router(memory.clone(), ServerProfile::appliance(Release::V2_3))).await;
    (Appliance { memory, url: server.url() }, server.certificate)
}

fn client(appliance: &Appliance, trust: Trust) -> Client {
    let mut settings = appliance.settings();
    settings.trust = trust;
    Client::new(settings).unwrap()
}

#[tokio::test]
async fn a_pinned_certificate_is_good_for_everything() {
    let (appliance, certificate) = appliance().await;
    let client = client(&appliance, Trust::Pin(Fingerprint::of(&certificate)));
    assert_eq!(client.version().await.unwrap(), "2.3.2");
}

#[tokio::test]
async fn a_foreign_certificate_is_refused_and_its_fingerprint_shown() {
    let (appliance, certificate) = appliance().await;
    let other = Fingerprint::of(b"another certificate");
    let error = client(&appliance, Trust::Pin(other)).networks().await.unwrap_err();
    assert_eq!(error.code, "bde_certificate");
    let text = crate::support::told(&error)
        .replace(&Fingerprint::of(&certificate).to_string(), "THE-ONE-SHOWN")
        .replace(&other.to_string(), "THE-PINNED-ONE");
    insta::assert_snapshot!(text, @"
    bde_certificate (Certificate)
      BDE: could not log in: the certificate of https://127.0.0.1:PORT is not trusted: it differs from the pinned fingerprint THE-PINNED-ONE. Its SHA-256 fingerprint is THE-ONE-SHOWN
      hint: Compare the fingerprint with the one on the server's console. If they are equal, set `ca_file` or `pin_sha256` for this endpoint; if not, the connection is intercepted.
    ");
    assert_eq!(appliance.memory.logins(), 0, "the password went to somebody who was not trusted");
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused_by_the_system_roots() {
    let (appliance, certificate) = appliance().await;
    let error = client(&appliance, Trust::System).networks().await.unwrap_err();
    assert_eq!(error.code, "bde_certificate");
    let text = howdah_core::failure::chain(&error);
    assert!(text.contains(&Fingerprint::of(&certificate).to_string()), "{text}");
}
