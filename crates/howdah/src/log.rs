//! The log: lines on stderr, one for each event.
//!
//! Names, messages and errors of remote systems end up in the log. Invariant: one event is one line, and a
//! terminal obeys nothing in it: every value passes [`printable`], whatever its type and source, including
//! libraries and spans. Field names, targets and levels are constants of the program.

use howdah_core::text::printable;
use tracing::Subscriber;
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{FormatFields, Writer, debug_fn};

/// Installs the log of this process.
pub fn begin(filter: EnvFilter, colour: bool) {
    // It fails if a log is installed already; that one stays.
    let _ = tracing::subscriber::set_global_default(to(std::io::stderr, filter, colour));
}

fn to<W>(writer: W, filter: EnvFilter, colour: bool) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colour)
        .with_writer(writer)
        .fmt_fields(fields())
        .finish()
}

fn fields() -> impl for<'w> FormatFields<'w> + Send + Sync + 'static {
    debug_fn(field).delimited(" ")
}

fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn std::fmt::Debug) -> std::fmt::Result {
    let text = format!("{value:?}");
    let shown = printable(&text);
    match field.name() {
        "message" => write!(writer, "{shown}"),
        // What the `log` crate's records carry beside their message is in the line's head already.
        name if name.starts_with("log.") => Ok(()),
        name => write!(writer, "{}={shown}", name.trim_start_matches("r#")),
    }
}
