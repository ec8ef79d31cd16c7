//! The store as its users see it: what is written is read back.

use super::*;
use crate::disk::Disk;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use tempfile::TempDir;

const NOW: i64 = 1_767_268_800;

fn now() -> Timestamp {
    Timestamp::from_secs(NOW)
}

fn open(dir: &TempDir) -> Store {
    Store::open(dir.path(), Options::default()).expect("opens")
}

fn point(name: &str, source: &str, time: i64, value: f64) -> NewPoint {
    NewPoint {
        series: SeriesInfo {
            name: name.into(),
            tags: TagMap::from([("source".into(), source.into())]),
        },
        kind: Kind::Gauge,
        time,
        summary: Summary::value(value),
        period: None,
        description: None,
    }
}

fn counter(name: &str, time: i64) -> NewPoint {
    NewPoint {
        kind: Kind::Counter,
        ..point(name, "a", time, 1.0)
    }
}

fn measurement(name: &str, tags: &[(&str, &str)], time: i64, value: f64) -> Measurement {
    let tags = tags.iter();
    Measurement {
        series: crate::metric::Series {
            name: name.into(),
            tags: tags
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
        },
        time: Timestamp::from_secs(time),
        period: Duration::from_secs(10),
        value,
    }
}

/// Everything, as `name source time mean`, in the order of time.
fn dump(store: &Store) -> Vec<String> {
    let mut rows = Vec::new();
    for listed in store.series() {
        let mut back = Vec::new();
        store
            .read(&[listed.id], i64::MIN..=i64::MAX, |point| {
                rows.push((
                    point.time,
                    listed.info.name.clone(),
                    listed.info.tags["source"].clone(),
                    point.summary.mean(),
                ));
                back.push(point);
                ControlFlow::Continue(())
            })
            .expect("reads");
        back.reverse();
        assert_eq!(read_back(store, listed.id), back);
    }
    rows.sort_by(|a, b| (a.0, &a.1, &a.2).cmp(&(b.0, &b.1, &b.2)));
    rows.iter()
        .map(|(time, name, source, value)| format!("{name} {source} {} {value}", time - NOW))
        .collect()
}

fn read_back(store: &Store, id: SeriesId) -> Vec<Point> {
    let mut points = Vec::new();
    let all = |point| {
        points.push(point);
        ControlFlow::Continue(())
    };
    store
        .read_back(id, i64::MIN..=i64::MAX, all)
        .expect("reads");
    points
}

#[tokio::test]
async fn the_last_write_of_a_second_wins_and_delivering_twice_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    for value in [1.0, 2.0, 2.0] {
        store
            .write(vec![point("a", "x", NOW, value)], now())
            .await
            .unwrap();
    }
    store
        .write(
            vec![
                point("a", "x", NOW - 60, 7.0),
                point("a", "x", NOW - 60, 8.0),
            ],
            now(),
        )
        .await
        .unwrap();
    assert_eq!(dump(&store), ["a x -60 8", "a x 0 2"]);
    let stats = store.stats();
    assert_eq!(
        (stats.series, stats.points, stats.accepted, stats.refused),
        (1, 2, 5, 0)
    );
}

#[tokio::test]
async fn names_and_sources_compare_without_case_and_keep_their_first_form() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store
        .write(vec![point("Disk.Free", "Db-1", NOW, 1.0)], now())
        .await
        .unwrap();
    store
        .write(vec![point("disk.free", "dB-1", NOW + 1, 2.0)], now())
        .await
        .unwrap();
    assert_eq!(dump(&store), ["Disk.Free Db-1 0 1", "Disk.Free Db-1 1 2"]);
    assert_eq!(store.metric("DISK.FREE").unwrap().name, "Disk.Free");
    assert_eq!(
        store
            .newest(store.series_of("disk.free")[0].id)
            .unwrap()
            .unwrap()
            .time,
        NOW + 1
    );
}

