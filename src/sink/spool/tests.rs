use super::*;
use crate::metric::Series;
use crate::time::Timestamp;
use std::fs;
use tempfile::TempDir;

const MAX: u64 = 1 << 20;

/// A weir with one sink, whose spool is in `state`.
struct Site {
    telemetry: Arc<Telemetry>,
    outbox: Outbox,
    spool: Spool,
}

fn site(state: &Path) -> Site {
    let telemetry = Arc::new(Telemetry::new(Timestamp::from_secs(0)));
    let sink = telemetry.sink("librato", String::new());
    let outbox = Outbox::new(100_000, Arc::clone(&sink));
    let spool = Spool::open(state, MAX, sink, Arc::clone(&telemetry));
    Site {
        telemetry,
        outbox,
        spool,
    }
}

impl Site {
    fn measurements(&self) -> (u64, u64, u64) {
        let counters = &self.outbox.sink().measurements;
        (
            counters.delivered.get(),
            counters.dropped.get(),
            counters.queued.get(),
        )
    }

    /// Runs what moves the outbox to disk, for as long as something else takes.
    async fn filling<R>(&self, other: impl Future<Output = R>) -> R {
        tokio::select! {
            result = other => result,
            () = async { self.spool.fill(&self.outbox).await; std::future::pending().await } => {
                unreachable!("it waits for ever")
            }
        }
    }

    /// The values of the oldest batch, which counts as delivered then.
    async fn deliver(&self) -> Vec<i64> {
        let batch = self.spool.next::<Measurement>(&self.outbox, 10).await;
        let batch = batch.expect("a batch");
        let values: Vec<i64> = match &batch {
            Batch::Spooled(oldest) => oldest.items.iter().map(|item| item.value as i64).collect(),
            Batch::Held(taken, _) => taken.iter().map(|item| item.value as i64).collect(),
        };
        let settled = Settled {
            delivered: values.len() as u64,
            rejected: 0,
        };
        self.spool.settle(batch, settled).await;
        values
    }
}

fn measurements(values: std::ops::Range<i64>) -> Vec<Measurement> {
    let measurement = |value| Measurement {
        series: Series {
            name: "http.rate".into(),
            tags: [("service".into(), "users".into())].into(),
        },
        time: Timestamp::from_secs(value),
        period: Duration::from_secs(1),
        value: value as f64,
    };
    values.map(measurement).collect()
}

fn annotation() -> Annotation {
    Annotation {
        stream: "haproxy".into(),
        title: "web/app1 is DOWN".into(),
        source: None,
        description: None,
        start: Timestamp::from_secs(1),
        end: None,
    }
}

fn file(state: &TempDir) -> std::path::PathBuf {
    state.path().join("spool-librato.redb")
}

#[tokio::test]
async fn what_was_flushed_is_there_after_a_kill_and_comes_oldest_first() {
    let state = tempfile::tempdir().unwrap();
    let before = site(state.path());
    before
        .filling(async {
            for from in [0, 3] {
                before.outbox.push(&measurements(from..from + 3));
                before.outbox.push_annotations(&[annotation()]);
                before.outbox.flushed().await;
            }
        })
        .await;
    assert_eq!(before.deliver().await, [0, 1, 2]);
    drop(before);

    let after = site(state.path());
    assert_eq!(after.measurements(), (0, 0, 3));
    assert_eq!(after.outbox.sink().annotations.queued.get(), 2);
    let fill = after.outbox.sink().health().snapshot().spool;
    assert_eq!((fill.bytes_used, fill.bytes_max), (3 * 4096, MAX));
    assert!(fill.oldest.is_some());
    after.outbox.push(&measurements(6..7));
    let values = after
        .filling(async { [after.deliver().await, after.deliver().await] })
        .await;
    assert_eq!(values, [vec![3, 4, 5], vec![6]]);
    assert_eq!(after.measurements(), (4, 0, 0));
}

#[tokio::test]
async fn what_is_read_and_not_settled_comes_again() {
    let state = tempfile::tempdir().unwrap();
    let site = site(state.path());
    site.outbox.push(&measurements(0..2));
    site.filling(site.outbox.flushed()).await;
    let batch = site.spool.next::<Measurement>(&site.outbox, 10).await;
    drop(batch);
    assert_eq!(site.deliver().await, [0, 1]);
    assert_eq!(site.measurements(), (2, 0, 0));
}

#[tokio::test]
async fn at_the_bound_the_oldest_are_dropped_and_counted() {
    let state = tempfile::tempdir().unwrap();
    let site = site(state.path());
    site.filling(async {
        // One block of one page each.
        for value in 0..300 {
            site.outbox.push(&measurements(value..value + 1));
            site.outbox.flushed().await;
        }
    })
    .await;
    let fill = site.outbox.sink().health().snapshot().spool;
    assert_eq!(fill.bytes_used, MAX);
    assert_eq!(site.measurements(), (0, 44, 256));
    assert_eq!(site.deliver().await, [44]);
    // The database grows in steps, and needs room beside what it holds.
    let len = fs::metadata(file(&state)).unwrap().len();
    assert!(len <= 4 * MAX, "{len}");
}

