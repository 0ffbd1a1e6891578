//! Problems of a configuration, and the output of `howdah config check`. Invariant: neither contains the
//! value of a secret.

use std::fmt;
use std::path::{Path, PathBuf};

/// The origin of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The file, at a line and column from 1.
    File {
        /// The file.
        path: PathBuf,
        /// Line; 0 means the whole file.
        line: usize,
        /// Column.
        column: usize,
    },
    /// A variable.
    Env(String),
    /// The built-in default.
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
    /// It prevents the start.
    Error,
    /// It does not prevent the start.
    Warning,
}

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Severity.
    pub severity: Severity,
    /// Position.
    pub origin: Origin,
    /// Message.
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

/// A printable value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `site.main.bde.url`.
    pub key: String,
    /// The value; a secret is masked.
    pub value: String,
    /// Its origin.
    pub origin: Origin,
}

/// All values and all problems.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// In the order of the schema.
    pub entries: Vec<Entry>,
    /// By position.
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

    /// The problems that prevent the start.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|p| p.severity == Severity::Error)
    }

    /// The problems that do not.
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
    /// The errors.
    pub problems: Vec<Problem>,
}
