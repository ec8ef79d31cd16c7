//! The whole log as one window: what a person wants to read of it.
//!
//! Percentiles of percentiles are wrong, and so are means of means. So the rows themselves
//! are merged once more, over all windows, and the values come from those.

use super::table::{Building, Column, Table};
use crate::delta::{
    Ages, Delta, Entry, Formula, GroupKey, LE, Layout, Measure, Name, NamePart, Output, Times,
    Window,
};
use crate::time::Timestamp;
use crate::window::{Settings, Windows};
use foldhash::fast::RandomState;
use hashbrown::{HashMap, hash_map};
use std::sync::Arc;
use std::time::Duration;

/// Rates of a log that is shorter are those of one second.
const SPAN_MIN: Duration = Duration::from_secs(1);

/// Every group's row over all windows.
#[derive(Debug)]
pub struct Whole {
    /// One for each grouping: places in `entries`.
    index: Vec<HashMap<GroupKey, usize, RandomState>>,
    /// In the order in which they were seen.
    entries: Vec<Entry>,
    groups_max: usize,
}

impl Whole {
    /// Holds at most so many groups, those that come first; events of further ones count
    /// among the others of their grouping, as they do in windows.
    pub(super) fn new(layout: &Layout, groups_max: usize) -> Self {
        Whole {
            index: layout
                .groupings
                .iter()
                .map(|_| HashMap::default())
                .collect(),
            entries: Vec::new(),
            groups_max,
        }
    }

    pub(super) fn note(&mut self, delta: &Delta) {
        for entry in &delta.entries {
            let index = &mut self.index[usize::from(entry.grouping.0)];
            let is_full = self.entries.len() >= self.groups_max;
            let other = GroupKey::other();
            let key = match is_full && !index.contains_key(&entry.key) {
                true => &other,
                false => &entry.key,
            };
            match index.entry_ref(key) {
                hash_map::EntryRef::Occupied(known) => {
                    let whole = &mut self.entries[*known.get()];
                    whole.events += entry.events;
                    whole.placed += entry.placed;
                    whole.row.merge(&entry.row);
                }
                hash_map::EntryRef::Vacant(vacant) => {
                    vacant.insert_entry(self.entries.len());
                    self.entries.push(Entry {
                        key: key.clone(),
                        ..entry.clone()
                    });
                }
            }
        }
    }

    /// The rules' tables, in the order of the layout; rules that saw nothing have none.
    pub(super) fn tables(mut self, layout: &Layout, from: Timestamp, to: Timestamp) -> Vec<Table> {
        let span = to.saturating_since(from).max(SPAN_MIN);
        let (wide, mut tables) = widened(layout, span);
        for entry in &mut self.entries {
            entry.start = START;
        }
        let settings = Settings {
            series_max: usize::MAX,
            ..Settings::default()
        };
        let wide = Arc::new(wide);
        let mut windows = Windows::new(Arc::clone(&wide), settings);
        windows.merge(Delta {
            layout: wide,
            entries: self.entries,
            before: Ages::default(),
            since: Times::NONE,
            refused: 0,
        });
        let measurements = windows.close_all().into_iter();
        for measurement in measurements.flat_map(|window| window.measurements) {
            if let Some((table, column)) = Cell::read(&measurement.series.name) {
                tables[table].put(column, &measurement.series.tags, measurement.value);
            }
        }
        tables.into_iter().filter_map(Building::finish).collect()
    }
}

/// Where the one window starts: a multiple of any span.
const START: Timestamp = Timestamp::from_secs(0);

/// The layout with windows of that length, and the empty tables of its rules. Its series are
/// named by the place of their table and column; one more of each rule, in the column behind
/// the last, counts its events.
pub(super) fn widened(layout: &Layout, span: Duration) -> (Layout, Vec<Building>) {
    let mut wide = layout.clone();
    let mut tables = Vec::new();
    for grouping in &mut wide.groupings {
        grouping.window = Window::tumbling(span);
        for rule in &mut grouping.rules {
            let columns = rule.measures.iter().map(|measure| Column {
                name: column_name(&rule.name, &measure.name, &grouping.by),
                is_share: matches!(measure.output, Output::Value(Formula::Ratio { .. })),
                tag: match &measure.output {
                    Output::Value(_) => None,
                    Output::Buckets { .. } => Some(LE.into()),
                    Output::Top { tag, .. } => Some(Arc::clone(tag)),
                },
            });
            let columns = columns.collect();
            rule.measures.push(Measure {
                name: Name::Plain(Arc::default()),
                output: Output::Value(Formula::Count(rule.matched)),
            });
            for (column, measure) in rule.measures.iter_mut().enumerate() {
                measure.name = Name::Plain(Cell::name(tables.len(), column));
            }
            tables.push(Building::new(&rule.name, columns));
        }
    }
    (wide, tables)
}

/// The place of a table and of a column in it, as a series' name.
pub(super) struct Cell;

impl Cell {
    fn name(table: usize, column: usize) -> Arc<str> {
        format!("{table} {column}").into()
    }

    pub(super) fn read(name: &str) -> Option<(usize, usize)> {
        let (table, column) = name.split_once(' ')?;
        Some((table.parse().ok()?, column.parse().ok()?))
    }
}

fn column_name(rule: &str, name: &Name, by: &[Arc<str>]) -> Arc<str> {
    match name {
        Name::Plain(name) => {
            let own = name
                .strip_prefix(rule)
                .and_then(|own| own.strip_prefix('.'));
            own.unwrap_or(name).into()
        }
        Name::Template(parts) => {
            let parts = parts.iter().map(|part| match part {
                NamePart::Text(text) => text.to_string(),
                NamePart::Value(place) => match by.get(*place) {
                    Some(field) => format!("{{{field}}}"),
                    None => "{}".to_owned(),
                },
            });
            parts.collect::<String>().into()
        }
    }
}
