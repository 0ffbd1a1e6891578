//! The picture of the crates in `ARCHITECTURE.md`: which uses which, from cargo itself.
//!
//! Only normal dependencies count, and an arrow that follows from others is left out: what stays is the
//! order in which the crates lie above each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use serde::Deserialize;

use crate::run::{Done, command, root};

const PAGE: &str = "ARCHITECTURE.md";
const BEGIN: &str = "<!-- The crates; written by `cargo xtask generate`. -->\n";
const END: &str = "<!-- End of the crates. -->\n";

/// Which crate uses which.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// What `cargo metadata` says, as far as it matters here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `dev` and `build`; none is normal.
    kind: Option<String>,
}

/// Redraws it, or checks that it is current.
pub fn run(check: bool) -> Done {
    let path = root().join(PAGE);
    let page = fs::read_to_string(&path).map_err(|e| format!("{PAGE}: {e}"))?;
    let fresh = placed(&page, &drawn(&uses()?))?;
    if fresh == page {
        return Ok(());
    }
    if check {
        return Err(format!("the picture of the crates in {PAGE} is old; `cargo xtask generate` redraws it"));
    }
    fs::write(&path, fresh).map_err(|e| format!("{PAGE}: {e}"))
}

fn uses() -> Done<Uses> {
    let args = ["metadata", "--no-deps", "--locked", "--format-version", "1"];
    let output = command("cargo", &args).output().map_err(|e| format!("cargo metadata: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).map_err(|e| format!("cargo metadata: {e}"))?;
    // This program is no part of what is shipped.
    let ours: BTreeSet<_> = metadata.packages.iter().map(|p| p.name.clone()).filter(|n| n != "xtask").collect();
    let normal = |p: Package| {
        let used = p.dependencies.into_iter().filter(|d| d.kind.is_none() && ours.contains(&d.name));
        (p.name, used.map(|d| d.name).collect())
    };
    Ok(metadata.packages.into_iter().filter(|p| ours.contains(&p.name)).map(normal).collect())
}

/// All that a crate uses, directly or not.
fn below(uses: &Uses, of: &str) -> BTreeSet<String> {
    let (mut found, mut next) = (BTreeSet::new(), vec![of.to_owned()]);
    while let Some(name) = next.pop() {
        next.extend(uses.get(&name).into_iter().flatten().filter(|used| found.insert((*used).clone())).cloned());
    }
    found
}

/// The picture, from the top down.
fn drawn(uses: &Uses) -> String {
    let mut names: Vec<_> = uses.keys().map(|name| (below(uses, name).len(), name)).collect();
    names.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let mut picture = "```mermaid\ngraph TD\n".to_owned();
    for (_, name) in names {
        let used = &uses[name];
        let implied: BTreeSet<_> = used.iter().flat_map(|u| below(uses, u)).collect();
        let direct: Vec<_> = used.difference(&implied).map(String::as_str).collect();
        let line = if direct.is_empty() { name.clone() } else { format!("{name} --> {}", direct.join(" & ")) };
        // Writing to a string cannot fail.
        let _ = writeln!(picture, "    {line}");
    }
    picture + "```\n"
}

/// The page with this picture in place of the one that it has.
fn placed(page: &str, picture: &str) -> Done<String> {
    let missing = || format!("{PAGE} has no place for the picture: {BEGIN}");
    let (before, rest) = page.split_once(BEGIN).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    Ok(format!("{before}{BEGIN}{picture}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_that_follows_from_others_is_left_out() {
        let uses = [("app", &["core", "net"][..]), ("net", &["core"]), ("core", &[]), ("kit", &[])];
        let uses: Uses =
            uses.iter().map(|(n, used)| ((*n).to_owned(), used.iter().map(|u| (*u).to_owned()).collect())).collect();
        let expected = "```mermaid\ngraph TD\n    app --> net\n    net --> core\n    core\n    kit\n```\n";
        assert_eq!(drawn(&uses), expected);
        let page = format!("a\n{BEGIN}old\n{END}b\n");
        assert_eq!(placed(&page, "new\n").unwrap(), format!("a\n{BEGIN}new\n{END}b\n"));
        assert!(placed("a\n", "new\n").is_err());
    }

    #[test]
    fn the_picture_is_fresh() {
        assert_eq!(run(std::env::var_os("HOWDAH_BLESS").is_none()), Ok(()));
    }
}
