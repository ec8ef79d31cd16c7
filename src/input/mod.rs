//! Sockets to frames: bytes in, [`batch::Batch`]es of frames out.
//!
//! [`framing`] cuts streams and touches no socket; [`udp`] and [`tcp`] drive it, and
//! [`unframe`] writes what it cuts. [`relp`] keeps lines before it acknowledges them.
//! [`lines`] cuts log files.
//! Nothing here looks into a frame.

pub mod batch;
pub mod framing;
pub mod lines;
pub mod relp;
pub mod tcp;
pub mod udp;
pub(crate) mod unframe;
