//! Against a far side that is a function, in time that the tests move.

use crate::clock;
use crate::metric::{Annotation, Measurement, Series};
use crate::sink::librato::http::{Reply, Transport};
use crate::sink::librato::{Api, Librato, SPOOL, Settings};
use crate::sink::{Outbox, breaker, spool::Spool};
use crate::telemetry::Telemetry;
use crate::time::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{StatusCode, Url};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

const HOUR: Duration = Duration::from_secs(3600);

/// Answers by the time since the start, and by what is sent.
type Answer = dyn Fn(Duration, &[Value]) -> Result<Reply, String> + Send + Sync;

struct FarSide {
    start: Instant,
    /// How many requests came, those that were given up too.
    begun: Mutex<usize>,
    /// How long it takes to answer.
    takes: Duration,
    answer: Box<Answer>,
    /// When each request came, and how many items it had.
    requests: Mutex<Vec<(Duration, usize)>>,
    /// What it has taken: the last value of each name and time.
    values: Mutex<BTreeMap<(String, i64), f64>>,
    /// How many points it was given, those it had already too.
    given: Mutex<usize>,
}

impl Transport for Arc<FarSide> {
    async fn post(&self, url: Url, json: Vec<u8>) -> Result<Reply, String> {
        *self.begun.lock().unwrap() += 1;
        tokio::time::sleep(self.takes).await;
        let at = self.start.elapsed();
        let body: Value = serde_json::from_slice(&json).unwrap();
        let items = match body.get("measurements") {
            Some(items) => items.as_array().unwrap().clone(),
            None => vec![body],
        };
        self.requests.lock().unwrap().push((at, items.len()));
        let reply = (self.answer)(at, &items)?;
        if reply.status.is_success() && url.path() == "/v1/measurements" {
            let mut values = self.values.lock().unwrap();
            for item in &items {
                let name = item["name"].as_str().unwrap().to_owned();
                values.insert(
                    (name, item["time"].as_i64().unwrap()),
                    item["value"].as_f64().unwrap(),
                );
            }
            *self.given.lock().unwrap() += items.len();
        }
        Ok(reply)
    }
}

fn far_side(
    answer: impl Fn(Duration, &[Value]) -> Result<Reply, String> + Send + Sync + 'static,
) -> Arc<FarSide> {
    Arc::new(FarSide {
        start: Instant::now(),
        begun: Mutex::default(),
        takes: Duration::ZERO,
        answer: Box::new(answer),
        requests: Mutex::default(),
        values: Mutex::default(),
        given: Mutex::default(),
    })
}

