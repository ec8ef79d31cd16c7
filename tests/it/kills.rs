//! SIGKILL at random moments: what was acknowledged over RELP is in its window, once; of UDP
//! and TCP only what came after the last checkpoint is missing; windows go on.
//!
//! The senders never pause. Every line can be told from the others in the windows at the end,
//! so that a missing one is known with the moment at which it was sent.
//!
//! `WEIR_KILLS` says how often, `WEIR_KILLS_SEED` repeats the moments of an earlier run;
//! `just kills` sets them.

use crate::support::http::Metrics;
use crate::support::ledger::{Ledger, Line, RULE, Told};
use crate::support::relp::Relp;
use crate::support::{Weir, asked, folder, now_millis, ports, wait_for, write};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

const KILLS: u32 = 200;

/// `checkpoint_every`, in milliseconds: the shortest there may be.
const CHECKPOINT_EVERY: i64 = 100;

/// A checkpoint is kept when the disk has it, and the next one is cut no earlier. So a kill
/// loses what came in an interval and in the time that two of them take to be kept: of the one
/// that is under way, and of the one before. In milliseconds, on a busy machine.
const COMMITS: i64 = 1_500;

/// From a sender's clock to weir having read the line, in milliseconds, on a busy machine.
const TRANSIT: i64 = 500;

/// How long a life has to be for its last checkpoint to be its own, in milliseconds.
const LONG: i64 = 1_500;

/// For everything that is still to come at the end.
const WITHIN: Duration = Duration::from_secs(60);

/// RELP's senders have addresses of their own, by which weir knows them.
const RELP_SENDERS: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)];

/// Lines that a sender over RELP may have unacknowledged; then it writes no more.
const UNACKNOWLEDGED: usize = 400;

