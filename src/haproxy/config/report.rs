//! What is wrong with a file, and what is only strange about it.

use super::lex::Word;
use super::text::ConfigText;
use crate::source::{Problem, Source};
use std::ops::Range;

/// Problems after which reading stops, as HAProxy does; and warnings that are kept.
pub(super) const REPORTS_MAX: usize = 50;

pub(super) struct Reports<'a> {
    pub source: &'a Source,
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
}

impl<'a> Reports<'a> {
    pub fn new(source: &'a Source) -> Self {
        Reports {
            source,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub fn full(&self) -> bool {
        self.problems.len() >= REPORTS_MAX
    }

    pub fn problem(&mut self, span: Range<usize>, message: impl Into<String>, hint: &str) {
        self.add(self.source.problem(span, message).hint(hint));
    }

    pub fn add(&mut self, problem: Problem) {
        if !self.full() {
            self.problems.push(problem);
        }
    }

    pub fn warn(&mut self, warning: impl FnOnce(&Source) -> Problem) {
        if self.warnings.len() < REPORTS_MAX {
            self.warnings.push(warning(self.source));
        }
    }

    /// The word as text, or a problem.
    pub fn text(&mut self, word: &Word) -> Option<ConfigText> {
        let text = word.text(self.source);
        if text.is_none() {
            self.problem(
                word.span.clone(),
                "not UTF-8",
                "its `\\x` escapes or its variables make bytes that are no characters",
            );
        }
        text
    }

    /// The word as a name, or a problem.
    pub fn name(&mut self, word: &Word) -> Option<Box<str>> {
        self.text(word).map(|text| text.text.into())
    }
}
