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

/// What is read at once at most: as much as the kernel may hold. Whoever goes on
/// sending keeps weir neither from looking at what was lost nor from stopping.
const DRAIN_MAX: usize = 2 * RECEIVE_BUFFER;

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
                Ok(()) => {
                    let receive = |bytes: &mut Vec<u8>| socket.try_recv_buf_from(bytes).map(|_| ());
                    drain(receive, frame_max, DRAIN_MAX, &listener, &dispatcher).await;
                }
                Err(error) => {
                    tracing::error!(address = %listener.address, %error, "cannot read datagrams");
                    break;
                }
            },
        }
    }
    // The runtime tells that there is something to read some time after it has come;
    // asked directly, the socket gives everything it has.
    let Ok(socket) = socket.into_std() else {
        return;
    };
    let receive = |bytes: &mut Vec<u8>| receive_directly(&socket, bytes);
    drain(receive, frame_max, DRAIN_MAX, &listener, &dispatcher).await;
    note_lost(&socket, &listener);
}

/// Reads what is there, at most some `bytes_max`, a batch at a time.
async fn drain(
    receive: impl Fn(&mut Vec<u8>) -> io::Result<()>,
    frame_max: usize,
    bytes_max: usize,
    listener: &Listener,
    dispatcher: &Dispatcher,
) {
    let mut bytes = 0;
    let mut more = true;
    while more && bytes < bytes_max {
        let mut batch = dispatcher.spares().get();
        batch.received_at = Some(clock::now());
        more = fill(&receive, frame_max, &mut batch);
        bytes = bytes.saturating_add(batch.bytes.len());
        dispatcher.send(batch, listener).await;
    }
}

/// Appends datagrams to the batch until it is full (true) or there are none (false).
fn fill(
    receive: impl Fn(&mut Vec<u8>) -> io::Result<()>,
    frame_max: usize,
    batch: &mut Batch,
) -> bool {
    while batch.bytes.len() < BATCH_BYTES {
        // With less room than a datagram may need, the kernel would cut it silently.
        batch.bytes.reserve(DATAGRAM_MAX);
        let start = batch.bytes.len();
        match receive(&mut batch.bytes) {
            Ok(()) => batch.frames.push(datagram(&batch.bytes, start, frame_max)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            // The next look at the socket tells whether it lasts.
            Err(error) => {
                tracing::debug!(%error, "a datagram could not be read");
                return false;
            }
        }
    }
    true
}

fn receive_directly(socket: &std::net::UdpSocket, bytes: &mut Vec<u8>) -> io::Result<()> {
    let start = bytes.len();
    bytes.resize(start + DATAGRAM_MAX, 0);
    let received = socket.recv(&mut bytes[start..]);
    bytes.truncate(start + received.as_ref().copied().unwrap_or(0));
    received.map(|_| ())
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
fn note_lost(socket: &impl AsRawFd, listener: &Listener) {
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
fn kernel_drops(socket: &impl AsRawFd) -> Option<u64> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::batch::Work;
    use crate::telemetry::Telemetry;
    use crate::time::Timestamp;

    const FRAME_MAX: usize = 1000;

    /// A socket, its counters, and everything that was read from it.
    async fn read_all(datagrams: &[Vec<u8>]) -> (Arc<Listener>, Vec<Batch>) {
        let (socket, _) = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for datagram in datagrams {
            sender.send_to(datagram, address).unwrap();
        }
        let telemetry = Telemetry::new(Timestamp::from_secs(0));
        let listener = telemetry.listener("udp", address.to_string());
        let (dispatcher, mut workers) = Dispatcher::new(1, &telemetry.queued);
        let stop = CancellationToken::new();
        stop.cancel();
        let reading = tokio::spawn(run(
            socket,
            FRAME_MAX,
            Arc::clone(&listener),
            dispatcher,
            stop,
        ));
        let mut batches = Vec::new();
        while let Some(Work::Batch(batch)) = workers[0].recv().await {
            batches.push(batch);
        }
        reading.await.unwrap();
        (listener, batches)
    }

    #[tokio::test]
    async fn a_datagram_is_a_frame_without_its_line_end_and_cut_where_it_is_too_long() {
        let long = vec![b'x'; FRAME_MAX + 1];
        let (_, batches) = read_all(&[b"one\n".to_vec(), vec![], b"two".to_vec(), long]).await;
        let frames: Vec<(&[u8], bool)> = batches
            .iter()
            .flat_map(|batch| {
                let frames = batch.frames.iter();
                frames.map(|frame| (&batch.bytes[frame.start..frame.end], frame.cut))
            })
            .collect();
        let cut = vec![b'x'; FRAME_MAX];
        assert_eq!(
            frames,
            [
                (&b"one"[..], false),
                (b"", false),
                (b"two", false),
                (&cut, true)
            ]
        );
    }

    #[tokio::test]
    async fn what_the_kernel_drops_is_counted() {
        // More than any receive buffer that was asked for, and nobody reads meanwhile.
        let sent = 3 * RECEIVE_BUFFER / 8192;
        let datagrams = vec![vec![b'x'; 8192]; sent];
        let (listener, _) = read_all(&datagrams).await;
        let (received, lost) = (listener.received.get(), listener.lost.get());
        assert!(lost > 0, "the kernel held {received} datagrams of 8 KiB");
        assert_eq!(received + lost, sent as u64);
    }
}
