//! The `/metrics` page: every rule's series as of its newest window, and weir's own
//! counters, in the OpenMetrics text format.

use crate::delta::{Grouping, Layout, Name};
use crate::metric::{Measurement, Series, identifier};
use crate::reload;
use crate::sink::{breaker, health};
use crate::telemetry::{DeliveriesSnapshot, SinkSnapshot, Snapshot, Telemetry};
use crate::time::Timestamp;
use crate::window::ClosedWindow;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The content type of what [`render`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The newest closed window of each grouping.
#[derive(Debug, Default)]
pub struct Latest(Mutex<BTreeMap<u16, Window>>);

#[derive(Debug)]
struct Window {
    start: Timestamp,
    values: BTreeMap<Series, f64>,
}

impl Latest {
    /// Takes note of a window, unless a newer one is known.
    ///
    /// A window that closes replaces all values of the one before: a series that has
    /// none in it has none here, rather than an old one.
    pub fn update(&self, closed: &ClosedWindow) {
        let values = closed.measurements.iter();
        let values = values.map(|m: &Measurement| (m.series.clone(), m.value));
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match windows.get_mut(&closed.grouping.0) {
            Some(window) if window.start > closed.start => {}
            Some(window) if window.start == closed.start => window.values.extend(values),
            _ => {
                let window = Window {
                    start: closed.start,
                    values: values.collect(),
                };
                windows.insert(closed.grouping.0, window);
            }
        }
    }

    /// The rules are others from here on. Series that none of them can write are gone; the
    /// others stay, under the grouping that their rules have now.
    pub fn reload(&self, old: &Layout, new: &Layout) {
        let (written, gone) = (plain_names(new), plain_names(old));
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (grouping, window) in std::mem::take(&mut *windows) {
            let Some(old) = old.groupings.get(usize::from(grouping)) else {
                continue;
            };
            let Some(place) = new.groupings.iter().position(|new| shares_a_rule(old, new)) else {
                continue;
            };
            // Windows of another length do not tell by their start which is newer.
            let comparable = new.groupings[place].window == old.window;
            let start = if comparable {
                window.start
            } else {
                Timestamp::MIN
            };
            let values = window.values.into_iter();
            let values = values.filter(|(series, _)| {
                written.contains(&series.name) || !gone.contains(&series.name)
            });
            // As many groupings as a `GroupingId` can name.
            let known = windows.entry(place as u16).or_insert(Window {
                start,
                values: BTreeMap::new(),
            });
            known.start = known.start.max(start);
            known.values.extend(values);
        }
    }

    fn values(&self) -> Vec<(Series, f64)> {
        let windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let values = windows.values().flat_map(|window| &window.values);
        values
            .map(|(series, value)| (series.clone(), *value))
            .collect()
    }
}

/// The names of series that are the same for every group.
fn plain_names(layout: &Layout) -> BTreeSet<&Arc<str>> {
    let rules = layout.groupings.iter().flat_map(|grouping| &grouping.rules);
    let measures = rules.flat_map(|rule| &rule.measures);
    let names = measures.filter_map(|measure| match &measure.name {
        Name::Plain(name) => Some(name),
        Name::Template(_) => None,
    });
    names.collect()
}

fn shares_a_rule(one: &Grouping, other: &Grouping) -> bool {
    let known = |name: &Arc<str>| one.rules.iter().any(|rule| rule.name == *name);
    other.rules.iter().any(|rule| known(&rule.name))
}

/// The page's text. `rules` is what is in force, if lines are counted at all.
pub fn render(
    latest: &Arc<Latest>,
    telemetry: &Arc<Telemetry>,
    rules: Option<reload::Snapshot>,
) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Rules(latest.values())));
    registry.register_collector(Box::new(Own(telemetry.snapshot())));
    registry.register_collector(Box::new(InForce(rules)));
    let mut page = String::new();
    text::encode(&mut page, &registry)?;
    Ok(page)
}

/// The rules' series, as gauges.
#[derive(Debug)]
struct Rules(Vec<(Series, f64)>);

