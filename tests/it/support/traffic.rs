//! Clients for HAProxy: ordinary ones, and every kind of odd one that leaves an
//! odd line in the log.

use super::RUNTIME;
use super::haproxy::{HTTP_SERVICES, Haproxy, TCP_SERVICE};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// How long the traffic lasts: long enough for several windows of one second,
/// slow enough that UDP loses nothing.
const SPAN: Duration = Duration::from_secs(4);

/// Clients at a time and requests of each, so that some windows hold more
/// samples than are kept exactly and others fewer.
const LOAD: [(&str, usize, usize); 5] = [
    ("users", 6, 130),
    ("offers", 4, 100),
    ("cards", 3, 60),
    ("payments", 2, 60),
    ("search", 2, 60),
];
const TCP_LOAD: (usize, usize) = (2, 60);

/// Runs all clients at once and answers how many lines HAProxy must log for them.
pub fn drive(haproxy: &Haproxy) -> u64 {
    let mut clients = Vec::new();
    for (service, count, requests) in LOAD {
        let addresses = haproxy.addresses(service);
        for client in 0..count {
            // The last client takes the last address: the one over IPv6, if any.
            let address = addresses[client * addresses.len() / count];
            clients.push((address, ordinary(client, requests)));
        }
    }
    for client in 0..TCP_LOAD.0 {
        let address = haproxy.addresses(TCP_SERVICE)[0];
        clients.push((address, alone(ordinary(client, TCP_LOAD.1))));
    }
    for (service, _) in HTTP_SERVICES {
        clients.push((haproxy.addresses(service)[0], odd()));
    }
    let lines = clients.iter().map(|(_, steps)| steps.len() as u64).sum();
    RUNTIME.block_on(async {
        let tasks: Vec<_> = clients
            .into_iter()
            .map(|(address, steps)| tokio::spawn(client(address, steps)))
            .collect();
        for task in tasks {
            if let Err(e) = task.await {
                panic!("a client of HAProxy failed: {e}");
            }
        }
    });
    lines
}

/// What a client sends; HAProxy logs one line for each.
struct Step {
    bytes: Vec<u8>,
    then: Then,
}

#[derive(Clone, Copy)]
enum Then {
    /// Reads the answer and keeps the connection.
    Keep,
    /// On a connection of its own: reads the answer and leaves.
    LeaveAfterAnswer,
    /// On a connection of its own: reads until the other side closes it.
    ReadToEnd,
    /// On a connection of its own: leaves without reading, after this wait.
    LeaveAfter(Duration),
}

/// Requests as services get them. What varies does so by position, so that every
/// run sends the same.
fn ordinary(client: usize, requests: usize) -> Vec<Step> {
    let request = |number: usize| {
        // The last step of a well-known 64-bit mixer (splitmix64's).
        let mixed = (client * 1009 + number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(0x94d0_49bb_1331_11eb) >> 31;
        let delay = match mixed % 100 {
            0 => 280 + mixed % 300,
            1..6 => 60 + mixed % 150,
            _ => mixed % 20,
        };
        let status = match mixed / 100 % 25 {
            0 => 500,
            1 => 503,
            2 | 3 => 404,
            4 => 201,
            _ => 200,
        };
        let (method, target, body) = match mixed / 2500 % 5 {
            0 => ("POST", "/v1/cards?user=7&kind=a%20b", "{\"amount\": 12}"),
            1 => ("GET", "/v1/search?q=caf%C3%A9&page=2&x={y}|[z]", ""),
            2 => ("PUT", "/v1/users/42/cards", "x"),
            _ => ("GET", "/health", ""),
        };
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: it\r\nx-delay: {delay}\r\nx-status: {status}\r\n\
             x-size: {}\r\nUser-Agent: it \"quoted\" {{braces}} | pipe \\ caf\u{e9}\r\n\
             X-Request-Id: {mixed:x}\r\nCookie: session={mixed:x}\r\nContent-Length: {}\r\n\r\n{body}",
            mixed % 4000,
            body.len()
        );
        Step {
            bytes: head.into_bytes(),
            then: Then::Keep,
        }
    };
    (0..requests).map(request).collect()
}

