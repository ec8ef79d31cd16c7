//! How weir itself is: whether the numbers can be trusted, and where lines and measurements
//! are.

use super::panel::{Panel, Query, Stack};
use super::promql::of_instances;

/// The newest checkpoint is this old in a weir that keeps its promise.
const CHECKPOINT_LATE: f64 = 60.0;
/// A spool in which this share is used is on its way to be full.
const SPOOL_FILLS: [(f64, &str); 2] = [(0.5, "orange"), (0.9, "red")];
/// Lines of earlier runs are told under this protocol, and have not come just now.
const NOT_CARRIED: &str = "protocol!=\"carried\"";

/// The numbers at the top.
pub fn strip() -> Vec<Panel> {
    let one = |expr: String| [Query::new(expr, "")];
    // Increases are extrapolated, so they are no whole numbers.
    let some = [(0.001, "orange")];
    vec![
        Panel::number(
            "Lines received",
            "suffix:/s",
            true,
            &one(format!("sum({})", per_second("weir_lines_received_total", NOT_CARRIED))),
        )
        .colored("text", &[]),
        Panel::number(
            "Rejected",
            "short",
            false,
            &one(format!("sum({})", in_range("weir_lines_rejected_total", ""))),
        )
        .colored("green", &some)
        .described("Lines in this range of time that are no event. weir's page shows some of them, and why.".into()),
        Panel::number(
            "In no window",
            "short",
            false,
            &one(format!(
                "sum({})",
                in_range("weir_events_total", "outcome=~\"too_late|future\"")
            )),
        )
        .colored("green", &some)
        .described("Lines in this range of time that came too late, or were dated ahead of their arrival: they count nowhere.".into()),
        Panel::number(
            "Datagrams lost",
            "short",
            false,
            &one(format!("sum({})", in_range("weir_datagrams_lost_total", ""))),
        )
        .colored("green", &some)
        .described("Datagrams in this range of time that the kernel dropped because weir could not read them in time.".into()),
        Panel::number(
            "Dropped on the way out",
            "short",
            false,
            &one(format!(
                "sum({})",
                in_range("weir_sink_measurements_total", "outcome=\"dropped\"")
            )),
        )
        .colored("green", &some)
        .described("Measurements in this range of time that did not reach their sink because there was no more room for them.".into()),
        Panel::number(
            "Sinks",
            "none",
            false,
            &[Query::new(
                format!("min by (sink) (weir_sink_up{})", of_instances("")),
                "{{sink}}",
            )],
        )
        .worded(&[("0", "down", "red"), ("1", "up", "green")]),
        Panel::number(
            "Rules",
            "none",
            false,
            &one(format!("max(weir_rules_refused{})", of_instances(""))),
        )
        .worded(&[("0", "in force", "green"), ("1", "refused", "red")])
        .described("Refused: the files hold rules that are wrong, and those before are in force.".into()),
        Panel::number(
            "Newest checkpoint",
            "s",
            false,
            &[Query::new(
                format!("time() - weir_checkpoint_timestamp_seconds{}", of_instances("")),
                "{{instance}}",
            )],
        )
        .colored("green", &[(CHECKPOINT_LATE, "red")])
        .linked("weir's page", "http://${__field.labels.instance}/".into())
        .described("How long ago: a kill loses what came since over UDP and plain TCP.".into()),
    ]
}

