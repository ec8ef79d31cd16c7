//! Any text is an `haproxy.cfg` or it has problems, which lie in the text and can be
//! shown, and so do its warnings.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir::haproxy::{Formats, config};
use weir::source::{Problem, Source};
use weir_fuzz::{check_problem, env};

fuzz_target!(|text: &str| {
    let source = Source::new("haproxy.cfg", text);
    let check = |problems: &[Problem]| {
        for problem in problems {
            check_problem(problem, &source);
        }
    };
    match config::read(&source, &env) {
        Ok(config) => {
            assert!(config.warnings.len() <= 50);
            check(&config.warnings);
            match Formats::of_config(&config) {
                Ok(formats) => drop(formats.names()),
                Err(problems) => {
                    assert!(!problems.is_empty());
                    check(&problems);
                }
            }
        }
        Err(problems) => {
            assert!((1..=50).contains(&problems.len()));
            check(&problems);
        }
    }
});