#[test]
fn lines_acknowledged_are_counted_once_whenever_weir_is_killed() {
    let seed = asked("WEIR_KILLS_SEED", "a whole number").unwrap_or_else(rand::random::<u64>);
    let kills = asked("WEIR_KILLS", "how often to kill").unwrap_or(KILLS);
    println!("WEIR_KILLS={kills} WEIR_KILLS_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let site = Site::new();
    let senders = Senders::start(&site);

    let mut lives = Vec::new();
    for _ in 0..kills {
        let weir = Weir::launch(site.path());
        // In the middle of starting, soon after, or after some checkpoints.
        let millis = match random.random_range(0..10) {
            0 | 1 => random.random_range(0..80),
            2..9 => random.random_range(80..500),
            _ => random.random_range(LONG as u64 + 200..LONG as u64 + 700),
        };
        std::thread::sleep(Duration::from_millis(millis));
        let killed = now_millis();
        lives.push(Life::read(&weir.kill().stderr, killed));
    }

    let mut weir = Weir::launch(site.path()).until_it_answers();
    let Sent { relp, udp, tcp } = senders.stop();
    lives.push(Life::read(&weir.log(), i64::MAX));
    let ledgers = || relp.iter().chain([&udp, &tcp]);
    let spans: Vec<(i64, i64)> = ledgers().filter_map(Ledger::span).collect();
    let from = spans.iter().map(|span| span.0).min().expect("lines");
    let to = spans.iter().map(|span| span.1).max().expect("lines");
    let base = weir.http();
    let told = wait_for("every window to be told", WITHIN, || {
        let told = Told::read(&base, from - 60, to + 60)?;
        let mut missing = relp.iter().map(|ledger| {
            let found = ledger.find(&told);
            ledger.lines.len() as u64 - found.count()
        });
        let settled = [&udp, &tcp].iter().all(|ledger| {
            let found = ledger.find(&told);
            let lines = ledger.lines.iter().zip(found.present);
            let mut wanted = lines.filter(|(line, _)| !is_excused(line, &lives));
            wanted.all(|(_, present)| present)
        });
        match missing.all(|n| n == 0) && settled {
            true => Ok(told),
            false => {
                let mut text = String::new();
                for ledger in ledgers() {
                    text += &describe(ledger, &told, &lives);
                }
                Err(text)
            }
        }
    });

    let mut wrong: Vec<String> = Vec::new();
    let mut present = 0;
    for ledger in ledgers() {
        let found = ledger.find(&told);
        present += found.count();
        wrong.extend(found.wrong);
    }
    assert!(
        wrong.is_empty(),
        "{} windows, such as\n{}",
        wrong.len(),
        wrong[..wrong.len().min(10)].join("\n")
    );
    let metrics = Metrics::read(&base).expect("the metrics");
    let acknowledged: u64 = relp.iter().map(|ledger| ledger.lines.len() as u64).sum();
    // What a weir had told of late lines before it was killed stands, though they are not in
    // its account any more.
    let received = metrics.received();
    assert!(
        (acknowledged..=present).contains(&received),
        "{received} lines by the account, where {acknowledged} were acknowledged and {present} \
         are in the windows"
    );
    assert_eq!(metrics.parsed(), received, "lines parsed");
    assert_eq!(weir.terminate().code, Some(0));

    let costs = costs(&lives);
    let worst = costs.last().copied().unwrap_or_default();
    println!(
        "{acknowledged} lines over RELP, {} of {} over UDP, {} of {} over TCP; kills lost {} ms \
         in the middle and {worst} ms at most",
        udp.find(&told).count(),
        udp.lines.len(),
        tcp.find(&told).count(),
        tcp.lines.len(),
        costs.get(costs.len() / 2).copied().unwrap_or_default(),
    );
    assert!(
        worst <= CHECKPOINT_EVERY + COMMITS,
        "a kill lost what came in {worst} ms"
    );
}

/// A torn file, somebody else's, and one of a later weir: each is set aside, named in the log,
/// and weir works.
#[test]
fn a_checkpoint_that_is_of_no_use_is_set_aside() {
    let site = Site::new();
    let file = site.path().join("state/checkpoint.redb");
    let mut weir = site.serve();
    let mut sender = Relp::new(RELP_SENDERS[0].into(), site.relp);
    let mut ledger = Ledger::new("relp");
    for (word, damage) in [
        ("damaged", tear as fn(&Path)),
        ("damaged", |file: &Path| write(file, "a shopping list")),
        ("foreign", make_foreign),
        ("future", make_future),
    ] {
        sender.push(ledger.write(0));
        wait_for("the line to be acknowledged", WITHIN, || {
            sender.drive(Duration::from_millis(20));
            match sender.waiting() {
                0 => Ok(()),
                n => Err(format!("{n} are not")),
            }
        });
        weir.kill();
        damage(&file);
        weir = site.serve();
        let aside = wait_for("a file to be set aside", WITHIN, || {
            let log = weir.log();
            let mut words = log.split_whitespace();
            let aside = words.find_map(|word| word.strip_prefix("set_aside="));
            aside.map(str::to_owned).ok_or(log)
        });
        assert!(
            aside.contains(&format!("checkpoint.redb.{word}-")),
            "{aside}"
        );
        assert!(site.path().join(&aside).exists(), "there is no {aside}");
    }
    // And what is counted from here on is kept again.
    let cut = ledger.lines.len();
    sender.push(ledger.write(0));
    wait_for("the last line to be acknowledged", WITHIN, || {
        sender.drive(Duration::from_millis(20));
        match sender.waiting() {
            0 => Ok(()),
            n => Err(format!("{n} are not")),
        }
    });
    weir.kill();
    let mut weir = site.serve();
    let base = weir.http();
    let (from, to) = ledger.span().expect("lines");
    wait_for("the last line in its window", WITHIN, || {
        let found = ledger.find(&Told::read(&base, from - 60, to + 60)?);
        match found.present[cut] {
            true => Ok(()),
            false => Err(format!("{found:?}")),
        }
    });
}

fn tear(file: &Path) {
    let bytes = fs::read(file).expect("a checkpoint");
    fs::write(file, &bytes[..bytes.len() / 2]).expect("half of it");
}

/// A database of somebody else's.
fn make_foreign(file: &Path) {
    const TABLE: redb::TableDefinition<&str, &str> = redb::TableDefinition::new("shopping");
    fs::remove_file(file).expect("a checkpoint");
    let database = redb::Database::create(file).expect("a database");
    let write = database.begin_write().expect("a transaction");
    let mut table = write.open_table(TABLE).expect("a table");
    table.insert("bread", "2").expect("an entry");
    drop(table);
    write.commit().expect("written");
}

/// As a weir writes it that knows a later format.
fn make_future(file: &Path) {
    const META: redb::TableDefinition<&str, &[u8]> = redb::TableDefinition::new("weir checkpoint");
    let database = redb::Database::open(file).expect("a checkpoint");
    let write = database.begin_write().expect("a transaction");
    {
        let (table, key, value) = ("weir checkpoint", "format", 1_000_u64.to_le_bytes());
        let checked = [table.as_bytes(), key.as_bytes(), &value].concat();
        let mut sealed = xxhash_rust::xxh3::xxh3_64(&checked).to_le_bytes().to_vec();
        sealed.extend(value);
        let mut meta = write.open_table(META).expect("its table");
        meta.insert(key, sealed.as_slice()).expect("its format");
    }
    write.commit().expect("written");
}

/// A weir's folder and the ports that it has in each of its lives.
struct Site {
    folder: TempDir,
    syslog: SocketAddr,
    relp: SocketAddr,
}

impl Site {
    fn new() -> Site {
        let [syslog, relp, http] = [(); 3].map(|()| ports::free());
        let config = format!(
            r#"listen:
  - {{ protocol: udp, address: "127.0.0.1:{syslog}" }}
  - {{ protocol: tcp, address: "127.0.0.1:{syslog}" }}
  - {{ protocol: relp, address: "127.0.0.1:{relp}" }}
rules: rules.yaml
state: state
checkpoint_every: {CHECKPOINT_EVERY}ms
# Windows close, and are amended by what is sent again, in the shortest of lives.
grace: 100ms
http: {{ address: "127.0.0.1:{http}" }}
"#
        );
        let rules = format!("rules:\n{RULE}");
        Site {
            folder: folder(&[("weir.yaml", &config), ("rules.yaml", &rules)]),
            syslog: SocketAddr::from(([127, 0, 0, 1], syslog)),
            relp: SocketAddr::from(([127, 0, 0, 1], relp)),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn serve(&self) -> Weir {
        Weir::serve(self.path())
    }
}

/// What the log of one weir tells of it; times in milliseconds since 1970.
#[derive(Debug)]
struct Life {
    /// From when on all sockets were there.
    listening: Option<i64>,
    /// When the checkpoint was taken that it went on from.
    restored: Option<i64>,
    killed: i64,
}

impl Life {
    fn read(log: &str, killed: i64) -> Life {
        let millis = |text: &str| {
            let time: jiff::Timestamp = text.parse().ok()?;
            Some(time.as_millisecond())
        };
        let mut life = Life {
            listening: None,
            restored: None,
            killed,
        };
        for line in log.lines() {
            if line.contains("listening") && line.contains("relp") {
                life.listening = line.split_whitespace().next().and_then(millis);
            }
            if line.contains("going on from the last checkpoint") {
                let words = line.split_whitespace();
                let mut taken = words.filter_map(|word| word.strip_prefix("taken_at="));
                life.restored = taken.next().and_then(millis);
            }
        }
        life
    }

    fn is_listening(&self, at: i64) -> bool {
        let listening = self.listening.is_some_and(|from| from <= at);
        listening && at < self.killed
    }
}

/// Whether a line that came over UDP or TCP may be missing: no weir was there, or the next one
/// went on from a checkpoint that was older than the line.
fn is_excused(line: &Line, lives: &[Life]) -> bool {
    let Some(life) = lives.iter().position(|life| life.is_listening(line.at)) else {
        return true;
    };
    let mut later = lives[life + 1..]
        .iter()
        .filter(|life| life.listening.is_some());
    // The last one is not killed.
    later.next().is_some_and(|next| {
        next.restored
            .is_none_or(|restored| line.at > restored - TRANSIT)
    })
}

/// What each kill of a longer life cost, in milliseconds, in ascending order.
fn costs(lives: &[Life]) -> Vec<i64> {
    let mut costs = Vec::new();
    for (number, life) in lives.iter().enumerate() {
        let lasted = life.listening.map_or(0, |from| life.killed - from);
        let mut later = lives[number + 1..].iter().filter_map(|life| life.restored);
        if lasted >= LONG
            && let Some(restored) = later.next()
        {
            costs.push(life.killed - restored);
        }
    }
    costs.sort_unstable();
    costs
}

/// How many of a ledger's lines are missing, and which first.
fn describe(ledger: &Ledger, told: &Told, lives: &[Life]) -> String {
    let found = ledger.find(told);
    let lines = ledger.lines.iter().zip(&found.present);
    let missing: Vec<&Line> = lines
        .filter(|(line, present)| !**present && !is_excused(line, lives))
        .map(|(line, _)| line)
        .collect();
    let Some(first) = missing.first() else {
        return String::new();
    };
    let near: Vec<&Life> = lives
        .iter()
        .filter(|life| (first.at - 2_000..first.at + 2_000).contains(&life.killed))
        .collect();
    format!(
        "{} of {} lines are missing, such as {first:?} near {near:?}\n",
        missing.len(),
        ledger.lines.len()
    )
}

/// Everybody who sends, each in a thread of its own, until told to stop.
struct Senders {
    stop: Arc<AtomicBool>,
    relp: Vec<JoinHandle<Ledger>>,
    udp: JoinHandle<Ledger>,
    tcp: JoinHandle<Ledger>,
}

struct Sent {
    relp: Vec<Ledger>,
    udp: Ledger,
    tcp: Ledger,
}

impl Senders {
    fn start(site: &Site) -> Senders {
        let stop = Arc::new(AtomicBool::new(false));
        let (syslog, relp) = (site.syslog, site.relp);
        let spawn = |send: Box<dyn FnOnce(&AtomicBool) -> Ledger + Send>| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || send(&stop))
        };
        let by_relp = |(number, source): (usize, Ipv4Addr)| {
            let ledger = Ledger::new(&format!("relp{number}"));
            let sender = Relp::new(source.into(), relp);
            spawn(Box::new(move |stop| send_relp(sender, ledger, stop)))
        };
        let relp = RELP_SENDERS.into_iter().enumerate().map(by_relp);
        Senders {
            relp: relp.collect(),
            udp: spawn(Box::new(move |stop| send_udp(syslog, stop))),
            tcp: spawn(Box::new(move |stop| send_tcp(syslog, stop))),
            stop,
        }
    }

    /// What they have sent; over RELP everything is acknowledged then.
    fn stop(self) -> Sent {
        self.stop.store(true, Ordering::Relaxed);
        let join = |thread: JoinHandle<Ledger>| thread.join().expect("a sender does not fail");
        Sent {
            relp: self.relp.into_iter().map(join).collect(),
            udp: join(self.udp),
            tcp: join(self.tcp),
        }
    }
}

fn send_relp(mut sender: Relp, mut ledger: Ledger, stop: &AtomicBool) -> Ledger {
    while !stop.load(Ordering::Relaxed) {
        // Several at once, so that they share what is written to the journal.
        for _ in 0..3 {
            if sender.waiting() < UNACKNOWLEDGED {
                sender.push(ledger.write(0));
            }
        }
        sender.drive(Duration::from_millis(4));
        std::thread::sleep(Duration::from_millis(2));
    }
    wait_for("the last lines to be acknowledged", WITHIN, || {
        sender.drive(Duration::from_millis(20));
        match sender.waiting() {
            0 => Ok(()),
            n => Err(format!("{n} are not")),
        }
    });
    assert_eq!(sender.acknowledged, ledger.lines.len() as u64);
    sender.close();
    ledger
}

fn send_udp(target: SocketAddr, stop: &AtomicBool) -> Ledger {
    let mut ledger = Ledger::new("udp");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
    while !stop.load(Ordering::Relaxed) {
        // Refused where nobody listens.
        let _ = socket.send_to(ledger.write(0).as_bytes(), target);
        std::thread::sleep(Duration::from_millis(5));
    }
    ledger
}

fn send_tcp(target: SocketAddr, stop: &AtomicBool) -> Ledger {
    let mut ledger = Ledger::new("tcp");
    let mut stream: Option<TcpStream> = None;
    while !stop.load(Ordering::Relaxed) {
        if stream.is_none() {
            stream = TcpStream::connect(target).ok();
        }
        if let Some(connected) = &mut stream {
            let line = format!("{}\n", ledger.write(0));
            if connected.write_all(line.as_bytes()).is_err() {
                stream = None;
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    ledger
}
