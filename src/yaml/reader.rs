//! Takes a tree apart, and notes everything that is not as it should be.

use super::{COMMA_HINT, Kind, Node, TEXT_HINT};
use crate::source::{Notes, Scalar, Written, did_you_mean};
use std::ops::Range;

/// Each method is `None` once a problem is noted.
impl Notes<'_> {
    pub fn text(&mut self, node: &Node) -> Option<Scalar> {
        if let Some(text) = node.scalar() {
            return Some(text);
        }
        match node.kind {
            Kind::Null => self.value_missing(node),
            Kind::Wrong => {}
            _ => self.refuse_with(
                &node.span,
                "expected a text here, not a list or pairs",
                TEXT_HINT,
            ),
        }
        None
    }

    /// One of some words, and what it stands for. `kind` says what it should be.
    pub fn word<T: Copy>(&mut self, node: &Node, kind: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node)?;
        let found = words.iter().find(|(word, _)| *word == text.value);
        if found.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.unknown(&text, kind, &known);
        }
        found.map(|(_, value)| *value)
    }

    pub fn whole_number(&mut self, node: &Node) -> Option<Written<usize>> {
        let text = self.text(node)?;
        let digits = text.value.bytes().all(|byte| byte.is_ascii_digit());
        match text.value.parse() {
            Ok(value) if digits => Some(Written {
                value,
                span: text.span,
            }),
            _ => {
                let message = format!("expected a whole number here, found `{}`", text.value);
                self.refuse(&text.span, message);
                None
            }
        }
    }

    pub fn list<'n>(&mut self, node: &'n Node) -> Option<&'n [Node]> {
        match &node.kind {
            Kind::List(items) => return Some(items),
            Kind::Null => self.value_missing(node),
            Kind::Wrong => {}
            _ => self.refuse_with(
                &node.span,
                "expected a list here",
                "a list is written `[a, b]`",
            ),
        }
        None
    }

    pub fn pairs<'n>(&mut self, node: &'n Node) -> Option<&'n [(Scalar, Node)]> {
        match &node.kind {
            Kind::Map(pairs) => return Some(pairs),
            Kind::Null => self.value_missing(node),
            Kind::Wrong => {}
            _ => self.refuse(&node.span, "expected `key: value` pairs here"),
        }
        None
    }

    /// Pairs of which each may be left out, and so all of them.
    pub fn section<'n>(&mut self, node: &'n Node) -> Option<&'n [(Scalar, Node)]> {
        match &node.kind {
            Kind::Null => Some(&[]),
            _ => self.pairs(node),
        }
    }

    pub fn unknown_key(&mut self, key: &Scalar, known: &[&str]) {
        self.unknown(key, "key", known);
    }

    /// Says that a key is missing, unless one of the unknown keys seems to be meant for it.
    pub fn key_missing<'k>(
        &mut self,
        span: &Range<usize>,
        key: &str,
        unknown: impl IntoIterator<Item = &'k Scalar>,
    ) {
        let mut unknown = unknown.into_iter();
        if !unknown.any(|written| did_you_mean(&written.value, [key]).is_some()) {
            self.refuse(span, format!("the key `{key}` is missing"));
        }
    }

    fn value_missing(&mut self, node: &Node) {
        let message = "a value is missing here";
        let line_start = self.source.text[..node.span.start]
            .rfind('\n')
            .map_or(0, |at| at + 1);
        match self.source.text[line_start..node.span.start].contains('{') {
            true => self.refuse_with(&node.span, message, COMMA_HINT),
            false => self.refuse(&node.span, message),
        }
    }
}
