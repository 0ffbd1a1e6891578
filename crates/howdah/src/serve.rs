//! `howdah serve` and `howdah config check`: the service itself is in `howdah-server`.

use std::path::Path;

use howdah_server::config::{Severity, process_env};
use howdah_server::{Config, ServerError};

use serde_json::json;

use crate::exit::Failed;
use crate::printer::Printer;

/// Runs the service until a signal stops it.
pub async fn run(printer: Printer, path: &Path) -> Result<(), Failed> {
    let config = Config::load(path, &process_env()).map_err(|e| Failed::Config(e.to_string()))?;
    let started = |running: &howdah_server::Running| {
        let mut at: Vec<_> = running.tcp.iter().map(ToString::to_string).collect();
        at.extend(running.unix.iter().map(|p| format!("unix:{}", p.display())));
        printer.note(&format!("Howdah is listening on {}.", at.join(" and ")));
    };
    howdah_server::serve(config, shutdown(), started).await.map_err(failed)
}

fn failed(error: ServerError) -> Failed {
    match error {
        ServerError::LostStore(_) => Failed::TakenOver(error),
        error => Failed::Run { what: "cannot run the service".to_owned(), source: error.into() },
    }
}

/// Ends when the user presses Ctrl-C or the service manager sends SIGTERM.
pub async fn shutdown() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

/// Validates the configuration and shows where each value comes from.
pub fn check(printer: Printer, path: &Path) -> Result<(), Failed> {
    let report = Config::check(path, &process_env());
    if printer.is_json() {
        let values: Vec<_> = report
            .entries
            .iter()
            .map(|e| json!({ "key": e.key, "value": e.value, "from": e.origin.to_string() }))
            .collect();
        let problems: Vec<_> = report
            .problems
            .iter()
            .map(|p| {
                let severity = if p.severity == Severity::Error { "error" } else { "warning" };
                json!({ "severity": severity, "at": p.origin.to_string(), "message": p.message, "hint": p.hint })
            })
            .collect();
        printer.json(&json!({ "good": report.is_good(), "values": values, "problems": problems }))?;
    } else {
        printer.lines(report.to_string().trim_end())?;
    }
    if report.is_good() { Ok(()) } else { Err(Failed::Config(format!("{} is invalid", path.display()))) }
}
