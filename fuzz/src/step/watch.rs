//! What may only grow while a node lives, and what memory and disk must agree on.

use paxos_core::log::{Durable, DurableGroup};
use paxos_core::types::{Ballot, Checkpoint, Checksum, GroupId, Image, Slot, Value};
use paxos_core::{Node, Replica};

use super::disk::promised;
use super::setting::GROUPS;

/// Frontiers of one replica as last seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    promised: Ballot,
    chosen: Slot,
    delivered: Slot,
    /// The sum over all that; none while nobody can say.
    sum: Option<Checksum>,
}

impl Watch {
    /// What a replica begins its life with, whose machine has applied so much.
    pub(super) fn starting(replica: &Replica, applied: Slot) -> Watch {
        assert_eq!(replica.delivered(), applied, "deliveries start elsewhere");
        let (promised, chosen, sum) = (replica.promised(), replica.chosen(), replica.checksum());
        Watch { promised, chosen, delivered: applied, sum }
    }

    /// Takes in a delivery: slots come one by one, with what is chosen there.
    pub(super) fn on_delivered(&mut self, replica: &Replica, slot: Slot, value: &Value) {
        assert_eq!(slot, self.delivered, "a delivery out of turn");
        let cell = replica.log().get(slot).expect("a delivered slot holds something");
        assert!(cell.chosen && cell.value == value, "delivered what is not chosen");
        self.delivered = slot.next();
        self.sum = self.sum.map(|sum| sum.extended(slot, value));
    }

    /// Takes in that the state machine is what this image says.
    pub(super) fn on_installed(&mut self, image: &Image) {
        assert!(image.checkpoint.below > self.delivered, "an image of what was delivered");
        self.delivered = image.checkpoint.below;
        self.sum = Some(image.checkpoint.sum);
    }

    /// Takes in an order to capture: exactly what was delivered before it.
    pub(super) fn on_capture(&self, checkpoint: &Checkpoint) {
        assert_eq!(checkpoint.below, self.delivered, "captured somewhere else");
        assert_eq!(self.sum.unwrap_or(checkpoint.sum), checkpoint.sum, "summed up wrongly");
    }

    pub(super) fn delivered(&self) -> Slot {
        self.delivered
    }

    /// Compares with the replica after a step.
    pub(super) fn check(&mut self, replica: &Replica, written: &Durable) {
        assert!(replica.promised() >= self.promised, "a promise is taken back");
        assert!(replica.chosen() >= self.chosen, "the chosen frontier falls");
        assert_eq!(replica.delivered(), self.delivered, "deliveries and frontier differ");
        let on_paper = promised(written, replica.id());
        assert_eq!(replica.promised(), on_paper, "a promise that nobody wrote down");
        if let (Some(own), Some(sum)) = (self.sum, replica.checksum()) {
            assert_eq!(own, sum, "summed up wrongly");
        }
        self.sum = self.sum.or(replica.checksum());
        self.promised = replica.promised();
        self.chosen = replica.chosen();
    }
}

/// Compares every cell in memory with what the node has written down about it.
pub(super) fn check_memory(node: &Node, written: &Durable) {
    for replica in GROUPS.iter().filter_map(|g| node.group(*g)) {
        let nothing = DurableGroup::default();
        let group: GroupId = replica.id();
        let paper = written.group(group).unwrap_or(&nothing).log();
        let memory = replica.log();
        assert!(memory.chosen() >= paper.chosen(), "{group} forgets what is chosen");
        for slot in (memory.floor().0..memory.end().max(paper.end()).0).map(Slot) {
            let told = |c: paxos_core::log::Cell<'_>| (c.ballot, c.value.clone());
            let (in_memory, on_paper) = (memory.get(slot), paper.get(slot));
            assert_eq!(in_memory.map(told), on_paper.map(told), "{group} slot {slot}");
        }
    }
}
