//! One sender's connection: reads, keeps, hands on, and answers.
//!
//! While a group of lines is on its way to the disk the next one is read, so a sender with
//! many lines under way never waits for more than the write before its own. Two groups are
//! under way at most; then nothing is read, and the sender's window and the kernel's buffers
//! slow it down.

use super::kept;
use super::resent::Resent;
use super::session::{Group, Next, Session, farewell};
use crate::checkpoint::{Keeper, NotKept, Record};
use crate::clock;
use crate::input::batch::{Batch, Dispatcher};
use crate::telemetry::{Listener, Telemetry};
use crate::time::Timestamp;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The room for one read.
const READ_BYTES: usize = 16 * 1024;

/// With so much in a group nothing is read until the one before is kept. What one read
/// brings goes beyond.
const GROUP_BYTES: usize = 256 * 1024;
const GROUP_LINES: usize = 1024;

/// A group of lines that may have been sent again holds so much while that is not known: all
/// that a sender with rsyslog's window (128 lines) has under way, at 8 KiB each.
const HELD_BYTES: usize = 1024 * 1024;

/// How long they are held. What a sender sends again it sends at once.
const HELD_FOR: Duration = Duration::from_secs(5);

/// With so many answers that the sender does not take nothing is read any more.
const ANSWERS_BYTES: usize = 64 * 1024;

/// The pause after the journal could not be written.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// How long lines are held that cannot be kept. librelp waits 90 s for an answer before it
/// gives up and sends them again: by then they must have been let go of here, or they would
/// count twice.
const HOLD: Duration = Duration::from_secs(30);

/// How long a sender has to take the last answers.
const FAREWELL_WITHIN: Duration = Duration::from_secs(5);

/// What all senders' lines go through.
#[derive(Clone)]
pub struct Receiver {
    /// Bytes of the longest line; what is longer is cut.
    pub line_max: usize,
    pub keeper: Keeper,
    pub dispatcher: Dispatcher,
    pub listener: Arc<Listener>,
    pub telemetry: Arc<Telemetry>,
}

/// Why nothing more is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The sender has said so.
    Closed,
    /// It is gone, or cannot be read or written.
    Gone,
    /// It does not keep to the protocol.
    Refused,
    /// Weir stops, or the room is needed for another.
    Stopped,
    /// Its lines cannot be kept.
    NotKept,
}

/// A group that is on its way to the disk: then its answers.
type Keeping<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, NotKept>> + Send + 'a>>;

