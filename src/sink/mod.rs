//! Sinks: [`Measurement`]s and [`Annotation`]s in, deliveries to where people look out.
//!
//! Each push sink has an [`Outbox`] of its own and takes from it at its own pace, so
//! a slow one delays neither the windows nor another sink. Nothing here computes.

pub mod librato;
mod outbox;
pub mod prometheus;
pub mod stdout;
pub mod store;

pub use outbox::Outbox;

#[cfg(doc)]
use crate::metric::{Annotation, Measurement};
