//! How one service's requests divide: its breakdown in the store, as the page draws it.

use super::charts::NotFound;
use super::rows;
use crate::breakdown::{
    Curves, Details, Exemplar, Group, PHASES, ROUTES_SHOWN, Record, SERVERS_SHOWN, STATUSES,
    Server, Table, Tally, WIDE_BUCKETS, newest, slowest, wide_edge,
};
use crate::haproxy::termination;
use crate::names;
use crate::store::{FINE_KEPT, ReadError, Spans, Store};
use crate::time::Timestamp;
use serde::Serialize;
use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

/// Columns at most.
const COLUMNS_MAX: i64 = 360;

/// Seconds of a range that is shown in fine spans.
const FINE_RANGE: i64 = 2 * 3600;

/// Examples of each kind.
const EXEMPLARS_MAX: usize = 20;

/// Words for what there was no room for.
const OTHER: &str = "other";

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Breakdown {
    pub service: String,
    pub from: i64,
    pub to: i64,
    /// Seconds of a column.
    pub step: i64,
    /// Requests and sessions that were looked at in the columns.
    pub lines: u64,
    /// That these count for.
    pub of: u64,
    /// Starts of the columns.
    pub times: Vec<i64>,
    /// Requests per second by class of status; a class that never occurs is left out. `None`:
    /// nobody knows, as in all that follows.
    pub status: BTreeMap<&'static str, Vec<Option<f64>>>,
    pub latency: Heat,
    /// Milliseconds that a request spends in each phase, on average.
    pub timers: BTreeMap<&'static str, Vec<Option<f64>>>,
    /// What the lists below are of: whole minutes, or ten of them.
    pub listed: Listed,
    /// The most requested first.
    pub routes: Vec<Route>,
    pub servers: Vec<ServerRow>,
    pub terminations: Vec<Termination>,
    pub exemplars: Exemplars,
    /// Records that could not be read: what they held is missing.
    pub unreadable: u64,
}

/// Requests by column and duration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Heat {
    /// The first millisecond of each bucket.
    pub edges: Vec<u64>,
    pub counts: Vec<Option<Vec<u64>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    pub from: i64,
    /// Exclusive.
    pub to: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Route {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    pub route: String,
    #[serde(flatten)]
    pub sums: Sums,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServerRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    pub server: String,
    #[serde(flatten)]
    pub sums: Sums,
    /// Milliseconds on average, of the requests that came so far.
    pub queue: Option<f64>,
    pub connect: Option<f64>,
    pub response: Option<f64>,
}

/// What is told of any group of requests. Durations are in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sums {
    pub requests: u64,
    pub failed: u64,
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    /// `None`: no request has a duration.
    pub max: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Termination {
    pub state: String,
    pub requests: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// What it says of the cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie: Option<String>,
    pub normal: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Exemplars {
    /// The slowest first.
    pub slowest: Vec<Example>,
    /// The newest first.
    pub failing: Vec<Example>,
}

/// A request. What its line does not say is left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Example {
    /// When it ended, in epoch milliseconds.
    pub time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(flatten)]
    pub texts: BTreeMap<&'static str, String>,
    pub timers: BTreeMap<&'static str, u64>,
}

