//! What HAProxy says of itself: a server is down, a backend has no server left, a proxy
//! has started.
//!
//! These messages have no format that could be configured; their wording is in HAProxy's
//! source and has changed little since 1.4. They are known by what they begin with, since
//! numbers and reasons follow: `Server api/api3 is DOWN, reason: ...`. A text that ends
//! before its wording does is malformed: it was cut off, and what it would have said is
//! not known. Of a warning or worse in other words the text is the event.

use super::event::{Event, Kind};
use super::field::Field;
use super::leaf::{number, whole};
use super::reject::Reject;
use crate::syslog::Message;
use bstr::ByteSlice;

/// What became of a server, a backend or a proxy: all that an event's `state` can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The server takes requests.
    Up,
    Down,
    /// The server was set ready again; whether it is up is said separately.
    Ready,
    /// In maintenance: neither checked nor used.
    Maint,
    /// The server finishes what it has and takes nothing new.
    Drain,
    /// A server that asked for no more, or a proxy that is told to end.
    Stopping,
    /// A health or agent check, on its way to `UP` or `DOWN`.
    CheckSucceeded,
    CheckFailed,
    /// The server has another address: its name resolves to another, or it was set.
    Moved,
    /// The backend has no server that is up.
    NoServer,
    Started,
    Stopped,
    Paused,
    Resumed,
    /// The proxy cannot accept more: of files, memory or connections.
    AtLimit,
    /// An OCSP response was fetched.
    Updated,
    /// It could not be.
    UpdateFailed,
}

impl State {
    pub const ALL: [State; 17] = [
        State::Up,
        State::Down,
        State::Ready,
        State::Maint,
        State::Drain,
        State::Stopping,
        State::CheckSucceeded,
        State::CheckFailed,
        State::Moved,
        State::NoServer,
        State::Started,
        State::Stopped,
        State::Paused,
        State::Resumed,
        State::AtLimit,
        State::Updated,
        State::UpdateFailed,
    ];

    /// As it stands in an event's `state`.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Up => "UP",
            State::Down => "DOWN",
            State::Ready => "READY",
            State::Maint => "MAINT",
            State::Drain => "DRAIN",
            State::Stopping => "stopping",
            State::CheckSucceeded => "check succeeded",
            State::CheckFailed => "check failed",
            State::Moved => "moved",
            State::NoServer => "no server available",
            State::Started => "started",
            State::Stopped => "stopped",
            State::Paused => "paused",
            State::Resumed => "resumed",
            State::AtLimit => "at limit",
            State::Updated => "updated",
            State::UpdateFailed => "update failed",
        }
    }

    /// The state that an event's `state` names.
    pub fn by_name(name: &[u8]) -> Option<State> {
        State::ALL
            .into_iter()
            .find(|state| state.as_str().as_bytes() == name)
    }

    /// Said all day long although nothing has changed that requests would feel: single
    /// checks, addresses from DNS, OCSP responses that arrive as they should.
    pub const fn is_routine(self) -> bool {
        matches!(
            self,
            State::CheckSucceeded | State::CheckFailed | State::Moved | State::Updated
        )
    }
}

