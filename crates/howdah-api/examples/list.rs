//! Reads a page of clusters from standard input and prints a line for each:
//!
//! ```text
//! curl -s -H "X-Auth-Token: $TOKEN" https://howdah/v1/clusters | cargo run -p howdah-api --example list
//! ```

use std::io::{self, Write};

use howdah_api::Clusters;

fn main() -> io::Result<()> {
    let page: Clusters = serde_json::from_reader(io::stdin())?;
    let mut out = io::stdout();
    for cluster in &page.clusters {
        writeln!(
            out,
            "{} {}: {}, {} of {} nodes have their address",
            cluster.id, cluster.name, cluster.status, cluster.stages.addressed, cluster.node_count
        )?;
    }
    if let Some(next) = &page.next {
        writeln!(out, "There are more: ask again with marker={next}")?;
    }
    Ok(())
}
