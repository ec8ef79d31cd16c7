//! The language of conditions and values: what each source becomes, and what it
//! says of an event. The trees also guard against changes in the `cel` crate.

use super::super::cel;
use super::super::check::{self, Aggregate};
use super::super::expr::{Bool, Number, Text};
use super::super::lower::Measured;
use super::super::program::KeyPart;
use super::super::quantity::Unit;
use super::super::schema::Schema;
use super::{event, names, schema};
use crate::haproxy::{Captures, Event, Extra, ExtraType, Field, Kind, Separator};
use crate::source::Fault;
use crate::time::Timestamp;
use proptest::prelude::*;

fn condition(source: &str) -> Result<Bool, Vec<Fault>> {
    cel::parse(source).and_then(|node| check::condition(&node, &schema()))
}

fn holds(source: &str, event: &Event<'_>) -> bool {
    condition(source)
        .unwrap_or_else(|faults| panic!("{source}: {faults:?}"))
        .holds(event)
}

/// The value of a number's expression.
fn value(source: &str, event: &Event<'_>) -> Option<f64> {
    let node = cel::parse(&format!("sum({source})")).unwrap();
    match check::measure(&node, &schema()) {
        Ok(Measured::Aggregate(Aggregate::Sum(number))) => number.of(event),
        other => panic!("{source}: {other:?}"),
    }
}

