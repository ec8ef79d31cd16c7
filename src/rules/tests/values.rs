//! What is told of measures to those who draw them.

use super::loaded;
use crate::rules::{ValueUnit, Values, Whole};
use ValueUnit::{Count, PerSecond, Plain, Share, Unit};

/// The values of a rule's only measure.
fn values(measure: &str) -> Values {
    let rules = loaded(&format!(
        "rules:\n- name: r\n  by: [service]\n  measure:\n    m: {measure}\n"
    ));
    let described: Vec<_> = rules.described().collect();
    let [rule] = described.as_slice() else {
        panic!("{described:?}")
    };
    assert_eq!((rule.name, rule.grouping.by.len()), ("r", 1));
    assert_eq!(&**rule.measures[0].name, "m");
    rule.measures[0].values
}

#[test]
fn each_measure_has_a_unit_and_adds_up_or_not() {
    for (measure, unit, add_up) in [
        ("count()", Count, true),
        ("rate()", PerSecond, true),
        ("ratio(status >= 500)", Share, false),
        ("apdex(Ta, 500ms)", Share, false),
        ("distinct(client_ip)", Count, false),
        ("top(client_ip, 5)", Count, true),
        ("histogram(Ta)", Count, true),
        ("sum(bytes_read)", Unit("B"), true),
        ("mean(Tr)", Unit("ms"), false),
        ("stddev(bytes_uploaded)", Unit("B"), false),
        ("percentile(Tr, 95)", Unit("ms"), false),
        ("max(retries)", Plain, false),
        ("min(Tr)", Unit("ms"), false),
        ("rate() - 1", PerSecond, false),
        ("count() + count()", Count, true),
        ("rate() + count()", Plain, true),
        ("8 * sum(bytes_read) / 60", Plain, true),
        ("sum(bytes_read) / count()", Unit("B"), false),
        ("sum(Tw) / sum(Ta)", Plain, false),
        ("60 / rate()", Plain, false),
        ("-sum(Tr)", Unit("ms"), true),
        (
            "{ value: \"percentile(Tr, 95)\", unit: s }",
            Unit("s"),
            false,
        ),
        ("{ value: sum(bytes_read), unit: KiB }", Unit("KiB"), true),
        (
            "{ value: ratio(status >= 500), unit: percent }",
            Unit("percent"),
            false,
        ),
    ] {
        let got = values(measure);
        let whole = match (
            add_up,
            ["apdex", "min"].iter().any(|m| measure.starts_with(m)),
        ) {
            (true, _) => Whole::Sum,
            (false, true) => Whole::Lowest,
            (false, false) => Whole::Highest,
        };
        assert_eq!((got.unit, got.whole), (unit, whole), "{measure}");
        let bounds = measure.starts_with("histogram").then_some(Unit("ms"));
        assert_eq!(got.bounds, bounds, "{measure}");
    }
}
