//! The fields of an event by name: the table that rules are checked against, and that
//! printed events and `weir fields` come from.

use super::event::{Captures, Event, Extra, ExtraField};
use crate::time::Timestamp;
use std::fmt;

/// What kind of value a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    String,
    Int,
    /// An integer number of milliseconds.
    Millis,
    Bool,
    Timestamp,
    /// A list of strings, by position and by the captured header's name.
    Strings,
    /// The fields of a custom format by name.
    Extra,
}

/// With its unit.
impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            FieldType::String => "string",
            FieldType::Int => "int",
            FieldType::Millis => "int, ms",
            FieldType::Bool => "bool",
            FieldType::Timestamp => "timestamp",
            FieldType::Strings => "list of strings",
            FieldType::Extra => "map",
        })
    }
}

/// A field's value in one event, borrowed from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// The line does not say.
    Missing,
    String(&'a [u8]),
    Int(i64),
    Bool(bool),
    Timestamp(Timestamp),
    Strings(Captures<'a>),
    Extra(Extra<'a>),
}

macro_rules! fields {
    ($($variant:ident $name:literal $kind:ident $alias:literal $meaning:literal $get:expr;)*) => {
        /// A field of an [`Event`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Field {
            $($variant,)*
        }

        impl Field {
            /// Every field, in the order in which events are printed.
            pub const ALL: &'static [Field] = &[$(Field::$variant,)*];

            /// The name that rules use.
            pub const fn name(self) -> &'static str {
                match self { $(Field::$variant => $name,)* }
            }

            pub const fn field_type(self) -> FieldType {
                match self { $(Field::$variant => FieldType::$kind,)* }
            }

            /// HAProxy's own symbol, empty where the field is not of its format.
            pub const fn alias(self) -> &'static str {
                match self { $(Field::$variant => $alias,)* }
            }

            /// What it holds, in a few words.
            pub const fn meaning(self) -> &'static str {
                match self { $(Field::$variant => $meaning,)* }
            }

            /// This field's value in `event`.
            #[inline(always)]
            pub fn of<'a>(self, event: &Event<'a>) -> Value<'a> {
                match self {
                    $(Field::$variant => {
                        let get: fn(&Event<'a>) -> Value<'a> = $get;
                        get(event)
                    })*
                }
            }
        }
    };
}

