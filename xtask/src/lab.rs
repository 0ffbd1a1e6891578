//! `cargo xtask lab ...`: builds the service and hands over to `lab/lab.py`.

use crate::run::{Done, command, must, root, target};

/// Builds what the lab starts, then runs its command.
pub fn run(args: &[String]) -> Done {
    if args.first().is_some_and(|a| matches!(a.as_str(), "up" | "demo" | "start" | "test")) {
        must(&mut command("cargo", &["build", "--quiet", "--package", "howdah"]))?;
    }
    let mut lab = command("python3", &[]);
    lab.arg(root().join("lab/lab.py")).args(args).env("HOWDAH_BIN", target().join("debug/howdah"));
    must(&mut lab)
}
