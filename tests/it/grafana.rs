//! `weir dashboards`: Grafana's own types take what it prints, and a real Prometheus that
//! scrapes a real weir has an answer to every query in it.

use crate::support::http::Metrics;
use crate::support::line::{Sender, httplog};
use crate::support::prometheus::Prometheus;
use crate::support::{
    Weir, folder, http, now_millis, packages, ports, program, read, require, wait_for, write,
};
use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const TIME: Duration = Duration::from_secs(60);

/// What else rules can be than the bundled ones.
const RULES: &str = r#"rules:
  - name: all
    window: 1s
    measure: { lines: count(), bytes: sum(bytes_read), slowest: max(Ta), least: min(Ta) }
  - name: route
    where: kind == "http"
    by: [service, method, route, { instance: server }, { top: status / 100 }]
    window: { span: 2s, every: 1s }
    measure:
      rate: rate()
      apdex: apdex(Ta, 500ms)
      latency: histogram(Ta, [5ms, 50ms, 500ms])
      clients: top(client_ip, 3)
      out: { value: sum(bytes_read), unit: KiB }
  - name: named
    where: kind == "http"
    by: [service]
    window: 1s
    series: "{{service}}.{{measure}}.named"
    tags: { team: web }
    measure: { p95: "percentile(Tr, 95)", errors: { value: ratio(status >= 500), unit: percent } }
"#;

