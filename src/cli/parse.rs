//! `weir parse`: events as JSON lines, and what was rejected.

use super::envelope::Envelope;
use super::frames::{Framing, Input, Numbered, Stopped, Visit};
use super::print::Shown;
use super::reading::{self, Reading};
use super::{Failure, load};
use crate::clock;
use crate::haproxy::{Json, Reject};
use crate::input::unframe;
use crate::rules::Service;
use crate::syslog::Message;
use crate::time::Timestamp;
use crate::{haproxy, syslog};
use anyhow::Context;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufWriter, Stderr, StdoutLock, Write};
use std::path::{Path, PathBuf};

/// As much of a rejected line as standard error shows.
const SHOWN: usize = 200;

#[derive(clap::Args)]
pub struct Arguments {
    /// The log file, or `-` for standard input [default: -]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// How the file's bytes become frames
    #[arg(long, value_enum, default_value = "lines")]
    framing: Framing,
    /// Print the syslog envelope too, and rejected frames among the events
    ///
    /// Adds `syslog: {protocol, facility, severity, timestamp, host, app, pid, msgid,
    /// structured_data, message}` to each event. A rejected frame is printed as
    /// {"reject": REASON, "syslog": {...}} in its place.
    #[arg(long)]
    envelope: bool,
    #[command(flatten)]
    reading: reading::Options,
    /// Write rejected frames as they came to this file, one a line
    ///
    /// A frame that holds a line feed is written with its length in front, as
    /// `--framing tcp` reads it.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Reading {
        config,
        haproxy,
        service,
        ..
    } = arguments.reading.load()?;
    let input = Input::open(arguments.file.as_deref())?;
    let rejects = arguments.rejects.as_deref();
    let mut parse = Parse {
        layers: Layers { haproxy, service },
        envelope: arguments.envelope.then(|| Stamps {
            now: clock::now(),
            zone: config.haproxy.timezone.clone(),
        }),
        name: input.name.clone(),
        framing: arguments.framing,
        limit: config.limits.line_bytes,
        out: BufWriter::new(io::stdout().lock()),
        told: BufWriter::new(io::stderr()),
        rejects: rejects
            .map(|path| Rejects::create(path, arguments.file.as_deref()))
            .transpose()?,
        frames: 0,
        cut: 0,
        rejected: [0; Reject::REASONS.len()],
    };
    let read = input.each(arguments.framing, config.limits.line_bytes, &mut parse);
    match read {
        Err(Stopped::Closed) => Ok(()),
        Err(Stopped::Failed(failure)) => Err(failure),
        Ok(()) => {
            parse.sum_up();
            Ok(())
        }
    }
}

/// What reads a frame.
struct Layers {
    haproxy: haproxy::Parser,
    service: Service,
}

/// What the stamps of envelopes are read by.
struct Stamps {
    now: Timestamp,
    zone: TimeZone,
}

struct Parse {
    layers: Layers,
    /// `None` where envelopes are not printed.
    envelope: Option<Stamps>,
    /// The input's.
    name: String,
    framing: Framing,
    limit: usize,
    out: BufWriter<StdoutLock<'static>>,
    told: BufWriter<Stderr>,
    rejects: Option<Rejects>,
    frames: u64,
    cut: u64,
    /// By [`Reject::index`].
    rejected: [u64; Reject::REASONS.len()],
}

/// One line of output.
#[derive(Serialize)]
struct Traffic<'a, 'b> {
    #[serde(flatten)]
    event: Json<'a, 'b>,
    #[serde(skip_serializing_if = "Option::is_none")]
    syslog: Option<Envelope<'a>>,
}

/// One line of output.
#[derive(Serialize)]
struct Rejected<'a> {
    reject: &'static str,
    syslog: Envelope<'a>,
}

impl Visit for Parse {
    fn frame(&mut self, frame: Numbered<'_>) -> Result<(), Stopped> {
        self.frames += 1;
        self.cut += u64::from(frame.cut);
        let message = syslog::parse(frame.bytes);
        let stamps = self.envelope.as_ref();
        let envelope = stamps.map(|stamps| Envelope::of(&message, stamps.now, &stamps.zone));
        let out = &mut self.out;
        match self.layers.haproxy.parse(&message, None) {
            Ok(event) => line(
                out,
                &Traffic {
                    event: Json {
                        event: &event,
                        service: self.layers.service.of(&event),
                    },
                    syslog: envelope,
                },
            ),
            Err(reject) => {
                self.rejected[reject.index()] += 1;
                match envelope {
                    Some(syslog) => {
                        let reject = reject.as_str();
                        line(out, &Rejected { reject, syslog })?;
                    }
                    None => self.tell(frame, &message, reject),
                }
                match &mut self.rejects {
                    Some(rejects) => rejects.write(frame.bytes),
                    None => Ok(()),
                }
            }
        }
    }

