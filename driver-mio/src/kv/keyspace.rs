//! Keys, values and deadlines, in an order that every replica shares.
//!
//! Keys are ordered by a fixed hash, ties by their bytes, so that a cursor of
//! `SCAN` is a place in that order: it means the same on every node and needs no
//! memory of the scan. Neighbours lie together in leaves, which part when they are full
//! and join when they are nearly empty. A leaf is shared with snapshots until it is
//! written to, so taking a snapshot costs one pointer per leaf and stalls nobody.
//!
//! Invariants: `bounds` ascend, begin with 0, and each is the least place that its leaf
//! may hold; `deadlines` holds exactly the deadlines of the entries; `len` and
//! `bytes` are sums over the entries, whether expired or not.

use std::collections::BTreeSet;
use std::hash::Hasher;
use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use siphasher::sip::SipHasher13;
use smallvec::SmallVec;

use super::leaf::{Leaf, View, rank};

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

/// All entries, expired ones included until they are purged.
#[derive(Clone, Debug)]
pub(super) struct Keyspace {
    bounds: Vec<u64>,
    leaves: Vec<Arc<Leaf>>,
    deadlines: BTreeSet<(u64, Bytes)>,
    len: usize,
    bytes: u64,
    put: Put,
}

/// By how much entries have ever grown, in bytes as they are counted for them. No part of the
/// state: what is restored from a snapshot has a different past. Only a difference means
/// something.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Put {
    /// Keys, values and flat shares.
    pub(super) entries: u64,
    /// Keys and flat shares of deadlines.
    pub(super) deadlines: u64,
}

impl Put {
    /// What has been put since.
    pub(super) fn since(self, before: Put) -> Put {
        let entries = self.entries.saturating_sub(before.entries);
        Put { entries, deadlines: self.deadlines.saturating_sub(before.deadlines) }
    }
}

impl Keyspace {
    pub(super) fn new() -> Self {
        let (bounds, leaves) = (vec![0], vec![Arc::default()]);
        let deadlines = BTreeSet::new();
        Self { bounds, leaves, deadlines, len: 0, bytes: 0, put: Put::default() }
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

    /// What has been put, ever.
    pub(super) fn put_so_far(&self) -> Put {
        self.put
    }

    pub(super) fn first_deadline(&self) -> Option<u64> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// The leaves in key order, shared.
    pub(super) fn leaves(&self) -> &[Arc<Leaf>] {
        &self.leaves
    }

    /// The entry of a key whose deadline has not come.
    pub(super) fn live(&self, key: &[u8], time: u64) -> Option<View<'_>> {
        let (leaf, found) = self.find(key_hash(key), key);
        let entry = found.ok().map(|at| self.leaves[leaf].view(at));
        entry.filter(|entry| !entry.is_expired(time))
    }

