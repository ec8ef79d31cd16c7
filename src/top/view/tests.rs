//! Screens, as a person sees them.

use super::*;
use crate::time::Timestamp;
use crate::top::model::{Answer, Ask, Key, News};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};
use serde_json::{Value, json};
use std::time::Duration;

const BEGUN: i64 = 1_767_268_800; // 12:00:00 in UTC

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(BEGUN + seconds)
}

const LOOK: Look = Look {
    colour: true,
    unicode: true,
    zone: TimeZone::UTC,
};

struct Screen(Terminal<TestBackend>);

impl Screen {
    fn of(model: &mut Model, look: &Look, columns: u16, lines: u16) -> Screen {
        let mut terminal = Terminal::new(TestBackend::new(columns, lines)).unwrap();
        terminal
            .draw(|frame| {
                model.resize(lines);
                let drawn = draw(model, look, frame.buffer_mut());
                model.drawn(drawn.scroll_max);
                if let Some(cursor) = drawn.cursor {
                    frame.set_cursor_position(cursor);
                }
            })
            .unwrap();
        Screen(terminal)
    }

    fn buffer(&self) -> &Buffer {
        self.0.backend().buffer()
    }

    fn lines(&self) -> Vec<String> {
        let buffer = self.buffer();
        let width = usize::from(buffer.area.width);
        let lines = buffer.content.chunks(width);
        lines
            .map(|cells| {
                let mut text = String::new();
                let mut skip = 0;
                for cell in cells {
                    if skip == 0 {
                        text += cell.symbol();
                        skip = crate::top::text::width(cell.symbol()).max(1);
                    }
                    skip -= 1;
                }
                text.trim_end().to_owned()
            })
            .collect()
    }

    fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// Whether the first place of this text has the modifier.
    fn has(&self, text: &str, modifier: Modifier) -> bool {
        let line = self.lines().iter().position(|line| line.contains(text));
        let y = line.unwrap_or_else(|| panic!("no {text:?} in\n{}", self.text()));
        let line = &self.lines()[y];
        let x = crate::top::text::width(&line[..line.find(text).unwrap()]);
        self.buffer()[(x as u16, y as u16)]
            .modifier
            .contains(modifier)
    }
}

fn screen(model: &mut Model, columns: u16, lines: u16) -> String {
    Screen::of(model, &LOOK, columns, lines).text()
}

fn press(model: &mut Model, keys: &str) {
    for char in keys.chars() {
        let key = match char {
            '\n' => Key::Enter,
            '\u{1b}' => Key::Escape,
            char => Key::Char(char),
        };
        model.key(key, at(300));
    }
}

fn service(name: &str, severity: &str, why: &str, numbers: [f64; 5]) -> Value {
    let [rate, p50, p95, p99, errors] = numbers;
    let wave = |top: f64| -> Vec<Option<f64>> {
        (0..30)
            .map(|n| (n != 7).then(|| top * (1.0 + f64::from(n % 10)) / 10.0))
            .collect()
    };
    json!({
        "service": name, "rule": "http", "severity": severity, "why": why, "time": BEGUN + 280,
        "window": 10, "rate": rate, "p50": p50, "p95": p95, "p99": p99, "errors": errors,
        "spark": {"start": BEGUN, "step": 10, "rate": wave(rate), "p95": wave(p95), "errors": wave(errors)},
    })
}

fn list() -> Vec<Value> {
    vec![
        service(
            "payments",
            "bad",
            "errors 12 %",
            [31.4, 22.0, 61.0, 95.0, 0.124],
        ),
        service(
            "search",
            "warn",
            "p95 3.1× usual",
            [45.2, 40.0, 412.0, 980.0, 0.002],
        ),
        service("users", "ok", "", [120.0, 8.0, 19.0, 31.0, 0.0]),
        service("cards", "ok", "", [0.3, 12.5, 1_240.0, 12_400.0, 0.0]),
    ]
}

fn services(list: Vec<Value>) -> News {
    let services = json!({"now": BEGUN + 300, "spark_range": 300, "services": list});
    News::Services(serde_json::from_value(services).unwrap())
}

fn pipeline() -> Value {
    json!({
        "version": "0.1.0", "mode": "serve", "now": BEGUN + 300, "started": BEGUN - 7_000,
        "lines_per_second": 213, "received": 1_234_567, "parsed": 1_234_560, "queued": 4,
        "rejected": {"empty": 0, "malformed": 2, "not_traffic": 1}, "cut": 0,
        "late": 17, "too_late": 0, "future": 0, "over_limit": 0, "skipped": 12, "notices": 3,
        "windows": {"open": 8, "closed": 412, "amended": 2, "grace": 2}, "series": 20,
        "samples": 3,
        "listeners": [
            {"protocol": "udp", "address": "0.0.0.0:5140", "received": 1_000_000, "lost": 0, "refused": {"not_allowed": 0}},
            {"protocol": "tcp", "address": "0.0.0.0:5140", "received": 234_567, "connections": 2, "lost": 0, "refused": {"not_allowed": 3, "connections": 1}},
        ],
        "sinks": [
            {"name": "store", "state": "ok", "target": "/var/lib/weir", "delivered": 8_240, "queued": 0},
            {"name": "librato", "state": "ok", "target": "http://metrics.internal:8420", "delivered": 8_200, "queued": 40,
             "breaker": "closed", "held_until": null, "spool": {"bytes_used": 0, "bytes_max": 1_073_741_824, "oldest": null}, "refused": []},
        ],
        "store": {"path": "/var/lib/weir/store", "series": 20, "points": 8_240, "bytes": 1_500_000, "accepted": 8_240, "refused": 0, "retention": 86_400},
        "rules": {"files": ["rules/http.yaml"], "rules": 2, "loaded": BEGUN - 7_000, "refused": null},
        "minute_ago": {"now": BEGUN + 240, "received": 1_221_000, "rejected": {"malformed": 2}},
    })
}

fn with(mut json: Value, changes: Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        json[key] = value.clone();
    }
    json
}

fn told(pipeline: Value) -> News {
    News::Pipeline(serde_json::from_value(pipeline).unwrap())
}

