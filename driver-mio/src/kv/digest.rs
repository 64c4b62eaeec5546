//! A hash of the state, by which replicas compare themselves.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use super::leaf::View;

/// A hash in the making; entries are added in key order.
pub(super) struct Digest {
    hasher: SipHasher13,
    entries: u64,
}

impl Digest {
    pub(super) fn new(time: u64) -> Self {
        let mut digest = Self { hasher: SipHasher13::new(), entries: 0 };
        digest.word(time);
        digest
    }

    pub(super) fn add(&mut self, key: &[u8], entry: &View<'_>) {
        self.string(key);
        self.string(&entry.value);
        self.word(entry.expire.map_or(0, |deadline| deadline.saturating_add(1)));
        self.word(entry.version);
        self.entries += 1;
    }

    /// Number of entries added.
    pub(super) fn entries(&self) -> u64 {
        self.entries
    }

    pub(super) fn finish(&self) -> u64 {
        self.hasher.finish()
    }

    fn string(&mut self, string: &[u8]) {
        self.word(string.len() as u64);
        self.hasher.write(string);
    }

    // Bytes in a fixed order: `write_u64` would take those of the processor.
    fn word(&mut self, word: u64) {
        self.hasher.write(&word.to_le_bytes());
    }
}
