//! Spaces as the store's users see them.

use super::*;
use crate::store::{NewPoint, SeriesInfo, Summary, TagMap};
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

fn now() -> Timestamp {
    Timestamp::from_secs(1_767_268_800)
}

fn open(dir: &TempDir) -> Store {
    open_with(dir, Options::default())
}

fn open_with(dir: &TempDir, options: Options) -> Store {
    Store::open(dir.path(), options).expect("opens")
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

fn make(name: &str) -> SpaceChange {
    SpaceChange::Make {
        name: name.into(),
        tags: None,
    }
}

fn metric(id: Option<u64>, name: &str) -> NewStream {
    NewStream {
        id,
        attributes: object(json!({"metric": name})),
    }
}

fn add(space: u64, name: &str, metrics: &[&str]) -> SpaceChange {
    SpaceChange::AddChart {
        space,
        name: name.into(),
        attributes: object(json!({"type": "line"})),
        streams: metrics.iter().map(|name| metric(None, name)).collect(),
    }
}

/// Each space by name, with its charts and their streams: `id name [id metric, …]`.
fn dump(store: &Store) -> Vec<String> {
    let shelf = store.shelf();
    let streams = |chart: &Chart| {
        let streams = chart.streams.iter();
        let streams = streams.map(|stream| {
            let metric = stream.attributes["metric"].as_str().unwrap_or_default();
            format!("{} {metric}", stream.id)
        });
        streams.collect::<Vec<_>>().join(", ")
    };
    let of = |space: &Arc<Space>| {
        let charts = shelf.charts_of(space.id);
        let charts =
            charts.map(|chart| format!(" {} {} [{}]", chart.id, chart.name, streams(chart)));
        format!("{} {}:{}", space.id, space.name, charts.collect::<String>())
    };
    shelf.spaces().map(of).collect()
}

#[tokio::test]
async fn what_is_made_is_there_by_name_and_stays() {
    let dir = TempDir::new().unwrap();
    let mut store = open(&dir);
    for change in [
        make("services"),
        make("Hosts"),
        add(1, "rate", &["http.rate", "tcp.rate"]),
        add(2, "load", &["load"]),
        add(1, "errors", &["http.errors"]),
        SpaceChange::Edit {
            id: 2,
            name: Some("all hosts".into()),
            tags: Some(true),
        },
    ] {
        store.arrange(change, now()).await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(
            dump(&store),
            [
                "2 all hosts: 2 load [3 load]",
                "1 services: 1 rate [1 http.rate, 2 tcp.rate] 3 errors [4 http.errors]",
            ]
        );
        let shelf = store.shelf();
        assert_eq!(
            shelf.space_named("ALL HOSTS").map(|space| space.tags),
            Some(Some(true))
        );
        assert_eq!(shelf.space_named("Hosts"), None);
        drop(store);
        store = open(&dir);
    }
}

#[tokio::test]
async fn what_an_edit_does_not_say_stays_and_streams_keep_their_ids() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store.arrange(make("s"), now()).await.unwrap();
    store
        .arrange(add(1, "c", &["a", "b"]), now())
        .await
        .unwrap();
    let edit = |edit| SpaceChange::EditChart {
        space: 1,
        id: 1,
        edit,
    };
    let attributes = object(json!({"label": "ms", "min": 0, "type": null}));
    let edited = store
        .arrange(
            edit(ChartEdit {
                attributes,
                ..ChartEdit::default()
            }),
            now(),
        )
        .await;
    let Ok(Arranged::Chart(chart)) = edited else {
        panic!("{edited:?}")
    };
    assert_eq!(chart.attributes, object(json!({"label": "ms", "min": 0})));
    assert_eq!(dump(&store), ["1 s: 1 c [1 a, 2 b]"]);
    // The second twice, and one of another chart: these are new.
    let streams = vec![
        metric(Some(2), "b2"),
        metric(Some(2), "b3"),
        metric(Some(9), "c"),
        metric(None, "d"),
    ];
    let name = Some("C".into());
    store
        .arrange(
            edit(ChartEdit {
                name,
                streams: Some(streams),
                ..ChartEdit::default()
            }),
            now(),
        )
        .await
        .unwrap();
    assert_eq!(dump(&store), ["1 s: 1 C [2 b2, 3 b3, 4 c, 5 d]"]);
}

