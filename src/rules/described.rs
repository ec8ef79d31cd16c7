//! Rules for those who draw their series: what these are called, and what their values are.

use super::values::Values;
use super::{Rules, WrittenRule};
use crate::delta::{Grouping, Name, Output, RuleLayout};
use std::sync::Arc;

/// A rule's series.
#[derive(Clone, Debug)]
pub struct Described<'a> {
    pub name: &'a str,
    /// Its `where` as written; `None` without one.
    pub condition: Option<&'a str>,
    pub grouping: &'a Grouping,
    pub layout: &'a RuleLayout,
    pub measures: Vec<DescribedMeasure<'a>>,
}

/// A measure's series.
#[derive(Clone, Copy, Debug)]
pub struct DescribedMeasure<'a> {
    /// As the rule has it, such as `p95`.
    pub name: &'a Arc<str>,
    pub series: &'a Name,
    pub output: &'a Output,
    pub values: Values,
}

impl Rules {
    /// All of them, in the order of the files.
    pub fn described(&self) -> impl Iterator<Item = Described<'_>> {
        self.written.iter().map(|written| self.describe(written))
    }

    fn describe<'a>(&'a self, written: &'a WrittenRule) -> Described<'a> {
        let layout = self.rule_layout(written.place);
        let measures = written.measures.iter().zip(&layout.measures);
        Described {
            name: &layout.name,
            condition: written.condition.as_deref(),
            grouping: &self.layout.groupings[written.place.grouping],
            layout,
            measures: measures
                .map(|(written, measure)| DescribedMeasure {
                    name: &written.name,
                    series: &measure.name,
                    output: &measure.output,
                    values: written.values,
                })
                .collect(),
        }
    }
}
