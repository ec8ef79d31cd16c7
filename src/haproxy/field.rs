//! The fields of an event by name: the table that rules are checked against.

use super::event::{Captures, Event, Extra, ExtraField};
use crate::time::Timestamp;

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
    ($($variant:ident $name:literal $kind:ident $alias:literal $get:expr;)*) => {
        /// A field of an [`Event`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Field {
            $($variant,)*
        }

        impl Field {
            /// Every field, in the order of the manual's log lines.
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

            /// This field's value in `event`.
            #[inline]
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
    Kind "kind" String "" |e| Value::String(e.kind.as_str().as_bytes());
    Host "host" String "" |e| string(e.host);
    Process "process" String "" |e| string(e.process);
    Pid "pid" Int "" |e| int(e.pid);
    ClientIp "client_ip" String "%ci" |e| string(e.client_ip);
    ClientPort "client_port" Int "%cp" |e| int(e.client_port);
    AcceptDate "accept_date" Timestamp "%t" |e| time(e.accept_date);
    RequestDate "request_date" Timestamp "%tr" |e| time(e.request_date);
    Frontend "frontend" String "%f" |e| string(e.frontend);
    Tls "tls" Bool "%ft" |e| Value::Bool(e.tls);
    Backend "backend" String "%b" |e| string(e.backend);
    Server "server" String "%s" |e| string(e.server);
    Tq "Tq" Millis "%Tq" |e| int(e.timers.accept_to_request);
    TR "TR" Millis "%TR" |e| int(e.timers.request);
    Tw "Tw" Millis "%Tw" |e| int(e.timers.queue);
    Tc "Tc" Millis "%Tc" |e| int(e.timers.connect);
    Tr "Tr" Millis "%Tr" |e| int(e.timers.response);
    Td "Td" Millis "%Td" |e| int(e.timers.data);
    Ta "Ta" Millis "%Ta" |e| int(e.timers.active);
    Tt "Tt" Millis "%Tt" |e| int(e.timers.total);
    Th "Th" Millis "%Th" |e| int(e.timers.handshake);
    Ti "Ti" Millis "%Ti" |e| int(e.timers.idle);
    Tu "Tu" Millis "%Tu" |e| int(e.timers.user);
    Partial "partial" Bool "" |e| Value::Bool(e.partial);
    Status "status" Int "%ST" |e| int(e.status);
    BytesRead "bytes_read" Int "%B" |e| int(e.bytes_read);
    BytesUploaded "bytes_uploaded" Int "%U" |e| int(e.bytes_uploaded);
    RequestCookie "request_cookie" String "%CC" |e| string(e.request_cookie);
    ResponseCookie "response_cookie" String "%CS" |e| string(e.response_cookie);
    TerminationState "termination_state" String "%ts" |e| string(e.termination_state);
    Actconn "actconn" Int "%ac" |e| int(e.actconn);
    Feconn "feconn" Int "%fc" |e| int(e.feconn);
    Beconn "beconn" Int "%bc" |e| int(e.beconn);
    SrvConn "srv_conn" Int "%sc" |e| int(e.srv_conn);
    Retries "retries" Int "%rc" |e| int(e.retries);
    Redispatched "redispatched" Bool "%rc" |e| Value::Bool(e.redispatched);
    SrvQueue "srv_queue" Int "%sq" |e| int(e.srv_queue);
    BackendQueue "backend_queue" Int "%bq" |e| int(e.backend_queue);
    BindName "bind_name" String "" |e| string(e.bind_name);
    Message "message" String "" |e| string(e.message);
    State "state" String "" |e| string(e.state);
    RequestHeaders "request_headers" Strings "%hr" |e| strings(e.request_headers);
    ResponseHeaders "response_headers" Strings "%hs" |e| strings(e.response_headers);
    Request "request" String "%r" |e| string(e.request);
    Method "method" String "%HM" |e| string(e.method);
    Path "path" String "%HP" |e| string(e.path);
    Query "query" String "%HQ" |e| string(e.query);
    HttpVersion "http_version" String "%HV" |e| string(e.http_version);
    Extra "extra" Extra "%[...]" |e| extra(e.extra);
}

impl Field {
    /// The field of that name, or `None`.
    pub fn by_name(name: &str) -> Option<Field> {
        Field::ALL
            .iter()
            .copied()
            .find(|field| field.name() == name)
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