/// How a text goes on behind its subject, and what that means.
type Wording = (&'static str, State);

/// Behind `Server api/api3`. Where one begins with another, the longer is first.
const SERVER: &[Wording] = &[
    (" is UP/READY", State::Up),
    (" is UP/DRAIN", State::Drain),
    (" is UP", State::Up),
    (" is DOWN/READY", State::Down),
    (" is DOWN/DRAIN", State::Down),
    // 1.4
    (" is DOWN for maintenance", State::Maint),
    (" is DOWN", State::Down),
    (" is going DOWN for maintenance", State::Maint),
    (" was DOWN and now enters maintenance", State::Maint),
    (" remains in forced maintenance", State::Maint),
    (
        " is leaving forced maintenance but remains in maintenance",
        State::Maint,
    ),
    (" resolves again but remains in maintenance", State::Maint),
    (" enters drain state", State::Drain),
    (" remains in forced drain mode", State::Drain),
    (
        " is leaving forced drain but remains in drain mode",
        State::Drain,
    ),
    (" is stopping", State::Stopping),
    (" administratively READY", State::Ready),
];

/// Behind `Health check for server api/api3`.
const CHECK: &[Wording] = &[
    (" succeeded", State::CheckSucceeded),
    (" conditionally succeeded", State::CheckSucceeded),
    (" failed", State::CheckFailed),
];

/// Behind `api/api3`.
const ADDRESS: &[Wording] = &[
    (" changed its IP from", State::Moved),
    (" changed its FQDN from", State::Moved),
];

/// Behind `backend api`.
const BACKEND: &[Wording] = &[(" has no server available!", State::NoServer)];

/// Behind `Proxy web`.
const PROXY: &[Wording] = &[
    (" started", State::Started),
    (" stopped", State::Stopped),
    (" hard-stopped", State::Stopped),
    (" reached process FD limit", State::AtLimit),
    (" reached system FD limit", State::AtLimit),
    (" reached system memory limit", State::AtLimit),
    (
        " reached the configured maximum connection limit",
        State::AtLimit,
    ),
];

/// Before `frontend web`.
const PROXY_VERBS: &[Wording] = &[
    ("Stopping ", State::Stopping),
    ("Pausing ", State::Paused),
    ("Paused ", State::Paused),
    // 1.x
    ("Enabling ", State::Resumed),
    ("Resumed ", State::Resumed),
];

/// The least important severity that makes any text of HAProxy's an event: warning.
const SEVERITY_MAX: u8 = 4;

/// The event that `text` says, which is that of `message` without blanks around it.
///
/// # Errors
///
/// `NotTraffic` where it is no message of HAProxy's own that is worth an event;
/// `Malformed` where it is one that was cut off.
pub(super) fn parse<'a>(
    message: &Message<'a>,
    text: &'a [u8],
    tags: &[Box<[u8]>],
) -> Result<Event<'a>, Reject> {
    let (printed_alarm, said) = printed(text);
    let subject = match subject(said) {
        Ok(subject) => subject,
        Err(Stop::CutOff(field)) => {
            return Err(Reject::Malformed {
                field,
                offset: text.len(),
            });
        }
        Err(Stop::Unknown) if printed_alarm || is_alarm(message, text, tags) => Subject::default(),
        Err(Stop::Unknown) => return Err(Reject::NotTraffic),
    };
    Ok(Event {
        host: message.host,
        process: message.app,
        pid: message.pid.and_then(whole),
        frontend: subject.frontend,
        backend: subject.backend,
        server: subject.server,
        state: subject.state.map(|state| state.as_str().as_bytes()),
        message: Some(text),
        ..Event::of_kind(Kind::Event)
    })
}

/// What HAProxy says on its standard error, from where a supervisor may send it to syslog:
/// `[WARNING]  (7) : Server ...`, before 2.5 with a day and a time before the number. And
/// whether that is a warning or worse.
fn printed(text: &[u8]) -> (bool, &[u8]) {
    let level = text
        .strip_prefix(b"[")
        .and_then(|rest| rest.split_once_str("]"));
    let Some((level, rest)) = level else {
        return (false, text);
    };
    let alarm = matches!(level, b"WARNING" | b"ALERT" | b"EMERG");
    // The number stands right behind, so a text that has such words later is none.
    let number = rest[..rest.len().min(40)].find(") : ");
    match number {
        Some(at) if alarm || level == b"NOTICE" => (alarm, &rest[at + 4..]),
        _ => (false, text),
    }
}

/// What an event is about.
#[derive(Default)]
struct Subject<'a> {
    frontend: Option<&'a [u8]>,
    backend: Option<&'a [u8]>,
    server: Option<&'a [u8]>,
    state: Option<State>,
}

/// Why there is none.
enum Stop {
    /// In other words than HAProxy's.
    Unknown,
    /// Such words, but not all of them; what was expected next.
    CutOff(Field),
}

fn subject(text: &[u8]) -> Result<Subject<'_>, Stop> {
    match text {
        [b'S', b'e', ..] | [b'B', b'a', ..] => server(text),
        [b'H', ..] | [b'A', ..] => check(text),
        [b'P', b'r', ..] => proxy(text),
        [b'S' | b'P' | b'R' | b'E', ..] => verb(text),
        [b'<' | b'-', ..] => ocsp(text),
        _ => no_server(text).or_else(|stop| match stop {
            Stop::Unknown => address(text),
            cut_off => Err(cut_off),
        }),
    }
}

