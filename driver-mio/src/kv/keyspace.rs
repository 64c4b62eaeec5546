//! Keys, values and deadlines, in an order that every replica shares.
//!
//! Keys are ordered by a fixed hash, ties by their bytes, so that a cursor of
//! `SCAN` is a place in that order: it means the same on every node and needs no
//! memory of the scan. The order is cut into shards by the leading bits of the
//! hash. A shard is shared with snapshots until it is written to, so taking a
//! snapshot costs one pointer per shard and stalls nobody.
//!
//! Invariants: `deadlines` holds exactly the deadlines of the entries; `len` and
//! `bytes` are sums over the entries, whether expired or not.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use std::sync::Arc;

use bytes::Bytes;
use siphasher::sip::SipHasher13;

/// What is known of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Bytes,
    /// When the key is gone, in milliseconds since the Unix epoch.
    pub expire: Option<u64>,
    /// One more than the slot of the last change, so that 0 can stand for absent.
    pub version: u64,
}

impl Entry {
    /// Tells whether the deadline has come.
    pub fn is_expired(&self, time: u64) -> bool {
        self.expire.is_some_and(|deadline| deadline <= time)
    }
}

/// Place of a key in the common order: 53 bits, which every client's number
/// type can hold. The same on every node, for all versions of this program.
pub fn key_hash(key: &[u8]) -> u64 {
    // A keyed hash: whoever chooses keys cannot cheaply choose their places.
    let mut hasher = SipHasher13::new_with_keys(0x7061_786f_732d_6b76, 0x6b65_7973_7061_6365);
    hasher.write(key);
    hasher.finish() >> (64 - HASH_BITS)
}

/// A key and its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) hash: u64,
    pub(super) bytes: Bytes,
}

impl Key {
    fn new(bytes: &Bytes) -> Self {
        Self { hash: key_hash(bytes), bytes: bytes.clone() }
    }

    fn shard(&self) -> usize {
        (self.hash >> (HASH_BITS - SHARD_BITS)) as usize
    }
}

pub(super) type Shard = BTreeMap<Key, Entry>;

/// All entries, expired ones included until they are purged.
#[derive(Clone, Debug)]
pub(super) struct Keyspace {
    shards: Vec<Arc<Shard>>,
    deadlines: BTreeSet<(u64, Bytes)>,
    len: usize,
    bytes: u64,
}

impl Keyspace {
    pub(super) fn new() -> Self {
        // One empty shard stands for all until they are written to.
        let empty = Arc::new(Shard::new());
        let shards = vec![empty; 1 << SHARD_BITS];
        Self { shards, deadlines: BTreeSet::new(), len: 0, bytes: 0 }
    }

    /// Number of entries, expired ones included.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Number of entries with a deadline.
    pub(super) fn expiring(&self) -> usize {
        self.deadlines.len()
    }

    /// What the entries take, in bytes: keys, values, and a flat share for each entry.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn first_deadline(&self) -> Option<u64> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// The shards in key order, shared.
    pub(super) fn shards(&self) -> &[Arc<Shard>] {
        &self.shards
    }

    /// The entry of a key whose deadline has not come.
    pub(super) fn live(&self, key: &Bytes, time: u64) -> Option<&Entry> {
        let key = Key::new(key);
        self.shards[key.shard()].get(&key).filter(|entry| !entry.is_expired(time))
    }

    /// Entries from a place on, in order.
    pub(super) fn entries_from(&self, hash: u64) -> impl Iterator<Item = (&Key, &Entry)> {
        let start = Key { hash, bytes: Bytes::new() };
        let first = start.shard();
        let head = self.shards.get(first).map(|shard| shard.range(start..));
        let tail = self.shards.iter().skip(first + 1).flat_map(|shard| shard.iter());
        head.into_iter().flatten().chain(tail)
    }

    /// Puts an entry in the place of whatever the key had. The key is copied if it is new.
    pub(super) fn put(&mut self, key: &Bytes, entry: Entry) {
        let mut key = Key::new(key);
        let shard = Arc::make_mut(&mut self.shards[key.shard()]);
        let after = entry.expire;
        self.bytes += cost(&key.bytes, &entry);
        let before = match shard.get_mut(&key) {
            Some(present) => {
                self.bytes -= cost(&key.bytes, present);
                std::mem::replace(present, entry).expire
            }
            None => {
                // The key lives on its own: it must not pin the payload that it came in.
                key.bytes = Bytes::copy_from_slice(&key.bytes);
                shard.insert(key.clone(), entry);
                self.len += 1;
                None
            }
        };
        self.move_deadline(&key.bytes, before, after);
    }

    /// Changes the value of a live key in place, if it has one.
    ///
    /// The value is handed over, so that growing it need not copy it.
    pub(super) fn change_value(
        &mut self,
        key: &Bytes,
        version: u64,
        change: impl FnOnce(Bytes) -> Bytes,
    ) {
        let key = Key::new(key);
        let shard = Arc::make_mut(&mut self.shards[key.shard()]);
        if let Some(entry) = shard.get_mut(&key) {
            self.bytes -= cost(&key.bytes, entry);
            entry.value = change(std::mem::take(&mut entry.value));
            entry.version = version;
            self.bytes += cost(&key.bytes, entry);
        }
    }

    /// Removes an entry, expired or not.
    pub(super) fn remove(&mut self, key: &Bytes) -> Option<Entry> {
        let key = Key::new(key);
        let slot = &mut self.shards[key.shard()];
        // A shard that a snapshot shares is not copied for nothing.
        if !slot.contains_key(&key) {
            return None;
        }
        let entry = Arc::make_mut(slot).remove(&key)?;
        self.len -= 1;
        self.bytes -= cost(&key.bytes, &entry);
        self.move_deadline(&key.bytes, entry.expire, None);
        Some(entry)
    }

    /// Removes entries whose deadline has come, the oldest first, at most `max`.
    pub(super) fn purge(&mut self, time: u64, max: usize) {
        for _ in 0..max {
            match self.deadlines.first() {
                Some((deadline, key)) if *deadline <= time => {
                    let key = key.clone();
                    self.remove(&key);
                }
                _ => return,
            }
        }
    }

    fn move_deadline(&mut self, key: &Bytes, before: Option<u64>, after: Option<u64>) {
        if before == after {
            return;
        }
        let taken = before.and_then(|deadline| self.deadlines.take(&(deadline, key.clone())));
        if let Some(deadline) = after {
            let key = taken.map_or_else(|| Bytes::copy_from_slice(key), |(_, key)| key);
            self.deadlines.insert((deadline, key));
        }
    }

    /// Leaves nothing, and hands over what there was, to be dropped bit by bit.
    pub(super) fn clear(&mut self) -> Ruins {
        let old = std::mem::replace(self, Self::new());
        Ruins { shards: old.shards, deadlines: old.deadlines }
    }
}

/// What is left of a cleared keyspace.
pub(super) struct Ruins {
    pub(super) shards: Vec<Arc<Shard>>,
    pub(super) deadlines: BTreeSet<(u64, Bytes)>,
}

fn cost(key: &Bytes, entry: &Entry) -> u64 {
    (key.len() + entry.value.len()) as u64 + ENTRY_BYTES
}

const HASH_BITS: u32 = 53;
/// 4096 shards: a million keys make shards of 250, which a write behind a
/// snapshot copies in microseconds.
const SHARD_BITS: u32 = 12;
/// A flat share for the nodes, the counters and the allocations of one entry.
const ENTRY_BYTES: u64 = 160;
