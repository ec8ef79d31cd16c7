//! Syslog over TCP (RFC 6587): a byte stream cut into frames by [`Framer`].

use super::batch::{Batch, Dispatcher};
use super::framing::{Framer, SLACK};
use crate::clock;
use crate::telemetry::Listener;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The room for one read.
const READ_BYTES: usize = 64 * 1024;

/// What is read of a connection at the end at most: as much as the kernel may hold.
/// Whoever goes on sending does not keep weir from stopping.
const DRAIN_MAX: usize = 8 * 1024 * 1024;

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
    let acceptor = Acceptor {
        limits,
        listener,
        dispatcher,
        stop,
        connections: TaskTracker::new(),
    };
    loop {
        let accepted = tokio::select! {
            biased;
            () = acceptor.stop.cancelled() => break,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => acceptor.take(stream, peer),
            Err(error) => {
                let address = &acceptor.listener.address;
                tracing::error!(address, %error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    acceptor.finish(socket).await;
}

struct Acceptor {
    limits: Limits,
    listener: Arc<Listener>,
    dispatcher: Dispatcher,
    stop: CancellationToken,
    connections: TaskTracker,
}

impl Acceptor {
    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        let Ok(permit) = Arc::clone(&self.limits.connections).try_acquire_owned() else {
            self.listener.refused.add(1);
            tracing::warn!(%peer, "connection refused: limits.connections is reached");
            return;
        };
        let connection = Connection {
            stream,
            peer,
            framer: Framer::new(self.limits.frame_max),
            frame_max: self.limits.frame_max,
            listener: Arc::clone(&self.listener),
            dispatcher: self.dispatcher.clone(),
        };
        let stop = self.stop.clone();
        self.connections.spawn(async move {
            connection.run(stop).await;
            drop(permit);
        });
    }

    /// Takes the connections that wait to be accepted, whose senders believe that they
    /// are connected, and lets all of them end.
    async fn finish(self, socket: TcpListener) {
        if let Ok(socket) = socket.into_std() {
            for _ in 0..BACKLOG {
                let Ok((stream, peer)) = socket.accept() else {
                    break;
                };
                let stream = stream
                    .set_nonblocking(true)
                    .and_then(|()| TcpStream::from_std(stream));
                if let Ok(stream) = stream {
                    self.take(stream, peer);
                }
            }
        }
        self.connections.close();
        self.connections.wait().await;
    }
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
            self.make_room(&mut batch);
            let read = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                read = self.stream.read_buf(&mut batch.bytes) => read,
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
        if stop.is_cancelled() {
            batch = self.drain(batch).await;
        }
        // The stream has ended: its unterminated rest is a frame too.
        batch.received_at = Some(clock::now());
        batch.frames.extend(self.framer.finish(&batch.bytes));
        self.dispatcher.send(batch, &self.listener).await;
        self.listener.connections.sub(1);
        tracing::debug!(peer = %self.peer, "disconnected");
    }

    /// Reads what had arrived when weir was told to stop: the sender believes that it
    /// is delivered.
    async fn drain(&mut self, mut batch: Batch) -> Batch {
        // The runtime tells that there is something to read some time after it has
        // come; asked directly, the socket gives everything it has.
        let socket = SockRef::from(&self.stream).try_clone();
        let Ok(mut socket) = socket else { return batch };
        let mut drained = 0;
        while drained < DRAIN_MAX {
            self.make_room(&mut batch);
            let start = batch.bytes.len();
            batch.bytes.resize(batch.bytes.capacity(), 0);
            let read = socket.read(&mut batch.bytes[start..]).unwrap_or(0);
            batch.bytes.truncate(start + read);
            if read == 0 {
                break;
            }
            drained += read;
            batch = self.hand_on(batch).await;
        }
        batch
    }

    /// Room for a read, and for the rest of the longest frame that has begun.
    fn make_room(&self, batch: &mut Batch) {
        let rest = (self.frame_max + SLACK).saturating_sub(batch.bytes.len());
        batch.bytes.reserve(READ_BYTES.max(rest));
    }

    /// Hands on the frames that are complete, and returns a batch that starts with
    /// the beginning of the one that is not.
    async fn hand_on(&mut self, mut batch: Batch) -> Batch {
        batch.received_at = Some(clock::now());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::batch::Work;
    use crate::telemetry::Telemetry;
    use crate::time::Timestamp;
    use std::io::Write;

    /// What is received of lines that were written before weir was told to stop, when
    /// the connection has not even been accepted.
    #[tokio::test]
    async fn what_had_arrived_is_read_at_the_end() {
        let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let telemetry = Telemetry::new(Timestamp::from_secs(0));
        let listener = telemetry.listener("tcp", address.to_string());
        let (dispatcher, mut workers) = Dispatcher::new(1, &telemetry.queued);
        let limits = Limits {
            frame_max: 1000,
            connections: Arc::new(tokio::sync::Semaphore::new(2)),
        };
        let lines = "a line\n".repeat(10_000) + "and its rest";
        let senders = [(), ()].map(|()| {
            let mut sender = std::net::TcpStream::connect(address).unwrap();
            sender.write_all(lines.as_bytes()).unwrap();
            sender
        });
        let stop = CancellationToken::new();
        stop.cancel();
        let reading = tokio::spawn(run(socket, limits, Arc::clone(&listener), dispatcher, stop));
        let mut frames = 0;
        while let Some(Work::Batch(batch)) = workers[0].recv().await {
            frames += batch.frames.len();
        }
        reading.await.unwrap();
        assert_eq!((frames, listener.received.get()), (20_002, 20_002));
        drop(senders);
    }
}
