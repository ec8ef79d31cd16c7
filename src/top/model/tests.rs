//! Keys and news in, what is shown and asked out.

use super::*;
use serde_json::json;

const BEGUN: i64 = 1_767_268_800;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(BEGUN + seconds)
}

fn services(now: i64, names: &[&str]) -> News {
    let rows = names.iter().map(|name| {
        json!({
            "service": name, "rule": "http", "severity": "ok", "why": "", "time": BEGUN + now - 12,
            "window": 10, "rate": 5.0, "errors": 0.0, "p50": 1, "p95": 2, "p99": 3,
        })
    });
    let list = json!({"now": BEGUN + now, "services": rows.collect::<Vec<_>>()});
    News::Services(serde_json::from_value(list).unwrap())
}

fn pipeline(now: i64, samples: u64) -> News {
    let pipeline = json!({
        "mode": "serve", "now": BEGUN + now, "started": BEGUN, "received": 100 + now,
        "rejected": {"malformed": samples}, "samples": samples, "windows": {"grace": 2},
    });
    News::Pipeline(serde_json::from_value(pipeline).unwrap())
}

fn lost(why: &str, seconds: u64) -> News {
    News::Lost {
        why: why.into(),
        retry_in: Duration::from_secs(seconds),
    }
}

/// Ten seconds after it began, with three services.
fn model() -> Model {
    let mut model = Model::new("127.0.0.1:8420", at(0));
    model.resize(24);
    model.news(services(10, &["users", "search", "cards"]), at(10));
    model.news(pipeline(10, 0), at(10));
    model
}

fn press(model: &mut Model, keys: &str, now: i64) {
    for char in keys.chars() {
        let key = match char {
            '\n' => Key::Enter,
            '\u{1b}' => Key::Escape,
            '\t' => Key::Tab,
            '\u{8}' => Key::Backspace,
            '→' => Key::Right,
            '←' => Key::Left,
            '↓' => Key::Down,
            char => Key::Char(char),
        };
        assert_eq!(model.key(key, at(now)), Then::Draw, "{char:?}");
    }
}

fn target(model: &Model) -> Option<&str> {
    model.target.as_ref().map(|target| &*target.service.id)
}

