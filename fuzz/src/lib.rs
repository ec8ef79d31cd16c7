//! What several targets need.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use weir::source::{Problem, Source};

/// The environment that texts with variables see.
pub fn env(name: &str) -> Option<OsString> {
    Some(match name {
        "NAME" => "www".into(),
        "FORMAT" => "%ci:%cp [%tr] %ST %{+Q}r".into(),
        "QUOTES" => "\"a b\" 'c' \\ # $NAME".into(),
        "EMPTY" => OsString::new(),
        "BYTES" => OsString::from_vec(vec![b'%', 0xff, b'\n', 0]),
        _ => return None,
    })
}

/// The place is one of the source's, and it can be shown.
pub fn check_problem(problem: &Problem, source: &Source) {
    assert_eq!(problem.file, source.name);
    let line = problem.line.checked_sub(1).expect("lines count from 1");
    let line = source.text.split('\n').nth(line);
    let line = line.expect("the line is there");
    assert!((1..=line.chars().count() + 1).contains(&problem.column));
    let shown = problem.render();
    assert!(shown.starts_with(&problem.to_string()));
    assert!(!problem.message.is_empty());
}
