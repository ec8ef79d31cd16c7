//! A file or standard input as frames, in bounded memory.

use super::{Failure, load};
use crate::input::framing::{Frame, Framer, SLACK, trim_end};
use crate::input::lines::Lines;
use clap::ValueEnum;
use memchr::memchr_iter;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What is read at once beyond the longest frame.
const CHUNK: usize = 256 * 1024;

/// How a file's bytes become frames
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Framing {
    /// Each line is a frame, as in a log file
    Lines,
    /// The whole file is one frame, as a UDP datagram is
    Datagram,
    /// The file is what one TCP connection brought: lines, or frames with their length
    /// in front
    Tcp,
}

/// One frame of a file.
#[derive(Clone, Copy, Debug)]
pub struct Numbered<'a> {
    pub bytes: &'a [u8],
    /// The line's number in the file, or the frame's, from 1.
    pub number: u64,
    /// It was longer than the limit, or its end is missing.
    pub cut: bool,
}

/// Why frames are not read to their end.
pub enum Stopped {
    /// Whoever reads what is printed has closed the pipe, and wants no more.
    Closed,
    Failed(Failure),
}

/// Where frames go.
pub trait Visit {
    fn frame(&mut self, frame: Numbered<'_>) -> Result<(), Stopped>;

    /// The next read may wait: what was printed so far should be seen.
    fn pause(&mut self) -> Result<(), Stopped>;
}

/// A file, or standard input where its path is `-` or there is none.
pub struct Input {
    /// Its path, or `-`.
    pub name: String,
    reader: Box<dyn Read>,
}

impl Input {
    pub fn open(path: Option<&Path>) -> Result<Input, Failure> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Input {
                name: "-".to_owned(),
                reader: Box::new(io::stdin().lock()),
            });
        };
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Ok(Input {
                name,
                reader: Box::new(file),
            }),
            Err(error) => Err(unreadable(&name, error)),
        }
    }

    /// Cuts everything into frames of at most `limit` bytes.
    pub fn each(
        self,
        framing: Framing,
        limit: usize,
        visit: &mut impl Visit,
    ) -> Result<(), Stopped> {
        match framing {
            Framing::Lines => self.stream(Cutter::Lines(Lines::new(limit)), limit, visit),
            Framing::Tcp => self.stream(Cutter::Tcp(Framer::new(limit)), limit, visit),
            Framing::Datagram => self.datagram(limit, visit),
        }
    }

    fn datagram(self, limit: usize, visit: &mut impl Visit) -> Result<(), Stopped> {
        let mut bytes = Vec::new();
        self.reader
            .take((limit + SLACK) as u64)
            .read_to_end(&mut bytes)
            .map_err(|error| unreadable(&self.name, error))?;
        let frame = trim_end(&bytes);
        visit.frame(Numbered {
            bytes: &frame[..frame.len().min(limit)],
            number: 1,
            cut: frame.len() > limit,
        })?;
        visit.pause()
    }

    fn stream(
        mut self,
        mut cutter: Cutter,
        limit: usize,
        visit: &mut impl Visit,
    ) -> Result<(), Stopped> {
        let mut buf = vec![0; limit + SLACK + CHUNK];
        let (mut filled, mut frames) = (0, Vec::new());
        let mut numbers = Numbers::of(&cutter);
        loop {
            let read = match self.reader.read(&mut buf[filled..]) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(unreadable(&self.name, error).into()),
            };
            filled += read;
            frames.clear();
            let done = match read {
                0 => {
                    frames.extend(cutter.finish(&buf[..filled]));
                    filled
                }
                _ => cutter.frames(&buf[..filled], &mut frames),
            };
            let mut passed = 0;
            for frame in &frames {
                numbers.pass(&buf[passed..frame.start]);
                passed = frame.start;
                visit.frame(Numbered {
                    bytes: &buf[frame.start..frame.end],
                    number: numbers.next(),
                    cut: frame.cut,
                })?;
            }
            numbers.pass(&buf[passed..done]);
            visit.pause()?;
            if read == 0 {
                return Ok(());
            }
            buf.copy_within(done..filled, 0);
            filled -= done;
        }
    }
}

enum Cutter {
    Lines(Lines),
    Tcp(Framer),
}

impl Cutter {
    fn frames(&mut self, buf: &[u8], out: &mut Vec<Frame>) -> usize {
        match self {
            Cutter::Lines(lines) => lines.frames(buf, out),
            Cutter::Tcp(framer) => framer.frames(buf, out),
        }
    }

    fn finish(&mut self, rest: &[u8]) -> Option<Frame> {
        match self {
            Cutter::Lines(lines) => lines.finish(rest),
            Cutter::Tcp(framer) => framer.finish(rest),
        }
    }
}

/// Numbers lines by the line feeds before them, since blank ones are no frames, and
/// other frames one by one.
struct Numbers {
    by_line: bool,
    number: u64,
}

impl Numbers {
    fn of(cutter: &Cutter) -> Numbers {
        let by_line = matches!(cutter, Cutter::Lines(_));
        Numbers {
            by_line,
            number: u64::from(by_line),
        }
    }

    fn pass(&mut self, bytes: &[u8]) {
        if self.by_line {
            self.number += memchr_iter(b'\n', bytes).count() as u64;
        }
    }

    fn next(&mut self) -> u64 {
        self.number += u64::from(!self.by_line);
        self.number
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Stopped::Failed(failure)
    }
}

fn unreadable(name: &str, error: io::Error) -> Failure {
    let error = anyhow::Error::new(error).context(format!("{name}: cannot be read"));
    load::unreadable(error)
}