#[tokio::test]
async fn what_is_being_sent_is_not_dropped_to_make_room() {
    let state = tempfile::tempdir().unwrap();
    let site = site(state.path());
    site.outbox.push(&measurements(0..1));
    site.filling(site.outbox.flushed()).await;
    let batch = site.spool.next::<Measurement>(&site.outbox, 10).await;
    site.filling(async {
        for value in 1..258 {
            site.outbox.push(&measurements(value..value + 1));
            site.outbox.flushed().await;
        }
    })
    .await;
    assert_eq!(site.measurements(), (0, 2, 256));
    let settled = Settled {
        delivered: 1,
        rejected: 0,
    };
    site.spool.settle(batch.unwrap(), settled).await;
    assert_eq!(site.measurements(), (1, 2, 255));
    assert_eq!(site.deliver().await, [3]);
}

/// A window that was amended: its value is the number of the amendment.
fn amended(value: i64) -> Measurement {
    Measurement {
        value: value as f64,
        ..measurements(7..8).remove(0)
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_value_does_not_follow_a_newer_one_from_memory() {
    let state = tempfile::tempdir().unwrap();
    let site = site(state.path());
    site.filling(async {
        site.outbox
            .push(&[amended(1), measurements(8..9).remove(0)]);
        site.outbox.flushed().await;
        site.spool.set_full(true);
        site.outbox.push(&[amended(2)]);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(site.deliver().await, [2]);
        site.spool.set_full(false);
        site.outbox.push(&[amended(3)]);
        site.outbox.flushed().await;
        // Of the old block, what was not amended.
        assert_eq!(site.deliver().await, [8]);
        assert_eq!(site.deliver().await, [3]);
    })
    .await;
    assert_eq!(site.measurements(), (4, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn nor_does_what_an_earlier_run_has_left_in_a_file_that_opens_late() {
    let state = tempfile::tempdir().unwrap();
    let before = site(state.path());
    before.outbox.push(&[amended(1)]);
    before.filling(before.outbox.flushed()).await;
    drop(before);
    // Another process has it.
    let other = redb::Database::open(file(&state)).unwrap();
    let site = site(state.path());
    site.filling(async {
        site.outbox.push(&[amended(2)]);
        assert_eq!(site.deliver().await, [2]);
        drop(other);
        site.outbox.push(&[amended(3)]);
        site.outbox.flushed().await;
        let none: [i64; 0] = [];
        assert_eq!(site.deliver().await, none);
        assert_eq!(site.deliver().await, [3]);
    })
    .await;
    assert_eq!(site.measurements(), (3, 0, 0));
}

/// The file can be opened on a full disk: that does not mean that it serves.
#[tokio::test(start_paused = true)]
async fn a_full_disk_is_tried_more_and_more_rarely_and_serves_when_it_has_taken_something() {
    let state = tempfile::tempdir().unwrap();
    let site = site(state.path());
    let broken = || site.telemetry.snapshot().broken.contains_key("spool");
    site.spool.set_full(true);
    site.outbox.push(&measurements(0..1));
    site.filling(async {
        let start = Instant::now();
        let mut tries = 0;
        while start.elapsed() < Duration::from_secs(600) {
            let before = site.spool.service().clone();
            site.spool.changed.notified().await;
            assert!(broken());
            let opened = matches!(*site.spool.service(), Service::Trial(_));
            tries += usize::from(opened && before != *site.spool.service());
        }
        assert!((10..=15).contains(&tries), "{tries}");
        site.spool.set_full(false);
        site.outbox.flushed().await;
        assert!(!broken());
    })
    .await;
    assert_eq!(site.deliver().await, [0]);
}

/// Makes a file that is no spool.
type Make<'a> = &'a dyn Fn(&Path);

#[tokio::test]
async fn files_of_no_use_are_moved_away_and_weir_goes_on() {
    let later = |path: &Path| {
        let db = redb::Database::create(path).unwrap();
        let write = db.begin_write().unwrap();
        let table = redb::TableDefinition::<&str, u64>::new("spool");
        let mut meta = write.open_table(table).unwrap();
        meta.insert("format", file::VERSION + 1).unwrap();
        drop(meta);
        write.commit().unwrap();
    };
    let foreign = |path: &Path| {
        let db = redb::Database::create(path).unwrap();
        let write = db.begin_write().unwrap();
        let table = redb::TableDefinition::<&str, &str>::new("pets");
        write
            .open_table(table)
            .unwrap()
            .insert("cat", "Tom")
            .unwrap();
        write.commit().unwrap();
    };
    let text = |path: &Path| fs::write(path, "no database at all\n".repeat(500)).unwrap();
    let cases: [(Make, &str); 3] = [
        (&later, "future"),
        (&foreign, "foreign"),
        (&text, "damaged"),
    ];
    for (make, ending) in cases {
        let state = tempfile::tempdir().unwrap();
        make(&file(&state));
        let site = site(state.path());
        site.outbox.push(&measurements(0..1));
        site.filling(site.outbox.flushed()).await;
        assert_eq!(site.deliver().await, [0], "{ending}");
        let aside = state.path().join(format!("spool-librato.redb.{ending}"));
        assert!(aside.exists(), "{ending}");
        assert!(site.telemetry.snapshot().broken.is_empty());
    }
}

/// Any byte of the file may be wrong, and it may end anywhere: weir starts, what it gives is
/// what was put in, and what it cannot give is counted.
#[tokio::test]
async fn a_damaged_file_never_stops_it_nor_gives_something_else() {
    let state = tempfile::tempdir().unwrap();
    {
        let site = site(state.path());
        site.filling(async {
            for from in [0, 1000] {
                site.outbox.push(&measurements(from..from + 1000));
                site.outbox.flushed().await;
            }
        })
        .await;
    }
    let good = fs::read(file(&state)).unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    for round in 0..40 {
        let mut bytes = good.clone();
        if round % 4 == 0 {
            bytes.truncate(random.usize(..bytes.len()));
        } else {
            for _ in 0..1 + random.usize(..200) {
                let at = random.usize(..bytes.len());
                bytes[at] ^= 1 << random.u8(..8);
            }
        }
        let state = tempfile::tempdir().unwrap();
        fs::write(file(&state), bytes).unwrap();
        let site = site(state.path());
        site.outbox.push(&measurements(5000..5001));
        let mut values = Vec::new();
        site.filling(async {
            while values.last() != Some(&5000) {
                values.extend(site.deliver().await);
            }
        })
        .await;
        let old = &values[..values.len() - 1];
        let whole: Vec<i64> = (0..2000).collect();
        assert!(
            [&whole[..], &whole[..1000], &whole[1000..], &[]].contains(&old),
            "round {round}: {values:?}"
        );
        let (delivered, _, queued) = site.measurements();
        assert_eq!((delivered, queued), (values.len() as u64, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_disk_memory_serves_until_it_is_back() {
    let state = tempfile::tempdir().unwrap();
    // Nobody can open a folder as a file.
    fs::create_dir(file(&state)).unwrap();
    let site = site(state.path());
    let broken = || site.telemetry.snapshot().broken;
    assert!(broken()["spool"].contains("spool-librato.redb: "));
    site.outbox.push(&measurements(0..12));
    site.filling(async {
        assert_eq!(site.deliver().await, (0..10).collect::<Vec<_>>());
        let held = site.spool.next::<Measurement>(&site.outbox, 10).await;
        let held = held.unwrap();
        assert!(matches!(held, Batch::Held(..)));

        // What is only in memory is not safe.
        tokio::select! {
            () = site.outbox.flushed() => unreachable!(),
            () = tokio::time::sleep(Duration::from_secs(60)) => {}
        }
        fs::remove_dir(file(&state)).unwrap();
        site.spool.serves(Kind::Measurements).await;
        let Batch::Held(taken, _) = held else {
            unreachable!()
        };
        taken.put_back();
        site.outbox.flushed().await;
        assert!(broken().is_empty());
        let spooled = site.spool.next::<Measurement>(&site.outbox, 10).await;
        assert!(matches!(spooled, Some(Batch::Spooled(_))));
    })
    .await;
    assert_eq!(site.deliver().await, [10, 11]);
    assert_eq!(site.measurements(), (12, 0, 0));
}

/// What a day's spool holds: the numbers of docs/configuration.md.
#[test]
fn a_measurement_takes_some_tens_of_bytes() {
    let services = 200;
    let items: Vec<Measurement> = (0..10_000i64)
        .map(|i| Measurement {
            series: Series {
                name: format!(
                    "http.{}",
                    ["rate", "errors", "p50", "p95", "p99"][i as usize % 5]
                )
                .into(),
                tags: [(
                    "service".into(),
                    format!("service-{}", i / 5 % services).into(),
                )]
                .into(),
            },
            time: Timestamp::from_secs(i / (services * 5) * 10),
            period: Duration::from_secs(10),
            value: (i * 7919 % 104_729) as f64 / 10.0,
        })
        .collect();
    let sealed = block::drafts(&items).into_iter().map(|draft| {
        let (header, _) = draft.seal(Timestamp::from_secs(0)).unwrap();
        header.on_disk()
    });
    let each = sealed.sum::<u64>() as f64 / 10_000.0;
    assert!(each < 27.0, "{each} bytes");
}
