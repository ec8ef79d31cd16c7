//! A rule's row: a table of its groups as they are now, and a chart for each measure.

use super::panel::{Column, Panel, Query, Stack};
use super::promql::{self, Names};
use super::variables;
use crate::boards::{by, lines_of, title as measure_by};
use crate::delta::Output;
use crate::metric::identifier;
use crate::rules::{Described, DescribedMeasure, ValueUnit, Whole};

/// From when on a share of errors is shown as one: where the page has its `warn` and `bad`.
const ERRORS: [(f64, &str); 2] = [(0.01, "orange"), (0.05, "red")];
const ERRORS_PERCENT: [(f64, &str); 2] = [(1.0, "orange"), (5.0, "red")];
/// Rows of a table that fit without scrolling are no taller than this.
const TABLE_HEIGHT: u32 = 9;

/// `http, by service`
pub fn title(rule: &Described<'_>) -> String {
    match by(rule) {
        Some(by) => format!("{}, by {by}", rule.name),
        None => rule.name.to_owned(),
    }
}

pub fn panels(rule: &Described<'_>, names: &Names) -> Vec<Panel> {
    let labels = promql::labels(rule);
    let values = || {
        let measures = rule.measures.iter();
        measures.filter(|measure| matches!(measure.output, Output::Value(_)))
    };
    let mut panels = Vec::new();
    if labels.is_empty() {
        panels.extend(together(rule, names, values()));
    } else {
        panels.extend(table(rule, names, &labels, values()));
        let charts = families(values()).into_iter().flat_map(|family| {
            let width = if family.len() > 2 { 8 } else { 12 };
            let chart = |measure| chart(rule, names, &labels, measure).sized(width, 8);
            family.into_iter().map(chart).collect::<Vec<_>>()
        });
        panels.extend(charts);
    }
    for measure in &rule.measures {
        match measure.output {
            Output::Value(_) => {}
            Output::Buckets { .. } => panels.push(heatmap(rule, names, measure)),
            Output::Top { tag, .. } => panels.push(largest(rule, names, &labels, measure, tag)),
        }
    }
    panels
}

/// One row a group, one column a measure.
fn table<'a>(
    rule: &Described<'_>,
    names: &Names,
    labels: &[String],
    measures: impl Iterator<Item = &'a DescribedMeasure<'a>>,
) -> Option<Panel> {
    let measures: Vec<_> = measures.collect();
    let columns: Vec<Column> = measures
        .iter()
        .map(|measure| {
            let selector = names.selector(measure.series, rule);
            Column {
                name: measure.name.to_string(),
                expr: promql::merged(measure.values.whole, labels, &selector),
                unit: unit(measure.values.unit, rule),
                ascending: measure.values.whole == Whole::Lowest,
                colors: colors(measure),
            }
        })
        .collect();
    // What hurts first, else who is busiest.
    let errors = columns.iter().position(|column| !column.colors.is_empty());
    let panel = Panel::table(
        &format!("Now, by {}", by(rule)?),
        labels,
        &columns,
        errors.unwrap_or(0),
    );
    let panel = panel.sized(24, TABLE_HEIGHT).described(format!(
        "The newest values of the rule {}: {}.",
        rule.name,
        lines_of(rule)
    ));
    (!columns.is_empty()).then(|| panel.linked(&only(&labels[0]), link(rule, "__data.fields")))
}

/// A measure of every group.
fn chart(
    rule: &Described<'_>,
    names: &Names,
    labels: &[String],
    measure: &DescribedMeasure<'_>,
) -> Panel {
    let whole = measure.values.whole;
    let selector = names.selector(measure.series, rule);
    let query = Query::new(promql::most(whole, labels, &selector), legend(labels));
    let unit = unit(measure.values.unit, rule);
    let panel = Panel::lines(
        &measure_by(measure.name, rule),
        unit,
        Stack::Lines,
        &[query],
    );
    framed(panel, rule, &[measure]).linked(&only(&labels[0]), link(rule, "__field.labels"))
}

/// The measures of a rule with one group: those of one unit in one chart.
fn together<'a>(
    rule: &Described<'_>,
    names: &Names,
    measures: impl Iterator<Item = &'a DescribedMeasure<'a>>,
) -> Vec<Panel> {
    let families = families(measures).into_iter();
    let charts = families.map(|family| {
        let queries: Vec<Query> = family
            .iter()
            .map(|measure| {
                let selector = names.selector(measure.series, rule);
                let expr = promql::merged(measure.values.whole, &[], &selector);
                Query::new(expr, &**measure.name)
            })
            .collect();
        let named: Vec<&str> = family.iter().map(|measure| &**measure.name).collect();
        let unit = unit(family[0].values.unit, rule);
        let panel = Panel::lines(&named.join(", "), unit, Stack::Lines, &queries);
        framed(panel, rule, &family)
    });
    charts.collect()
}

