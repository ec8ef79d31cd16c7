//! A test file as it is written: YAML in, texts with their places out.
//!
//! Nothing is interpreted here but the shape, so that everything wrong in a file can be said
//! at once. Only what YAML itself does not allow ends the reading at its first place.

use crate::source::{Notes, Problem, Scalar, Source, Written};
use crate::yaml::{Kind, Node};

const KEYS: [&str; 5] = ["rules", "timezone", "log_format", "haproxy_config", "tests"];
const TEST_KEYS: [&str; 3] = ["name", "lines", "windows"];
const LINE_KEYS: [&str; 4] = ["received_at", "line", "fixture", "repeat"];
const WINDOW_KEYS: [&str; 3] = ["start", "series", "value"];

const LINES_HINT: &str = "add log lines under `lines:`";
const WINDOWS_HINT: &str = "add `windows: [{ start: ..., series: ..., value: ... }]`";

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
    /// `None`: no value.
    pub value: Option<f64>,
}

/// Reads one file, and everything about its shape that is wrong.
pub(super) fn parse(source: &Source) -> (File, Vec<Problem>) {
    let (root, mut notes) = match source.tree("rule tests") {
        Ok(read) => read,
        Err(problem) => return (File::default(), vec![*problem]),
    };
    let file = file(&mut notes, &root);
    (file, notes.problems)
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

/// A path or a list of them.
fn paths(notes: &mut Notes<'_>, node: &Node) -> Option<Written<Vec<Scalar>>> {
    let value = match &node.kind {
        Kind::List(paths) => paths.iter().filter_map(|path| notes.text(path)).collect(),
        _ => vec![notes.text(node)?],
    };
    Some(Written {
        value,
        span: node.span.clone(),
    })
}

fn test(notes: &mut Notes<'_>, node: &Node) -> Option<Test> {
    let (mut name, mut lines, mut windows) = (None, None, None);
    let pairs = notes.pairs(node)?;
    let mut unknown = Vec::new();
    for (key, value) in pairs {
        match key.value.as_str() {
            "name" => name = Some(notes.text(value)),
            "lines" => {
                let written = some(notes, value, "a test without lines", LINES_HINT);
                let written = written.iter().filter_map(|one| line(notes, one));
                lines = Some(written.collect());
            }
            "windows" => {
                let written = some(notes, value, "a test that expects nothing", WINDOWS_HINT);
                let written = written.iter().filter_map(|one| window(notes, one));
                windows = Some(written.collect());
            }
            _ => {
                notes.unknown_key(key, &TEST_KEYS);
                unknown.push(key);
            }
        }
    }
    for (key, is_missing) in [
        ("name", name.is_none()),
        ("lines", lines.is_none()),
        ("windows", windows.is_none()),
    ] {
        if is_missing {
            notes.key_missing(&node.span, key, unknown.iter().copied());
        }
    }
    Some(Test {
        name: name??,
        lines: lines?,
        windows: windows?,
    })
}

/// A list that must not be empty.
fn some<'n>(notes: &mut Notes<'_>, node: &'n Node, empty: &str, hint: &str) -> &'n [Node] {
    let list = notes.list(node);
    if list.is_some_and(<[Node]>::is_empty) {
        notes.refuse_with(&node.span, empty, hint);
    }
    list.unwrap_or_default()
}

fn line(notes: &mut Notes<'_>, node: &Node) -> Option<Written<Line>> {
    let span = node.span.clone();
    let Kind::Map(pairs) = &node.kind else {
        let Scalar { value, span } = notes.text(node)?;
        let value = Line::Bare(value);
        return Some(Written { value, span });
    };
    let mut full = FullLine::default();
    let noted = notes.problems.len();
    for (key, value) in pairs {
        match key.value.as_str() {
            "received_at" => full.received_at = notes.text(value),
            "line" => full.line = notes.text(value),
            "fixture" => full.fixture = notes.text(value),
            "repeat" => full.repeat = notes.whole_number(value),
            _ => notes.unknown_key(key, &LINE_KEYS),
        }
    }
    let value = Line::Full(full);
    (notes.problems.len() == noted).then_some(Written { value, span })
}

fn window(notes: &mut Notes<'_>, node: &Node) -> Option<Window> {
    let (mut start, mut series, mut value) = (None, None, None);
    let pairs = notes.pairs(node)?;
    let mut unknown = Vec::new();
    for (key, written) in pairs {
        match key.value.as_str() {
            "start" => start = Some(notes.text(written)),
            "series" => series = Some(notes.text(written)),
            "value" => value = Some(number_or_none(notes, written)),
            _ => {
                notes.unknown_key(key, &WINDOW_KEYS);
                unknown.push(key);
            }
        }
    }
    for (key, is_missing) in [
        ("start", start.is_none()),
        ("series", series.is_none()),
        ("value", value.is_none()),
    ] {
        if is_missing {
            notes.key_missing(&node.span, key, unknown.iter().copied());
        }
    }
    Some(Window {
        start: start??,
        series: series??,
        value: value?,
    })
}

fn number_or_none(notes: &mut Notes<'_>, node: &Node) -> Option<f64> {
    if node.kind == Kind::Null {
        return None;
    }
    let text = notes.text(node)?;
    let number = text.value.parse().ok();
    let number = number.filter(|number: &f64| number.is_finite());
    if number.is_none() {
        let hint = "write a number, such as `0.25`";
        notes.refuse_with(
            &text.span,
            "a value is a finite number, or `null` for none",
            hint,
        );
    }
    number
}
