//! `weir dashboards --librato`: a Space of the rules in use, on a server with Librato's API.

use crate::support::process::Ended;
use crate::support::{Demo, Weir, folder, http, now_millis, ports, wait_for, write};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

const RULES: &str = r#"rules:
  - name: http
    where: kind == "http"
    by: [service]
    measure: { rate: rate(), errors: ratio(status >= 500) }
"#;

fn made(args: &[&str], site: &Path) -> String {
    let ended = Weir::run(&[&["dashboards"], args].concat(), Some(site));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout
}

fn get(base: &str, path: &str) -> Value {
    http::get_json(&format!("{base}{path}")).unwrap_or_else(|e| panic!("{e}"))
}

fn names(charts: &Value) -> Vec<&str> {
    let charts = charts.as_array().expect("charts").iter();
    charts.filter_map(|chart| chart["name"].as_str()).collect()
}

#[test]
fn a_space_is_made_once_and_follows_the_rules() {
    let site = folder(&[("rules.yaml", RULES)]);
    let mut receiver = Weir::librato(0, &site.path().join("data"));
    let base = receiver.http();
    let put = |name: &str| {
        made(
            &["rules.yaml", "--librato", &base, "--name", name],
            site.path(),
        )
    };
    assert_eq!(
        put("Services"),
        format!(
            "Space `Services`: made; charts: 4 added, 0 changed, 0 as they should be\n{base}/v1/spaces/1\n"
        )
    );
    let charts = get(&base, "/v1/spaces/1/charts");
    assert_eq!(
        names(&charts),
        [
            "http.rate now, all together",
            "http.errors now, the highest by service",
            "http.rate by service",
            "http.errors by service"
        ]
    );
    // Again, and by the same name in another case: it is there.
    assert_eq!(
        put("services"),
        format!(
            "Space `services`: there already; charts: 0 added, 0 changed, 4 as they should be\n{base}/v1/spaces/1\n"
        )
    );
    assert_eq!(get(&base, "/v1/spaces/1/charts"), charts);

    // Somebody adds a chart, changes one, and the rule gets a measure and loses one.
    let own = json!({"name": "mine", "streams": [{"metric": "load"}]});
    let answer = http::post(&format!("{base}/v1/spaces/1/charts"), &own).expect("an answer");
    assert_eq!(answer.status, 201);
    let rules = RULES.replace(
        "errors: ratio(status >= 500)",
        "p95: \"percentile(Tr, 95)\"",
    );
    write(
        &site.path().join("rules.yaml"),
        &rules.replace("rate()", "\"2 * rate()\""),
    );
    assert_eq!(
        put("Services"),
        format!(
            "Space `Services`: there already; charts: 2 added, 1 changed, 0 as they should be\n\
             4 of its charts are none of these rules', and stay: http.rate now, all together, http.errors now, the highest by service, http.errors by service, mine\n\
             {base}/v1/spaces/1\n"
        )
    );
    assert_eq!(get(&base, "/v1/spaces")["query"]["total"], 1);
    receiver.kill();
}

#[test]
fn the_demo_s_space_draws_series_that_are_there() {
    let demo = Demo::start();
    let site = folder(&[]);
    let printed = made(&["--librato", demo.url()], site.path());
    assert!(
        printed.starts_with("Space `weir`: made; charts: 16 added"),
        "{printed}"
    );
    let at = printed.lines().last().expect("the place");
    let charts = http::get_json(&format!("{at}/charts")).expect("charts");
    let since = now_millis() / 1000 - 300;
    for chart in charts.as_array().expect("charts") {
        for stream in chart["streams"].as_array().expect("streams") {
            let metric = stream["metric"].as_str().expect("a metric");
            // The demo has no TCP sessions.
            if metric.starts_with("tcp.") {
                continue;
            }
            let url = format!(
                "{}/v1/measurements/{metric}?resolution=1&start_time={since}",
                demo.url()
            );
            wait_for(metric, Duration::from_secs(30), || {
                let answer = http::get_json(&url)?;
                let series = answer["series"].as_array().ok_or("no series")?;
                let tags = stream["tags"].as_array();
                let tags = tags
                    .into_iter()
                    .flatten()
                    .filter_map(|tag| tag["name"].as_str());
                let drawn = series
                    .iter()
                    .any(|one| tags.clone().all(|name| one["tags"].get(name).is_some()));
                drawn.then_some(()).ok_or(answer.to_string())
            });
        }
    }
    demo.terminate();
}

