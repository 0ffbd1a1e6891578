use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::any;
use howdah_core::failure::{ErrorKind, Failure, System};
use howdah_core::systems::vcenter::VCenter;
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_transport::Trust;
use howdah_vsphere::{Client, Settings, Timeouts};

use crate::site::Site;

fn said(url: &str, error: &howdah_core::failure::RemoteError) -> String {
    let port = url.rsplit(':').next().unwrap();
    format!("[{} {:?}] {}", error.code, error.kind, Failure::from(error)).replace(port, "PORT")
}

#[tokio::test]
async fn a_wrong_password_is_said_once_and_not_hammered() {
    let site = Site::start().await;
    let mut settings = site.settings();
    settings.password = "wrong-secret".to_owned().into();
    let client = Client::new(settings).unwrap();
    let error = client.version().await.unwrap_err();
    let said = said(&site.url, &error);
    insta::assert_snapshot!(said, @"[vcenter_credentials Credentials] vCenter: Login was refused: InvalidLogin: Cannot complete login due to an incorrect user name or password. Hint: Check the site's `vcenter` user name (with its domain, such as user@vsphere.local) and password. Too many failed logins lock an account.");
    assert!(!said.contains("wrong-secret") && !format!("{error:?}").contains("wrong-secret"));
    for _ in 0..5 {
        assert_eq!(client.segments().await.unwrap_err().kind, ErrorKind::Credentials);
    }
    assert_eq!(site.calls("Login"), 1);
}

#[tokio::test]
async fn a_truncated_answer_is_told_from_a_fault() {
    let site = Site::start().await;
    let client = site.client();
    client.connect().await.unwrap();
    let cut = Effect::Refuse { kind: ErrorKind::BadAnswer };
    site.world.write(|s| s.faults.add(FaultRule::new(System::VCenter, "RetrievePropertiesEx", cut)));
    let error = client.vms(&["vm-1".into()]).await.unwrap_err();
    insta::assert_snapshot!(
        said(&site.url, &error),
        @"[vcenter_bad_answer BadAnswer] vCenter: cannot parse the answer to RetrievePropertiesEx (307 bytes): the document ends inside <RetrievePropertiesExResponse>"
    );
}

#[tokio::test]
async fn a_vcenter_that_is_starting_is_unavailable() {
    let site = Site::start().await;
    let starting = Effect::Refuse { kind: ErrorKind::Unavailable };
    site.world.write(|s| s.faults.add(FaultRule::new(System::VCenter, "*", starting)));
    let error = site.client().version().await.unwrap_err();
    insta::assert_snapshot!(
        said(&site.url, &error),
        @"[vcenter_unavailable Unavailable] vCenter: http://127.0.0.1:PORT/sdk answered RetrieveServiceContent with a web page (HTTP 503) instead of SOAP. Hint: Check that http://127.0.0.1:PORT/sdk is the vCenter Server and not a proxy, and that its services are running."
    );
}

async fn answered_with(status: StatusCode, content_type: &'static str, body: &'static str) -> String {
    let answer = move || async move { (status, [(CONTENT_TYPE, content_type)], body) };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(answer))).await.unwrap() });
    let error = client_of(&url).version().await.unwrap_err();
    server.abort();
    said(&url, &error)
}

fn client_of(url: &str) -> Client {
    Client::new(Settings {
        url: url.to_owned(),
        username: "u".to_owned(),
        password: "p".to_owned().into(),
        trust: Trust::System,
        folder_prefix: String::new(),
        switch: None,
        pace: std::sync::Arc::default(),
        timeouts: Timeouts::default(),
    })
    .unwrap()
}

#[tokio::test]
async fn whatever_else_answers_is_named_for_what_it_is() {
    let answers = [
        answered_with(StatusCode::OK, "text/html; charset=utf-8", "<p>Welcome to your proxy</p>").await,
        answered_with(StatusCode::OK, "text/plain", "  <!DOCTYPE html><html></html>").await,
        answered_with(StatusCode::NOT_FOUND, "text/plain", "nothing here").await,
        answered_with(StatusCode::OK, "text/xml", "").await,
        answered_with(StatusCode::OK, "text/xml", "<Envelope><Header/></Envelope>").await,
        answered_with(StatusCode::OK, "text/xml", "<Envelope><Body><R><returnval/></R></Body></Envelope>").await,
        answered_with(StatusCode::OK, "application/json", "{\"error\": 1}").await,
    ];
    insta::assert_snapshot!(answers.join("\n"));
}

