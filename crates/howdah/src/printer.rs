//! Where output goes. Data goes to stdout; everything else to stderr. Progress is drawn only on a
//! terminal, and colour carries no meaning by itself.
//!
//! A closed pipe (`howdah ... | head`) is a clean end, not an error.

use std::io::{self, IsTerminal, Write};

use comfy_table::{Cell, Table, presets};
use serde::Serialize;

use crate::exit::Failed;

/// What stdout shall look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Output {
    /// Tables and sentences.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// The one place that writes.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    output: Output,
    quiet: bool,
}

impl Printer {
    /// A printer for this run.
    pub const fn new(output: Output, quiet: bool) -> Self {
        Self { output, quiet }
    }

    /// Whether stdout shall be JSON.
    pub fn is_json(self) -> bool {
        self.output == Output::Json
    }

    /// Whether progress may be drawn: on a terminal only.
    pub fn draws(self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// A line of data.
    pub fn data(self, line: &str) -> Result<(), Failed> {
        match writeln!(io::stdout().lock(), "{line}") {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Err(Failed::ClosedPipe),
            Err(e) => Err(Failed::Stdout(e)),
            Ok(()) => Ok(()),
        }
    }

    /// A document of data, as JSON.
    pub fn json(self, document: &impl Serialize) -> Result<(), Failed> {
        let text = serde_json::to_string_pretty(document).map_err(|e| Failed::Stdout(e.into()))?;
        self.data(&text)
    }

    /// A line for the person who waits; not in quiet mode.
    pub fn note(self, line: &str) {
        if !self.quiet {
            self.warn(line);
        }
    }

    /// A line that is shown in any case.
    pub fn warn(self, line: &str) {
        // Nobody listens on stderr: then there is nobody to tell of it either.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
}

/// Lays rows out in columns, with a head.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(head.iter().map(|h| Cell::new(h.to_uppercase())));
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|l| l.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}
