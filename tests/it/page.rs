//! The page as a person meets it: real Chromium looks at `weir demo`, and clicks
//! and types. What is asked of the browser is what can be seen or read in it.

use crate::support::http;
use crate::support::line::httplog;
use crate::support::process::Process;
use crate::support::{
    Demo, RUNTIME, Weir, folder, now_millis, ports, program, require, wait_for, write,
};
use fantoccini::actions::{InputSource, MOUSE_BUTTON_LEFT, MouseActions, PointerAction};
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;
use weir::top::{alarms, format, wire};

/// From the demo's first line to the first window's values on the page.
const FIRST_VALUES: Duration = Duration::from_secs(60);
/// The demo's incident comes and is told within this.
const INCIDENT: Duration = Duration::from_secs(60);
/// For what the page does by itself or at a key: an answer of the server, a frame.
pub const SOON: Duration = Duration::from_secs(20);

pub const DESKTOP: (u32, u32) = (1280, 800);
pub const PHONE: (u32, u32) = (360, 740);

/// A service's, from the top.
const CHARTS: [&str; 5] = ["status", "errors", "latency", "heatmap", "timers"];

#[test]
fn ten_services_appear_move_and_the_troubled_one_comes_first() {
    let Some((_demo, page)) = open(DESKTOP) else {
        return;
    };
    page.wait_for_ten_services();
    assert_eq!(page.attribute("#connection", "data-state"), "live");
    for service in page.services() {
        let row = format!("tr[data-service='{service}']");
        let field = |name: &str| page.text(&format!("{row} [data-field='{name}']"));
        assert!(
            field("rate").ends_with("/s"),
            "{service}: {}",
            field("rate")
        );
        for latency in ["p50", "p95", "p99"] {
            let text = field(latency);
            assert!(
                is_number_with(&text, &["ms", "s"]) || text == "–",
                "{service} {latency}: {text}"
            );
        }
        let errors = field("errors");
        assert!(
            is_number_with(&errors, &["%"]) || errors == "–",
            "{service}: {errors}"
        );
        let lines = page.ask(&format!("return [...document.querySelectorAll(\"{row} .spark .line\")].filter(line => line.getAttribute('d')).length"));
        assert_eq!(lines, json!(3), "{service} has its sparklines");
    }

    // A reload would take this mark away.
    page.ask("window.stillTheSamePage = true");
    let before = page.text("#services tbody");
    wait_for("values to change by themselves", SOON, || {
        let now = page.text("#services tbody");
        (now != before).then_some(()).ok_or(now)
    });
    assert_eq!(
        page.ask("return window.stillTheSamePage === true"),
        json!(true)
    );

    wait_for("a troubled service on top, with a reason", INCIDENT, || {
        let severity = page.attribute("#services tbody tr", "data-severity");
        let why = page.text("#services tbody tr [data-field='why']");
        let word = page.text("#services tbody tr [data-field='severity']");
        let told = (severity == "warn" || severity == "bad") && word == severity && !why.is_empty();
        told.then_some(())
            .ok_or(format!("the first row says {word:?}, {why:?}"))
    });
    page.assert_quiet_console();
}

#[test]
fn the_pipeline_is_always_in_sight_and_opens_to_its_details() {
    let Some((_demo, page)) = open(DESKTOP) else {
        return;
    };
    wait_for("lines per second above 0", FIRST_VALUES, || {
        let text = page.text("#pipeline [data-field='lines']");
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        digits
            .parse::<u64>()
            .is_ok_and(|n| n > 0)
            .then_some(())
            .ok_or(text)
    });
    for field in [
        "received",
        "parsed",
        "rejected",
        "late",
        "lost",
        "queue",
        "sink-state",
    ] {
        assert_ne!(
            page.text(&format!("#pipeline [data-field='{field}']")),
            "",
            "{field}"
        );
    }
    page.wait_for_ten_services();
    page.ask("scrollTo(0, document.documentElement.scrollHeight)");
    assert!(page.shows("#pipeline"));
    let top = page.ask("return document.querySelector('#pipeline').getBoundingClientRect().top");
    assert!(
        top.as_f64().is_some_and(|top| (0.0..200.0).contains(&top)),
        "scrolled to {top}"
    );

    page.click("#pipeline");
    assert!(
        page.text("#pipeline-details").contains("127.0.0.1:"),
        "it names its listeners"
    );
    page.press(Key::Escape);
    assert!(!page.shows("#pipeline-details"));
    page.assert_quiet_console();
}

