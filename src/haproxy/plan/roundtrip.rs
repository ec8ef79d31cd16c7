//! Any format and any event: the line that HAProxy would write gives the event back.
//!
//! The lines are made by a model of HAProxy's log line builder that shares nothing with
//! the plans: it knows the manual (sections 8.2.6 and 8.6) and what HAProxy is seen to
//! print. Formats are of chance, and so are the values: quotes, braces, blanks, control
//! characters, bytes that are no UTF-8, whatever a client can send.
//!
//! A format is refused when it is loaded; or each of its lines is either read as the event
//! that it was made of, or rejected as ambiguous. Ambiguous it may be only where a value
//! does hold what separates it from the next.
//!
//! What HAProxy itself does not tell apart is the same here, too:
//!
//! - Nothing and a `-` are printed alike (`Text` without a value).
//! - Without quotes, blanks at the ends of a value are one with the separators there.
//! - A cookie, a unique id or a name is taken to hold no blank unless it is quoted. A
//!   request's parts never do, since HAProxy refuses a target with a blank.
//! - Where it is not known what is captured, a single block is the first of the format's.
//! - An encoding leaves out the `+` before numbers.

use super::{Captured, Encoded, Misfit, Scratch, Store, compile, complete};
use crate::haproxy::alias;
use crate::haproxy::date::Dates;
use crate::haproxy::event::{Event, ExtraValue};
use crate::haproxy::log_format;
use crate::haproxy::{Field, Value};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// Fields by name; a list's values have `;` between them.
type Fields = BTreeMap<String, String>;

#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    quote: bool,
    hex: bool,
    escape: bool,
    json: bool,
    cbor: bool,
    binary: bool,
}

impl Flags {
    fn encodes(self) -> bool {
        self.json || self.cbor
    }
}

/// `+Q` and so on, or nothing, for each of `Q`, `X`, `E` and `json`.
type Changes = [Option<bool>; 4];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cast {
    Str,
    Int,
    Bool,
}

