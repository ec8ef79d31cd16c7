//! A rule file as it is written: YAML in, texts with their places out.
//!
//! Nothing is interpreted here, so that everything wrong in a file can be said at
//! once. Only what YAML itself does not allow ends the reading at its first place.

use super::problem::{Document, Problem, did_you_mean};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Location, Spanned};
use std::fmt;
use std::ops::Range;

/// The keys of a rule.
pub(super) const RULE_KEYS: [&str; 5] = ["name", "where", "by", "window", "measure"];

/// A scalar as written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scalar {
    pub value: String,
    /// Bytes in the file.
    pub span: Range<usize>,
}

#[derive(Debug, Default)]
pub(super) struct File {
    /// `None` without the key `rules`.
    pub rules: Option<Vec<Rule>>,
    pub unknown: Vec<Scalar>,
}

#[derive(Debug, Default)]
pub(super) struct Rule {
    /// The place of its first key.
    pub span: Range<usize>,
    pub name: Option<Scalar>,
    pub condition: Option<Scalar>,
    pub by: Vec<Scalar>,
    pub window: Option<Scalar>,
    pub measures: Vec<(Scalar, Scalar)>,
    pub unknown: Vec<Scalar>,
}

const COMMA_HINT: &str =
    "between braces an expression with a comma needs quotes: `{ p95: \"percentile(Tr, 95)\" }`";

const NEGATION_HINT: &str = "a condition that begins with `!` needs quotes";

/// Reads one file.
pub(super) fn parse(document: &Document) -> Result<File, Box<Problem>> {
    // Ten thousand rules stay below these; a file of aliases that multiply each other
    // does not.
    let options = serde_saphyr::options! {
        with_snippet: false,
        // `where: !tls` would lose its `!tls` as a tag that nobody knows.
        reject_unsupported_tags: true,
        budget: serde_saphyr::budget! {
            max_nodes: 250_000,
            max_events: 500_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_depth: 16,
        },
    };
    serde_saphyr::from_str_with_options(&document.text, options)
        .map_err(|error| Box::new(yaml_problem(document, &error)))
}

fn yaml_problem(document: &Document, error: &serde_saphyr::Error) -> Problem {
    use serde_saphyr::Error;
    let span = error.location().map_or(0..0, |location| {
        let start = offset(&document.text, location);
        // The parser often says where, and rarely how much.
        start..span(location).map_or(start, |span| span.end).max(start)
    });
    let error = match error.without_snippet() {
        Error::AliasError { error, .. } => error.without_snippet(),
        error => error,
    };
    let (message, hint) = match error {
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("?");
            let hint = key.contains(')').then_some(COMMA_HINT);
            (format!("the key `{key}` appears twice"), hint)
        }
        Error::NullIntoString { .. } => {
            let line_start = document.text[..span.start]
                .rfind('\n')
                .map_or(0, |at| at + 1);
            let before = &document.text[line_start..span.start];
            let hint = before.contains('{').then_some(COMMA_HINT);
            ("a value is missing here".into(), hint)
        }
        Error::Unexpected { expected, .. } => match *expected {
            "mapping start" => ("expected `key: value` pairs here".into(), None),
            "sequence start" => (
                "expected a list here".into(),
                Some("a list is written `[a, b]`"),
            ),
            "string scalar" => (
                "expected a text here, not a list or pairs".into(),
                Some("a text that begins with `{`, `[`, `!`, `&` or `*` needs quotes"),
            ),
            other => (format!("expected {other} here"), None),
        },
        Error::MultipleDocuments { .. } => (
            "a second document begins here".into(),
            Some("one file holds one document: put all rules under one `rules:`"),
        ),
        Error::UnsupportedTag { tag, .. } => (format!("unknown tag `{tag}`"), Some(NEGATION_HINT)),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => (
            "the file is too large or nested too deeply, its aliases written out".into(),
            Some("spread the rules over several files"),
        ),
        other => {
            let text = other.to_string();
            let message = text.split(" at line ").next().unwrap_or(&text);
            (message.to_owned(), None)
        }
    };
    let problem = document.problem(span, format!("not valid YAML for rules: {message}"));
    match hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

/// A problem for each key that is not one of `known`.
pub(super) fn unknown_keys<'a>(
    document: &'a Document,
    subject: &'a str,
    unknown: &'a [Scalar],
    known: &'static [&'static str],
) -> impl Iterator<Item = Problem> + 'a {
    unknown.iter().map(move |key| {
        let message = format!("{subject}unknown key `{}`", key.value);
        let problem = document.problem(key.span.clone(), message);
        match did_you_mean(&key.value, known.iter().copied()) {
            Some(hint) => problem.hint(hint),
            None => problem.hint(format!("the keys are {}", listed(known))),
        }
    })
}

/// `a`, `b` and `c`, quoted.
pub(super) fn listed(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

fn span(location: Location) -> Option<Range<usize>> {
    let start = usize::try_from(location.span().byte_offset()?).ok()?;
    let length = usize::try_from(location.span().byte_len()?).ok()?;
    Some(start..start + length)
}

/// Syntax errors have a line and a column and no byte offset.
fn offset(text: &str, location: Location) -> usize {
    if let Some(span) = span(location) {
        return span.start.min(text.len());
    }
    let line = usize::try_from(location.line()).unwrap_or(1).max(1);
    let column = usize::try_from(location.column()).unwrap_or(1).max(1);
    let start: usize = text
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let rest = &text[start..];
    let line = rest.split('\n').next().unwrap_or_default();
    let within = line.char_indices().nth(column - 1);
    start + within.map_or(line.len(), |(at, _)| at)
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<String>::deserialize(deserializer)?;
        Ok(Scalar {
            value: spanned.value,
            // Where an alias stands for it, the text is at its anchor.
            span: span(spanned.defined).unwrap_or_default(),
        })
    }
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = File;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a file of rules")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<File, A::Error> {
                let mut file = File::default();
                while let Some(key) = map.next_key::<Scalar>()? {
                    match key.value.as_str() {
                        "rules" => file.rules = Some(map.next_value()?),
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            file.unknown.push(key);
                        }
                    }
                }
                Ok(file)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Rule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rule")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rule, A::Error> {
                let mut rule = Rule::default();
                while let Some(key) = map.next_key::<Scalar>()? {
                    if rule.span.is_empty() {
                        rule.span = key.span.clone();
                    }
                    match key.value.as_str() {
                        "name" => rule.name = Some(map.next_value()?),
                        "where" => rule.condition = Some(map.next_value()?),
                        "by" => rule.by = map.next_value()?,
                        "window" => rule.window = Some(map.next_value()?),
                        "measure" => rule.measures = map.next_value::<Pairs>()?.0,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            rule.unknown.push(key);
                        }
                    }
                }
                Ok(rule)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// A mapping in the order it was written.
struct Pairs(Vec<(Scalar, Scalar)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("measures by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}
