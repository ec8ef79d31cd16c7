//! A test file as it is written: YAML in, texts with their places out.
//!
//! What the texts mean is not looked at here.

use crate::source::{Notes, Problem, Scalar, Source, Written};
use crate::yaml::{Kind, Node};
use std::ops::Range;

pub(super) const KEYS: [&str; 5] = ["rules", "timezone", "log_format", "haproxy_config", "tests"];
pub(super) const TEST_KEYS: [&str; 3] = ["name", "lines", "windows"];
pub(super) const LINE_KEYS: [&str; 4] = ["received_at", "line", "fixture", "repeat"];
pub(super) const WINDOW_KEYS: [&str; 3] = ["start", "series", "value"];

#[derive(Debug, Default)]
pub(super) struct File {
    /// The rule files and folders that are tested.
    pub rules: Option<Written<Vec<Scalar>>>,
    /// The IANA name of the zone in which HAProxy wrote the lines.
    pub timezone: Option<Scalar>,
    /// The `log-format` that all lines have.
    pub log_format: Option<Scalar>,
    /// The `haproxy.cfg` whose formats the lines have.
    pub haproxy_config: Option<Scalar>,
    pub tests: Vec<Test>,
}

#[derive(Debug)]
pub(super) struct Test {
    pub name: Scalar,
    pub lines: Vec<Written<Line>>,
    pub windows: Vec<Window>,
}

/// A log line, or more of them, and when they come.
#[derive(Debug)]
pub(super) enum Line {
    /// It comes when it ended.
    Bare(String),
    Full(FullLine),
}

#[derive(Debug, Default)]
pub(super) struct FullLine {
    pub received_at: Option<Scalar>,
    pub line: Option<Scalar>,
    /// A file of lines.
    pub fixture: Option<Scalar>,
    /// How often they come.
    pub repeat: Option<Written<usize>>,
}

#[derive(Debug)]
pub(super) struct Window {
    pub start: Scalar,
    pub series: Scalar,
    pub value: Written<Option<f64>>,
}

/// Reads one file, and everything about its shape that is wrong.
///
/// # Errors
///
/// It is no test file at all.
pub(super) fn parse(source: &Source) -> Result<(File, Vec<Problem>), Box<Problem>> {
    let (root, mut notes) = source.tree("rule tests")?;
    if let Some(key) = rules_key(&root) {
        let hint = match test_name(&source.name) {
            Some(name) => format!("tests of its rules belong in `{name}`; see docs/rules.md"),
            None => "tests stand in a file of their own; see docs/rules.md".to_owned(),
        };
        let problem = notes.problem(&key.span, "this is a file of rules, not of tests");
        return Err(Box::new(problem.hint(hint)));
    }
    let file = file(&mut notes, &root);
    Ok((file, notes.problems))
}

/// The key `rules` of a rule file. That of a test file names files.
fn rules_key(root: &Node) -> Option<&Scalar> {
    let Kind::Map(pairs) = &root.kind else {
        return None;
    };
    if pairs.iter().any(|(key, _)| key.value == "tests") {
        return None;
    }
    let rules = pairs.iter().find(|(key, _)| key.value == "rules");
    rules.and_then(|(key, value)| match &value.kind {
        Kind::List(items) if matches!(items.first()?.kind, Kind::Map(_)) => Some(key),
        _ => None,
    })
}

/// The file in which tests of that file's rules are looked for.
fn test_name(rules: &str) -> Option<String> {
    [".yaml", ".yml"].into_iter().find_map(|ending| {
        let name = rules.strip_suffix(ending)?;
        (!name.ends_with(".test")).then(|| format!("{name}.test{ending}"))
    })
}

fn file(notes: &mut Notes<'_>, root: &Node) -> File {
    let noted = notes.problems.len();
    let mut file = File::default();
    for (key, value) in notes.section(root).unwrap_or_default() {
        match key.value.as_str() {
            "rules" => file.rules = paths(notes, value),
            "timezone" => file.timezone = notes.text(value),
            "log_format" => file.log_format = notes.text(value),
            "haproxy_config" => file.haproxy_config = notes.text(value),
            "tests" if value.kind == Kind::Null => {}
            "tests" => {
                let tests = notes.list(value).unwrap_or_default();
                file.tests = tests.iter().filter_map(|one| test(notes, one)).collect();
            }
            _ => notes.unknown_key(key, &KEYS),
        }
    }
    if file.tests.is_empty() && notes.problems.len() == noted {
        let hint = "tests stand in a list under `tests:`; see docs/rules.md";
        notes.refuse_with(&(0..0), "there is no test in this file", hint);
    }
    file
}

