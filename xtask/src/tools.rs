//! What the tests need besides cargo: vcsim, PyVmomi, a Python with pytest. Everything goes below
//! the target folder, except Debian's packages. Missing packages are installed only as root.

use std::path::PathBuf;

use crate::run::{Done, command, has, must, output, target};

/// vcsim as it is built today, and the newest that Debian 12's Go can build.
const VCSIM: &str = "github.com/vmware/govmomi/vcsim@v0.54.1";
const VCSIM_FOR_OLD_GO: &str = "github.com/vmware/govmomi/vcsim@v0.30.7";
const PYTHON: [&str; 3] = ["pyvmomi==9.0.0.0", "pytest==9.0.2", "PyYAML>=6"];

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

/// vcsim, built if it is not there yet.
pub fn vcsim() -> Done<PathBuf> {
    let binary = folder().join("bin/vcsim");
    if binary.is_file() {
        return Ok(binary);
    }
    packages(&["go"], &["golang-go", "ca-certificates"])?;
    let version = output(&mut command("go", &["env", "GOVERSION"])).unwrap_or_default();
    let minor: u32 =
        version.trim().trim_start_matches("go1.").split('.').next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let module = if minor >= 24 { VCSIM } else { VCSIM_FOR_OLD_GO };
    let mut install = command("go", &["install", module]);
    install.env("GOBIN", folder().join("bin")).env("GOFLAGS", "-mod=mod");
    must(&mut install)?;
    Ok(binary)
}

/// A Python with PyVmomi and pytest.
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
