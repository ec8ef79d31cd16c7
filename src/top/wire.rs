//! What a running weir answers under `/api/v1`, as far as the terminal shows it.
//!
//! These are types of their own, not the server's: the weir that is looked at may be of
//! another version. What it does not say yet is nothing here, and what it says beyond this is
//! left out. All text is [`Text`]: harmless to the terminal.

use super::text::{Name, Text};
use serde::Deserialize;
use std::collections::BTreeMap;

/// `services`, the worst first.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Services {
    /// Epoch seconds, by the server's clock.
    pub now: i64,
    /// Seconds that the sparklines cover.
    #[serde(default)]
    pub spark_range: i64,
    pub services: Vec<Service>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Service {
    pub service: Name,
    pub rule: Name,
    pub severity: Severity,
    #[serde(default)]
    pub why: Text,
    /// Start of the newest window, in epoch seconds.
    pub time: i64,
    /// Seconds.
    pub window: i64,
    pub rate: Option<f64>,
    /// 0 to 1.
    pub errors: Option<f64>,
    /// Milliseconds, as the next two.
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
    #[serde(default)]
    pub spark: Spark,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    #[default]
    Ok,
    Warn,
    Bad,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Warn => "warn",
            Severity::Bad => "bad",
        }
    }
}

/// `None` is a gap.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Spark {
    pub rate: Vec<Option<f64>>,
    pub p95: Vec<Option<f64>>,
    pub errors: Vec<Option<f64>>,
}

