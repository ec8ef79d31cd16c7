//! `spool-NAME.redb`: blocks by number, the oldest first.
//!
//! Synchronous: it is called where waiting for a disk hurts nobody. Whatever goes wrong with
//! the database closes it, because redb does not work on after an error, and may panic on
//! pages that are damaged. [`File::reopen`] opens it again.

use super::block::{self, Damaged, Draft, Entry, Header, HeaderBytes, Kind};
use super::sent::{Before, Sent};
use crate::guard::{caught, tells_damage};
use crate::inode::Inode;
use crate::sink::health::Spool as Fill;
use crate::telemetry::{Deliveries, Sink};
use crate::time::Timestamp;
use redb::{Database, DatabaseError, ReadableDatabase, TableDefinition};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// Of the tables and blocks; redb's own file format has its own version.
pub const VERSION: u64 = 1;

/// `"format"`: [`VERSION`].
const META: TableDefinition<&str, u64> = TableDefinition::new("spool");
/// A block's number to its [`Header`].
const HEADERS: TableDefinition<u64, HeaderBytes> = TableDefinition::new("headers");
/// A block's number to its bytes.
const BLOCKS: TableDefinition<u64, &[u8]> = TableDefinition::new("blocks");

const FORMAT: &str = "format";

/// Every block is written once and read once: there is nothing to gain from more.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// The file does not serve at the moment, and is closed; [`File::failure`] says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unusable;

/// What is wrong with a file, or with the disk below it.
#[derive(Debug)]
enum Fault {
    /// It may pass: a full disk, a folder without rights, another weir that has the file.
    Passing(String),
    /// The file will not get better: it is moved away, under a name that ends like this.
    Bad(&'static str, String),
}

pub struct File {
    path: PathBuf,
    /// When so many bytes are used, the oldest blocks are dropped.
    max: u64,
    sink: Arc<Sink>,
    /// `None` while it is unusable.
    db: Option<Database>,
    /// The file that is open.
    inode: Option<Inode>,
    /// Why it is unusable.
    failure: Option<String>,
    /// What is in it, by kind.
    blocks: [BTreeMap<u64, Header>; 2],
    /// Not of use any more, but in the file for all that is known.
    gone: BTreeSet<u64>,
    /// The number of the next block; none is used twice.
    next: u64,
    /// What `next` was when the file was opened first; `None` before.
    first: Option<u64>,
    /// The blocks that are being sent, by kind: they are not dropped to make room.
    under_way: [Option<u64>; 2],
    /// Newer than what blocks hold under the same key.
    sent: Sent,
    /// Appending fails, as on a full disk.
    #[cfg(test)]
    pub full: bool,
}

/// The oldest block of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Oldest<T> {
    pub number: u64,
    /// What is to be sent of it; may be empty.
    pub items: Vec<T>,
    /// How many of it are left out, because the far side has newer values of them.
    pub replaced: u64,
}

impl File {
    /// Not opened yet.
    pub fn new(path: PathBuf, max: u64, sink: Arc<Sink>) -> File {
        File {
            path,
            max,
            sink,
            db: None,
            inode: None,
            failure: None,
            blocks: Default::default(),
            gone: BTreeSet::new(),
            next: 0,
            first: None,
            under_way: [None; 2],
            sent: Sent::default(),
            #[cfg(test)]
            full: false,
        }
    }

    /// Opens it, and shows that it can be written. What is in it counts as queued. A file that
    /// is damaged, of a later version or of something else is moved away, and the log names
    /// it.
    pub fn reopen(&mut self) -> Result<(), Unusable> {
        self.db = None;
        for last in [false, true] {
            match guarded(|| self.open()) {
                Ok((db, blocks)) => {
                    self.db = Some(db);
                    self.inode = Inode::at(&self.path);
                    self.failure = None;
                    self.take_stock(blocks);
                    return self.write(|_, _, _| Ok(()));
                }
                Err(Fault::Bad(ending, why)) if !last => self.set_aside(ending, &why)?,
                Err(Fault::Bad(_, why) | Fault::Passing(why)) => return Err(self.unusable(&why)),
            }
        }
        Ok(())
    }

