//! What is wrong with a file: where, what, and what to do about it.

use super::Source;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
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
        let marked = Snippet::source(&*excerpt.text)
            .line_numbering(excerpt.numbered)
            .annotation(AnnotationKind::Primary.span(excerpt.span.clone()));
        let mut groups = vec![Group::with_level(Level::ERROR).element(marked)];
        if let Some((label, place)) = &self.other {
            let other = Snippet::source(&*place.source.text)
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
            // Folded or escaped: its own text is shown instead of the file's.
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

    /// Where `span` of a scalar's value stands in the file. `None` where the value's
    /// lines are not the file's: in folded scalars and those with escapes.
    fn in_scalar(
        &self,
        written: &Range<usize>,
        value: &str,
        span: &Range<usize>,
    ) -> Option<Range<usize>> {
        let raw = self.text.get(written.clone())?;
        let inside = match raw.as_bytes() {
            [open @ (b'"' | b'\''), .., close] if open == close => 1..raw.len() - 1,
            _ => 0..raw.len(),
        };
        let start = written.start + inside.start;
        let lines = raw[inside].split('\n');
        let (mut in_value, mut in_file) = (0, start);
        let mut mapped = (None, None);
        let mut values = value.split('\n').peekable();
        for line in lines {
            let Some(value) = values.next() else { break };
            // A block's lines are indented in the file, and that is all.
            let indent = line.strip_suffix(value)?;
            if !indent.chars().all(|c| c == ' ') {
                return None;
            }
            let here = in_value..=in_value + value.len();
            let map = |at: usize| in_file + indent.len() + at - in_value;
            if here.contains(&span.start) {
                mapped.0 = mapped.0.or(Some(map(span.start)));
            }
            if here.contains(&span.end) {
                mapped.1 = mapped.1.or(Some(map(span.end)));
            }
            in_value += value.len() + 1;
            in_file += line.len() + 1;
        }
        match (mapped, values.peek()) {
            ((Some(start), Some(end)), None) => Some(start..end),
            _ => None,
        }
    }
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
