//! Creates a cluster on a simulated site in virtual time, with Neutron refusing the first request for ports:
//!
//! ```text
//! cargo run -p howdah-sim --example virtual_time
//! ```
//!
//! Half an hour of simulated time takes a moment, and the same seed gives the same run.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::Duration;

use howdah_core::failure::{ErrorKind, System};
use howdah_sim::service::Service;
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_sim::{SiteSettings, World};

/// Creates, and prints how it went.
#[tokio::main(flavor = "current_thread", start_paused = true)]
pub async fn main() -> Result<(), Box<dyn Error>> {
    let world = World::new(SiteSettings { seed: 7, ..SiteSettings::default() });
    let refuse = Effect::Refuse { kind: ErrorKind::Unavailable };
    world.write(|s| s.faults.add(FaultRule::new(System::Neutron, "create_ports", refuse).times(1)));

    let mut service = Service::new(world.clone());
    service.start().await;
    let cluster = service.create("hadoop", 5).await?;
    if !service.ended(&cluster, Duration::from_secs(3600)).await {
        return Err("the create has not ended".into());
    }
    let state = service.state(&cluster).await.ok_or("the cluster is gone")?;
    for (name, node) in &state.nodes {
        println!("{name}: {}", node.address.map_or_else(|| "no address".to_owned(), |a| a.to_string()));
    }
    let (report, refused) =
        world.read(|s| (s.journal.report("hadoop"), s.counters.of(System::Neutron, "create_ports")));
    println!("{:.0} simulated seconds, {refused} requests for ports", report.seconds.unwrap_or_default());
    service.kill().await;
    Ok(())
}
