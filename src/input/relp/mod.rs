//! RELP, the Reliable Event Logging Protocol: what rsyslog's `omrelp` speaks.
//!
//! A line is acknowledged when it is in the journal, on disk. What is not acknowledged the
//! sender keeps, and sends again over its next connection.
//!
//! ```text
//! bytes -> reader -> session -> Group -> resent -> journal -> workers
//!                       |                                        |
//!                       +-------------- answers ----------------- +-> bytes
//! ```
//!
//! [`reader`] and [`session`] know the protocol and touch no socket. [`connection`] drives
//! them: it reads on while a group is written to the disk, so that what comes meanwhile
//! shares the next write. [`resent`] tells the lines that were kept before their sender lost
//! its connection. [`replay`] hands on what a killed weir had acknowledged.
//!
//! Source of the protocol: `doc/relp.md` of librelp, and librelp's own reading of it where
//! the two differ.

pub mod connection;
mod offers;
mod reader;
pub mod replay;
mod resent;
pub mod session;

use super::accept::Connection;
use super::batch::Batch;
use super::framing::Frame;

pub use connection::Receiver;
pub use replay::replay;

/// Serves one sender that was let in.
pub async fn serve(connection: Connection, receiver: Receiver) {
    let Connection {
        stream,
        peer,
        stop,
        permit,
    } = connection;
    receiver.serve(stream, peer, stop).await;
    drop(permit);
}

/// A frame's bytes as the journal keeps them: one more than the limit where it was cut, so
/// that reading them again tells that it was.
fn kept<'a>(batch: &'a Batch, frame: &Frame) -> &'a [u8] {
    &batch.bytes[frame.start..frame.end + usize::from(frame.cut)]
}

/// Appends a line as the journal keeps it, cut where it is longer than `limit`.
fn push(batch: &mut Batch, line: &[u8], limit: usize) {
    let start = batch.bytes.len();
    batch.bytes.extend_from_slice(line);
    batch.frames.push(Frame {
        start,
        end: start + line.len().min(limit),
        cut: line.len() > limit,
    });
}