    /// Has the processor read what a look at each of these keys will read. One after the
    /// other, each look waits for memory four or five times; here they wait together. Changes nothing.
    pub(super) fn glance<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) {
        let sought: SmallVec<[(u64, usize); PREPARED_AT_ONCE]> = keys
            .map(|key| {
                let place = key_hash(key);
                (place, self.leaf_of(place))
            })
            .collect();
        let leaf = |number: usize| &self.leaves[number];
        let lengths = sought.iter().map(|(_, number)| leaf(*number).len());
        black_box(lengths.fold(0, |sum, length| sum ^ length));
        let places = sought
            .iter()
            .map(|(place, number)| leaf(*number).glance_at_places(*place, &self.span(*number)));
        black_box(places.fold(0, |sum, place| sum ^ place));
        let spots: SmallVec<[u32; PREPARED_AT_ONCE]> = sought
            .iter()
            .map(|(place, number)| leaf(*number).glance_at_spots(*place, &self.span(*number)))
            .collect();
        let records = sought.iter().zip(&spots);
        let records = records.map(|((_, number), spot)| leaf(*number).glance_at_record(*spot));
        black_box(records.fold(0, |sum, byte| sum ^ byte));
        let values = sought.iter().zip(&spots);
        let values = values.map(|((_, number), spot)| leaf(*number).glance_at_value(*spot));
        black_box(values.fold(0, |sum, byte| sum ^ byte));
    }

    /// Entries from a place on, in order: their places, their keys, and what is known.
    pub(super) fn entries_from(&self, place: u64) -> impl Iterator<Item = (u64, &[u8], View<'_>)> {
        let first = self.leaf_of(place);
        let mut skipped = self.leaves[first].rank(place, &self.span(first));
        let leaves = self.leaves[first..].iter();
        leaves.flat_map(move |leaf| leaf.entries_from(std::mem::take(&mut skipped)))
    }

    /// Puts an entry in the place of whatever the key had. The key is copied, and so is a
    /// short value; a long one is kept as it is.
    pub(super) fn put(&mut self, key: &[u8], entry: Entry) {
        let place = key_hash(key);
        let (number, found) = self.find(place, key);
        let leaf = Arc::make_mut(&mut self.leaves[number]);
        let after = entry.expire;
        let cost_after = cost(key, &entry.value);
        let (cost_before, before) = match found {
            Ok(at) => {
                let present = leaf.view(at);
                let before = (cost(key, &present.value), present.expire);
                leaf.replace(at, entry);
                before
            }
            Err(at) => {
                leaf.insert(at, place, key, entry);
                self.len += 1;
                (0, None)
            }
        };
        self.resize(cost_before, cost_after);
        self.part_if_crowded(number);
        self.move_deadline(key, before, after);
    }

    /// Changes the value of a key in place, if it has one.
    ///
    /// The value is handed over, so that growing it need not copy it.
    pub(super) fn change_value(
        &mut self,
        key: &[u8],
        version: u64,
        change: impl FnOnce(Bytes) -> Bytes,
    ) {
        let place = key_hash(key);
        let (number, Ok(at)) = self.find(place, key) else { return };
        let leaf = Arc::make_mut(&mut self.leaves[number]);
        let mut entry = leaf.remove(at);
        let cost_before = cost(key, &entry.value);
        entry.value = change(entry.value);
        entry.version = version;
        let cost_after = cost(key, &entry.value);
        leaf.insert(at, place, key, entry);
        self.resize(cost_before, cost_after);
        self.part_if_crowded(number);
    }

    /// Removes an entry, expired or not.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        // A leaf that a snapshot shares is not copied for nothing.
        let (number, Ok(at)) = self.find(key_hash(key), key) else { return None };
        let entry = Arc::make_mut(&mut self.leaves[number]).remove(at);
        self.len -= 1;
        self.bytes -= cost(key, &entry.value);
        self.join_if_sparse(number);
        self.move_deadline(key, entry.expire, None);
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

    /// Leaves nothing, and hands over what there was, to be dropped bit by bit.
    pub(super) fn clear(&mut self) -> Ruins {
        let old = std::mem::replace(self, Self { put: self.put, ..Self::new() });
        Ruins { leaves: old.leaves, deadlines: old.deadlines }
    }

    /// The leaf of a key, and where it is in there, or would go.
    fn find(&self, place: u64, key: &[u8]) -> (usize, Result<usize, usize>) {
        let number = self.leaf_of(place);
        (number, self.leaves[number].find(place, key, &self.span(number)))
    }

    /// The leaf that a place belongs to: the last whose bound is not above it.
    fn leaf_of(&self, place: u64) -> usize {
        rank(&self.bounds, place.saturating_add(1), &(0..1 << HASH_BITS)) - 1
    }

    /// What the places in a leaf lie between.
    fn span(&self, number: usize) -> Range<u64> {
        self.bounds[number]..self.bounds.get(number + 1).copied().unwrap_or(1 << HASH_BITS)
    }

    /// Panics if an invariant does not hold.
    #[cfg(test)]
    pub(super) fn check(&self) {
        assert_eq!((self.bounds.len(), self.bounds[0]), (self.leaves.len(), 0));
        assert!(self.bounds.is_sorted_by(|a, b| a < b));
        self.leaves.iter().enumerate().for_each(|(number, leaf)| leaf.check(&self.span(number)));
        assert!(self.leaves.len() == 1 || self.leaves.iter().all(|leaf| !leaf.is_empty()));
    }

    fn part_if_crowded(&mut self, number: usize) {
        if self.leaves[number].is_crowded()
            && let Some(upper) = Arc::make_mut(&mut self.leaves[number]).split()
        {
            self.bounds.insert(number + 1, upper.place(0));
            self.leaves.insert(number + 1, Arc::new(upper));
        }
    }

    /// Joins a leaf with the one behind it, or the one before it with it, where both
    /// together are still small. An empty one goes, however large they are.
    fn join_if_sparse(&mut self, number: usize) {
        if self.leaves[number].is_empty() && self.leaves.len() > 1 {
            self.leaves.remove(number);
            // Its places fall to the one before, or those of the first to the one behind.
            self.bounds.remove(number.max(1));
            return;
        }
        let fits = |low: usize| {
            self.leaves.get(low + 1).is_some_and(|high| self.leaves[low].goes_with(high))
        };
        let Some(low) =
            [Some(number), number.checked_sub(1)].into_iter().flatten().find(|n| fits(*n))
        else {
            return;
        };
        self.bounds.remove(low + 1);
        let high = self.leaves.remove(low + 1);
        Arc::make_mut(&mut self.leaves[low]).append(&high);
    }

    /// Counts that an entry took `before` bytes and takes `after`.
    fn resize(&mut self, before: u64, after: u64) {
        self.bytes = self.bytes - before + after;
        let growth = after.saturating_sub(before);
        self.put.entries = self.put.entries.saturating_add(growth);
    }

    fn move_deadline(&mut self, key: &[u8], before: Option<u64>, after: Option<u64>) {
        if before == after {
            return;
        }
        let key = Bytes::copy_from_slice(key);
        if let Some(deadline) = before {
            self.deadlines.remove(&(deadline, key.clone()));
        }
        if let Some(deadline) = after {
            self.put.deadlines = self.put.deadlines.saturating_add(deadline_cost(&key));
            self.deadlines.insert((deadline, key));
        }
    }
}

/// What is left of a cleared keyspace.
pub(super) struct Ruins {
    pub(super) leaves: Vec<Arc<Leaf>>,
    pub(super) deadlines: BTreeSet<(u64, Bytes)>,
}

fn cost(key: &[u8], value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64 + ENTRY_BYTES
}

/// What a deadline counts for when it is put, and when what is left of it is dropped.
pub(super) fn deadline_cost(key: &[u8]) -> u64 {
    cost(key, &[])
}

const HASH_BITS: u32 = 53;
/// As many payloads as are best prepared for together: see [`prepare`](super::Machine::prepare).
pub const PREPARED_AT_ONCE: usize = 16;
/// A flat share for the head of a record, its place and the room that leaves keep free. A
/// deadline, or a long value, takes some more.
const ENTRY_BYTES: u64 = 64;
