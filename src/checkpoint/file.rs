//! The file: opened, read and checked; set aside where it is of no use.

use super::format::{self, JOURNAL, META, PANES, TAILS};
use super::record;
use super::tail::{CLOSED, Tail, Tails};
use super::{Checkpoint, Generation};
use crate::guard::{caught, tells_damage};
use crate::time::Timestamp;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableHandle};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const NAME: &str = "checkpoint.redb";
/// redb's page cache. Its own default is 1 GiB.
const CACHE_BYTES: usize = 8 << 20;
/// Files set aside that are kept; the oldest go.
const ASIDE_MAX: usize = 3;

/// Where the file is, and how it is opened.
pub struct Place {
    pub path: PathBuf,
    connect: Box<dyn Fn() -> Result<Database, DatabaseError> + Send>,
}

/// What a file held.
#[derive(Debug, Default)]
pub struct Contents {
    /// `None` for an empty file.
    pub starts: Option<u64>,
    pub checkpoint: Option<Checkpoint>,
    pub covers: u64,
    /// Bytes of the journal's records, by generation.
    pub sizes: BTreeMap<u64, u64>,
    /// The first and the last record.
    pub journal: Option<(format::JournalKey, format::JournalKey)>,
    pub next_sequence: u64,
    pub tails: Tails,
    /// Sessions that have closed while the journal has records of theirs.
    pub closed: BTreeSet<u64>,
}

/// Why there is nothing to read.
#[derive(Debug, PartialEq)]
pub enum Refusal {
    Locked,
    /// It cannot be made, read or written; it may be in order.
    Unusable(String),
    Useless(Flaw),
}

/// Why a file is of no use.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Flaw {
    #[error("damaged: {0}")]
    Damaged(String),
    #[error("not a checkpoint of weir's")]
    Foreign,
    #[error("checkpoint format {0}, but this weir reads format {version}", version = format::VERSION)]
    Future(u64),
    /// It could not be read when weir started, or has been put in the place of the one that
    /// weir had: what is in it is not known to the windows.
    #[error("it could not be read when weir started")]
    Unread,
}

impl Place {
    pub fn in_folder(state: &Path) -> Place {
        let path = state.join(NAME);
        let (folder, file) = (state.to_owned(), path.clone());
        Place::new(path, move || {
            fs::create_dir_all(&folder).map_err(redb::StorageError::Io)?;
            let new = !file.exists();
            let database = Database::builder()
                .set_cache_size(CACHE_BYTES)
                .create(&file);
            if new && database.is_err() {
                // Half made, on a full disk, it would be taken for a damaged one.
                let _ = fs::remove_file(&file);
            }
            database
        })
    }

    pub fn new(
        path: PathBuf,
        connect: impl Fn() -> Result<Database, DatabaseError> + Send + 'static,
    ) -> Place {
        Place {
            path,
            connect: Box::new(connect),
        }
    }

    /// Opens the file and reads all of it.
    pub fn read(&self) -> Result<(Database, Contents), Refusal> {
        guarded(|| {
            let mut database = (self.connect)().map_err(refusal)?;
            // A file that was closed well is not checked by redb when it is opened.
            match database.check_integrity() {
                Ok(true) => {}
                Ok(false) => return Err(useless("pages of it are wrong")),
                Err(why) => return Err(refusal(why)),
            }
            known(&database)?;
            let contents = contents(&database).map_err(broken)?;
            Ok((database, contents))
        })
    }

    /// Opens the file again and reads only how often weir had been started with it.
    pub fn reopen(&self) -> Result<(Database, Option<u64>), Refusal> {
        guarded(|| {
            let database = (self.connect)().map_err(refusal)?;
            known(&database)?;
            let starts = starts(&database).map_err(broken)?;
            Ok((database, starts))
        })
    }

    /// Renames a file that is of no use, and says in the log what that costs.
    pub fn set_aside(&self, flaw: &Flaw, now: Timestamp) -> Result<(), String> {
        let name = format!("{NAME}.{}-{}", flaw.word(), now.as_secs());
        let aside = self.path.with_file_name(name);
        fs::rename(&self.path, &aside)
            .map_err(|why| format!("{}: cannot be set aside: {why}", self.path.display()))?;
        tracing::error!(
            file = %self.path.display(),
            set_aside = %aside.display(),
            why = %flaw,
            "the checkpoint is of no use: windows that were open begin anew, and lines that \
             were acknowledged after the last checkpoint are in none"
        );
        forget_old(&self.path);
        Ok(())
    }
}

/// Copies a file whose windows nobody can read: its journal is still of use where it is.
pub fn copy_aside(path: &Path, now: Timestamp) -> std::io::Result<PathBuf> {
    let aside = path.with_file_name(format!("{NAME}.windows-{}", now.as_secs()));
    fs::copy(path, &aside)?;
    forget_old(path);
    Ok(aside)
}