    /// Adds blocks in one step; the oldest make room where there is none. Those that are being
    /// sent stay: with them it may be above its bound, by one block of each kind.
    pub fn append(&mut self, drafts: &[Draft], at: Timestamp) -> Result<(), Unusable> {
        #[cfg(test)]
        if self.full {
            return Err(self.unusable("the disk is full"));
        }
        let sealed = drafts.iter().map(|draft| draft.seal(at));
        let sealed = sealed.collect::<std::io::Result<Vec<_>>>();
        let sealed = sealed.map_err(|error| self.unusable(&error.to_string()))?;
        let sealed: Vec<_> = (self.next..).zip(sealed).collect();
        self.next += sealed.len() as u64;
        // Should the commit fail and be on disk all the same, it must not count.
        self.gone.extend(sealed.iter().map(|(number, _)| *number));
        self.write(|headers, blocks, gone| {
            for (number, (header, bytes)) in &sealed {
                headers.insert(number, header.to_bytes())?;
                blocks.insert(number, bytes.as_slice())?;
                gone.remove(number);
            }
            Ok(())
        })?;
        for (number, (header, _)) in sealed {
            self.gone.remove(&number);
            self.blocks[header.kind as usize].insert(number, header);
        }
        self.make_room()
    }

    /// The oldest block of a kind, which is under way from now on until it is removed. Damaged
    /// ones are dropped and counted.
    pub fn oldest<T: Entry>(&mut self) -> Result<Option<Oldest<T>>, Unusable> {
        while let Some((&number, &header)) = self.blocks[T::KIND as usize].first_key_value() {
            match self.read::<T>(number, header)? {
                Ok(mut items) => {
                    self.under_way[T::KIND as usize] = Some(number);
                    let all = items.len();
                    if !self.sent.is_empty() {
                        items.retain(|item| !self.is_replaced(number, item));
                    }
                    let replaced = (all - items.len()) as u64;
                    return Ok(Some(Oldest {
                        number,
                        items,
                        replaced,
                    }));
                }
                Err(Damaged) => {
                    tracing::error!(
                        file = %self.path.display(),
                        block = number,
                        dropped = header.count,
                        "a block of the spool is damaged: what was in it is lost"
                    );
                    self.drop_block(T::KIND, number);
                    self.write(|_, _, _| Ok(()))?;
                }
            }
        }
        Ok(None)
    }

    /// Which blocks are older than what is in memory now.
    pub fn before(&self) -> Before {
        self.first.map(|_| self.next)
    }

    /// The far side has got something that is newer than what these blocks may hold of it.
    pub fn sent(&mut self, keys: &[u128], before: Before) {
        let oldest = self.blocks[Kind::Measurements as usize].first_key_value();
        let may_hold = match (self.first, oldest) {
            (None, _) => true,
            (Some(first), Some((number, _))) => *number < before.unwrap_or(first),
            (Some(_), None) => false,
        };
        if may_hold
            && !self.sent.remember(keys, before)
            && let Some(count) = self.sink.drops_told.pass(keys.len() as u64)
        {
            tracing::error!(
                sink = self.sink.name,
                count,
                "the spool's file cannot be read for long: if it has older values of what is \
                 sent now, they will follow"
            );
        }
    }

    fn is_replaced<T: Entry>(&self, block: u64, item: &T) -> bool {
        let first = self.first.unwrap_or_default();
        item.key()
            .is_some_and(|key| self.sent.replaces(key, block, first))
    }

    /// Forgets what was sent when no block is older.
    fn forget_sent(&mut self) {
        let Some(first) = self.first.filter(|_| !self.sent.is_empty()) else {
            return;
        };
        let oldest = self.blocks[Kind::Measurements as usize].first_key_value();
        if oldest.is_none_or(|(number, _)| !self.sent.concerns(*number, first)) {
            self.sent.clear();
        }
    }

    /// A block is not of use any more. Whether it still was: it may have been dropped. As long
    /// as weir runs it is not given again, even if the file cannot be written now.
    pub fn remove(&mut self, kind: Kind, number: u64) -> bool {
        if self.blocks[kind as usize].remove(&number).is_none() {
            return false;
        }
        self.gone.insert(number);
        self.under_way[kind as usize] = None;
        self.forget_sent();
        // Where this fails, it is done by the next write that does not.
        let _ = self.write(|_, _, _| Ok(()));
        true
    }

