//! A rule file as it is written: YAML in, texts with their places out.
//!
//! Nothing is interpreted here but the shape, so that everything wrong in a file can be said
//! at once. Only what YAML itself does not allow ends the reading at its first place.

use crate::source::{Notes, Problem, Scalar, Source, Written};
use crate::yaml::{COLON_HINT, Kind, Node};
use std::ops::Range;

/// The keys of a file.
pub(super) const KEYS: [&str; 1] = ["rules"];

/// Keys of a file that weir does not have yet.
const LATER: [&str; 2] = ["invariants", "alerts"];

/// The key that makes a file one of tests.
const TESTS: &str = "tests";

/// The keys of a rule.
pub(super) const RULE_KEYS: [&str; 10] = [
    "name", "where", "by", "routes", "limit", "window", "tags", "series", "value", "measure",
];

pub(super) const WINDOW_KEYS: [&str; 2] = ["span", "every"];
pub(super) const MEASURE_KEYS: [&str; 2] = ["value", "unit"];

#[derive(Debug, Default)]
pub(super) struct Rule {
    /// The place of its first key.
    pub span: Range<usize>,
    pub name: Option<Scalar>,
    pub condition: Option<Scalar>,
    pub by: Vec<Part>,
    pub routes: Option<Routes>,
    pub limit: Option<Written<usize>>,
    pub window: Option<Window>,
    pub tags: Vec<(Scalar, Scalar)>,
    pub series: Option<Scalar>,
    pub value: Option<Scalar>,
    pub measures: Vec<(Scalar, Measure)>,
}

/// One value by which a rule groups.
#[derive(Debug)]
pub(super) struct Part {
    /// The tag that has it; `None`: named after the expression.
    pub tag: Option<Scalar>,
    pub expression: Scalar,
}

#[derive(Debug)]
pub(super) struct Routes {
    /// The place of the key.
    pub span: Range<usize>,
    pub templates: Vec<Scalar>,
}

#[derive(Debug)]
pub(super) struct Window {
    pub span: Scalar,
    /// `None`: it tumbles.
    pub every: Option<Scalar>,
}

#[derive(Debug)]
pub(super) struct Measure {
    pub expression: Scalar,
    /// What its value is converted to.
    pub unit: Option<Scalar>,
}

/// Reads one file, and everything about its shape that is wrong.
pub(super) fn parse(source: &Source) -> (Vec<Rule>, Vec<Problem>) {
    let (root, mut notes) = match source.tree("rules") {
        Ok(read) => read,
        Err(problem) => return (Vec::new(), vec![*problem]),
    };
    if let Some(key) = tests_key(&root) {
        let hint = format!("run it: `weir test {}`", source.name);
        let message = "this is a test of rules, not a file of them";
        return (
            Vec::new(),
            vec![notes.problem(&key.span, message).hint(hint)],
        );
    }
    let rules = file(&mut notes, &root);
    (rules, notes.problems)
}

/// The key `tests` of a test file, which has no rules of its own.
fn tests_key(root: &Node) -> Option<&Scalar> {
    let Kind::Map(pairs) = &root.kind else {
        return None;
    };
    let rules = pairs.iter().find(|(key, _)| key.value == "rules");
    let own = |(_, value): &(Scalar, Node)| match &value.kind {
        Kind::List(items) => items.iter().any(|item| matches!(item.kind, Kind::Map(_))),
        _ => false,
    };
    if rules.is_some_and(own) {
        return None;
    }
    let tests = pairs.iter().find(|(key, _)| key.value == TESTS);
    tests.map(|(key, _)| key)
}

fn file(notes: &mut Notes<'_>, root: &Node) -> Vec<Rule> {
    let noted = notes.problems.len();
    let mut rules = Vec::new();
    for (key, value) in notes.section(root).unwrap_or_default() {
        match key.value.as_str() {
            "rules" if value.kind == Kind::Null => {}
            "rules" => {
                let written = notes.list(value).unwrap_or_default();
                rules = written.iter().filter_map(|one| rule(notes, one)).collect();
                notes.about(None);
            }
            later if LATER.contains(&later) => {
                let message = format!("`{later}` are not part of weir yet");
                let hint = "leave them out of the file until they are";
                notes.refuse_with(&key.span, message, hint);
            }
            TESTS => {
                let message = "tests of rules stand in a file of their own";
                let hint = "`shop.test.yaml` tests `shop.yaml`; see docs/rules.md";
                notes.refuse_with(&key.span, message, hint);
            }
            _ => notes.unknown_key(key, &KEYS),
        }
    }
    if rules.is_empty() && notes.problems.len() == noted {
        let hint = "rules stand in a list under `rules:`; see docs/rules.md";
        notes.refuse_with(&(0..0), "there is no rule in this file", hint);
    }
    rules
}

