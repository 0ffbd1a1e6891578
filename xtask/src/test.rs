//! `cargo xtask test`: everything, with counts and seconds at the end.
//!
//! ```text
//!   set-up, one after the other: words, tools, one build for all parts, the labs' packages
//!   then side by side:           Rust | lab with Heat 27 | lab with Heat 19 | lab with NSX-v
//!   with --deep, after that:     what is long
//! ```
//!
//! Invariant: a part that fails hides no other's result, and what is left out is printed.

use std::sync::Mutex;
use std::time::Instant;

use crate::counts::Counts;
use crate::run::{Done, command, lines, must, root, target};
use crate::{links, sim, tools, words};

/// Kinds of tests, by what they need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Unit, simulated and wire tests: cargo, vcsim and PyVmomi.
    Rust,
    /// Heat 27 from PyPI with the plugin's own tests, in a real OpenStack.
    Lab,
    /// Debian's Heat 19: the plugin's own tests, and what differs by engine.
    LabDebian,
    /// VMware's NSX-v plugin in a Neutron of its time, without Heat.
    LabNsxv,
}

/// How many seeds the long run of random mixtures takes.
const DEEP_SEEDS: u64 = 10_000;

/// The core with its test double in the place of BDE: its shared part must not need BDE's strategy.
const CORE_ALONE: [&str; 5] = ["test", "--package", "howdah-core", "--no-default-features", "--locked"];

/// A test binary or lab test that takes longer than this has a line of its own in the table.
const WORTH_A_LINE: f64 = 5.0;

impl Kind {
    const ALL: [Self; 4] = [Self::Rust, Self::Lab, Self::LabDebian, Self::LabNsxv];

    const fn word(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Lab => "heat-27",
            Self::LabDebian => "heat-19",
            Self::LabNsxv => "nsx-v",
        }
    }

    /// The lab's flavour and its Neutron.
    const fn lab(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Rust => None,
            Self::Lab => Some(("pypi", "ml2")),
            Self::LabDebian => Some(("debian", "ml2")),
            Self::LabNsxv => Some(("pypi", "nsx-v")),
        }
    }
}

/// What a part of the run came to.
struct Report {
    name: String,
    counts: Option<Counts>,
    seconds: f64,
    verdict: String,
    /// What in it took long: name, seconds.
    within: Vec<(String, f64)>,
}

impl Report {
    /// Runs a part that tests.
    fn of(name: &str, part: impl FnOnce(&mut Watch) -> Done<bool>) -> Self {
        let (begun, mut watch) = (Instant::now(), Watch::default());
        let outcome = part(&mut watch);
        let counts = watch.counts;
        let verdict = match outcome {
            Ok(true) if counts.failed == 0 && counts.passed > 0 => "ok".to_owned(),
            Ok(true) if counts.passed == 0 => "FAILED: nothing was tested".to_owned(),
            Ok(_) => "FAILED".to_owned(),
            Err(why) => format!("FAILED: {why}"),
        };
        let seconds = begun.elapsed().as_secs_f64();
        Self { name: name.to_owned(), counts: Some(counts), seconds, verdict, within: watch.within }
    }

    /// Runs a step that has to go well before anything can be tested.
    fn step(name: &str, step: impl FnOnce() -> Done) -> Self {
        println!("\n== {name}");
        let begun = Instant::now();
        let verdict = step().map_or_else(|why| format!("FAILED: {why}"), |()| "ok".to_owned());
        Self { name: name.to_owned(), counts: None, seconds: begun.elapsed().as_secs_f64(), verdict, within: vec![] }
    }

    fn good(&self) -> bool {
        self.verdict == "ok"
    }

    fn print(&self) {
        let counts = self.counts.map(|c| c.to_string()).unwrap_or_default();
        println!("{:<28} {:>6.0} s  {:<36} {}", self.name, self.seconds, counts, self.verdict);
        for (what, seconds) in &self.within {
            println!("  {what:<66} {seconds:>6.1} s");
        }
    }
}

/// Reads what runners print.
#[derive(Default)]
struct Watch {
    counts: Counts,
    binary: String,
    within: Vec<(String, f64)>,
}

impl Watch {
    fn line(&mut self, line: &str) {
        self.counts.read(line);
        let words: Vec<_> = line.split_whitespace().collect();
        let took = match words.as_slice() {
            // Cargo names a binary before it runs it, and its tests' time after.
            ["Running", .., binary] => {
                binary.trim_matches(['(', ')']).clone_into(&mut self.binary);
                None
            }
            ["test", "result:", .., "in", seconds] => {
                let name = self.binary.rsplit('/').next().unwrap_or_default();
                seconds.trim_end_matches('s').parse().ok().map(|s| (name.to_owned(), s))
            }
            // The lab's runner: `passed    84.1 s  stack.test_...`.
            ["passed" | "failed", seconds, "s", test] => seconds.parse().ok().map(|s| ((*test).to_owned(), s)),
            _ => None,
        };
        self.within.extend(took.filter(|(_, seconds)| *seconds >= WORTH_A_LINE));
    }
}

