//! The bookkeeping that every driver needs: which answer is for whom.
//!
//! Invariant: every handle that was given to the node stands in `open` until it is answered.

use std::sync::Arc;

use paxos_core::quorum::Membership;
use paxos_core::types::{Command, GroupId, NodeId, ProposalId, Slot};

/// Who asked, and what the answer is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// The client.
    pub(crate) client: u8,
    /// Its attempt; an answer to an earlier one finds nobody.
    pub(crate) attempt: u32,
    /// The group.
    pub(crate) group: u8,
    /// The sum of the command; none for a query.
    pub(crate) value: Option<u64>,
    /// All slots below were answered to somebody before the node was asked.
    pub(crate) floor: Slot,
}

/// What a client brings.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Who.
    pub(crate) ticket: Ticket,
    /// What; none for a query.
    pub(crate) command: Option<Command>,
}

/// All who wait at one process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Desk {
    /// Not yet given to the node.
    pub(crate) inbox: Vec<Asked>,
    /// Given to the node and not answered, by handle.
    open: Vec<(u64, Ticket)>,
    /// Answered "chosen", and waiting for that slot to be applied.
    awaiting: Vec<(Slot, Ticket)>,
    /// Transfers of leadership that were asked for and have not ended.
    pub(crate) transfers: Vec<(GroupId, NodeId)>,
    /// Changes of members that were asked for and are not answered.
    pub(crate) changes: Vec<(GroupId, ProposalId, Arc<Membership>)>,
}

impl Desk {
    /// Notes that the node was given `handle`.
    pub(crate) fn open(&mut self, handle: u64, ticket: Ticket) {
        self.open.push((handle, ticket));
    }

    /// Notes the answer; none if the handle was answered before, or never given.
    pub(crate) fn close(&mut self, handle: u64) -> Option<Ticket> {
        let at = self.open.iter().position(|(open, _)| *open == handle)?;
        Some(self.open.swap_remove(at).1)
    }

    /// Notes that an answer waits for `slot` to be applied.
    pub(crate) fn await_slot(&mut self, slot: Slot, ticket: Ticket) {
        self.awaiting.push((slot, ticket));
    }

    /// Takes one of those who wait for `slot` of `group`.
    pub(crate) fn arrived(&mut self, group: u8, slot: Slot) -> Option<Ticket> {
        let at = self.awaiting.iter().position(|(s, t)| *s == slot && t.group == group)?;
        Some(self.awaiting.swap_remove(at).1)
    }

    /// Takes all who wait for a slot of `group` below `below`.
    pub(crate) fn overtaken(&mut self, group: u8, below: Slot) -> Vec<Ticket> {
        let is_past = |(slot, ticket): &mut (Slot, Ticket)| *slot < below && ticket.group == group;
        self.awaiting.extract_if(.., is_past).map(|(_, ticket)| ticket).collect()
    }

    /// Notes that a transfer has ended; false if none was under way.
    pub(crate) fn transferred(&mut self, group: GroupId, to: NodeId) -> bool {
        let at = self.transfers.iter().position(|open| *open == (group, to));
        at.map(|at| self.transfers.swap_remove(at)).is_some()
    }

    /// Notes the answer to a change of members; none if none was asked for under this handle.
    pub(crate) fn changed(
        &mut self,
        group: GroupId,
        proposal: ProposalId,
    ) -> Option<Arc<Membership>> {
        let at = self.changes.iter().position(|open| (open.0, open.1) == (group, proposal))?;
        Some(self.changes.swap_remove(at).2)
    }

    /// Whether nobody waits, but for slots of groups that this host does not belong to (any more):
    /// what it was told of is not delivered here.
    pub(crate) fn is_idle(&self, belongs: impl Fn(u8) -> bool) -> bool {
        self.inbox.is_empty()
            && self.open.is_empty()
            && !self.awaiting.iter().any(|(_, ticket)| belongs(ticket.group))
            && self.transfers.is_empty()
            && self.changes.is_empty()
    }
}