    /// Why the file does not serve at the moment; `None` while it does.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    pub fn fill(&self) -> Fill {
        let firsts = self.blocks.iter().filter_map(|blocks| {
            let (_, header) = blocks.first_key_value()?;
            Some(header.at.as_secs())
        });
        Fill {
            bytes_used: self.used(),
            bytes_max: self.max,
            oldest: firsts.min(),
        }
    }

    fn used(&self) -> u64 {
        let headers = self.blocks.iter().flat_map(BTreeMap::values);
        headers.map(|header| header.on_disk()).sum()
    }

    fn make_room(&mut self) -> Result<(), Unusable> {
        let mut used = self.used();
        let mut dropped = 0;
        while used > self.max {
            let firsts = Kind::ALL.into_iter().filter_map(|kind| {
                // What is under way is the far side's already, for all that is known.
                let under_way = self.under_way[kind as usize];
                let mut blocks = self.blocks[kind as usize].iter();
                let (number, header) = blocks.find(|(number, _)| Some(**number) != under_way)?;
                Some((*number, *header))
            });
            let Some((number, header)) = firsts.min_by_key(|(number, _)| *number) else {
                break;
            };
            used -= header.on_disk();
            dropped += u64::from(header.count);
            self.drop_block(header.kind, number);
        }
        if dropped == 0 {
            return Ok(());
        }
        if let Some(dropped) = self.sink.drops_told.pass(dropped) {
            tracing::error!(
                sink = self.sink.name,
                target = %self.sink.target,
                dropped,
                "the sink's spool is full: its oldest measurements and annotations are lost"
            );
        }
        self.write(|_, _, _| Ok(()))
    }

    /// Its items are lost.
    fn drop_block(&mut self, kind: Kind, number: u64) {
        if let Some(header) = self.blocks[kind as usize].remove(&number) {
            self.gone.insert(number);
            self.lost(header);
            self.forget_sent();
        }
    }

    fn lost(&self, header: Header) {
        let counters = counters(&self.sink, header.kind);
        counters.queued.sub(u64::from(header.count));
        counters.dropped.add(u64::from(header.count));
    }

    fn read<T: Entry>(
        &mut self,
        number: u64,
        header: Header,
    ) -> Result<Result<Vec<T>, Damaged>, Unusable> {
        self.guard(|db| {
            let blocks = db.begin_read()?.open_table(BLOCKS)?;
            let bytes = blocks.get(number)?;
            Ok(bytes.map_or(Err(Damaged), |bytes| block::read(header, bytes.value())))
        })
    }

    /// One transaction, which also removes what is not of use any more.
    fn write(
        &mut self,
        change: impl FnOnce(
            &mut redb::Table<'_, u64, HeaderBytes>,
            &mut redb::Table<'_, u64, &'static [u8]>,
            &mut BTreeSet<u64>,
        ) -> Result<(), redb::Error>,
    ) -> Result<(), Unusable> {
        let mut gone = self.gone.clone();
        let removed = self.guard(|db| {
            let write = db.begin_write()?;
            write.open_table(META)?.insert(FORMAT, VERSION)?;
            let mut headers = write.open_table(HEADERS)?;
            let mut blocks = write.open_table(BLOCKS)?;
            change(&mut headers, &mut blocks, &mut gone)?;
            for number in &gone {
                headers.remove(number)?;
                blocks.remove(number)?;
            }
            drop((headers, blocks));
            write.commit()?;
            Ok(gone)
        })?;
        let in_place = self.inode.map_or(Ok(()), |inode| inode.is_at(&self.path));
        in_place.map_err(|why| self.unusable(why))?;
        self.gone.retain(|number| !removed.contains(number));
        Ok(())
    }

    /// Does something with the database, and closes it if that fails.
    fn guard<R>(
        &mut self,
        work: impl FnOnce(&Database) -> Result<R, redb::Error>,
    ) -> Result<R, Unusable> {
        let db = self.db.as_ref().ok_or(Unusable)?;
        let fault = match guarded(|| work(db).map_err(fault)) {
            Ok(result) => return Ok(result),
            Err(fault) => fault,
        };
        if let Fault::Bad(ending, why) = &fault {
            self.set_aside(ending, why)?;
        }
        let (Fault::Bad(_, why) | Fault::Passing(why)) = fault;
        Err(self.unusable(&why))
    }

    fn unusable(&mut self, why: &str) -> Unusable {
        self.close();
        self.failure = Some(format!("{}: {why}", self.path.display()));
        Unusable
    }

    fn close(&mut self) {
        // What is left of a damaged database may panic once more when it is dropped.
        let db = self.db.take();
        let _ = caught(|| drop(db));
    }

    /// Opens or creates the file and lists its blocks.
    fn open(&self) -> Result<(Database, BTreeMap<u64, Header>), Fault> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(|why| Fault::Passing(why.to_string()))?;
        }
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES);
        let db = builder.create(&self.path).map_err(|why| match why {
            DatabaseError::DatabaseAlreadyOpen => {
                Fault::Passing("in use by another process".to_owned())
            }
            DatabaseError::UpgradeRequired(_) => Fault::Bad("foreign", why.to_string()),
            why => fault(why.into()),
        })?;
        let blocks = list(&db)?;
        Ok((db, blocks))
    }

    /// Compares what is in the file with what was thought to be.
    fn take_stock(&mut self, mut found: BTreeMap<u64, Header>) {
        if let Some((last, _)) = found.last_key_value() {
            self.next = self.next.max(last + 1);
        }
        found.retain(|number, _| !self.gone.contains(number));
        let before = std::mem::take(&mut self.blocks);
        for header in before
            .iter()
            .flatten()
            .filter(|(number, _)| !found.contains_key(number))
            .map(|(_, header)| *header)
        {
            self.lost(header);
        }
        for (number, header) in found {
            if !before[header.kind as usize].contains_key(&number) {
                let counters = counters(&self.sink, header.kind);
                counters.queued.add(u64::from(header.count));
            }
            self.blocks[header.kind as usize].insert(number, header);
        }
        self.first.get_or_insert(self.next);
        self.forget_sent();
    }

    /// Moves the file away, over one that was moved away for the same reason before: what is
    /// kept of these is bounded too.
    fn set_aside(&mut self, ending: &'static str, why: &str) -> Result<(), Unusable> {
        self.close();
        let mut aside = self.path.clone().into_os_string();
        aside.push(".");
        aside.push(ending);
        let aside = PathBuf::from(aside);
        if let Err(error) = std::fs::rename(&self.path, &aside) {
            return Err(self.unusable(&format!("{why}, and it cannot be moved away: {error}")));
        }
        self.gone.clear();
        let lost = std::mem::take(&mut self.blocks);
        let headers = lost.iter().flat_map(BTreeMap::values);
        headers.for_each(|header| self.lost(*header));
        tracing::error!(
            file = %self.path.display(),
            moved_to = %aside.display(),
            why,
            "the spool's file is {ending}: it is moved away, and an empty one takes its place"
        );
        Ok(())
    }
}

