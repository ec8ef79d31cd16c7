//! Real HAProxy in front of fifty services, asked by clients of many addresses, and what it
//! writes of that.

use super::services::{self, Request, Requests, SERVERS, Service, Then};
use crate::support::backend::Backend;
use crate::support::{RUNTIME, haproxy, ports, write};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

/// So much time for each line: HAProxy has company enough, and UDP loses nothing.
const BETWEEN: Duration = Duration::from_millis(4);

/// How long HAProxy may be silent before all that it has to say is there.
const SILENCE: Duration = Duration::from_secs(3);

/// The longest line that HAProxy writes by default, and some more.
const LINE_MAX: usize = 2048;

/// So many lines, give or take, in the order in which HAProxy wrote them, as they stand in a
/// log file that syslog writes: without their priority.
pub fn record(count: usize) -> Vec<String> {
    let log = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
    log.set_read_timeout(Some(SILENCE)).expect("a timeout");
    let log_port = log.local_addr().expect("it is bound").port();
    let writer = std::thread::spawn(move || received(&log));

    let services = services::all();
    let backend = Backend::start();
    let addresses: Vec<_> = services.iter().map(|_| here(ports::free())).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (config, ready) = (folder.path().join("haproxy.cfg"), here(ports::free()));
    write(
        &config,
        &configuration(&services, &addresses, &backend, log_port, ready),
    );
    let haproxy = haproxy::launch(&config, &[], ready)
        .unwrap_or_else(|stderr| panic!("haproxy did not start:\n{stderr}"));
    RUNTIME.block_on(drive(services, addresses, count));
    let lines = writer.join().expect("lines were received");
    drop(haproxy);
    lines
}

fn here(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// What comes until nothing does, without HAProxy's own messages.
fn received(log: &UdpSocket) -> Vec<String> {
    let mut lines = Vec::new();
    let mut buffer = [0; LINE_MAX];
    while let Ok(length) = log.recv(&mut buffer) {
        let line = std::str::from_utf8(&buffer[..length]).expect("HAProxy escapes what is no text");
        let (_priority, line) = line.split_once('>').expect("a priority");
        if line.contains("] ") && line.contains(" [") {
            lines.push(line.trim_end().to_owned());
        }
    }
    lines
}

fn configuration(
    services: &[Service],
    addresses: &[SocketAddr],
    backend: &Backend,
    log_port: u16,
    ready: SocketAddr,
) -> String {
    let backend = backend.address();
    let mut text = format!(
        "global
  log 127.0.0.1:{log_port} local0
  log-send-hostname lb1
  maxconn 2000
defaults
  mode http
  log global
  option httplog
  option abortonclose
  option redispatch 1
  retries 2
  timeout connect 300ms
  timeout queue 150ms
  timeout client 10s
  timeout server 1200ms
  timeout http-request 700ms
  timeout http-keep-alive 10s
frontend ready
  no log
  bind {ready}
"
    );
    for (service, address) in services.iter().zip(addresses) {
        let name = service.name;
        let maxconn = if service.queues { " maxconn 1" } else { "" };
        let _ = write!(
            text,
            "frontend {name}
  bind {address}
  capture request header X-Request-Id len 36
  capture request header User-Agent len 80
  http-request deny if {{ path_beg /admin }}
  http-request redirect location /new if {{ path_beg /old }}
  use_backend nobody if {{ path_beg /nobody }}
  use_backend refused if {{ path_beg /refused }}
  default_backend {name}
backend {name}
  balance roundrobin
"
        );
        for server in 1..=SERVERS {
            // Port 1 is taken by nobody: connections to it are refused at once.
            let to = match service.has_dead_server && server == SERVERS {
                true => here(1),
                false => backend,
            };
            let _ = writeln!(text, "  server {name}-{server} {to}{maxconn}");
        }
    }
    text += "backend nobody
  server gone 127.0.0.1:1 disabled
backend refused
  retries 1
  server down 127.0.0.1:1
";
    text
}

/// All clients at once, each evenly over the time.
async fn drive(services: Vec<Service>, addresses: Vec<SocketAddr>, count: usize) {
    let sent = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let span = BETWEEN * u32::try_from(count).expect("a few thousand lines");
    let mut clients = Vec::new();
    let mut seed = 0;
    for (service, address) in services.into_iter().zip(addresses) {
        let requests = (service.share * count as f64 / service.clients as f64).ceil() as u32;
        let service = Arc::new(service);
        for _ in 0..service.clients {
            seed += 1;
            let (service, sent) = (Arc::clone(&service), Arc::clone(&sent));
            clients.push(tokio::spawn(async move {
                let mut asked = Requests::new(&service, u64::from(seed));
                let mut kept = None;
                for request in 0..requests {
                    tokio::time::sleep_until(start + span * request / requests).await;
                    let from = address_of(seed * 1000 + request / 10);
                    let number = sent.fetch_add(1, Ordering::Relaxed);
                    ask(from, address, &asked.next(number), &mut kept)
                        .await
                        .unwrap_or_else(|e| panic!("{from} to {address}: {e}"));
                }
            }));
        }
    }
    for client in clients {
        if let Err(e) = client.await {
            panic!("a client of HAProxy failed: {e}");
        }
    }
}

/// One of loopback's 16 million addresses.
fn address_of(client: u32) -> Ipv4Addr {
    // The golden ratio's multiples are far from each other.
    let [_, a, b, c] = client.wrapping_mul(0x9e37_79b9).to_be_bytes();
    Ipv4Addr::new(127, a, b, c.clamp(1, 254))
}

async fn ask(
    from: Ipv4Addr,
    to: SocketAddr,
    request: &Request,
    kept: &mut Option<TcpStream>,
) -> std::io::Result<()> {
    let mut stream = match (request.then, kept.take()) {
        (Then::Keep, Some(stream)) => stream,
        _ => {
            let socket = TcpSocket::new_v4()?;
            socket.bind((from, 0).into())?;
            socket.connect(to).await?
        }
    };
    stream.write_all(&request.bytes).await?;
    match request.then {
        Then::Keep => {
            if read_answer(&mut stream).await? {
                *kept = Some(stream);
            }
        }
        Then::ReadToEnd => {
            // A connection that breaks has ended, too.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        Then::LeaveAfter(wait) => tokio::time::sleep(wait).await,
    }
    Ok(())
}

/// Reads one answer; whether the connection stays open.
async fn read_answer(stream: &mut TcpStream) -> std::io::Result<bool> {
    let mut bytes = Vec::new();
    while stream.read_buf(&mut bytes).await? > 0 {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"));
        // Without one nothing follows, as after a status of 204.
        let length = length.map_or(Ok(0), |value| value.trim().parse::<usize>());
        let length = length.map_err(std::io::Error::other)?;
        if bytes.len() >= end + 4 + length {
            return Ok(!head.contains("connection: close"));
        }
    }
    Ok(false)
}