fn paths(notes: &mut Notes<'_>, node: &Node) -> Option<Written<Vec<Scalar>>> {
    let value = match &node.kind {
        Kind::List(items) => {
            let paths = items.iter().filter_map(|item| notes.text(item));
            paths.collect()
        }
        _ => vec![notes.text(node)?],
    };
    Some(Written {
        value,
        span: node.span.clone(),
    })
}

fn test(notes: &mut Notes<'_>, node: &Node) -> Option<Test> {
    let pairs = notes.pairs(node)?;
    let (mut name, mut lines, mut windows) = (None, None, None);
    for (key, value) in pairs {
        match key.value.as_str() {
            "name" => name = notes.text(value),
            "lines" => {
                let read = notes.list(value);
                lines = read.map(|all| all.iter().filter_map(|one| line(notes, one)).collect());
            }
            "windows" => {
                let read = notes.list(value);
                windows = read.map(|all| all.iter().filter_map(|one| window(notes, one)).collect());
            }
            _ => notes.unknown_key(key, &TEST_KEYS),
        }
    }
    missing(notes, node, pairs, &TEST_KEYS);
    Some(Test {
        name: name?,
        lines: lines?,
        windows: windows?,
    })
}

fn line(notes: &mut Notes<'_>, node: &Node) -> Option<Written<Line>> {
    let value = match &node.kind {
        Kind::Map(pairs) => {
            let mut full = FullLine::default();
            for (key, value) in pairs {
                match key.value.as_str() {
                    "received_at" => full.received_at = notes.text(value),
                    "line" => full.line = notes.text(value),
                    "fixture" => full.fixture = notes.text(value),
                    "repeat" => full.repeat = notes.whole_number(value),
                    _ => notes.unknown_key(key, &LINE_KEYS),
                }
            }
            Line::Full(full)
        }
        _ => Line::Bare(notes.text(node)?.value),
    };
    Some(Written {
        value,
        span: node.span.clone(),
    })
}

fn window(notes: &mut Notes<'_>, node: &Node) -> Option<Window> {
    let pairs = notes.pairs(node)?;
    let (mut start, mut series, mut value) = (None, None, None);
    for (key, node) in pairs {
        match key.value.as_str() {
            "start" => start = notes.text(node),
            "series" => series = notes.text(node),
            "value" => value = number(notes, node),
            _ => notes.unknown_key(key, &WINDOW_KEYS),
        }
    }
    missing(notes, node, pairs, &WINDOW_KEYS);
    Some(Window {
        start: start?,
        series: series?,
        value: value?,
    })
}

fn number(notes: &mut Notes<'_>, node: &Node) -> Option<Written<Option<f64>>> {
    let span = node.span.clone();
    if node.kind == Kind::Null {
        return Some(Written { value: None, span });
    }
    let text = notes.text(node)?;
    match text.value.parse() {
        Ok(value) => Some(Written {
            value: Some(value),
            span,
        }),
        Err(_) => {
            let message = format!("expected a number here, found `{}`", text.value);
            notes.refuse_with(&span, message, "write a number, or `null` for no value");
            // The rest of the window is still to be checked.
            Some(Written { value: None, span })
        }
    }
}

fn missing(notes: &mut Notes<'_>, node: &Node, pairs: &[(Scalar, Node)], keys: &[&str]) {
    let span: Range<usize> = pairs
        .first()
        .map_or(&node.span, |(key, _)| &key.span)
        .clone();
    let unknown: Vec<_> = pairs
        .iter()
        .map(|(key, _)| key)
        .filter(|key| !keys.contains(&key.value.as_str()))
        .collect();
    for wanted in keys {
        if !pairs.iter().any(|(key, _)| key.value == *wanted) {
            notes.key_missing(&span, wanted, unknown.iter().copied());
        }
    }
}

/// The keys that are read, and where the schema of test files has them.
#[cfg(test)]
pub(crate) fn known_keys() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("/properties", &KEYS),
        ("/$defs/test/properties", &TEST_KEYS),
        ("/$defs/line/oneOf/1/properties", &LINE_KEYS),
        ("/$defs/expected/properties", &WINDOW_KEYS),
    ]
}