/// Measures that can stand in one chart, in the order of the first of each kind.
fn families<'a>(
    measures: impl Iterator<Item = &'a DescribedMeasure<'a>>,
) -> Vec<Vec<&'a DescribedMeasure<'a>>> {
    let mut families: Vec<Vec<&DescribedMeasure<'_>>> = Vec::new();
    for measure in measures {
        let same = |family: &&mut Vec<&DescribedMeasure<'_>>| {
            let first = family[0].values;
            first.unit == measure.values.unit && first.unit != ValueUnit::Plain
        };
        match families.iter_mut().find(same) {
            Some(family) => family.push(measure),
            None => families.push(vec![measure]),
        }
    }
    families
}

fn heatmap(rule: &Described<'_>, names: &Names, measure: &DescribedMeasure<'_>) -> Panel {
    let selector = names.selector(measure.series, rule);
    let le = [crate::delta::LE.to_owned()];
    let expr = promql::merged(Whole::Sum, &le, &selector);
    let bounds = measure.values.bounds.unwrap_or(ValueUnit::Plain);
    let panel = Panel::heatmap(
        measure.name,
        unit(bounds, rule),
        &Query::new(expr, "{{le}}"),
    );
    framed(panel, rule, &[measure])
}

/// The most frequent values.
fn largest(
    rule: &Described<'_>,
    names: &Names,
    labels: &[String],
    measure: &DescribedMeasure<'_>,
    tag: &str,
) -> Panel {
    let mut labels = labels.to_vec();
    labels.push(promql::label(tag));
    let selector = names.selector(measure.series, rule);
    let column = Column {
        name: measure.name.to_string(),
        expr: promql::merged(Whole::Sum, &labels, &selector),
        unit: unit(measure.values.unit, rule),
        ascending: false,
        colors: &[],
    };
    let panel = Panel::table(&measure_by(measure.name, rule), &labels, &[column], 0);
    framed(panel, rule, &[measure]).sized(12, 8)
}

/// What all charts of a rule have.
fn framed(panel: Panel, rule: &Described<'_>, measures: &[&DescribedMeasure<'_>]) -> Panel {
    let window = rule.grouping.window;
    let (span, every) = (window.span.as_secs(), window.every.as_secs());
    let windows = match span == every {
        true => format!("windows of {span} s"),
        false => format!("windows of {span} s, every {every} s"),
    };
    let merged = measures.iter().map(|measure| {
        let merged = match measure.values.whole {
            Whole::Sum => "their sum",
            Whole::Highest => "the highest of theirs",
            Whole::Lowest => "the lowest of theirs",
        };
        format!("{}: {merged}", measure.name)
    });
    let merged: Vec<String> = merged.collect();
    let panel = panel.every(format!("{every}s")).described(format!(
        "Of {}, in {windows}. Of several weirs, {}.",
        lines_of(rule),
        merged.join("; ")
    ));
    match measures[0].values.unit {
        // It may be below zero.
        ValueUnit::Plain => panel,
        _ => panel.field("min", 0),
    }
}

/// The title of a link to what one value of that label shows.
fn only(label: &str) -> String {
    format!("Only this {label}")
}

/// This dashboard for one value of the first label alone. `from`: where the value is found.
fn link(rule: &Described<'_>, from: &str) -> String {
    let Some(label) = promql::labels(rule).into_iter().next() else {
        return String::new();
    };
    let kept = [variables::DATASOURCE, variables::INSTANCE]
        .map(|name| format!("${{{name}:queryparam}}&"))
        .concat();
    format!(
        "/d/${{__dashboard.uid}}?{kept}${{__url_time_range}}&var-{}=${{{from}.{label}:percentencode}}",
        variables::of_label(&label)
    )
}

/// `{{service}} {{route}}`
fn legend(labels: &[String]) -> String {
    let labels = labels.iter().map(|label| format!("{{{{{label}}}}}"));
    labels.collect::<Vec<_>>().join(" ")
}

fn colors(measure: &DescribedMeasure<'_>) -> &'static [(f64, &'static str)] {
    let name = identifier(measure.name).to_ascii_lowercase();
    match (name.contains("error"), measure.values.unit) {
        (true, ValueUnit::Share) => &ERRORS,
        (true, ValueUnit::Unit("percent")) => &ERRORS_PERCENT,
        _ => &[],
    }
}

/// As Grafana calls it.
fn unit(unit: ValueUnit, rule: &Described<'_>) -> &'static str {
    match unit {
        ValueUnit::PerSecond if counts_requests(rule) => "reqps",
        ValueUnit::PerSecond => "suffix:/s",
        ValueUnit::Share => "percentunit",
        ValueUnit::Count => "short",
        ValueUnit::Plain => "none",
        ValueUnit::Unit(name) => match name {
            "us" => "µs",
            "ms" => "ms",
            "s" => "s",
            "min" => "m",
            "h" => "h",
            "B" => "decbytes",
            "KB" => "deckbytes",
            "MB" => "decmbytes",
            "GB" => "decgbytes",
            "KiB" => "kbytes",
            "MiB" => "mbytes",
            "GiB" => "gbytes",
            "percent" => "percent",
            _ => "none",
        },
    }
}

/// Whether a rule says that its lines are requests; else they may be sessions.
fn counts_requests(rule: &Described<'_>) -> bool {
    let condition = rule.condition.unwrap_or_default();
    let words: String = condition.split_whitespace().collect();
    words.contains("kind==\"http\"") || words.contains("kind=='http'")
}
