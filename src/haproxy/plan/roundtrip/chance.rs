//! What chance makes: cases of any format and any event.

use super::{Case, Cast, Changes, Flags, Item, Piece, Raw, Source, Values};
use crate::haproxy::alias;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

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
pub(super) fn any_case() -> BoxedStrategy<Case> {
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
pub(super) fn blank_separated() -> BoxedStrategy<Case> {
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

pub(super) fn encoded_case() -> BoxedStrategy<Case> {
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