impl Collector for Rules {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families: BTreeMap<String, Vec<(Labels, f64)>> = BTreeMap::new();
        for (series, value) in &self.0 {
            let labels = series.tags.iter();
            let labels = labels.map(|(name, value)| (identifier(name), value.to_string()));
            let family = families.entry(identifier(&series.name)).or_default();
            family.push((labels.collect(), *value));
        }
        for (name, values) in families {
            let help = "A rule's series, as of its newest closed window.";
            gauges(&mut encoder, &name, help, values)?;
        }
        Ok(())
    }
}

/// weir's own counters.
#[derive(Debug)]
struct Own(Snapshot);

impl Collector for Own {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let own = &self.0;
        let e = &mut encoder;

        let of = |get: fn(&crate::telemetry::ListenerSnapshot) -> u64| {
            let listeners = own.listeners.iter();
            listeners.map(move |listener| {
                let labels = [
                    ("protocol", listener.protocol),
                    ("address", &listener.address),
                ];
                (labels_of(&labels), get(listener))
            })
        };
        let carried = (own.carried > 0).then(|| {
            let labels = [("protocol", "carried"), ("address", "")];
            (labels_of(&labels), own.carried)
        });
        counters(
            e,
            "weir_lines_received",
            "Frames received, those of earlier runs up to the last checkpoint under the protocol \
             carried. received = parsed + rejected + queued",
            of(|listener| listener.received).chain(carried),
        )?;
        counters(
            e,
            "weir_relp_resent_frames",
            "Lines that a sender sent again because it had not heard that they were kept. They \
             are not received anew",
            own.listeners
                .iter()
                .filter(|listener| listener.protocol == "relp")
                .map(|listener| {
                    let labels = [
                        ("protocol", listener.protocol),
                        ("address", &listener.address),
                    ];
                    (labels_of(&labels), listener.resent)
                }),
        )?;
        counters(
            e,
            "weir_datagrams_lost",
            "Datagrams that the kernel dropped because they were not read in time",
            of(|listener| listener.lost),
        )?;
        let refused = |udp: bool| {
            let listeners = own.listeners.iter();
            let listeners = listeners.filter(move |listener| (listener.protocol == "udp") == udp);
            listeners.flat_map(|listener| {
                listener.refused.iter().map(|(reason, n)| {
                    let labels = [
                        ("protocol", listener.protocol),
                        ("address", &listener.address),
                        ("reason", reason),
                    ];
                    (labels_of(&labels), *n)
                })
            })
        };
        counters(
            e,
            "weir_connections_refused",
            "Connections refused, by reason: not_allowed (allow), connections and \
             connections_per_address (limits), handshake and certificate (TLS)",
            refused(false),
        )?;
        counters(
            e,
            "weir_datagrams_refused",
            "Datagrams refused because their sender is not in allow",
            refused(true).filter(|(_, n)| *n > 0),
        )?;
        gauges(
            e,
            "weir_connections",
            "Open connections",
            of(|listener| listener.connections).map(|(labels, n)| (labels, n as f64)),
        )?;
        gauges(
            e,
            "weir_http_connections",
            "Open connections of the HTTP server",
            [(Labels::new(), own.http.connections as f64)],
        )?;
        counters(
            e,
            "weir_http_refused",
            "What the HTTP server turned away: connections (too many), address (too many from \
             one), slow (a client that sends or reads nothing), name (not one of weir's), site \
             (a web page of another site asked), token (none or a wrong one)",
            own.http
                .refused
                .iter()
                .map(|(reason, n)| (labels_of(&[("reason", reason)]), *n)),
        )?;
        counters(
            e,
            "weir_lines_rejected",
            "Lines that are no event, by reason",
            own.rejected
                .iter()
                .map(|(reason, n)| (labels_of(&[("reason", reason)]), *n)),
        )?;
        let file = own.rejects_file.as_ref();
        for (name, help, value) in [
            (
                "weir_rejects_written",
                "Rejected lines written to the file of rejected lines",
                file.map(|file| file.written),
            ),
            (
                "weir_rejects_unwritten",
                "Rejected lines that are not in the file of rejected lines, because too many \
                 waited for it or it could not be written",
                file.map(|file| file.unwritten),
            ),
        ] {
            counters(e, name, help, value.map(|n| (Labels::new(), n)))?;
        }
        for (name, help, value) in [
            (
                "weir_lines_parsed",
                "Lines parsed into an event",
                own.parsed,
            ),
            (
                "weir_frames_cut",
                "Frames longer than limits.line_bytes, or cut short by the end of the connection",
                own.cut,
            ),
            (
                "weir_notices_dropped",
                "HAProxy's own messages that are missing among the annotations: too many at once",
                own.notices_dropped,
            ),
            ("weir_windows_closed", "Windows closed", own.windows.closed),
            (
                "weir_windows_amended",
                "Closed windows sent again with late events",
                own.windows.amended,
            ),
        ] {
            counters(e, name, help, [(Labels::new(), value)])?;
        }
        let outcomes = [
            ("counted", own.counted),
            ("late", own.late),
            ("too_late", own.too_late),
            ("future", own.future),
            ("over_limit", own.over_limit),
            ("skipped", own.skipped),
            ("notice", own.notices),
        ];
        counters(
            e,
            "weir_events",
            "Parsed events by what became of them: counted in an open window, late (amended a \
             closed one), too_late, future (dated too far ahead), over_limit (among the \
             others: one series too many), skipped (no rule wanted it), notice (HAProxy's own message, no request)",
            outcomes.map(|(outcome, n)| (labels_of(&[("outcome", outcome)]), n)),
        )?;
        let reasons = [
            ("too_late", own.missing_too_late),
            ("over_limit", own.missing_over_limit),
        ];
        counters(
            e,
            "weir_groupings_missed",
            "How often an event is missing from a grouping that wanted it; it may count in \
             another",
            reasons.map(|(reason, n)| (labels_of(&[("reason", reason)]), n)),
        )?;
        counters(
            e,
            "weir_events_over_limit",
            "Events that count among the others because there were limits.series series, by the \
             rule that wanted them",
            own.over_limit_by_rule
                .iter()
                .map(|(rule, n)| (labels_of(&[("rule", rule)]), *n)),
        )?;
        for (name, help, value) in [
            (
                "weir_lines_queued",
                "Lines received and not yet parsed",
                own.queued,
            ),
            (
                "weir_windows_open",
                "Windows that are open and hold events",
                own.windows.open,
            ),
            ("weir_series", "Live series", own.series),
        ] {
            gauges(e, name, help, [(Labels::new(), value as f64)])?;
        }

