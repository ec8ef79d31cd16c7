//! Made-up traffic of ten services, as HAProxy would log it.
//!
//! Deterministic: a seed, a second of the story, and out come the lines of that
//! second. It follows a script that repeats each minute, so whoever opens the page
//! sees a latency incident and an error burst come and go.

use crate::time::Timestamp;
use fastrand::Rng;
use std::fmt::Write;

/// How long the script is, in seconds.
pub const SCRIPT: u64 = 60;

/// In these seconds of the script `search` is slow: its database answers late.
const SLOW: std::ops::Range<u64> = 12..30;

/// In these seconds of the script `payments` fails: one of its servers is broken.
const FAILING: std::ops::Range<u64> = 36..50;

/// HAProxy's checks find the broken server this many seconds later.
const CHECKED: u64 = 4;

/// Requests wait for this server of `users` longer than for the others, all the time.
const SLOW_SERVER: (&str, i64) = ("users", 3);

/// Only in every third round, beginning with the first, do the checks find it: marks on
/// the page should stay few.
const ROUNDS_PER_NOTICE: u64 = 3;

struct Service {
    name: &'static str,
    /// Requests per second, on average.
    rate: f64,
    /// The median of the server's response time, in milliseconds.
    median: f64,
    /// How far the slow requests are from the median: the deviation of its logarithm.
    spread: f64,
    paths: &'static [&'static str],
}

const SERVICES: [Service; 10] = [
    Service {
        name: "web",
        rate: 90.0,
        median: 24.0,
        spread: 0.5,
        paths: &["/", "/about", "/offers/autumn"],
    },
    Service {
        name: "users",
        rate: 55.0,
        median: 9.0,
        spread: 0.6,
        paths: &["/v1/users/#", "/v1/users/#/cards"],
    },
    Service {
        name: "search",
        rate: 40.0,
        median: 32.0,
        spread: 0.7,
        paths: &["/v1/search?q=#", "/v1/suggest?q=#"],
    },
    Service {
        name: "carts",
        rate: 35.0,
        median: 12.0,
        spread: 0.5,
        paths: &["/v1/carts/#", "/v1/carts/#/items"],
    },
    Service {
        name: "payments",
        rate: 18.0,
        median: 85.0,
        spread: 0.4,
        paths: &["/v2/payments", "/v2/refunds/#"],
    },
    Service {
        name: "catalogue",
        rate: 60.0,
        median: 6.0,
        spread: 0.4,
        paths: &["/v1/products/#", "/v1/prices/#"],
    },
    Service {
        name: "tax",
        rate: 30.0,
        median: 4.0,
        spread: 0.3,
        paths: &["/v1/tax?cart=#"],
    },
    Service {
        name: "images",
        rate: 70.0,
        median: 3.0,
        spread: 0.6,
        paths: &["/img/#.webp"],
    },
    Service {
        name: "mail",
        rate: 8.0,
        median: 45.0,
        spread: 0.5,
        paths: &["/v1/messages"],
    },
    Service {
        name: "reports",
        rate: 3.0,
        median: 320.0,
        spread: 0.8,
        paths: &["/v1/reports/#.csv"],
    },
];

/// A generator of log lines.
pub struct Traffic {
    random: Rng,
    /// Lines of earlier seconds that a service still owes, below one.
    owed: [f64; SERVICES.len()],
    /// The first second of the story whose notices are still to be written.
    unsaid: u64,
}

impl Traffic {
    pub fn new(seed: u64) -> Self {
        Traffic {
            random: Rng::with_seed(seed),
            owed: [0.0; SERVICES.len()],
            unsaid: 0,
        }
    }

    /// Appends the lines of a slice of time: requests that end at `now`, `seconds` after
    /// the story began, after a slice of length `slice` seconds. Each is a syslog
    /// message as HAProxy sends it, ended by a line feed.
    pub fn write(&mut self, now: Timestamp, seconds: u64, slice: f64, out: &mut String) {
        for unsaid in self.unsaid..=seconds {
            notice(now, unsaid, out);
        }
        self.unsaid = self.unsaid.max(seconds + 1);
        let second = seconds % SCRIPT;
        for (service, def) in SERVICES.iter().enumerate() {
            self.owed[service] += def.rate * slice * between(&mut self.random, 0.7, 1.3);
            while self.owed[service] >= 1.0 {
                self.owed[service] -= 1.0;
                self.line(def, now, second, out);
            }
        }
    }

