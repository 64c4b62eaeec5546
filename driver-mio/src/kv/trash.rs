//! What `FLUSHALL` leaves behind, dropped a little with every step.
//!
//! Freeing millions of entries at once would stop the replica for longer than
//! an election takes. Dropping more entries a step than a step can add keeps
//! this bounded by what was once live.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::keyspace::Ruins;
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
        if self.leaves.is_empty() && self.deadlines.is_empty() {
            return;
        }
        self.drop_entries();
        self.drop_deadlines();
    }

    fn drop_entries(&mut self) {
        let mut left = DROPPED_MAX;
        while left > 0
            && let Some(leaf) = self.leaves.last_mut()
        {
            // A leaf that a snapshot still holds is not ours to take apart.
            if let Some(leaf) = Arc::get_mut(leaf) {
                left -= leaf.drop_long(left);
                if left == 0 {
                    return;
                }
            }
            self.leaves.pop();
            left = left.saturating_sub(LEAF_COST);
        }
    }

    fn drop_deadlines(&mut self) {
        let mut left = DROPPED_MAX;
        while let Some(deadlines) = self.deadlines.last_mut() {
            while left > 0 && deadlines.pop_first().is_some() {
                left -= 1;
            }
            if !deadlines.is_empty() {
                return;
            }
            self.deadlines.pop();
        }
    }
}

/// Most long values, or deadlines, dropped in one step; a step of one command takes
/// longer than this.
const DROPPED_MAX: usize = 64;
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
            let long: usize = trash.leaves.iter().map(|leaf| leaf.long_values()).sum();
            let left = (trash.leaves.len(), long);
            trash.drop_some();
            left
        });
        let left: Vec<_> = steps.take(18).collect();
        for pair in left.windows(2) {
            let (leaves, long) = (pair[0].0 - pair[1].0, pair[0].1 - pair[1].1);
            assert!(leaves * LEAF_COST + long < DROPPED_MAX + LEAF_COST, "{pair:?}");
        }
        assert!(left[0].0 > 4 && left[0].1 == 250, "{:?}", left[0]);
        assert_eq!(left[17], (0, 0));
        assert!(trash.leaves.is_empty() && trash.deadlines.is_empty());
    }
}
