//! Who sends: one for each way in, with the ledger of what it has sent.

use super::LINE_BYTES;
use super::plan::{Burst, Kind, Outcome, WAYS, Way};
use crate::support::flaky::CURSED;
use crate::support::http::Metrics;
use crate::support::ledger::Ledger;
use crate::support::line::httplog_of;
use crate::support::relp::Relp;
use crate::support::tls::{self, Authority, Client, Identity};
use crate::support::{now_millis, wait_for};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// For RELP's answers on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// How far back late lines are dated, and those that are too late; and how far ahead those of
/// the future. In milliseconds.
const LATE: i64 = 30_000;
const TOO_LATE: i64 = 15 * 60_000;
const AHEAD: i64 = 10 * 60_000;

/// Bytes of datagrams that every kernel's receive buffer has room for.
const KERNEL_BUFFER: usize = 96 * 1024;

/// Lines over RELP that may be unacknowledged before more are written.
const UNACKNOWLEDGED: usize = 100;

#[derive(Clone, Copy)]
pub struct Addresses {
    /// For UDP and TCP.
    pub syslog: SocketAddr,
    pub tls: SocketAddr,
    pub relp: SocketAddr,
    pub http: SocketAddr,
}

pub struct Senders([Sender; 4]);

pub struct Sender {
    way: Way,
    connection: Connection,
    /// The lines that count in windows, and of these the cursed ones.
    ledger: Ledger,
    cursed: Ledger,
    /// Makes every other line differ from those before.
    number: u64,
    name: String,
}

enum Connection {
    Udp(Udp),
    Tcp(Option<TcpStream>, SocketAddr),
    Tls(Option<Box<Client>>, Tls),
    Relp(Relp),
}

/// Over UDP nothing slows a sender down, so it looks itself how far weir is: the kernel's buffer
/// may be small, and what it drops is no kill's doing.
struct Udp {
    socket: UdpSocket,
    target: SocketAddr,
    /// Where weir says how far it is.
    base: String,
    /// Since weir was started.
    sent: u64,
    /// Bytes that the kernel may need for what was sent since weir was asked.
    in_buffer: usize,
}

struct Tls {
    address: SocketAddr,
    authority: Arc<Authority>,
    identity: Identity,
}

/// What was sent in a round.
#[derive(Debug)]
pub struct Wrote {
    pub lines: BTreeMap<Outcome, u64>,
    /// A kill may lose it.
    pub may_be_lost: bool,
}

impl Senders {
    pub fn new(addresses: Addresses, authority: &Arc<Authority>) -> Senders {
        Senders(WAYS.map(|way| {
            let connection = match way {
                Way::Udp => Connection::Udp(Udp {
                    socket: UdpSocket::bind("127.0.0.1:0").expect("a UDP socket"),
                    target: addresses.syslog,
                    base: format!("http://{}", addresses.http),
                    sent: 0,
                    in_buffer: 0,
                }),
                Way::Tcp => Connection::Tcp(None, addresses.syslog),
                Way::Tls => Connection::Tls(
                    None,
                    Tls {
                        address: addresses.tls,
                        authority: Arc::clone(authority),
                        identity: authority.sign("sender-1"),
                    },
                ),
                Way::Relp => Connection::Relp(Relp::new(
                    Ipv4Addr::new(127, 0, 0, 2).into(),
                    addresses.relp,
                )),
            };
            let name = format!("{way:?}").to_lowercase();
            Sender {
                way,
                connection,
                ledger: Ledger::new(&name),
                cursed: Ledger::new(&format!("{CURSED}-{name}")),
                number: 0,
                name,
            }
        }))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Sender> {
        self.0.iter_mut()
    }

    /// Every ledger and whose it is; the cursed ones have that name.
    pub fn ledgers(&self) -> impl Iterator<Item = (&str, &Ledger)> {
        self.0.iter().flat_map(|sender| {
            [
                (sender.name.as_str(), &sender.ledger),
                (CURSED, &sender.cursed),
            ]
        })
    }

    /// How many lines there are in each ledger.
    pub fn lengths(&self) -> Vec<usize> {
        self.ledgers()
            .map(|(_, ledger)| ledger.lines.len())
            .collect()
    }

    /// Whether a kill may lose lines of that ledger.
    pub fn may_lose(&self, ledger: usize) -> bool {
        self.0[ledger / 2].way != Way::Relp
    }

    /// Connects those that are not; weir listens.
    pub fn connect(&mut self) {
        for sender in &mut self.0 {
            match &mut sender.connection {
                Connection::Tcp(stream @ None, address) => {
                    let connected = TcpStream::connect(*address).expect("weir listens");
                    at_once(&connected);
                    *stream = Some(connected);
                }
                Connection::Tls(client @ None, tls) => {
                    let connected = tls::connect(tls.address, &tls.authority, Some(&tls.identity));
                    let connected = connected.expect("weir lets it in");
                    at_once(&connected.sock);
                    *client = Some(Box::new(connected));
                }
                _ => {}
            }
        }
    }

    /// Ends the connections of those that would not notice that there is another weir.
    pub fn disconnect(&mut self) {
        for sender in &mut self.0 {
            match &mut sender.connection {
                Connection::Tcp(stream, _) => *stream = None,
                Connection::Tls(client, _) => {
                    if let Some(mut client) = client.take() {
                        client.conn.send_close_notify();
                        // weir may be gone already.
                        let _ = client.conn.complete_io(&mut client.sock);
                    }
                }
                Connection::Udp(udp) => (udp.sent, udp.in_buffer) = (0, 0),
                Connection::Relp(_) => {}
            }
        }
    }

    /// Sends over RELP what is not acknowledged yet, until it is.
    pub fn finish_relp(&mut self) {
        for sender in &mut self.0 {
            if let Connection::Relp(relp) = &mut sender.connection {
                finish(relp);
            }
        }
    }
}

/// Without waiting for what was sent before to arrive: when a line is written weir's kernel has
/// it, and a weir that stops then reads it.
fn at_once(stream: &TcpStream) {
    stream.set_nodelay(true).expect("a TCP socket");
}

fn finish(relp: &mut Relp) {
    wait_for("every line to be acknowledged", SOON, || {
        relp.drive(Duration::from_millis(20));
        match relp.waiting() {
            0 => Ok(()),
            n => Err(format!("{n} are not")),
        }
    });
}

impl Sender {
    /// Sends these, one behind the other. Where weir is killed meanwhile it stops when it
    /// notices.
    pub fn send(&mut self, bursts: &[Burst], is_killed: bool) -> Wrote {
        let mut wrote = Wrote {
            lines: BTreeMap::new(),
            may_be_lost: self.way != Way::Relp,
        };
        for burst in bursts {
            for _ in 0..burst.lines {
                let line = self.line(burst.kind);
                // What is half written when weir is killed is sent, and lost.
                for outcome in burst.kind.outcomes() {
                    *wrote.lines.entry(*outcome).or_default() += 1;
                }
                if let Err(error) = self.connection.write(&line) {
                    assert!(is_killed, "{}: {error}", self.name);
                    return wrote;
                }
            }
        }
        match &mut self.connection {
            Connection::Relp(relp) if !is_killed => finish(relp),
            _ => {}
        }
        wrote
    }