#[test]
fn a_click_opens_a_service_over_time_and_escape_goes_back() {
    let Some((_demo, page)) = open(DESKTOP) else {
        return;
    };
    page.wait_for_ten_services();
    let service = page.services().remove(0);
    page.click(&format!("tr[data-service='{service}'] [data-field='rate']"));
    page.wait_for_charts(&service);
    assert!(
        page.address().contains(&format!("/{service}")),
        "{}",
        page.address()
    );

    page.click("[data-range='1h']");
    wait_for("the address to keep the range", SOON, || {
        let address = page.address();
        address.ends_with("range=1h").then_some(()).ok_or(address)
    });
    page.reload();
    page.wait_for_charts(&service);
    assert_eq!(page.attribute("[data-range='1h']", "aria-current"), "true");

    page.press(Key::Escape);
    page.wait_for_ten_services();
    assert!(!page.shows("[data-chart]"));
    page.assert_quiet_console();
}

#[test]
fn what_haproxy_says_of_a_server_is_marked_on_its_service() {
    let Some((_demo, page)) = open(DESKTOP) else {
        return;
    };
    page.wait_for_ten_services();
    page.click("tr[data-service='payments'] [data-field='rate']");
    page.wait_for_charts("payments");
    let titles =
        "return [...document.querySelectorAll('tr[data-mark] th')].map(th => th.innerText)";
    wait_for("the server to be down and up again", INCIDENT, || {
        let told = page.ask(titles);
        let want = json!(["▲payments/payments-2 UP", "▼payments/payments-2 DOWN"]);
        (told == want).then_some(()).ok_or(told.to_string())
    });
    // Ten seconds apart in a minute or two: each has its own glyph, in every chart.
    let glyphs = page.ask(
        "return [...document.querySelectorAll('[data-chart]')].map(chart =>
           [...chart.querySelectorAll('.mark')].map(mark => mark.dataset.kind))",
    );
    assert_eq!(glyphs, json!(vec![["bad", "ok"]; CHARTS.len()]));
    page.ask("document.querySelector('.mark').focus()");
    let tip = page.text(".tip:not([hidden])");
    assert!(
        tip.contains("payments/payments-2 DOWN"),
        "the tip says {tip:?}"
    );

    page.press(Key::Escape);
    page.wait_for_ten_services();
    page.click("tr[data-service='search'] [data-field='rate']");
    page.wait_for_charts("search");
    assert_eq!(page.ask(titles), json!([]), "another service's server");
    page.assert_quiet_console();
}

#[test]
fn the_keyboard_reaches_everything() {
    let Some((_demo, page)) = open(DESKTOP) else {
        return;
    };
    page.wait_for_ten_services();

    page.type_text("j");
    let first = page.focused_service();
    page.type_text("j");
    assert_ne!(page.focused_service(), first);
    page.type_text("k");
    let chosen = page.focused_service();
    page.press(Key::Enter);
    page.wait_for_charts(&chosen);
    page.press(Key::Escape);
    page.wait_for_ten_services();
    wait_for("the focus to be where it was", SOON, || {
        let focused = page.focused_service();
        (focused == chosen).then_some(()).ok_or(focused)
    });

    page.type_text("/");
    page.type_text(&chosen);
    wait_for("the filter to leave what it names", SOON, || {
        let services = page.services();
        let all_match = services.iter().all(|service| service.contains(&chosen));
        (all_match && !services.is_empty())
            .then_some(())
            .ok_or(services.join(", "))
    });
    page.press(Key::Escape);
    page.wait_for_ten_services();
    page.assert_quiet_console();
}

#[test]
fn a_phone_shows_it_all_without_scrolling_sideways() {
    let Some((_demo, page)) = open(PHONE) else {
        return;
    };
    page.wait_for_ten_services();
    page.assert_fits("the list");
    let service = page.services().remove(0);
    let row = format!("tr[data-service='{service}']");
    for field in ["rate", "p95", "errors"] {
        assert!(
            page.shows(&format!("{row} [data-field='{field}']")),
            "{field}"
        );
    }
    assert!(page.shows("#pipeline [data-field='lines']"));

    page.click(&row);
    page.wait_for_charts(&service);
    page.assert_fits("one service");
    page.click("#pipeline");
    assert!(page.shows("#pipeline-details"));
    page.assert_fits("the pipeline's details");
    page.assert_quiet_console();
}

