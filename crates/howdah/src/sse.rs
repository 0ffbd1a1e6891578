//! Server-sent events, as far as Howdah's own stream uses them: `id`, `event` and `data` lines.
//! Feeds on chunks that may be cut anywhere. Comments and unknown fields are passed over.

use std::collections::VecDeque;

/// One event of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// Its number, where it has one.
    pub id: Option<u64>,
    /// Its kind.
    pub event: String,
    /// Its document.
    pub data: String,
}

/// Cuts a byte stream into events.
#[derive(Debug, Default)]
pub struct Frames {
    rest: Vec<u8>,
    begun: Frame,
    ready: VecDeque<Frame>,
}

impl Frames {
    /// Takes in more bytes.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.rest.extend_from_slice(chunk);
        while let Some(end) = self.rest.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            self.line(line.trim_end_matches(['\r', '\n']));
        }
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

    /// The next whole event.
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
            frames.feed(&stream[..cut]);
            frames.feed(&stream[cut..]);
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
}
