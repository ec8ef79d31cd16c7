//! Log lines of HAProxy: a message's text in, an [`Event`] that borrows from it out.
//!
//! Nothing here knows syslog's headers, rules or windows, and nothing reads a clock.

mod alias;
pub mod built_in;
pub mod config;
mod date;
pub mod event;
pub mod field;
mod formats;
pub mod json;
mod leaf;
mod log_format;
mod notice;
mod parser;
mod plan;
pub mod reject;
mod request;
mod sample;
pub mod termination;
#[cfg(test)]
mod tests;

pub use event::{
    Captures, Event, Extra, ExtraField, ExtraType, ExtraValue, Kind, Separator, Timers,
};
pub use field::{Field, FieldNames, FieldSet, FieldType, Value};
pub use formats::Formats;
pub use json::{Json, JsonText};
pub use notice::State;
pub use parser::Parser;
pub use reject::Reject;