        gauges(
            e,
            "weir_checkpoint_timestamp_seconds",
            "When the newest checkpoint was cut that is kept, in seconds since 1970: what came \
             before survives a kill",
            own.checkpoint.map(|at| (Labels::new(), at)),
        )?;

        let broken_down = &own.breakdown;
        for (name, help, n) in [
            (
                "weir_breakdown_looked_at",
                "Requests and sessions that were looked at for the breakdown of services",
                broken_down.looked,
            ),
            (
                "weir_breakdown_requests",
                "Requests and sessions that these count for: more where a worker had more in a \
                 second than it looks at",
                broken_down.requests,
            ),
            (
                "weir_breakdown_records_unreadable",
                "Records of the breakdown in the store that could not be read and were begun anew",
                broken_down.unreadable,
            ),
        ] {
            counters(e, name, help, [(Labels::new(), n)])?;
        }
        counters(
            e,
            "weir_breakdown_lost",
            "Requests and sessions that are in no breakdown: no room (for so many services at \
             once), backlog (the store held the writing up), late (older than the store keeps). \
             Rules count them all the same",
            broken_down
                .lost
                .iter()
                .map(|(reason, n)| (labels_of(&[("reason", reason)]), *n)),
        )?;

        let skewed = own.skewed_hosts.iter();
        gauges(
            e,
            "weir_host_clock_skew_seconds",
            "By how much the dates in a host's lines are ahead of their arrival, below zero \
             behind, where that looks like a wrong haproxy.timezone",
            skewed.map(|host| (labels_of(&[("host", &host.host)]), host.seconds as f64)),
        )?;

