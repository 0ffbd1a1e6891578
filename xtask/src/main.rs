//! The project's own commands: `cargo xtask test | sim | bench | lab | generate | words | links`.
//!
//! Each says what it runs before it runs it, installs what is missing (apt, pip, go) and ends
//! what it started by pid. It holds no test of its own.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for a terminal")]

mod bench;
mod counts;
mod generate;
mod http;
mod lab;
mod links;
mod picture;
mod run;
mod sandbox;
mod sim;
mod test;
mod tools;
mod words;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what the tests need and run all of them: unit, simulated, wire, plugin, lab.
    Test {
        /// Only these kinds.
        #[arg(long, value_enum, value_delimiter = ',')]
        only: Vec<test::Kind>,
        /// Add what is long: ten thousand seeds, every lab test with each Heat.
        #[arg(long)]
        deep: bool,
    },
    /// Random mixtures of operations, faults, strangers and crashes in a simulated site.
    Sim {
        /// How many seeds.
        #[arg(long, default_value_t = 1000)]
        seeds: u64,
        /// Replay this one and print what happens.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Measure: MAC to port request, calls per node, memory, build time, size.
    Bench {
        /// How many nodes are cloned at once; several, with a comma between, are measured one after the other.
        #[arg(long, value_delimiter = ',', default_value = "50,200,500,1000")]
        nodes: Vec<u32>,
        /// Measure the first build too, in a folder of its own: takes minutes.
        #[arg(long)]
        build: bool,
    },
    /// A real Keystone, Neutron and Heat on loopback, with Howdah in it.
    Lab {
        /// up, down, env, demo, status, start, stop, kill
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        args: Vec<String>,
    },
    /// Write the generated files again.
    Generate {
        /// Only say whether they are fresh.
        #[arg(long)]
        check: bool,
    },
    /// Search docs and comments for the discouraged forms in `xtask/words.toml`.
    Words,
    /// Check that local links and paths in the pages lead somewhere.
    Links,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Test { only, deep } => test::run(&only, deep),
        Command::Sim { seeds, seed } => sim::run(seeds, seed),
        Command::Bench { nodes, build } => bench::run(&nodes, build),
        Command::Lab { args } => lab::run(&args),
        Command::Generate { check } => generate::run(check),
        Command::Words => words::run(),
        Command::Links => links::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}