impl Receiver {
    /// Serves one connection until it has ended, or until `stop`: then what has been read is
    /// kept and answered.
    pub async fn serve<S>(&self, stream: S, peer: SocketAddr, stop: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Send,
    {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let sender = Sender {
            receiver: self,
            peer,
            session: self.keeper.session(),
            hurry: CancellationToken::new(),
        };
        let mut buffer = vec![0; READ_BYTES];
        let mut session = Session::new(self.line_max);
        let mut resent = None;
        // Lines may have been sent again, and more of them may come.
        let mut open = false;
        let mut waited = false;
        let mut group = self.group();
        let mut keeping: Option<Keeping<'_>> = None;
        let mut answers = Answers::default();
        let mut end = None;
        let mut patience = std::pin::pin!(tokio::time::sleep(Duration::MAX));
        let mut held = std::pin::pin!(tokio::time::sleep(Duration::MAX));
        loop {
            if keeping.is_none() && !group.answers.is_empty() {
                let was_open = open;
                open = sender.may_be_resent(&mut resent, &group.batch)
                    && end.is_none()
                    && !waited
                    && group.batch.bytes.len() < HELD_BYTES
                    && group.batch.frames.len() < GROUP_LINES;
                if open && !was_open {
                    held.as_mut().reset(Instant::now() + HELD_FOR);
                }
                if !open {
                    let mut full = std::mem::replace(&mut group, self.group());
                    let again = drop_resent(&mut resent, &mut full.batch);
                    keeping = Some(Box::pin(sender.keep(full, again)));
                }
            }
            if end.is_some() && keeping.is_none() && answers.are_delivered() {
                break;
            }
            let room = end.is_none()
                && (open || group.batch.bytes.len() < GROUP_BYTES)
                && group.batch.frames.len() < GROUP_LINES
                && answers.bytes.len() < ANSWERS_BYTES;
            let mut ends = None;
            tokio::select! {
                biased;
                () = stop.cancelled(), if !sender.hurry.is_cancelled() => {
                    sender.hurry.cancel();
                    ends = end.is_none().then_some(End::Stopped);
                }
                kept = kept_of(&mut keeping) => {
                    keeping = None;
                    match kept {
                        Ok(more) => {
                            answers.push(&more);
                            resent.iter_mut().for_each(Resent::acknowledged);
                        }
                        Err(why) => {
                            sender.let_go(&why);
                            // They come again, and are to be known again.
                            let tails = resent.take().map(Resent::into_tails);
                            self.keeper.give_back(tails.unwrap_or_default());
                            group = self.group();
                            ends = Some(End::NotKept);
                        }
                    }
                }
                delivered = answers.deliver(&mut writer), if !answers.are_delivered() => {
                    if let Err(error) = delivered {
                        tracing::info!(%peer, %error, "the connection broke");
                        answers = Answers::default();
                        ends = Some(End::Gone);
                    }
                }
                read = reader.read(&mut buffer), if room => match read {
                    Ok(0) => ends = Some(End::Gone),
                    Ok(bytes) => {
                        group.batch.received_at = Some(clock::now());
                        ends = sender.ending(session.read(&buffer[..bytes], &mut group));
                    }
                    Err(error) => {
                        tracing::info!(%peer, %error, "the connection broke");
                        ends = Some(End::Gone);
                    }
                },
                () = &mut held, if open => waited = true,
                () = &mut patience, if end.is_some() && keeping.is_none() => {
                    tracing::info!(%peer, "the sender does not take its answers");
                    answers = Answers::default();
                    end = Some(End::Gone);
                }
            }
            if let (Some(why), None | Some(End::Closed)) = (ends, end) {
                end = Some(why);
                patience.as_mut().reset(Instant::now() + FAREWELL_WITHIN);
                // The sender waits for nothing more, or must not be waited for.
                if why != End::Closed {
                    sender.hurry.cancel();
                }
            }
        }
        if let Some(End::Stopped | End::NotKept) = end {
            answers.push(farewell());
        }
        let last = async {
            answers.deliver(&mut writer).await?;
            writer.shutdown().await
        };
        let delivered = tokio::time::timeout(FAREWELL_WITHIN, last).await;
        match (end, delivered) {
            (Some(End::Closed), Ok(Ok(()))) => self.keeper.closed(sender.session),
            _ => self.keeper.broke_off(sender.session),
        }
    }

    fn group(&self) -> Group {
        Group {
            batch: self.dispatcher.spares().get(),
            answers: Vec::new(),
        }
    }

    /// Notes whether lines can be kept.
    fn journal_is(&self, broken: Option<&NotKept>) {
        let text = broken.map(|why| {
            format!("{why}: lines over RELP are not acknowledged, their senders have to keep them")
        });
        let news = self.telemetry.broken("journal", text);
        match broken {
            Some(why) if news => {
                tracing::error!(%why, "cannot keep lines over RELP; retrying");
            }
            None if news => tracing::info!("lines over RELP are kept again"),
            _ => {}
        }
    }
}

struct Sender<'a> {
    receiver: &'a Receiver,
    peer: SocketAddr,
    session: u64,
    /// Cancelled when there is no point any more in holding what cannot be kept.
    hurry: CancellationToken,
}

