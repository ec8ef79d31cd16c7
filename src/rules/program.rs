//! What is done with each event: written by `compile` once, run by `eval`.

use super::expr::{Bool, Int, Number, Text};
use super::routes::fold;
use super::term::{Term, Terms};
use crate::delta::{Cell, CellKind, GroupKey, Window};
use crate::haproxy::Event;
use std::cell::RefCell;

/// Which rules of a group want an event is one word of bits. Further rules with the
/// same grouping start another group, and cost a second lookup.
const RULES_PER_GROUP: usize = 64;

/// A longer value is cut, so that a hostile line cannot make a key of any length.
/// Librato takes tag values of up to 255 characters.
const VALUE_BYTES: usize = 255;

thread_local! {
    /// Kept from event to event, so that folding a path allocates nothing.
    static FOLDED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Rules that share a grouping.
#[derive(Debug)]
pub(super) struct Group {
    pub by: Vec<KeyPart>,
    pub window: Window,
    /// What has to hold for which rules.
    pub terms: Terms,
    /// At most [`RULES_PER_GROUP`].
    pub rules: Vec<GroupRule>,
}

/// One value of a group's key.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum KeyPart {
    Text(Text),
    Int(Int),
    Bool(Bool),
    /// The path with its ids folded.
    FoldedPath,
}

#[derive(Debug)]
pub(super) struct GroupRule {
    /// The cell that counts the events that the rule's condition lets through.
    pub matched: usize,
    pub draws: Vec<Draw>,
}

/// What a rule draws from an event, and the cells that it goes to.
#[derive(Debug)]
pub(super) enum Draw {
    Count {
        condition: Term,
        cell: usize,
    },
    /// One value for several aggregates. An event without it leaves them alone.
    Sample {
        value: Number,
        cells: Vec<usize>,
    },
    /// A value that is told from others. An event without it leaves the cell alone.
    Observe {
        value: KeyPart,
        cell: usize,
    },
}

impl Group {
    pub fn new(by: Vec<KeyPart>, window: Window) -> Self {
        Group {
            by,
            window,
            terms: Terms::default(),
            rules: Vec::new(),
        }
    }

    /// Adds a rule that wants the events for which the condition holds; tells its place.
    pub fn add(&mut self, condition: Bool, rule: GroupRule) -> usize {
        let place = self.rules.len();
        let terms = match condition {
            Bool::All(terms) => terms.into_vec(),
            Bool::Const(true) => Vec::new(),
            condition => vec![condition],
        };
        for term in terms {
            self.terms.add(Term::of(term), 1 << place);
        }
        self.rules.push(rule);
        place
    }

    pub fn has_room(&self) -> bool {
        self.rules.len() < RULES_PER_GROUP
    }

    /// The rules that want the event, a bit each.
    #[inline(always)]
    pub fn matching(&self, event: &Event<'_>) -> u64 {
        // All of them; there is at least one.
        let all = u64::MAX >> (RULES_PER_GROUP - self.rules.len());
        self.terms.matching(event, all)
    }

