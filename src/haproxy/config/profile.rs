//! `log-profile` sections: formats by event (HAProxy since 3.1, manual section 8.3.5).

use super::report::Reports;
use super::statement::Statement;
use super::text::ConfigText;
use std::ops::Range;
use std::sync::Arc;

/// Events that one profile may name; HAProxy has about ten.
const STEPS_MAX: usize = 64;

pub(super) struct Profile {
    pub span: Range<usize>,
    log_tag: Option<Box<str>>,
    steps: Vec<Step>,
}

struct Step {
    event: Box<str>,
    format: Option<Arc<ConfigText>>,
    drop: bool,
}

/// What the lines of a log target with a profile look like.
pub(super) struct Lines {
    /// Each once, the most usual first.
    pub traffic: Vec<Line>,
    /// `None` where errors are dropped.
    pub error: Option<Line>,
    pub log_tag: Option<Box<str>>,
}

#[derive(Clone, PartialEq)]
pub(super) enum Line {
    /// As without the profile.
    Default,
    Own(Arc<ConfigText>),
}

impl Profile {
    pub fn new(span: Range<usize>) -> Self {
        Profile {
            span,
            log_tag: None,
            steps: Vec::new(),
        }
    }

    pub fn read(&mut self, statement: &Statement, reports: &mut Reports) {
        match statement.keyword(0) {
            "log-tag" => {
                if let Some(tag) = statement.name(reports) {
                    self.log_tag = Some(tag);
                }
            }
            "on" => self.step(statement, reports),
            _ => {}
        }
    }

    /// `on EVENT [drop] [format FMT] [sd FMT]`
    fn step(&mut self, statement: &Statement, reports: &mut Reports) {
        let mut words = statement.words().iter().skip(1);
        let (Some(event), true) = (words.next(), words.len() > 0) else {
            let hint = "it is `on EVENT format FORMAT`, or `on EVENT drop`";
            return reports.problem(
                statement.span(),
                "`on` without an event and what to do",
                hint,
            );
        };
        let event = event.keyword();
        let at = match self.steps.iter().position(|step| *step.event == *event) {
            Some(at) => at,
            None if self.steps.len() == STEPS_MAX => {
                let message = format!("more than {STEPS_MAX} events in one profile");
                return reports.problem(statement.span(), message, "no HAProxy has that many");
            }
            None => {
                self.steps.push(Step {
                    event: event.into(),
                    format: None,
                    drop: false,
                });
                self.steps.len() - 1
            }
        };
        while let Some(word) = words.next() {
            match (word.keyword(), words.clone().next()) {
                ("drop", _) => self.steps[at].drop = true,
                ("format", Some(format)) => {
                    words.next();
                    let Some(text) = reports.text(format) else {
                        return;
                    };
                    self.steps[at].format = Some(Arc::new(text));
                }
                ("sd", Some(_)) => {
                    words.next();
                }
                _ => {
                    return reports.problem(
                        word.span.clone(),
                        format!("`on {event}` takes `format`, `sd` and `drop` here"),
                        "a format with blanks is put into quotes",
                    );
                }
            }
        }
    }

    /// The lines of those who use it. Traffic's begin with those of the end of a
    /// transaction, which is what is logged unless something else is asked for.
    pub fn lines(self) -> Lines {
        let events = self.steps.iter().map(|step| &*step.event);
        let events = events.filter(|event| *event != "error");
        let mut traffic: Vec<Line> = Vec::new();
        for event in std::iter::once("close").chain(events).chain(["any"]) {
            if let Some(line) = self.on(event)
                && !traffic.contains(&line)
            {
                traffic.push(line);
            }
        }
        Lines {
            traffic,
            error: self.on("error"),
            log_tag: self.log_tag,
        }
    }

    /// An event's line, `None` where there is none. `any` is for the events that have
    /// no step of their own.
    fn on(&self, event: &str) -> Option<Line> {
        let named = |name: &str| self.steps.iter().find(|step| *step.event == *name);
        match named(event).or_else(|| named("any")) {
            None => Some(Line::Default),
            Some(step) if step.drop => None,
            Some(step) => Some(step.format.clone().map_or(Line::Default, Line::Own)),
        }
    }
}
