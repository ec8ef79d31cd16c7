//! Connections of the HTTP server: how many, from whom, and how long they may keep weir
//! waiting.
//!
//! Connections in, answers of the router out. A client that is slow or hostile holds its own
//! connection, for a time that ends, and no more of them than its share.
//!
//! Bounds: connections ([`Limits`]; one more is closed at once), the head of a request in
//! bytes and headers (431), the time until it is there and the time in which nothing of an
//! answer is read (closed). Bodies have bounds where they are read. A connection carries one
//! request at a time, so as many requests are under way as there are connections.

use super::room::{Full, Room};
use super::stream::Stream;
use crate::telemetry::{HttpRefusal, HttpServer};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Bytes of a request's line and headers together.
const HEAD_BYTES: usize = 64 * 1024;

/// Headers of a request.
const HEADERS_MAX: usize = 100;

/// The pause after a failed accept: out of file descriptors, most likely, and trying
/// at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end of a request's connection, in its extensions.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Bounds of connections.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open ones.
    pub connections: usize,
    /// Of these, from one address; from one network of 64 bits for IPv6, of which one
    /// machine has every address.
    pub of_one_address: usize,
    /// From being connected, or from the end of the answer before, to the end of a request's
    /// head. Longer than a minute: clients that report once a minute keep their connection.
    pub head_time: Duration,
    /// For how long a client may read nothing of an answer.
    pub unread_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 1024,
            of_one_address: 256,
            head_time: Duration::from_secs(75),
            unread_time: Duration::from_secs(30),
        }
    }
}

