//! What is to be read: the fields of an event that a case says.

use super::haproxy::{logged_request, part};
use super::{Case, Cast, Fields, Flags, Item, Piece, Raw, Source};

/// Adds what the item says.
pub(super) fn expect(
    fields: &mut Fields,
    item: &Item,
    name: Option<String>,
    case: &Case,
    flags: Flags,
) {
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
            let flags = match case.encoding.encodes() {
                true => Flags::default(),
                false => Flags {
                    quote: false,
                    cbor: false,
                    ..flags
                },
            };
            let logged = logged_request(&whole, flags);
            set(fields, "request", Some(shown(&logged)));
        }
    }
}

/// A date without milliseconds has those of `%ms`.
pub(super) fn settle_date(fields: &mut Fields, case: &Case) {
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

fn shown(text: &[u8]) -> Option<String> {
    (!matches!(text, b"" | b"-")).then(|| text.escape_ascii().to_string())
}

fn set(fields: &mut Fields, name: &str, value: Option<String>) {
    match value {
        Some(value) => fields.insert(name.into(), value),
        None => fields.remove(name),
    };
}
