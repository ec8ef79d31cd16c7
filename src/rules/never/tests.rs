use super::field::can_have;
use super::*;
use crate::haproxy::{Event, Field, Formats, Kind, Parser, Value};
use crate::rules::cel;
use crate::rules::tests::schema;
use crate::source::Placed;
use crate::syslog;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use std::cell::Cell;
use std::sync::Arc;

fn fault(source: &str) -> Option<Fault> {
    let node = cel::parse(source).unwrap_or_else(|faults| panic!("{source}: {faults:?}"));
    check::condition(&node, &schema()).unwrap_or_else(|faults| panic!("{source}: {faults:?}"));
    never(&node, &schema())
}

/// Each condition with what is said of it, and what is marked by that.
fn said(sources: &[&str]) -> String {
    let lines = sources.iter().map(|source| match fault(source) {
        None => format!("{source}\n    -"),
        Some(Fault {
            span,
            message,
            hint,
        }) => {
            let message = message.strip_prefix("this can never hold: ").unwrap();
            let hint = hint.unwrap_or_default();
            format!("{source}\n    {}\n    {message}\n    {hint}", &source[span])
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn terms_that_exclude_each_other_are_told() {
    insta::assert_snapshot!(said(&[
        "status >= 500 && status < 400",
        "status >= 500 && (tls && 500 > status)",
        "status > 500 && status < 501",
        "Tr + Tw > 500 && Tr + Tw < 100.5",
        "status in [200, 304] && status >= 400",
        "status == 200 && status != 200",
        r#"method == "GET" && method == "POST""#,
        r#"service in ["a", "b"] && service == "c""#,
        r#"service == "a" && frontend == "b""#,
        r#"path == "a" && path.startsWith("b")"#,
        r#"path.startsWith("/a/") && path.startsWith("/b")"#,
        r#"path.endsWith(".js") && path.endsWith(".css")"#,
        r#"path in ["/a", "/b"] && path.contains("c")"#,
        r#"path.matches("^/a") && path in ["/b", "/c"]"#,
        "Tr > 2s && Tr < 500ms",
        "bytes_read < 1KiB && bytes_read >= 1MiB",
        "!has(status) && status >= 500",
        "Tr > 5 && !has(Tr)",
        r#"request_headers[0] == "a" && request_headers[0] == "b""#,
        r#"extra["a"] < "b" && extra["a"] > "c""#,
        "size(path) > 100 && size(path) < 10",
        "tls && status == 200 && !tls",
        "!(tls || status >= 500) && status >= 500",
        "(status == 200 || status == 204) && status >= 400",
        r#"status < 400 && (status >= 500 || method == "GET" && method == "PUT")"#,
        "status < 200 && status > 300 || tls && !tls",
    ]), @r#"
    status >= 500 && status < 400
        status < 400
        `status` is at least 500 and below 400
        if either is meant, join them with `||`
    status >= 500 && (tls && 500 > status)
        500 > status
        `status` is at least 500 and below 500
        if either is meant, join them with `||`
    status > 500 && status < 501
        status < 501
        `status` is above 500 and below 501
        if either is meant, join them with `||`
    Tr + Tw > 500 && Tr + Tw < 100.5
        Tr + Tw < 100.5
        `Tr + Tw` is above 500 ms and below 100.5 ms
        if either is meant, join them with `||`
    status in [200, 304] && status >= 400
        status >= 400
        `status` is 200 or 304, and at least 400
        if either is meant, join them with `||`
    status == 200 && status != 200
        status != 200
        `status` is 200 and not 200
        if either is meant, join them with `||`
    method == "GET" && method == "POST"
        method == "POST"
        `method` is "GET" and "POST"
        if either is meant, join them with `||`
    service in ["a", "b"] && service == "c"
        service == "c"
        `service` is "a" or "b", and "c"
        if either is meant, join them with `||`
    service == "a" && frontend == "b"
        frontend == "b"
        `frontend` is "a" and "b"
        if either is meant, join them with `||`
    path == "a" && path.startsWith("b")
        path.startsWith("b")
        `path` is "a" and starts with "b"
        if either is meant, join them with `||`
    path.startsWith("/a/") && path.startsWith("/b")
        path.startsWith("/b")
        `path` starts with "/a/" and "/b"
        if either is meant, join them with `||`
    path.endsWith(".js") && path.endsWith(".css")
        path.endsWith(".css")
        `path` ends with ".js" and ".css"
        if either is meant, join them with `||`
    path in ["/a", "/b"] && path.contains("c")
        path.contains("c")
        `path` is "/a" or "/b", and contains "c"
        if either is meant, join them with `||`
    path.matches("^/a") && path in ["/b", "/c"]
        path in ["/b", "/c"]
        `path` matches "^/a" and is "/b" or "/c"
        if either is meant, join them with `||`
    Tr > 2s && Tr < 500ms
        Tr < 500ms
        `Tr` is above 2000 ms and below 500 ms
        if either is meant, join them with `||`
    bytes_read < 1KiB && bytes_read >= 1MiB
        bytes_read >= 1MiB
        `bytes_read` is below 1024 bytes and at least 1048576 bytes
        if either is meant, join them with `||`
    !has(status) && status >= 500
        status >= 500
        `status` is missing and asked for
        a comparison holds only where the field is there
    Tr > 5 && !has(Tr)
        !has(Tr)
        `Tr` is missing and asked for
        a comparison holds only where the field is there
    request_headers[0] == "a" && request_headers[0] == "b"
        request_headers[0] == "b"
        `request_headers[0]` is "a" and "b"
        if either is meant, join them with `||`
    extra["a"] < "b" && extra["a"] > "c"
        extra["a"] > "c"
        `extra["a"]` is below "b" and above "c"
        if either is meant, join them with `||`
    size(path) > 100 && size(path) < 10
        size(path) < 10
        `size(path)` is above 100 bytes and below 10 bytes
        if either is meant, join them with `||`
    tls && status == 200 && !tls
        !tls
        `tls` is true and false
        if either is meant, join them with `||`
    !(tls || status >= 500) && status >= 500
        status >= 500
        `status >= 500` is true and false
        if either is meant, join them with `||`
    (status == 200 || status == 204) && status >= 400
        status == 200 || status == 204
        `status` is at least 400 and 200; `status` is at least 400 and 204
        if either is meant, join them with `||`
    status < 400 && (status >= 500 || method == "GET" && method == "PUT")
        status >= 500 || method == "GET" && method == "PUT"
        `status` is below 400 and at least 500; `method` is "GET" and "PUT"
        if either is meant, join them with `||`
    status < 200 && status > 300 || tls && !tls
        status < 200 && status > 300 || tls && !tls
        `status` is below 200 and above 300; `tls` is true and false
        if either is meant, join them with `||`
    "#);
}

#[test]
fn values_that_a_field_never_has_are_told() {
    insta::assert_snapshot!(said(&[
        "status == 1000",
        "status < 0",
        "status in [2000, 3000]",
        "Tr < 0",
        "Tr == -1",
        "bytes_read <= -0.5",
        "client_port > 65535",
        "size(path) < 0",
        r#"kind == "htpp""#,
        r#"kind == "request""#,
        r#"kind == "event""#,
        r#"kind in ["tpc", "event"]"#,
        r#"kind.startsWith("x")"#,
        r#"termination_state == "x""#,
        r#"termination_state in ["S", "SHD"]"#,
        r#"state == "DOWN""#,
        "false",
        "tls && 1 > 2",
        "!true",
        "status in []",
        "!has(kind)",
    ]), @r#"
    status == 1000
        status == 1000
        `status` is never above 999
        it is from 0 to 999
    status < 0
        status < 0
        `status` is never below 0
        where HAProxy logs -1, there is no such field
    status in [2000, 3000]
        status in [2000, 3000]
        `status` is never above 999
        it is from 0 to 999
    Tr < 0
        Tr < 0
        `Tr` is never below 0
        where HAProxy logs -1, there is no such field
    Tr == -1
        Tr == -1
        `Tr` is never below 0
        where HAProxy logs -1, there is no such field
    bytes_read <= -0.5
        bytes_read <= -0.5
        `bytes_read` is never below 0
        where HAProxy logs -1, there is no such field
    client_port > 65535
        client_port > 65535
        `client_port` is never above 65535
        it is from 0 to 65535
    size(path) < 0
        size(path) < 0
        `size(path)` is never below 0
        a size is 0 or more
    kind == "htpp"
        kind == "htpp"
        no line is of kind `htpp`
        did you mean `http`?
    kind == "request"
        kind == "request"
        no line is of kind `request`
        the kinds are `http`, `tcp`, `error` and `connect`
    kind == "event"
        kind == "event"
        rules never see lines of kind `event`
        HAProxy's own messages are not measured; the kinds that are: `http`, `tcp`, `error` and `connect`
    kind in ["tpc", "event"]
        kind in ["tpc", "event"]
        there is no line whose kind is "tpc" or "event"
        the kinds are `http`, `tcp`, `error` and `connect`
    kind.startsWith("x")
        kind.startsWith("x")
        there is no line whose kind starts with "x"
        the kinds are `http`, `tcp`, `error` and `connect`
    termination_state == "x"
        termination_state == "x"
        `termination_state` is "x", but it has 2 or 4 characters
        its first characters are tested by `termination_state.startsWith("x")`
    termination_state in ["S", "SHD"]
        termination_state in ["S", "SHD"]
        `termination_state` is "S" or "SHD", but it has 2 or 4 characters
        its first characters are tested by `termination_state.startsWith("x")`
    state == "DOWN"
        state == "DOWN"
        no line that rules see has `state`
        only HAProxy's own messages have it
    false
        false
        this is always false
        ask for a field in it
    tls && 1 > 2
        1 > 2
        this is always false
        ask for a field in it
    !true
        !true
        what is negated here is always true
        ask for a field in it
    status in []
        status in []
        nothing is in an empty list
        list the values that are meant
    !has(kind)
        !has(kind)
        every line has `kind`
        leave it out
    "#);
}

#[test]
fn fields_that_a_kind_of_line_never_has_are_told() {
    insta::assert_snapshot!(said(&[
        r#"kind == "tcp" && status >= 500"#,
        r#"status >= 500 && kind == "tcp""#,
        r#"kind in ["tcp", "connect"] && method == "GET""#,
        r#"kind != "http" && kind != "error" && Ta > 5"#,
        r#"kind != "http" && kind != "error" && kind != "tcp" && kind != "connect""#,
        r#"kind == "tcp" && has(status)"#,
        r#"kind == "connect" && tls"#,
        r#"kind == "connect" && server == "a""#,
        r#"kind == "tcp" && size(path) + 1 > 10"#,
        r#"kind == "tcp" && (status >= 500 || path.endsWith("x"))"#,
    ]), @r#"
    kind == "tcp" && status >= 500
        status >= 500
        lines of kind `tcp` never have `status`
        leave out one of the two
    status >= 500 && kind == "tcp"
        kind == "tcp"
        lines of kind `tcp` never have `status`
        leave out one of the two
    kind in ["tcp", "connect"] && method == "GET"
        method == "GET"
        lines of kind `tcp` and `connect` never have `method`
        leave out one of the two
    kind != "http" && kind != "error" && Ta > 5
        Ta > 5
        lines of kind `tcp` and `connect` never have `Ta`
        leave out one of the two
    kind != "http" && kind != "error" && kind != "tcp" && kind != "connect"
        kind != "connect"
        no kind of line is left
        if either is meant, join them with `||`
    kind == "tcp" && has(status)
        has(status)
        lines of kind `tcp` never have `status`
        leave out one of the two
    kind == "connect" && tls
        tls
        `tls` is never true for lines of kind `connect`
        leave out one of the two
    kind == "connect" && server == "a"
        server == "a"
        lines of kind `connect` never have `server`
        leave out one of the two
    kind == "tcp" && size(path) + 1 > 10
        size(path) + 1 > 10
        lines of kind `tcp` never have `path`
        leave out one of the two
    kind == "tcp" && (status >= 500 || path.endsWith("x"))
        status >= 500 || path.endsWith("x")
        lines of kind `tcp` never have `status`; lines of kind `tcp` never have `path`
        leave out one of the two
    "#);
}

#[test]
fn what_can_hold_is_left_alone() {
    for source in [
        "true",
        "!false",
        "status >= 500 && status < 600",
        "status >= 500 && status <= 500",
        "status > 499.5 && status < 500.5",
        "status > 500 && status < 502",
        "status == 99",
        "status == 0",
        "status == 999",
        "status < 200 || status > 300",
        "status == 200 && Tr == 500",
        "Tr > 1000 && Tw < 10",
        "Tr >= 0",
        // A missing field makes a comparison false, so that its negation holds.
        "!(status >= 500) && !(status < 500)",
        r#"kind == "tcp" && !(status >= 500)"#,
        r#"kind == "connect" && !tls"#,
        r#"kind == "connect" && has(tls)"#,
        r#"kind == "connect" && client_ip in cidr("10.0.0.0/8")"#,
        // Two ways to write one address.
        r#"ip(client_ip) == ip("::1") && client_ip == "0::1""#,
        "!has(status) && !(status >= 500)",
        "has(status) && !(status >= 500)",
        "Tr > 500ms && Tr < 2s",
        r#"path.matches("^/a") && path.matches("^/b")"#,
        r#"kind == "tcp" && (status >= 500 || backend == "a")"#,
        // Counts of connections have been seen below zero.
        "srv_conn < 0",
        "pid < 0",
        r#"path.startsWith("/a") && path.startsWith("/a/b")"#,
        r#"path.endsWith("js") && path.endsWith(".js")"#,
        r#"path == "/a" && path.contains("a")"#,
        r#"path > "/a" && path < "/b""#,
        r#"method == "GET" && path == "POST""#,
        r#"request_headers[0] == "a" && request_headers[1] == "b""#,
        r#"kind in ["htpp", "tcp"]"#,
        r#"kind == "error" && status >= 500"#,
        r#"kind == "error" && message.contains("handshake")"#,
        r#"kind == "tcp" && request_headers[0] == "a""#,
        r#"kind == "connect" && extra["frontend_ip"] == "10.0.0.1""#,
        r#"termination_state == "SH--""#,
        r#"termination_state in ["x", "--"]"#,
        r#"!termination_state.startsWith("--")"#,
        "(tls ? status : Tr) > 500 && (tls ? status : Tr) < 600",
        "tls ? status > 500 : status < 400",
        "tls == false && !tls",
        // Beyond what a double holds exactly, nothing is certain here.
        "bytes_read > 9007199254740993 && bytes_read < 9007199254740994",
    ] {
        assert_eq!(fault(source), None, "{source}");
    }
}

#[test]
fn a_long_condition_is_read_to_its_end() {
    let choices = vec!["(status == 1 || tls)"; 150].join(" && ");
    assert_eq!(fault(&choices), None);
    let negated = format!("{}tls", "!".repeat(1000));
    assert_eq!(fault(&negated), None);
}

/// Whether the line has the field, or for a bool says that it is so.
fn has(event: &Event<'_>, field: Field) -> bool {
    !matches!(field.of(event), Value::Missing | Value::Bool(false))
}

#[test]
fn no_line_has_what_its_kind_cannot_have() {
    const DATE: &str = "21/Nov/2026:04:55:14";
    let zoned = format!("{DATE} +0100");
    let millis = format!("{DATE}.120");
    let values = [
        ("%T %Tl", format!("{zoned} {zoned}")),
        ("%Ts.%ms", "1795233314.120".into()),
        ("%t", millis.clone()),
        ("%tr", millis.clone()),
        ("%trg", zoned.clone()),
        ("%trl", zoned),
        ("%ST", "200".into()),
        ("%CC", "a".into()),
        ("%CS", "a".into()),
        ("%HM", "GET".into()),
        ("%HP", "/a".into()),
        ("%HPO", "/a".into()),
        ("%HQ", "?a".into()),
        ("%HU", "/a?b".into()),
        ("%HV", "HTTP/1.1".into()),
        ("%{+Q}r", "\"GET /a?b HTTP/1.1\"".into()),
        ("%hr", "{a}".into()),
        ("%hs", "{a}".into()),
        ("%ft %b %s", "web~ api api1".into()),
        ("%ts", "--".into()),
        ("%tsc", "----".into()),
        ("%ID", "a".into()),
        ("%(bind_name)[bind_name]", "a".into()),
        ("%(message)[message]", "a".into()),
        ("%(status)[status]", "200".into()),
    ];
    let numbers = "Tc Td Th Ti Tq TR Tr Tw U ac bc bq cp fc pid sc sq";
    let bounds = "Ta Tt Tu B rc";
    let mut cases: Vec<(String, String)> = values
        .into_iter()
        .map(|(format, value)| (format.to_owned(), value))
        .collect();
    cases.extend(numbers.split(' ').map(|n| (format!("%{n}"), "7".into())));
    cases.extend(bounds.split(' ').map(|n| (format!("%{n}"), "+7".into())));
    let mut kinds = Vec::new();
    let mut check = |formats: Formats, line: &str| {
        let mut parser = Parser::new(Arc::new(formats), TimeZone::UTC);
        let line = format!("<134>Nov 21 04:55:14 lb1 haproxy[7]: {line}");
        let message = syslog::parse(line.as_bytes());
        let event = parser
            .parse(&message, None)
            .unwrap_or_else(|reject| panic!("{line}: {reject}"));
        kinds.push(event.kind);
        for &field in Field::ALL {
            if has(&event, field) {
                let name = field.name();
                assert!(can_have(event.kind, field), "{line}: {name}");
            }
        }
    };
    for (format, value) in cases {
        let placed = Placed::whole("format", &format);
        let formats = Formats::one(&placed, &|_| None)
            .unwrap_or_else(|problem| panic!("{}", problem.render()));
        check(formats, &value);
    }
    for line in [
        format!("10.0.0.1:4000 [{millis}] www~ api/a1 1/2/3 4 -- 1/1/1/1/+1 0/0"),
        "Connect from 10.0.0.1:4000 to 10.0.0.2:80 (www/HTTP)".into(),
        format!("10.0.0.1:4000 [{millis}] www/1: SSL handshake failure"),
    ] {
        check(Formats::built_in(), &line);
    }
    for kind in field::KINDS {
        assert!(kinds.contains(&kind), "{kind:?}");
    }
}

/// A term of a condition; few values, so that terms meet.
fn term() -> impl Strategy<Value = String> {
    let order = || prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let number = || {
        let constants = [
            "-1", "0", "1", "200", "404", "499", "499.5", "500", "999", "1000",
        ];
        prop::sample::select(constants.to_vec())
    };
    let of = || prop::sample::select(vec!["status", "status", "Tr", "size(path)", "Tr + 1"]);
    let text = || {
        let fields = [
            "method",
            "path",
            "service",
            "frontend",
            "kind",
            "termination_state",
        ];
        prop::sample::select(fields.to_vec())
    };
    let constant = || {
        let constants = [
            "", "GET", "POST", "/a", "/b/c", "web", "tcp", "http", "event", "--",
        ];
        prop::sample::select(constants.to_vec())
    };
    let function = prop::sample::select(vec!["startsWith", "endsWith", "contains"]);
    let bools = [
        "has(status)",
        "has(tls)",
        "has(method)",
        "path.matches(\"^/a\")",
        "Tr < 0.2s",
        "tls",
        "true",
        "false",
        "tls == true",
        "tls ? status > 1 : Tr < 1",
    ];
    prop_oneof![
        4 => (of(), order(), number()).prop_map(|(a, is, b)| format!("{a} {is} {b}")),
        1 => (number(), order(), of()).prop_map(|(a, is, b)| format!("{a} {is} {b}")),
        2 => (of(), number(), number()).prop_map(|(a, b, c)| format!("{a} in [{b}, {c}]")),
        4 => (text(), order(), constant()).prop_map(|(a, is, b)| format!("{a} {is} {b:?}")),
        2 => (text(), constant(), constant())
            .prop_map(|(a, b, c)| format!("{a} in [{b:?}, {c:?}]")),
        2 => (text(), function, constant()).prop_map(|(a, is, b)| format!("{a}.{is}({b:?})")),
        1 => prop::sample::select(bools.map(|source| format!("({source})")).to_vec()),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    term().prop_recursive(4, 12, 2, |inner| {
        prop_oneof![
            4 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            1 => inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

/// Every event of a few values.
fn events() -> Vec<Event<'static>> {
    let statuses = [
        None,
        Some(0),
        Some(1),
        Some(200),
        Some(404),
        Some(499),
        Some(500),
        Some(999),
    ];
    let times = [None, Some(0), Some(1), Some(499), Some(500), Some(1000)];
    let methods: [Option<&[u8]>; 3] = [None, Some(b"GET"), Some(b"POST")];
    let paths: [Option<&[u8]>; 4] = [None, Some(b""), Some(b"/a"), Some(b"/b/c")];
    let frontends: [Option<&[u8]>; 3] = [None, Some(b"web"), Some(b"GET")];
    let mut events = Vec::new();
    for kind in field::KINDS {
        let (http, connect) = (
            kind != Kind::Tcp && kind != Kind::Connect,
            kind == Kind::Connect,
        );
        for (index, status) in statuses.into_iter().enumerate() {
            for response in times {
                for method in methods {
                    for path in paths {
                        for frontend in frontends {
                            let mut event = Event::of_kind(kind);
                            event.frontend = frontend;
                            event.tls = index % 2 == 0 && !connect;
                            event.termination_state = [None, Some(&b"--"[..]), Some(b"SH--")]
                                [index % 3]
                                .filter(|_| !connect);
                            if http {
                                event.status = status;
                                event.timers.response = response;
                                event.method = method;
                                event.path = path;
                            }
                            events.push(event);
                        }
                    }
                }
            }
        }
    }
    events
}

#[test]
fn what_is_told_to_never_hold_holds_for_no_event() {
    let events = events();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 2000,
        ..ProptestConfig::default()
    });
    let told = Cell::new(0);
    runner
        .run(&condition(), |source| {
            if fault(&source).is_some() {
                told.set(told.get() + 1);
                let node = cel::parse(&source).unwrap();
                let condition = check::condition(&node, &schema()).unwrap();
                let holding = events.iter().find(|event| condition.holds(event));
                prop_assert_eq!(holding, None, "{}", source);
            }
            Ok(())
        })
        .unwrap();
    // Both happen often, or this would say little.
    assert!((200..1800).contains(&told.get()), "{}", told.get());
}
