//! Where output goes. Data goes to stdout; everything else to stderr. Progress appears only on a
//! terminal, and colour never carries meaning alone.
//!
//! A closed pipe (`howdah ... | head`) is a clean end, not an error.
//!
//! Invariant: no text from a service or a file can move the cursor, set a title or start a line of its
//! own. Each line and each cell of a table is made printable; only this module lays out text of several lines,
//! and foreign text enters it as a line or a cell. JSON has its own escapes.

use std::io::{self, IsTerminal, Write};

use comfy_table::{Cell, Table, presets};
use howdah_core::text::{into_printable, is_unfit, printable};
use serde::Serialize;

use crate::exit::Failed;

/// Output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Output {
    /// Tables and text.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// The only place that writes output.
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

    /// Whether the output format is JSON.
    pub fn is_json(self) -> bool {
        self.output == Output::Json
    }

    /// Whether progress may be drawn: on a terminal only.
    pub fn draws(self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// A line of data.
    pub fn data(self, line: &str) -> Result<(), Failed> {
        self.raw(&printable(line))
    }

    /// Lines of data that are laid out already: a table, or our own text.
    pub fn lines(self, text: &str) -> Result<(), Failed> {
        self.raw(&by_line(text))
    }

    /// A shell script, generated entirely by us.
    pub fn script(self, text: &str) -> Result<(), Failed> {
        self.raw(text)
    }

    fn raw(self, text: &str) -> Result<(), Failed> {
        match writeln!(io::stdout().lock(), "{text}") {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Err(Failed::ClosedPipe),
            Err(e) => Err(Failed::Stdout(e)),
            Ok(()) => Ok(()),
        }
    }

    /// A document of data, as JSON.
    pub fn json(self, document: &impl Serialize) -> Result<(), Failed> {
        let text = serde_json::to_string_pretty(document).map_err(|e| Failed::Stdout(e.into()))?;
        self.raw(&escaped(&text))
    }

    /// A remark for the user; not in quiet mode.
    pub fn note(self, line: &str) {
        if !self.quiet {
            self.warn(line);
        }
    }

    /// A line that is shown in quiet mode too.
    pub fn warn(self, line: &str) {
        self.report(&printable(line));
    }

    /// The report of a failure that is laid out already.
    pub fn report(self, text: &str) {
        // If stderr is closed, there is no place left to report that.
        let _ = writeln!(io::stderr().lock(), "{}", by_line(text));
    }
}

/// Each line made printable.
fn by_line(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// JSON of several lines. It also escapes the control characters that JSON itself leaves, as `\u007f`: JSON
/// escapes only the first 32.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\n' => text.push(c),
            c if is_unfit(c) => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text
}

/// Lays rows out in columns, with a head.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(head.iter().map(|h| Cell::new(h.to_uppercase())));
    for row in rows {
        table.add_row(row.into_iter().map(into_printable));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|l| l.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: &str = "a\u{1b}]0;t\u{7}\nb\u{9b}31m\u{7f}\u{202e}c";

    #[test]
    fn nothing_gets_out_of_its_cell() {
        let told = table(&["name", "says"], [vec![ODD.to_owned(), "x".to_owned()]]);
        insta::assert_snapshot!(told, @r"
        NAME                                         SAYS
        a\u{1b}]0;t\u{7}\nb\u{9b}31m\u{7f}\u{202e}c  x
        ");
        assert_eq!(by_line(&told), told);
        assert_eq!(by_line("one\r\ntwo\u{1b}"), "one\\r\ntwo\\u{1b}");
    }

    #[test]
    fn json_is_the_same_document_without_what_a_terminal_obeys() {
        let document = serde_json::json!({ "a": ODD, ODD: [1, "ä 日本"] });
        let text = escaped(&serde_json::to_string_pretty(&document).unwrap_or_default());
        assert!(!text.chars().any(|c| c != '\n' && is_unfit(c)), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).ok(), Some(document));
    }
}
