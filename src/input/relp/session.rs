//! One session of RELP as the receiver sees it: bytes in, lines and answers out.
//!
//! Nothing here touches a socket. The answers are those that hold when the lines are kept:
//! they are to be written then, and not at all when the lines cannot be kept.
//!
//! No line is ever answered with an error: librelp forgets a line that was answered, with
//! whatever code, and sends again those that were not. So a sender that breaks the rules
//! loses its connection, and only what it cannot have by them is answered with 500.

use super::offers::{self, Unacceptable};
use super::push;
use super::reader::{Command, Malformed, Reader};
use crate::input::batch::Batch;
use crate::input::framing::trim_end;
use std::io::Write;
use thiserror::Error;

/// Transaction numbers go from 1 to this, and then from 1 again.
const TXNR_MAX: u32 = 999_999_999;

/// Bytes of the offers that a session is opened with. librelp sends some 90.
const OFFERS_MAX: usize = 4096;

/// What is said before the connection is closed, so that the sender need not find out.
const SERVERCLOSE: &[u8] = b"0 serverclose 0\n";

/// What some bytes brought, in its order.
#[derive(Debug, Default)]
pub struct Group {
    /// Lines, without the line ends that some senders add. Behind one that is cut stands
    /// the first byte that it lacks.
    pub batch: Batch,
    /// To be written once the lines are kept.
    pub answers: Vec<u8>,
}

/// Whether the session goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    More,
    /// The sender has closed it.
    Closed,
    /// The sender does not keep to the protocol.
    Refused(Violation),
}

/// What a sender does that the protocol does not allow.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Violation {
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("transaction {got} came where {expected} is due")]
    Txnr { expected: u32, got: u32 },
    #[error("a session begins with `open`, not with `{0}`")]
    NotOpen(String),
    #[error("the session cannot be opened: {0}")]
    Unacceptable(#[from] Unacceptable),
    #[error("there is no command `{0}`")]
    Command(String),
}

#[derive(Debug)]
pub struct Session {
    reader: Reader,
    state: State,
}

#[derive(Debug)]
struct State {
    line_max: usize,
    opened: bool,
    /// The number that is due.
    txnr: u32,
}

impl Session {
    /// No line will be longer than `line_max` bytes, which must not be 0.
    pub fn new(line_max: usize) -> Session {
        assert!(line_max > 0, "a line has at least one byte");
        Session {
            // One byte more tells that a line was longer.
            reader: Reader::new(OFFERS_MAX.max(line_max + 1)),
            state: State {
                line_max,
                opened: false,
                txnr: 1,
            },
        }
    }

    /// Reads bytes as they came, and appends what they bring to `group`. Unless the session
    /// goes on, the answers end with what there is to say at the end, bytes behind that are
    /// not read, and no more may be given.
    pub fn read(&mut self, mut bytes: &[u8], group: &mut Group) -> Next {
        loop {
            let next = match self.reader.next(&mut bytes) {
                Ok(None) => return Next::More,
                Ok(Some(command)) => self.state.obey(&command, group),
                Err(malformed) => Err(malformed.into()),
            };
            let end = match next {
                Ok(Next::More) => continue,
                Ok(end) => end,
                Err(violation) => Next::Refused(violation),
            };
            group.answers.extend_from_slice(SERVERCLOSE);
            return end;
        }
    }
}

impl State {
    fn obey(&mut self, command: &Command<'_>, group: &mut Group) -> Result<Next, Violation> {
        let Command { txnr, name, .. } = *command;
        let known = matches!(name, "open" | "syslog" | "close");
        if txnr == 0 && !known {
            // A hint, and none that concerns us. Hints are not answered.
            return Ok(Next::More);
        }
        if txnr != self.txnr {
            return Err(Violation::Txnr {
                expected: self.txnr,
                got: txnr,
            });
        }
        self.txnr = if txnr == TXNR_MAX { 1 } else { txnr + 1 };
        if !self.opened && name != "open" {
            return Err(Violation::NotOpen(name.to_owned()));
        }
        match name {
            // librelp may send it inside of a session too, and means nothing by it.
            "open" if self.opened => answer(group, txnr, "200 OK"),
            "open" => {
                if let Err(violation) = acceptable(command) {
                    answer(group, txnr, &format!("500 {violation}"));
                    return Err(violation.into());
                }
                self.opened = true;
                answer(group, txnr, &offers::accepted());
            }
            "syslog" => {
                let line = match command.data.get(..=self.line_max) {
                    // Its end is not here.
                    Some(beginning) if command.length > beginning.len() => beginning,
                    _ => trim_end(command.data),
                };
                push(&mut group.batch, line, self.line_max);
                answer(group, txnr, "200 OK");
            }
            "close" => {
                answer(group, txnr, "200 OK");
                return Ok(Next::Closed);
            }
            _ => {
                let violation = Violation::Command(name.to_owned());
                answer(group, txnr, &format!("500 {violation}"));
                return Err(violation);
            }
        }
        Ok(Next::More)
    }
}