/// `Server api/api3 is DOWN, ...`, `Backup Server ...`, and since 1.8
/// `Server api/api3 ('10.0.0.3') is UP/READY (resolves again).`
fn server(text: &[u8]) -> Result<Subject<'_>, Stop> {
    let rest = text.strip_prefix(b"Backup ").unwrap_or(text);
    let rest = rest.strip_prefix(b"Server ").ok_or(Stop::Unknown)?;
    let (subject, rest) = server_name(rest)?;
    let rest = match rest.strip_prefix(b" ('") {
        Some(inside) => {
            let end = inside.find(b"')").ok_or(Stop::CutOff(Field::State))?;
            &inside[end + 2..]
        }
        None => rest,
    };
    let state = state(rest, SERVER)?;
    Ok(Subject {
        state: Some(state),
        ..subject
    })
}

/// `Health check for server api/api3 failed, ...`, written with `option log-health-checks`.
fn check(text: &[u8]) -> Result<Subject<'_>, Stop> {
    let rest = text
        .strip_prefix(b"Health check for ")
        .or_else(|| text.strip_prefix(b"Agent check for "))
        .ok_or(Stop::Unknown)?;
    let rest = rest.strip_prefix(b"backup ").unwrap_or(rest);
    let rest = rest.strip_prefix(b"server ").ok_or(Stop::Unknown)?;
    let (subject, rest) = server_name(rest)?;
    let state = state(rest, CHECK)?;
    Ok(Subject {
        state: Some(state),
        ..subject
    })
}

/// `api/api3 changed its IP from ...`
fn address(text: &[u8]) -> Result<Subject<'_>, Stop> {
    let (subject, rest) = server_name(text)?;
    // So little of it could be anyone's text.
    let state = state(rest, ADDRESS).map_err(|_| Stop::Unknown)?;
    Ok(Subject {
        state: Some(state),
        ..subject
    })
}

/// `backend api has no server available!`; of a `listen` it says `proxy`.
fn no_server(text: &[u8]) -> Result<Subject<'_>, Stop> {
    let (subject, rest) = typed_name(text)?;
    let state = state(rest, BACKEND)?;
    Ok(Subject {
        state: Some(state),
        ..subject
    })
}

/// `Proxy web started.`, `Proxy web stopped (FE: 9 conns, BE: 0 conns).`
///
/// It does not say which kind of proxy. Only those that listen are started or at a limit.
/// One that is stopped says what it served; where that is nothing it could be either, and
/// so is given as both, like a `listen`.
fn proxy(text: &[u8]) -> Result<Subject<'_>, Stop> {
    let rest = text.strip_prefix(b"Proxy ").ok_or(Stop::Unknown)?;
    let (name, rest) = name(rest).ok_or(Stop::Unknown)?;
    let state = state(rest, PROXY)?;
    let served = |side: &[u8]| count_behind(rest, side).is_some_and(|count| count > 0);
    let (is_frontend, is_backend) = match (state, served(b"FE: "), served(b"BE: ")) {
        (State::Stopped, false, false) => (true, true),
        (State::Stopped, as_frontend, as_backend) => (as_frontend, as_backend),
        _ => (true, false),
    };
    Ok(Subject {
        frontend: is_frontend.then_some(name),
        backend: is_backend.then_some(name),
        server: None,
        state: Some(state),
    })
}

/// `Stopping frontend web in 0 ms.`, `Paused frontend web.`
fn verb(text: &[u8]) -> Result<Subject<'_>, Stop> {
    let verb = PROXY_VERBS
        .iter()
        .find_map(|(verb, state)| Some((text.strip_prefix(verb.as_bytes())?, *state)));
    let (rest, state) = verb.ok_or(Stop::Unknown)?;
    // A name may end in a dot, but the message does too.
    let whole = rest.strip_suffix(b".");
    let (subject, rest) = typed_name(whole.unwrap_or(rest))?;
    match (whole, rest) {
        (None, _) => Err(Stop::CutOff(Field::State)),
        (Some(_), b"") => Ok(()),
        (Some(_), rest) if rest.starts_with(b" in ") => Ok(()),
        (Some(_), _) => Err(Stop::Unknown),
    }?;
    Ok(Subject {
        state: Some(state),
        ..subject
    })
}

