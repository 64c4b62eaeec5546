//! The proposer: idle, asking for promises, or leading. Each phase is a struct of
//! its own; leaving one drops all that belongs to it.

mod answers;
mod coverage;
mod flight;
mod leading;
mod line;
mod preparing;
mod pulse;
mod transfer;

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Cx, Proposal, Ready};
use crate::message::Promise;
use crate::types::{Ballot, Instant, NodeId, Slot};
pub(crate) use leading::Leading;
pub(crate) use preparing::Preparing;

/// What this replica does as a proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) enum Proposer {
    /// Nothing.
    #[default]
    Idle,
    /// Phase 1.
    Preparing(Box<Preparing>),
    /// Phase 2, for as long as nobody promises higher.
    Leading(Box<Leading>),
}

/// A leadership or a campaign has ended: proposals that were never proposed, for
/// the next leader. All others were answered.
#[derive(Debug, Default)]
pub(crate) struct Fallen {
    /// This node's own, in order.
    pub waiting: Vec<Proposal>,
}

impl Proposer {
    /// The ballot that this replica campaigns or leads at.
    pub(crate) fn ballot(&self) -> Option<Ballot> {
        match self {
            Proposer::Idle => None,
            Proposer::Preparing(p) => Some(p.ballot()),
            Proposer::Leading(l) => Some(l.ballot()),
        }
    }

    /// Whether this replica neither leads nor campaigns.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self, Proposer::Idle)
    }

    /// The leadership, if this replica leads.
    pub(crate) fn leading(&self) -> Option<&Leading> {
        if let Proposer::Leading(l) = self { Some(l) } else { None }
    }

    /// The leadership, if this replica leads.
    pub(crate) fn leading_mut(&mut self) -> Option<&mut Leading> {
        if let Proposer::Leading(l) = self { Some(l) } else { None }
    }

    /// When to look again.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        match self {
            Proposer::Idle => None,
            Proposer::Preparing(p) => Some(p.wake_at()),
            Proposer::Leading(l) => Some(l.wake_at()),
        }
    }

    /// Asks everyone for promises above the chosen frontier `from`. The caller
    /// has bound the acceptor to the ballot in this same step.
    pub(crate) fn campaign(&mut self, ready: Ready, from: Slot, cx: &mut Cx<'_>) {
        *self = Proposer::Preparing(Box::new(Preparing::start(ready, from, cx)));
    }

    /// Counts a promise; leads once a quorum has promised. Says whether it is now.
    /// `chosen` is our own chosen frontier.
    pub(crate) fn on_promise(
        &mut self,
        from: NodeId,
        m: &Promise,
        chosen: Slot,
        cx: &mut Cx<'_>,
    ) -> bool {
        let Proposer::Preparing(preparing) = self else { return false };
        preparing.on_promise(from, m, cx);
        if !preparing.is_prepared(cx) {
            return false;
        }
        let Proposer::Preparing(preparing) = core::mem::take(self) else { return false };
        *self = Proposer::Leading(Box::new(preparing.lead(chosen, cx)));
        true
    }

    /// Sends again what was lost. False when it is time to give up: no promises
    /// came, the leader has not heard a quorum for a patience, or it cannot get
    /// what was chosen before it. `reached` is our chosen frontier, and how much we
    /// have of an image that would raise it.
    pub(crate) fn on_tick(&mut self, reached: (Slot, u64), cx: &mut Cx<'_>) -> bool {
        match self {
            Proposer::Idle => true,
            Proposer::Preparing(p) => p.on_tick(cx),
            Proposer::Leading(l) => l.on_tick(reached, cx),
        }
    }

    /// Ends whatever is under way.
    pub(crate) fn stop(&mut self, cx: &mut Cx<'_>) -> Fallen {
        match core::mem::take(self) {
            Proposer::Leading(leading) => leading.fall(cx),
            Proposer::Idle | Proposer::Preparing(_) => Fallen::default(),
        }
    }
}
