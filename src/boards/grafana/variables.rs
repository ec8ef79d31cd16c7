//! What the reader chooses at the top: the Prometheus, the weirs, values of tags, and how
//! many lines a chart has.

use super::datasource;
use super::promql::{self, Names};
use crate::boards::SERVICE;
use crate::delta::Output;
use crate::rules::{Described, DescribedMeasure, ValueUnit};
use serde_json::{Value, json};

/// As dashboards that are exported call it.
pub const DATASOURCE: &str = "DS_PROMETHEUS";
pub const INSTANCE: &str = "instance";
pub const TOP: &str = "top";

/// How many lines a chart may have; the first is what it has.
const TOPS: [&str; 5] = ["20", "5", "10", "50", "100"];

pub fn variables(rules: &[Described<'_>], names: &Names) -> Vec<Value> {
    let mut list = vec![
        json!({
            "name": DATASOURCE,
            "label": "Prometheus",
            "type": "datasource",
            "query": "prometheus",
            "refresh": 1,
            "regex": "",
            "multi": false,
            "includeAll": false,
        }),
        choice(
            INSTANCE,
            "weir",
            "weir_lines_parsed_total".to_owned(),
            INSTANCE,
        ),
    ];
    let mut tags: Vec<String> = Vec::new();
    for rule in rules {
        for label in promql::labels(rule) {
            if !tags.contains(&label) {
                tags.push(label);
            }
        }
    }
    tags.sort_by_key(|label| label != SERVICE);
    for label in &tags {
        let with = rules.iter().filter(|rule| {
            let labels = promql::labels(rule);
            labels.contains(label)
        });
        let series = with.filter_map(steady);
        let patterns: Vec<String> = series
            .map(|measure| names.everywhere(measure.series))
            .collect();
        let selector = format!(
            "{{__name__=~\"{}\",{INSTANCE}=~\"${INSTANCE}\"}}",
            patterns.join("|")
        );
        list.push(choice(&of_label(label), label, selector, label));
    }
    let options = TOPS.map(|top| json!({"text": top, "value": top, "selected": top == TOPS[0]}));
    list.push(json!({
        "name": TOP,
        "label": "Lines a chart",
        "description": "A chart of more groups shows those with the highest average; of an apdex, the lowest",
        "type": "custom",
        "query": TOPS.join(","),
        "options": options,
        "current": {"text": TOPS[0], "value": TOPS[0]},
        "multi": false,
        "includeAll": false,
    }));
    list
}

/// The variable that chooses values of a label.
pub fn of_label(label: &str) -> String {
    match label {
        DATASOURCE | INSTANCE | TOP => format!("tag_{label}"),
        label => label.to_owned(),
    }
}

/// The measure of a rule that tells most of its groups: one that says 0 while nothing comes.
fn steady<'a>(rule: &'a Described<'_>) -> Option<DescribedMeasure<'a>> {
    let measures = || rule.measures.iter().copied();
    let counts = |measure: &DescribedMeasure<'_>| {
        let counted = [ValueUnit::PerSecond, ValueUnit::Count].contains(&measure.values.unit);
        counted && matches!(measure.output, Output::Value(_))
    };
    measures().find(counts).or_else(|| measures().next())
}

/// Several values of a label, or all of them: series without it, too.
fn choice(name: &str, label: &str, selector: String, of: &str) -> Value {
    let query = format!("label_values({selector},{of})");
    json!({
        "name": name,
        "label": label,
        "type": "query",
        "datasource": datasource(),
        "query": {
            "qryType": 1,
            "query": query,
            "refId": "PrometheusVariableQueryEditor-VariableQuery",
        },
        // When the range of time changes: whoever was there then can be chosen.
        "refresh": 2,
        "sort": 1,
        "multi": true,
        "includeAll": true,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    })
}
