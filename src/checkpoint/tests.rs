//! The keeper as its users see it: what was acknowledged is there after a restart, and weir
//! starts whatever is in the file.

use super::file::Place;
use super::*;
use crate::disk::Disk;
use proptest::prelude::*;
use std::fs;
use tempfile::TempDir;

const NOW: i64 = 1_767_268_800;

fn now() -> Timestamp {
    Timestamp::from_secs(NOW)
}

fn peer() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

fn record(session: u64, frames: &[&str]) -> Record {
    Record {
        session,
        peer: peer(),
        received_at: now().as_micros(),
        frames: frames
            .iter()
            .map(|frame| frame.as_bytes().to_vec())
            .collect(),
    }
}

fn whole(head: &str, panes: &[(PaneId, &str)]) -> Changes {
    Changes {
        head: head.into(),
        panes: panes
            .iter()
            .map(|(id, pane)| (*id, Some(pane.as_bytes().to_vec())))
            .collect(),
        whole: true,
    }
}

fn options() -> Options {
    Options {
        retry: Duration::ZERO,
        ..Options::default()
    }
}

fn open(dir: &TempDir) -> (Keeper, Restored) {
    Keeper::open_at(Place::in_folder(dir.path()), now(), &options()).expect("opens")
}

fn on(disk: &Disk) -> (Keeper, Restored) {
    let disk = disk.clone();
    let place = Place::new("checkpoint.redb".into(), move || {
        Database::builder().create_with_backend(disk.clone())
    });
    Keeper::open_at(place, now(), &options()).expect("opens")
}

/// What was restored, in short: `head {pane} record,record`.
fn told(restored: Restored) -> String {
    let checkpoint = restored.checkpoint.map_or("-".to_owned(), |checkpoint| {
        let panes = checkpoint.panes.iter();
        let panes = panes.map(|((grouping, start), pane)| {
            format!("{grouping}@{start}={}", String::from_utf8_lossy(pane))
        });
        let panes: Vec<String> = panes.collect();
        let head = String::from_utf8_lossy(&checkpoint.head);
        format!("{head} {{{}}}", panes.join(" "))
    });
    let records = restored.journal.map(|record| {
        let frames = record.frames.iter();
        let frames: Vec<_> = frames.map(|frame| String::from_utf8_lossy(frame)).collect();
        frames.join("+")
    });
    let records: Vec<String> = records.collect();
    format!("{checkpoint} [{}]", records.join(" "))
}

