//! Annotations as the store's users see them.

use super::*;
use crate::store::{NewPoint, SeriesInfo, Summary, TagMap};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;
use tempfile::TempDir;

const NOW: i64 = 1_767_268_800;
const DAY: i64 = 24 * 3600;

fn at(second: i64) -> Timestamp {
    Timestamp::from_secs(NOW + second)
}

fn open(dir: &TempDir) -> Store {
    open_with(dir, Options::default())
}

fn open_with(dir: &TempDir, options: Options) -> Store {
    Store::open(dir.path(), options).expect("opens")
}

fn annotation(stream: &str, title: &str, start: i64) -> Annotation {
    Annotation {
        stream: stream.into(),
        title: title.into(),
        source: None,
        description: None,
        start: at(start),
        end: None,
    }
}

fn link(rel: &str) -> Link {
    Link {
        rel: rel.into(),
        href: "https://ci.example.com/7".into(),
        label: None,
    }
}

fn post(annotation: Annotation) -> Change {
    let links = Vec::new();
    Change::Post { annotation, links }
}

async fn posted(store: &Store, annotation: Annotation) -> u64 {
    let kept = store.annotate(post(annotation), at(0)).await;
    kept.expect("taken").expect("kept").id
}

/// All streams, each with its annotations as `id title start`.
fn dump(store: &Store) -> Vec<String> {
    let book = store.annotation_book();
    let of = |stream: &Stream| {
        let kept = book.of_stream(&stream.name, i64::MIN..=i64::MAX);
        let titles: Vec<String> = kept
            .map(|kept| {
                let Annotation { title, start, .. } = &kept.annotation;
                format!("{} {title} {}", kept.id, start.as_secs() - NOW)
            })
            .collect();
        format!("{}: {}", stream.name, titles.join(", "))
    };
    book.streams().map(of).collect()
}

fn titles(store: &Store, from: i64, to: i64, limit: usize) -> Vec<String> {
    let found = store.annotations(NOW + from, NOW + to, limit);
    found.iter().map(|found| found.title.to_string()).collect()
}

#[tokio::test]
async fn the_newest_of_all_streams_come_first() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    for (stream, title, start) in [("b", "two", 2), ("a", "three", 3), ("b", "one", 1)] {
        posted(&store, annotation(stream, title, start)).await;
    }
    assert_eq!(titles(&store, 0, 9, 10), ["three", "two", "one"]);
    assert_eq!(titles(&store, 0, 9, 1), ["three"]);
    assert_eq!(titles(&store, 1, 2, 10), ["two", "one"]);
    assert!(titles(&store, 2, 1, 10).is_empty());
    assert_eq!(dump(&store), ["a: 2 three 3", "b: 3 one 1, 1 two 2"]);
}

#[tokio::test]
async fn the_same_one_posted_twice_is_one_and_the_second_adds_what_it_says() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let first = Annotation {
        description: Some("v1".into()),
        ..annotation("Deploys", "web", 0)
    };
    let id = posted(&store, first.clone()).await;
    let again = Annotation {
        stream: "deploys".into(),
        source: Some("UNASSIGNED".into()),
        description: None,
        end: Some(at(60)),
        ..first.clone()
    };
    assert_eq!(posted(&store, again).await, id);
    let kept = store.annotation_book().get("DEPLOYS", id).cloned().unwrap();
    let end = Some(at(60));
    assert_eq!(
        kept.annotation,
        Annotation {
            end,
            ..first.clone()
        }
    );

    let others = [
        annotation("deploys", "web", 1),
        annotation("deploys", "WEB", 0),
        annotation("deploys2", "web", 0),
        Annotation {
            source: Some("lb-1".into()),
            ..first
        },
    ];
    for (i, other) in others.into_iter().enumerate() {
        assert_eq!(posted(&store, other).await, id + 1 + i as u64);
    }
    let stats = store.stats().annotations;
    assert_eq!((stats.annotations, stats.accepted), (5, 6));
}