/// What a database turns out to be.
enum Contents {
    Empty,
    Foreign,
    /// A spool of another version.
    Format(u64),
    Blocks(Vec<(u64, HeaderBytes)>),
}

fn contents(db: &Database) -> Result<Contents, redb::Error> {
    let read = db.begin_read()?;
    if read.list_tables()?.next().is_none() {
        return Ok(Contents::Empty);
    }
    let version = match read.open_table(META) {
        Ok(meta) => meta.get(FORMAT)?.map(|version| version.value()),
        Err(redb::TableError::Storage(why)) => return Err(why.into()),
        Err(_) => None,
    };
    match version {
        Some(VERSION) => {}
        Some(other) => return Ok(Contents::Format(other)),
        None => return Ok(Contents::Foreign),
    }
    let mut headers = Vec::new();
    for row in read.open_table(HEADERS)?.range::<u64>(..)? {
        let (number, header) = row?;
        headers.push((number.value(), header.value()));
    }
    Ok(Contents::Blocks(headers))
}

fn list(db: &Database) -> Result<BTreeMap<u64, Header>, Fault> {
    let bad = |ending, why: String| Err(Fault::Bad(ending, why));
    match contents(db).map_err(fault)? {
        Contents::Empty => Ok(BTreeMap::new()),
        Contents::Foreign => bad("foreign", "not a spool of weir's".to_owned()),
        Contents::Format(other) => bad(
            "future",
            format!("spool format {other}, but this weir reads format {VERSION}"),
        ),
        Contents::Blocks(headers) => {
            let headers = headers.into_iter().map(|(number, bytes)| {
                let header = Header::from_bytes(&bytes);
                header.map(|header| (number, header))
            });
            headers
                .collect::<Result<_, Damaged>>()
                .or_else(|Damaged| bad("damaged", "a block is of no known kind".to_owned()))
        }
    }
}