#[test]
fn sources_become_typed_trees() {
    let mut trees = String::new();
    for source in [
        r#"kind == "http""#,
        r#"status >= 500 && service == "users" && path.startsWith("/api")"#,
        "tls || partial || !redispatched",
        "(tls || partial) && status < -1",
        "tls == (status != 200)",
        "tls != partial",
        "status in [500, 502, -1]",
        "Tr in [1, 2.5]",
        r#"method in ["GET", 'HEAD', r"\d"]"#,
        r#""curl" in request_headers"#,
        r#"request_headers[0] == "x\u00e9\n""#,
        "Tr / 1000.0 > 1",
        "-Tr + 1 * 2 - Tw % 3 > Tc",
        "-(Tr * 0.5) <= 1.5e3",
        r#"tls ? status == 200 : path.endsWith("/")"#,
        r#"(tls ? "a" : backend).contains(server)"#,
        "(tls ? 1 : 2.0) == 2",
        "(tls ? Tr : Tw) == 0x1F",
        "size(path) > 2 && request_headers.size() == 1 && 'ä'.size() == 2",
        r#"request_headers["X-Request-Id"] == response_headers['Server']"#,
        r#"extra["country"] in ["se"] && size(extra["a b"]) > 1"#,
        "Tr > 500ms && bytes_read <= 1.5KiB || Tr < 250us",
        "Tr in [5ms, 10] && Tw in [0.5ms] && Tr > duration('1m30s') && 'ä' == path && Tr>1s",
        "(tls ? 1s : Tr) > 2",
        "has(Tr) && has(tls) && has(accept_date) && has(service) && has(request_headers) && has(extra)",
        r#"has(request_headers["Host"]) || has(request_headers[1]) || has ( extra["x"] )"#,
        r#"path.matches(r"^/v\d+/")"#,
        r#"cidr("10.1.2.3/8").containsIP(client_ip) || client_ip in cidr("fd00::/8")"#,
        r#"client_ip in [cidr("10.0.0.0/8"), cidr("::ffff:192.168.0.0/112"), ip("192.0.2.1")]"#,
        r#"ip(client_ip) == ip("2001:DB8::1") && ip(client_ip) != ip(request_headers[0])"#,
        r#"isIP(client_ip) && ip(client_ip).isLoopback() && ip(client_ip).isPrivate()"#,
        r#"ip(client_ip).family() == 6 && ip(client_ip) in cidr("::/0")"#,
        "true // a remark",
    ] {
        let tree = condition(source).unwrap_or_else(|faults| panic!("{source}: {faults:?}"));
        trees.push_str(&format!("{source}\n    {tree:?}\n"));
    }
    insta::assert_snapshot!(trees, @r#"
    kind == "http"
        Texts(Equal, Field(Kind), Const("http"))
    status >= 500 && service == "users" && path.startsWith("/api")
        All([Ints(GreaterOrEqual, Field(Status), Const(500)), Texts(Equal, Field(Frontend), Const("users")), StartsWith(Field(Path), Const("/api"))])
    tls || partial || !redispatched
        Any([Field(Tls), Field(Partial), Not(Field(Redispatched))])
    (tls || partial) && status < -1
        All([Any([Field(Tls), Field(Partial)]), Ints(Less, Field(Status), Const(-1))])
    tls == (status != 200)
        Same((Field(Tls), Ints(NotEqual, Field(Status), Const(200))))
    tls != partial
        Not(Same((Field(Tls), Field(Partial))))
    status in [500, 502, -1]
        IntIn(Field(Status), [500, 502, -1])
    Tr in [1, 2.5]
        DoubleIn(Of(Field(Tr)), [1.0, 2.5])
    method in ["GET", 'HEAD', r"\d"]
        TextIn(Field(Method), ["GET", "HEAD", "\\d"])
    "curl" in request_headers
        TextInField(Const("curl"), RequestHeaders)
    request_headers[0] == "x\u00e9\n"
        Texts(Equal, Capture(RequestHeaders, 0), Const("xé\n"))
    Tr / 1000.0 > 1
        Doubles(Greater, Arithmetic(Divide, (Of(Field(Tr)), Const(1000.0))), Const(1.0))
    -Tr + 1 * 2 - Tw % 3 > Tc
        Ints(Greater, Arithmetic(Subtract, (Arithmetic(Add, (Negate(Field(Tr)), Arithmetic(Multiply, (Const(1), Const(2))))), Arithmetic(Modulo, (Field(Tw), Const(3))))), Field(Tc))
    -(Tr * 0.5) <= 1.5e3
        Doubles(LessOrEqual, Negate(Arithmetic(Multiply, (Of(Field(Tr)), Const(0.5)))), Const(1500.0))
    tls ? status == 200 : path.endsWith("/")
        If((Field(Tls), Ints(Equal, Field(Status), Const(200)), EndsWith(Field(Path), Const("/"))))
    (tls ? "a" : backend).contains(server)
        Contains(If((Field(Tls), Const("a"), Field(Backend))), Field(Server))
    (tls ? 1 : 2.0) == 2
        Doubles(Equal, If((Field(Tls), Const(1.0), Const(2.0))), Const(2.0))
    (tls ? Tr : Tw) == 0x1F
        Ints(Equal, If((Field(Tls), Field(Tr), Field(Tw))), Const(31))
    size(path) > 2 && request_headers.size() == 1 && 'ä'.size() == 2
        All([Ints(Greater, Length(Field(Path)), Const(2)), Ints(Equal, Count(RequestHeaders), Const(1)), Ints(Equal, Length(Const("ä")), Const(2))])
    request_headers["X-Request-Id"] == response_headers['Server']
        Texts(Equal, Header(RequestHeaders, "X-Request-Id"), Header(ResponseHeaders, "Server"))
    extra["country"] in ["se"] && size(extra["a b"]) > 1
        All([TextIn(Extra("country"), ["se"]), Ints(Greater, Length(Extra("a b")), Const(1))])
    Tr > 500ms && bytes_read <= 1.5KiB || Tr < 250us
        Any([All([Ints(Greater, Field(Tr), Quantity(500, Time)), Ints(LessOrEqual, Field(BytesRead), Quantity(1536, Bytes))]), Doubles(Less, Of(Field(Tr)), Quantity(0.25, Time))])
    Tr in [5ms, 10] && Tw in [0.5ms] && Tr > duration('1m30s') && 'ä' == path && Tr>1s
        All([IntIn(Field(Tr), [5, 10]), DoubleIn(Of(Field(Tw)), [0.5]), Ints(Greater, Field(Tr), Quantity(90000, Time)), Texts(Equal, Const("ä"), Field(Path)), Ints(Greater, Field(Tr), Quantity(1000, Time))])
    (tls ? 1s : Tr) > 2
        Ints(Greater, If((Field(Tls), Quantity(1000, Time), Field(Tr))), Const(2))
    has(Tr) && has(tls) && has(accept_date) && has(service) && has(request_headers) && has(extra)
        All([HasField(Tr), HasField(Tls), HasField(AcceptDate), HasField(Frontend), HasField(RequestHeaders), HasField(Extra)])
    has(request_headers["Host"]) || has(request_headers[1]) || has ( extra["x"] )
        Any([HasText(Header(RequestHeaders, "Host")), HasText(Capture(RequestHeaders, 1)), HasExtra("x")])
    path.matches(r"^/v\d+/")
        Matches(Field(Path), Pattern(Regex("^/v\\d+/")))
    cidr("10.1.2.3/8").containsIP(client_ip) || client_ip in cidr("fd00::/8")
        Any([InNetworks(Of(Field(ClientIp)), [10.0.0.0/8]), InNetworks(Of(Field(ClientIp)), [fd00::/8])])
    client_ip in [cidr("10.0.0.0/8"), cidr("::ffff:192.168.0.0/112"), ip("192.0.2.1")]
        InNetworks(Of(Field(ClientIp)), [10.0.0.0/8, 192.168.0.0/16, 192.0.2.1/32])
    ip(client_ip) == ip("2001:DB8::1") && ip(client_ip) != ip(request_headers[0])
        All([Addresses(Equal, Of(Field(ClientIp)), Const(2001:db8::1)), Addresses(NotEqual, Of(Field(ClientIp)), Of(Capture(RequestHeaders, 0)))])
    isIP(client_ip) && ip(client_ip).isLoopback() && ip(client_ip).isPrivate()
        All([IsAddress(Of(Field(ClientIp))), AddressIs(Loopback, Of(Field(ClientIp))), AddressIs(Private, Of(Field(ClientIp)))])
    ip(client_ip).family() == 6 && ip(client_ip) in cidr("::/0")
        All([Ints(Equal, Family(Of(Field(ClientIp))), Const(6)), InNetworks(Of(Field(ClientIp)), [::/0])])
    true // a remark
        Const(true)
    "#);
}

#[test]
fn fields_of_custom_formats_have_the_types_of_the_format() {
    let names = names();
    let schema = Schema::with_service(Text::Field(Field::Frontend), &names);
    let mut trees = String::new();
    for source in [
        r#"extra["src_conn_rate"] > 5 && extra["src_conn_rate"] / 2.0 < Tr"#,
        r#"!extra["cached"] || extra["country"] == "se""#,
        r#"request_headers["x-TENANT"] == "a" || response_headers["server"] == "b""#,
    ] {
        let node = cel::parse(source).unwrap();
        let tree = check::condition(&node, &schema);
        let tree = tree.unwrap_or_else(|faults| panic!("{source}: {faults:?}"));
        trees.push_str(&format!("{source}\n    {tree:?}\n"));
    }
    insta::assert_snapshot!(trees, @r#"
    extra["src_conn_rate"] > 5 && extra["src_conn_rate"] / 2.0 < Tr
        All([Ints(Greater, Extra("src_conn_rate"), Const(5)), Doubles(Less, Arithmetic(Divide, (Of(Extra("src_conn_rate")), Const(2.0))), Of(Field(Tr)))])
    !extra["cached"] || extra["country"] == "se"
        Any([Not(Extra("cached")), Texts(Equal, Extra("country"), Const("se"))])
    request_headers["x-TENANT"] == "a" || response_headers["server"] == "b"
        Any([Texts(Equal, Header(RequestHeaders, "x-TENANT"), Const("a")), Texts(Equal, Header(ResponseHeaders, "server"), Const("b"))])
    "#);
}

#[test]
fn measures_become_aggregates() {
    let mut trees = String::new();
    for source in [
        "count()",
        "rate()",
        "ratio(status >= 500)",
        "sum(bytes_read)",
        "mean(Tr / 2)",
        "min(Tr)",
        "max(Tr * 0.001)",
        "percentile(Tr, 99.9)",
        "percentile(Tr, 50)",
        "stddev(Tr)",
        "histogram(Ta)",
        "histogram(Ta, [5, 0.5s, 2s])",
        "histogram(bytes_read, [-1, 1KiB])",
        "distinct(client_ip)",
        "distinct(tls ? status : 0)",
        "distinct(status >= 500)",
        "apdex(Ta, 500ms)",
        "apdex(Ta, 0.5)",
        "apdex(Ta, duration('1s'))",
        "top(client_ip, 10)",
        "top(service, 1)",
        "top(status / 100, 100)",
        "sum(bytes_read) / count()",
        "100 * ratio(tls) - -1.5",
        "-(max(Tr) - min(Tr)) / (2 + rate())",
        "mean(Tr) + 5ms",
    ] {
        let node = cel::parse(source).unwrap();
        let aggregate = check::measure(&node, &schema()).unwrap();
        trees.push_str(&format!("{source}\n    {aggregate:?}\n"));
    }
    insta::assert_snapshot!(trees, @r#"
    count()
        Aggregate(Count)
    rate()
        Aggregate(Rate)
    ratio(status >= 500)
        Aggregate(Ratio(Ints(GreaterOrEqual, Field(Status), Const(500))))
    sum(bytes_read)
        Aggregate(Sum(Int(Field(BytesRead))))
    mean(Tr / 2)
        Aggregate(Mean(Int(Arithmetic(Divide, (Field(Tr), Const(2))))))
    min(Tr)
        Aggregate(Min(Int(Field(Tr))))
    max(Tr * 0.001)
        Aggregate(Max(Double(Arithmetic(Multiply, (Of(Field(Tr)), Const(0.001))))))
    percentile(Tr, 99.9)
        Aggregate(Percentile(Int(Field(Tr)), 99.9))
    percentile(Tr, 50)
        Aggregate(Percentile(Int(Field(Tr)), 50.0))
    stddev(Tr)
        Aggregate(Stddev(Int(Field(Tr))))
    histogram(Ta)
        Aggregate(Histogram(Int(Field(Ta)), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0, 20000.0, 50000.0]))
    histogram(Ta, [5, 0.5s, 2s])
        Aggregate(Histogram(Int(Field(Ta)), [5.0, 500.0, 2000.0]))
    histogram(bytes_read, [-1, 1KiB])
        Aggregate(Histogram(Int(Field(BytesRead)), [-1.0, 1024.0]))
    distinct(client_ip)
        Aggregate(Distinct(Text(Field(ClientIp))))
    distinct(tls ? status : 0)
        Aggregate(Distinct(Int(If((Field(Tls), Field(Status), Const(0))))))
    distinct(status >= 500)
        Aggregate(Distinct(Bool(Ints(GreaterOrEqual, Field(Status), Const(500)))))
    apdex(Ta, 500ms)
        Aggregate(Apdex(Int(Field(Ta)), 500.0))
    apdex(Ta, 0.5)
        Aggregate(Apdex(Int(Field(Ta)), 0.5))
    apdex(Ta, duration('1s'))
        Aggregate(Apdex(Int(Field(Ta)), 1000.0))
    top(client_ip, 10)
        Aggregate(Top { value: Text(Field(ClientIp)), tag: "client_ip", k: 10 })
    top(service, 1)
        Aggregate(Top { value: Text(Field(Frontend)), tag: "service", k: 1 })
    top(status / 100, 100)
        Aggregate(Top { value: Int(Arithmetic(Divide, (Field(Status), Const(100)))), tag: "value", k: 100 })
    sum(bytes_read) / count()
        Arithmetic(Divide, (Aggregate(Sum(Int(Field(BytesRead)))), Aggregate(Count)))
    100 * ratio(tls) - -1.5
        Arithmetic(Subtract, (Arithmetic(Multiply, (Const(100.0), Aggregate(Ratio(Field(Tls))))), Const(-1.5)))
    -(max(Tr) - min(Tr)) / (2 + rate())
        Arithmetic(Divide, (Negate(Arithmetic(Subtract, (Aggregate(Max(Int(Field(Tr)))), Aggregate(Min(Int(Field(Tr))))))), Arithmetic(Add, (Const(2.0), Aggregate(Rate)))))
    mean(Tr) + 5ms
        Arithmetic(Add, (Aggregate(Mean(Int(Field(Tr)))), Const(5.0)))
    "#);
}

#[test]
fn a_value_stands_for_an_expression_in_measures() {
    let mut trees = String::new();
    for (value, measure) in [
        ("Ta - Tr", "percentile(value, 95) - min(value)"),
        ("Tr / 1000.0", "ratio(has(value) && value > 1)"),
        ("path", "top(value, 5)"),
        ("tls", "ratio(value) / ratio(has(value))"),
    ] {
        let value = check::value(&cel::parse(value).unwrap(), &schema()).unwrap();
        let node = cel::parse(measure).unwrap();
        let measured = check::measure(&node, &schema().with_value(value)).unwrap();
        trees.push_str(&format!("{measure}\n    {measured:?}\n"));
        assert!(check::measure(&node, &schema()).is_err());
    }
    insta::assert_snapshot!(trees, @r#"
    percentile(value, 95) - min(value)
        Arithmetic(Subtract, (Aggregate(Percentile(Int(Arithmetic(Subtract, (Field(Ta), Field(Tr)))), 95.0)), Aggregate(Min(Int(Arithmetic(Subtract, (Field(Ta), Field(Tr))))))))
    ratio(has(value) && value > 1)
        Aggregate(Ratio(All([HasNumber(Double(Arithmetic(Divide, (Of(Field(Tr)), Const(1000.0))))), Doubles(Greater, Arithmetic(Divide, (Of(Field(Tr)), Const(1000.0))), Const(1.0))])))
    top(value, 5)
        Aggregate(Top { value: Text(Field(Path)), tag: "value", k: 5 })
    ratio(value) / ratio(has(value))
        Arithmetic(Divide, (Aggregate(Ratio(Field(Tls))), Aggregate(Ratio(HasField(Tls)))))
    "#);
}

#[test]
fn groups_are_told_apart_by_expressions() {
    let key = |source| check::key(&cel::parse(source).unwrap(), &schema()).unwrap();
    assert!(matches!(key("service"), KeyPart::Text(_)));
    assert!(matches!(key("status / 100"), KeyPart::Int(_)));
    assert!(matches!(key("status >= 500"), KeyPart::Bool(_)));
}

#[test]
fn units_are_known_where_they_say_something() {
    for (source, want) in [
        ("mean(Tr)", Unit::Time),
        ("sum(bytes_read)", Unit::Bytes),
        ("max(size(path))", Unit::Bytes),
        ("min(bytes_uploaded + 1)", Unit::Bytes),
        ("stddev(tls ? Tr : 0)", Unit::Time),
        ("percentile(-Tr - 5ms, 95)", Unit::Time),
        ("percentile(Tr * 0.5 + Tw, 95)", Unit::Time),
        ("mean(Tr * retries)", Unit::Time),
        // Converted by hand: nobody knows into what.
        ("mean(Tr / 1000.0)", Unit::None),
        ("mean(Tr / (60 * 1000))", Unit::None),
        ("mean(Tr) / 1000", Unit::None),
        ("mean(Tr / Tt)", Unit::None),
        ("mean(Tr * Tt)", Unit::None),
        ("mean(status)", Unit::None),
        ("sum(bytes_read) / count()", Unit::Bytes),
        ("sum(bytes_read) / sum(Tr)", Unit::None),
        ("count() * mean(Tr)", Unit::Time),
        ("-max(Tr) + 5", Unit::Time),
        ("count()", Unit::None),
        ("rate()", Unit::None),
        ("ratio(Tr > 5ms)", Unit::None),
        ("distinct(Tr)", Unit::None),
        ("apdex(Tr, 5)", Unit::None),
        ("histogram(Tr)", Unit::None),
        ("top(Tr, 5)", Unit::None),
    ] {
        let measured = check::measure(&cel::parse(source).unwrap(), &schema()).unwrap();
        assert_eq!(check::unit(&measured), want, "{source}");
    }
}

#[test]
fn durations_and_sizes_are_numbers() {
    for (source, want) in [
        ("Tr == 150ms", true),
        ("Tr > 149999us", true),
        ("Tr > 150us * 1000", false),
        (
            "Tr >= 0.15s && Tr < 1s && Tr < 1m && Tr < 1h && Tr < 1d",
            true,
        ),
        ("Tr in [100ms, 0.15s]", true),
        ("Tr in [100ms, 150.5ms]", false),
        ("Tr in [duration('150ms')]", true),
        ("Tr + 50ms == Tt", true),
        ("Tr == duration('150ms') && Tr < duration('1m0.5s')", true),
        ("-Tr == -150ms", true),
        ("Tr / 1ms == 150", true),
        ("bytes_read == 0.5KiB && bytes_read > 0.5KB", true),
        (
            "bytes_read < 1MB && bytes_read < 1MiB && bytes_read < 1GB",
            true,
        ),
        ("bytes_read in [512B]", true),
        ("size(path) == 9B", true),
        ("(tls ? 100ms : 2s) == 100", true),
        // Of a missing timer there is nothing to say.
        ("Tc >= 0ms || Tc < 0ms || Tc in [0ms]", false),
        ("bytes_uploaded < 1GiB", false),
    ] {
        assert_eq!(holds(source, &event()), want, "{source}");
    }
}

#[test]
fn has_tells_whether_the_line_says() {
    let names = ["Host", "User-Agent", "X-Tenant"].map(Box::from);
    let full = Event {
        request_headers: Some(Captures {
            values: b"example.org|curl|",
            separator: Separator::Pipe,
            names: &names,
        }),
        extra: Extra::of(&[
            ("country", ExtraType::String, Some("se")),
            ("none", ExtraType::String, None),
        ]),
        accept_date: Some(Timestamp::from_millis(0)),
        ..event()
    };
    let empty = Event::of_kind(Kind::Tcp);
    for (source, want) in [
        ("has(Tr)", [true, false]),
        ("has(Tc)", [false, false]),
        ("!has(Tc)", [true, true]),
        ("has(status) && status == 503", [true, false]),
        ("has(path)", [true, false]),
        ("has(request_cookie)", [false, false]),
        ("has(kind)", [true, true]),
        // It is said by its absence.
        ("has(tls)", [true, true]),
        ("has(accept_date)", [true, false]),
        ("has(request_date)", [false, false]),
        ("has(service)", [true, false]),
        ("has(request_headers)", [true, false]),
        ("has(response_headers)", [false, false]),
        ("has(request_headers[0])", [true, false]),
        ("has(request_headers[2])", [true, false]),
        ("has(request_headers[3])", [false, false]),
        ("has(request_headers['host'])", [true, false]),
        ("has(request_headers['X-Tenant'])", [false, false]),
        ("has(request_headers['Other'])", [false, false]),
        ("has(extra)", [true, false]),
        ("has(extra['country'])", [true, false]),
        ("has(extra['none'])", [false, false]),
        ("has(extra['other'])", [false, false]),
    ] {
        assert_eq!(
            [&full, &empty].map(|event| holds(source, event)),
            want,
            "{source}"
        );
    }
    // A field with a type that its text is not of is missing.
    let formats = super::names();
    let schema = Schema::with_service(Text::Field(Field::Frontend), &formats);
    let with = |rate, cached| Event {
        extra: Extra::of(&[
            ("src_conn_rate", ExtraType::Int, Some(rate)),
            ("cached", ExtraType::Bool, Some(cached)),
        ]),
        ..event()
    };
    for (source, want) in [
        ("has(extra['src_conn_rate'])", [true, false]),
        ("has(extra['cached'])", [true, false]),
    ] {
        let condition = check::condition(&cel::parse(source).unwrap(), &schema).unwrap();
        let events = [with("5", "0"), with("x", "x")];
        assert_eq!(
            events.map(|event| condition.holds(&event)),
            want,
            "{source}"
        );
    }
    // So is what it stands for.
    let number = check::value(&cel::parse("Tr / Tw").unwrap(), &schema).unwrap();
    let schema = schema.with_value(number);
    let condition = check::condition(&cel::parse("has(value)").unwrap(), &schema).unwrap();
    assert!(!condition.holds(&event()));
}

#[test]
fn patterns_are_looked_for_anywhere() {
    for (source, want) in [
        ("path.matches('users')", true),
        ("path.matches('^/v[0-9]+/users$')", true),
        ("path.matches('^users')", false),
        (r"path.matches(r'/v\d/')", true),
        ("path.matches('(?i)USERS')", true),
        ("path.matches('')", true),
        ("request_headers[0].matches('^example')", true),
        ("(tls ? 'aa' : 'b').matches('^a{2}$')", true),
        // Bytes that are not UTF-8 are no character, and no reason to fail.
        ("query.matches('^id=.$')", false),
        ("query.matches('^id=')", true),
        (r"query.matches(r'^id=(?-u:\xff)$')", true),
        ("request_cookie.matches('')", false),
        ("!request_cookie.matches('')", true),
    ] {
        assert_eq!(holds(source, &event()), want, "{source}");
    }
}

#[test]
fn addresses_are_compared_by_what_they_say() {
    let from = |client_ip: &'static [u8]| Event {
        client_ip: Some(client_ip),
        ..event()
    };
    let events = [
        from(b"10.0.0.1"),
        from(b"::ffff:10.0.0.1"),
        from(b"2001:db8:0::1"),
        from(b"127.0.0.1"),
        from(b"::1"),
        from(b"fd00::1"),
        from(b"unix"),
        Event {
            client_ip: None,
            ..event()
        },
    ];
    for (source, want) in [
        ("client_ip in cidr('10.0.0.0/8')", "11000000"),
        ("cidr('10.0.0.0/8').containsIP(client_ip)", "11000000"),
        ("cidr('10.0.0.0/8').containsIP(ip(client_ip))", "11000000"),
        ("cidr('10.0.0.0/8').containsIP('10.9.9.9')", "11111111"),
        ("client_ip in cidr('::ffff:10.0.0.0/104')", "11000000"),
        ("!(client_ip in cidr('10.0.0.0/8'))", "00111111"),
        ("client_ip in cidr('0.0.0.0/0')", "11010000"),
        ("client_ip in cidr('::/0')", "00101100"),
        (
            "client_ip in [cidr('10.0.0.0/8'), cidr('fd00::/8'), ip('::1')]",
            "11001100",
        ),
        ("ip(client_ip) in [cidr('127.0.0.0/8')]", "00010000"),
        ("ip(client_ip) == ip('10.0.0.1')", "11000000"),
        ("ip(client_ip) == ip('::ffff:10.0.0.1')", "11000000"),
        ("ip(client_ip) == ip('2001:db8::1')", "00100000"),
        ("client_ip == '2001:db8::1'", "00000000"),
        ("ip(client_ip) != ip('10.0.0.1')", "00111100"),
        ("ip(client_ip) == ip(client_ip)", "11111100"),
        ("isIP(client_ip)", "11111100"),
        ("!isIP(client_ip)", "00000011"),
        ("isIP('10.0.0.1')", "11111111"),
        ("ip(client_ip).isLoopback()", "00011000"),
        ("ip(client_ip).isPrivate()", "11000100"),
        ("ip('192.168.0.1').isPrivate()", "11111111"),
        ("ip(client_ip).family() == 4", "11010000"),
        ("ip(client_ip).family() == 6", "00101100"),
        ("ip(client_ip).family() != 4", "00101100"),
        ("ip(client_ip).family() in [4, 6]", "11111100"),
        (
            "ip(request_headers['X-Forwarded-For']) == ip('10.0.0.1')",
            "00000000",
        ),
    ] {
        let condition = condition(source).unwrap_or_else(|faults| panic!("{source}: {faults:?}"));
        let held = events.each_ref().map(|event| match condition.holds(event) {
            true => '1',
            false => '0',
        });
        assert_eq!(String::from_iter(held), want, "{source}");
    }
}

#[test]
fn conditions_hold_or_do_not() {
    for (source, want) in [
        ("true", true),
        ("kind == 'http'", true),
        ("kind == 'tcp'", false),
        ("status == 503", true),
        ("status >= 503 && status <= 503", true),
        ("status > 503 || status < 503", false),
        ("status != 503", false),
        ("status > 502.5", true),
        ("503 == status", true),
        ("tls", true),
        ("partial", false),
        ("tls == true", true),
        ("tls != true", false),
        ("service == 'www'", true),
        ("backend < 'apj' && backend >= 'api'", true),
        ("method in ['POST', 'GET']", true),
        ("method in []", false),
        ("status in [500, 503]", true),
        ("status in [500.5, 503.0]", true),
        ("status in [500, 502]", false),
        ("path.startsWith('/v1/')", true),
        ("path.endsWith('users')", true),
        ("path.contains('1/u')", true),
        ("path.contains('')", true),
        ("path.contains('/v2')", false),
        ("size(path) == 9", true),
        // Bytes that are not UTF-8 count as bytes.
        ("size(query) == 4", true),
        ("query.startsWith('id=')", true),
        ("query == 'id='", false),
        ("request_headers[0] == 'example.org'", true),
        ("request_headers[2] == ''", true),
        ("'curl' in request_headers", true),
        ("'cur' in request_headers", false),
        ("size(request_headers) == 3", true),
        ("(tls ? 'a' : 'b') == 'a'", true),
        ("!tls ? true : status == 503", true),
        ("termination_state.startsWith('--')", false),
    ] {
        assert_eq!(holds(source, &event()), want, "{source}");
    }
}

#[test]
fn a_missing_value_makes_a_comparison_false() {
    let mut event = event();
    event.status = None;
    for (source, want) in [
        ("status == 200", false),
        ("status != 200", false),
        ("status < 200", false),
        ("status >= 200", false),
        ("!(status >= 500)", true),
        ("status == status", false),
        ("status in [200]", false),
        ("!(status in [200])", true),
        ("status + 1 > 0", false),
        ("status > 0.5", false),
        ("Tc >= 0 || Tc < 0", false),
        ("request_cookie == ''", false),
        ("request_cookie.contains('')", false),
        ("''.startsWith(request_cookie)", false),
        ("request_headers[3] == ''", false),
        ("response_headers[0] == ''", false),
        ("'x' in response_headers", false),
        ("request_cookie in request_headers", false),
        ("size(response_headers) >= 0", false),
        ("size(request_cookie) >= 0", false),
        ("request_cookie in ['a', '']", false),
        ("(tls ? status : Tr) == 150", false),
        ("(partial ? status : Tr) == 150", true),
    ] {
        assert_eq!(holds(source, &event), want, "{source}");
    }
}

#[test]
fn captured_headers_have_names() {
    let names = ["Host", "User-Agent", "X-Tenant", "X-Late"].map(Box::from);
    let mut event = event();
    event.request_headers = Some(Captures {
        values: b"example.org|curl|",
        separator: Separator::Pipe,
        names: &names,
    });
    for (source, want) in [
        ("request_headers['Host'] == 'example.org'", true),
        ("request_headers['hOST'] == request_headers[0]", true),
        ("request_headers['User-Agent'].startsWith('curl')", true),
        ("request_headers['User-Agent'] in ['wget', 'curl']", true),
        ("size(request_headers['User-Agent']) == 4", true),
        // A header that was not there is empty by position and missing by name.
        ("request_headers[2] == ''", true),
        ("request_headers['X-Tenant'] == ''", false),
        ("request_headers['X-Tenant'] != 'a'", false),
        ("size(request_headers['X-Tenant']) >= 0", false),
        ("!(request_headers['X-Tenant'] == 'a')", true),
        // The line ends before it, no format captures it, nothing is captured.
        ("request_headers['X-Late'] != 'a'", false),
        ("request_headers['X-Other'] != 'a'", false),
        ("response_headers['Host'] != 'a'", false),
    ] {
        assert_eq!(holds(source, &event), want, "{source}");
    }
    let tenant = "request_headers['X-Tenant'] == '-'";
    for (values, separator, want) in [
        (&b"a|b|-"[..], Separator::Pipe, true),
        (b"a\" \"b\" \"-", Separator::Quotes, true),
        (b"a\" \"b\" \"", Separator::Quotes, false),
        // Without quotes, a `-` is all that HAProxy can write for a missing one.
        (b"a b -", Separator::Blank, false),
        (b"a\0b\0-", Separator::Nul, true),
    ] {
        event.request_headers = Some(Captures {
            values,
            separator,
            names: &names,
        });
        assert_eq!(holds(tenant, &event), want, "{separator:?}");
    }
}

#[test]
fn fields_of_custom_formats_have_values() {
    let names = names();
    let schema = Schema::with_service(Text::Field(Field::Frontend), &names);
    let with = |country, rate, cached| Event {
        extra: Extra::of(&[
            ("country", ExtraType::String, country),
            ("src_conn_rate", ExtraType::Int, rate),
            ("cached", ExtraType::Bool, cached),
        ]),
        ..event()
    };
    let full = with(Some("se"), Some("-7"), Some("1"));
    let none = with(None, None, None);
    let wrong = with(Some(""), Some("x"), Some("x"));
    let elsewhere = event();
    for (source, want) in [
        ("extra['country'] == 'se'", [true, false, false, false]),
        ("extra['country'] == ''", [false, false, true, false]),
        ("extra['country'] != 'x'", [true, false, true, false]),
        ("extra['src_conn_rate'] == -7", [true, false, false, false]),
        ("extra['src_conn_rate'] < 0.5", [true, false, false, false]),
        (
            "extra['src_conn_rate'] in [-7]",
            [true, false, false, false],
        ),
        ("extra['cached']", [true, false, false, false]),
        ("!extra['cached']", [false, true, true, true]),
        // The formats have it, this line's has not.
        ("extra['ssl_version'] != 'x'", [false; 4]),
    ] {
        let node = cel::parse(source).unwrap();
        let condition = check::condition(&node, &schema).unwrap();
        let events = [&full, &none, &wrong, &elsewhere];
        assert_eq!(events.map(|event| condition.holds(event)), want, "{source}");
    }
    // Without a known format it is a string, or it is missing.
    assert!(holds("extra['country'] == 'se'", &full));
    assert!(!holds("extra['country'] != 'x'", &elsewhere));
}

#[test]
fn every_field_that_a_format_can_have_is_known() {
    let mut event = event();
    event.bytes_uploaded = Some(10);
    event.bind_name = Some(b"https");
    event.message = Some(b"SSL handshake failure");
    event.state = Some(b"DOWN");
    let timers = &mut event.timers;
    (timers.accept_to_request, timers.data) = (Some(1), Some(2));
    (timers.handshake, timers.idle, timers.user) = (Some(3), Some(4), Some(5));
    for source in [
        "Tq == 1 && Td == 2 && Th == 3 && Ti == 4 && Tu == 5",
        "bytes_uploaded > 9",
        "bind_name == 'https'",
        "message.contains('handshake')",
        "state == 'DOWN'",
    ] {
        assert!(holds(source, &event), "{source}");
        assert!(!holds(source, &super::event()), "{source}");
    }
    for kind in Kind::ALL {
        let event = Event::of_kind(kind);
        for other in Kind::ALL {
            let source = format!("kind == '{}'", other.as_str());
            assert_eq!(holds(&source, &event), kind == other, "{source}");
        }
    }
}

#[test]
fn numbers_are_computed_or_missing() {
    for (source, want) in [
        ("Tr", Some(150.0)),
        ("-Tr", Some(-150.0)),
        ("Tr + Tt * 2", Some(550.0)),
        ("Tr / 100", Some(1.0)),
        ("Tr / 100.0", Some(1.5)),
        ("Tr % 100", Some(50.0)),
        ("-Tr / 100", Some(-1.0)),
        ("Tr - 0.5", Some(149.5)),
        ("-(Tr * 0.5)", Some(-75.0)),
        ("tls ? 1 : 2.5", Some(1.0)),
        ("partial ? 1 : 2.5", Some(2.5)),
        // Missing, by zero, out of range.
        ("Tc", None),
        ("Tr + Tc", None),
        ("Tr * 1.5 + Tc", None),
        ("Tr / Tw", None),
        ("Tr % Tw", None),
        ("Tr / 0.0", None),
        ("Tr * 9223372036854775807", None),
        ("-(-9223372036854775807 - 1)", None),
        ("(-9223372036854775807 - 1) / -1", None),
        ("Tr * 1.7e308", None),
    ] {
        assert_eq!(value(source, &event()), want, "{source}");
    }
}

#[test]
fn nothing_that_is_written_overflows_the_stack() {
    for (part, last) in [
        ("!", "tls"),
        ("-", "1"),
        ("1+", "1"),
        ("(", "1"),
        ("[", "1"),
        ("tls ? tls : ", "tls"),
        ("a.b().", "c()"),
        ("size(", "path"),
        ("tls && ", "tls"),
        ("has(", "Tr"),
        ("1s+", "1s"),
    ] {
        for repeated in [100, 4000 / part.len(), 100_000] {
            let source = part.repeat(repeated) + last;
            // Only that it returns counts: whether it is refused is the parser's.
            let _ = condition(&source).map(|condition| condition.holds(&event()));
        }
    }
}

/// An expression and what it should say, by a naive reading of the language.
#[derive(Clone, Debug)]
struct Case {
    source: String,
    want: Naive,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Naive {
    Bool(bool),
    Int(Option<i64>),
    Double(Option<f64>),
}

fn number() -> impl Strategy<Value = Case> {
    let leaf = prop_oneof![
        (-5i64..=5).prop_map(|value| Case {
            source: format!("{value}"),
            want: Naive::Int(Some(value)),
        }),
        (-4i8..=4).prop_map(|value| Case {
            source: format!("{:.2}", f64::from(value) / 4.0),
            want: Naive::Double(Some(f64::from(value) / 4.0)),
        }),
        (0i64..=5).prop_map(|value| Case {
            source: format!("{value}ms"),
            want: Naive::Int(Some(value)),
        }),
        (1i64..=3).prop_map(|value| Case {
            source: format!("{}us", value * 250),
            want: Naive::Double(Some(value as f64 / 4.0)),
        }),
        Just(Case {
            source: "Tr".into(),
            want: Naive::Int(Some(150)),
        }),
        Just(Case {
            source: "Tw".into(),
            want: Naive::Int(Some(0)),
        }),
        Just(Case {
            source: "Tc".into(),
            want: Naive::Int(None),
        }),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        (inner.clone(), "[-+*/]", inner).prop_map(|(a, operator, b)| Case {
            source: format!("({} {operator} {})", a.source, b.source),
            want: match (a.want, b.want) {
                (Naive::Int(a), Naive::Int(b)) => {
                    Naive::Int(a.zip(b).and_then(|(a, b)| match operator.as_str() {
                        "+" => a.checked_add(b),
                        "-" => a.checked_sub(b),
                        "*" => a.checked_mul(b),
                        _ => a.checked_div(b),
                    }))
                }
                (a, b) => Naive::Double(promoted(a).zip(promoted(b)).and_then(|(a, b)| {
                    let value = match operator.as_str() {
                        "+" => a + b,
                        "-" => a - b,
                        "*" => a * b,
                        _ => a / b,
                    };
                    value.is_finite().then_some(value)
                })),
            },
        })
    })
}

fn promoted(value: Naive) -> Option<f64> {
    match value {
        Naive::Int(value) => value.map(|value| value as f64),
        Naive::Double(value) => value,
        Naive::Bool(_) => None,
    }
}

fn boolean() -> impl Strategy<Value = Case> {
    let comparison = (
        number(),
        prop::sample::select(vec!["<", "<=", "==", "!=", ">", ">="]),
        number(),
    )
        .prop_map(|(a, operator, b)| {
            let order = match (a.want, b.want) {
                (Naive::Int(a), Naive::Int(b)) => a.zip(b).map(|(a, b)| a.cmp(&b)),
                (a, b) => promoted(a)
                    .zip(promoted(b))
                    .and_then(|(a, b)| a.partial_cmp(&b)),
            };
            let want = order.is_some_and(|order| match operator {
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                "==" => order.is_eq(),
                "!=" => order.is_ne(),
                ">" => order.is_gt(),
                _ => order.is_ge(),
            });
            Case {
                source: format!("({} {operator} {})", a.source, b.source),
                want: Naive::Bool(want),
            }
        });
    let field = Just(Case {
        source: "tls".into(),
        want: Naive::Bool(true),
    });
    prop_oneof![comparison, field].prop_recursive(4, 24, 3, |inner| {
        let pair =
            (inner.clone(), "&&|\\|\\||==|!=", inner.clone()).prop_map(|(a, operator, b)| {
                let (x, y) = (a.want == Naive::Bool(true), b.want == Naive::Bool(true));
                let want = match operator.as_str() {
                    "&&" => x && y,
                    "||" => x || y,
                    "==" => x == y,
                    _ => x != y,
                };
                Case {
                    source: format!("({} {operator} {})", a.source, b.source),
                    want: Naive::Bool(want),
                }
            });
        let not = inner.clone().prop_map(|a| Case {
            source: format!("!{}", a.source),
            want: Naive::Bool(a.want != Naive::Bool(true)),
        });
        let choice = (inner.clone(), inner.clone(), inner).prop_map(|(c, a, b)| Case {
            source: format!("({} ? {} : {})", c.source, a.source, b.source),
            want: if c.want == Naive::Bool(true) {
                a.want
            } else {
                b.want
            },
        });
        prop_oneof![pair, not, choice]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn conditions_agree_with_a_naive_reading(case in boolean()) {
        prop_assert_eq!(Naive::Bool(holds(&case.source, &event())), case.want, "{}", case.source);
    }

    #[test]
    fn numbers_agree_with_a_naive_reading(case in number()) {
        prop_assert_eq!(value(&case.source, &event()), promoted(case.want), "{}", case.source);
    }

    #[test]
    fn any_text_is_read_or_refused(source in "([a-zT0-9 ()\\[\\]<>=!&|+*/%?:.,'\"ä-]|has\\(|5ms|\\.5KB){0,40}") {
        if let Err(faults) = condition(&source) {
            prop_assert!(!faults.is_empty());
            for fault in faults {
                prop_assert!(source.get(fault.span.clone()).is_some(), "{:?}", fault);
            }
        }
    }
}

/// Ints keep percentiles exact; only fractions are scaled.
#[test]
fn a_value_knows_whether_it_has_fractions() {
    let kind = |source: &str| {
        let node = cel::parse(&format!("sum({source})")).unwrap();
        matches!(
            check::measure(&node, &schema()),
            Ok(Measured::Aggregate(Aggregate::Sum(Number::Int(_))))
        )
    };
    assert!(kind("Tr + 1"));
    assert!(!kind("Tr + 1.0"));
}
