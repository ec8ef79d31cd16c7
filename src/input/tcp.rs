//! Syslog over TCP (RFC 6587) and over TLS (RFC 5425): a byte stream cut into frames by
//! [`Framer`].
//!
//! A connection holds a buffer only while there is something to read, and then hands it on
//! to a worker. What it holds in between is the beginning of the frame that is not complete:
//! nothing for most, and for one that never ends its line some `limits.line_bytes` at most.

use super::accept::Connection;
use super::batch::{Batch, Dispatcher, Spares};
use super::framing::Framer;
use super::stream::Stream;
use crate::clock;
use crate::telemetry::Listener;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::AsyncReadExt;

/// The room for one read.
const READ_BYTES: usize = 64 * 1024;

/// The beginning of a frame is put in front of what is read next while it is no longer than
/// this. A longer one is read on where it is: whoever dribbles must not have it copied for
/// each byte.
const SHORT: usize = 4 * 1024;

/// The room for a read behind a long beginning, at least.
const STEP: usize = 16 * 1024;

/// Where what connections bring goes.
#[derive(Clone)]
pub struct Lines {
    /// No frame is longer, in bytes.
    pub frame_max: usize,
    pub listener: Arc<Listener>,
    pub dispatcher: Dispatcher,
}

/// Reads one connection until it ends or is told to stop.
pub async fn serve(connection: Connection, lines: Lines) {
    let Connection {
        stream,
        peer,
        stop,
        permit,
    } = connection;
    let mut reader = Reader {
        stream,
        peer,
        framer: Framer::new(lines.frame_max),
        rest: Vec::new(),
        spares: lines.dispatcher.spares().clone(),
    };
    let (listener, dispatcher) = (&lines.listener, &lines.dispatcher);
    loop {
        let read = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            read = reader.read() => read,
        };
        let Some(batch) = read else { break };
        dispatcher.send(batch, listener).await;
    }
    if stop.is_cancelled() {
        reader.stream.drain();
        while let Some(batch) = reader.read().await {
            dispatcher.send(batch, listener).await;
        }
    }
    if let Some(batch) = reader.finish() {
        dispatcher.send(batch, listener).await;
    }
    drop(permit);
}

struct Reader {
    stream: Stream,
    peer: SocketAddr,
    framer: Framer,
    /// The beginning of the frame that is not complete.
    rest: Vec<u8>,
    spares: Spares,
}

