//! A log of any length, made of lines that real HAProxy wrote (`haproxy.log.zst`; README.md
//! tells where they come from).
//!
//! Each line is one of the recorded ones, drawn at random. Its dates are shifted so that time
//! goes on, and what differs from request to request in life differs here too: the client's
//! address and port, the request's id, numbers in its path. All else is as HAProxy wrote it.
//! The same settings give the same bytes.

use fastrand::Rng;
use std::ops::Range;
use std::time::Duration;
use weir::time::Timestamp;

const RECORDED: &[u8] = include_bytes!("haproxy.log.zst");

/// `local0.info`, as HAProxy sends requests.
const PRIORITY: &str = "<134>";

/// `Nov 21 04:00:00`
const STAMP_BYTES: usize = 15;

/// `21/Nov/2026:04:00:00.000`
const DATE_BYTES: usize = 24;

/// Shorter numbers in a request are versions, pages and sizes, which are few in life too.
const DIGITS_MIN: usize = 4;

#[derive(Clone, Debug)]
pub struct Settings {
    pub lines: u64,
    pub seed: u64,
    /// When the first request ends.
    pub start: Timestamp,
    /// How long after that the last one does.
    pub span: Duration,
    /// So many services with names of one length, all as busy as each other, instead of the
    /// fifty that were recorded.
    pub services: Option<u32>,
    /// Whether lines begin with their priority, as they are sent, or not, as they stand in files.
    pub priority: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            lines: 1_000_000,
            seed: 1,
            // Saturday, 21 November 2026, 04:00 UTC.
            start: Timestamp::from_secs(1_795_233_600),
            span: Duration::from_secs(3600),
            services: None,
            priority: false,
        }
    }
}

/// The lines, one after the other.
pub struct Lines {
    settings: Settings,
    recorded: Vec<Recorded>,
    random: Rng,
    done: u64,
    stamp: Cached,
    date: Cached,
}

impl Lines {
    pub fn new(settings: Settings) -> Lines {
        let text = zstd::decode_all(RECORDED).expect("the recorded log is packed by Zstandard");
        let text = String::from_utf8(text).expect("HAProxy escapes what is no text");
        Lines {
            recorded: text.lines().map(Recorded::new).collect(),
            random: Rng::with_seed(settings.seed),
            done: 0,
            stamp: Cached::new("%b %e %H:%M:%S"),
            date: Cached::new("%d/%b/%Y:%H:%M:%S"),
            settings,
        }
    }

    /// Adds the next line with its line feed. `false`: there are no more.
    pub fn write(&mut self, to: &mut Vec<u8>) -> bool {
        if self.done == self.settings.lines {
            return false;
        }
        let Settings {
            lines,
            start,
            span,
            services,
            priority,
            ..
        } = self.settings;
        let after = span.as_millis() * u128::from(self.done) / u128::from(lines);
        let after = i64::try_from(after).expect("a span of less than a million years");
        let ended = start.as_millis() + after;
        self.done += 1;
        let recorded = &self.recorded[self.random.usize(..self.recorded.len())];
        let began = ended - recorded.took;
        let random = &mut self.random;
        let service = services.map(|services| format!("service-{:05}", random.u32(..services)));
        if priority {
            to.extend_from_slice(PRIORITY.as_bytes());
        }
        for part in &recorded.parts {
            match part {
                Part::Text(range) => to.extend_from_slice(recorded.bytes(range)),
                Part::Stamp => to.extend_from_slice(self.stamp.of(ended.div_euclid(1000))),
                Part::Date => {
                    to.extend_from_slice(self.date.of(began.div_euclid(1000)));
                    let millis = began.rem_euclid(1000);
                    to.extend_from_slice(format!(".{millis:03}").as_bytes());
                }
                Part::Client => {
                    let [_, a, b, c] = random.u32(..).to_be_bytes();
                    let port = random.u16(1024..);
                    to.extend_from_slice(format!("127.{a}.{b}.{c}:{port}").as_bytes());
                }
                Part::Service(range) => match &service {
                    Some(service) => to.extend_from_slice(service.as_bytes()),
                    None => to.extend_from_slice(recorded.bytes(range)),
                },
                Part::Digits(count) => {
                    to.push(random.u8(b'1'..=b'9'));
                    to.extend((1..*count).map(|_| random.u8(b'0'..=b'9')));
                }
                Part::Id(range) => {
                    let id = recorded.bytes(range).iter();
                    to.extend(id.map(|byte| match byte {
                        b'-' => b'-',
                        _ => b"0123456789abcdef"[random.usize(..16)],
                    }));
                }
            }
        }
        to.push(b'\n');
        true
    }
}

