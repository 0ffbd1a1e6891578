//! A site on the wire: the world's faces behind listeners of their own, and a control API.
//!
//! Nothing is printed and nothing is kept: the site ends with [`Site::stop`], or when it is
//! dropped. Each system has its own base URL, as on a real site.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::face;
use crate::world::World;
use crate::world::keystone::Endpoint;
use crate::world::settings::SiteSettings;

mod certificate;
mod control;
mod guests;
mod listener;
mod summary;

use certificate::Certificate;
use listener::TlsListener;

/// How long a stopped site waits for answers in progress.
const GRACE: Duration = Duration::from_millis(500);

/// Where the faces listen. Port 0 is the system's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// Address of all listeners.
    pub address: IpAddr,
    /// TLS, with a self-signed certificate made at the start. The control API is without.
    pub tls: bool,
    /// vCenter's port.
    pub vcenter: u16,
    /// The cluster manager's port.
    pub bde: u16,
    /// Keystone's port.
    pub keystone: u16,
    /// Neutron's port.
    pub neutron: u16,
    /// The control API's port.
    pub control: u16,
}

impl Default for Listen {
    fn default() -> Self {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self { address, tls: false, vcenter: 0, bde: 0, keystone: 0, neutron: 0, control: 0 }
    }
}

/// Base URLs, as clients are configured with them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Urls {
    /// vCenter; SOAP is at `/sdk` below it.
    pub vcenter: String,
    /// The cluster manager; its API is at `/serengeti` below it.
    pub bde: String,
    /// Keystone's `/v3`.
    pub keystone: String,
    /// Neutron; `/v2.0` is below it.
    pub neutron: String,
    /// The control API's `/sandbox/v1`.
    pub control: String,
}

/// Why a site did not start.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The certificate could not be made.
    #[error("cannot make a certificate")]
    Certificate(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A site that is up.
#[derive(Debug)]
pub struct Site {
    world: World,
    urls: Urls,
    certificate: Option<Certificate>,
    stop: watch::Sender<bool>,
    servers: JoinSet<()>,
}

impl Site {
    /// Makes the world and starts all faces.
    ///
    /// # Errors
    /// If a port is taken or the certificate cannot be made.
    pub async fn start(settings: SiteSettings, listen: Listen) -> Result<Self, SiteError> {
        Self::start_over(World::new(settings), listen).await
    }

    /// Starts all faces over a world.
    ///
    /// # Errors
    /// If a port is taken or the certificate cannot be made.
    pub async fn start_over(world: World, listen: Listen) -> Result<Self, SiteError> {
        let certificate = if listen.tls { Some(Certificate::make(listen.address)?) } else { None };
        let ports = [listen.vcenter, listen.bde, listen.keystone, listen.neutron, listen.control];
        let mut listeners = Vec::new();
        for port in ports {
            listeners.push(bind(SocketAddr::new(listen.address, port)).await?);
        }
        let at =
            |n: usize| listeners.get(n).and_then(|l| l.local_addr().ok()).map(|a| a.to_string()).unwrap_or_default();
        let scheme = if listen.tls { "https" } else { "http" };
        let urls = Urls {
            vcenter: format!("{scheme}://{}", at(0)),
            bde: format!("{scheme}://{}", at(1)),
            keystone: format!("{scheme}://{}/v3", at(2)),
            neutron: format!("{scheme}://{}", at(3)),
            control: format!("http://{}/sandbox/v1", at(4)),
        };
        publish(&world, &urls);
        let serengeti = if listen.tls {
            face::serengeti::secure_router(world.clone())
        } else {
            face::serengeti::router(world.clone())
        };
        let vcenter = face::vcenter::VCenterFace::new(world.clone());
        let control = control::Control { world: world.clone(), vcenter: vcenter.clone() };
        let fingerprint = certificate.as_ref().map(|c| c.fingerprint.as_str());
        let routers = [
            vcenter.router(),
            serengeti,
            face::openstack::keystone(world.clone()),
            face::openstack::neutron(world.clone()),
            control::router(control, &urls, fingerprint),
        ];
        let mut site = Self { world, urls, certificate, stop: watch::Sender::new(false), servers: JoinSet::new() };
        for (n, (listener, router)) in listeners.into_iter().zip(routers).enumerate() {
            let tls = site.certificate.as_ref().filter(|_| n != 4).map(Certificate::acceptor);
            site.serve(listener, tls, router);
        }
        Ok(site)
    }

    fn serve(&mut self, listener: TcpListener, tls: Option<tokio_rustls::TlsAcceptor>, router: Router) {
        let mut stop = self.stop.subscribe();
        let stopped = async move {
            // An error means that the site was dropped, which is a stop as well.
            let _ = stop.wait_for(|s| *s).await;
        };
        self.servers.spawn(async move {
            let served = match tls {
                Some(acceptor) => {
                    let listener = TlsListener::new(listener, acceptor);
                    axum::serve(listener, router).with_graceful_shutdown(stopped).await
                }
                None => axum::serve(listener, router).with_graceful_shutdown(stopped).await,
            };
            if let Err(e) = served {
                tracing::error!(error = %e, "a face of the simulated site has ended");
            }
        });
    }

    /// The world behind the faces.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Base URLs.
    pub fn urls(&self) -> &Urls {
        &self.urls
    }

    /// SHA-256 of the certificate, in hexadecimal with colons; none without TLS.
    pub fn fingerprint(&self) -> Option<&str> {
        self.certificate.as_ref().map(|c| c.fingerprint.as_str())
    }

    /// The certificate as PEM, which is its own CA; none without TLS.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_ref().map(|c| c.pem.as_str())
    }

    /// Ends the site: no new calls, a moment for those in progress, then all is gone.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let all = async { while self.servers.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, all).await.is_err() {
            tracing::debug!("calls in progress were cut off");
        }
        self.servers.shutdown().await;
        self.world.stop();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.world.stop();
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, SiteError> {
    TcpListener::bind(address).await.map_err(|source| SiteError::Listen { address, source })
}

/// Puts the URLs into Keystone's catalogue.
fn publish(world: &World, urls: &Urls) {
    let endpoint = |service: &str, name: &str, url: &str| Endpoint {
        service: service.to_owned(),
        name: name.to_owned(),
        region: "RegionOne".to_owned(),
        url: url.to_owned(),
    };
    let catalog = vec![endpoint("identity", "keystone", &urls.keystone), endpoint("network", "neutron", &urls.neutron)];
    world.write(|s| s.keystone.catalog = catalog);
}
