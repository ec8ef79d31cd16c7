//! The one thread that changes the file: requests in, transactions out.

use super::file::{Contents, Flaw, Place, Refusal};
use super::format::{self, JOURNAL, META, PANES, TAILS};
use super::tail::CLOSED;
use super::{Changes, Generation, NotKept, Shared};
use crate::guard::caught;
use crate::inode::Inode;
use crate::time::Timestamp;
use redb::{Database, TableHandle};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// One transaction takes no further records once it has these bytes, so that the first
/// sender is not kept waiting by those behind it.
const GROUP_BYTES: usize = 8 << 20;
/// After a failure everything is refused for so long: opening the file may mean that redb
/// checks all of it.
pub const RETRY: Duration = Duration::from_secs(1);

pub enum Request {
    Append(Append),
    Commit(Commit),
    /// The session has closed.
    Close(u64),
}

pub struct Append {
    pub generation: Generation,
    /// The record as it is written, without its checksum.
    pub bytes: Vec<u8>,
    pub session: u64,
    pub peer: IpAddr,
    pub received_at: Timestamp,
    pub fingerprints: Vec<u128>,
    pub reply: Reply,
}

pub struct Commit {
    pub covers: Generation,
    pub changes: Changes,
    pub reply: Reply,
}

type Reply = oneshot::Sender<Result<(), NotKept>>;

pub struct Writer {
    shared: Arc<Shared>,
    place: Place,
    retry: Duration,
    /// This start's number.
    starts: u64,
    /// This start stands in the file, and the tables are there.
    set_up: bool,
    /// The file that weir has had; `None` where there has been none yet, or it is gone.
    known: Option<Known>,
    /// The file that is open, where there is one.
    inode: Option<Inode>,
    /// What is to be said of a file that was opened again, once it can be written.
    news: Option<News>,
    /// The file is a new one that knows nothing of the last checkpoint.
    wants_whole: bool,
    sizes: BTreeMap<u64, u64>,
    next_sequence: u64,
    /// Records that may stand in the file although it was said that they are not kept: from
    /// this generation on, from `next_sequence` on.
    stray: Option<Generation>,
    /// Sessions that stand in the file as closed, and the generation in which they did.
    closed: BTreeMap<u64, Generation>,
    failed: Option<(Instant, String)>,
}

/// By what a file is known again when it is opened again.
#[derive(Clone, Copy, PartialEq)]
struct Known {
    starts: Option<u64>,
}

/// How a file came to be open again.
#[derive(Clone, Copy)]
enum News {
    OpenedAgain,
    MadeAnew,
}

impl Writer {
    /// `contents` are those of the file that is open; where none could be opened, `why`.
    pub fn new(
        shared: Arc<Shared>,
        place: Place,
        retry: Duration,
        starts: u64,
        contents: Contents,
        why: Option<String>,
    ) -> Writer {
        let known = why.is_none().then_some(Known {
            starts: contents.starts,
        });
        let generation = shared.generation();
        let closed = contents.closed.into_iter();
        let inode = Inode::at(&place.path).filter(|_| shared.database().is_some());
        Writer {
            shared,
            place,
            retry,
            starts,
            set_up: false,
            known,
            inode,
            news: None,
            wants_whole: false,
            sizes: contents.sizes,
            next_sequence: contents.next_sequence,
            stray: None,
            closed: closed.map(|session| (session, generation)).collect(),
            failed: why.map(|why| (Instant::now(), why)),
        }
    }

    /// Writes this start's number, to know at once whether the file can be written. Where it
    /// cannot, it can still be read, if it was open.
    pub fn set_up(&mut self) -> Result<(), String> {
        let was_open = self.shared.database().is_some();
        let result = self.transact(|_| Ok(()));
        if result.is_err() && was_open {
            // Whoever writes next tries again, and is told why not.
            let _ = self.reopen();
        }
        result
    }