/// A line as it was recorded, and what of it varies.
struct Recorded {
    text: String,
    parts: Vec<Part>,
    /// How long the request took, in milliseconds: `Ta`.
    took: i64,
}

enum Part {
    Text(Range<usize>),
    /// When the envelope was sent, which is when the request ended.
    Stamp,
    /// The client's address and port.
    Client,
    /// When the request began.
    Date,
    /// The name of the service, in that of a frontend, backend or server.
    Service(Range<usize>),
    /// The captured header that says which request it is.
    Id(Range<usize>),
    /// A number with so many digits.
    Digits(usize),
}

impl Recorded {
    /// `Nov 21 04:00:00 lb1 haproxy[7]: 127.0.0.1:4000 [21/Nov/2026:04:00:00.000] users
    /// users/users-1 0/0/1/20/21 200 512 - - ---- 1/1/0/0/0 0/0 {id|agent} "GET /7 HTTP/1.1"`
    fn new(line: &str) -> Recorded {
        let mut parts = Parts {
            text: line,
            at: 0,
            parts: Vec::new(),
        };
        let envelope = line.find("]: ").expect("an envelope") + 3;
        let date = line.find(" [").expect("a date") + 2;
        parts.vary(0..STAMP_BYTES, Part::Stamp);
        parts.vary(envelope..date - 2, Part::Client);
        parts.vary(date..date + DATE_BYTES, Part::Date);
        let names = date + DATE_BYTES + 2;
        let mut blanks = line[names..].match_indices(' ').map(|(at, _)| names + at);
        let mut blank = || blanks.next().expect("names, timers, a status");
        let (frontend, servers) = (names..blank(), blank());
        let service = &line[frontend.clone()];
        parts.vary(frontend.clone(), Part::Service(frontend.clone()));
        let backend = frontend.end + 1;
        // A backend of its own name, unless the request was none for its service.
        if line[backend..].starts_with(&format!("{service}/")) {
            let name = backend..backend + service.len();
            parts.vary(name.clone(), Part::Service(name));
            let server = backend + service.len() + 1;
            if line[server..].starts_with(&format!("{service}-")) {
                let name = server..server + service.len();
                parts.vary(name.clone(), Part::Service(name));
            }
        }
        let timers = &line[servers + 1..blank()];
        let took = timers.rsplit('/').next().and_then(|took| took.parse().ok());
        let request = line.find(" \"").expect("a request") + 2;
        // A request that could not be read has no headers.
        if let Some(captures) = line[..request].find(" {") {
            let id = captures + 2;
            let id = id..id + line[id..].find('|').expect("two headers");
            parts.vary(id.clone(), Part::Id(id));
        }
        let mut at = request;
        while at < line.len() {
            let digits = line[at..].bytes().take_while(u8::is_ascii_digit).count();
            if digits >= DIGITS_MIN {
                parts.vary(at..at + digits, Part::Digits(digits));
            }
            at += digits.max(1);
        }
        Recorded {
            parts: parts.finish(),
            text: line.to_owned(),
            took: took.unwrap_or(0).max(0),
        }
    }

    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        &self.text.as_bytes()[range.clone()]
    }
}

/// Parts of a line up to a place in it.
struct Parts<'a> {
    text: &'a str,
    at: usize,
    parts: Vec<Part>,
}

impl Parts<'_> {
    /// What stands there varies; what stands before it does not.
    fn vary(&mut self, range: Range<usize>, part: Part) {
        self.parts.push(Part::Text(self.at..range.start));
        self.parts.push(part);
        self.at = range.end;
    }

    fn finish(mut self) -> Vec<Part> {
        self.parts.push(Part::Text(self.at..self.text.len()));
        self.parts
    }
}

/// The date of the last second that was asked for: most lines are of the same.
struct Cached {
    format: &'static str,
    second: Option<i64>,
    text: String,
}

impl Cached {
    fn new(format: &'static str) -> Cached {
        Cached {
            format,
            second: None,
            text: String::new(),
        }
    }

    fn of(&mut self, second: i64) -> &[u8] {
        if self.second != Some(second) {
            let at = jiff::Timestamp::from_second(second).expect("a year of four digits");
            self.text = at.strftime(self.format).to_string();
            self.second = Some(second);
        }
        self.text.as_bytes()
    }
}