#[test]
fn a_rejected_line_is_shown_as_text_with_the_word_that_could_not_be_read() {
    if !require(&["chromium", "chromedriver"]) {
        return;
    }
    let site = folder(&[(
        "weir.yaml",
        r#"listen:
  - { protocol: udp, address: "127.0.0.1:0" }
state: state
http: { address: "127.0.0.1:0" }
"#,
    )]);
    let mut weir = Weir::serve(site.path());
    let syslog = weir.address("udp");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
    let send = |status: &str| {
        let line = httplog("users", now_millis(), 12, 200);
        let line = line.replace(" 200 ", &format!(" {status} "));
        udp.send_to(line.as_bytes(), syslog).expect("loopback");
    };
    let page = Page::open(&format!("{}/", weir.http()), PHONE);
    send("<b>\x1b");
    page.click("#pipeline");
    let malformed = "#pipeline-details [data-reason='malformed']";
    let rejected = |count: &str| {
        wait_for("the count of rejected lines", SOON, || {
            let text = page.text(&format!("{malformed} .value"));
            (text == count).then_some(()).ok_or(text)
        });
    };
    rejected("1");
    assert!(
        !page.shows(&format!("{malformed} li")),
        "it opens on demand"
    );
    page.ask(&format!(
        "document.querySelector(\"{malformed} summary\").focus()"
    ));
    page.press(Key::Enter);
    let stuck = |word: &str| {
        wait_for("the sample", SOON, || {
            let text = page.text(&format!("{malformed} li:first-child mark"));
            (text == word).then_some(()).ok_or(text)
        });
    };
    stuck("<b>\\u{1b}");
    let why = page.text(&format!("{malformed} li p"));
    assert!(why.contains("cannot read `status`"), "{why}");

    // It stays open, and keeps the focus, while new ones come.
    send("two-hundred");
    rejected("2");
    stuck("two-hundred");
    assert_eq!(
        page.ask("return document.activeElement.tagName"),
        json!("SUMMARY")
    );
    page.assert_fits("samples of rejected lines");
    page.assert_quiet_console();
}

#[test]
fn a_page_that_is_opened_late_tells_of_the_last_minute_and_why_a_sink_is_down() {
    if !require(&["chromium", "chromedriver"]) {
        return;
    }
    let dead = ports::free();
    let config = format!(
        r#"listen:
  - {{ protocol: udp, address: "127.0.0.1:0" }}
rules: rules.yaml
state: state
grace: 100ms
sinks:
  librato: {{ url: "http://127.0.0.1:{dead}/a/long/path/that/makes/a/long/message/of/what/went/wrong" }}
http: {{ address: "127.0.0.1:0" }}
"#
    );
    let rules = "rules:\n  - name: http\n    window: 1s\n    measure: { n: count() }\n";
    let site = folder(&[("weir.yaml", &config), ("rules.yaml", rules)]);
    let mut weir = Weir::serve(site.path());
    let syslog = weir.address("udp");
    let base = weir.http();
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
    let line = httplog("users", now_millis(), 12, 200);
    for line in [line.replace(" 200 ", " two "), line] {
        udp.send_to(line.as_bytes(), syslog).expect("loopback");
    }
    wait_for("the sink to be down, the line to be rejected", SOON, || {
        let pipeline = http::get_json(&format!("{base}/api/v1/pipeline"))?;
        let sink = &pipeline["sinks"][0];
        let down = sink["state"] == "retrying" && sink["last_error"] != "";
        let rejected = pipeline["rejected"]["malformed"] == 1;
        (down && rejected).then_some(()).ok_or(pipeline.to_string())
    });

    let page = Page::open(&format!("{base}/"), DESKTOP);
    page.click("#pipeline");
    let mut alarms = String::new();
    wait_for("what has happened before", SOON, || {
        alarms = page.text("#pipeline-details .alarms");
        let told = alarms.contains("1 line rejected in the last minute: malformed");
        told.then_some(()).ok_or(alarms.clone())
    });
    assert!(
        alarms.contains("sink librato is not taking data"),
        "{alarms}"
    );
    let cut = page.ask(
        "return [...document.querySelectorAll('#pipeline-details .scroll')]
           .filter(table => table.scrollWidth > table.clientWidth).map(table => table.innerText)",
    );
    assert_eq!(cut, json!([]), "tables to be scrolled sideways");
    page.assert_quiet_console();
}

#[test]
fn a_promise_that_is_broken_is_told() {
    if !require(&["chromium", "chromedriver"]) {
        return;
    }
    let site = folder(&[("file", "")]);
    let mut weir = Weir::librato(0, &site.path().join("file/data"));
    let page = Page::open(&format!("{}/", weir.http()), PHONE);
    wait_for("the pipeline's state", SOON, || {
        let told = page.text("#pipeline .verdict");
        (told == "the store keeps nothing")
            .then_some(())
            .ok_or(told)
    });
    page.click("#pipeline");
    let alarm = page.text("#pipeline-details .alarms");
    let why = "points are in memory until weir ends";
    assert!(alarm.contains(why), "{why}: {alarm}");
    assert!(!alarm.contains("cannot keep what it is given"), "{alarm}");
}

