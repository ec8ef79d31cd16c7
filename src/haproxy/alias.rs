//! Every alias of a log format, and what HAProxy prints for it.
//!
//! The aliases are those of section 8.2.6 of HAProxy's manual, the spellings of 1.4 and
//! 1.5 that are still met in old logs included.

use super::field::Field;

/// What an alias's value looks like, and so where it can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A number, possibly with a sign, or `-`.
    Int,
    /// An address, or a word in its place such as `unix`.
    Address,
    Date(DateForm),
    /// The name of a proxy or a server: neither blanks nor slashes.
    Name,
    /// Neither blanks nor quotes nor any of `/:,`.
    Token,
    /// No blanks.
    Word,
    /// So many characters, no blanks.
    Fixed(u8),
    /// A part of a request: no blanks and no quotes; HAProxy writes those as `#XX`.
    Uri,
    /// As [`Class::Uri`] without a `?`.
    Path,
    /// Nothing, or a `/` and then as [`Class::Path`].
    PathOnly,
    /// Nothing, or a `?` and then as [`Class::Uri`].
    Query,
    /// A request line: anything but a quote.
    Request,
    /// `{a|b}`, or nothing.
    Captures,
    /// Captured headers as words of their own.
    CaptureList,
    /// Anything.
    Text,
}

/// How a date is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateForm {
    /// `21/Nov/2026:04:55:14.120`, local, without an offset.
    Millis,
    /// `21/Nov/2026:04:55:14 +0100`.
    Offset,
}

/// Where a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    ClientIp,
    ClientPort,
    AcceptDate,
    /// `%Ts`: the accept date in seconds since 1970.
    AcceptSeconds,
    /// `%ms`: what the accept date has beyond its second.
    AcceptMillis,
    RequestDate,
    Frontend,
    /// With a `~` behind it where the client came over TLS.
    FrontendTransport,
    Backend,
    Server,
    Pid,
    Tq,
    TR,
    Tw,
    Tc,
    Tr,
    Td,
    Ta,
    Tt,
    Th,
    Ti,
    Tu,
    Status,
    BytesRead,
    BytesUploaded,
    RequestCookie,
    ResponseCookie,
    TerminationState,
    Actconn,
    Feconn,
    Beconn,
    SrvConn,
    Retries,
    SrvQueue,
    BackendQueue,
    RequestHeaders,
    ResponseHeaders,
    Request,
    Method,
    /// Path and query.
    Uri,
    Path,
    Query,
    HttpVersion,
    BindName,
    Message,
    /// Cookies of which nothing is kept: it cannot be told where they end.
    Cookies,
    /// A field beside the event's own, by its place in the format.
    Extra(u16),
}

impl Slot {
    /// The event's field that the value becomes (a part of).
    pub(super) const fn field(self) -> Field {
        match self {
            Slot::ClientIp => Field::ClientIp,
            Slot::ClientPort => Field::ClientPort,
            Slot::AcceptDate | Slot::AcceptSeconds | Slot::AcceptMillis => Field::AcceptDate,
            Slot::RequestDate => Field::RequestDate,
            Slot::Frontend | Slot::FrontendTransport => Field::Frontend,
            Slot::Backend => Field::Backend,
            Slot::Server => Field::Server,
            Slot::Pid => Field::Pid,
            Slot::Tq => Field::Tq,
            Slot::TR => Field::TR,
            Slot::Tw => Field::Tw,
            Slot::Tc => Field::Tc,
            Slot::Tr => Field::Tr,
            Slot::Td => Field::Td,
            Slot::Ta => Field::Ta,
            Slot::Tt => Field::Tt,
            Slot::Th => Field::Th,
            Slot::Ti => Field::Ti,
            Slot::Tu => Field::Tu,
            Slot::Status => Field::Status,
            Slot::BytesRead => Field::BytesRead,
            Slot::BytesUploaded => Field::BytesUploaded,
            Slot::RequestCookie | Slot::Cookies => Field::RequestCookie,
            Slot::ResponseCookie => Field::ResponseCookie,
            Slot::TerminationState => Field::TerminationState,
            Slot::Actconn => Field::Actconn,
            Slot::Feconn => Field::Feconn,
            Slot::Beconn => Field::Beconn,
            Slot::SrvConn => Field::SrvConn,
            Slot::Retries => Field::Retries,
            Slot::SrvQueue => Field::SrvQueue,
            Slot::BackendQueue => Field::BackendQueue,
            Slot::RequestHeaders => Field::RequestHeaders,
            Slot::ResponseHeaders => Field::ResponseHeaders,
            Slot::Request => Field::Request,
            Slot::Method => Field::Method,
            Slot::Uri | Slot::Path => Field::Path,
            Slot::Query => Field::Query,
            Slot::HttpVersion => Field::HttpVersion,
            Slot::BindName => Field::BindName,
            Slot::Message => Field::Message,
            Slot::Extra(_) => Field::Extra,
        }
    }
}