/// Prints the dashboard of these rule files.
fn printed(rules: &[&str]) -> String {
    let args = [&["dashboards"], rules].concat();
    let ended = Weir::run(&args, Some(repository()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_dashboard_in_the_documentation_is_that_of_the_bundled_rules() {
    let path = repository().join("docs/grafana/weir.json");
    assert_eq!(
        read(&path),
        printed(&[]),
        "print it anew: weir dashboards > docs/grafana/weir.json"
    );
}

#[test]
fn grafana_s_own_types_take_every_dashboard() {
    let Some(modules) = packages::grafana() else {
        return;
    };
    let site = folder(&[("rules.yaml", RULES)]);
    let rules = site.path().join("rules.yaml");
    let rules = rules.to_str().expect("UTF-8");
    let mut typed = fs::read_to_string(repository().join("tests/it/grafana/dashboard.ts"))
        .expect("the types are there");
    let bundled: &[&str] = &[];
    for (i, files) in [bundled, &["docs/examples", "rules"], &[rules]]
        .into_iter()
        .enumerate()
    {
        typed += &format!("export const dashboard{i}: Whole = {};\n", printed(files));
    }
    // Beside the modules, where the compiler looks for them.
    let file = tempfile::Builder::new()
        .suffix(".ts")
        .tempfile_in(modules)
        .expect("a file");
    write(file.path(), &typed);
    let mut compiler = Command::new(program("node"));
    compiler
        .current_dir(modules)
        .arg("node_modules/typescript/lib/tsc.js")
        .args(["--noEmit", "--strict", "--skipLibCheck"])
        .args(["--module", "esnext", "--moduleResolution", "bundler"])
        .args(["--target", "es2022"])
        .arg(file.path());
    let ended = crate::support::process::Process::spawn("tsc", &mut compiler).wait(TIME);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
}

/// One thing that a dashboard asks Prometheus for.
#[derive(Debug)]
struct Asked {
    panel: String,
    expr: String,
    legend: String,
    instant: bool,
}

#[test]
fn a_real_prometheus_has_an_answer_to_every_query() {
    if !require(&["prometheus"]) {
        return;
    }
    let site = folder(&[]);
    fs::create_dir(site.path().join("rules")).expect("a folder");
    for name in ["http", "tcp"] {
        let rules = read(&repository().join(format!("rules/{name}.yaml")));
        let rules = rules.replace("window: 10s", "window: 1s");
        write(&site.path().join(format!("rules/{name}.yaml")), &rules);
    }
    write(&site.path().join("rules/more.yaml"), RULES);
    let config = format!(
        r#"listen:
  - {{ protocol: tcp, address: "127.0.0.1:0" }}
  - {{ protocol: udp, address: "127.0.0.1:0" }}
grace: 0s
checkpoint_every: 100ms
rules: rules
state: state
sinks:
  store: {{}}
  prometheus: {{}}
  # Nobody is there: its circuit breaker opens, and measurements wait in the spool.
  librato: {{ url: "http://127.0.0.1:{}", breaker: {{ failures: 1 }} }}
http: {{ address: "127.0.0.1:0" }}
"#,
        ports::free()
    );
    write(&site.path().join("weir.yaml"), &config);
    let mut weir = Weir::serve(site.path());
    let base = weir.http();
    let prometheus = Prometheus::scraping(base.trim_start_matches("http://"));
    let mut sender = Sender::connect(weir.address("tcp"));
    let mut feed = || {
        for (service, response, status) in
            [("users", 7, 200), ("users", 900, 503), ("tax", 60, 404)]
        {
            sender.send(&httplog(service, now_millis(), response, status));
        }
        sender.send(&tcplog("cache", now_millis()));
        sender.send("what is this");
    };

    let dashboard = printed_in(site.path());
    let mut left = asked(&dashboard);
    assert!(left.len() > 60, "{}", left.len());
    let breaks = |asked: &Asked| asked.expr.contains("weir_promise_broken");
    let (mut broken, others): (Vec<_>, Vec<_>) = left.drain(..).partition(breaks);
    let mut found = BTreeMap::new();
    let mut answered = |left: &mut Vec<Asked>, prometheus: &Prometheus| {
        feed();
        let mut why = Ok(());
        left.retain(|asked| match labels_of(asked, prometheus) {
            Ok(labels) => {
                found.insert(asked.expr.clone(), labels);
                false
            }
            Err(error) => {
                why = Err(format!("{}: {}: {error}", asked.panel, asked.expr));
                true
            }
        });
        why
    };
    let mut others = others;
    wait_for("an answer to every query", TIME, || {
        answered(&mut others, &prometheus)
    });
    let page = http::get(&format!("{base}/metrics"))
        .expect("the page")
        .body;
    // What is there only while something is wrong.
    weir.limit_files(4096);
    wait_for("a promise to be broken", TIME, || {
        answered(&mut broken, &prometheus)
    });
    weir.limit_files(u64::MAX);

    variables_have_values(&dashboard, &prometheus);
    let broken = http::get(&format!("{base}/metrics"))
        .expect("the page")
        .body;
    names_are_on_the_page(&asked(&dashboard), &(page + &broken));
    for asked in asked(&dashboard) {
        let labels = &found[&asked.expr];
        for label in placeholders(&asked.legend) {
            assert!(
                labels.contains(&label),
                "{}: {} has no {label} for {}",
                asked.panel,
                asked.expr,
                asked.legend
            );
        }
    }
    assert!(Metrics::read(&base).expect("the page").rejected() > 0);
    prometheus.terminate();
    weir.kill();
}

fn printed_in(site: &Path) -> Value {
    let ended = Weir::run(&["dashboards", "-c", "weir.yaml"], Some(site));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("JSON")
}

/// One `option tcplog` line of a session that ended at `end`.
fn tcplog(service: &str, end: i64) -> String {
    let start = jiff::Timestamp::from_millisecond(end - 30).expect("a date");
    format!(
        "<134>{} haproxy[7]: 127.0.0.1:50000 [{}] {service} {service}/c1 1/0/30 2048 -- 3/2/1/1/0 0/0",
        start.strftime("%b %e %H:%M:%S"),
        start.strftime("%d/%b/%Y:%H:%M:%S.%3f"),
    )
}

/// All queries of panels, in rows that are closed too, and of annotations.
fn asked(dashboard: &Value) -> Vec<Asked> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut panels: Vec<&Value> = Vec::new();
    for panel in list(&dashboard["panels"]) {
        panels.push(panel);
        panels.extend(list(&panel["panels"]));
    }
    let targets = panels.iter().flat_map(|panel| {
        let targets = list(&panel["targets"]).map(|target| Asked {
            panel: text(&panel["title"]),
            expr: text(&target["expr"]),
            legend: text(&target["legendFormat"]),
            instant: target["instant"] == true,
        });
        targets.collect::<Vec<_>>()
    });
    let marks = list(&dashboard["annotations"]["list"]);
    let marks = marks.filter(|mark| mark["builtIn"] != 1).map(|mark| Asked {
        panel: text(&mark["name"]),
        expr: text(&mark["target"]["expr"]),
        legend: text(&mark["textFormat"]),
        instant: false,
    });
    targets.chain(marks).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// As Grafana fills in variables when all is chosen.
fn filled(expr: &str) -> String {
    let expr = expr
        .replace("$__rate_interval", "5s")
        .replace("$__range", "60s")
        .replace("($top,", "(20,");
    let variable = Regex::new(r"\$[a-z_]+").expect("a pattern");
    variable.replace_all(&expr, ".*").into_owned()
}

/// The labels of the series that answer; none is an error.
fn labels_of(asked: &Asked, prometheus: &Prometheus) -> Result<BTreeSet<String>, String> {
    let expr = filled(&asked.expr);
    assert!(!expr.contains('$'), "{expr}");
    let series = match asked.instant {
        true => prometheus.now(&expr)?,
        false => prometheus.last_minute(&expr)?,
    };
    if series.is_empty() {
        return Err("no series".to_owned());
    }
    let labels = series.iter().filter_map(|one| one["metric"].as_object());
    Ok(labels.flat_map(|labels| labels.keys().cloned()).collect())
}

/// `{{label}}` and `{{label}}` of a legend.
fn placeholders(legend: &str) -> Vec<String> {
    let parts = legend.split("{{").skip(1);
    let names = parts.filter_map(|part| part.split_once("}}"));
    names.map(|(name, _)| name.to_owned()).collect()
}

fn variables_have_values(dashboard: &Value, prometheus: &Prometheus) {
    let query = Regex::new(r"^label_values\((.*),(\w+)\)$").expect("a pattern");
    let mut names = Vec::new();
    for variable in list(&dashboard["templating"]["list"]) {
        names.push(variable["name"].as_str().expect("a name"));
        let Some(text) = variable["query"]["query"].as_str() else {
            continue;
        };
        let parts = query.captures(text).unwrap_or_else(|| panic!("{text}"));
        let values = prometheus.label_values(&filled(&parts[1]), &parts[2]);
        assert!(!values.expect("an answer").is_empty(), "{text}");
    }
    assert_eq!(
        names,
        [
            "DS_PROMETHEUS",
            "instance",
            "service",
            "exported_instance",
            "method",
            "route",
            "tag_top",
            "top"
        ]
    );
}

/// Every metric that a query names is on weir's own page, with every label that it names.
fn names_are_on_the_page(asked: &[Asked], page: &str) {
    let line = Regex::new(r#"(?m)^([a-zA-Z_]\w*)(?:\{(.*)\})? [^ ]+$"#).expect("a pattern");
    let label = Regex::new(r#"([a-zA-Z_]\w*)="(?:[^"\\]|\\.)*""#).expect("a pattern");
    let mut metrics: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for found in line.captures_iter(page) {
        let labels = found.get(2).map_or("", |labels| labels.as_str());
        let labels = label.captures_iter(labels);
        let labels = labels.filter_map(|found| Some(found.get(1)?.as_str()));
        let name = found.get(1).expect("a name").as_str();
        metrics.entry(name).or_default().extend(labels);
    }
    let selector = Regex::new(r"([a-zA-Z_]\w*)?\{([^}]*)\}").expect("a pattern");
    let matcher = Regex::new(r#"(\w+)(=~|!~|!=|=)"([^"]*)""#).expect("a pattern");
    let grouped = Regex::new(r"(?:by|ignoring) \(([^)]*)\)").expect("a pattern");
    for asked in asked {
        let mut known: BTreeSet<&str> = ["instance", "job"].into();
        let mut named = 0;
        for found in selector.captures_iter(&asked.expr) {
            let matchers: Vec<_> = matcher.captures_iter(&found[2]).collect();
            let by_pattern = |operator: &str, of: &str| {
                let with = matchers
                    .iter()
                    .find(|m| &m[1] == "__name__" && &m[2] == operator)?;
                let pattern = Regex::new(&format!("^(?:{})$", &with[3])).expect("a pattern");
                Some(pattern.is_match(of))
            };
            let metrics: Vec<_> = metrics
                .iter()
                .filter(|(name, _)| match found.get(1) {
                    Some(plain) => **name == plain.as_str(),
                    None => {
                        by_pattern("=~", name) == Some(true) && by_pattern("!~", name) != Some(true)
                    }
                })
                .collect();
            assert!(
                !metrics.is_empty(),
                "{}: no {} on the page",
                asked.panel,
                &found[0]
            );
            if found.get(1).is_none() {
                let others: Vec<_> = metrics
                    .iter()
                    .filter(|(n, _)| !n.ends_with("_named"))
                    .collect();
                assert!(others.is_empty(), "{}: {others:?}", asked.expr);
            }
            let labels: BTreeSet<&str> = metrics
                .iter()
                .flat_map(|(_, labels)| labels.iter().copied())
                .collect();
            for matcher in &matchers {
                let label = matcher[1].trim_start_matches("exported_");
                let of_all = ["__name__", "instance"].contains(&label);
                assert!(
                    of_all || labels.contains(label),
                    "{}: {} has no {label}",
                    asked.panel,
                    &found[0]
                );
            }
            known.extend(labels);
            named += 1;
        }
        assert!(named > 0, "{} names no metric", asked.expr);
        for found in grouped.captures_iter(&asked.expr) {
            for label in found[1].split(", ") {
                let label = label.trim_start_matches("exported_");
                assert!(known.contains(label), "{}: no label {label}", asked.expr);
            }
        }
    }
}
