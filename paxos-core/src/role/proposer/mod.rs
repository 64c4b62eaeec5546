//! The proposer: idle, asking for promises, or leading. Each phase is a struct of
//! its own; leaving one drops all that belongs to it.

mod answers;
mod coverage;
mod flight;
mod leading;
mod line;
mod preference;
mod preparing;
mod promises;
mod pulse;
mod reserve;
mod steward;
mod transfer;

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Cx, Proposal, Ready};
use crate::message::Promise;
use crate::quorum::Membership;
use crate::types::{Ballot, Instant, NodeId, Slot};
pub(crate) use leading::Leading;
pub(crate) use preparing::Preparing;

/// What this replica does as a proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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

/// What follows from a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promised {
    /// Nothing to speak of.
    Nothing,
    /// It was the last that was missing: this replica leads now.
    Leadership,
    /// It shows that somebody else has led where we thought we did.
    Overtaken,
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

    /// Counts a promise. `chosen` is our own chosen frontier.
    pub(crate) fn on_promise(
        &mut self,
        (from, disk): (NodeId, u64),
        m: &Promise,
        chosen: Slot,
        cx: &mut Cx<'_>,
    ) -> Promised {
        let preparing = match self {
            Proposer::Idle => return Promised::Nothing,
            Proposer::Leading(leading) => {
                let goes_on = leading.on_promise(from, disk, m, cx);
                return if goes_on { Promised::Nothing } else { Promised::Overtaken };
            }
            Proposer::Preparing(preparing) => preparing,
        };
        preparing.on_promise(from, disk, m);
        if !preparing.is_prepared(cx) {
            return Promised::Nothing;
        }
        let Proposer::Preparing(preparing) = core::mem::take(self) else {
            return Promised::Nothing;
        };
        *self = Proposer::Leading(Box::new(preparing.lead(chosen, cx)));
        Promised::Leadership
    }

    /// Takes in whether the group takes up the membership that is chosen at `slot`, in
    /// the place of `before`.
    pub(crate) fn on_config(
        &mut self,
        slot: Slot,
        before: &Membership,
        taken: bool,
        cx: &mut Cx<'_>,
    ) {
        match self {
            Proposer::Idle => {}
            Proposer::Preparing(p) if taken => p.on_config(before, cx),
            Proposer::Preparing(_) => {}
            Proposer::Leading(l) => l.on_config(slot, before, taken, cx),
        }
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