#[tokio::test]
async fn an_edited_one_is_still_known_by_what_it_was_posted_with_also_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let mut store = open(&dir);
    let id = posted(&store, annotation("a", "first", 0)).await;
    let title = |title: &str| Change::Edit {
        stream: "a".into(),
        id,
        edit: Edit {
            title: Some(title.into()),
            ..Edit::default()
        },
    };
    for (edited, shown) in [("second", "second"), ("third", "third"), ("first", "first")] {
        store.annotate(title(edited), at(0)).await.unwrap();
        for _ in 0..2 {
            assert_eq!(posted(&store, annotation("a", "first", 0)).await, id);
            assert_eq!(dump(&store), [format!("a: {id} {shown} 0")]);
            drop(store);
            store = open(&dir);
        }
    }
}

#[tokio::test]
async fn everything_is_there_after_a_restart_and_no_id_is_used_twice() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let full = Annotation {
        source: Some("Lb-1".into()),
        description: Some("a\n\"b\"".into()),
        end: Some(at(5)),
        ..annotation("Web", "down", 0)
    };
    let links = vec![
        link("ci"),
        Link {
            label: Some("Build".into()),
            ..link("github")
        },
    ];
    let change = Change::Post {
        annotation: full.clone(),
        links: links.clone(),
    };
    store.annotate(change, at(0)).await.unwrap();
    let gone = posted(&store, annotation("web", "up", 1)).await;
    let stream = "web".into();
    let remove = Change::Remove { stream, id: gone };
    store.annotate(remove, at(0)).await.unwrap();
    let (stream, name) = ("web".into(), Some("Web servers".into()));
    let name = Change::Display { stream, name };
    store.annotate(name, at(0)).await.unwrap();
    let before = store.annotation_book();
    drop(store);

    let store = open(&dir);
    let book = store.annotation_book();
    assert_eq!(book.get("web", 1), before.get("web", 1));
    assert_eq!(book.get("web", 1).unwrap().annotation, full);
    assert_eq!(book.get("web", 1).unwrap().links, links);
    assert!(book.streams().eq(before.streams()));
    assert_eq!(
        book.stream("WEB").unwrap().display_name.as_deref(),
        Some("Web servers")
    );
    assert_eq!(posted(&store, annotation("web", "up", 1)).await, gone + 1);
}

#[tokio::test]
async fn a_store_from_before_there_were_annotations_opens_and_takes_them() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let point = NewPoint {
        series: SeriesInfo {
            name: "a".into(),
            tags: TagMap::from([("source".into(), "x".into())]),
        },
        kind: crate::store::Kind::Gauge,
        time: NOW,
        summary: Summary::value(1.0),
        period: None,
        description: None,
    };
    store.write(vec![point], at(0)).await.unwrap();
    drop(store);
    let tables = || {
        use redb::ReadableDatabase;
        let db = redb::Database::open(dir.path().join("store.redb")).unwrap();
        let read = db.begin_read().unwrap();
        let tables = read.list_tables().unwrap();
        tables
            .map(|table| redb::TableHandle::name(&table).to_owned())
            .collect::<Vec<_>>()
    };
    assert!(!tables().iter().any(|table| table.starts_with("annotation")));
    let store = open(&dir);
    assert!(dump(&store).is_empty());
    posted(&store, annotation("a", "b", 0)).await;
    drop(store);
    assert!(tables().iter().any(|table| table == "annotations"));
    let store = open(&dir);
    assert_eq!(dump(&store), ["a: 1 b 0"]);
    assert_eq!(store.stats().points, 1);
}

#[tokio::test]
async fn a_damaged_row_is_a_damaged_store() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    posted(&store, annotation("a", "b", 0)).await;
    drop(store);
    let table = redb::TableDefinition::<&str, &[u8]>::new("annotation_streams");
    let db = redb::Database::open(dir.path().join("store.redb")).unwrap();
    let write = db.begin_write().unwrap();
    write.open_table(table).unwrap().remove("a").unwrap();
    write.commit().unwrap();
    drop(db);
    let Err(why) = Store::open(dir.path(), Options::default()) else {
        panic!("opened");
    };
    assert!(
        why.to_string().contains("annotation 1 has no stream 'a'"),
        "{why}"
    );
}

