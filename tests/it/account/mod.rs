//! The account: everything at once, and at the end the books balance to the line.
//!
//! Four ways in (UDP, TCP, TLS, RELP), every kind of line, a sink that fails in every way it
//! can, rules that change, some of them wrong, stops and kills. After each round
//!
//! ```text
//! sent = parsed + rejected + lost          each kind of line under the name it must have
//! ```
//!
//! where only a kill in the middle of sending may lose anything, nothing of it over RELP; and at
//! the end each line that was parsed and belongs in a window is in exactly one, in the store as
//! at the sink.
//!
//! What happens is a plan (`plan.rs`), made of a seed. `WEIR_ACCOUNT_SEED` repeats it and
//! `WEIR_ACCOUNT_SECONDS` says for how long; `just account` sets them.

mod plan;
mod senders;

use crate::support::flaky::{CURSED, Flaky};
use crate::support::http::Metrics;
use crate::support::ledger::{RULE, Told};
use crate::support::tls::Authority;
use crate::support::{Weir, asked, folder, now_millis, ports, wait_for, write};
use plan::{End, Event, OUTCOMES, Outcome, Round};
use senders::{Addresses, Senders, Wrote};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long it runs in `./test.sh`.
const SECONDS: u64 = 60;

/// For lines to arrive, windows to close and checkpoints to be kept on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// For a sink that has failed to get everything: its breaker and its limits first.
const DELIVERED: Duration = Duration::from_secs(90);

/// The longest line, in bytes.
const LINE_BYTES: usize = 1024;

/// `grace`, in milliseconds.
const GRACE: i64 = 500;

#[test]
fn the_books_balance_to_the_line() {
    let seed = asked("WEIR_ACCOUNT_SEED", "a whole number").unwrap_or_else(rand::random::<u64>);
    let seconds = asked("WEIR_ACCOUNT_SECONDS", "a number of seconds").unwrap_or(SECONDS);
    println!("WEIR_ACCOUNT_SECONDS={seconds} WEIR_ACCOUNT_SEED={seed}");
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut running = Running::start();
    let mut number = 0;
    // Each kind of end comes in the first rounds, whatever the time.
    while Instant::now() < end || number < plan::ROUNDS_MIN {
        let round = Round::of(seed, number);
        println!("round {number}: {round:?}");
        running.run(&round);
        number += 1;
    }
    running.finish();
}

/// How many lines there are of each outcome.
type Books = BTreeMap<Outcome, u64>;

fn of(books: &Books, outcome: Outcome) -> u64 {
    books.get(&outcome).copied().unwrap_or_default()
}

struct Running {
    site: Site,
    /// `None` between two lives.
    weir: Option<Weir>,
    base: String,
    sink: Flaky,
    senders: Senders,
    /// How often rules have been written.
    written: Cell<u64>,
    /// What was sent and is not known to be lost.
    books: Books,
    /// What kills have lost, by what would have become of it.
    lost: Books,
    /// The lines of each ledger that a kill may have lost.
    unsure: Vec<(usize, Range<usize>, i64)>,
}

impl Running {
    fn start() -> Running {
        let sink = Flaky::start();
        let site = Site::new(&sink.url());
        let mut weir = Weir::serve(site.path());
        Running {
            base: weir.http(),
            senders: Senders::new(site.addresses(), &site.authority),
            weir: Some(weir),
            site,
            sink,
            written: Cell::new(0),
            books: Books::new(),
            lost: Books::new(),
            unsure: Vec::new(),
        }
    }

