//! Values over time, in as many windows as a chart can show.
//!
//! How long the log is shows at its end alone. So rows begin in the windows of their rules,
//! and two and more of them become one whenever there are too many: a percentile of a long
//! window is that of all its requests, not one of percentiles.

use super::table::{Building, Table};
use super::whole::{Cell, widened};
use crate::delta::{Ages, Delta, Entry, GroupKey, GroupingId, Layout, Times};
use crate::time::Timestamp;
use crate::window::{Settings, Windows};
use foldhash::fast::RandomState;
use hashbrown::{HashMap, hash_map};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// So many windows a chart has at most.
const WINDOWS_MAX: u64 = 300;

/// So many rows are held; when there are more, windows become longer.
const ROWS_MAX: usize = 200_000;

/// How long windows can be, in seconds: each is a multiple of the one before.
const STEPS: [u64; 9] = [10, 30, 60, 300, 900, 3_600, 21_600, 86_400, 604_800];

/// The values of some rules over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// How long its windows are.
    pub step: Duration,
    /// By the start of the window; of a window in which nothing was counted there is none.
    pub windows: Vec<(Timestamp, Vec<Table>)>,
}

/// Rows on their way to a chart.
#[derive(Debug)]
pub(super) struct Charts {
    /// Whether the rows of a grouping are kept, by its place in the layout.
    wanted: Vec<bool>,
    rules: Vec<Arc<str>>,
    step: usize,
    rows: HashMap<(GroupingId, GroupKey, Timestamp), Entry, RandomState>,
    /// The first and the last window.
    ends: Option<(Timestamp, Timestamp)>,
}

impl Charts {
    pub fn new(layout: &Layout, rules: &[Arc<str>]) -> Self {
        let groupings = layout.groupings.iter();
        Charts {
            wanted: groupings
                .map(|grouping| grouping.rules.iter().any(|rule| rules.contains(&rule.name)))
                .collect(),
            rules: rules.to_vec(),
            step: 0,
            rows: HashMap::default(),
            ends: None,
        }
    }

    pub fn note(&mut self, delta: &Delta) {
        if self.rules.is_empty() {
            return;
        }
        for entry in &delta.entries {
            if self.wanted[usize::from(entry.grouping.0)] {
                self.put(entry.clone());
            }
        }
        while self.is_too_fine() && self.step + 1 < STEPS.len() {
            self.step += 1;
            self.ends = None;
            for (_, entry) in std::mem::take(&mut self.rows) {
                self.put(entry);
            }
        }
    }

    fn span(&self) -> Duration {
        Duration::from_secs(STEPS[self.step])
    }

    fn is_too_fine(&self) -> bool {
        let windows = self.ends.map_or(0, |(first, last)| {
            last.saturating_since(first).as_secs() / STEPS[self.step] + 1
        });
        windows > WINDOWS_MAX || self.rows.len() > ROWS_MAX
    }

    fn put(&mut self, mut entry: Entry) {
        let start = entry.start.floor(self.span());
        let (first, last) = self.ends.unwrap_or((start, start));
        self.ends = Some((first.min(start), last.max(start)));
        entry.start = start;
        let key = (entry.grouping, entry.key.clone(), start);
        match self.rows.entry(key) {
            hash_map::Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.events += entry.events;
                known.placed += entry.placed;
                known.row.merge(&entry.row);
            }
            hash_map::Entry::Vacant(vacant) => drop(vacant.insert(entry)),
        }
    }

    /// `None` where no chart was asked for, or nothing counted.
    pub fn finish(self, layout: &Layout) -> Option<Chart> {
        if self.rows.is_empty() {
            return None;
        }
        let step = self.span();
        let (wide, empty) = widened(layout, step);
        let wide = Arc::new(wide);
        let settings = Settings {
            series_max: usize::MAX,
            ..Settings::default()
        };
        let mut windows = Windows::new(Arc::clone(&wide), settings);
        windows.merge(Delta {
            layout: wide,
            entries: self.rows.into_values().collect(),
            before: Ages::default(),
            since: Times::NONE,
            refused: 0,
        });
        let mut tables: BTreeMap<Timestamp, Vec<Building>> = BTreeMap::new();
        for measurement in windows
            .close_all()
            .into_iter()
            .flat_map(|window| window.measurements)
        {
            if let Some((table, column)) = Cell::read(&measurement.series.name) {
                let of_window = tables.entry(measurement.time);
                let of_window = of_window.or_insert_with(|| empty.clone());
                of_window[table].put(column, &measurement.series.tags, measurement.value);
            }
        }
        let is_wanted = |table: &Table| self.rules.contains(&table.rule);
        let windows = tables.into_iter().map(|(start, tables)| {
            let tables = tables.into_iter().filter_map(Building::finish);
            (start, tables.filter(is_wanted).collect())
        });
        Some(Chart {
            step,
            windows: windows.collect(),
        })
    }
}
