//! Phase 1: asking for promises, and gathering what was voted for.

use super::leading::Leading;
use super::promises::Promises;
use crate::effect::Notice;
use crate::message::Promise;
use crate::quorum::Membership;
use crate::role::{Cx, Ready};
use crate::types::{Ballot, Instant, NodeId, Slot};

/// A campaign.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Preparing {
    promises: Promises,
    deadline: Instant,
}

impl Preparing {
    pub(super) fn start(ready: Ready, from: Slot, cx: &mut Cx<'_>) -> Preparing {
        Preparing { promises: Promises::ask_for(&ready, from, cx), deadline: ready.deadline }
    }

    /// The ballot asked for.
    pub(super) fn ballot(&self) -> Ballot {
        self.promises.ballot()
    }

    pub(super) fn wake_at(&self) -> Instant {
        self.promises.resend_at().min(self.deadline)
    }

    /// Takes in one page of a promise.
    pub(super) fn on_promise(&mut self, from: NodeId, disk: u64, m: &Promise) {
        self.promises.on_promise(from, disk, m);
    }

    /// Takes in that the group changes its members.
    pub(super) fn on_config(&mut self, before: &Membership, cx: &Cx<'_>) {
        self.promises.on_config(before, cx.regime.newest().1);
    }

    /// Whether a quorum of those who decide the first slot that we would propose has
    /// promised. Whoever comes later is waited for when their slots are proposed.
    pub(super) fn is_prepared(&self, cx: &Cx<'_>) -> bool {
        self.promises.is_prepared(cx.regime.frontier(), cx.regime)
    }

    /// Asks again whoever has not answered. False when it has taken too long.
    pub(super) fn on_tick(&mut self, cx: &mut Cx<'_>) -> bool {
        if cx.now >= self.deadline {
            return false;
        }
        if cx.now >= self.promises.resend_at() {
            self.promises.ask_again(cx);
        }
        true
    }

    /// A quorum has promised: leads. Whatever may have been chosen is proposed
    /// again under our ballot; where nobody in the quorum has voted nothing was
    /// chosen, and a no-op closes the hole. Nothing is proposed below `chosen`, our
    /// own frontier: it may have moved since we asked, even past all the votes, if
    /// someone has outbid us already.
    pub(super) fn lead(mut self, chosen: Slot, cx: &mut Cx<'_>) -> Leading {
        let start = self.promises.start().0.max(chosen);
        // A vote that nobody will propose again must not be waited for.
        self.promises.forget_below(start);
        let next = self.promises.end().map_or(start, |end| end.max(start));
        let (group, ballot) = (cx.out.group(), self.ballot());
        cx.out.note(Notice::Leading { group, ballot, start, next });
        Leading::start(self.promises, start, next, cx)
    }
}
