//! Checks the references of the pages: local links with their anchors, and paths of the repository in
//! backticks.
//!
//! A path counts as one of the repository if it starts with a top-level directory or a crate's name, or
//! if it is a Rust file; the front of a Rust file's path may be omitted, as in `site/keeper.rs`. Invariant:
//! it reads nothing outside the repository, so it needs no network. It corrects nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use regex::Regex;

use crate::run::{Done, root};

/// Where pages are, beside those of the root.
const FOLDERS: [&str; 5] = ["docs", "examples", "heat", "lab", "packaging"];

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 4] = ["target", "node_modules", ".git", ".venv"];

/// The tree: its files, and their folders.
struct Tree {
    root: PathBuf,
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
}

/// Prints what is not there as `file:line: what`.
pub fn run() -> Done {
    let tree = Tree::read(root())?;
    let pages = tree.files.iter().filter(|f| {
        f.ends_with(".md") && (!f.contains('/') || FOLDERS.iter().any(|folder| f.starts_with(&format!("{folder}/"))))
    });
    let texts: BTreeMap<&str, String> = pages
        .map(|f| Ok((f.as_str(), fs::read_to_string(tree.root.join(f)).map_err(|e| format!("{f}: {e}"))?)))
        .collect::<Done<_>>()?;
    let mut problems = 0;
    for (page, text) in &texts {
        for (line, what) in wrong(page, text, &tree, &texts)? {
            problems += 1;
            println!("{page}:{line}: {what}");
        }
    }
    match problems {
        0 => Ok(()),
        n => Err(format!("{n} of the pages' links or paths lead nowhere")),
    }
}

/// What a page points to that is not there, with the line.
fn wrong(page: &str, text: &str, tree: &Tree, texts: &BTreeMap<&str, String>) -> Done<Vec<(usize, String)>> {
    let link = Regex::new(r"\]\(([^()\s]+)\)").map_err(|e| e.to_string())?;
    let code = Regex::new(r"`([^`]+)`").map_err(|e| e.to_string())?;
    let mut found = Vec::new();
    for (line, text) in prose(text) {
        for target in code.captures_iter(text).filter_map(|c| c.get(1)).map(|c| c.as_str()) {
            if is_path(target, tree) && !tree.has_path(target) {
                found.push((line, format!("`{target}` is not in the tree")));
            }
        }
        let text = code.replace_all(text, "``");
        for target in link.captures_iter(&text).filter_map(|c| c.get(1)).map(|c| c.as_str()) {
            if !target.contains("://") && !target.starts_with("mailto:") {
                found.extend(broken(page, target, tree, texts).map(|why| (line, why)));
            }
        }
    }
    Ok(found)
}

/// The lines outside fenced code, numbered from one.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().zip(1..).filter_map(move |(line, number)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((number, line))
    })
}

/// Why a link leads nowhere, if it does.
fn broken(page: &str, target: &str, tree: &Tree, texts: &BTreeMap<&str, String>) -> Option<String> {
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let file = if path.is_empty() { Some(page.to_owned()) } else { beside(page, path) };
    let Some(file) = file.filter(|f| tree.files.contains(f) || tree.folders.contains(f)) else {
        return Some(format!("the link {target} leads to no file"));
    };
    let heading = |text: &String| anchors(text).iter().any(|a| Some(a.as_str()) == anchor);
    let there = anchor.is_none() || texts.get(file.as_str()).is_some_and(heading);
    (!there).then(|| format!("the link {target} leads to no heading"))
}

/// A relative path, seen from a page; nothing if it leads out of the tree.
fn beside(page: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => drop(parts.pop()?),
            Component::Normal(name) => parts.push(name.to_str()?),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

/// The anchors of a page's headings, as GitHub and mdBook make them.
fn anchors(text: &str) -> Vec<String> {
    let mut made: Vec<String> = Vec::new();
    for (_, line) in prose(text).filter(|(_, line)| line.starts_with('#')) {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let before = made.iter().filter(|a| **a == anchor).count();
        made.push(if before == 0 { anchor } else { format!("{anchor}-{before}") });
    }
    made
}

/// Whether a text in backticks is meant as a path of the tree.
fn is_path(text: &str, tree: &Tree) -> bool {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let Some((first, _)) = text.split_once('/').filter(|_| plain) else {
        return false;
    };
    let of_tree = tree.folders.contains(first) || tree.folders.contains(&format!("crates/{first}/src"));
    of_tree || Path::new(text).extension().is_some_and(|e| e == "rs")
}

impl Tree {
    fn read(root: PathBuf) -> Done<Self> {
        let mut tree = Self { root, files: BTreeSet::new(), folders: BTreeSet::new() };
        let mut next = vec![String::new()];
        while let Some(folder) = next.pop() {
            let path = tree.root.join(&folder);
            for entry in fs::read_dir(&path).map_err(|e| format!("{}: {e}", path.display()))? {
                let entry = entry.map_err(|e| format!("{}: {e}", path.display()))?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let own = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() && !SKIPPED.contains(&name.as_str()) => {
                        tree.folders.insert(own.clone());
                        next.push(own);
                    }
                    Ok(kind) if !kind.is_dir() => drop(tree.files.insert(own)),
                    _ => {}
                }
            }
        }
        Ok(tree)
    }

    /// Whether there is such a file or folder: from the root, from `crates/`, or a Rust file's end.
    fn has_path(&self, text: &str) -> bool {
        let path = text.trim_end_matches('/');
        let there = |path: &str| self.files.contains(path) || self.folders.contains(path);
        let end = format!("/{path}");
        there(path)
            || there(&format!("crates/{path}"))
            || (path.ends_with(".rs") && self.files.iter().any(|f| f.ends_with(&end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &str, text: &str) -> Vec<(usize, String)> {
        let names = |of: &[&str]| of.iter().map(|n| (*n).to_owned()).collect();
        let tree = Tree {
            root: PathBuf::new(),
            files: names(&["README.md", "docs/a.md", "crates/howdah-core/src/site/keeper.rs"]),
            folders: names(&["docs", "crates", "crates/howdah-core/src"]),
        };
        let other = "# A word, `code` & more\n## Twice\n## Twice\n```\n# not this\n```\n".to_owned();
        wrong(page, text, &tree, &BTreeMap::from([("docs/a.md", other), (page, text.to_owned())])).unwrap()
    }

    #[test]
    fn links_lead_to_files_and_headings() {
        let good = "[a](docs/a.md) [b](docs/a.md#a-word-code--more) [c](#here) [d](docs/a.md#twice-1) [e](https://x/y)\n\
                    # Here\n```\n[f](nowhere.md)\n```\n`[g](nowhere.md)`";
        assert_eq!(found("README.md", good), []);
        assert_eq!(found("docs/b.md", "[a](a.md) [b](../README.md)"), []);
        for bad in ["[a](b.md)", "[a](docs/a.md#not-this)", "[a](#there)", "[a](../x.md)"] {
            assert_eq!(found("README.md", &format!("\n{bad}")).len(), 1, "{bad}");
        }
    }

    #[test]
    fn paths_in_backticks_are_in_the_tree() {
        let good =
            "`docs/a.md` `docs/` `howdah-core/src/site/keeper.rs` `site/keeper.rs` `compute:x/y` `a/b` `docs/*.md`";
        assert_eq!(found("README.md", good), []);
        for bad in ["`docs/b.md`", "`howdah-core/src/site.rs`", "`site/other.rs`", "`crates/howdah-none/`"] {
            assert_eq!(found("README.md", bad).len(), 1, "{bad}");
        }
    }
}