#[tokio::test]
async fn what_vcenter_says_is_shown_and_not_obeyed() {
    const FAULT: &str = "<Envelope><Body><Fault><faultcode>x</faultcode><faultstring>gone&#10;forged \u{9b}2J\u{202e}\u{7f}\
        </faultstring><detail><f type=\"x\"><name>a&#10;b\u{9b}</name></f></detail></Fault></Body></Envelope>";
    const ESCAPE: &str =
        "<Envelope><Body><Fault><faultstring>\u{1b}]0;x\u{7}&#27;</faultstring></Fault></Body></Envelope>";
    for (status, kind, body) in [
        (StatusCode::INTERNAL_SERVER_ERROR, "text/xml", FAULT),
        (StatusCode::INTERNAL_SERVER_ERROR, "text/xml", ESCAPE),
        (StatusCode::OK, "text/xml", "<Envelope\u{1b}>\n"),
        (StatusCode::OK, "text/html", "<p>\u{1b}]0;x\u{7}\n</p>"),
    ] {
        let said = answered_with(status, kind, body).await;
        assert_eq!(howdah_core::text::first_unfit(&said), None, "{said:?}");
    }
    let said = answered_with(StatusCode::INTERNAL_SERVER_ERROR, "text/xml", FAULT).await;
    assert_eq!(said.matches("gone\\nforged \\u{9b}2J\\u{202e}\\u{7f}").count(), 1, "once: {said}");
}

#[tokio::test]
async fn nobody_there_is_said_with_the_address() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = client_of(&url).version().await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Unreachable, "vcenter_unreachable"));
    assert!(said(&url, &error).contains("cannot be reached"), "{}", said(&url, &error));
}

#[tokio::test]
async fn what_vcenter_cannot_read_is_not_what_there_is_not() {
    let site = Site::start().await;
    let vm = site.make_vm("c1-w-0", &site.folder("c1", "w")).await;
    let withhold = |fault| site.world.write(|s| s.vc.withheld.insert(vm.as_str().to_owned(), fault));
    let client = site.client();
    assert_eq!(client.vms(std::slice::from_ref(&vm)).await.unwrap().len(), 1);
    // A VM without properties would look as if it were off and had no card.
    withhold("SystemError");
    let error = client.vms(std::slice::from_ref(&vm)).await.unwrap_err();
    assert!(error.kind.is_transient(), "it is read again: {error}");
    // A session that has ended shows inside an answer that is otherwise good: once more, after a login.
    withhold("NotAuthenticated");
    let logins = site.calls("Login");
    let error = client.vms(std::slice::from_ref(&vm)).await.unwrap_err();
    assert!(error.kind.is_transient(), "{error}");
    assert_eq!(site.calls("Login"), logins + 1);
    site.world.write(|s| s.vc.withheld.clear());
    assert_eq!(client.vms(&[vm]).await.unwrap().len(), 1);
}

/// Everything that is logged, at every level.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_password_is_ever_logged() {
    let site = Site::start().await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    // For the whole process: what other tests log meanwhile must not have a password in it either.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mut settings = site.settings();
    site.client().segments().await.unwrap();
    settings.password = "wrong-secret".to_owned().into();
    let client = Client::new(settings.clone()).unwrap();
    let error = client.segments().await.unwrap_err();
    let bytes = log.0.lock().unwrap().clone();
    let logged = format!("{}{settings:?}{client:?}{error:?}", String::from_utf8_lossy(&bytes));
    assert!(logged.contains("SOAP call"), "the log was caught");
    assert!(!logged.contains("vc-secret") && !logged.contains("wrong-secret"));
    assert!(!logged.contains("vmware_soap_session"), "{logged}");
}
