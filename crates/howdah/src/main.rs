//! The `howdah` program: reads the command line, runs one command, and ends with its exit code.
//! Everything that can be decided or tested without a terminal is in the modules and crates below.

mod cli;
mod cluster;
mod demo;
mod exit;
mod follow;
mod log;
mod printer;
#[cfg(test)]
mod reference;
mod sandbox;
mod serve;
mod service;
mod sse;
mod template;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use tracing_subscriber::EnvFilter;

use cli::{Cli, Command, Config};
use exit::Failed;
use printer::Printer;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let printer = Printer::new(cli.output, cli.quiet);
    begin_log(&cli);
    match run(printer, &cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            if !matches!(failed, Failed::ClosedPipe | Failed::Interrupted) {
                printer.report(&failed.report());
            }
            failed.code()
        }
    }
}

fn run(printer: Printer, cli: &Cli) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failed::Run { what: "cannot start worker threads".to_owned(), source: e.into() })?;
    runtime.block_on(async {
        match &cli.command {
            Command::Demo(args) => demo::run(printer, args).await,
            Command::Sandbox(args) => sandbox::run(printer, args).await,
            Command::Serve(args) => serve::run(printer, &args.config).await,
            Command::Cluster { connection, command } => cluster::run(printer, connection, command).await,
            Command::Config { command: Config::Check(args) } => serve::check(printer, &args.config),
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut Cli::command(), "howdah", &mut script);
                printer.script(String::from_utf8_lossy(&script).trim_end())
            }
        }
    })
}

/// Log lines go to stderr. The service logs at `info`; the other commands print their own messages.
fn begin_log(cli: &Cli) {
    let level = match (&cli.command, cli.verbose) {
        (Command::Serve(_), 0) => "info",
        (_, 0) => "error",
        (_, 1) => "info,howdah=debug,howdah_core=debug,howdah_server=debug",
        (_, _) => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colour = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
        && std::io::IsTerminal::is_terminal(&std::io::stderr());
    log::begin(filter, colour);
}
