//! What is wrong with a file: where, what, and what to do about it.

use super::Source;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The file as it was named, or the configuration's key.
    pub file: Arc<str>,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong, naming the rule or key where there is one.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The name of the rule that it is about.
    pub rule: Option<Arc<str>>,
    /// `None`: it is the file itself that cannot be read.
    excerpt: Option<Excerpt>,
    /// The other place of two that do not go together.
    other: Option<(&'static str, Place)>,
}

impl Problem {
    /// Place and message, the source with the place marked, and the hint. Plain text
    /// without a line end at its end.
    pub fn render(&self) -> String {
        let mut text = self.to_string();
        if let Some(excerpt) = &self.excerpt {
            text.push_str(&format!("\n{}", self.quoted(excerpt)));
        }
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\n\nhint: {hint}"));
        }
        text
    }

    /// A file that cannot be used as a whole. `message` tells why, and does not name it.
    pub fn of_file(file: &str, message: impl Into<String>) -> Problem {
        Problem {
            file: file.into(),
            line: 1,
            column: 1,
            message: message.into(),
            hint: None,
            rule: None,
            excerpt: None,
            other: None,
        }
    }

    /// Line and column behind its last character; where it begins, if how far it goes is not
    /// known.
    pub fn end(&self) -> (usize, usize) {
        match &self.excerpt {
            Some(excerpt) if excerpt.numbered => line_and_column(&excerpt.text, excerpt.span.end),
            _ => (self.line, self.column),
        }
    }

    fn quoted(&self, excerpt: &Excerpt) -> String {
        let text = without_userinfo(&excerpt.text);
        let marked = Snippet::source(&*text)
            .line_numbering(excerpt.numbered)
            .annotation(AnnotationKind::Primary.span(excerpt.span.clone()));
        let mut groups = vec![Group::with_level(Level::ERROR).element(marked)];
        if let Some((label, place)) = &self.other {
            let other = Snippet::source(without_userinfo(&place.source.text))
                .path(&*place.source.name)
                .annotation(AnnotationKind::Context.span(place.span.clone()));
            groups.push(Group::with_title(Level::NOTE.secondary_title(*label)).element(other));
        }
        Renderer::plain().render(&groups)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn other(mut self, label: &'static str, place: &Place) -> Self {
        self.other = Some((label, place.clone()));
        self
    }
}