#[tokio::test]
async fn what_is_older_than_the_retention_goes_with_its_stream_but_a_named_one_stays() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    posted(&store, annotation("old", "a", -120)).await;
    posted(&store, annotation("named", "b", -120)).await;
    posted(&store, annotation("new", "c", 0)).await;
    let name = |name: Option<&str>| Change::Display {
        stream: "named".into(),
        name: name.map(Into::into),
    };
    let named = store.annotate(name(Some("Named")), at(0)).await;
    assert_eq!(named, Ok(None));

    store.tick(at(DAY - 121)).await.unwrap();
    assert_eq!(dump(&store).len(), 3);
    store.tick(at(DAY)).await.unwrap();
    assert_eq!(dump(&store), ["named: ", "new: 3 c 0"]);
    drop(store);
    let store = open(&dir);
    assert_eq!(dump(&store), ["named: ", "new: 3 c 0"]);
    store.annotate(name(None), at(DAY)).await.unwrap();
    assert_eq!(dump(&store), ["new: 3 c 0"]);
    assert_eq!(store.stats().annotations.displaced, 0);
}

#[tokio::test]
async fn beyond_the_bound_the_oldest_make_room_and_new_streams_are_refused() {
    let dir = TempDir::new().unwrap();
    let options = Options {
        annotations_max: 3,
        streams_max: 2,
        ..Options::default()
    };
    let store = open_with(&dir, options.clone());
    for start in 0..5 {
        posted(&store, annotation("a", "x", start)).await;
    }
    assert_eq!(dump(&store), ["a: 3 x 2, 4 x 3, 5 x 4"]);
    let older = store.annotate(post(annotation("a", "y", 1)), at(0)).await;
    assert_eq!(older, Err(ChangeError::Full { max: 3 }));
    // The one that goes is of the new one's own stream or of another.
    posted(&store, annotation("b", "x", 9)).await;
    let third = store.annotate(post(annotation("c", "x", 9)), at(0)).await;
    assert_eq!(third, Err(ChangeError::StreamsFull { max: 2 }));
    assert_eq!(dump(&store), ["a: 4 x 3, 5 x 4", "b: 6 x 9"]);
    assert_eq!(
        store.stats().annotations,
        AnnotationStats {
            streams: 2,
            annotations: 3,
            accepted: 6,
            refused: 2,
            displaced: 3
        }
    );
    drop(store);
    let store = open_with(&dir, options);
    assert_eq!(dump(&store), ["a: 4 x 3, 5 x 4", "b: 6 x 9"]);
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_and_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let id = posted(&store, annotation("a", "b", 0)).await;
    let stream = || Box::from("a");
    let add = |rel: &str| Change::AddLink {
        stream: stream(),
        id,
        link: link(rel),
    };
    store.annotate(add("ci"), at(0)).await.unwrap();
    let before = dump(&store);
    let changes = *store.changes().borrow();
    let edit = |edit| Change::Edit {
        stream: stream(),
        id,
        edit,
    };
    let twice = vec![link("x"), link("x")];
    let (none, name) = (Box::<str>::from("none"), Some("None".into()));
    for (change, why) in [
        (
            post(annotation("a", "old", -DAY - 1)),
            ChangeError::TooOld(at(-DAY - 1)),
        ),
        (
            post(annotation("new", "new", 3601)),
            ChangeError::TooNew(at(3601)),
        ),
        (
            post(Annotation {
                end: Some(at(-1)),
                ..annotation("new", "b", 0)
            }),
            ChangeError::EndsBeforeStart,
        ),
        (
            post(Annotation {
                description: Some("x".repeat(BYTES_MAX).into()),
                ..annotation("new", "b", 0)
            }),
            ChangeError::TooLarge,
        ),
        (
            edit(Edit {
                end: Some(Some(at(-1))),
                ..Edit::default()
            }),
            ChangeError::EndsBeforeStart,
        ),
        (
            edit(Edit {
                links: Some(twice),
                ..Edit::default()
            }),
            ChangeError::SameLink { rel: "x".into() },
        ),
        (add("ci"), ChangeError::SameLink { rel: "ci".into() }),
        (
            Change::RemoveLink {
                stream: stream(),
                id,
                rel: "cd".into(),
            },
            ChangeError::NoLink {
                id,
                rel: "cd".into(),
            },
        ),
        (
            Change::Remove {
                stream: stream(),
                id: 7,
            },
            ChangeError::NoAnnotation {
                stream: stream(),
                id: 7,
            },
        ),
        (
            Change::Remove {
                stream: none.clone(),
                id,
            },
            ChangeError::NoStream {
                stream: none.clone(),
            },
        ),
        (
            Change::Display {
                stream: none.clone(),
                name,
            },
            ChangeError::NoStream {
                stream: none.clone(),
            },
        ),
        (
            Change::RemoveStream {
                stream: none.clone(),
            },
            ChangeError::NoStream { stream: none },
        ),
    ] {
        assert_eq!(store.annotate(change, at(0)).await, Err(why));
        assert_eq!(dump(&store), before);
        assert_eq!(*store.changes().borrow(), changes);
    }
    assert_eq!(store.stats().annotations.refused, 4);
}