/// Names in the folder but for the file itself.
fn aside(dir: &TempDir) -> Vec<String> {
    let files = fs::read_dir(dir.path()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != "checkpoint.redb").collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_checkpoint_covers_what_came_before_it_was_cut() {
    let dir = TempDir::new().unwrap();
    let (keeper, restored) = open(&dir);
    assert_eq!(told(restored), "- []");
    keeper.append(record(1, &["a", "b"])).await.unwrap();
    keeper.append(record(2, &["c"])).await.unwrap();
    let covers = keeper.cut();
    keeper.append(record(1, &["d"])).await.unwrap();
    let panes = [((0, 10), "x"), ((7, -10), "y")];
    keeper.commit(covers, whole("one", &panes)).await.unwrap();
    drop(keeper);

    let (keeper, restored) = open(&dir);
    assert_eq!(told(restored), "one {0@10=x 7@-10=y} [d]");
    keeper.append(record(3, &["e"])).await.unwrap();
    let changes = Changes {
        head: b"two".to_vec(),
        panes: vec![((0, 10), None), ((0, 20), Some(b"z".to_vec()))],
        whole: false,
    };
    // Of a generation that is not the first one any more, and holds nothing.
    keeper.commit(covers, changes).await.unwrap();
    drop(keeper);

    let (keeper, restored) = open(&dir);
    assert_eq!(told(restored), "two {0@20=z 7@-10=y} [d e]");
    let covers = keeper.cut();
    keeper.commit(covers, whole("three", &[])).await.unwrap();
    drop(keeper);
    assert_eq!(told(open(&dir).1), "three {} []");
}

#[test]
fn no_session_has_the_number_of_another() {
    let dir = TempDir::new().unwrap();
    let mut sessions = Vec::new();
    for _ in 0..3 {
        let (keeper, _) = open(&dir);
        sessions.extend([keeper.session(), keeper.session()]);
    }
    assert!(sessions.is_sorted_by(|a, b| a < b), "{sessions:?}");
}

#[tokio::test]
async fn a_long_journal_is_read_in_pieces_and_in_order() {
    let dir = TempDir::new().unwrap();
    let (keeper, _) = open(&dir);
    let long = "x".repeat(300_000);
    for n in 0..9 {
        if n % 4 == 0 {
            keeper.cut();
        }
        let frames = [n.to_string(), long.clone()];
        keeper
            .append(record(1, &[&frames[0], &frames[1]]))
            .await
            .unwrap();
    }
    drop(keeper);
    let (keeper, restored) = open(&dir);
    // What comes now is not what was restored.
    keeper.append(record(2, &["new"])).await.unwrap();
    let numbers: Vec<Vec<u8>> = restored.journal.map(|mut r| r.frames.remove(0)).collect();
    let wanted: Vec<Vec<u8>> = (b'0'..=b'8').map(|n| vec![n]).collect();
    assert_eq!(numbers, wanted);
}

#[tokio::test]
async fn the_tail_of_a_session_that_did_not_close_survives() {
    let dir = TempDir::new().unwrap();
    let (keeper, _) = open(&dir);
    for (session, frame) in [(1, "a"), (2, "b"), (3, "c")] {
        keeper.append(record(session, &[frame])).await.unwrap();
    }
    let covers = keeper.cut();
    keeper.append(record(1, &["d"])).await.unwrap();
    keeper.closed(2);
    keeper.commit(covers, whole("", &[])).await.unwrap();
    keeper.append(record(1, &["e"])).await.unwrap();
    keeper.append(record(4, &["f"])).await.unwrap();
    keeper.closed(3);
    keeper.closed(4);
    drop(keeper);
    let (keeper, restored) = open(&dir);
    assert_eq!(told(restored), " {} [d e f]");
    let other = "192.0.2.9".parse().unwrap();
    assert_eq!(keeper.tail_of(other, now()).fingerprints(), []);
    let tail = ["a", "d", "e"].map(|frame| fingerprint(frame.as_bytes()));
    assert_eq!(keeper.tail_of(peer(), now()).fingerprints(), tail);
    assert_eq!(keeper.tail_of(peer(), now()).fingerprints(), []);
    // It can be taken again after a kill, until there is a checkpoint.
    drop(keeper);
    let (keeper, _) = open(&dir);
    assert_eq!(keeper.tail_of(peer(), now()).fingerprints(), tail);
    let covers = keeper.cut();
    keeper.commit(covers, whole("", &[])).await.unwrap();
    drop(keeper);
    assert_eq!(open(&dir).0.tail_of(peer(), now()).fingerprints(), []);
}

#[tokio::test]
async fn a_full_journal_waits_for_a_checkpoint() {
    let dir = TempDir::new().unwrap();
    let options = Options {
        journal_max: 100,
        ..options()
    };
    let (keeper, _) = Keeper::open_at(Place::in_folder(dir.path()), now(), &options).unwrap();
    let full = || pending(keeper.room());
    assert!(!full().await);
    keeper.append(record(1, &["a"])).await.unwrap();
    assert!(!full().await);
    keeper.append(record(1, &[&"b".repeat(60)])).await.unwrap();
    assert!(full().await);
    let covers = keeper.cut();
    keeper.commit(covers, whole("", &[])).await.unwrap();
    assert!(!full().await);
}

/// Whether this is not done at once.
async fn pending(future: impl Future<Output = ()>) -> bool {
    tokio::select! {
        biased;
        () = future => false,
        () = std::future::ready(()) => true,
    }
}

#[test]
fn a_file_of_another_is_set_aside_and_a_locked_one_is_not() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("checkpoint.redb");
    let (keeper, _) = open(&dir);
    let why = Keeper::open(dir.path(), now())
        .expect_err("locked")
        .to_string();
    assert!(why.contains("in use by another process\n\nhint: "), "{why}");
    drop(keeper);
    assert_eq!(aside(&dir), [""; 0]);

    let change = |change: &dyn Fn(&redb::WriteTransaction)| {
        let db = Database::create(&path).unwrap();
        let write = db.begin_write().unwrap();
        change(&write);
        write.commit().unwrap();
    };
    change(&|write| {
        let mut meta = write.open_table(format::META).unwrap();
        format::set_meta(&mut meta, format::FORMAT, &2u64.to_le_bytes()).unwrap();
    });
    open(&dir);
    fs::remove_file(&path).unwrap();
    change(&|write| {
        let table = redb::TableDefinition::<u64, u64>::new("panes");
        write.open_table(table).unwrap().insert(1, 1).unwrap();
    });
    open(&dir);
    fs::write(&path, "[not a database]").unwrap();
    open(&dir);
    let secs = NOW;
    assert_eq!(
        aside(&dir),
        [
            format!("checkpoint.redb.damaged-{secs}"),
            format!("checkpoint.redb.foreign-{secs}"),
            format!("checkpoint.redb.future-{secs}"),
        ]
    );
    // A fourth one, and the oldest goes.
    fs::write(&path, "[not a database]").unwrap();
    let later = now() + Duration::from_secs(1);
    Keeper::open(dir.path(), later).unwrap();
    assert_eq!(aside(&dir).len(), 3);
    assert!(aside(&dir).contains(&format!("checkpoint.redb.damaged-{}", secs + 1)));
}