/// How a service's requests divide between `from` and `to`.
///
/// Up to two hours, not longer ago than these, are columns of 10 s or a few times that; else
/// columns are minutes or a few of them, and lists are of ten minutes.
pub fn breakdown(
    store: &Store,
    service: &str,
    from: i64,
    to: i64,
    now: Timestamp,
) -> Result<Breakdown, NotFound> {
    // As rules' series have it.
    let name = names::sanitise_tag_value(service).to_ascii_lowercase();
    let fine = to - from <= FINE_RANGE && from >= (now - FINE_KEPT).as_secs();
    let span = if fine { 10 } else { 60 };
    let columns = Columns::over(from, to, span);
    let curves = store.curves(fine, &name, columns.start..=columns.end() - 1)?;
    let list_span = if fine { 60 } else { 600 };
    let listed = Listed {
        from: from.div_euclid(list_span) * list_span,
        to: (to.div_euclid(list_span) + 1) * list_span,
    };
    let details = store.details(fine, &name, listed.from..=listed.to - 1)?;
    let is_seen = curves.spans.iter().any(|(_, curves)| curves.is_some());
    if !is_seen && details.spans.is_empty() && !is_known(store, service, &name)? {
        return Err(NotFound::Service(service.into()));
    }
    let unreadable = curves.unreadable + details.unreadable;
    let merged = columns.merge(curves);
    let whole = sum(merged.iter().filter_map(|column| column.curves.as_ref()));
    Ok(Breakdown {
        service: name,
        from,
        to,
        step: columns.step,
        lines: whole.looked,
        of: whole.requests,
        times: columns.times(),
        status: status(&merged, &whole),
        latency: heat(&merged, &whole),
        timers: timers(&merged, &whole),
        listed,
        unreadable,
        ..lists(details)
    })
}

/// Whether there is such a service, at another time or by its measures.
fn is_known(store: &Store, service: &str, name: &str) -> Result<bool, ReadError> {
    let series = store.series();
    let (rows, _) = rows::split(&series);
    let is_row = |row: &rows::Row<'_>| row.service.eq_ignore_ascii_case(service);
    Ok(rows.iter().any(is_row) || store.has_breakdown(name)?)
}

/// Spans side by side, several in each column.
struct Columns {
    start: i64,
    step: i64,
    len: usize,
}

/// What is known of a column.
#[derive(Default)]
struct Column {
    curves: Option<Curves>,
    /// Seconds that weir has watched of it.
    seconds: i64,
}

impl Columns {
    fn over(from: i64, to: i64, span: i64) -> Columns {
        let spans = (to - from) / span + 1;
        let step = span * ((spans + COLUMNS_MAX - 1) / COLUMNS_MAX).max(1);
        let start = from.div_euclid(step) * step;
        let mut len = (to - start) / step + 1;
        // The range may begin and end within a column.
        let mut columns = Columns {
            start,
            step,
            len: len as usize,
        };
        if len > COLUMNS_MAX {
            len = COLUMNS_MAX;
            columns.start += step;
            columns.len = len as usize;
        }
        columns
    }

    /// Exclusive.
    fn end(&self) -> i64 {
        self.start + self.step * self.len as i64
    }

    fn times(&self) -> Vec<i64> {
        let columns = 0..self.len as i64;
        columns.map(|n| self.start + n * self.step).collect()
    }

    fn merge(&self, curves: Spans<Curves>) -> Vec<Column> {
        let mut columns: Vec<Column> = (0..self.len).map(|_| Column::default()).collect();
        for ((start, found), seconds) in curves.spans.into_iter().zip(curves.watched) {
            let place = (start - self.start).div_euclid(self.step);
            let Some(column) = usize::try_from(place)
                .ok()
                .and_then(|place| columns.get_mut(place))
            else {
                continue;
            };
            column.seconds += seconds;
            let known = column.curves.get_or_insert_default();
            if let Some(found) = found {
                known.merge(&found);
            }
        }
        columns
    }
}

fn sum<'a, T: Record + Default + 'a>(parts: impl Iterator<Item = &'a T>) -> T {
    parts.fold(T::default(), |mut sum, part| {
        sum.merge(part);
        sum
    })
}

fn status(columns: &[Column], whole: &Curves) -> BTreeMap<&'static str, Vec<Option<f64>>> {
    let classes = STATUSES.iter().enumerate();
    let occurring = classes.filter(|(class, _)| whole.status[*class] > 0);
    let rates = |class: usize| {
        let columns = columns.iter();
        let rates = columns.map(move |column| {
            let curves = column.curves.as_ref()?;
            Some(curves.status[class] as f64 / column.seconds.max(1) as f64)
        });
        rates.collect()
    };
    occurring
        .map(|(class, name)| (*name, rates(class)))
        .collect()
}

