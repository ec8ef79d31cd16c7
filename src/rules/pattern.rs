//! Regular expressions of rules: compiled once, and linear in time on any line.

use regex::bytes::{Regex, RegexBuilder};

/// What a compiled pattern and its caches may take, each: a pattern that a person writes
/// takes a few KiB.
const MAX_BYTES: usize = 1 << 20;

/// A regular expression of the `regex` crate, found anywhere in a string unless it says
/// `^` and `$`.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Regex);

impl Pattern {
    /// # Errors
    ///
    /// What is wrong with it, in one line.
    pub fn new(pattern: &str) -> Result<Pattern, String> {
        RegexBuilder::new(pattern)
            .size_limit(MAX_BYTES)
            .dfa_size_limit(MAX_BYTES)
            .build()
            .map(Pattern)
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(limit) => {
                    format!("it takes more than {} KiB when compiled", limit >> 10)
                }
                // The last line says what; those before it show the pattern.
                error => {
                    let text = error.to_string();
                    let last = text.lines().last().unwrap_or_default();
                    last.trim_start_matches("error: ").to_owned()
                }
            })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    #[inline]
    pub fn matches(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }
}

/// The same pattern, as it was written.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_pattern_is_one_line() {
        let said = |pattern: &str| Pattern::new(pattern).unwrap_err();
        insta::assert_snapshot!(said("(a"), @"unclosed group");
        insta::assert_snapshot!(said("[z-a]"), @"invalid character class range, the start must be <= the end");
        insta::assert_snapshot!(said("(?=a)"), @"look-around, including look-ahead and look-behind, is not supported");
        insta::assert_snapshot!(said(r"(a)\1"), @"backreferences are not supported");
        insta::assert_snapshot!(said(r"\pL{1000}{1000}"), @"it takes more than 1024 KiB when compiled");
    }

    #[test]
    fn patterns_are_the_same_by_what_is_written() {
        let pattern = |text| Pattern::new(text).unwrap();
        assert_eq!(pattern("a+"), pattern("a+"));
        assert_ne!(pattern("a+"), pattern("aa*"));
    }
}