#[derive(Clone, Debug)]
enum Piece {
    Literal(&'static str),
    Blank,
    /// `%{...}o`
    Defaults(Changes),
    Field(Item),
}

#[derive(Clone, Debug)]
struct Item {
    source: Source,
    named: bool,
    cast: Option<Cast>,
    flags: Changes,
    value: Raw,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    Alias(&'static str),
    Sample(&'static str),
}

/// What HAProxy has to print.
#[derive(Clone, Debug)]
enum Raw {
    /// With a `+` before it or not.
    Int(i64, bool),
    /// `+X` prints it in at least so many digits, `%ms` in three decimal ones.
    HexInt(i64, usize),
    Bool(bool),
    /// `None` is a unix socket.
    Address(Option<IpAddr>),
    Text(Vec<u8>),
    Missing,
    /// Milliseconds since 1970; printed with them, or with an offset.
    Date(i64, bool),
    State(String),
    Transport(String, bool),
    /// A part of the case's request.
    Request(&'static str),
    /// The case's captures, of the request or not, as a list or not.
    Captures {
        request: bool,
        list: bool,
    },
}

type Values = Option<Vec<Option<Vec<u8>>>>;

#[derive(Clone, Debug)]
struct Case {
    pieces: Vec<Piece>,
    encoding: Flags,
    request: Option<Vec<u8>>,
    request_headers: Values,
    response_headers: Values,
    /// The captures' number is known.
    known: bool,
    /// Before HAProxy 2.9 an empty `%HQ` had a blank of its own.
    old: bool,
}

// What chance makes.

/// Bytes that mean something to somebody, and some that do not.
fn hostile(blank: bool) -> BoxedStrategy<Vec<u8>> {
    let pieces: Vec<&'static [u8]> = vec![
        b"a",
        b"b",
        b"7",
        b"-",
        b"\"",
        b"\\",
        b"#",
        b"#22",
        b"{",
        b"}",
        b"|",
        b"[",
        b"]",
        b"/",
        b":",
        b",",
        b"=",
        b"?",
        b"%",
        b"~",
        b"+",
        b"\x01",
        b"\x7f",
        b"\xc3\xa9",
        b"\xff",
        b"null",
        b"<BADREQ>",
    ];
    let blanks: Vec<&'static [u8]> = vec![
        b" ", b"  ", b"\t", b"\n", b"} \"", b"} {", b"\" \"", b"- - ",
    ];
    let piece = match blank {
        true => prop_oneof![4 => select(pieces), 1 => select(blanks)].boxed(),
        false => select(pieces).boxed(),
    };
    prop::collection::vec(piece, 0..6)
        .prop_map(|pieces| pieces.concat())
        .boxed()
}

fn text(value: BoxedStrategy<Vec<u8>>) -> BoxedStrategy<Raw> {
    prop_oneof![8 => value.prop_map(Raw::Text), 1 => Just(Raw::Missing)].boxed()
}

fn one_of(values: &[&'static str]) -> BoxedStrategy<Vec<u8>> {
    select(values.to_vec())
        .prop_map(|value| value.as_bytes().to_vec())
        .boxed()
}

fn address() -> BoxedStrategy<Raw> {
    let ip = prop_oneof![
        any::<[u8; 4]>().prop_map(|ip| Some(Ipv4Addr::from(ip).into())),
        any::<[u8; 16]>().prop_map(|ip| Some(Ipv6Addr::from(ip).into())),
        Just(Some(Ipv6Addr::LOCALHOST.into())),
        Just(None),
    ];
    prop_oneof![6 => ip.prop_map(Raw::Address), 1 => Just(Raw::Missing)].boxed()
}

fn name() -> BoxedStrategy<String> {
    prop_oneof![
        "[a-zA-Z0-9_.:-]{1,6}".prop_filter("a dash is nothing", |name| name != "-"),
        Just("<NOSRV>".to_owned()),
    ]
    .boxed()
}

fn number() -> BoxedStrategy<i64> {
    prop_oneof![Just(-1), 0..10_i64, 0..100_000_i64, 0..10_000_000_000_i64].boxed()
}

fn alias_value(symbol: &'static str) -> BoxedStrategy<Raw> {
    let date = 0..4_000_000_000_000_i64;
    match symbol {
        "t" | "tr" => date.prop_map(|date| Raw::Date(date, false)).boxed(),
        "T" | "Tl" | "trg" | "trl" => date.prop_map(|date| Raw::Date(date, true)).boxed(),
        "Ts" => (0..4_000_000_000_i64)
            .prop_map(|value| Raw::HexInt(value, 4))
            .boxed(),
        "ms" => (0..1000_i64)
            .prop_map(|value| Raw::HexInt(value, 2))
            .boxed(),
        "rt" | "lc" | "pid" => (0..=i64::from(u32::MAX))
            .prop_map(|value| Raw::HexInt(value, 4))
            .boxed(),
        "cp" | "bp" | "fp" | "sp" => {
            let port = (0..65_536_i64).prop_map(|value| Raw::HexInt(value, 4));
            prop_oneof![6 => port, 1 => Just(Raw::Missing)].boxed()
        }
        "ci" | "bi" | "fi" | "si" => address(),
        "ST" => prop_oneof![Just(-1), 0..1000_i64]
            .prop_map(|value| Raw::Int(value, false))
            .boxed(),
        "Ta" | "Tt" | "Tu" | "B" => (0..10_000_000_i64, any::<bool>())
            .prop_map(|(value, plus)| Raw::Int(value, plus))
            .boxed(),
        "rc" => (0..9_i64, any::<bool>())
            .prop_map(|(value, plus)| Raw::Int(value, plus))
            .boxed(),
        "Tc" | "Td" | "Th" | "Ti" | "Tq" | "TR" | "Tr" | "Tw" => {
            number().prop_map(|value| Raw::Int(value, false)).boxed()
        }
        "U" | "ac" | "bc" | "bq" | "fc" | "sc" | "sq" => number()
            .prop_map(|value| Raw::Int(value.abs(), false))
            .boxed(),
        "CC" | "CS" | "ID" => text(hostile(true)),
        "H" | "b" | "f" | "s" => name().prop_map(|name| Raw::Text(name.into_bytes())).boxed(),
        "ft" => (name(), any::<bool>())
            .prop_map(|(name, tls)| Raw::Transport(name, tls))
            .boxed(),
        "OG" => text(one_of(&["txn_close", "sess_error", "unspec"])),
        "sslc" => text(one_of(&[
            "TLS_AES_128_GCM_SHA256",
            "ECDHE-RSA-AES256-GCM-SHA384",
        ])),
        "sslv" => text(one_of(&["TLSv1.3", "SSLv3"])),
        "ts" => "[a-zA-Z-]{2}".prop_map(Raw::State).boxed(),
        "tsc" => "[a-zA-Z-]{4}".prop_map(Raw::State).boxed(),
        "r" | "HM" | "HU" | "HP" | "HPO" | "HQ" | "HV" => Just(Raw::Request(symbol)).boxed(),
        "hr" | "hrl" | "hs" | "hsl" => Just(Raw::Captures {
            request: symbol.starts_with("hr"),
            list: symbol.ends_with('l'),
        })
        .boxed(),
        unknown => panic!("no model of %{unknown}"),
    }
}

/// Expressions of each class, and some that are of none.
const SAMPLES: [&str; 36] = [
    "src",
    "dst",
    "src,ipmask(24)",
    "fe_name",
    "srv_name",
    "method",
    "ssl_fc_cipher",
    "ssl_fc_protocol",
    "ssl_fc_alpn",
    "ssl_bc_alpn",
    "path",
    "url",
    "query",
    "capture.req.ver",
    "uuid",
    "ssl_fc_sni",
    "req.ssl_sni",
    "base",
    "ssl_c_sha1",
    "ssl_fc_err,hex",
    "req.hdr(a),base64",
    "int(1),htonl",
    "rand",
    "src_port",
    "status",
    "fc.timer.total",
    "sc0_http_req_rate",
    "req.hdr(a),length",
    "ssl_fc",
    "ssl_c_used",
    "req.hdr(b)",
    "req.hdr(b),lower",
    "var(txn.a)",
    "path,url_dec",
    "ssl_fc_sni,lower",
    "unheard_of(\"],%\")",
];

fn sample_value(expression: &'static str) -> BoxedStrategy<Raw> {
    let hex = || {
        prop::collection::vec(any::<u8>(), 1..5)
            .prop_map(|bytes| {
                bytes
                    .iter()
                    .map(|byte| format!("{byte:02X}"))
                    .collect::<String>()
            })
            .prop_map(String::into_bytes)
            .boxed()
    };
    match expression {
        "src" | "dst" | "src,ipmask(24)" => address()
            .prop_map(|value| match value {
                // A unix socket has no address.
                Raw::Address(None) => Raw::Missing,
                value => value,
            })
            .boxed(),
        "fe_name" | "srv_name" => text(name().prop_map(String::into_bytes).boxed()),
        "method" => text(one_of(&["GET", "M-SEARCH", "!#$%&'*+-.^_`|~a"])),
        "ssl_fc_cipher" => text(one_of(&["TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES256-GCM-SHA384"])),
        "ssl_fc_protocol" => text(one_of(&["TLSv1.3", "SSLv3"])),
        "ssl_fc_alpn" | "ssl_bc_alpn" => text(one_of(&["h2", "http/1.1"])),
        "path" | "url" | "query" => text(hostile(false)),
        "capture.req.ver" => text(one_of(&["HTTP/1.1"])),
        "uuid" => text(one_of(&["0bc1a2e0-5a2b-4f0f-8b2f-0a4a9d9c2b11"])),
        "ssl_c_sha1" | "ssl_fc_err,hex" | "int(1),htonl" => text(hex()),
        "req.hdr(a),base64" => text(one_of(&["YQ==", "a/+b", "c29tZQ"])),
        "rand" | "src_port" | "status" | "fc.timer.total" | "sc0_http_req_rate"
        | "req.hdr(a),length" => {
            prop_oneof![6 => number().prop_map(|value| Raw::Int(value, false)), 1 => Just(Raw::Missing)]
                .boxed()
        }
        "ssl_fc" | "ssl_c_used" => any::<bool>().prop_map(Raw::Bool).boxed(),
        _ => text(hostile(true)),
    }
}

fn changes(json: bool) -> BoxedStrategy<Changes> {
    let change = || prop_oneof![6 => Just(None), 2 => Just(Some(true)), 1 => Just(Some(false))];
    let json = prop_oneof![12 => Just(None), 1 => Just(json.then_some(true))];
    (change(), change(), change(), json)
        .prop_map(|(q, x, e, json)| [q, x, e, json])
        .boxed()
}

fn item() -> BoxedStrategy<Item> {
    let symbols: Vec<&'static str> = alias::symbols().collect();
    let alias =
        select(symbols).prop_flat_map(|symbol| (Just(Source::Alias(symbol)), alias_value(symbol)));
    let sample = select(SAMPLES.to_vec())
        .prop_flat_map(|expression| (Just(Source::Sample(expression)), sample_value(expression)));
    let cast = prop_oneof![
        4 => Just(None),
        1 => select(vec![Some(Cast::Str), Some(Cast::Int), Some(Cast::Bool)]),
    ];
    (
        prop_oneof![2 => alias, 1 => sample],
        any::<bool>(),
        cast,
        changes(true),
    )
        .prop_map(|((source, value), named, cast, flags)| Item {
            source,
            named,
            cast: cast.filter(|cast| match (&value, cast) {
                // A text that is no number has no value of another type.
                (Raw::Text(_) | Raw::Missing | Raw::Address(_), cast) => *cast == Cast::Str,
                // Nor has one of the event's own fields that is a number.
                (Raw::Int(..), Cast::Bool) => matches!(source, Source::Sample(_)),
                (Raw::Int(..) | Raw::Bool(_), _) => true,
                _ => false,
            }),
            flags,
            value,
        })
        .boxed()
}

fn literal() -> BoxedStrategy<Piece> {
    select(vec![
        "/", ":", "-", ",", "|", "[", "]", "{", "}", "\"", "#", "=", "--", "x", "x=", "1", "?",
        "~", "\\", "%", "é", "\"\"",
    ])
    .prop_map(Piece::Literal)
    .boxed()
}

fn request() -> BoxedStrategy<Option<Vec<u8>>> {
    let target = hostile(false).prop_map(|mut target| {
        target.insert(0, b'/');
        target
    });
    let target = prop_oneof![
        4 => target,
        1 => one_of(&["*", "example.net:443", "https://example.net", "https://example.net/a?b"]),
    ];
    let line = (
        select(vec!["GET", "M-SEARCH", "!#$%&'*+-.^_`|~a"]),
        target,
        0..30_usize,
    );
    let line = line.prop_map(|(method, target, cut)| {
        let mut line = [method.as_bytes(), b" ", &target, b" HTTP/1.1"].concat();
        // Of a long one HAProxy keeps the beginning.
        if cut < 8 {
            line.truncate(line.len() - 9 - cut.min(target.len()));
            line.truncate(line.trim_ascii_end().len());
        }
        line
    });
    prop_oneof![8 => line.prop_map(Some), 1 => Just(None)].boxed()
}

fn captures() -> BoxedStrategy<Values> {
    let value = prop_oneof![1 => Just(None), 4 => hostile(true).prop_map(Some)];
    let values = prop::collection::vec(value, 1..4).prop_map(Some);
    prop_oneof![1 => Just(None), 3 => values].boxed()
}

fn case_of(
    pieces: BoxedStrategy<Vec<Piece>>,
    encoding: BoxedStrategy<Flags>,
) -> BoxedStrategy<Case> {
    (
        pieces,
        encoding,
        request(),
        captures(),
        captures(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(pieces, encoding, request, request_headers, response_headers, known, old)| Case {
                pieces,
                encoding,
                request,
                request_headers,
                response_headers,
                known,
                old,
            },
        )
        .prop_map(Case::settled)
        .boxed()
}

/// ` %hr %hs %{+Q}r`, as HTTP lines end, with a header behind it that a client can choose.
fn tail() -> BoxedStrategy<Vec<Piece>> {
    text(hostile(true))
        .prop_map(|header| {
            let field = |source, flags, value| {
                Piece::Field(Item {
                    source,
                    named: false,
                    cast: None,
                    flags,
                    value,
                })
            };
            let plain = [Some(false); 4];
            let quoted = [Some(true), Some(false), Some(false), Some(false)];
            let block = |request| Raw::Captures {
                request,
                list: false,
            };
            vec![
                Piece::Blank,
                field(Source::Alias("hr"), plain, block(true)),
                Piece::Blank,
                field(Source::Alias("hs"), plain, block(false)),
                Piece::Blank,
                field(Source::Alias("r"), quoted, Raw::Request("r")),
                Piece::Blank,
                field(Source::Sample("req.hdr(b)"), quoted, header),
            ]
        })
        .boxed()
}

/// Pieces in any order.
fn any_case() -> BoxedStrategy<Case> {
    let piece = prop_oneof![
        6 => item().prop_map(Piece::Field),
        3 => literal(),
        4 => Just(Piece::Blank),
        1 => changes(false).prop_map(Piece::Defaults),
    ];
    let before = prop::collection::vec(piece.clone(), 1..9);
    let behind = prop::collection::vec(piece, 0..5);
    let pieces = (before, prop::option::weighted(0.2, tail()), behind).prop_map(
        |(mut pieces, tail, behind)| {
            if let Some(tail) = tail {
                pieces.extend(tail);
                pieces.extend(behind);
            }
            pieces
        },
    );
    case_of(pieces.boxed(), Just(Flags::default()).boxed())
}

/// Blanks between fields, and nothing else but literals around them.
fn blank_separated() -> BoxedStrategy<Case> {
    let field = (prop::option::weighted(0.2, literal()), item()).prop_map(|(before, mut item)| {
        let free = matches!(
            item.value,
            Raw::Text(_) | Raw::Missing | Raw::Request(_) | Raw::Captures { .. }
        );
        if free {
            // Nothing in quotes can end too early if it is escaped.
            let is_list = matches!(item.value, Raw::Captures { list: true, .. });
            item.flags = [
                Some(true),
                None,
                Some(true),
                item.flags[3].filter(|_| !is_list),
            ];
        }
        let mut pieces = vec![Piece::Blank];
        pieces.extend(before);
        pieces.push(Piece::Field(item));
        pieces
    });
    let fields = prop::collection::vec(field, 1..7).prop_map(|fields| fields.concat());
    let pieces = (prop::option::of(changes(false)), fields).prop_map(|(defaults, fields)| {
        let mut pieces: Vec<Piece> = defaults.map(Piece::Defaults).into_iter().collect();
        pieces.extend(fields);
        pieces
    });
    case_of(pieces.boxed(), Just(Flags::default()).boxed())
        .prop_map(|mut case| {
            case.known = true;
            case
        })
        .boxed()
}

fn encoded_case() -> BoxedStrategy<Case> {
    let encoding =
        (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(cbor, binary, quote)| Flags {
            json: !cbor,
            cbor,
            binary: cbor && binary,
            quote,
            ..Flags::default()
        });
    let item = item().prop_map(|item| {
        let mut item = item;
        // The line's encoding is each value's.
        item.flags[3] = None;
        Piece::Field(item)
    });
    let piece = prop_oneof![6 => item, 1 => literal(), 1 => Just(Piece::Blank)];
    case_of(prop::collection::vec(piece, 1..8).boxed(), encoding.boxed())
}

impl Case {
    /// Without what no event can have, or what this model does not tell apart: the fields of one
    /// group have one value.
    fn settled(mut self) -> Case {
        let mut groups = BTreeSet::new();
        let mut after_alias = self.encoding.encodes();
        self.pieces.retain(|piece| {
            let keep = match piece {
                Piece::Field(item) => groups.insert(group(item.source)),
                // It would be a part of the alias.
                Piece::Literal(text) => {
                    !after_alias || !text.starts_with(|c: char| c.is_ascii_alphanumeric())
                }
                Piece::Blank | Piece::Defaults(_) => true,
            };
            if keep {
                after_alias = matches!(
                    piece,
                    Piece::Defaults(_)
                        | Piece::Field(Item {
                            source: Source::Alias(_),
                            ..
                        })
                );
            }
            keep
        });
        let has = |symbol: &str| groups.contains(symbol);
        let only = |symbol: &str| {
            self.pieces.iter().any(|piece| {
                matches!(piece, Piece::Field(Item { source: Source::Alias(known), .. }) if *known == symbol)
            })
        };
        // These say different things of a target that is more than a path, and of a request
        // without a version.
        let differ = only("HPO") && (has("r") || has("HU")) || has("r") && has("HV");
        let is_plain = |request: &Vec<u8>| {
            let mut words = request.split(|&byte| byte == b' ').skip(1);
            words.next().is_some_and(|target| target.starts_with(b"/")) && words.next().is_some()
        };
        self.request = self
            .request
            .take()
            .filter(|request| !differ || is_plain(request));
        if !self.known && has("hr") && has("hs") {
            // A single block is taken for the first one, and so are all values of lists.
            let blocks = self.pieces.iter().filter_map(|piece| match piece {
                Piece::Field(Item {
                    value: Raw::Captures { request, list },
                    ..
                }) => Some((*request, *list)),
                _ => None,
            });
            let blocks: Vec<(bool, bool)> = blocks.collect();
            let lists = blocks.iter().any(|&(_, list)| list);
            let (first, second) = match blocks[0].0 {
                true => (&self.request_headers, &mut self.response_headers),
                false => (&self.response_headers, &mut self.request_headers),
            };
            if lists || first.is_none() {
                *second = None;
            }
        }
        self
    }

    fn captured(&self) -> Captured {
        let names = |values: &Values| {
            let count = values.as_ref().map_or(0, Vec::len);
            (0..count).map(|at| format!("h{at}").into()).collect()
        };
        match self.known {
            true => Captured {
                request: names(&self.request_headers),
                response: names(&self.response_headers),
                known: true,
            },
            false => Captured::default(),
        }
    }
}

/// Sources with the same one tell the same.
fn group(source: Source) -> &'static str {
    match source {
        Source::Sample(expression) => expression,
        Source::Alias(symbol) => match symbol {
            "t" | "T" | "Tl" | "Ts" => "t",
            "tr" | "trg" | "trl" => "tr",
            "f" | "ft" => "f",
            "ts" | "tsc" => "ts",
            "hr" | "hrl" => "hr",
            "hs" | "hsl" => "hs",
            "HP" | "HPO" => "HP",
            symbol => symbol,
        },
    }
}

// What HAProxy makes of it.

/// A format, its line, and what the line says.
#[derive(Debug, Default)]
struct Rendered {
    format: String,
    line: Vec<u8>,
    fields: Fields,
    /// Where the values of fields are.
    values: Vec<Range<usize>>,
}

fn change(mut flags: Flags, changes: Changes) -> Flags {
    let [quote, hex, escape, json] = changes;
    flags.quote = quote.unwrap_or(flags.quote);
    flags.hex = hex.unwrap_or(flags.hex);
    flags.escape = escape.unwrap_or(flags.escape);
    flags.json = json.unwrap_or(flags.json);
    flags
}

fn written(changes: Changes) -> String {
    let words: Vec<String> = changes
        .iter()
        .zip(["Q", "X", "E", "json"])
        .filter_map(|(change, name)| {
            change.map(|on| format!("{}{name}", if on { '+' } else { '-' }))
        })
        .collect();
    match words.is_empty() {
        true => String::new(),
        false => format!("{{{}}}", words.join(",")),
    }
}

fn render(case: &Case) -> Rendered {
    let mut out = Rendered::default();
    let mut defaults = case.encoding;
    let encoded = case.encoding.encodes();
    if encoded {
        let mut words = vec![if defaults.json { "+json" } else { "+cbor" }];
        words.extend(defaults.binary.then_some("+bin"));
        words.extend(defaults.quote.then_some("+Q"));
        out.format = format!("%{{{}}}o", words.join(","));
    }
    let mut line = Line {
        flags: defaults,
        bytes: Vec::new(),
        in_text: false,
    };
    if encoded {
        line.structure(b"{", 0xbf);
    }
    let mut last_is_space = true;
    let mut first = true;
    let mut http = false;
    for (at, piece) in case.pieces.iter().enumerate() {
        match piece {
            Piece::Defaults(changes) => {
                out.format += &format!("%{}o", written(*changes));
                defaults = change(defaults, *changes);
            }
            Piece::Blank => {
                out.format.push(' ');
                if !encoded && !last_is_space {
                    line.bytes.push(b' ');
                    last_is_space = true;
                }
            }
            Piece::Literal(text) => {
                out.format += &text.replace('%', "%%");
                if !encoded {
                    line.bytes.extend_from_slice(text.as_bytes());
                    last_is_space = false;
                }
            }
            Piece::Field(item) => {
                let name = item.named.then(|| format!("n{at}"));
                out.format.push('%');
                if let Some(name) = &name {
                    let cast = item.cast.map_or("", |cast| match cast {
                        Cast::Str => ":str",
                        Cast::Int => ":sint",
                        Cast::Bool => ":bool",
                    });
                    out.format += &format!("({name}{cast})");
                }
                out.format += &written(item.flags);
                match item.source {
                    Source::Alias(symbol) => out.format += symbol,
                    Source::Sample(expression) => out.format += &format!("[{expression}]"),
                }
                if let Source::Alias(symbol) = item.source {
                    http |= alias::find(symbol).is_some_and(|alias| alias.http);
                }
                if encoded {
                    let Some(name) = &name else { continue };
                    line.flags = case.encoding;
                    if !first {
                        line.separator();
                    }
                    line.key(name);
                    first = false;
                }
                line.flags = change(defaults, item.flags);
                let cast = item.cast.filter(|_| item.named);
                let value = item.value_of(line.flags);
                let start = line.bytes.len();
                line.value(&value, cast, case, item.source);
                let end = line.bytes.len();
                if start == end {
                    line.nothing();
                }
                let is_query = matches!(item.value, Raw::Request("HQ")) && case.old;
                if line.bytes.len() > start || is_query {
                    last_is_space = false;
                }
                out.values.push(start..line.bytes.len());
                expect(&mut out.fields, item, name, case, line.flags);
            }
        }
    }
    if encoded {
        line.flags = case.encoding;
        line.structure(b"}", 0xff);
    }
    out.line = line.bytes;
    out.fields
        .insert("kind".into(), if http { "http" } else { "tcp" }.into());
    settle_date(&mut out.fields, case);
    out
}

impl Item {
    /// The value without what would be lost under these flags, as said above.
    fn value_of(&self, flags: Flags) -> Raw {
        let closed = flags.quote || flags.encodes();
        match (&self.value, self.source) {
            (Raw::Text(text), Source::Alias("CC" | "CS" | "ID")) if !closed => {
                Raw::Text(text.iter().filter(|&&byte| byte > b' ').copied().collect())
            }
            (Raw::Text(text), Source::Sample("path" | "url" | "query")) => {
                Raw::Text(text.iter().filter(|&&byte| byte > b' ').copied().collect())
            }
            (Raw::Text(text), _) if !closed => Raw::Text(text.trim_ascii().to_vec()),
            // HAProxy ends the line there.
            (Raw::Address(None), Source::Alias(_)) if flags.hex => Raw::Missing,
            (value, _) => value.clone(),
        }
    }
}

/// The line as far as it is written.
struct Line {
    flags: Flags,
    bytes: Vec<u8>,
    in_text: bool,
}

fn is_url_escaped(byte: u8) -> bool {
    !(32..127).contains(&byte) || matches!(byte, b'"' | b'#')
}

fn is_header_escaped(byte: u8) -> bool {
    is_url_escaped(byte) || matches!(byte, b'{' | b'|' | b'}')
}

impl Line {
    fn cbor(&mut self, bytes: &[u8]) {
        match self.flags.binary {
            true => self.bytes.extend_from_slice(bytes),
            false => {
                for byte in bytes {
                    self.bytes
                        .extend_from_slice(format!("{byte:02X}").as_bytes());
                }
            }
        }
    }

    fn head(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        let bytes = argument.to_be_bytes();
        match argument {
            0..=23 => self.cbor(&[major | bytes[7]]),
            24..=0xff => self.cbor(&[major | 24, bytes[7]]),
            0x100..=0xffff => self.cbor(&[&[major | 25][..], &bytes[6..]].concat()),
            0x1_0000..=0xffff_ffff => self.cbor(&[&[major | 26][..], &bytes[4..]].concat()),
            _ => self.cbor(&[&[major | 27][..], &bytes].concat()),
        }
    }

    fn structure(&mut self, json: &[u8], cbor: u8) {
        if self.flags.json {
            self.bytes.extend_from_slice(json);
        } else if self.flags.cbor {
            self.cbor(&[cbor]);
        }
    }

    fn separator(&mut self) {
        if self.flags.json {
            self.bytes.extend_from_slice(b", ");
        }
    }

    fn key(&mut self, name: &str) {
        match self.flags.json {
            true => self
                .bytes
                .extend_from_slice(format!("\"{name}\": ").as_bytes()),
            false => {
                self.head(3, name.len() as u64);
                self.cbor(name.as_bytes());
            }
        }
    }

    fn nothing(&mut self) {
        self.structure(b"null", 0xf6);
    }

    /// Bytes as they are, but for backslashes where they escape.
    fn escaped(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let special = match (self.flags.json, self.flags.escape) {
                (true, _) => matches!(byte, b'"' | b'\\'),
                (_, true) => matches!(byte, b'"' | b'\\' | b']'),
                _ => false,
            };
            self.bytes.extend(special.then_some(b'\\'));
            self.bytes.push(byte);
        }
    }

    /// One character of a text that HAProxy writes itself.
    fn char(&mut self, char: u8) {
        match self.flags.cbor && self.in_text {
            true => {
                self.head(3, 1);
                self.cbor(&[char]);
            }
            false => self.bytes.push(char),
        }
    }

    fn text_start(&mut self) {
        self.in_text = true;
        if self.flags.cbor {
            self.cbor(&[0x7f]);
        } else if self.flags.quote || self.flags.json {
            self.bytes.push(b'"');
        }
    }

    fn text_end(&mut self) {
        self.in_text = false;
        if self.flags.cbor {
            self.cbor(&[0xff]);
        } else if self.flags.quote || self.flags.json {
            self.bytes.push(b'"');
        }
    }

    /// With `#XX` for some bytes.
    fn hashed(&mut self, bytes: &[u8], major: u8, is_escaped: fn(u8) -> bool) {
        let mut pieces: Vec<Vec<u8>> = vec![Vec::new()];
        for &byte in bytes {
            match is_escaped(byte) {
                true => pieces.extend([format!("#{byte:02X}").into_bytes(), Vec::new()]),
                false => pieces.last_mut().unwrap().push(byte),
            }
        }
        for piece in pieces {
            if !self.flags.cbor {
                self.escaped(&piece);
            } else if !piece.is_empty() {
                self.head(major, piece.len() as u64);
                self.cbor(&piece);
            }
        }
    }

    /// What can be missing, in quotes if there should be some.
    fn text(&mut self, text: &[u8]) {
        let flags = self.flags;
        if flags.cbor {
            if !text.is_empty() {
                self.head(3, text.len() as u64);
                self.cbor(text);
            }
            return;
        }
        let quoted = flags.quote || flags.json;
        match (quoted, text) {
            (false, []) => self.bytes.push(b'-'),
            (false, text) => self.escaped(text),
            (true, text) => {
                self.bytes.push(b'"');
                self.escaped(text);
                self.bytes.push(b'"');
            }
        }
    }

    /// What is never missing and has no quotes but an encoding's.
    fn raw(&mut self, text: &[u8]) {
        let quote = std::mem::take(&mut self.flags.quote);
        self.text(text);
        self.flags.quote = quote;
    }

    fn int(&mut self, value: i64, cast: Option<Cast>) {
        let flags = self.flags;
        match cast {
            Some(Cast::Bool) if flags.encodes() => match value != 0 {
                true => self.structure(b"true", 0xf5),
                false => self.structure(b"false", 0xf4),
            },
            Some(Cast::Str) if flags.json => self.text(value.to_string().as_bytes()),
            _ if flags.cbor && value < 0 => self.head(1, (-1 - value) as u64),
            _ if flags.cbor => self.head(0, value as u64),
            _ => self.bytes.extend_from_slice(value.to_string().as_bytes()),
        }
    }

    fn value(&mut self, value: &Raw, cast: Option<Cast>, case: &Case, source: Source) {
        let flags = self.flags;
        match (value, source) {
            (&Raw::Int(value, _), Source::Sample(_)) => {
                match flags.encodes() && cast != Some(Cast::Str) {
                    true => self.int(value, cast),
                    false => self.text(value.to_string().as_bytes()),
                }
            }
            (&Raw::Bool(value), _) => match (flags.encodes(), cast) {
                (true, None | Some(Cast::Bool)) => self.int(value.into(), Some(Cast::Bool)),
                (true, Some(Cast::Int)) => self.int(value.into(), cast),
                _ => self.text(if value { b"1" } else { b"0" }),
            },
            (&Raw::Int(value, plus), _) => {
                if plus && !flags.encodes() {
                    self.bytes.push(b'+');
                }
                self.int(value, cast);
            }
            (&Raw::HexInt(value, width), _) if flags.hex => {
                self.raw(format!("{value:0width$X}").as_bytes());
            }
            (&Raw::HexInt(value, _), Source::Alias("ms")) if !flags.encodes() => {
                self.bytes
                    .extend_from_slice(format!("{value:03}").as_bytes());
            }
            (&Raw::HexInt(value, _), _) => self.int(value, cast),
            (Raw::Address(Some(ip)), Source::Alias(_)) if flags.hex => {
                let octets = match ip {
                    IpAddr::V4(ip) => ip.octets().to_vec(),
                    IpAddr::V6(ip) => ip.octets().to_vec(),
                };
                let digits: String = octets.iter().map(|byte| format!("{byte:02X}")).collect();
                self.raw(digits.as_bytes());
            }
            (Raw::Address(Some(ip)), _) => self.text(ip.to_string().as_bytes()),
            (Raw::Address(None), _) => self.text(b"unix"),
            (Raw::Text(text), _) => self.text(text),
            (Raw::Missing, _) => self.text(b""),
            (&Raw::Date(millis, offset), _) => self.raw(date(millis, offset).as_bytes()),
            (Raw::State(state), _) => self.raw(state.as_bytes()),
            (Raw::Transport(name, tls), _) => {
                self.text_start();
                match flags.cbor {
                    true => {
                        self.head(3, name.len() as u64);
                        self.cbor(name.as_bytes());
                    }
                    false => self.escaped(name.as_bytes()),
                }
                if *tls {
                    self.char(b'~');
                }
                self.text_end();
            }
            (Raw::Request(symbol), _) => {
                self.text_start();
                // The whole request is a text, its parts are chunks of bytes.
                let major = if *symbol == "r" { 3 } else { 2 };
                self.hashed(
                    &part(case.request.as_deref(), symbol),
                    major,
                    is_url_escaped,
                );
                self.text_end();
            }
            (&Raw::Captures { request, list }, _) => {
                let values = match request {
                    true => &case.request_headers,
                    false => &case.response_headers,
                };
                let Some(values) = values else { return };
                match list {
                    true => self.list(values),
                    false => {
                        self.text_start();
                        self.char(b'{');
                        for (at, value) in values.iter().enumerate() {
                            if at > 0 {
                                self.char(b'|');
                            }
                            self.hashed(value.as_deref().unwrap_or_default(), 3, is_header_escaped);
                        }
                        self.char(b'}');
                        self.text_end();
                    }
                }
            }
        }
    }

    fn list(&mut self, values: &[Option<Vec<u8>>]) {
        self.structure(b"[", 0x9f);
        for (at, value) in values.iter().enumerate() {
            match self.flags {
                _ if at == 0 => {}
                Flags { cbor: true, .. } => {}
                Flags { json: true, .. } => self.bytes.extend_from_slice(b", "),
                _ => self.bytes.push(b' '),
            }
            self.text_start();
            match value {
                Some(value) => self.hashed(value, 3, is_header_escaped),
                None if !self.flags.quote => self.char(b'-'),
                None => {}
            }
            self.text_end();
        }
        self.structure(b"]", 0xff);
    }
}

fn date(millis: i64, offset: bool) -> String {
    let time = jiff::Timestamp::from_millisecond(millis)
        .unwrap()
        .to_zoned(TimeZone::UTC);
    let form = if offset {
        "%d/%b/%Y:%H:%M:%S +0000"
    } else {
        "%d/%b/%Y:%H:%M:%S.%3f"
    };
    let form = form.replace(".%3f", &format!(".{:03}", millis % 1000));
    time.strftime(&form).to_string()
}

/// What HAProxy has for that alias of the request that it keeps.
fn part(request: Option<&[u8]>, symbol: &str) -> Vec<u8> {
    let bad = b"<BADREQ>".to_vec();
    let Some(request) = request else { return bad };
    let mut words = request.splitn(3, |&byte| byte == b' ');
    let (method, target, version) = (words.next().unwrap(), words.next(), words.next());
    let path = |target: &[u8]| target.split(|&byte| byte == b'?').next().unwrap().to_vec();
    match (symbol, target) {
        ("r", _) => request.to_vec(),
        ("HQ", target) => {
            let target = target.unwrap_or(method);
            let mark = target.iter().position(|&byte| byte == b'?');
            mark.map_or(Vec::new(), |mark| target[mark..].to_vec())
        }
        (_, None) => bad,
        ("HM", _) => method.to_vec(),
        ("HU", Some(target)) => target.to_vec(),
        ("HP", Some(target)) => path(target),
        ("HPO", Some(target)) => {
            let target = target
                .strip_prefix(b"https://example.net")
                .unwrap_or(target);
            match target.first() {
                Some(b'/') => path(target),
                _ => Vec::new(),
            }
        }
        ("HV", Some(_)) => version.unwrap_or(b"HTTP/0.9").to_vec(),
        (symbol, _) => panic!("no part of a request: {symbol}"),
    }
}

// What is to be read.

fn shown(text: &[u8]) -> Option<String> {
    (!matches!(text, b"" | b"-")).then(|| text.escape_ascii().to_string())
}

fn set(fields: &mut Fields, name: &str, value: Option<String>) {
    match value {
        Some(value) => fields.insert(name.into(), value),
        None => fields.remove(name),
    };
}

/// Adds what the item says.
fn expect(fields: &mut Fields, item: &Item, name: Option<String>, case: &Case, flags: Flags) {
    let value = item.value_of(flags);
    let cast = item.cast.filter(|_| item.named);
    let symbol = match item.source {
        Source::Alias(symbol) => symbol,
        Source::Sample(expression) => {
            let name = name.unwrap_or_else(|| expression.to_owned());
            return set(fields, &format!("<{name}>"), extra(&value, cast));
        }
    };
    let own = match symbol {
        "H" => Some("hostname"),
        "ID" => Some("unique_id"),
        "OG" => Some("log_origin"),
        "sslc" => Some("ssl_ciphers"),
        "sslv" => Some("ssl_version"),
        "bi" => Some("backend_source_ip"),
        "bp" => Some("backend_source_port"),
        "fi" => Some("frontend_ip"),
        "fp" => Some("frontend_port"),
        "si" => Some("server_ip"),
        "sp" => Some("server_port"),
        "lc" => Some("frontend_log_counter"),
        "rt" => Some("request_counter"),
        _ => None,
    };
    if let Some(own) = own {
        let name = name.unwrap_or_else(|| own.to_owned());
        return set(fields, &format!("<{name}>"), extra(&value, cast));
    }
    let field = match symbol {
        "ci" => "client_ip",
        "cp" => "client_port",
        "f" | "ft" => "frontend",
        "b" => "backend",
        "s" => "server",
        "pid" => "pid",
        "ST" => "status",
        "B" => "bytes_read",
        "U" => "bytes_uploaded",
        "CC" => "request_cookie",
        "CS" => "response_cookie",
        "ts" | "tsc" => "termination_state",
        "ac" => "actconn",
        "fc" => "feconn",
        "bc" => "beconn",
        "sc" => "srv_conn",
        "rc" => "retries",
        "sq" => "srv_queue",
        "bq" => "backend_queue",
        "hr" | "hrl" => "request_headers",
        "hs" | "hsl" => "response_headers",
        "t" | "T" | "Tl" | "Ts" => "accept_date",
        "tr" | "trg" | "trl" => "request_date",
        // The timers have the aliases' names.
        symbol => symbol,
    };
    let time = |millis: i64| Some(crate::time::Timestamp::from_millis(millis).to_string());
    match value {
        Raw::Request(symbol) => expect_request(fields, case, symbol, flags),
        Raw::Captures { request, list } => {
            let values = match request {
                true => &case.request_headers,
                false => &case.response_headers,
            };
            let missing: &[u8] = if list && !flags.quote { b"-" } else { b"" };
            let values = values.as_ref().map(|values| {
                let values = values
                    .iter()
                    .map(|value| value.as_deref().unwrap_or(missing));
                values
                    .map(|value| value.escape_ascii().to_string())
                    .collect::<Vec<_>>()
                    .join(";")
            });
            set(fields, field, values);
        }
        Raw::Date(millis, offset) => {
            set(
                fields,
                field,
                time(if offset {
                    millis - millis % 1000
                } else {
                    millis
                }),
            );
        }
        Raw::HexInt(seconds, _) if symbol == "Ts" => set(fields, field, time(seconds * 1000)),
        Raw::Transport(name, tls) => {
            set(fields, field, Some(name));
            set(fields, "tls", tls.then(|| "true".into()));
        }
        Raw::State(state) => set(fields, field, Some(state)),
        Raw::Int(number, plus) => {
            let flag = if symbol == "rc" {
                "redispatched"
            } else {
                "partial"
            };
            if plus && !flags.encodes() {
                set(fields, flag, Some("true".into()));
            }
            set(fields, field, (number >= 0).then(|| number.to_string()));
        }
        Raw::HexInt(number, _) => set(fields, field, Some(number.to_string())),
        Raw::Address(Some(ip)) => set(fields, field, Some(ip.to_string())),
        Raw::Address(None) => set(fields, field, Some("unix".into())),
        Raw::Text(text) => set(fields, field, shown(&text)),
        Raw::Missing => set(fields, field, None),
        Raw::Bool(_) => panic!("no alias is a bool"),
    }
}

fn extra(value: &Raw, cast: Option<Cast>) -> Option<String> {
    let number = |value: i64| match cast {
        Some(Cast::Bool) => (value != 0).to_string(),
        Some(Cast::Str) => value.to_string(),
        Some(Cast::Int) | None => format!("{value}i"),
    };
    match value {
        Raw::Int(value, _) | Raw::HexInt(value, _) => Some(number(*value)),
        Raw::Bool(value) => Some(number((*value).into())),
        Raw::Address(Some(ip)) => Some(ip.to_string()),
        Raw::Address(None) => Some("unix".into()),
        Raw::Text(text) => shown(text),
        Raw::Missing => None,
        other => panic!("no value of a field beside the event's own: {other:?}"),
    }
}

fn expect_request(fields: &mut Fields, case: &Case, symbol: &str, flags: Flags) {
    let value = part(case.request.as_deref(), symbol);
    let known = (value != b"<BADREQ>").then_some(value);
    let shown = |text: &[u8]| text.escape_ascii().to_string();
    let mut target = |target: Option<&[u8]>| {
        let mut halves = target.unwrap_or_default().splitn(2, |&byte| byte == b'?');
        let path = target.and(halves.next());
        set(fields, "path", path.map(shown));
        set(fields, "query", halves.next().map(shown));
    };
    match symbol {
        "HU" => target(known.as_deref()),
        "HP" | "HPO" => set(
            fields,
            "path",
            known
                .filter(|path| !path.is_empty())
                .map(|path| shown(&path)),
        ),
        "HQ" => set(
            fields,
            "query",
            known
                .filter(|query| !query.is_empty())
                .map(|query| shown(&query[1..])),
        ),
        "HM" => set(fields, "method", known.map(|method| shown(&method))),
        "HV" => set(fields, "http_version", known.map(|version| shown(&version))),
        _ => {
            let whole = part(case.request.as_deref(), "r");
            let known = known.filter(|request| request.contains(&b' '));
            let mut words = known
                .as_deref()
                .unwrap_or_default()
                .splitn(3, |&byte| byte == b' ');
            let (method, uri, version) = (words.next(), words.next(), words.next());
            target(uri);
            set(
                fields,
                "method",
                method.filter(|method| !method.is_empty()).map(shown),
            );
            set(fields, "http_version", version.map(shown));
            // As it is logged.
            let mut line = Line {
                flags: Flags {
                    quote: false,
                    cbor: false,
                    ..flags
                },
                bytes: Vec::new(),
                in_text: false,
            };
            if case.encoding.encodes() {
                line.flags = Flags::default();
            }
            line.hashed(&whole, 3, is_url_escaped);
            set(fields, "request", Some(shown(&line.bytes)));
        }
    }
}

/// A date without milliseconds has those of `%ms`.
fn settle_date(fields: &mut Fields, case: &Case) {
    let item = |symbols: &[&str]| {
        case.pieces.iter().find_map(|piece| match piece {
            Piece::Field(item) if !case.encoding.encodes() || item.named => match item.source {
                Source::Alias(symbol) if symbols.contains(&symbol) => Some(&item.value),
                _ => None,
            },
            _ => None,
        })
    };
    fields.remove("ms");
    let seconds = match item(&["T", "Tl", "Ts"]) {
        Some(&Raw::Date(millis, _)) => millis / 1000,
        Some(&Raw::HexInt(seconds, _)) => seconds,
        _ => return,
    };
    if let Some(&Raw::HexInt(millis, _)) = item(&["ms"]) {
        let time = crate::time::Timestamp::from_millis(seconds * 1000 + millis);
        fields.insert("accept_date".into(), time.to_string());
    }
}

// What is read.

fn fields_of(event: &Event<'_>) -> Fields {
    let mut fields = Fields::new();
    for &field in Field::ALL {
        let value = match field.of(event) {
            Value::Missing | Value::Bool(false) => continue,
            Value::String(text) => text.escape_ascii().to_string(),
            Value::Int(value) => value.to_string(),
            Value::Bool(true) => "true".into(),
            Value::Timestamp(time) => time.to_string(),
            Value::Strings(values) => {
                let values = values.iter().map(|value| value.escape_ascii().to_string());
                values.collect::<Vec<_>>().join(";")
            }
            Value::Extra(extra) => {
                fields.extend(extra.iter().map(|(name, value)| {
                    let value = match value {
                        ExtraValue::String(text) => text.escape_ascii().to_string(),
                        ExtraValue::Int(value) => format!("{value}i"),
                        ExtraValue::Bool(value) => value.to_string(),
                    };
                    (format!("<{name}>"), value)
                }));
                continue;
            }
        };
        fields.insert(field.name().into(), value);
    }
    fields
}

#[derive(Debug, PartialEq)]
enum Outcome {
    /// When the format was loaded.
    Refused(String),
    Read(Fields),
    Ambiguous,
    Stuck(String),
}

fn read(format: &str, captured: Captured, line: &[u8]) -> Outcome {
    let plan = match log_format::parse(format).and_then(|format| compile(&format, None, captured)) {
        Ok(plan) => plan,
        Err(fault) => return Outcome::Refused(fault.message),
    };
    let mut dates = Dates::new(TimeZone::UTC);
    let mut scratch = Scratch::default();
    let mut encoded = Encoded::default();
    let text = match plan.encoding {
        Some(_) if !encoded.read(&plan, line) => return Outcome::Stuck("encoding".into()),
        Some(_) => encoded.values(),
        None => line,
    };
    let mut event = Event::of_kind(plan.kind);
    let mut store = Store::new(&plan, text, &mut event, &mut dates, &mut scratch);
    let outcome = match plan.encoding {
        Some(_) => encoded
            .store(&plan, &mut store)
            .map_err(|field| Outcome::Stuck(field.name().into())),
        None => plan
            .read(text, &mut store, false)
            .map_err(|misfit| match misfit {
                Misfit::Ambiguous => Outcome::Ambiguous,
                Misfit::Stuck(stuck) => Outcome::Stuck(format!("{stuck:?}")),
            }),
    };
    if let Err(outcome) = outcome {
        return outcome;
    }
    let escapes = store.finish();
    let mut undone = Vec::new();
    complete(
        &mut event,
        &plan,
        text,
        escapes,
        &mut scratch.spans,
        &mut undone,
    );
    Outcome::Read(fields_of(&event))
}

/// Whether a value holds what stands behind some value.
fn is_contested(rendered: &Rendered) -> bool {
    let line = &rendered.line;
    let ends = rendered.values.iter().map(|value| value.end);
    let mut stops = ends
        .flat_map(|end| [line.get(end), end.checked_sub(1).map(|last| &line[last])])
        .flatten();
    stops.any(|stop| {
        let mut values = rendered.values.iter().map(|value| &line[value.clone()]);
        let holds = |value: &[u8]| value.iter().filter(|byte| *byte == stop).count() > 0;
        values.any(holds)
    })
}

fn check(case: &Case) -> Result<(Rendered, Outcome), TestCaseError> {
    let rendered = render(case);
    let line = rendered.line.trim_ascii();
    let outcome = read(&rendered.format, case.captured(), line);
    let context = || format!("{}\n{}\n", rendered.format, line.escape_ascii());
    match &outcome {
        _ if line.is_empty() => {}
        Outcome::Refused(_) => {}
        Outcome::Read(fields) => prop_assert_eq!(fields, &rendered.fields, "{}", context()),
        Outcome::Ambiguous => prop_assert!(is_contested(&rendered), "{}", context()),
        // Where one value ends is not thought over once the next one cannot be read.
        Outcome::Stuck(place) => prop_assert!(is_contested(&rendered), "{}: {}", place, context()),
    }
    Ok((rendered, outcome))
}

proptest! {
    #[test]
    fn no_line_of_any_format_is_misread(case in any_case()) {
        check(&case)?;
    }

    #[test]
    fn what_is_separated_is_read(case in blank_separated()) {
        let (rendered, outcome) = check(&case)?;
        if !rendered.line.trim_ascii().is_empty() {
            prop_assert!(matches!(outcome, Outcome::Read(_)), "{:?}: {}", outcome, rendered.format);
        }
    }

    #[test]
    fn what_is_encoded_is_read(case in encoded_case()) {
        let (rendered, outcome) = check(&case)?;
        let named = case.pieces.iter().any(|piece| matches!(piece, Piece::Field(item) if item.named));
        prop_assert!(!named || matches!(outcome, Outcome::Read(_)), "{:?}: {}", outcome, rendered.format);
    }
}
