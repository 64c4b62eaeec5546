//! What `FLUSHALL` leaves behind, dropped a little with every step.
//!
//! Freeing millions of entries at once would stop the replica for longer than
//! an election takes. A step drops twice as many bytes as it puts, if there are so many,
//! and a few entries anyhow: so these and the live ones together never take more than they
//! did when they were cleared, but for what one step puts.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::keyspace::{Put, Ruins, deadline_cost};
use super::leaf::Leaf;

/// Entries that no one can reach any more. No part of the state: it has no
/// bearing on answers, digests or snapshots.
#[derive(Clone, Debug, Default)]
pub(super) struct Trash {
    leaves: Vec<Arc<Leaf>>,
    deadlines: Vec<BTreeSet<(u64, Bytes)>>,
}

impl Trash {
    pub(super) fn add(&mut self, ruins: Ruins) {
        self.leaves.extend(ruins.leaves.into_iter().filter(|leaf| !leaf.is_empty()));
        if !ruins.deadlines.is_empty() {
            self.deadlines.push(ruins.deadlines);
        }
    }

    /// Drops a few entries.
    pub(super) fn drop_some(&mut self) {
        self.drop_for(Put::default());
    }

    /// Drops a few entries, and at least twice of what was put.
    pub(super) fn drop_for(&mut self, put: Put) {
        if self.leaves.is_empty() && self.deadlines.is_empty() {
            return;
        }
        self.drop_entries(Share::beside(put.entries));
        self.drop_deadlines(Share::beside(put.deadlines));
    }

    fn drop_entries(&mut self, mut share: Share) {
        while !share.is_done()
            && let Some(leaf) = self.leaves.last_mut()
        {
            // A leaf that a snapshot still holds is not ours to take apart: that we let go
            // of it frees nothing.
            let bytes = Arc::get_mut(leaf).map(|leaf| {
                while !share.is_done()
                    && let Some(value) = leaf.pop_long()
                {
                    share.count(1, value.len() as u64);
                }
                leaf.bytes() as u64
            });
            if share.is_done() {
                return;
            }
            self.leaves.pop();
            share.count(LEAF_COST, bytes.unwrap_or(0));
        }
    }

    fn drop_deadlines(&mut self, mut share: Share) {
        while !share.is_done()
            && let Some(deadlines) = self.deadlines.last_mut()
        {
            match deadlines.pop_first() {
                Some((_, key)) => share.count(1, deadline_cost(&key)),
                None => drop(self.deadlines.pop()),
            }
        }
    }

    /// Bytes of what is left.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        let long = |leaf: &Leaf| leaf.long_values().map(Bytes::len).sum::<usize>();
        let leaves: usize = self.leaves.iter().map(|leaf| leaf.bytes() + long(leaf)).sum();
        let deadlines = self.deadlines.iter().flatten();
        leaves as u64 + deadlines.map(|(_, key)| deadline_cost(key)).sum::<u64>()
    }
}

/// What is still to be dropped in a step.
struct Share {
    pieces: usize,
    bytes: u64,
}

impl Share {
    /// The share of a step that puts so many bytes.
    fn beside(put: u64) -> Share {
        Share { pieces: DROPPED_MIN, bytes: put.saturating_mul(2) }
    }

    fn count(&mut self, pieces: usize, bytes: u64) {
        self.pieces = self.pieces.saturating_sub(pieces);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    fn is_done(&self) -> bool {
        self.pieces == 0 && self.bytes == 0
    }
}

/// Long values, or deadlines, dropped in every step; a step of one command takes
/// longer than this.
const DROPPED_MIN: usize = 64;
/// What dropping a leaf without them counts for: it is a piece or two of memory.
const LEAF_COST: usize = 8;

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
            let value = Bytes::from(vec![0; if number % 4 == 0 { 9000 } else { 9 }]);
            keyspace.put(&key, Entry { value, expire, version: 1 });
        }
        let mut trash = Trash::default();
        trash.add(keyspace.clear());
        assert_eq!((keyspace.len(), keyspace.bytes(), keyspace.first_deadline()), (0, 0, None));

        let steps = std::iter::repeat_with(|| {
            let long: usize = trash.leaves.iter().map(|leaf| leaf.long_values().len()).sum();
            let left = (trash.leaves.len(), long);
            trash.drop_some();
            left
        });
        let left: Vec<_> = steps.take(18).collect();
        for pair in left.windows(2) {
            let (leaves, long) = (pair[0].0 - pair[1].0, pair[0].1 - pair[1].1);
            assert!(leaves * LEAF_COST + long < DROPPED_MIN + LEAF_COST, "{pair:?}");
        }
        assert!(left[0].0 > 4 && left[0].1 == 250, "{:?}", left[0]);
        assert_eq!(left[17], (0, 0));
        assert!(trash.leaves.is_empty() && trash.deadlines.is_empty());
    }
}
