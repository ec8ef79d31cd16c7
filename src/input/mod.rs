//! The edge where logs arrive: bytes in, frames out.
//!
//! Cutting a stream into frames is done without a socket, in [`framing`].

pub mod framing;
