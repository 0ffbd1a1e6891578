//! The project's own commands: `cargo xtask test | sim | bench | lab | generate | words | links`.
//!
//! Each prints what it runs, installs missing tools (apt, pip, go) and ends its own processes by pid. It
//! contains no tests.
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
        /// Run only these kinds.
        #[arg(long, value_enum, value_delimiter = ',')]
        only: Vec<test::Kind>,
        /// Add long tests: ten thousand seeds, every lab test with each Heat, NSX in trouble.
        #[arg(long)]
        deep: bool,
    },
    /// Run random mixtures of operations, faults, strangers and crashes in a simulated site.
    Sim {
        /// Number of seeds.
        #[arg(long, default_value_t = 1000)]
        seeds: u64,
        /// Replay this seed and print its steps.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Measure: MAC to port request, calls per node, memory, build time, size.
    Bench {
        /// Number of nodes per create; measure a comma-separated list one after the other.
        #[arg(long, value_delimiter = ',', default_value = "50,200,500,1000")]
        nodes: Vec<u32>,
        /// Measure a full build too, in its own directory; this takes minutes.
        #[arg(long)]
        build: bool,
    },
    /// Run a real Keystone, Neutron and Heat on loopback, with Howdah; `--neutron nsx-v`: VMware's plugin, without Heat.
    Lab {
        /// up, down, env, demo, status, start, stop, kill
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        args: Vec<String>,
    },
    /// Write the generated files again.
    Generate {
        /// Only check that they are current.
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
