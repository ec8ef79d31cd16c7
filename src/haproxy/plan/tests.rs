//! Formats and lines of them, made as HAProxy prints them.

use crate::haproxy::event::{Event, ExtraValue};
use crate::haproxy::{Field, Formats, Parser, Value};
use crate::source::{Placed, Source, Written};
use crate::syslog::Message;
use jiff::tz::TimeZone;
use std::sync::Arc;

fn formats(format: &str) -> Result<Formats, String> {
    let placed = Placed {
        source: Source::new("format", format),
        text: Written {
            value: format.into(),
            span: 0..format.len(),
        },
    };
    Formats::one(&placed, &|_| None).map_err(|problem| problem.render())
}

fn show(event: &Event<'_>) -> String {
    let mut shown = Vec::new();
    for &field in Field::ALL {
        let name = field.name();
        match field.of(event) {
            Value::Missing | Value::Bool(false) => {}
            Value::String(text) => shown.push(format!("{name}={}", text.escape_ascii())),
            Value::Int(value) => shown.push(format!("{name}={value}")),
            Value::Bool(true) => shown.push(name.to_owned()),
            Value::Timestamp(time) => shown.push(format!("{name}={time}")),
            Value::Strings(values) => {
                let values = values.iter().map(|value| value.escape_ascii().to_string());
                shown.push(format!("{name}=[{}]", values.collect::<Vec<_>>().join(";")));
            }
            Value::Extra(extra) => shown.extend(extra.iter().map(|(name, value)| match value {
                ExtraValue::String(text) => format!("<{name}>={}", text.escape_ascii()),
                ExtraValue::Int(value) => format!("<{name}>={value}i"),
                ExtraValue::Bool(value) => format!("<{name}>={value}"),
            })),
        }
    }
    shown.join(" ")
}

fn read(format: &str, line: &[u8]) -> String {
    let formats = match formats(format) {
        Ok(formats) => formats,
        Err(problem) => return problem,
    };
    let mut parser = Parser::new(Arc::new(formats), TimeZone::UTC);
    let message = Message {
        text: line,
        ..Message::default()
    };
    match parser.parse(&message) {
        Ok(event) => show(&event),
        Err(reject) => format!("{}: {reject}", reject.as_str()),
    }
}

