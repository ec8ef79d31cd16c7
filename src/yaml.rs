//! YAML into what its writers meant, each value with its place.
//!
//! Both kinds of YAML file, `weir.yaml` and rules, are read here. What their keys mean is
//! not known here.

use crate::source::{Problem, Source, Written};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Location, Spanned};
use std::ops::Range;

const COMMA_HINT: &str =
    "between braces an expression with a comma needs quotes: `{ p95: \"percentile(Tr, 95)\" }`";

const NEGATION_HINT: &str = "a condition that begins with `!` needs quotes";

impl Source {
    /// Reads the text as YAML. `what` is what the file should hold, such as `rules`.
    ///
    /// # Errors
    ///
    /// The first place that YAML or the type does not allow.
    pub fn parse<T: DeserializeOwned>(&self, what: &str) -> Result<T, Box<Problem>> {
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
        serde_saphyr::from_str_with_options(&self.text, options)
            .map_err(|error| Box::new(yaml_problem(self, what, &error)))
    }
}

fn yaml_problem(source: &Source, what: &str, error: &serde_saphyr::Error) -> Problem {
    use serde_saphyr::Error;
    let span = error.location().map_or(0..0, |location| {
        let start = offset(&source.text, location);
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
            let line_start = source.text[..span.start].rfind('\n').map_or(0, |at| at + 1);
            let before = &source.text[line_start..span.start];
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
        Error::SerdeUnknownField {
            field, expected, ..
        } => return source.unknown_word("", span, "key", field, expected),
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => return source.unknown_word("", span, "value", variant, expected),
        Error::SerdeMissingField { field, .. } => (format!("the key `{field}` is missing"), None),
        other => {
            let text = other.to_string();
            let message = text.split(" at line ").next().unwrap_or(&text);
            (message.to_owned(), None)
        }
    };
    let problem = source.problem(span, format!("not valid YAML for {what}: {message}"));
    match hint {
        Some(hint) => problem.hint(hint),
        None => problem,
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

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(deserializer)?;
        Ok(Written {
            value: spanned.value,
            // Where an alias stands for it, the text is at its anchor.
            span: span(spanned.defined).unwrap_or_default(),
        })
    }
}