    fn run(&mut self, round: &Round) {
        let before = self.senders.lengths();
        self.senders.connect();
        let sent = std::thread::scope(|scope| {
            let senders = self.senders.iter_mut();
            let threads: Vec<_> = senders
                .zip(&round.bursts)
                .map(|(sender, bursts)| {
                    let is_killed = matches!(round.end, End::Kill(_));
                    scope.spawn(move || sender.send(bursts, is_killed))
                })
                .collect();
            let happening = Happening {
                site: &self.site,
                weir: self.weir.as_ref().expect("it runs"),
                base: &self.base,
                sink: &self.sink,
                written: &self.written,
            };
            for event in &round.events {
                let is_killed = matches!(round.end, End::Kill(_));
                happening.come(event, is_killed);
            }
            if let End::Kill(after) = round.end {
                std::thread::sleep(after);
                kill(&mut self.weir);
            }
            let join = |thread: std::thread::ScopedJoinHandle<'_, Wrote>| {
                thread.join().expect("a sender does not fail")
            };
            threads.into_iter().map(join).collect::<Vec<_>>()
        });
        let killed = now_millis();
        for wrote in &sent {
            for (outcome, lines) in &wrote.lines {
                *self.books.entry(*outcome).or_default() += lines;
            }
        }
        match round.end {
            End::GoOn => {
                self.settle();
                // The next round may end with a kill at once, which must cost it alone.
                self.until_kept();
            }
            End::Kill(_) => {
                let after = self.senders.lengths();
                let ranges = before.into_iter().zip(after).enumerate();
                let ranges = ranges.filter(|(ledger, _)| self.senders.may_lose(*ledger));
                let ranges = ranges.map(|(ledger, (from, to))| (ledger, from..to, killed));
                self.unsure.extend(ranges);
                self.restart();
                self.senders.connect();
                self.senders.finish_relp();
                let mut risked = Books::new();
                for wrote in sent.iter().filter(|wrote| wrote.may_be_lost) {
                    for (outcome, lines) in &wrote.lines {
                        *risked.entry(*outcome).or_default() += lines;
                    }
                }
                self.write_off(&risked);
            }
            End::QuietKill => {
                self.settle();
                self.until_kept();
                kill(&mut self.weir);
                self.restart();
                self.settle();
            }
            End::Stop => {
                terminate(&mut self.weir);
                self.restart();
                self.settle();
            }
        }
    }

    /// Starts the next weir with rules that are right.
    fn restart(&mut self) {
        self.site.write_rules("");
        let mut weir = Weir::serve(self.site.path());
        self.base = weir.http();
        self.weir = Some(weir);
        self.senders.disconnect();
    }

    /// Waits until the books are what they must be.
    fn settle(&mut self) {
        wait_for("the books to balance", SOON, || {
            let got = books(&self.base)?;
            let differ = |outcome: &&Outcome| of(&got, **outcome) != of(&self.books, **outcome);
            let wrong: Vec<_> = OUTCOMES.iter().filter(differ).collect();
            match wrong.is_empty() {
                true => Ok(()),
                false => Err(format!(
                    "{wrong:?}: weir has {got:?}, and sent was {:?}",
                    self.books
                )),
            }
        });
    }

    /// Takes out of the books what a kill has lost; that is part of `risked` at most.
    fn write_off(&mut self, risked: &Books) {
        let got = self.settled();
        for outcome in OUTCOMES {
            let (sent, got) = (of(&self.books, outcome), of(&got, outcome));
            let lost = sent.checked_sub(got).unwrap_or_else(|| {
                panic!("{outcome:?}: weir has {got} lines, and only {sent} were sent")
            });
            let risked = of(risked, outcome);
            assert!(
                lost <= risked,
                "{outcome:?}: {lost} lines are lost, and {risked} were at risk"
            );
            *self.lost.entry(outcome).or_default() += lost;
            self.books.insert(outcome, got);
        }
    }

    /// weir's books, once everything it has received is in them.
    fn settled(&self) -> Books {
        wait_for("what was received to be accounted for", SOON, || {
            let metrics = Metrics::read(&self.base)?;
            let got = books(&self.base)?;
            let lines: u64 = OUTCOMES
                .iter()
                .filter(|o| o.is_line())
                .map(|o| of(&got, *o))
                .sum();
            let received = metrics.received();
            (received == lines && metrics.sum("weir_lines_queued", "") == 0)
                .then_some(got.clone())
                .ok_or_else(|| format!("{received} lines are received: {got:?}"))
        })
    }

    /// Waits until what was received by now is in a checkpoint that is on disk.
    fn until_kept(&self) {
        let now = now_millis() as f64 / 1000.0;
        wait_for("a checkpoint", SOON, || {
            let metrics = Metrics::read(&self.base)?;
            let kept = metrics.value("weir_checkpoint_timestamp_seconds", "");
            (kept > now)
                .then_some(())
                .ok_or_else(|| format!("the newest is of {kept}, now is {now}"))
        });
    }

    /// Every line in exactly one window, in the store and at the sink.
    fn finish(mut self) {
        self.sink.heal();
        self.senders.finish_relp();
        self.settle();
        let spans = self
            .senders
            .ledgers()
            .filter_map(|(_, ledger)| ledger.span());
        let spans: Vec<_> = spans.collect();
        let from = spans.iter().map(|span| span.0).min().expect("lines");
        let to = spans.iter().map(|span| span.1).max().expect("lines");
        let present = wait_for("the store to have every line", SOON, || {
            let told = Told::read(&self.base, from - 60, to + 60)?;
            self.find(&told, |_| true)
        });
        let counted = of(&self.books, Outcome::InWindow);
        // What a weir had told of closed windows before it was killed stands, though it is in
        // no account any more.
        let told = self.told_before_kills();
        assert!(
            (counted..=counted + told).contains(&present),
            "{present} lines are in windows, and {counted} by the account; {told} may have been \
             told before a kill"
        );
        wait_for("the sink to have every line", DELIVERED, || {
            let metrics = Metrics::read(&self.base)?;
            let queued = metrics.sum("weir_sink_queued", "sink=\"librato\"");
            let found = self.find(&self.sink.taken(), |name| name != CURSED);
            found
                .and_then(|_| match queued {
                    0 => Ok(()),
                    _ => Err("something waits for the sink".to_owned()),
                })
                .map_err(|why| format!("{queued} measurements wait; {why}"))
        });
        let cursed = self
            .sink
            .taken()
            .lines
            .keys()
            .any(|name| name.starts_with(CURSED));
        assert!(!cursed, "the sink has taken what it refuses");
        let metrics = Metrics::read(&self.base).expect("the metrics");
        for outcome in ["store", "librato"] {
            let label = format!("sink=\"{outcome}\",outcome=\"dropped\"");
            let dropped = metrics.sum("weir_sink_measurements_total", &label);
            assert_eq!(dropped, 0, "measurements that {outcome} lost");
        }
        println!(
            "{:?}, of these {present} in windows; kills lost {:?}; {} requests of the sink failed",
            self.books,
            self.lost,
            self.sink.failed()
        );
        terminate(&mut self.weir);
    }

    /// How many lines of these ledgers are in their windows; `Err` names what is wrong.
    fn find(&self, told: &Told, wanted: impl Fn(&str) -> bool) -> Result<u64, String> {
        let mut present = 0;
        let mut wrong = Vec::new();
        for (place, (name, ledger)) in self.senders.ledgers().enumerate() {
            if !wanted(name) {
                continue;
            }
            let found = ledger.find(told);
            present += found.count();
            wrong.extend(found.wrong);
            let missing = (0..ledger.lines.len()).filter(|line| !found.present[*line]);
            let unsure = |line: usize| {
                let mut ranges = self.unsure.iter();
                ranges.any(|(ledger, lines, _)| *ledger == place && lines.contains(&line))
            };
            let missing: Vec<usize> = missing.filter(|line| !unsure(*line)).collect();
            if let Some(first) = missing.first() {
                wrong.push(format!(
                    "{} of {} lines of {name} are missing, such as {:?}",
                    missing.len(),
                    ledger.lines.len(),
                    ledger.lines[*first]
                ));
            }
        }
        match wrong.is_empty() {
            true => Ok(present),
            false => Err(wrong[..wrong.len().min(10)].join("\n")),
        }
    }

    /// How many lines that kills may have lost are of windows that had closed before.
    fn told_before_kills(&self) -> u64 {
        let ledgers: Vec<_> = self.senders.ledgers().map(|(_, ledger)| ledger).collect();
        let lines = self.unsure.iter().flat_map(|(ledger, lines, killed)| {
            let lines = &ledgers[*ledger].lines[lines.clone()];
            lines
                .iter()
                .filter(|line| (line.window + 1) * 1000 + GRACE <= *killed)
        });
        lines.count() as u64
    }
}

