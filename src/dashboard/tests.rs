//! Stores with known points, and what the page is told about them.

use super::*;
use crate::store::{Kind, NewPoint, Options, SeriesInfo, Store, Summary, TagMap};
use crate::time::Timestamp;
use std::ops::RangeInclusive;
use tempfile::TempDir;

/// A multiple of ten seconds.
const NOW: i64 = 1_767_268_800;

/// Name, tags, the ages of the windows to write it for (the newest is 1), value.
type Written<'a> = (&'a str, &'a [(&'a str, &'a str)], RangeInclusive<i64>, f64);

async fn store(points: &[Written<'_>]) -> (TempDir, Store) {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let point = |name: &str, tags: &[(&str, &str)], age: i64, value: f64| NewPoint {
        series: SeriesInfo {
            name: name.into(),
            tags: tags
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect::<TagMap>(),
        },
        kind: Kind::Gauge,
        time: NOW - 10 * age,
        summary: Summary::value(value),
        period: Some(10),
        description: None,
    };
    let all = points.iter().flat_map(|(name, tags, ages, value)| {
        ages.clone().map(move |age| point(name, tags, age, *value))
    });
    store
        .write(all.collect(), Timestamp::from_secs(NOW))
        .await
        .unwrap();
    (dir, store)
}

fn rows(store: &Store) -> Vec<String> {
    let services = services(store, Timestamp::from_secs(NOW)).unwrap();
    let text = |row: &ServiceRow| {
        format!(
            "{} {} {:?} [{}]",
            row.rule, row.service, row.severity, row.why
        )
    };
    services.services.iter().map(text).collect()
}

#[tokio::test]
async fn the_worst_comes_first_then_the_busiest() {
    let (_dir, store) = store(&[
        ("http.rate", &[("service", "quiet")], 1..=50, 1.0),
        ("http.rate", &[("service", "busy")], 1..=50, 100.0),
        ("http.rate", &[("service", "slow")], 1..=50, 10.0),
        ("http.p95", &[("service", "slow")], 4..=50, 100.0),
        ("http.p95", &[("service", "slow")], 1..=3, 250.0),
        ("http.rate", &[("service", "broken")], 1..=50, 10.0),
        ("http.errors", &[("service", "broken")], 1..=1, 0.5),
        ("http.errors", &[("service", "busy")], 1..=50, 0.001),
        ("http.rate", &[("service", "gone")], 200..=210, 10.0),
    ])
    .await;
    assert_eq!(
        rows(&store),
        [
            "http broken Bad [errors 50 %]",
            "http slow Warn [p95 2.5× usual]",
            "http busy Ok []",
            "http quiet Ok []"
        ]
    );
}

#[tokio::test]
async fn small_changes_of_rate_do_not_change_places() {
    for (a, b) in [(44.0, 36.0), (36.0, 44.0)] {
        let (_dir, store) = store(&[
            ("http.rate", &[("service", "a")], 1..=50, a),
            ("http.rate", &[("service", "b")], 1..=50, b),
        ])
        .await;
        assert_eq!(rows(&store), ["http a Ok []", "http b Ok []"]);
    }
}

#[tokio::test]
async fn a_source_is_a_service_only_where_a_rate_stands_beside() {
    let (_dir, store) = store(&[
        ("web.rate", &[("source", "Lb-1")], 1..=1, 3.0),
        ("web.p95", &[("source", "lb-1")], 1..=1, 40.0),
        ("web.size", &[("source", "lb-1")], 1..=1, 9.0),
        ("disk.p95", &[("source", "lb-1")], 1..=1, 1.0),
        ("cpu", &[("service", "x")], 1..=1, 1.0),
        ("disk.free", &[("service", "x")], 1..=1, 1.0),
    ])
    .await;
    assert_eq!(rows(&store), ["web Lb-1 Ok []"]);
    let others = series(&store, "", Timestamp::from_secs(NOW)).unwrap();
    let names: Vec<&str> = others.series.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["cpu", "disk.free", "disk.p95", "web.size"]);
    assert_eq!(
        series(&store, "LB-1", Timestamp::from_secs(NOW))
            .unwrap()
            .total,
        2
    );
}

#[tokio::test]
async fn a_row_tells_its_newest_window_and_leaves_gaps() {
    let (_dir, store) = store(&[
        ("http.rate", &[("service", "users")], 1..=90, 0.0),
        ("http.p95", &[("service", "users")], 3..=3, 7.0),
        ("http.p50", &[("service", "users")], 1..=1, 2.0),
    ])
    .await;
    let services = services(&store, Timestamp::from_secs(NOW + 4)).unwrap();
    let row = &services.services[0];
    assert_eq!((row.time, row.window), (NOW - 10, 10));
    assert_eq!(
        (row.rate, row.p50, row.p95, row.errors),
        (Some(0.0), Some(2.0), None, None)
    );
    assert_eq!((row.spark.start, row.spark.step), (NOW - 900, 10));
    assert_eq!(row.spark.rate, vec![Some(0.0); 90]);
    assert_eq!(row.spark.errors, vec![None; 90]);
    let p95: Vec<usize> = (0..90)
        .filter(|slot| row.spark.p95[*slot].is_some())
        .collect();
    assert_eq!(p95, [87]);
}

