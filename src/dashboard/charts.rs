//! Charts over time: one service, one series, and the list of the other series.

use super::SPARK_RANGE;
use super::grid::{self, Grid};
use super::marks::{self, Mark};
use super::rows;
use crate::store::{Kind, Listed, ReadError, SeriesId, Store, TagMap};
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Series that a list holds.
const LIST_MAX: usize = 500;

/// The thing asked for does not exist, or could not be read.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    #[error("no service is named '{0}'")]
    Service(String),
    #[error("no series has the id {0}")]
    Series(SeriesId),
    #[error(transparent)]
    Read(#[from] ReadError),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceCharts {
    pub service: String,
    pub rule: String,
    pub from: i64,
    pub to: i64,
    /// Seconds.
    pub step: i64,
    /// From the first point in `from..=to` on, if there is one.
    pub times: Vec<i64>,
    /// By measure, each as long as `times`; `None` is a gap.
    pub series: BTreeMap<String, Vec<Option<f64>>>,
    /// The newest first, at most 500.
    pub marks: Vec<Mark>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeriesList {
    /// How many match; `series` holds the first 500.
    pub total: usize,
    /// Seconds that the sparklines cover, the same for all.
    pub spark_range: i64,
    pub series: Vec<SeriesRow>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeriesRow {
    pub id: SeriesId,
    pub name: String,
    pub tags: TagMap,
    /// Of the newest point.
    pub time: i64,
    /// `None`: trimmed in the meantime.
    pub value: Option<f64>,
    pub spark: ValueSpark,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValueSpark {
    pub start: i64,
    pub step: i64,
    pub values: Vec<Option<f64>>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chart {
    pub id: SeriesId,
    pub name: String,
    pub tags: TagMap,
    pub from: i64,
    pub to: i64,
    pub step: i64,
    /// As of [`ServiceCharts`].
    pub times: Vec<i64>,
    pub values: Vec<Option<f64>>,
}

/// Every measure of one service. Without a `rule`, the first rule by name that has it.
pub fn service(
    store: &Store,
    service: &str,
    rule: Option<&str>,
    from: i64,
    to: i64,
) -> Result<ServiceCharts, NotFound> {
    let series = store.series();
    let (rows, _) = rows::split(&series);
    let wanted = |row: &&rows::Row<'_>| {
        row.service.eq_ignore_ascii_case(service)
            && rule.is_none_or(|rule| row.rule.eq_ignore_ascii_case(rule))
    };
    let row = rows
        .iter()
        .find(wanted)
        .ok_or_else(|| NotFound::Service(service.into()))?;
    let grid = Grid::over(from, to, row.window());
    let points = grid::load(
        store,
        &rows::ids(std::iter::once(row)),
        grid.start,
        grid.end() - 1,
        |_| Kind::Gauge,
    )?;
    let grid = Grid::over_young(from, to, row.window(), &points);
    let measures = row.measures.keys().map(|measure| {
        (
            measure.to_string(),
            grid.place(&grid::measure(row, measure, &points)),
        )
    });
    let services: Vec<&str> = rows.iter().map(|row| row.service).collect();
    Ok(ServiceCharts {
        service: row.service.into(),
        rule: row.rule.into(),
        from,
        to,
        step: grid.step,
        times: grid.times(),
        series: measures.collect(),
        marks: marks::marks(store, row.service, &services, from, to),
    })
}

/// The series outside the service rows whose name or tags contain `search`, without case.
pub fn series(store: &Store, search: &str, now: Timestamp) -> Result<SeriesList, ReadError> {
    let now = now.as_secs();
    let all = store.series();
    let search = search.to_ascii_lowercase();
    let found = |listed: &&Listed| listed.info.identity().contains(&search);
    let mut others: Vec<&Listed> = rows::split(&all).1.into_iter().filter(found).collect();
    let total = others.len();
    others.sort_by_cached_key(|listed| listed.info.identity());
    others.truncate(LIST_MAX);
    let kinds: HashMap<SeriesId, Kind> = others
        .iter()
        .map(|listed| (listed.id, listed.metric.kind))
        .collect();
    let mut ids: Vec<SeriesId> = kinds.keys().copied().collect();
    ids.sort_unstable();
    let points = grid::load(store, &ids, now - SPARK_RANGE - 60, now, |id| kinds[&id])?;
    let spark_range = grid::spark_range(&points, now);
    let row = |listed: &&Listed| -> Result<SeriesRow, ReadError> {
        let grid = Grid::last(now, spark_range, period(listed));
        let newest = store.newest(listed.id)?;
        Ok(SeriesRow {
            id: listed.id,
            name: listed.info.name.clone(),
            tags: listed.info.tags.clone(),
            time: listed.newest as i64,
            value: newest.map(|point| grid::value(&point, listed.metric.kind)),
            spark: ValueSpark {
                start: grid.start,
                step: grid.step,
                values: grid.place(points.get(&listed.id).map_or(&[], Vec::as_slice)),
            },
        })
    };
    Ok(SeriesList {
        total,
        spark_range,
        series: others.iter().map(row).collect::<Result<_, _>>()?,
    })
}

/// One series over time.
pub fn chart(store: &Store, id: SeriesId, from: i64, to: i64) -> Result<Chart, NotFound> {
    let listed = store.series_by_id(id).ok_or(NotFound::Series(id))?;
    let grid = Grid::over(from, to, period(&listed));
    let points = grid::load(store, &[id], grid.start, grid.end() - 1, |_| {
        listed.metric.kind
    })?;
    let grid = Grid::over_young(from, to, period(&listed), &points);
    Ok(Chart {
        id,
        name: listed.info.name.clone(),
        tags: listed.info.tags.clone(),
        from,
        to,
        step: grid.step,
        times: grid.times(),
        values: grid.place(points.get(&id).map_or(&[], Vec::as_slice)),
    })
}

/// Clients that do not say it mostly send once a minute.
fn period(listed: &Listed) -> i64 {
    listed.metric.period.map_or(60, i64::from)
}
