//! Makes the fixture of the first schema: a database with clusters in every state, and beside it
//! the part of the world that belongs to them.
//!
//! Controllers work on simulated sites in virtual time and are killed at chosen moments, so
//! every document is one that was really written. Each moment has a site of its own; all sites
//! go into one database. The documents are collected first and written to SQLite after, since a
//! database thread would make a paused clock jump.
//!
//! ```text
//! cargo run -p howdah-sim --example fixture_v1 -- <empty folder>
//! ```
//!
//! It belongs to the code that it stands beside: it is not changed to make a later schema.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a generator, run by hand")]

mod documents;
mod moments;
#[allow(dead_code, reason = "the controller's tests use the rest")]
#[path = "../../tests/controller/site.rs"]
mod site;
mod world;

use std::path::PathBuf;

use tokio::runtime::Builder;

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("name the folder to write to"));
    let virtual_time = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let taken = virtual_time.block_on(moments::all());
    drop(virtual_time);
    let real_time = Builder::new_current_thread().enable_all().build().unwrap();
    real_time.block_on(documents::write(&folder, &taken));
    let sites: Vec<_> = taken.iter().map(|t| world::lines(&t.world, 0)).collect();
    std::fs::write(folder.join("world.json"), format!("[\n{}\n]\n", sites.join(",\n"))).unwrap();
    for (record, state) in taken.iter().flat_map(|t| &t.clusters) {
        let operation =
            state.operation.as_ref().map(|o| (o.kind, o.state, &o.asked, o.failure.as_ref().map(|f| &f.code)));
        println!(
            "{} {} {:?} {:?} {:?} {operation:?}",
            record.site, record.id, state.status, record.wanted, state.create_call
        );
    }
}