impl Sender<'_> {
    fn address(&self) -> IpAddr {
        self.peer.ip().to_canonical()
    }

    fn ending(&self, next: Next) -> Option<End> {
        match next {
            Next::More => None,
            Next::Closed => Some(End::Closed),
            Next::Refused(violation) => {
                let peer = self.peer;
                tracing::warn!(%peer, %violation, "the sender is disconnected: it does not speak RELP as it should");
                Some(End::Refused)
            }
        }
    }

    /// Whether it depends on further lines if these were sent again.
    fn may_be_resent(&self, resent: &mut Option<Resent>, batch: &Batch) -> bool {
        if batch.frames.is_empty() {
            return false;
        }
        let keeper = &self.receiver.keeper;
        let resent =
            resent.get_or_insert_with(|| Resent::new(keeper.tail_of(self.address(), clock::now())));
        resent.is_open(batch.frames.iter().map(|frame| kept(batch, frame)))
    }

    /// Keeps a group and hands it on. Gives its answers once it is on disk. `again` lines of
    /// it were there before.
    async fn keep(&self, group: Group, again: u64) -> Result<Vec<u8>, NotKept> {
        let Receiver {
            keeper,
            dispatcher,
            listener,
            ..
        } = self.receiver;
        let Group { batch, answers } = group;
        let deadline = Instant::now() + HOLD;
        while !batch.frames.is_empty() {
            tokio::select! {
                biased;
                () = keeper.room() => {}
                () = self.hurry.cancelled() => return Err(no_room()),
                () = tokio::time::sleep_until(deadline) => return Err(no_room()),
            }
            // The lines are in the same generation of the journal as in the windows.
            let pass = dispatcher.pass().await;
            match keeper.append(self.record(&batch)).await {
                Ok(()) => {
                    dispatcher.send(batch, listener).await;
                    drop(pass);
                    self.receiver.journal_is(None);
                    break;
                }
                Err(why) => {
                    drop(pass);
                    self.receiver.journal_is(Some(&why));
                    if Instant::now() + RETRY_PAUSE > deadline {
                        return Err(why);
                    }
                    tokio::select! {
                        () = tokio::time::sleep(RETRY_PAUSE) => {}
                        () = self.hurry.cancelled() => return Err(why),
                    }
                }
            }
        }
        listener.resent.add(again);
        Ok(answers)
    }

    fn record(&self, batch: &Batch) -> Record {
        let frames = batch.frames.iter();
        Record {
            session: self.session,
            peer: self.address(),
            received_at: batch.received_at.map_or(0, Timestamp::as_micros),
            frames: frames.map(|frame| kept(batch, frame).to_vec()).collect(),
        }
    }

    fn let_go(&self, why: &NotKept) {
        let peer = self.peer;
        tracing::warn!(
            %peer, %why,
            "lines could not be kept: they are not acknowledged, and their sender has to send them again"
        );
    }
}

fn no_room() -> NotKept {
    NotKept("the journal has no room until the next checkpoint".to_owned())
}

/// Takes the lines out of the batch that were kept before; gives their number.
fn drop_resent(resent: &mut Option<Resent>, batch: &mut Batch) -> u64 {
    let known = resent.as_mut().map_or(0, Resent::decide);
    batch.frames.drain(..known);
    known as u64
}

/// Waits for ever where nothing is on its way.
async fn kept_of(keeping: &mut Option<Keeping<'_>>) -> Result<Vec<u8>, NotKept> {
    match keeping {
        Some(keeping) => keeping.await,
        None => std::future::pending().await,
    }
}

/// Answers on their way to the sender.
#[derive(Debug, Default)]
struct Answers {
    bytes: VecDeque<u8>,
    /// Some may be in a buffer of the stream.
    unflushed: bool,
}

