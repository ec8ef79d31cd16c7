//! Parts in, spans out, by the store's own interface.

use super::*;
use crate::store::Options;
use std::path::Path;
use tempfile::TempDir;

/// A multiple of ten minutes.
const NOW: i64 = 1_767_268_800;

fn open(dir: &Path) -> Store {
    Store::open(dir, Options::default()).unwrap()
}

/// So many requests of `web` in each of these slots.
fn parts(slots: &[(i64, u64)]) -> Arc<Parts> {
    let mut parts = Parts::default();
    for &(slot, requests) in slots {
        let (part, room) = parts.part(slot, "web").unwrap();
        part.curves.add(Some(200), None, false, requests);
        let row = part.details.routes.row("GET /", room);
        row.add(Some(5), false, requests);
    }
    Arc::new(parts)
}

async fn write(store: &Store, slots: &[(i64, u64)], watched: &[i64], now: i64) -> BrokenDown {
    let now = Timestamp::from_secs(now);
    let watched = watched.iter().map(|&slot| (slot, 10)).collect();
    let written = store.write_breakdown(parts(slots), watched, now);
    written.await.unwrap()
}

/// Start, relative to now, and requests of each span; `None`: watched, and none.
fn curves(store: &Store, fine: bool) -> Vec<(i64, Option<u64>)> {
    let found = store.curves(fine, "web", 0..=i64::MAX).unwrap();
    let spans = found.spans.into_iter();
    spans
        .map(|(start, curves)| (start - NOW, curves.map(|curves| curves.requests)))
        .collect()
}

fn details(store: &Store, fine: bool) -> Vec<(i64, u64)> {
    let found = store.details(fine, "web", 0..=i64::MAX).unwrap();
    let spans = found.spans.into_iter();
    let requests = |details: Details| details.routes.rows["GET /"].requests;
    spans
        .map(|(start, details)| (start - NOW, details.map_or(0, requests)))
        .collect()
}

#[tokio::test]
async fn parts_add_up_on_every_level_and_survive_a_restart() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    assert_eq!(curves(&store, true), []);
    write(
        &store,
        &[(NOW, 1), (NOW + 10, 2)],
        &[NOW, NOW + 10, NOW + 20],
        NOW + 30,
    )
    .await;
    // Late, and of the next minute.
    write(&store, &[(NOW, 10), (NOW + 60, 100)], &[], NOW + 70).await;
    let check = |store: &Store| {
        let fine = [(0, Some(11)), (10, Some(2)), (20, None), (60, Some(100))];
        assert_eq!(curves(store, true), fine);
        assert_eq!(curves(store, false), [(0, Some(13)), (60, Some(100))]);
        assert_eq!(details(store, true), [(0, 13), (60, 100)]);
        assert_eq!(details(store, false), [(0, 113)]);
        assert!(store.has_breakdown("web").unwrap());
        assert!(!store.has_breakdown("we").unwrap());
    };
    check(&store);
    drop(store);
    check(&open(dir.path()));
}

#[tokio::test]
async fn fine_spans_are_kept_two_hours_and_coarse_ones_as_long_as_points() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    write(&store, &[(NOW, 1)], &[NOW], NOW + 10).await;
    let fine = FINE_KEPT.as_secs() as i64;
    let kept = Options::default().retention.as_secs() as i64;

    write(&store, &[], &[], NOW + fine).await;
    assert_eq!(
        (curves(&store, true).len(), details(&store, true).len()),
        (1, 1)
    );
    write(&store, &[], &[], NOW + fine + 121).await;
    assert_eq!(
        (curves(&store, true).len(), details(&store, true).len()),
        (0, 0)
    );
    assert_eq!(curves(&store, false), [(0, Some(1))]);

    // What comes so late is only of the coarse levels, and then of none.
    let became = write(&store, &[(NOW, 1)], &[], NOW + kept - 60).await;
    assert_eq!((became.late, curves(&store, true).len()), (0, 0));
    assert_eq!(curves(&store, false), [(0, Some(2))]);
    let became = write(&store, &[(NOW, 3)], &[], NOW + kept + 10).await;
    assert_eq!(became.late, 3);
    write(&store, &[], &[], NOW + kept + 1201).await;
    assert_eq!(
        (curves(&store, false).len(), details(&store, false).len()),
        (0, 0)
    );
    assert!(!store.has_breakdown("web").unwrap());
}

#[tokio::test]
async fn beyond_the_bound_the_oldest_coarse_records_make_room() {
    let dir = TempDir::new().unwrap();
    let options = Options {
        breakdown_max: 10,
        ..Options::default()
    };
    let store = Store::open(dir.path(), options).unwrap();
    for minute in 0..5 {
        let slot = NOW + 60 * minute;
        write(&store, &[(slot, 1)], &[], slot + 10).await;
    }
    let all = curves(&store, true).len()
        + curves(&store, false).len()
        + details(&store, true).len()
        + details(&store, false).len();
    assert_eq!(all, 10);
    assert_eq!(curves(&store, true).len(), 5);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_told_and_begun_anew() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    write(&store, &[(NOW, 5)], &[], NOW + 10).await;
    let damage = |db: &redb::Database| {
        let write = db.begin_write()?;
        let key = key(Level::FineCurves, NOW, "web");
        write
            .open_table(TABLE)?
            .insert(key.as_slice(), &b"\x01\xff"[..])?;
        write.commit()?;
        Ok(())
    };
    store.0.shared.database(damage).unwrap();
    let found = store.curves(true, "web", 0..=i64::MAX).unwrap();
    assert_eq!((found.spans.len(), found.unreadable), (0, 1));
    let became = write(&store, &[(NOW, 1)], &[], NOW + 20).await;
    assert_eq!(became.unreadable, 1);
    assert_eq!(curves(&store, true), [(0, Some(1))]);
    assert_eq!(curves(&store, false), [(0, Some(6))]);
}
