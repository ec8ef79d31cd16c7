//! What rules do with one event, in words: for `weir explain`, not for the hot path.
//!
//! It asks the same program that the [`Evaluator`](super::Evaluator) runs, so what is
//! told is what happens.

use super::expr::{Int, Number};
use super::program::{Draw, GroupRule};
use super::{RulePlace, Rules};
use crate::delta::{Coverage, Formula, GroupKey, Output};
use crate::haproxy::{Event, FieldType};
use crate::metric::{Series, with_tags};
use crate::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// What one rule does with an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained<'a> {
    pub rule: &'a str,
    pub file: &'a str,
    /// The rule's `where` as written; `None` without one.
    pub condition: Option<&'a str>,
    /// `None` where the condition does not let the event through.
    pub matched: Option<Matched>,
}

/// The windows that an event counts in, and what it adds to each.
#[derive(Clone, Debug, PartialEq)]
pub struct Matched {
    /// The start of the first of them.
    pub first: Timestamp,
    /// The start of the last: the same where windows tumble.
    pub last: Timestamp,
    /// How many they are; 1 where windows tumble.
    pub windows: u64,
    /// How long each is.
    pub span: Duration,
    pub moved: Vec<Moved>,
}

/// A series and what the event adds to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    pub series: Series,
    pub drawn: Drawn,
}

/// What an event adds to a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drawn {
    /// It is counted.
    Count,
    /// It is one of the whole; whether it is one of the part as well.
    Part(bool),
    /// This value is one of the samples. Whether it is in milliseconds: a timer as it is.
    Sample { value: f64, millis: bool },
    /// The same of a histogram: it is counted in this series and those of all larger bounds.
    Bucketed { value: f64, millis: bool },
    /// Nothing: it does not have the value.
    Missing,
}

impl Rules {
    /// What every rule does with the event, in the order of the files. `at` is the event's
    /// time.
    pub fn explain(&self, event: &Event<'_>, at: Timestamp) -> Vec<Explained<'_>> {
        let explained = self.written.iter().map(|written| Explained {
            rule: &self.rule_layout(written.place).name,
            file: &written.file,
            condition: written.condition.as_deref(),
            matched: self.matched(written.place, event, at),
        });
        explained.collect()
    }

    fn matched(&self, place: RulePlace, event: &Event<'_>, at: Timestamp) -> Option<Matched> {
        let group = &self.groups[place.grouping];
        let rule = &group.rules[place.rule];
        if group.matching(event) & (1 << place.rule) == 0 {
            return None;
        }
        let mut key = GroupKey::default();
        group.key(event, &mut key);
        let grouping = &self.layout.groupings[place.grouping];
        let layout = self.rule_layout(place);
        let tags = with_tags(&grouping.tags(&key), layout.tags.iter().cloned());
        let mut row = grouping.empty_row();
        rule.draw(event, &mut row);
        let window = group.window;
        let moved = layout.measures.iter().map(|measure| {
            let mut own = None;
            let coverage = Coverage::whole(window.span);
            measure.output.values(&row, coverage, |tag, value| {
                if own.is_none() && value > 0.0 {
                    own = tag.map(|(name, value)| (Arc::clone(name), value));
                }
            });
            Moved {
                series: Series {
                    name: measure.name.of(&key),
                    tags: with_tags(&tags, own),
                },
                drawn: rule.output(&measure.output, event),
            }
        });
        let moved = moved.collect();
        let last = at.floor(window.every);
        Some(Matched {
            first: last - (window.span - window.every),
            last,
            windows: window.span.as_secs() / window.every.as_secs(),
            span: window.span,
            moved,
        })
    }
}

impl GroupRule {
    /// What the measure takes from the event.
    fn output(&self, output: &Output, event: &Event<'_>) -> Drawn {
        match output {
            Output::Value(formula) => self.drawn(formula, event),
            Output::Buckets { cell, .. } => match self.sample(*cell, event) {
                Drawn::Sample { value, millis } => Drawn::Bucketed { value, millis },
                drawn => drawn,
            },
            Output::Top { cell, .. } => self.observed(*cell, event),
        }
    }

    fn observed(&self, wanted: usize, event: &Event<'_>) -> Drawn {
        let value = self.draws.iter().find_map(|draw| match draw {
            Draw::Observe { value, cell } if *cell == wanted => Some(value),
            _ => None,
        });
        match value.is_none_or(|value| value.is_missing(event)) {
            true => Drawn::Missing,
            false => Drawn::Count,
        }
    }

    /// What the measure of that formula takes from the event.
    fn drawn(&self, formula: &Formula, event: &Event<'_>) -> Drawn {
        match formula {
            Formula::Count(_) | Formula::Rate(_) => Drawn::Count,
            Formula::Ratio { part, .. } => Drawn::Part(self.draws.iter().any(|draw| {
                matches!(draw, Draw::Count { condition, cell } if cell == part && condition.holds(event))
            })),
            Formula::Const(_) => Drawn::Missing,
            Formula::Negate(inner) => self.drawn(inner, event),
            Formula::Arithmetic(_, sides) => match self.drawn(&sides.0, event) {
                Drawn::Missing => self.drawn(&sides.1, event),
                drawn => drawn,
            },
            Formula::Sum(cell)
            | Formula::Mean(cell)
            | Formula::Min(cell)
            | Formula::Max(cell)
            | Formula::Stddev(cell)
            | Formula::Apdex(cell)
            | Formula::Percentile { cell, .. } => self.sample(*cell, event),
            Formula::Distinct(cell) => self.observed(*cell, event),
        }
    }

    fn sample(&self, wanted: usize, event: &Event<'_>) -> Drawn {
        let number = self.draws.iter().find_map(|draw| match draw {
            Draw::Sample { value, cells } if cells.contains(&wanted) => Some(value),
            _ => None,
        });
        match number.and_then(|number| Some((number, number.of(event)?))) {
            Some((number, value)) => Drawn::Sample {
                value,
                millis: number.is_timer(),
            },
            None => Drawn::Missing,
        }
    }
}

impl Number {
    fn is_timer(&self) -> bool {
        matches!(self, Number::Int(Int::Field(field)) if field.field_type() == FieldType::Millis)
    }
}
