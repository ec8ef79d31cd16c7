//! Senders that do harm, on purpose or not, each beside one that does not: its lines arrive.

use crate::support::http::Metrics;
use crate::support::line::httplog;
use crate::support::{Weir, folder, now_millis, wait_for};
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::time::Duration;
use tempfile::TempDir;

/// For lines to arrive on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// Where the harm comes from; the good sender is at 127.0.0.1.
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// What the good sender sends.
const LINES: u64 = 2_000;

struct Site {
    weir: Weir,
    base: String,
    _folder: TempDir,
}

impl Site {
    fn new(listen: &str, limits: &str) -> Site {
        let config = format!(
            "listen: [{listen}]\nstate: state\nhttp: {{ address: \"127.0.0.1:0\" }}\n\
             limits: {{ {limits} }}\n"
        );
        let folder = folder(&[("weir.yaml", &config)]);
        let mut weir = Weir::serve(folder.path());
        Site {
            base: weir.http(),
            weir,
            _folder: folder,
        }
    }

    fn tcp(limits: &str) -> Site {
        Site::new("{ protocol: tcp, address: \"127.0.0.1:0\" }", limits)
    }

    fn metrics(&self) -> Metrics {
        Metrics::read(&self.base).expect("the metrics")
    }

    fn refused(&self, reason: &str) -> u64 {
        self.metrics().refused(reason)
    }

    /// Sends the good sender's lines, and waits until that many more than `before` are parsed.
    fn good_lines_arrive(&mut self, before: u64) {
        let mut sender = TcpStream::connect(self.weir.address("tcp")).expect("a connection");
        for _ in 0..LINES {
            sender.write_all(line().as_bytes()).expect("sent");
        }
        self.until_parsed(before + LINES);
    }

    fn until_parsed(&self, count: u64) {
        self.weir.until_parsed(&self.base, count, SOON);
    }
}

fn line() -> String {
    format!("{}\n", httplog("users", now_millis(), 12, 200))
}

/// A connection from that address.
fn connect_from(address: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let from = SocketAddr::from(SocketAddrV4::new(address, 0));
    socket.bind(&from.into()).expect("loopback");
    socket.connect(&to.into()).expect("a connection");
    socket.into()
}

fn is_ended(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(SOON)).expect("a timeout");
    match stream.read(&mut [0; 1]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn a_thousand_connections_from_one_address_leave_room_for_others() {
    let mut site = Site::tcp("connections: 300, connections_per_address: 100");
    let tcp = site.weir.address("tcp");
    let _held: Vec<_> = (0..1000)
        .map(|_| {
            let mut stream = connect_from(OTHER, tcp);
            // Refused ones may be closed already.
            let _ = stream.write_all(b"<134>the beginning of a line");
            stream
        })
        .collect();
    wait_for("all to be let in or refused", SOON, || {
        match site.refused("connections_per_address") {
            900 => Ok(()),
            refused => Err(format!("{refused} are refused")),
        }
    });
    site.good_lines_arrive(0);
    assert_eq!(site.refused("connections"), 0);
    let told = site
        .weir
        .log()
        .matches("limits.connections_per_address")
        .count();
    assert!(
        (1..200).contains(&told),
        "{told} lines in the log for 900 refusals"
    );
}

#[test]
fn one_that_dribbles_and_one_that_never_ends_its_line_disturb_nobody() {
    let mut site = Site::tcp("line_bytes: 4096");
    let tcp = site.weir.address("tcp");
    let mut endless = connect_from(OTHER, tcp);
    let mut dribbler = connect_from(OTHER, tcp);
    dribbler.set_nodelay(true).expect("no delay");
    endless
        .write_all(&vec![b'x'; 10_000_000])
        .expect("read and thrown away");
    let text = line();
    let (last, first) = text.as_bytes().split_last().expect("a line");
    for byte in first {
        dribbler.write_all(&[*byte]).expect("sent");
    }
    site.good_lines_arrive(0);
    // What was dribbled is a line in the end.
    dribbler.write_all(&[*last]).expect("sent");
    endless
        .write_all(format!("\n{}", line()).as_bytes())
        .expect("sent");
    site.until_parsed(LINES + 2);
}

#[test]
fn who_is_not_in_allow_is_refused_before_a_byte_is_read() {
    let allow = "allow: [\"127.0.0.1/32\", \"10.0.0.0/8\"]";
    let mut site = Site::new(
        &format!(
            "{{ protocol: tcp, address: \"127.0.0.1:0\", {allow} }}, \
             {{ protocol: udp, address: \"127.0.0.1:0\", {allow} }}"
        ),
        "series: 100",
    );
    let (tcp, udp) = (site.weir.address("tcp"), site.weir.address("udp"));
    let mut refused = connect_from(OTHER, tcp);
    let _ = refused.write_all(line().as_bytes());
    assert!(is_ended(&mut refused));
    for from in [OTHER, Ipv4Addr::LOCALHOST] {
        let socket = UdpSocket::bind((from, 0)).expect("a socket");
        for _ in 0..3 {
            socket
                .send_to(line().trim().as_bytes(), udp)
                .expect("loopback");
        }
    }
    site.until_parsed(3);
    site.good_lines_arrive(3);
    let metrics = site.metrics();
    let datagrams = metrics.sum("weir_datagrams_refused_total", "not_allowed");
    assert_eq!((site.refused("not_allowed"), datagrams), (1, 3));
    assert_eq!(metrics.received(), LINES + 3);
    let log = site.weir.log();
    assert!(log.contains("peer=127.0.0.2:"), "{log}");
}

#[test]
fn a_connection_that_is_idle_gives_its_room_to_another_and_only_then() {
    let mut site = Site::tcp("connections: 1, idle: 1s");
    let tcp = site.weir.address("tcp");
    let mut idle = connect_from(OTHER, tcp);
    idle.write_all(line().as_bytes()).expect("sent");
    site.until_parsed(1);
    wait_for("room for another", SOON, || {
        let mut sender = TcpStream::connect(tcp).map_err(|error| error.to_string())?;
        sender
            .write_all(line().as_bytes())
            .map_err(|error| error.to_string())?;
        match is_refused(&mut sender) {
            true => Err("it was refused".to_owned()),
            false => Ok(()),
        }
    });
    assert!(is_ended(&mut idle));
    site.until_parsed(2);
}

/// Whether it is closed at once.
fn is_refused(stream: &mut TcpStream) -> bool {
    let within = Some(Duration::from_millis(200));
    stream.set_read_timeout(within).expect("a timeout");
    !matches!(
        stream.read(&mut [0; 1]),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
    )
}
