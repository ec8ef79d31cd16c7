//! Tables of the whole log: a line for each group, the groups of the most events first.

use crate::delta::LE;
use crate::metric::Tags;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::cmp::Ordering;
use std::sync::Arc;

/// What one rule says of the whole log, for each of its groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub rule: Arc<str>,
    pub columns: Vec<Column>,
    /// Those of the most events first.
    pub lines: Vec<Line>,
}

/// One measure of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Without the rule's name in front; as it stands where it has values of the group in it.
    pub name: Arc<str>,
    /// It is a share, from 0 to 1.
    pub is_share: bool,
    /// The tag that tells its values in one group apart. `None`: it has one value there.
    pub tag: Option<Arc<str>>,
}

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub tags: Tags,
    pub events: u64,
    /// One for each column; `None` where there is no value, and where it is in parts.
    pub values: Vec<Option<f64>>,
    /// In the order of the first column that has their tag: the values of a `top` with the
    /// largest count first, the bounds of a histogram from the lowest.
    pub parts: Vec<Part>,
}

/// One value of a `top`, or one bound of a histogram, in one group.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The tag that it has beside the group's.
    pub tag: (Arc<str>, Arc<str>),
    /// One for each column; `None` where the column has no such part.
    pub values: Vec<Option<f64>>,
}

/// A table that values are put into, in any order.
#[derive(Clone)]
pub(super) struct Building {
    table: Table,
    /// Places in the table's lines.
    by_tags: HashMap<Tags, usize, RandomState>,
}

impl Building {
    pub fn new(rule: &Arc<str>, columns: Vec<Column>) -> Self {
        Building {
            table: Table {
                rule: Arc::clone(rule),
                columns,
                lines: Vec::new(),
            },
            by_tags: HashMap::default(),
        }
    }

    /// Puts in the value of a series with those tags. What is in the column behind the last
    /// is the number of the group's events.
    pub fn put(&mut self, column: usize, tags: &Tags, value: f64) {
        let columns = &self.table.columns;
        let empty = || vec![None; columns.len()];
        let of_part = columns.get(column).and_then(|column| column.tag.as_ref());
        let (mut part, mut group) = (None, Arc::clone(tags));
        if let Some(name) = of_part {
            let (own, rest): (Vec<_>, Vec<_>) =
                tags.iter().cloned().partition(|(tag, _)| tag == name);
            (part, group) = (own.into_iter().next(), rest.into());
        }
        let lines = &mut self.table.lines;
        let line = *self.by_tags.entry(group).or_insert_with_key(|tags| {
            lines.push(Line {
                tags: Arc::clone(tags),
                events: 0,
                values: empty(),
                parts: Vec::new(),
            });
            lines.len() - 1
        });
        let line = &mut lines[line];
        let values = match part {
            None => &mut line.values,
            Some(tag) => {
                let known = line.parts.iter().position(|part| part.tag == tag);
                let place = known.unwrap_or_else(|| {
                    line.parts.push(Part {
                        tag,
                        values: empty(),
                    });
                    line.parts.len() - 1
                });
                &mut line.parts[place].values
            }
        };
        match values.get_mut(column) {
            Some(place) => *place = Some(value),
            None => line.events = value as u64,
        }
    }

    /// The table in order; `None` without lines.
    pub fn finish(self) -> Option<Table> {
        let Table {
            rule,
            columns,
            mut lines,
        } = self.table;
        for line in &mut lines {
            line.parts.sort_unstable_by(|a, b| order(&columns, a, b));
        }
        lines.sort_unstable_by(|a, b| (b.events, &a.tags).cmp(&(a.events, &b.tags)));
        (!lines.is_empty()).then_some(Table {
            rule,
            columns,
            lines,
        })
    }
}

fn order(columns: &[Column], a: &Part, b: &Part) -> Ordering {
    let column = |part: &Part| {
        let mut tags = columns.iter().map(|column| column.tag.as_ref());
        tags.position(|tag| tag == Some(&part.tag.0))
    };
    let by_value = match *a.tag.0 == *LE {
        true => bound(a).total_cmp(&bound(b)),
        false => {
            let pairs = b.values.iter().zip(&a.values);
            let count = |value: &Option<f64>| value.unwrap_or(f64::NEG_INFINITY);
            let mut orders = pairs.map(|(b, a)| count(b).total_cmp(&count(a)));
            orders
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        }
    };
    let by_column = column(a).cmp(&column(b));
    by_column.then(by_value).then_with(|| a.tag.cmp(&b.tag))
}

/// The upper bound that a part is tagged with, as a number.
fn bound(part: &Part) -> f64 {
    part.tag.1.parse().unwrap_or(f64::INFINITY)
}
