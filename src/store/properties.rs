//! What people say of metrics and sources, apart from sending points: names for people,
//! periods, attributes; and that a metric shall go.
//!
//! A metric of which something has been said stays when its points have aged out, until it
//! is deleted. Deleting takes the metric and its series out of the store at once; their
//! points cannot be reached any more, and leave the file when they are as old as others.
//!
//! Bounds: [`Options::series_max`] metrics, [`SOURCES_MAX`] sources with a name for people,
//! beyond which a new one is refused; [`Description::BYTES_MAX`] bytes of each metric.

use super::format;
use super::index::{Description, Index, Kind, Metric, Source};
use super::{Options, Shared, Store, WriteError};
use crate::time::Timestamp;
use redb::Database;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};

/// Sources that may have a name for people.
pub const SOURCES_MAX: usize = 10_000;
/// In the attributes of a metric: which program made it.
pub const CREATED_BY: &str = "created_by_ua";

/// `None` leaves a property as it is, `Some(None)` empties it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricEdit {
    pub display_name: Option<Option<String>>,
    pub description: Option<Option<String>>,
    pub period: Option<Option<u32>>,
    /// Put in the place of those with their names; `null` takes one away.
    pub attributes: Map<String, Value>,
    /// As `attributes`, for gauges alone: where several metrics are edited, counters among
    /// them are left as they are.
    pub gauge_attributes: Map<String, Value>,
}

/// What to do. Metrics and sources are named without regard to case.
#[derive(Clone, Debug)]
pub enum PropertyChange {
    /// Edits a metric, or makes it where there is none and its kind is said.
    PutMetric {
        name: String,
        kind: Option<Kind>,
        edit: MetricEdit,
        /// The program that asks, if the metric is made.
        created_by: Option<String>,
    },
    /// Those of them that there are.
    EditMetrics {
        names: Vec<String>,
        edit: MetricEdit,
    },
    /// Those of them that there are.
    RemoveMetrics { names: Vec<String> },
    /// `None` takes the name for people away.
    DisplaySource {
        name: String,
        display_name: Option<String>,
    },
}

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PropertyError {
    #[error("no metric is named '{name}', and without a type none can be made")]
    NoMetric { name: String },
    #[error("'{name}' is a {}, but was submitted as different type", kind.as_str())]
    KindClash { name: String, kind: Kind },
    #[error("'{name}' takes at most {} bytes as JSON", Description::BYTES_MAX)]
    TooLarge { name: String },
    #[error(
        "the store holds its maximum of {max} metrics; a new one has to wait until an old one is gone"
    )]
    MetricsFull { max: usize },
    #[error(
        "the store holds its maximum of {SOURCES_MAX} sources with a display name; take one away first"
    )]
    SourcesFull,
    /// The only one that another try may cure.
    #[error("the store cannot be written: {0}")]
    Unavailable(String),
}

impl From<WriteError> for PropertyError {
    fn from(why: WriteError) -> Self {
        match why {
            WriteError::Unavailable(why) => PropertyError::Unavailable(why),
            other => PropertyError::Unavailable(other.to_string()),
        }
    }
}

impl Store {
    /// Every metric, in order of name without case.
    pub fn metrics(&self) -> Vec<Arc<Metric>> {
        let mut metrics: Vec<_> =
            (self.0.shared).index(|index| index.metrics().cloned().collect::<Vec<Arc<Metric>>>());
        metrics.sort_by_cached_key(|metric| metric.name.to_ascii_lowercase());
        metrics
    }

    /// Every source that has points or a name for people, by its name in lower case; with
    /// its name as first written, and the name for people.
    pub fn sources(&self) -> BTreeMap<String, (String, Option<String>)> {
        self.0.shared.index(|index| {
            let mut sources = BTreeMap::new();
            for listed in index.all() {
                if let Some(name) = listed.info.tags.get("source") {
                    let entry = sources.entry(name.to_ascii_lowercase());
                    entry.or_insert_with(|| (name.clone(), None));
                }
            }
            for (lower, source) in index.sources() {
                let entry = sources.entry(lower.clone());
                let known = entry.or_insert_with(|| (source.name.clone(), None));
                known.1 = Some(source.display_name.clone());
            }
            sources
        })
    }

