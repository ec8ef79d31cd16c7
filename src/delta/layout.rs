//! What the cells of a group mean: written by `rules` once at load, read by `window`.

use super::cell::CellKind;
use super::formula::{Output, tag_value};
use super::map::GroupKey;
use super::row::Row;
use crate::metric::Tags;
use crate::names;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// All groupings of a set of rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    pub groupings: Vec<Grouping>,
}

impl Layout {
    /// How long the longest window is; zero without any.
    pub fn longest_span(&self) -> Duration {
        let spans = self.groupings.iter().map(|grouping| grouping.window.span);
        spans.max().unwrap_or_default()
    }
}

/// The place of a grouping in its layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupingId(pub u16);

/// Rules that share `by` and `window` share one lookup per event and one row of
/// cells per group and window.
#[derive(Clone, Debug, PartialEq)]
pub struct Grouping {
    /// The names of the tags, in the order of the values in a group's key.
    pub by: Vec<Arc<str>>,
    pub window: Window,
    /// How many groups are told apart; the rest is one group. `None`: as many as there
    /// may be series.
    pub limit: Option<usize>,
    /// The row's cells, all rules' together.
    pub cells: Vec<CellKind>,
    pub rules: Vec<RuleLayout>,
}

/// One rule's part of a grouping.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleLayout {
    pub name: Arc<str>,
    /// Tags that all its series have beside the group's, sorted by name.
    pub tags: Tags,
    /// What the rule computes, in words that are the same wherever the same is computed:
    /// when rules are loaded again, one with the same definition is the same rule.
    pub definition: Arc<str>,
    /// Its own cells in the row.
    pub cells: Range<usize>,
    /// The cell that counts the events the rule's condition let through. A rule
    /// has series in those groups only where it has seen some.
    pub matched: usize,
    pub measures: Vec<Measure>,
}

impl RuleLayout {
    /// How many series it has in each group at the most.
    pub fn series(&self) -> usize {
        let measures = self.measures.iter();
        measures.map(|measure| measure.output.series()).sum()
    }
}

/// A name and how the values of its series come from the cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    pub name: Name,
    pub output: Output,
}

/// What a series is called.
#[derive(Clone, Debug, PartialEq)]
pub enum Name {
    /// `<rule>.<measure>`, or as the rule has it.
    Plain(Arc<str>),
    /// With values of the group in it.
    Template(Box<[NamePart]>),
}

impl Name {
    /// The name of that group's series.
    pub fn of(&self, key: &GroupKey) -> Arc<str> {
        let parts = match self {
            Name::Plain(name) => return Arc::clone(name),
            Name::Template(parts) => parts,
        };
        let values: Vec<_> = key.values().collect();
        let value_at = |place: usize| match key.is_other() {
            true => OTHER.into(),
            false => values
                .get(place)
                .copied()
                .flatten()
                .map_or(NO_VALUE.into(), String::from_utf8_lossy),
        };
        let mut name = String::new();
        for part in parts {
            match part {
                NamePart::Text(text) => name.push_str(text),
                NamePart::Value(place) => {
                    name.extend(
                        value_at(*place)
                            .chars()
                            .map(|c| match names::is_name_char(c) {
                                true => c,
                                false => '_',
                            }),
                    );
                }
            }
        }
        // Every character is of one byte.
        name.truncate(names::METRIC_NAME_MAX);
        name.into()
    }
}

/// The value of every tag of the group that takes in what no other group may.
pub const OTHER: &str = "other";

/// What stands in a templated name for a value that the group does not have.
const NO_VALUE: &str = "none";

/// A part of a templated name.
#[derive(Clone, Debug, PartialEq)]
pub enum NamePart {
    Text(Box<str>),
    /// The value at that place in the group's key.
    Value(usize),
}

/// A window's shape. A sliding one is made of panes, each as long as its step; a tumbling
/// one is its own only pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// How long it is: a multiple of `every`.
    pub span: Duration,
    /// How far apart two windows start.
    pub every: Duration,
}

impl Window {
    pub const fn tumbling(span: Duration) -> Self {
        Window { span, every: span }
    }
}

impl Grouping {
    /// The tags of a group's series, sorted. Values that its events lack make no tag.
    pub fn tags(&self, key: &GroupKey) -> Tags {
        if key.is_other() {
            let other: Arc<str> = OTHER.into();
            let tags = self.by.iter();
            return tags.map(|name| (Arc::clone(name), other.clone())).collect();
        }
        let values = self.by.iter().zip(key.values());
        let mut tags: Vec<(Arc<str>, Arc<str>)> = values
            .filter_map(|(name, value)| Some((Arc::clone(name), tag_value(value?))))
            .collect();
        tags.sort();
        tags.into()
    }

    /// How many series each group has at the most.
    pub fn series(&self) -> usize {
        self.rules.iter().map(RuleLayout::series).sum()
    }

    /// A row before the first event.
    pub fn empty_row(&self) -> Row {
        self.cells.iter().map(|kind| kind.empty()).collect()
    }
}
