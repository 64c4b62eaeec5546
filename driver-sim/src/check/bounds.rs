//! Sizes: nothing that leaves a node is larger than its limits allow.

use paxos_core::effect::{Effect, Effects};
use paxos_core::message::Message;
use paxos_core::types::{Limits, Run};

use super::{Checked, ensure};

/// What one step may give at most.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    run_slots: usize,
    run_bytes: usize,
    effects: usize,
}

impl Bounds {
    /// The bounds that follow from these limits.
    pub(crate) fn new(limits: &Limits, groups: u8) -> Bounds {
        // Every queue may empty at once, in every group; each of their items gives one order, and
        // a few more for what they entail. A promise has a page at most for each slot that a
        // voter may be ahead of what it knows to be chosen.
        let queues = limits.waiting_max
            + limits.ahead_slots_max
            + limits.window_slots * 2
            + limits.deliver_slots_max
            + limits.held_pledges_max
            + limits.reads_max * 2
            + limits.forwarded_max
            + limits.transfer_bytes / limits.piece_bytes_max;
        Bounds {
            run_slots: limits.run_slots_max,
            run_bytes: limits.run_bytes_max.max(limits.value_bytes_max + 64),
            effects: usize::from(groups) * (queues + 64),
        }
    }

    /// Checks what a step gave.
    pub(crate) fn look(&self, effects: &Effects) -> Checked {
        ensure!(
            effects.len() <= self.effects,
            "I17 bounds",
            "a step gives {} effects, more than {}",
            effects.len(),
            self.effects
        );
        for effect in effects {
            if let Effect::Send { envelope, .. } = effect {
                self.message(&envelope.message)?;
            }
        }
        Ok(())
    }

    fn message(&self, message: &Message) -> Checked {
        match message {
            Message::Accept(m) => self.run(&m.run, "Accept"),
            Message::Entries(m) => self.run(&m.run, "Entries"),
            Message::Promise(m) => {
                let bytes = m.votes.iter().map(|vote| vote.value.weight()).sum();
                self.bytes(m.votes.len(), bytes, "Promise")
            }
            _ => Ok(()),
        }
    }

    fn run(&self, run: &Run, what: &str) -> Checked {
        self.sizes(run.len(), run.weight(), what)
    }

    fn sizes(&self, slots: usize, bytes: usize, what: &str) -> Checked {
        ensure!(
            slots <= self.run_slots,
            "I17 bounds",
            "{what} carries {slots} slots, more than {}",
            self.run_slots
        );
        self.bytes(slots, bytes, what)
    }

    fn bytes(&self, slots: usize, bytes: usize, what: &str) -> Checked {
        ensure!(
            bytes <= self.run_bytes || slots <= 1,
            "I17 bounds",
            "{what} carries {bytes} bytes, more than {}",
            self.run_bytes
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use paxos_core::message::Accept;
    use paxos_core::types::{Ballot, NodeId, Slot, Value};

    use super::*;

    #[test]
    fn a_run_over_the_limit_is_found() {
        let limits = Limits { run_slots_max: 2, ..Limits::default() };
        let bounds = Bounds::new(&limits, 1);
        let accept = |values: usize| {
            let run = Run::new(Slot(1), vec![Value::Noop; values]);
            Accept { ballot: Ballot::new(1, NodeId(1)), run, chosen: Slot(1) }.into()
        };
        assert!(bounds.message(&accept(2)).is_ok());
        assert_eq!(bounds.message(&accept(3)).unwrap_err().invariant, "I17 bounds");
    }
}
