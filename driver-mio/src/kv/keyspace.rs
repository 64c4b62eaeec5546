//! Keys, values and deadlines, in an order that every replica shares.
//!
//! The order is that of a fixed hash, so that a cursor of `SCAN` is a place in
//! it: it means the same on every node and needs no memory of the scan.
//!
//! Invariants: `deadlines` holds exactly the deadlines of the entries; `len` and
//! `bytes` are sums over the entries, whether expired or not.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::shards::{Key, Shards};

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

/// All entries, expired ones included until they are purged.
#[derive(Clone, Debug)]
pub(super) struct Keyspace {
    shards: Shards,
    deadlines: BTreeSet<(u64, Bytes)>,
    len: usize,
    bytes: u64,
}

impl Keyspace {
    pub(super) fn new() -> Self {
        Self { shards: Shards::new(), deadlines: BTreeSet::new(), len: 0, bytes: 0 }
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

    /// The entries, expired ones included.
    pub(super) fn shards(&self) -> &Shards {
        &self.shards
    }

    /// The entry of a key whose deadline has not come.
    pub(super) fn live(&self, key: &Bytes, time: u64) -> Option<&Entry> {
        self.shards.get(&Key::new(key)).filter(|entry| !entry.is_expired(time))
    }

    /// Entries from a place on, in order.
    pub(super) fn entries_from(&self, hash: u64) -> impl Iterator<Item = (&Key, &Entry)> {
        self.shards.entries_from(hash)
    }

    /// Puts an entry in the place of whatever the key had. The key is copied if it is new.
    pub(super) fn put(&mut self, key: &Bytes, entry: Entry) {
        let mut key = Key::new(key);
        let shard = self.shards.shard_mut(&key);
        let after = entry.expire;
        self.bytes += cost(&key.bytes, &entry);
        if let Some(present) = shard.get_mut(&key) {
            self.bytes -= cost(&key.bytes, present);
            let before = std::mem::replace(present, entry).expire;
            self.move_deadline(&key.bytes, before, after);
            return;
        }
        // The key lives on its own: it must not pin the payload that it came in.
        key.bytes = Bytes::copy_from_slice(&key.bytes);
        if let Some(deadline) = after {
            self.deadlines.insert((deadline, key.bytes.clone()));
        }
        shard.insert(key, entry);
        self.len += 1;
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
        let shard = self.shards.shard_mut(&key);
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
        // A shard that a snapshot shares is not copied for nothing.
        self.shards.get(&key)?;
        let entry = self.shards.shard_mut(&key).remove(&key)?;
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
    pub(super) shards: Shards,
    pub(super) deadlines: BTreeSet<(u64, Bytes)>,
}

fn cost(key: &Bytes, entry: &Entry) -> u64 {
    (key.len() + entry.value.len()) as u64 + ENTRY_BYTES
}

/// A flat share for the nodes, the counters and the allocations of one entry.
const ENTRY_BYTES: u64 = 160;
