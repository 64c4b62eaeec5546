//! One node of a small world, with its disk.

use std::collections::VecDeque;
use std::sync::Arc;

use paxos_core::effect::{Effects, Input};
use paxos_core::log::{Batch, Durable};
use paxos_core::types::{GroupId, Incarnation, Instant, NodeId, WriteId};
use paxos_core::{Config, GroupConfig, Node};

/// The one group of every small world.
pub(super) const GROUP: GroupId = GroupId(0);

/// A node, its disk, and what is not durable yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Host {
    pub(super) id: NodeId,
    pub(super) node: Node,
    /// What a restart would find.
    pub(super) disk: Durable,
    /// Ordered and not synced, oldest first.
    pub(super) unsynced: VecDeque<Batch>,
    /// Its clock: stands still but for its own time-outs.
    now: Instant,
    lives: u64,
}

impl Host {
    /// A host with an empty disk. `config` is for its first life.
    pub(super) fn new(config: Config) -> Result<Host, String> {
        let (id, now) = (config.node, Instant::default());
        let disk = Durable::default();
        let node = Node::restore(config, disk.clone(), now).map_err(|e| e.to_string())?;
        Ok(Host { id, node, disk, unsynced: VecDeque::new(), now, lives: 1 })
    }

    /// Takes in one fact.
    pub(super) fn step(&mut self, input: Input, effects: &mut Effects) -> Result<(), String> {
        self.node.step(self.now, input, effects);
        self.node.check().map_err(|broken| format!("{}: {broken}", self.id))
    }

    /// Lets time pass until the node wants to be woken; false if it never does.
    pub(super) fn time_out(&mut self, effects: &mut Effects) -> Result<bool, String> {
        let Some(wake) = self.node.wake_at() else { return Ok(false) };
        self.now = self.now.max(wake);
        self.step(Input::Ticked, effects).map(|()| true)
    }

    /// Makes the oldest batch durable; gives its id.
    pub(super) fn sync(&mut self) -> Result<Option<(WriteId, Batch)>, String> {
        let Some(batch) = self.unsynced.pop_front() else { return Ok(None) };
        self.write(&batch)?;
        Ok(Some((batch.id, batch)))
    }

    /// Loses power with the first `kept` of its unsynced batches on the disk, and starts again.
    /// What was kept is given out: it is durable, though nobody was told.
    pub(super) fn crash(&mut self, kept: usize, config: &Config) -> Result<Vec<Batch>, String> {
        let mut unsynced = std::mem::take(&mut self.unsynced);
        unsynced.truncate(kept);
        let kept: Vec<Batch> = unsynced.into();
        for batch in &kept {
            self.write(batch)?;
        }
        self.lives += 1;
        let config = Config {
            node: self.id,
            incarnation: Incarnation(self.lives),
            disk: 0,
            priority: Config::PRIORITY,
            seed: u64::from(self.id.0),
            ..config.clone()
        };
        self.node =
            Node::restore(config, self.disk.clone(), self.now).map_err(|e| e.to_string())?;
        Ok(kept)
    }

    fn write(&mut self, batch: &Batch) -> Result<(), String> {
        let mut records = batch.records.iter().cloned();
        records
            .try_for_each(|record| self.disk.replay(record))
            .map_err(|e| format!("{}: its log would not replay: {e}", self.id))
    }
}

/// What all nodes are told alike; the node, its life and its seed are put in for each.
pub(super) fn config(id: NodeId, template: &Config) -> Config {
    Config { node: id, seed: u64::from(id.0), ..template.clone() }
}

/// The only group.
pub(super) fn group(membership: paxos_core::quorum::Membership) -> GroupConfig {
    GroupConfig::new(GROUP, membership)
}

/// A host that many states share.
pub(super) type Shared = Arc<Host>;
