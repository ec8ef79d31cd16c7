//! What is in `checkpoint.redb`: tables, keys, and the checksum before every value.
//! docs/checkpoint-format.md says the same for readers in other languages; change both
//! together, and [`VERSION`].

use super::{Generation, PaneId};
use redb::{ReadableTable, TableDefinition, TableHandle};
use xxhash_rust::xxh3::Xxh3;

/// Of the tables below; redb's own file format has its own version.
pub const VERSION: u64 = 1;

/// [`FORMAT`], [`STARTS`], [`COVERS`]: a number each. [`HEAD`]: the checkpoint's head.
pub const META: Table<&str> = Table::new("weir checkpoint");
/// [`pane_key`] to the pane.
pub const PANES: Table<&PaneKey> = Table::new("panes");
/// [`journal_key`] to a record.
pub const JOURNAL: Table<&JournalKey> = Table::new("journal");
/// [`tail_key`] to a tail.
pub const TAILS: Table<&TailKey> = Table::new("tails");

type Table<K> = TableDefinition<'static, K, &'static [u8]>;

/// [`VERSION`].
pub const FORMAT: &str = "format";
/// How often weir has been started with this file; a session's number begins with it.
pub const STARTS: &str = "starts";
/// The last generation that the checkpoint covers.
pub const COVERS: &str = "covers";
pub const HEAD: &str = "head";

/// Place of the grouping (u16) and start (i64), big-endian.
pub type PaneKey = [u8; 10];
/// Generation and sequence (u64 each), big-endian, so that the order of bytes is that in
/// which records came.
pub type JournalKey = [u8; 16];
/// The session (u64), big-endian.
pub type TailKey = [u8; 8];

pub fn pane_key((grouping, start): PaneId) -> PaneKey {
    let mut key = [0; 10];
    key[..2].copy_from_slice(&grouping.to_be_bytes());
    key[2..].copy_from_slice(&start.to_be_bytes());
    key
}

pub fn split_pane_key(key: &PaneKey) -> PaneId {
    let [a, b, start @ ..] = *key;
    (u16::from_be_bytes([a, b]), i64::from_be_bytes(start))
}

pub fn journal_key(generation: Generation, sequence: u64) -> JournalKey {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&generation.0.to_be_bytes());
    key[8..].copy_from_slice(&sequence.to_be_bytes());
    key
}

pub fn split_journal_key(key: &JournalKey) -> (Generation, u64) {
    let [a, b, c, d, e, f, g, h, sequence @ ..] = *key;
    let generation = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    (Generation(generation), u64::from_be_bytes(sequence))
}

/// Puts the checksum before a value. It covers table and key too, so that a value that has
/// got to another place is not taken for the one that belongs there.
pub fn seal(table: &str, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(8 + value.len());
    sealed.extend(checksum(table, key, value).to_le_bytes());
    sealed.extend(value);
    sealed
}

/// The value, if its checksum is right.
pub fn unseal<'a>(table: &str, key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], redb::Error> {
    let parts = sealed.split_first_chunk::<8>();
    let right =
        parts.filter(|(sum, value)| u64::from_le_bytes(**sum) == checksum(table, key, value));
    right
        .map(|(_, value)| value)
        .ok_or_else(|| damaged(table, "a checksum is wrong"))
}

/// What redb itself cannot see.
pub fn damaged(table: &str, why: &str) -> redb::Error {
    redb::Error::Corrupted(format!("table `{table}`: {why}"))
}

fn checksum(table: &str, key: &[u8], value: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(table.as_bytes());
    hash.update(key);
    hash.update(value);
    hash.digest()
}

/// A value of [`META`].
pub fn meta(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    key: &str,
) -> Result<Option<Vec<u8>>, redb::Error> {
    let Some(sealed) = table.get(key)? else {
        return Ok(None);
    };
    unseal(META.name(), key.as_bytes(), sealed.value()).map(|value| Some(value.to_vec()))
}

/// A number of [`META`].
pub fn number(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    key: &str,
) -> Result<Option<u64>, redb::Error> {
    let value = meta(table, key)?.map(<[u8; 8]>::try_from).transpose();
    let value = value.map_err(|_| damaged(META.name(), "a number is of the wrong length"))?;
    Ok(value.map(u64::from_le_bytes))
}

/// Puts a value of [`META`].
pub fn set_meta(
    table: &mut redb::Table<'_, &'static str, &'static [u8]>,
    key: &str,
    value: &[u8],
) -> Result<(), redb::Error> {
    table.insert(key, seal(META.name(), key.as_bytes(), value).as_slice())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_sort_by_generation_then_sequence() {
        let keys = [(0, 256), (1, 0), (1, 255), (1, 256), (256, 1)];
        let encoded =
            keys.map(|(generation, sequence)| journal_key(Generation(generation), sequence));
        assert!(encoded.is_sorted());
        let split = encoded.map(|key| split_journal_key(&key));
        assert_eq!(
            split.map(|(generation, sequence)| (generation.0, sequence)),
            keys
        );
        assert_eq!(split_pane_key(&pane_key((7, -5))), (7, -5));
    }

    #[test]
    fn a_value_is_only_whole_in_its_place() {
        let sealed = seal("panes", b"key", b"value");
        assert_eq!(unseal("panes", b"key", &sealed).unwrap(), b"value");
        for (table, key, sealed) in [
            ("tails", &b"key"[..], &sealed[..]),
            ("panes", b"kex", &sealed),
            ("panes", b"key", &sealed[..sealed.len() - 1]),
            ("panes", b"key", &sealed[..7]),
        ] {
            assert!(unseal(table, key, sealed).is_err());
        }
    }
}