fn reply(status: u16, text: &str, headers: &[(&'static str, String)]) -> Reply {
    let headers = headers.iter().map(|(name, value)| {
        let value = HeaderValue::from_str(value).unwrap();
        (HeaderName::from_static(name), value)
    });
    Reply {
        status: StatusCode::from_u16(status).unwrap(),
        headers: headers.collect::<HeaderMap>(),
        text: text.to_owned(),
    }
}

fn taken() -> Result<Reply, String> {
    Ok(reply(202, "{}", &[]))
}

fn away() -> Result<Reply, String> {
    Err("connection refused".to_owned())
}

/// A weir whose sink delivers to that far side.
struct Site {
    far_side: Arc<FarSide>,
    outbox: Arc<Outbox>,
    librato: Librato<Arc<FarSide>>,
    spool: Spool,
    telemetry: Arc<Telemetry>,
}

fn site(state: &Path, far_side: &Arc<FarSide>) -> Site {
    let telemetry = Arc::new(Telemetry::new(Timestamp::from_secs(0)));
    let sink = telemetry.sink("librato", String::new());
    let settings = Settings {
        url: "http://far.side".parse().unwrap(),
        api: Api::Measurements,
        credentials: None,
        breaker: breaker::Settings::default(),
        spool: SPOOL,
    };
    Site {
        far_side: Arc::clone(far_side),
        outbox: Arc::new(Outbox::new(100_000, Arc::clone(&sink))),
        librato: Librato {
            transport: Arc::clone(far_side),
            settings,
        },
        spool: Spool::open(state, SPOOL, sink, Arc::clone(&telemetry)),
        telemetry,
    }
}

impl Site {
    /// Delivers for as long as something else takes.
    async fn running<R>(&self, other: impl Future<Output = R>) -> R {
        tokio::select! {
            result = other => result,
            () = self.librato.run(&self.outbox, &self.spool) => unreachable!("nobody stops it"),
        }
    }

    /// Delivered, rejected, dropped and queued.
    fn measurements(&self) -> [u64; 4] {
        let counters = &self.outbox.sink().measurements;
        [
            counters.delivered.get(),
            counters.rejected.get(),
            counters.dropped.get(),
            counters.queued.get(),
        ]
    }

    async fn until_all_is_settled(&self) {
        let sink = self.outbox.sink();
        while sink.measurements.queued.get() + sink.annotations.queued.get() > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn sizes(&self) -> Vec<usize> {
        self.requests().iter().map(|(_, items)| *items).collect()
    }

    fn requests(&self) -> Vec<(Duration, usize)> {
        std::mem::take(&mut self.far_side.requests.lock().unwrap())
    }
}

fn measurement(name: &str, time: i64) -> Measurement {
    Measurement {
        series: Series {
            name: name.into(),
            tags: [].into(),
        },
        time: Timestamp::from_secs(time),
        period: Duration::from_secs(10),
        value: time as f64,
    }
}

fn annotation(title: &str) -> Annotation {
    Annotation {
        stream: "haproxy".into(),
        title: title.into(),
        source: None,
        description: None,
        start: Timestamp::from_secs(1),
        end: None,
    }
}

/// Names, or titles, that are bad cost their request.
fn refusing(bad: &'static [&'static str], words: &'static str) -> Arc<FarSide> {
    far_side(move |_, items| {
        let mut names = items
            .iter()
            .map(|item| item["name"].as_str().or(item["title"].as_str()));
        if names.any(|name| bad.contains(&name.unwrap())) {
            Ok(reply(400, words, &[]))
        } else {
            taken()
        }
    })
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_the_far_side_loses_nothing() {
    let state = tempfile::tempdir().unwrap();
    let far_side = far_side(|at, _| if at < HOUR { away() } else { taken() });
    let before = site(state.path(), &far_side);
    // A window every ten seconds, and weir is killed after half an hour.
    let windows = async |site: &Site, range: std::ops::Range<i64>| {
        for window in range {
            site.outbox
                .push(&[measurement("a", window), measurement("b", window)]);
            if window % 60 == 0 {
                site.outbox.push_annotations(&[annotation("a mark")]);
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        site.outbox.flushed().await;
    };
    before.running(windows(&before, 0..180)).await;
    assert_eq!(before.measurements(), [0, 0, 0, 360]);
    // Five tries open the breaker; then there is one each half a minute.
    let tries = before.requests().len();
    assert!((60..75).contains(&tries), "{tries}");
    drop(before);

    let after = site(state.path(), &far_side);
    after
        .running(async {
            windows(&after, 180..360).await;
            after.until_all_is_settled().await;
        })
        .await;
    assert_eq!(after.measurements(), [720, 0, 0, 0]);
    assert_eq!(after.outbox.sink().annotations.delivered.get(), 6);
    assert!(far_side.start.elapsed() < HOUR + Duration::from_secs(60));
    let values = far_side.values.lock().unwrap();
    let want = (0..360).flat_map(|time| ["a", "b"].map(|name| (name.to_owned(), time)));
    assert_eq!(values.len(), 720);
    for key in want {
        assert_eq!(values[&key], key.1 as f64);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_kill_makes_weir_send_twice_changes_nothing() {
    let state = tempfile::tempdir().unwrap();
    // Half of a block is taken, then the far side hangs, and weir is killed.
    let far_side = far_side(|at, items| {
        if at < Duration::from_secs(60) && items[0]["time"] != 0 {
            return away();
        }
        taken()
    });
    let before = site(state.path(), &far_side);
    let all: Vec<_> = (0..1000).map(|time| measurement("a", time)).collect();
    before.outbox.push(&all);
    before
        .running(tokio::time::sleep(Duration::from_secs(10)))
        .await;
    assert_eq!(*far_side.given.lock().unwrap(), 500);
    assert_eq!(before.measurements(), [0, 0, 0, 1000]);
    drop(before);
    let after = site(state.path(), &far_side);
    after.running(after.until_all_is_settled()).await;
    assert_eq!(after.measurements(), [1000, 0, 0, 0]);
    assert_eq!(*far_side.given.lock().unwrap(), 1500);
    let values = far_side.values.lock().unwrap();
    let want = all
        .iter()
        .map(|m| ((m.series.name.to_string(), m.time.as_secs()), m.value));
    assert_eq!(*values, want.collect());
}

#[tokio::test(start_paused = true)]
async fn the_breaker_opens_tries_once_and_closes() {
    let state = tempfile::tempdir().unwrap();
    let seconds = Duration::from_secs;
    let far_side = far_side(move |at, _| match at {
        at if at < seconds(60) => Ok(reply(503, "", &[])),
        _ => taken(),
    });
    let site = site(state.path(), &far_side);
    let state_of = || site.outbox.sink().health().snapshot().breaker;
    site.outbox.push(&[measurement("a", 1)]);
    site.running(async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(state_of(), "closed");
        tokio::time::sleep(seconds(25)).await;
        assert_eq!(state_of(), "open");
        assert!(!site.outbox.sink().measurements.accepts());
        site.until_all_is_settled().await;
        assert_eq!(state_of(), "closed");
    })
    .await;
    let times: Vec<_> = site.requests().iter().map(|(at, _)| *at).collect();
    // Pauses of 0.5, 1, 2 and 4 s and some jitter, then attempts.
    assert_eq!(times.len(), 7, "{times:?}");
    for (pair, pause) in times.windows(2).zip([500, 1000, 2000, 4000]) {
        let waited = pair[1] - pair[0];
        let pause = Duration::from_millis(pause);
        assert!(
            (pause..=pause * 2 + seconds(1)).contains(&waited),
            "{waited:?}"
        );
    }
    for pair in times[4..].windows(2) {
        let waited = pair[1] - pair[0];
        assert!((seconds(30)..seconds(31)).contains(&waited), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_of_4xx_do_not_open_the_breaker() {
    let state = tempfile::tempdir().unwrap();
    let far_side = far_side(|_, _| Ok(reply(401, "", &[])));
    let site = site(state.path(), &far_side);
    site.outbox.push(&[measurement("a", 1)]);
    site.running(tokio::time::sleep(HOUR)).await;
    assert_eq!(site.outbox.sink().health().snapshot().breaker, "closed");
    assert_eq!(site.measurements(), [0, 0, 0, 1]);
    assert!(site.requests().len() > 100);
}

#[tokio::test(start_paused = true)]
async fn the_far_side_says_when_it_wants_more() {
    let quota = |remaining: u32| {
        let reset = clock::now().as_secs() + 120;
        let value = format!("limit=9,remaining={remaining},reset={reset}");
        vec![("x-librato-ratelimit-agg", value)]
    };
    type First = Box<dyn Fn() -> Reply + Send + Sync>;
    let cases: [(First, std::ops::Range<u64>); 4] = [
        (Box::new(move || reply(202, "{}", &quota(1))), 0..1),
        (Box::new(move || reply(202, "{}", &quota(0))), 119..121),
        (
            Box::new(|| reply(429, "", &[("retry-after", "50".to_owned())])),
            50..51,
        ),
        (
            Box::new(move || reply(403, "You have hit the API limit", &quota(0))),
            119..121,
        ),
    ];
    for (first, want) in cases {
        let state = tempfile::tempdir().unwrap();
        let far_side = far_side(move |at, _| {
            if at < Duration::from_secs(1) {
                Ok(first())
            } else {
                taken()
            }
        });
        let site = site(state.path(), &far_side);
        let all: Vec<_> = (0..600).map(|time| measurement("a", time)).collect();
        site.outbox.push(&all);
        site.running(site.until_all_is_settled()).await;
        assert_eq!(site.measurements(), [600, 0, 0, 0]);
        let requests = site.requests();
        let waited = requests[1].0 - requests[0].0;
        assert!(want.contains(&waited.as_secs()), "{want:?}: {requests:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn bad_ones_are_found_by_halves_and_cost_no_other() {
    let state = tempfile::tempdir().unwrap();
    let far_side = refusing(&["m7", "m250", "m251"], "no such thing");
    let site = site(state.path(), &far_side);
    let chunk: Vec<_> = (0..500).map(|i| measurement(&format!("m{i}"), i)).collect();
    site.running(async {
        site.outbox.push(&chunk);
        site.outbox.push_annotations(&["m7", "m8"].map(annotation));
        site.until_all_is_settled().await;
        assert_eq!(site.measurements(), [497, 3, 0, 0]);
        let annotations = &site.outbox.sink().annotations;
        assert_eq!(
            (annotations.delivered.get(), annotations.rejected.get()),
            (1, 1)
        );
        // Nine halvings each at most, with two requests a time.
        let requests = site.requests().len();
        assert!(requests <= 2 + 1 + 3 * 2 * 9, "{requests}");
        let refused = site.outbox.sink().health().snapshot().refused;
        let mut what: Vec<_> = refused
            .iter()
            .map(|refused| refused.what.as_str())
            .collect();
        what.sort_unstable();
        assert_eq!(what, ["annotation \"m7\"", "m250", "m251", "m7"]);
        assert!(
            refused
                .iter()
                .all(|refused| refused.why.contains("no such thing"))
        );

        // The next time they cost nothing at all.
        let names = ["m7", "m8", "m9", "m10"];
        site.outbox.push(&names.map(|name| measurement(name, 1000)));
        site.until_all_is_settled().await;
        assert_eq!(site.measurements(), [500, 4, 0, 0]);
        assert_eq!(site.sizes(), [3]);
        let refused = site.outbox.sink().health().snapshot().refused;
        let left_out = refused.iter().map(|r| (r.what.as_str(), r.left_out));
        let left_out: BTreeMap<_, _> = left_out.collect();
        assert_eq!((left_out["m7"], left_out["m250"]), (1, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_name_of_another_type_is_left_out_for_a_while() {
    let state = tempfile::tempdir().unwrap();
    let words = r#"{"errors":{"params":{"type":["'bad' is a counter, but was submitted as different type"]}},"request_time":1}"#;
    let far_side = refusing(&["bad"], words);
    let site = site(state.path(), &far_side);
    let mut sizes = Vec::new();
    site.running(async {
        for round in 0..3 {
            let chunk = ["bad", "good", "bad", "fine"].iter().enumerate();
            let chunk = chunk.map(|(i, name)| measurement(name, round * 10 + i as i64));
            site.outbox.push(&chunk.collect::<Vec<_>>());
            site.until_all_is_settled().await;
            sizes.push(site.sizes());
            // Not all three are within the time for which it is left out.
            tokio::time::sleep(Duration::from_secs(400)).await;
        }
    })
    .await;
    // All, a half, the bad one, its neighbour, the other half without the bad one.
    assert_eq!(sizes, [vec![4, 2, 1, 1, 1], vec![2], vec![4, 2, 1, 1, 1]]);
    assert_eq!(site.measurements(), [6, 6, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_does_not_cost_what_is_new() {
    let state = tempfile::tempdir().unwrap();
    let far_side = far_side(|_, items| {
        if items.iter().any(|item| item["time"].as_i64() < Some(100)) {
            let words = r#"{"errors":{"params":{"measure_time":["is too far in the past"]}}}"#;
            Ok(reply(400, words, &[]))
        } else {
            taken()
        }
    });
    let site = site(state.path(), &far_side);
    let old = (0..256).map(|i| measurement(&format!("m{i}"), 50));
    let new = (0..256).map(|i| measurement(&format!("m{i}"), 100));
    site.outbox.push(&old.chain(new).collect::<Vec<_>>());
    site.running(site.until_all_is_settled()).await;
    assert_eq!(site.measurements(), [256, 256, 0, 0]);
    let requests = site.requests().len();
    assert!(requests < 20, "{requests}");
}

#[tokio::test(start_paused = true)]
async fn a_weir_that_stops_leaves_in_the_spool_what_nobody_takes() {
    let state = tempfile::tempdir().unwrap();
    let far_side = far_side(|_, _| away());
    let before = site(state.path(), &far_side);
    before.outbox.push(&[measurement("a", 1)]);
    before.outbox.push_annotations(&[annotation("a mark")]);
    before
        .running(tokio::time::sleep(Duration::from_secs(100)))
        .await;
    before.outbox.push(&[measurement("b", 2)]);
    before.outbox.close();
    let asked = Instant::now();
    before.librato.run(&before.outbox, &before.spool).await;
    assert!(asked.elapsed() < Duration::from_secs(1));
    before.outbox.abandon();
    assert_eq!(before.measurements(), [0, 0, 0, 2]);
    drop(before);
    let after = site(state.path(), &far_side);
    assert_eq!(after.measurements(), [0, 0, 0, 2]);
    assert_eq!(after.outbox.sink().annotations.queued.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_far_side_is_delivered_to_while_the_disk_is_full() {
    let state = tempfile::tempdir().unwrap();
    let mut far_side = far_side(|_, _| taken());
    Arc::get_mut(&mut far_side).unwrap().takes = Duration::from_secs(20);
    let site = site(state.path(), &far_side);
    site.spool.set_full(true);
    site.running(async {
        for window in 0..30 {
            site.outbox.push(&[measurement("a", window)]);
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        site.until_all_is_settled().await;
    })
    .await;
    assert_eq!(site.measurements(), [30, 0, 0, 0]);
    // None was given up for the disk, so none was sent twice.
    assert_eq!(*site.far_side.given.lock().unwrap(), 30);
    assert_eq!(*site.far_side.begun.lock().unwrap(), site.requests().len());
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_asked_to_wait_says_so_until_it_may_go_on() {
    let state = tempfile::tempdir().unwrap();
    let far_side = far_side(|at, _| {
        let reset = clock::now().as_secs() + 120;
        let quota = format!("limit=9,remaining=0,reset={reset}");
        match at {
            at if at < Duration::from_secs(1) => {
                Ok(reply(202, "{}", &[("x-librato-ratelimit-agg", quota)]))
            }
            _ => taken(),
        }
    });
    let site = site(state.path(), &far_side);
    let shown = || {
        let sinks = serde_json::to_value(&site.telemetry.snapshot().sinks[0]).unwrap();
        (sinks["state"].clone(), sinks["held_until"].as_i64())
    };
    let logged = Logged::default();
    let _logging = logged.start();
    let all: Vec<_> = (0..1100).map(|time| measurement("a", time)).collect();
    site.outbox.push(&all);
    site.running(async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let (state, until) = shown();
        assert_eq!(state, "waiting");
        let ahead = until.unwrap() - clock::now().as_secs();
        assert!((115..=121).contains(&ahead), "{ahead}");
        site.until_all_is_settled().await;
    })
    .await;
    assert_eq!(shown(), ("ok".into(), None));
    let text = logged.text();
    assert_eq!(text.matches("asks to wait until").count(), 1, "{text}");
}

#[tokio::test(start_paused = true)]
async fn the_log_names_what_is_refused_and_why_a_sink_fails_now() {
    let state = tempfile::tempdir().unwrap();
    let far_side = far_side(|at, items| match at.as_secs() {
        _ if items[0]["name"] == "bad" => Ok(reply(400, "it is bad", &[])),
        0..100 => away(),
        100..200 => Ok(reply(503, &format!("busy at {}", at.as_secs()), &[])),
        _ => taken(),
    });
    let site = site(state.path(), &far_side);
    let logged = Logged::default();
    let _logging = logged.start();
    site.outbox.push(&[measurement("good", 1)]);
    site.running(async {
        site.until_all_is_settled().await;
        for time in [300, 400] {
            site.outbox.push(&[measurement("bad", time)]);
            site.until_all_is_settled().await;
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
    })
    .await;
    let text = logged.text();
    let lines = |words: &str| text.lines().filter(|line| line.contains(words)).count();
    assert_eq!(lines("connection refused"), 1, "{text}");
    assert_eq!(lines("busy at"), 1, "{text}");
    assert_eq!(lines("first=bad"), 2, "{text}");
    assert_eq!(lines("it is bad"), 2, "{text}");
    assert_eq!(lines("less than 10 minutes ago"), 1, "{text}");
}

/// What is written to the log by this thread.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Logged {
    fn start(&self) -> tracing::subscriber::DefaultGuard {
        let to = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || to.clone());
        tracing::subscriber::set_default(subscriber.finish())
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
