//! Files from disk.

use super::Source;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A larger file is refused before it is read: ten thousand rules are smaller.
const MAX_BYTES: u64 = 4 << 20;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{}: cannot be read", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: larger than {MAX_BYTES} bytes\n\nhint: split it into several files", path.display())]
    TooLarge { path: PathBuf },
    #[error("{}: not UTF-8", path.display())]
    NotUtf8 { path: PathBuf },
}

impl ReadError {
    pub fn path(&self) -> &Path {
        match self {
            ReadError::Io { path, .. }
            | ReadError::TooLarge { path }
            | ReadError::NotUtf8 { path } => path,
        }
    }
}

impl Source {
    /// Reads a file; its name is the path as given.
    ///
    /// # Errors
    ///
    /// When it cannot be opened or read, is larger than 4 MiB, or is not UTF-8.
    pub fn read(path: &Path) -> Result<Source, ReadError> {
        match String::from_utf8(read(path)?) {
            Ok(text) => Ok(Source::new(&path.display().to_string(), &text)),
            Err(_) => Err(ReadError::NotUtf8 { path: path.into() }),
        }
    }

    /// The same of a file whose encoding is not ours to ask for, such as an `haproxy.cfg`
    /// with names in comments: what is not UTF-8 becomes U+FFFD.
    ///
    /// # Errors
    ///
    /// When it cannot be opened or read, or is larger than 4 MiB.
    pub fn read_lossily(path: &Path) -> Result<Source, ReadError> {
        let bytes = read(path)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(Source::new(&path.display().to_string(), &text))
    }
}
fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
    let io = |source| ReadError::Io {
        path: path.into(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(io)?;
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(ReadError::TooLarge { path: path.into() }),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        let said = || {
            let error = Source::read(&file).unwrap_err().to_string();
            error.replace(&folder.path().display().to_string(), "rules")
        };
        insta::assert_snapshot!(said(), @"rules/a.yaml: cannot be read");
        fs::write(&file, b"rules: \xff").unwrap();
        insta::assert_snapshot!(said(), @"rules/a.yaml: not UTF-8");
        fs::write(&file, vec![b'#'; MAX_BYTES as usize + 1]).unwrap();
        insta::assert_snapshot!(said(), @r#"
        rules/a.yaml: larger than 4194304 bytes

        hint: split it into several files
        "#);
    }
}