/// Deletes what was set aside long ago.
fn forget_old(path: &Path) {
    let folder = path.parent().unwrap_or(Path::new("."));
    let Ok(files) = fs::read_dir(folder) else {
        return;
    };
    let mut aside: Vec<(i64, PathBuf)> = files
        .filter_map(|file| {
            let path = file.ok()?.path();
            let name = path.file_name()?.to_str()?.strip_prefix(NAME)?;
            let (_, secs) = name.strip_prefix('.')?.rsplit_once('-')?;
            Some((secs.parse().ok()?, path))
        })
        .collect();
    aside.sort();
    let excess = aside.len().saturating_sub(ASIDE_MAX);
    for (_, path) in aside.drain(..excess) {
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(file = %path.display(), %error, "cannot be deleted");
        }
    }
}

impl Flaw {
    /// In the name that the file gets.
    fn word(&self) -> &'static str {
        match self {
            Flaw::Damaged(_) => "damaged",
            Flaw::Foreign => "foreign",
            Flaw::Future(_) => "future",
            Flaw::Unread => "unread",
        }
    }
}

fn useless(why: &str) -> Refusal {
    Refusal::Useless(Flaw::Damaged(why.to_owned()))
}

/// redb checks much, but may still panic over a damaged page. weir starts all the same.
pub fn guarded<T>(read: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    caught(read).unwrap_or_else(|why| Err(useless(&why)))
}

fn refusal(why: DatabaseError) -> Refusal {
    match why {
        DatabaseError::DatabaseAlreadyOpen => Refusal::Locked,
        // redb found its own, older version: no weir has written one.
        DatabaseError::UpgradeRequired(_) => Refusal::Useless(Flaw::Foreign),
        why => broken(why.into()),
    }
}

fn broken(why: redb::Error) -> Refusal {
    match why {
        redb::Error::Io(why) if !tells_damage(&why) && why.kind() != ErrorKind::InvalidInput => {
            Refusal::Unusable(why.to_string())
        }
        why => useless(&why.to_string()),
    }
}

/// Whether the file is empty or of a format that this weir reads.
fn known(database: &Database) -> Result<(), Refusal> {
    let version = || -> Result<Option<u64>, redb::Error> {
        let read = database.begin_read()?;
        if read.list_tables()?.next().is_none() {
            return Ok(Some(format::VERSION));
        }
        match read.open_table(META) {
            Ok(meta) => format::number(&meta, format::FORMAT),
            Err(redb::TableError::Storage(why)) => Err(why.into()),
            Err(_) => Ok(None),
        }
    };
    match version().map_err(broken)? {
        Some(format::VERSION) => Ok(()),
        Some(found) => Err(Refusal::Useless(Flaw::Future(found))),
        None => Err(Refusal::Useless(Flaw::Foreign)),
    }
}

fn starts(database: &Database) -> Result<Option<u64>, redb::Error> {
    let read = database.begin_read()?;
    if read.list_tables()?.next().is_none() {
        return Ok(None);
    }
    format::number(&read.open_table(META)?, format::STARTS)
}

fn contents(database: &Database) -> Result<Contents, redb::Error> {
    let mut contents = Contents {
        starts: starts(database)?,
        ..Contents::default()
    };
    if contents.starts.is_none() {
        return Ok(contents);
    }
    let read = database.begin_read()?;
    let meta = read.open_table(META)?;
    contents.covers = format::number(&meta, format::COVERS)?.unwrap_or(0);
    if let Some(head) = format::meta(&meta, format::HEAD)? {
        let mut panes = Vec::new();
        for row in read.open_table(PANES)?.iter()? {
            let (key, pane) = row?;
            let pane = format::unseal(PANES.name(), key.value(), pane.value())?;
            panes.push((format::split_pane_key(key.value()), pane.to_vec()));
        }
        contents.checkpoint = Some(Checkpoint { head, panes });
    }
    for row in read.open_table(TAILS)?.iter()? {
        let (key, tail) = row?;
        let session = u64::from_be_bytes(*key.value());
        match format::unseal(TAILS.name(), key.value(), tail.value())? {
            CLOSED => drop(contents.closed.insert(session)),
            tail => contents.tails.restore(session, Tail::decode(tail)?),
        }
    }
    for row in read.open_table(JOURNAL)?.iter()? {
        let (key, sealed) = row?;
        let bytes = format::unseal(JOURNAL.name(), key.value(), sealed.value())?;
        let (Generation(generation), sequence) = format::split_journal_key(key.value());
        let record = record::decode(bytes)
            .ok_or_else(|| format::damaged(JOURNAL.name(), "a record cannot be read"))?;
        *contents.sizes.entry(generation).or_default() += bytes.len() as u64;
        let first = contents.journal.map_or(*key.value(), |(first, _)| first);
        contents.journal = Some((first, *key.value()));
        contents.next_sequence = contents.next_sequence.max(sequence + 1);
        if !contents.closed.contains(&record.session) {
            let frames = record.frames.iter();
            let fingerprints: Vec<u128> = frames.map(|frame| super::fingerprint(frame)).collect();
            let at = Timestamp::from_micros(record.received_at);
            contents
                .tails
                .add(record.session, record.peer, at, sequence, &fingerprints);
        }
    }
    contents.tails.all_broke_off();
    Ok(contents)
}
