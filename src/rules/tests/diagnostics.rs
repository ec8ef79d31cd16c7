//! Every problem as users see it.

use super::*;

/// Everything said about one file.
fn said(text: &str) -> String {
    said_of(&[source(text)], &Options::default())
}

fn said_of(sources: &[Source], options: &Options) -> String {
    match load(sources, options) {
        Ok(rules) => format!("{} rules loaded", rules.len()),
        Err(problems) => {
            let said: Vec<_> = problems.iter().map(Problem::render).collect();
            said.join("\n\n")
        }
    }
}

/// What is said of one condition, without the excerpt.
fn brief(sources: &[&str]) -> String {
    let mut text = String::new();
    for source in sources {
        // A literal block takes any source as it is.
        let file = format!("rules:\n- name: a\n  where: |-\n    {source}\n  measure: {{n: count()}}\n");
        text += &brief_of(source, &file);
    }
    text
}

fn brief_measures(sources: &[&str]) -> String {
    let mut text = String::new();
    for source in sources {
        let file = format!("rules:\n- name: a\n  measure:\n    n: |-\n      {source}\n");
        text += &brief_of(source, &file);
    }
    text
}

fn brief_of(shown: &str, file: &str) -> String {
    let mut text = format!("{shown}\n");
    let problems = load(&[source(file)], &Options::default()).err().unwrap_or_default();
    for problem in problems {
        let rendered = problem.render();
        // The carets, from the line below the source.
        let carets = rendered
            .lines()
            .find(|line| line.contains('^'))
            .and_then(|line| line.split_once("| "))
            .map_or("", |(_, carets)| carets);
        let indent = file.lines().find(|line| line.ends_with(shown)).unwrap_or_default();
        let indent = indent.len() - shown.len();
        text += &format!("{}\n", carets.get(indent..).unwrap_or_default());
        text += &format!("    {}\n", problem.message.trim_start_matches("rule `a`: "));
        if let Some(hint) = problem.hint {
            text += &format!("    hint: {hint}\n");
        }
    }
    text
}