    fn line(&mut self, service: &Service, now: Timestamp, second: u64, out: &mut String) {
        let random = &mut self.random;
        let name = service.name;
        let server = below(random, 3) + 1;
        let slow = name == "search" && SLOW.contains(&second);
        let failing = name == "payments" && FAILING.contains(&second) && server == 2;

        let mut response = service.median * (service.spread * normal(random)).exp();
        let mut queue = 0;
        if slow {
            response = response * 9.0 + 250.0;
            // Its servers are busy: others wait for their turn.
            queue = below(random, 120);
        }
        if (name, server) == SLOW_SERVER {
            response *= 4.0;
        }
        let end = End::of(name, slow, failing, below(random, 1000));
        let (request, connect) = (below(random, 2), below(random, 3));
        let rest = below(random, 4);
        // Of what did not come about HAProxy logs -1.
        let [queue, connect, response, total] = match end.until {
            Until::Transferred => {
                let response = response as i64 + 1;
                let total = request + queue + connect + response + rest;
                [queue, connect, response, total]
            }
            Until::Answered(waited) => [queue, connect, -1, request + queue + connect + waited],
            Until::Connected(waited) => [queue, -1, -1, request + queue + waited + rest],
            Until::Queued(waited) => [waited, -1, -1, request + waited],
            Until::Read => [-1, -1, -1, request],
        };
        let (status, state) = (end.status, end.state);
        let started = now - std::time::Duration::from_millis(total as u64);
        let (method, path) = match below(random, 5) {
            0 => ("POST", service.paths[0]),
            n => ("GET", service.paths[n as usize % service.paths.len()]),
        };
        let path = path.replace('#', &below(random, 100_000).to_string());
        let bytes = match end.until {
            Until::Transferred => 300 + below(random, 9_000),
            _ => 212,
        };
        let (a, b, port) = (
            below(random, 250),
            below(random, 250),
            1024 + below(random, 60_000),
        );
        let server = match end.until {
            Until::Queued(_) | Until::Read => "<NOSRV>".to_owned(),
            _ => format!("{name}-{server}"),
        };
        let id = random.u64(..);
        let host = 1 + below(random, 2);
        // The fields of `option httplog`, in HAProxy's order, behind its RFC 3164 header with
        // `log-send-hostname`; haproxy.cfg captures the request's id.
        let _ = writeln!(
            out,
            "<134>{} lb{host} haproxy[4711]: 10.20.{a}.{b}:{port} [{}] {name} {name}/{server} \
             {request}/{queue}/{connect}/{response}/{total} {status} {bytes} - - {state} \
             {c}/{c}/1/0/0 0/0 {{{id:016x}}} \"{method} {path} HTTP/1.1\"",
            date(now, "%b %e %H:%M:%S"),
            date(started, "%d/%b/%Y:%H:%M:%S%.3f"),
            c = 40 + below(random, 80),
        );
    }
}

/// How a request ends.
struct End {
    status: u16,
    state: &'static str,
    until: Until,
}

/// How far it gets; those that get no further wait there for so many milliseconds.
#[derive(Clone, Copy)]
enum Until {
    Read,
    Queued(i64),
    Connected(i64),
    Answered(i64),
    Transferred,
}

impl End {
    /// `chance` is from 0 up to 1000.
    fn of(service: &str, slow: bool, failing: bool, chance: i64) -> End {
        let (status, state, until) = match (service, chance) {
            // The server is gone, or so busy that it takes no connection.
            _ if failing && chance < 800 => (503, "SC--", Until::Connected(3)),
            _ if failing => (503, "sC--", Until::Connected(1_000)),
            (_, 0..6) if slow => (504, "sH--", Until::Answered(5_000)),
            (_, 6..10) if slow => (503, "sQ--", Until::Queued(1_000)),
            ("carts", 0) => (502, "SH--", Until::Answered(40)),
            (_, 0) => (500, "----", Until::Transferred),
            ("web", 1..40) => (301, "LR--", Until::Read),
            ("images", 1..150) => (304, "----", Until::Transferred),
            ("images", 150..155) => (200, "CD--", Until::Transferred),
            (_, 1..20) => (404, "----", Until::Transferred),
            _ => (200, "----", Until::Transferred),
        };
        End {
            status,
            state,
            until,
        }
    }
}

/// What HAProxy itself says in that second of the story.
fn notice(now: Timestamp, seconds: u64, out: &mut String) {
    const DOWN: u64 = FAILING.start + CHECKED;
    if !(seconds / SCRIPT).is_multiple_of(ROUNDS_PER_NOTICE) {
        return;
    }
    let (severity, text) = match seconds % SCRIPT {
        DOWN => (
            1,
            "is DOWN, reason: Layer4 connection problem, info: \"Connection refused\", check \
             duration: 0ms. 2 active and 0 backup servers left. 6 sessions active, 0 requeued, \
             0 remaining in queue.",
        ),
        second if second == FAILING.end => (
            5,
            "is UP, reason: Layer7 check passed, code: 200, check duration: 3ms. 3 active and 0 \
             backup servers online. 0 sessions requeued, 0 total in queue.",
        ),
        _ => return,
    };
    let priority = 16 * 8 + severity;
    let _ = writeln!(
        out,
        "<{priority}>{} lb1 haproxy[4711]: Server payments/payments-2 {text}",
        date(now, "%b %e %H:%M:%S"),
    );
}

