//! Syslog over TCP (RFC 6587): a byte stream cut into frames by [`Framer`].

use super::batch::{Batch, Dispatcher};
use super::framing::{Framer, SLACK};
use crate::clock;
use crate::telemetry::Listener;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The room for one read.
const READ_BYTES: usize = 64 * 1024;

/// How long connections wait to be accepted before the kernel turns them away.
const BACKLOG: i32 = 1024;

/// The pause after a failed accept: out of file descriptors, most likely, and trying
/// at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Binds the listener.
///
/// # Errors
///
/// What the system says: the address is in use, not ours, or not permitted.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    // A restart must not wait for the last run's connections to be forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Bounds of the connections of all listeners.
#[derive(Clone)]
pub struct Limits {
    pub frame_max: usize,
    /// One permit a connection.
    pub connections: Arc<tokio::sync::Semaphore>,
}

/// Accepts connections until `stop`, and ends when the last one has ended.
pub async fn run(
    socket: TcpListener,
    limits: Limits,
    listener: Arc<Listener>,
    dispatcher: Dispatcher,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = socket.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::error!(address = %listener.address, %error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&limits.connections).try_acquire_owned() else {
            listener.refused.add(1);
            tracing::warn!(%peer, "connection refused: limits.connections is reached");
            continue;
        };
        let connection = Connection {
            stream,
            peer,
            framer: Framer::new(limits.frame_max),
            frame_max: limits.frame_max,
            listener: Arc::clone(&listener),
            dispatcher: dispatcher.clone(),
        };
        let stop = stop.clone();
        connections.spawn(async move {
            connection.run(stop).await;
            drop(permit);
        });
    }
    connections.close();
    connections.wait().await;
}

struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    framer: Framer,
    frame_max: usize,
    listener: Arc<Listener>,
    dispatcher: Dispatcher,
}

impl Connection {
    async fn run(mut self, stop: CancellationToken) {
        tracing::debug!(peer = %self.peer, "connected");
        self.listener.connections.add(1);
        let mut batch = self.dispatcher.spares().get();
        loop {
            // Room for a read and for the longest frame whose rest is awaited.
            let room =
                READ_BYTES.max(self.frame_max + SLACK - batch.bytes.len().min(self.frame_max));
            batch.bytes.reserve(room);
            let read = tokio::select! {
                biased;
                read = self.stream.read_buf(&mut batch.bytes) => read,
                // Not before everything that has arrived is read: `biased` asks the
                // stream first, and this only when it has nothing.
                () = stop.cancelled() => break,
            };
            match read {
                Ok(0) => break,
                Ok(_) => batch = self.hand_on(batch).await,
                Err(error) => {
                    tracing::info!(peer = %self.peer, %error, "the connection broke");
                    break;
                }
            }
        }
        // The stream has ended: its unterminated rest is a frame too.
        batch.received_at = clock::now();
        batch.frames.extend(self.framer.finish(&batch.bytes));
        self.dispatcher.send(batch, &self.listener).await;
        self.listener.connections.sub(1);
        tracing::debug!(peer = %self.peer, "disconnected");
    }

    /// Hands on the frames that are complete, and returns a batch that starts with
    /// the beginning of the one that is not.
    async fn hand_on(&mut self, mut batch: Batch) -> Batch {
        batch.received_at = clock::now();
        let consumed = self.framer.frames(&batch.bytes, &mut batch.frames);
        if consumed == 0 {
            return batch;
        }
        let mut next = self.dispatcher.spares().get();
        next.bytes.extend_from_slice(&batch.bytes[consumed..]);
        self.dispatcher.send(batch, &self.listener).await;
        next
    }
}
