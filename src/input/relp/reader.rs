//! Cuts bytes into RELP's frames: `TXNR SP COMMAND SP DATALEN [SP DATA] LF`.

use thiserror::Error;

/// The most digits of a number.
const DIGITS_MAX: u8 = 9;

/// The most letters of a command.
const COMMAND_MAX: usize = 32;

/// One frame, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Command<'a> {
    /// 0 to 999,999,999; 0 is a hint, which nobody answers.
    pub txnr: u32,
    /// One to 32 ASCII letters.
    pub name: &'a str,
    /// The beginning of the data, as much as the reader keeps.
    pub data: &'a [u8],
    /// Bytes of all data.
    pub length: usize,
}

/// Why bytes are no frame. The stream cannot be read on: nobody knows where the next one
/// begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    #[error("a frame begins with a number of at most {DIGITS_MAX} digits and a blank")]
    Txnr,
    #[error("a command is a word of at most {COMMAND_MAX} letters and a blank")]
    Command,
    #[error("the length of the data is a number of at most {DIGITS_MAX} digits")]
    Length,
    #[error("the data does not end with a line feed where its length says")]
    Trailer,
}

/// Reads one stream.
#[derive(Debug)]
pub(super) struct Reader {
    /// So many bytes of a frame's data are kept at most.
    keep: usize,
    at: At,
    txnr: Number,
    name: Vec<u8>,
    length: Number,
    data: Vec<u8>,
}

/// The part of a frame that the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Txnr,
    Name,
    Length,
    /// With so many bytes still to come.
    Data(usize),
    Trailer,
}

#[derive(Clone, Copy, Debug, Default)]
struct Number {
    digits: u8,
    value: u32,
}

impl Reader {
    pub fn new(keep: usize) -> Reader {
        Reader {
            keep,
            at: At::Txnr,
            txnr: Number::default(),
            name: Vec::with_capacity(COMMAND_MAX),
            length: Number::default(),
            data: Vec::new(),
        }
    }

    /// The next frame that ends in `bytes`, which then begins behind it; `None` when all
    /// bytes are taken and the frame is not complete.
    ///
    /// # Errors
    ///
    /// When the bytes are no frame. The reader is of no use afterwards.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Command<'_>>, Malformed> {
        if self.at == At::Txnr && self.txnr.digits == 0 {
            self.name.clear();
            self.length = Number::default();
            // A long line should not cost for ever.
            self.data.clear();
            self.data.shrink_to(READ_AGAIN);
        }
        while let [byte, rest @ ..] = *bytes {
            match self.at {
                At::Data(left) => {
                    let (part, rest) = bytes.split_at(left.min(bytes.len()));
                    let room = self.keep - self.data.len();
                    self.data.extend_from_slice(&part[..room.min(part.len())]);
                    *bytes = rest;
                    self.at = match left - part.len() {
                        0 => At::Trailer,
                        left => At::Data(left),
                    };
                    continue;
                }
                At::Trailer => {
                    if *byte != b'\n' {
                        return Err(Malformed::Trailer);
                    }
                    *bytes = rest;
                    return Ok(Some(self.command()));
                }
                At::Txnr => {
                    if self.txnr.ends(*byte).ok_or(Malformed::Txnr)? {
                        self.at = At::Name;
                    }
                }
                At::Name => match byte {
                    b' ' if !self.name.is_empty() => self.at = At::Length,
                    letter if letter.is_ascii_alphabetic() && self.name.len() < COMMAND_MAX => {
                        self.name.push(*letter);
                    }
                    _ => return Err(Malformed::Command),
                },
                At::Length => match (*byte, self.length) {
                    // Without data there is no blank either.
                    (b'\n', Number { digits, value: 0 }) if digits > 0 => {
                        self.at = At::Trailer;
                        continue;
                    }
                    (b' ', Number { value: 0, .. }) => return Err(Malformed::Length),
                    (byte, _) => {
                        if self.length.ends(byte).ok_or(Malformed::Length)? {
                            self.at = At::Data(self.length.value as usize);
                        }
                    }
                },
            }
            *bytes = rest;
        }
        Ok(None)
    }

    fn command(&mut self) -> Command<'_> {
        self.at = At::Txnr;
        Command {
            txnr: std::mem::take(&mut self.txnr).value,
            name: std::str::from_utf8(&self.name).expect("letters of ASCII"),
            data: &self.data,
            length: self.length.value as usize,
        }
    }
}