fn acceptable(open: &Command<'_>) -> Result<(), Unacceptable> {
    if open.length > open.data.len() {
        return Err(Unacceptable::TooLong);
    }
    offers::check(open.data)
}

/// What is said when it is us who end the session.
pub fn farewell() -> &'static [u8] {
    SERVERCLOSE
}

fn answer(group: &mut Group, txnr: u32, text: &str) {
    let length = text.len();
    writeln!(group.answers, "{txnr} rsp {length} {text}").expect("a vector takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::relp::kept;
    use proptest::prelude::*;

    const OPEN: &str = "1 open 30 relp_version=0\ncommands=syslog\n";

    /// The lines, what they are cut at being marked with `|`; the answers; how it ended.
    type Read = (Vec<String>, String, Next);

    fn read(limit: usize, pieces: &[&[u8]]) -> Read {
        let mut session = Session::new(limit);
        let mut group = Group::default();
        let mut next = Next::More;
        for piece in pieces {
            next = session.read(piece, &mut group);
            if next != Next::More {
                break;
            }
        }
        let batch = &group.batch;
        let line = |frame| {
            let kept = kept(batch, frame).escape_ascii().to_string();
            format!("{kept}{}", if frame.cut { "|" } else { "" })
        };
        let lines = batch.frames.iter().map(line).collect();
        (lines, String::from_utf8(group.answers).unwrap(), next)
    }

    /// What comes after a session was opened with 1.
    fn opened(stream: &str) -> Read {
        let (lines, answers, next) = read(5, &[OPEN.as_bytes(), stream.as_bytes()]);
        let (_, opened, _) = read(5, &[OPEN.as_bytes()]);
        (lines, answers[opened.len()..].to_owned(), next)
    }

    #[test]
    fn a_session_as_rsyslog_has_it() {
        let (lines, answers, next) = read(
            100,
            &[
                b"1 open 86 relp_version=0\nrelp_software=librelp,1.2.14,http://librelp.adiscon.com\ncommands=syslog\n",
                b"2 syslog 6 <13>hi\n3 syslog 5 <13>!\n",
                b"4 close 0\n",
            ],
        );
        assert_eq!(lines, ["<13>hi", "<13>!"]);
        assert_eq!(next, Next::Closed);
        let software = format!("relp_software=weir,{}", env!("CARGO_PKG_VERSION"));
        let accepted = format!("200 OK\nrelp_version=0\n{software}\ncommands=syslog");
        let expected = format!(
            "1 rsp {} {accepted}\n2 rsp 6 200 OK\n3 rsp 6 200 OK\n4 rsp 6 200 OK\n0 serverclose 0\n",
            accepted.len()
        );
        assert_eq!(answers, expected);
    }

    #[test]
    fn lines_lose_their_ends_and_what_is_too_long() {
        for (stream, line) in [
            ("2 syslog 3 abc\n", "abc"),
            ("2 syslog 0\n", ""),
            ("2 syslog 3 \n\n\n\n", ""),
            ("2 syslog 5 abc\r\n\n", "abc"),
            ("2 syslog 5 abcde\n", "abcde"),
            ("2 syslog 6 abcde\n\n", "abcde"),
            ("2 syslog 6 abcdef\n", "abcdef|"),
            ("2 syslog 7 abcde\n\n\n", "abcde\\n|"),
            ("2 syslog 30 abcdefghijklmnopqrstuvwxyzabcd\n", "abcdef|"),
        ] {
            let (lines, answers, next) = opened(stream);
            assert_eq!(lines, [line], "{stream}");
            assert_eq!(answers, "2 rsp 6 200 OK\n", "{stream}");
            assert_eq!(next, Next::More, "{stream}");
        }
    }

    #[test]
    fn what_the_protocol_does_not_allow_ends_the_session() {
        use Violation::*;
        let version = Unacceptable(super::Unacceptable::Version);
        let long = Unacceptable(super::Unacceptable::TooLong);
        for (stream, error, expected) in [
            ("1 syslog 1 a\n", "", NotOpen("syslog".into())),
            ("1 close 0\n", "", NotOpen("close".into())),
            ("1 starttls 0\n", "", NotOpen("starttls".into())),
            (
                "2 open 1 x\n",
                "",
                Txnr {
                    expected: 1,
                    got: 2,
                },
            ),
            (
                "0 open 1 x\n",
                "",
                Txnr {
                    expected: 1,
                    got: 0,
                },
            ),
            ("GET / HTTP/1.1\r\n", "", Malformed(super::Malformed::Txnr)),
            (
                "1 open 1 x\n",
                "1 rsp 39 500 there is no offer of a relp_version\n",
                version,
            ),
            (
                "1 open 5000 XXX\n",
                "1 rsp 27 500 the offers are too long\n",
                long,
            ),
        ] {
            let stream = stream.replace("XXX", &"x".repeat(5000));
            let (lines, answers, next) = read(300, &[stream.as_bytes()]);
            assert!(lines.is_empty());
            assert_eq!(answers, format!("{error}0 serverclose 0\n"), "{stream}");
            assert_eq!(next, Next::Refused(expected), "{stream}");
        }
        for (stream, error, expected) in [
            (
                "2 syslog 1 a\n2 syslog 1 b\n",
                "2 rsp 6 200 OK\n",
                Txnr {
                    expected: 3,
                    got: 2,
                },
            ),
            (
                "4 syslog 1 a\n",
                "",
                Txnr {
                    expected: 2,
                    got: 4,
                },
            ),
            (
                "0 syslog 1 a\n",
                "",
                Txnr {
                    expected: 2,
                    got: 0,
                },
            ),
            ("2 syslog 1 ab\n", "", Malformed(super::Malformed::Trailer)),
            (
                "2 starttls 0\n",
                "2 rsp 34 500 there is no command `starttls`\n",
                Command("starttls".into()),
            ),
        ] {
            let (_, answers, next) = opened(stream);
            assert_eq!(answers, format!("{error}0 serverclose 0\n"), "{stream}");
            assert_eq!(next, Next::Refused(expected), "{stream}");
        }
    }

    #[test]
    fn hints_are_passed_over_and_a_second_open_changes_nothing() {
        let (lines, answers, next) = opened("0 bye 0\n2 open 1 x\n0 rsp 2 no\n3 syslog 1 a\n");
        assert_eq!(lines, ["a"]);
        assert_eq!(answers, "2 rsp 6 200 OK\n3 rsp 6 200 OK\n");
        assert_eq!(next, Next::More);
    }

    #[test]
    fn numbers_begin_again_behind_the_last_one() {
        let mut session = Session::new(9);
        session.state = State {
            txnr: TXNR_MAX,
            opened: true,
            line_max: 9,
        };
        let mut group = Group::default();
        let next = session.read(b"999999999 syslog 1 a\n1 syslog 1 b\n", &mut group);
        assert_eq!((next, group.batch.frames.len()), (Next::More, 2));
    }

    fn frame() -> impl Strategy<Value = Vec<u8>> {
        let name = prop_oneof![6 => Just("syslog"), 1 => Just("open"), 1 => Just("x")];
        let data = prop::collection::vec(any::<u8>(), 0..20);
        (name, data, prop::bool::weighted(0.1)).prop_map(|(name, data, hint)| {
            let txnr = if hint { "0" } else { "#" };
            let mut frame = format!("{txnr} {name} {}", data.len()).into_bytes();
            if !data.is_empty() {
                frame.push(b' ');
                frame.extend(data);
            }
            frame.push(b'\n');
            frame
        })
    }

    proptest! {
        #[test]
        fn any_pieces_read_alike(
            frames in prop::collection::vec(frame(), 0..12),
            junk in prop::collection::vec(any::<u8>(), 0..9),
            cuts in prop::collection::vec(1_usize..12, 1..5),
            limit in 1_usize..24,
        ) {
            let mut stream = OPEN.as_bytes().to_vec();
            for (i, frame) in frames.iter().enumerate() {
                if frame[0] == b'#' {
                    stream.extend((i + 2).to_string().into_bytes());
                    stream.extend(&frame[1..]);
                } else {
                    stream.extend(frame);
                }
            }
            stream.extend(junk);
            let whole = read(limit, &[&stream]);
            let mut pieces = Vec::new();
            let mut rest = &stream[..];
            for size in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, behind) = rest.split_at((*size).min(rest.len()));
                pieces.push(piece);
                rest = behind;
            }
            prop_assert_eq!(read(limit, &pieces), whole);
        }
    }
}