    /// Until every keeper is gone and the queue is empty.
    pub fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            let mut group = Group::default();
            let mut commit = None;
            let mut next = Some(first);
            while let Some(request) = next.take() {
                match request {
                    Request::Append(append) => group.add(append),
                    Request::Close(session) => group.closed.push(session),
                    Request::Commit(request) => commit = Some(request),
                }
                if commit.is_none() && group.bytes < GROUP_BYTES {
                    next = requests.try_recv().ok();
                }
            }
            // In the order in which they came: what was asked for before goes first.
            self.append(group);
            if let Some(commit) = commit {
                self.commit(commit);
            }
        }
    }

    fn append(&mut self, group: Group) {
        if group.appends.is_empty() && group.closed.is_empty() {
            return;
        }
        let generation = self.shared.generation();
        let first = self.next_sequence;
        let result = self.transact(|write| {
            let mut journal = write.open_table(JOURNAL)?;
            for (sequence, append) in (first..).zip(&group.appends) {
                let key = format::journal_key(append.generation, sequence);
                let sealed = format::seal(JOURNAL.name(), &key, &append.bytes);
                journal.insert(&key, sealed.as_slice())?;
            }
            let mut tails = write.open_table(TAILS)?;
            for session in &group.closed {
                let key = session.to_be_bytes();
                let sealed = format::seal(TAILS.name(), &key, CLOSED);
                tails.insert(&key, sealed.as_slice())?;
            }
            Ok(())
        });
        match result {
            Ok(()) => {
                let mut tails = self.shared.tails();
                for (sequence, append) in (first..).zip(&group.appends) {
                    *self.sizes.entry(append.generation.0).or_default() +=
                        append.bytes.len() as u64;
                    tails.add(
                        append.session,
                        append.peer,
                        append.received_at,
                        sequence,
                        &append.fingerprints,
                    );
                }
                drop(tails);
                self.next_sequence += group.appends.len() as u64;
                let closed = group.closed.iter().map(|session| (*session, generation));
                self.closed.extend(closed);
                self.publish_size();
            }
            Err(_) => {
                let oldest = group.appends.iter().map(|append| append.generation).min();
                self.stray = self.stray.into_iter().chain(oldest).min();
            }
        }
        for append in group.appends {
            // Whoever asked may have stopped waiting.
            let _ = append.reply.send(result.clone().map_err(NotKept));
        }
    }

    fn commit(&mut self, commit: Commit) {
        let Commit {
            covers,
            changes,
            reply,
        } = commit;
        let result = self.checkpoint(covers, &changes);
        if result.is_ok() {
            self.sizes = self.sizes.split_off(&(covers.0 + 1));
            self.closed.retain(|_, generation| *generation > covers);
            self.publish_size();
        }
        // Whoever asked may have stopped waiting.
        let _ = reply.send(result.map_err(NotKept));
    }

    fn checkpoint(&mut self, covers: Generation, changes: &Changes) -> Result<(), String> {
        self.ensure_open()?;
        if self.wants_whole && !changes.whole {
            return Err(
                "the file is a new one, which only a whole checkpoint can begin".to_owned(),
            );
        }
        // A file that has just been made has none of them.
        let tails = self.shared.tails().unwritten(changes.whole);
        let shared = Arc::clone(&self.shared);
        let closed = self.closed.clone();
        self.transact(|write| {
            let mut meta = write.open_table(META)?;
            format::set_meta(&mut meta, format::COVERS, &covers.0.to_le_bytes())?;
            format::set_meta(&mut meta, format::HEAD, &changes.head)?;
            let mut panes = write.open_table(PANES)?;
            if changes.whole {
                panes.retain(|_, _| false)?;
            }
            for (id, pane) in &changes.panes {
                let key = format::pane_key(*id);
                match pane {
                    Some(pane) => {
                        let sealed = format::seal(PANES.name(), &key, pane);
                        panes.insert(&key, sealed.as_slice())?;
                    }
                    None => drop(panes.remove(&key)?),
                }
            }
            let last = format::journal_key(covers, u64::MAX);
            write
                .open_table(JOURNAL)?
                .retain_in::<&format::JournalKey, _>(..=&last, |_, _| false)?;
            let mut table = write.open_table(TAILS)?;
            table.retain(|key, _| {
                let session = u64::from_be_bytes(*key);
                let needed = closed.get(&session).is_some_and(|closed| *closed > covers);
                needed || shared.tails().contains(session)
            })?;
            for (session, tail) in &tails {
                let key = session.to_be_bytes();
                let sealed = format::seal(TAILS.name(), &key, &tail.encode());
                table.insert(&key, sealed.as_slice())?;
            }
            Ok(())
        })?;
        self.wants_whole = false;
        self.shared.tails().written(&tails);
        Ok(())
    }

    /// One transaction, synced to the disk. After an error the file is closed: redb refuses
    /// everything after a failed write, also when there is room on the disk again, until the
    /// file is opened anew.
    fn transact(
        &mut self,
        change: impl FnOnce(&redb::WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), String> {
        self.ensure_open()?;
        let result = {
            let database = self.shared.database();
            let database = database.as_ref().ok_or("it is closed")?;
            // As in opening: a damaged page must not end the thread.
            caught(|| self.write(database, change))
                .unwrap_or_else(|why| Err(redb::Error::Corrupted(why)))
        };
        let result = result.map_err(|why| why.to_string());
        match result.and_then(|()| self.is_in_place()) {
            Ok(()) => {
                self.set_up = true;
                self.stray = None;
                self.known = Some(Known {
                    starts: Some(self.starts),
                });
                self.tell_news();
                Ok(())
            }
            Err(why) => {
                let why = format!("{}: {why}", self.place.path.display());
                self.shared.close();
                self.failed = Some((Instant::now(), why.clone()));
                Err(why)
            }
        }
    }

    /// What was written to a file that nobody finds again is not kept. Whatever is in its
    /// place, an older copy of it too, does not have what it had.
    fn is_in_place(&mut self) -> Result<(), String> {
        let in_place = self
            .inode
            .map_or(Ok(()), |inode| inode.is_at(&self.place.path));
        in_place.map_err(|why| {
            self.known = None;
            why.to_owned()
        })
    }

    fn tell_news(&mut self) {
        let file = self.place.path.display();
        match self.news.take() {
            Some(News::OpenedAgain) => tracing::info!(%file, "opened again"),
            Some(News::MadeAnew) => tracing::warn!(%file, "made anew"),
            None => {}
        }
    }

    fn opened(&mut self, database: Database) {
        self.inode = Inode::at(&self.place.path);
        self.shared.opened(database);
    }

    fn write(
        &self,
        database: &Database,
        change: impl FnOnce(&redb::WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), redb::Error> {
        let write = database.begin_write()?;
        if !self.set_up {
            let mut meta = write.open_table(META)?;
            format::set_meta(&mut meta, format::FORMAT, &format::VERSION.to_le_bytes())?;
            format::set_meta(&mut meta, format::STARTS, &self.starts.to_le_bytes())?;
            write.open_table(PANES)?;
            write.open_table(JOURNAL)?;
            write.open_table(TAILS)?;
        }
        if let Some(stray) = self.stray {
            let first = format::journal_key(stray, self.next_sequence);
            write
                .open_table(JOURNAL)?
                .retain_in::<&format::JournalKey, _>(&first.., |key, _| {
                    format::split_journal_key(key).1 < self.next_sequence
                })?;
        }
        change(&write)?;
        write.commit()?;
        Ok(())
    }

    fn ensure_open(&mut self) -> Result<(), String> {
        if self.shared.database().is_some() {
            return Ok(());
        }
        if let Some((since, why)) = &self.failed
            && since.elapsed() < self.retry
        {
            return Err(why.clone());
        }
        let opened = self.reopen();
        if let Err(why) = &opened {
            self.failed = Some((Instant::now(), why.clone()));
        }
        opened
    }

    fn reopen(&mut self) -> Result<(), String> {
        let opened = match self.place.reopen() {
            Ok((database, starts)) => {
                // What was asked for last may have reached the disk after all.
                let ours = self
                    .known
                    .is_some_and(|known| known.starts == starts || starts == Some(self.starts));
                if ours {
                    self.opened(database);
                    self.news.get_or_insert(News::OpenedAgain);
                    return Ok(());
                }
                match starts {
                    None => Ok(database),
                    Some(_) => Err(Refusal::Useless(Flaw::Unread)),
                }
            }
            Err(why) => Err(why),
        };
        let path = self.place.path.display();
        let database = match opened {
            Ok(database) => database,
            Err(Refusal::Locked) => return Err(format!("{path}: in use by another process")),
            Err(Refusal::Unusable(why)) => return Err(format!("{path}: {why}")),
            Err(Refusal::Useless(flaw)) => {
                self.place.set_aside(&flaw, crate::clock::now())?;
                match self.place.reopen() {
                    Ok((database, None)) => database,
                    _ => return Err(format!("{path}: cannot be made")),
                }
            }
        };
        // What was acknowledged until now stands in no file until the next checkpoint does.
        self.set_up = false;
        self.wants_whole = true;
        self.known = Some(Known { starts: None });
        self.stray = None;
        self.sizes.clear();
        self.closed.clear();
        self.news = Some(News::MadeAnew);
        self.opened(database);
        self.publish_size();
        Ok(())
    }

    fn publish_size(&self) {
        self.shared.size.send_replace(self.sizes.values().sum());
    }
}

/// What shares a transaction.
#[derive(Default)]
struct Group {
    appends: Vec<Append>,
    closed: Vec<u64>,
    bytes: usize,
}

impl Group {
    fn add(&mut self, append: Append) {
        self.bytes += append.bytes.len();
        self.appends.push(append);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::tail::Tails;
    use crate::disk::Disk;
    use std::sync::atomic::AtomicU64;
    use std::sync::{Mutex, RwLock};
    use tokio::sync::watch;
    use tracing_subscriber::fmt;

    #[test]
    fn a_file_that_is_open_again_is_told_when_it_can_be_written() {
        let disk = Disk::default();
        let backend = disk.clone();
        let place = Place::new("checkpoint.redb".into(), move || {
            Database::builder().create_with_backend(backend.clone())
        });
        let (database, contents) = place.read().unwrap();
        let shared = Arc::new(Shared {
            database: RwLock::new(Some(database)),
            generation: AtomicU64::new(1),
            tails: Mutex::new(Tails::default()),
            size: watch::Sender::new(0),
        });
        let mut writer = Writer::new(shared, place, Duration::ZERO, 1, contents, None);
        let log = tempfile::NamedTempFile::new().unwrap();
        let told = || std::fs::read_to_string(log.path()).unwrap();
        let subscriber = fmt().with_writer(Arc::new(log.reopen().unwrap()));
        let subscriber = subscriber.finish();
        tracing::subscriber::with_default(subscriber, || {
            writer.set_up().unwrap();
            disk.fill(0);
            for _ in 0..3 {
                writer.set_up().unwrap_err();
            }
            assert_eq!(told(), "");
            disk.make_room();
            writer.set_up().unwrap();
            writer.set_up().unwrap();
        });
        assert_eq!(told().matches("opened again").count(), 1, "{}", told());
    }
}