fn charts_ask(model: &mut Model) -> Option<ChartsAsk> {
    match model.ask() {
        Some(Ask::Charts(ask)) => Some(ask),
        None => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn enter_opens_what_the_cursor_is_on_and_escape_goes_back_to_it() {
    let mut model = model();
    press(&mut model, "j\n", 11);
    assert_eq!(
        (model.view, target(&model)),
        (View::Service, Some("search"))
    );
    press(&mut model, "→", 11);
    assert_eq!(target(&model), Some("cards"));
    press(&mut model, "→←←←", 11);
    assert_eq!(target(&model), Some("users"));
    press(&mut model, "→\u{1b}", 11);
    assert_eq!(model.view, View::Services);
    let selected = model.list.selected(&model.seen().services.services);
    assert_eq!(selected.unwrap().service.id, "search");
    // What was opened before is not opened again where the cursor is elsewhere.
    press(&mut model, "k\n", 11);
    assert_eq!(target(&model), Some("users"));
}

#[test]
fn views_come_one_after_the_other_and_by_their_numbers() {
    let mut model = model();
    let mut views = Vec::new();
    for key in ["\t", "\t", "\t", "3", "2", "1"] {
        press(&mut model, key, 11);
        views.push(model.view);
    }
    let (list, one, all) = (View::Services, View::Service, View::Pipeline);
    assert_eq!(views, [one, all, list, all, one, list]);
    assert_eq!(model.key(Key::BackTab, at(11)), Then::Draw);
    assert_eq!(model.view, View::Pipeline);
    assert_eq!(model.key(Key::Char('q'), at(11)), Then::Quit);
    assert_eq!(model.key(Key::Ctrl('c'), at(11)), Then::Quit);
    assert_eq!(model.key(Key::Ctrl('z'), at(11)), Then::Suspend);
    assert_eq!(model.key(Key::Ctrl('l'), at(11)), Then::Redraw);
}

#[test]
fn without_services_nothing_can_be_opened() {
    let mut model = Model::new("", at(0));
    press(&mut model, "\nj2→p/x\n", 0);
    assert_eq!(target(&model), None);
    assert_eq!(model.ask(), None);
}

#[test]
fn a_filter_takes_every_letter_while_it_is_typed() {
    let mut model = model();
    press(&mut model, "3/qpx\u{8}\u{8}\u{8}se", 11);
    assert_eq!((model.view, &*model.list.filter), (View::Services, "se"));
    assert_eq!(model.list.order(), [0, 1]);
    press(&mut model, "a ", 11);
    assert_eq!(model.list.order(), [1]);
    assert!(model.is_typing());
    press(&mut model, "\n", 11);
    assert!(!model.is_typing());
    press(&mut model, "\n", 11);
    assert_eq!(target(&model), Some("search"));
    press(&mut model, "\u{1b}", 11);
    assert_eq!(model.list.order(), [1]);
    press(&mut model, "\u{1b}", 11);
    assert_eq!(model.list.order(), [0, 1, 2]);
    press(&mut model, "/a b c", 11);
    model.key(Key::Ctrl('w'), at(11));
    assert_eq!(model.list.filter, "a b ");
    model.key(Key::Ctrl('u'), at(11));
    assert_eq!(model.list.filter, "");
    assert_eq!(model.key(Key::Ctrl('c'), at(11)), Then::Quit);
}

#[test]
fn help_lies_over_a_view_and_goes_with_any_key_that_ends_it() {
    let mut model = model();
    press(&mut model, "3?", 11);
    assert!(model.help);
    model.drawn(9);
    press(&mut model, "jj", 11);
    assert_eq!(model.scroll(), 2);
    press(&mut model, "q", 11);
    assert!(!model.help);
    assert_eq!((model.view, model.scroll()), (View::Pipeline, 0));
}

#[test]
fn scrolling_ends_where_the_view_does() {
    let mut model = model();
    press(&mut model, "3", 11);
    model.drawn(30);
    press(&mut model, "jjk", 11);
    assert_eq!(model.scroll(), 1);
    for (key, scroll) in [
        (Key::PageDown, 20),
        (Key::PageDown, 30),
        (Key::Down, 30),
        (Key::PageUp, 11),
        (Key::Home, 0),
        (Key::Up, 0),
        (Key::End, 30),
    ] {
        model.key(key, at(11));
        assert_eq!(model.scroll(), scroll, "{key:?}");
    }
    // There is less to see than before.
    model.drawn(4);
    assert_eq!(model.scroll(), 4);
}

#[test]
fn paused_everything_stays_and_then_the_newest_is_shown() {
    let mut model = model();
    press(&mut model, "p", 12);
    assert_eq!(model.pause, Some(Pause { at: BEGUN + 12 }));
    model.news(services(20, &["users"]), at(20));
    model.news(pipeline(20, 0), at(20));
    assert_eq!(model.seen().services.services.len(), 3);
    assert_eq!(
        model.seen().pipeline.as_ref().unwrap().numbers.received,
        110
    );
    assert_eq!(model.seen_at(), BEGUN + 12);
    assert_eq!(model.server_now(), BEGUN + 20);
    // Sorting and filtering what stays is no news.
    press(&mut model, "/cards\n", 21);
    assert_eq!(model.list.order(), [2]);
    press(&mut model, " ", 22);
    assert_eq!(model.seen().services.services.len(), 1);
    assert_eq!(model.list.order(), [] as [usize; 0]);
    assert_eq!(model.seen_at(), BEGUN + 22);
}

#[test]
fn what_is_seen_without_a_connection_is_of_when_it_was_lost() {
    let mut model = model();
    model.news(lost("refused", 4), at(13));
    model.news(lost("no route", 2), at(30));
    let Link::Lost { since, why, .. } = &model.link else {
        panic!("{:?}", model.link);
    };
    assert_eq!((*since, &**why), (at(13), "no route"));
    assert_eq!(model.seen_at(), BEGUN + 10);
    assert_eq!(model.retry_in(), Some(2));
    model.tick(at(31));
    assert_eq!(model.retry_in(), Some(1));
    model.tick(at(40));
    assert_eq!(model.retry_in(), Some(0));
    assert_eq!(model.seen().services.services.len(), 3);
    model.news(pipeline(41, 0), at(41));
    assert_eq!(model.link, Link::Live);
    assert_eq!(model.seen_at(), BEGUN + 41);
}

#[test]
fn times_are_those_of_the_server() {
    let mut model = Model::new("", at(0));
    model.news(pipeline(500, 0), at(3));
    assert_eq!(model.server_now(), BEGUN + 500);
    assert!(!model.tick(at(3) + Duration::from_millis(400)));
    assert!(model.tick(at(4)));
    assert_eq!(model.server_now(), BEGUN + 501);
    assert_eq!(model.due(), BEGUN + 499);
}

#[test]
fn charts_are_asked_for_when_a_window_may_have_closed_and_never_twice_at_a_time() {
    let mut model = model();
    assert_eq!(model.ask(), None, "the list needs nothing but the stream");
    press(&mut model, "\n", 11);
    let ask = charts_ask(&mut model).unwrap();
    let expected = ChartsAsk {
        service: "users".into(),
        rule: "http".into(),
        from: BEGUN + 11 - 900,
        to: BEGUN + 11,
    };
    assert_eq!(ask, expected);
    assert_eq!(model.charts().unwrap().detail(), Detail::Loading);
    model.news(services(15, &["users"]), at(15));
    assert_eq!(model.ask(), None, "one is under way");
    model.news(
        News::Answered(Answer::Charts(ask, Ok(Default::default()))),
        at(15),
    );
    assert!(matches!(model.charts().unwrap().detail(), Detail::Here(_)));
    let ask = charts_ask(&mut model).unwrap();
    assert_eq!(ask.to, BEGUN + 15);
    // What was there stays until the answer comes.
    assert!(matches!(model.charts().unwrap().detail(), Detail::Here(_)));
    model.news(
        News::Answered(Answer::Charts(ask, Err("no".into()))),
        at(16),
    );
    assert_eq!(
        model.charts().unwrap().detail(),
        Detail::Failed(&Text::new("no"))
    );
    for (now, asks) in [(17, false), (24, false), (25, true)] {
        model.tick(at(now));
        assert_eq!(model.ask().is_some(), asks, "{now}");
    }
}

#[test]
fn questions_are_a_second_apart_however_fast_keys_are() {
    let mut model = model();
    press(&mut model, "\n", 11);
    let ask = charts_ask(&mut model).unwrap();
    press(&mut model, "→", 11);
    assert_eq!(model.ask(), None);
    model.news(
        News::Answered(Answer::Charts(ask, Ok(Default::default()))),
        at(11),
    );
    assert_eq!(model.ask(), None, "asked just now");
    model.tick(at(12));
    let ask = charts_ask(&mut model).unwrap();
    assert_eq!(ask.service, "search");
    // An answer to what is no longer looked at is not shown.
    press(&mut model, "→", 12);
    model.news(
        News::Answered(Answer::Charts(ask, Ok(Default::default()))),
        at(12),
    );
    model.tick(at(13));
    assert_eq!(charts_ask(&mut model).unwrap().service, "cards");
    assert_eq!(model.charts().unwrap().detail(), Detail::Loading);
    // A clock that is set back must not silence it.
    model.news(
        News::Answered(Answer::Charts(
            ChartsAsk {
                service: "cards".into(),
                rule: "http".into(),
                from: 0,
                to: 900,
            },
            Ok(Default::default()),
        )),
        at(-500),
    );
    assert!(model.ask().is_some());
}

#[test]
fn another_span_is_asked_for_and_within_bounds() {
    let mut model = model();
    press(&mut model, "\n----", 11);
    let ask = charts_ask(&mut model).unwrap();
    assert_eq!(ask.to - ask.from, 86_400);
    press(&mut model, "+++++", 11);
    assert_eq!(model.range, 0);
}

#[test]
fn paused_charts_are_of_the_time_of_the_pause_and_asked_for_once() {
    let mut model = model();
    press(&mut model, "p\n", 11);
    model.tick(at(60));
    let ask = charts_ask(&mut model).unwrap();
    assert_eq!(ask.to, BEGUN + 11);
    model.news(
        News::Answered(Answer::Charts(ask, Ok(Default::default()))),
        at(60),
    );
    model.news(services(70, &["users"]), at(70));
    assert_eq!(model.ask(), None);
    press(&mut model, "-", 71);
    let ask = charts_ask(&mut model).unwrap();
    assert_eq!((ask.from, ask.to), (BEGUN + 11 - 3_600, BEGUN + 11));
}

#[test]
fn nothing_is_asked_while_the_connection_is_lost() {
    let mut model = model();
    press(&mut model, "\n", 11);
    model.news(lost("refused", 1), at(11));
    assert_eq!(model.ask(), None);
    model.news(pipeline(12, 0), at(12));
    assert!(model.ask().is_some());
}

#[test]
fn samples_of_rejected_lines_are_asked_for_while_they_are_looked_at() {
    let mut model = model();
    press(&mut model, "3", 11);
    assert_eq!(model.ask(), None, "nothing was rejected");
    model.news(pipeline(12, 3), at(12));
    assert_eq!(model.ask(), Some(Ask::Rejects((BEGUN, 3))));
    let rejects = |version, rejects| News::Answered(Answer::Rejects(version, rejects));
    model.news(rejects((BEGUN, 3), Ok(Rejects::default())), at(13));
    model.tick(at(20));
    assert_eq!(model.ask(), None, "there are no new ones");
    model.news(pipeline(21, 4), at(21));
    assert_eq!(model.ask(), Some(Ask::Rejects((BEGUN, 4))));
    model.news(rejects((BEGUN, 4), Err("busy".into())), at(22));
    assert_eq!(model.rejects(), Some(&Err(Text::new("busy"))));
    model.tick(at(23));
    assert_eq!(model.ask(), Some(Ask::Rejects((BEGUN, 4))), "again");
}
