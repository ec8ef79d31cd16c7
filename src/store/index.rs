//! Which series exist: a copy in memory of everything in the store but its points.
//!
//! Built at open, changed by the writer alone, after each commit.

use super::format::Catalogue;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Numbers a series inside one store; never used twice.
pub type SeriesId = u32;

/// Tags by name, lower-cased. The value of `source` keeps the case in which a legacy
/// client first wrote it; everything compares without case.
pub type TagMap = BTreeMap<String, String>;

/// What a name is, for ever: until the last of its points has aged out, or it is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Gauge,
    /// A raw, rising total; a drop starts a new run.
    Counter,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        }
    }
}

/// A metric name and what the request that created it said about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// As first written; compared without case.
    pub name: String,
    pub kind: Kind,
    /// Seconds between points, where the sender said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<u32>,
    #[serde(flatten)]
    pub description: Description,
    /// Somebody has said what it is, apart from sending points: it stays without them,
    /// until it is deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
}

/// Of a point it is used when that creates its metric, and ignored afterwards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Description {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub attributes: serde_json::Map<String, serde_json::Value>,
}

impl Description {
    /// Bytes of one as JSON, but for `created_by_ua`.
    pub const BYTES_MAX: usize = 16 << 10;

    pub fn fits(&self) -> bool {
        serde_json::to_vec(self).is_ok_and(|json| json.len() <= Self::BYTES_MAX)
    }
}

/// A value of the tag `source` to which somebody has given another name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// As first written; compared without case.
    pub name: String,
    pub display_name: String,
}

/// One line on a chart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesInfo {
    /// As first written.
    pub name: String,
    pub tags: TagMap,
}

impl SeriesInfo {
    /// Two series with the same identity are the same.
    pub fn identity(&self) -> String {
        // Neither names nor values may hold a control character, so this is unambiguous.
        let mut identity = self.name.to_ascii_lowercase();
        for (name, value) in &self.tags {
            identity.push('\n');
            identity.push_str(name);
            identity.push('\t');
            identity.extend(value.chars().map(|c| c.to_ascii_lowercase()));
        }
        identity
    }
}

/// A series as readers see it.
#[derive(Clone, Debug)]
pub struct Listed {
    pub id: SeriesId,
    pub info: Arc<SeriesInfo>,
    pub metric: Arc<Metric>,
    /// Epoch second of the newest point.
    pub newest: u64,
    /// The store's change count when it was last written to; 0 before the first
    /// write since the store was opened.
    pub touched: u64,
}

#[derive(Default)]
pub struct Index {
    pub next_series: SeriesId,
    series: BTreeMap<SeriesId, Listed>,
    ids: HashMap<String, SeriesId>,
    /// By lower-cased name.
    metrics: HashMap<String, (Arc<Metric>, BTreeSet<SeriesId>)>,
    /// By lower-cased name.
    sources: BTreeMap<String, Source>,
}

impl Index {
    pub fn new(catalogue: Catalogue) -> Self {
        let mut index = Index {
            next_series: catalogue.next_series,
            ..Index::default()
        };
        for metric in catalogue.metrics {
            index.set_metric(Arc::new(metric));
        }
        for (id, info, newest) in catalogue.series {
            index.add_series(id, Arc::new(info));
            index.touch(id, newest, 0);
        }
        for source in catalogue.sources {
            index.set_source(&source.name.to_ascii_lowercase(), Some(source.clone()));
        }
        index
    }

    pub fn len(&self) -> usize {
        self.series.len()
    }

    pub fn all(&self) -> impl Iterator<Item = &Listed> {
        self.series.values()
    }

    pub fn get(&self, id: SeriesId) -> Option<&Listed> {
        self.series.get(&id)
    }

    pub fn id(&self, identity: &str) -> Option<SeriesId> {
        self.ids.get(identity).copied()
    }

    /// `lower`: the name in lower case.
    pub fn metric(&self, lower: &str) -> Option<&Arc<Metric>> {
        self.metrics.get(lower).map(|(metric, _)| metric)
    }

    pub fn metrics(&self) -> impl ExactSizeIterator<Item = &Arc<Metric>> {
        self.metrics.values().map(|(metric, _)| metric)
    }

    /// In order of name.
    pub fn sources(&self) -> &BTreeMap<String, Source> {
        &self.sources
    }

    /// In order of number. `lower`: the name in lower case.
    pub fn series_of(&self, lower: &str) -> impl Iterator<Item = &Listed> {
        let ids = self.metrics.get(lower).into_iter().flat_map(|(_, ids)| ids);
        ids.filter_map(|id| self.series.get(id))
    }

    /// Adds it, or puts it in the place of the one with its name, which keeps its series.
    pub fn set_metric(&mut self, metric: Arc<Metric>) {
        let lower = metric.name.to_ascii_lowercase();
        let (known, ids) = (self.metrics.entry(lower)).or_insert((metric.clone(), BTreeSet::new()));
        for id in ids.iter() {
            if let Some(listed) = self.series.get_mut(id) {
                listed.metric = metric.clone();
            }
        }
        *known = metric;
    }

    /// Forgets a metric and its series. `lower`: the name in lower case.
    pub fn remove_metric(&mut self, lower: &str) {
        let Some((_, ids)) = self.metrics.remove(lower) else {
            return;
        };
        for id in ids {
            if let Some(gone) = self.series.remove(&id) {
                self.ids.remove(&gone.info.identity());
            }
        }
    }

    /// `lower`: the name in lower case; `None` takes it away.
    pub fn set_source(&mut self, lower: &str, source: Option<Source>) {
        match source {
            Some(source) => self.sources.insert(lower.to_owned(), source),
            None => self.sources.remove(lower),
        };
    }

    /// Its metric must have been added; a series without one is not listed.
    pub fn add_series(&mut self, id: SeriesId, info: Arc<SeriesInfo>) {
        if let Some((metric, ids)) = self.metrics.get_mut(&info.name.to_ascii_lowercase()) {
            ids.insert(id);
            self.ids.insert(info.identity(), id);
            let metric = metric.clone();
            self.series.insert(
                id,
                Listed {
                    id,
                    info,
                    metric,
                    newest: 0,
                    touched: 0,
                },
            );
        }
    }

    pub fn touch(&mut self, id: SeriesId, second: u64, version: u64) {
        if let Some(listed) = self.series.get_mut(&id) {
            listed.newest = listed.newest.max(second);
            listed.touched = version;
        }
    }

    /// Forgets a series, and its metric with the last one, unless that is kept.
    pub fn remove(&mut self, id: SeriesId) {
        let Some(gone) = self.series.remove(&id) else {
            return;
        };
        self.ids.remove(&gone.info.identity());
        let lower = gone.info.name.to_ascii_lowercase();
        if let Some((metric, ids)) = self.metrics.get_mut(&lower) {
            ids.remove(&id);
            if ids.is_empty() && !metric.kept {
                self.metrics.remove(&lower);
            }
        }
    }
}
