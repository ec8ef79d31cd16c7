//! What is not traffic, on its way to the charts: events of HAProxy's own in, marks out.
//!
//! A worker keeps the [`Notice`]s of its batches, since events borrow from them; the
//! pipeline makes [`Annotation`]s of them. Whoever looks at a chart at three in the
//! morning wants to see what changed, so routine messages ([`State::is_routine`]) and those
//! about proxies that HAProxy has for itself stop here, and what is said several times is
//! one mark.

use crate::haproxy::{Event, State};
use crate::metric::Annotation;
use crate::time::Timestamp;
use bstr::ByteSlice;
use std::collections::HashSet;

/// Notices that a worker holds between two hand-overs, a second apart: what fails in a
/// hundred backends at once still fits.
pub const NOTICES_MAX: usize = 1_000;

/// The longest message that is kept, in bytes: HAProxy cuts its own there.
const MESSAGE_MAX: usize = 1024;

/// The longest name that is kept, in bytes.
const NAME_MAX: usize = 255;

/// The longest title that is made of a message, in bytes: a mark has little room.
const TITLE_MAX: usize = 120;

/// Streams of annotations.
const SERVER: &str = "haproxy.server";
const BACKEND: &str = "haproxy.backend";
const PROXY: &str = "haproxy.proxy";
const MESSAGE: &str = "haproxy.message";

/// An event of kind `event`, owned. Text that is not UTF-8 is replaced where it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub at: Timestamp,
    pub host: Option<Box<str>>,
    pub process: Option<Box<str>>,
    pub frontend: Option<Box<str>>,
    pub backend: Option<Box<str>>,
    pub server: Option<Box<str>>,
    pub state: Option<State>,
    /// The whole text, up to 1,024 bytes of it.
    pub message: Box<str>,
}

impl Notice {
    fn new(event: &Event<'_>, at: Timestamp) -> Self {
        let name = |name: Option<&[u8]>| name.map(|name| text(name, NAME_MAX));
        Notice {
            at,
            host: name(event.host),
            process: name(event.process),
            frontend: name(event.frontend),
            backend: name(event.backend),
            server: name(event.server),
            state: event.state.and_then(State::by_name),
            message: text(event.message.unwrap_or_default(), MESSAGE_MAX),
        }
    }
}

/// The notices since the last hand-over, at most [`NOTICES_MAX`].
#[derive(Debug, Default)]
pub struct Notices {
    notices: Vec<Notice>,
}

impl Notices {
    /// Keeps what the event says unless it is routine. False where it is lost for want of
    /// room: the first ones tell more of how it began.
    pub fn add(&mut self, event: &Event<'_>, at: Timestamp) -> bool {
        let state = event.state.and_then(State::by_name);
        let proxy = event.frontend.or(event.backend);
        let is_internal = proxy.is_some_and(|proxy| proxy.starts_with(b"<"));
        if is_internal || state.is_some_and(State::is_routine) {
            return true;
        }
        let has_room = self.notices.len() < NOTICES_MAX;
        if has_room {
            self.notices.push(Notice::new(event, at));
        }
        has_room
    }

    pub fn take(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }
}

/// The mark that shows it.
///
/// | stream | title |
/// |---|---|
/// | `haproxy.server` | `api/api3 DOWN` |
/// | `haproxy.backend` | `api: no server available` |
/// | `haproxy.proxy` | `web started` |
/// | `haproxy.message` | the message |
///
/// Titles begin with the name that they are about; [`subject`] takes it out again.
pub fn annotation(notice: &Notice) -> Annotation {
    let proxy = notice.frontend.as_ref().or(notice.backend.as_ref());
    let (stream, title) = match (&notice.server, proxy, notice.state) {
        (Some(server), Some(backend), Some(state)) => {
            (SERVER, format!("{backend}/{server} {}", state.as_str()))
        }
        (None, Some(proxy), Some(state @ State::NoServer)) => {
            (BACKEND, format!("{proxy}: {}", state.as_str()))
        }
        (None, Some(proxy), Some(state)) => (PROXY, format!("{proxy} {}", state.as_str())),
        _ => (MESSAGE, text(notice.message.as_bytes(), TITLE_MAX).into()),
    };
    Annotation {
        stream: stream.into(),
        title: title.into(),
        source: notice.host.clone(),
        description: Some(notice.message.clone()),
        start: notice.at,
        end: None,
    }
}

/// The backend or frontend that an annotation made here is about. `None` where it is
/// about none, or was made elsewhere.
pub fn subject(annotation: &Annotation) -> Option<&str> {
    let title = &*annotation.title;
    // No name holds a blank or a slash.
    match &*annotation.stream {
        SERVER => title.split_once('/').map(|(backend, _)| backend),
        BACKEND => title.split_once(": ").map(|(backend, _)| backend),
        PROXY => title.split_once(' ').map(|(proxy, _)| proxy),
        _ => None,
    }
}

/// What became of it, likewise.
pub fn state(annotation: &Annotation) -> Option<State> {
    let state = match &*annotation.stream {
        SERVER | PROXY => annotation.title.split_once(' ')?.1,
        BACKEND => annotation.title.split_once(": ")?.1,
        _ => return None,
    };
    State::by_name(state.as_bytes())
}