#[test]
fn rules_that_were_refused_are_told_until_they_are_right() {
    if !require(&["chromium", "chromedriver"]) {
        return;
    }
    const RULES: &str =
        "rules:\n  - name: http\n    where: status >= 500\n    measure: { n: count() }\n";
    let site = folder(&[
        ("rules.yaml", RULES),
        (
            "weir.yaml",
            "listen: [{ protocol: udp, address: \"127.0.0.1:0\" }]\nrules: rules.yaml\n\
             state: state\nhttp: { address: \"127.0.0.1:0\" }\n",
        ),
    ]);
    let rules = site.path().join("rules.yaml");
    let mut weir = Weir::serve(site.path());
    let page = Page::open(&format!("{}/", weir.http()), PHONE);
    let verdict = |text: &str| {
        wait_for("the pipeline's state", SOON, || {
            let told = page.text("#pipeline .verdict");
            (told == text).then_some(()).ok_or(told)
        });
    };
    verdict("no line yet");
    page.click("#pipeline");

    write(&rules, &RULES.replace("status", "stauts"));
    verdict("rules not reloaded");
    let alarm = page.text("#pipeline-details .alarms");
    for word in ["rules not reloaded since", "rules.yaml:3:12: ", "`stauts`"] {
        assert!(alarm.contains(word), "no {word:?} in {alarm}");
    }
    let refused = page.text("#pipeline-details .refused");
    for word in [
        "the rules before are in force",
        "rules.yaml:3:12: ",
        "`stauts`",
    ] {
        assert!(refused.contains(word), "no {word:?} in {refused}");
    }

    write(
        &rules,
        &RULES
            .replace("status", "stauts")
            .replace("count()", "cuont()"),
    );
    wait_for("both problems", SOON, || {
        let told = page.text("#pipeline-details .refused ul");
        let both = told.contains("`stauts`") && told.contains("`cuont`");
        both.then_some(()).ok_or(told)
    });
    let alarm = page.text("#pipeline-details .alarms");
    assert!(alarm.ends_with(", and 1 more"), "{alarm}");
    page.assert_fits("refused rules");

    write(&rules, RULES);
    verdict("no line yet");
    assert_eq!(page.text("#pipeline-details .alarms"), "");
    // Who comes later still finds what was wrong.
    let refused = page.text("#pipeline-details .refused");
    for word in ["since then the files are right again", "`cuont`"] {
        assert!(refused.contains(word), "no {word:?} in {refused}");
    }
    page.assert_quiet_console();
}