#[test]
fn the_configuration_says_where_and_as_whom() {
    let site = folder(&[("rules.yaml", RULES)]);
    let mut receiver = Weir::librato_with_token(&site.path().join("data"), "s3cret");
    let base = receiver.http();
    let config = format!(
        "rules: rules.yaml\nsinks:\n  librato: {{ url: \"{base}\", email_env: WHO, token_env: SECRET, api: metrics }}\n"
    );
    write(&site.path().join("weir.yaml"), &config);
    let run = |args: &[&str], variables: &[(&str, &str)]| -> Ended {
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Weir::run_in(&[&["dashboards"], args].concat(), site.path(), &variables)
    };
    let own = [("WHO", "me@example.com"), ("SECRET", "s3cret")];
    let ended = run(&["-c", "weir.yaml", "--librato"], &own);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let with_token = base.replace("http://", "http://me:s3cret@");
    let charts = get(&with_token, "/v1/spaces/1/charts");
    // Sent by `metrics`, series have a source and no tags.
    let stream = &charts[2]["streams"][0];
    assert_eq!(
        (&stream["metric"], &stream["source"], stream.get("tags")),
        (&json!("http.rate"), &json!("*"), None)
    );

    // Without it, the usual variables.
    let usual = [
        ("LIBRATO_EMAIL", "me@example.com"),
        ("LIBRATO_TOKEN", "s3cret"),
    ];
    for variables in [&usual[..], &usual[1..]] {
        let ended = run(&["rules.yaml", "--librato", &base], variables);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    let ended = run(&["rules.yaml", "--librato", &base], &usual[..1]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("LIBRATO_TOKEN is not"),
        "{}",
        ended.stderr
    );
    let ended = run(&["rules.yaml", "--librato", &base], &[]);
    assert_eq!(ended.code, Some(3));
    let first =
        format!("error: GET {base}/v1/spaces?name=weir&offset=0&length=100: 401 Unauthorized: ");
    assert!(ended.stderr.starts_with(&first), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("hint: set LIBRATO_EMAIL and LIBRATO_TOKEN")
    );
    // The configuration's token is for its server alone.
    let other = format!(
        "http://localhost:{}",
        base.rsplit(':').next().expect("a port")
    );
    let ended = run(&["-c", "weir.yaml", "--librato", &other], &own);
    assert_eq!(ended.code, Some(3), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains("401"), "{}", ended.stderr);
    receiver.kill();
}

#[test]
fn what_goes_wrong_is_told_with_the_address_and_what_to_do() {
    let site = folder(&[]);
    let run = |args: &[&str]| Weir::run(&[&["dashboards"], args].concat(), Some(site.path()));
    let nobody = format!("http://127.0.0.1:{}", ports::free());
    let ended = run(&["--librato", &nobody]);
    assert_eq!(ended.code, Some(3));
    let said = format!("error: GET {nobody}/v1/spaces?name=weir&offset=0&length=100: no answer: ");
    assert!(ended.stderr.starts_with(&said), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: is the server running?"));

    for (answer, said) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>",
            "this is no answer of Librato's API",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
            "it has no list `spaces`",
        ),
        (
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "404 Not Found\n\nhint: this server has no Spaces",
        ),
        (
            "HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n",
            "302 Found\n\nhint: redirects are not followed",
        ),
    ] {
        let url = answering(answer);
        let ended = run(&["--librato", &url]);
        assert_eq!(ended.code, Some(3));
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        assert!(ended.stderr.contains(&url), "{}", ended.stderr);
    }
    let ended = run(&["--librato", "rules.yaml"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("write rule files before `--librato`"));
    let ended = run(&["--librato", "http://me:secret@localhost"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("set LIBRATO_EMAIL and LIBRATO_TOKEN"));
}

/// Series whose names have values of tags in them cannot be named in a chart.
#[test]
fn a_rule_that_cannot_be_drawn_is_named() {
    let rules = "rules:\n- name: web\n  by: [service]\n  series: \"{{service}}.{{measure}}\"\n  measure: { rate: rate() }\n";
    let site = folder(&[("named.yaml", rules), ("rules.yaml", RULES)]);
    let mut receiver = Weir::librato(0, &site.path().join("data"));
    let base = receiver.http();
    let args = ["dashboards", "named.yaml", "rules.yaml", "--librato", &base];
    let ended = Weir::run(&args, Some(site.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .starts_with("warning: rule `web` has no chart: ")
    );
    assert!(ended.stdout.contains("charts: 4 added"), "{}", ended.stdout);
    receiver.kill();
}

/// A server that says this to the first request.
fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut request = [0; 4096];
        let _ = stream.read(&mut request);
        stream.write_all(answer.as_bytes()).expect("it reads");
    });
    format!("http://{address}")
}
