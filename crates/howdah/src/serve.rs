//! `howdah serve` and `howdah config check`: the service itself is in `howdah-server`.

use std::path::Path;

use howdah_server::config::{Severity, process_env};
use howdah_server::{Config, ServerError};

use serde_json::json;

use crate::exit::Failed;
use crate::printer::Printer;

/// Runs the service until it is told to end.
pub async fn run(printer: Printer, path: &Path) -> Result<(), Failed> {
    let config = Config::load(path, &process_env()).map_err(|e| Failed::Config(e.to_string()))?;
    let started = |running: &howdah_server::Running| {
        let mut at: Vec<_> = running.tcp.iter().map(ToString::to_string).collect();
        at.extend(running.unix.iter().map(|p| format!("unix:{}", p.display())));
        printer.note(&format!("Howdah serves at {}.", at.join(" and ")));
    };
    howdah_server::serve(config, shutdown(), started).await.map_err(failed)
}

fn failed(error: ServerError) -> Failed {
    Failed::Run { what: "the service could not run".to_owned(), source: error.into() }
}

/// Ends when somebody presses Ctrl-C or the service manager says so.
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

/// Says where each value comes from and what is wrong.
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
    if report.is_good() { Ok(()) } else { Err(Failed::Config(format!("{} is not good", path.display()))) }
}