fn counters(sink: &Sink, kind: Kind) -> &Deliveries {
    match kind {
        Kind::Measurements => &sink.measurements,
        Kind::Annotations => &sink.annotations,
    }
}

/// redb panics on some pages that are damaged.
fn guarded<R>(work: impl FnOnce() -> Result<R, Fault>) -> Result<R, Fault> {
    caught(work).unwrap_or_else(|_| Err(Fault::Bad("damaged", "it cannot be read".to_owned())))
}

fn fault(why: redb::Error) -> Fault {
    let damaged = match &why {
        redb::Error::Io(why) => tells_damage(why),
        redb::Error::PreviousIo | redb::Error::DatabaseAlreadyOpen => false,
        _ => true,
    };
    if damaged {
        Fault::Bad("damaged", why.to_string())
    } else {
        Fault::Passing(why.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Measurement, Series};
    use crate::telemetry::Telemetry;
    use std::time::Duration;

    fn drafts(values: std::ops::Range<i64>) -> Vec<Draft> {
        let items: Vec<_> = values
            .map(|value| Measurement {
                series: Series {
                    name: "m".into(),
                    tags: [].into(),
                },
                time: Timestamp::from_secs(value),
                period: Duration::from_secs(1),
                value: 0.0,
            })
            .collect();
        block::drafts(&items)
    }

    #[test]
    fn nothing_is_spooled_in_a_file_that_nobody_finds_again() {
        let state = tempfile::tempdir().unwrap();
        let telemetry = Telemetry::new(Timestamp::from_secs(0));
        let sink = telemetry.sink("librato", String::new());
        let at = Timestamp::from_secs(1);
        let path = state.path().join("spool.redb");
        let mut file = File::new(path.clone(), 1 << 20, Arc::clone(&sink));
        file.reopen().unwrap();
        sink.measurements.queued.add(5);
        file.append(&drafts(0..2), at).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(file.append(&drafts(2..5), at), Err(Unusable));
        assert!(file.failure().unwrap().contains("was removed"));
        // What was in it is gone, and counted; what was not comes again.
        file.reopen().unwrap();
        let counters = &sink.measurements;
        assert_eq!((counters.queued.get(), counters.dropped.get()), (3, 2));
        file.append(&drafts(2..5), at).unwrap();
        assert_eq!(
            file.oldest::<Measurement>().unwrap().unwrap().items.len(),
            3
        );
    }

    /// As after an error of the disk: redb answers nothing more until it is opened again.
    #[test]
    fn what_a_failure_leaves_behind_is_neither_lost_nor_counted_twice() {
        let state = tempfile::tempdir().unwrap();
        let telemetry = Telemetry::new(Timestamp::from_secs(0));
        let sink = telemetry.sink("librato", String::new());
        let at = Timestamp::from_secs(1);
        let mut file = File::new(state.path().join("spool.redb"), 1 << 20, Arc::clone(&sink));
        file.reopen().unwrap();
        // Whoever appends has counted them as queued.
        sink.measurements.queued.add(5);
        file.append(&drafts(0..2), at).unwrap();
        file.append(&drafts(2..5), at).unwrap();
        let first = |file: &mut File| {
            let oldest = file.oldest::<Measurement>().unwrap().unwrap();
            (oldest.number, oldest.items.len())
        };
        assert_eq!(first(&mut file), (0, 2));

        file.unusable("the disk is full");
        assert!(file.failure().unwrap().ends_with("the disk is full"));
        assert_eq!(file.append(&drafts(5..9), at), Err(Unusable));
        assert_eq!(file.oldest::<Measurement>(), Err(Unusable));
        // It was sent meanwhile: it must not come again.
        assert!(file.remove(Kind::Measurements, 0));

        file.reopen().unwrap();
        assert_eq!(file.failure(), None);
        assert_eq!(first(&mut file), (1, 3));
        sink.measurements.queued.sub(2);
        let counters = &sink.measurements;
        assert_eq!((counters.queued.get(), counters.dropped.get()), (3, 0));
        drop(file);

        // Nor after a restart.
        let sink = telemetry.sink("librato", String::new());
        let mut file = File::new(state.path().join("spool.redb"), 1 << 20, Arc::clone(&sink));
        file.reopen().unwrap();
        assert_eq!(
            (first(&mut file), sink.measurements.queued.get()),
            ((1, 3), 3)
        );
    }
}
