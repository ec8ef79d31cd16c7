//! Stories of hosts: what lines came, and what weir said when.

use super::*;

const START: Timestamp = Timestamp::from_secs(1_795_219_200);
const HOUR: f64 = 3600.0;

/// Two workers, which take turns, and the owner.
#[derive(Default)]
struct Story {
    workers: [Watch; 2],
    hosts: Hosts,
    lines: usize,
    second: i64,
    said: String,
}

impl Story {
    /// So many seconds, in each of which these lines come; by how many seconds a host's dates
    /// are ahead then is told by the second.
    fn goes_on(mut self, seconds: i64, lines: &[(&str, &dyn Fn(f64) -> f64)]) -> Self {
        for second in 0..seconds {
            let now = START + Duration::from_secs(self.second as u64);
            for (host, ahead) in lines {
                let written_at = now.as_micros() + (ahead(second as f64) * 1e6) as i64;
                let written_at = Timestamp::from_micros(written_at);
                let worker = &mut self.workers[self.lines % 2];
                self.lines += 1;
                if worker.wants(written_at, now) {
                    worker.see(Some(host.as_bytes()), written_at, now);
                }
            }
            for worker in &mut self.workers {
                self.hosts.merge(worker.take());
            }
            for change in self.hosts.advance(now) {
                let change = match change {
                    Change::Skewed(host) => format!("{} by {} s", host.host, host.seconds),
                    Change::Right(host) => format!("{host} right"),
                    Change::Silent(host) => format!("{host} silent"),
                };
                self.said += &format!("{}: {change}; ", self.second);
            }
            self.second += 1;
        }
        self
    }

    fn says(&self, expected: &str) {
        assert_eq!(self.said.trim_end(), expected);
    }
}

/// A network's delay: up to two seconds, another one each time.
fn delayed(ahead: f64) -> impl Fn(f64) -> f64 {
    move |second| ahead - (second * 0.7).fract() * 2.0
}

#[test]
fn a_wrong_zone_is_named_once_and_ends_when_it_is_mended() {
    let story = Story::default().goes_on(1000, &[("lb1", &delayed(HOUR)), ("lb2", &delayed(0.0))]);
    story.says("30: lb1 by 3600 s;");
    assert_eq!(
        story.hosts.skewed(),
        [SkewedHost {
            host: "lb1".to_owned(),
            seconds: 3600,
            since: START.as_secs(),
        }]
    );
    let story = story.goes_on(300, &[("lb1", &delayed(0.0))]);
    story.says("30: lb1 by 3600 s; 1059: lb1 right;");
    assert_eq!(story.hosts.skewed(), []);
}

#[test]
fn every_multiple_of_a_quarter_is_a_zone() {
    for quarters in (-104..=104).filter(|quarters| *quarters != 0) {
        let seconds = quarters * 900;
        let story = Story::default().goes_on(40, &[("lb1", &delayed(seconds as f64))]);
        story.says(&format!("30: lb1 by {seconds} s;"));
    }
    // Two days off is no zone, and ten minutes are not.
    for ahead in [48.0 * HOUR, -48.0 * HOUR, 27.0 * HOUR, 600.0, -1000.0] {
        Story::default()
            .goes_on(400, &[("lb1", &delayed(ahead))])
            .says("");
    }
}

#[test]
fn twenty_lines_are_enough_however_long_they_take() {
    let mut story = Story::default();
    for _ in 0..19 {
        story = story.goes_on(1, &[("lb1", &|_| -HOUR)]).goes_on(99, &[]);
    }
    story.says("");
    story
        .goes_on(1, &[("lb1", &|_| -HOUR)])
        .says("1900: lb1 by -3600 s;");
}

#[test]
fn a_backlog_that_drains_is_no_wrong_zone() {
    // Three hours of lines, sent so many times faster than they came into being.
    for speed in [1.2, 1.5, 2.0, 3.0, 5.0, 20.0, 200.0] {
        let drain = |second: f64| (-3.0 * HOUR + second * (speed - 1.0)).min(0.0);
        let seconds = (3.0 * HOUR / (speed - 1.0)) as i64 + 100;
        let burst: &dyn Fn(f64) -> f64 = &drain;
        Story::default()
            .goes_on(seconds, &[("lb1", burst), ("lb1", burst), ("lb1", burst)])
            .says("");
    }
}

#[test]
fn late_lines_among_others_are_no_wrong_zone() {
    let stray: &dyn Fn(f64) -> f64 = &|second| -((second * 613.0) % 9000.0);
    Story::default()
        .goes_on(2000, &[("lb1", stray), ("lb1", &delayed(0.0))])
        .says("");
}