/// A file with a checkpoint and a journal; `torn`: of a weir that was killed.
fn sample(torn: bool) -> (Vec<u8>, String) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("checkpoint.redb");
    let (keeper, _) = open(&dir);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        for n in 0..20 {
            let frames = [n.to_string(), "line ".repeat(50)];
            keeper
                .append(record(1, &[&frames[0], &frames[1]]))
                .await
                .unwrap();
            if n == 10 {
                let pane = "p".repeat(700);
                let panes: Vec<_> = (0..40).map(|start| ((0, start), pane.as_str())).collect();
                let covers = keeper.cut();
                keeper.commit(covers, whole("head", &panes)).await.unwrap();
            }
        }
    });
    if torn {
        // Read while it is open: as a kill leaves it.
        let bytes = fs::read(&path).unwrap();
        drop(keeper);
        (bytes, told(open(&dir).1))
    } else {
        drop(keeper);
        (fs::read(&path).unwrap(), told(open(&dir).1))
    }
}

#[test]
fn a_killed_weir_leaves_everything_it_acknowledged() {
    let (bytes, wanted) = sample(true);
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("checkpoint.redb"), bytes).unwrap();
    assert_eq!(told(open(&dir).1), wanted);
    assert!(wanted.starts_with("head {0@0=ppp") && wanted.contains("19+line "));
    assert_eq!(aside(&dir), [""; 0]);
}

#[derive(Clone, Debug)]
enum Damage {
    Flip(prop::sample::Index, u8),
    Overwrite(prop::sample::Index, Vec<u8>),
    Truncate(prop::sample::Index),
    Extend(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let bytes = || proptest::collection::vec(any::<u8>(), 1..5_000);
    prop_oneof![
        4 => (any::<prop::sample::Index>(), 1..=255u8).prop_map(|(at, mask)| Damage::Flip(at, mask)),
        3 => (any::<prop::sample::Index>(), bytes()).prop_map(|(at, bytes)| Damage::Overwrite(at, bytes)),
        2 => any::<prop::sample::Index>().prop_map(Damage::Truncate),
        1 => bytes().prop_map(Damage::Extend),
    ]
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        // Half of them where it hurts most: in the first pages.
        let place = |at: &prop::sample::Index, len: usize| match at.index(2) {
            0 => at.index(len.clamp(1, 512)),
            _ => at.index(len.max(1)),
        };
        let len = bytes.len();
        match damage {
            Damage::Flip(at, mask) if len > 0 => bytes[place(at, len)] ^= mask,
            Damage::Overwrite(at, with) => {
                let at = place(at, len);
                for (byte, with) in bytes.iter_mut().skip(at).zip(with) {
                    *byte = *with;
                }
            }
            Damage::Truncate(at) => bytes.truncate(at.index(len.max(1))),
            Damage::Extend(with) => bytes.extend(with),
            Damage::Flip(..) => {}
        }
    }
    bytes
}