/// Leaves out what was said already: HAProxy may log to several syslog servers that all
/// forward to here, and a proxy says a thing once for each of its processes.
///
/// It knows the marks of the last two rounds, and so has as many as two rounds bring.
#[derive(Debug, Default)]
pub struct Repeats {
    before: HashSet<Said>,
    now: HashSet<Said>,
}

/// The same title of the same host in the same second is the same mark.
type Said = (Box<str>, Box<str>, Option<Box<str>>, i64);

impl Repeats {
    /// Whether the mark is new.
    pub fn is_first(&mut self, annotation: &Annotation) -> bool {
        let said = (
            annotation.stream.clone(),
            annotation.title.clone(),
            annotation.source.clone(),
            annotation.start.as_secs(),
        );
        !self.before.contains(&said) && self.now.insert(said)
    }

    /// A round, of a second or more, is over.
    pub fn next_round(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }
}

/// At most `max` bytes of it, whole characters.
fn text(bytes: &[u8], max: usize) -> Box<str> {
    // Three bytes more hold the rest of any character that begins before.
    let text = bytes[..bytes.len().min(max + 3)].to_str_lossy();
    let end = text.floor_char_boundary(max);
    text[..end].into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haproxy::Kind;

    fn event<'a>(names: [Option<&'a str>; 3], state: Option<State>, message: &'a str) -> Event<'a> {
        let [frontend, backend, server] = names.map(|name| name.map(str::as_bytes));
        Event {
            host: Some(b"lb1"),
            frontend,
            backend,
            server,
            state: state.map(|state| state.as_str().as_bytes()),
            message: Some(message.as_bytes()),
            ..Event::of_kind(Kind::Event)
        }
    }

    fn marks(events: &[Event<'_>]) -> Vec<Annotation> {
        let mut notices = Notices::default();
        for event in events {
            assert!(notices.add(event, Timestamp::from_secs(7)));
        }
        notices.take().iter().map(annotation).collect()
    }

    #[test]
    fn titles_say_who_and_what() {
        let (web, api, api3) = (Some("web"), Some("a:pi"), Some("api3"));
        for (names, state, want) in [
            (
                [None, api, api3],
                Some(State::Down),
                ("haproxy.server", "a:pi/api3 DOWN", api),
            ),
            (
                [None, api, None],
                Some(State::NoServer),
                ("haproxy.backend", "a:pi: no server available", api),
            ),
            (
                [web, web, None],
                Some(State::Started),
                ("haproxy.proxy", "web started", web),
            ),
            (
                [None, None, None],
                None,
                ("haproxy.message", "as it was said", None),
            ),
            (
                [None, None, None],
                Some(State::UpdateFailed),
                ("haproxy.message", "as it was said", None),
            ),
        ] {
            let marks = marks(&[event(names, state, "as it was said")]);
            let mark = &marks[0];
            assert_eq!((&*mark.stream, &*mark.title, subject(mark)), want);
            assert_eq!(mark.source.as_deref(), Some("lb1"));
            assert_eq!(mark.description.as_deref(), Some("as it was said"));
            if want.0 != MESSAGE {
                assert_eq!(super::state(mark), state);
            }
        }
    }

    #[test]
    fn routine_makes_no_mark() {
        let names = [None, Some("api"), Some("api3")];
        let checks = event(
            names,
            Some(State::CheckFailed),
            "Health check for server ...",
        );
        let internal = event(
            [Some("<HTTPCLIENT>"), None, None],
            Some(State::Stopped),
            "Proxy <HTTPCLIENT> stopped ...",
        );
        assert_eq!(marks(&[checks, internal]), []);
    }

    #[test]
    fn long_and_odd_texts_are_cut_between_characters() {
        let long = "é".repeat(1000);
        let marks = marks(&[event([None; 3], None, &long)]);
        assert_eq!(marks[0].title.len(), 120);
        assert_eq!(marks[0].description.as_ref().map(|d| d.len()), Some(1024));
        assert_eq!(&*text(b"a\xffb", 9), "a\u{fffd}b");
        assert_eq!(&*text("aé".as_bytes(), 2), "a");
    }

    #[test]
    fn what_one_host_says_twice_in_a_second_is_one_mark() {
        let names = [Some("web"), None, None];
        let first = marks(&[event(names, Some(State::Started), "Proxy web started.")]).remove(0);
        let other_host = Annotation {
            source: Some("lb2".into()),
            ..first.clone()
        };
        let later = Annotation {
            start: Timestamp::from_secs(8),
            ..first.clone()
        };
        let mut repeats = Repeats::default();
        assert!(repeats.is_first(&first));
        assert!(!repeats.is_first(&first));
        assert!(repeats.is_first(&other_host));
        repeats.next_round();
        assert!(!repeats.is_first(&first));
        assert!(repeats.is_first(&later));
        repeats.next_round();
        repeats.next_round();
        assert!(repeats.is_first(&first));
    }
}
