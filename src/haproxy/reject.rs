//! Why a message is not an event.

use super::field::Field;

/// A message that cannot be counted as a request or a session. Counted by
/// [`Reject::as_str`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// Nothing but blanks.
    #[error("the message is empty")]
    Empty,
    /// Neither a line of a known format nor a message that HAProxy is known to send.
    #[error("neither a line of a known format nor a known message of HAProxy")]
    NotTraffic,
    /// It begins as one, but is of no known format or is cut off too early.
    #[error("{}", stuck(*field, *offset))]
    Malformed {
        /// What was expected there; `kind` where the line should have ended, or at byte 0
        /// if no format begins like it.
        field: Field,
        /// Counted from the start of the text without its leading blanks.
        offset: usize,
    },
    /// It is of its format, but in more than one way: a free text holds what separates it
    /// from the next.
    #[error("can be read in more than one way: a free text holds the separator behind it")]
    Ambiguous,
}

impl Reject {
    /// Every answer of [`Reject::as_str`].
    pub const REASONS: [&str; 4] = ["empty", "not_traffic", "malformed", "ambiguous"];

    /// The reason by its short name, as counters print it.
    pub const fn as_str(self) -> &'static str {
        Reject::REASONS[self.index()]
    }

    /// The byte of the message at which reading ended, counted as in
    /// [`Reject::Malformed`]; `None` where the reason has no place.
    pub const fn offset(self) -> Option<usize> {
        match self {
            Reject::Malformed { offset, .. } => Some(offset),
            Reject::Empty | Reject::NotTraffic | Reject::Ambiguous => None,
        }
    }

    /// The reason's place in [`Reject::REASONS`].
    pub const fn index(self) -> usize {
        match self {
            Reject::Empty => 0,
            Reject::NotTraffic => 1,
            Reject::Malformed { .. } => 2,
            Reject::Ambiguous => 3,
        }
    }
}

fn stuck(field: Field, offset: usize) -> String {
    match (field, offset) {
        (Field::Kind, 0) => "no format begins like this".to_owned(),
        (Field::Kind, _) => {
            format!("the line goes on at byte {offset} of the message, where its format ends")
        }
        _ => format!(
            "cannot read `{}` at byte {offset} of the message",
            field.name()
        ),
    }
}