/// `services/{service}`: every measure over time.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Charts {
    /// Seconds.
    pub step: i64,
    pub times: Vec<i64>,
    /// By measure, each as long as `times`.
    pub series: BTreeMap<Text, Vec<Option<f64>>>,
    /// The newest first.
    #[serde(default)]
    pub marks: Vec<Mark>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Mark {
    pub time: i64,
    pub end: Option<i64>,
    pub title: Text,
    pub source: Option<Text>,
    pub description: Option<Text>,
    #[serde(default)]
    pub kind: MarkKind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarkKind {
    Bad,
    Ok,
    #[default]
    #[serde(other)]
    Info,
}

/// `pipeline`: all counters.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Pipeline {
    pub version: Text,
    pub mode: Text,
    #[serde(flatten)]
    pub numbers: Numbers,
    /// Of a minute ago, or of the start.
    pub minute_ago: Numbers,
    /// Samples of rejected lines that were ever taken.
    pub samples: u64,
    pub rules: Option<Rules>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Numbers {
    pub now: i64,
    pub started: i64,
    pub lines_per_second: u64,
    pub received: u64,
    pub parsed: u64,
    pub queued: u64,
    /// By reason.
    pub rejected: BTreeMap<Text, u64>,
    pub rejects_file: Option<RejectsFile>,
    pub cut: u64,
    pub late: u64,
    pub too_late: u64,
    pub future: u64,
    pub over_limit: u64,
    pub skipped: u64,
    pub notices: u64,
    pub notices_dropped: u64,
    pub windows: Windows,
    pub series: u64,
    pub skewed_hosts: Vec<SkewedHost>,
    /// Promises that cannot be kept, and why.
    pub broken: BTreeMap<Text, Text>,
    pub listeners: Vec<Listener>,
    pub sinks: Vec<Sink>,
    pub store: Option<Store>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RejectsFile {
    pub path: Text,
    pub written: u64,
    pub unwritten: u64,
    pub queued: u64,
    pub last_error: Text,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Windows {
    pub open: u64,
    pub closed: u64,
    pub amended: u64,
    /// Seconds that they stay open after their end.
    pub grace: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SkewedHost {
    pub host: Text,
    pub seconds: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Listener {
    pub protocol: Text,
    pub address: Text,
    pub received: u64,
    pub resent: u64,
    pub connections: u64,
    pub lost: u64,
    /// By reason.
    pub refused: BTreeMap<Text, u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Sink {
    pub name: Text,
    pub target: Text,
    pub state: Text,
    #[serde(flatten)]
    pub measurements: Deliveries,
    pub annotations: Deliveries,
    pub last_error: Text,
    /// This and the rest: of a sink with a far side.
    pub breaker: Option<Text>,
    pub held_until: Option<i64>,
    pub spool: Option<Spool>,
    pub refused: Vec<Refused>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Deliveries {
    pub delivered: u64,
    pub rejected: u64,
    pub dropped: u64,
    pub queued: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Spool {
    pub bytes_used: u64,
    pub bytes_max: u64,
    pub oldest: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Refused {
    pub what: Text,
    pub time: i64,
    pub at: i64,
    pub why: Text,
    pub left_out: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Store {
    pub path: Text,
    pub series: u64,
    pub points: u64,
    pub bytes: u64,
    pub accepted: u64,
    pub refused: u64,
    /// Seconds.
    pub retention: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Rules {
    pub files: Vec<Text>,
    pub rules: u64,
    pub loaded: i64,
    pub refused: Option<RefusedRules>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RefusedRules {
    pub since: i64,
    pub at: i64,
    pub problems: Vec<Text>,
    pub count: u64,
}

/// `rejects`: the newest rejected lines by reason.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Rejects {
    pub samples: BTreeMap<Text, Vec<Sample>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Sample {
    pub received_at: i64,
    pub why: Text,
    pub before: Text,
    /// The word at which reading ended; empty at the line's end.
    pub stuck: Option<Text>,
    pub after: Text,
    /// Bytes of the line that are not here.
    pub left_out_before: u64,
    pub left_out_after: u64,
}

impl Service {
    pub fn is(&self, rule: &str, service: &str) -> bool {
        self.service.id == service && self.rule.id == rule
    }

    /// How many seconds it has been without a new window, once that is longer than its
    /// windows explain. Windows that ended before `due` should be closed.
    pub fn silence(&self, due: i64) -> Option<i64> {
        let behind = due - (self.time + self.window);
        (behind > 2 * self.window + 30).then_some(behind)
    }

    /// The measure that `why` speaks of, so that its number can be marked; none where it
    /// names none, nor a 0, when a service has just recovered.
    pub fn culprit(&self) -> Option<&'static str> {
        if self.severity == Severity::Ok {
            return None;
        }
        let measures = [
            ("errors", self.errors),
            ("p50", self.p50),
            ("p95", self.p95),
            ("p99", self.p99),
            ("rate", self.rate),
        ];
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut words = self.why.split(|c| !is_word(c));
        let (measure, value) =
            words.find_map(|word| measures.iter().find(|(measure, _)| *measure == word))?;
        value.is_some_and(|value| value > 0.0).then_some(*measure)
    }
}

impl Pipeline {
    /// `weir librato` has no lines, only a receiver and its store.
    pub fn has_lines(&self) -> bool {
        &*self.mode != "librato"
    }
}

impl Numbers {
    pub fn rejected(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// What arrived or should have, and is not in the numbers: kernel drops and sink drops.
    pub fn lost(&self) -> u64 {
        self.kernel_lost() + self.sinks.iter().map(Sink::dropped).sum::<u64>()
    }

    pub fn kernel_lost(&self) -> u64 {
        self.listeners.iter().map(|listener| listener.lost).sum()
    }

    /// Lines that are not parsed yet, and values that are not delivered yet.
    pub fn queue(&self) -> u64 {
        let sinks = self.sinks.iter();
        self.queued + sinks.map(|sink| sink.measurements.queued).sum::<u64>()
    }
}

impl Listener {
    /// Connections, or over UDP datagrams.
    pub fn refused(&self) -> u64 {
        self.refused.values().sum()
    }
}

impl Sink {
    pub fn dropped(&self) -> u64 {
        self.measurements.dropped + self.annotations.dropped
    }

    pub fn rejected(&self) -> u64 {
        self.measurements.rejected + self.annotations.rejected
    }
}

impl Spool {
    /// Whether it will drop before long.
    pub fn is_nearly_full(&self) -> bool {
        self.bytes_used as f64 >= 0.8 * self.bytes_max as f64
    }
}

/// A counter's key as words: `not_traffic`, "not traffic".
pub fn words(key: &str) -> String {
    key.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_older_weir_does_not_say_is_nothing_and_what_a_newer_one_adds_is_left_out() {
        let pipeline: Pipeline =
            serde_json::from_str(r#"{"mode":"serve","parsed":7,"weather":"fine","sinks":[{"name":"store","queued":3,"health":{}}]}"#).unwrap();
        assert_eq!(pipeline.numbers.parsed, 7);
        assert_eq!(pipeline.numbers.queue(), 3);
        assert_eq!(pipeline.minute_ago, Numbers::default());
        let mark: Mark =
            serde_json::from_str(r#"{"time":1,"end":null,"title":"x","kind":"party"}"#).unwrap();
        assert_eq!(mark.kind, MarkKind::Info);
    }

    #[test]
    fn hostile_names_are_harmless_before_anyone_can_draw_them() {
        let json = r#"{"now":1,"services":[{"service":"a\u001b[2J","rule":"\u202eb","severity":"bad","why":"\u0007","time":0,"window":10,"rate":null,"errors":null,"p50":null,"p95":null,"p99":null}]}"#;
        let services: Services = serde_json::from_str(json).unwrap();
        let service = &services.services[0];
        assert_eq!(service.service.id, "a\u{1b}[2J");
        assert_eq!(&*service.service.shown, r"a\u{1b}[2J");
        assert_eq!(&*service.rule.shown, r"\u{202e}b");
        assert_eq!(&*service.why, r"\u{7}");
        assert_eq!(service.spark, Spark::default());
    }
}