#[tokio::test]
async fn several_series_of_a_measure_add_their_rates_and_show_the_worst_of_the_rest() {
    let (_dir, store) = store(&[
        (
            "route.rate",
            &[("service", "users"), ("route", "/a")],
            1..=1,
            3.0,
        ),
        (
            "route.rate",
            &[("service", "users"), ("route", "/b")],
            1..=1,
            4.0,
        ),
        (
            "route.p95",
            &[("service", "users"), ("route", "/a")],
            1..=1,
            30.0,
        ),
        (
            "route.p95",
            &[("service", "users"), ("route", "/b")],
            1..=1,
            20.0,
        ),
    ])
    .await;
    let services = services(&store, Timestamp::from_secs(NOW)).unwrap();
    assert_eq!(
        (services.services[0].rate, services.services[0].p95),
        (Some(7.0), Some(30.0))
    );
}

#[tokio::test]
async fn charts_cover_their_range_with_every_measure_of_the_rule() {
    let (_dir, store) = store(&[
        ("http.rate", &[("service", "users")], 1..=6, 5.0),
        ("http.bytes", &[("service", "users")], 2..=2, 9.0),
        ("tcp.rate", &[("service", "users")], 1..=1, 1.0),
        ("disk.free", &[("source", "db-1")], 1..=3, 2.0),
    ])
    .await;
    let charts = service(&store, "USERS", Some("http"), NOW - 35, NOW - 1).unwrap();
    assert_eq!(
        (charts.step, charts.times.as_slice()),
        (10, &[NOW - 40, NOW - 30, NOW - 20, NOW - 10][..])
    );
    assert_eq!(charts.series["rate"], [Some(5.0); 4]);
    assert_eq!(charts.series["bytes"], [None, None, Some(9.0), None]);
    assert_eq!(charts.series.len(), 2);
    assert!(matches!(
        service(&store, "users", Some("grpc"), 0, NOW),
        Err(NotFound::Service(_))
    ));

    // Of a day it shows, in full detail, the minute that there is.
    let day = service(&store, "users", Some("http"), NOW - 86_400, NOW).unwrap();
    assert_eq!((day.step, day.times.len()), (10, 7));
    assert_eq!(day.times[0], NOW - 60);
    assert_eq!(day.series["rate"].iter().flatten().count(), 6);

    let id = series(&store, "disk", Timestamp::from_secs(NOW))
        .unwrap()
        .series[0]
        .id;
    let disk = chart(&store, id, NOW - 40, NOW).unwrap();
    assert_eq!(disk.values, [Some(2.0), Some(2.0), Some(2.0), None]);
    assert!(matches!(
        chart(&store, 999, 0, 1),
        Err(NotFound::Series(999))
    ));
}

#[tokio::test]
async fn a_chart_has_a_bounded_number_of_steps_and_none_starts_within_a_window() {
    let (_dir, store) = store(&[("http.rate", &[("service", "users")], 8_639..=8_640, 5.0)]).await;
    // A day in windows of ten seconds is more than a chart shows.
    let day = service(&store, "users", None, NOW - 86_400, NOW).unwrap();
    assert_eq!((day.step, day.times.len()), (90, 961));
    assert_eq!(day.times[0] % 90, 0);
    assert_eq!(day.series["rate"].iter().flatten().count(), 1);
    let nothing = service(&store, "users", None, NOW - 100, NOW).unwrap();
    assert_eq!(nothing.times.len(), 11);
}

#[tokio::test]
async fn sparklines_reach_as_far_back_as_the_oldest_of_all_points() {
    for (oldest, range) in [
        (1, 120),
        (12, 120),
        (13, 180),
        (31, 360),
        (90, 900),
        (95, 900),
    ] {
        let (_dir, store) = store(&[
            ("http.rate", &[("service", "old")], oldest..=oldest, 1.0),
            ("http.rate", &[("service", "new")], 1..=1, 1.0),
            ("disk.free", &[("source", "db-1")], oldest..=oldest, 1.0),
        ])
        .await;
        let list = services(&store, Timestamp::from_secs(NOW)).unwrap();
        let others = series(&store, "", Timestamp::from_secs(NOW)).unwrap();
        assert_eq!((list.spark_range, others.spark_range), (range, range));
        for row in &list.services {
            assert_eq!(
                (row.spark.start, row.spark.rate.len()),
                (NOW - range, range as usize / 10),
                "{}",
                row.service
            );
        }
    }
}

#[test]
fn sparklines_show_each_window_until_there_are_too_many() {
    for (range, window, step) in [
        (120, 2, 2),
        (360, 2, 2),
        (420, 2, 4),
        (900, 2, 6),
        (900, 10, 10),
        (900, 60, 60),
        (120, 300, 300),
    ] {
        let grid = grid::Grid::last(NOW + 1, range, window);
        assert_eq!(grid.step, step, "{range} {window}");
        assert!(grid.end() <= NOW + 1 && grid.end() > NOW + 1 - step);
    }
}
