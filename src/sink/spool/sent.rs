//! What went out from memory while the file could not be read.
//!
//! The file may have an older value of the same series and time, and the far side keeps the
//! last it is given. So the older one is left out when the file can be read again.

use std::collections::HashMap;

/// So many are remembered, in some 40 MB: at 1,000 a second, 15 minutes. After that no more
/// are: what amends a window that is in the file comes first, within `amend_for`.
const MAX: usize = 900_000;

/// The blocks that are older than something: those with a number below this one. `None`: those
/// that were there before weir started, in a file that it has not opened yet.
pub type Before = Option<u64>;

/// Keys are [`Entry::key`](super::block::Entry::key)'s.
#[derive(Default)]
pub struct Sent(HashMap<u128, Before>);

impl Sent {
    /// Remembers them. Whether all of them could be.
    pub fn remember(&mut self, keys: &[u128], before: Before) -> bool {
        let mut all = true;
        for key in keys {
            if let Some(known) = self.0.get_mut(key) {
                *known = before;
            } else if self.0.len() < MAX {
                self.0.insert(*key, before);
            } else {
                all = false;
            }
        }
        all
    }

    /// Whether what a block holds under that key is older than what was sent. `first` is the
    /// first block of this run.
    pub fn replaces(&self, key: u128, block: u64, first: u64) -> bool {
        let before = self.0.get(&key);
        before.is_some_and(|before| block < before.unwrap_or(first))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// There is no older block any more.
    pub fn clear(&mut self) {
        // The memory too.
        self.0 = HashMap::new();
    }

    /// Whether any block from that one on may be older than something.
    pub fn concerns(&self, block: u64, first: u64) -> bool {
        let mut befores = self.0.values();
        befores.any(|before| block < before.unwrap_or(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_keeps_the_first() {
        let mut sent = Sent::default();
        let keys: Vec<u128> = (0..MAX as u128).collect();
        assert!(sent.remember(&keys, Some(1)));
        assert!(!sent.remember(&[MAX as u128], Some(1)));
        assert!(sent.remember(&[7], Some(2)));
        let replaces = |key, block| sent.replaces(key, block, 0);
        assert!(replaces(0, 0) && !replaces(0, 1) && replaces(7, 1));
        assert!(!replaces(MAX as u128, 0));
    }
}
