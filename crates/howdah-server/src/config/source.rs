//! The file and the environment as a whole: positions in the text, problems, and origins of values.
//! Invariant: every variable with our prefix belongs to a key, or is refused.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeTable;

use super::{Entry, Env, Origin, Problem, Report, Severity};

/// The sources, and the findings.
pub(super) struct Source<'a> {
    path: &'a Path,
    text: &'a str,
    env: &'a Env,
    asked_env: BTreeSet<String>,
    /// Whether the file contains a secret.
    holds_secret: bool,
    report: Report,
}

/// A value with its origin.
#[derive(Clone)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
}

impl<'a> Source<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str, env: &'a Env) -> Self {
        Self { path, text, env, asked_env: BTreeSet::new(), holds_secret: false, report: Report::default() }
    }

    /// The parsed file; syntax errors are recorded.
    pub(super) fn parse(&mut self) -> Option<Spanned<DeTable<'a>>> {
        match DeTable::parse(self.text) {
            Ok(table) => Some(table),
            Err(e) => {
                let origin = self.at(e.span().map_or(0, |s| s.start));
                self.error(origin, format!("the file is not valid TOML: {}", e.message()), None);
                None
            }
        }
    }

    /// The position of a byte of the file.
    pub(super) fn at(&self, offset: usize) -> Origin {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        Origin::File { path: self.path.to_owned(), line, column }
    }

    /// The file as a whole.
    pub(super) fn whole(&self) -> Origin {
        Origin::File { path: self.path.to_owned(), line: 0, column: 0 }
    }

    pub(super) fn error(&mut self, origin: Origin, message: impl Into<String>, hint: Option<String>) {
        self.report.problems.push(Problem { severity: Severity::Error, origin, message: message.into(), hint });
    }

    pub(super) fn warn(&mut self, origin: Origin, message: impl Into<String>, hint: Option<String>) {
        self.report.problems.push(Problem { severity: Severity::Warning, origin, message: message.into(), hint });
    }

    /// Records that the file contains a secret.
    pub(super) fn hold_secret(&mut self) {
        self.holds_secret = true;
    }

    /// Warns if the file contains secrets and is readable by others.
    pub(super) fn finish_file(&mut self) {
        if self.holds_secret {
            let (origin, path) = (self.whole(), self.path);
            self.warn_if_exposed(origin, path, " and holds secrets");
        }
    }

    /// Warns about a file with a secret that every user of this host can read; `why` ends the sentence.
    pub(super) fn warn_if_exposed(&mut self, origin: Origin, path: &Path, why: &str) {
        let mode = std::fs::metadata(path).map_or(0, |found| found.permissions().mode());
        if mode & 0o004 != 0 {
            let message = format!("{} is readable by every user of this host{why}", path.display());
            self.warn(origin, message, Some(format!("Run: chmod 640 {}", path.display())));
        }
    }

    /// A path; a relative one starts at the directory of the configuration file.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.path.parent().map_or_else(|| PathBuf::from(path), |folder| folder.join(path))
    }

    /// The number of errors so far.
    pub(super) fn errors(&self) -> usize {
        self.report.errors().count()
    }

    /// A variable by its name.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    /// A variable of ours; this marks it as known.
    pub(super) fn own_variable(&mut self, name: &str) -> Option<String> {
        self.asked_env.insert(name.to_owned());
        self.variable(name)
    }

    /// Refuses unknown variables with our prefix.
    pub(super) fn finish_env(&mut self) {
        const OURS: [&str; 4] = ["HOWDAH_SERVER_", "HOWDAH_STORE_", "HOWDAH_TEMPLATES_", "HOWDAH_SITE_"];
        let unknown: Vec<_> = self
            .env
            .keys()
            .filter(|name| OURS.iter().any(|p| name.starts_with(p)) && !self.asked_env.contains(*name))
            .cloned()
            .collect();
        for name in unknown {
            let hint = nearest(&name, self.asked_env.iter().map(String::as_str)).map(|n| format!("Did you mean {n}?"));
            self.error(Origin::Env(name), "no setting belongs to this variable", hint);
        }
    }

    pub(super) fn into_report(mut self) -> Report {
        self.report.problems.sort_by_key(|p| match &p.origin {
            Origin::File { line, column, .. } => (0, *line, *column, String::new()),
            Origin::Env(name) => (1, 0, 0, name.clone()),
            Origin::Default => (2, 0, 0, String::new()),
        });
        self.report
    }

    pub(super) fn list(&mut self, key: String, value: impl Into<String>, origin: &Origin) {
        self.report.entries.push(Entry { key, value: value.into(), origin: origin.clone() });
    }
}

/// The probably intended word: at most a third of its letters differ.
pub(super) fn nearest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    known
        .map(|k| (distance(word, k), k))
        .filter(|(d, k)| *d * 3 <= k.chars().count().max(word.chars().count()))
        .min()
        .map(|(_, k)| k)
}

/// The edit distance: letters to add, drop or change.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, b) in other.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_the_one_meant() {
        let known = ["listen", "unix", "auth", "tls"];
        assert_eq!(nearest("lisen", known.into_iter()), Some("listen"));
        assert_eq!(nearest("tsl", known.into_iter()), None, "two of three letters are wrong");
        assert_eq!(nearest("colour", known.into_iter()), None);
        assert_eq!((distance("", "abc"), distance("abc", "abc"), distance("kitten", "sitting")), (3, 0, 3));
    }
}