static CLEAN: std::sync::LazyLock<(Vec<u8>, String)> = std::sync::LazyLock::new(|| sample(false));
static TORN: std::sync::LazyLock<(Vec<u8>, String)> = std::sync::LazyLock::new(|| sample(true));

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn weir_starts_whatever_the_bytes_are(
        torn: bool,
        damages in proptest::collection::vec(damage(), 1..4),
    ) {
        let (bytes, wanted) = if torn { &*TORN } else { &*CLEAN };
        let dir = TempDir::new().unwrap();
        let bytes = damaged(bytes.clone(), &damages);
        fs::write(dir.path().join("checkpoint.redb"), &bytes).unwrap();
        let empty = bytes.is_empty();
        let (keeper, restored) = open(&dir);
        prop_assert_eq!(&restored.broken, &None);
        let told = told(restored);
        if aside(&dir).is_empty() {
            // The file of a killed weir may have lost its last transaction: nobody can tell
            // damage there from a write that was cut short.
            let shorter = torn && told.starts_with("head {0@0=ppp");
            let right = if empty { told == "- []" } else { &told == wanted || shorter };
            prop_assert!(right, "{}", told);
        } else {
            prop_assert_eq!(told, "- []");
        }
        // And it keeps what it is given from here on.
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            keeper.append(record(9, &["after"])).await.unwrap();
        });
        drop(keeper);
        let again = super::tests::told(open(&dir).1);
        prop_assert!(again.ends_with("after]"), "{}", again);
    }
}

/// The keeper goes on in a file that knows nothing of what was kept before: it takes records,
/// and no checkpoint but a whole one.
async fn begins_anew(keeper: Keeper, state: &Path) {
    keeper.append(record(1, &["b"])).await.unwrap();
    let covers = keeper.cut();
    let changes = Changes::default();
    let refused = keeper.commit(covers, changes).await.expect_err("not whole");
    assert!(refused.0.contains("only a whole checkpoint"), "{refused}");
    keeper.commit(covers, whole("two", &[])).await.unwrap();
    keeper.append(record(1, &["c"])).await.unwrap();
    drop(keeper);
    let (_, restored) = Keeper::open(state, now()).unwrap();
    assert_eq!(told(restored), "two {} [c]");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_keeps_nothing_until_it_can() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let state = file.join("state");
    let place = Place::in_folder(&state);
    let (keeper, restored) = Keeper::open_at(place, now(), &options()).unwrap();
    let broken = restored.broken.clone();
    assert_eq!(told(restored), "- []");
    let why = keeper
        .append(record(1, &["a"]))
        .await
        .expect_err("no folder")
        .0;
    assert!(why.contains("file/state/checkpoint.redb: "), "{why}");
    assert_eq!(broken, Some(NotKept(why)));
    let covers = keeper.cut();
    assert!(keeper.commit(covers, whole("one", &[])).await.is_err());

    // The folder is there now, with a file in it that was not read.
    fs::remove_file(&file).unwrap();
    let (other, _) = Keeper::open(&state, now()).unwrap();
    other.append(record(1, &["unread"])).await.unwrap();
    drop(other);
    begins_anew(keeper, &state).await;
    let files = fs::read_dir(&state).unwrap();
    let unread = |file: fs::DirEntry| file.file_name().into_string().unwrap().contains(".unread-");
    assert!(files.map(Result::unwrap).any(unread));
}

#[tokio::test]
async fn nothing_is_kept_in_a_file_that_nobody_finds_again() {
    for replace in [
        (|state| fs::remove_dir_all(state).unwrap()) as fn(&Path),
        |state| fs::remove_file(state.join("checkpoint.redb")).unwrap(),
        // A copy of it from before, as a backup brings it back.
        |state| {
            let (file, copy) = (state.join("checkpoint.redb"), state.join("copy"));
            fs::rename(state.join("backup"), &copy).unwrap();
            fs::rename(&copy, &file).unwrap();
        },
    ] {
        let dir = TempDir::new().unwrap();
        let state = dir.path().join("state");
        let place = Place::in_folder(&state);
        let (keeper, _) = Keeper::open_at(place, now(), &options()).unwrap();
        keeper.append(record(1, &["a"])).await.unwrap();
        fs::copy(state.join("checkpoint.redb"), state.join("backup")).unwrap();
        let covers = keeper.cut();
        keeper.commit(covers, whole("one", &[])).await.unwrap();
        replace(&state);

        let refused = keeper.append(record(1, &["b"])).await.expect_err("gone");
        assert!(refused.0.contains("while weir had it open"), "{refused}");
        // Tried again, it is in a new file.
        begins_anew(keeper, &state).await;
    }
}

