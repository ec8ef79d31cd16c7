//! Curves and details as bytes, and back; docs/store-format.md says the same for readers in
//! other languages.

use super::curves::Curves;
use super::details::Details;

/// The first byte of a record. A reader passes over one with another.
const FORMAT: u8 = 1;

/// zstd's own default.
const LEVEL: i32 = 3;

/// Details of more bytes than this are damaged: a hundred rows of each table and ten examples
/// are some hundred kilobytes at most.
const DETAILS_MAX: usize = 1 << 20;

/// A record is not what was written, or a later weir wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record cannot be read")]
pub struct Damaged;

/// What is stored of a service and a span of time.
pub trait Record: Sized {
    fn encode(&self) -> Result<Vec<u8>, std::io::Error>;

    /// # Errors
    ///
    /// When the bytes are not what [`encode`](Record::encode) makes.
    fn decode(bytes: &[u8]) -> Result<Self, Damaged>;

    fn merge(&mut self, other: &Self);
}

impl Record for Curves {
    fn encode(&self) -> Result<Vec<u8>, std::io::Error> {
        postcard::to_extend(self, vec![FORMAT]).map_err(std::io::Error::other)
    }

    fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let curves: Curves = whole(body(bytes)?)?;
        match curves.latency.is_sound() {
            true => Ok(curves),
            false => Err(Damaged),
        }
    }

    fn merge(&mut self, other: &Self) {
        Curves::merge(self, other);
    }
}

impl Record for Details {
    fn encode(&self) -> Result<Vec<u8>, std::io::Error> {
        let raw = postcard::to_stdvec(self).map_err(std::io::Error::other)?;
        let len = u32::try_from(raw.len()).map_err(std::io::Error::other)?;
        let mut bytes = vec![FORMAT];
        bytes.extend(len.to_le_bytes());
        bytes.extend(zstd::bulk::compress(&raw, LEVEL)?);
        Ok(bytes)
    }

    fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let (len, compressed) = body(bytes)?.split_first_chunk().ok_or(Damaged)?;
        let len = u32::from_le_bytes(*len) as usize;
        if len > DETAILS_MAX {
            return Err(Damaged);
        }
        let raw = zstd::bulk::decompress(compressed, len).map_err(|_| Damaged)?;
        let details: Details = whole(&raw)?;
        match details.is_sound() {
            true => Ok(details),
            false => Err(Damaged),
        }
    }

    fn merge(&mut self, other: &Self) {
        Details::merge(self, other);
    }
}

fn body(bytes: &[u8]) -> Result<&[u8], Damaged> {
    match bytes {
        [FORMAT, body @ ..] => Ok(body),
        _ => Err(Damaged),
    }
}

fn whole<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Damaged> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(Damaged),
    }
}