/// weir's books, by its own counters.
fn books(base: &str) -> Result<Books, String> {
    let metrics = Metrics::read(base)?;
    let events =
        |outcome: &str| metrics.sum("weir_events_total", &format!("outcome=\"{outcome}\""));
    let rejected =
        |reason: &str| metrics.sum("weir_lines_rejected_total", &format!("reason=\"{reason}\""));
    let books = OUTCOMES.map(|outcome| {
        let lines = match outcome {
            Outcome::InWindow => ["counted", "late", "over_limit"].map(events).iter().sum(),
            Outcome::TooLate => events("too_late"),
            Outcome::Future => events("future"),
            Outcome::Skipped => events("skipped"),
            Outcome::Notice => events("notice"),
            Outcome::NotTraffic => rejected("not_traffic"),
            Outcome::Malformed => rejected("malformed"),
            Outcome::Empty => rejected("empty"),
            Outcome::Cut => metrics.sum("weir_frames_cut_total", ""),
        };
        (outcome, lines)
    });
    Ok(books.into())
}

fn kill(weir: &mut Option<Weir>) {
    weir.take().expect("it runs").kill();
}

fn terminate(weir: &mut Option<Weir>) {
    let ended = weir.take().expect("it runs").terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

/// What an event changes.
struct Happening<'a> {
    site: &'a Site,
    weir: &'a Weir,
    base: &'a str,
    sink: &'a Flaky,
    written: &'a Cell<u64>,
}