#[tokio::test]
async fn one_bad_point_and_nothing_of_the_request_is_stored() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(
        dir.path(),
        Options {
            series_max: 3,
            ..Options::default()
        },
    )
    .unwrap();
    store
        .write(vec![counter("hits", NOW)], now())
        .await
        .unwrap();
    let day = 24 * 3600;
    for (bad, why) in [
        (
            point("n", "a", NOW - day - 1, 1.0),
            WriteError::TooOld {
                name: "n".into(),
                time: NOW - day - 1,
            },
        ),
        (
            point("n", "a", NOW + 3601, 1.0),
            WriteError::TooNew {
                name: "n".into(),
                time: NOW + 3601,
            },
        ),
        (
            point("HITS", "a", NOW, 1.0),
            WriteError::KindClash {
                name: "HITS".into(),
                kind: Kind::Counter,
            },
        ),
        (
            counter("new", NOW),
            WriteError::KindClash {
                name: "new".into(),
                kind: Kind::Gauge,
            },
        ),
    ] {
        let request = vec![point("new", "a", NOW, 1.0), bad];
        assert_eq!(store.write(request, now()).await, Err(why));
        assert_eq!(dump(&store), ["hits a 0 1"]);
        assert!(store.metric("new").is_none());
    }
    let three_new = ["a", "b", "c"]
        .map(|source| point("new", source, NOW, 1.0))
        .to_vec();
    assert_eq!(
        store.write(three_new, now()).await,
        Err(WriteError::SeriesFull {
            name: "new".into(),
            max: 3
        })
    );
    assert_eq!(store.stats().refused, 11);
    let two_new = ["a", "b"]
        .map(|source| point("new", source, NOW - day, 1.0))
        .to_vec();
    assert_eq!(store.write(two_new, now()).await.unwrap().accepted, 2);
    store
        .write(vec![point("new", "a", NOW + 3600, 1.0)], now())
        .await
        .unwrap();
}

#[tokio::test]
async fn measurements_are_sanitised_and_taken_one_by_one() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let written = store
        .write_measurements(
            &[
                measurement("http.rate", &[("service", "Users {v2}")], NOW, 1.5),
                measurement("http.rate", &[], NOW, 2.5),
                measurement("http.rate", &[("service", "a")], NOW - 100_000, 1.0),
                measurement("http.rate", &[("service", "a")], NOW, f64::INFINITY),
            ],
            now(),
        )
        .await
        .unwrap();
    assert_eq!((written.accepted, written.refused), (2, 2));
    assert!(matches!(
        written.first_refusal,
        Some(WriteError::NotANumber { .. })
    ));
    let tags: Vec<TagMap> = store
        .series_of("http.rate")
        .iter()
        .map(|listed| listed.info.tags.clone())
        .collect();
    assert_eq!(tags[0]["service"], "users _v2_");
    assert_eq!(tags[1]["source"], "unassigned");
    assert_eq!(store.metric("http.rate").unwrap().period, Some(10));
    assert_eq!((store.stats().accepted, store.stats().refused), (2, 2));
}

#[tokio::test]
async fn of_two_series_that_become_one_the_first_is_kept() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let rate = |service, time, value| measurement("http.rate", &[("source", service)], time, value);
    let batch = [
        rate("Web", NOW, 1.0),
        rate("web", NOW, 2.0),
        rate("web", NOW + 10, 3.0),
        rate("Fé", NOW, 4.0),
        rate("Fè", NOW, 5.0),
        rate("Web", NOW, 6.0),
    ];
    let written = store.write_measurements(&batch, now()).await.unwrap();
    assert_eq!((written.accepted, written.refused), (4, 2));
    assert_eq!(
        written.first_refusal.unwrap().to_string(),
        r#"`http.rate{source="web"}` is left out: it and `http.rate{source="Web"}` are one series to the API, which compares without case and replaces other characters by _"#
    );
    assert_eq!(
        dump(&store),
        [
            "http.rate f_ 0 4",
            "http.rate web 0 6",
            "http.rate web 10 3"
        ]
    );
    assert_eq!((store.stats().accepted, store.stats().refused), (4, 2));
}