    /// Makes the change. Returns when it is on disk; a caller that stops waiting does not
    /// stop it.
    ///
    /// # Errors
    ///
    /// When it was not made; nothing is changed then.
    pub async fn change_properties(
        &self,
        change: PropertyChange,
        now: Timestamp,
    ) -> Result<(), PropertyError> {
        self.send_property_change(change, now).await?
    }
}

/// Makes the changes in one transaction; what became of each. An error is the file's, and
/// then nothing is done.
pub fn commit<'a>(
    shared: &Shared,
    changes: impl Iterator<Item = &'a PropertyChange>,
) -> Result<Vec<Result<(), PropertyError>>, String> {
    let (outcomes, draft) = shared.index(|index| {
        let mut draft = Draft::of(index, &shared.options);
        let outcomes = changes.map(|change| draft.change(change)).collect();
        (outcomes, draft.made)
    });
    if draft.metrics.is_empty() && draft.sources.is_empty() {
        return Ok(outcomes);
    }
    let guard = shared.db.read().unwrap_or_else(PoisonError::into_inner);
    let db = guard.as_ref().ok_or("it is closed")?;
    shared
        .index(|index| draft.write(db, index))
        .map_err(|why| why.to_string())?;
    drop(guard);
    draft.publish(&mut shared.index.write().unwrap_or_else(PoisonError::into_inner));
    shared.changes.send_modify(|version| *version += 1);
    Ok(outcomes)
}

/// What will be different, by names in lower case; `None` is gone.
#[derive(Default)]
struct Made {
    metrics: HashMap<String, Option<Arc<Metric>>>,
    /// Those whose series go, also where a new metric takes their place.
    removed: BTreeSet<String>,
    sources: BTreeMap<String, Option<Source>>,
}

struct Draft<'a> {
    index: &'a Index,
    options: &'a Options,
    made: Made,
}

impl<'a> Draft<'a> {
    fn of(index: &'a Index, options: &'a Options) -> Self {
        Draft {
            index,
            options,
            made: Made::default(),
        }
    }

    fn change(&mut self, change: &PropertyChange) -> Result<(), PropertyError> {
        match change {
            PropertyChange::PutMetric {
                name,
                kind,
                edit,
                created_by,
            } => self.put(name, *kind, edit, created_by.as_deref()),
            PropertyChange::EditMetrics { names, edit } => {
                // All or none: what cannot be made is found before the first is.
                let edited = names.iter().filter_map(|name| self.metric(name));
                let edited: Vec<_> = edited
                    .map(|metric| edited_metric(metric, edit))
                    .collect::<Result<_, _>>()?;
                edited.into_iter().for_each(|metric| self.set(metric));
                Ok(())
            }
            PropertyChange::RemoveMetrics { names } => {
                for name in names {
                    if self.metric(name).is_some() {
                        let lower = name.to_ascii_lowercase();
                        self.made.metrics.insert(lower.clone(), None);
                        self.made.removed.insert(lower);
                    }
                }
                Ok(())
            }
            PropertyChange::DisplaySource { name, display_name } => {
                self.display_source(name, display_name.as_deref())
            }
        }
    }

    fn put(
        &mut self,
        name: &str,
        kind: Option<Kind>,
        edit: &MetricEdit,
        created_by: Option<&str>,
    ) -> Result<(), PropertyError> {
        let made;
        let metric = match (self.metric(name), kind) {
            (Some(known), Some(kind)) if known.kind != kind => {
                return Err(PropertyError::KindClash {
                    name: known.name.clone(),
                    kind: known.kind,
                });
            }
            (Some(known), _) => known,
            (None, None) => return Err(PropertyError::NoMetric { name: name.into() }),
            (None, Some(kind)) => {
                let max = self.options.series_max;
                if self.metrics_count() >= max {
                    return Err(PropertyError::MetricsFull { max });
                }
                let by = created_by.map(|agent| (CREATED_BY.to_owned(), agent.into()));
                made = Metric {
                    name: name.into(),
                    kind,
                    period: None,
                    description: Description {
                        attributes: by.into_iter().collect(),
                        ..Description::default()
                    },
                    kept: true,
                };
                &made
            }
        };
        let metric = edited_metric(metric, edit)?;
        self.set(metric);
        Ok(())
    }

