//! What one log line says, borrowed from the frame it came in.
//!
//! Names follow HAProxy's manual (section 8.2.6 "Custom log format" of its
//! configuration manual), so that whoever knows the log knows the rules.

use crate::time::Timestamp;
use std::time::Duration;

/// Which kind of line it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `option httplog`.
    Http,
    /// `option tcplog`.
    Tcp,
}

impl Kind {
    pub const ALL: [Kind; 2] = [Kind::Http, Kind::Tcp];

    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Http => "http",
            Kind::Tcp => "tcp",
        }
    }
}

/// HAProxy's timers, in milliseconds. `None` where the log says `-1`: the
/// connection never got that far. Never zero for that reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timers {
    /// `%TR`: until the full request was received, from its first byte.
    pub request: Option<i64>,
    /// `%Tw`: in the queues.
    pub queue: Option<i64>,
    /// `%Tc`: to connect to the server.
    pub connect: Option<i64>,
    /// `%Tr`: the server's, until its full response header.
    pub response: Option<i64>,
    /// `%Ta`: active time of the request, from its first byte to the last of the response.
    pub active: Option<i64>,
    /// `%Tt`: the whole session, from accept to close.
    pub total: Option<i64>,
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
    pub client_ip: &'a [u8],
    /// `%cp`. `None` where the log has none.
    pub client_port: Option<i64>,
    /// `%t`: when the connection was accepted. `None` in an HTTP line, whose date is `%tr`.
    pub accept_date: Option<Timestamp>,
    /// `%tr`: when the request's first byte came. `None` in a TCP line.
    pub request_date: Option<Timestamp>,

    /// `%f`: the frontend, without the `~` that marks TLS.
    pub frontend: &'a [u8],
    /// `%ft` ended in `~`: the client came over TLS.
    pub tls: bool,
    /// `%b`
    pub backend: &'a [u8],
    /// `%s`. `<NOSRV>` stays as it is.
    pub server: &'a [u8],

    pub timers: Timers,
    /// A `+` stood before a time or a size (`option logasap`): both are lower bounds.
    pub partial: bool,

    /// `%ST`. `None` where the log says -1: no response was sent.
    pub status: Option<i64>,
    /// `%B`: bytes sent to the client.
    pub bytes_read: Option<i64>,
    /// `%CC`, `None` where the log says `-`.
    pub request_cookie: Option<&'a [u8]>,
    /// `%CS`, `None` where the log says `-`.
    pub response_cookie: Option<&'a [u8]>,
    /// `%ts` (2 characters) or `%tsc` (4 characters).
    pub termination_state: &'a [u8],

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

    /// `%hr`, as logged between its braces; `None` when nothing is captured.
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
}

impl Event<'_> {
    /// An event of which nothing is known but its kind.
    pub const fn of_kind(kind: Kind) -> Self {
        Event {
            kind,
            host: None,
            process: None,
            pid: None,
            client_ip: &[],
            client_port: None,
            accept_date: None,
            request_date: None,
            frontend: &[],
            tls: false,
            backend: &[],
            server: &[],
            timers: Timers {
                request: None,
                queue: None,
                connect: None,
                response: None,
                active: None,
                total: None,
            },
            partial: false,
            status: None,
            bytes_read: None,
            request_cookie: None,
            response_cookie: None,
            termination_state: &[],
            actconn: None,
            feconn: None,
            beconn: None,
            srv_conn: None,
            retries: None,
            redispatched: false,
            srv_queue: None,
            backend_queue: None,
            request_headers: None,
            response_headers: None,
            request: None,
            method: None,
            path: None,
            query: None,
            http_version: None,
        }
    }

    /// When the request ended: its start plus its whole duration. HAProxy writes
    /// the line at that moment but dates it with the start, so by its start a slow
    /// request would always be late, by its own duration.
    ///
    /// Where the line has no duration, its start is the best there is.
    pub fn ended_at(&self) -> Option<Timestamp> {
        let started = self.request_date.or(self.accept_date)?;
        let took = self.timers.active.or(self.timers.total).unwrap_or(0);
        Some(started + Duration::from_millis(took.max(0) as u64))
    }
}

/// Captured headers as logged: values separated by `|`, in the order of the
/// `capture` directives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captures<'a>(pub &'a [u8]);

impl<'a> Captures<'a> {
    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        self.0.split(|&byte| byte == b'|')
    }

    /// The value at that position, from 0. `None` past the last one.
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        self.iter().nth(index)
    }
}
