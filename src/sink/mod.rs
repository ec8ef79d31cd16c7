//! Sinks: [`Measurement`]s and [`Annotation`]s in, deliveries to where people look out.
//!
//! Each push sink has an [`Outbox`] of its own and takes from it at its own pace, so
//! a slow one delays neither the windows nor another sink. In front of a far side there is a
//! [`spool`] too, on disk, and a [`breaker`]. Nothing here computes.

pub mod breaker;
pub mod health;
pub mod librato;
mod outbox;
pub mod prometheus;
mod queue;
pub mod spool;
pub mod stdout;
pub mod store;

pub use outbox::Outbox;

#[cfg(doc)]
use crate::metric::{Annotation, Measurement};