/// The page's words are made by JavaScript, those of `weir top` are not: whoever changes
/// either learns of the other here.
#[test]
fn the_terminal_says_the_same_as_the_page() {
    let Some((demo, page)) = open(DESKTOP) else {
        return;
    };
    let pipeline = http::get_json(&format!("{}/api/v1/pipeline", demo.url())).expect("JSON");
    let cases: Vec<Value> = in_trouble()
        .into_iter()
        .map(|changes| {
            let mut case = pipeline.clone();
            case["minute_ago"] = pipeline.clone();
            case["minute_ago"]["received"] = json!(0);
            for (place, value) in changes {
                let found = case.pointer_mut(place);
                *found.unwrap_or_else(|| panic!("no {place} in {pipeline}")) = value;
            }
            case
        })
        .collect();
    let told = page.module(
        "alarms",
        &json!(cases),
        "input.map(p => [module.alarmsOf(p).map(a => [a.severity, a.field, a.short, a.text]),
                         module.lost(p), module.rejected(p)])",
    );
    let zone = jiff::tz::TimeZone::system();
    for (case, told) in cases
        .iter()
        .zip(told.as_array().expect("an answer to each"))
    {
        let pipeline: wire::Pipeline = serde_json::from_value(case.clone()).expect("a pipeline");
        let alarms: Vec<Value> = alarms::alarms(&pipeline, &zone)
            .into_iter()
            .map(|alarm| {
                json!([
                    alarm.severity.as_str(),
                    alarm.field,
                    alarm.short,
                    alarm.text
                ])
            })
            .collect();
        let numbers = &pipeline.numbers;
        assert_eq!(&json!([alarms, numbers.lost(), numbers.rejected()]), told);
    }
    assert!(told.to_string().matches("bad").count() > 10, "{told}");

    let values = [
        0.0,
        1e-7,
        0.000_3,
        0.004,
        0.005,
        0.04,
        0.05,
        0.098,
        0.124,
        0.125,
        0.25,
        0.5,
        0.994,
        0.995,
        1.0,
        1.005,
        2.5,
        9.94,
        9.95,
        9.994,
        9.995,
        12.5,
        45.25,
        99.94,
        99.95,
        812.5,
        999.4,
        999.5,
        1_240.0,
        9_994.9,
        9_995.0,
        12_450.0,
        99_949.0,
        99_950.0,
        123_456.0,
        999_499.0,
        999_500.0,
        1_234_567.0,
        999_500_000.0,
        3e9,
        1e11,
    ];
    let written = page.module(
        "format",
        &json!(values.to_vec()),
        "input.map(v => [module.number(v), module.rate(v), module.duration(v), module.ratio(v),
            ...(Number.isInteger(v) ? [module.count(v), module.whole(v), module.bytes(v),
              module.age(v), module.hours(v), module.clock(v), module.dayAndClock(v)] : [])])",
    );
    for (value, written) in values.into_iter().zip(written.as_array().expect("a list")) {
        let some = Some(value);
        let mut own = vec![
            format::number(some),
            format::rate(some),
            format::duration(some),
            format::ratio(some),
        ];
        if value.fract() == 0.0 {
            let (count, seconds) = (value as u64, value as i64);
            own.extend([
                format::count(count),
                format::whole(count),
                format::bytes(count),
                format::age(seconds),
                format::hours(count),
                format::clock(seconds, &zone),
                format::day_and_clock(seconds, &zone),
            ]);
        }
        assert_eq!(&json!(own), written, "{value}");
    }

    let service = |severity: &str, why: &str, time: i64, p95: Value| {
        json!({"service": "users", "rule": "http", "severity": severity, "why": why, "time": time,
               "window": 10, "rate": 5.0, "errors": 0.0, "p50": null, "p95": p95, "p99": 3.0})
    };
    let services = [
        service("ok", "", 1_000, json!(7.0)),
        service("warn", "p95 2.5× usual", 940, json!(7.0)),
        service("warn", "p95 2.5× usual", 939, json!(null)),
        service("bad", "errors 7 %, p99 8.0× usual", 100, json!(7.0)),
        service("bad", "upstream rates, p99999", 100, json!(7.0)),
    ];
    let judged = page.module(
        "services",
        &json!(services),
        "input.map(s => [module.culprit(s), module.silence(s, 1000)])",
    );
    for (service, judged) in services.iter().zip(judged.as_array().expect("a list")) {
        let own: wire::Service = serde_json::from_value(service.clone()).expect("a service");
        assert_eq!(
            &json!([own.culprit(), own.silence(1_000)]),
            judged,
            "{service}"
        );
    }
}

/// What may be wrong with a pipeline: places in the report and what is there then.
fn in_trouble() -> Vec<Vec<(&'static str, Value)>> {
    let sink = |changes: Value| {
        let mut sink = json!({
            "name": "librato", "target": "http://metrics", "state": "ok", "last_error": "",
            "delivered": 9, "rejected": 2, "dropped": 1, "queued": 1_240,
            "annotations": {"delivered": 0, "rejected": 0, "dropped": 0, "queued": 0},
            "breaker": "closed", "held_until": null, "refused": [],
            "spool": {"bytes_used": 7, "bytes_max": 1_000, "oldest": null},
        });
        for (key, value) in changes.as_object().expect("changes") {
            sink[key] = value.clone();
        }
        json!([sink])
    };
    let listener = |protocol: &str, lost: u64, refused: u64| {
        json!([{"protocol": protocol, "address": "0.0.0.0:5140", "received": 9, "resent": 0,
                "connections": 0, "lost": lost, "refused": {"not_allowed": refused, "handshake": 1}}])
    };
    let file = |unwritten: u64, error: &str| json!({"path": "rejects.log", "written": 7, "unwritten": unwritten, "queued": 0, "last_error": error});
    let refused = |problems: Value, count: u64| json!({"since": 1_767_268_800, "at": 1_767_268_900, "problems": problems, "count": count});
    let sinks = |changes| {
        let before = sink(json!({}));
        vec![("/minute_ago/sinks", before), ("/sinks", sink(changes))]
    };
    let again = json!({"delivered": 0, "rejected": 3, "dropped": 4, "queued": 0});
    vec![
        vec![],
        sinks(json!({"state": "retrying", "breaker": "open", "last_error": "503"})),
        sinks(json!({"state": "retrying", "breaker": "half-open", "queued": 0})),
        sinks(json!({"state": "waiting", "held_until": 1_767_268_800})),
        sinks(json!({"spool": {"bytes_used": 800, "bytes_max": 1_000, "oldest": 7}})),
        sinks(json!({"annotations": again, "dropped": 1_000_000})),
        vec![(
            "/broken",
            json!({"checkpoint": "a", "memory": "b", "journal": "c", "store": "d", "spool": "e", "luck": "f"}),
        )],
        vec![
            ("/minute_ago/listeners", listener("udp", 1, 1)),
            ("/listeners", listener("udp", 5, 2)),
        ],
        vec![
            ("/minute_ago/listeners", listener("tcp", 0, 1)),
            ("/listeners", listener("tcp", 0, 3_000)),
        ],
        vec![
            ("/rejected/malformed", json!(7_000_000)),
            ("/rejected/not_traffic", json!(9)),
            ("/rejected/empty", json!(2)),
        ],
        vec![
            ("/cut", json!(1)),
            ("/too_late", json!(2)),
            ("/future", json!(3)),
            ("/notices_dropped", json!(4)),
            ("/over_limit", json!(1_234)),
        ],
        vec![(
            "/skewed_hosts",
            json!([{"host": "lb1", "seconds": 19_800, "since": 7}, {"host": "lb2", "seconds": -2_700, "since": 7}]),
        )],
        vec![("/rejects_file", file(0, "no space"))],
        vec![
            ("/minute_ago/rejects_file", file(2, "")),
            ("/rejects_file", file(9, "")),
        ],
        vec![("/store/refused", json!(99_999))],
        vec![("/rules/refused", refused(json!(["a:1:2: wrong"]), 1))],
        vec![(
            "/rules/refused",
            refused(json!(["a:1:2: wrong", "b"]), 2_000),
        )],
        vec![
            ("/received", json!(5)),
            ("/minute_ago/received", json!(5)),
            ("/now", json!(1_000)),
            ("/minute_ago/now", json!(941)),
        ],
        vec![
            ("/received", json!(5)),
            ("/minute_ago/received", json!(5)),
            ("/now", json!(1_000)),
            ("/minute_ago/now", json!(941)),
            ("/mode", json!("librato")),
        ],
    ]
}