fields! {
    Kind "kind" String "" "which kind of line: http, tcp, error, connect or event"
        |e| Value::String(e.kind.as_str().as_bytes());
    Host "host" String "" "the host that sent it, from the syslog envelope"
        |e| string(e.host);
    Process "process" String "" "the program's name in the syslog envelope"
        |e| string(e.process);
    Pid "pid" Int "" "the process's number in the syslog envelope"
        |e| int(e.pid);
    ClientIp "client_ip" String "%ci" "the client's address; `unix` for a unix socket"
        |e| string(e.client_ip);
    ClientPort "client_port" Int "%cp" "the client's port"
        |e| int(e.client_port);
    AcceptDate "accept_date" Timestamp "%t" "when the connection was accepted"
        |e| time(e.accept_date);
    RequestDate "request_date" Timestamp "%tr" "when the request's first byte came"
        |e| time(e.request_date);
    Frontend "frontend" String "%f" "the frontend, without the `~` that marks TLS"
        |e| string(e.frontend);
    Tls "tls" Bool "%ft" "the frontend was marked by `~`: the client came over TLS"
        |e| Value::Bool(e.tls);
    Backend "backend" String "%b" "the backend"
        |e| string(e.backend);
    Server "server" String "%s" "the server; `<NOSRV>` where there was none"
        |e| string(e.server);
    Tq "Tq" Millis "%Tq" "from accept until the full request was there"
        |e| int(e.timers.accept_to_request);
    TR "TR" Millis "%TR" "until the full request was there, from its first byte"
        |e| int(e.timers.request);
    Tw "Tw" Millis "%Tw" "in the queues"
        |e| int(e.timers.queue);
    Tc "Tc" Millis "%Tc" "to connect to the server"
        |e| int(e.timers.connect);
    Tr "Tr" Millis "%Tr" "the server's, until its full response header"
        |e| int(e.timers.response);
    Td "Td" Millis "%Td" "of the data transfer"
        |e| int(e.timers.data);
    Ta "Ta" Millis "%Ta" "the request, to the last byte of its response"
        |e| int(e.timers.active);
    Tt "Tt" Millis "%Tt" "the whole session, from accept to close"
        |e| int(e.timers.total);
    Th "Th" Millis "%Th" "handshakes before any request: TLS, PROXY protocol"
        |e| int(e.timers.handshake);
    Ti "Ti" Millis "%Ti" "idle before the request"
        |e| int(e.timers.idle);
    Tu "Tu" Millis "%Tu" "as the user sees it: Tt without Ti"
        |e| int(e.timers.user);
    Partial "partial" Bool "" "a `+` stood before a time or size: they are lower bounds"
        |e| Value::Bool(e.partial);
    Status "status" Int "%ST" "the response's status; missing where none was sent"
        |e| int(e.status);
    BytesRead "bytes_read" Int "%B" "bytes sent to the client"
        |e| int(e.bytes_read);
    BytesUploaded "bytes_uploaded" Int "%U" "bytes received from the client"
        |e| int(e.bytes_uploaded);
    RequestCookie "request_cookie" String "%CC" "the captured cookie of the request"
        |e| string(e.request_cookie);
    ResponseCookie "response_cookie" String "%CS" "the captured cookie of the response"
        |e| string(e.response_cookie);
    TerminationState "termination_state" String "%ts" "how the session ended, 2 or 4 characters"
        |e| string(e.termination_state);
    Actconn "actconn" Int "%ac" "concurrent connections of the process"
        |e| int(e.actconn);
    Feconn "feconn" Int "%fc" "concurrent connections of the frontend"
        |e| int(e.feconn);
    Beconn "beconn" Int "%bc" "concurrent connections of the backend"
        |e| int(e.beconn);
    SrvConn "srv_conn" Int "%sc" "concurrent connections of the server"
        |e| int(e.srv_conn);
    Retries "retries" Int "%rc" "how often connecting to the server was tried again"
        |e| int(e.retries);
    Redispatched "redispatched" Bool "%rc" "a `+` stood before retries: the last went elsewhere"
        |e| Value::Bool(e.redispatched);
    SrvQueue "srv_queue" Int "%sq" "requests before it in the server's queue"
        |e| int(e.srv_queue);
    BackendQueue "backend_queue" Int "%bq" "requests before it in the backend's queue"
        |e| int(e.backend_queue);
    BindName "bind_name" String "" "of an error line: the bind that took the connection"
        |e| string(e.bind_name);
    Message "message" String "" "of an error line what went wrong, of an event its text"
        |e| string(e.message);
    State "state" String "" "of an event: what became of it, such as DOWN"
        |e| string(e.state);
    RequestHeaders "request_headers" Strings "%hr" "captured headers of the request"
        |e| strings(e.request_headers);
    ResponseHeaders "response_headers" Strings "%hs" "captured headers of the response"
        |e| strings(e.response_headers);
    Method "method" String "%HM" "the request's method"
        |e| string(e.method);
    Path "path" String "%HP" "the request's path, without the query"
        |e| string(e.path);
    Query "query" String "%HQ" "the request's query, after the `?`"
        |e| string(e.query);
    HttpVersion "http_version" String "%HV" "such as HTTP/1.1"
        |e| string(e.http_version);
    Request "request" String "%r" "the request line as logged"
        |e| string(e.request);
    Extra "extra" Extra "%[...]" "what a custom format has beside these, by name"
        |e| extra(e.extra);
}

