//! Log files as bytes: plain, or compressed by gzip or Zstandard.

use super::stop::{Stop, Waiting};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Chain, Cursor, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is read from a compressed file at once.
const READ_BYTES: usize = 256 * 1024;

/// A log file that could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("{name}: cannot be read")]
pub struct Unreadable {
    pub name: String,
    pub source: io::Error,
}

/// The bytes of one log, decompressed.
pub struct Input {
    /// Its path, or `-`.
    pub name: String,
    pub reader: Box<dyn Read + Send>,
}

/// Opens a file, or standard input where the path is `-`. Whether it is compressed, its
/// first bytes tell, whatever its name. What is read of it, as it is on disk, is added to
/// `bytes_read`. Reading of a pipe gives up when it is to stop.
///
/// # Errors
///
/// When it cannot be opened, or its first bytes cannot be read.
pub fn open(path: &Path, bytes_read: &Arc<AtomicU64>, stop: &Stop) -> Result<Input, Unreadable> {
    let name = path.display().to_string();
    let opened = (|| {
        // Not by `io::stdin`: what its buffer holds, nobody who waits for more would see.
        let file = match name.as_str() {
            "-" => File::from(io::stdin().as_fd().try_clone_to_owned()?),
            _ => File::open(path)?,
        };
        let raw: Box<dyn Read + Send> = match file.metadata()?.is_file() {
            true => Box::new(file),
            false => Box::new(Waiting {
                reader: file,
                stop: stop.clone(),
            }),
        };
        decompressed(Counted {
            reader: raw,
            bytes_read: Arc::clone(bytes_read),
        })
    })();
    match opened {
        Ok(reader) => Ok(Input { name, reader }),
        Err(source) => Err(Unreadable { name, source }),
    }
}

/// The bytes behind a compression, if there is one.
fn decompressed(mut reader: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut first = Vec::with_capacity(MAGIC_BYTES);
    reader
        .by_ref()
        .take(MAGIC_BYTES as u64)
        .read_to_end(&mut first)?;
    let compression = Compression::of(&first);
    let reader: Chain<_, _> = Cursor::new(first).chain(reader);
    Ok(match compression {
        Compression::None => Box::new(reader),
        // Both read on behind the end of a part: logs are compressed in pieces and joined.
        Compression::Gzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(
            READ_BYTES, reader,
        ))),
        Compression::Zstd => Box::new(zstd::Decoder::new(reader)?),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

const MAGIC_BYTES: usize = 4;

impl Compression {
    /// Gzip: RFC 1952, section 2.3.1. Zstandard: RFC 8878, sections 3.1.1 and 3.1.2; a file
    /// may begin with a frame to be skipped, as parallel compressors write it. No log line
    /// begins with any of these.
    fn of(first: &[u8]) -> Compression {
        match first {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Compression::Zstd,
            _ => Compression::None,
        }
    }
}

/// Counts what is read.
struct Counted<R> {
    reader: R,
    bytes_read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buf)?;
        self.bytes_read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;
    use std::io::Write;

    const LOG: &[u8] = b"first line\nsecond line\n";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    fn read(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut read = Vec::new();
        decompressed(Cursor::new(bytes))?.read_to_end(&mut read)?;
        Ok(read)
    }

    #[test]
    fn a_compression_is_told_by_its_first_bytes() {
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 7][..], &zstd(LOG)].concat();
        for (bytes, expected) in [
            (LOG.to_vec(), LOG),
            (b"".to_vec(), b""),
            (b"a\n".to_vec(), b"a\n"),
            (gzip(LOG), LOG),
            ([gzip(&LOG[..5]), gzip(&LOG[5..])].concat(), LOG),
            (zstd(LOG), LOG),
            ([zstd(&LOG[..5]), zstd(&LOG[5..])].concat(), LOG),
            (skippable, LOG),
        ] {
            assert_eq!(read(bytes.clone()).unwrap(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_file_that_breaks_off_is_unreadable() {
        for whole in [gzip(LOG), zstd(LOG)] {
            assert!(read(whole[..whole.len() - 3].to_vec()).is_err());
        }
    }

    #[test]
    fn what_cannot_be_opened_is_named() {
        let error = open(Path::new("no/such.log"), &Arc::default(), &Stop::default())
            .err()
            .unwrap();
        assert_eq!(error.to_string(), "no/such.log: cannot be read");
    }
}
