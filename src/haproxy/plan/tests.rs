//! Formats and lines of them, made as HAProxy prints them.

use crate::haproxy::event::{Event, ExtraValue};
use crate::haproxy::{Field, Formats, Parser, Value};
use crate::source::Placed;
use crate::syslog::Message;
use jiff::tz::TimeZone;
use std::sync::Arc;

fn formats(format: &str) -> Result<Formats, String> {
    let placed = Placed::whole("format", format);
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
    match parser.parse(&message, None) {
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
        // Backslashes are undone where they escape and nowhere else, and so are hashes.
        (
            "%{+E}HM %HU %{+E}CC",
            "a /\\]#5c b#5c\\]",
            "kind=http request_cookie=b#5c] method=a path=/\\\\]\\\\",
        ),
        (
            "%{+E}hr x",
            "{a\\]|#7C} x",
            "kind=tcp request_headers=[a];|]",
        ),
        (
            "%ci %hr %hs %{+Q}r",
            "10.0.0.1 \"GET /#22 HTTP/1.1\"",
            "kind=http client_ip=10.0.0.1 method=GET path=/\\\" http_version=HTTP/1.1 request=GET /#22 HTTP/1.1",
        ),
        // What a client sends behind the request says nothing of it.
        (
            "%ci %hr %hs %{+Q}r %{+Q}[hdr(a)]",
            "10.0.0.1 {a} {b} \"GET / HTTP/1.1\" \"x} \"y\"",
            "kind=http client_ip=10.0.0.1 request_headers=[a] response_headers=[b] method=GET path=/ http_version=HTTP/1.1 request=GET / HTTP/1.1 <hdr(a)>=x} \\\"y",
        ),
        // What prints nothing at all.
        (
            "%ci %s %hr",
            "10.0.0.1 app1",
            "kind=tcp client_ip=10.0.0.1 server=app1",
        ),
        ("%HPO %ST", "200", "kind=http status=200"),
        (
            "%HP%HQ %HQ|%ST",
            "<BADREQ><BADREQ> <BADREQ>|400",
            "kind=http status=400",
        ),
        ("%{+Q}cp %{+Q}[rand] x", "\"\" \"\" x", "kind=tcp"),
        ("%{+Q}CC x", "\"a b\" x", "kind=http request_cookie=a b"),
        // An address is known to end where it does only by what it cannot hold.
        (
            "%ci:%cp:%ST",
            "fd00::1:80:200",
            "kind=http client_ip=fd00::1 client_port=80 status=200",
        ),
        (
            "%{+json}ci:%cp",
            "\"10.0.0.1\":80",
            "kind=tcp client_ip=10.0.0.1 client_port=80",
        ),
        (
            "%{+json}t %{+json,+X}cp %{+json}hr x",
            "\"21/Nov/2026:04:55:14.120\" \"01BB\" \"{a|b}\" x",
            "kind=tcp client_port=443 accept_date=2026-11-21T04:55:14.120Z request_headers=[a;b]",
        ),
        (
            "%[ssl_fc_alpn]/%[ssl_bc_alpn] %[ssl_fc_sni] %[hdr(a)]",
            "h2/http/1.1 a b",
            "ambiguous: can be read in more than one way: a free text holds the separator behind it",
        ),
        (
            "%[hdr(a)]-%CC-%[hdr(b)]",
            "p-q-t r-s-u",
            "ambiguous: can be read in more than one way: a free text holds the separator behind it",
        ),
        (
            "%{+json}[src]:%[src_port]",
            "\"192.0.2.7\":80",
            "kind=tcp <src>=192.0.2.7 <src_port>=80i",
        ),
        (
            "%ST %{+json}r",
            "200 \"GET /a",
            "kind=http status=200 method=GET path=/a request=GET /a",
        ),
        (
            "%ST %{+json}HQ",
            "200 \"",
            "malformed: cannot read `query` at byte 4 of the message",
        ),
        // No name holds a blank, so the text before it can.
        (
            "%[hdr(a)] %b/%s %ST",
            "Mozilla/5.0 (X11; Linux) api/api3 200",
            "kind=http backend=api server=api3 status=200 <hdr(a)>=Mozilla/5.0 (X11; Linux)",
        ),
        ("%[rand] %[rand] x", "1 2 x", "kind=tcp <rand>=2i"),
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
            "malformed: the line goes on at byte 11 of the message, where its format ends",
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
        (r#"{"h": [""]}"#, "kind=http request_headers=[]"),
        (
            r#"{"st": "x"}"#,
            "malformed: cannot read `status` at byte 0 of the message",
        ),
        (r#"{"st": null}"#, "kind=http"),
        // Other programs write objects too.
        (
            r#"{"level": "info", "msg": "started"}"#,
            "not_traffic: neither a line of a known format nor a known message of HAProxy",
        ),
        (
            "{}",
            "not_traffic: neither a line of a known format nor a known message of HAProxy",
        ),
        // Captured headers alone are lists.
        (
            r#"{"fe": ["web"]}"#,
            "not_traffic: neither a line of a known format nor a known message of HAProxy",
        ),
        (
            r#"{"st": 200"#,
            "not_traffic: neither a line of a known format nor a known message of HAProxy",
        ),
    ] {
        assert_eq!(read(json, line.as_bytes()), expected, "{line}");
    }
    assert_eq!(
        read(
            "%{+json,+X}o %(ip)ci %(port)cp %(tls)[ssl_fc]",
            br#"{"ip": "C0000207", "port": "0080", "tls": true}"#
        ),
        "kind=tcp client_ip=192.0.2.7 client_port=128 <tls>=1i"
    );
    // A map of indefinite length: `ip` as a text of one piece, `st` 503, `x` in two pieces.
    let cbor = "%{+cbor}o %(ip)ci %(st)ST %(x)[hdr(a)]";
    let line = "bf6269706831302e302e302e316273741901f761787f61616162ffff";
    assert_eq!(
        read(cbor, line.as_bytes()),
        "kind=http client_ip=10.0.0.1 status=503 <x>=ab"
    );
    let other = read(cbor, b"bf617907ff");
    assert!(other.starts_with("not_traffic: "), "{other}");
    let list = read(cbor, b"bf6269708168312e302e302e31ff");
    assert!(list.starts_with("not_traffic: "), "{list}");
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
        "%hrl",
        "%{+json}hrl",
        "%{+Q}hrl %{+Q}[hdr(a)]",
        "%hr %[hdr(a)]",
        "%{+json}ST%B",
        "%{+json}o %(n:bool)ST",
    ]
    .map(|format| formats(format).map_or_else(|problem| problem, |_| "accepted".into()));
    insta::assert_snapshot!(refused.join("\n\n"), @r"
    format:1:1: log format: nothing stands between these two, so where the one ends cannot be told
      |
    1 | %ci%cp
      | ^^^^^^

    hint: put something between them that the first cannot hold, such as a blank, or quotes around it: `%{+Q,+E}`

    format:1:1: log format: nothing stands between these two, so where the one ends cannot be told
      |
    1 | %HU%HM
      | ^^^^^^

    hint: put something between them that the first cannot hold, such as a blank, or quotes around it: `%{+Q,+E}`

    format:1:1: log format: nothing stands between these two, so where the one ends cannot be told
      |
    1 | %[hdr(a)]%[hdr(b)]
      | ^^^^^^^^^^^^^^^^^^

    hint: put something between them that the first cannot hold, such as a blank, or quotes around it: `%{+Q,+E}`

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

    hint: put something between them that the first cannot hold, such as a blank, or quotes around it: `%{+Q,+E}`

    format:1:1: log format: a value with a blank in it cannot be told from two
      |
    1 | %hrl
      | ^^^^

    hint: put quotes around each: `%{+Q}hrl`, `%{+Q}hsl`

    format:1:1: log format: a list in JSON within another line is not read
      |
    1 | %{+json}hrl
      | ^^^^^^^^^^^

    hint: put quotes around each: `%{+Q}hrl`, `%{+Q}hsl`

    format:1:1: log format: where these captures are missing, what is behind them can look like them
      |
    1 | %{+Q}hrl %{+Q}[hdr(a)]
      | ^^^^^^^^

    hint: put something else before it, such as a `|`, or let `haproxy.config` tell what is captured

    format:1:1: log format: where these captures are missing, what is behind them can look like them
      |
    1 | %hr %[hdr(a)]
      | ^^^

    hint: put something else before it, such as a `|`, or let `haproxy.config` tell what is captured

    format:1:1: log format: where this value ends cannot be told
      |
    1 | %{+json}ST%B
      | ^^^^^^^^^^^^

    hint: put something behind it that is neither a letter nor a digit, such as a blank

    format:1:11: log format: of type `bool` this number is not logged
      |
    1 | %{+json}o %(n:bool)ST
      |           ^^^^^^^^^^^

    hint: leave out the type: `%(name)` alone
    ");
}

#[test]
fn a_free_text_is_not_searched_without_end() {
    let words = |count| format!("{}200", "x ".repeat(count));
    assert!(read("%[hdr(a)] %ST x", format!("{} x", words(900)).as_bytes()).contains("status=200"));
    for (format, line) in [
        ("%[hdr(a)] %ST x", format!("{} x", words(1001))),
        ("%[hdr(a)] %{+Q}hrl", format!("{}x", " \"\"".repeat(20_000))),
        ("%[hdr(a)] %{+E}[src]\"z", " \\\"".repeat(20_000)),
        ("%[hdr(a)]a%{+X}pid|", "a".repeat(60_000)),
    ] {
        let said = read(format, format!("x{line}").as_bytes());
        assert!(said.starts_with("ambiguous: "), "{format}: {said}");
    }
}
