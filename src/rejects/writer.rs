//! Whole rejected lines on their way from workers to the file.

use super::file::{Appended, RotatingFile};
use super::{LINES_BYTES, Lines};
use crate::clock;
use crate::telemetry::RejectsFile;
use crate::time::Timestamp;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Bytes that may wait to be written: 64 hand-overs of the usual size. What comes
/// when there is no room is dropped and counted.
const WAITING_BYTES: usize = 64 * LINES_BYTES;

/// Between two tries while the file cannot be written.
const RETRY: Duration = Duration::from_secs(1);

/// Between two log lines about the same trouble.
const QUIET: Duration = Duration::from_secs(60);

/// Lines on their way, with the room that they take.
struct Chunk {
    bytes: Vec<u8>,
    frames: u64,
    _room: OwnedSemaphorePermit,
}

/// The workers' end.
#[derive(Clone)]
pub struct Outlet {
    chunks: mpsc::UnboundedSender<Chunk>,
    room: Arc<Semaphore>,
    counters: Arc<RejectsFile>,
}

impl Outlet {
    /// Takes the lines, and never waits: where there is no room for them, they are
    /// dropped and counted. They are empty afterwards.
    pub(super) fn send(&self, lines: &mut Lines) {
        let frames = std::mem::take(&mut lines.frames);
        // Lines of more than all the room still pass, alone.
        let bytes = lines.bytes.len().min(WAITING_BYTES) as u32;
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(bytes) else {
            lines.bytes.clear();
            return self.counters.unwritten.add(frames);
        };
        let chunk = Chunk {
            bytes: std::mem::take(&mut lines.bytes),
            frames,
            _room: room,
        };
        // Queued first: a line is never seen to be rejected and nowhere.
        self.counters.queued.add(frames);
        if self.chunks.send(chunk).is_err() {
            // The writer ends after the last outlet, or by a defect.
            self.counters.queued.sub(frames);
            self.counters.unwritten.add(frames);
        }
    }
}

/// The file's end: its one owner.
pub struct Writer {
    file: RotatingFile,
    chunks: mpsc::UnboundedReceiver<Chunk>,
    counters: Arc<RejectsFile>,
    trouble: Trouble,
}

impl Writer {
    /// A writer, and the outlet whose clones feed it.
    pub fn new(file: RotatingFile, counters: Arc<RejectsFile>) -> (Outlet, Writer) {
        let (sender, chunks) = mpsc::unbounded_channel();
        let outlet = Outlet {
            chunks: sender,
            room: Arc::new(Semaphore::new(WAITING_BYTES)),
            counters: Arc::clone(&counters),
        };
        let writer = Writer {
            file,
            chunks,
            counters,
            trouble: Trouble::default(),
        };
        (outlet, writer)
    }

    /// Writes until every outlet is gone and all that they sent is written, or cannot be
    /// and is counted.
    pub async fn run(mut self) {
        while let Some(mut chunk) = self.chunks.recv().await {
            let written = loop {
                let wrote;
                (self.file, chunk, wrote) = write(self.file, chunk).await;
                let ok = wrote.is_ok();
                self.tell(wrote);
                // Without an outlet weir is stopping: there is no time for another try.
                if ok || self.chunks.sender_strong_count() == 0 {
                    break ok;
                }
                tokio::time::sleep(RETRY).await;
            };
            let counter = match written {
                true => &self.counters.written,
                false => &self.counters.unwritten,
            };
            counter.add(chunk.frames);
            self.counters.queued.sub(chunk.frames);
        }
        self.tell_unwritten(|_| true);
    }

    /// Notes how it went, and logs trouble.
    fn tell(&mut self, wrote: io::Result<Appended>) {
        let path = self.file.path().display();
        let now = clock::now();
        match wrote {
            Err(error) => {
                self.counters.failed(error.to_string());
                if self.trouble.failing.is_due(now) {
                    tracing::error!(%path, %error, "rejected lines cannot be written");
                }
            }
            Ok(appended) => {
                self.counters.succeeded();
                if appended == Appended::OldestDeleted && self.trouble.deleting.is_due(now) {
                    tracing::warn!(%path, "the oldest file of rejected lines was deleted to make room");
                }
            }
        }
        self.tell_unwritten(|trouble| trouble.unwritten.is_due(now));
    }

    /// Logs how many lines are in no file, if there are more than was said last.
    fn tell_unwritten(&mut self, is_due: impl FnOnce(&mut Trouble) -> bool) {
        let lines = self.counters.unwritten.get() - self.trouble.told;
        if lines > 0 && is_due(&mut self.trouble) {
            self.trouble.told += lines;
            let path = self.file.path().display();
            tracing::error!(%path, lines, "rejected lines are in no file: too many were waiting to \
                 be written, or the file could not be written until the end");
        }
    }
}