/// Five minutes after twelve, four services, all told.
fn model() -> Model {
    let mut model = Model::new("127.0.0.1:8420", at(300));
    model.news(services(list()), at(300));
    model.news(told(pipeline()), at(300));
    model
}

/// Answers what the model asks for.
fn answer(model: &mut Model, json: Value) {
    let answer = match model.ask().expect("a question") {
        Ask::Charts(ask) => Answer::Charts(ask, Ok(serde_json::from_value(json).unwrap())),
        Ask::Rejects(version) => {
            Answer::Rejects(version, Ok(serde_json::from_value(json).unwrap()))
        }
    };
    model.news(News::Answered(answer), at(300));
}

fn charts() -> Value {
    let times: Vec<i64> = (0..30).map(|n| BEGUN + n * 10).collect();
    let of = |value: fn(f64) -> f64| -> Vec<Option<f64>> {
        (0..30)
            .map(|n| (n != 12).then(|| value(f64::from(n))))
            .collect()
    };
    json!({
        "step": 10, "times": times,
        "series": {
            "rate": of(|n| 40.0 + n),
            "p50": of(|_| 20.0),
            "p95": of(|n| if n > 20.0 { 400.0 } else { 100.0 }),
            "p99": of(|n| if n > 20.0 { 900.0 } else { 200.0 }),
            "errors": of(|n| if n > 25.0 { 0.12 } else { 0.0 }),
        },
        "marks": [
            {"time": BEGUN + 250, "end": null, "title": "payments/payments-2 UP", "source": "lb1",
             "description": "Server payments/payments-2 is UP", "stream": "haproxy.server", "kind": "ok"},
            {"time": BEGUN + 200, "end": null, "title": "payments/payments-2 DOWN", "source": "lb1",
             "description": "Server payments/payments-2 is DOWN, reason: Layer4 connection problem, info: \"Connection refused\"", "stream": "haproxy.server", "kind": "bad"},
        ],
    })
}

fn rejects() -> Value {
    let sample = |received_at: i64, before: &str, stuck: Option<&str>, after: &str| json!({"received_at": BEGUN + received_at, "why": "the status is no number", "before": before, "stuck": stuck, "after": after, "left_out_before": 0, "left_out_after": 0});
    json!({"samples": {
        "malformed": [
            sample(290, "<134>Jan  1 12:04:50 haproxy[7]: 10.0.0.1:4000 [01/Jan/2026:12:04:50.000] www api/app1 0/0/0/1/1 ", Some("2x0"), " 512 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\""),
            sample(100, "<134>Jan  1 12:01:40 haproxy[7]: 10.0.0.1:4000", Some(""), ""),
        ],
        "not_traffic": [sample(90, "<30>Jan  1 12:01:30 cron[1]: \\u{1b}[2J", None, "")],
    }})
}