    fn display_source(
        &mut self,
        name: &str,
        display_name: Option<&str>,
    ) -> Result<(), PropertyError> {
        let lower = name.to_ascii_lowercase();
        let known = match self.made.sources.get(&lower) {
            Some(made) => made.as_ref(),
            None => self.index.sources().get(&lower),
        };
        if display_name.is_some() && known.is_none() && self.sources_count() >= SOURCES_MAX {
            return Err(PropertyError::SourcesFull);
        }
        let name = known.map_or(name, |source| &source.name).to_owned();
        let source = display_name.map(|display_name| Source {
            name,
            display_name: display_name.into(),
        });
        self.made.sources.insert(lower, source);
        Ok(())
    }

    fn metric(&self, name: &str) -> Option<&Metric> {
        let lower = name.to_ascii_lowercase();
        match self.made.metrics.get(&lower) {
            Some(made) => made.as_deref(),
            None => self.index.metric(&lower).map(|metric| &**metric),
        }
    }

    fn set(&mut self, metric: Metric) {
        let lower = metric.name.to_ascii_lowercase();
        self.made.metrics.insert(lower, Some(Arc::new(metric)));
    }

    /// At least as many as there will be.
    fn metrics_count(&self) -> usize {
        let new = self.made.metrics.iter();
        let new = new.filter(|(lower, made)| made.is_some() && self.index.metric(lower).is_none());
        self.index.metrics().len() + new.count()
    }

    /// At least as many as there will be.
    fn sources_count(&self) -> usize {
        let new = self.made.sources.iter();
        let known = self.index.sources();
        let new = new.filter(|(lower, made)| made.is_some() && !known.contains_key(*lower));
        known.len() + new.count()
    }
}

impl Made {
    fn write(&self, db: &Database, index: &Index) -> Result<(), redb::Error> {
        let write = db.begin_write()?;
        {
            let mut metrics = write.open_table(format::METRICS)?;
            let mut series = write.open_table(format::SERIES)?;
            let mut newest = write.open_table(format::NEWEST)?;
            for lower in &self.removed {
                for listed in index.series_of(lower) {
                    series.remove(listed.id)?;
                    newest.remove(listed.id)?;
                }
            }
            for (lower, metric) in &self.metrics {
                match metric {
                    Some(metric) => {
                        let record = format::json(metric.as_ref())?;
                        metrics.insert(lower.as_str(), record.as_slice())?
                    }
                    None => metrics.remove(lower.as_str())?,
                };
            }
            if !self.sources.is_empty() {
                let mut sources = write.open_table(format::SOURCES)?;
                for (lower, source) in &self.sources {
                    match source {
                        Some(source) => {
                            sources.insert(lower.as_str(), format::json(source)?.as_slice())?
                        }
                        None => sources.remove(lower.as_str())?,
                    };
                }
            }
        }
        write.commit()?;
        Ok(())
    }

    fn publish(self, index: &mut Index) {
        for lower in &self.removed {
            index.remove_metric(lower);
        }
        for metric in self.metrics.into_values().flatten() {
            index.set_metric(metric);
        }
        for (lower, source) in self.sources {
            index.set_source(&lower, source);
        }
    }
}

fn edited_metric(metric: &Metric, edit: &MetricEdit) -> Result<Metric, PropertyError> {
    let mut metric = metric.clone();
    metric.kept = true;
    let said = &mut metric.description;
    if let Some(display_name) = &edit.display_name {
        said.display_name.clone_from(display_name);
    }
    if let Some(description) = &edit.description {
        said.description.clone_from(description);
    }
    if let Some(period) = edit.period {
        metric.period = period;
    }
    let gauge_attributes = match metric.kind {
        Kind::Gauge => Some(&edit.gauge_attributes),
        Kind::Counter => None,
    };
    for (name, value) in gauge_attributes
        .into_iter()
        .flatten()
        .chain(&edit.attributes)
    {
        match value {
            Value::Null => said.attributes.remove(name),
            value => said.attributes.insert(name.clone(), value.clone()),
        };
    }
    match said.fits() {
        true => Ok(metric),
        false => Err(PropertyError::TooLarge { name: metric.name }),
    }
}
