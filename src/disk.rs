//! A disk in memory that can be full, for tests.

use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Clones are the same disk.
#[derive(Clone, Debug)]
pub struct Disk {
    bytes: Arc<InMemoryBackend>,
    /// Writes and syncs that still succeed.
    left: Arc<AtomicI64>,
}

impl Default for Disk {
    fn default() -> Self {
        Disk {
            bytes: Arc::default(),
            left: Arc::new(AtomicI64::new(i64::MAX)),
        }
    }
}

impl Disk {
    /// From now on so many more writes and syncs succeed.
    pub fn fill(&self, left: i64) {
        self.left.store(left, Ordering::SeqCst);
    }

    pub fn make_room(&self) {
        self.fill(i64::MAX);
    }

    /// Another disk with what this one has now, as a kill leaves it; there is room on it.
    pub fn copy(&self) -> Disk {
        let mut bytes = vec![0; self.bytes.len().expect("memory") as usize];
        self.bytes.read(0, &mut bytes).expect("memory");
        let copy = Disk::default();
        copy.bytes.set_len(bytes.len() as u64).expect("memory");
        copy.bytes.write(0, &bytes).expect("memory");
        copy
    }

    fn take(&self) -> Result<(), Error> {
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            1.. => Ok(()),
            _ => Err(ErrorKind::StorageFull.into()),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, Error> {
        self.bytes.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        self.bytes.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        self.take()?;
        self.bytes.set_len(len)
    }

    fn sync_data(&self) -> Result<(), Error> {
        self.take()?;
        self.bytes.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.take()?;
        self.bytes.write(offset, data)
    }
}