#[test]
fn an_unknown_field() {
    insta::assert_snapshot!(said("
rules:
  - name: slow_checkout
    where: stauts >= 500   # a typo
    measure: { n: count() }
"), @"");
}

#[test]
fn everything_in_a_file_is_said_at_once() {
    insta::assert_snapshot!(said(r#"
rules:
  - name: a b
    where: "stauts == 500 && bakend == 'x'"
    by: [service, serivce, service, accept_date]
    window: 500ms
    limit: 200
    mesure: { n: count() }
    measure:
      n: count(1)
      p: percentil(Tr, 50)
  - by: []
    window: 25h
    measure: {}
alerts: []
"#), @"");
}

#[test]
fn a_condition_is_marked_where_it_stands() {
    insta::assert_snapshot!(said(r#"
rules:
  - name: plain
    where: tls && ä
    measure: { n: count() }
  - name: quoted
    where: 'tls && statuss == 1'
    measure: { n: count() }
  - name: literal
    where: |
      tls
        && statuss == 1
    measure: { n: count() }
  - name: folded
    where: >-
      tls
      && statuss == 1
    measure: { n: count() }
  - name: escaped
    where: "path == \"/\" && statuss == 1"
    measure: { n: count() }
  - name: many lines
    where: |
      tls == (status
        + 1)
    measure: { n: count() }
"#), @"");
}

#[test]
fn names_are_taken_once() {
    let first = Source {
        name: "rules/first.yaml".into(),
        text: "rules:\n- name: web.api\n  measure: { n: count() }\n- name: web\n  measure: { x: count() }\n".into(),
    };
    let second = Source {
        name: "rules/second.yaml".into(),
        text: "rules:\n- name: Web\n  measure: { x: rate() }\n- name: web.API.n\n  measure: { a: count() }\n- name: WEB.api.n\n  measure: { b: count() }\n".into(),
    };
    insta::assert_snapshot!(said_of(&[first.clone(), second], &Options::default()), @"");
    let third = Source {
        name: "rules/third.yaml".into(),
        text: "rules:\n- name: web.a\n  measure: { b: count() }\n- name: web.a.b\n  measure: { c: count() }\n- name: web.a.b.c\n  measure: { d: rate() }\n- name: web.a.b.c.d\n  measure: { e: rate() }\n- name: q\n  measure: { a.b: rate() }\n- name: q.a\n  measure: { b: rate() }\n".into(),
    };
    insta::assert_snapshot!(said_of(&[first, third], &Options::default()), @"");
}

#[test]
fn names_fit_into_librato() {
    let long = "n".repeat(254);
    let text = format!("rules:\n- name: a\n  measure: {{ {long}: count() }}\n");
    let problems = load(&[source(&text)], &Options::default()).unwrap_err();
    insta::assert_snapshot!(problems[0], @"");
    let text = text.replace(&long, &long[1..]);
    assert_eq!(said(&text), "1 rules loaded");
    insta::assert_snapshot!(said("rules:\n- name: ''\n  measure: { 'p/95': count() }\n"), @"");
}

#[test]
fn windows_are_whole_seconds() {
    let mut text = String::new();
    for window in ["1s", "10s", "5m", "1h", "24h", "0s", "1d", "1.5s", "500ms", "10", "s", "-1s", "1441m", "99999999999999999999s", "18446744073709551615h"] {
        let file = format!("rules:\n- name: a\n  window: {window}\n  measure: {{n: count()}}\n");
        let problem = load(&[source(&file)], &Options::default()).err();
        let message = problem.map_or("fine".into(), |problems| problems[0].message.clone());
        text += &format!("{window}: {message}\n");
    }
    insta::assert_snapshot!(text, @"");
}

#[test]
fn yaml_that_is_not_rules() {
    let mut text = String::new();
    for file in [
        "",
        "# nothing\n",
        "rules: []\n",
        "rules:\n",
        "- a\n",
        "rules: {a: 1}\n",
        "rules: [a]\n",
        "rules:\n  - name: [a]\n",
        "rules:\n  - name: a\n    where: !tls\n",
        "rules:\n  - name: a\n    where: [tls]\n",
        "rules:\n  - name: a\n    where:\n",
        "rules:\n  - name: a\n    by: service\n",
        "rules:\n  - name: a\n    measure: rate()\n",
        "rules:\n  - name: a\n    name: b\n",
        "rules:\n  - name: 'a\n",
        "rules:\n\t- name: a\n",
        "rules:\n  - name: a\n   where: tls\n",
        "rules:\n  - name: *a\n",
        "rules: []\n---\nrules: []\n",
        "rules:\n  - {name: a, where: tls == {a: 1}}\n",
        "rules:\n  - name: a\n    where: status: 5\n",
    ] {
        text += &format!("{file:?}\n{}\n\n", said(file));
    }
    insta::assert_snapshot!(text, @"");
}

#[test]
fn aliases_work_and_do_not_multiply_for_ever() {
    assert_eq!(
        said("rules:\n- &a\n  name: a\n  where: &w tls\n  measure: &m { n: count() }\n- { name: b, where: *w, measure: *m }\n"),
        "2 rules loaded"
    );
    insta::assert_snapshot!(said("rules:\n- name: a\n  where: &w tlss\n  measure: { n: count() }\n- name: b\n  where: *w\n  measure: { n: count() }\n"), @"");
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..9 {
        let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
        bomb += &format!("a{n}: &a{n} [{aliases}]\n");
    }
    let problems = load(&[source(&bomb)], &Options::default()).unwrap_err();
    insta::assert_snapshot!(problems[0], @"");
    let problems = load(&[source(&"[".repeat(100_000))], &Options::default()).unwrap_err();
    insta::assert_snapshot!(problems[0], @"");
}

#[test]
fn syntax_errors() {
    insta::assert_snapshot!(brief(&[
        "status >=",
        "status => 5",
        "status = 5",
        "tls and partial",
        "tls or partial",
        "tls & partial",
        "not tls",
        "(tls",
        "tls)",
        "tls partial",
        "path == 'x",
        "path == #",
        "ä == 1",
        "request_headers[",
        "status == 99999999999999999999",
        "status < 1e999",
        "if",
        "tls ? partial",
        "a.`b` == 1",
    ]), @"");
    assert_eq!(
        load(&[source("rules: [{name: a, where: '', measure: {n: count()}}]")], &Options::default())
            .unwrap_err()[0]
            .message,
        "rule `a`: the expression is empty"
    );
}

#[test]
fn what_the_language_does_not_have() {
    insta::assert_snapshot!(brief(&[
        "has(status)",
        "has(request.id)",
        "request.id == 'x'",
        "request_headers.exists(h, h == 'x')",
        "path.matches('^/v')",
        "matches(path, '^/v')",
        "Tr > duration('1s')",
        "status == 5u",
        "path == b'x'",
        "status == null",
        "{'a': 1} == 1",
        "Foo{a: 1}",
        "path.lowerAscii() == 'x'",
        "path.startswith('/')",
        "startsWith(path, '/')",
        "count() > 5",
        "request_headers['Host'] == 'x'",
        "request_headers[-1] == 'x'",
        "request_headers[status] == 'x'",
    ]), @"");
}

#[test]
fn types_that_do_not_fit() {
    insta::assert_snapshot!(brief(&[
        "status",
        "'x'",
        "tls && status",
        "!path",
        "-path == 'x'",
        "status == '500'",
        "path > 5",
        "tls == 1",
        "tls < partial",
        "path + 'x' == 'y'",
        "Tr % 1.5 == 0.0",
        "accept_date > 5",
        "request_headers == 'x'",
        "status in ['500', 501]",
        "tls in ['x']",
        "path in 'x'",
        "5 in request_headers",
        "path in [method]",
        "[1, 2] == status",
        "status[0] == 5",
        "tls ? 1 : 'x'",
        "size(status) == 1",
        "status.startsWith('5')",
        "path.startsWith(5) && (foo == 1 || (bar))",
    ]), @"");
}

#[test]
fn measures_are_exactly_one_aggregate() {
    insta::assert_snapshot!(brief_measures(&[
        "Tr",
        "rate() * 60.0",
        "rate",
        "rat()",
        "apdex(Tr, 500)",
        "count(1)",
        "ratio()",
        "ratio(status)",
        "sum(tls)",
        "sum(path)",
        "mean(rate())",
        "percentile(Tr)",
        "percentile(Tr, 101)",
        "percentile(Tr, -1)",
        "percentile(Tr, Tw)",
        "percentile(stauts, 'x')",
    ]), @"");
}

#[test]
fn the_service_expression_has_its_own_place() {
    let mut text = String::new();
    for service in ["bakend", "status", "service", "backend +"] {
        let options = Options {
            service: Some(service.into()),
        };
        text += &format!("{}\n\n", said_of(&bundled(), &options));
    }
    insta::assert_snapshot!(text, @"");
}
