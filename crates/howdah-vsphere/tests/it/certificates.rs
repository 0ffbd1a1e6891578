//! Whom the client trusts, over real TLS.

use howdah_core::failure::{ErrorKind, Failure};
use howdah_core::systems::vcenter::VCenter;
use howdah_testkit::tls::TlsServer;
use howdah_transport::{Fingerprint, Trust};
use howdah_vsphere::{Client, Settings};

use crate::site::Site;

#[tokio::test]
async fn a_certificate_that_does_not_verify_is_shown_and_a_pin_accepts_it() {
    let site = Site::start().await;
    let tls = TlsServer::start(site.face.router()).await;
    let fingerprint = Fingerprint::of(&tls.certificate);
    let client = |trust| Client::new(Settings { url: tls.url(), trust, ..site.settings() }).unwrap();

    let error = client(Trust::System).version().await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Certificate, "vcenter_certificate"));
    let said = Failure::from(&error).to_string().replace(&tls.url(), "URL");
    let said = said.replace(&fingerprint.to_string(), "SHA-256");
    // Without any authority installed the reason is another one.
    let said = said.replace("the system has no certificate authorities", "REASON");
    let said = said.replace("no authority that this endpoint trusts has signed it", "REASON");
    insta::assert_snapshot!(said, @"vCenter: no answer to the query for its API versions: the certificate of URL is not trusted: REASON. Its SHA-256 fingerprint is SHA-256. Hint: Compare the fingerprint with the one on the server's console. If they are equal, set `ca_file` or `pin_sha256` for this endpoint; if not, the connection is intercepted.");

    assert!(client(Trust::Pin(fingerprint)).version().await.is_ok());
    let error = client(Trust::Pin(Fingerprint::of(b"another"))).version().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Certificate);
    assert!(client(Trust::Insecure).version().await.is_ok());
}
