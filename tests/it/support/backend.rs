//! The server behind HAProxy: an HTTP/1.1 server that each request tells how to
//! behave, by its headers.
//!
//! `x-delay: MS` waits before the answer, `x-status: N` is the answer's status,
//! `x-size: BYTES` its length, `x-echo` and `set-cookie` are repeated in it, and
//! `x-drop: 1` closes the connection instead of answering.

use super::RUNTIME;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub struct Backend {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Backend {
    pub fn start() -> Backend {
        let listener = RUNTIME
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a port for the backend");
        let address = listener.local_addr().expect("the backend is bound");
        let accepting = RUNTIME.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that leaves early is what some tests want.
                tokio::spawn(async move { serve(stream).await.ok() });
            }
        });
        Backend { address, accepting }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    while let Some(request) = next_request(&mut stream, &mut bytes).await? {
        tokio::time::sleep(Duration::from_millis(request.number("x-delay", 0))).await;
        if request.number("x-drop", 0) == 1 {
            return Ok(());
        }
        let status = request.number("x-status", 200);
        let size = request.number("x-size", 32) as usize;
        let mut answer = format!(
            "HTTP/1.1 {status} As-Asked\r\nContent-Length: {size}\r\nX-Upstream: u{}\r\n",
            size % 10
        );
        for (asked, name) in [("x-echo", "X-Echo"), ("set-cookie", "Set-Cookie")] {
            if let Some(value) = request.header(asked) {
                answer += &format!("{name}: {value}\r\n");
            }
        }
        answer += &format!("\r\n{}", "x".repeat(size));
        stream.write_all(answer.as_bytes()).await?;
        if request.header("connection") == Some("close") {
            return Ok(());
        }
    }
    Ok(())
}

struct Request {
    head: String,
}

impl Request {
    fn header(&self, header: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case(header))
            .map(|(_, value)| value.trim())
    }

    /// The number in this header.
    fn number(&self, header: &str, otherwise: u64) -> u64 {
        self.header(header)
            .and_then(|value| value.parse().ok())
            .unwrap_or(otherwise)
    }
}

/// `bytes` holds what was read past the last request.
async fn next_request(
    stream: &mut TcpStream,
    bytes: &mut Vec<u8>,
) -> std::io::Result<Option<Request>> {
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let request = Request { head };
    let whole = end + request.number("content-length", 0) as usize;
    while bytes.len() < whole {
        if stream.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
    }
    bytes.drain(..whole);
    Ok(Some(request))
}
