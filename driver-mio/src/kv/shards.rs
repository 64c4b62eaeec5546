//! The entries, cut into small ordered maps that snapshots can share.
//!
//! Keys are ordered by a fixed hash, ties by their bytes. The leading bits of
//! the hash lead through groups to a shard. Groups and shards are shared with
//! clones until they are written to: a clone costs one pointer per group, and
//! the first write behind it copies one group of pointers and one small shard.
//!
//! Empty shards are shared too, so an empty store is small.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::Arc;

use bytes::Bytes;
use siphasher::sip::SipHasher13;

use super::keyspace::Entry;

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
    pub(super) fn new(bytes: &Bytes) -> Self {
        Self { hash: key_hash(bytes), bytes: bytes.clone() }
    }
}

pub(super) type Shard = BTreeMap<Key, Entry>;

type Group = Vec<Arc<Shard>>;

/// All entries in key order.
#[derive(Clone, Debug)]
pub(super) struct Shards {
    groups: Vec<Arc<Group>>,
    /// What a group is that was never written to: walks pass it by.
    empty: Arc<Group>,
}

impl Shards {
    pub(super) fn new() -> Self {
        // One empty group stands for all until they are written to.
        let empty_shard = Arc::new(Shard::new());
        let empty = Arc::new(vec![empty_shard; 1 << LEVEL_BITS]);
        Self { groups: vec![empty.clone(); 1 << LEVEL_BITS], empty }
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Entry> {
        let (group, shard) = place(key.hash);
        self.groups[group][shard].get(key)
    }

    /// The shard that a key belongs to, to be written to.
    pub(super) fn shard_mut(&mut self, key: &Key) -> &mut Shard {
        let (group, shard) = place(key.hash);
        Arc::make_mut(&mut Arc::make_mut(&mut self.groups[group])[shard])
    }

    /// Entries from a place on, in order.
    pub(super) fn entries_from(&self, hash: u64) -> impl Iterator<Item = (&Key, &Entry)> {
        let start = Key { hash, bytes: Bytes::new() };
        let (group, shard) = place(hash);
        let head = self.groups.get(group).map(|shards| {
            let rest = shards[shard + 1..].iter().flat_map(|shard| shard.iter());
            shards[shard].range(start..).chain(rest)
        });
        let tail = self.groups.iter().skip(group.saturating_add(1));
        let tail = tail.filter(|shards| !Arc::ptr_eq(shards, &self.empty));
        let tail = tail.flat_map(|shards| shards.iter()).flat_map(|shard| shard.iter());
        head.into_iter().flatten().chain(tail)
    }

    /// Drops entries from the end, at most `left`, which is counted down; tells
    /// whether there may be more. What is left is good for nothing but this.
    pub(super) fn drop_some(&mut self, left: &mut usize) -> bool {
        while let Some(group) = self.groups.last_mut() {
            // What a snapshot holds as well is not ours to take apart: letting go is enough.
            if let Some(shards) = Arc::get_mut(group) {
                while let Some(shard) = shards.last_mut() {
                    if !drop_some(shard, left) {
                        return true;
                    }
                    shards.pop();
                }
            }
            self.groups.pop();
        }
        false
    }
}

/// Drops entries of one shard; tells whether it is done with.
fn drop_some(shard: &mut Arc<Shard>, left: &mut usize) -> bool {
    let Some(shard) = Arc::get_mut(shard) else { return true };
    while *left > 0 && shard.pop_last().is_some() {
        *left -= 1;
    }
    shard.is_empty()
}

/// Group and shard of a place. A place that no key has may be in no group.
fn place(hash: u64) -> (usize, usize) {
    let group = hash >> (HASH_BITS - LEVEL_BITS);
    let shard = hash >> (HASH_BITS - 2 * LEVEL_BITS) & ((1 << LEVEL_BITS) - 1);
    (usize::try_from(group).unwrap_or(usize::MAX), shard as usize)
}

const HASH_BITS: u32 = 53;
/// 256 groups of 256 shards: a million keys make shards of 15, ten million
/// shards of 150, which a write behind a snapshot copies in microseconds.
const LEVEL_BITS: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_of_a_key_never_changes() {
        // A cursor and a snapshot outlive this program: the order is part of their format.
        assert_eq!(key_hash(b""), 7_293_214_662_229_796);
        assert_eq!(key_hash(b"key"), 6_033_008_020_895_346);
    }

    #[test]
    fn entries_come_in_order_from_any_place() {
        let mut shards = Shards::new();
        for number in 0..2000_u64 {
            let key = Key::new(&Bytes::from(number.to_string()));
            let entry = Entry { value: Bytes::new(), expire: None, version: number };
            shards.shard_mut(&key).insert(key, entry);
        }
        let all: Vec<_> = shards.entries_from(0).map(|(key, _)| key.clone()).collect();
        assert_eq!(all.len(), 2000);
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
        for at in (0..all.len()).step_by(97) {
            for (from, first) in [(all[at].hash, at), (all[at].hash + 1, at + 1)] {
                let rest: Vec<_> = shards.entries_from(from).map(|(key, _)| key.clone()).collect();
                assert_eq!(rest, all[first..]);
            }
        }
        for beyond in [1 << HASH_BITS, u64::MAX] {
            assert_eq!(shards.entries_from(beyond).count(), 0);
        }
    }

    #[test]
    fn clone_does_not_see_later_writes() {
        let mut shards = Shards::new();
        let clone = shards.clone();
        let key = Key::new(&Bytes::from_static(b"key"));
        let entry = Entry { value: Bytes::new(), expire: None, version: 1 };
        shards.shard_mut(&key).insert(key.clone(), entry);
        assert!(shards.get(&key).is_some() && clone.get(&key).is_none());
    }
}
