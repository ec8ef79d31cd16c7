//! What commands print: whole texts on standard output, and foreign bytes that a terminal
//! must not obey.

use super::Failure;
use anyhow::Context;
use std::fmt;
use std::io::{self, BufWriter, StdoutLock, Write};

/// Standard output is told of so many bytes at once.
const WRITTEN_AT_ONCE: usize = 65_536;

/// Prints a text. Whoever closes the pipe has read enough.
pub fn print(text: &str) -> Result<(), Failure> {
    write(|out| out.write_all(text.as_bytes()))
}

/// The same for what is made while it is written.
pub fn write(
    what: impl FnOnce(&mut BufWriter<StdoutLock<'static>>) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut out = BufWriter::with_capacity(WRITTEN_AT_ONCE, io::stdout().lock());
    match what(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")?
        }
        _ => Ok(()),
    }
}

/// Bytes as they can be shown: control characters and what is not UTF-8 as escapes.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c.is_control() {
                    true => write!(f, "{}", c.escape_default())?,
                    false => write!(f, "{c}")?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing_by_a_log_line() {
        let line = b"a\xc3\xa9 \"\\\" \x1b[2J\t\xff\xc2\x9b";
        assert_eq!(Shown(line).to_string(), r#"aé "\" \u{1b}[2J\t\xff\u{9b}"#);
    }
}