/// `<OCSP-UPDATE> cert.pem 1 "Update successful" 0 1`; 2.8 puts `-:- [date] ` before it.
/// 1 is success (`ocsp-update` in the manual).
fn ocsp(text: &[u8]) -> Result<Subject<'_>, Stop> {
    let text = match text.strip_prefix(b"-:- [") {
        Some(dated) => dated.split_once_str("] ").ok_or(Stop::Unknown)?.1,
        None => text,
    };
    let rest = text.strip_prefix(b"<OCSP-UPDATE> ").ok_or(Stop::Unknown)?;
    // The file's name may hold blanks.
    let (before, _) = rest
        .split_once_str(" \"")
        .ok_or(Stop::CutOff(Field::State))?;
    let status = before.rsplit_once_str(" ").and_then(|(_, n)| whole(n));
    let state = match status.ok_or(Stop::CutOff(Field::State))? {
        1 => State::Updated,
        _ => State::UpdateFailed,
    };
    Ok(Subject {
        state: Some(state),
        ..Subject::default()
    })
}

/// A warning or worse, in any words, of a program that calls itself `haproxy...` or
/// by one of these tags.
///
/// Not that of an SPOE engine: these log each message they send, as warnings, and are
/// about requests.
fn is_alarm(message: &Message<'_>, text: &[u8], tags: &[Box<[u8]>]) -> bool {
    let haproxy = |app: &[u8]| app.starts_with(b"haproxy") || tags.iter().any(|tag| **tag == *app);
    message
        .severity
        .is_some_and(|severity| severity <= SEVERITY_MAX)
        && message.app.is_some_and(haproxy)
        && !text.starts_with(b"SPOE: [")
}

/// The state of the wording that `rest` begins with.
fn state(rest: &[u8], wordings: &[Wording]) -> Result<State, Stop> {
    let begins = |wording: &str| match rest.strip_prefix(wording.as_bytes()) {
        // `UP` is not the beginning of a longer word.
        Some([next, ..]) => !next.is_ascii_alphanumeric() && *next != b'/',
        Some([]) => true,
        None => false,
    };
    if let Some((_, state)) = wordings.iter().find(|(wording, _)| begins(wording)) {
        return Ok(*state);
    }
    let cut_off = |(wording, _): &Wording| wording.as_bytes().starts_with(rest);
    match wordings.iter().any(cut_off) {
        true => Err(Stop::CutOff(Field::State)),
        false => Err(Stop::Unknown),
    }
}

/// `api/api3`, and what follows.
fn server_name(text: &[u8]) -> Result<(Subject<'_>, &[u8]), Stop> {
    let (backend, rest) = name(text).ok_or(Stop::Unknown)?;
    let rest = rest.strip_prefix(b"/").ok_or(Stop::Unknown)?;
    let (server, rest) = name(rest).ok_or(Stop::CutOff(Field::Server))?;
    let subject = Subject {
        backend: Some(backend),
        server: Some(server),
        ..Subject::default()
    };
    Ok((subject, rest))
}

/// `frontend web`, and what follows. A `listen` section, called `proxy` here, is both.
fn typed_name(text: &[u8]) -> Result<(Subject<'_>, &[u8]), Stop> {
    let (kind, rest) = text.split_once_str(" ").ok_or(Stop::Unknown)?;
    let (is_frontend, is_backend) = match kind {
        b"frontend" => (true, false),
        b"backend" => (false, true),
        b"proxy" | b"listener" => (true, true),
        _ => return Err(Stop::Unknown),
    };
    let (name, rest) = name(rest).ok_or(Stop::Unknown)?;
    let subject = Subject {
        frontend: is_frontend.then_some(name),
        backend: is_backend.then_some(name),
        ..Subject::default()
    };
    Ok((subject, rest))
}

/// Letters, digits and `- _ . :` are what a name may hold (section 4 "Proxies" of the
/// manual). The names of HAProxy's own proxies are in angle brackets, as `<HTTPCLIENT>`.
fn name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let holds = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    let inner = text.strip_prefix(b"<").unwrap_or(text);
    let length = inner.iter().take_while(|byte| holds(byte)).count();
    let end = match text.first()? {
        b'<' if inner.get(length) == Some(&b'>') => length + 2,
        b'<' => return None,
        _ => length,
    };
    (length > 0).then(|| text.split_at(end))
}

/// The number behind the first `label`.
fn count_behind(text: &[u8], label: &[u8]) -> Option<i64> {
    let at = text.find(label)?;
    number(&text[at + label.len()..]).map(|(count, _)| count)
}

#[cfg(test)]
mod tests;
