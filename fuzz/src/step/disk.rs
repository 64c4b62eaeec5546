//! A disk that keeps what was synced, and knows what was ordered.

use std::collections::VecDeque;

use paxos_core::log::{Batch, Durable};
use paxos_core::types::{Ballot, GroupId, WriteId};

/// The node's disk over all its lives.
#[derive(Debug, Default)]
pub(super) struct Disk {
    unsynced: VecDeque<Batch>,
    /// What the synced batches say.
    durable: Durable,
    /// What all batches say, synced or not.
    written: Durable,
    /// The last batch of this life.
    last: WriteId,
    /// The last batch of this life that was synced.
    synced: WriteId,
}

impl Disk {
    pub(super) fn append(&mut self, batch: Batch) {
        assert_eq!(batch.id, self.last.next(), "batches count up by one");
        assert!(!batch.records.is_empty(), "an empty batch");
        self.last = batch.id;
        replay(&mut self.written, &batch);
        self.unsynced.push_back(batch);
    }

    /// Makes at most `count` batches durable; the last one of them.
    pub(super) fn sync(&mut self, count: usize) -> Option<WriteId> {
        let count = count.min(self.unsynced.len());
        for batch in self.unsynced.drain(..count) {
            replay(&mut self.durable, &batch);
            self.synced = batch.id;
        }
        (count > 0).then_some(self.synced)
    }

    /// Loses what was not synced, and counts from the beginning again.
    pub(super) fn crash(&mut self) {
        self.unsynced.clear();
        self.written = self.durable.clone();
        self.last = WriteId(0);
        self.synced = WriteId(0);
    }

    /// The last batch ordered and the last one synced, in this life.
    pub(super) fn writes(&self) -> (WriteId, WriteId) {
        (self.last, self.synced)
    }

    pub(super) fn durable(&self) -> &Durable {
        &self.durable
    }

    pub(super) fn written(&self) -> &Durable {
        &self.written
    }
}

/// The promise that `durable` holds for `group`.
pub(super) fn promised(durable: &Durable, group: GroupId) -> Ballot {
    durable.group(group).map_or(Ballot::ZERO, |g| g.promised())
}

fn replay(durable: &mut Durable, batch: &Batch) {
    for record in &batch.records {
        if let Err(e) = durable.replay(record.clone()) {
            panic!("the node's own record does not follow: {e}: {record:?}");
        }
    }
}
