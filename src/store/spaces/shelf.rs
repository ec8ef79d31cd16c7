//! All spaces and charts at one moment, in memory.

use super::{Chart, Space};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Cheap to copy: spaces and charts themselves are shared.
#[derive(Clone, Default)]
pub struct Shelf {
    pub(super) counters: Counters,
    spaces: BTreeMap<u64, Arc<Space>>,
    /// Ids by lower-cased name.
    names: BTreeMap<String, u64>,
    /// By the ids of their space and their own.
    charts: BTreeMap<(u64, u64), Arc<Chart>>,
}

/// The ids that the next new ones get; none is used twice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Counters {
    pub space: u64,
    pub chart: u64,
    pub stream: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Counters {
            space: 1,
            chart: 1,
            stream: 1,
        }
    }
}

impl Shelf {
    /// In order of name without case.
    pub fn spaces(&self) -> impl Iterator<Item = &Arc<Space>> {
        self.names.values().filter_map(|id| self.spaces.get(id))
    }

    pub fn space_count(&self) -> usize {
        self.spaces.len()
    }

    pub fn space(&self, id: u64) -> Option<&Arc<Space>> {
        self.spaces.get(&id)
    }

    /// By name, without case.
    pub fn space_named(&self, name: &str) -> Option<&Arc<Space>> {
        self.spaces.get(self.names.get(&name.to_lowercase())?)
    }

    /// In the order in which they were made.
    pub fn charts_of(&self, space: u64) -> impl Iterator<Item = &Arc<Chart>> {
        let charts = self.charts.range((space, 0)..=(space, u64::MAX));
        charts.map(|(_, chart)| chart)
    }

    /// If it is in that space.
    pub fn chart(&self, space: u64, id: u64) -> Option<&Arc<Chart>> {
        self.charts.get(&(space, id))
    }

    pub(super) fn chart_count(&self) -> usize {
        self.charts.len()
    }

    /// Adds it, or puts it in the place of the one with its id.
    pub(super) fn put_space(&mut self, space: Space) -> Arc<Space> {
        let space = Arc::new(space);
        if let Some(before) = self.spaces.insert(space.id, Arc::clone(&space)) {
            self.names.remove(&before.name.to_lowercase());
        }
        self.names.insert(space.name.to_lowercase(), space.id);
        space
    }

    /// Its charts must be gone.
    pub(super) fn remove_space(&mut self, id: u64) {
        if let Some(space) = self.spaces.remove(&id) {
            self.names.remove(&space.name.to_lowercase());
        }
    }

    /// Adds it, or puts it in the place of the one with its id. Its space must be there.
    pub(super) fn put_chart(&mut self, chart: Chart) -> Arc<Chart> {
        let chart = Arc::new(chart);
        let place = (chart.space, chart.id);
        self.charts.insert(place, Arc::clone(&chart));
        chart
    }

    pub(super) fn remove_chart(&mut self, space: u64, id: u64) {
        self.charts.remove(&(space, id));
    }
}