#[test]
fn a_host_may_change_its_wrong_zone() {
    Story::default()
        .goes_on(100, &[("lb1", &delayed(HOUR))])
        .goes_on(100, &[("lb1", &delayed(2.0 * HOUR))])
        .says("30: lb1 by 3600 s; 130: lb1 by 7200 s;");
}

/// As of two HAProxies whose envelopes name no host.
#[test]
fn right_lines_do_not_hide_wrong_ones() {
    Story::default()
        .goes_on(500, &[("-", &delayed(HOUR)), ("-", &delayed(0.0))])
        .says("30: - by 3600 s;");
}

#[test]
fn what_is_silent_is_forgotten() {
    let story = Story::default()
        .goes_on(40, &[("lb1", &delayed(HOUR))])
        .goes_on(1000, &[]);
    story.says("30: lb1 by 3600 s; 639: lb1 silent;");
    let story = story.goes_on(2, &[("lb2", &|_| 0.0)]);
    assert!(
        !story
            .workers
            .iter()
            .any(|worker| worker.wants(START, START))
    );
    // And a short silence ends nothing.
    Story::default()
        .goes_on(40, &[("lb1", &delayed(HOUR))])
        .goes_on(500, &[])
        .goes_on(40, &[("lb1", &delayed(HOUR))])
        .says("30: lb1 by 3600 s;");
}

#[test]
fn while_nothing_is_off_nothing_is_wanted() {
    let mut watch = Watch::default();
    assert!(!watch.wants(START, START + Duration::from_secs(449)));
    assert!(watch.wants(START, START + Duration::from_secs(451)));
    assert!(watch.wants(START + Duration::from_secs(451), START));
    watch.see(None, START, START);
    assert!(!watch.wants(START, START) && watch.take().is_empty());
}

#[test]
fn hosts_are_bounded_and_so_are_their_names() {
    let mut watch = Watch::default();
    let mut hosts = Hosts::default();
    for round in 0..3 {
        for number in 0..1000 {
            let host = format!("{}{round}/{number}", "x".repeat(300));
            let host = &host.as_bytes()[host.len() - 290..];
            watch.see(Some(host), START, START + Duration::from_secs(7200));
            watch.see(
                Some(number.to_string().as_bytes()),
                START,
                START + Duration::from_secs(7200),
            );
        }
        hosts.merge(watch.take());
    }
    assert_eq!((watch.hosts.len(), hosts.0.len()), (HOSTS_MAX, HOSTS_MAX));
    assert!(hosts.0.keys().all(|name| name.len() <= HOST_BYTES));
}

#[test]
fn what_is_wrong_is_told_with_a_remedy() {
    let stockholm = TimeZone::get("Europe/Stockholm").unwrap();
    for (zone, seconds, expected) in [
        (
            &TimeZone::UTC,
            3600,
            "host lb1: its dates are 1 h ahead of their arrival: HAProxy seems to write UTC+01:00, \
             and haproxy.timezone says UTC: ",
        ),
        (
            &TimeZone::UTC,
            -16_200,
            "host lb1: its dates are 4 h 30 min behind their arrival: HAProxy seems to write \
             UTC-04:30, and haproxy.timezone says UTC: ",
        ),
        // In winter.
        (
            &stockholm,
            3600,
            "host lb1: its dates are 1 h ahead of their arrival: HAProxy seems to write UTC+02:00, \
             and haproxy.timezone says Europe/Stockholm, UTC+01:00: ",
        ),
        (
            &stockholm,
            -3600,
            "host lb1: its dates are 1 h behind their arrival: HAProxy seems to write UTC, and \
             haproxy.timezone says Europe/Stockholm, UTC+01:00: ",
        ),
        (
            &TimeZone::UTC,
            -46_800,
            "host lb1: its dates are 13 h behind their arrival: haproxy.timezone says UTC, and no \
             zone is that far away: is the host's clock right?",
        ),
    ] {
        let host = SkewedHost {
            host: "lb1".to_owned(),
            seconds,
            since: START.as_secs(),
        };
        let told = host.told(zone);
        assert!(told.starts_with(expected), "{told}");
    }
}

/// No date that a line may hold makes it stumble.
#[test]
fn the_furthest_dates() {
    let mut watch = Watch::default();
    for time in [Timestamp::MIN, Timestamp::MAX] {
        for received_at in [Timestamp::MIN, START, Timestamp::MAX] {
            watch.see(Some(b"lb1"), time, received_at);
        }
    }
    let mut hosts = Hosts::default();
    hosts.merge(watch.take());
    assert_eq!(hosts.advance(START), []);
}
