//! What is wrong with a configuration, and what `howdah config check` prints. Invariant: the
//! value of a secret is in none of these.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The file, at a line and column from 1.
    File {
        /// The file.
        path: PathBuf,
        /// Line; 0 is the file as a whole.
        line: usize,
        /// Column.
        column: usize,
    },
    /// A variable.
    Env(String),
    /// Nowhere: the built-in value.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: 0, .. } => write!(f, "{}", path.display()),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Env(name) => write!(f, "${name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Whether the service can start with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, and somebody should know.
    Warning,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// Where.
    pub origin: Origin,
    /// What.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}: {word}: {}", self.origin, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// A value, as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `site.main.bde.url`.
    pub key: String,
    /// The value; a secret is masked.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// All values, and all that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// By the order of the schema.
    pub entries: Vec<Entry>,
    /// By place.
    pub problems: Vec<Problem>,
}

impl Report {
    pub(super) fn unreadable(path: &Path, e: &std::io::Error) -> Self {
        let problem = Problem {
            severity: Severity::Error,
            origin: Origin::File { path: path.to_owned(), line: 0, column: 0 },
            message: format!("cannot read the file: {e}"),
            hint: Some("Set its path with --config.".to_owned()),
        };
        Self { entries: Vec::new(), problems: vec![problem] }
    }

    /// Whether the service can start.
    pub fn is_good(&self) -> bool {
        self.errors().next().is_none()
    }

    /// What hinders the start.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|p| p.severity == Severity::Error)
    }

    /// What does not.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|p| p.severity == Severity::Warning)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |of: &dyn Fn(&Entry) -> usize| self.entries.iter().map(of).max().unwrap_or(0);
        let (keys, values) = (width(&|e| e.key.chars().count()), width(&|e| e.value.chars().count()));
        for entry in &self.entries {
            writeln!(f, "{:keys$}  {:values$}  {}", entry.key, entry.value, entry.origin)?;
        }
        if !self.entries.is_empty() && !self.problems.is_empty() {
            writeln!(f)?;
        }
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError {
    /// Each thing that is wrong.
    pub problems: Vec<Problem>,
}
