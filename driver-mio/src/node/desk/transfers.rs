//! Who wants whom to lead.

use paxos_core::types::NodeId;

use super::Waiter;

/// Wishes that are not answered, oldest first.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    /// Who waits, none if it is this node itself, and for whom.
    wishes: Vec<(Option<Waiter>, NodeId)>,
    /// The core was told of so many, the first ones.
    told: usize,
}

impl Transfers {
    /// A client wants `to` to lead.
    pub(super) fn push(&mut self, waiter: Waiter, to: NodeId) {
        self.wishes.push((Some(waiter), to));
    }

    /// The next wish that the core has not been told of.
    pub(super) fn tell(&mut self) -> Option<NodeId> {
        let (_, to) = self.wishes.get(self.told)?;
        self.told += 1;
        Some(*to)
    }

    /// Whether the core was told of all.
    pub(super) fn are_told(&self) -> bool {
        self.told == self.wishes.len()
    }

    /// Notes that the core is told now of this node's own wish.
    pub(super) fn note_own(&mut self, to: NodeId) {
        self.wishes.insert(self.told, (None, to));
        self.told += 1;
    }

    /// Takes who has wanted `to` to lead: the one who asked last if that was refused
    /// because of one before, else the first. None if that was this node itself.
    pub(super) fn ended(&mut self, to: NodeId, was_last: bool) -> Option<Waiter> {
        let mut told = self.wishes[..self.told].iter();
        let is_meant = |(_, other): &(Option<Waiter>, NodeId)| *other == to;
        let at = if was_last { told.rposition(is_meant) } else { told.position(is_meant) }?;
        self.told -= 1;
        self.wishes.remove(at).0
    }
}
