//! Runs other programs: prints each command first, and names it in a failure.
//!
//! Invariant: no child inherits cargo's variables about *this* program. A build script that reads such a
//! variable (like ring's) would otherwise run again, and its dependents be rebuilt, at every change between
//! `cargo demo` and `cargo xtask`.

use std::io::{BufRead, BufReader, PipeReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What went wrong, in a sentence.
pub type Done<T = ()> = Result<T, String>;

/// The top of the tree.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// Where this build's files go.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A command with its arguments, run at the top of the tree.
pub fn command(program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_cargos_own) {
            command.env_remove(name);
        }
    }
    if let Some(paths) = std::env::var_os("LD_LIBRARY_PATH") {
        // `cargo run` puts its own folders in front of what the user has set.
        let users: Vec<_> = std::env::split_paths(&paths).filter(|p| !is_a_build_folder(p)).collect();
        match std::env::join_paths(&users) {
            Ok(kept) if !users.is_empty() => command.env("LD_LIBRARY_PATH", kept),
            _ => command.env_remove("LD_LIBRARY_PATH"),
        };
    }
    command
}

/// Variables that `cargo run` sets for the program that it runs, see the Cargo book, "Environment
/// variables Cargo sets for crates". What users set for cargo has other names, and stays.
fn is_cargos_own(name: &str) -> bool {
    let exact = [
        "CARGO",
        "CARGO_CRATE_NAME",
        "CARGO_MAKEFLAGS",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_TMPDIR",
        "OUT_DIR",
        "RUST_RECURSION_COUNT",
    ];
    let fronts = ["CARGO_BIN_", "CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_CFG_", "CARGO_FEATURE_"];
    exact.contains(&name) || fronts.iter().any(|front| name.starts_with(front))
}

fn is_a_build_folder(path: &Path) -> bool {
    path.starts_with(target()) || path.components().any(|c| c.as_os_str() == ".rustup" || c.as_os_str() == "rustlib")
}

fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|a| a.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Runs a command to its end.
pub fn must(command: &mut Command) -> Done {
    let shown = shown(command);
    println!("$ {shown}");
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{shown}` ended with {status}")),
        Err(e) => Err(format!("`{shown}` cannot be run: {e}")),
    }
}

/// Runs a command to its end beside others: each line that it prints, to either output, is shown
/// behind the name of its part and handed over. Returns whether it ended well.
pub fn lines(part: &str, command: &mut Command, mut each: impl FnMut(&str)) -> Done<bool> {
    let shown = shown(command);
    println!("[{part}] $ {shown}");
    let cannot = |e: std::io::Error| format!("`{shown}` cannot be run: {e}");
    let (out, mut child) = piped(command).map_err(cannot)?;
    for line in BufReader::new(out).split(b'\n') {
        let line = line.map_err(cannot)?;
        let line = String::from_utf8_lossy(&line);
        println!("[{part}] {line}");
        each(&line);
    }
    child.wait().map(|s| s.success()).map_err(cannot)
}

/// Starts a command with both its outputs in one pipe, so that their lines keep their order.
fn piped(command: &mut Command) -> std::io::Result<(PipeReader, Child)> {
    let (out, into) = std::io::pipe()?;
    let child = command.stdin(Stdio::null()).stdout(into.try_clone()?).stderr(into).spawn()?;
    // The command's own copies keep the pipe open for as long as they live.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Ok((out, child))
}

/// What a command prints, if it ends well.
pub fn output(command: &mut Command) -> Option<String> {
    let out = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Whether a program is to be found.
pub fn has(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
        || ["/usr/sbin", "/sbin"].iter().any(|dir| Path::new(dir).join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_own_variables_stay_here_and_the_users_go_along() {
        for own in ["CARGO", "CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "OUT_DIR"] {
            assert!(is_cargos_own(own), "{own}");
        }
        for users in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_NET_OFFLINE", "CARGO_REGISTRIES_X_INDEX", "RUSTFLAGS"] {
            assert!(!is_cargos_own(users), "{users}");
        }
    }

    #[test]
    fn a_child_sees_none_of_them_and_both_outputs_in_order() {
        let mut seen = vec![];
        let mut sh = command("sh", &["-c", "env | grep -c '^CARGO_PKG_'; echo two >&2; echo three; exit 3"]);
        let good = lines("test", &mut sh, |line| seen.push(line.to_owned())).unwrap();
        assert_eq!((good, seen.as_slice()), (false, ["0".to_owned(), "two".to_owned(), "three".to_owned()].as_slice()));
    }
}