#[test]
fn a_space_is_linked_from_the_list_and_drawn() {
    let Some((demo, page)) = open(PHONE) else {
        return;
    };
    let made = Weir::run(&["dashboards", "--librato", demo.url()], None);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    page.wait_for_ten_services();
    // It is found by whoever opens the page from now on.
    page.reload();
    wait_for("the link to the Space", SOON, || {
        let text = page.text("#spaces");
        (text == "Spaces: weir").then_some(()).ok_or(text)
    });
    page.click("#spaces a");
    let chart = "#space [data-chart='http.rate by service']";
    wait_for("a chart with ten services and lines", FIRST_VALUES, || {
        let drawn = page.ask(&format!(
            "const chart = document.querySelector(\"{chart}\");
             const canvas = chart?.querySelector('canvas');
             if (!canvas) return 'no chart';
             const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
             const colours = new Set();
             for (let i = 0; i < pixels.length; i += 4) {{
               const [red, green, blue, alpha] = pixels.subarray(i, i + 4);
               if (alpha > 200 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) colours.add([red, green, blue].join());
             }}
             const rates = [...chart.querySelectorAll('.space-legend li')].filter(line => /[0-9]\\/s$/.test(line.innerText));
             return [rates.length, colours.size >= 7]"
        ));
        (drawn == json!([10, true]))
            .then_some(())
            .ok_or(drawn.to_string())
    });
    assert_eq!(page.text("#space h1"), "weir");
    let number = "#space [data-chart='http.rate now, all together'] .value";
    assert!(page.text(number).ends_with("/s"), "{}", page.text(number));
    // The demo has no TCP sessions: that is said, and is no error.
    let none = page.text("#space [data-chart='tcp.rate by service'] .no-data");
    assert_eq!(none, "none of its metrics is here");
    assert!(page.address().ends_with("#/space/1"), "{}", page.address());
    page.assert_fits("a Space");
    page.click("#space [data-range='1h']");
    wait_for("the chosen range", SOON, || {
        let current = page.text("#space [aria-current]");
        (current == "1\u{a0}h").then_some(()).ok_or(current)
    });
    page.press(Key::Escape);
    wait_for("the list", SOON, || {
        let seen = page.shows("#list") && !page.shows("#space");
        seen.then_some(()).ok_or(page.address())
    });
    page.assert_quiet_console();
}

/// A running demo and a browser that looks at it; `None` where the programs are missing.
pub fn open(screen: (u32, u32)) -> Option<(Demo, Page)> {
    if !require(&["chromium", "chromedriver"]) {
        return None;
    }
    let demo = Demo::start();
    let page = Page::open(&format!("{}/", demo.url()), screen);
    Some((demo, page))
}

