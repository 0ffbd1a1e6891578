//! Searches docs, comments and messages for the discouraged forms in `xtask/words.toml`.
//!
//! A blank in a pattern also matches a line break with the comment mark after it. Code in Markdown
//! is skipped. Invariant: an exception that matches nothing is an error, so the list of
//! exceptions stays current. It corrects nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use regex::Regex;
use serde::Deserialize;

use crate::run::{Done, root};

/// `xtask/words.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    search: Vec<Search>,
    avoid: Vec<Avoid>,
    #[serde(default)]
    allow: Vec<Allow>,
}

/// A part of the tree, searched if it is `on`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    name: String,
    on: bool,
    paths: Vec<String>,
    endings: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
}

/// A discouraged form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Avoid {
    pattern: String,
    prefer: String,
    why: String,
}

/// A use that is right: the text as it stands in the file, on one line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    file: String,
    text: String,
    #[expect(dead_code, reason = "for the reader of the list")]
    why: String,
}

/// A discouraged form in a text.
#[derive(Debug, PartialEq)]
struct Found {
    line: usize,
    text: String,
    /// Its place in the list.
    rule: usize,
}

/// Prints each discouraged form as `file:line: found -> preferred`.
pub fn run() -> Done {
    let path = root().join("xtask/words.toml");
    let list = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let list: List = toml::from_str(&list).map_err(|e| format!("{}: {e}", path.display()))?;
    let rules = list.avoid.iter().map(|a| rule(&a.pattern)).collect::<Result<Vec<_>, _>>()?;

    let mut files = BTreeSet::new();
    for search in &list.search {
        if search.on {
            collect(search, &mut files).map_err(|e| format!("the files of {}: {e}", search.name))?;
        }
    }
    let mut problems = 0;
    for file in &files {
        let mut text = fs::read_to_string(root().join(file)).map_err(|e| format!("{file}: {e}"))?;
        for allow in list.allow.iter().filter(|a| a.file == *file) {
            if find(&allow.text, &rules).is_empty() || !text.contains(&allow.text) {
                problems += 1;
                println!("{file}: xtask/words.toml allows \"{}\" there without need", allow.text);
            }
            text = text.replace(&allow.text, &blank(&allow.text));
        }
        if Path::new(file).extension().is_some_and(|e| e == "md") {
            text = without_code(&text);
        }
        for found in find(&text, &rules) {
            problems += 1;
            let Avoid { prefer, why, .. } = &list.avoid[found.rule];
            println!("{file}:{}: {} -> {prefer} ({why})", found.line, found.text);
        }
    }
    match problems {
        0 => Ok(()),
        1 => Err("1 discouraged form; xtask/words.toml has the list and its exceptions".to_owned()),
        n => Err(format!("{n} discouraged forms; xtask/words.toml has the list and its exceptions")),
    }
}

/// The expression of a pattern: whole words, any case, over line breaks.
fn rule(pattern: &str) -> Result<Regex, String> {
    let words = pattern.replace(' ', r"[\s#/!]+");
    Regex::new(&format!(r"(?i)\b(?:{words})\b")).map_err(|e| format!("xtask/words.toml: {pattern}: {e}"))
}

/// All matches, in the order of the text.
fn find(text: &str, rules: &[Regex]) -> Vec<Found> {
    let mut found: Vec<_> = (rules.iter().enumerate())
        .flat_map(|(rule, regex)| regex.find_iter(text).map(move |m| (m.start(), rule, m.as_str())))
        .collect();
    found.sort_unstable();
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    found.into_iter().map(|(at, rule, text)| Found { line: line(at), text: one_line(text), rule }).collect()
}

/// Markdown with its code blanked out: what stands there is the program's.
fn without_code(text: &str) -> String {
    let (mut fenced, mut out) = (false, String::with_capacity(text.len()));
    for line in text.split_inclusive('\n') {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if fenced || fence || line.starts_with("    ") {
            out.push_str(&blank(line));
            continue;
        }
        for (n, part) in line.split('`').enumerate() {
            let mark = if n == 0 { "" } else { "`" };
            out.push_str(mark);
            out.push_str(&if n % 2 == 1 { blank(part) } else { part.to_owned() });
        }
    }
    out
}

/// As many lines, and no word.
fn blank(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { '.' }).collect()
}

/// The files of a part, relative to the root.
fn collect(search: &Search, into: &mut BTreeSet<String>) -> io::Result<()> {
    let mut folders: Vec<PathBuf> = search.paths.iter().map(PathBuf::from).collect();
    while let Some(path) = folders.pop() {
        let name = path.to_string_lossy().into_owned();
        if search.except.contains(&name) || path.file_name().is_some_and(|n| n == "target") {
            continue;
        }
        if root().join(&path).is_dir() {
            for entry in fs::read_dir(root().join(&path))? {
                folders.push(path.join(entry?.file_name()));
            }
        } else if search.endings.iter().any(|e| path.extension().is_some_and(|x| *x == **e)) {
            into.insert(name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<Found> {
        find(text, &[rule("for want of").unwrap(), rule("mends?").unwrap()])
    }

    #[test]
    fn a_turn_is_found_over_a_line_break_of_a_comment() {
        let text = "fine\n# refused for want\n# of a token; recommend this\n";
        assert_eq!(found(text), [Found { line: 2, text: "for want # of".to_owned(), rule: 0 }]);
        assert_eq!(found("Mend it")[0].rule, 1);
    }

    #[test]
    fn code_in_markdown_is_left_out_and_lines_still_count() {
        let text = without_code("`mend` a\n```text\nmend\n```\n    mend\n`x` mend `mend`\n");
        assert_eq!(found(&text), [Found { line: 6, text: "mend".to_owned(), rule: 1 }]);
    }
}