fn heat(columns: &[Column], whole: &Curves) -> Heat {
    let all = whole.latency.wide();
    let needed = match (
        all.iter().position(|count| *count > 0),
        all.iter().rposition(|count| *count > 0),
    ) {
        // One more says where the last one ends.
        (Some(first), Some(last)) => first..(last + 2).min(WIDE_BUCKETS),
        _ => 0..0,
    };
    let counts = columns.iter().map(|column| {
        let curves = column.curves.as_ref()?;
        Some(curves.latency.wide()[needed.clone()].to_vec())
    });
    Heat {
        counts: counts.collect(),
        edges: needed.clone().map(wide_edge).collect(),
    }
}

fn timers(columns: &[Column], whole: &Curves) -> BTreeMap<&'static str, Vec<Option<f64>>> {
    let [requests, sessions] = whole.timed.map(|timed| timed > 0);
    let phases = PHASES.iter().enumerate().filter(|(_, name)| match **name {
        "queue" | "connect" => requests || sessions,
        "session" => sessions,
        _ => requests,
    });
    let means = |phase: usize| {
        let columns = columns.iter();
        let means = columns.map(move |column| {
            let curves = column.curves.as_ref()?;
            let timed = curves.timed.iter().sum::<u64>();
            (timed > 0).then(|| tenths(curves.spent[phase] as f64 / timed as f64))
        });
        means.collect()
    };
    phases.map(|(phase, name)| (*name, means(phase))).collect()
}

/// The lists of a breakdown of which nothing else is known.
fn lists(details: Spans<Details>) -> Breakdown {
    let mut whole = sum(details.spans.iter().filter_map(|(_, found)| found.as_ref()));
    let (mut slowest_of, mut failing) = (Vec::new(), Vec::new());
    for (_, found) in details.spans {
        let found = found.unwrap_or_default();
        slowest_of.extend(found.slowest);
        failing.extend(found.failing);
    }
    whole.routes.keep(ROUTES_SHOWN);
    whole.servers.keep(SERVERS_SHOWN);
    Breakdown {
        service: String::new(),
        from: 0,
        to: 0,
        step: 0,
        lines: 0,
        of: 0,
        times: Vec::new(),
        status: BTreeMap::new(),
        latency: Heat {
            edges: Vec::new(),
            counts: Vec::new(),
        },
        timers: BTreeMap::new(),
        listed: Listed { from: 0, to: 0 },
        routes: listed(whole.routes, route),
        servers: listed(whole.servers, server),
        terminations: listed(whole.terminations, termination),
        exemplars: Exemplars {
            slowest: examples(slowest_of, slowest),
            failing: examples(failing, newest),
        },
        unreadable: 0,
    }
}

/// The most requested first, and the others behind them.
fn listed<T: Tally, R>(table: Table<T>, row: fn(&str, T) -> R) -> Vec<R> {
    let mut rows: Vec<(Box<str>, T)> = table.rows.into_iter().collect();
    rows.sort_by_key(|(_, tally)| Reverse(tally.requests()));
    if table.other.requests() > 0 {
        rows.push((OTHER.into(), table.other));
    }
    let rows = rows.into_iter();
    rows.map(|(name, tally)| row(&name, tally)).collect()
}

fn route(name: &str, group: Group) -> Route {
    let (method, route) = name.split_once(' ').unwrap_or(("", name));
    Route {
        method: (!method.is_empty()).then(|| method.to_owned()),
        route: route.to_owned(),
        sums: Sums::of(&group),
    }
}

fn server(name: &str, server: Server) -> ServerRow {
    let (backend, name) = name.split_once('/').unwrap_or(("", name));
    let [queue, connect, response] =
        [server.queue, server.connect, server.response].map(|mean| mean.value().map(tenths));
    ServerRow {
        backend: (!backend.is_empty()).then(|| backend.to_owned()),
        server: name.to_owned(),
        sums: Sums::of(&server.group),
        queue,
        connect,
        response,
    }
}

