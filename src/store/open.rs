//! Opening the file, and every way in which that can fail.

use super::format;
use crate::guard::tells_damage;
use redb::backends::InMemoryBackend;
use redb::{Database, DatabaseError, StorageError};
use std::path::{Path, PathBuf};

const FILE: &str = "store.redb";

/// Why there is no store. Each names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{}: in use by another process\n\nhint: stop the other weir, or give this one a folder of its own", path.display())]
    Locked { path: PathBuf },
    #[error("{}: damaged: {why}\n\nhint: move the file away; an empty store is created in its place", path.display())]
    Corrupt { path: PathBuf, why: String },
    #[error("{}: not a store of weir's\n\nhint: move the file away, or name another folder", path.display())]
    Foreign { path: PathBuf },
    #[error("{}: store format {found}, but this weir reads format {}\n\nhint: run the weir that wrote it, or move the file away to start an empty store", path.display(), format::VERSION)]
    Version { path: PathBuf, found: u64 },
    #[error("{}: {why}\n\nhint: the folder must exist or be creatable, and weir needs to read and write in it", path.display())]
    Io { path: PathBuf, why: String },
}

/// Makes the folder and names the file in it.
pub fn create_dir(dir: &Path) -> Result<PathBuf, OpenError> {
    match std::fs::create_dir_all(dir) {
        Ok(()) => Ok(dir.join(FILE)),
        Err(why) => Err(OpenError::Io {
            path: dir.into(),
            why: why.to_string(),
        }),
    }
}

/// Opens or creates a store of the current version.
pub fn file(path: &Path, cache_bytes: usize) -> Result<Database, OpenError> {
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes);
    let new = !path.exists();
    let prepare = |db| format::prepare(&db, path).map(|()| db);
    let created = builder.create(path).map_err(|why| from_redb(path, why));
    let opened = created.and_then(prepare);
    if new && matches!(opened, Err(OpenError::Io { .. })) {
        // Half made, on a full disk, it would be taken for a damaged one at the next start.
        let _ = std::fs::remove_file(path);
    }
    opened
}

/// An empty store that is gone with the process.
pub fn in_memory(name: &Path, cache_bytes: usize) -> Result<Database, OpenError> {
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes);
    let db = builder
        .create_with_backend(InMemoryBackend::new())
        .map_err(|why| from_redb(name, why))?;
    format::prepare(&db, name).map(|()| db)
}

fn from_redb(path: &Path, why: DatabaseError) -> OpenError {
    let path = path.to_owned();
    match why {
        DatabaseError::DatabaseAlreadyOpen => OpenError::Locked { path },
        // redb found its own, older version: no weir has written one.
        DatabaseError::UpgradeRequired(_) => OpenError::Foreign { path },
        DatabaseError::Storage(StorageError::Io(why)) if !tells_damage(&why) => OpenError::Io {
            path,
            why: why.to_string(),
        },
        why => OpenError::Corrupt {
            path,
            why: why.to_string(),
        },
    }
}