#[tokio::test]
async fn after_a_failure_the_disk_is_left_alone_for_a_while() {
    let disk = Disk::default();
    let place = {
        let disk = disk.clone();
        Place::new("checkpoint.redb".into(), move || {
            Database::builder().create_with_backend(disk.clone())
        })
    };
    let (keeper, _) = Keeper::open_at(
        place,
        now(),
        &Options {
            retry: Duration::from_secs(3600),
            ..Options::default()
        },
    )
    .unwrap();
    disk.fill(0);
    keeper.append(record(1, &["a"])).await.expect_err("full");
    disk.make_room();
    keeper.append(record(1, &["a"])).await.expect_err("at once");
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<u8>),
    Commit {
        whole: bool,
    },
    /// The disk fails after so many writes.
    Fill(i64),
    MakeRoom,
    Kill,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => proptest::collection::vec(any::<u8>(), 0..3_000).prop_map(Step::Append),
        4 => any::<bool>().prop_map(|whole| Step::Commit { whole }),
        3 => (0..40i64).prop_map(Step::Fill),
        3 => Just(Step::MakeRoom),
        2 => Just(Step::Kill),
    ];
    proptest::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// A model beside it: what was acknowledged is there, each once and in its order; what
    /// was refused is not, unless it was the last thing before a kill.
    #[test]
    fn a_disk_that_fails_loses_nothing_acknowledged_and_heals(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut disk = Disk::default();
            let (mut keeper, _) = on(&disk);
            let (mut head, mut journal, mut stray) = (None::<u64>, Vec::new(), Vec::new());
            let mut next_whole = false;
            let mut checkpoints = 0u64;
            // Each with how many records it covers.
            let mut refused: Vec<(u64, usize)> = Vec::new();
            for step in steps {
                match step {
                    Step::Append(frame) => {
                        let record = Record { frames: vec![frame], ..record(1, &[]) };
                        match keeper.append(record.clone()).await {
                            Ok(()) => {
                                // Its transaction removed what may have been left before it.
                                stray.clear();
                                journal.push(record);
                            }
                            Err(_) => stray.push(record),
                        }
                    }
                    Step::Commit { whole } => {
                        checkpoints += 1;
                        let covers = keeper.cut();
                        let whole = whole || next_whole;
                        let changes = Changes {
                            head: checkpoints.to_le_bytes().to_vec(),
                            panes: vec![((0, 0), Some(checkpoints.to_le_bytes().to_vec()))],
                            whole,
                        };
                        next_whole = match keeper.commit(covers, changes).await {
                            Ok(()) => {
                                head = Some(checkpoints);
                                journal.clear();
                                stray.clear();
                                refused.clear();
                                false
                            }
                            Err(_) => {
                                refused.push((checkpoints, journal.len()));
                                true
                            }
                        };
                    }
                    Step::Fill(left) => disk.fill(left),
                    Step::MakeRoom => disk.make_room(),
                    Step::Kill => {
                        disk = disk.copy();
                        drop(keeper);
                        let restored;
                        (keeper, restored) = on(&disk);
                        let found = restored.checkpoint.map(|checkpoint| {
                            let head = u64::from_le_bytes(checkpoint.head.try_into().unwrap());
                            assert_eq!(checkpoint.panes, [((0, 0), head.to_le_bytes().to_vec())]);
                            head
                        });
                        let records: Vec<Record> = restored.journal.collect();
                        if found != head {
                            // A checkpoint that was refused and is there all the same.
                            let kept = |(n, _): &&(u64, usize)| Some(*n) == found;
                            let (_, covered) = refused.iter().find(kept).expect("one of these");
                            journal.drain(..covered);
                            head = found;
                        }
                        refused.clear();
                        assert!(records.starts_with(&journal), "{records:?} {journal:?}");
                        let more = &records[journal.len()..];
                        assert!(more.iter().all(|record| stray.contains(record)), "{more:?}");
                        journal = records;
                        stray.clear();
                        next_whole = false;
                    }
                }
            }
            disk.make_room();
            keeper.append(record(1, &["healed"])).await.unwrap();
        });
    }
}
