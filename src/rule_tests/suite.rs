//! A test file, checked: plain data that a run cannot misunderstand.

use super::file::{self, File, Line};
use super::moment::Moment;
use super::series;
use crate::metric::Series;
use crate::source::{Placed, Problem, Scalar, Source, Written};
use jiff::tz::TimeZone;
use std::ops::Range;

/// More lines in one test are refused.
pub(super) const LINES_MAX: usize = 1_000_000;

const MOMENT_HINT: &str =
    "write `2026-01-01T12:01:02.400Z`, or `12:01:02.400` on the day of the first line";

/// The tests of one file.
#[derive(Debug)]
pub struct Suite {
    pub source: Source,
    /// The rule files and folders that are tested, relative to the file's own folder.
    pub rules: Vec<Scalar>,
    /// In which HAProxy wrote the lines; `None`: as configured.
    pub timezone: Option<TimeZone>,
    /// `None`: as configured.
    pub format: Option<Format>,
    pub(super) tests: Vec<Test>,
}

/// Which formats the lines have.
#[derive(Clone, Debug)]
pub enum Format {
    /// This `log-format`.
    One(Placed),
    /// Those of this `haproxy.cfg`, relative to the file's own folder.
    Haproxy(Scalar),
}

#[derive(Debug)]
pub(super) struct Test {
    pub name: Scalar,
    pub lines: Vec<Lines>,
    pub expected: Vec<Expected>,
}

/// Lines that come, one after the other.
#[derive(Debug)]
pub(super) struct Lines {
    pub span: Range<usize>,
    /// `None`: each when it ended.
    pub received_at: Option<Written<Moment>>,
    pub text: Text,
    pub repeat: usize,
}

#[derive(Debug)]
pub(super) enum Text {
    Line(String),
    /// The path of a file of lines.
    Fixture(Scalar),
}

/// One value that should be there, or none.
#[derive(Debug)]
pub(super) struct Expected {
    pub start: Written<Moment>,
    pub series: Written<Series>,
    pub value: Option<f64>,
}

impl Suite {
    /// Checks a file's text.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its place.
    pub fn parse(source: &Source) -> Result<Suite, Vec<Problem>> {
        let (file, problems) = file::parse(source).map_err(|problem| vec![*problem])?;
        let mut check = Check { source, problems };
        let suite = check.suite(file);
        check
            .problems
            .sort_by_key(|problem| (problem.line, problem.column));
        match check.problems.is_empty() {
            true => Ok(suite),
            false => Err(check.problems),
        }
    }

    /// How many tests there are.
    pub fn len(&self) -> usize {
        self.tests.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }
}

