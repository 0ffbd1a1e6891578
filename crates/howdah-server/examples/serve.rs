//! Runs the service over a simulated site and asks it what is ready:
//!
//! ```text
//! cargo run -p howdah-server --example serve
//! ```

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::Arc;

use howdah_core::time::Clock;
use howdah_server::config::{Config, Env};
use howdah_server::serve::{Parts, start};
use howdah_server::wiring;
use howdah_sim::{Listen, Site, SiteSettings};
use howdah_store::SqliteStore;
use howdah_transport::{Deadlines, Http, Trust};
use reqwest::Method;

/// A configuration for a site; its files are in the same directory.
fn config(site: &Site) -> String {
    let urls = site.urls();
    let (bde, vcenter, service) = site
        .world()
        .read(|s| (s.settings.bde_login.clone(), s.settings.vcenter_login.clone(), s.settings.service_login.clone()));
    format!(
        r#"
        [server]
        listen = "127.0.0.1:0"

        [store]
        path = "howdah.db"

        [[site]]
        name = "simulated"
        default = true
        network_backend = "nsx-v"

        [site.bde]
        url = "{}"
        username = "{}"
        password = "{}"

        [site.vcenter]
        url = "{}"
        username = "{}"
        password = "{}"

        [site.openstack]
        auth_url = "{}"
        username = "{}"
        password = "{}"
        project_name = "demo"
        "#,
        urls.bde,
        bde.user,
        bde.password,
        urls.vcenter,
        vcenter.user,
        vcenter.password,
        urls.keystone,
        service.user,
        service.password,
    )
}

/// Starts everything, asks, stops everything.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> Result<(), Box<dyn Error>> {
    let site = Site::start(SiteSettings::default(), Listen::default()).await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("howdah.toml");
    std::fs::write(&path, config(&site))?;
    let config = Config::load(&path, &Env::default())?;
    let clock: Arc<dyn Clock> = site.world().clock();
    let wired = wiring::sites(&config, &clock)?;
    let store = Arc::new(SqliteStore::open(&config.store).await?);
    let parts = Parts::new(&config, wired, &store, clock, site.world().entropy());
    let running = start(&config.server, parts).await?;

    let address = running.tcp.ok_or("the service listens nowhere")?;
    let http = Http::new(&Trust::System, Deadlines::default())?;
    for path in ["/healthz", "/readyz", "/v1/clusters"] {
        let answer = http.send(http.request(Method::GET, &format!("http://{address}{path}"))).await?;
        let status = answer.status();
        let body = http.body(answer).await?;
        println!("{path}: {status} {}", String::from_utf8_lossy(&body));
    }
    running.stop();
    running.wait().await;
    site.stop().await;
    Ok(())
}