fn date(time: Timestamp, format: &str) -> String {
    let time = jiff::Timestamp::from_microsecond(time.as_micros()).unwrap_or_default();
    time.strftime(format).to_string()
}

/// From 0 up to `n`, without it.
fn below(random: &mut Rng, n: i64) -> i64 {
    random.i64(0..n)
}

fn between(random: &mut Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * random.f64()
}

/// Of the standard normal distribution (Box and Muller, 1958).
fn normal(random: &mut Rng) -> f64 {
    let radius = (-2.0 * between(random, 1e-12, 1.0).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.f64()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haproxy;
    use crate::haproxy::Formats;
    use crate::syslog;
    use jiff::tz::TimeZone;
    use std::collections::BTreeSet;
    use std::sync::Arc;

    /// Status and response time of each request of a service in one second of the script.
    fn second(service: &str, second: u64) -> Vec<(i64, Option<i64>)> {
        let now = Timestamp::from_secs(1_767_268_800);
        let mut lines = String::new();
        Traffic::new(7).write(now, second, 20.0, &mut lines);
        let mut haproxy = haproxy::Parser::new(Default::default(), TimeZone::UTC);
        let events = lines.lines().filter_map(|line| {
            let message = syslog::parse(line.as_bytes());
            let event = haproxy.parse(&message, None).expect(line);
            if event.kind == haproxy::Kind::Event {
                return None;
            }
            assert_eq!(event.ended_at(), Some(now), "{line}");
            let own = event.frontend == Some(service.as_bytes());
            own.then(|| (event.status.unwrap(), event.timers.response))
        });
        events.collect()
    }

    fn errors(events: &[(i64, Option<i64>)]) -> f64 {
        let bad = events.iter().filter(|(status, _)| *status >= 500).count();
        bad as f64 / events.len() as f64
    }

    #[test]
    fn the_error_burst_comes_and_goes() {
        assert!(errors(&second("payments", FAILING.start)) > 0.2);
        assert!(errors(&second("payments", FAILING.end)) < 0.05);
        assert!(second("payments", FAILING.start).contains(&(503, None)));
    }

    #[test]
    fn requests_have_ids_and_end_in_many_ways() {
        let mut lines = String::new();
        let now = Timestamp::from_secs(1_767_268_800);
        for at in [SLOW.start, FAILING.start] {
            Traffic::new(7).write(now, at, 60.0, &mut lines);
        }
        let formats: Formats = crate::demo::formats().unwrap();
        let mut haproxy = haproxy::Parser::new(Arc::new(formats), TimeZone::UTC);
        let mut ends = BTreeSet::new();
        for line in lines.lines().filter(|line| !line.contains("Server ")) {
            let message = syslog::parse(line.as_bytes());
            let event = haproxy.parse(&message, None).expect(line);
            let id = event
                .request_headers
                .and_then(|c| c.by_name("X-Request-ID"));
            assert_eq!(id.map(<[u8]>::len), Some(16), "{line}");
            let state = String::from_utf8_lossy(event.termination_state.unwrap());
            ends.insert(format!("{} {state}", event.status.unwrap()));
        }
        let want = [
            "200 ----", "200 CD--", "301 LR--", "304 ----", "404 ----", "500 ----", "502 SH--",
            "503 SC--", "503 sC--", "503 sQ--", "504 sH--",
        ];
        assert_eq!(ends, want.map(str::to_owned).into());
    }

    #[test]
    fn the_latency_incident_comes_and_goes() {
        let median = |at| {
            let mut times: Vec<_> = second("search", at)
                .iter()
                .filter_map(|(_, t)| *t)
                .collect();
            times.sort_unstable();
            times[times.len() / 2]
        };
        assert!(median(SLOW.start) > 5 * median(SLOW.end));
    }

    #[test]
    fn a_server_goes_down_and_comes_back_once_in_three_rounds() {
        let mut traffic = Traffic::new(7);
        let mut said = Vec::new();
        for tenth in 0..SCRIPT * 60 {
            let mut lines = String::new();
            traffic.write(Timestamp::from_secs(0), tenth / 10, 0.1, &mut lines);
            let servers = lines.lines().filter(|line| line.contains("Server "));
            said.extend(servers.map(|line| {
                let state = line.split(" is ").nth(1).unwrap().split(',').next();
                (tenth / 10, state.unwrap().to_owned())
            }));
        }
        let down_up = [40, 50, 220, 230]
            .into_iter()
            .zip(["DOWN", "UP"].into_iter().cycle());
        let want: Vec<_> = down_up.map(|(at, state)| (at, state.to_owned())).collect();
        assert_eq!(said, want);
    }

    #[test]
    fn every_service_is_heard_of_each_second() {
        for service in SERVICES {
            assert!(!second(service.name, 0).is_empty(), "{}", service.name);
        }
    }
}
