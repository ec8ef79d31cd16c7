//! A file that is appended to and makes way for a new one when it is full.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The most bytes of one file. Only a single append of more makes a longer one.
pub const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Files that are kept: the one that is written and its predecessors.
pub const FILES: usize = 4;

/// Owner writes, group reads: lines hold addresses and requests.
const MODE: u32 = 0o640;

/// `PATH`, and what it was before as `PATH.1` (the newest), `PATH.2` and so on.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    bytes_max: u64,
    files: usize,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    size: u64,
}

/// What an append did beside appending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    Simply,
    /// It began a new file, and the oldest was deleted for that.
    OldestDeleted,
}

impl RotatingFile {
    /// Opens the file, or makes it; what it holds stays.
    ///
    /// # Errors
    ///
    /// What the system says, and for what is there and no file.
    pub fn open(path: PathBuf, bytes_max: u64, files: usize) -> io::Result<Self> {
        let mut file = RotatingFile {
            path,
            bytes_max,
            files,
            open: None,
        };
        file.open = Some(Open::new(&file.path)?);
        Ok(file)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends whole lines, all of them to the same file: to a new one where they would
    /// make this one too long. A file that was moved away meanwhile is left alone.
    ///
    /// # Errors
    ///
    /// What the system says. Nothing is appended then, and the next append opens the
    /// file anew.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<Appended> {
        let mut appended = Appended::Simply;
        let mut open = self.current()?;
        if open.size > 0 && open.size + lines.len() as u64 > self.bytes_max {
            drop(open);
            appended = self.rotate()?;
            open = Open::new(&self.path)?;
        }
        open.append(lines)?;
        self.open = Some(open);
        Ok(appended)
    }

    /// The file that is at the path now.
    fn current(&mut self) -> io::Result<Open> {
        match self.open.take() {
            Some(open) if open.is_at(&self.path)? => Ok(open),
            _ => Open::new(&self.path),
        }
    }

    fn rotate(&self) -> io::Result<Appended> {
        let mut appended = Appended::Simply;
        for age in (1..self.files).rev() {
            if age == self.files - 1 && self.aged(age).try_exists()? {
                appended = Appended::OldestDeleted;
            }
            match std::fs::rename(self.aged(age - 1), self.aged(age)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(appended)
    }

    fn aged(&self, age: usize) -> PathBuf {
        if age == 0 {
            return self.path.clone();
        }
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{age}"));
        name.into()
    }
}

impl Open {
    fn new(path: &Path) -> io::Result<Open> {
        // Opening a pipe would wait for its reader.
        match std::fs::metadata(path) {
            Ok(found) if !found.is_file() => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "what is there is no file",
                ));
            }
            _ => {}
        }
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true).mode(MODE);
        let mut file = options.open(path)?;
        let mut size = file.metadata()?.len();
        // A crash may have cut the last line off; the next one must not continue it.
        if size > 0 && !ends_with_line_feed(&mut file)? {
            file.write_all(b"\n")?;
            size += 1;
        }
        Ok(Open { file, size })
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
        match std::fs::metadata(path) {
            Ok(there) => Ok(identity(there) == identity(self.file.metadata()?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(lines) {
            // Half a line would spoil the next one; where even this fails, opening the
            // file anew ends it.
            let _ = self.file.set_len(self.size);
            return Err(error);
        }
        self.size += lines.len() as u64;
        Ok(())
    }
}

fn ends_with_line_feed(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A file of at most 10 bytes and two predecessors.
    fn small(folder: &Path) -> RotatingFile {
        RotatingFile::open(folder.join("rejects.log"), 10, 3).unwrap()
    }

    /// Names and contents of what is in the folder.
    fn files(folder: &Path) -> Vec<(String, String)> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut files: Vec<_> = entries
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                (name, std::fs::read_to_string(entry.path()).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    fn named(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        let expected = expected.iter();
        expected
            .map(|(name, text)| (name.to_string(), text.to_string()))
            .collect()
    }

    #[test]
    fn a_full_file_makes_way_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = small(folder.path());
        let mut deleted = Vec::new();
        for lines in [
            "aaaa\n",
            "bbbb\n",
            "c\n",
            "d\n",
            "longer than a file\n",
            "e\n",
            "f\n",
        ] {
            if file.append(lines.as_bytes()).unwrap() == Appended::OldestDeleted {
                deleted.push(lines);
            }
        }
        assert_eq!(
            files(folder.path()),
            named(&[
                ("rejects.log", "e\nf\n"),
                ("rejects.log.1", "longer than a file\n"),
                ("rejects.log.2", "c\nd\n"),
            ])
        );
        assert_eq!(deleted, ["e\n"]);
    }

    #[test]
    fn what_is_there_stays_and_a_line_that_was_cut_off_ends() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rejects.log"), "old\nhal").unwrap();
        let mut file = small(folder.path());
        file.append(b"a\n").unwrap();
        file.append(b"b\n").unwrap();
        assert_eq!(
            files(folder.path()),
            named(&[("rejects.log", "b\n"), ("rejects.log.1", "old\nhal\na\n")])
        );
    }

    #[test]
    fn a_file_that_was_moved_away_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = small(folder.path());
        file.append(b"a\n").unwrap();
        std::fs::rename(file.path(), folder.path().join("mine")).unwrap();
        file.append(b"b\n").unwrap();
        std::fs::remove_file(file.path()).unwrap();
        file.append(b"c\n").unwrap();
        assert_eq!(
            files(folder.path()),
            named(&[("mine", "a\n"), ("rejects.log", "c\n")])
        );
    }

    #[test]
    fn an_error_appends_nothing_and_heals_when_its_cause_is_gone() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("logs");
        std::fs::create_dir(&folder).unwrap();
        let mut file = small(&folder);
        std::fs::rename(&folder, outer.path().join("away")).unwrap();
        assert!(file.append(b"a\n").is_err());
        std::fs::create_dir(&folder).unwrap();
        file.append(b"b\n").unwrap();
        assert_eq!(files(&folder), named(&[("rejects.log", "b\n")]));
    }

    #[test]
    fn others_may_not_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = small(folder.path());
        let mode = std::fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o007, 0, "{mode:o}");
        assert_eq!(mode & 0o600, 0o600, "{mode:o}");
    }

    #[test]
    fn a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(RotatingFile::open(folder.path().to_owned(), 10, 3).is_err());
        assert!(RotatingFile::open(folder.path().join("none/file"), 10, 3).is_err());
    }
}