impl Reader {
    /// The next frames; `None` when the stream has ended or broken. Nothing is lost when the
    /// future is dropped before it is done.
    async fn read(&mut self) -> Option<Batch> {
        poll_fn(|cx| self.poll_read(cx)).await
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Batch>> {
        loop {
            let mut batch = self.buffer();
            let before = batch.bytes.len();
            let read = pin!(self.stream.read_buf(&mut batch.bytes)).poll(cx);
            if batch.bytes.len() == before {
                self.put_back(batch);
            } else if let Some(batch) = self.cut(batch) {
                return Poll::Ready(Some(batch));
            }
            match read {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(None),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => {
                    tracing::debug!(peer = %self.peer, %error, "the connection broke");
                    return Poll::Ready(None);
                }
            }
        }
    }

    /// The beginning of the frame that is not complete, with room behind it.
    fn buffer(&mut self) -> Batch {
        if self.rest.len() <= SHORT {
            let mut batch = self.spares.get();
            batch.bytes.reserve(SHORT + READ_BYTES);
            batch.bytes.extend_from_slice(&self.rest);
            return batch;
        }
        let mut batch = Batch {
            bytes: std::mem::take(&mut self.rest),
            ..Batch::default()
        };
        batch.bytes.reserve_exact(room(batch.bytes.len()));
        batch
    }

    /// Nothing was read into it.
    fn put_back(&mut self, batch: Batch) {
        if batch.bytes.len() <= SHORT {
            self.spares.put(batch);
        } else {
            self.rest = batch.bytes;
        }
    }

    /// The batch with its frames; `None` if none is complete.
    fn cut(&mut self, mut batch: Batch) -> Option<Batch> {
        batch.received_at = Some(clock::now());
        let consumed = self.framer.frames(&batch.bytes, &mut batch.frames);
        let rest = &batch.bytes[consumed..];
        if batch.frames.is_empty() && batch.bytes.capacity() - rest.len() <= room(rest.len()) {
            self.rest = batch.bytes;
            self.rest.drain(..consumed);
            return None;
        }
        self.rest.clear();
        self.rest.reserve_exact(rest.len());
        self.rest.extend_from_slice(rest);
        if batch.frames.is_empty() {
            self.spares.put(batch);
            return None;
        }
        Some(batch)
    }

    /// The stream has ended: its unterminated rest is a frame too.
    fn finish(mut self) -> Option<Batch> {
        let frame = self.framer.finish(&self.rest)?;
        Some(Batch {
            received_at: Some(clock::now()),
            bytes: self.rest,
            frames: vec![frame],
        })
    }
}

/// The room behind a beginning of that length. Not as much again, as it would be by default:
/// a thousand may be as long.
fn room(length: usize) -> usize {
    STEP.max(length / 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::accept::{self, Door};
    use crate::input::batch::Work;
    use crate::input::connections::{Bounds, Connections};
    use crate::input::stream::Socket;
    use crate::telemetry::Telemetry;
    use crate::time::Timestamp;
    use std::io::Write;
    use std::time::Duration;
    use tokio::sync::mpsc;
    use tokio::time::Instant;
    use tokio_util::sync::CancellationToken;

    /// A door that lets two senders in, and one worker.
    fn parts(telemetry: &Telemetry) -> (Door, Lines, Vec<mpsc::Receiver<Work>>) {
        let listener = telemetry.listener("tcp", String::new());
        let (dispatcher, workers) = Dispatcher::new(1, &telemetry.queued);
        let door = Door {
            connections: Connections::new(Bounds {
                all: 2,
                per_address: 2,
                idle: Duration::ZERO,
            }),
            allow: Vec::new(),
            tls: None,
            listener: Arc::clone(&listener),
        };
        let lines = Lines {
            frame_max: 1000,
            listener,
            dispatcher,
        };
        (door, lines, workers)
    }

    /// What is received of lines that were written before weir was told to stop, when
    /// the connection has not even been accepted.
    #[tokio::test]
    async fn what_had_arrived_is_read_at_the_end() {
        let socket = accept::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let telemetry = Telemetry::new(Timestamp::from_secs(0));
        let (door, lines, mut workers) = parts(&telemetry);
        let listener = Arc::clone(&lines.listener);
        let text = "a line\n".repeat(10_000) + "and its rest";
        let senders = [(), ()].map(|()| {
            let mut sender = std::net::TcpStream::connect(address).unwrap();
            sender.write_all(text.as_bytes()).unwrap();
            sender
        });
        let stop = CancellationToken::new();
        stop.cancel();
        let reading = tokio::spawn(accept::run(socket, door, stop, move |connection| {
            serve(connection, lines.clone())
        }));
        let mut frames = 0;
        while let Some(Work::Batch(batch)) = workers[0].recv().await {
            frames += batch.frames.len();
        }
        reading.await.unwrap();
        assert_eq!((frames, listener.received.get()), (20_002, 20_002));
        drop(senders);
    }

    /// As much as nobody holds for a sender: batches that wait, and what kernels buffer.
    const MORE_THAN_FITS: usize = 64 * 1024 * 1024;

    #[tokio::test]
    async fn a_sender_waits_while_no_worker_takes_its_lines_and_loses_none() {
        let socket = accept::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let telemetry = Telemetry::new(Timestamp::from_secs(0));
        let (door, lines, mut workers) = parts(&telemetry);
        let stop = CancellationToken::new();
        let reading = tokio::spawn(accept::run(socket, door, stop.clone(), move |connection| {
            serve(connection, lines.clone())
        }));
        let line = [b'x'; 999].into_iter().chain([b'\n']).collect::<Vec<_>>();
        let count = MORE_THAN_FITS / line.len();
        let sender = tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            for _ in 0..count {
                stream.write_all(&line).unwrap();
            }
        });
        let worker = &mut workers[0];
        while worker.len() < worker.max_capacity() {
            tokio::task::yield_now().await;
        }
        assert!(!sender.is_finished());
        let mut frames = 0;
        while frames < count {
            if let Some(Work::Batch(batch)) = worker.recv().await {
                frames += batch.frames.len();
            }
        }
        sender.await.unwrap();
        stop.cancel();
        reading.await.unwrap();
        assert_eq!((frames, worker.len()), (count, 0));
    }

    #[tokio::test]
    async fn a_connection_holds_what_is_not_complete_and_little_more() {
        const FRAME_MAX: usize = 64 * 1024;
        let socket = accept::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut theirs = std::net::TcpStream::connect(socket.local_addr().unwrap()).unwrap();
        let (tcp, peer) = socket.accept().await.unwrap();
        let telemetry = Telemetry::new(Timestamp::from_secs(0));
        let (door, lines, _workers) = parts(&telemetry);
        let permit = door
            .connections
            .permit(peer.ip(), CancellationToken::new(), Instant::now());
        let mut reader = Reader {
            stream: Stream::Plain(Socket::new(tcp, Arc::new(permit.unwrap()))),
            peer,
            framer: Framer::new(FRAME_MAX),
            rest: Vec::new(),
            spares: lines.dispatcher.spares().clone(),
        };
        theirs.write_all(b"a line\n").unwrap();
        assert_eq!(reader.read().await.unwrap().frames.len(), 1);
        assert_eq!(reader.rest.capacity(), 0);
        // So much more of one line each time.
        for length in [10, SHORT, 30_000, 30_000] {
            theirs.write_all(&vec![b'x'; length]).unwrap();
            let before = reader.rest.len();
            poll_fn(|cx| {
                assert!(reader.poll_read(cx).is_pending(), "the line has not ended");
                match reader.rest.len() - before {
                    more if more == length => Poll::Ready(()),
                    _ => Poll::Pending,
                }
            })
            .await;
            let (length, held) = (reader.rest.len(), reader.rest.capacity());
            let room = if length > SHORT { room(length) } else { 0 };
            assert!(held <= length + room, "{held} for {length}");
        }
        theirs.write_all(b"\n").unwrap();
        assert_eq!(reader.read().await.unwrap().frames.len(), 1);
        assert_eq!(reader.rest.capacity(), 0);
    }
}