#[tokio::test]
async fn ids_are_never_used_twice() {
    let dir = TempDir::new().unwrap();
    let mut store = open(&dir);
    for (change, want) in [
        (make("a"), ["1 a:"].as_slice()),
        (add(1, "x", &["m"]), &["1 a: 1 x [1 m]"]),
        (SpaceChange::Remove { id: 1 }, &[]),
        (make("a"), &["2 a:"]),
        (add(2, "x", &["m"]), &["2 a: 2 x [2 m]"]),
        (SpaceChange::RemoveChart { space: 2, id: 2 }, &["2 a:"]),
        (add(2, "x", &["m"]), &["2 a: 3 x [3 m]"]),
    ] {
        store.arrange(change, now()).await.unwrap();
        assert_eq!(dump(&store), want);
        drop(store);
        store = open(&dir);
        assert_eq!(dump(&store), want);
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_and_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let options = Options {
        spaces_max: 2,
        charts_max: 2,
        ..Options::default()
    };
    let store = open_with(&dir, options);
    for change in [make("a"), make("B"), add(1, "x", &["m"])] {
        store.arrange(change, now()).await.unwrap();
    }
    let before = dump(&store);
    let many = vec!["m"; STREAMS_MAX + 1];
    let large = "m".repeat(BYTES_MAX);
    let taken = |name: &str| SpaceError::NameTaken {
        name: name.into(),
        id: 2,
    };
    let rename = |name: &str| SpaceChange::Edit {
        id: 1,
        name: Some(name.into()),
        tags: None,
    };
    let edit = |id, streams| SpaceChange::EditChart {
        space: 1,
        id,
        edit: ChartEdit {
            streams: Some(streams),
            ..ChartEdit::default()
        },
    };
    for (change, why) in [
        (make("b"), taken("b")),
        (rename("b"), taken("b")),
        (make("c"), SpaceError::SpacesFull { max: 2 }),
        (SpaceChange::Remove { id: 3 }, SpaceError::NoSpace { id: 3 }),
        (add(3, "x", &[]), SpaceError::NoSpace { id: 3 }),
        (add(1, "x", &many), SpaceError::TooManyStreams),
        (add(1, "x", &[&large]), SpaceError::TooLarge),
        (edit(1, vec![metric(None, &large)]), SpaceError::TooLarge),
        (edit(7, Vec::new()), SpaceError::NoChart { space: 1, id: 7 }),
        (
            SpaceChange::RemoveChart { space: 2, id: 1 },
            SpaceError::NoChart { space: 2, id: 1 },
        ),
    ] {
        assert_eq!(store.arrange(change, now()).await, Err(why));
        assert_eq!(dump(&store), before);
    }
    // Under its own name in another case it stays.
    store.arrange(rename("A"), now()).await.unwrap();
    store.arrange(add(2, "y", &[]), now()).await.unwrap();
    let full = store.arrange(add(2, "z", &[]), now()).await;
    assert_eq!(full, Err(SpaceError::ChartsFull { max: 2 }));
    assert_eq!(dump(&store), ["1 A: 1 x [1 m]", "2 B: 2 y []"]);
}

#[tokio::test]
async fn a_space_has_a_bound_of_its_own() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store.arrange(make("a"), now()).await.unwrap();
    let mut draft = Draft::of(&store.shelf());
    for n in 0..CHARTS_OF_SPACE_MAX {
        let added = draft.change(&add(1, &n.to_string(), &[]), &Options::default());
        assert!(added.is_ok(), "{added:?}");
    }
    let full = draft.change(&add(1, "more", &[]), &Options::default());
    assert_eq!(full, Err(SpaceError::SpaceFull { space: 1 }));
}

