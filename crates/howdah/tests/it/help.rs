//! `--help` of every command, and completions.

use std::process::Command;

use crate::child::{finish, howdah, run};

#[test]
fn every_command_explains_itself() {
    let cluster = ["create", "list", "show", "watch", "stop", "start", "delete"];
    let mut commands: Vec<Vec<&str>> =
        ["demo", "sandbox", "serve", "cluster", "config", "completions"].map(|c| vec![c]).into();
    commands.extend(cluster.map(|c| vec!["cluster", c]));
    commands.push(vec!["config", "check"]);
    for command in commands {
        let help = run(&[&command[..], &["--help"]].concat()).ended(0);
        assert_eq!(help.stderr, "");
        let usage = format!("Usage: howdah {}", command.join(" "));
        assert!(help.stdout.contains(&usage), "{}", help.stdout);
    }
    insta::assert_snapshot!(run(&["--help"]).ended(0).stdout);
    assert_eq!(run(&["--version"]).ended(0).stdout, concat!("howdah ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn without_a_command_the_help_is_an_error() {
    let none = run(&[]).ended(2);
    assert!(none.stdout.is_empty() && none.stderr.contains("Usage: howdah"), "{}", none.stderr);
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]).ended(0);
        assert!(script.stdout.contains("sandbox") && script.stdout.contains("no-wait"), "{shell}: {}", script.stdout);
        assert_eq!(script.stderr, "");
    }
    let script = run(&["completions", "bash"]).stdout;
    let parsed = Command::new("bash").args(["-n", "-c", &script]).status().unwrap();
    assert!(parsed.success(), "bash does not understand its completions");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let program = env!("CARGO_BIN_EXE_howdah");
    let mut pipe = Command::new("bash");
    let script = "set -o pipefail; \"$0\" completions zsh | head -c 1 > /dev/null";
    pipe.args(["-c", script, program]);
    let piped = finish(pipe).ended(0);
    assert_eq!(piped.stderr, "");
}

#[test]
fn no_colour_where_none_is_wanted() {
    let mut help = howdah(&["cluster"]);
    help.env("NO_COLOR", "1");
    assert!(!finish(help).ended(2).stderr.contains('\u{1b}'));
}