#[tokio::test]
async fn what_is_older_than_the_retention_goes_and_its_name_is_free_again() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store
        .write(
            vec![counter("old", NOW), point("kept", "a", NOW, 1.0)],
            now(),
        )
        .await
        .unwrap();
    let later = NOW + 23 * 3600;
    store
        .write(
            vec![point("kept", "a", later, 2.0)],
            Timestamp::from_secs(later),
        )
        .await
        .unwrap();
    assert_eq!(dump(&store).len(), 3);

    store
        .tick(Timestamp::from_secs(NOW + 24 * 3600 + 61))
        .await
        .unwrap();
    assert_eq!(dump(&store), [format!("kept a {} 2", 23 * 3600)]);
    assert!(store.metric("old").is_none());
    store
        .write(
            vec![point("old", "a", later, 1.0)],
            Timestamp::from_secs(later),
        )
        .await
        .unwrap();
    drop(store);
    let store = open(&dir);
    assert_eq!(store.metric("old").unwrap().kind, Kind::Gauge);
    assert_eq!(
        store
            .series()
            .iter()
            .map(|listed| listed.id)
            .collect::<Vec<_>>(),
        [1, 2]
    );
}

#[tokio::test]
async fn beyond_points_max_the_oldest_points_make_room() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(
        dir.path(),
        Options {
            points_max: 5,
            ..Options::default()
        },
    )
    .unwrap();
    for time in 0..9 {
        store
            .write(vec![point("a", "x", NOW + time, time as f64)], now())
            .await
            .unwrap();
    }
    assert_eq!(
        dump(&store),
        ["a x 4 4", "a x 5 5", "a x 6 6", "a x 7 7", "a x 8 8"]
    );
    assert_eq!(store.stats().points, 5);
}

#[tokio::test]
async fn every_change_is_announced_and_a_refused_one_is_not() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let changes = store.changes();
    store
        .write(vec![point("a", "x", NOW, 1.0)], now())
        .await
        .unwrap();
    assert_eq!(*changes.borrow(), 1);
    store
        .write(vec![point("a", "x", 0, 1.0)], now())
        .await
        .unwrap_err();
    store.tick(now()).await.unwrap();
    assert_eq!(*changes.borrow(), 1);
    store
        .write(vec![point("b", "x", NOW, 1.0)], now())
        .await
        .unwrap();
    assert_eq!(*changes.borrow(), 2);
    let touched: Vec<u64> = store.series().iter().map(|listed| listed.touched).collect();
    assert_eq!(touched, [1, 2]);
}

#[tokio::test]
async fn a_range_and_a_choice_of_series_read_the_same_by_seeking_and_by_scanning() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let sources: Vec<String> = (0..40).map(|n| format!("s{n}")).collect();
    let points = (0..200)
        .flat_map(|t| {
            sources
                .iter()
                .map(move |s| point("a", s, NOW - t * 3, t as f64))
        })
        .collect();
    store.write(points, now()).await.unwrap();
    let read = |ids: &[SeriesId]| {
        let mut points = Vec::new();
        let keep = |point: Point| {
            points.push((point.series, point.time));
            ControlFlow::Continue(())
        };
        store.read(ids, NOW - 100..=NOW - 10, keep).unwrap();
        points
    };
    let all: Vec<SeriesId> = (0..40).collect();
    let few = [3, 17];
    let scanned: Vec<_> = read(&all)
        .into_iter()
        .filter(|(id, _)| few.contains(id))
        .collect();
    assert_eq!(read(&few), scanned);
    assert_eq!(scanned.len(), 60);
}

