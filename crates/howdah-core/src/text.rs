//! Makes foreign text printable, and detects the characters that are not.
//!
//! A name, a field of a request or a message of a remote system can contain characters that a terminal or
//! a log obeys instead of showing: a line feed starts a forged line, an escape sequence moves the cursor,
//! sets the window's title or fills the clipboard, and a bidirectional override changes the visible order
//! of a text.
//!
//! * On input, the API refuses them ([`first_unfit`]).
//! * On output, they become escapes ([`printable`]): in messages of errors and failures
//!   ([`crate::failure`]), the API's documents, the log, the command line.
//!
//! Invariant: [`printable`] returns one line without such characters. It drops nothing and does not change
//! other text, so it can be applied twice. It is for display: the escapes are never parsed.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether terminals obey a character instead of showing it: the control characters (Unicode's `Cc`: C0, DEL and
/// C1), the line and paragraph separators, and the marks, embeddings, overrides and isolates of
/// Unicode's bidirectional algorithm (UAX 9, table 2).
pub const fn is_unfit(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{2028}' | '\u{2029}'
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The first such character.
pub fn first_unfit(text: &str) -> Option<char> {
    text.chars().find(|c| is_unfit(*c))
}

/// The text in one line, with each such character as an escape: `\n`, `\r`, `\t`, or `\u{1b}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if first_unfit(text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            // Writing to a String cannot fail.
            c if is_unfit(c) => drop(write!(shown, "\\u{{{:x}}}", u32::from(c))),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// The same for an owned text.
pub fn into_printable(text: impl Into<String>) -> String {
    let text = text.into();
    match printable(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(shown) => shown,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_obeyed_is_shown_instead() {
        for (text, shown) in [
            ("plain, größer, 日本語, 🦀", "plain, größer, 日本語, 🦀"),
            ("", ""),
            ("a\nb\r\nc\td", "a\\nb\\r\\nc\\td"),
            ("\u{1b}[2J\u{1b}]0;title\u{7}", "\\u{1b}[2J\\u{1b}]0;title\\u{7}"),
            ("\0\u{7f}\u{85}\u{9b}31m", "\\u{0}\\u{7f}\\u{85}\\u{9b}31m"),
            ("one\u{2028}two\u{2029}", "one\\u{2028}two\\u{2029}"),
            ("user\u{202e}nimda\u{2066}x\u{200f}", "user\\u{202e}nimda\\u{2066}x\\u{200f}"),
            ("C:\\new", "C:\\new"),
        ] {
            assert_eq!(printable(text), shown);
            assert_eq!(into_printable(text), shown);
        }
    }

    proptest! {
        #[test]
        fn it_is_one_line_of_text_that_can_be_shown(text in any::<String>()) {
            let shown = printable(&text).into_owned();
            prop_assert_eq!(first_unfit(&shown), None);
            prop_assert!(shown.lines().count() <= 1);
            prop_assert_eq!(printable(&shown).into_owned(), shown.clone());
            prop_assert_eq!(first_unfit(&text).is_none(), shown == text);
        }

        #[test]
        fn of_every_control_character_nothing_is_left(c in prop::sample::select(
            (0..0x11_0000u32).filter_map(char::from_u32).filter(|c| c.is_control() || is_unfit(*c)).collect::<Vec<_>>(),
        )) {
            let shown = printable(&format!("a{c}b")).into_owned();
            prop_assert!(shown.starts_with("a\\") && shown.ends_with('b') && !shown.contains(c), "{shown:?}");
        }
    }
}