struct Check<'a> {
    source: &'a Source,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn suite(&mut self, file: File) -> Suite {
        let timezone = file.timezone.and_then(|name| {
            let zone = TimeZone::get(&name.value).ok();
            if zone.is_none() {
                let message = format!("there is no time zone `{}`", name.value);
                self.wrong(
                    &name.span,
                    &message,
                    "give an IANA name, such as `Europe/Stockholm` or `UTC`",
                );
            }
            zone
        });
        Suite {
            source: self.source.clone(),
            rules: self.rules(file.rules),
            timezone,
            format: self.format(file.log_format, file.haproxy_config),
            tests: file.tests.into_iter().map(|test| self.test(test)).collect(),
        }
    }

    fn wrong(&mut self, span: &Range<usize>, message: &str, hint: &str) {
        let problem = self.source.problem(span.clone(), message);
        self.problems.push(problem.hint(hint));
    }

    /// Those that the file names; else the file of the same name without `.test`.
    fn rules(&mut self, paths: Option<Written<Vec<Scalar>>>) -> Vec<Scalar> {
        match paths {
            Some(Written { value, .. }) if !value.is_empty() => value,
            Some(Written { span, .. }) => {
                self.wrong(
                    &span,
                    "no rules are named here",
                    "name a file, a folder or several, or leave out the key",
                );
                Vec::new()
            }
            None => match tested_name(&self.source.name) {
                Some(value) => vec![Scalar { value, span: 0..0 }],
                None => {
                    self.wrong(&(0..0), "it is not said which rules are tested", "add `rules: http.yaml`, or name this file as its rules with `.test` before `.yaml`");
                    Vec::new()
                }
            },
        }
    }

    fn format(&mut self, one: Option<Scalar>, config: Option<Scalar>) -> Option<Format> {
        match (one, config) {
            (None, None) => None,
            (Some(text), None) => Some(Format::One(Placed {
                source: self.source.clone(),
                text,
            })),
            (None, Some(path)) => Some(Format::Haproxy(path)),
            (Some(one), Some(config)) => {
                let message = "`log_format` and `haproxy_config` both say what formats lines have";
                let problem = self
                    .source
                    .problem(one.span, message)
                    .other("the other key", &self.source.place(config.span))
                    .hint("keep one of both");
                self.problems.push(problem);
                None
            }
        }
    }

    fn test(&mut self, test: file::Test) -> Test {
        let span = &test.name.span;
        if test.lines.is_empty() {
            self.wrong(span, "a test without lines", "add log lines under `lines:`");
        }
        if test.windows.is_empty() {
            self.wrong(
                span,
                "a test that expects nothing",
                "add `windows: [{ start: ..., series: ..., value: ... }]`",
            );
        }
        Test {
            lines: test
                .lines
                .into_iter()
                .filter_map(|line| self.lines(line))
                .collect(),
            expected: test
                .windows
                .into_iter()
                .filter_map(|window| self.expected(window))
                .collect(),
            name: test.name,
        }
    }

    fn lines(&mut self, Written { value, span }: Written<Line>) -> Option<Lines> {
        let full = match value {
            Line::Bare(line) => {
                return Some(Lines {
                    span,
                    received_at: None,
                    text: Text::Line(line),
                    repeat: 1,
                });
            }
            Line::Full(full) => full,
        };
        let received_at = match &full.received_at {
            Some(text) => Some(self.moment(text)?),
            None => None,
        };
        let text = match (full.line, full.fixture) {
            (Some(line), None) => Text::Line(line.value),
            (None, Some(path)) => Text::Fixture(path),
            _ => {
                self.wrong(
                    &span,
                    "expected either `line` or `fixture` here",
                    "`line` is a log line, `fixture` the path of a file of them",
                );
                return None;
            }
        };
        let repeat = match full.repeat {
            Some(repeat) if !(1..=LINES_MAX).contains(&repeat.value) => {
                self.wrong(
                    &repeat.span,
                    &format!("{} is out of range", repeat.value),
                    &format!("choose 1 to {LINES_MAX}"),
                );
                return None;
            }
            repeat => repeat.map_or(1, |repeat| repeat.value),
        };
        Some(Lines {
            span,
            received_at,
            text,
            repeat,
        })
    }

    fn expected(&mut self, window: file::Window) -> Option<Expected> {
        let start = self.moment(&window.start);
        let Scalar { value: text, span } = window.series;
        let series = match series::parse(&text) {
            Ok(value) => Some(Written { value, span }),
            Err(fault) => {
                let problem = self.source.fault("", span, &text, fault);
                self.problems.push(problem);
                None
            }
        };
        let value = window.value.value;
        if value.is_some_and(|value| !value.is_finite()) {
            self.wrong(
                &window.value.span,
                "a value is a finite number, or `null` for none",
                "write a number, such as `0.25`",
            );
        }
        Some(Expected {
            start: start?,
            series: series?,
            value,
        })
    }

    fn moment(&mut self, text: &Scalar) -> Option<Written<Moment>> {
        let moment = Moment::parse(&text.value);
        if moment.is_none() {
            self.wrong(
                &text.span,
                &format!("`{}` is no time", text.value),
                MOMENT_HINT,
            );
        }
        Some(Written {
            value: moment?,
            span: text.span.clone(),
        })
    }
}

/// The name of the rules beside a file of tests: `http.yaml` of `rules/http.test.yaml`.
fn tested_name(path: &str) -> Option<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    [".yaml", ".yml"].into_iter().find_map(|ending| {
        let name = name.strip_suffix(ending)?.strip_suffix(".test")?;
        (!name.is_empty()).then(|| format!("{name}{ending}"))
    })
}
