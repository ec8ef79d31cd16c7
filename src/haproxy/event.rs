//! What one log line says, borrowed from the frame it came in.
//!
//! Names follow HAProxy's manual (section 8.2.6 "Custom log format" of its
//! configuration manual), so that whoever knows the log knows the rules.

use crate::time::Timestamp;
use bstr::ByteSlice;
use memchr::memchr;

/// Which kind of line it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A request: `option httplog`, `option httpslog`, or a format with a field that only
    /// requests have.
    Http,
    /// A session: `option tcplog`, or a format without such a field.
    Tcp,
    /// A session that never became one, such as a failed TLS handshake: the error format.
    Error,
    /// `Connect from`, as written with no `option` about logs.
    Connect,
    /// No traffic: a server's state, a proxy started, a warning. Never counts as a request.
    Event,
}

impl Kind {
    pub const ALL: [Kind; 5] = [
        Kind::Http,
        Kind::Tcp,
        Kind::Error,
        Kind::Connect,
        Kind::Event,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Http => "http",
            Kind::Tcp => "tcp",
            Kind::Error => "error",
            Kind::Connect => "connect",
            Kind::Event => "event",
        }
    }
}

/// HAProxy's timers, in milliseconds. `None` where the log says `-1`: the
/// connection never got that far. Never zero for that reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timers {
    /// `%Tq`: from accept until the full request was received, `Th + Ti + TR`.
    pub accept_to_request: Option<i64>,
    /// `%TR`: until the full request was received, from its first byte.
    pub request: Option<i64>,
    /// `%Tw`: in the queues.
    pub queue: Option<i64>,
    /// `%Tc`: to connect to the server.
    pub connect: Option<i64>,
    /// `%Tr`: the server's, until its full response header.
    pub response: Option<i64>,
    /// `%Td`: of the data transfer.
    pub data: Option<i64>,
    /// `%Ta`: active time of the request, from its first byte to the last of the response.
    pub active: Option<i64>,
    /// `%Tt`: the whole session, from accept to close.
    pub total: Option<i64>,
    /// `%Th`: handshakes (TLS, PROXY protocol) before any request.
    pub handshake: Option<i64>,
    /// `%Ti`: idle before the request.
    pub idle: Option<i64>,
    /// `%Tu`: as the user sees it, `Tt - Ti`.
    pub user: Option<i64>,
}

impl Timers {
    /// All of them absent.
    pub const NONE: Timers = Timers {
        accept_to_request: None,
        request: None,
        queue: None,
        connect: None,
        response: None,
        data: None,
        active: None,
        total: None,
        handshake: None,
        idle: None,
        user: None,
    };
}

/// One parsed line. Text fields borrow from the frame and need not be UTF-8.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<'a> {
    pub kind: Kind,

    /// From the syslog envelope; `None` where it has none.
    pub host: Option<&'a [u8]>,
    /// The program's name in the syslog envelope.
    pub process: Option<&'a [u8]>,
    /// The process's number in the syslog envelope.
    pub pid: Option<i64>,

    /// `%ci`. An IPv6 address comes without brackets; `unix` for a unix socket.
    pub client_ip: Option<&'a [u8]>,
    /// `%cp`; for a unix socket the number of its listener. `None` where the log has none.
    pub client_port: Option<i64>,
    /// `%t`: when the connection was accepted. `None` in an HTTP line, whose date is `%tr`.
    pub accept_date: Option<Timestamp>,
    /// `%tr`: when the request's first byte came. `None` in a TCP line.
    pub request_date: Option<Timestamp>,

    /// `%f`: the frontend, without the `~` that marks TLS.
    pub frontend: Option<&'a [u8]>,
    /// `%ft` ended in `~`: the client came over TLS.
    pub tls: bool,
    /// `%b`
    pub backend: Option<&'a [u8]>,
    /// `%s`. `<NOSRV>` stays as it is.
    pub server: Option<&'a [u8]>,

    pub timers: Timers,
    /// A `+` stood before a time or a size (`option logasap`): both are lower bounds.
    pub partial: bool,

    /// `%ST`. `None` where the log says -1: no response was sent.
    pub status: Option<i64>,
    /// `%B`: bytes sent to the client.
    pub bytes_read: Option<i64>,
    /// `%U`: bytes received from the client.
    pub bytes_uploaded: Option<i64>,
    /// `%CC`, `None` where the log says `-`.
    pub request_cookie: Option<&'a [u8]>,
    /// `%CS`, `None` where the log says `-`.
    pub response_cookie: Option<&'a [u8]>,
    /// `%ts` (2 characters) or `%tsc` (4 characters).
    pub termination_state: Option<&'a [u8]>,

    /// `%ac` `%fc` `%bc` `%sc`: concurrent connections.
    pub actconn: Option<i64>,
    pub feconn: Option<i64>,
    pub beconn: Option<i64>,
    pub srv_conn: Option<i64>,
    /// `%rc`
    pub retries: Option<i64>,
    /// A `+` stood before the retries: the last one went to another server.
    pub redispatched: bool,
    /// `%sq`
    pub srv_queue: Option<i64>,
    /// `%bq`
    pub backend_queue: Option<i64>,

    /// In an error line: the name or number of the `bind` that took the connection.
    pub bind_name: Option<&'a [u8]>,
    /// In an error line what went wrong; in an event the whole text.
    pub message: Option<&'a [u8]>,
    /// In an event: what became of the server, backend or proxy, one of
    /// [`State`](super::State)'s names. `None` where it says nothing of the kind.
    pub state: Option<&'a [u8]>,

    /// `%hr`; `None` when nothing is captured.
    pub request_headers: Option<Captures<'a>>,
    /// `%hs`, likewise.
    pub response_headers: Option<Captures<'a>>,

    /// `%r` as logged, without its quotes. `None` in a TCP line.
    pub request: Option<&'a [u8]>,
    /// From `%r`; all four are `None` for `<BADREQ>`, and each is where the
    /// request line was cut off before it.
    pub method: Option<&'a [u8]>,
    /// Without the query.
    pub path: Option<&'a [u8]>,
    /// After the `?`, which is not part of it.
    pub query: Option<&'a [u8]>,
    /// Such as `HTTP/1.1`.
    pub http_version: Option<&'a [u8]>,

    /// What a custom format has beside these.
    pub extra: Extra<'a>,
}