    /// The string that its events are told apart by, if it is that alone.
    #[inline]
    pub fn only_text(&self) -> Option<&Text> {
        match &*self.by {
            [KeyPart::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Writes the event's group into `key`.
    #[inline]
    pub fn key(&self, event: &Event<'_>, key: &mut GroupKey) {
        key.clear();
        for part in &self.by {
            part.of(event, |value| key.push(value));
        }
    }
}

impl KeyPart {
    /// Hands on the value that the event has, in at most [`VALUE_BYTES`].
    #[inline]
    fn of<R>(&self, event: &Event<'_>, take: impl FnOnce(Option<&[u8]>) -> R) -> R {
        match self {
            KeyPart::Text(text) => take(text.of(event).map(cut)),
            KeyPart::Int(int) => {
                let mut digits = Digits::default();
                take(int.of(event).map(|value| digits.of(value)))
            }
            KeyPart::Bool(bool) => take(Some(match bool.holds(event) {
                true => b"true",
                false => b"false",
            })),
            KeyPart::FoldedPath => match event.path {
                Some(path) => FOLDED.with_borrow_mut(|folded| {
                    fold(path, folded);
                    take(Some(cut(folded)))
                }),
                None => take(None),
            },
        }
    }

    /// Whether the event does not have the value.
    pub fn is_missing(&self, event: &Event<'_>) -> bool {
        self.of(event, |value| value.is_none())
    }
}

impl GroupRule {
    /// A rule with a cell of its own for the events that its condition lets through.
    pub fn new(cells: &mut Vec<CellKind>) -> Self {
        cells.push(CellKind::Count);
        GroupRule {
            matched: cells.len() - 1,
            draws: Vec::new(),
        }
    }

    /// Takes an event into the row that it belongs to.
    #[inline]
    pub fn draw(&self, event: &Event<'_>, row: &mut [Cell]) {
        row[self.matched].count();
        for draw in &self.draws {
            match draw {
                Draw::Count { condition, cell } => {
                    if condition.holds(event) {
                        row[*cell].count();
                    }
                }
                Draw::Sample {
                    value: Number::Int(value),
                    cells,
                } => sample(value, cells, event, row),
                rare => rare.draw(event, row),
            }
        }
    }
}

/// Not within the loop over draws, as what few draw is not.
#[inline(never)]
fn sample(value: &Int, cells: &[usize], event: &Event<'_>, row: &mut [Cell]) {
    if let Some(value) = value.of(event) {
        match cells {
            [cell] => row[*cell].sample_int(value),
            cells => cells.iter().for_each(|&cell| row[cell].sample_int(value)),
        }
    }
}

impl Draw {
    /// What few rules draw. Not within the loop over draws: what the compiler sees there it
    /// computes before the loop, for each event and whether any draw wants it or not.
    #[inline(never)]
    fn draw(&self, event: &Event<'_>, row: &mut [Cell]) {
        match self {
            Draw::Count { condition, cell } => {
                if condition.holds(event) {
                    row[*cell].count();
                }
            }
            Draw::Sample { value, cells } => {
                if let Some(value) = value.of(event) {
                    for &cell in cells {
                        row[cell].sample(value);
                    }
                }
            }
            Draw::Observe { value, cell } => value.of(event, |value| {
                if let Some(value) = value {
                    row[*cell].observe(value);
                }
            }),
        }
    }
}

/// At most `VALUE_BYTES` of it, and no character of UTF-8 cut in two.
#[inline]
pub(super) fn cut(value: &[u8]) -> &[u8] {
    if value.len() <= VALUE_BYTES {
        return value;
    }
    let continues = |byte: u8| byte & 0b1100_0000 == 0b1000_0000;
    let end = (VALUE_BYTES - 3..=VALUE_BYTES)
        .rev()
        .find(|&end| !continues(value[end]));
    &value[..end.unwrap_or(VALUE_BYTES)]
}

/// Room for any whole number's digits and sign, so that writing one allocates nothing.
#[derive(Default)]
struct Digits([u8; 20]);

impl Digits {
    fn of(&mut self, value: i64) -> &[u8] {
        let mut rest = value.unsigned_abs();
        let mut start = self.0.len();
        loop {
            start -= 1;
            self.0[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            start -= 1;
            self.0[start] = b'-';
        }
        &self.0[start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_written_in_decimal() {
        for value in [0, 7, 200, -1, i64::MAX, i64::MIN] {
            assert_eq!(Digits::default().of(value), value.to_string().as_bytes());
        }
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let cut = |text: &str| cut(text.as_bytes()).len();
        assert_eq!(cut(&"a".repeat(255)), 255);
        assert_eq!(cut(&"a".repeat(256)), 255);
        assert_eq!(cut(&format!("{}é", "a".repeat(254))), 254);
        assert_eq!(cut(&format!("{}😀", "a".repeat(252))), 252);
        assert_eq!(super::cut(&[0x80; 300]).len(), 255);
    }
}
