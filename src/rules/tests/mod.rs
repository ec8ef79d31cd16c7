mod diagnostics;
mod evaluation;
mod explanation;
mod expressions;
mod keys;
mod properties;
mod values;

use super::*;
use crate::haproxy::{
    Captures, Event, Extra, ExtraField, ExtraType, Field, Kind, Separator, Timers,
};
use crate::source::Written;

/// What conditions may name where no format is configured.
pub(super) fn schema() -> schema::Schema<'static> {
    static UNKNOWN: FieldNames = FieldNames {
        known: false,
        request_headers: Vec::new(),
        response_headers: Vec::new(),
        extra: Vec::new(),
    };
    schema::Schema::with_service(expr::Text::Field(Field::Frontend), &UNKNOWN)
}

/// One rule file with that text.
fn source(text: &str) -> Source {
    Source::new("rules/a.yaml", text)
}

/// The key as `weir.yaml` would have it.
fn configured_service(expression: &str) -> Placed {
    let before = "haproxy:\n  service: ";
    let span = before.len()..before.len() + expression.len();
    Placed {
        source: Source::new("weir.yaml", &format!("{before}{expression}\n")),
        text: Written {
            value: expression.to_owned(),
            span,
        },
    }
}

fn loaded(text: &str) -> Rules {
    load(&[source(text)], &Options::default()).unwrap_or_else(|problems| {
        let said: Vec<_> = problems.iter().map(Problem::render).collect();
        panic!("{}", said.join("\n\n"))
    })
}

/// An HTTP line with most fields, and without `status`-independent extras: no `Tc`,
/// no cookies, no response headers.
fn event() -> Event<'static> {
    Event {
        host: Some(b"lb1"),
        process: Some(b"haproxy"),
        pid: Some(7),
        client_ip: Some(b"10.0.0.1"),
        client_port: Some(4000),
        frontend: Some(b"www"),
        tls: true,
        backend: Some(b"api"),
        server: Some(b"api1"),
        timers: Timers {
            request: Some(0),
            queue: Some(0),
            connect: None,
            response: Some(150),
            active: Some(151),
            total: Some(200),
            ..Timers::NONE
        },
        status: Some(503),
        bytes_read: Some(512),
        termination_state: Some(b"SH--"),
        actconn: Some(3),
        feconn: Some(2),
        beconn: Some(1),
        srv_conn: Some(1),
        retries: Some(0),
        srv_queue: Some(0),
        backend_queue: Some(0),
        request_headers: Some(Captures {
            values: b"example.org|curl|",
            separator: Separator::Pipe,
            names: &[],
        }),
        request: Some(b"GET /v1/users?id=\xff HTTP/1.1"),
        method: Some(b"GET"),
        path: Some(b"/v1/users"),
        query: Some(b"id=\xff"),
        http_version: Some(b"HTTP/1.1"),
        ..Event::of_kind(Kind::Http)
    }
}

/// What formats with captures and fields of their own have for names.
fn names() -> FieldNames {
    let extra = [
        ("ssl_version", ExtraType::String),
        ("country", ExtraType::String),
        ("src_conn_rate", ExtraType::Int),
        ("cached", ExtraType::Bool),
        ("mixed", ExtraType::Int),
        ("mixed", ExtraType::String),
    ];
    FieldNames {
        known: true,
        request_headers: vec!["Host".into(), "X-Request-Id".into(), "X-Tenant".into()],
        response_headers: vec!["Server".into()],
        extra: extra
            .map(|(name, extra_type)| ExtraField {
                name: name.into(),
                extra_type,
            })
            .into(),
    }
}

#[test]
fn the_bundled_rules_load() {
    let rules = load(&bundled(), &Options::default()).unwrap();
    assert_eq!(rules.names().collect::<Vec<_>>(), ["http", "tcp"]);
    assert_eq!((rules.len(), rules.is_empty()), (2, false));
    // Not as files in the current folder would be named.
    let files: Vec<_> = rules.files().iter().map(|name| &**name).collect();
    assert_eq!(files, ["bundled/http.yaml", "bundled/tcp.yaml"]);
    // They share `by` and `window`, and with them one lookup per line.
    assert_eq!(rules.layout().groupings.len(), 1);
}
