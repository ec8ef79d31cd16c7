//! YAML into what its writers meant, each value with its place.
//!
//! All YAML files, `weir.yaml` and rules and their tests, are read here: into a tree of
//! [`Node`]s, which methods of [`Notes`] take apart and note what is wrong with each. What
//! their keys mean is not known here. Only what YAML itself does not allow ends the reading
//! of a file at its first place.

mod hint;
mod reader;
mod tree;
mod whole;

pub(crate) use tree::{Kind, Node};

use crate::source::{Notes, Problem, Source};

const COMMA_HINT: &str =
    "between braces an expression with a comma needs quotes: `{ p95: \"percentile(Tr, 95)\" }`";

const TEXT_HINT: &str = "a text that begins with `{`, `[`, `!`, `&` or `*` needs quotes";

pub(crate) const COLON_HINT: &str = "a text with `: ` in it needs quotes around all of it, or a block: `>-` and the text on the next line";

impl Source {
    /// Reads the text as YAML. `what` is what the file should hold, such as `rules`. What can
    /// be passed over, such as a key that appears twice, is in the notes.
    ///
    /// # Errors
    ///
    /// The first place that YAML does not allow.
    pub(crate) fn tree(&self, what: &str) -> Result<(Node, Notes<'_>), Box<Problem>> {
        tree::read(self, what)
    }
}

#[cfg(test)]
mod tests;
