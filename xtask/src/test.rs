//! `cargo xtask test`: everything, with counts at the end.

use std::time::Instant;

use crate::counts::Counts;
use crate::run::{Done, command, lines, must, root, target};
use crate::tools;

/// Kinds of tests, by what they need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Unit, simulated and wire tests: cargo, vcsim and PyVmomi.
    Rust,
    /// Heat 27 from PyPI with the plugin's own tests, in a real OpenStack.
    Lab,
    /// The same on Debian's Heat 19.
    LabDebian,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Rust, Self::Lab, Self::LabDebian];

    const fn word(self) -> &'static str {
        match self {
            Self::Rust => "unit, simulated, wire",
            Self::Lab => "lab, Heat 27",
            Self::LabDebian => "lab, Debian's Heat 19",
        }
    }
}

/// Runs these kinds, or all.
pub fn run(only: &[Kind]) -> Done {
    let kinds = if only.is_empty() { &Kind::ALL[..] } else { only };
    let mut report = Vec::new();
    let mut all = Counts::default();
    let mut failed = false;
    for kind in kinds {
        println!("\n== {}", kind.word());
        let begun = Instant::now();
        let mut counts = Counts::default();
        let good = match kind {
            Kind::Rust => rust(&mut counts),
            Kind::Lab => lab("pypi", &mut counts),
            Kind::LabDebian => lab("debian", &mut counts),
        };
        let word = match good {
            Ok(true) => "ok".to_owned(),
            Ok(false) => "FAILED".to_owned(),
            Err(why) => {
                counts.failed += 1;
                format!("FAILED: {why}")
            }
        };
        failed |= word != "ok" || counts.failed > 0 || counts.passed == 0;
        report.push(format!("{:<24} {counts} in {} s  {word}", kind.word(), begun.elapsed().as_secs()));
        all.add(counts);
    }
    println!("\n{}\n", report.join("\n"));
    println!("{all}");
    if failed { Err("some tests failed".to_owned()) } else { Ok(()) }
}

fn rust(counts: &mut Counts) -> Done<bool> {
    tools::packages(&["cc"], &["gcc", "libc6-dev"])?;
    let python = tools::python()?;
    let go = tools::go(&python)?;
    let mut test = command("cargo", &["test", "--workspace", "--locked", "--no-fail-fast"]);
    if let Some(folder) = go {
        let mut path = std::ffi::OsString::from(folder);
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        test.env("PATH", path);
    }
    // What is missing from here on is a failure, not a reason to skip.
    test.env("HOWDAH_REQUIRE_ALL", "1").env("PYVMOMI_PYTHON", python);
    lines(&mut test, |line| counts.read(line))
}

fn lab(flavour: &str, counts: &mut Counts) -> Done<bool> {
    must(&mut command("cargo", &["build", "--quiet", "--package", "howdah"]))?;
    tools::packages(&["python3"], &["python3", "python3-venv"])?;
    let lab = |arguments: &[&str]| {
        let mut lab = command("python3", &[]);
        lab.arg(root().join("lab/lab.py"))
            .args(arguments)
            .env("HOWDAH_LAB_FLAVOUR", flavour)
            .env("HOWDAH_BIN", target().join("debug/howdah"))
            .env("PYTHONUNBUFFERED", "1");
        lab
    };
    must(&mut lab(&["install"]))?;
    let plugin = lines(&mut lab(&["plugin"]), |line| counts.read(line))?;
    let whole = lines(&mut lab(&["test", "--up"]), |line| counts.read(line))?;
    Ok(plugin && whole)
}
