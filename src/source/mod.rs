//! Files that people write: their text, places in it, and what is wrong with it.
//!
//! Configuration, rules, log formats and HAProxy's own configuration are all shown to
//! their writers the same way. What is in them is not known here.

mod notes;
mod problem;
mod read;

pub(crate) use notes::Notes;
pub use problem::Problem;
pub(crate) use problem::{Fault, Place, did_you_mean, without_userinfo};
pub use read::ReadError;

use std::ops::Range;
use std::sync::Arc;

/// A file's name and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its path as problems show it.
    pub name: Arc<str>,
    pub text: Arc<str>,
}

/// A value as written, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Written<T> {
    pub value: T,
    /// Bytes in the file.
    pub span: Range<usize>,
}

/// A text as written.
pub type Scalar = Written<String>;

/// A text and the file it stands in, for those who read it later.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    pub source: Source,
    pub text: Scalar,
}

impl Placed {
    /// A text that is all there is in its file, or on its command line.
    pub fn whole(name: &str, text: &str) -> Self {
        Placed {
            source: Source::new(name, text),
            text: Written {
                value: text.to_owned(),
                span: 0..text.len(),
            },
        }
    }
}

impl Source {
    pub fn new(name: &str, text: &str) -> Self {
        Source {
            name: name.into(),
            text: text.into(),
        }
    }

    /// A word that is none of those that may stand there. `subject` goes before the
    /// message, `kind` says what the word should be, such as `key`.
    pub(crate) fn unknown_word(
        &self,
        subject: &str,
        span: Range<usize>,
        kind: &str,
        word: &str,
        known: &[&str],
    ) -> Problem {
        let problem = self.problem(span, format!("{subject}unknown {kind} `{word}`"));
        match did_you_mean(word, known.iter().copied()) {
            Some(hint) => problem.hint(hint),
            None => problem.hint(format!("the {kind}s are {}", listed(known))),
        }
    }
}

/// `a`, `b` and `c`, quoted.
pub(crate) fn listed(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
