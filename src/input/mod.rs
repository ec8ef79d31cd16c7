//! Sockets to frames: bytes in, [`batch::Batch`]es of frames out.
//!
//! [`accept`] lets senders in, over TCP and TLS, and hands each a [`stream::Stream`];
//! [`connections`] bounds how many there are, [`tls`] knows the certificates. [`framing`]
//! cuts streams and touches no socket; [`udp`] and [`tcp`] drive it, and [`unframe`] writes
//! what it cuts. [`relp`] keeps lines before it acknowledges them. [`lines`] cuts log files.
//! Nothing here looks into a frame.

pub mod accept;
pub mod batch;
pub mod connections;
pub mod framing;
pub mod lines;
pub mod refusals;
pub mod relp;
pub mod stream;
pub mod tcp;
pub mod tls;
pub mod udp;
pub(crate) mod unframe;
