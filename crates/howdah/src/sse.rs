//! A parser for the server-sent events that Howdah's stream uses: `id`, `event` and `data` lines.
//! It accepts chunks cut at any byte and skips comments and unknown fields. Invariant: one
//! event never takes more than [`EVENT_LIMIT`].

use std::collections::VecDeque;

/// The size limit of one event, in bytes. A cluster of ten thousand nodes takes a quarter of it.
pub const EVENT_LIMIT: usize = 16 * 1024 * 1024;

/// One event of the stream is larger than [`EVENT_LIMIT`].
#[derive(Debug, PartialEq, Eq)]
pub struct TooLarge;

/// One event of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// Its number, if it has one.
    pub id: Option<u64>,
    /// Its kind.
    pub event: String,
    /// Its document.
    pub data: String,
}

/// Splits a byte stream into events.
#[derive(Debug, Default)]
pub struct Frames {
    rest: Vec<u8>,
    begun: Frame,
    ready: VecDeque<Frame>,
}

impl Frames {
    /// Adds bytes.
    ///
    /// # Errors
    /// If an event is too large; the stream is unusable from then on.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), TooLarge> {
        for piece in chunk.split_inclusive(|b| *b == b'\n') {
            let begun = self.rest.len() + self.begun.event.len() + self.begun.data.len();
            if begun + piece.len() > EVENT_LIMIT {
                return Err(TooLarge);
            }
            self.rest.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.rest);
                self.line(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']));
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &str) {
        if line.is_empty() {
            let frame = std::mem::take(&mut self.begun);
            if !frame.data.is_empty() {
                self.ready.push_back(frame);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.begun.id = value.parse().ok(),
            "event" => value.clone_into(&mut self.begun.event),
            "data" => {
                if !self.begun.data.is_empty() {
                    self.begun.data.push('\n');
                }
                self.begun.data.push_str(value);
            }
            _ => {}
        }
    }

    /// The next complete event.
    pub fn next(&mut self) -> Option<Frame> {
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_survive_any_cut() {
        let stream = b": hello\n\nid: 7\nevent: event\ndata: {\"a\":1}\n\nevent: cluster\r\ndata: x\r\ndata: y\r\n\r\n";
        for cut in 0..stream.len() {
            let mut frames = Frames::default();
            frames.feed(&stream[..cut]).unwrap();
            frames.feed(&stream[cut..]).unwrap();
            let all: Vec<_> = std::iter::from_fn(|| frames.next()).collect();
            assert_eq!(
                all,
                [
                    Frame { id: Some(7), event: "event".into(), data: "{\"a\":1}".into() },
                    Frame { id: None, event: "cluster".into(), data: "x\ny".into() },
                ],
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn an_event_without_end_is_refused_and_many_small_ones_are_not() {
        let part = vec![b'x'; 1024 * 1024];
        for separator in ["", "\ndata: "] {
            let mut frames = Frames::default();
            frames.feed(b"data: ").unwrap();
            let mut parts = 0;
            while frames.feed(&part).and_then(|()| frames.feed(separator.as_bytes())).is_ok() {
                parts += 1;
                assert!(parts * part.len() <= EVENT_LIMIT, "{separator:?} is not counted");
            }
            assert_eq!(parts, 15, "{separator:?}");
        }
        let mut frames = Frames::default();
        for _ in 0..3 * EVENT_LIMIT / part.len() {
            frames.feed(b"data: ").and_then(|()| frames.feed(&part)).and_then(|()| frames.feed(b"\n\n")).unwrap();
            assert_eq!(frames.next().unwrap().data.len(), part.len());
        }
    }
}
