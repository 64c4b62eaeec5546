//! How one entry lies in the heap of its leaf.
//!
//! Left to the leaf: where a record lies, and the values that are too long for one.

use std::ops::Range;

use super::keyspace::Entry;

/// What a record begins with:
///
/// ```text
/// key length and flags u32 | value u32 | version u64 | [deadline u64] | key | [value]
/// ```
pub(super) struct Head {
    pub(super) key_bytes: usize,
    /// Of a value that is in the record, its length; of a long one, where it is in the list
    /// of those.
    value: u32,
    pub(super) is_long: bool,
    pub(super) expire: Option<u64>,
    pub(super) version: u64,
}

impl Head {
    /// The head of an entry's record; a long value is at the place `long`.
    pub(super) fn of(key_bytes: usize, entry: &Entry, long: usize) -> Head {
        let is_long = entry.value.len() > SHORT_BYTES_MAX;
        let value = if is_long { long } else { entry.value.len() } as u32;
        Head { key_bytes, value, is_long, expire: entry.expire, version: entry.version }
    }

    /// Where a long value is.
    pub(super) fn long(&self) -> usize {
        self.value as usize
    }

    /// Moves a long value elsewhere.
    pub(super) fn set_long(record: &mut [u8], long: usize) {
        record[4..8].copy_from_slice(&(long as u32).to_le_bytes());
    }

    pub(super) fn read(record: &[u8]) -> Head {
        let word = |at| u64::from_le_bytes(*record[at..].first_chunk().expect("a whole record"));
        let lengths = word(0);
        let (key, value) = (lengths as u32, (lengths >> 32) as u32);
        Head {
            key_bytes: (key & KEY_BYTES) as usize,
            value,
            is_long: key & IS_LONG != 0,
            expire: (key & EXPIRES != 0).then(|| word(FIXED_BYTES)),
            version: word(8),
        }
    }

    pub(super) fn write(&self, record: &mut [u8]) {
        let mut key = self.key_bytes as u32 & KEY_BYTES;
        key |= if self.is_long { IS_LONG } else { 0 };
        if let Some(deadline) = self.expire {
            key |= EXPIRES;
            record[FIXED_BYTES..][..8].copy_from_slice(&deadline.to_le_bytes());
        }
        record[..4].copy_from_slice(&key.to_le_bytes());
        record[4..8].copy_from_slice(&self.value.to_le_bytes());
        record[8..FIXED_BYTES].copy_from_slice(&self.version.to_le_bytes());
    }

    pub(super) fn key(&self) -> Range<usize> {
        let start = FIXED_BYTES + if self.expire.is_some() { 8 } else { 0 };
        start..start + self.key_bytes
    }

    pub(super) fn value(&self) -> Range<usize> {
        let start = self.key().end;
        start..start + if self.is_long { 0 } else { self.value as usize }
    }

    pub(super) fn len(&self) -> usize {
        self.value().end
    }
}

/// Longest value that lies in its record, in bytes. What is longer is shared with whoever
/// reads it, and costs an allocation of its own.
pub(super) const SHORT_BYTES_MAX: usize = 512;
/// Key length, flags.
const KEY_BYTES: u32 = (1 << 30) - 1;
const IS_LONG: u32 = 1 << 30;
const EXPIRES: u32 = 1 << 31;
/// Of a record, before the deadline, the key and the value.
const FIXED_BYTES: usize = 16;