/// Serves until `stop`, then lets the requests under way finish. Dropping it ends them.
pub async fn serve(
    socket: TcpListener,
    router: Router,
    account: Arc<HttpServer>,
    stop: CancellationToken,
) {
    let limits = Limits::default();
    let mut server = Server {
        room: Room::new(limits.connections, limits.of_one_address),
        limits,
        router,
        account,
        stop,
        connections: JoinSet::new(),
    };
    loop {
        tokio::select! {
            () = server.stop.cancelled() => break,
            Some(ended) = server.connections.join_next() => note_end(ended),
            accepted = socket.accept() => match accepted {
                Ok((stream, peer)) => server.take(stream, peer),
                Err(error) => {
                    tracing::error!(%error, "cannot accept an HTTP connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(socket);
    while let Some(ended) = server.connections.join_next().await {
        note_end(ended);
    }
}

struct Server {
    limits: Limits,
    room: Arc<Room>,
    router: Router,
    account: Arc<HttpServer>,
    stop: CancellationToken,
    connections: JoinSet<()>,
}

impl Server {
    fn take(&mut self, stream: TcpStream, peer: SocketAddr) {
        let place = match self.room.enter(peer.ip()) {
            Ok(place) => place,
            Err(full) => {
                tracing::debug!(%peer, "HTTP connection refused: there are too many");
                return self.account.refused(match full {
                    Full::All => HttpRefusal::Connections,
                    Full::Share => HttpRefusal::Address,
                });
            }
        };
        // An answer's last packet must not wait for the client's word on those before. Where
        // that cannot be set, the connection is about to end.
        let _ = stream.set_nodelay(true);
        let account = Arc::clone(&self.account);
        let open = Open::new(Arc::clone(&account));
        let router = Router::new().fallback_service(self.router.clone());
        let router = router.layer(Extension(Peer(peer.ip())));
        let (stop, limits) = (self.stop.clone(), self.limits);
        self.connections.spawn(async move {
            let ended = connection(stream, router, limits, stop).await;
            if let Err(error) = ended {
                if is_slow(&error) {
                    account.refused(HttpRefusal::Slow);
                }
                tracing::debug!(%peer, %error, "an HTTP connection ended early");
            }
            drop((place, open));
        });
    }
}

/// Counted as open until it is dropped.
struct Open(Arc<HttpServer>);

impl Open {
    fn new(account: Arc<HttpServer>) -> Self {
        account.connections.add(1);
        Open(account)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.sub(1);
    }
}

/// Answers the requests of one connection, until it ends or `stop` says so.
async fn connection<I>(
    io: I,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) -> hyper::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // HTTP/1.1 alone: nobody speaks HTTP/2 without TLS unasked, and what is not there needs
    // no bounds.
    let io = TokioIo::new(Stream::new(io, limits.unread_time, stop.clone()));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS_MAX)
        .serve_connection(io, TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

/// Whether the client took too long.
fn is_slow(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    error.is_timeout() || cause.is_some_and(|e: &io::Error| e.kind() == io::ErrorKind::TimedOut)
}

fn note_end(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "an HTTP connection failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::task::JoinHandle;
    use tokio::time::{Instant, sleep};

    /// More than the pipe between client and server holds.
    const LARGE: usize = 100_000;

    type Ended = JoinHandle<hyper::Result<()>>;

    fn connect(stop: &CancellationToken) -> (DuplexStream, Ended) {
        let (client, server) = duplex(1024);
        let router = Router::new()
            .route("/", get(async || "hello"))
            .route("/large", get(async || "x".repeat(LARGE)));
        let serving = connection(server, router, Limits::default(), stop.clone());
        (client, tokio::spawn(serving))
    }

    async fn answer(client: &mut DuplexStream, request: &str) -> String {
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"hello") && client.read_buf(&mut answer).await.unwrap() > 0 {}
        String::from_utf8(answer).unwrap()
    }

    const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

    #[tokio::test(start_paused = true)]
    async fn a_head_that_never_ends_does() {
        for head in ["", "G", "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "] {
            let (mut client, ended) = connect(&CancellationToken::new());
            let began = Instant::now();
            client.write_all(head.as_bytes()).await.unwrap();
            let dribble = async {
                while client.write_all(b"a").await.is_ok() {
                    sleep(Duration::from_secs(1)).await;
                }
            };
            let dribble = async {
                match head.is_empty() {
                    true => std::future::pending().await,
                    false => dribble.await,
                }
            };
            let ended = tokio::select! {
                ended = ended => ended.unwrap(),
                () = dribble => panic!("the client saw the end before the server"),
            };
            assert!(is_slow(&ended.unwrap_err()), "{head:?}");
            assert_eq!(began.elapsed().as_secs(), 75, "{head:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reports_once_a_minute_keeps_its_connection() {
        let (mut client, ended) = connect(&CancellationToken::new());
        for _ in 0..3 {
            assert!(
                answer(&mut client, REQUEST)
                    .await
                    .starts_with("HTTP/1.1 200")
            );
            sleep(Duration::from_secs(60)).await;
        }
        assert!(!ended.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_read_is_given_up() {
        let (mut client, ended) = connect(&CancellationToken::new());
        let began = Instant::now();
        let request = REQUEST.replace("/ ", "/large ");
        client.write_all(request.as_bytes()).await.unwrap();
        let ended = ended.await.unwrap();
        assert!(is_slow(&ended.unwrap_err()));
        assert_eq!(began.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_slowly_gets_all() {
        let (mut client, ended) = connect(&CancellationToken::new());
        let request = REQUEST
            .replace("/ ", "/large ")
            .replace("Host", "Connection: close\r\nHost");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut read = 0;
        loop {
            sleep(Duration::from_secs(20)).await;
            match client.read(&mut [0; 10_000]).await.unwrap() {
                0 => break,
                more => read += more,
            }
        }
        assert!(read > LARGE);
        ended.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_after_the_answer_is_read_for_a_while_so_that_the_answer_arrives() {
        let (mut client, ended) = connect(&CancellationToken::new());
        let began = Instant::now();
        let head = REQUEST.replace("GET", "POST");
        let head = head.replace("Host", &format!("Content-Length: {LARGE}\r\nHost"));
        client.write_all(head.as_bytes()).await.unwrap();
        // The pipe holds a hundredth of it: without a reader this would wait.
        client.write_all(&vec![b'x'; LARGE]).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 405"));
        // The client could still send.
        ended.await.unwrap().unwrap();
        assert_eq!(began.elapsed().as_secs(), 2);
    }

    #[tokio::test]
    async fn a_head_is_bounded_in_bytes_and_headers() {
        let long = REQUEST.replace("localhost", &"x".repeat(HEAD_BYTES));
        let many = REQUEST.replace("Host", &format!("{}Host", "X: y\r\n".repeat(HEADERS_MAX)));
        for request in [long, many] {
            let (mut client, _ended) = connect(&CancellationToken::new());
            let (mut receive, mut send) = tokio::io::split(&mut client);
            let mut answer = [0; 12];
            let (_, read) = tokio::join!(
                send.write_all(request.as_bytes()),
                receive.read_exact(&mut answer)
            );
            read.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 431");
        }
    }

    #[tokio::test]
    async fn an_idle_connection_ends_with_the_server() {
        let stop = CancellationToken::new();
        let (mut client, ended) = connect(&stop);
        assert!(answer(&mut client, REQUEST).await.ends_with("hello"));
        stop.cancel();
        ended.await.unwrap().unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    }
}
