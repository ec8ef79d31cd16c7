//! What the measurements must be, worked out from rsyslog's own file by plain
//! splitting and sorting. Shares no code with weir, on purpose.

use super::http::ByService;
use std::collections::BTreeMap;

/// Up to this many samples of one window are kept as they are.
const EXACT_SAMPLES: usize = 64;
/// Beyond that, a histogram of 2 significant digits: its buckets are at most
/// this part of their value wide.
const BUCKETS: f64 = 128.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Http,
    Tcp,
}

/// One request or connection as HAProxy logged it.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    pub kind: Kind,
    pub service: String,
    /// The second in which it ended, since 1970: the start of its 1 s window.
    pub window: i64,
    /// Absent where the log says -1, and for TCP.
    pub status: Option<u16>,
    /// `Tr` in ms. Absent where the log says -1, and for TCP.
    pub response: Option<u64>,
    /// `Ta` or `Tt` in ms.
    pub total: u64,
}

/// All that rsyslog wrote.
#[derive(Debug, Default)]
pub struct Log {
    pub traffic: Vec<Traffic>,
    /// HAProxy's own notices, such as `Server users/s1 is DOWN`.
    pub notices: u64,
}

impl Log {
    /// Reads whole lines only: rsyslog may be in the middle of writing one.
    /// Panics on a line that is neither traffic nor a notice.
    pub fn read(text: &str) -> Log {
        let mut log = Log::default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines() {
            let (_, message) = line
                .split_once("]: ")
                .unwrap_or_else(|| panic!("no `haproxy[pid]: ` in {line:?}"));
            // Traffic begins with an address.
            if ["Proxy ", "Server ", "backend "]
                .iter()
                .any(|notice| message.starts_with(notice))
            {
                log.notices += 1;
            } else {
                let traffic = traffic(message)
                    .unwrap_or_else(|| panic!("the test cannot read its own log: {line:?}"));
                log.traffic.push(traffic);
            }
        }
        log
    }

    pub fn lines(&self) -> u64 {
        self.traffic.len() as u64 + self.notices
    }

    /// First and last window with traffic in it.
    pub fn span(&self) -> (i64, i64) {
        let windows = || self.traffic.iter().map(|traffic| traffic.window);
        let first = windows().min().expect("a log with traffic");
        (first, windows().max().expect("a log with traffic"))
    }
}

/// The message behind `haproxy[pid]: `, of `option httplog` or `option tcplog`.
/// All that is read here stands before the first field that may hold a blank.
fn traffic(message: &str) -> Option<Traffic> {
    let words: Vec<&str> = message.split(' ').collect();
    let date = epoch_millis(words.get(1)?.strip_prefix('[')?.strip_suffix(']')?)?;
    let service = words.get(2)?.trim_end_matches('~').to_owned();
    let timers: Vec<&str> = words.get(4)?.split('/').collect();
    let timer = |at: usize| timers[at].trim_start_matches('+').parse::<i64>().ok();
    let absent_at_minus_1 = |value: i64| u64::try_from(value).ok();
    let (kind, status, response, total) = match timers.len() {
        5 => (
            Kind::Http,
            u16::try_from(words.get(5)?.parse::<i64>().ok()?).ok(),
            absent_at_minus_1(timer(3)?),
            absent_at_minus_1(timer(4)?)?,
        ),
        3 => (Kind::Tcp, None, None, absent_at_minus_1(timer(2)?)?),
        _ => return None,
    };
    Some(Traffic {
        kind,
        service,
        window: (date + i64::try_from(total).ok()?).div_euclid(1000),
        status,
        response,
        total,
    })
}

/// `21/Nov/2026:05:07:07.123` in UTC.
fn epoch_millis(date: &str) -> Option<i64> {
    let date = jiff::civil::DateTime::strptime("%d/%b/%Y:%H:%M:%S%.f", date).ok()?;
    let date = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(date.timestamp().as_millisecond())
}

/// What one measure must say: service to window to value.
type Wanted = BTreeMap<String, BTreeMap<i64, Value>>;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Value {
    value: f64,
    /// How far the answer may be from it.
    tolerance: f64,
}