impl Field {
    /// The number that it holds in `event`; `None` where it holds none.
    ///
    /// Which one is told by its place, and read once that is known: to choose among values is to
    /// read all of them, as a whole each, just after their halves have been written.
    #[inline]
    pub fn int(self, event: &Event<'_>) -> Option<i64> {
        *match self {
            Field::Pid => &event.pid,
            Field::ClientPort => &event.client_port,
            Field::Tq => &event.timers.accept_to_request,
            Field::TR => &event.timers.request,
            Field::Tw => &event.timers.queue,
            Field::Tc => &event.timers.connect,
            Field::Tr => &event.timers.response,
            Field::Td => &event.timers.data,
            Field::Ta => &event.timers.active,
            Field::Tt => &event.timers.total,
            Field::Th => &event.timers.handshake,
            Field::Ti => &event.timers.idle,
            Field::Tu => &event.timers.user,
            Field::Status => &event.status,
            Field::BytesRead => &event.bytes_read,
            Field::BytesUploaded => &event.bytes_uploaded,
            Field::Actconn => &event.actconn,
            Field::Feconn => &event.feconn,
            Field::Beconn => &event.beconn,
            Field::SrvConn => &event.srv_conn,
            Field::Retries => &event.retries,
            Field::SrvQueue => &event.srv_queue,
            Field::BackendQueue => &event.backend_queue,
            _ => return None,
        }
    }

    /// The string that it holds in `event`; `None` where it holds none.
    #[inline]
    pub fn string<'a>(self, event: &Event<'a>) -> Option<&'a [u8]> {
        *match self {
            Field::Kind => return Some(event.kind.as_str().as_bytes()),
            Field::Host => &event.host,
            Field::Process => &event.process,
            Field::ClientIp => &event.client_ip,
            Field::Frontend => &event.frontend,
            Field::Backend => &event.backend,
            Field::Server => &event.server,
            Field::RequestCookie => &event.request_cookie,
            Field::ResponseCookie => &event.response_cookie,
            Field::TerminationState => &event.termination_state,
            Field::BindName => &event.bind_name,
            Field::Message => &event.message,
            Field::State => &event.state,
            Field::Method => &event.method,
            Field::Path => &event.path,
            Field::Query => &event.query,
            Field::HttpVersion => &event.http_version,
            Field::Request => &event.request,
            _ => return None,
        }
    }

    /// The list of strings that it holds in `event`; `None` where it holds none.
    #[inline]
    pub fn strings<'a>(self, event: &Event<'a>) -> Option<Captures<'a>> {
        match self {
            Field::RequestHeaders => event.request_headers,
            Field::ResponseHeaders => event.response_headers,
            _ => None,
        }
    }

    /// The field of that name, or `None`.
    pub fn by_name(name: &str) -> Option<Field> {
        Field::ALL
            .iter()
            .copied()
            .find(|field| field.name() == name)
    }
}

/// Some of the fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldSet(u64);

impl FieldSet {
    /// Every field.
    pub const ALL: FieldSet = FieldSet(u64::MAX >> (u64::BITS as usize - Field::ALL.len()));

    pub const fn contains(self, field: Field) -> bool {
        self.0 & 1 << field as u64 != 0
    }

    /// Whether one of these is in it.
    pub fn contains_any(self, fields: &[Field]) -> bool {
        fields.iter().any(|&field| self.contains(field))
    }

    pub fn insert(&mut self, field: Field) {
        self.0 |= 1 << field as u64;
    }

    #[must_use]
    pub const fn union(self, other: FieldSet) -> FieldSet {
        FieldSet(self.0 | other.0)
    }
}

impl FromIterator<Field> for FieldSet {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        let mut set = FieldSet::default();
        fields.into_iter().for_each(|field| set.insert(field));
        set
    }
}

/// The names inside fields that have any: what the configured formats capture and add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldNames {
    /// A format or HAProxy's configuration is given, so no line has other names than
    /// these. Otherwise any name may turn up, and an extra field is a string.
    pub known: bool,
    /// Of captured request headers, in any frontend; compared without case.
    pub request_headers: Vec<Box<str>>,
    /// Of captured response headers, likewise.
    pub response_headers: Vec<Box<str>>,
    /// Of every format. A name that several formats use with different types stands here
    /// once with each.
    pub extra: Vec<ExtraField>,
}

impl FieldNames {
    /// The captured headers' names of a list of them; none of any other field.
    pub fn headers(&self, field: Field) -> &[Box<str>] {
        match field {
            Field::RequestHeaders => &self.request_headers,
            Field::ResponseHeaders => &self.response_headers,
            _ => &[],
        }
    }
}

