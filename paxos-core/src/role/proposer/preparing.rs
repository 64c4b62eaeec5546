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
        let next = self.promises.end().max(start);
        let (group, ballot) = (cx.out.group(), self.ballot());
        cx.out.note(Notice::Leading { group, ballot, start, next });
        Leading::start(self.promises, start, next, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quorum::NodeSet;
    use crate::role::proposer::Proposer;
    use crate::role::testing::{Bench, ME, b};

    /// Who becomes a voter while we ask has promised as somebody else.
    #[test]
    fn a_candidate_forgets_promises_of_new_members_if_the_group_takes_them_up() {
        let four = Membership::majority([1, 2, 3, 4].map(NodeId));
        for (taken, kept) in [(true, &[1, 2][..]), (false, &[1, 2, 4])] {
            let mut bench = Bench::of(four.clone());
            let ready = Ready { ballot: b(7, ME), deadline: bench.now, released: None };
            let mut preparing = Preparing::start(ready, Slot(1), &mut bench.cx());
            for node in [1, 2, 4] {
                let m = Promise {
                    ballot: b(7, ME),
                    from: Slot(1),
                    to: None,
                    chosen: Slot(1),
                    votes: [].into(),
                };
                preparing.on_promise(NodeId(node), 0, &m);
            }
            let mut proposer = Proposer::Preparing(preparing.into());
            let before = Membership::majority([1, 2, 3].map(NodeId));
            proposer.on_config(Slot(1), &before, taken, &mut bench.cx());
            let Proposer::Preparing(preparing) = proposer else { panic!("it goes on") };
            let kept: NodeSet = kept.iter().copied().map(NodeId).collect();
            assert_eq!(preparing.promises.yes(), kept, "taken: {taken}");
        }
    }
}
