//! What `FLUSHALL` leaves behind, dropped a little with every step.
//!
//! Freeing millions of entries at once would stop the replica for longer than
//! an election takes. Dropping more entries a step than a step can add keeps
//! this bounded by what was once live.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::keyspace::{Ruins, Shard};

/// Entries that no one can reach any more. No part of the state: it has no
/// bearing on answers, digests or snapshots.
#[derive(Clone, Debug, Default)]
pub(super) struct Trash {
    shards: Vec<Arc<Shard>>,
    deadlines: Vec<BTreeSet<(u64, Bytes)>>,
}

impl Trash {
    pub(super) fn add(&mut self, ruins: Ruins) {
        self.shards.extend(ruins.shards.into_iter().filter(|shard| !shard.is_empty()));
        if !ruins.deadlines.is_empty() {
            self.deadlines.push(ruins.deadlines);
        }
    }

    /// Drops a few entries.
    pub(super) fn drop_some(&mut self) {
        if self.shards.is_empty() && self.deadlines.is_empty() {
            return;
        }
        self.drop_entries();
        self.drop_deadlines();
    }

    fn drop_entries(&mut self) {
        let mut left = DROPPED_MAX;
        while let Some(shard) = self.shards.last_mut() {
            // A shard that a snapshot still holds is not ours to take apart.
            if let Some(shard) = Arc::get_mut(shard) {
                while left > 0 && shard.pop_first().is_some() {
                    left -= 1;
                }
                if !shard.is_empty() {
                    return;
                }
            }
            self.shards.pop();
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

/// Most entries dropped in one step; a step of one command takes longer than this.
const DROPPED_MAX: usize = 64;

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
            let left: usize = trash.shards.iter().map(|shard| shard.len()).sum();
            trash.drop_some();
            left
        });
        let left: Vec<_> = steps.take(18).collect();
        assert!(left.windows(2).all(|pair| pair[0] - pair[1] <= DROPPED_MAX));
        assert_eq!((left[0], left[17]), (1000, 0));
        assert!(trash.shards.is_empty() && trash.deadlines.is_empty());
    }
}
