//! In the place of a disk, until there is one: forgets everything.
use paxos_core::effect::Input;
use paxos_core::log::Batch;
use paxos_core::types::WriteId;

/// Says that everything is durable, and keeps nothing.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    done: Option<WriteId>,
}

impl Disk {
    /// Takes a batch.
    pub(crate) fn append(&mut self, batch: Batch) {
        self.done = Some(batch.id);
    }
    pub(crate) fn hand_over(&mut self) {}
    pub(crate) fn has_more(&self) -> bool {
        self.done.is_some()
    }
    pub(crate) fn next_input(&mut self) -> Option<Input> {
        self.done.take().map(Input::Persisted)
    }
    pub(crate) fn counters(&self) -> [(&'static str, u64); 0] {
        []
    }
}