impl Value {
    fn exactly(value: f64) -> Value {
        Value {
            value,
            tolerance: 0.0,
        }
    }

    /// A quotient, which leaves room for how it was rounded.
    fn about(value: f64) -> Value {
        Value {
            value,
            tolerance: 1e-9,
        }
    }
}

/// The measures of [`RULES`], worked out from a log.
pub struct Reference {
    measures: BTreeMap<&'static str, Wanted>,
}

/// The rules that [`Reference`] computes in its own way.
pub const RULES: &str = r#"rules:
  - name: http
    where: kind == "http"
    by: [service]
    window: 1s
    measure:
      count: count()
      rate: rate()
      errors: ratio(status >= 500)
      p50: percentile(Tr, 50)
      p95: percentile(Tr, 95)
      p99: percentile(Tr, 99)

  - name: tcp
    where: kind == "tcp"
    by: [service]
    window: 1s
    measure:
      count: count()
      longest: max(Tt)
"#;

impl Reference {
    pub fn of(log: &Log) -> Reference {
        let mut windows: BTreeMap<(&str, i64), Vec<&Traffic>> = BTreeMap::new();
        for traffic in &log.traffic {
            let key = (traffic.service.as_str(), traffic.window);
            windows.entry(key).or_default().push(traffic);
        }
        let mut measures: BTreeMap<&'static str, Wanted> = BTreeMap::new();
        for ((service, window), events) in windows {
            let mut want = |name, value| {
                let services = measures.entry(name).or_default();
                let points = services.entry(service.to_owned()).or_default();
                points.insert(window, value);
            };
            let count = events.len() as f64;
            if events[0].kind == Kind::Tcp {
                let longest = events.iter().map(|event| event.total).max();
                want("tcp.count", Value::exactly(count));
                want("tcp.longest", Value::exactly(longest.unwrap_or(0) as f64));
                continue;
            }
            let failed = |event: &&&Traffic| event.status.is_some_and(|status| status >= 500);
            let failed = events.iter().filter(failed).count() as f64;
            want("http.count", Value::exactly(count));
            want("http.rate", Value::exactly(count));
            want("http.errors", Value::about(failed / count));
            let mut responses: Vec<u64> =
                events.iter().filter_map(|event| event.response).collect();
            responses.sort_unstable();
            for (name, percent) in [("http.p50", 50), ("http.p95", 95), ("http.p99", 99)] {
                if let Some(value) = nearest_rank(&responses, percent) {
                    want(name, value);
                }
            }
        }
        Reference { measures }
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.measures.keys().copied()
    }

    /// What of one measure is missing, wrong or too much in the answer. A count or
    /// rate of a series that has been seen may say 0 where nothing came.
    pub fn differences(&self, name: &str, got: &ByService) -> Vec<String> {
        let nothing = Wanted::new();
        let wanted = self.measures.get(name).unwrap_or(&nothing);
        let may_be_zero = name.ends_with(".count") || name.ends_with(".rate");
        let mut found = Vec::new();
        for (service, points) in wanted {
            for (window, want) in points {
                let got = got.get(service).and_then(|points| points.get(window));
                match got {
                    Some(got) if (got - want.value).abs() <= want.tolerance => {}
                    Some(got) => found.push(format!(
                        "{name}{{service={service}}} at {window} is {got}, must be {} within {}",
                        want.value, want.tolerance
                    )),
                    None => found.push(format!(
                        "{name}{{service={service}}} at {window} is missing, must be {}",
                        want.value
                    )),
                }
            }
        }
        for (service, points) in got {
            for (window, got) in points {
                let is_wanted = wanted
                    .get(service)
                    .is_some_and(|points| points.contains_key(window));
                if !(is_wanted || may_be_zero && *got == 0.0) {
                    found.push(format!(
                        "{name}{{service={service}}} at {window} is {got}, but nothing of it was logged"
                    ));
                }
            }
        }
        found
    }
}