#[test]
fn a_file_that_cannot_be_opened_is_named_with_the_remedy() {
    let message = |dir: &TempDir| match Store::open(dir.path(), Options::default()) {
        Ok(_) => panic!("opened"),
        Err(why) => {
            let text = why.to_string();
            assert!(
                text.contains("store.redb") && text.contains("hint:"),
                "{text}"
            );
            text
        }
    };
    let dir = TempDir::new().unwrap();
    let first = open(&dir);
    assert!(message(&dir).contains("in use by another process"));
    drop(first);

    let path = dir.path().join("store.redb");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 3]).unwrap();
    message(&dir);
    std::fs::write(&path, vec![b'x'; 10_000]).unwrap();
    message(&dir);

    std::fs::write(&path, &whole).unwrap();
    let change = |version: u64| {
        let db = redb::Database::open(&path).unwrap();
        let write = db.begin_write().unwrap();
        write
            .open_table(format::META)
            .unwrap()
            .insert(format::FORMAT, version)
            .unwrap();
        write.commit().unwrap();
    };
    change(format::VERSION + 1);
    assert!(message(&dir).contains("store format 2, but this weir reads format 1"));
    change(format::VERSION);
    drop(open(&dir));

    std::fs::remove_file(&path).unwrap();
    let db = redb::Database::create(&path).unwrap();
    let write = db.begin_write().unwrap();
    write
        .open_table(redb::TableDefinition::<u64, u64>::new("someone else's"))
        .unwrap();
    write.commit().unwrap();
    drop(db);
    assert!(message(&dir).contains("not a store of weir's"));

    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(
        Store::open(&file, Options::default()),
        Err(OpenError::Io { .. })
    ));
}

#[tokio::test]
async fn a_full_disk_is_an_error_until_there_is_room_again() {
    let disk = Disk::default();
    let (path, backend) = (PathBuf::from("store.redb"), disk.clone());
    let reopen = move || {
        let db = redb::Database::builder().create_with_backend(backend.clone());
        let path = PathBuf::from("store.redb");
        let db = db.map_err(|why| OpenError::Io {
            path: path.clone(),
            why: why.to_string(),
        })?;
        format::prepare(&db, &path).map(|()| db)
    };
    let store = Store::open_with(path, Options::default(), reopen).unwrap();
    store
        .write(vec![point("a", "x", NOW, 1.0)], now())
        .await
        .unwrap();

    let annotation = |title: &str| crate::metric::Annotation {
        stream: "haproxy".into(),
        title: title.into(),
        source: None,
        description: None,
        start: now(),
        end: None,
    };
    store
        .write_annotations(&[annotation("kept")], now())
        .await
        .unwrap();

    disk.fill(0);
    for _ in 0..3 {
        let refused = store.write(vec![point("b", "x", NOW, 1.0)], now()).await;
        assert!(
            matches!(refused, Err(WriteError::Unavailable(_))),
            "{refused:?}"
        );
        let refused = store.write_annotations(&[annotation("lost")], now()).await;
        assert!(
            matches!(refused, Err(ChangeError::Unavailable(_))),
            "{refused:?}"
        );
        assert_eq!(store.annotations(0, i64::MAX, 9), [annotation("kept")]);
        assert!(store.trouble().borrow().is_some());
    }
    disk.make_room();
    store
        .write(vec![point("c", "x", NOW, 3.0)], now())
        .await
        .unwrap();
    assert_eq!(*store.trouble().borrow(), None);
    assert_eq!(dump(&store), ["a x 0 1", "c x 0 3"]);
    assert_eq!(store.annotations(0, i64::MAX, 9), [annotation("kept")]);
}