/// Runs these kinds, or all; `deep` adds what is long.
pub fn run(only: &[Kind], deep: bool) -> Done {
    let kinds = if only.is_empty() { &Kind::ALL[..] } else { only };
    let mut reports = set_up(kinds);
    if reports.iter().all(Report::good) {
        let done = Mutex::new(vec![]);
        std::thread::scope(|scope| {
            for kind in kinds {
                let done = &done;
                scope.spawn(move || {
                    let report = Report::of(kind.word(), |watch| part(*kind, deep, watch));
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(report);
                });
            }
        });
        reports.extend(done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner));
        if deep {
            reports.push(Report::of("random mixtures", |watch| sim::watched(DEEP_SEEDS, |line| watch.line(line))));
        }
    }
    println!();
    let mut all = Counts::default();
    for report in &reports {
        report.print();
        all.add(report.counts.unwrap_or_default());
    }
    println!("\n{all}");
    let bad: Vec<_> = reports.iter().filter(|r| !r.good()).map(|r| r.name.as_str()).collect();
    if bad.is_empty() { Ok(()) } else { Err(format!("failed: {}", bad.join(", "))) }
}

/// What all parts need, made once and by one at a time: two package managers at work, or two
/// builds, only wait for each other.
fn set_up(kinds: &[Kind]) -> Vec<Report> {
    let mut reports = vec![Report::step("words", words::run), Report::step("links", links::run)];
    reports.push(Report::step("tools", || {
        tools::packages(&["cc"], &["gcc", "libc6-dev"])?;
        if kinds.contains(&Kind::Rust) {
            tools::go(&tools::python()?)?;
        }
        tools::packages(&["python3"], &["python3", "python3-venv"])
    }));
    let whole = ["test", "--workspace", "--locked", "--no-run"];
    let program = ["build", "--locked", "--package", "howdah"];
    reports.push(Report::step("build", || {
        if !kinds.contains(&Kind::Rust) {
            return must(&mut command("cargo", &program));
        }
        must(&mut command("cargo", &whole))?;
        must(command("cargo", &CORE_ALONE).arg("--no-run"))
    }));
    for kind in kinds {
        if let Some(site) = kind.lab() {
            reports.push(Report::step(&format!("lab install, {}", kind.word()), || must(&mut lab(site, &["install"]))));
        }
    }
    reports
}

fn part(kind: Kind, deep: bool, watch: &mut Watch) -> Done<bool> {
    let Some(site) = kind.lab() else {
        return rust(watch);
    };
    let mut tests = vec!["test", "--up"];
    if deep {
        tests.push("--deep");
    } else if kind == Kind::LabDebian {
        // What does not differ by engine is shown with one of them.
        tests.push("--by-engine");
    }
    let plugin = kind == Kind::LabNsxv || lines(kind.word(), &mut lab(site, &["plugin"]), |line| watch.line(line))?;
    let whole = lines(kind.word(), &mut lab(site, &tests), |line| watch.line(line))?;
    Ok(plugin && whole)
}

fn rust(watch: &mut Watch) -> Done<bool> {
    let python = tools::python()?;
    let mut test = command("cargo", &["test", "--workspace", "--locked", "--no-fail-fast"]);
    if let Some(folder) = tools::go(&python)? {
        let mut path = std::ffi::OsString::from(folder);
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        test.env("PATH", path);
    }
    // What is missing from here on is a failure, not a reason to skip.
    test.env("HOWDAH_REQUIRE_ALL", "1").env("PYVMOMI_PYTHON", python);
    let whole = lines(Kind::Rust.word(), &mut test, |line| watch.line(line))?;
    let alone = lines(Kind::Rust.word(), &mut command("cargo", &CORE_ALONE), |line| watch.line(line))?;
    Ok(whole && alone)
}

fn lab((flavour, neutron): (&str, &str), arguments: &[&str]) -> std::process::Command {
    let mut lab = command("python3", &[]);
    lab.arg(root().join("lab/lab.py"))
        .args(arguments)
        .env("HOWDAH_LAB_FLAVOUR", flavour)
        .env("HOWDAH_LAB_NEUTRON", neutron)
        .env("HOWDAH_BIN", target().join("debug/howdah"))
        .env("PYTHONUNBUFFERED", "1");
    lab
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_is_named() {
        let mut watch = Watch::default();
        for line in [
            "     Running tests/controller/main.rs (target/debug/deps/controller-8a1b)",
            "test result: ok. 47 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 61.20s",
            "     Running unittests src/lib.rs (target/debug/deps/howdah_core-77)",
            "test result: ok. 9 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.20s",
            "passed    84.1 s  stack.test_the_2015_template",
        ] {
            watch.line(line);
        }
        assert_eq!(watch.counts.passed, 56);
        let expected = [("controller-8a1b", 61.2), ("stack.test_the_2015_template", 84.1)];
        assert_eq!(watch.within, expected.map(|(name, seconds)| (name.to_owned(), seconds)));
    }
}
