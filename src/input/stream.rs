//! A sender's bytes, plain or decrypted.

use super::connections::Permit;
use socket2::SockRef;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;

/// What is read of a connection at the end at most: as much as the kernel may hold.
/// Whoever goes on sending does not keep weir from stopping.
const DRAIN_MAX: usize = 8 * 1024 * 1024;

/// A connection to one sender.
#[derive(Debug)]
pub enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
}

impl Stream {
    /// From here on reads give what had arrived, and then the end of the stream or an
    /// error: the sender believes that all of it is delivered. Writing goes on as before.
    pub fn drain(&mut self) {
        match self {
            Stream::Plain(socket) => socket.drain(),
            Stream::Tls(stream) => stream.get_mut().0.drain(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf).map_err(gone),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// In our own words: rustls's lead to its documentation.
fn gone(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "it ended without the message that ends TLS (close_notify)",
        ),
        _ => error,
    }
}

/// An accepted socket, which notes when something comes over it.
#[derive(Debug)]
pub struct Socket {
    tcp: TcpStream,
    permit: Arc<Permit>,
    /// While draining: how many bytes may still be read.
    left: Option<usize>,
}

impl Socket {
    pub fn new(tcp: TcpStream, permit: Arc<Permit>) -> Socket {
        Socket {
            tcp,
            permit,
            left: None,
        }
    }

    /// As [`Stream::drain`].
    pub fn drain(&mut self) {
        self.left.get_or_insert(DRAIN_MAX);
    }

    /// The runtime tells that there is something to read some time after it has come;
    /// asked directly, the socket gives everything it has.
    fn read_directly(&self, buf: &mut ReadBuf<'_>, left: usize) -> usize {
        let room = buf.initialize_unfilled_to(buf.remaining().min(left));
        // Nothing there, and broken, are the same now: the end.
        let read = (&*SockRef::from(&self.tcp)).read(room).unwrap_or(0);
        buf.advance(read);
        read
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        if let Some(left) = socket.left {
            let read = socket.read_directly(buf, left);
            socket.left = Some(left - read);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut socket.tcp).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            socket.permit.touch(Instant::now());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().tcp).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_shutdown(cx)
    }
}
