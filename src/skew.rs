//! Hosts whose dates are off by quarters of an hour: HAProxy writes another time zone there
//! than `haproxy.timezone` says.
//!
//! Each worker has a [`Watch`], to which it shows the lines that are far off, and nothing
//! while there are none. The owner of the windows merges what all workers have seen into
//! [`Hosts`], which judge.
//!
//! What is a wrong zone: lines of a host that are off by the same multiple of a quarter,
//! steadily. A backlog that a relay sends after a break is off as well, but by less and less.
//! So a run of lines must last six times as long as the differences in it are apart; one that
//! is sent only a fifth faster than it came into being does not.

use crate::time::Timestamp;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Microseconds in a quarter of an hour. Zones differ by multiples of it.
const QUARTER: i64 = 15 * 60 * 1_000_000;
/// Microseconds that a line may be away from a multiple.
const NEAR: i64 = 60 * 1_000_000;
/// The furthest that two zones are apart: from UTC-12 to UTC+14.
const AHEAD_MAX: u64 = 26 * 3600 * 1_000_000 + NEAR as u64;
/// Seconds that a zone is ahead of UTC.
const OFFSET_LEAST: i64 = -12 * 3600;
const OFFSET_MOST: i64 = 14 * 3600;
/// Lines that a run needs, and how long it has to last.
const LINES_MIN: u64 = 20;
const LAST_MIN: Duration = Duration::from_secs(30);
/// How many times longer a run has to last than its differences are apart.
const STEADY: u32 = 6;
/// How long a host's lines have to be right until all is well.
const RIGHT_FOR: Duration = Duration::from_secs(60);
/// A host of which no line has been off for this long is no longer watched.
const WATCHED_FOR: Duration = Duration::from_secs(600);
/// Hosts that are watched at once, by each worker and in all; others have to wait.
const HOSTS_MAX: usize = 64;
/// What is kept of a host's name; no DNS name is longer.
const HOST_BYTES: usize = 255;

/// What one worker has seen.
#[derive(Debug, Default)]
pub struct Watch {
    hosts: HashMap<Box<[u8]>, Seen, RandomState>,
    /// The newest arrival that it was shown.
    now: Option<Timestamp>,
}

/// What one worker has seen of a host between two hand-overs.
#[derive(Clone, Debug)]
pub struct Sighting {
    host: Box<[u8]>,
    seen: Seen,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    /// Since a line that was off in another way.
    run: Option<Run>,
    /// There was such a line.
    broken: bool,
    /// When the last line came that was off.
    off_at: Option<Timestamp>,
    /// When the last line came that was not.
    right_at: Option<Timestamp>,
    /// There is something to hand over.
    news: bool,
}

/// Lines of a host that are off by the same multiple of a quarter.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// By which their dates are ahead; below zero: behind.
    quarters: i64,
    lines: u64,
    /// Microseconds that the dates are ahead, at least and at most.
    least: i64,
    most: i64,
    /// When the first one came, and the last.
    first: Timestamp,
    last: Timestamp,
}

impl Watch {
    /// Whether a line is to be shown, by the time of its event: it is off, or those that are
    /// right are of interest too.
    #[inline]
    pub fn wants(&self, at: Timestamp, received_at: Timestamp) -> bool {
        is_off(ahead(at, received_at)) || !self.hosts.is_empty()
    }

    /// Takes note of a line: when HAProxy wrote it by its own date, and when it came.
    #[cold]
    pub fn see(&mut self, host: Option<&[u8]>, written_at: Timestamp, received_at: Timestamp) {
        self.now = self.now.max(Some(received_at));
        let ahead = ahead(written_at, received_at);
        let host = host.unwrap_or(b"-");
        let host = &host[..host.len().min(HOST_BYTES)];
        if let Some(seen) = self.hosts.get_mut(host) {
            seen.line(ahead, received_at);
        } else if is_off(ahead) && self.hosts.len() < HOSTS_MAX {
            let mut seen = Seen::default();
            seen.line(ahead, received_at);
            self.hosts.insert(host.into(), seen);
        }
    }