        let broken = own.broken.keys();
        gauges(
            e,
            "weir_promise_broken",
            "1 for each promise that weir cannot keep at the moment; the log and the page say why",
            broken.map(|promise| (labels_of(&[("promise", promise)]), 1.0)),
        )?;

        gauges(
            e,
            "weir_rejects_queued",
            "Rejected lines waiting to be written to their file",
            file.map(|file| (Labels::new(), file.queued as f64)),
        )?;

        for (name, noun, get) in [
            ("measurements", "Measurements", measurements as Kind),
            ("annotations", "Annotations", annotations as Kind),
        ] {
            let outcomes = own.sinks.iter().flat_map(|sink| {
                let of = |outcome| labels_of(&[("sink", sink.name), ("outcome", outcome)]);
                [
                    (of("delivered"), get(sink).delivered),
                    (of("rejected"), get(sink).rejected),
                    (of("dropped"), get(sink).dropped),
                ]
            });
            counters(
                e,
                &format!("weir_sink_{name}"),
                &format!(
                    "{noun} by what became of them: delivered, rejected by the far side, or \
                     dropped by weir"
                ),
                outcomes,
            )?;
        }
        for (name, noun, get) in [
            ("weir_sink_queued", "Measurements", measurements as Kind),
            (
                "weir_sink_annotations_queued",
                "Annotations",
                annotations as Kind,
            ),
        ] {
            let sinks = own.sinks.iter();
            let queued =
                sinks.map(|sink| (labels_of(&[("sink", sink.name)]), get(sink).queued as f64));
            gauges(e, name, &format!("{noun} waiting for the sink"), queued)?;
        }
        let sinks = own.sinks.iter();
        let up = sinks.map(|sink| {
            let up = if sink.last_error.is_empty() { 1.0 } else { 0.0 };
            (labels_of(&[("sink", sink.name)]), up)
        });
        gauges(
            e,
            "weir_sink_up",
            "1 while the sink takes what it is given, else 0",
            up,
        )?;
        push_sinks(e, &own.sinks)
    }
}

/// What only sinks with a far side have.
fn push_sinks(e: &mut DescriptorEncoder<'_>, sinks: &[SinkSnapshot]) -> fmt::Result {
    let pushed = || {
        let sinks = sinks.iter();
        sinks.filter_map(|sink| Some((sink.name, sink.health.as_ref()?)))
    };
    let states = pushed().flat_map(|(name, health)| {
        breaker::State::ALL.map(|state| {
            let labels = labels_of(&[("sink", name), ("state", state.as_str())]);
            (
                labels,
                f64::from(u8::from(health.breaker == state.as_str())),
            )
        })
    });
    gauges(
        e,
        "weir_sink_breaker_state",
        "1 for the state in which the sink's circuit breaker is: closed (requests flow), open \
         (nothing is sent), half-open (one attempt is under way), else 0",
        states,
    )?;
    let held = pushed().filter_map(|(name, health)| {
        Some((labels_of(&[("sink", name)]), health.held_until? as f64))
    });
    gauges(
        e,
        "weir_sink_held_until_timestamp_seconds",
        "Until when nothing is sent because the far side asks for that; absent while it does not",
        held,
    )?;
    let of = |get: fn(&health::Spool) -> Option<f64>| {
        pushed().filter_map(move |(name, health)| {
            Some((labels_of(&[("sink", name)]), get(&health.spool)?))
        })
    };
    gauges(
        e,
        "weir_sink_spool_bytes_used",
        "Bytes of the sink's spool that are in use",
        of(|spool| Some(spool.bytes_used as f64)),
    )?;
    gauges(
        e,
        "weir_sink_spool_bytes_max",
        "Bytes of the sink's spool at which its oldest are dropped",
        of(|spool| Some(spool.bytes_max as f64)),
    )?;
    gauges(
        e,
        "weir_sink_spool_oldest_timestamp_seconds",
        "Since when the oldest in the sink's spool waits, in seconds since 1970",
        of(|spool| spool.oldest.map(|oldest| oldest as f64)),
    )
}