#[tokio::test]
async fn a_stream_goes_with_all_it_has() {
    let dir = TempDir::new().unwrap();
    let mut store = open(&dir);
    posted(&store, annotation("Gone", "a", 0)).await;
    posted(&store, annotation("gone", "b", 0)).await;
    posted(&store, annotation("here", "c", 0)).await;
    let stream = "GONE".into();
    let gone = store.annotate(Change::RemoveStream { stream }, at(0)).await;
    assert_eq!(gone, Ok(None));
    for _ in 0..2 {
        assert_eq!(dump(&store), ["here: 3 c 0"]);
        drop(store);
        store = open(&dir);
    }
    assert_eq!(posted(&store, annotation("gone", "a", 0)).await, 4);
}

#[tokio::test]
async fn own_annotations_are_made_valid_and_taken_one_by_one() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let batch = [
        annotation("ha proxy", "a", 0),
        annotation("haproxy", "old", -DAY - 1),
        annotation("haproxy", "b", 0),
        Annotation {
            start: at(0) + Duration::from_millis(900),
            ..annotation("haproxy", "b", 0)
        },
    ];
    for _ in 0..2 {
        let posted = store.write_annotations(&batch, at(0)).await.unwrap();
        assert_eq!((posted.accepted, posted.refused), (3, 1));
        assert_eq!(
            posted.first_refusal,
            Some(ChangeError::TooOld(at(-DAY - 1)))
        );
        assert_eq!(dump(&store), ["ha_proxy: 1 a 0", "haproxy: 2 b 0"]);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Post(u8, u8, i64),
    Remove(u64),
    RemoveStream(u8),
    Tick(i64),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..4u8, 0..3u8, 0..600i64).prop_map(|(s, t, at)| Step::Post(s, t, at)),
        2 => (1..12u64).prop_map(Step::Remove),
        1 => (0..4u8).prop_map(Step::RemoveStream),
        1 => (0..600i64).prop_map(Step::Tick),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The book that was changed step by step is the one that is read from the file.
    #[test]
    fn memory_and_file_agree_whatever_happens(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let dir = TempDir::new().unwrap();
        let options = Options {
            annotations_max: 6,
            streams_max: 3,
            retention: Duration::from_secs(600),
            ..Options::default()
        };
        let mut store = open_with(&dir, options.clone());
        for step in steps {
            let change = match step {
                Step::Post(stream, title, start) => {
                    post(annotation(&format!("s{stream}"), &format!("t{title}"), start))
                }
                Step::Remove(id) => {
                    let book = store.annotation_book();
                    let kept = book.newest(i64::MIN..=i64::MAX).find(|kept| kept.id == id);
                    let stream = kept.map_or("none".into(), |kept| kept.annotation.stream.clone());
                    Change::Remove { stream, id }
                }
                Step::RemoveStream(stream) => {
                    let stream = format!("s{stream}").into();
                    Change::RemoveStream { stream }
                }
                Step::Tick(now) => {
                    runtime.block_on(store.tick(at(600 + now))).unwrap();
                    continue;
                }
                Step::Reopen => {
                    let before = dump(&store);
                    drop(store);
                    store = open_with(&dir, options.clone());
                    prop_assert_eq!(dump(&store), before);
                    continue;
                }
            };
            let _ = runtime.block_on(store.annotate(change, at(600)));
            let book = store.annotation_book();
            prop_assert!(book.len() <= 6);
            let mut per_stream: BTreeMap<String, usize> = BTreeMap::new();
            for kept in book.newest(i64::MIN..=i64::MAX) {
                *per_stream.entry(kept.annotation.stream.to_string()).or_default() += 1;
            }
            let counted = book.streams().map(|s| (s.name.to_string(), s.annotations));
            prop_assert!(per_stream.into_iter().eq(counted));
        }
        let before = dump(&store);
        drop(store);
        prop_assert_eq!(dump(&open_with(&dir, options)), before);
    }
}