/// What of the flags changes how an alias is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flagged {
    /// None of them.
    Nothing,
    /// `+Q` puts it in quotes, `+E` escapes it.
    Quotes,
    /// `+X` makes it hexadecimal, with capitals.
    Hex,
    /// An address: quoted by `+Q`, and by `+X` hexadecimal and without quotes.
    QuotesOrHex,
}

/// One row of the table.
#[derive(Debug)]
pub(super) struct Alias {
    /// Without its `%`.
    pub(super) symbol: &'static str,
    pub(super) class: Class,
    pub(super) goes: Goes,
    pub(super) flagged: Flagged,
    /// It is there for requests only: a format with it is a format of HTTP lines.
    pub(super) http: bool,
}

/// Where an alias's value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goes {
    To(Slot),
    /// To the extra fields, under the manual's name for it.
    Extra(&'static str),
}

/// A `+` may stand before it, which makes it a lower bound.
impl Slot {
    pub(super) const fn may_have_plus(self) -> bool {
        matches!(
            self,
            Slot::Ta | Slot::Tt | Slot::Tu | Slot::BytesRead | Slot::Retries
        )
    }
}

/// The alias of that symbol, in today's spelling or an old one.
pub(super) fn find(symbol: &str) -> Option<&'static Alias> {
    let old = OLD.iter().find(|(old, _)| *old == symbol);
    let symbol = old.map_or(symbol, |(_, today)| today);
    ALIASES.iter().find(|alias| alias.symbol == symbol)
}

/// Every symbol, for suggestions.
pub(super) fn symbols() -> impl Iterator<Item = &'static str> {
    ALIASES.iter().map(|alias| alias.symbol)
}

const OLD: [(&str, &str); 11] = [
    ("Ci", "ci"),
    ("Cp", "cp"),
    ("st", "ST"),
    ("cc", "CC"),
    ("cs", "CS"),
    ("Bi", "bi"),
    ("Bp", "bp"),
    ("Fi", "fi"),
    ("Fp", "fp"),
    ("Si", "si"),
    ("Sp", "sp"),
];

macro_rules! aliases {
    ($($symbol:literal $class:expr, $goes:expr, $flagged:ident, $http:literal;)*) => {
        &[$(Alias {
            symbol: $symbol,
            class: $class,
            goes: $goes,
            flagged: Flagged::$flagged,
            http: $http,
        },)*]
    };
}

use Class::{Address, CaptureList, Captures, Date, Fixed, Int, Name, Path, PathOnly, Query};
use Class::{Request, Token, Uri, Word};
use DateForm::{Millis, Offset};
use Goes::{Extra, To};