impl<'a> Event<'a> {
    /// Tells the names of the captured headers.
    pub(super) fn name_captures(&mut self, request: &'a [Box<str>], response: &'a [Box<str>]) {
        if let Some(headers) = &mut self.request_headers {
            headers.names = request;
        }
        if let Some(headers) = &mut self.response_headers {
            headers.names = response;
        }
    }
}

impl Event<'_> {
    /// An event of which nothing is known but its kind.
    pub const fn of_kind(kind: Kind) -> Self {
        Event {
            kind,
            host: None,
            process: None,
            pid: None,
            client_ip: None,
            client_port: None,
            accept_date: None,
            request_date: None,
            frontend: None,
            tls: false,
            backend: None,
            server: None,
            timers: Timers::NONE,
            partial: false,
            status: None,
            bytes_read: None,
            bytes_uploaded: None,
            request_cookie: None,
            response_cookie: None,
            termination_state: None,
            actconn: None,
            feconn: None,
            beconn: None,
            srv_conn: None,
            retries: None,
            redispatched: false,
            srv_queue: None,
            backend_queue: None,
            bind_name: None,
            message: None,
            state: None,
            request_headers: None,
            response_headers: None,
            request: None,
            method: None,
            path: None,
            query: None,
            http_version: None,
            extra: Extra::EMPTY,
        }
    }

    /// When the request began, or its connection where the line does not say the request's
    /// own beginning.
    #[inline]
    pub fn started_at(&self) -> Option<Timestamp> {
        self.request_date.or(self.accept_date)
    }

    /// When the request ended: its start plus its whole duration. HAProxy writes
    /// the line at that moment but dates it with the start, so by its start a slow
    /// request would always be late, by its own duration.
    ///
    /// Where the line has no duration, its start is the best there is.
    #[inline]
    pub fn ended_at(&self) -> Option<Timestamp> {
        let started = self.started_at()?;
        let took = self.timers.active.or(self.timers.total).unwrap_or(0);
        Some(started.after_millis(took.max(0) as u64))
    }
}

/// Captured headers, in the order of the `capture` directives. HAProxy's escapes are
/// undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captures<'a> {
    /// The values with `separator` between them.
    pub values: &'a [u8],
    /// What no value holds.
    pub separator: Separator,
    /// The headers' names, in the same order; empty where they are not known.
    pub names: &'a [Box<str>],
}

/// What stands between captured values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// `%hr` and `%hs`.
    Pipe,
    /// `%{+Q}hrl` and `%{+Q}hsl`: a quote, a blank, a quote.
    Quotes,
    /// `%hrl` and `%hsl`.
    Blank,
    /// After escapes were undone: a value may then hold any of the others.
    Nul,
}

