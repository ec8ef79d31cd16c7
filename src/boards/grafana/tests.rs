//! What is asked for which rules.

use super::*;
use crate::rules;
use crate::source::Source;

fn of(text: &str) -> Value {
    let source = Source::new("rules.yaml", text);
    let rules = rules::load(&[source], &rules::Options::default()).expect("good rules");
    dashboard(&rules, "weir")
}

/// The panels of rules as `type title unit`, each with its queries as `legend: expr`.
fn panels(dashboard: &Value) -> String {
    let mut told = String::new();
    let all = dashboard["panels"].as_array().expect("panels");
    let rows = all
        .iter()
        .skip_while(|panel| panel["type"] != "row")
        .take_while(|panel| panel["title"] != "weir itself");
    let flat = rows.flat_map(|panel| {
        let inner = panel["panels"].as_array().into_iter().flatten();
        std::iter::once(panel).chain(inner)
    });
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for panel in flat {
        let unit = text(&panel["fieldConfig"]["defaults"]["unit"]);
        told += &format!(
            "{} {} {unit}\n",
            text(&panel["type"]),
            text(&panel["title"])
        );
        for target in panel["targets"].as_array().into_iter().flatten() {
            let (legend, expr) = (text(&target["legendFormat"]), text(&target["expr"]));
            told += &format!("  {legend}: {expr}\n");
        }
    }
    told
}

#[test]
fn a_rule_with_groups_has_a_table_and_a_chart_for_each_measure() {
    let dashboard = of(
        "rules:\n- name: r\n  by: [service]\n  measure: { rate: rate(), apdex: \"apdex(Ta, 1s)\" }\n",
    );
    insta::assert_snapshot!(panels(&dashboard), @r#"
    row r, by service 
    table Now, by service 
      : sum by (service) (r_rate{instance=~"$instance",service=~"$service"})
      : min by (service) (r_apdex{instance=~"$instance",service=~"$service"})
    timeseries rate by service suffix:/s
      {{service}}: sum by (service) (r_rate{instance=~"$instance",service=~"$service"}) and topk($top, sum by (service) (avg_over_time(r_rate{instance=~"$instance",service=~"$service"}[$__range] @ end())))
    timeseries apdex by service percentunit
      {{service}}: min by (service) (r_apdex{instance=~"$instance",service=~"$service"}) and bottomk($top, min by (service) (avg_over_time(r_apdex{instance=~"$instance",service=~"$service"}[$__range] @ end())))
    "#);
}

#[test]
fn a_rule_with_one_group_has_a_chart_for_each_unit() {
    let dashboard = of(
        "rules:\n- name: r\n  measure: { n: count(), mean: mean(Tr), max: max(Tr), odd: max(retries), odder: min(retries) }\n",
    );
    insta::assert_snapshot!(panels(&dashboard), @r#"
    row r 
    timeseries n short
      n: sum(r_n{instance=~"$instance"})
    timeseries mean, max ms
      mean: max(r_mean{instance=~"$instance"})
      max: max(r_max{instance=~"$instance"})
    timeseries odd none
      odd: max(r_odd{instance=~"$instance"})
    timeseries odder none
      odder: min(r_odder{instance=~"$instance"})
    "#);
}

#[test]
fn names_with_tags_in_them_are_asked_for_by_what_they_have_in_common() {
    let dashboard = of("rules:
- name: plain
  measure: { x.rate: rate() }
- name: r
  by: [service, { instance: server }]
  series: \"{{service}}.{{measure}}\"
  measure: { rate: rate(), x.rate: \"2 * rate()\" }
");
    insta::assert_snapshot!(panels(&dashboard), @r#"
    row plain 
    timeseries x.rate suffix:/s
      x.rate: sum(plain_x_rate{instance=~"$instance"})
    row r, by service, instance 
    table Now, by service, instance 
      : sum by (service, exported_instance) ({__name__=~".*_rate",__name__!~"plain_x_rate|.*_x_rate|weir_.*",instance=~"$instance",service=~"$service",exported_instance=~"$exported_instance"})
      : sum by (service, exported_instance) ({__name__=~".*_x_rate",__name__!~"plain_x_rate|weir_.*",instance=~"$instance",service=~"$service",exported_instance=~"$exported_instance"})
    timeseries rate by service, instance suffix:/s
      {{service}} {{exported_instance}}: sum by (service, exported_instance) ({__name__=~".*_rate",__name__!~"plain_x_rate|.*_x_rate|weir_.*",instance=~"$instance",service=~"$service",exported_instance=~"$exported_instance"}) and topk($top, sum by (service, exported_instance) (avg_over_time({__name__=~".*_rate",__name__!~"plain_x_rate|.*_x_rate|weir_.*",instance=~"$instance",service=~"$service",exported_instance=~"$exported_instance"}[$__range] @ end())))
    timeseries x.rate by service, instance none
      {{service}} {{exported_instance}}: sum by (service, exported_instance) ({__name__=~".*_x_rate",__name__!~"plain_x_rate|weir_.*",instance=~"$instance",service=~"$service",exported_instance=~"$exported_instance"}) and topk($top, sum by (service, exported_instance) (avg_over_time({__name__=~".*_x_rate",__name__!~"plain_x_rate|weir_.*",instance=~"$instance",service=~"$service",exported_instance=~"$exported_instance"}[$__range] @ end())))
    "#);
}

#[test]
fn histograms_and_the_most_frequent_have_panels_of_their_own() {
    let dashboard = of(
        "rules:\n- name: r\n  by: [service]\n  measure: { sizes: \"histogram(bytes_read, [10, 100])\", clients: \"top(client_ip, 5)\" }\n",
    );
    insta::assert_snapshot!(panels(&dashboard), @r#"
    row r, by service 
    heatmap sizes 
      {{le}}: sum by (le) (r_sizes{instance=~"$instance",service=~"$service"})
    table clients by service 
      : sum by (service, client_ip) (r_clients{instance=~"$instance",service=~"$service"})
    "#);
}

#[test]
fn panels_have_ids_and_places_of_their_own() {
    let rules = rules::load(&rules::bundled(), &rules::Options::default()).unwrap();
    let dashboard = dashboard(&rules, "weir");
    let panels = dashboard["panels"].as_array().unwrap();
    let inner = panels.iter().flat_map(|panel| {
        let inner = panel["panels"].as_array();
        inner.into_iter().flatten()
    });
    let ids = panels.iter().chain(inner).map(|panel| panel["id"].as_u64());
    let ids: Vec<_> = ids.map(|id| id.expect("an id")).collect();
    let unique: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!((ids.len(), unique.len()), (35, 35));
    let places = panels.iter().map(|panel| {
        let at = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
        (at("x"), at("y"), at("x") + at("w"), at("y") + at("h"))
    });
    let places: Vec<_> = places.collect();
    for (i, a) in places.iter().enumerate() {
        assert!(a.2 <= 24, "{a:?}");
        for b in &places[..i] {
            let apart = a.0 >= b.2 || b.0 >= a.2 || a.1 >= b.3 || b.1 >= a.3;
            assert!(apart, "{a:?} and {b:?}");
        }
    }
}

#[test]
fn a_uid_is_made_of_the_name() {
    for (name, want) in [
        ("weir", "weir"),
        ("Shop: edge (north)", "shop-edge-north"),
        ("  ", "weir"),
        (&"x".repeat(99), &"x".repeat(40)),
    ] {
        assert_eq!(uid(name), want);
    }
}