static ALIASES: &[Alias] = aliases! {
    "T" Date(Offset), To(Slot::AcceptDate), Nothing, false;
    "Tl" Date(Offset), To(Slot::AcceptDate), Nothing, false;
    "Ts" Int, To(Slot::AcceptSeconds), Hex, false;
    "t" Date(Millis), To(Slot::AcceptDate), Nothing, false;
    "ms" Int, To(Slot::AcceptMillis), Hex, false;
    "tr" Date(Millis), To(Slot::RequestDate), Nothing, true;
    "trg" Date(Offset), To(Slot::RequestDate), Nothing, true;
    "trl" Date(Offset), To(Slot::RequestDate), Nothing, true;
    "Ta" Int, To(Slot::Ta), Nothing, true;
    "Tc" Int, To(Slot::Tc), Nothing, false;
    "Td" Int, To(Slot::Td), Nothing, false;
    "Th" Int, To(Slot::Th), Nothing, false;
    "Ti" Int, To(Slot::Ti), Nothing, true;
    "Tq" Int, To(Slot::Tq), Nothing, true;
    "TR" Int, To(Slot::TR), Nothing, true;
    "Tr" Int, To(Slot::Tr), Nothing, true;
    "Tt" Int, To(Slot::Tt), Nothing, false;
    "Tu" Int, To(Slot::Tu), Nothing, false;
    "Tw" Int, To(Slot::Tw), Nothing, false;
    "B" Int, To(Slot::BytesRead), Nothing, false;
    "CC" Word, To(Slot::RequestCookie), Quotes, true;
    "CS" Word, To(Slot::ResponseCookie), Quotes, true;
    "H" Name, Extra("hostname"), Quotes, false;
    "HM" Uri, To(Slot::Method), Quotes, true;
    "HP" Path, To(Slot::Path), Quotes, true;
    "HPO" PathOnly, To(Slot::Path), Quotes, true;
    "HQ" Query, To(Slot::Query), Quotes, true;
    "HU" Uri, To(Slot::Uri), Quotes, true;
    "HV" Uri, To(Slot::HttpVersion), Quotes, true;
    "ID" Word, Extra("unique_id"), Quotes, false;
    "ST" Int, To(Slot::Status), Nothing, true;
    "U" Int, To(Slot::BytesUploaded), Nothing, false;
    "ac" Int, To(Slot::Actconn), Nothing, false;
    "b" Name, To(Slot::Backend), Quotes, false;
    "bc" Int, To(Slot::Beconn), Nothing, false;
    "bi" Address, Extra("backend_source_ip"), QuotesOrHex, false;
    "bp" Int, Extra("backend_source_port"), Hex, false;
    "bq" Int, To(Slot::BackendQueue), Nothing, false;
    "ci" Address, To(Slot::ClientIp), QuotesOrHex, false;
    "cp" Int, To(Slot::ClientPort), Hex, false;
    "f" Name, To(Slot::Frontend), Quotes, false;
    "fc" Int, To(Slot::Feconn), Nothing, false;
    "fi" Address, Extra("frontend_ip"), QuotesOrHex, false;
    "fp" Int, Extra("frontend_port"), Hex, false;
    "ft" Name, To(Slot::FrontendTransport), Quotes, false;
    "lc" Int, Extra("frontend_log_counter"), Hex, false;
    "hr" Captures, To(Slot::RequestHeaders), Quotes, false;
    "hrl" CaptureList, To(Slot::RequestHeaders), Quotes, false;
    "hs" Captures, To(Slot::ResponseHeaders), Quotes, false;
    "hsl" CaptureList, To(Slot::ResponseHeaders), Quotes, false;
    "OG" Token, Extra("log_origin"), Quotes, false;
    "pid" Int, To(Slot::Pid), Hex, false;
    "r" Request, To(Slot::Request), Quotes, true;
    "rc" Int, To(Slot::Retries), Nothing, false;
    "rt" Int, Extra("request_counter"), Hex, false;
    "s" Name, To(Slot::Server), Quotes, false;
    "sc" Int, To(Slot::SrvConn), Nothing, false;
    "si" Address, Extra("server_ip"), QuotesOrHex, false;
    "sp" Int, Extra("server_port"), Hex, false;
    "sq" Int, To(Slot::SrvQueue), Nothing, false;
    "sslc" Token, Extra("ssl_ciphers"), Quotes, false;
    "sslv" Token, Extra("ssl_version"), Quotes, false;
    "ts" Fixed(2), To(Slot::TerminationState), Nothing, false;
    "tsc" Fixed(4), To(Slot::TerminationState), Nothing, true;
};
