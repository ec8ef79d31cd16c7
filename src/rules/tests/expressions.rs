//! The language of conditions and values: what each source becomes, and what it
//! says of an event. The trees also guard against changes in the `cel` crate.

use super::super::cel;
use super::super::check::{self, Aggregate};
use super::super::expr::{Bool, Number, Text};
use super::super::schema::Schema;
use super::{event, names};
use crate::haproxy::{Captures, Event, Extra, ExtraType, Field, FieldNames, Kind, Separator};
use crate::source::Fault;
use proptest::prelude::*;

/// No format is configured.
static UNKNOWN: FieldNames = FieldNames {
    known: false,
    request_headers: Vec::new(),
    response_headers: Vec::new(),
    extra: Vec::new(),
};

fn schema() -> Schema<'static> {
    Schema::with_service(Text::Field(Field::Frontend), &UNKNOWN)
}

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
        Ok(crate::rules::lower::Measured::Aggregate(Aggregate::Sum(number))) => number.of(event),
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
    ] {
        let node = cel::parse(source).unwrap();
        let aggregate = check::measure(&node, &schema()).unwrap();
        trees.push_str(&format!("{source}\n    {aggregate:?}\n"));
    }
    insta::assert_snapshot!(trees, @r#"
    count()
        Count
    rate()
        Rate
    ratio(status >= 500)
        Ratio(Ints(GreaterOrEqual, Field(Status), Const(500)))
    sum(bytes_read)
        Sum(Int(Field(BytesRead)))
    mean(Tr / 2)
        Mean(Int(Arithmetic(Divide, (Field(Tr), Const(2)))))
    min(Tr)
        Min(Int(Field(Tr)))
    max(Tr * 0.001)
        Max(Double(Arithmetic(Multiply, (Of(Field(Tr)), Const(0.001)))))
    percentile(Tr, 99.9)
        Percentile(Int(Field(Tr)), 99.9)
    percentile(Tr, 50)
        Percentile(Int(Field(Tr)), 50.0)
    "#);
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
    fn any_text_is_read_or_refused(source in "[a-zT0-9 ()\\[\\]<>=!&|+*/%?:.,'\"ä-]{0,40}") {
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
            Ok(crate::rules::lower::Measured::Aggregate(Aggregate::Sum(Number::Int(_))))
        )
    };
    assert!(kind("Tr + 1"));
    assert!(!kind("Tr + 1.0"));
}