/// The same, with a connection for each: `option tcplog` has a line for each.
fn alone(steps: Vec<Step>) -> Vec<Step> {
    let close = |mut step: Step| {
        step.then = Then::LeaveAfterAnswer;
        step
    };
    steps.into_iter().map(close).collect()
}

fn odd() -> Vec<Step> {
    let read = |text: &str| Step {
        bytes: text.as_bytes().to_vec(),
        then: Then::ReadToEnd,
    };
    let leave = |text: &str, millis| Step {
        bytes: text.as_bytes().to_vec(),
        then: Then::LeaveAfter(Duration::from_millis(millis)),
    };
    vec![
        // No server to take it: <NOSRV>, 503.
        read("GET /nobody HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n"),
        // A server that refuses the connection: 503, SC.
        read("GET /refused HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n"),
        // Perhaps on the second server only: +1 retries.
        read("GET /second-try HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n"),
        read("GET /second-try HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n"),
        // A server that goes away instead of answering: 502, SH.
        read("GET / HTTP/1.1\r\nHost: it\r\nConnection: close\r\nx-drop: 1\r\n\r\n"),
        // Not HTTP at all: <BADREQ>, 400.
        read("\u{1}\u{2}\"}{ nonsense\r\n\r\n"),
        // Half a request: <BADREQ>, 408 after HAProxy's patience.
        read("GET /slow HT"),
        // A client that leaves before its request is whole, or before the answer.
        leave("GET /gone HT", 30),
        leave("GET / HTTP/1.1\r\nHost: it\r\nx-delay: 400\r\n\r\n", 50),
        leave(
            "POST / HTTP/1.1\r\nHost: it\r\nContent-Length: 900\r\n\r\nab",
            50,
        ),
        // A client that leaves in the middle of a long answer.
        leave("GET / HTTP/1.1\r\nHost: it\r\nx-size: 9000000\r\n\r\n", 50),
    ]
}

/// Takes its steps evenly over [`SPAN`], or as fast as it can where that is slower.
async fn client(address: SocketAddr, steps: Vec<Step>) {
    let start = Instant::now();
    let count = u32::try_from(steps.len()).expect("a list of steps");
    let mut kept = None;
    for (number, step) in (0..count).zip(steps) {
        tokio::time::sleep_until(start + SPAN * number / count).await;
        take(address, &step, &mut kept).await.unwrap_or_else(|e| {
            panic!("{address}: {e}: {:?}", String::from_utf8_lossy(&step.bytes))
        });
    }
}

async fn take(
    address: SocketAddr,
    step: &Step,
    kept: &mut Option<TcpStream>,
) -> std::io::Result<()> {
    let mut stream = match (step.then, kept.take()) {
        (Then::Keep, Some(stream)) => stream,
        _ => TcpStream::connect(address).await?,
    };
    stream.write_all(&step.bytes).await?;
    match step.then {
        Then::Keep => {
            if read_answer(&mut stream).await? {
                *kept = Some(stream);
            }
        }
        Then::LeaveAfterAnswer => {
            read_answer(&mut stream).await?;
        }
        Then::ReadToEnd => {
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
        }
        Then::LeaveAfter(wait) => tokio::time::sleep(wait).await,
    }
    Ok(())
}

/// Reads one answer with a `Content-Length`; whether the connection stays open.
async fn read_answer(stream: &mut TcpStream) -> std::io::Result<bool> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .and_then(|value| value.trim().parse::<usize>().ok());
            let length = length.unwrap_or_else(|| panic!("no length in {head:?}"));
            if bytes.len() >= end + 4 + length {
                return Ok(!head.contains("connection: close"));
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}