impl Happening<'_> {
    fn come(&self, event: &Event, is_killed: bool) {
        let Happening {
            site,
            weir,
            base,
            sink,
            written,
        } = self;
        match event {
            Event::Fault(fault) => sink.fail(*fault),
            Event::Down => sink.set_down(true),
            Event::Up => sink.set_down(false),
            Event::Rules { right, hang_up } => {
                let outcome = if *right { "accepted" } else { "refused" };
                let reloads = || {
                    let metrics = Metrics::read(base)?;
                    let label = format!("outcome=\"{outcome}\"");
                    Ok(metrics.sum("weir_reloads_total", &label))
                };
                let before = reloads().unwrap_or_else(|why: String| panic!("no metrics: {why}"));
                // The same text would be no change.
                written.set(written.get() + 1);
                let number = written.get();
                site.write_rules(&match right {
                    true => extra_rule(number),
                    false => format!("  - name: wrong-{number}\n    where: nothing == 1\n"),
                });
                if *hang_up {
                    weir.hang_up();
                }
                // Before a kill nobody waits for it.
                if !is_killed {
                    wait_for("the reload", SOON, || match reloads()? {
                        after if after > before => Ok(()),
                        after => Err(format!("{after} are {outcome}")),
                    });
                }
            }
        }
    }
}

/// A rule beside the one that is read back.
fn extra_rule(number: u64) -> String {
    format!(
        "  - name: extra-{number}\n    where: service != \"unwanted\"\n    by: [service, status]\n    \
         window: 2s\n    measure: {{ p99: percentile(Ta, 99) }}\n"
    )
}

/// A weir's folder, and the ports that it has in each of its lives.
struct Site {
    folder: TempDir,
    authority: Arc<Authority>,
    ports: [u16; 4],
}

impl Site {
    fn new(sink: &str) -> Site {
        let ports = [(); 4].map(|()| ports::free());
        let [syslog, tls, relp, http] = ports;
        let authority = Authority::new("the authority");
        let config = format!(
            r#"listen:
  - {{ protocol: udp, address: "127.0.0.1:{syslog}" }}
  - {{ protocol: tcp, address: "127.0.0.1:{syslog}" }}
  - {{ protocol: tls, address: "127.0.0.1:{tls}", cert: weir.pem, key: weir.key, client_ca: ca.pem }}
  - {{ protocol: relp, address: "127.0.0.1:{relp}" }}
rules: rules.yaml
state: state
checkpoint_every: 100ms
grace: {GRACE}ms
sinks:
  store: {{}}
  prometheus: {{}}
  librato: {{ url: "{sink}", breaker: {{ timeout: 1s, failures: 3, attempt_after: 1s }} }}
http: {{ address: "127.0.0.1:{http}" }}
limits: {{ line_bytes: {LINE_BYTES} }}
"#
        );
        let folder = folder(&[("weir.yaml", &config), ("ca.pem", &authority.pem())]);
        authority.sign("weir.test").write(folder.path(), "weir");
        let site = Site {
            folder,
            authority: Arc::new(authority),
            ports,
        };
        site.write_rules("");
        site
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn addresses(&self) -> Addresses {
        let [syslog, tls, relp, http] = self
            .ports
            .map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        Addresses {
            syslog,
            tls,
            relp,
            http,
        }
    }

    /// The rule that is read back, and this text behind it.
    fn write_rules(&self, more: &str) {
        write(
            &self.path().join("rules.yaml"),
            &format!("rules:\n{RULE}{more}"),
        );
    }
}