    fn pause(&mut self) -> Result<(), Stopped> {
        let _ = self.told.flush();
        if let Some(rejects) = &mut self.rejects {
            rejects.flush()?;
        }
        self.out.flush().map_err(stopped)
    }
}

impl Parse {
    /// Says what was rejected, where and why. Nobody need be listening.
    fn tell(&mut self, frame: Numbered<'_>, message: &Message<'_>, reject: Reject) {
        let place = match self.framing {
            Framing::Datagram => self.name.clone(),
            Framing::Lines => format!("{}:{}", self.name, frame.number),
            Framing::Tcp => format!("{}: frame {}", self.name, frame.number),
        };
        let reason = reject.as_str();
        let text = message.text.trim_ascii();
        let (text, more) = match text.get(..SHOWN) {
            Some(start) => (start, "…"),
            None => (text, ""),
        };
        let text = Shown(text);
        let told = &mut self.told;
        let _ = match reject {
            Reject::Empty => writeln!(told, "{place}: {reason}"),
            Reject::Malformed { .. } => writeln!(told, "{place}: {reason}, {reject}: {text}{more}"),
            Reject::NotTraffic | Reject::Ambiguous => {
                writeln!(told, "{place}: {reason}: {text}{more}")
            }
        };
    }

    /// Says how many frames were rejected or cut, if any.
    fn sum_up(&mut self) {
        let frames = match self.framing {
            Framing::Lines => "lines",
            Framing::Datagram | Framing::Tcp => "frames",
        };
        let told = &mut self.told;
        let rejected: u64 = self.rejected.iter().sum();
        if rejected > 0 {
            let reasons = Reject::REASONS.iter().zip(self.rejected);
            let reasons = reasons.filter(|(_, count)| *count > 0);
            let reasons: Vec<_> = reasons.map(|(reason, n)| format!("{n} {reason}")).collect();
            let reasons = reasons.join(", ");
            let all = self.frames;
            let _ = writeln!(told, "{rejected} of {all} {frames} rejected: {reasons}");
        }
        if self.cut > 0 {
            let (cut, limit) = (self.cut, self.limit);
            let _ = writeln!(
                told,
                "{cut} of {} {frames} cut: longer than {limit} bytes, or ended too early",
                self.frames
            );
        }
        let _ = told.flush();
    }
}

fn line(out: &mut impl Write, value: &impl Serialize) -> Result<(), Stopped> {
    serde_json::to_writer(&mut *out, value)
        .map_err(io::Error::from)
        .and_then(|()| out.write_all(b"\n"))
        .map_err(stopped)
}

fn stopped(error: io::Error) -> Stopped {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Stopped::Closed,
        _ => {
            let error = anyhow::Error::new(error).context("cannot write to standard output");
            Stopped::Failed(Failure::Run(error))
        }
    }
}

/// The file of rejected frames.
struct Rejects {
    name: String,
    file: BufWriter<File>,
}

impl Rejects {
    /// `input` must not be the same file: it would be emptied before it is read.
    fn create(path: &Path, input: Option<&Path>) -> Result<Rejects, Failure> {
        let name = path.display().to_string();
        let real = |path: &Path| path.canonicalize().ok();
        if let (Some(out), Some(input)) = (real(path), input.and_then(real))
            && out == input
        {
            return Err(load::unreadable(anyhow::anyhow!(
                "{name}: is what is read, so it cannot be written to\n\n\
                 hint: give --rejects another file"
            )));
        }
        let file = File::create(path).with_context(|| format!("{name}: cannot be written"))?;
        Ok(Rejects {
            name,
            file: BufWriter::new(file),
        })
    }

    fn write(&mut self, frame: &[u8]) -> Result<(), Stopped> {
        let written = unframe::write_frame(&mut self.file, frame);
        written.map_err(|error| failed(&self.name, error))
    }

    fn flush(&mut self) -> Result<(), Stopped> {
        let flushed = self.file.flush();
        flushed.map_err(|error| failed(&self.name, error))
    }
}

fn failed(name: &str, error: io::Error) -> Stopped {
    let error = anyhow::Error::new(error).context(format!("{name}: cannot be written"));
    Stopped::Failed(Failure::Run(error))
}