/// A store that was made before there were spaces has none, and takes them.
#[tokio::test]
async fn an_older_file_has_no_spaces_and_takes_some() {
    let dir = TempDir::new().unwrap();
    let point = NewPoint {
        series: SeriesInfo {
            name: "load".into(),
            tags: TagMap::from([("source".into(), "lb-1".into())]),
        },
        kind: crate::store::Kind::Gauge,
        time: now().as_secs(),
        summary: Summary::value(1.0),
        period: None,
        description: None,
    };
    let store = open(&dir);
    store.write(vec![point], now()).await.unwrap();
    drop(store);
    // Writing points alone makes none of the tables: the file is as an older weir leaves it.
    let tables = |wanted: bool| {
        use redb::ReadableDatabase;
        let db = redb::Database::open(dir.path().join("store.redb")).unwrap();
        let read = db.begin_read().unwrap();
        let names = read.list_tables().unwrap();
        let names: Vec<String> = names.map(|table| table.name().to_owned()).collect();
        for name in ["spaces", "charts"] {
            assert_eq!(names.iter().any(|n| n == name), wanted, "{names:?}");
        }
    };
    use redb::TableHandle;
    tables(false);
    let store = open(&dir);
    assert!(dump(&store).is_empty());
    store.arrange(make("a"), now()).await.unwrap();
    drop(store);
    tables(true);
    let store = open(&dir);
    assert_eq!(dump(&store), ["1 a:"]);
    assert!(store.metric("load").is_some());
}

#[derive(Clone, Debug)]
enum Step {
    Make(u8),
    Rename(u64, u8),
    Remove(u64),
    Add(u64, u8),
    Edit(u64, u64, u8),
    RemoveChart(u64, u64),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..4u8).prop_map(Step::Make),
        1 => (1..6u64, 0..4u8).prop_map(|(id, name)| Step::Rename(id, name)),
        1 => (1..6u64).prop_map(Step::Remove),
        4 => (1..6u64, 0..3u8).prop_map(|(space, streams)| Step::Add(space, streams)),
        2 => (1..6u64, 1..9u64, 0..3u8).prop_map(|(space, id, streams)| Step::Edit(space, id, streams)),
        1 => (1..6u64, 1..9u64).prop_map(|(space, id)| Step::RemoveChart(space, id)),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The shelf that was changed step by step is the one that is read from the file.
    #[test]
    fn memory_and_file_agree_whatever_happens(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let dir = TempDir::new().unwrap();
        let mut store = open(&dir);
        for step in steps {
            let metrics = |n: u8| ["a", "b", "c"][..usize::from(n)].to_vec();
            let change = match step {
                Step::Make(name) => make(&format!("s{name}")),
                Step::Rename(id, name) => {
                    let name = Some(format!("S{name}").into());
                    SpaceChange::Edit { id, name, tags: None }
                }
                Step::Remove(id) => SpaceChange::Remove { id },
                Step::Add(space, streams) => add(space, "c", &metrics(streams)),
                Step::Edit(space, id, streams) => {
                    let streams = metrics(streams).into_iter().map(|name| metric(Some(1), name));
                    let edit = ChartEdit { streams: Some(streams.collect()), ..ChartEdit::default() };
                    SpaceChange::EditChart { space, id, edit }
                }
                Step::RemoveChart(space, id) => SpaceChange::RemoveChart { space, id },
                Step::Reopen => {
                    let before = dump(&store);
                    drop(store);
                    store = open(&dir);
                    prop_assert_eq!(dump(&store), before);
                    continue;
                }
            };
            let _ = runtime.block_on(store.arrange(change, now()));
        }
        let before = dump(&store);
        drop(store);
        prop_assert_eq!(dump(&open(&dir)), before);
    }
}
