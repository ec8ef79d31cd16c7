//! Log lines of HAProxy: a message's text in, an [`Event`] that borrows from it out.
//!
//! Nothing here knows syslog's headers, rules or windows, and nothing reads a clock.

mod date;
pub mod event;
pub mod field;
mod leaf;
mod line;
mod notice;
pub mod reject;
mod request;

pub use event::{
    Captures, Event, Extra, ExtraField, ExtraType, ExtraValue, Kind, Separator, Timers,
};
pub use field::{Field, FieldType, Value};
pub use line::{Formats, Parser};
pub use notice::State;
pub use reject::Reject;
