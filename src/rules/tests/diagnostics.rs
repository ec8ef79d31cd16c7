//! Every problem as users see it.

use super::super::expr::Text;
use super::super::schema::Schema;
use super::*;
use crate::haproxy::Field;
use crate::source::Fault;
use proptest::prelude::*;

/// Everything said about one file.
pub(super) fn said(text: &str) -> String {
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
    brief_with(sources, &Options::default())
}

fn brief_with(sources: &[&str], options: &Options) -> String {
    let mut text = String::new();
    for source in sources {
        // A literal block takes any source as it is.
        let file =
            format!("rules:\n- name: a\n  where: |-\n    {source}\n  measure: {{n: count()}}\n");
        text += &brief_of(source, &file, options);
    }
    text
}

fn brief_measures(sources: &[&str]) -> String {
    let mut text = String::new();
    for source in sources {
        let file = format!("rules:\n- name: a\n  measure:\n    n: |-\n      {source}\n");
        text += &brief_of(source, &file, &Options::default());
    }
    text
}

fn brief_of(shown: &str, file: &str, options: &Options) -> String {
    let mut text = format!("{shown}\n");
    let problems = load(&[source(file)], options).err().unwrap_or_default();
    for problem in problems {
        let rendered = problem.render();
        // The carets, from the line below the source.
        let carets = rendered
            .lines()
            .find(|line| line.contains('^'))
            .and_then(|line| line.split_once("| "))
            .map_or("", |(_, carets)| carets);
        let indent = file
            .lines()
            .find(|line| line.ends_with(shown))
            .unwrap_or_default();
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
"), @r#"
    rules/a.yaml:4:12: rule `slow_checkout`: unknown field `stauts`
      |
    4 |     where: stauts >= 500   # a typo
      |            ^^^^^^

    hint: did you mean `status`?
    "#);
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
"#), @r#"
    rules/a.yaml:3:11: rule `a b`: a name cannot contain ` `
      |
    3 |   - name: a b
      |           ^^^

    hint: names consist of A-Z, a-z, 0-9 and `.`, `:`, `_`, `-`

    rules/a.yaml:4:13: rule `a b`: unknown field `stauts`
      |
    4 |     where: "stauts == 500 && bakend == 'x'"
      |             ^^^^^^

    hint: did you mean `status`?

    rules/a.yaml:4:30: rule `a b`: unknown field `bakend`
      |
    4 |     where: "stauts == 500 && bakend == 'x'"
      |                              ^^^^^^

    hint: did you mean `backend`?

    rules/a.yaml:5:19: rule `a b`: unknown field `serivce`
      |
    5 |     by: [service, serivce, service, accept_date]
      |                   ^^^^^^^

    hint: did you mean `service`?

    rules/a.yaml:5:28: rule `a b`: `by` names `service` twice
      |
    5 |     by: [service, serivce, service, accept_date]
      |                            ^^^^^^^

    rules/a.yaml:5:37: rule `a b`: `accept_date` is a timestamp, and there is nothing to compare it with
      |
    5 |     by: [service, serivce, service, accept_date]
      |                                     ^^^^^^^^^^^

    rules/a.yaml:6:13: rule `a b`: `500ms` is not a window
      |
    6 |     window: 500ms
      |             ^^^^^

    hint: write a whole number of seconds, minutes or hours: `10s`, `1m`, `1h`

    rules/a.yaml:8:5: rule `a b`: unknown key `mesure`
      |
    8 |     mesure: { n: count() }
      |     ^^^^^^

    hint: did you mean `measure`?

    rules/a.yaml:10:10: rule `a b`: `count` is written `count()`
       |
    10 |       n: count(1)
       |          ^^^^^^^^

    rules/a.yaml:11:10: rule `a b`: unknown aggregate `percentil`
       |
    11 |       p: percentil(Tr, 50)
       |          ^^^^^^^^^^^^^^^^^

    hint: did you mean `percentile`?

    rules/a.yaml:12:5: the key `name` is missing
       |
    12 |   - by: []
       |     ^^

    rules/a.yaml:13:13: a window lasts from 1 second to 24 hours
       |
    13 |     window: 25h
       |             ^^^

    rules/a.yaml:14:14: it measures nothing
       |
    14 |     measure: {}
       |              ^

    hint: `measure: { rate: rate() }` is the smallest measure

    rules/a.yaml:15:1: `alerts` are not part of weir yet
       |
    15 | alerts: []
       | ^^^^^^

    hint: leave them out of the file until they are
    "#);
}

#[test]
fn tests_are_no_rules() {
    insta::assert_snapshot!(said("rules: a.yaml\ntests:\n  - name: a\n"), @r"
    rules/a.yaml:2:1: this is a test of rules, not a file of them
      |
    2 | tests:
      | ^^^^^

    hint: run it: `weir test rules/a.yaml`
    ");
    insta::assert_snapshot!(said("rules: [{ name: a, measure: { n: count() } }]\ntests: []\n"), @r"
    rules/a.yaml:2:1: tests of rules stand in a file of their own
      |
    2 | tests: []
      | ^^^^^

    hint: `shop.test.yaml` tests `shop.yaml`; see docs/rules.md
    ");
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
"#), @r#"
    rules/a.yaml:4:19: rule `plain`: unexpected `ä`
      |
    4 |     where: tls && ä
      |                   ^

    rules/a.yaml:7:20: rule `quoted`: unknown field `statuss`
      |
    7 |     where: 'tls && statuss == 1'
      |                    ^^^^^^^

    hint: did you mean `status`?

    rules/a.yaml:12:12: rule `literal`: unknown field `statuss`
       |
    12 |         && statuss == 1
       |            ^^^^^^^

    hint: did you mean `status`?

    rules/a.yaml:17:10: rule `folded`: unknown field `statuss`
       |
    17 |       && statuss == 1
       |          ^^^^^^^

    hint: did you mean `status`?

    rules/a.yaml:20:12: rule `escaped`: unknown field `statuss`
     |
     | path == "/" && statuss == 1
     |                ^^^^^^^

    hint: did you mean `status`?

    rules/a.yaml:22:11: rule `many lines`: a name cannot contain ` `
       |
    22 |   - name: many lines
       |           ^^^^^^^^^^

    hint: names consist of A-Z, a-z, 0-9 and `.`, `:`, `_`, `-`

    rules/a.yaml:24:7: rule `many lines`: `==` compares a bool with an int
       |
    24 | /       tls == (status
    25 | |         + 1)
       | |____________^
    "#);
}

#[test]
fn names_are_taken_once() {
    let first = Source::new(
        "rules/first.yaml",
        "rules:\n- name: web.api\n  measure: { n: count() }\n- name: web\n  measure: { x: count() }\n",
    );
    let second = Source::new(
        "rules/second.yaml",
        "rules:\n- name: Web\n  measure: { x: rate() }\n- name: web.API.n\n  measure: { a: count() }\n- name: WEB.api.n\n  measure: { b: count() }\n",
    );
    insta::assert_snapshot!(said_of(&[first.clone(), second], &Options::default()), @r#"
    rules/second.yaml:2:9: rule `Web`: this name is taken
      |
    2 | - name: Web
      |         ^^^
      |
    note: the other rule
     --> rules/first.yaml:4:9
      |
    4 | - name: web
      |         ---

    hint: names are compared without case, as Librato does

    rules/second.yaml:6:9: rule `WEB.api.n`: this name is taken
      |
    6 | - name: WEB.api.n
      |         ^^^^^^^^^
      |
    note: the other rule
     --> rules/second.yaml:4:9
      |
    4 | - name: web.API.n
      |         ---------

    hint: names are compared without case, as Librato does
    "#);
    let third = Source::new(
        "rules/third.yaml",
        "rules:\n- name: web.a\n  measure: { b: count() }\n- name: web.a.b\n  measure: { c: count() }\n- name: web.a.b.c\n  measure: { d: rate() }\n- name: web.a.b.c.d\n  measure: { e: rate() }\n- name: q\n  measure: { a.b: rate() }\n- name: q.a\n  measure: { b: rate() }\n",
    );
    insta::assert_snapshot!(said_of(&[first, third], &Options::default()), @r#"
    rules/third.yaml:13:14: rule `q.a`: the series `q.a.b` exists already
       |
    13 |   measure: { b: rate() }
       |              ^
       |
    note: the other measure
      --> rules/third.yaml:11:14
       |
    11 |   measure: { a.b: rate() }
       |              ---

    hint: a series is named `<rule>.<measure>`; names are compared without case, as Librato does, and with `_` for `.`, `:` and `-`, as Prometheus has it
    "#);
}

#[test]
fn names_are_taken_once_for_prometheus_too() {
    insta::assert_snapshot!(said("rules:\n- name: a.b\n  measure: { n: count(), m-p: count(), m.q: count() }\n- name: A-b\n  measure: { m: count(), n: count(), m:p: count() }\n"), @r#"
    rules/a.yaml:5:26: rule `A-b`: the series `A-b.n` exists already, as `a.b.n`
      |
    5 |   measure: { m: count(), n: count(), m:p: count() }
      |                          ^
      |
    note: the other measure
     --> rules/a.yaml:3:14
      |
    3 |   measure: { n: count(), m-p: count(), m.q: count() }
      |              -

    hint: a series is named `<rule>.<measure>`; names are compared without case, as Librato does, and with `_` for `.`, `:` and `-`, as Prometheus has it

    rules/a.yaml:5:38: rule `A-b`: the series `A-b.m:p` exists already, as `a.b.m-p`
      |
    5 |   measure: { m: count(), n: count(), m:p: count() }
      |                                      ^^^
      |
    note: the other measure
     --> rules/a.yaml:3:26
      |
    3 |   measure: { n: count(), m-p: count(), m.q: count() }
      |                          ---

    hint: a series is named `<rule>.<measure>`; names are compared without case, as Librato does, and with `_` for `.`, `:` and `-`, as Prometheus has it
    "#);
    insta::assert_snapshot!(said("rules:\n- name: weir\n  measure: { n: count() }\n- name: Weir-x\n  measure: { n: count() }\n- name: weirs\n  measure: { n: count() }\n"), @r#"
    rules/a.yaml:2:9: rule `weir`: series named `weir_…` at /metrics are weir's own counters
      |
    2 | - name: weir
      |         ^^^^

    hint: choose a name that does not begin with `weir`

    rules/a.yaml:4:9: rule `Weir-x`: series named `weir_…` at /metrics are weir's own counters
      |
    4 | - name: Weir-x
      |         ^^^^^^

    hint: choose a name that does not begin with `weir`
    "#);
}

#[test]
fn names_fit_into_librato() {
    let long = "n".repeat(254);
    let text = format!("rules:\n- name: a\n  measure: {{ {long}: count() }}\n");
    let problems = load(&[source(&text)], &Options::default()).unwrap_err();
    insta::assert_snapshot!(problems[0], @"rules/a.yaml:3:14: rule `a`: the series' name `<rule>.<measure>` has 256 characters, more than 255");
    let text = text.replace(&long, &long[1..]);
    assert_eq!(said(&text), "1 rules loaded");
    insta::assert_snapshot!(said("rules:\n- name: ''\n  measure: { 'p/95': count() }\n"), @r#"
    rules/a.yaml:2:9: the name is empty
      |
    2 | - name: ''
      |         ^^

    rules/a.yaml:3:14: a name cannot contain `/`
      |
    3 |   measure: { 'p/95': count() }
      |              ^^^^^^

    hint: names consist of A-Z, a-z, 0-9 and `.`, `:`, `_`, `-`
    "#);
}

#[test]
fn windows_are_whole_seconds() {
    let mut text = String::new();
    for window in [
        "1s",
        "10s",
        "5m",
        "1h",
        "24h",
        "0s",
        "1d",
        "1.5s",
        "500ms",
        "10",
        "s",
        "-1s",
        "1441m",
        "99999999999999999999s",
        "18446744073709551615h",
    ] {
        let file = format!("rules:\n- name: a\n  window: {window}\n  measure: {{n: count()}}\n");
        let problem = load(&[source(&file)], &Options::default()).err();
        let message = problem.map_or("fine".into(), |problems| problems[0].message.clone());
        text += &format!("{window}: {message}\n");
    }
    insta::assert_snapshot!(text, @r#"
    1s: fine
    10s: fine
    5m: fine
    1h: fine
    24h: fine
    0s: rule `a`: a window lasts from 1 second to 24 hours
    1d: rule `a`: `1d` is not a window
    1.5s: rule `a`: `1.5s` is not a window
    500ms: rule `a`: `500ms` is not a window
    10: rule `a`: `10` is not a window
    s: rule `a`: `s` is not a window
    -1s: rule `a`: `-1s` is not a window
    1441m: rule `a`: a window lasts from 1 second to 24 hours
    99999999999999999999s: rule `a`: `99999999999999999999s` is not a window
    18446744073709551615h: rule `a`: a window lasts from 1 second to 24 hours
    "#);
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
        "rules:\n  - name: a\n    where: !tls == partial\n",
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
        "rules:\n  - {name: a, measure: {p: percentile(Tr, 5)}}\n",
        "rules:\n  - {name: a, measure: {p: percentile(Tr, 5), q: percentile(Ta, 5)}}\n",
    ] {
        text += &format!("{file:?}\n{}\n\n", said(file));
    }
    insta::assert_snapshot!(text, @r##"
    ""
    rules/a.yaml:1:1: there is no rule in this file
      |
    1 |
      | ^

    hint: rules stand in a list under `rules:`; see docs/rules.md

    "# nothing\n"
    rules/a.yaml:1:1: there is no rule in this file
      |
    1 | # nothing
      | ^

    hint: rules stand in a list under `rules:`; see docs/rules.md

    "rules: []\n"
    rules/a.yaml:1:1: there is no rule in this file
      |
    1 | rules: []
      | ^

    hint: rules stand in a list under `rules:`; see docs/rules.md

    "rules:\n"
    rules/a.yaml:1:1: there is no rule in this file
      |
    1 | rules:
      | ^

    hint: rules stand in a list under `rules:`; see docs/rules.md

    "- a\n"
    rules/a.yaml:1:1: expected `key: value` pairs here
      |
    1 | - a
      | ^

    "rules: {a: 1}\n"
    rules/a.yaml:1:8: expected a list here
      |
    1 | rules: {a: 1}
      |        ^

    hint: a list is written `[a, b]`

    "rules: [a]\n"
    rules/a.yaml:1:9: expected `key: value` pairs here
      |
    1 | rules: [a]
      |         ^

    "rules:\n  - name: [a]\n"
    rules/a.yaml:2:5: the key `measure` is missing
      |
    2 |   - name: [a]
      |     ^^^^

    rules/a.yaml:2:11: expected a text here, not a list or pairs
      |
    2 |   - name: [a]
      |           ^

    hint: a text that begins with `{`, `[`, `!`, `&` or `*` needs quotes

    "rules:\n  - name: a\n    where: !tls\n"
    rules/a.yaml:2:11: rule `a`: the key `measure` is missing
      |
    2 |   - name: a
      |           ^

    rules/a.yaml:3:12: not valid YAML for rules: unknown tag `!tls`
      |
    3 |     where: !tls
      |            ^^^^

    hint: a condition that begins with `!` needs quotes

    "rules:\n  - name: a\n    where: !tls == partial\n"
    rules/a.yaml:2:11: rule `a`: the key `measure` is missing
      |
    2 |   - name: a
      |           ^

    rules/a.yaml:3:12: not valid YAML for rules: unknown tag `!tls`
      |
    3 |     where: !tls == partial
      |            ^^^^

    hint: a condition that begins with `!` needs quotes

    "rules:\n  - name: a\n    where: [tls]\n"
    rules/a.yaml:2:11: rule `a`: the key `measure` is missing
      |
    2 |   - name: a
      |           ^

    rules/a.yaml:3:12: rule `a`: expected a text here, not a list or pairs
      |
    3 |     where: [tls]
      |            ^

    hint: a text that begins with `{`, `[`, `!`, `&` or `*` needs quotes

    "rules:\n  - name: a\n    where:\n"
    rules/a.yaml:2:11: rule `a`: the key `measure` is missing
      |
    2 |   - name: a
      |           ^

    rules/a.yaml:3:10: rule `a`: a value is missing here
      |
    3 |     where:
      |          ^

    "rules:\n  - name: a\n    by: service\n"
    rules/a.yaml:2:11: rule `a`: the key `measure` is missing
      |
    2 |   - name: a
      |           ^

    rules/a.yaml:3:9: rule `a`: expected a list here
      |
    3 |     by: service
      |         ^^^^^^^

    hint: a list is written `[a, b]`

    "rules:\n  - name: a\n    measure: rate()\n"
    rules/a.yaml:3:14: rule `a`: expected `key: value` pairs here
      |
    3 |     measure: rate()
      |              ^^^^^^

    "rules:\n  - name: a\n    name: b\n"
    rules/a.yaml:2:11: rule `a`: the key `measure` is missing
      |
    2 |   - name: a
      |           ^

    rules/a.yaml:3:5: not valid YAML for rules: the key `name` appears twice
      |
    3 |     name: b
      |     ^^^^

    "rules:\n  - name: 'a\n"
    rules/a.yaml:3:1: not valid YAML for rules: invalid indentation in multiline quoted scalar
      |
    2 |   - name: 'a
      |             ^

    "rules:\n\t- name: a\n"
    rules/a.yaml:2:2: not valid YAML for rules: tabs disallowed within this context (block indentation)
      |
    2 |     - name: a
      |     ^

    "rules:\n  - name: a\n   where: tls\n"
    rules/a.yaml:3:4: not valid YAML for rules: while parsing a block collection, did not find expected '-' indicator
      |
    3 |    where: tls
      |    ^

    "rules:\n  - name: *a\n"
    rules/a.yaml:2:5: the key `measure` is missing
      |
    2 |   - name: *a
      |     ^^^^

    rules/a.yaml:2:11: not valid YAML for rules: there is no `&a` before this
      |
    2 |   - name: *a
      |           ^^

    hint: a text that begins with `*` needs quotes

    "rules: []\n---\nrules: []\n"
    rules/a.yaml:3:1: not valid YAML for rules: a second document begins here
      |
    3 | rules: []
      | ^

    hint: one file holds one document: put all rules under one `rules:`

    "rules:\n  - {name: a, where: tls == {a: 1}}\n"
    rules/a.yaml:2:29: not valid YAML for rules: while parsing a flow mapping, did not find expected ',' or '}'
      |
    2 |   - {name: a, where: tls == {a: 1}}
      |                             ^

    hint: between braces an expression with brackets or braces needs quotes

    "rules:\n  - name: a\n    where: status: 5\n"
    rules/a.yaml:3:18: not valid YAML for rules: mapping values are not allowed in this context
      |
    3 |     where: status: 5
      |                  ^

    hint: a text with `: ` in it needs quotes around all of it, or a block: `>-` and the text on the next line

    "rules:\n  - {name: a, measure: {p: percentile(Tr, 5)}}\n"
    1 rules loaded

    "rules:\n  - {name: a, measure: {p: percentile(Tr, 5), q: percentile(Ta, 5)}}\n"
    1 rules loaded
    "##);
}

#[test]
fn aliases_work_and_do_not_multiply_for_ever() {
    assert_eq!(
        said(
            "rules:\n- &a\n  name: a\n  where: &w tls\n  measure: &m { n: count() }\n- { name: b, where: *w, measure: *m }\n"
        ),
        "2 rules loaded"
    );
    insta::assert_snapshot!(said("rules:\n- name: a\n  where: &w tlss\n  measure: { n: count() }\n- name: b\n  where: *w\n  measure: { n: count() }\n"), @r#"
    rules/a.yaml:3:13: rule `a`: unknown field `tlss`
      |
    3 |   where: &w tlss
      |             ^^^^

    hint: did you mean `tls`?

    rules/a.yaml:3:13: rule `b`: unknown field `tlss`
      |
    3 |   where: &w tlss
      |             ^^^^

    hint: did you mean `tls`?
    "#);
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..9 {
        let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
        bomb += &format!("a{n}: &a{n} [{aliases}]\n");
    }
    let problems = load(&[source(&bomb)], &Options::default()).unwrap_err();
    insta::assert_snapshot!(problems[0], @"rules/a.yaml:6:15: not valid YAML for rules: the file is too large or nested too deeply, its aliases written out");
    let problems = load(&[source(&"[".repeat(100_000))], &Options::default()).unwrap_err();
    insta::assert_snapshot!(problems[0], @"rules/a.yaml:1:256: not valid YAML for rules: recursion limit exceeded");
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
    ]), @r#"
    status >=
             ^
        the expression ends too early
    status => 5
           ^^
        unexpected `=>`
        hint: write `>=`
    status = 5
           ^
        unexpected `=`
        hint: equality is written `==`
    tls and partial
        ^^^
        unexpected `and`
        hint: both conditions: `&&`
    tls or partial
        ^^
        unexpected `or`
        hint: either condition: `||`
    tls & partial
        ^
        unexpected `&`
        hint: both conditions: `&&`
    not tls
        ^^^
        unexpected `tls`
    (tls
        ^
        missing `)`
    tls)
       ^
        unexpected `)`
    tls partial
        ^^^^^^^
        unexpected `partial`
    path == 'x
            ^^
        this string has no end
    path == #
            ^
        unexpected `#`
    ä == 1
    ^
        unexpected `ä`
    request_headers[
                    ^
        the expression ends too early
    status == 99999999999999999999
              ^^^^^^^^^^^^^^^^^^^^
        this number is too large
    status < 1e999
             ^^^^^
        this number is too large
    if
    ^
        `if` is a reserved word of CEL
    tls ? partial
                 ^
        the expression ends too early
    a.`b` == 1
     ^
        unexpected ```
    "#);
    assert_eq!(
        load(
            &[source(
                "rules: [{name: a, where: '', measure: {n: count()}}]"
            )],
            &Options::default()
        )
        .unwrap_err()[0]
            .message,
        "rule `a`: the expression is empty"
    );
}

#[test]
fn what_the_language_does_not_have() {
    insta::assert_snapshot!(brief(&[
        "has(request.id)",
        "request.id == 'x'",
        "request_headers.exists(h, h == 'x')",
        "matches(path, '^/v')",
        "path.has(method)",
        "status == 5u",
        "path == b'x'",
        "status == null",
        "{'a': 1} == 1",
        "Foo{a: 1}",
        "path.lowerAscii() == 'x'",
        "path.startswith('/')",
        "startsWith(path, '/')",
        "count() > 5",
        "request_headers[-1] == 'x'",
        "request_headers[status] == 'x'",
        "request_headers[method] == 'x'",
        "extra.country == 'se'",
        "extra[0] == 'x'",
        "extra[method] == 'x'",
        "method['x'] == 'x'",
    ]), @r#"
    has(request.id)
               ^
        a field has no part `.id`
        hint: what has a name is taken in brackets: `extra["name"]`
    request.id == 'x'
           ^
        a field has no part `.id`
        hint: what has a name is taken in brackets: `extra["name"]`
    request_headers.exists(h, h == 'x')
                          ^
        rules have no `all`, `exists`, `exists_one`, `map` or `filter`
        hint: use `in` to look into a list
    matches(path, '^/v')
    matches(path, '^/v')
        `matches` is written `text.matches("regex")`
    path.has(method)
    ^^^^^^^^^^^^^^^^
        `has` is written `has(field)`
    status == 5u
              ^^
        rules have no unsigned numbers
        hint: leave out the `u`
    path == b'x'
            ^^^^
        rules have no bytes literals
        hint: leave out the `b`: strings are compared by their bytes
    status == null
              ^^^^
        rules have no `null`
        hint: a comparison with a field that is missing is false by itself, and `has(x)` tells whether it is there
    {'a': 1} == 1
    ^
        rules have no maps
    Foo{a: 1}
       ^
        rules have no messages
    path.lowerAscii() == 'x'
    ^^^^^^^^^^^^^^^^^
        unknown function `lowerAscii`
        hint: the functions are `startsWith`, `endsWith`, `contains`, `matches`, `size`, `has`, `duration`, `cidr`, `containsIP`, `isIP`, `ip`, `isLoopback`, `isPrivate` and `family`
    path.startswith('/')
    ^^^^^^^^^^^^^^^^^^^^
        unknown function `startswith`
        hint: did you mean `startsWith`?
    startsWith(path, '/')
    ^^^^^^^^^^^^^^^^^^^^^
        `startsWith` is written `text.startsWith("x")`
    count() > 5
    ^^^^^^^
        `count` is an aggregate of many events
        hint: it is a measure or a part of one, and never inside another: `measure: { name: rate() }`
    request_headers[-1] == 'x'
                    ^^
        a captured header is taken by its position or its name, as it is
        hint: `request_headers[0]` or `request_headers["Host"]`
    request_headers[status] == 'x'
                    ^^^^^^
        a captured header is taken by its position or its name, as it is
        hint: `request_headers[0]` or `request_headers["Host"]`
    request_headers[method] == 'x'
                    ^^^^^^
        a captured header is taken by its position or its name, as it is
        hint: `request_headers[0]` or `request_headers["Host"]`
    extra.country == 'se'
         ^
        a field has no part `.country`
        hint: what has a name is taken in brackets: `extra["name"]`
    extra[0] == 'x'
          ^
        a field of a custom format is taken by its name, as it is
        hint: `extra["name"]`
    extra[method] == 'x'
          ^^^^^^
        a field of a custom format is taken by its name, as it is
        hint: `extra["name"]`
    method['x'] == 'x'
    ^^^^^^
        only a list or a map has parts, found a string
    "#);
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
        "client_ip in '10.0.0.0/8'",
        "5 in request_headers",
        "path in [method]",
        "[1, 2] == status",
        "status[0] == 5",
        "tls ? 1 : 'x'",
        "size(status) == 1",
        "status.startsWith('5')",
        "path.startsWith(5) && (foo == 1 || (bar))",
        "extra == 'x'",
        "'x' in extra",
        "size(extra) == 1",
    ]), @r#"
    status
    ^^^^^^
        expected a condition, found an int
        hint: compare it with something
    'x'
    ^^^
        expected a condition, found a string
        hint: compare it with something
    tls && status
           ^^^^^^
        expected a condition, found an int
        hint: compare it with something
    !path
     ^^^^
        expected a condition, found a string
        hint: compare it with something
    -path == 'x'
     ^^^^
        `-` takes a number, found a string
    status == '500'
    ^^^^^^^^^^^^^^^
        `==` compares an int with a string
        hint: a number is written without quotes, a string with them
    path > 5
    ^^^^^^^^
        `>` compares a string with an int
        hint: a number is written without quotes, a string with them
    tls == 1
    ^^^^^^^^
        `==` compares a bool with an int
    tls < partial
    ^^^^^^^^^^^^^
        bools have no order for `<`
    path + 'x' == 'y'
    ^^^^^^^^^^
        `+` takes numbers, found a string and a string
    Tr % 1.5 == 0.0
    ^^^^^^^^
        `%` takes whole numbers
    accept_date > 5
    ^^^^^^^^^^^
        `accept_date` is a timestamp, and there is nothing to compare it with
    request_headers == 'x'
    ^^^^^^^^^^^^^^^^^^^^^^
        `==` compares a list of strings with a string
        hint: take one of the list, such as `request_headers[0]`, or use `in`
    status in ['500', 501]
               ^^^^^
        `in` looks for an int and finds a string
    tls in ['x']
            ^^^
        `in` looks for a bool and finds a string
    path in 'x'
            ^^^
        `in` looks into a list, found a string
        hint: a part of a string: `a.contains(b)`
    client_ip in '10.0.0.0/8'
                 ^^^^^^^^^^^^
        `10.0.0.0/8` is a network, and no address is written so
        hint: `client_ip in cidr("10.0.0.0/8")`
    5 in request_headers
         ^^^^^^^^^^^^^^^
        `in` looks for an int in a list of strings
    path in [method]
             ^^^^^^
        a list after `in` holds numbers or strings as they are
        hint: compare with each: `a == b || a == c`
    [1, 2] == status
    ^^^^^^
        a list of constants stands only after `in`
    status[0] == 5
    ^^^^^^
        only a list or a map has parts, found an int
    tls ? 1 : 'x'
    ^^^^^^^^^^^^^
        `? :` chooses between an int and a string
    size(status) == 1
         ^^^^^^
        an int has no size
    status.startsWith('5')
    ^^^^^^
        expected a string, found an int
    path.startsWith(5) && (foo == 1 || (bar))
                    ^
        expected a string, found an int
                           ^^^
        unknown field `foo`
        hint: a string needs quotes
                                        ^^^
        unknown field `bar`
        hint: a string needs quotes
    extra == 'x'
    ^^^^^^^^^^^^
        `==` compares a map with a string
        hint: take one of its fields, such as `extra["name"]`
    'x' in extra
           ^^^^^
        `in` looks into a list, found a map
        hint: compare one of its fields: `extra["name"] == "x"`
    size(extra) == 1
         ^^^^^
        a map has no size
    "#);
}

#[test]
fn durations_and_sizes() {
    insta::assert_snapshot!(brief(&[
        "Tr > 5sec",
        "Tr > 5S",
        "Tr > 5min && bytes_read > 1kb && Tw > 1.5ns",
        "bytes_read > 1TB",
        "Tr > 99999999999999999999ms",
        "Tr > 1KB",
        "bytes_read == 500ms",
        "bytes_read + 1s > 5",
        "Tr - bytes_read > 5",
        "Tr in [5, 1KB]",
        "(tls ? Tr : bytes_read) > 5",
        "path == 5ms",
        "5ms",
        "-5ms",
        "5ms[0] == 1",
        "tls 500ms",
        "tls && 500ms 1s",
        "500ms(Tr)",
        "Tr > duration(Tw)",
        "Tr > duration('5')",
        "Tr > duration('1KB')",
        "duration() > 5",
        "Tr > 1e3s",
        "Tr > 0x1Fs",
    ]), @r#"
    Tr > 5sec
         ^^^^
        unknown unit `sec`
        hint: durations have `us`, `ms`, `s`, `m`, `h` and `d`, sizes `B`, `KB`, `MB`, `GB`, `KiB`, `MiB` and `GiB`
    Tr > 5S
         ^^
        unknown unit `S`
        hint: did you mean `s`?
    Tr > 5min && bytes_read > 1kb && Tw > 1.5ns
         ^^^^
        unknown unit `min`
        hint: durations have `us`, `ms`, `s`, `m`, `h` and `d`, sizes `B`, `KB`, `MB`, `GB`, `KiB`, `MiB` and `GiB`
                              ^^^
        unknown unit `kb`
        hint: did you mean `KB`?
                                          ^^^^^
        unknown unit `ns`
        hint: durations have `us`, `ms`, `s`, `m`, `h` and `d`, sizes `B`, `KB`, `MB`, `GB`, `KiB`, `MiB` and `GiB`
    bytes_read > 1TB
                 ^^^
        unknown unit `TB`
        hint: durations have `us`, `ms`, `s`, `m`, `h` and `d`, sizes `B`, `KB`, `MB`, `GB`, `KiB`, `MiB` and `GiB`
    Tr > 99999999999999999999ms
         ^^^^^^^^^^^^^^^^^^^^^^
        this number is too large
    Tr > 1KB
    ^^^^^^^^
        `>` mixes a duration with a number of bytes
        hint: a duration goes with timers, as in `Tr > 500ms`, and a size with bytes, as in `bytes_read > 1MB`
    bytes_read == 500ms
    ^^^^^^^^^^^^^^^^^^^
        `==` mixes a number of bytes with a duration
        hint: a duration goes with timers, as in `Tr > 500ms`, and a size with bytes, as in `bytes_read > 1MB`
    bytes_read + 1s > 5
    ^^^^^^^^^^^^^^^
        `+` mixes a number of bytes with a duration
        hint: a duration goes with timers, as in `Tr > 500ms`, and a size with bytes, as in `bytes_read > 1MB`
    Tr - bytes_read > 5
    ^^^^^^^^^^^^^^^
        `-` mixes a duration with a number of bytes
        hint: a duration goes with timers, as in `Tr > 500ms`, and a size with bytes, as in `bytes_read > 1MB`
    Tr in [5, 1KB]
              ^^^
        `in` mixes a duration with a number of bytes
        hint: a duration goes with timers, as in `Tr > 500ms`, and a size with bytes, as in `bytes_read > 1MB`
    (tls ? Tr : bytes_read) > 5
     ^^^^^^^^^^^^^^^^^^^^^
        `? :` mixes a duration with a number of bytes
        hint: a duration goes with timers, as in `Tr > 500ms`, and a size with bytes, as in `bytes_read > 1MB`
    path == 5ms
    ^^^^^^^^^^^
        `==` compares a string with an int
        hint: a number is written without quotes, a string with them
    5ms
    ^^^
        expected a condition, found an int
        hint: compare it with something
    -5ms
    ^^^^
        expected a condition, found an int
        hint: compare it with something
    5ms[0] == 1
    ^^^
        only a list or a map has parts, found an int
    tls 500ms
        ^^^^^
        unexpected `500ms`
    tls && 500ms 1s
                 ^^
        unexpected `1s`
    500ms(Tr)
    ^^^^^^^^^
        unknown function `500ms`
        hint: the functions are `startsWith`, `endsWith`, `contains`, `matches`, `size`, `has`, `duration`, `cidr`, `containsIP`, `isIP`, `ip`, `isLoopback`, `isPrivate` and `family`
    Tr > duration(Tw)
                  ^^
        a duration is numbers with units in quotes, as they are
        hint: `duration("1h30m")`; the units are `us`, `ms`, `s`, `m`, `h` and `d`
    Tr > duration('5')
                  ^^^
        a duration is numbers with units in quotes, as they are
        hint: `duration("1h30m")`; the units are `us`, `ms`, `s`, `m`, `h` and `d`
    Tr > duration('1KB')
                  ^^^^^
        a duration is numbers with units in quotes, as they are
        hint: `duration("1h30m")`; the units are `us`, `ms`, `s`, `m`, `h` and `d`
    duration() > 5
    ^^^^^^^^^^
        `duration` is written `duration("500ms")`
    Tr > 1e3s
         ^^^^
        `1e3` takes no unit
        hint: write it out, as digits with or without a point
    Tr > 0x1Fs
         ^^^^^
        `0x1F` takes no unit
        hint: write it out, as digits with or without a point
    "#);
}

#[test]
fn what_has_takes() {
    insta::assert_snapshot!(brief(&[
        "has(stauts)",
        "has()",
        "has(Tr, Tw)",
        "has(Tr + 1)",
        "has('x')",
        "has(has(Tr))",
        "has(5ms)",
        "has",
        "has(Tr) > 5",
        "has(request_headers[status])",
        "has(value)",
        "hsa(Tr)",
    ]), @r#"
    has(stauts)
        ^^^^^^
        unknown field `stauts`
        hint: did you mean `status`?
    has()
    ^^^^^
        `has` is written `has(field)`
    has(Tr, Tw)
    ^^^^^^^^^^^
        `has` is written `has(field)`
    has(Tr + 1)
        ^^^^^^
        `has` takes a field, as it is
        hint: `has(Tc)`, `has(request_headers["Host"])` or `has(extra["name"])`
    has('x')
        ^^^
        `has` takes a field, as it is
        hint: `has(Tc)`, `has(request_headers["Host"])` or `has(extra["name"])`
    has(has(Tr))
        ^^^^^^^
        `has` takes a field, as it is
        hint: `has(Tc)`, `has(request_headers["Host"])` or `has(extra["name"])`
    has(5ms)
        ^^^
        `has` takes a field, as it is
        hint: `has(Tc)`, `has(request_headers["Host"])` or `has(extra["name"])`
    has
    ^^^
        unknown field `has`
        hint: the function is written `has(field)`
    has(Tr) > 5
    ^^^^^^^^^^^
        `>` compares a bool with an int
    has(request_headers[status])
                        ^^^^^^
        a captured header is taken by its position or its name, as it is
        hint: `request_headers[0]` or `request_headers["Host"]`
    has(value)
        ^^^^^
        `value` stands for nothing here
        hint: a rule's key `value` gives it a meaning, in that rule's measures
    hsa(Tr)
    ^^^^^^^
        unknown function `hsa`
        hint: did you mean `has`?
    "#);
    let options = Options {
        names: names(),
        ..Options::default()
    };
    insta::assert_snapshot!(brief_with(&[
        "has(request_headers['Hots'])",
        "has(extra['contry'])",
    ], &options), @r#"
    has(request_headers['Hots'])
                        ^^^^^^
        no frontend captures the request header `Hots`
        hint: did you mean `Host`?
    has(extra['contry'])
              ^^^^^^^^
        no log format has a field `contry`
        hint: did you mean `country`?
    "#);
}

#[test]
fn patterns() {
    insta::assert_snapshot!(brief(&[
        "path.matches('/(a')",
        "path.matches('a{2,1}') && path.matches('(?=a)')",
        r"path.matches(r'(a)\1')",
        "path.matches('(a{1000}){1000}')",
        "path.matches(method)",
        "path.matches(5)",
        "status.matches('5..')",
        "path.matches()",
        r"path.matches('\d')",
        "path.match('x')",
    ]), @r#"
    path.matches('/(a')
                 ^^^^^^
        `matches` cannot use this pattern: unclosed group
    path.matches('a{2,1}') && path.matches('(?=a)')
                 ^^^^^^^^
        `matches` cannot use this pattern: invalid repetition count range, the start must be <= the end
                                           ^^^^^^^
        `matches` cannot use this pattern: look-around, including look-ahead and look-behind, is not supported
    path.matches(r'(a)\1')
                 ^^^^^^^^
        `matches` cannot use this pattern: backreferences are not supported
    path.matches('(a{1000}){1000}')
                 ^^^^^^^^^^^^^^^^^
        `matches` cannot use this pattern: it takes more than 1024 KiB when compiled
    path.matches(method)
                 ^^^^^^
        a pattern is a string as it is
        hint: `path.matches("^/v[0-9]+/")`
    path.matches(5)
                 ^
        a pattern is a string as it is
        hint: `path.matches("^/v[0-9]+/")`
    status.matches('5..')
    ^^^^^^
        expected a string, found an int
    path.matches()
    ^^^^^^^^^^^^^^
        `matches` is written `text.matches("regex")`
    path.matches('\d')
                 ^^^^
        this string has an escape that CEL does not know
        hint: a backslash as it is: `r"\d"` or `"\\d"`
    path.match('x')
    ^^^^^^^^^^^^^^^
        unknown function `match`
        hint: the functions are `startsWith`, `endsWith`, `contains`, `matches`, `size`, `has`, `duration`, `cidr`, `containsIP`, `isIP`, `ip`, `isLoopback`, `isPrivate` and `family`
    "#);
}

#[test]
fn addresses_and_networks() {
    insta::assert_snapshot!(brief(&[
        "client_ip in ['10.0.0.0/8']",
        "client_ip in ['a', 'fd00::/8']",
        "client_ip == '10.0.0.0/8'",
        "'10.0.0.0/8' != client_ip",
        "client_ip in cidr('10.0.0.0/33')",
        "client_ip in cidr('10.0.0.1')",
        "client_ip in cidr(path)",
        "client_ip == cidr('10.0.0.0/8')",
        "client_ip in [cidr('10.0.0.0/8'), '192.168.0.0/16']",
        "client_ip in [cidr('10.0.0.0/8'), 'x']",
        "client_ip in [cidr('10.0.0.0/8'), ip(path)]",
        "client_ip in [size(path)]",
        "Tr in [duration('1KB')]",
        "status in cidr('10.0.0.0/8')",
        "request_headers in [cidr('10.0.0.0/8')]",
        "cidr('10.0.0.0/8').containsIP(status)",
        "cidr('10.0.0.0/8').containsIP('x')",
        "client_ip.containsIP(cidr('10.0.0.0/8'))",
        "cidr('10.0.0.0/8').contains(client_ip)",
        "cidr('10.0.0.0/8')",
        "ip('10.0.0') == ip(client_ip)",
        "ip('10.0.0.0/8') == ip(client_ip)",
        "ip(status) == ip(client_ip)",
        "ip(client_ip) == '10.0.0.1'",
        "ip(client_ip) in ['10.0.0.1']",
        "ip(client_ip) < ip('10.0.0.1')",
        "ip(client_ip) + 1 == 2",
        "ip(client_ip)",
        "isIP(status)",
        "client_ip.isPrivate()",
        "client_ip.family() == 4",
        "isLoopback(client_ip)",
        "ip(client_ip).isLocal()",
        "ip(client_ip).isPrivat()",
    ]), @r#"
    client_ip in ['10.0.0.0/8']
                  ^^^^^^^^^^^^
        `10.0.0.0/8` is a network, and no address is written so
        hint: `client_ip in cidr("10.0.0.0/8")`
    client_ip in ['a', 'fd00::/8']
                       ^^^^^^^^^^
        `fd00::/8` is a network, and no address is written so
        hint: `client_ip in cidr("fd00::/8")`
    client_ip == '10.0.0.0/8'
    ^^^^^^^^^^^^^^^^^^^^^^^^^
        `10.0.0.0/8` is a network, and no address is written so
        hint: `client_ip in cidr("10.0.0.0/8")`
    '10.0.0.0/8' != client_ip
    ^^^^^^^^^^^^^^^^^^^^^^^^^
        `10.0.0.0/8` is a network, and no address is written so
        hint: `client_ip in cidr("10.0.0.0/8")`
    client_ip in cidr('10.0.0.0/33')
                      ^^^^^^^^^^^^^
        `10.0.0.0/33` is no network
        hint: an address, `/` and how many of its bits count: `cidr("10.0.0.0/8")`, `cidr("fd00::/8")`
    client_ip in cidr('10.0.0.1')
                      ^^^^^^^^^^
        `10.0.0.1` is an address and no network
        hint: one address is compared: `ip(client_ip) == ip("10.0.0.1")`
    client_ip in cidr(path)
                      ^^^^
        a network is written as it is
        hint: `cidr("10.0.0.0/8")`
    client_ip == cidr('10.0.0.0/8')
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        `==` compares a string with a network
        hint: a network holds addresses: `client_ip in cidr("10.0.0.0/8")`
    client_ip in [cidr('10.0.0.0/8'), '192.168.0.0/16']
                                      ^^^^^^^^^^^^^^^^
        `192.168.0.0/16` is a network, and no address is written so
        hint: `client_ip in cidr("192.168.0.0/16")`
    client_ip in [cidr('10.0.0.0/8'), 'x']
                                      ^^^
        a list of networks holds networks and addresses as they are
        hint: `client_ip in [cidr("10.0.0.0/8"), ip("192.0.2.1")]`
    client_ip in [cidr('10.0.0.0/8'), ip(path)]
                                      ^^^^^^^^
        a list of networks holds networks and addresses as they are
        hint: `client_ip in [cidr("10.0.0.0/8"), ip("192.0.2.1")]`
    client_ip in [size(path)]
                  ^^^^^^^^^^
        a list after `in` holds numbers or strings as they are
        hint: compare with each: `a == b || a == c`
    Tr in [duration('1KB')]
                    ^^^^^
        a duration is numbers with units in quotes, as they are
        hint: `duration("1h30m")`; the units are `us`, `ms`, `s`, `m`, `h` and `d`
    status in cidr('10.0.0.0/8')
    ^^^^^^
        only an address is in a network, found an int
        hint: a network holds addresses: `client_ip in cidr("10.0.0.0/8")`
    request_headers in [cidr('10.0.0.0/8')]
    ^^^^^^^^^^^^^^^
        only an address is in a network, found a list of strings
        hint: take one of the list, such as `request_headers["X-Forwarded-For"]`
    cidr('10.0.0.0/8').containsIP(status)
                                  ^^^^^^
        only an address is in a network, found an int
        hint: a network holds addresses: `client_ip in cidr("10.0.0.0/8")`
    cidr('10.0.0.0/8').containsIP('x')
                                  ^^^
        `x` is no address
        hint: `ip("10.0.0.1")`, `ip("2001:db8::1")`
    client_ip.containsIP(cidr('10.0.0.0/8'))
    ^^^^^^^^^
        `containsIP` asks a network, found a string
        hint: `cidr("10.0.0.0/8").containsIP(client_ip)`
                         ^^^^^^^^^^^^^^^^^^
        only an address is in a network, found a network
        hint: a network holds addresses: `client_ip in cidr("10.0.0.0/8")`
    cidr('10.0.0.0/8').contains(client_ip)
    ^^^^^^^^^^^^^^^^^^
        expected a string, found a network
        hint: what is in it is told by `containsIP`
    cidr('10.0.0.0/8')
    ^^^^^^^^^^^^^^^^^^
        expected a condition, found a network
        hint: a network holds addresses: `client_ip in cidr("10.0.0.0/8")`
    ip('10.0.0') == ip(client_ip)
       ^^^^^^^^
        `10.0.0` is no address
        hint: `ip("10.0.0.1")`, `ip("2001:db8::1")`
    ip('10.0.0.0/8') == ip(client_ip)
       ^^^^^^^^^^^^
        `10.0.0.0/8` is a network, and no address is written so
        hint: `client_ip in cidr("10.0.0.0/8")`
    ip(status) == ip(client_ip)
       ^^^^^^
        expected a string, found an int
    ip(client_ip) == '10.0.0.1'
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^
        `==` compares an address with a string
        hint: a string is made an address by `ip(text)`
    ip(client_ip) in ['10.0.0.1']
                      ^^^^^^^^^^
        `in` looks for an address and finds a string
        hint: an address in a list is `ip("10.0.0.1")`
    ip(client_ip) < ip('10.0.0.1')
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        addresses have no order for `<`
        hint: a range of them is a network: `client_ip in cidr("10.0.0.0/8")`
    ip(client_ip) + 1 == 2
    ^^^^^^^^^^^^^^^^^
        `+` takes numbers, found an address and an int
    ip(client_ip)
    ^^^^^^^^^^^^^
        expected a condition, found an address
        hint: compare it with something
    isIP(status)
         ^^^^^^
        expected a string, found an int
    client_ip.isPrivate()
    ^^^^^^^^^
        `isPrivate` asks an address, found a string
        hint: `ip(client_ip).isPrivate()`
    client_ip.family() == 4
    ^^^^^^^^^
        `family` asks an address, found a string
        hint: `ip(client_ip).family()`
    isLoopback(client_ip)
    ^^^^^^^^^^^^^^^^^^^^^
        `isLoopback` is written `ip(text).isLoopback()`
    ip(client_ip).isLocal()
    ^^^^^^^^^^^^^^^^^^^^^^^
        unknown function `isLocal`
        hint: the functions are `startsWith`, `endsWith`, `contains`, `matches`, `size`, `has`, `duration`, `cidr`, `containsIP`, `isIP`, `ip`, `isLoopback`, `isPrivate` and `family`
    ip(client_ip).isPrivat()
    ^^^^^^^^^^^^^^^^^^^^^^^^
        unknown function `isPrivat`
        hint: did you mean `isPrivate`?
    "#);
}

#[test]
fn values_and_keys_have_types() {
    let said = |read: Result<(), Vec<Fault>>| {
        let mut said = String::new();
        for fault in read.unwrap_err() {
            said += &format!("    {}\n", fault.message);
            said += &fault
                .hint
                .map_or_else(String::new, |hint| format!("    hint: {hint}\n"));
        }
        said
    };
    let names = names();
    let schema = Schema::with_service(Text::Field(Field::Frontend), &names);
    let mut text = String::new();
    for source in [
        "request_headers",
        "extra",
        "ip(client_ip)",
        "cidr('10.0.0.0/8')",
        "accept_date",
        "value",
        "count()",
        "stauts",
    ] {
        let value = cel::parse(source).and_then(|node| check::value(&node, &schema));
        text += &format!("{source}\n{}", said(value.map(|_| ())));
    }
    for source in ["Tr / 1.5", "response_headers", "ip(client_ip)", "[1]"] {
        let key = cel::parse(source).and_then(|node| check::key(&node, &schema));
        text += &format!("by {source}\n{}", said(key.map(|_| ())));
    }
    insta::assert_snapshot!(text, @r#"
    request_headers
        a value is a number, a string or a bool, found a list of strings
        hint: take one of the list, such as `request_headers[0]`
    extra
        a value is a number, a string or a bool, found a map
        hint: take one of its fields, such as `extra["name"]`
    ip(client_ip)
        a value is a number, a string or a bool, found an address
        hint: take the string that the address is of
    cidr('10.0.0.0/8')
        a value is a number, a string or a bool, found a network
        hint: what is in it is told by `containsIP`
    accept_date
        `accept_date` is a timestamp, and there is nothing to compare it with
    value
        `value` stands for nothing here
        hint: a rule's key `value` gives it a meaning, in that rule's measures
    count()
        `count` is an aggregate of many events
        hint: it is a measure or a part of one, and never inside another: `measure: { name: rate() }`
    stauts
        unknown field `stauts`
        hint: did you mean `status`?
    by Tr / 1.5
        expected a string, an int or a bool, found a double
        hint: whole numbers divide to whole numbers: `Tr / 100`
    by response_headers
        expected a string, an int or a bool, found a list of strings
        hint: take one of the list, such as `response_headers[0]`
    by ip(client_ip)
        expected a string, an int or a bool, found an address
        hint: take the string that the address is of
    by [1]
        a list of constants stands only after `in`
    "#);
}

#[test]
fn names_that_no_format_has() {
    let options = Options {
        names: names(),
        ..Options::default()
    };
    insta::assert_snapshot!(brief_with(&[
        "request_headers['X-Reqest-Id'] == 'x'",
        "request_headers['Server'] == 'x'",
        "response_headers['Servers'] == 'x'",
        "extra['contry'] == 'se' && extra['Country'] == 'se'",
        "extra['sni'] == 'x'",
        "extra['method'] == 'GET'",
        "extra['mixed'] == 5",
    ], &options), @r#"
    request_headers['X-Reqest-Id'] == 'x'
                    ^^^^^^^^^^^^^
        no frontend captures the request header `X-Reqest-Id`
        hint: did you mean `X-Request-Id`?
    request_headers['Server'] == 'x'
                    ^^^^^^^^
        no frontend captures the request header `Server`
        hint: the names are `Host`, `X-Request-Id` and `X-Tenant`
    response_headers['Servers'] == 'x'
                     ^^^^^^^^^
        no frontend captures the response header `Servers`
        hint: did you mean `Server`?
    extra['contry'] == 'se' && extra['Country'] == 'se'
          ^^^^^^^^
        no log format has a field `contry`
        hint: did you mean `country`?
                                     ^^^^^^^^^
        no log format has a field `Country`
        hint: did you mean `country`?
    extra['sni'] == 'x'
          ^^^^^
        no log format has a field `sni`
        hint: the names are `cached`, `country`, `mixed`, `src_conn_rate` and `ssl_version`
    extra['method'] == 'GET'
          ^^^^^^^^
        no log format has a field `method`
        hint: `method` is a field of its own, without `extra`
    extra['mixed'] == 5
          ^^^^^^^
        `mixed` is an int in one log format and a string in another
        hint: give it one type in all of them
    "#);
    // Captures without names, formats without fields of their own.
    let bare = FieldNames {
        known: true,
        ..FieldNames::default()
    };
    let options = Options {
        names: bare.clone(),
        ..Options::default()
    };
    insta::assert_snapshot!(brief_with(&[
        "response_headers['Server'] == 'x'",
        "extra['n'] == 'x'",
    ], &options), @r#"
    response_headers['Server'] == 'x'
                     ^^^^^^^^
        no frontend captures the response header `Server`
        hint: without names in the configuration, a header is taken by its position: `response_headers[0]`
    extra['n'] == 'x'
          ^^^
        no log format has a field `n`
        hint: a log format names its fields: `%(name)[...]`
    "#);
    let many = FieldNames {
        request_headers: (0..40).map(|n| format!("X-{n}").into()).collect(),
        ..bare
    };
    let options = Options {
        names: many,
        service: Some(configured_service("request_headers['Host']")),
    };
    insta::assert_snapshot!(said_of(&bundled(), &options), @r#"
    weir.yaml:2:28: haproxy.service: no frontend captures the request header `Host`
      |
    2 |   service: request_headers['Host']
      |                            ^^^^^^

    hint: the names are `X-0`, `X-1`, `X-2`, `X-3`, `X-4`, `X-5`, `X-6`, `X-7`, `X-8`, `X-9` and 30 more
    "#);
}

#[test]
fn a_field_of_a_custom_format_needs_a_type_to_be_more_than_a_string() {
    insta::assert_snapshot!(brief(&[
        "extra['n'] > 5",
        "0.5 < extra['n']",
        "extra['n'] + 1 == 2",
        "extra['n'] in [1, 2]",
        "-extra['n'] == 1",
        "extra['b']",
        "tls == extra['b']",
        "extra['res.hdr(age)'] > 5",
        "extra['n'] == request_headers",
    ]), @r#"
    extra['n'] > 5
    ^^^^^^^^^^^^^^
        `>` compares a string with an int
        hint: give it a type in the log format: `%(n:sint)[...]`
    0.5 < extra['n']
    ^^^^^^^^^^^^^^^^
        `<` compares a double with a string
        hint: give it a type in the log format: `%(n:sint)[...]`
    extra['n'] + 1 == 2
    ^^^^^^^^^^^^^^
        `+` takes numbers, found a string and an int
        hint: give it a type in the log format: `%(n:sint)[...]`
    extra['n'] in [1, 2]
                   ^
        `in` looks for a string and finds an int
        hint: give it a type in the log format: `%(n:sint)[...]`
    -extra['n'] == 1
     ^^^^^^^^^^
        `-` takes a number, found a string
        hint: give it a type in the log format: `%(n:sint)[...]`
    extra['b']
    ^^^^^^^^^^
        expected a condition, found a string
        hint: give it a type in the log format: `%(b:bool)[...]`
    tls == extra['b']
    ^^^^^^^^^^^^^^^^^
        `==` compares a bool with a string
        hint: give it a type in the log format: `%(b:bool)[...]`
    extra['res.hdr(age)'] > 5
    ^^^^^^^^^^^^^^^^^^^^^^^^^
        `>` compares a string with an int
        hint: give it a type in the log format: `%(name:sint)[res.hdr(age)]`
    extra['n'] == request_headers
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        `==` compares a string with a list of strings
        hint: take one of the list, such as `request_headers[0]`, or use `in`
    "#);
    insta::assert_snapshot!(brief_measures(&["sum(extra['n'])"]), @r#"
    sum(extra['n'])
        ^^^^^^^^^^
        expected a number, found a string
        hint: give it a type in the log format: `%(n:sint)[...]`
    "#);
}

#[test]
fn measures_are_aggregates_and_arithmetic_over_them() {
    insta::assert_snapshot!(brief_measures(&[
        "Tr",
        "tls",
        "path",
        "request_headers",
        "stauts",
        "value",
        "rate",
        "rat()",
        "medain(Tr)",
        "size(path)",
        "60 * 60",
        "-1",
        "5ms",
        "(tls ? count() : rate())",
        "path.size()",
        "!count()",
        "rate() > 5",
        "rate() && tls",
        "count() % 2",
        "rate() + Tr",
        "count() / 0",
        "count() / stauts + rat()",
        "mean(Tr) + sum(bytes_read)",
        "mean(Tr) - 1KB",
        "duration('1s') + sum(bytes_read)",
        "2 * histogram(Tr)",
        "-top(path, 5)",
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
        "percentile(Tr, 5ms)",
        "stddev(path)",
        "histogram(path)",
        "histogram(Tr, 5)",
        "histogram(Tr, [])",
        "histogram(Tr, [1, Tw])",
        "histogram(Tr, [1, 5, 5])",
        "histogram(Tr, [1KB])",
        "histogram(stauts, [2, 1])",
        "histogram()",
        "distinct(Tr / 1.5)",
        "distinct(request_headers)",
        "distinct(extra)",
        "distinct(ip(client_ip))",
        "apdex(Tr)",
        "apdex(Tr, 0)",
        "apdex(Tr, -5ms)",
        "apdex(Tr, Tw)",
        "apdex(Tr, 1KB)",
        "apdex(path, 'x')",
        "top(path)",
        "top(path, 0)",
        "top(path, 101)",
        "top(path, 1.5)",
        "top(request_headers, 'x')",
        "top(count(), 5)",
    ]), @r#"
    Tr
    ^^
        `Tr` is a value of one event, and a measure is of many
        hint: `mean(Tr)`, `percentile(Tr, 95)`
    tls
    ^^^
        `tls` is a value of one event, and a measure is of many
        hint: `ratio(tls)`
    path
    ^^^^
        `path` is a value of one event, and a measure is of many
        hint: `distinct(path)`, `top(path, 10)`
    request_headers
    ^^^^^^^^^^^^^^^
        `request_headers` is a value of one event, and a measure is of many
        hint: the aggregates are `count()`, `rate()`, `ratio(condition)`, `sum(value)`, `mean(value)`, `min(value)`, `max(value)`, `stddev(value)`, `percentile(value, 95)`, `histogram(value)`, `distinct(value)`, `apdex(value, 500ms)` and `top(value, 10)`
    stauts
    ^^^^^^
        unknown field `stauts`
        hint: did you mean `status`?
    value
    ^^^^^
        `value` stands for nothing here
        hint: a rule's key `value` gives it a meaning, in that rule's measures
    rate
    ^^^^
        `rate` is written `rate()`
    rat()
    ^^^^^
        unknown aggregate `rat`
        hint: did you mean `rate`?
    medain(Tr)
    ^^^^^^^^^^
        unknown aggregate `medain`
        hint: did you mean `mean`?
    size(path)
    ^^^^^^^^^^
        `size` is a function of one event, and a measure is of many
        hint: the aggregates are `count()`, `rate()`, `ratio(condition)`, `sum(value)`, `mean(value)`, `min(value)`, `max(value)`, `stddev(value)`, `percentile(value, 95)`, `histogram(value)`, `distinct(value)`, `apdex(value, 500ms)` and `top(value, 10)`
    60 * 60
    ^^^^^^^
        this is the same number whatever comes
        hint: a measure has an aggregate, such as `rate()` or `100 * ratio(tls)`
    -1
    ^^
        this is the same number whatever comes
        hint: a measure has an aggregate, such as `rate()` or `100 * ratio(tls)`
    5ms
    ^^^
        this is the same number whatever comes
        hint: a measure has an aggregate, such as `rate()` or `100 * ratio(tls)`
    (tls ? count() : rate())
     ^^^^^^^^^^^^^^^^^^^^^^
        a measure is an aggregate, or arithmetic over aggregates
        hint: the aggregates are `count()`, `rate()`, `ratio(condition)`, `sum(value)`, `mean(value)`, `min(value)`, `max(value)`, `stddev(value)`, `percentile(value, 95)`, `histogram(value)`, `distinct(value)`, `apdex(value, 500ms)` and `top(value, 10)`
    path.size()
    ^^^^^^^^^^^
        a measure is an aggregate, or arithmetic over aggregates
        hint: the aggregates are `count()`, `rate()`, `ratio(condition)`, `sum(value)`, `mean(value)`, `min(value)`, `max(value)`, `stddev(value)`, `percentile(value, 95)`, `histogram(value)`, `distinct(value)`, `apdex(value, 500ms)` and `top(value, 10)`
    !count()
    ^^^^^^^^
        a measure is an aggregate, or arithmetic over aggregates
        hint: the aggregates are `count()`, `rate()`, `ratio(condition)`, `sum(value)`, `mean(value)`, `min(value)`, `max(value)`, `stddev(value)`, `percentile(value, 95)`, `histogram(value)`, `distinct(value)`, `apdex(value, 500ms)` and `top(value, 10)`
    rate() > 5
    ^^^^^^^^^^
        `>` takes no aggregates
        hint: arithmetic over them has `+`, `-`, `*` and `/`; the share of events for which a condition holds is `ratio(condition)`
    rate() && tls
    ^^^^^^^^^^^^^
        `&&` takes no aggregates
        hint: arithmetic over them has `+`, `-`, `*` and `/`; the share of events for which a condition holds is `ratio(condition)`
    count() % 2
    ^^^^^^^^^^^
        `%` takes no aggregates
        hint: arithmetic over them has `+`, `-`, `*` and `/`; the share of events for which a condition holds is `ratio(condition)`
    rate() + Tr
             ^^
        `Tr` is a value of one event, and a measure is of many
        hint: `mean(Tr)`, `percentile(Tr, 95)`
    count() / 0
    ^^^^^^^^^^^
        a division by zero has no value
    count() / stauts + rat()
              ^^^^^^
        unknown field `stauts`
        hint: did you mean `status`?
                       ^^^^^
        unknown aggregate `rat`
        hint: did you mean `rate`?
    mean(Tr) + sum(bytes_read)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^
        `+` mixes a duration with a number of bytes
        hint: a duration goes with timers, as in `Tr > 500ms`, and a size with bytes, as in `bytes_read > 1MB`
    mean(Tr) - 1KB
    ^^^^^^^^^^^^^^
        `-` mixes a duration with a number of bytes
        hint: a duration goes with timers, as in `Tr > 500ms`, and a size with bytes, as in `bytes_read > 1MB`
    duration('1s') + sum(bytes_read)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        `+` mixes a duration with a number of bytes
        hint: a duration goes with timers, as in `Tr > 500ms`, and a size with bytes, as in `bytes_read > 1MB`
    2 * histogram(Tr)
        ^^^^^^^^^^^^^
        `histogram` makes several series, and there is no arithmetic with it
        hint: it is a measure of its own
    -top(path, 5)
     ^^^^^^^^^^^^
        `top` makes several series, and there is no arithmetic with it
        hint: it is a measure of its own
    count(1)
    ^^^^^^^^
        `count` is written `count()`
    ratio()
    ^^^^^^^
        `ratio` is written `ratio(condition)`
    ratio(status)
          ^^^^^^
        expected a condition, found an int
        hint: compare it with something
    sum(tls)
        ^^^
        expected a number, found a bool
        hint: the share of events for which a condition holds is `ratio(condition)`
    sum(path)
        ^^^^
        expected a number, found a string
    mean(rate())
         ^^^^^^
        `rate` is an aggregate of many events
        hint: it is a measure or a part of one, and never inside another: `measure: { name: rate() }`
    percentile(Tr)
    ^^^^^^^^^^^^^^
        `percentile` is written `percentile(value, 95)`
    percentile(Tr, 101)
                   ^^^
        a percentage is a number from 0 to 100, as it is
    percentile(Tr, -1)
                   ^^
        a percentage is a number from 0 to 100, as it is
    percentile(Tr, Tw)
                   ^^
        a percentage is a number from 0 to 100, as it is
    percentile(stauts, 'x')
               ^^^^^^
        unknown field `stauts`
        hint: did you mean `status`?
                       ^^^
        a percentage is a number from 0 to 100, as it is
    percentile(Tr, 5ms)
                   ^^^
        a percentage is a number from 0 to 100, as it is
    stddev(path)
           ^^^^
        expected a number, found a string
    histogram(path)
              ^^^^
        expected a number, found a string
    histogram(Tr, 5)
                  ^
        the bounds of buckets are a list of numbers, as they are
        hint: `histogram(Ta, [5, 50, 500])`
    histogram(Tr, [])
                  ^^
        a histogram has 1 to 64 bounds, found 0
    histogram(Tr, [1, Tw])
                      ^^
        the bound of a bucket is a number, as it is
    histogram(Tr, [1, 5, 5])
                         ^
        the bounds of buckets ascend, and this one does not
    histogram(Tr, [1KB])
                   ^^^
        `histogram` mixes a duration with a number of bytes
        hint: a duration goes with timers, as in `Tr > 500ms`, and a size with bytes, as in `bytes_read > 1MB`
    histogram(stauts, [2, 1])
              ^^^^^^
        unknown field `stauts`
        hint: did you mean `status`?
                          ^
        the bounds of buckets ascend, and this one does not
    histogram()
    ^^^^^^^^^^^
        `histogram` is written `histogram(value)`
    distinct(Tr / 1.5)
             ^^^^^^^^
        expected a string, an int or a bool, found a double
        hint: whole numbers divide to whole numbers: `Tr / 100`
    distinct(request_headers)
             ^^^^^^^^^^^^^^^
        expected a string, an int or a bool, found a list of strings
        hint: take one of the list, such as `request_headers[0]`
    distinct(extra)
             ^^^^^
        expected a string, an int or a bool, found a map
        hint: take one of its fields, such as `extra["name"]`
    distinct(ip(client_ip))
             ^^^^^^^^^^^^^
        expected a string, an int or a bool, found an address
        hint: take the string that the address is of
    apdex(Tr)
    ^^^^^^^^^
        `apdex` is written `apdex(value, 500ms)`
    apdex(Tr, 0)
              ^
        the target of an apdex is a number or duration above zero, as it is
        hint: `apdex(Ta, 500ms)`
    apdex(Tr, -5ms)
              ^^^^
        the target of an apdex is a number or duration above zero, as it is
        hint: `apdex(Ta, 500ms)`
    apdex(Tr, Tw)
              ^^
        the target of an apdex is a number or duration above zero, as it is
        hint: `apdex(Ta, 500ms)`
    apdex(Tr, 1KB)
              ^^^
        `apdex` mixes a duration with a number of bytes
        hint: a duration goes with timers, as in `Tr > 500ms`, and a size with bytes, as in `bytes_read > 1MB`
    apdex(path, 'x')
          ^^^^
        expected a number, found a string
                ^^^
        the target of an apdex is a number or duration above zero, as it is
        hint: `apdex(Ta, 500ms)`
    top(path)
    ^^^^^^^^^
        `top` is written `top(value, 10)`
    top(path, 0)
              ^
        `top` takes a whole number from 1 to 100, as it is
        hint: the ten largest: `top(client_ip, 10)`
    top(path, 101)
              ^^^
        `top` takes a whole number from 1 to 100, as it is
        hint: the ten largest: `top(client_ip, 10)`
    top(path, 1.5)
              ^^^
        `top` takes a whole number from 1 to 100, as it is
        hint: the ten largest: `top(client_ip, 10)`
    top(request_headers, 'x')
        ^^^^^^^^^^^^^^^
        expected a string, an int or a bool, found a list of strings
        hint: take one of the list, such as `request_headers[0]`
                         ^^^
        `top` takes a whole number from 1 to 100, as it is
        hint: the ten largest: `top(client_ip, 10)`
    top(count(), 5)
        ^^^^^^^
        `count` is an aggregate of many events
        hint: it is a measure or a part of one, and never inside another: `measure: { name: rate() }`
    "#);
}

#[test]
fn the_service_expression_is_shown_where_it_stands() {
    let mut said = String::new();
    for service in ["bakend", "status", "service", "backend +"] {
        let options = Options {
            service: Some(configured_service(service)),
            ..Options::default()
        };
        said += &format!("{}\n\n", said_of(&bundled(), &options));
    }
    insta::assert_snapshot!(said, @r#"
    weir.yaml:2:12: haproxy.service: unknown field `bakend`
      |
    2 |   service: bakend
      |            ^^^^^^

    hint: did you mean `backend`?

    weir.yaml:2:12: haproxy.service: expected a string, found an int
      |
    2 |   service: status
      |            ^^^^^^

    weir.yaml:2:12: haproxy.service: `service` cannot stand for itself
      |
    2 |   service: service
      |            ^^^^^^^

    weir.yaml:2:21: haproxy.service: the expression ends too early
      |
    2 |   service: backend +
      |                     ^
    "#);
}

#[test]
fn everything_has_a_bound() {
    let first = |text: &str| load(&[source(text)], &Options::default()).unwrap_err()[0].to_string();
    let rule = |condition: &str| {
        format!("rules: [{{name: a, where: '{condition}', measure: {{n: count()}}}}]")
    };
    let bounds: Vec<_> = (0..65).map(|bound| bound.to_string()).collect();
    let buckets = format!(
        "rules: [{{name: a, measure: {{h: 'histogram(Tr, [{}])'}}}}]",
        bounds.join(", ")
    );
    insta::assert_snapshot!(first(&buckets), @"rules/a.yaml:1:47: rule `a`: a histogram has 1 to 64 bounds, found 65");
    insta::assert_snapshot!(first(&rule(&"a".repeat(5000))), @"rules/a.yaml:1:27: rule `a`: the expression is longer than 4096 bytes");
    insta::assert_snapshot!(first(&rule(&format!("1{} == 1", " + 1".repeat(70)))), @"rules/a.yaml:1:49: rule `a`: the expression has too many operands: more than 64 operators in a row");
    let nested = format!("{}tls{}", "!(tls && ".repeat(40), ")".repeat(40));
    insta::assert_snapshot!(first(&rule(&nested)), @"rules/a.yaml:1:321: rule `a`: the expression is nested more than 64 deep");
    insta::assert_snapshot!(first(&rule(&format!("{}tls{}", "(".repeat(200), ")".repeat(200)))), @"rules/a.yaml:1:27: rule `a`: the expression is nested too deeply");
    // Once, whatever stands beside it.
    let long = format!(
        "rules: [{{name: a, measure: {{n: '{}count()'}}}}]",
        "count() + ".repeat(400)
    );
    assert_eq!(
        load(&[source(&long)], &Options::default())
            .unwrap_err()
            .len(),
        1
    );
    let mut many = String::from("rules:\n");
    for n in 0..10_001 {
        many += &format!("- {{name: r{n}, measure: {{n: count()}}}}\n");
    }
    insta::assert_snapshot!(first(&many), @"rules/a.yaml:10002:4: more than 10000 rules");
}

proptest! {
    /// Whatever is done to a file, it loads or its problems can be shown.
    #[test]
    fn any_file_loads_or_is_explained(
        at in 0usize..530,
        cut in 0usize..20,
        put in "[a-z &*!|>{}\\[\\]:,'\"#%@\\\\\n\täå-]{0,6}",
    ) {
        let whole: Vec<char> = include_str!("../../../rules/tcp.yaml").chars().collect();
        let kept = whole.iter().take(at).copied();
        let rest = whole.iter().skip(at + cut).copied();
        let text: String = kept.chain(put.chars()).chain(rest).collect();
        if let Err(problems) = load(&[source(&text)], &Options::default()) {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!(problem.render().starts_with("rules/a.yaml:"));
                prop_assert!(problem.line <= text.split('\n').count());
            }
        }
    }
}

#[test]
fn expressions_that_yaml_does_not_read_as_such_need_quotes() {
    let files = [
        r#"by: [service, kind == "http" ? "a" : "b"]"#,
        "by:\n  - kind == 'http' ? 'a' : 'b'",
        "limit: 5\nby: [knd == 'http' ? 'a' : 'b']",
        "by: { k: tls ? 'a' : 'b' }",
        "by:\n  k: tls ? 'a' : 'b'",
        "where: tls ? status == 5 : status == 6",
        r#"where: "http" == kind"#,
        "where: 'http' == kind",
        "by: ['a' == method]",
        r#"by: [service, request_headers["Host"]]"#,
        "by: [status in [200, 201]]",
        "where: [200, 201] == status",
        "where: tls\n   by: [service]",
    ];
    let mut told = String::new();
    for keys in files {
        let indented = keys.replace('\n', "\n  ");
        let file = format!("rules:\n- name: a\n  {indented}\n  measure: {{n: count()}}\n");
        let problems = load(&[source(&file)], &Options::default()).unwrap_err();
        told.push_str(&format!("{keys}\n"));
        for Problem {
            line,
            column,
            message,
            hint,
            ..
        } in problems
        {
            let hint = hint.unwrap_or_default();
            told.push_str(&format!(
                "    {line}:{column}: {message}\n        hint: {hint}\n"
            ));
        }
    }
    insta::assert_snapshot!(told, @r#"
    by: [service, kind == "http" ? "a" : "b"]
        3:17: rule `a`: YAML reads this expression as a pair, the first half as its key
            hint: a text with `: ` in it needs quotes around all of it, or a block: `>-` and the text on the next line
    by:
      - kind == 'http' ? 'a' : 'b'
        4:7: rule `a`: YAML reads this expression as a pair, the first half as its key
            hint: a text with `: ` in it needs quotes around all of it, or a block: `>-` and the text on the next line
    limit: 5
    by: [knd == 'http' ? 'a' : 'b']
        4:8: rule `a`: YAML reads this expression as a pair, the first half as its key
            hint: a text with `: ` in it needs quotes around all of it, or a block: `>-` and the text on the next line
        4:8: rule `a`: unknown field `knd`
            hint: did you mean `kind`?
    by: { k: tls ? 'a' : 'b' }
        3:22: not valid YAML for rules: while parsing a flow mapping, did not find expected ',' or '}'
            hint: between braces a text with `: ` in it needs quotes around all of it
    by:
      k: tls ? 'a' : 'b'
        4:18: not valid YAML for rules: mapping values are not allowed in this context
            hint: a text with `: ` in it needs quotes around all of it, or a block: `>-` and the text on the next line
    where: tls ? status == 5 : status == 6
        3:28: not valid YAML for rules: mapping values are not allowed in this context
            hint: a text with `: ` in it needs quotes around all of it, or a block: `>-` and the text on the next line
    where: "http" == kind
        3:17: not valid YAML for rules: invalid trailing content after double-quoted scalar
            hint: a text that begins with a quote and goes on after the second needs quotes around all of it: `'"http" == kind'`
    where: 'http' == kind
        3:17: not valid YAML for rules: invalid trailing content after single-quoted scalar
            hint: a text that begins with a quote and goes on after the second needs quotes around all of it: `'"http" == kind'`
    by: ['a' == method]
        3:12: not valid YAML for rules: invalid trailing content after single-quoted scalar
            hint: a text that begins with a quote and goes on after the second needs quotes around all of it: `'"http" == kind'`
    by: [service, request_headers["Host"]]
        3:32: not valid YAML for rules: while parsing a flow sequence, expected ',' or ']'
            hint: in a list between brackets a text with brackets or braces needs quotes around all of it: `['request_headers["Host"]']`
    by: [status in [200, 201]]
        3:18: not valid YAML for rules: while parsing a flow sequence, expected ',' or ']'
            hint: in a list between brackets a text with brackets or braces needs quotes around all of it: `['request_headers["Host"]']`
    where: [200, 201] == status
        3:21: not valid YAML for rules: while parsing a block mapping, did not find expected key
            hint: a text that begins with `{`, `[`, `!`, `&` or `*` needs quotes
    where: tls
       by: [service]
        4:8: not valid YAML for rules: mapping values are not allowed in this context
            hint: keys that belong together begin in one column; a text with `: ` in it needs quotes around all of it
    "#);
}

#[test]
fn with_quotes_around_all_of_it_any_expression_is_read() {
    for keys in [
        r#"by: [service, { k: 'kind == "http" ? "a" : "b"' }]"#,
        "by:\n    - k: >-\n        kind == 'http' ? 'a' : 'b'",
        r#"where: '"http" == kind'"#,
        r#"by: ['request_headers["Host"]']"#,
    ] {
        let file = format!("rules:\n- name: a\n  {keys}\n  measure: {{n: count()}}\n");
        assert_eq!(said(&file), "1 rules loaded");
    }
}