    /// Hands over what was seen since the last time.
    pub fn take(&mut self) -> Vec<Sighting> {
        let Some(now) = self.now else {
            return Vec::new();
        };
        let mut sightings = Vec::new();
        self.hosts.retain(|host, seen| {
            let next = Seen {
                off_at: seen.off_at,
                ..Seen::default()
            };
            let seen = std::mem::replace(seen, next);
            let watched = seen.is_watched(now);
            if seen.news {
                let host = host.clone();
                sightings.push(Sighting { host, seen });
            }
            watched
        });
        sightings
    }
}

impl Seen {
    fn line(&mut self, ahead: i64, received_at: Timestamp) {
        self.news = true;
        if !is_off(ahead) {
            self.right_at = self.right_at.max(Some(received_at));
            return;
        }
        self.off_at = self.off_at.max(Some(received_at));
        let run = Run::of(ahead, received_at);
        match run {
            Some(run) => self.join(run),
            None => (self.run, self.broken) = (None, true),
        }
    }

    /// Goes on with a run, or begins it where it is another one.
    fn join(&mut self, run: Run) {
        match &mut self.run {
            Some(own) if own.quarters == run.quarters => own.join(run),
            own => self.broken |= own.replace(run).is_some(),
        }
    }

    fn merge(&mut self, other: Seen) {
        if other.broken {
            self.run = None;
        }
        if let Some(run) = other.run {
            self.join(run);
        }
        self.off_at = self.off_at.max(other.off_at);
        self.right_at = self.right_at.max(other.right_at);
    }

    fn is_watched(&self, now: Timestamp) -> bool {
        let off_at = self.off_at;
        off_at.is_some_and(|off_at| now.saturating_since(off_at) < WATCHED_FOR)
    }

    /// Its lines are right, and have been for long enough.
    fn is_right(&self, now: Timestamp) -> bool {
        self.right_at > self.off_at
            && self
                .off_at
                .is_some_and(|off_at| now.saturating_since(off_at) >= RIGHT_FOR)
    }
}

impl Run {
    /// `None` if this is near no multiple.
    fn of(ahead: i64, received_at: Timestamp) -> Option<Run> {
        if ahead.unsigned_abs() > AHEAD_MAX {
            return None;
        }
        let quarters = (ahead + QUARTER / 2).div_euclid(QUARTER);
        let near = (ahead - quarters * QUARTER).abs() <= NEAR;
        near.then_some(Run {
            quarters,
            lines: 1,
            least: ahead,
            most: ahead,
            first: received_at,
            last: received_at,
        })
    }

    fn join(&mut self, other: Run) {
        self.lines += other.lines;
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }

    fn is_proof(&self) -> bool {
        let apart = Duration::from_micros(self.most.abs_diff(self.least));
        let lasts = self.last.saturating_since(self.first);
        self.lines >= LINES_MIN && lasts >= LAST_MIN.max(apart * STEADY)
    }
}

/// What all workers have seen, and what follows from it.
#[derive(Debug, Default)]
pub struct Hosts(BTreeMap<Box<[u8]>, Host>);

#[derive(Debug, Default)]
struct Host {
    seen: Seen,
    /// By how many quarters it is off, and since when.
    skewed: Option<(i64, Timestamp)>,
}

/// A host whose dates are off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkewedHost {
    /// As in the envelope; `-` where it has none.
    pub host: String,
    /// By which its dates are ahead of their arrival; below zero: behind.
    pub seconds: i64,
    /// Epoch seconds: when the first such line came.
    pub since: i64,
}

/// What has changed about a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Skewed(SkewedHost),
    /// Its lines are right again.
    Right(String),
    /// There are none any more.
    Silent(String),
}