/// Which rules are in force, and what became of reloads.
#[derive(Debug)]
struct InForce(Option<reload::Snapshot>);

impl Collector for InForce {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (Some(rules), e) = (&self.0, &mut encoder) else {
            return Ok(());
        };
        let outcomes = [("accepted", rules.accepted), ("refused", rules.refusals)];
        counters(
            e,
            "weir_reloads",
            "Reloads by what became of them: accepted (a new set is in force), or refused \
             (the files are wrong, the set before stays)",
            outcomes.map(|(outcome, n)| (labels_of(&[("outcome", outcome)]), n)),
        )?;
        for (name, help, value) in [
            ("weir_rules", "Rules in force", rules.rules as f64),
            (
                "weir_rules_loaded_timestamp_seconds",
                "Since when these rules are in force, in seconds since 1970",
                rules.loaded as f64,
            ),
            (
                "weir_rules_refused",
                "1 while the files hold a set that was refused, else 0",
                f64::from(u8::from(rules.refused.is_some())),
            ),
        ] {
            gauges(e, name, help, [(Labels::new(), value)])?;
        }
        Ok(())
    }
}

/// Chooses one kind of a sink's counters.
type Kind = fn(&SinkSnapshot) -> &DeliveriesSnapshot;

fn measurements(sink: &SinkSnapshot) -> &DeliveriesSnapshot {
    &sink.measurements
}

fn annotations(sink: &SinkSnapshot) -> &DeliveriesSnapshot {
    &sink.annotations
}

type Labels = Vec<(String, String)>;

fn labels_of(pairs: &[(&str, &str)]) -> Labels {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (Labels, u64)>,
) -> fmt::Result {
    let values = values.into_iter();
    family(
        encoder,
        name,
        help,
        values.map(|(labels, n)| (labels, ConstCounter::new(n))),
    )
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (Labels, f64)>,
) -> fmt::Result {
    let values = values.into_iter();
    family(
        encoder,
        name,
        help,
        values.map(|(labels, x)| (labels, ConstGauge::new(x))),
    )
}

