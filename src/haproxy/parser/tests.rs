//! What lines say, the traps in them, and that no line makes the parser panic.

use super::*;
use crate::haproxy::{Captures, Value};
use proptest::prelude::*;

const HTTP: &str = "192.0.2.7:40112 [21/Nov/2026:04:55:14.120] web~ api/api3 1/2/3/40/50 200 1830 \
    sid=a1 - --NI 12/11/10/4/0 6/7 {shop.example|curl 8} {nginx} \"GET /cart/9?full=1 HTTP/1.1\"";
const TCP: &str =
    "192.0.2.7:40112 [21/Nov/2026:04:55:14.120] db pg/pg1 0/1/5300 9120 CD 12/11/10/4/3 0/0";

fn parse(text: &str) -> Result<Event<'_>, Reject> {
    parse_bytes(text.as_bytes())
}

fn parse_bytes(text: &[u8]) -> Result<Event<'_>, Reject> {
    let message = Message {
        text,
        ..Message::default()
    };
    // An event borrows from its parser.
    let parser = Box::leak(Box::new(Parser::new(Arc::default(), TimeZone::UTC)));
    parser.parse(&message, None)
}

/// These fields of the line's event, as `name=value`; `-` where it has none.
fn fields(text: &str, names: &str) -> String {
    let event = parse(text).unwrap_or_else(|reject| panic!("{text}: {reject}"));
    let shown = names.split(' ').map(|name| {
        let value = match Field::by_name(name).unwrap().of(&event) {
            Value::Missing => "-".into(),
            Value::String(text) => text.escape_ascii().to_string(),
            Value::Int(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Timestamp(time) => time.to_string(),
            Value::Strings(values) => {
                let values: Vec<_> = values
                    .iter()
                    .map(|v| v.escape_ascii().to_string())
                    .collect();
                values.join(";")
            }
            Value::Extra(extra) => format!("{:?}", extra.iter().collect::<Vec<_>>()),
        };
        format!("{name}={value}")
    });
    shown.collect::<Vec<_>>().join(" ")
}

fn all_fields(text: &str) -> String {
    let lines = Field::ALL.iter().map(|field| fields(text, field.name()));
    let present = lines.filter(|line| !line.ends_with("=-"));
    present.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_field_of_an_http_line() {
    insta::assert_snapshot!(all_fields(HTTP), @r"
    kind=http
    client_ip=192.0.2.7
    client_port=40112
    request_date=2026-11-21T04:55:14.120Z
    frontend=web
    tls=true
    backend=api
    server=api3
    TR=1
    Tw=2
    Tc=3
    Tr=40
    Ta=50
    partial=false
    status=200
    bytes_read=1830
    request_cookie=sid=a1
    termination_state=--NI
    actconn=12
    feconn=11
    beconn=10
    srv_conn=4
    retries=0
    redispatched=false
    srv_queue=6
    backend_queue=7
    request_headers=shop.example;curl 8
    response_headers=nginx
    method=GET
    path=/cart/9
    query=full=1
    http_version=HTTP/1.1
    request=GET /cart/9?full=1 HTTP/1.1
    ");
}

#[test]
fn every_field_of_a_tcp_line() {
    insta::assert_snapshot!(all_fields(TCP), @r"
    kind=tcp
    client_ip=192.0.2.7
    client_port=40112
    accept_date=2026-11-21T04:55:14.120Z
    frontend=db
    tls=false
    backend=pg
    server=pg1
    Tw=0
    Tc=1
    Tt=5300
    partial=false
    bytes_read=9120
    termination_state=CD
    actconn=12
    feconn=11
    beconn=10
    srv_conn=4
    retries=3
    redispatched=false
    srv_queue=0
    backend_queue=0
    ");
}

#[test]
fn the_envelope_names_the_process() {
    let message = Message {
        host: Some(b"lb1"),
        app: Some(b"edge"),
        pid: Some(b"77"),
        text: TCP.as_bytes(),
        ..Message::default()
    };
    let mut parser = Parser::new(Arc::default(), TimeZone::UTC);
    let event = parser.parse(&message, None).unwrap();
    assert_eq!(
        (event.host, event.process, event.pid),
        (Some(&b"lb1"[..]), Some(&b"edge"[..]), Some(77))
    );
}

/// Each trap is the line above with one part replaced.
#[test]
fn traps_in_http_lines() {
    for (part, trap, names, expected) in [
        (
            "1/2/3/40/50",
            "-1/-1/-1/-1/50",
            "TR Tw Tc Tr Ta Tt",
            "TR=- Tw=- Tc=- Tr=- Ta=50 Tt=-",
        ),
        ("1/2/3/40/50", "1/2/3/40/-1", "Tr Ta", "Tr=40 Ta=-"),
        (
            "1/2/3/40/50",
            "1/2/3/40/+50",
            "Ta partial",
            "Ta=50 partial=true",
        ),
        (
            " 1830 ",
            " +1830 ",
            "bytes_read partial",
            "bytes_read=1830 partial=true",
        ),
        (
            "4/0 6/7",
            "4/+2 6/7",
            "retries redispatched partial",
            "retries=2 redispatched=true partial=false",
        ),
        ("4/0 6/7", "4/-1 6/7", "retries", "retries=-"),
        ("12/11", "-2/11", "actconn", "actconn=-2"),
        (" 200 ", " -1 ", "status", "status=-"),
        (" 200 ", " 0 ", "status", "status=0"),
        (
            "api/api3",
            "api/<NOSRV>",
            "backend server",
            "backend=api server=<NOSRV>",
        ),
        ("api/api3", "api/", "backend server", "backend=api server="),
        (
            "{shop.example|curl 8} {nginx} \"GET /cart/9?full=1 ",
            "\"GET /cart#22?full#231 ",
            "path query",
            "path=/cart\\\" query=full#1",
        ),
        ("web~", "web", "frontend tls", "frontend=web tls=false"),
        ("web~", "9:80", "frontend tls", "frontend=9:80 tls=false"),
        ("--NI", "CR", "termination_state", "termination_state=CR"),
        (
            "192.0.2.7:40112",
            "2001:db8::7:40112",
            "client_ip client_port",
            "client_ip=2001:db8::7 client_port=40112",
        ),
        (
            "192.0.2.7:40112",
            "::ffff:192.0.2.7:1",
            "client_ip client_port",
            "client_ip=::ffff:192.0.2.7 client_port=1",
        ),
        (
            "192.0.2.7:40112",
            "unix:1",
            "client_ip client_port",
            "client_ip=unix client_port=1",
        ),
        (
            "192.0.2.7:40112",
            "-:-",
            "client_ip client_port",
            "client_ip=- client_port=-",
        ),
        (
            "14.120]",
            "14]",
            "request_date",
            "request_date=2026-11-21T04:55:14.000Z",
        ),
        (
            " {shop.example|curl 8} {nginx}",
            "",
            "request_headers response_headers path",
            "request_headers=- response_headers=- path=/cart/9",
        ),
        (
            " {nginx}",
            "",
            "request_headers response_headers",
            "request_headers=shop.example;curl 8 response_headers=-",
        ),
        ("{nginx}", "{||}", "response_headers", "response_headers=;;"),
        (
            "GET /cart/9?full=1 HTTP/1.1",
            "<BADREQ>",
            "request method path http_version",
            "request=<BADREQ> method=- path=- http_version=-",
        ),
        (
            "GET /cart/9?full=1 HTTP/1.1",
            "",
            "request method",
            "request= method=-",
        ),
        (
            "?full=1 HTTP/1.1\"",
            "",
            "method path query http_version",
            "method=GET path=/cart/9 query=- http_version=-",
        ),
        (
            "6/7 {",
            "6/7   {",
            "backend_queue request_headers",
            "backend_queue=7 request_headers=shop.example;curl 8",
        ),
        (
            " 200 ",
            "   200  ",
            "status bytes_read",
            "status=200 bytes_read=1830",
        ),
        (
            "HTTP/1.1\"",
            "HTTP/1.1\"  \n",
            "http_version",
            "http_version=HTTP/1.1",
        ),
        (
            "192.0.2.7",
            "  192.0.2.7",
            "client_ip",
            "client_ip=192.0.2.7",
        ),
    ] {
        assert!(HTTP.contains(part), "{part}");
        assert_eq!(
            fields(&HTTP.replacen(part, trap, 1), names),
            expected,
            "{trap}"
        );
    }
}

#[test]
fn traps_in_tcp_lines() {
    for (part, trap, names, expected) in [
        ("0/1/5300", "-1/-1/5300", "Tw Tc Tt", "Tw=- Tc=- Tt=5300"),
        (
            "0/1/5300",
            "0/1/+5300",
            "Tt partial",
            "Tt=5300 partial=true",
        ),
        (
            " 9120 ",
            " +0 ",
            "bytes_read partial",
            "bytes_read=0 partial=true",
        ),
        (
            "4/3 0/0",
            "4/+3 0/0",
            "retries redispatched",
            "retries=3 redispatched=true",
        ),
        (" CD ", " -- ", "termination_state", "termination_state=--"),
        ("0/0", "0/0 \n", "backend_queue", "backend_queue=0"),
    ] {
        assert!(TCP.contains(part), "{part}");
        let at = TCP.rfind(part).unwrap();
        let line = format!("{}{trap}{}", &TCP[..at], &TCP[at + part.len()..]);
        assert_eq!(fields(&line, names), expected, "{trap}");
    }
}

#[test]
fn rejects_say_why() {
    let lines = [
        "",
        " \n",
        "{\"a\": [1]}",
        "192.0.2.7:40112",
        "Connect from somewhere",
        "192.0.2.7:99999 [21/Nov/2026:04:55:14.120] web",
        "192.0.2.7:1 []",
        "192.0.2.7:1 [] web",
        "192.0.2.7:1 [] web api/a ",
        "192.0.2.7:1 [] web api/a 1/",
        "192.0.2.7:1 [21/Nov/2026:04:55:14.120] web api/a 1/x",
        "192.0.2.7:1 [21/Nov/2026:04:55:14.120] web/1:",
        "192.0.2.7:1 [21/Nov/2026:04:55:14.120] web/1 1/2",
    ];
    let why = lines.map(|line| match parse(line) {
        Ok(event) => format!("{line:?}: {:?}", event.kind),
        Err(reject) => format!("{line:?}: {}, {reject}", reject.as_str()),
    });
    insta::assert_snapshot!(why.join("\n"), @r#"
    "": empty, the message is empty
    " \n": empty, the message is empty
    "{\"a\": [1]}": not_traffic, neither a line of a known format nor a known message of HAProxy
    "192.0.2.7:40112": not_traffic, neither a line of a known format nor a known message of HAProxy
    "Connect from somewhere": malformed, cannot read `client_ip` at byte 13 of the message
    "192.0.2.7:99999 [21/Nov/2026:04:55:14.120] web": malformed, cannot read `client_port` at byte 10 of the message
    "192.0.2.7:1 []": not_traffic, neither a line of a known format nor a known message of HAProxy
    "192.0.2.7:1 [] web": malformed, cannot read `request_date` at byte 13 of the message
    "192.0.2.7:1 [] web api/a ": malformed, cannot read `request_date` at byte 13 of the message
    "192.0.2.7:1 [] web api/a 1/": malformed, cannot read `request_date` at byte 13 of the message
    "192.0.2.7:1 [21/Nov/2026:04:55:14.120] web api/a 1/x": malformed, cannot read `Tw` at byte 51 of the message
    "192.0.2.7:1 [21/Nov/2026:04:55:14.120] web/1:": malformed, cannot read `bind_name` at byte 43 of the message
    "192.0.2.7:1 [21/Nov/2026:04:55:14.120] web/1 1/2": malformed, cannot read `frontend` at byte 39 of the message
    "#);
    use Reject::Malformed;
    for (part, wrong, field) in [
        (" 200 ", " 1000 ", Field::Status),
        (" 200 ", " -2 ", Field::Status),
        (" 1830 ", " wrong ", Field::BytesRead),
        (" 1830 ", " 9999999999999999999 ", Field::BytesRead),
        ("--NI", "-", Field::TerminationState),
        ("6/7 ", "6/7x ", Field::BackendQueue),
        ("1/2/3/40/50", "1/2/+3/40/50", Field::Tc),
        (
            " {shop.example|curl 8} {nginx} \"GET /cart/9?full=1 HTTP/1.1\"",
            "",
            Field::Request,
        ),
        (
            " {nginx} \"GET /cart/9?full=1 HTTP/1.1\"",
            "",
            Field::Request,
        ),
    ] {
        match parse(&HTTP.replacen(part, wrong, 1)) {
            Err(Malformed { field: at, .. }) => assert_eq!(at, field, "{wrong}"),
            other => panic!("{wrong}: {other:?}"),
        }
    }
}

/// HAProxy prints a captured cookie as the client sent it.
#[test]
fn a_cookie_with_blanks_hides_no_request_and_forges_none() {
    let with = |cookie: &str| HTTP.replacen("sid=a1 -", cookie, 1);
    assert_eq!(
        fields(
            &with("sid=a b c -"),
            "request_cookie response_cookie termination_state status path"
        ),
        "request_cookie=- response_cookie=- termination_state=--NI status=200 path=/cart/9"
    );
    let https = format!(
        "{} 0/0/0/0/0 shop.example/TLSv1.3/TLS_AES",
        with("sid=a b c -")
    );
    assert_eq!(fields(&https, "status path"), "status=200 path=/cart/9");
    for forged in [
        "sid=y - SC-- 9/9/9/9/9 0/0 \"GET /forged HTTP/1.1\" -",
        "sid=y - SC-- 9/9/9/9/9 0/0 \"GET /forged -",
    ] {
        match parse(&with(forged)) {
            Err(Reject::Ambiguous) => {}
            Ok(event) => assert_eq!(event.path, Some(&b"/cart/9"[..]), "{forged}"),
            other => panic!("{forged}: {other:?}"),
        }
    }
}

#[test]
fn clf_lines_with_captures_and_cookies() {
    let clf = "192.0.2.7 - - [21/Nov/2026:08:01:09 +0000] \"GET /a HTTP/1.1\" 200 12 \"\" \"\" 33317 655 \
        \"web~\" \"api\" \"api1\" 0 0 0 1 2 ---- 1 1 1 1 0 0 0";
    for (end, expected) in [
        (
            "\"\" \"\"",
            "request_cookie=- response_cookie=- request_headers=-",
        ),
        (
            "\"\" \"\" \"a\" \"b c\"",
            "request_cookie=- response_cookie=- request_headers=a;b c",
        ),
        (
            "\"sid=\"x y\"\" \"\" \"a\"",
            "request_cookie=sid=\\\"x y\\\" response_cookie=- request_headers=a",
        ),
    ] {
        let line = format!("{clf} {end}");
        assert_eq!(
            fields(&line, "request_cookie response_cookie request_headers"),
            expected,
            "{end}"
        );
        assert_eq!(
            fields(&line, "kind status path"),
            "kind=http status=200 path=/a"
        );
    }
}

/// A line cut anywhere is an event only once its request has begun, and then with the
/// same numbers.
#[test]
fn a_line_cut_in_its_request_is_still_an_event() {
    let request = HTTP.find('"').unwrap();
    for end in 0..HTTP.len() {
        match parse(&HTTP[..end]) {
            Ok(event) => {
                assert!(end > request, "{}", &HTTP[..end]);
                assert_eq!((event.timers.active, event.status), (Some(50), Some(200)));
            }
            Err(_) => assert!(end <= request, "{}", &HTTP[..end]),
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_bytes(&text);
    }

    /// Lines that are nearly right reach every part of the parser.
    #[test]
    fn no_damaged_line_makes_it_panic(
        line in prop::sample::select(vec![HTTP, TCP]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..4,
            prop::sample::select(b" \"{}|/:[]+-~?#09aH\n\0\xff".to_vec())), 1..6),
    ) {
        let mut line = line.as_bytes().to_vec();
        for (index, what, byte) in damage {
            if line.is_empty() {
                break;
            }
            let at = index.index(line.len());
            match what {
                0 => { line.remove(at); }
                1 => line.insert(at, byte),
                2 => line[at] = byte,
                _ => line.truncate(at),
            }
        }
        if let Ok(event) = parse_bytes(&line) {
            for field in Field::ALL {
                field.of(&event);
            }
            event.ended_at();
        }
    }

    /// Values of any text that HAProxy can put there come back as they were.
    #[test]
    fn an_http_line_gives_back_what_was_put_in(
        numbers in prop::collection::vec(0_i64..10_000_000_000, 15),
        ip in "([0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9a-f]{1,4}(:[0-9a-f]{1,4}){7})",
        (port, status) in (0_i64..65_536, 100_i64..600),
        names in prop::collection::vec("[A-Za-z0-9_.:-]{1,20}", 3),
        (sent, answered) in ("[^\"{}#]{0,40}", "[^\"{}#]{0,40}"),
        (path, query) in ("/[!-~&&[^\"?#]]{0,40}", "[!-~&&[^\"#]]{0,20}"),
    ) {
        let n = &numbers;
        let line = format!(
            "{ip}:{port} [21/Nov/2026:04:55:14.120] {} {}/{} {}/{}/{}/{}/{} {status} {} - - ---- \
             {}/{}/{}/{}/{} {}/{} {{{sent}}} {{{answered}}} \"GET {path}?{query} HTTP/1.1\"",
            names[0], names[1], names[2], n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8],
            n[9], n[10], n[11], n[12],
        );
        let event = parse(&line).unwrap();
        prop_assert_eq!(event.client_ip, Some(ip.as_bytes()));
        prop_assert_eq!(event.client_port, Some(port));
        prop_assert_eq!(event.frontend, Some(names[0].as_bytes()));
        prop_assert_eq!(event.backend, Some(names[1].as_bytes()));
        prop_assert_eq!(event.server, Some(names[2].as_bytes()));
        prop_assert_eq!(event.status, Some(status));
        let t = event.timers;
        prop_assert_eq!(
            [t.request, t.queue, t.connect, t.response, t.active, event.bytes_read,
                event.actconn, event.feconn, event.beconn, event.srv_conn, event.retries,
                event.srv_queue, event.backend_queue],
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map(|i| Some(n[i]))
        );
        let values = |captures: Option<Captures<'_>>| captures.map(|captures| captures.values.to_vec());
        prop_assert_eq!(values(event.request_headers), Some(sent.into_bytes()));
        prop_assert_eq!(values(event.response_headers), Some(answered.into_bytes()));
        prop_assert_eq!(event.path, Some(path.as_bytes()));
        prop_assert_eq!(event.query, Some(query.as_bytes()));
    }
}

#[test]
fn the_line_before_makes_no_difference() {
    let https = format!("{HTTP} 0/0/0/0/0 shop.example/TLSv1.3/TLS_AES_256_GCM_SHA384");
    let cut = &HTTP[..HTTP.len() - 6];
    // An error whose reason reads like the fields of another format.
    let failed = "192.0.2.7:40112 [21/Nov/2026:04:55:14.120] web/1: no a b/c 1/2/3/40/50 200 1830 \
        - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"";
    for text in [cut, failed] {
        let expected = parse(text);
        for before in [HTTP, &https, TCP] {
            let mut parser = Parser::new(Arc::default(), TimeZone::UTC);
            let mut parse = |text: &str| {
                let message = Message {
                    text: text.as_bytes(),
                    ..Message::default()
                };
                parser
                    .parse(&message, None)
                    .map(|event| format!("{event:?}"))
            };
            parse(before).unwrap();
            let expected = expected.as_ref().map(|event| format!("{event:?}"));
            assert_eq!(parse(text), expected.map_err(|reject| *reject), "{text}");
        }
    }
}
