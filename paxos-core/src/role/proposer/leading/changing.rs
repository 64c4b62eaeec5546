//! How a leadership changes its members, and makes way for another.

use alloc::sync::Arc;

use super::Leading;
use crate::effect::{Notice, Outcome, Refusal, TransferEnd};
use crate::log::Log;
use crate::message::Promise;
use crate::quorum::{Membership, NodeSet};
use crate::role::Cx;
use crate::role::proposer::transfer::Transfer;
use crate::types::{NodeId, ProposalId, Slot, Value};

impl Leading {
    /// Takes a change of the membership, or refuses it. It goes ahead of whatever
    /// waits in line.
    pub(crate) fn on_members(
        &mut self,
        proposal: ProposalId,
        next: &Membership,
        log: &Log,
        cx: &mut Cx<'_>,
    ) {
        if let Some(refusal) = self.steward.refusal(next, cx.regime) {
            return cx.out.resolve(proposal, Outcome::Refused(refusal));
        }
        let bound = self.steward.bound(next, cx.regime);
        let newest = cx.regime.newest().1.clone();
        // Who is named with another disk than it answers with may have lost either.
        let named = |node: NodeId| Some(next.disk(node)).filter(|disk| *disk != newest.disk(node));
        let unheard = |node: &NodeId| {
            let disk = bound.disk(*node);
            cx.setting.disk != 0 && (disk == 0 || named(*node).is_some_and(|d| d != 0 && d != disk))
        };
        if let Some(node) = bound.voters().iter().find(unheard) {
            return cx.out.resolve(proposal, Outcome::Refused(Refusal::Unheard(node)));
        }
        if !self.change(Some(proposal), bound, log, cx) {
            cx.out.resolve(proposal, Outcome::Busy);
        }
    }

    /// Proposes a change, if there is room for it now, nothing that an earlier leader has
    /// begun is open, which may be another, and nobody is about to come after this one.
    pub(super) fn change(
        &mut self,
        proposal: Option<ProposalId>,
        next: Membership,
        log: &Log,
        cx: &mut Cx<'_>,
    ) -> bool {
        let settled = cx.regime.frontier() >= self.barrier && self.flight.next() >= self.barrier;
        let ends = self.transfer.as_ref().is_some_and(Transfer::is_near);
        if !settled || ends || self.is_full(log, &cx.setting.limits) || self.window(log, cx) == 0 {
            return false;
        }
        let answer = (proposal, cx.now + cx.setting.timing.answer);
        let (slot, beat) = (self.flight.next(), self.pulse.beat());
        self.steward.on_proposed(slot, beat, answer, cx.regime);
        self.send_for_nobody(alloc::vec![Value::Config(Arc::new(next))], cx);
        true
    }

    /// Takes in that the group takes up the membership chosen at `slot`, or not
    /// because it did not follow the one before.
    pub(crate) fn on_config(
        &mut self,
        slot: Slot,
        before: &Membership,
        taken: bool,
        cx: &mut Cx<'_>,
    ) {
        self.steward.on_settled(slot, taken, cx);
        if !taken {
            return;
        }
        self.promises.on_config(before, cx.regime.newest().1);
        // The new members are given the time that the old ones had, and pledge anew.
        self.is_settled = false;
        self.check_at = cx.now + cx.setting.timing.patience;
        self.ask_for_promises(cx);
        self.heartbeat(cx);
    }

    /// Takes in a promise of a new member. False if it ends this leadership: somebody
    /// else leads the new members already.
    pub(crate) fn on_promise(
        &mut self,
        from: NodeId,
        disk: u64,
        m: &Promise,
        cx: &mut Cx<'_>,
    ) -> bool {
        if !self.promises.on_promise(from, disk, m) {
            return true;
        }
        self.promises.forget_below(self.flight.next());
        // Also where what was chosen there has become known meanwhile: reads must see it.
        self.barrier = self.barrier.max(self.promises.end());
        self.asking &= !self.promises.is_prepared_for_all(cx.regime);
        // What is chosen where we have not proposed was proposed by others.
        m.chosen <= self.flight.next()
    }

    pub(super) fn ask_for_promises(&mut self, cx: &mut Cx<'_>) {
        self.asking = !self.promises.is_prepared_for_all(cx.regime);
        if self.asking {
            self.promises.ask_again(cx);
        }
    }

    /// Begins to make way for `to`, or says why not.
    pub(crate) fn on_transfer(&mut self, to: NodeId, cx: &mut Cx<'_>) -> Result<(), TransferEnd> {
        if self.transfer.is_some() {
            return Err(TransferEnd::UnderWay);
        }
        let beat = self.beat(cx);
        let voted = self.flight.voted_by(to);
        self.transfer = Some(Transfer::start(to, beat.chosen, voted, cx));
        cx.out.plain(NodeSet::of(to), beat);
        Ok(())
    }

    /// Who is to lead next.
    pub(crate) fn successor(&self) -> Option<NodeId> {
        self.transfer.as_ref().map(Transfer::to)
    }

    /// Leads on as if there had been no transfer.
    pub(crate) fn give_transfer_up(&mut self, cx: &mut Cx<'_>) {
        if let Some(transfer) = self.transfer.take() {
            let (group, to) = (cx.out.group(), transfer.to());
            cx.out.note(Notice::TransferEnded { group, to, end: TransferEnd::GivenUp });
        }
    }

    /// Tells the successor to stand, once all that was proposed is chosen.
    pub(super) fn hand_over(&mut self, cx: &mut Cx<'_>) {
        let next = self.flight.next();
        if let Some(transfer) = &mut self.transfer
            && self.flight.chosen_below() == next
        {
            // From here on the voters may be told that we do not count on them.
            self.pulse.release();
            transfer.tell(self.promises.ballot(), self.pulse.beat(), next, cx);
        }
    }
}
