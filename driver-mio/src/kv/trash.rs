//! What `FLUSHALL` leaves behind, dropped a little with every step.
//!
//! Freeing millions of entries at once would stop the replica for longer than
//! an election takes. A step drops more entries than its payload can have
//! added, so there is never more here than was once live.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::keyspace::Ruins;
use super::shards::Shards;

/// Entries that no one can reach any more. No part of the state: it has no
/// bearing on answers, digests or snapshots.
#[derive(Clone, Debug, Default)]
pub(super) struct Trash {
    stores: Vec<Shards>,
    deadlines: Vec<BTreeSet<(u64, Bytes)>>,
}

impl Trash {
    pub(super) fn add(&mut self, ruins: Ruins) {
        self.stores.push(ruins.shards);
        if !ruins.deadlines.is_empty() {
            self.deadlines.push(ruins.deadlines);
        }
    }

    /// Drops some entries: a few, and as many as a payload of this length can add.
    pub(super) fn drop_some(&mut self, payload_bytes: usize) {
        let share = DROPPED_MIN + payload_bytes / ENTRY_PAYLOAD_BYTES_MIN;
        let mut left = share;
        while let Some(shards) = self.stores.last_mut() {
            if shards.drop_some(&mut left) {
                break;
            }
            self.stores.pop();
        }
        let mut left = share;
        while let Some(deadlines) = self.deadlines.last_mut() {
            while left > 0 && deadlines.pop_first().is_some() {
                left -= 1;
            }
            if !deadlines.is_empty() {
                break;
            }
            self.deadlines.pop();
        }
    }
}

/// Entries dropped in a step however short its payload is.
const DROPPED_MIN: usize = 64;
/// The least that a new entry takes in a payload: the lengths of its key and its value.
const ENTRY_PAYLOAD_BYTES_MIN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::keyspace::{Entry, Keyspace};

    #[test]
    fn a_cleared_keyspace_is_dropped_in_bounded_steps() {
        let mut keyspace = Keyspace::new();
        for number in 0..1000_u32 {
            let key = Bytes::from(number.to_string());
            let expire = (number % 2 == 0).then_some(9);
            keyspace.put(&key, Entry { value: Bytes::new(), expire, version: 1 });
        }
        let mut trash = Trash::default();
        trash.add(keyspace.clear());
        assert_eq!((keyspace.len(), keyspace.bytes(), keyspace.first_deadline()), (0, 0, None));

        let steps = std::iter::repeat_with(|| {
            let left: usize = trash.stores.iter().map(|store| store.entries_from(0).count()).sum();
            trash.drop_some(8);
            left
        });
        let left: Vec<_> = steps.take(18).collect();
        assert!(left.windows(2).all(|pair| pair[0] - pair[1] <= DROPPED_MIN + 1));
        assert_eq!((left[0], left[17]), (1000, 0));
        assert!(trash.stores.is_empty() && trash.deadlines.is_empty());
    }
}