#[test]
fn lines_are_read_by_their_format() {
    for (format, line, expected) in [
        (
            "%ci:%cp %ST",
            "fd00::1:80 200",
            "kind=http client_ip=fd00::1 client_port=80 status=200",
        ),
        ("%ci %ST", "192.0.2.7 -1", "kind=http client_ip=192.0.2.7"),
        (
            "%{+X}o %ci:%cp %Ts",
            "C0000207:01BB 69200000",
            "kind=tcp client_ip=192.0.2.7 client_port=443 accept_date=2025-11-21T06:00:32.000Z",
        ),
        (
            "%{+X}si:%{+X}sp",
            "FD000000000000000000000000000001:01BB",
            "kind=tcp <server_ip>=fd00::1 <server_port>=443i",
        ),
        (
            "%{+Q,+E}HP %{+E}CC",
            "\"/a\\]#22\" a\\]",
            "kind=http request_cookie=a] path=/a]\\\"",
        ),
        (
            "[%T] %ms",
            "[21/Nov/2026:04:55:14 +0000] 120",
            "kind=tcp accept_date=2026-11-21T04:55:14.120Z",
        ),
        (
            "%trl|%Ta",
            "21/Nov/2026:04:55:14 +0130|7",
            "kind=http request_date=2026-11-21T03:25:14.000Z Ta=7",
        ),
        (
            "%ft %ts--",
            "web~ CD--",
            "kind=tcp frontend=web tls termination_state=CD",
        ),
        (
            "%HM %HP%HQ %HV",
            "GET /a?b=1 HTTP/1.1",
            "kind=http method=GET path=/a query=b=1 http_version=HTTP/1.1",
        ),
        (
            "%HM %HP%HQ %HV",
            "GET /a HTTP/1.1",
            "kind=http method=GET path=/a http_version=HTTP/1.1",
        ),
        (
            "%HM %HP %HQ %HV",
            "GET /a HTTP/1.1",
            "kind=http method=GET path=/a http_version=HTTP/1.1",
        ),
        ("%HM %HU", "<BADREQ> <BADREQ>", "kind=http"),
        (
            "%{+Q}HU %{+Q}r",
            "\"/a#22b\" \"GET /a#22b HTTP/1.1\"",
            "kind=http method=GET path=/a\\\"b http_version=HTTP/1.1 request=GET /a#22b HTTP/1.1",
        ),
        (
            "%r",
            "GET / HTTP/1.1",
            "kind=http method=GET path=/ http_version=HTTP/1.1 request=GET / HTTP/1.1",
        ),
        (
            "\"%r\" %ST",
            "\"GET / HT",
            "kind=http method=GET path=/ request=GET / HT",
        ),
        (
            "%b/%s %Tt",
            "api/<NOSRV> +9",
            "kind=tcp backend=api server=<NOSRV> Tt=9 partial",
        ),
        ("%b/%s %Tt", "api/ 9", "kind=tcp backend=api server= Tt=9"),
        (
            "%rc/%sq",
            "+2/0",
            "kind=tcp retries=2 redispatched srv_queue=0",
        ),
        (
            "%hr %hs x",
            "{a#7Cb|c} {} x",
            "kind=tcp request_headers=[a|b;c] response_headers=[]",
        ),
        ("%hr %hs x", "x", "kind=tcp"),
        ("%{+Q}hr x", "\"{a|b}\" x", "kind=tcp request_headers=[a;b]"),
        (
            "%{+Q}hrl x",
            "\"a b\" \"#22\" x",
            "kind=tcp request_headers=[a b;\\\"]",
        ),
        (
            "%[src]-%(n)[var(txn.a)]",
            "10.0.0.1-x y",
            "kind=tcp <src>=10.0.0.1 <n>=x y",
        ),
        (
            "%(n:int)[var(txn.a)] %(b:bool)[ssl_fc]",
            "12 1",
            "kind=tcp <n>=12i <b>=true",
        ),
        (
            "%[ssl_fc_sni]/%sslv/%sslc",
            "a/b/TLSv1.3/TLS_AES",
            "kind=tcp <ssl_fc_sni>=a/b <ssl_version>=TLSv1.3 <ssl_ciphers>=TLS_AES",
        ),
        (
            "%[hdr(a)] %[hdr(b)]",
            "x y",
            "kind=tcp <hdr(a)>=x <hdr(b)>=y",
        ),
        (
            "%[hdr(a)] %[hdr(b)]",
            "x y z",
            "ambiguous: can be read in more than one way: a free text holds the separator behind it",
        ),
        (
            "%ST %[hdr(a)] %ci",
            "200 x y z 10.0.0.1",
            "kind=http client_ip=10.0.0.1 status=200 <hdr(a)>=x y z",
        ),
        (
            "%{+Q}[hdr(a)] %{+Q}[hdr(b)] %ST",
            "\"x \"y\" z\" \"\" 200",
            "kind=http status=200 <hdr(a)>=x \\\"y\\\" z",
        ),
        (
            "%{+Q,+E}[hdr(a)] %ST",
            "\"x\\\"y\\]\" 200",
            "kind=http status=200 <hdr(a)>=x\\\"y]",
        ),
        (
            "%HP%HQ %{+Q,+E}[hdr(a)] %ST",
            "/\\a?b=\\c \"x\\\"y\" 200",
            "kind=http status=200 path=/\\\\a query=b=\\\\c <hdr(a)>=x\\\"y",
        ),
        (
            "%{+json}[hdr(a)] %{+json}[hdr(b)]",
            "\"x\\\"y\" null",
            "kind=tcp <hdr(a)>=x\\\"y",
        ),
        ("100%% %ST%%", "100% 200%", "kind=http status=200"),
        ("%CC %CS", "sid=a1 -", "kind=http request_cookie=sid=a1"),
        (
            "%pid %ID %H",
            "77 ab-1 lb1",
            "kind=tcp pid=77 <unique_id>=ab-1 <hostname>=lb1",
        ),
        (
            "%ci %ST",
            "10.0.0.1 20x",
            "malformed: cannot read `kind` at byte 11 of the message",
        ),
        // HAProxy's own lines come whatever the format.
        (
            "%ST x",
            "Connect from 10.0.0.1:1 to 10.0.0.2:80 (web/TCP)",
            "kind=connect client_ip=10.0.0.1 client_port=1 frontend=web <frontend_ip>=10.0.0.2 <frontend_port>=80i <mode>=TCP",
        ),
        (
            "%ST x",
            "10.0.0.1:1 [21/Nov/2026:04:55:14.120] web/tls: SSL handshake failure: a: b",
            "kind=error client_ip=10.0.0.1 client_port=1 accept_date=2026-11-21T04:55:14.120Z frontend=web bind_name=tls message=SSL handshake failure: a: b",
        ),
    ] {
        assert_eq!(read(format, line.as_bytes()), expected, "{format}\n{line}");
    }
}