fn string(value: Option<&[u8]>) -> Value<'_> {
    value.map_or(Value::Missing, Value::String)
}

fn int<'a>(value: Option<i64>) -> Value<'a> {
    value.map_or(Value::Missing, Value::Int)
}

fn time<'a>(value: Option<Timestamp>) -> Value<'a> {
    value.map_or(Value::Missing, Value::Timestamp)
}

fn extra(extra: Extra<'_>) -> Value<'_> {
    match extra.is_empty() {
        true => Value::Missing,
        false => Value::Extra(extra),
    }
}

fn strings(value: Option<Captures<'_>>) -> Value<'_> {
    value.map_or(Value::Missing, Value::Strings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haproxy::{Kind, Separator};

    /// The short ways to a value say what the long one says.
    #[test]
    fn a_value_is_the_same_by_its_type() {
        let captures = |values| {
            Some(Captures {
                values,
                separator: Separator::Pipe,
                names: &[],
            })
        };
        let mut event = Event::of_kind(Kind::Http);
        // No two of them are alike, so that none can be taken for another.
        event.pid = Some(1);
        event.client_port = Some(2);
        event.timers.accept_to_request = Some(3);
        event.timers.request = Some(4);
        event.timers.queue = Some(5);
        event.timers.connect = Some(6);
        event.timers.response = Some(7);
        event.timers.data = Some(8);
        event.timers.active = Some(9);
        event.timers.total = Some(10);
        event.timers.handshake = Some(11);
        event.timers.idle = Some(12);
        event.timers.user = Some(13);
        event.status = Some(14);
        event.bytes_read = Some(15);
        event.bytes_uploaded = Some(16);
        event.actconn = Some(17);
        event.feconn = Some(18);
        event.beconn = Some(19);
        event.srv_conn = Some(20);
        event.retries = Some(21);
        event.srv_queue = Some(22);
        event.backend_queue = Some(23);
        event.host = Some(b"host");
        event.process = Some(b"process");
        event.client_ip = Some(b"client_ip");
        event.frontend = Some(b"frontend");
        event.backend = Some(b"backend");
        event.server = Some(b"server");
        event.request_cookie = Some(b"request_cookie");
        event.response_cookie = Some(b"response_cookie");
        event.termination_state = Some(b"termination_state");
        event.bind_name = Some(b"bind_name");
        event.message = Some(b"message");
        event.state = Some(b"state");
        event.method = Some(b"method");
        event.path = Some(b"path");
        event.query = Some(b"query");
        event.http_version = Some(b"http_version");
        event.request = Some(b"request");
        event.request_headers = captures(b"of|the request");
        event.response_headers = captures(b"of the response");
        for event in [event, Event::of_kind(Kind::Tcp)] {
            for &field in Field::ALL {
                let value = field.of(&event);
                let is_same = match value {
                    Value::Int(number) => field.int(&event) == Some(number),
                    Value::String(text) => field.string(&event) == Some(text),
                    Value::Strings(list) => field.strings(&event) == Some(list),
                    _ => {
                        field.int(&event).is_none()
                            && field.string(&event).is_none()
                            && field.strings(&event).is_none()
                    }
                };
                assert!(is_same, "{}: {value:?}", field.name());
            }
        }
    }

    #[test]
    fn captured_values_stand_between_separators() {
        let values = |values, separator| {
            let captures = Captures {
                values,
                separator,
                names: &[],
            };
            captures.iter().collect::<Vec<_>>()
        };
        let empty: &[u8] = b"";
        assert_eq!(values(b"a||c", Separator::Pipe), [b"a", empty, b"c"]);
        assert_eq!(values(b"", Separator::Pipe), [empty]);
        assert_eq!(values(b"a b", Separator::Blank), [b"a", b"b"]);
        assert_eq!(values(b"a\0", Separator::Nul), [b"a", empty]);
        assert_eq!(values(b"a\" \"b c", Separator::Quotes), [&b"a"[..], b"b c"]);
    }
}