fn family<M: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (Labels, M)>,
) -> fmt::Result {
    let mut values = values.into_iter().peekable();
    // A family of none would be a heading without a line.
    let Some((_, first)) = values.peek() else {
        return Ok(());
    };
    let mut encoder = encoder.encode_descriptor(name, help, None, first.metric_type())?;
    for (labels, value) in values {
        if labels.is_empty() {
            // Without labels there is only one.
            return value.encode(encoder);
        }
        value.encode(encoder.encode_family(&labels)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Account;
    use crate::delta::GroupingId;
    use crate::skew::SkewedHost;
    use crate::telemetry::Tally;
    use std::time::Duration;

    fn closed(start: i64, values: &[(&str, &str, f64)]) -> ClosedWindow {
        let measurements = values.iter().map(|(name, service, value)| Measurement {
            series: Series {
                name: (*name).into(),
                tags: [("service".into(), (*service).into())].into(),
            },
            time: Timestamp::from_secs(start),
            period: Duration::from_secs(10),
            value: *value,
        });
        ClosedWindow {
            grouping: GroupingId(0),
            start: Timestamp::from_secs(start),
            amended: false,
            measurements: measurements.collect(),
        }
    }

    fn lines(latest: &Arc<Latest>, starting: &str) -> Vec<String> {
        let telemetry = Arc::new(Telemetry::new(Timestamp::from_secs(0)));
        telemetry
            .listener("udp", "127.0.0.1:514".to_owned())
            .received
            .add(3);
        let sink = telemetry.sink("librato", "http://127.0.0.1:8420".to_owned());
        sink.measurements.delivered.add(5);
        sink.annotations.rejected.add(2);
        let soon = tokio::time::Instant::now() + std::time::Duration::from_secs(3600);
        sink.health().hold(soon, Timestamp::from_secs(9));
        sink.health().set_spool(health::Spool {
            bytes_used: 8192,
            bytes_max: 1 << 20,
            oldest: Some(7),
        });
        telemetry.add(&Tally {
            parsed: 3,
            skipped: 1,
            notices: 2,
            notices_dropped: 1,
            ..Tally::default()
        });
        let file = telemetry.rejects_file("rejects.log".to_owned());
        file.written.add(4);
        file.unwritten.add(2);
        telemetry.set_skewed_hosts(vec![SkewedHost {
            host: "lb1".to_owned(),
            seconds: -3600,
            since: 0,
        }]);
        telemetry.broken("journal", Some("the disk is full".to_owned()));
        telemetry.broken("store", Some("the disk is full".to_owned()));
        telemetry.broken("store", None);
        let page = render(latest, &telemetry, None).unwrap();
        assert!(page.ends_with("# EOF\n"), "{page}");
        let lines = page.lines().filter(|line| line.starts_with(starting));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn series_are_those_of_the_newest_window() {
        let latest = Arc::new(Latest::default());
        latest.update(&closed(
            10,
            &[("http.rate", "users", 1.0), ("http.p95", "users", 7.0)],
        ));
        latest.update(&closed(20, &[("http.rate", "users", 0.0)]));
        // Amending an older window changes nothing here, amending the newest does.
        latest.update(&closed(10, &[("http.rate", "users", 9.0)]));
        latest.update(&closed(20, &[("http.rate", "ca\"rts", 2.5)]));
        assert_eq!(
            lines(&latest, "http"),
            [
                r#"http_rate{service="ca\"rts"} 2.5"#,
                r#"http_rate{service="users"} 0.0"#
            ]
        );
    }

    #[test]
    fn series_of_rules_that_stay_are_there_after_a_reload() {
        let rules = |text: &str| {
            let source = crate::source::Source::new("rules.yaml", text);
            crate::rules::load(&[source], &crate::rules::Options::default()).unwrap()
        };
        let before = rules(
            "rules:\n- name: gone\n  window: 1m\n  measure: { n: count() }\n\
             - name: http\n  by: [service]\n  measure: { rate: rate(), p95: max(Tr) }\n",
        );
        let after = rules("rules:\n- name: http\n  by: [service]\n  measure: { rate: rate() }\n");
        let latest = Arc::new(Latest::default());
        let http = |start, values: &[_], grouping| ClosedWindow {
            grouping: GroupingId(grouping),
            ..closed(start, values)
        };
        latest.update(&closed(0, &[("gone.n", "", 5.0)]));
        let values = [("http.rate", "users", 1.0), ("http.p95", "users", 7.0)];
        latest.update(&http(20, &values, 1));
        latest.reload(before.layout(), after.layout());
        let rate = |rate: &str| vec![format!(r#"http_rate{{service="users"}} {rate}"#)];
        assert_eq!(lines(&latest, "http"), rate("1.0"));
        assert_eq!(lines(&latest, "gone"), [""; 0]);
        // It goes on where it was: older windows change nothing, newer ones do.
        latest.update(&http(10, &[("http.rate", "users", 8.0)], 0));
        assert_eq!(lines(&latest, "http"), rate("1.0"));
        latest.update(&http(30, &[("http.rate", "users", 2.0)], 0));
        assert_eq!(lines(&latest, "http"), rate("2.0"));

        // A minute's window starts before the ten seconds that were the newest.
        let minutes = rules(
            "rules:\n- name: http\n  by: [service]\n  window: 1m\n  measure: { rate: rate() }\n",
        );
        latest.reload(after.layout(), minutes.layout());
        assert_eq!(lines(&latest, "http"), rate("2.0"));
        latest.update(&http(0, &[("http.rate", "users", 3.0)], 0));
        assert_eq!(lines(&latest, "http"), rate("3.0"));
    }

    #[test]
    fn what_became_of_reloads_is_there() {
        let telemetry = Arc::new(Telemetry::new(Timestamp::from_secs(0)));
        let mut rules = reload::Snapshot {
            files: Vec::new(),
            rules: 7,
            loaded: 1_767_268_800,
            refused: None,
            last_refused: None,
            accepted: 2,
            refusals: 1,
        };
        let lines = |rules: Option<reload::Snapshot>| {
            let page = render(&Arc::default(), &telemetry, rules).unwrap();
            let lines = page
                .lines()
                .filter(|line| line.starts_with("weir_rules") || line.starts_with("weir_reloads"));
            lines.collect::<Vec<_>>().join("\n")
        };
        assert_eq!(lines(None), "");
        insta::assert_snapshot!(lines(Some(rules.clone())), @r#"
        weir_reloads_total{outcome="accepted"} 2
        weir_reloads_total{outcome="refused"} 1
        weir_rules 7.0
        weir_rules_loaded_timestamp_seconds 1767268800.0
        weir_rules_refused 0.0
        "#);
        rules.refused = Some(reload::Refused {
            since: 0,
            at: 0,
            problems: Vec::new(),
            count: 1,
        });
        assert!(lines(Some(rules)).contains("weir_rules_refused 1"));
    }

    #[test]
    fn lines_of_earlier_runs_are_in_the_sums() {
        let telemetry = Arc::new(Telemetry::new(Timestamp::from_secs(0)));
        telemetry.carry(&Account {
            parsed: 40,
            rejected: [("malformed".to_owned(), 2)].into(),
            ..Account::default()
        });
        let page = render(&Arc::default(), &telemetry, None).unwrap();
        for line in [
            r#"weir_lines_received_total{protocol="carried",address=""} 42"#,
            "weir_lines_parsed_total 40",
            r#"weir_lines_rejected_total{reason="malformed"} 2"#,
        ] {
            assert!(page.lines().any(|other| other == line), "{line} in {page}");
        }
    }

    #[test]
    fn own_counters_are_there() {
        let latest = Arc::new(Latest::default());
        assert_eq!(
            lines(&latest, "weir_lines_received"),
            [r#"weir_lines_received_total{protocol="udp",address="127.0.0.1:514"} 3"#]
        );
        assert_eq!(
            lines(&latest, "weir_lines_parsed"),
            ["weir_lines_parsed_total 3"]
        );
        assert_eq!(
            lines(&latest, "weir_rejects"),
            [
                "weir_rejects_written_total 4",
                "weir_rejects_unwritten_total 2",
                "weir_rejects_queued 0.0"
            ]
        );
        assert_eq!(
            lines(&latest, "weir_host"),
            [r#"weir_host_clock_skew_seconds{host="lb1"} -3600.0"#]
        );
        assert_eq!(
            lines(&latest, "weir_promise"),
            [r#"weir_promise_broken{promise="journal"} 1.0"#]
        );
        for line in [
            r#"weir_sink_breaker_state{sink="librato",state="closed"} 1.0"#,
            r#"weir_sink_breaker_state{sink="librato",state="half-open"} 0.0"#,
            r#"weir_sink_held_until_timestamp_seconds{sink="librato"} 9.0"#,
            r#"weir_sink_spool_bytes_used{sink="librato"} 8192.0"#,
            r#"weir_sink_spool_bytes_max{sink="librato"} 1048576.0"#,
            r#"weir_sink_spool_oldest_timestamp_seconds{sink="librato"} 7.0"#,
            r#"weir_sink_measurements_total{sink="librato",outcome="delivered"} 5"#,
            r#"weir_sink_annotations_total{sink="librato",outcome="rejected"} 2"#,
            r#"weir_sink_annotations_queued{sink="librato"} 0.0"#,
        ] {
            let found = lines(&latest, "weir_sink");
            assert!(found.iter().any(|found| found == line), "{line}: {found:?}");
        }
        let events = lines(&latest, "weir_events");
        for outcome in [r#"{outcome="skipped"} 1"#, r#"{outcome="notice"} 2"#] {
            let line = format!("weir_events_total{outcome}");
            assert!(events.contains(&line), "{line}: {events:?}");
        }
        assert_eq!(
            lines(&latest, "weir_notices"),
            ["weir_notices_dropped_total 1"]
        );
    }
}
