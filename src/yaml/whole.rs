//! Expressions between braces and brackets. YAML ends a text there at a comma, and an
//! expression has commas: `{ p95: percentile(Tr, 95) }` is two entries to it. Such pieces
//! are put together again here, up to where the parentheses close.

use super::tree::{Kind, Node};
use crate::source::Scalar;
use std::ops::Range;

/// Puts together the values that commas cut.
pub(super) fn pairs(text: &str, pairs: Vec<(Scalar, Node)>) -> Vec<(Scalar, Node)> {
    let mut whole = Vec::with_capacity(pairs.len());
    let mut rest = pairs.as_slice();
    while let [(key, value), after @ ..] = rest {
        let pieces = after.iter().map(|(key, value)| match value.kind {
            Kind::Null => Some(key.span.clone()),
            _ => Some(key.span.start..plain(text, value)?.end),
        });
        let (value, taken) = one(text, value, pieces);
        whole.push((key.clone(), value));
        rest = &after[taken..];
    }
    whole
}

/// The same of a list's items.
pub(super) fn items(text: &str, items: Vec<Node>) -> Vec<Node> {
    let mut whole = Vec::with_capacity(items.len());
    let mut rest = items.as_slice();
    while let [item, after @ ..] = rest {
        let (item, taken) = one(text, item, after.iter().map(|item| plain(text, item)));
        whole.push(item);
        rest = &after[taken..];
    }
    whole
}

/// The node with as many of the pieces after it as it takes to close its parentheses, and
/// how many these are: none where they never close. A piece is `None` where it is no plain
/// text.
fn one(
    text: &str,
    node: &Node,
    pieces: impl Iterator<Item = Option<Range<usize>>>,
) -> (Node, usize) {
    let closed = plain(text, node).and_then(|first| {
        let (start, mut end) = (first.start, first.end);
        let open = |end: usize| parentheses(&text[start..end]) == Parentheses::Open;
        if !open(end) {
            return None;
        }
        for (before, piece) in pieces.enumerate() {
            // What an alias stands for is somewhere else.
            let piece = piece.filter(|piece| piece.start >= end)?;
            end = piece.end;
            if !open(end) {
                return Some((start..end, before + 1));
            }
        }
        None
    });
    match closed {
        Some((span, taken)) if parentheses(&text[span.clone()]) == Parentheses::Closed => {
            let kind = Kind::Text(text[span.clone()].to_owned());
            (Node { span, kind }, taken)
        }
        _ => (node.clone(), 0),
    }
}

/// Where a text stands that has no quotes and is on one line.
fn plain(text: &str, node: &Node) -> Option<Range<usize>> {
    match &node.kind {
        Kind::Text(value) if text.get(node.span.clone()) == Some(value) => Some(node.span.clone()),
        _ => None,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parentheses {
    Open,
    Closed,
    /// One is closed that was not opened.
    Wrong,
}

/// Whether all parentheses are closed, without those in an expression's strings.
fn parentheses(text: &str) -> Parentheses {
    let (mut depth, mut string) = (0, None);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match (string, byte) {
            (Some(_), b'\\') => _ = bytes.next(),
            (Some(quote), _) if byte == quote => string = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => string = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') if depth == 0 => return Parentheses::Wrong,
            (None, b')') => depth -= 1,
            (None, _) => {}
        }
    }
    match depth {
        0 => Parentheses::Closed,
        _ => Parentheses::Open,
    }
}
