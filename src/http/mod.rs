//! HTTP: one router per audience. Listening, tokens and shutdown are the caller's.

pub mod api;
pub mod assets;
pub mod librato;
