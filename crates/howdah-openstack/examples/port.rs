//! Makes a port for a VM's card on a simulated site, and deletes it:
//!
//! ```text
//! cargo run -p howdah-openstack --example port
//! ```
//!
//! For a real site, take `auth_url` and the login from there; the rest stays.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use howdah_core::systems::identity::{Identity, NetworkWish};
use howdah_core::systems::networking::{Networking, PortRequest};
use howdah_openstack::{Keys, OpenStack};
use howdah_sim::{Listen, Site, SiteSettings};
use uuid::Uuid;

/// Logs in, finds a network, makes a port and takes it away.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> Result<(), Box<dyn Error>> {
    let site = Site::start(SiteSettings { speed: 20.0, ..SiteSettings::default() }, Listen::default()).await?;
    let login = site.world().read(|s| s.settings.service_login.clone());
    let keys = Keys {
        auth_url: Some(site.urls().keystone.clone()),
        username: Some(login.user),
        password: Some(login.password.into()),
        project_name: Some("demo".to_owned()),
        ..Keys::default()
    };
    let openstack = OpenStack::new(keys.settings(None)?, site.world().clock())?;

    // Without a requester's token the service's own rights count.
    let wish =
        NetworkWish { network: "data".to_owned(), subnet: "data-subnet".to_owned(), security_groups: Vec::new() };
    let granted = openstack.grant(None, &wish).await?;
    println!("{} has {} of {} addresses in use", granted.subnet.cidr, granted.subnet.used, granted.subnet.capacity);

    let request = PortRequest {
        network: granted.network.id.clone(),
        subnet: granted.subnet.id.clone(),
        mac: "00:50:56:aa:00:01".parse()?,
        address: None,
        name: "hadoop-worker-0-port0".to_owned(),
        project: granted.network.project.clone(),
        device_owner: "compute:None".to_owned(),
        device_id: Uuid::from_u128(7),
        security_groups: Vec::new(),
        description: "made by an example".to_owned(),
        host: None,
    };
    for port in openstack.create_ports(std::slice::from_ref(&request)).await? {
        let addresses: Vec<_> = port.fixed_ips.iter().map(|ip| ip.address.to_string()).collect();
        println!("{}: {} for {}", port.name, addresses.join(", "), port.mac);
        let again = openstack.create_ports(std::slice::from_ref(&request)).await;
        println!("once more: {}", again.err().ok_or("one MAC address got two ports")?);
        openstack.delete_port(&port.id).await?;
    }
    site.stop().await;
    Ok(())
}
