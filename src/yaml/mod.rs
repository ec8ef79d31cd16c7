//! YAML into what its writers meant, each value with its place.
//!
//! All YAML files, `weir.yaml` and rules and their tests, are read here: into a tree of
//! [`Node`]s, which methods of [`Notes`] take apart and note what is wrong with each. What
//! their keys mean is not known here. Only what YAML itself does not allow ends the reading of a
//! file at its first place.

mod reader;
mod tree;

pub(crate) use tree::{Kind, Node};

use crate::source::{Notes, Problem, Source};
use serde_saphyr::Location;
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use std::ops::Range;
use tree::Raw;

const COMMA_HINT: &str =
    "between braces an expression with a comma needs quotes: `{ p95: \"percentile(Tr, 95)\" }`";

const NEGATION_HINT: &str = "a condition that begins with `!` needs quotes";

const BRACES_HINT: &str = "between braces an expression with brackets or braces needs quotes";

const TEXT_HINT: &str = "a text that begins with `{`, `[`, `!`, `&` or `*` needs quotes";

impl Source {
    /// Reads the text as YAML. `what` is what the file should hold, such as `rules`. Of keys
    /// that appear twice the tree has the first, and the notes begin with the others.
    ///
    /// # Errors
    ///
    /// The first place that YAML does not allow.
    pub(crate) fn tree(&self, what: &str) -> Result<(Node, Notes<'_>), Box<Problem>> {
        let raw = match self.raw(DuplicateKeyPolicy::Error) {
            Ok(raw) => raw,
            // Between braces a comma cuts expressions into pieces, and two of them may be
            // the same. Both are kept this way, but for keys that are whole numbers.
            Err(error) if is_duplicate(&error) => match self.raw(DuplicateKeyPolicy::LastWins) {
                Ok(raw) if !raw.has_numbers_for_keys() => raw,
                _ => return Err(Box::new(yaml_problem(self, what, &error))),
            },
            Err(error) => return Err(Box::new(yaml_problem(self, what, &error))),
        };
        Ok(tree::build(self, what, raw))
    }

    fn raw(&self, duplicate_keys: DuplicateKeyPolicy) -> Result<Raw, serde_saphyr::Error> {
        // Ten thousand rules stay below these; a file of aliases that multiply each other
        // does not.
        let options = serde_saphyr::options! {
            duplicate_keys: duplicate_keys,
            // A text is read as it is written, whatever number it looks like.
            non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
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
    }
}

fn is_duplicate(error: &serde_saphyr::Error) -> bool {
    use serde_saphyr::Error;
    matches!(error.without_snippet(), Error::DuplicateMappingKey { .. })
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
            return twice(source, what, span, key.as_deref().unwrap_or("?"));
        }
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
            let cut = message.contains("flow mapping") && message.contains("did not find");
            (message.to_owned(), cut.then_some(BRACES_HINT))
        }
    };
    let problem = source.problem(span, format!("not valid YAML for {what}: {message}"));
    match hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

fn twice(source: &Source, what: &str, span: Range<usize>, key: &str) -> Problem {
    let message = format!("not valid YAML for {what}: the key `{key}` appears twice");
    let problem = source.problem(span, message);
    match key.contains(')') {
        true => problem.hint(COMMA_HINT),
        false => problem,
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

#[cfg(test)]
mod tests;
