//! The pipeline on a keeper, stopped and gone on with.

use super::*;
use crate::input::batch::Batch;
use crate::input::framing::Framer;
use crate::rules::{self, Options};
use std::fs;
use std::path::Path;

/// A request that ends now: its window is open, whatever the time is.
fn line() -> String {
    let now = jiff::Timestamp::from_microsecond(clock::now().as_micros()).unwrap();
    let date = now.strftime("%d/%b/%Y:%H:%M:%S.000");
    format!(
        "<134>Jan  1 12:00:01 haproxy[7]: 10.0.0.1:1 [{date}] www api/s 0/0/0/1/0 200 9 - - ---- \
         1/1/0/0/0 0/0 \"GET / HTTP/1.1\"\n"
    )
}

fn batch(lines: usize) -> Batch {
    let bytes = line().repeat(lines).into_bytes();
    let mut frames = Vec::new();
    Framer::new(65_536).frames(&bytes, &mut frames);
    Batch {
        received_at: Some(clock::now()),
        bytes,
        frames,
    }
}

/// A pipeline of two workers by the bundled rules, and who would publish others.
fn plan(
    keeper: Keeper,
    checkpoint: Option<Checkpoint>,
    store: Store,
) -> (watch::Sender<Arc<Loaded>>, Plan) {
    let rules = rules::load(&rules::bundled(), &Options::default()).unwrap();
    let (publish, loaded) = watch::channel(Arc::new(Loaded {
        rules: Arc::new(rules),
        formats: Arc::default(),
        tls: Arc::default(),
    }));
    let plan = Plan {
        loaded,
        timezone: TimeZone::UTC,
        time: Time::default(),
        limits: crate::config::Config::default_for(&|_| None).limits,
        workers: 2,
        outboxes: Vec::new(),
        latest: None,
        rejects: Takers::default(),
        keeper,
        checkpoint,
        store,
        hosts: Arc::default(),
    };
    (publish, plan)
}

fn store(state: &Path) -> Store {
    Store::open(state, crate::store::Options::default()).unwrap()
}

/// Runs a pipeline over so many lines and stops it. Gives the sums of its account.
async fn run(state: &Path, lines: usize) -> (u64, u64, u64) {
    let (keeper, restored) = Keeper::open(state, clock::now()).unwrap();
    let (_publish, plan) = plan(keeper, restored.checkpoint, store(state));
    let telemetry = Arc::new(Telemetry::new(clock::now()));
    let supervisor = Supervisor::default();
    let (pipeline, dispatcher, pass) = Pipeline::start(plan, &telemetry, &supervisor);
    drop(pass);
    let listener = telemetry.listener("tcp", String::new());
    for _ in 0..lines {
        dispatcher.send(batch(1), &listener).await;
    }
    supervisor.stop();
    drop(dispatcher);
    pipeline.finish().await;
    let account = telemetry.snapshot();
    (account.carried, account.received, account.counted)
}

#[tokio::test]
async fn the_account_goes_on_after_a_stop() {
    let state = tempfile::tempdir().unwrap();
    assert_eq!(run(state.path(), 30).await, (0, 30, 30));
    assert_eq!(run(state.path(), 12).await, (30, 42, 42));
}

#[tokio::test]
async fn a_checkpoint_that_nobody_can_go_on_from_is_copied_aside() {
    let state = tempfile::tempdir().unwrap();
    {
        let (keeper, _) = Keeper::open(state.path(), clock::now()).unwrap();
        let changes = crate::checkpoint::Changes {
            head: b"of another weir".to_vec(),
            whole: true,
            ..Default::default()
        };
        keeper.commit(keeper.cut(), changes).await.unwrap();
    }
    assert_eq!(run(state.path(), 5).await, (0, 5, 5));
    let files = fs::read_dir(state.path()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let aside = names.filter(|name| name.starts_with("checkpoint.redb.windows-"));
    assert_eq!(aside.count(), 1);
    assert_eq!(run(state.path(), 1).await, (5, 6, 6));
}

#[tokio::test(start_paused = true)]
async fn no_checkpoint_is_cut_before_the_journal_is_received() {
    let state = tempfile::tempdir().unwrap();
    let (keeper, _) = Keeper::open(state.path(), clock::now()).unwrap();
    let (_publish, plan) = plan(keeper.clone(), None, store(state.path()));
    let telemetry = Arc::new(Telemetry::new(clock::now()));
    let supervisor = Supervisor::default();
    let before = keeper.cut();
    let (pipeline, dispatcher, pass) = Pipeline::start(plan, &telemetry, &supervisor);
    // Longer than a checkpoint waits for anything.
    tokio::time::sleep(Time::default().checkpoint_every * 10).await;
    assert_eq!(keeper.cut().0, before.0 + 1, "a checkpoint was cut");
    drop(pass);
    supervisor.stop();
    drop(dispatcher);
    pipeline.finish().await;
}