/// Whether the text is a number and one of these units: `18 ms`, `<0.1 %`.
fn is_number_with(text: &str, units: &[&str]) -> bool {
    text.split_once('\u{a0}').is_some_and(|(number, unit)| {
        number.trim_start_matches('<').parse::<f64>().is_ok() && units.contains(&unit)
    })
}

/// One browser with one page. Ends with the test, the browser before its driver:
/// a killed driver would leave the browser behind.
pub struct Page {
    client: Option<Client>,
    session: String,
    _driver: Process,
}

impl Page {
    pub fn open(url: &str, (width, height): (u32, u32)) -> Page {
        let port = ports::free();
        let driver = Process::spawn(
            "chromedriver",
            Command::new(program("chromedriver")).arg(format!("--port={port}")),
        );
        let base = format!("http://127.0.0.1:{port}");
        wait_for("chromedriver to be ready", SOON, || {
            let status = http::get_json(&format!("{base}/status"))?;
            let ready = status["value"]["ready"] == json!(true);
            ready.then_some(()).ok_or(status.to_string())
        });

        let capabilities = json!({
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "binary": program("chromium"),
                "args": [
                    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                    "--no-first-run", "--disable-background-networking",
                    "--disable-component-update", "--disable-sync", "--disable-quic",
                ],
                // A window cannot be made as narrow as a phone; its screen can.
                "mobileEmulation": {
                    "deviceMetrics": { "width": width, "height": height, "pixelRatio": 1.0, "touch": false },
                },
            },
        });
        let Value::Object(capabilities) = capabilities else {
            unreachable!("an object was written above");
        };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = RUNTIME
            .block_on(builder.capabilities(capabilities).connect(&base))
            .unwrap_or_else(|e| panic!("chromedriver opens no browser: {e}"));
        let id = RUNTIME.block_on(client.session_id()).expect("a session");
        let page = Page {
            client: Some(client),
            session: format!("{base}/session/{}", id.expect("the session's id")),
            _driver: driver,
        };
        page.go(url);
        page
    }

    pub fn wait_for_ten_services(&self) {
        wait_for("ten services with a rate", FIRST_VALUES, || {
            let services = self.services();
            let rates = self.ask(
                "return [...document.querySelectorAll('tr[data-service] [data-field=rate]')]
                   .filter(cell => /^<?[0-9.]/.test(cell.innerText)).length",
            );
            let all = services.len() == 10 && rates == json!(10);
            all.then_some(())
                .ok_or(format!("{rates} rates, services {services:?}"))
        });
    }

    /// The service's name, and its charts, on all of which something is drawn.
    pub fn wait_for_charts(&self, service: &str) {
        wait_for("charts with something in them", FIRST_VALUES, || {
            let heading = self.ask("return [...document.querySelectorAll('h1')].filter(h1 => h1.checkVisibility()).map(h1 => h1.innerText).join()");
            // Lines are coloured; axes, grid and labels are grey. Two points that stand
            // next to each other make a line of more than 20 pixels.
            let drawn = self.ask(
                "return [...document.querySelectorAll('[data-chart]')].map(chart => {
                   const canvas = chart.querySelector('canvas');
                   const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
                   let coloured = 0;
                   for (let i = 0; i < pixels.length; i += 4) {
                     const [red, green, blue, alpha] = pixels.subarray(i, i + 4);
                     if (alpha > 128 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) coloured += 1;
                   }
                   const value = chart.querySelector('.legend .value').innerText;
                   return [chart.dataset.chart, coloured > 20, /[0-9]/.test(value)];
                 })",
            );
            let wanted = CHARTS.map(|name| json!([name, true, true]));
            let all = heading == json!(service) && drawn == json!(wanted);
            all.then_some(())
                .ok_or(format!("heading {heading}, charts {drawn}"))
        });
    }

    /// The services whose rows are seen, from the top.
    pub fn services(&self) -> Vec<String> {
        let names = self.ask(
            "return [...document.querySelectorAll('tr[data-service]')]
               .filter(row => row.checkVisibility()).map(row => row.dataset.service)",
        );
        serde_json::from_value(names).expect("names")
    }

    fn focused_service(&self) -> String {
        let name = self.ask("return document.activeElement.closest('tr')?.dataset.service ?? ''");
        name.as_str().expect("a name").to_owned()
    }

    pub fn text(&self, selector: &str) -> String {
        let text = self.ask(&format!(
            "return document.querySelector(\"{selector}\")?.innerText ?? ''"
        ));
        text.as_str().expect("text").trim().to_owned()
    }

    pub fn attribute(&self, selector: &str, name: &str) -> String {
        let value = self.ask(&format!(
            "return document.querySelector(\"{selector}\")?.getAttribute('{name}') ?? ''"
        ));
        value.as_str().expect("text").to_owned()
    }

    pub fn shows(&self, selector: &str) -> bool {
        self.ask(&format!(
            "return document.querySelector(\"{selector}\")?.checkVisibility() ?? false"
        )) == json!(true)
    }

    pub fn assert_fits(&self, what: &str) {
        let widths = self.ask("return [document.documentElement.scrollWidth, innerWidth]");
        assert_eq!(widths[0], widths[1], "{what} is wider than the screen");
        assert_eq!(widths[1], json!(PHONE.0), "{what}");
    }

    /// Nothing was logged as an error since the last look: no exception, no
    /// missing file, nothing that the content security policy refused.
    pub fn assert_quiet_console(&self) {
        let answer = http::post(
            &format!("{}/se/log", self.session),
            &json!({ "type": "browser" }),
        )
        .expect("the browser's log");
        let log: Value = serde_json::from_str(&answer.body).expect("JSON");
        let entries = log["value"]
            .as_array()
            .unwrap_or_else(|| panic!("no log: {log}"));
        let errors: Vec<_> = entries
            .iter()
            .filter(|entry| entry["level"] == "SEVERE")
            .collect();
        assert!(errors.is_empty(), "the browser's console: {errors:#?}");
    }

    pub fn click(&self, selector: &str) {
        RUNTIME
            .block_on(async {
                self.client()
                    .find(Locator::Css(selector))
                    .await?
                    .click()
                    .await
            })
            .unwrap_or_else(|e| panic!("cannot click {selector}: {e}"));
    }

    pub fn press(&self, key: Key) {
        self.type_text(&char::from(key).to_string());
    }

    /// Types into whatever has the focus, as a keyboard does.
    pub fn type_text(&self, text: &str) {
        RUNTIME
            .block_on(async { self.client().active_element().await?.send_keys(text).await })
            .unwrap_or_else(|e| panic!("cannot type {text:?}: {e}"));
    }

    pub fn reload(&self) {
        RUNTIME.block_on(self.client().refresh()).expect("a reload");
    }

    pub fn go(&self, url: &str) {
        RUNTIME
            .block_on(self.client().goto(url))
            .unwrap_or_else(|e| panic!("the browser cannot open {url}: {e}"));
    }

    /// Presses the mouse at the first of these places of the screen, and lets go at the last.
    pub fn drag(&self, places: &[(f64, f64)]) {
        let to = |&(x, y): &(f64, f64)| PointerAction::MoveTo {
            duration: None,
            x,
            y,
        };
        let (first, others) = places.split_first().expect("where to press");
        let mut mouse =
            MouseActions::new("mouse".into())
                .then(to(first))
                .then(PointerAction::Down {
                    button: MOUSE_BUTTON_LEFT,
                });
        for place in others {
            mouse = mouse.then(to(place));
        }
        let mouse = mouse.then(PointerAction::Up {
            button: MOUSE_BUTTON_LEFT,
        });
        RUNTIME
            .block_on(self.client().perform_actions(mouse))
            .unwrap_or_else(|e| panic!("cannot move the mouse over {places:?}: {e}"));
    }

    /// A command of the browser's own protocol, for what WebDriver has no words for.
    pub fn command(&self, name: &str, parameters: &Value) {
        let body = json!({ "cmd": name, "params": parameters });
        let answer = http::post(&format!("{}/goog/cdp/execute", self.session), &body);
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
    }

    pub fn address(&self) -> String {
        self.ask("return location.href")
            .as_str()
            .expect("text")
            .to_owned()
    }

    pub fn ask(&self, script: &str) -> Value {
        RUNTIME
            .block_on(self.client().execute(script, vec![]))
            .unwrap_or_else(|e| panic!("the page cannot run {script}: {e}"))
    }

    /// What an expression over one of the page's own modules and an input gives. Narrow and
    /// unbreakable blanks are plain ones in the answer.
    fn module(&self, name: &str, input: &Value, expression: &str) -> Value {
        let answer = self.ask(&format!(
            "const input = {input};
             return import('/assets/{name}.js').then(module => JSON.stringify({expression}))"
        ));
        let text = answer
            .as_str()
            .expect("JSON")
            .replace(['\u{a0}', '\u{202f}'], " ");
        serde_json::from_str(&text).expect("JSON")
    }

    pub fn client(&self) -> &Client {
        self.client.as_ref().expect("open until dropped")
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            // Fails only where the browser is gone already.
            let _ = RUNTIME.block_on(client.close());
        }
    }
}
