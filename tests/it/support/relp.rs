//! A sender over RELP, as rsyslog's `omrelp` is one: it keeps what is not acknowledged, and
//! sends that again, first and in its order, over its next connection.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

/// Lines that may be under way, as with `omrelp`.
const WINDOW: usize = 128;

/// How long weir may take to read or to answer before the connection is given up.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Relp {
    source: IpAddr,
    target: SocketAddr,
    session: Option<Session>,
    /// Not acknowledged, in their order.
    kept: VecDeque<String>,
    /// Lines that have been written more than once, each time.
    pub repeated: u64,
    pub acknowledged: u64,
}

struct Session {
    stream: TcpStream,
    read: Vec<u8>,
    /// The number of the first line in `kept`.
    first: u32,
    /// How many lines of `kept` have been written in this session.
    written: usize,
}

impl Relp {
    /// `source` is the sender's own address. weir knows a sender by it, so that two senders
    /// need two.
    pub fn new(source: IpAddr, target: SocketAddr) -> Relp {
        Relp {
            source,
            target,
            session: None,
            kept: VecDeque::new(),
            repeated: 0,
            acknowledged: 0,
        }
    }

    /// Takes a line over, to be sent by [`Relp::drive`].
    pub fn push(&mut self, line: String) {
        self.kept.push_back(line);
    }

    /// How many lines are not acknowledged.
    pub fn waiting(&self) -> usize {
        self.kept.len()
    }

    /// Connects where there is no connection, writes what may be written, and waits for
    /// answers, but not for longer than this. A connection that breaks is made anew the
    /// next time.
    pub fn drive(&mut self, wait: Duration) {
        if self.try_drive(wait).is_err() {
            let written = self.session.take().map_or(0, |session| session.written);
            self.repeated += written as u64;
        }
    }

    /// Takes leave, if everything is acknowledged.
    pub fn close(mut self) {
        if let (0, Some(session)) = (self.kept.len(), &mut self.session) {
            // weir may be gone already.
            let _ = writeln!(session.stream, "{} close 0", session.first);
        }
    }

    fn try_drive(&mut self, wait: Duration) -> io::Result<()> {
        let session = match &mut self.session {
            Some(session) => session,
            none => none.insert(open(self.source, self.target)?),
        };
        let mut bytes = Vec::new();
        while session.written < self.kept.len().min(WINDOW) {
            let number = session.first + session.written as u32;
            let line = &self.kept[session.written];
            bytes.extend(format!("{number} syslog {} {line}\n", line.len()).into_bytes());
            session.written += 1;
        }
        session.stream.write_all(&bytes)?;
        if session.written == 0 {
            return Ok(());
        }
        session.stream.set_read_timeout(Some(wait))?;
        let mut buffer = [0; 16 * 1024];
        match session.stream.read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => session.read.extend_from_slice(&buffer[..length]),
            Err(e) if is_timeout(&e) => {}
            Err(e) => return Err(e),
        }
        while let Some((number, command, data)) = next_frame(&mut session.read)? {
            if command == "serverclose" {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let expected = (number, command.as_str()) == (session.first, "rsp");
            assert!(
                expected && session.written > 0 && data.starts_with("200"),
                "line {} is due, and weir says {number} {command} {data}",
                session.first
            );
            self.kept.pop_front();
            self.acknowledged += 1;
            session.first += 1;
            session.written -= 1;
        }
        Ok(())
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn open(source: IpAddr, target: SocketAddr) -> io::Result<Session> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(source, 0).into())?;
    socket.connect(&target.into())?;
    let mut stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let offers = "relp_version=0\nrelp_software=it\ncommands=syslog";
    stream.write_all(format!("1 open {} {offers}\n", offers.len()).as_bytes())?;
    let mut read = Vec::new();
    let answer = loop {
        if let Some((1, _, data)) = next_frame(&mut read)? {
            break data;
        }
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => read.extend_from_slice(&buffer[..length]),
        }
    };
    assert!(answer.starts_with("200"), "weir opens no session: {answer}");
    Ok(Session {
        stream,
        read,
        first: 2,
        written: 0,
    })
}

/// Takes `TXNR COMMAND LENGTH[ DATA]\n` off the front, if all of it is there.
fn next_frame(read: &mut Vec<u8>) -> io::Result<Option<(u32, String, String)>> {
    let bad = || io::Error::other("no RELP");
    // An empty frame has no space before its line feed.
    let mut spaces = (0..read.len()).filter(|at| matches!(read[*at], b' ' | b'\n'));
    let (Some(a), Some(b), Some(c)) = (spaces.next(), spaces.next(), spaces.next()) else {
        return Ok(None);
    };
    let text = |from: usize, to: usize| String::from_utf8_lossy(&read[from..to]).into_owned();
    let number = text(0, a).parse().map_err(|_| bad())?;
    let command = text(a + 1, b);
    let length: usize = text(b + 1, c).parse().map_err(|_| bad())?;
    let data = if length == 0 { c } else { c + 1 };
    let end = data + length;
    if read.len() <= end {
        return Ok(None);
    }
    if read[end] != b'\n' {
        return Err(bad());
    }
    let data = text(data, end);
    read.drain(..=end);
    Ok(Some((number, command, data)))
}

#[test]
fn frames_are_read_one_by_one() {
    let mut read = b"2 rsp 6 200 OK\n0 serverclose 0\n3 rsp 6 200".to_vec();
    let next = |read: &mut Vec<u8>| next_frame(read).expect("RELP");
    assert_eq!(next(&mut read), Some((2, "rsp".into(), "200 OK".into())));
    assert_eq!(
        next(&mut read),
        Some((0, "serverclose".into(), String::new()))
    );
    assert_eq!(next(&mut read), None);
    read.extend(b" OK\n");
    assert_eq!(next(&mut read), Some((3, "rsp".into(), "200 OK".into())));
    assert!(read.is_empty());
}
