//! Server-sent events: bytes in, whole events out. No socket is known here.

use memchr::memchr2;
use std::mem;

/// The longest event that is taken, in bytes; a list of ten thousand services is shorter.
/// Whoever sends more is no weir.
pub const EVENT_MAX: usize = 64 << 20;

/// One event, complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub name: String,
    pub data: String,
}

/// An event is longer than [`EVENT_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it sent an event of more than {} MiB", EVENT_MAX >> 20)]
pub struct TooLong;

/// Cuts a stream into events, as the HTML standard says.
#[derive(Debug, Default)]
pub struct Events {
    line: Vec<u8>,
    event: Event,
    /// The last byte was a carriage return: a line feed behind it ends no second line.
    after_return: bool,
}

impl Events {
    /// Takes the next bytes and gives the events that they complete.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut complete = Vec::new();
        // An empty piece must not part a carriage return from its line feed.
        if bytes.is_empty() {
            return Ok(complete);
        }
        if mem::take(&mut self.after_return) && bytes.first() == Some(&b'\n') {
            bytes = &bytes[1..];
        }
        while let Some(at) = memchr2(b'\n', b'\r', bytes) {
            self.take(&bytes[..at])?;
            let end = bytes[at];
            bytes = &bytes[at + 1..];
            if end == b'\r' {
                match bytes.first() {
                    Some(b'\n') => bytes = &bytes[1..],
                    Some(_) => {}
                    None => self.after_return = true,
                }
            }
            complete.extend(self.end_line());
        }
        self.take(bytes)?;
        Ok(complete)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + self.event.data.len() + bytes.len() > EVENT_MAX {
            return Err(TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = mem::take(&mut self.line);
        if line.is_empty() {
            let event = mem::take(&mut self.event);
            return (!event.data.is_empty()).then_some(event);
        }
        let line = String::from_utf8_lossy(&line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event.name = value.to_owned(),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // Comments, which only keep the connection busy, and what is not used here.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(name: &str, data: &str) -> Event {
        Event {
            name: name.into(),
            data: data.into(),
        }
    }

    #[test]
    fn events_end_with_an_empty_line() {
        let mut events = Events::default();
        let stream = b"event: services\ndata: {\"now\":1}\n\n: keep\n\nevent:pipeline\r\ndata:a\r\ndata: b\r\n\r\nid: 7\rdata: c\r\rdata: d\n";
        assert_eq!(
            events.push(stream),
            Ok(vec![
                event("services", "{\"now\":1}"),
                event("pipeline", "a\nb"),
                event("", "c"),
            ])
        );
        assert_eq!(events.push(b"\n"), Ok(vec![event("", "d")]));
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut events = Events::default();
        let chunk = vec![b'x'; 1 << 20];
        let pushed = (0..=EVENT_MAX >> 20).map(|_| events.push(&chunk));
        assert_eq!(pushed.last(), Some(Err(TooLong)));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(lines in "(event: a|data: b|data:|:|\n|\r\n|\r){0,20}", cuts in prop::collection::vec(0usize..80, 0..6)) {
            let whole = Events::default().push(lines.as_bytes()).unwrap();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(lines.len())).collect();
            cuts.extend([0, lines.len()]);
            cuts.sort_unstable();
            let mut events = Events::default();
            let pieces: Vec<Event> = cuts
                .windows(2)
                .flat_map(|ends| events.push(&lines.as_bytes()[ends[0]..ends[1]]).unwrap())
                .collect();
            prop_assert_eq!(pieces, whole);
        }
    }
}