#[test]
fn encoded_lines_are_read_by_their_names() {
    let json =
        "%{+json}o %(ip)ci %(port)cp %ft %(fe)ft %(st)ST %(path)HP %(h)hrl %(x)[hdr(a)] %(n)[rand]";
    for (line, expected) in [
        (
            r#"{"ip": "10.0.0.1", "port": 80, "fe": "web~", "st": 200, "path": "/a#22", "h": ["a", "b\"c"], "x": "q\"\\", "n": 7}"#,
            r#"kind=http client_ip=10.0.0.1 client_port=80 frontend=web tls status=200 request_headers=[a;b\"c] path=/a\" <x>=q\"\\ <n>=7i"#,
        ),
        (
            r#"{"st": -1, "unknown": [1, "a"], "ip": null}"#,
            "kind=http",
        ),
        (
            r#"{"st": "x"}"#,
            "malformed: cannot read `status` at byte 0 of the message",
        ),
        (
            r#"{"st": 200"#,
            "not_traffic: neither a line of a known format nor a known message of HAProxy",
        ),
    ] {
        assert_eq!(read(json, line.as_bytes()), expected, "{line}");
    }
    // A map of indefinite length: `ip` as a text of one piece, `st` 503, `x` in two pieces.
    let cbor = "%{+cbor}o %(ip)ci %(st)ST %(x)[hdr(a)]";
    let line = "bf6269706831302e302e302e316273741901f761787f61616162ffff";
    assert_eq!(
        read(cbor, line.as_bytes()),
        "kind=http client_ip=10.0.0.1 status=503 <x>=ab"
    );
    let bytes: Vec<u8> = line
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    assert_eq!(
        read("%{+cbor,+bin}o %(ip)ci %(st)ST %(x)[hdr(a)]", &bytes),
        "kind=http client_ip=10.0.0.1 status=503 <x>=ab"
    );
}

#[test]
fn what_cannot_be_told_apart_is_refused() {
    let refused = [
        "%ci%cp",
        "%HU%HM",
        "%[hdr(a)]%[hdr(b)]",
        "%ST%B",
        "%ST0",
        "%{+cbor}ci",
        "%{+json}o %ci",
        "%[hdr(a)]%ST",
    ]
    .map(|format| formats(format).map_or_else(|problem| problem, |_| "accepted".into()));
    insta::assert_snapshot!(refused.join("\n\n"), @r"
    format:1:1: log format: nothing stands between these two, so where the one ends cannot be told
      |
    1 | %ci%cp
      | ^^^^^^

    hint: put something between them that the first cannot hold, such as a blank, or quotes around it: `%{+Q}`

    format:1:1: log format: nothing stands between these two, so where the one ends cannot be told
      |
    1 | %HU%HM
      | ^^^^^^

    hint: put something between them that the first cannot hold, such as a blank, or quotes around it: `%{+Q}`

    format:1:1: log format: nothing stands between these two, so where the one ends cannot be told
      |
    1 | %[hdr(a)]%[hdr(b)]
      | ^^^^^^^^^^^^^^^^^^

    hint: put something between them that the first cannot hold, such as a blank, or quotes around it: `%{+Q}`

    format:1:1: log format: where this number ends cannot be told
      |
    1 | %ST%B
      | ^^^^^

    hint: put something behind it that is no digit, such as a blank or a `/`

    format:1:1: log format: unknown alias `%ST0`
      |
    1 | %ST0
      | ^^^^

    hint: `%ST` is one; what stands behind it must not be a letter or a digit

    format:1:1: log format: a single value in CBOR has no end that shows
      |
    1 | %{+cbor}ci
      | ^^^^^^^^^^

    hint: encode the whole line, `%{+cbor}o`, or this value as `+json`

    format:1:1: log format: no field of this format has a name
      |
    1 | %{+json}o %ci
      | ^

    hint: HAProxy encodes named fields alone: write `%(ip)ci`

    format:1:1: log format: nothing stands between these two, so where the one ends cannot be told
      |
    1 | %[hdr(a)]%ST
      | ^^^^^^^^^^^^

    hint: put something between them that the first cannot hold, such as a blank, or quotes around it: `%{+Q}`
    ");
}