/// The smallest sample that at least this share of all samples does not exceed.
fn nearest_rank(sorted: &[u64], percent: usize) -> Option<Value> {
    let rank = (percent * sorted.len()).div_ceil(100);
    let value = *sorted.get(rank.checked_sub(1)?)? as f64;
    let tolerance = match sorted.len() {
        0..=EXACT_SAMPLES => 0.0,
        _ => value / BUCKETS,
    };
    Some(Value { value, tolerance })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
haproxy[7]: Server users/s1 is DOWN, reason: Layer4 connection problem.
haproxy[7]: 127.0.0.1:4000 [21/Nov/2026:05:07:07.990] users users/s1 0/0/0/9/10 500 20 - - ---- 1/1/0/0/0 0/0 {a b|} \"GET /x HTTP/1.1\"
haproxy[7]: ::1:4001 [21/Nov/2026:05:07:08.100] users~ users/<NOSRV> 0/-1/-1/-1/+0 503 +20 - - SC-- 1/1/0/0/+1 0/0 \"GET / HTTP/1.1\"
haproxy[7]: 127.0.0.1:4002 [21/Nov/2026:05:07:08.100] users users/<NOSRV> -1/-1/-1/-1/0 -1 0 - - CR-- 1/1/0/0/0 0/0 \"<BADREQ>\"
haproxy[7]: 127.0.0.1:4003 [21/Nov/2026:05:07:08.100] ledger ledger/s1 0/0/31 512 -- 1/1/0/0/0 0/0
haproxy[7]: 127.0.0.1:4004 [21/Nov/2026:05:0";

    #[test]
    fn lines_are_read_by_splitting() {
        let log = Log::read(LOG);
        let read: Vec<_> = log
            .traffic
            .iter()
            .map(|t| {
                (
                    t.kind,
                    t.service.as_str(),
                    t.window,
                    t.status,
                    t.response,
                    t.total,
                )
            })
            .collect();
        let second = 1_795_237_628;
        assert_eq!(
            read,
            [
                (Kind::Http, "users", second, Some(500), Some(9), 10),
                (Kind::Http, "users", second, Some(503), None, 0),
                (Kind::Http, "users", second, None, None, 0),
                (Kind::Tcp, "ledger", second, None, None, 31),
            ]
        );
        assert_eq!((log.notices, log.lines()), (1, 5));
        assert_eq!(log.span(), (second, second));
    }

    #[test]
    fn measures_are_computed_and_differences_found() {
        let log = Log::read(LOG);
        let reference = Reference::of(&log);
        let second = log.traffic[0].window;
        let answer = |service: &str, time, value| {
            ByService::from([(service.to_owned(), BTreeMap::from([(time, value)]))])
        };
        for (name, service, value) in [
            ("http.count", "users", 3.0),
            ("http.rate", "users", 3.0),
            ("http.errors", "users", 2.0 / 3.0),
            ("http.p50", "users", 9.0),
            ("http.p99", "users", 9.0),
            ("tcp.count", "ledger", 1.0),
            ("tcp.longest", "ledger", 31.0),
        ] {
            let right = answer(service, second, value);
            assert_eq!(reference.differences(name, &right), [""; 0], "{name}");
            for wrong in [
                answer(service, second, value + 1.0),
                answer(service, second + 1, value),
                answer("other", second, value),
                ByService::new(),
            ] {
                let differences = reference.differences(name, &wrong);
                assert!(!differences.is_empty(), "{name}: {wrong:?} passes");
            }
        }
    }

    #[test]
    fn percentiles_are_nearest_rank() {
        let samples: Vec<u64> = (1..=200).map(|n| n * 10).collect();
        for (count, percent, value, tolerance) in [
            (1, 50, 10.0, 0.0),
            (4, 50, 20.0, 0.0),
            (5, 50, 30.0, 0.0),
            (64, 95, 610.0, 0.0),
            (200, 95, 1900.0, 1900.0 / 128.0),
            (200, 99, 1980.0, 1980.0 / 128.0),
        ] {
            assert_eq!(
                nearest_rank(&samples[..count], percent),
                Some(Value { value, tolerance })
            );
        }
        assert_eq!(nearest_rank(&[], 99), None);
    }
}