#[tokio::test]
async fn nothing_is_stored_in_a_file_that_nobody_finds_again() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("state");
    let store = Store::open(&folder, Options::default()).unwrap();
    let write = |name: &'static str| store.write(vec![point(name, "x", NOW, 1.0)], now());
    write("a").await.unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let refused = write("b").await.expect_err("gone");
    assert!(refused.to_string().contains("was removed"), "{refused}");
    assert!(store.trouble().borrow().is_some());
    write("b").await.unwrap();
    assert_eq!(*store.trouble().borrow(), None);
    assert_eq!(dump(&store), ["b x 0 1"]);
    drop(store);
    assert_eq!(
        dump(&Store::open(&folder, Options::default()).unwrap()),
        ["b x 0 1"]
    );
}

#[tokio::test]
async fn without_a_file_the_store_is_in_memory_and_says_so() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let store = Store::open_anyway(&file, Options::default()).unwrap();
    let trouble = store.trouble();
    let why = trouble.borrow().clone().expect("trouble");
    assert!(
        why.contains("/file: ") && why.ends_with(": points are in memory until weir ends"),
        "{why}"
    );
    store
        .write(vec![point("a", "x", NOW, 1.0)], now())
        .await
        .unwrap();
    assert_eq!(dump(&store), ["a x 0 1"]);
    assert_eq!(*trouble.borrow(), Some(why));
    assert_eq!(store.stats().path, Path::new("in memory"));

    // A file that is there and in use is no reason to forget points.
    let first = open(&dir);
    assert!(matches!(
        Store::open_anyway(dir.path(), Options::default()),
        Err(OpenError::Locked { .. })
    ));
    assert_eq!(*first.trouble().borrow(), None);
}

/// Runs this very test again as the process to kill.
#[test]
fn a_killed_process_loses_nothing_acknowledged() {
    if let Some(dir) = std::env::var_os("WEIR_STORE_TEST_DIR") {
        return write_until_killed(Path::new(&dir));
    }
    let dir = TempDir::new().unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::tests::a_killed_process_loses_nothing_acknowledged",
            "--nocapture",
        ])
        .env("WEIR_STORE_TEST_DIR", dir.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stored = 0;
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(n) = line.strip_prefix("stored ") {
            stored = n.parse().unwrap();
        }
        if stored == 120 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(stored >= 120, "the writer stopped after {stored}");
    let values: Vec<f64> = dump(&open(&dir))
        .iter()
        .map(|row| row.rsplit(' ').next().unwrap().parse().unwrap())
        .collect();
    for n in 0..=stored {
        assert!(
            values.contains(&f64::from(n)),
            "{n} of {stored} was acknowledged and is gone"
        );
    }
}

fn write_until_killed(dir: &Path) {
    let store = Store::open(dir, Options::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for n in 0.. {
        let next = vec![point("a", &format!("s{}", n % 50), NOW + n / 50, n as f64)];
        runtime.block_on(store.write(next, now())).unwrap();
        writeln!(std::io::stderr(), "stored {n}").unwrap();
    }
}

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<(u8, u8, i64, f64)>),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let point = (0..3u8, 0..3u8, -200..200i64, -1e6..1e6f64);
    let step = prop_oneof![
        4 => proptest::collection::vec(point, 1..20).prop_map(Step::Write),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_written_is_read_back_also_after_reopening(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let dir = TempDir::new().unwrap();
        let mut store = open(&dir);
        let mut model: BTreeMap<(i64, String, String), f64> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Write(points) => {
                    let mut request = Vec::new();
                    for (name, source, time, value) in points {
                        let (name, source) = (format!("n{name}"), format!("s{source}"));
                        request.push(super::tests::point(&name, &source, NOW + time, value));
                        model.insert((NOW + time, name, source), value);
                    }
                    runtime.block_on(store.write(request, now())).unwrap();
                }
                Step::Reopen => {
                    drop(store);
                    store = open(&dir);
                }
            }
            let want: Vec<String> = model.iter().map(|((time, name, source), value)| format!("{name} {source} {} {value}", time - NOW)).collect();
            prop_assert_eq!(dump(&store), want);
            prop_assert_eq!(store.stats().points, model.len() as u64);
        }
    }
}