impl<'a> Captures<'a> {
    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = Some(self.values);
        std::iter::from_fn(move || {
            let values = rest?;
            let (end, next) = match self.separator {
                Separator::Pipe => (memchr(b'|', values), 1),
                Separator::Blank => (memchr(b' ', values), 1),
                Separator::Nul => (memchr(b'\0', values), 1),
                Separator::Quotes => (values.find(b"\" \""), 3),
            };
            rest = end.map(|end| &values[end + next..]);
            Some(&values[..end.unwrap_or(values.len())])
        })
    }

    /// The value at that position, from 0. `None` past the last one.
    #[inline]
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        let separator = match self.separator {
            Separator::Pipe => b'|',
            Separator::Blank => b' ',
            Separator::Nul => b'\0',
            Separator::Quotes => return self.iter().nth(index),
        };
        let mut values = self.values;
        for _ in 0..index {
            let end = memchr(separator, values)?;
            values = &values[end + 1..];
        }
        let end = memchr(separator, values).unwrap_or(values.len());
        Some(&values[..end])
    }

    /// The value of that header, its name in any case. `None` where no header of that name
    /// is captured, or its position is not in this line.
    pub fn by_name(self, name: &str) -> Option<&'a [u8]> {
        let mut names = self.names.iter();
        self.get(names.position(|known| known.eq_ignore_ascii_case(name))?)
    }
}

/// The fields that a custom format has beside an event's own, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extra<'a> {
    fields: &'a [ExtraField],
    spans: &'a [ExtraSpan],
    text: &'a [u8],
    undone: &'a [u8],
}

/// A field of a custom format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraField {
    /// The name it was given, its expression, or for an alias the manual's name.
    pub name: Box<str>,
    pub extra_type: ExtraType,
}

/// What an extra field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExtraType {
    String,
    Int,
    Bool,
}

/// Where the value of an extra field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExtraSpan {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) place: SpanPlace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpanPlace {
    /// The line does not say.
    Missing,
    /// In the line.
    Text,
    /// In the line, with backslashes before some bytes.
    Escaped,
    /// In the line, in hexadecimal digits.
    Hex,
    /// In the parser's buffer of values whose escapes were undone.
    Undone,
}

/// The value of an extra field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtraValue<'a> {
    String(&'a [u8]),
    Int(i64),
    Bool(bool),
}

impl<'a> Extra<'a> {
    pub const EMPTY: Extra<'static> = Extra {
        fields: &[],
        spans: &[],
        text: &[],
        undone: &[],
    };

    pub(super) fn new(
        fields: &'a [ExtraField],
        spans: &'a [ExtraSpan],
        text: &'a [u8],
        undone: &'a [u8],
    ) -> Self {
        Extra {
            fields,
            spans,
            text,
            undone,
        }
    }

    /// The line has a value for none of its format's fields.
    pub fn is_empty(self) -> bool {
        self.iter().next().is_none()
    }

    /// Every field of the line's format that the line has a value for.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, ExtraValue<'a>)> {
        let fields = self.fields.iter().enumerate();
        fields.filter_map(move |(index, field)| Some((&*field.name, self.value(index)?)))
    }

    /// The value of the field of that name.
    pub fn get(self, name: &str) -> Option<ExtraValue<'a>> {
        let index = self.fields.iter().position(|field| &*field.name == name)?;
        self.value(index)
    }

    fn value(self, index: usize) -> Option<ExtraValue<'a>> {
        let span = self.spans.get(index)?;
        let within = span.start as usize..span.end as usize;
        let bytes = match span.place {
            SpanPlace::Missing => return None,
            SpanPlace::Text | SpanPlace::Escaped | SpanPlace::Hex => self.text.get(within)?,
            SpanPlace::Undone => self.undone.get(within)?,
        };
        match self.fields[index].extra_type {
            ExtraType::String => Some(ExtraValue::String(bytes)),
            ExtraType::Int => extra_int(bytes).map(ExtraValue::Int),
            ExtraType::Bool => extra_int(bytes).map(|number| ExtraValue::Bool(number != 0)),
        }
    }
}

/// A number, or a truth value as one: HAProxy writes the same value either way, by whether
/// an encoding has truth values.
fn extra_int(bytes: &[u8]) -> Option<i64> {
    match bytes {
        b"true" => Some(1),
        b"false" => Some(0),
        digits => std::str::from_utf8(digits).ok()?.parse().ok(),
    }
}

#[cfg(test)]
impl Extra<'static> {
    /// What a line with these values would have; `None` where it does not say. Leaked,
    /// which tests can afford.
    pub(crate) fn of(values: &[(&str, ExtraType, Option<&str>)]) -> Self {
        let mut text = Vec::new();
        let (mut fields, mut spans) = (Vec::new(), Vec::new());
        for &(name, extra_type, value) in values {
            let start = text.len() as u32;
            text.extend_from_slice(value.unwrap_or_default().as_bytes());
            fields.push(ExtraField {
                name: name.into(),
                extra_type,
            });
            spans.push(ExtraSpan {
                start,
                end: text.len() as u32,
                place: match value {
                    Some(_) => SpanPlace::Text,
                    None => SpanPlace::Missing,
                },
            });
        }
        Extra::new(fields.leak(), spans.leak(), text.leak(), &[])
    }
}