impl Answers {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        self.unflushed = true;
    }

    fn are_delivered(&self) -> bool {
        !self.unflushed
    }

    /// May be dropped and called again at any time.
    async fn deliver(&mut self, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        while !self.bytes.is_empty() {
            if writer.write_buf(&mut self.bytes).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        writer.flush().await?;
        self.unflushed = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::batch::Work;
    use tokio::io::DuplexStream;
    use tokio::sync::mpsc;
    use tokio::task::JoinHandle;

    const OPEN: &[u8] = b"1 open 30 relp_version=0\ncommands=syslog\n";

    struct Running {
        sender: DuplexStream,
        worker: mpsc::Receiver<Work>,
        listener: Arc<Listener>,
        telemetry: Arc<Telemetry>,
        stop: CancellationToken,
        serving: JoinHandle<()>,
    }

    fn start() -> Running {
        let folder = tempfile::tempdir().unwrap();
        start_in(folder.path().to_owned(), folder)
    }

    /// With that folder of state.
    fn start_in(state: std::path::PathBuf, folder: tempfile::TempDir) -> Running {
        let (keeper, _) = Keeper::open(&state, Timestamp::from_secs(0)).unwrap();
        start_with(keeper, Some(folder))
    }

    /// A connection of the same sender as all others.
    fn start_with(keeper: Keeper, folder: Option<tempfile::TempDir>) -> Running {
        let telemetry = Arc::new(Telemetry::new(Timestamp::from_secs(0)));
        let listener = telemetry.listener("relp", "here".to_owned());
        let (dispatcher, mut workers) = Dispatcher::new(1, &telemetry.queued);
        let receiver = Receiver {
            line_max: 100,
            keeper,
            dispatcher,
            listener: Arc::clone(&listener),
            telemetry: Arc::clone(&telemetry),
        };
        let (sender, stream) = tokio::io::duplex(64 * 1024);
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let serving = tokio::spawn(async move {
            let _folder = folder;
            let peer = "192.0.2.1:1".parse().unwrap();
            receiver.serve(stream, peer, stopping).await;
        });
        Running {
            sender,
            worker: workers.remove(0),
            listener,
            telemetry,
            stop,
            serving,
        }
    }

    impl Running {
        async fn send(&mut self, bytes: &[u8]) {
            self.sender.write_all(bytes).await.unwrap();
        }

        /// What comes until it ends with this.
        async fn until(&mut self, end: &str) -> String {
            let mut read = Vec::new();
            while !read.ends_with(end.as_bytes()) {
                let byte = self.sender.read_u8().await;
                let byte = byte.unwrap_or_else(|e| panic!("{e} after {}", read.escape_ascii()));
                read.push(byte);
            }
            String::from_utf8(read).unwrap()
        }

        /// All lines, once the connection has ended.
        async fn lines(mut self) -> Vec<String> {
            self.serving.await.unwrap();
            let mut lines = Vec::new();
            while let Some(Work::Batch(batch)) = self.worker.recv().await {
                let text = |frame: &crate::input::framing::Frame| {
                    batch.bytes[frame.start..frame.end]
                        .escape_ascii()
                        .to_string()
                };
                lines.extend(batch.frames.iter().map(text));
            }
            assert_eq!(self.listener.received.get(), lines.len() as u64);
            lines
        }
    }

    #[tokio::test]
    async fn lines_are_handed_on_and_acknowledged_in_their_order() {
        let mut running = start();
        running.send(OPEN).await;
        running.until("commands=syslog\n").await;
        running.send(b"2 syslog 1 a\n3 syslog 1 b\n4 sys").await;
        let answers = running.until("3 rsp 6 200 OK\n").await;
        assert_eq!(answers, "2 rsp 6 200 OK\n3 rsp 6 200 OK\n");
        running.send(b"log 1 c\n5 close 0\n").await;
        let answers = running.until("0 serverclose 0\n").await;
        assert_eq!(answers, "4 rsp 6 200 OK\n5 rsp 6 200 OK\n0 serverclose 0\n");
        assert_eq!(running.sender.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(running.lines().await, ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn what_was_read_is_kept_when_the_sender_is_gone_or_wrong() {
        for (stream, lines) in [
            (&b"2 syslog 1 a\n3 syslog 1 "[..], &["a"][..]),
            (b"2 syslog 1 a\n2 syslog 1 a\n3 syslog 1 b\n", &["a"]),
            (b"2 syslog 1 a\nGET / HTTP/1.1\r\n", &["a"]),
            (b"", &[]),
        ] {
            let mut running = start();
            running.send(OPEN).await;
            running.send(stream).await;
            running.sender.shutdown().await.unwrap();
            assert_eq!(running.lines().await, lines);
        }
    }

    #[tokio::test]
    async fn a_sender_is_told_when_weir_stops() {
        let mut running = start();
        running.send(OPEN).await;
        running.send(b"2 syslog 1 a\n").await;
        running.until("2 rsp 6 200 OK\n").await;
        running.stop.cancel();
        assert_eq!(
            running.until("0 serverclose 0\n").await,
            "0 serverclose 0\n"
        );
        assert_eq!(running.sender.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(running.lines().await, ["a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_kept_is_held_and_then_not_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let no_folder = folder.path().join("file");
        std::fs::write(&no_folder, "").unwrap();
        let mut running = start_in(no_folder.join("state"), folder);
        running.send(OPEN).await;
        running.until("commands=syslog\n").await;
        let began = Instant::now();
        running.send(b"2 syslog 1 a\n").await;
        assert_eq!(
            running.until("0 serverclose 0\n").await,
            "0 serverclose 0\n"
        );
        // Before the sender gives up by itself.
        let held = began.elapsed();
        assert!(held > HOLD / 2 && held < 2 * HOLD, "{held:?}");
        let snapshot = running.telemetry.snapshot();
        assert!(snapshot.broken.contains_key("journal"), "{snapshot:?}");
        assert!(running.lines().await.is_empty());
    }

    /// Sends until nothing more is taken; how many lines were.
    async fn send_all_that_is_taken(sender: &mut (impl AsyncWrite + Unpin)) -> u32 {
        for line in 0..1_000_000_u32 {
            let frame = format!("{} syslog 1 a\n", line + 2);
            let writing = sender.write_all(frame.as_bytes());
            let taken = tokio::time::timeout(Duration::from_secs(60), writing).await;
            if taken.is_err() {
                return line;
            }
        }
        panic!("there is no bound");
    }

    fn frames(lines: &[&str]) -> Vec<u8> {
        let frames = lines.iter().zip(2..);
        let frames =
            frames.map(|(line, number)| format!("{number} syslog {} {line}\n", line.len()));
        frames.collect::<String>().into_bytes()
    }

    /// A connection that breaks off when these lines are acknowledged; what was counted.
    async fn broken_off(keeper: &Keeper, lines: &[&str]) -> Vec<String> {
        let mut running = start_with(keeper.clone(), None);
        running.send(OPEN).await;
        running.send(&frames(lines)).await;
        running
            .until(&format!("{} rsp 6 200 OK\n", lines.len() + 1))
            .await;
        running.sender.shutdown().await.unwrap();
        running.lines().await
    }

    #[tokio::test(start_paused = true)]
    async fn lines_that_only_look_like_those_before_count() {
        for (sent, counted) in [
            (&["d", "e", "new"][..], &["new"][..]),
            // They break off in the middle.
            (&["b", "c", "a"], &["b", "c", "a"]),
            (&["b", "new"], &["b", "new"]),
            // Nothing more comes.
            (&["b", "c"], &["b", "c"]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (keeper, _) = Keeper::open(folder.path(), Timestamp::from_secs(0)).unwrap();
            broken_off(&keeper, &["a", "b", "c", "d", "e"]).await;
            assert_eq!(broken_off(&keeper, sent).await, counted);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lines_that_may_have_been_sent_again_are_not_held_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let (keeper, _) = Keeper::open(folder.path(), Timestamp::from_secs(0)).unwrap();
        let long = "x".repeat(99);
        let lines: Vec<String> = (0..1024).map(|line| format!("{line:04}{long}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        broken_off(&keeper, &lines).await;
        let mut running = start_with(keeper.clone(), None);
        running.send(OPEN).await;
        running.until("commands=syslog\n").await;
        // The rest is on its way, and the connection is lost.
        running.send(&frames(&lines[..500])).await;
        running.sender.shutdown().await.unwrap();
        assert_eq!(running.lines().await.len(), 500);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_whose_lines_find_no_room_is_let_go_and_known_again() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = Keeper::open_bounded(folder.path(), Timestamp::from_secs(0), 1);
        assert_eq!(broken_off(&keeper, &["a", "b"]).await, ["a", "b"]);
        let mut running = start_with(keeper.clone(), None);
        running.send(OPEN).await;
        running.until("commands=syslog\n").await;
        let before = Instant::now();
        running.send(&frames(&["a", "b", "c"])).await;
        assert_eq!(running.until("serverclose 0\n").await, "0 serverclose 0\n");
        assert!(before.elapsed() >= HOLD && before.elapsed() < HOLD + HELD_FOR);
        assert_eq!(running.lines().await, [""; 0]);

        // A checkpoint makes room.
        let changes = crate::checkpoint::Changes {
            whole: true,
            ..Default::default()
        };
        keeper.commit(keeper.cut(), changes).await.unwrap();
        assert_eq!(broken_off(&keeper, &["a", "b", "c"]).await, ["c"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_waits_while_workers_have_enough() {
        let running = start();
        let Running {
            sender,
            mut worker,
            listener,
            ..
        } = running;
        let (mut answers, mut sender) = tokio::io::split(sender);
        let answers = tokio::spawn(async move {
            let mut all = String::new();
            answers.read_to_string(&mut all).await.unwrap();
            all
        });
        sender.write_all(OPEN).await.unwrap();
        let sent = send_all_that_is_taken(&mut sender).await;
        let under_way = u64::from(sent) - listener.received.get();
        assert!(under_way < 20_000, "{under_way} lines were read ahead");
        // None is lost, and what was sent whole is acknowledged.
        drop(sender);
        drop(worker.recv().await);
        running.stop.cancel();
        while worker.recv().await.is_some() {}
        running.serving.await.unwrap();
        assert!(answers.await.unwrap().contains("2 rsp 6 200 OK\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_takes_no_answers_is_not_read_for_ever() {
        let mut running = start();
        running.send(OPEN).await;
        let mut worker = running.worker;
        let working = tokio::spawn(async move { while worker.recv().await.is_some() {} });
        send_all_that_is_taken(&mut running.sender).await;
        running.stop.cancel();
        running.serving.await.unwrap();
        working.await.unwrap();
    }
}