    /// The next line of this kind, which differs from all before unless it is empty.
    fn line(&mut self, kind: Kind) -> String {
        self.number += 1;
        let (name, number, now) = (&self.name, self.number, now_millis());
        let dated = |service: &str, end| httplog_of(service, end, 0, 200, number);
        // The envelope, with the text of another program.
        let by = |program: &str, text: String| {
            let line = dated(name, now);
            let envelope = line.find("haproxy[").map_or("", |at| &line[..at]);
            format!("{envelope}{program}: {text}")
        };
        match kind {
            Kind::Good => self.ledger.write(0),
            Kind::Late => self.ledger.write(LATE),
            Kind::Cursed => self.cursed.write(0),
            Kind::TooLate => dated(name, now - TOO_LATE),
            Kind::Future => dated(name, now + AHEAD),
            Kind::Unwanted => dated("unwanted", now),
            Kind::Notice => by(
                "haproxy[7]",
                format!("Server {name}/s{number} is DOWN, reason: Layer4 timeout."),
            ),
            Kind::Foreign => by("sshd[1]", format!("session {number} opened")),
            Kind::Damaged => dated(name, now).replace(" 200 ", " two-hundred "),
            Kind::Oversized => format!("<134>{number} {}", "x".repeat(3 * LINE_BYTES)),
            Kind::Empty => String::new(),
        }
    }
}

impl Udp {
    fn write(&mut self, line: &str) -> std::io::Result<()> {
        let needed = 1024 + 2 * line.len();
        if self.in_buffer + needed > KERNEL_BUFFER {
            let end = Instant::now() + SOON;
            // Fails where weir is killed.
            while self.received()? < self.sent {
                assert!(Instant::now() < end, "weir does not read datagrams");
            }
            self.in_buffer = 0;
        }
        self.in_buffer += needed;
        self.sent += 1;
        // Refused where nobody listens any more.
        let _ = self.socket.send_to(line.as_bytes(), self.target);
        Ok(())
    }

    fn received(&self) -> std::io::Result<u64> {
        let metrics = Metrics::read(&self.base).map_err(std::io::Error::other)?;
        Ok(metrics.sum("weir_lines_received_total", "protocol=\"udp\""))
    }
}

impl Connection {
    fn write(&mut self, line: &str) -> std::io::Result<()> {
        let gone = || std::io::Error::from(std::io::ErrorKind::NotConnected);
        match self {
            Connection::Udp(udp) => udp.write(line),
            Connection::Tcp(stream, _) => {
                let stream = stream.as_mut().ok_or_else(gone)?;
                stream.write_all(format!("{line}\n").as_bytes())
            }
            Connection::Tls(client, _) => {
                let client = client.as_mut().ok_or_else(gone)?;
                client.write_all(format!("{} {line}", line.len()).as_bytes())?;
                client.flush()
            }
            Connection::Relp(relp) => {
                relp.push(line.to_owned());
                if relp.waiting() >= UNACKNOWLEDGED {
                    relp.drive(Duration::from_millis(5));
                }
                Ok(())
            }
        }
    }
}
