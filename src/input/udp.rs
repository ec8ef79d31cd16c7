//! Syslog over UDP (RFC 5426): a datagram is a frame.

use super::batch::{Batch, Dispatcher};
use super::framing::{self, Frame};
use crate::clock;
use crate::telemetry::Listener;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

/// The largest datagram that UDP can carry.
const DATAGRAM_MAX: usize = 65_535;

/// A batch is handed on when it holds this many bytes, or when the socket is empty.
const BATCH_BYTES: usize = 64 * 1024;

/// What the kernel is asked to hold for us. Its default holds some 250 lines, less
/// than HAProxy writes in a burst. It may grant less (`net.core.rmem_max`).
const RECEIVE_BUFFER: usize = 8 * 1024 * 1024;

/// How often the kernel is asked what it has dropped.
const LOST_EVERY: Duration = Duration::from_secs(1);

/// Binds the socket; says how large a receive buffer the kernel granted, in bytes.
///
/// # Errors
///
/// What the system says: the address is in use, not ours, or not permitted.
pub fn bind(address: SocketAddr) -> io::Result<(UdpSocket, usize)> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(&address.into())?;
    let granted = socket.recv_buffer_size()?;
    Ok((UdpSocket::from_std(socket.into())?, granted))
}

/// Reads datagrams until `stop`, then what the kernel still holds, then ends.
pub async fn run(
    socket: UdpSocket,
    frame_max: usize,
    listener: Arc<Listener>,
    dispatcher: Dispatcher,
    stop: CancellationToken,
) {
    let mut lost_every = tokio::time::interval(LOST_EVERY);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            _ = lost_every.tick() => note_lost(&socket, &listener),
            ready = socket.readable() => match ready {
                Ok(()) => drain(&socket, frame_max, &listener, &dispatcher).await,
                Err(error) => {
                    tracing::error!(address = %listener.address, %error, "cannot read datagrams");
                    break;
                }
            },
        }
    }
    drain(&socket, frame_max, &listener, &dispatcher).await;
    note_lost(&socket, &listener);
}

/// Reads what is there, at most a batch at a time so that nothing else starves.
async fn drain(socket: &UdpSocket, frame_max: usize, listener: &Listener, dispatcher: &Dispatcher) {
    loop {
        let mut batch = dispatcher.spares().get();
        batch.received_at = clock::now();
        let more = fill(socket, frame_max, &mut batch);
        dispatcher.send(batch, listener).await;
        if !more {
            return;
        }
    }
}

/// Appends datagrams to the batch until it is full (true) or there are none (false).
fn fill(socket: &UdpSocket, frame_max: usize, batch: &mut Batch) -> bool {
    while batch.bytes.len() < BATCH_BYTES {
        // With less room than a datagram may need, the kernel would cut it silently.
        batch.bytes.reserve(DATAGRAM_MAX);
        let start = batch.bytes.len();
        match socket.try_recv_buf_from(&mut batch.bytes) {
            Ok(_) => {
                batch.frames.push(datagram(&batch.bytes, start, frame_max));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            // Such as a port-unreachable answer to nothing we sent: not about our socket.
            Err(error) => {
                tracing::debug!(%error, "a datagram could not be read");
            }
        }
    }
    true
}

/// The frame of the datagram that begins at `start`: without the line ends that some
/// senders add, and cut off where it is too long.
fn datagram(bytes: &[u8], start: usize, frame_max: usize) -> Frame {
    let length = framing::trim_end(&bytes[start..]).len();
    Frame {
        start,
        end: start + length.min(frame_max),
        cut: length > frame_max,
    }
}

/// Notes how many datagrams the kernel has dropped for this socket.
fn note_lost(socket: &UdpSocket, listener: &Listener) {
    let Some(lost) = kernel_drops(socket) else {
        return;
    };
    let before = listener.lost.get();
    if lost > before {
        tracing::error!(
            address = %listener.address,
            lost = lost - before,
            "the kernel dropped datagrams: lines came faster than they were read; \
             raise net.core.rmem_max or send over TCP"
        );
    }
    listener.lost.set(lost);
}

/// The kernel's own count, the last column of `/proc/net/udp` (proc(5)), in the row
/// of our socket's inode. `None` where there is no such table.
fn kernel_drops(socket: &UdpSocket) -> Option<u64> {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).ok()?;
    let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
    ["/proc/self/net/udp", "/proc/self/net/udp6"]
        .iter()
        .find_map(|table| {
            let table = std::fs::read_to_string(table).ok()?;
            table.lines().find_map(|row| {
                let columns: Vec<&str> = row.split_whitespace().collect();
                (*columns.get(9)? == inode).then(|| columns.last()?.parse().ok())?
            })
        })
}