/// The data's buffer is kept up to this size.
const READ_AGAIN: usize = 64 * 1024;

impl Number {
    /// Takes a digit, or the blank behind the last one, which ends it; `None` for what is
    /// neither.
    fn ends(&mut self, byte: u8) -> Option<bool> {
        match byte {
            b' ' if self.digits > 0 => Some(true),
            b'0'..=b'9' if self.digits < DIGITS_MAX => {
                self.digits += 1;
                self.value = self.value * 10 + u32::from(byte - b'0');
                Some(false)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every frame as `txnr name length data`, and the error at the end if there is one.
    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let mut reader = Reader::new(4);
        let mut out = Vec::new();
        for piece in pieces {
            let mut bytes = *piece;
            loop {
                match reader.next(&mut bytes) {
                    Ok(Some(c)) => out.push(format!(
                        "{} {} {} {}",
                        c.txnr,
                        c.name,
                        c.length,
                        c.data.escape_ascii()
                    )),
                    Ok(None) => break,
                    Err(error) => {
                        out.push(format!("{error:?}"));
                        return out;
                    }
                }
            }
        }
        out
    }

    #[test]
    fn frames_are_read_however_they_are_cut() {
        for (stream, expected) in [
            (
                &b"1 open 3 a=b\n2 close 0\n"[..],
                &["1 open 3 a=b", "2 close 0 "][..],
            ),
            // The data may hold anything, and only its beginning is kept.
            (b"2 syslog 6 a\n b\0c\n", &["2 syslog 6 a\\n b"]),
            (
                b"999999999 syslog 1 x\n1 syslog 1 y\n",
                &["999999999 syslog 1 x", "1 syslog 1 y"],
            ),
            (b"0001 close 0\n", &["1 close 0 "]),
            (b"1 close 00\n", &["1 close 0 "]),
            (b"1 syslog 3 ab", &[]),
            (b"x", &["Txnr"]),
            (b" 1", &["Txnr"]),
            (b"1\n", &["Txnr"]),
            (b"1234567890 ", &["Txnr"]),
            (b"7 sys1og", &["Command"]),
            (b"7  1", &["Command"]),
            (b"7 abcdefghijklmnopqrstuvwxyzabcdefg", &["Command"]),
            (b"7 close \n", &["Length"]),
            (b"7 close 0 \n", &["Length"]),
            (b"7 syslog -1", &["Length"]),
            (b"7 syslog 3\n", &["Length"]),
            (b"7 syslog 1234567890 ", &["Length"]),
            (b"7 syslog 2 abc\n", &["Trailer"]),
            (b"7 close 0x", &["Length"]),
        ] {
            let text = stream.escape_ascii();
            assert_eq!(read(&[stream]), expected, "{text}");
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!(read(&bytes), expected, "{text}, byte by byte");
        }
    }

    #[test]
    fn long_data_is_not_kept() {
        let mut reader = Reader::new(10);
        let mut bytes = &b"1 syslog 900000000 "[..];
        assert_eq!(reader.next(&mut bytes), Ok(None));
        let piece = vec![b'x'; 1_000_000];
        for _ in 0..900 {
            let mut bytes = &piece[..];
            assert_eq!(reader.next(&mut bytes), Ok(None));
            assert!(reader.data.capacity() < 1000);
        }
        let mut bytes = &b"\n"[..];
        let command = reader.next(&mut bytes).unwrap().unwrap();
        assert_eq!((command.length, command.data.len()), (900_000_000, 10));
    }
}