fn termination(state: &str, requests: u64) -> Termination {
    let bytes = state.as_bytes();
    Termination {
        state: state.to_owned(),
        requests,
        words: termination::words(bytes),
        cookie: termination::cookie_words(bytes),
        normal: termination::is_normal(bytes),
    }
}

impl Sums {
    fn of(group: &Group) -> Sums {
        let quantile = |share| group.latency.quantile(share, group.max).map(tenths);
        Sums {
            requests: group.requests,
            failed: group.failed,
            p50: quantile(0.5),
            p95: quantile(0.95),
            max: (!group.latency.is_empty()).then_some(group.max),
        }
    }
}

fn examples(mut found: Vec<Exemplar>, order: fn(&Exemplar, &Exemplar) -> Ordering) -> Vec<Example> {
    found.sort_by(order);
    found.truncate(EXEMPLARS_MAX);
    found.into_iter().map(example).collect()
}

fn example(found: Exemplar) -> Example {
    let state = found.termination.as_deref();
    let words = state.and_then(|state| termination::words(state.as_bytes()));
    let texts = [
        ("method", found.method.as_deref()),
        ("path", found.path.as_deref()),
        ("route", found.route.as_deref()),
        ("backend", found.backend.as_deref()),
        ("server", found.server.as_deref()),
        ("termination", state),
        ("words", words.as_deref()),
        ("request_id", found.request_id.as_deref()),
        ("client", found.client.as_deref()),
        ("host", found.host.as_deref()),
    ];
    let texts = texts.into_iter();
    let phases = PHASES.into_iter().zip(found.phases);
    Example {
        time: found.time,
        duration: found.duration,
        status: found.status,
        texts: texts
            .filter_map(|(name, text)| Some((name, text?.to_owned())))
            .collect(),
        timers: phases
            .filter_map(|(name, millis)| Some((name, millis?)))
            .collect(),
    }
}

