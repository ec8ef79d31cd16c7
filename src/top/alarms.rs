//! What is wrong with the pipeline, from its counters alone: the same alarms, in the same
//! words, as the page's `alarms.js`, which a test holds this against.
//!
//! Most counters only matter while they grow: the server sends those of a minute ago along.

use super::format::{clock, count, hours, some};
use super::wire::{Numbers, Pipeline, Severity, Sink, words};
use jiff::tz::TimeZone;
use std::cmp::Reverse;

/// Seconds without one line.
const SILENT_AFTER: i64 = 60;

/// Other programs' lines, and what HAProxy says beside its requests, are no fault.
const EXPECTED_REJECTS: [&str; 1] = ["not_traffic"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    pub severity: Severity,
    /// The number of the header that it concerns.
    pub field: &'static str,
    /// Fits into the header.
    pub short: String,
    /// Says it in full.
    pub text: String,
}

/// A counter whose growth is a warning, and how to say it: short, in full of one, and of more.
type Growing = (
    &'static str,
    fn(&Numbers) -> u64,
    &'static str,
    [&'static str; 2],
);

const NOTICES_DROPPED: &str =
    "of HAProxy's own messages, too many at once, are missing among the marks: over a thousand";

const GROWING: [Growing; 5] = [
    (
        "rejected",
        |n| n.cut,
        "lines cut off",
        [
            "line cut off, being too long or cut short when its connection ended,",
            "lines cut off, being too long or cut short when their connection ended,",
        ],
    ),
    (
        "late",
        |n| n.too_late,
        "events too late",
        ["event too late to count", "events too late to count"],
    ),
    (
        "rejected",
        |n| n.future,
        "events in the future",
        [
            "event dated in the future, not counted",
            "events dated in the future, not counted",
        ],
    ),
    (
        "rejected",
        |n| n.notices_dropped,
        "marks are missing",
        [NOTICES_DROPPED, NOTICES_DROPPED],
    ),
    (
        "rejected",
        |n| n.over_limit,
        "series limit reached",
        [
            "event over the series limit",
            "events over the series limit",
        ],
    ),
];

/// The worst first.
pub fn alarms(pipeline: &Pipeline, zone: &TimeZone) -> Vec<Alarm> {
    let (numbers, before) = (&pipeline.numbers, &pipeline.minute_ago);
    let mut raised = Raised(Vec::new());
    sinks(&mut raised, numbers, before, zone);
    promises(&mut raised, numbers);
    arrivals(&mut raised, numbers, before);
    rejects(&mut raised, numbers, before);
    hosts(&mut raised, numbers);
    files(&mut raised, numbers, before);
    if let Some(refused) = pipeline.rules.as_ref().and_then(|r| r.refused.as_ref()) {
        let more = match refused.count {
            2.. => format!(", and {} more", count(refused.count - 1)),
            _ => String::new(),
        };
        let first = refused.problems.first().map_or("", |problem| problem);
        let since = clock(refused.since, zone);
        raised.warn(
            "rules",
            "rules not reloaded",
            format!("rules not reloaded since {since}: {first}{more}"),
        );
    }
    let quiet = numbers.received == before.received && numbers.now - before.now >= SILENT_AFTER - 1;
    if pipeline.has_lines() && numbers.received > 0 && quiet {
        raised.warn(
            "lines",
            "no line for a minute",
            "no line has come in for over a minute".into(),
        );
    }
    let mut alarms = raised.0;
    alarms.sort_by_key(|alarm| Reverse(alarm.severity));
    alarms
}

struct Raised(Vec<Alarm>);

impl Raised {
    fn warn(&mut self, field: &'static str, short: impl Into<String>, text: String) {
        self.raise(Severity::Warn, field, short.into(), text);
    }

    fn bad(&mut self, field: &'static str, short: impl Into<String>, text: String) {
        self.raise(Severity::Bad, field, short.into(), text);
    }

    fn raise(&mut self, severity: Severity, field: &'static str, short: String, text: String) {
        self.0.push(Alarm {
            severity,
            field,
            short,
            text,
        });
    }
}

fn sinks(raised: &mut Raised, numbers: &Numbers, before: &Numbers, zone: &TimeZone) {
    for sink in &numbers.sinks {
        let name = &sink.name;
        let queued = sink.measurements.queued;
        if &*sink.state == "retrying" {
            let waiting = match queued {
                0 => String::new(),
                _ => format!(", {} waiting", count(queued)),
            };
            let breaker = match sink.breaker.as_deref() {
                Some("open") => ", circuit breaker open (nothing is sent for a while)",
                Some("half-open") => {
                    ", circuit breaker half-open (one request finds out whether it answers)"
                }
                _ => "",
            };
            let error = match sink.last_error.is_empty() {
                true => String::new(),
                false => format!(": {}", sink.last_error),
            };
            raised.bad(
                "sinks",
                format!("sink {name} is failing"),
                format!("sink {name} is not taking data{waiting}{breaker}{error}"),
            );
        }
        if &*sink.state == "waiting" {
            let until = clock(sink.held_until.unwrap_or_default(), zone);
            let waiting = count(queued);
            raised.warn(
                "sinks",
                format!("sink {name} asks to wait"),
                format!(
                    "sink {name} asks to wait until {until}, and nothing is sent before: \
                     {waiting} waiting"
                ),
            );
        }
        if sink.spool.as_ref().is_some_and(|s| s.is_nearly_full()) {
            raised.warn(
                "queue",
                format!("spool of {name} is filling up"),
                format!(
                    "the spool of sink {name} is nearly full: when it is, its oldest are dropped"
                ),
            );
        }
        let same = before.sinks.iter().find(|other| other.name == *name);
        let grown = |read: fn(&Sink) -> u64| read(sink).saturating_sub(same.map_or(0, read));
        let dropped = grown(Sink::dropped);
        if dropped > 0 {
            raised.bad(
                "lost",
                format!("sink {name} drops data"),
                format!("sink {name} dropped {} in the last minute", count(dropped)),
            );
        }
        let refused = grown(Sink::rejected);
        if refused > 0 {
            let refused = count(refused);
            raised.warn(
                "sinks",
                format!("{name} rejects data"),
                format!("sink {name}: the far side rejected {refused} in the last minute"),
            );
        }
    }
}

/// Promises that cannot be kept, and what it costs where the pipeline tells only why.
fn promises(raised: &mut Raised, numbers: &Numbers) {
    for (promise, why) in &numbers.broken {
        let (field, short, cost) = match &**promise {
            "checkpoint" => ("lost", "no checkpoints", ""),
            "memory" => (
                "lost",
                "memory is full",
                ", new series count in the group other",
            ),
            "journal" => ("received", "RELP is held up", ""),
            "store" => ("sinks", "the store keeps nothing", ""),
            "spool" => ("sinks", "the spool keeps nothing", ""),
            other => {
                let short = format!("{other} is broken");
                raised.bad("lost", short.clone(), format!("{short}: {why}"));
                continue;
            }
        };
        raised.bad(field, short, format!("{short}{cost}: {why}"));
    }
}

fn arrivals(raised: &mut Raised, numbers: &Numbers, before: &Numbers) {
    let kernel = numbers.kernel_lost().saturating_sub(before.kernel_lost());
    if kernel > 0 {
        raised.bad(
            "lost",
            "the kernel drops lines",
            format!(
                "{} dropped by the kernel in the last minute: weir reads too slowly or the socket \
                 buffer is small",
                some(kernel, "line")
            ),
        );
    }
    for listener in &numbers.listeners {
        let (protocol, address) = (&listener.protocol, &listener.address);
        let same = before
            .listeners
            .iter()
            .find(|other| other.protocol == *protocol && other.address == *address);
        let refused = listener
            .refused()
            .saturating_sub(same.map_or(0, |same| same.refused()));
        if refused > 0 {
            let what = match &**protocol {
                "udp" => "datagram",
                _ => "connection",
            };
            let refused = some(refused, what);
            raised.warn(
                "lines",
                "senders are refused",
                format!(
                    "{protocol} {address} refused {refused} in the last minute: the log names the \
                     senders"
                ),
            );
        }
    }
}

fn rejects(raised: &mut Raised, numbers: &Numbers, before: &Numbers) {
    for (reason, rejected) in &numbers.rejected {
        let grown = rejected.saturating_sub(before.rejected.get(reason).copied().unwrap_or(0));
        if grown > 0 && !EXPECTED_REJECTS.contains(&&**reason) {
            let reason = words(reason);
            let grown = some(grown, "line");
            raised.warn(
                "rejected",
                format!("rejecting lines: {reason}"),
                format!("{grown} rejected in the last minute: {reason}"),
            );
        }
    }
    for (field, read, short, [one, more]) in GROWING {
        let grown = read(numbers).saturating_sub(read(before));
        if grown > 0 {
            let text = if grown == 1 { one } else { more };
            let text = format!("{} {text} in the last minute", count(grown));
            raised.warn(field, short, text);
        }
    }
}

fn hosts(raised: &mut Raised, numbers: &Numbers) {
    for skewed in &numbers.skewed_hosts {
        let host = &skewed.host;
        let span = hours(skewed.seconds.unsigned_abs());
        // Dates ahead are refused as from the future; those behind are late or too late.
        let (field, direction) = match skewed.seconds > 0 {
            true => ("rejected", "ahead of"),
            false => ("late", "behind"),
        };
        raised.bad(
            field,
            format!("{host}: wrong time zone"),
            format!(
                "the dates of host {host} are {span} {direction} their arrival: \
                 haproxy.timezone does not say the zone that its HAProxy writes"
            ),
        );
    }
}

fn files(raised: &mut Raised, numbers: &Numbers, before: &Numbers) {
    if let Some(file) = &numbers.rejects_file {
        if !file.last_error.is_empty() {
            let (path, error) = (&file.path, &file.last_error);
            raised.bad(
                "rejected",
                "rejects are not written",
                format!("rejected lines cannot be written to {path}: {error}"),
            );
        }
        let before = before.rejects_file.as_ref().map_or(0, |f| f.unwritten);
        let unwritten = file.unwritten.saturating_sub(before);
        if unwritten > 0 {
            raised.bad(
                "rejected",
                "rejects are not written",
                format!(
                    "{} of the last minute {} in no file",
                    some(unwritten, "rejected line"),
                    if unwritten == 1 { "is" } else { "are" },
                ),
            );
        }
    }
    let refused = |numbers: &Numbers| numbers.store.as_ref().map_or(0, |store| store.refused);
    let unstored = refused(numbers).saturating_sub(refused(before));
    if unstored > 0 {
        raised.warn(
            "refused",
            "the store refuses points",
            format!(
                "the store refused {} in the last minute",
                some(unstored, "point")
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn told(pipeline: Value) -> Vec<String> {
        let pipeline: Pipeline = serde_json::from_value(pipeline).unwrap();
        alarms(&pipeline, &TimeZone::UTC)
            .into_iter()
            .map(|alarm| format!("{} {}", alarm.severity.as_str(), alarm.short))
            .collect()
    }

    #[test]
    fn what_grows_is_told_and_what_has_only_been_is_not() {
        let before = json!({"now": 0, "received": 9, "rejected": {"malformed": 3, "not_traffic": 1}, "cut": 2});
        let now = |rejected: Value, cut: u64| json!({"mode": "serve", "now": 60, "received": 10, "rejected": rejected, "cut": cut, "minute_ago": before});
        let same = json!({"malformed": 3, "not_traffic": 7});
        assert_eq!(told(now(same.clone(), 2)), Vec::<String>::new());
        assert_eq!(told(now(same, 3)), ["warn lines cut off"]);
        let more = json!({"malformed": 4, "empty": 1});
        assert_eq!(
            told(now(more, 2)),
            [
                "warn rejecting lines: empty",
                "warn rejecting lines: malformed"
            ]
        );
    }

    #[test]
    fn the_worst_comes_first() {
        let pipeline = json!({
            "mode": "serve", "now": 60, "received": 10, "cut": 1,
            "minute_ago": {"now": 0, "received": 10},
            "broken": {"checkpoint": "disk full"},
            "sinks": [{"name": "librato", "state": "retrying", "last_error": "refused"}],
        });
        assert_eq!(
            told(pipeline),
            [
                "bad sink librato is failing",
                "bad no checkpoints",
                "warn lines cut off",
                "warn no line for a minute"
            ]
        );
    }
}