/// The text with stars for what stands before the `@` of a URL: a password may be there, and
/// problems are shown in logs. As long as before in bytes, so that places stay where they are.
pub(crate) fn without_userinfo(text: &str) -> Cow<'_, str> {
    let mut hidden = Cow::Borrowed(text);
    for (scheme_end, _) in text.match_indices("://") {
        let start = scheme_end + "://".len();
        let rest = &text[start..];
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`');
        let url = &rest[..rest.find(ends).unwrap_or(rest.len())];
        if let Some(at) = url.rfind('@') {
            let stars = "*".repeat(at);
            hidden.to_mut().replace_range(start..start + at, &stars);
        }
    }
    hidden
}

/// `path:line:column: message`; `path: message` where the file itself is wrong.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem {
            file,
            line,
            column,
            message,
            excerpt,
            ..
        } = self;
        match excerpt {
            Some(_) => write!(f, "{file}:{line}:{column}: {message}"),
            None => write!(f, "{file}: {message}"),
        }
    }
}

impl std::error::Error for Problem {}

/// The text that a problem is shown in.
#[derive(Clone, Debug, PartialEq)]
struct Excerpt {
    text: Arc<str>,
    span: Range<usize>,
    /// Whether its line numbers are the file's.
    numbered: bool,
}

/// Some bytes of a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub source: Source,
    pub span: Range<usize>,
}

impl Source {
    pub(crate) fn place(&self, span: Range<usize>) -> Place {
        let source = self.clone();
        Place { source, span }
    }

    pub fn problem(&self, span: Range<usize>, message: impl Into<String>) -> Problem {
        self.problem_in(span.start, &self.text, span, true, message.into())
    }

    /// What is wrong inside an expression. `written` is where the scalar that holds
    /// it stands; `subject` goes before the message.
    pub(crate) fn fault(
        &self,
        subject: &str,
        written: Range<usize>,
        expression: &str,
        fault: Fault,
    ) -> Problem {
        let message = format!("{subject}{}", fault.message);
        let mut problem = match self.in_scalar(&written, expression, &fault.span) {
            Some(span) => self.problem(span, message),
            // With escapes: its own text is shown instead of the file's.
            None => self.problem_in(
                written.start,
                &Arc::from(expression),
                fault.span,
                false,
                message,
            ),
        };
        problem.hint = fault.hint;
        problem
    }

    fn problem_in(
        &self,
        at: usize,
        text: &Arc<str>,
        span: Range<usize>,
        numbered: bool,
        message: String,
    ) -> Problem {
        let (line, column) = line_and_column(&self.text, at);
        Problem {
            file: Arc::clone(&self.name),
            line,
            column,
            message,
            hint: None,
            rule: None,
            excerpt: Some(Excerpt {
                text: Arc::clone(text),
                span,
                numbered,
            }),
            other: None,
        }
    }

    /// `path:line:column` of a byte.
    pub(crate) fn place_of(&self, at: usize) -> String {
        let (line, column) = line_and_column(&self.text, at);
        format!("{}:{line}:{column}", self.name)
    }

    /// Where `span` of a scalar's value stands in the file. `None` where the value has
    /// other characters than the file: with escapes.
    fn in_scalar(
        &self,
        written: &Range<usize>,
        value: &str,
        span: &Range<usize>,
    ) -> Option<Range<usize>> {
        let raw = self.text.get(written.clone())?;
        let (inside, escape) = match raw.as_bytes() {
            [b'"', .., b'"'] => (1..raw.len() - 1, "\\"),
            [b'\'', .., b'\''] => (1..raw.len() - 1, "''"),
            _ => (0..raw.len(), ""),
        };
        let start = written.start + inside.start;
        let raw = &raw[inside];
        if !escape.is_empty() && raw.contains(escape) {
            return None;
        }
        let alignment = Alignment::new(raw.as_bytes(), value.as_bytes())?;
        let from = alignment.begins(span.start)?;
        let to = alignment.ends(span.end)?.max(from);
        Some(start + from..start + to)
    }
}

/// A value beside what is written for it in a file. Indenting and folding change blanks and
/// line ends alone, so that the nth of the other bytes is the same one in both.
struct Alignment<'a> {
    raw: &'a [u8],
    value: &'a [u8],
    /// The places of those bytes in `raw`.
    solid: Vec<usize>,
}

impl<'a> Alignment<'a> {
    /// `None` if they differ in more than blanks.
    fn new(raw: &'a [u8], value: &'a [u8]) -> Option<Self> {
        let solid: Vec<_> = (0..raw.len()).filter(|&at| !is_blank(raw[at])).collect();
        let written = solid.iter().map(|&at| raw[at]);
        let read = value.iter().copied().filter(|byte| !is_blank(*byte));
        written.eq(read).then_some(Alignment { raw, value, solid })
    }

    /// Where what begins at that place of the value begins.
    fn begins(&self, at: usize) -> Option<usize> {
        match self.value.get(at) {
            Some(byte) if !is_blank(*byte) => self.solid.get(self.solid_before(at)?).copied(),
            _ => self.ends(at),
        }
    }

    /// Where what ends at that place of the value ends: not in the blanks of a line end.
    fn ends(&self, at: usize) -> Option<usize> {
        let before = self.value.get(..at)?;
        let end = match self.solid_before(at)? {
            0 => 0,
            count => self.solid.get(count - 1)? + 1,
        };
        let blanks = before
            .iter()
            .rev()
            .take_while(|byte| **byte == b' ')
            .count();
        let blanks = &before[at - blanks..];
        let same = self.raw[end..].starts_with(blanks);
        Some(if same { end + blanks.len() } else { end })
    }

    fn solid_before(&self, at: usize) -> Option<usize> {
        let before = self.value.get(..at)?;
        Some(before.iter().filter(|byte| !is_blank(**byte)).count())
    }
}

/// Of YAML's characters those that folding can change: YAML 1.2.2, sections 5.4 and 5.5.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Both count from 1, columns in characters.
fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// What is wrong inside an expression, in bytes of its own text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub span: Range<usize>,
    pub message: String,
    pub hint: Option<String>,
}

impl Fault {
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Fault {
            span,
            message: message.into(),
            hint: None,
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A hint with the known word that is closest to `word`, if one is close.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let lower = word.to_lowercase();
    let distance = |known: &str| strsim::osa_distance(&lower, &known.to_lowercase());
    // A short word is close to many: there only the case may differ.
    let most = word.len() / 3;
    known
        .into_iter()
        .map(|known| (distance(known), known))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| format!("did you mean `{known}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Scalar;
    use crate::yaml::{Kind, Node};
    use proptest::prelude::*;

    /// The value of the file's first key.
    fn first(source: &Source) -> Scalar {
        let (root, notes) = source.tree("a test").unwrap();
        assert_eq!(notes.problems, []);
        let Kind::Map(pairs) = root.kind else {
            panic!("no pairs in {:?}", source.text);
        };
        pairs
            .first()
            .map(|(_, value)| Node::scalar(value))
            .unwrap()
            .unwrap()
    }

    #[test]
    fn places_in_a_value_are_those_of_the_file() {
        for (text, at, expected) in [
            // From the value's place to the line and the column.
            ("a: b c", 2, Some("a:1:6")),
            ("a: 'b c'", 2, Some("a:1:7")),
            ("a: b\n  cd\n\n  e", 2, Some("a:2:3")),
            ("a: b\n  cd\n\n  e", 3, Some("a:2:4")),
            ("a: b\n  cd\n\n  e", 5, Some("a:4:3")),
            ("a: 'b\n  cd'", 3, Some("a:2:4")),
            ("a: >- # why\n\n  b\n  c\n", 3, Some("a:4:3")),
            ("a: >2\n   b\n  c\n", 1, Some("a:2:4")),
            ("a: >+\n  b\r\n  c\r\n\r\n# why\n", 2, Some("a:3:3")),
            ("a: |\n  b\n    c\n", 4, Some("a:3:5")),
            // Between words of one line, at its end, and at that of the value.
            ("a: 'b  c'", 2, Some("a:1:7")),
            ("a: >\n  b\n  c\n", 1, Some("a:2:4")),
            ("a: >\n  b\n  c\n", 4, Some("a:3:4")),
            // With escapes.
            ("a: 'it''s b'", 5, None),
            ("a: \"\\u0041 b\"", 2, None),
            ("a: \"b \\\n  c\"", 2, None),
        ] {
            let source = Source::new("a", text);
            let value = first(&source);
            let mapped = source.in_scalar(&value.span, &value.value, &(at..at));
            let place = mapped.map(|span| source.place_of(span.start));
            assert_eq!(place.as_deref(), expected, "{text:?}, {:?}", value.value);
        }
    }

    proptest! {
        /// However a text is spread over lines, its words are found where they stand.
        #[test]
        fn words_of_texts_over_lines_are_found(
            words in prop::collection::vec(("[a-zåß0-9=&<(]{1,6}", 0usize..7), 1..20),
            style in prop::sample::select(vec!["", "'", "\"", ">", ">-", ">+", "|", "|-", ">- # why"]),
            indent in 1usize..5,
            line_end in prop::sample::select(vec!["\n", "\r\n"]),
        ) {
            let block = style.starts_with(['>', '|']);
            let (open, close) = if block { (format!("{style}{line_end}"), "") } else { (style.into(), style) };
            let begin = if block { " ".repeat(indent) } else { String::new() };
            let mut text = format!("a: {open}{begin}w");
            for (word, gap) in &words {
                text += &match gap {
                    0..3 => " ".repeat(gap + 1),
                    // Some lines are indented further, or stand behind empty ones.
                    3..6 => format!("{line_end}{}", " ".repeat(indent + gap - 3)),
                    _ => format!("{line_end}{line_end}{}", " ".repeat(indent)),
                };
                text += word;
            }
            text += &format!("{close}{line_end}# the end{line_end}b: c{line_end}");
            let source = Source::new("a", &text);
            let value = first(&source);
            let mut at = 0;
            for word in value.value.split([' ', '\n']) {
                let span = at..at + word.len();
                at = span.end + 1;
                if !word.is_empty() {
                    let mapped = source.in_scalar(&value.span, &value.value, &span);
                    let found = mapped.map(|span| &source.text[span]);
                    prop_assert_eq!(found, Some(word), "{:?}", text);
                }
            }
            let all = source.in_scalar(&value.span, &value.value, &(0..value.value.trim_end().len()));
            let found = all.map(|span| source.text[span].split_whitespace().collect::<Vec<_>>());
            prop_assert_eq!(found, Some(value.value.split_whitespace().collect()));
        }
    }
}
