//! Collects what is wrong with a file while it is read.

use super::{Fault, Problem, Scalar, Source};
use std::ops::Range;
use std::sync::Arc;

/// The problems of one file so far.
pub(crate) struct Notes<'a> {
    pub source: &'a Source,
    /// The rule that is being read; messages begin with it.
    rule: Option<Arc<str>>,
    pub problems: Vec<Problem>,
}

impl<'a> Notes<'a> {
    pub fn new(source: &'a Source) -> Self {
        Notes {
            source,
            rule: None,
            problems: Vec::new(),
        }
    }

    /// What follows is about the rule of that name, or about none.
    pub fn about(&mut self, rule: Option<&str>) {
        self.rule = rule.filter(|name| !name.is_empty()).map(Arc::from);
    }

    /// What messages begin with.
    fn subject(&self) -> String {
        match &self.rule {
            Some(name) => format!("rule `{name}`: "),
            None => String::new(),
        }
    }

    pub fn push(&mut self, mut problem: Problem) {
        problem.rule = self.rule.clone();
        self.problems.push(problem);
    }

    pub fn refuse(&mut self, span: &Range<usize>, message: impl AsRef<str>) {
        let problem = self.problem(span, message);
        self.push(problem);
    }

    pub fn refuse_with(
        &mut self,
        span: &Range<usize>,
        message: impl AsRef<str>,
        hint: impl Into<String>,
    ) {
        let problem = self.problem(span, message).hint(hint);
        self.push(problem);
    }

    /// A problem that more is to be said of before it is noted.
    pub fn problem(&self, span: &Range<usize>, message: impl AsRef<str>) -> Problem {
        let message = format!("{}{}", self.subject(), message.as_ref());
        self.source.problem(span.clone(), message)
    }

    /// What was read from a text, or notes what is wrong inside it.
    pub fn read<T>(&mut self, written: &Scalar, read: Result<T, Vec<Fault>>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(faults) => {
                for fault in faults {
                    self.fault(written, fault);
                }
                None
            }
        }
    }

    pub fn fault(&mut self, written: &Scalar, fault: Fault) {
        let Scalar { value, span } = written;
        let problem = self
            .source
            .fault(&self.subject(), span.clone(), value, fault);
        self.push(problem);
    }

    /// A word that is none of those that may stand there; `kind` says what it should be.
    pub fn unknown(&mut self, word: &Scalar, kind: &str, known: &[&str]) {
        let span = word.span.clone();
        let problem = self
            .source
            .unknown_word(&self.subject(), span, kind, &word.value, known);
        self.push(problem);
    }

    /// The problems in the order of the lines.
    pub fn sorted(mut self) -> Vec<Problem> {
        self.problems
            .sort_by_key(|problem| (problem.line, problem.column));
        self.problems
    }
}
