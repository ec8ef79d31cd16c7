//! Each case is a text and the tree that comes of it, `key: value` and `[items]`.

use super::*;
use proptest::prelude::*;

fn read(text: &str) -> (Source, Node, Vec<Problem>) {
    let source = Source::new("a.yaml", text);
    let (node, problems) = match source.tree("tests") {
        Ok((node, notes)) => (node, notes.problems),
        Err(problem) => panic!("{}", problem.render()),
    };
    (source, node, problems)
}

fn shown(node: &Node) -> String {
    match &node.kind {
        Kind::Null => "null".into(),
        Kind::Wrong => "wrong".into(),
        Kind::Text(text) => format!("{text:?}"),
        Kind::List(items) => {
            let items: Vec<_> = items.iter().map(shown).collect();
            format!("[{}]", items.join(", "))
        }
        Kind::Map(pairs) => {
            let pairs = pairs
                .iter()
                .map(|(key, value)| format!("{}: {}", key.value, shown(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

#[test]
fn texts_are_read_as_they_are_written() {
    for (text, want) in [
        ("", "null"),
        ("~", "null"),
        ("{a: , b: null, c}", "{a: null, b: null, c: null}"),
        (
            "[1, 0x10, 1.50, true, yes, .inf, 1e999, -0, 007]",
            r#"["1", "0x10", "1.50", "true", "yes", ".inf", "1e999", "-0", "007"]"#,
        ),
        (r#"["1", 'a', "b\n"]"#, r#"["1", "a", "b\n"]"#),
        ("- |\n  a\n  b\n- >-\n  a\n  b\n", r#"["a\nb\n", "a b"]"#),
        ("5: a\ntrue: b\n", r#"{5: "a", true: "b"}"#),
        ("a: &x 5\nb: *x\n", r#"{a: "5", b: "5"}"#),
        (
            "a: &x {b: 1}\nc: {<<: *x, d: 2}\n",
            r#"{a: {b: "1"}, c: {d: "2", b: "1"}}"#,
        ),
    ] {
        let (_, node, problems) = read(text);
        assert_eq!((shown(&node), problems), (want.into(), vec![]), "{text}");
    }
}

#[test]
fn expressions_between_braces_are_whole() {
    for (text, want) in [
        (
            "{ rate: rate(), apdex: apdex(Ta, 500ms), latency: histogram(Ta) }",
            r#"{rate: "rate()", apdex: "apdex(Ta, 500ms)", latency: "histogram(Ta)"}"#,
        ),
        (
            "{ a: percentile(Tr, 95), b: percentile(Ta, 95) }",
            r#"{a: "percentile(Tr, 95)", b: "percentile(Ta, 95)"}"#,
        ),
        (
            "{ a: f(b, 5, 10), b: g(c, 5, 6) }",
            r#"{a: "f(b, 5, 10)", b: "g(c, 5, 6)"}"#,
        ),
        (
            "{ a: f(b, g(c, d), e) / h(i, j), k: l }",
            r#"{a: "f(b, g(c, d), e) / h(i, j)", k: "l"}"#,
        ),
        ("{ a: f(b,\n  c) }", r#"{a: "f(b,\n  c)"}"#),
        ("{ a: f(b, c ? d : e) }", r#"{a: "f(b, c ? d : e)"}"#),
        (
            r#"{ a: f(b == "x, (y", c), d: e }"#,
            r#"{a: "f(b == \"x, (y\", c)", d: "e"}"#,
        ),
        (
            r#"{ a: f(b == "\")", c), d: e }"#,
            r#"{a: "f(b == \"\\\")\", c)", d: "e"}"#,
        ),
        (
            "{ a: { value: f(b, c), unit: s } }",
            r#"{a: {value: "f(b, c)", unit: "s"}}"#,
        ),
        (
            "[a, f(b, c), { d: f(e, g) }]",
            r#"["a", "f(b, c)", {d: "f(e, g)"}]"#,
        ),
        // What is quoted is whole, and what is never closed stays as it is.
        (r#"{ a: "f(b", "c)": d }"#, r#"{a: "f(b", c): "d"}"#),
        ("{ a: f(b, c: d }", r#"{a: "f(b", c: "d"}"#),
        ("{ a: f(b, c: [d)] }", r#"{a: "f(b", c: ["d)"]}"#),
        ("{ a: f), b: g(c }", r#"{a: "f)", b: "g(c"}"#),
        ("[f(a, 'b)']", r#"["f(a", "b)"]"#),
        // Outside of braces a comma means nothing to YAML.
        (
            "a: f(b, c)\nd: (e\nf: g)\n",
            r#"{a: "f(b, c)", d: "(e", f: "g)"}"#,
        ),
    ] {
        let (source, node, problems) = read(text);
        assert_eq!((shown(&node), problems), (want.into(), vec![]), "{text}");
        assert_places(&source, &node);
    }
}

/// Each text is where the tree says that it is.
fn assert_places(source: &Source, node: &Node) {
    match &node.kind {
        Kind::Null | Kind::Wrong => {}
        Kind::Text(text) => {
            let written = &source.text[node.span.clone()];
            assert_eq!(written.trim_matches(['"', '\'']), text);
        }
        Kind::List(items) => items.iter().for_each(|item| assert_places(source, item)),
        Kind::Map(pairs) => {
            for (key, value) in pairs {
                let written = &source.text[key.span.clone()];
                assert_eq!(written.trim_matches(['"', '\'']), key.value);
                assert_places(source, value);
            }
        }
    }
}

#[test]
fn keys_appear_once() {
    for (text, want, said) in [
        ("a: 1\na: 2\n", r#"{a: "1"}"#, "a.yaml:2:1"),
        ("{a: 1, b: 2, b: 3}", r#"{a: "1", b: "2"}"#, "a.yaml:1:14"),
        (
            "{5: a, b: 1, 5: c, d: 2}",
            r#"{5: "a", b: "1", d: "2"}"#,
            "a.yaml:1:14",
        ),
        (
            "{a: x), b: y(c, x: 1, x: 2}",
            r#"{a: "x)", b: "y(c", x: "1"}"#,
            "a.yaml:1:23",
        ),
    ] {
        let (_, node, problems) = read(text);
        assert_eq!(shown(&node), want);
        let [problem] = problems.as_slice() else {
            panic!("{problems:?}");
        };
        let problem = problem.to_string();
        assert!(problem.starts_with(said), "{problem}");
        assert!(problem.ends_with("appears twice"), "{problem}");
    }
}

proptest! {
    /// What a person would write between braces comes out as it was written.
    #[test]
    fn any_calls_between_braces_are_whole(
        values in prop::collection::vec("[a-z]{1,3}(\\([a-z]{1,2}(, [a-z0-9]{1,3}){0,3}\\))?( / [a-z]\\([a-z], [0-9]\\))?", 1..6),
    ) {
        let pairs: Vec<_> = values.iter().enumerate().map(|(n, value)| format!("k{n}: {value}")).collect();
        for text in [format!("{{ {} }}", pairs.join(", ")), pairs.join("\n")] {
            let (_, node, problems) = read(&text);
            prop_assert_eq!(problems, vec![]);
            let Kind::Map(pairs) = node.kind else { panic!("{text}") };
            let read: Vec<_> = pairs.iter().filter_map(|(_, value)| Some(value.scalar()?.value)).collect();
            prop_assert_eq!(&read, &values);
        }
    }
}
