//! Whether a file that is open is still the one that its path leads to.
//!
//! A file that is removed or replaced while it is open is written and synced as before, and
//! is gone with the process. Whoever promises that something is on disk asks here after each
//! sync: one `stat` is nothing beside that.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A file: the numbers of its device and of its inode there, which no other has while it is
/// open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inode(u64, u64);

impl Inode {
    /// To be asked right after the file was opened. `None` where there is no file, as for a
    /// database in memory.
    pub fn at(path: &Path) -> Option<Inode> {
        let file = fs::metadata(path).ok()?;
        Some(Inode(file.dev(), file.ino()))
    }

    /// # Errors
    ///
    /// When the path does not lead to this file any more.
    pub fn is_at(self, path: &Path) -> Result<(), &'static str> {
        match Inode::at(path) {
            Some(found) if found == self => Ok(()),
            Some(_) => Err("another file was put in its place while weir had it open"),
            None => Err("it was removed while weir had it open"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_until_it_is_removed_or_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a"), folder.path().join("b"));
        assert_eq!(Inode::at(&path), None);
        fs::write(&path, "one").unwrap();
        let _open = fs::File::open(&path).unwrap();
        let inode = Inode::at(&path).unwrap();
        fs::write(&path, "more").unwrap();
        assert_eq!(inode.is_at(&path), Ok(()));
        fs::write(&other, "two").unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(inode.is_at(&path).unwrap_err().starts_with("another"));
        fs::remove_file(&path).unwrap();
        assert!(inode.is_at(&path).unwrap_err().contains("removed"));
    }
}