fn rule(notes: &mut Notes<'_>, node: &Node) -> Option<Rule> {
    notes.about(None);
    let pairs = notes.pairs(node)?;
    let mut rule = Rule {
        span: pairs
            .first()
            .map_or(&node.span, |(key, _)| &key.span)
            .clone(),
        ..Rule::default()
    };
    // First, because the problems of the others begin with it.
    if let Some((_, value)) = pairs.iter().find(|(key, _)| key.value == "name") {
        rule.name = notes.text(value);
        notes.about(rule.name.as_ref().map(|name| name.value.as_str()));
    }
    let mut unknown = Vec::new();
    for (key, value) in pairs {
        match key.value.as_str() {
            "name" => {}
            "where" => rule.condition = notes.text(value),
            "by" => rule.by = by(notes, value),
            "routes" => {
                let routes = notes.list(value).unwrap_or_default();
                let routes = routes.iter().filter_map(|route| notes.text(route));
                rule.routes = Some(Routes {
                    templates: routes.collect(),
                    span: key.span.clone(),
                });
            }
            "limit" => rule.limit = notes.whole_number(value),
            "window" => rule.window = window(notes, value),
            "tags" => {
                let tags = notes.pairs(value).unwrap_or_default();
                let tags = tags
                    .iter()
                    .filter_map(|(name, value)| Some((name.clone(), notes.text(value)?)));
                rule.tags = tags.collect();
            }
            "series" => rule.series = notes.text(value),
            "value" => rule.value = notes.text(value),
            "measure" => rule.measures = measures(notes, value),
            _ => {
                notes.unknown_key(key, &RULE_KEYS);
                unknown.push(key);
            }
        }
    }
    let has = |wanted: &str| pairs.iter().any(|(key, _)| key.value == wanted);
    if !has("name") {
        notes.key_missing(&rule.span, "name", unknown.iter().copied());
    }
    if !has("measure") {
        let span = rule.name.as_ref().map_or(&rule.span, |name| &name.span);
        notes.key_missing(span, "measure", unknown);
    }
    Some(rule)
}

/// A list of expressions and pairs of one tag and its expression, or such pairs alone.
fn by(notes: &mut Notes<'_>, node: &Node) -> Vec<Part> {
    if let Kind::Map(pairs) = &node.kind {
        return tagged(notes, pairs);
    }
    let mut parts = Vec::new();
    for item in notes.list(node).unwrap_or_default() {
        match &item.kind {
            Kind::Map(pairs) => parts.extend(tagged(notes, pairs)),
            _ => parts.extend(notes.text(item).map(|expression| Part {
                tag: None,
                expression,
            })),
        }
    }
    parts
}

fn tagged(notes: &mut Notes<'_>, pairs: &[(Scalar, Node)]) -> Vec<Part> {
    let parts = pairs.iter().filter_map(|(tag, value)| {
        // Of `a ? b : c` YAML makes a pair.
        if tag.value.contains(" ?") {
            let span = tag.span.start..value.span.end.max(tag.span.end);
            let message = "YAML reads this expression as a pair, the first half as its key";
            notes.refuse_with(&span, message, COLON_HINT);
            let value = notes.source.text[span.clone()].to_owned();
            let expression = Scalar { value, span };
            return Some(Part {
                tag: None,
                expression,
            });
        }
        Some(Part {
            tag: Some(tag.clone()),
            expression: notes.text(value)?,
        })
    });
    parts.collect()
}

fn window(notes: &mut Notes<'_>, node: &Node) -> Option<Window> {
    let (span, every) = text_or_pair(notes, node, &WINDOW_KEYS)?;
    Some(Window { span, every })
}

/// What is most often a text alone, and else has two keys: one for that text and one that can
/// be left out.
fn text_or_pair(
    notes: &mut Notes<'_>,
    node: &Node,
    keys: &'static [&'static str; 2],
) -> Option<(Scalar, Option<Scalar>)> {
    let Kind::Map(pairs) = &node.kind else {
        return Some((notes.text(node)?, None));
    };
    let (mut first, mut second) = (None, None);
    let mut unknown = Vec::new();
    for (key, value) in pairs {
        match key.value.as_str() {
            known if known == keys[0] => first = Some(notes.text(value)),
            known if known == keys[1] => second = notes.text(value),
            _ => {
                notes.unknown_key(key, keys);
                unknown.push(key);
            }
        }
    }
    if first.is_none() {
        notes.key_missing(&node.span, keys[0], unknown);
    }
    Some((first??, second))
}

fn measures(notes: &mut Notes<'_>, node: &Node) -> Vec<(Scalar, Measure)> {
    let pairs = notes.pairs(node).unwrap_or_default();
    if node.kind == Kind::Map(Vec::new()) {
        let hint = "`measure: { rate: rate() }` is the smallest measure";
        notes.refuse_with(&node.span, "it measures nothing", hint);
    }
    let measures = pairs
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), measure(notes, value)?)));
    measures.collect()
}

fn measure(notes: &mut Notes<'_>, node: &Node) -> Option<Measure> {
    let (expression, unit) = text_or_pair(notes, node, &MEASURE_KEYS)?;
    Some(Measure { expression, unit })
}

/// The keys that are read, and where the schema of rule files has them.
#[cfg(test)]
pub(crate) fn known_keys() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("/properties", &KEYS),
        ("/$defs/rule/properties", &RULE_KEYS),
        (
            "/$defs/rule/properties/window/oneOf/1/properties",
            &WINDOW_KEYS,
        ),
        ("/$defs/measure/oneOf/1/properties", &MEASURE_KEYS),
    ]
}
