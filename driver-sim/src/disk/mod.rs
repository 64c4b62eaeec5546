//! A simulated disk: batches in the page cache, batches on the platter, and what a crash leaves.
//!
//! Batches become durable in order. A crash keeps any prefix of what was not synced (the batches
//! are chained, so nothing behind a torn one is ever read again).
//!
//! Invariant: `durable` is the replay of all batches on the platter, and of nothing else. It is
//! the omniscient view that the checks compare with what a node says.

use std::collections::VecDeque;

use paxos_core::log::{Batch, Durable, Record, ReplayError};
use paxos_core::types::WriteId;

/// One node's disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    durable: Durable,
    cache: VecDeque<Batch>,
    syncing: usize,
}

impl Disk {
    /// What a node would find after a crash that loses everything unsynced.
    pub(crate) fn durable(&self) -> &Durable {
        &self.durable
    }

    /// Takes a batch into the page cache.
    pub(crate) fn write(&mut self, batch: Batch) {
        self.cache.push_back(batch);
    }

    /// Begins a sync of what is in the cache, or of its first batch; says whether there is one to
    /// begin.
    pub(crate) fn sync(&mut self, single: bool) -> bool {
        if self.syncing > 0 || self.cache.is_empty() {
            return false;
        }
        self.syncing = if single { 1 } else { self.cache.len() };
        true
    }

    /// The batch that a failing sync fails for.
    pub(crate) fn failing(&self) -> Option<WriteId> {
        self.cache.front().map(|batch| batch.id)
    }

    /// Ends the sync of one batch: it is on the platter. The caller calls again until there is
    /// none left.
    pub(crate) fn synced(&mut self) -> Result<Option<Batch>, ReplayError> {
        if self.syncing == 0 {
            return Ok(None);
        }
        self.syncing -= 1;
        self.settle()
    }

    /// How many batches are not synced.
    pub(crate) fn unsynced(&self) -> usize {
        self.cache.len()
    }

    /// One unsynced batch survives a crash. The caller decides how many, then calls
    /// [`forget`](Disk::forget).
    pub(crate) fn survive(&mut self) -> Result<Option<Batch>, ReplayError> {
        self.settle()
    }

    /// The rest of the page cache is gone.
    pub(crate) fn forget(&mut self) {
        self.cache.clear();
        self.syncing = 0;
    }

    fn settle(&mut self) -> Result<Option<Batch>, ReplayError> {
        let Some(batch) = self.cache.pop_front() else { return Ok(None) };
        batch.records.iter().cloned().try_for_each(|record: Record| self.durable.replay(record))?;
        Ok(Some(batch))
    }
}

#[cfg(test)]
mod tests {
    use paxos_core::log::Entry;
    use paxos_core::types::{Ballot, GroupId, NodeId};

    use super::*;

    fn promise(id: u64) -> Batch {
        let entry = Entry::Promised(Ballot::new(id, NodeId(1)));
        Batch {
            id: WriteId(id),
            records: [Record { group: GroupId(0), entry }].into_iter().collect(),
        }
    }

    fn promised(disk: &Disk) -> u64 {
        disk.durable().group(GroupId(0)).map_or(0, |group| group.promised().round)
    }

    #[test]
    fn what_is_not_synced_is_not_durable() {
        let mut disk = Disk::default();
        disk.write(promise(1));
        assert!(disk.sync(false));
        disk.write(promise(2));
        assert!(!disk.sync(false), "one sync at a time");
        assert_eq!(promised(&disk), 0);
        assert_eq!(disk.synced().unwrap().map(|b| b.id), Some(WriteId(1)));
        assert_eq!(disk.synced().unwrap().map(|b| b.id), None, "the second came later");
        assert_eq!(promised(&disk), 1);
    }

    #[test]
    fn a_crash_keeps_a_prefix() {
        let mut disk = Disk::default();
        (1..=3).for_each(|id| disk.write(promise(id)));
        disk.sync(false);
        disk.survive().unwrap();
        disk.survive().unwrap();
        disk.forget();
        assert_eq!(promised(&disk), 2);
        assert_eq!(disk.unsynced(), 0);
        assert!(!disk.sync(false));
    }
}