fn tenths(millis: f64) -> f64 {
    (millis * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breakdown::Parts;
    use crate::store::Options;
    use std::sync::Arc;
    use tempfile::TempDir;

    /// A multiple of ten minutes.
    const NOW: i64 = 1_767_268_800;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    /// A store in which `web` had these requests: slot, status, milliseconds, route, server.
    async fn store(
        asked: &[(i64, i64, u64, &str, &str)],
        watched: &[(i64, u32)],
    ) -> (TempDir, Store) {
        let dir = TempDir::new().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let mut parts = Parts::default();
        for &(slot, status, millis, route, server) in asked {
            let (part, room) = parts.part(slot, "web").unwrap();
            let phases = [Some(1), Some(0), Some(1), Some(millis - 2), Some(0), None];
            part.curves
                .add(Some(status), Some(&(millis, phases)), false, 1);
            let row = part.details.routes.row(route, room);
            row.add(Some(millis), status >= 500, 1);
            let row = part.details.servers.row(server, room);
            row.group.add(Some(millis), status >= 500, 1);
            row.response.add(Some(millis as i64 - 2), 1);
            *part.details.terminations.row("sH--", room) += u64::from(status == 504);
            part.details.slowest.push(Exemplar {
                time: slot * 1000,
                duration: Some(millis),
                termination: Some("sH--".into()),
                ..Exemplar::default()
            });
        }
        let written = store.write_breakdown(Arc::new(parts), watched.to_vec(), at(NOW));
        written.await.unwrap();
        (dir, store)
    }

    #[tokio::test]
    async fn columns_tell_none_from_unknown() {
        let (_dir, store) = store(
            &[
                (NOW - 40, 200, 10, "GET /", "b/1"),
                (NOW - 40, 504, 900, "GET /a", "b/2"),
                (NOW - 20, 200, 30, "GET /", "b/1"),
            ],
            // Weir began in the middle of the first slot.
            &[(NOW - 40, 5), (NOW - 30, 10), (NOW - 20, 10)],
        )
        .await;
        let view = breakdown(&store, "WEB", NOW - 50, NOW - 11, at(NOW)).unwrap();
        assert_eq!((view.step, view.lines, view.of), (10, 3, 3));
        assert_eq!(view.times, [NOW - 50, NOW - 40, NOW - 30, NOW - 20]);
        let rates = |class: &str| view.status[class].clone();
        assert_eq!(rates("2xx"), [None, Some(0.2), Some(0.0), Some(0.1)]);
        assert_eq!(rates("5xx"), [None, Some(0.2), Some(0.0), Some(0.0)]);
        assert_eq!(view.status.len(), 2);
        // The sum of each column is its requests, and buckets begin at their edges.
        let sums = view.latency.counts.iter();
        let sums: Vec<_> = sums
            .map(|c| c.as_ref().map(|c| c.iter().sum::<u64>()))
            .collect();
        assert_eq!(sums, [None, Some(2), Some(0), Some(1)]);
        assert_eq!(view.latency.edges.first(), Some(&8));
        assert!(view.latency.edges.last().is_some_and(|edge| *edge > 900));
        // Means of both requests; where there are none there is no mean.
        assert_eq!(
            view.timers["response"],
            [None, Some(453.0), None, Some(28.0)]
        );
        assert!(!view.timers.contains_key("session"));

        assert_eq!((view.listed.from, view.listed.to), (NOW - 60, NOW));
        let routes = view.routes.iter();
        let routes: Vec<_> = routes
            .map(|row| {
                (
                    row.method.as_deref(),
                    &*row.route,
                    row.sums.requests,
                    row.sums.failed,
                )
            })
            .collect();
        assert_eq!(
            routes,
            [(Some("GET"), "/", 2, 0), (Some("GET"), "/a", 1, 1)]
        );
        assert_eq!(view.servers[1].backend.as_deref(), Some("b"));
        assert_eq!(view.servers[1].response, Some(898.0));
        assert_eq!(view.servers[1].sums.max, Some(900));
        assert_eq!(
            view.terminations[0].words.as_deref(),
            Some("the server did not answer in time")
        );
        let slowest = view.exemplars.slowest.iter();
        assert_eq!(
            slowest.map(|e| e.duration).collect::<Vec<_>>(),
            [Some(900), Some(30), Some(10)]
        );
    }

    #[tokio::test]
    async fn who_is_unknown_is_not_found_and_who_was_quiet_is() {
        let (_dir, store) = store(&[(NOW - 7200, 200, 10, "GET /", "b/1")], &[]).await;
        let unknown = breakdown(&store, "nobody", NOW - 100, NOW, at(NOW));
        assert!(matches!(unknown, Err(NotFound::Service(_))));
        let quiet = breakdown(&store, "web", NOW - 100, NOW, at(NOW)).unwrap();
        assert_eq!((quiet.lines, quiet.routes.len()), (0, 0));
    }

    #[tokio::test]
    async fn a_long_range_is_of_minutes_and_lists_of_ten() {
        let (_dir, store) = store(&[(NOW - 7200, 200, 10, "GET /", "b/1")], &[]).await;
        let view = breakdown(&store, "web", NOW - 86_400, NOW - 1, at(NOW)).unwrap();
        assert_eq!((view.step, view.times.len()), (240, 360));
        assert_eq!((view.lines, view.listed.to - view.listed.from), (1, 86_400));
        let known = view.status["2xx"].iter().flatten();
        // One minute of the column is known.
        assert_eq!(known.copied().collect::<Vec<_>>(), [1.0 / 60.0]);
    }

    #[test]
    fn there_are_never_too_many_columns_and_they_cover_the_range() {
        for span in [10, 60] {
            for len in (0..20_000)
                .step_by(37)
                .chain([100_000, 86_400, 4_000_000_000])
            {
                for from in [NOW, NOW + 7] {
                    let columns = Columns::over(from, from + len, span);
                    assert!(columns.len as i64 <= COLUMNS_MAX, "{span} {len}");
                    assert!(columns.start - columns.step <= from && columns.end() > from + len);
                    assert_eq!(columns.step % span, 0);
                }
            }
        }
    }
}
