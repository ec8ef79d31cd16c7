//! The schemas accept what the readers accept, and know the same keys.

use super::*;
use jsonschema::Validator;

fn validator(kind: Option<Kind>) -> Validator {
    jsonschema::draft202012::new(&schema(kind)).unwrap()
}

/// As an editor reads it, that knows YAML and not weir.
fn yaml(text: &str) -> Value {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).unwrap()
}

#[track_caller]
fn accepts(kind: Kind, text: &str) {
    let file = yaml(text);
    for kind in [Some(kind), None] {
        let errors: Vec<_> = validator(kind)
            .iter_errors(&file)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{text}\n{errors:#?}");
    }
}

/// The examples of a document in which that line is.
fn examples<'a>(document: &'a str, line: &'a str) -> impl Iterator<Item = &'a str> {
    let blocks = document.split("```yaml\n").skip(1);
    let blocks = blocks.filter_map(|block| Some(block.split_once("```")?.0));
    blocks.filter(move |block| block.lines().any(|written| written == line))
}

#[test]
fn schemas_are_valid() {
    for kind in [
        None,
        Some(Kind::Rules),
        Some(Kind::Config),
        Some(Kind::Tests),
    ] {
        jsonschema::draft202012::meta::validate(&schema(kind)).unwrap();
    }
}

#[test]
fn definitions_have_one_meaning() {
    let mut names: Vec<String> = Vec::new();
    for kind in Kind::ALL {
        let document = document(kind);
        names.extend(document["$defs"].as_object().unwrap().keys().cloned());
        names.push(kind.name().into());
    }
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn what_weir_is_shipped_with_is_accepted() {
    for source in crate::rules::bundled() {
        accepts(Kind::Rules, &source.text);
    }
    for source in crate::rules::bundled_tests() {
        accepts(Kind::Tests, &source.text);
    }
    let mut read = 0;
    for document in [
        include_str!("../../docs/rules.md"),
        include_str!("../../docs/from-riemann.md"),
        include_str!("../../docs/from-logstash.md"),
    ] {
        for example in examples(document, "rules:") {
            accepts(Kind::Rules, example);
            read += 1;
        }
        for example in examples(document, "tests:") {
            accepts(Kind::Tests, example);
            read += 1;
        }
    }
    assert!(read > 20, "{read} examples");
    let configuration = include_str!("../../docs/configuration.md");
    for example in examples(configuration, "listen:") {
        accepts(Kind::Config, example);
        read += 1;
    }
    assert!(read > 21, "{read} examples");
}

#[test]
fn every_form_of_a_key_is_accepted() {
    for rule in [
        "measure: { rate: rate(), apdex: apdex(Ta, 500ms), latency: histogram(Ta) }",
        "measure: { a: { value: percentile(Tr, 95), unit: s } }",
        "by: [service, { code: status / 100 }], measure: { n: count() }",
        "by: { svc: backend }, limit: 5, tags: { team: x, n: 1 }, measure: { n: count() }",
        "window: { span: 60s, every: 10s }, where: true, measure: { n: count() }",
        "series: '{{service}}.{{measure}}', value: Tr, measure: { n: count() }",
        "by: [route], routes: [/a], measure: { n: count() }",
    ] {
        accepts(Kind::Rules, &format!("rules: [{{ name: a, {rule} }}]"));
    }
    for config in [
        "",
        "http:\n",
        "sinks: { stdout: {}, prometheus: }\n",
        "grace: 3s\namend_for: 1h\nexpire_after: 2h\nevent_time: received\n",
    ] {
        accepts(Kind::Config, config);
    }
    accepts(
        Kind::Tests,
        "rules: http.yaml\ntests:\n- name: a\n  lines: [x, { received_at: '12:00:00', line: 'a b', repeat: 2 }, { fixture: f }]\n  windows: [{ start: '2026-01-01T12:00:00Z', series: a.n, value: 1 }, { start: '12:00', series: b, value: null }]\n",
    );
}

#[test]
fn what_the_readers_refuse_is_refused() {
    let refused = |kind: Kind, text: &str| {
        let file = yaml(text);
        assert!(!validator(Some(kind)).is_valid(&file), "{text}");
        assert!(!validator(None).is_valid(&file), "{text}");
    };
    for rule in [
        "{ name: a }",
        "{ measure: { n: count() } }",
        "{ name: a, measure: {} }",
        "{ name: a b, measure: { n: count() } }",
        "{ name: a, measure: { n: [count()] } }",
        "{ name: a, measure: { n: { value: count(), unit: parsec } } }",
        "{ name: a, measure: { n: count() }, window: 10 }",
        "{ name: a, measure: { n: count() }, window: { every: 1s } }",
        "{ name: a, measure: { n: count() }, limit: 0 }",
        "{ name: a, measure: { n: count() }, by: service }",
        "{ name: a, measure: { n: count() }, routes: [] }",
        "{ name: a, measure: { n: count() }, routes: [a] }",
        "{ name: a, measure: { n: count() }, tags: { a b: c } }",
        "{ name: a, measure: { n: count() }, series: 'a b' }",
        "{ name: a, mesure: { n: count() }, measure: { n: count() } }",
    ] {
        refused(Kind::Rules, &format!("rules: [{rule}]"));
    }
    refused(Kind::Rules, "rules: []\nalerts: []");
    for config in [
        "lisen: []",
        "listen: [{ protocol: tpc, address: 'a:1' }]",
        "listen: [{ protocol: tcp }]",
        "limits: { series: 0 }",
        "limits: { series: many }",
        "sinks: { librato: {} }",
        "sinks: { stdout: { a: 1 } }",
        "haproxy: { config: a, log_format: b }",
        "http: { address: localhost }",
        "http: { names: ['http://weir'] }",
        "event_time: never",
    ] {
        refused(Kind::Config, config);
    }
    refused(Kind::Tests, "tests: [{ name: a, lines: [] }]");
    refused(
        Kind::Tests,
        "tests: [{ name: a, lines: [{ repeat: 2 }], windows: [] }]",
    );
}

/// The keys that a schema knows there.
fn keys(schema: &Value, place: &str) -> Vec<String> {
    let properties = schema.pointer(place).unwrap_or_else(|| panic!("{place}"));
    let mut keys: Vec<_> = properties.as_object().unwrap().keys().cloned().collect();
    keys.sort();
    keys
}

#[test]
fn the_readers_know_the_same_keys() {
    let known = crate::rules::known_keys()
        .into_iter()
        .map(|known| (Kind::Rules, known));
    let config = crate::config::known_keys()
        .into_iter()
        .map(|known| (Kind::Config, known));
    let tests = crate::rule_tests::known_keys()
        .into_iter()
        .map(|known| (Kind::Tests, known));
    for (kind, (place, read)) in known.chain(config).chain(tests) {
        let mut read: Vec<_> = read.iter().map(|key| (*key).to_owned()).collect();
        read.sort();
        assert_eq!(keys(&schema(Some(kind)), place), read, "{place}");
    }
}

#[test]
fn the_readers_know_the_same_units() {
    let schema = schema(Some(Kind::Rules));
    let units = &schema["$defs"]["measure"]["oneOf"][1]["properties"]["unit"]["enum"];
    assert_eq!(units, &serde_json::json!(crate::rules::units()));
}