/// One append, on a thread that may wait for the disk.
async fn write(
    mut file: RotatingFile,
    chunk: Chunk,
) -> (RotatingFile, Chunk, io::Result<Appended>) {
    let append = move || {
        let wrote = match chunk.bytes.as_slice() {
            // Empty frames alone: there is nothing of them to write.
            [] => Ok(Appended::Simply),
            lines => file.append(lines),
        };
        (file, chunk, wrote)
    };
    match tokio::task::spawn_blocking(append).await {
        Ok(done) => done,
        // The supervisor notices, as with any other part.
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is at its end, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// What was last logged of each trouble.
#[derive(Default)]
struct Trouble {
    failing: Told,
    deleting: Told,
    unwritten: Told,
    /// Unwritten lines that the log has told of.
    told: u64,
}

/// When something was last logged, so that it is not logged for each line.
#[derive(Default)]
struct Told(Option<Timestamp>);

impl Told {
    fn is_due(&mut self, now: Timestamp) -> bool {
        // A clock that was set back must not silence the log for long.
        let due = self
            .0
            .is_none_or(|told| now < told || now.saturating_since(told) >= QUIET);
        if due {
            self.0 = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haproxy::Reject;
    use crate::rejects::{FILE_BYTES, FILES, Rejects, Takers};
    use crate::telemetry::Telemetry;
    use std::path::Path;

    /// A writer to `rejects.log` of the folder.
    fn writer(folder: &Path) -> (Outlet, Writer, Arc<RejectsFile>) {
        let path = folder.join("rejects.log");
        let file = RotatingFile::open(path, FILE_BYTES, FILES).unwrap();
        let telemetry = Telemetry::new(Timestamp::from_secs(0));
        let counters = telemetry.rejects_file("rejects.log".to_owned());
        let (outlet, writer) = Writer::new(file, Arc::clone(&counters));
        (outlet, writer, counters)
    }

    /// Hands over these frames as a worker does.
    fn send(outlet: &Outlet, frames: &[&[u8]]) {
        let takers = Takers {
            outlet: Some(outlet.clone()),
            ..Takers::default()
        };
        let mut rejects = Rejects::for_takers(&takers);
        for frame in frames {
            let received_at = Timestamp::from_secs(0);
            rejects.push(received_at, frame, frame.len(), Reject::NotTraffic);
        }
        rejects.hand_over(&takers);
        assert!(!rejects.is_full());
    }

    /// Written, unwritten, queued.
    fn counts(counters: &RejectsFile) -> [u64; 3] {
        [&counters.written, &counters.unwritten, &counters.queued].map(|counter| counter.get())
    }

    #[tokio::test]
    async fn what_was_sent_is_written_whole_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let (outlet, writer, counters) = writer(folder.path());
        let long = vec![b'x'; 3 * LINES_BYTES];
        send(&outlet, &[b"one", b"", b"<1>two\nlines"]);
        send(&outlet, &[b""]);
        send(&outlet.clone(), &[&long]);
        assert_eq!(counts(&counters), [0, 0, 5]);
        drop(outlet);
        writer.run().await;
        let written = std::fs::read(folder.path().join("rejects.log")).unwrap();
        let expected = [b"one\n12 <1>two\nlines\n", &long[..], b"\n"].concat();
        assert!(written == expected, "{} bytes", written.len());
        assert_eq!(counts(&counters), [5, 0, 0]);
    }

    #[tokio::test]
    async fn what_has_no_room_is_dropped_and_counted_and_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        let (outlet, writer, counters) = writer(folder.path());
        let frame = vec![b'x'; LINES_BYTES - 1];
        for _ in 0..70 {
            send(&outlet, &[&frame]);
        }
        assert_eq!(counts(&counters), [0, 6, 64]);
        drop(outlet);
        writer.run().await;
        assert_eq!(counts(&counters), [64, 6, 0]);
    }

    #[tokio::test]
    async fn one_frame_of_more_than_all_the_room_passes() {
        let folder = tempfile::tempdir().unwrap();
        let (outlet, writer, counters) = writer(folder.path());
        send(&outlet, &[&vec![b'x'; WAITING_BYTES + 1]]);
        drop(outlet);
        writer.run().await;
        assert_eq!(counts(&counters), [1, 0, 0]);
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_costs_lines_and_says_so() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("logs");
        std::fs::create_dir(&folder).unwrap();
        let (outlet, writer, counters) = writer(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        send(&outlet, &[b"one", b"two"]);
        send(&outlet, &[b"three"]);
        drop(outlet);
        writer.run().await;
        assert_eq!(counts(&counters), [0, 3, 0]);
        assert!(!counters.failure().is_empty());
    }

    #[test]
    fn the_same_trouble_is_logged_once_a_minute() {
        let mut told = Told::default();
        for (second, due) in [
            (100, true),
            (159, false),
            (160, true),
            (161, false),
            (50, true),
        ] {
            assert_eq!(told.is_due(Timestamp::from_secs(second)), due, "{second}");
        }
    }
}
