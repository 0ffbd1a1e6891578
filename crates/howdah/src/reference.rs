//! The command-line reference, `docs/cli.md`, generated from the parser's own definitions. The test
//! compares; with `HOWDAH_BLESS=1` it rewrites the page.

use std::fmt::Write;
use std::path::Path;

use clap::{Arg, Command, CommandFactory};

use crate::cli::Cli;

const HEAD: &str =
    "<!-- Made by `cargo xtask generate` from the program's own definitions. -->\n\n# The command line\n\n";

fn page() -> String {
    let mut root = Cli::command();
    root.build();
    let mut text = HEAD.to_owned();
    section(&mut text, &root, &[], &[]);
    text
}

/// A command and its subcommands. `above` holds the names of the parents, `known` the global options
/// that the parents' sections describe.
fn section(text: &mut String, command: &Command, above: &[&str], known: &[String]) {
    let path = [above, &[command.get_name()]].concat();
    if !above.is_empty() {
        let _ = write!(text, "{} `{}`\n\n", "#".repeat(path.len().min(4)), path.join(" "));
    }
    if let Some(about) = command.get_about() {
        let _ = write!(text, "{about}.\n\n");
    }
    let usage = command.clone().render_usage().to_string();
    let _ = write!(text, "```text\n{}\n```\n\n", usage.trim_start_matches("Usage: "));
    let told = |a: &&Arg| !a.is_hide_set() && !known.contains(&a.get_id().to_string()) && a.get_id() != "help";
    let rows: Vec<_> = command.get_arguments().filter(told).map(row).collect();
    if !rows.is_empty() {
        let _ = write!(text, "| | | default | environment |\n|---|---|---|---|\n{}\n", rows.concat());
    }
    if let Some(after) = command.get_after_help() {
        let after = after.to_string();
        // The terminal shows the codes as a sentence; the page has room for a table.
        if let Some(codes) = after.split("\n\n").find_map(|p| p.strip_prefix("Exit codes: ")) {
            text.push_str("| exit code | |\n|---|---|\n");
            for code in codes.split(';') {
                let (number, meaning) = code.trim().split_once(' ').unwrap_or((code, ""));
                let _ = writeln!(text, "| {number} | {} |", meaning.trim_end_matches('.'));
            }
            text.push('\n');
        }
    }
    let passed: Vec<_> = known
        .iter()
        .cloned()
        .chain(command.get_arguments().filter(|a| a.is_global_set()).map(|a| a.get_id().to_string()))
        .collect();
    for below in command.get_subcommands().filter(|c| c.get_name() != "help") {
        section(text, below, &path, &passed);
    }
}

fn row(arg: &Arg) -> String {
    let takes = arg.get_action().takes_values();
    let values: Vec<_> = arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
    let value = if takes { values.join(" ") } else { String::new() };
    let name = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("`-{short}`, `{}`", format!("--{long} {value}").trim_end()),
        (None, Some(long)) => format!("`{}`", format!("--{long} {value}").trim_end()),
        (Some(short), None) => format!("`{}`", format!("-{short} {value}").trim_end()),
        (None, None) => format!("`{value}`"),
    };
    let mut help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let mut default: Vec<_> = arg.get_default_values().iter().map(|v| format!("`{}`", v.to_string_lossy())).collect();
    if let Some((said, rest)) = help.clone().split_once("[default: ") {
        help = said.trim_end().trim_end_matches('.').to_owned();
        default = vec![rest.trim_end_matches(']').to_owned()];
    }
    let possible: Vec<_> = arg.get_possible_values().iter().map(|v| format!("`{}`", v.get_name())).collect();
    if takes && !possible.is_empty() {
        let _ = write!(help, " ({})", possible.join(", "));
    }
    let env = arg.get_env().map(|e| format!("`{}`", e.to_string_lossy())).unwrap_or_default();
    let default = if takes { default.join(", ") } else { String::new() };
    format!("| {name} | {} | {default} | {env} |\n", help.replace('|', "\\|"))
}

#[test]
fn reference() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let page = page();
    if std::env::var_os("HOWDAH_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/cli.md is out of date: run `cargo xtask generate`");
}