/// The charts of the last row.
pub fn panels() -> Vec<Panel> {
    let lines = |title: &str, unit: &str, queries: &[Query]| {
        Panel::lines(title, unit, Stack::Lines, queries).field("min", 0)
    };
    let stacked = |title: &str, unit: &str, queries: &[Query]| {
        Panel::lines(title, unit, Stack::Stacked, queries).field("min", 0)
    };
    let rate_by = |label: &str, counter: &str, more: &str| {
        Query::new(
            format!("sum by ({label}) ({})", per_second(counter, more)),
            format!("{{{{{label}}}}}"),
        )
    };
    vec![
        stacked(
            "Lines received, by protocol",
            "suffix:/s",
            &[rate_by("protocol", "weir_lines_received_total", NOT_CARRIED)],
        ),
        stacked(
            "Lines parsed, by what became of them",
            "suffix:/s",
            &[rate_by("outcome", "weir_events_total", "")],
        )
        .described("counted in an open window; late: amended a closed one; too_late and future: in none; over_limit: among the others; skipped: wanted by no rule; notice: HAProxy's own message".into()),
        lines(
            "Lines rejected, by reason",
            "suffix:/s",
            &[rate_by("reason", "weir_lines_rejected_total", "")],
        ),
        lines(
            "Not let in",
            "suffix:/s",
            &[
                Query::new(
                    format!("sum({})", per_second("weir_datagrams_lost_total", "")),
                    "datagrams lost",
                ),
                Query::new(
                    format!(
                        "sum by (reason) ({})",
                        per_second("weir_connections_refused_total", "")
                    ),
                    "connections: {{reason}}",
                ),
                Query::new(
                    format!("sum by (reason) ({})", per_second("weir_http_refused_total", "")),
                    "HTTP: {{reason}}",
                ),
            ],
        ),
        lines(
            "In memory",
            "short",
            &[
                Query::new(
                    format!("sum by (instance) (weir_series{})", of_instances("")),
                    "series {{instance}}",
                ),
                Query::new(
                    format!("sum by (instance) (weir_lines_queued{})", of_instances("")),
                    "lines queued {{instance}}",
                ),
            ],
        ),
        lines(
            "Windows",
            "suffix:/s",
            &[
                Query::new(
                    format!("sum({})", per_second("weir_windows_closed_total", "")),
                    "closed",
                ),
                Query::new(
                    format!("sum({})", per_second("weir_windows_amended_total", "")),
                    "amended by late lines",
                ),
            ],
        ),
        lines(
            "Measurements, by sink and what became of them",
            "suffix:/s",
            &[Query::new(
                format!(
                    "sum by (sink, outcome) ({})",
                    per_second("weir_sink_measurements_total", "")
                ),
                "{{sink}}: {{outcome}}",
            )],
        ),
        lines(
            "Measurements waiting in memory, by sink",
            "short",
            &[Query::new(
                format!("sum by (sink) (weir_sink_queued{})", of_instances("")),
                "{{sink}}",
            )],
        ),
        lines(
            "Spool in use",
            "percentunit",
            &[Query::new(
                format!(
                    "max by (instance, sink) (weir_sink_spool_bytes_used{} / weir_sink_spool_bytes_max{})",
                    of_instances(""),
                    of_instances("")
                ),
                "{{sink}} {{instance}}",
            )],
        )
        .field("max", 1)
        .colored("green", &SPOOL_FILLS)
        .field("color", serde_json::json!({"mode": "palette-classic"}))
        .described("When all of it is in use, the oldest measurements are dropped and counted.".into()),
        lines(
            "How long the oldest in the spool waits",
            "s",
            &[Query::new(
                format!(
                    "max by (instance, sink) (time() - weir_sink_spool_oldest_timestamp_seconds{})",
                    of_instances("")
                ),
                "{{sink}} {{instance}}",
            )],
        )
        .described("No line where nothing waits.".into()),
        Panel::states(
            "Circuit breakers",
            &Query::new(
                format!(
                    "max by (instance, sink) (2 * weir_sink_breaker_state{} + ignoring (state) weir_sink_breaker_state{})",
                    of_instances("state=\"open\""),
                    of_instances("state=\"half-open\"")
                ),
                "{{sink}} {{instance}}",
            ),
        )
        .worded(&[
            ("0", "closed", "green"),
            ("1", "half-open", "orange"),
            ("2", "open", "red"),
        ])
        .described("closed: measurements flow; open: nothing is sent; half-open: one attempt is under way.".into()),
        lines(
            "Promises that cannot be kept",
            "none",
            &[Query::new(
                format!(
                    "max by (instance, promise) (weir_promise_broken{})",
                    of_instances("")
                ),
                "{{promise}} {{instance}}",
            )],
        )
        .described("What should survive weir and does not at the moment, as of a full disk; the log and weir's page say why. No line while all are kept.".into()),
    ]
}

fn per_second(counter: &str, more: &str) -> String {
    format!("rate({counter}{}[$__rate_interval])", of_instances(more))
}

fn in_range(counter: &str, more: &str) -> String {
    format!("increase({counter}{}[$__range])", of_instances(more))
}