impl Hosts {
    /// Takes in what one worker has seen.
    pub fn merge(&mut self, sightings: Vec<Sighting>) {
        for Sighting { host, seen } in sightings {
            if let Some(known) = self.0.get_mut(&host) {
                known.seen.merge(seen);
            } else if self.0.len() < HOSTS_MAX {
                self.0.insert(host, Host { seen, skewed: None });
            }
        }
    }

    /// What has changed by this time.
    pub fn advance(&mut self, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        self.0.retain(|name, host| {
            let proof = host.seen.run.filter(Run::is_proof);
            if let Some(run) = proof
                && host
                    .skewed
                    .is_none_or(|(quarters, _)| quarters != run.quarters)
            {
                let skewed = (run.quarters, run.first);
                host.skewed = Some(skewed);
                changes.push(Change::Skewed(SkewedHost::of(name, skewed)));
            }
            let watched = host.seen.is_watched(now);
            if host.skewed.is_none() {
                return watched;
            }
            if host.seen.is_right(now) {
                changes.push(Change::Right(name_of(name)));
                return false;
            }
            if !watched {
                changes.push(Change::Silent(name_of(name)));
            }
            watched
        });
        changes
    }

    /// Those whose dates are off.
    pub fn skewed(&self) -> Vec<SkewedHost> {
        let hosts = self.0.iter();
        let skewed = hosts.filter_map(|(name, host)| Some(SkewedHost::of(name, host.skewed?)));
        skewed.collect()
    }
}

impl SkewedHost {
    fn of(name: &[u8], (quarters, since): (i64, Timestamp)) -> Self {
        SkewedHost {
            host: name_of(name),
            seconds: quarters * 15 * 60,
            since: since.as_secs(),
        }
    }

    /// What that looks like, where `zone` is in `haproxy.timezone`.
    pub fn told(&self, zone: &TimeZone) -> String {
        let SkewedHost {
            host,
            seconds,
            since,
        } = self;
        let direction = if *seconds < 0 { "behind" } else { "ahead of" };
        let span = Hours(seconds.abs() / 60);
        let when = jiff::Timestamp::from_second(*since).unwrap_or_default();
        let said = i64::from(zone.to_offset(when).seconds());
        let name = zone.iana_name().filter(|name| *name != "UTC");
        let says = match name {
            Some(name) => format!("{name}, {}", Zone(said)),
            None => Zone(said).to_string(),
        };
        let written = said + seconds;
        let why = match written {
            OFFSET_LEAST..=OFFSET_MOST => format!(
                "HAProxy seems to write {}, and haproxy.timezone says {says}: set it to the zone \
                 of this HAProxy, or give HAProxy that zone with TZ in its environment",
                Zone(written)
            ),
            _ => format!(
                "haproxy.timezone says {says}, and no zone is that far away: is the host's clock \
                 right?"
            ),
        };
        format!("host {host}: its dates are {span} {direction} their arrival: {why}")
    }
}

/// The event is ahead of its arrival by so many microseconds; below zero: behind.
#[inline]
fn ahead(at: Timestamp, received_at: Timestamp) -> i64 {
    at.as_micros().saturating_sub(received_at.as_micros())
}

/// By more than half a quarter.
#[inline]
fn is_off(ahead: i64) -> bool {
    ahead.unsigned_abs() > QUARTER as u64 / 2
}

fn name_of(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Minutes, as hours and minutes.
struct Hours(i64);

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 60, self.0 % 60) {
            (0, minutes) => write!(f, "{minutes} min"),
            (hours, 0) => write!(f, "{hours} h"),
            (hours, minutes) => write!(f, "{hours} h {minutes} min"),
        }
    }
}

/// An offset in seconds, as in `UTC+02:00`.
struct Zone(i64);

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.0 {
            0 => return f.write_str("UTC"),
            ..0 => '-',
            _ => '+',
        };
        let minutes = self.0.abs() / 60;
        write!(f, "UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

#[cfg(test)]
mod tests;
