//! Any text is a log format or it has a problem, which lies in the text and can be shown.
//! Wherever the text stands, the answer is the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir::haproxy::Formats;
use weir::source::{Placed, Source, Written};
use weir_fuzz::{check_problem, env};

fuzz_target!(|format: &str| {
    let mut said = [
        alone(format),
        quoted(format),
        escaped(format),
        block(format),
    ]
    .into_iter()
    .map(|placed| {
        Formats::one(&placed, &env)
            .map(|formats| formats.names())
            .map_err(|problem| {
                check_problem(&problem, &placed.source);
                (problem.message.clone(), problem.hint.clone())
            })
    });
    let first = said.next();
    assert!(said.all(|other| Some(other) == first));
});

/// As an argument.
fn alone(format: &str) -> Placed {
    placed("", format, "", format)
}

/// As YAML's single quotes hold it, but for line ends.
fn quoted(format: &str) -> Placed {
    let written = format!("'{}'", format.replace('\'', "''"));
    placed("haproxy:\n  log_format: ", &written, "\n", format)
}

/// As YAML's double quotes hold it, or something like it.
fn escaped(format: &str) -> Placed {
    let written = format!("{format:?}");
    placed("haproxy:\n  log_format: ", &written, " # ours\n", format)
}

/// As a literal block scalar, indented.
fn block(format: &str) -> Placed {
    let written = format!("    {}", format.replace('\n', "\n    "));
    placed("haproxy:\n  log_format: |-\n", &written, "\n", format)
}

fn placed(before: &str, written: &str, behind: &str, format: &str) -> Placed {
    Placed {
        source: Source::new("weir.yaml", &format!("{before}{written}{behind}")),
        text: Written {
            value: format.to_owned(),
            span: before.len()..before.len() + written.len(),
        },
    }
}