#[test]
fn the_list_at_80_by_24() {
    insta::assert_snapshot!(screen(&mut model(), 80, 24), @r"
     weir top  127.0.0.1:8420  up 2 h                                 live 12:05:00
     213 lines/s  1.23 M parsed  3 rejected  17 late  0 lost  44 queued  2 sinks ok
     warn: senders are refused                      4 services: 1 bad, 1 warn, 2 ok
    State Service      Rate 5 min      p50    p95    p99  Errors  Why
    bad   payments   31.4/s ▃▇▅▅▆▄█  22 ms  61 ms  95 ms    12 %  errors 12 %
    warn  search     45.2/s ▃▇▅▆▆▄█  40 ms 412 ms 980 ms   0.2 %  p95 3.1× usual
    ok    users       120/s ▃▇▅▆▆▄█   8 ms  19 ms  31 ms   0.0 %
    ok    cards       0.3/s ▃▇▅▆▆▄█  13 ms 1.24 s 12.4 s   0.0 %















     1 Services  2 Service  3 Pipeline  / Filter  s Sort  p Pause  ? Help  q Quit
    ");
}

#[test]
fn the_list_on_a_wide_screen() {
    insta::assert_snapshot!(screen(&mut model(), 120, 10), @r"
     weir top  127.0.0.1:8420  up 2 h                                                                         live 12:05:00
     213 lines/s  1.23 M received  1.23 M parsed  3 rejected  17 late  0 lost  44 queued  2 sinks ok
     warn: senders are refused                                                              4 services: 1 bad, 1 warn, 2 ok
    State Service      Rate 5 min         p50    p95 5 min         p99  Errors 5 min       Why
    bad   payments   31.4/s ▂▄▇▄▄▆▆▃▅█  22 ms  61 ms ▂▅▇█▄▆█▃▆█  95 ms    12 % ▂▅▇█▄▆█▃▆█  errors 12 %
    warn  search     45.2/s ▂▄▇▄▄▆▆▃▅█  40 ms 412 ms ▂▅▇█▄▆█▃▆█ 980 ms   0.2 % ▁▁▁▁▁▁▁▁▁▁  p95 3.1× usual
    ok    users       120/s ▂▄▇▄▄▆▆▃▅█   8 ms  19 ms ▂▅▇█▄▆█▃▆█  31 ms   0.0 % ▁▁▁▁▁▁▁▁▁▁
    ok    cards       0.3/s ▂▄▇▄▄▆▆▃▅█  13 ms 1.24 s ▂▅▇█▄▆█▃▆█ 12.4 s   0.0 % ▁▁▁▁▁▁▁▁▁▁

     1 Services  2 Service  3 Pipeline  Enter Open  / Filter  s Sort  r Reverse  p Pause  ? Help  q Quit
    ");
}

#[test]
fn the_list_on_narrow_screens() {
    insta::assert_snapshot!(screen(&mut model(), 60, 10), @r"
     weir top  127.0.0.1:8420  up 2 h             live 12:05:00
     213 lines/s  1.23 M parsed  3 rejected  0 lost  2 sinks ok
     warn: senders are refused  4 services: 1 bad, 1 warn, 2 ok
    State Service      Rate    p95  Errors  Why
    bad   payments   31.4/s  61 ms    12 %  errors 12 %
    warn  search     45.2/s 412 ms   0.2 %  p95 3.1× usual
    ok    users       120/s  19 ms   0.0 %
    ok    cards       0.3/s 1.24 s   0.0 %

     1 Services  2 Service  3 Pipeline  ? Help  q Quit
    ");
    insta::assert_snapshot!(screen(&mut model(), 40, 8), @r"
     weir top                 live 12:05:00
    State Service        Rate    p95  Errors
    bad   payments     31.4/s  61 ms    12 %
    warn  search       45.2/s 412 ms   0.2 %
    ok    users         120/s  19 ms   0.0 %
    ok    cards         0.3/s 1.24 s   0.0 %

     1 Services  2 Service  ? Help  q Quit
    ");
    insta::assert_snapshot!(screen(&mut model(), 20, 5), @r"
    State Service
    bad   payments
    warn  search
    ok    users
          live 12:05:00
    ");
}

#[test]
fn the_list_in_ascii() {
    let look = Look {
        unicode: false,
        ..LOOK
    };
    let screen = Screen::of(&mut model(), &look, 80, 10);
    assert!(screen.text().is_ascii(), "{}", screen.text());
    insta::assert_snapshot!(screen.text(), @r"
     weir top  127.0.0.1:8420  up 2 h                                 live 12:05:00
     213 lines/s  1.23 M parsed  3 rejected  17 late  0 lost  44 queued  2 sinks ok
     warn: senders are refused                      4 services: 1 bad, 1 warn, 2 ok
    State Service      Rate 5 min      p50    p95    p99  Errors  Why
    bad   payments   31.4/s -*==+=#  22 ms  61 ms  95 ms    12 %  errors 12 %
    warn  search     45.2/s -*=++=#  40 ms 412 ms 980 ms   0.2 %  p95 3.1x usual
    ok    users       120/s -*=++=#   8 ms  19 ms  31 ms   0.0 %
    ok    cards       0.3/s -*=++=#  13 ms 1.24 s 12.4 s   0.0 %

     1 Services  2 Service  3 Pipeline  / Filter  s Sort  p Pause  ? Help  q Quit
    ");
}

#[test]
fn a_service_that_fell_silent_says_so() {
    let mut model = model();
    let mut list = list();
    list[2]["time"] = (BEGUN - 400).into();
    list[1]["time"] = (BEGUN + 200).into();
    model.news(services(list), at(300));
    insta::assert_snapshot!(screen(&mut model, 80, 9), @r"
     weir top  127.0.0.1:8420  up 2 h                                 live 12:05:00
     213 lines/s  1.23 M parsed  3 rejected  17 late  0 lost  44 queued  2 sinks ok
     warn: senders are refused            4 services: 1 bad, 1 warn, 2 ok, 2 silent
    State Service      Rate 5 min      p50    p95    p99  Errors  Why
    bad   payments   31.4/s ▃▇▅▅▆▄█  22 ms  61 ms  95 ms    12 %  errors 12 %
    warn  search     45.2/s ▃▇▅▆▆▄█  40 ms 412 ms 980 ms   0.2 %  no data for 88 s;…
    ok    users       120/s ▃▇▅▆▆▄█   8 ms  19 ms  31 ms   0.0 %  no data for 11 min
    ok    cards       0.3/s ▃▇▅▆▆▄█  13 ms 1.24 s 12.4 s   0.0 %
     1 Services  2 Service  3 Pipeline  / Filter  s Sort  p Pause  ? Help  q Quit
    ");
    let screen = Screen::of(&mut model, &LOOK, 80, 9);
    assert!(screen.has("120/s", Modifier::DIM));
    assert!(!screen.has("31.4/s", Modifier::DIM));
}

#[test]
fn several_rules_are_told_apart() {
    let mut model = model();
    let mut list = list();
    list[3]["service"] = "users".into();
    list[3]["rule"] = "http.slow".into();
    model.news(services(list), at(300));
    insta::assert_snapshot!(screen(&mut model, 80, 9), @r"
     weir top  127.0.0.1:8420  up 2 h                                 live 12:05:00
     213 lines/s  1.23 M parsed  3 rejected  17 late  0 lost  44 queued  2 sinks ok
     warn: senders are refused                      4 services: 1 bad, 1 warn, 2 ok
    State Service             Rate    p50    p95    p99  Errors  Why
    bad   payments http     31.4/s  22 ms  61 ms  95 ms    12 %  errors 12 %
    warn  search http       45.2/s  40 ms 412 ms 980 ms   0.2 %  p95 3.1× usual
    ok    users http         120/s   8 ms  19 ms  31 ms   0.0 %
    ok    users http.slow    0.3/s  13 ms 1.24 s 12.4 s   0.0 %
     1 Services  2 Service  3 Pipeline  / Filter  s Sort  p Pause  ? Help  q Quit
    ");
}

#[test]
fn a_list_is_sorted_filtered_and_paused() {
    let mut model = model();
    press(&mut model, "ssrj");
    insta::assert_snapshot!(screen(&mut model, 80, 9), @r"
     weir top  127.0.0.1:8420  up 2 h                                 live 12:05:00
     213 lines/s  1.23 M parsed  3 rejected  17 late  0 lost  44 queued  2 sinks ok
     warn: senders are refused              4 services by rate: 1 bad, 1 warn, 2 ok
    State Service     Rate▲ 5 min      p50    p95    p99  Errors  Why
    ok    cards       0.3/s ▃▇▅▆▆▄█  13 ms 1.24 s 12.4 s   0.0 %
    bad   payments   31.4/s ▃▇▅▅▆▄█  22 ms  61 ms  95 ms    12 %  errors 12 %
    warn  search     45.2/s ▃▇▅▆▆▄█  40 ms 412 ms 980 ms   0.2 %  p95 3.1× usual
    ok    users       120/s ▃▇▅▆▆▄█   8 ms  19 ms  31 ms   0.0 %
     1 Services  2 Service  3 Pipeline  / Filter  s Sort  p Pause  ? Help  q Quit
    ");
    press(&mut model, "p/user");
    model.tick(at(365));
    insta::assert_snapshot!(screen(&mut model, 80, 9), @r"
     weir top  127.0.0.1:8420  up 2 h                 PAUSED since 12:05:00 (65 s)
     213 lines/s  1.23 M parsed  3 rejected  17 late  0 lost  44 queued  2 sinks ok
     warn: senders are refused                                    1 of 4 match user
    State Service     Rate▲ 5 min      p50    p95    p99  Errors  Why
    ok    users       120/s ▃▇▅▆▆▄█   8 ms  19 ms  31 ms   0.0 %



     /user  Enter Keep  Esc Clear
    ");
    press(&mut model, "x\n");
    insta::assert_snapshot!(screen(&mut model, 80, 9), @r"
    weir top  127.0.0.1:8420  up 2 h                  PAUSED since 12:05:00 (0 s)
    213 lines/s  1.23 M parsed  3 rejected  17 late  0 lost  44 queued  2 sinks ok
    warn: senders are refused                                   0 of 4 match userx

    None of 4 services matches this filter
    Esc clears it.


    1 Services  2 Service  3 Pipeline  / Filter  s Sort  p Go on  ? Help  q Quit
    ");
}

#[test]
fn a_long_list_scrolls_with_its_cursor() {
    let mut model = model();
    let many =
        (0..300).map(|n| service(&format!("service-{n}"), "ok", "", [1.0, 1.0, 1.0, 1.0, 0.0]));
    model.news(services(many.collect()), at(300));
    screen(&mut model, 80, 10);
    model.key(Key::End, at(300));
    insta::assert_snapshot!(screen(&mut model, 80, 10), @r"
     weir top  127.0.0.1:8420  up 2 h                                 live 12:05:00
     213 lines/s  1.23 M parsed  3 rejected  17 late  0 lost  44 queued  2 sinks ok
     warn: senders are refused                                 300 services: 300 ok
    State Service         Rate 5 min      p50    p95    p99  Errors  Why
    ok    service-295    1.0/s ▃▇▅▆▆▄█   1 ms   1 ms   1 ms   0.0 %
    ok    service-296    1.0/s ▃▇▅▆▆▄█   1 ms   1 ms   1 ms   0.0 %
    ok    service-297    1.0/s ▃▇▅▆▆▄█   1 ms   1 ms   1 ms   0.0 %
    ok    service-298    1.0/s ▃▇▅▆▆▄█   1 ms   1 ms   1 ms   0.0 %
    ok    service-299    1.0/s ▃▇▅▆▆▄█   1 ms   1 ms   1 ms   0.0 %
     1 Services  2 Service  3 Pipeline  / Filter  s Sort  ? Help  q Quit  ↑ 300/300
    ");
}

#[test]
fn a_lost_connection_leaves_what_was_seen_and_says_since_when_and_why() {
    let mut model = model();
    let lost = News::Lost {
        why: "Connection refused (os error 111)".into(),
        retry_in: Duration::from_secs(4),
    };
    model.news(lost, at(303));
    model.tick(at(306));
    insta::assert_snapshot!(screen(&mut model, 80, 10), @r"
     weir top  127.0.0.1:8420  up 2 h                                 LOST 3 s ago
     213 lines/s  1.23 M parsed  3 rejected  17 late  0 lost  44 queued  2 sinks ok
     bad: no connection since 12:05:03, again in 1 s: Connection refused (os error…
    State Service      Rate 5 min      p50    p95    p99  Errors  Why
    bad   payments   31.4/s ▃▇▅▅▆▄█  22 ms  61 ms  95 ms    12 %  errors 12 %
    warn  search     45.2/s ▃▇▅▆▆▄█  40 ms 412 ms 980 ms   0.2 %  p95 3.1× usual
    ok    users       120/s ▃▇▅▆▆▄█   8 ms  19 ms  31 ms   0.0 %
    ok    cards       0.3/s ▃▇▅▆▆▄█  13 ms 1.24 s 12.4 s   0.0 %

     1 Services  2 Service  3 Pipeline  / Filter  s Sort  p Pause  ? Help  q Quit
    ");
    let screen = Screen::of(&mut model, &LOOK, 80, 10);
    for text in ["search", "412 ms", "users"] {
        assert!(screen.has(text, Modifier::DIM), "{text}");
    }
    insta::assert_snapshot!(Screen::of(&mut model, &LOOK, 60, 6).text(), @r"
     bad: no connection since 12:05:03, again …   LOST 3 s ago
    State Service      Rate    p95  Errors  Why
    bad   payments   31.4/s  61 ms    12 %  errors 12 %
    warn  search     45.2/s 412 ms   0.2 %  p95 3.1× usual
    ok    users       120/s  19 ms   0.0 %
     1 Services  2 Service  3 Pipeline  ? Help  q Quit    ↓ 3/4
    ");
}

#[test]
fn before_the_first_word_it_says_that_it_waits() {
    let mut model = Model::new("127.0.0.1:8420", at(0));
    insta::assert_snapshot!(screen(&mut model, 80, 9), @r"
    weir top  127.0.0.1:8420                                               waiting



    Waiting for weir to answer



    1 Services  2 Service  3 Pipeline  / Filter  s Sort  p Pause  ? Help  q Quit
    ");
}

#[test]
fn without_services_it_says_what_to_do() {
    let mut model = Model::new("127.0.0.1:8420", at(300));
    model.news(services(Vec::new()), at(300));
    let nothing = json!({"received": 0, "parsed": 0, "rejected": {}});
    model.news(told(with(pipeline(), nothing)), at(300));
    insta::assert_snapshot!(screen(&mut model, 80, 12), @r"
    weir top  127.0.0.1:8420  up 2 h                                 live 12:05:00
    213 lines/s  0 parsed  0 rejected  17 late  0 lost  44 queued  2 sinks ok
    warn: senders are refused                                           0 services

    No line has arrived yet
    Point rsyslog at weir, and services appear by themselves some seconds after
    their first requests. It listens on:
      udp 0.0.0.0:5140
      tcp 0.0.0.0:5140


    1 Services  2 Service  3 Pipeline  / Filter  s Sort  p Pause  ? Help  q Quit
    ");
    let foreign =
        json!({"received": 7, "parsed": 0, "rejected": {"malformed": 2, "not_traffic": 5}});
    model.news(told(with(pipeline(), foreign)), at(300));
    insta::assert_snapshot!(screen(&mut model, 80, 12), @r"
    weir top  127.0.0.1:8420  up 2 h                                 live 12:05:00
    213 lines/s  0 parsed  7 rejected  17 late  0 lost  44 queued  2 sinks ok
    warn: senders are refused                                           0 services

    Lines arrive, but none is HAProxy traffic
    7 rejected: malformed 2, not traffic 5.
    Check that the frontends in haproxy.cfg have option httplog or tcplog, and
    that rsyslog forwards HAProxy's facility only. 3 shows the lines.



    1 Services  2 Service  3 Pipeline  / Filter  s Sort  p Pause  ? Help  q Quit
    ");
    let skipped = json!({"received": 7, "parsed": 7, "skipped": 7, "rejected": {}});
    model.news(told(with(pipeline(), skipped)), at(300));
    insta::assert_snapshot!(screen(&mut model, 80, 12), @r"
    weir top  127.0.0.1:8420  up 2 h                                 live 12:05:00
    213 lines/s  7 parsed  0 rejected  17 late  0 lost  44 queued  2 sinks ok
    warn: senders are refused                                           0 services

    Lines are coming in
    The first services appear when their first window closes.
    7 of 7 events were wanted by no rule. The rules in use: rules/http.yaml.




    1 Services  2 Service  3 Pipeline  / Filter  s Sort  p Pause  ? Help  q Quit
    ");
}

#[test]
fn one_service_over_time() {
    let mut model = model();
    press(&mut model, "j\n");
    insta::assert_snapshot!(screen(&mut model, 80, 9), @r"
    weir top  127.0.0.1:8420  up 2 h                                 live 12:05:00
    213 lines/s  1.23 M parsed  3 rejected  17 late  0 lost  44 queued  2 sinks ok
    warn: senders are refused                      4 services: 1 bad, 1 warn, 2 ok
    search  rule http  warn: p95 3.1× usual
    rate 45.2/s    p50 40 ms     p95 412 ms    p99 980 ms    errors 0.2 %
    loading…


    1 Services  2 Service  3 Pipeline  Esc Back  +- Span  ? Help  q Quit
    ");
    answer(&mut model, charts());
    insta::assert_snapshot!(screen(&mut model, 80, 24), @r"
    weir top  127.0.0.1:8420  up 2 h                                 live 12:05:00
    213 lines/s  1.23 M parsed  3 rejected  17 late  0 lost  44 queued  2 sinks ok
    warn: senders are refused                      4 services: 1 bad, 1 warn, 2 ok
    search  rule http  warn: p95 3.1× usual
    rate 45.2/s    p50 40 ms     p95 412 ms    p99 980 ms    errors 0.2 %
     15 min  1 h  6 h  24 h   data since 1 Jan 12:00:00  a point is 10 s
    Rate
     69.0/s                   ▁▁▁▁▁▁▁▂▂▂  ▂▂▃▃▃▃▃▃▃▄▄▄▄▄▄▅▅▅▅▅▅▅▆▆▆▆▆▆▆▇▇▇▇▇▇▇████
            ▆▆▆▆▆▇▇▇▇▇▇▇████████████████  ████████████████████████████████████████
        0/s ████████████████████████████  ████████████████████████████████████████
    Latency  from above: p99, p95, p50
     900 ms                                                  ⡏⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉
                                                             ⡧⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤
       0 ms ⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶  ⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣃⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀
    Error ratio
       12 %                                                             ██████████
                                                                        ██████████
      0.0 % ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁██████████
      marks                                               ▼           ▲
        UTC 12:00:00                       12:02:30                       12:05:00
    Marks (2)
    1 Jan 12:04:10 ▲ payments/payments-2 UP  lb1  Server payments/payments-2 is UP
    1 Jan 12:03:20 ▼ payments/payments-2 DOWN  lb1  Server payments/payments-2 is
    1 Services  2 Service  3 Pipeline  Esc Back  +- Span  ? Help  q Quit   ↓ 20/22
    ");
    model.key(Key::End, at(300));
    insta::assert_snapshot!(screen(&mut model, 60, 18), @r"
    weir top  127.0.0.1:8420  up 2 h             live 12:05:00
    213 lines/s  1.23 M parsed  3 rejected  0 lost  2 sinks ok
    warn: senders are refused  4 services: 1 bad, 1 warn, 2 ok
     15 min  1 h  6 h  24 h   data since 1 Jan 12:00:00
    Rate
     69.0/s              ▁▁▁▁▁▂▂ ▂▂▃▃▃▃▃▄▄▄▄▅▅▅▅▅▆▆▆▆▆▇▇▇▇▇███
            ▆▆▆▆▇▇▇▇▇███████████ █████████████████████████████
        0/s ████████████████████ █████████████████████████████
    Latency  from above: p99, p95, p50
     900 ms                                    ⡏⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉
                                               ⡧⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤
       0 ms ⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶ ⢰⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣶⣃⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀
    Error ratio
       12 %                                            ███████
                                                       ███████
      0.0 % ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁ ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁███████
      marks                                  ▼       ▲
    1 Services  2 Service  Esc Back  ? Help  q Quit    ↕ 16/24
    ");
}

#[test]
fn one_service_in_ascii() {
    let mut model = model();
    press(&mut model, "j\n");
    answer(&mut model, charts());
    let look = Look {
        unicode: false,
        ..LOOK
    };
    let screen = Screen::of(&mut model, &look, 80, 24);
    assert!(screen.text().is_ascii());
    insta::assert_snapshot!(screen.text(), @r"
    weir top  127.0.0.1:8420  up 2 h                                 live 12:05:00
    213 lines/s  1.23 M parsed  3 rejected  17 late  0 lost  44 queued  2 sinks ok
    warn: senders are refused                      4 services: 1 bad, 1 warn, 2 ok
    search  rule http  warn: p95 3.1x usual
    rate 45.2/s    p50 40 ms     p95 412 ms    p99 980 ms    errors 0.2 %
     15 min  1 h  6 h  24 h   data since 1 Jan 12:00:00  a point is 10 s
    Rate
     69.0/s                   _______...  ..-------=============+++++++*******####
            +++++*******################  ########################################
        0/s ############################  ########################################
    Latency  from above: p99, p95, p50
     900 ms                                                  |''''''''''''''''''''
                                                             |--------------------
       0 ms ............................  ...................|....................
    Error ratio
       12 %                                                             ##########
                                                                        ##########
      0.0 % ____________________________  ______________________________##########
      marks                                               v           ^
        UTC 12:00:00                       12:02:30                       12:05:00
    Marks (2)
    1 Jan 12:04:10 ^ payments/payments-2 UP  lb1  Server payments/payments-2 is UP
    1 Jan 12:03:20 v payments/payments-2 DOWN  lb1  Server payments/payments-2 is
    1 Services  2 Service  3 Pipeline  Esc Back  +- Span  ? Help  q Quit   v 20/22
    ");
}

#[test]
fn the_pipeline_with_its_rejected_lines() {
    let mut model = model();
    let worse = json!({
        "rejected": {"empty": 0, "malformed": 5, "not_traffic": 1},
        "rejects_file": {"path": "rejects.log", "written": 6, "unwritten": 0, "queued": 0, "last_error": ""},
    });
    model.news(told(with(pipeline(), worse)), at(300));
    press(&mut model, "3");
    answer(&mut model, rejects());
    insta::assert_snapshot!(screen(&mut model, 80, 52), @r#"
    weir top  127.0.0.1:8420  up 2 h                                 live 12:05:00
    213 lines/s  1.23 M parsed  6 rejected  17 late  0 lost  44 queued  2 sinks ok
    warn: senders are refused +1                   4 services: 1 bad, 1 warn, 2 ok
    warn tcp 0.0.0.0:5140 refused 4 connections in the last minute: the log names
         the senders
    warn 3 lines rejected in the last minute: malformed

    Lines                                    Events
    received       1 234 567  of which       late             17
    – parsed       1 234 560                 too late          0  not counted
    – malformed            5  rejected       in the future     0  not counted
    – not traffic          1  rejected       over the limit    0  limits.series
    – queued               4                 skipped          12  wanted by no rule
    cut off                0                 notices           3  HAProxy's own
                                             open windows      8
                                             closed          412
                                             amended           2
                                             series           20

    Rejected lines
    malformed 5, the newest at 12:04:50; Enter shows 2
      1 Jan 12:04:50 the status is no number
      <134>Jan  1 12:04:50 haproxy[7]: 10.0.0.1:4000 [01/Jan/2026:12:04:50.000] ww
      w api/app1 0/0/0/1/1 2x0 512 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1"
    not traffic 1, the newest at 12:01:30
      1 Jan 12:01:30 the status is no number
      <30>Jan  1 12:01:30 cron[1]: \u{1b}[2J
    6 written to rejects.log

    Sinks
    sink     state  delivered  rejected  dropped  queued  target
    store    ok         8 240         0        0       0  /var/lib/weir
    librato  ok         8 200         0        0      40  http://metrics.internal:…

    Far sides
    sink     breaker  asks to wait until  spool used  of       oldest waits for
    librato  closed   –                          0 B  1.0 GiB  –

    Listeners
         address       received   sent again  connections  lost  refused
    udp  0.0.0.0:5140  1 000 000           0            0     0        0
    tcp  0.0.0.0:5140    234 567           0            2     0        4
    tcp 0.0.0.0:5140 refused: not allowed (3), connections (1)

    Store                                    weir
    file      /var/lib/weir/store            version      0.1.0
    series    20                             mode         serve
    points    8 240                          running for  2 h
    size      1.4 MiB                        since        1 Jan 10:03:20
    accepted  8 240                          rules        2 in rules/http.yaml
    refused   0                              loaded       1 Jan 10:03:20
    1 Services  2 Service  3 Pipeline  Esc Back  ? Help  q Quit            ↓ 48/49
    "#);
    press(&mut model, "\n");
    insta::assert_snapshot!(screen(&mut model, 60, 34), @r#"
    weir top  127.0.0.1:8420  up 2 h             live 12:05:00
    213 lines/s  1.23 M parsed  6 rejected  0 lost  2 sinks ok
    warn: senders are refuse…  4 services: 1 bad, 1 warn, 2 ok
    warn tcp 0.0.0.0:5140 refused 4 connections in the last
         minute: the log names the senders
    warn 3 lines rejected in the last minute: malformed

    Lines
    received       1 234 567  of which
    – parsed       1 234 560
    – malformed            5  rejected
    – not traffic          1  rejected
    – queued               4  not parsed yet
    cut off                0  too long or broken off

    Events
    late             17  counted afterwards
    too late          0  not counted
    in the future     0  not counted
    over the limit    0  limits.series
    skipped          12  wanted by no rule
    notices           3  HAProxy's own
    open windows      8
    closed          412
    amended           2
    series           20

    Rejected lines
    malformed 5, the newest at 12:04:50
      1 Jan 12:04:50 the status is no number
      <134>Jan  1 12:04:50 haproxy[7]: 10.0.0.1:4000 [01/Jan/2
      026:12:04:50.000] www api/app1 0/0/0/1/1 2x0 512 - - ---
      - 1/1/0/0/0 0/0 "GET / HTTP/1.1"
    1 Services  2 Service  Esc Back  ? Help  q Quit    ↓ 30/69
    "#);
    let screen = Screen::of(&mut model, &LOOK, 80, 52);
    assert!(screen.has("2x0", Modifier::REVERSED));
    assert!(!screen.has(" 512 - -", Modifier::REVERSED));
}

#[test]
fn a_pipeline_in_trouble_says_all_of_it() {
    let mut model = model();
    let mut trouble = with(
        pipeline(),
        json!({
            "broken": {"checkpoint": "No space left on device (os error 28)"},
            "skewed_hosts": [{"host": "lb1", "seconds": -7_200, "since": BEGUN}],
            "rules": {"files": ["rules/http.yaml"], "rules": 2, "loaded": BEGUN - 7_000, "refused": {
                "since": BEGUN + 60, "at": BEGUN + 200, "count": 3,
                "problems": ["rules/http.yaml:3:7: unknown field `stauts`, did you mean `status`?", "rules/http.yaml:9:1: no rule has this name"],
            }},
        }),
    );
    trouble["sinks"][1] = json!({
        "name": "librato", "state": "retrying", "target": "http://metrics.internal:8420", "delivered": 8_200,
        "queued": 1_240, "dropped": 3, "last_error": "the server answered 503 Service Unavailable: busy",
        "breaker": "open", "held_until": null,
        "spool": {"bytes_used": 1_000_000_000, "bytes_max": 1_073_741_824, "oldest": BEGUN - 600},
        "refused": [{"what": "http.rate{service=\"users\"}", "time": BEGUN, "at": BEGUN + 20, "why": "is too long", "left_out": 2}],
    });
    model.news(told(trouble), at(300));
    insta::assert_snapshot!(screen(&mut model, 80, 6), @r"
     weir top  127.0.0.1:8420  up 2 h                                 live 12:05:00
    State Service      Rate 5 min      p50    p95    p99  Errors  Why
    bad   payments   31.4/s ▃▇▅▅▆▄█  22 ms  61 ms  95 ms    12 %  errors 12 %
    warn  search     45.2/s ▃▇▅▆▆▄█  40 ms 412 ms 980 ms   0.2 %  p95 3.1× usual
    ok    users       120/s ▃▇▅▆▆▄█   8 ms  19 ms  31 ms   0.0 %
     1 Services  2 Service  3 Pipeline  / Filter  s Sort  ? Help  q Quit      ↓ 3/4
    ");
    insta::assert_snapshot!(screen(&mut model, 80, 9), @r"
     weir top  127.0.0.1:8420  up 2 h                                 live 12:05:00
     213 lines/s  1.23 M parsed  3 rejected  17 late  3 lost  sink librato retrying
     bad: sink librato is failing +6                4 services: 1 bad, 1 warn, 2 ok
    State Service      Rate 5 min      p50    p95    p99  Errors  Why
    bad   payments   31.4/s ▃▇▅▅▆▄█  22 ms  61 ms  95 ms    12 %  errors 12 %
    warn  search     45.2/s ▃▇▅▆▆▄█  40 ms 412 ms 980 ms   0.2 %  p95 3.1× usual
    ok    users       120/s ▃▇▅▆▆▄█   8 ms  19 ms  31 ms   0.0 %
    ok    cards       0.3/s ▃▇▅▆▆▄█  13 ms 1.24 s 12.4 s   0.0 %
     1 Services  2 Service  3 Pipeline  / Filter  s Sort  p Pause  ? Help  q Quit
    ");
    press(&mut model, "3");
    insta::assert_snapshot!(screen(&mut model, 80, 70), @r#"
    weir top  127.0.0.1:8420  up 2 h                                 live 12:05:00
    213 lines/s  1.23 M parsed  3 rejected  17 late  3 lost  sink librato retrying
    bad: sink librato is failing +6                4 services: 1 bad, 1 warn, 2 ok
    bad  sink librato is not taking data, 1 240 waiting, circuit breaker open
         (nothing is sent for a while): the server answered 503 Service
         Unavailable: busy
    bad  sink librato dropped 3 in the last minute
    bad  no checkpoints: No space left on device (os error 28)
    bad  the dates of host lb1 are 2 h behind their arrival: haproxy.timezone does
         not say the zone that its HAProxy writes
    warn the spool of sink librato is nearly full: when it is, its oldest are
         dropped
    warn tcp 0.0.0.0:5140 refused 4 connections in the last minute: the log names
         the senders
    warn rules not reloaded since 12:01:00: rules/http.yaml:3:7: unknown field
         `stauts`, did you mean `status`?, and 2 more

    Not loaded, 1 Jan 12:03:20
    rules/http.yaml:3:7: unknown field `stauts`, did you mean `status`?
    rules/http.yaml:9:1: no rule has this name
    and 1 more

    Lines                                    Events
    received       1 234 567  of which       late             17
    – parsed       1 234 560                 too late          0  not counted
    – malformed            2  rejected       in the future     0  not counted
    – not traffic          1  rejected       over the limit    0  limits.series
    – queued               4                 skipped          12  wanted by no rule
    cut off                0                 notices           3  HAProxy's own
                                             open windows      8
                                             closed          412
                                             amended           2
                                             series           20

    Rejected lines
    malformed 2
    not traffic 1

    Sinks
    sink     state     delivered  rejected  dropped  queued  target
    store    ok            8 240         0        0       0  /var/lib/weir
    librato  retrying      8 200         0        3   1 240  http://metrics.intern…
    librato: the server answered 503 Service Unavailable: busy

    Far sides
    sink     breaker  asks to wait until  spool used  of       oldest waits for
    librato  open     –                      954 MiB  1.0 GiB            15 min

    Refused last
    1 Jan 12:00:20 librato: http.rate{service="users"} of 1 Jan 12:00:00, and 2
      others left out since: is too long

    Listeners
         address       received   sent again  connections  lost  refused
    udp  0.0.0.0:5140  1 000 000           0            0     0        0
    tcp  0.0.0.0:5140    234 567           0            2     0        4
    tcp 0.0.0.0:5140 refused: not allowed (3), connections (1)

    Store                                    weir
    file      /var/lib/weir/store            version      0.1.0
    series    20                             mode         serve
    points    8 240                          running for  2 h
    size      1.4 MiB                        since        1 Jan 10:03:20
    accepted  8 240                          rules        2 in rules/http.yaml
    refused   0                              loaded       1 Jan 10:03:20
    kept for  24 h



    1 Services  2 Service  3 Pipeline  Esc Back  Enter More  ? Help  q Quit
    "#);
}

#[test]
fn a_receiver_has_no_lines_to_tell_of() {
    let mut model = Model::new("127.0.0.1:8420", at(300));
    let receiver = json!({"mode": "librato", "rules": null, "listeners": [], "sinks": []});
    model.news(told(with(pipeline(), receiver)), at(300));
    model.news(services(Vec::new()), at(300));
    insta::assert_snapshot!(screen(&mut model, 80, 9), @r"
    weir top  127.0.0.1:8420  librato  up 2 h                        live 12:05:00
    8 240 accepted  0 refused  20 series  8 240 points  1.4 MiB on disk
    receiver ok                                                         0 services

    No metric has been pushed yet
    Any Librato client can push to this weir's HTTP address.


    1 Services  2 Service  3 Pipeline  / Filter  s Sort  p Pause  ? Help  q Quit
    ");
    press(&mut model, "3");
    insta::assert_snapshot!(screen(&mut model, 80, 16), @r"
    weir top  127.0.0.1:8420  librato  up 2 h                        live 12:05:00
    8 240 accepted  0 refused  20 series  8 240 points  1.4 MiB on disk
    receiver ok                                                         0 services
    receiver ok

    Store                                    weir
    file      /var/lib/weir/store            version      0.1.0
    series    20                             mode         librato
    points    8 240                          running for  2 h
    size      1.4 MiB                        since        1 Jan 10:03:20
    accepted  8 240
    refused   0
    kept for  24 h


    1 Services  2 Service  3 Pipeline  Esc Back  Enter More  ? Help  q Quit
    ");
}

#[test]
fn help_tells_every_key() {
    let mut model = model();
    press(&mut model, "?");
    insta::assert_snapshot!(screen(&mut model, 80, 46), @r"
    weir top  127.0.0.1:8420  up 2 h                                 live 12:05:00
    213 lines/s  1.23 M parsed  3 rejected  17 late  0 lost  44 queued  2 sinks ok
    warn: senders are refused                      4 services: 1 bad, 1 warn, 2 ok
    Services
    j k, arrows  move; also PgUp, PgDn, Home or g, End or G
    Enter        opens the service
    /            filters by words in name, rule, state or reason, as you type
    s > <        sorts by the next column, or by the one before
    r            reverses

    One service
    left, right  the service before or behind this one in the list
    - +          a longer or a shorter span: 15 min, 1 h, 6 h, 24 h
    j k, arrows  scroll

    Pipeline
    Enter        all samples of rejected lines, or the newest of each reason
    j k, arrows  scroll

    Everywhere
    1 2 3, Tab   services, one service, the pipeline
    p, space     pause: what is shown stays as it is; again to go on
    Esc          back; in the list, takes the filter away
    ?, F1        this help
    Ctrl-L       draws everything anew
    Ctrl-Z       suspends; fg goes on
    q, Ctrl-C    ends

    The list
    State        bad, warn or ok, by the same rules as on weir's page; the worst
                 come first
    Rate         requests per second in the newest closed window
    p50 p95 p99  latency percentiles of that window; – is no such value, never 0
    Errors       share of failed requests in it; the number that Why names is
                 underlined
    small lines  rate, and on wide screens p95 and errors, over the span at their
                 top
    Why          what is unusual; `no data for` when no window came that should
                 have






    Esc Back  ↑↓ Scroll
    ");
}

#[test]
fn without_colours_everything_is_told_all_the_same() {
    let look = Look {
        colour: false,
        ..LOOK
    };
    let mut model = model();
    for keys in ["", "3", "2", "?"] {
        press(&mut model, keys);
        let plain = Screen::of(&mut model, &look, 80, 24);
        let coloured = Screen::of(&mut model, &LOOK, 80, 24);
        assert_eq!(plain.text(), coloured.text());
        let cells = plain.buffer().content.iter();
        assert!(
            cells
                .map(|cell| (cell.fg, cell.bg))
                .all(|colours| colours == (Color::Reset, Color::Reset))
        );
        let mut cells = coloured.buffer().content.iter();
        assert!(cells.any(|cell| cell.fg != Color::Reset));
    }
}

#[test]
fn hostile_and_wide_names_stay_in_their_cells() {
    let mut model = model();
    let names = [
        "\u{1b}[2J\u{1b}]0;owned\u{7}",
        "日本語のサービス名前はとても長い",
        "a\u{202e}b\u{200b}c",
        "prod-eu-west-1-checkout-service-a",
        "prod-eu-west-1-checkout-service-b",
        "",
    ];
    let list = names.map(|name| service(name, "ok", "\u{9b}31m", [1.0, 1.0, 1.0, 1.0, 0.0]));
    model.news(services(list.into()), at(300));
    insta::assert_snapshot!(screen(&mut model, 80, 11), @r"
     weir top  127.0.0.1:8420  up 2 h                                 live 12:05:00
     213 lines/s  1.23 M parsed  3 rejected  17 late  0 lost  44 queued  2 sinks ok
     warn: senders are refused                                     6 services: 6 ok
    State Service                  Rate    p50    p95    p99  Errors  Why
    ok    \u{1b}[2J\…wned\u{7}    1.0/s   1 ms   1 ms   1 ms   0.0 %  \u{9b}31m
    ok    日本語のサ…ても長い     1.0/s   1 ms   1 ms   1 ms   0.0 %  \u{9b}31m
    ok    a\u{202e}b\u{200b}c     1.0/s   1 ms   1 ms   1 ms   0.0 %  \u{9b}31m
    ok    prod-eu-we…service-a    1.0/s   1 ms   1 ms   1 ms   0.0 %  \u{9b}31m
    ok    prod-eu-we…service-b    1.0/s   1 ms   1 ms   1 ms   0.0 %  \u{9b}31m
    ok                            1.0/s   1 ms   1 ms   1 ms   0.0 %  \u{9b}31m
     1 Services  2 Service  3 Pipeline  / Filter  s Sort  p Pause  ? Help  q Quit
    ");
    for columns in 1..130 {
        for view in ["1", "2", "3"] {
            press(&mut model, view);
            let screen = Screen::of(&mut model, &LOOK, columns, 11);
            let harmless = |symbol: &str| !symbol.chars().any(char::is_control);
            let mut cells = screen.buffer().content.iter();
            assert!(cells.all(|cell| harmless(cell.symbol())));
        }
    }
}

#[test]
fn no_size_is_too_small_to_draw_on() {
    let mut model = model();
    press(&mut model, "j\n");
    answer(&mut model, charts());
    for (columns, lines) in [
        (0, 0),
        (1, 1),
        (80, 1),
        (80, 4),
        (1, 24),
        (3, 9),
        (12, 12),
        (500, 200),
    ] {
        for keys in ["1", "2", "3", "/", "\n", "?", "?"] {
            press(&mut model, keys);
            Screen::of(&mut model, &LOOK, columns, lines);
        }
    }
}
