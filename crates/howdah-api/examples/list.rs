//! Reads a page of clusters from standard input and prints a line for each:
//!
//! ```text
//! curl -s -H "X-Auth-Token: $TOKEN" https://howdah/v1/clusters | cargo run -p howdah-api --example list
//! ```

use std::io::{self, Read, Write};

use howdah_api::Clusters;

/// A line for each cluster of a page.
pub fn list(from: impl Read, mut to: impl Write) -> io::Result<()> {
    let page: Clusters = serde_json::from_reader(from)?;
    for cluster in &page.clusters {
        writeln!(
            to,
            "{} {}: {}, {} of {} nodes have their address",
            cluster.id, cluster.name, cluster.status, cluster.stages.addressed, cluster.node_count
        )?;
    }
    if let Some(next) = &page.next {
        writeln!(to, "There are more: ask again with marker={next}")?;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    list(io::stdin(), io::stdout())
}
