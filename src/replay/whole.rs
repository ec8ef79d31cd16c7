//! The whole log as one window: what a person wants to read of it.
//!
//! Percentiles of percentiles are wrong, and so are means of means. So the rows themselves
//! are merged once more, over all windows, and the values come from those.

use crate::delta::{
    Delta, Entry, Formula, GroupKey, Layout, Measure, Name, NamePart, Output, Times, Window,
};
use crate::metric::Tags;
use crate::time::Timestamp;
use crate::window::{Settings, Windows};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
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
}

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub tags: Tags,
    pub events: u64,
    /// One for each column; `None` where there is no value.
    pub values: Vec<Option<f64>>,
}

impl Whole {
    /// Holds at most so many groups; further ones are left out, as they are from windows
    /// when their series are more than allowed.
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
            if let Some(&place) = index.get(&entry.key) {
                let whole = &mut self.entries[place];
                whole.events += entry.events;
                whole.placed += entry.placed;
                whole.row.merge(entry.row.clone());
            } else if self.entries.len() < self.groups_max {
                index.insert(entry.key.clone(), self.entries.len());
                self.entries.push(entry.clone());
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
            before: Times::NONE,
            since: Times::NONE,
            refused: 0,
        });
        let measurements = windows.close_all().into_iter();
        for measurement in measurements.flat_map(|window| window.measurements) {
            let Some((place, measure)) = Cell::read(&measurement.series.name) else {
                continue;
            };
            let Building { table, by_tags } = &mut tables[place];
            let columns = table.columns.len();
            let line = *by_tags
                .entry(measurement.series.tags)
                .or_insert_with_key(|tags| {
                    table.lines.push(Line {
                        tags: Arc::clone(tags),
                        events: 0,
                        values: vec![None; columns],
                    });
                    table.lines.len() - 1
                });
            let line = &mut table.lines[line];
            match line.values.get_mut(measure) {
                Some(value) => *value = Some(measurement.value),
                None => line.events = measurement.value as u64,
            }
        }
        let tables = tables.into_iter().map(|building| building.table);
        let mut tables: Vec<Table> = tables.filter(|table| !table.lines.is_empty()).collect();
        for table in &mut tables {
            let order = |a: &Line, b: &Line| (b.events, &a.tags).cmp(&(a.events, &b.tags));
            table.lines.sort_unstable_by(order);
        }
        tables
    }
}

/// Where the one window starts: a multiple of any span.
const START: Timestamp = Timestamp::from_secs(0);

struct Building {
    table: Table,
    /// Places in the table's lines.
    by_tags: HashMap<Tags, usize, RandomState>,
}

/// The layout with windows of that length, and the empty tables of its rules. Its series are
/// named by the place of their table and column; one more of each rule, in the column behind
/// the last, counts its events.
fn widened(layout: &Layout, span: Duration) -> (Layout, Vec<Building>) {
    let mut wide = layout.clone();
    let mut tables = Vec::new();
    for grouping in &mut wide.groupings {
        grouping.window = Window::tumbling(span);
        for rule in &mut grouping.rules {
            let columns = rule.measures.iter().map(|measure| Column {
                name: column_name(&rule.name, &measure.name, &grouping.by),
                is_share: matches!(measure.output, Output::Value(Formula::Ratio { .. })),
            });
            let columns = columns.collect();
            rule.measures.push(Measure {
                name: Name::Plain(Arc::default()),
                output: Output::Value(Formula::Count(rule.matched)),
            });
            for (column, measure) in rule.measures.iter_mut().enumerate() {
                measure.name = Name::Plain(Cell::name(tables.len(), column));
            }
            tables.push(Building {
                table: Table {
                    rule: Arc::clone(&rule.name),
                    columns,
                    lines: Vec::new(),
                },
                by_tags: HashMap::default(),
            });
        }
    }
    (wide, tables)
}

/// The place of a table and of a column in it, as a series' name.
struct Cell;

impl Cell {
    fn name(table: usize, column: usize) -> Arc<str> {
        format!("{table} {column}").into()
    }

    fn read(name: &str) -> Option<(usize, usize)> {
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
