//! A replay that is told to stop: it reads no further, and says what it has.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How often a reader that waits for a pipe looks whether it shall stop, in milliseconds.
const LOOK_EVERY: u16 = 100;

/// Set once, by whoever is asked to stop the replay.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a reader gave up: it was told to.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
struct Stopped;

/// Whether reading ended because it was to stop.
pub fn is_stopped(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Stopped>())
}

/// Reads from a pipe, whose writer may have nothing to say for ever.
pub struct Waiting<R> {
    pub reader: R,
    pub stop: Stop,
}

impl<R: Read + AsFd> Read for Waiting<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.stop.is_set() {
                return Err(io::Error::other(Stopped));
            }
            let mut wanted = [PollFd::new(self.reader.as_fd(), PollFlags::POLLIN)];
            match poll(&mut wanted, PollTimeout::from(LOOK_EVERY)) {
                Ok(0) | Err(nix::errno::Errno::EINTR) => {}
                Ok(_) => return self.reader.read(buf),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_pipe_is_read_until_it_is_to_stop_though_its_writer_lives() {
        let (reader, mut writer) = io::pipe().unwrap();
        let stop = Stop::default();
        let mut waiting = Waiting {
            reader,
            stop: stop.clone(),
        };
        writer.write_all(b"one").unwrap();
        let mut buf = [0; 8];
        assert_eq!(waiting.read(&mut buf).unwrap(), 3);
        stop.set();
        let error = waiting.read(&mut buf).unwrap_err();
        assert!(is_stopped(&error));
        assert!(!is_stopped(&io::Error::other("broken")));
    }

    #[test]
    fn a_pipe_ends_when_its_writer_does() {
        let (reader, writer) = io::pipe().unwrap();
        drop(writer);
        let stop = Stop::default();
        assert_eq!(Waiting { reader, stop }.read(&mut [0; 8]).unwrap(), 0);
    }
}
