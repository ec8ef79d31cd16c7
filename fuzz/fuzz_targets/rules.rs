//! Any text is a file of rules or it has problems, which lie in the text and can be shown; and
//! rules that load count any event and close their windows.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use std::time::Duration;
use weir::haproxy::{Event, Kind, Timers};
use weir::rules::{Evaluator, Options, load};
use weir::source::Source;
use weir::time::Timestamp;
use weir::window::{Settings, Windows};
use weir_fuzz::check_problem;

const AT: Timestamp = Timestamp::from_secs(1_767_268_861);

fuzz_target!(|text: &str| {
    let source = Source::new("rules.yaml", text);
    let rules = match load(std::slice::from_ref(&source), &Options::default()) {
        Ok(rules) => Arc::new(rules),
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in &problems {
                check_problem(problem, &source);
            }
            return;
        }
    };
    let mut evaluator = Evaluator::new(Arc::clone(&rules), 100);
    let mut windows = Windows::new(Arc::clone(rules.layout()), Settings::default());
    for second in 0..3 {
        let event = Event {
            client_ip: Some(b"192.0.2.7"),
            frontend: Some(b"shop"),
            status: Some(200 + second),
            path: Some(b"/v1/users/42?x"),
            timers: Timers {
                response: Some(15),
                active: Some(20),
                ..Timers::NONE
            },
            ..Event::of_kind(Kind::Http)
        };
        evaluator.apply(&event, AT + Duration::from_secs(second as u64));
    }
    let merged = windows.merge(evaluator.take());
    assert!(merged.counted + merged.over_limit <= 3);
    for window in windows.close_all() {
        assert!(window.measurements.iter().all(|m| m.value.is_finite()));
    }
});
