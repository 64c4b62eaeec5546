//! What disks have written, and what is left of a node when it crashes.

use paxos_core::effect::{Effect, Input};
use paxos_core::log::Record;
use paxos_core::types::{Instant, NodeId, Slot, WriteId};

use super::{Cluster, Host, Vault};

impl Cluster {
    /// Makes everything durable that a node has ordered so far.
    pub fn sync_disk(&mut self, id: NodeId) -> Vec<Effect> {
        let count = self.hosts[&id].unsynced.len();
        self.sync_batches(id, count)
    }

    /// Makes the first `count` of a node's unsynced batches durable, and says so.
    pub fn sync_batches(&mut self, id: NodeId, count: usize) -> Vec<Effect> {
        let last = self.write_batches(id, count);
        last.map_or_else(Vec::new, |write| self.step(id, Input::Persisted(write)))
    }

    /// Makes batches durable without telling the node.
    pub fn write_batches(&mut self, id: NodeId, count: usize) -> Option<WriteId> {
        let host = self.host_mut(id);
        let mut last = None;
        host.ordered_at.drain(..count);
        for batch in host.unsynced.drain(..count) {
            for record in batch.records {
                host.disk.replay(record.clone()).expect("records follow each other");
                host.records.push(record);
            }
            last = Some(batch.id);
        }
        last
    }

    /// Syncs what every disk that answers is done with. Says whether there was any.
    pub(super) fn sync_all(&mut self) -> bool {
        let answers = |(id, h): &(&NodeId, &Host)| h.up && !self.stuck.contains(id);
        let done = |at: &&Instant| **at + self.sync_takes <= self.now;
        let count = |h: &Host| h.ordered_at.iter().take_while(done).count();
        let all = self.hosts.iter().filter(answers).map(|(id, h)| (*id, count(h)));
        let ready: Vec<(NodeId, usize)> = all.filter(|(_, count)| *count > 0).collect();
        for (id, count) in &ready {
            self.sync_batches(*id, *count);
        }
        !ready.is_empty()
    }

    /// Loses a node's memory and whatever its disk had not answered for.
    pub fn crash(&mut self, id: NodeId) {
        let host = self.host_mut(id);
        host.up = false;
        host.unsynced.clear();
        host.ordered_at.clear();
        host.vault.crash();
    }

    /// Starts a node again from its disk, with an empty state machine.
    pub fn restart(&mut self, id: NodeId) {
        self.restart_from(id, Slot::FIRST);
    }

    /// Starts a node again from its disk; its state machine kept what is below
    /// `applied`.
    pub fn restart_from(&mut self, id: NodeId, applied: Slot) {
        let host = &self.hosts[&id];
        let (records, vault) = (host.records.clone(), host.vault.clone());
        let booted = self.boot(id, records, host.life + 1, applied, vault);
        self.hosts.insert(id, booted);
    }

    /// Starts a node again from these records and these images.
    pub fn restart_on(&mut self, id: NodeId, records: Vec<Record>, vault: Vault) {
        let life = self.hosts[&id].life + 1;
        let booted = self.boot(id, records, life, Slot::FIRST, vault);
        self.hosts.insert(id, booted);
    }

    /// Starts a node again as one whose disk holds exactly these records.
    pub fn restart_with(&mut self, id: NodeId, records: Vec<Record>) {
        self.restart_on(id, records, Vault::default());
    }
}
