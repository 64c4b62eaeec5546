//! What goes by the clock: heartbeats, sending again, answers to what has waited too long, and
//! whether leading still makes sense.

use alloc::vec::Vec;

use super::Leading;
use crate::message::{Accept, Chosen, Heartbeat, HeartbeatAck, Verdict};
use crate::quorum::{NodeSet, Tally};
use crate::role::proposer::Fallen;
use crate::role::proposer::answers::Answers;
use crate::role::proposer::transfer::Transfer;
use crate::role::{Cx, Origin};
use crate::types::{Instant, NodeId, Slot};

/// The most runs that one tick sends again: the network has just shown
/// that it is not well.
const RESEND_RUNS_MAX: usize = 64;

impl Leading {
    pub(crate) fn wake_at(&self) -> Instant {
        let wake = self.check_at.min(self.pulse.due_at());
        let wake = self.transfer.as_ref().map_or(wake, |t| wake.min(t.wake_at()));
        let wake = self.flight.wake_at().map_or(wake, |resend| wake.min(resend));
        if self.asking { wake.min(self.promises.resend_at()) } else { wake }
    }

    /// Takes in a sign that `from` still follows this ballot.
    pub(crate) fn on_heard(&mut self, from: NodeId) {
        self.heard.note(from);
    }

    /// Takes in how far a node has come that follows this ballot.
    pub(super) fn on_progress(&mut self, from: NodeId, disk: u64, chosen: Slot) {
        self.heard.note(from);
        self.steward.on_heard(from, disk, chosen);
    }

    /// How far `node` had come when it last answered.
    pub(crate) fn progress(&self, node: NodeId) -> Option<Slot> {
        self.steward.progress(node)
    }

    /// Takes in an answer to a beat of this ballot.
    pub(crate) fn on_heartbeat_ack(
        &mut self,
        from: NodeId,
        disk: u64,
        m: &HeartbeatAck,
        cx: &Cx<'_>,
    ) {
        self.on_progress(from, disk, m.chosen);
        if cx.regime.vouches(from, disk) {
            self.pulse.on_ack(from, m, cx);
        }
        if let Some(transfer) = &mut self.transfer {
            transfer.on_frontier(from, m.chosen, cx);
        }
    }

    /// Tells everyone of newly chosen slots, unless an `Accept` of this step did.
    pub(crate) fn announce(&mut self, cx: &mut Cx<'_>) {
        let below = self.flight.chosen_below();
        if below > self.announced && below > Slot::FIRST {
            // Those who ruled until now are told how it ended.
            let everyone = cx.regime.schedule().everyone(self.announced);
            self.announced = below;
            let others = everyone.without(NodeSet::of(cx.setting.me));
            cx.out.plain(others, Chosen { ballot: self.ballot(), below });
        }
    }

    /// Says again to `peer`, who was away, all that it has not voted for.
    pub(crate) fn on_peer_up(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        if peer == cx.setting.me || !cx.regime.everyone().contains(peer) {
            return;
        }
        let (ballot, chosen) = (self.ballot(), self.flight.chosen_below());
        let beat = self.pulse.beat();
        cx.out.plain(NodeSet::of(peer), Heartbeat { ballot, chosen, beat });
        for open in self.flight.unchosen_mut().take(RESEND_RUNS_MAX) {
            let votes = cx.regime.at(open.run.first).voters().contains(peer);
            if votes && !open.tally.yes().contains(peer) {
                cx.out.plain(NodeSet::of(peer), Accept { ballot, run: open.run.clone(), chosen });
            }
        }
    }

    /// Heartbeats, sends again what was lost. False when it is time to give up.
    /// `reached` is our own chosen frontier, and how much we have of an image.
    pub(crate) fn on_tick(&mut self, reached: (Slot, u64), cx: &mut Cx<'_>) -> bool {
        if cx.now >= self.check_at && !self.check(reached, cx) {
            return false;
        }
        // A leader that is no member any more has led to the end of its own.
        let member = cx.regime.will_vote(cx.setting.me, cx.setting.disk);
        if !member && self.steward.is_handed_over(cx.regime) {
            return false;
        }
        if self.transfer.as_ref().is_some_and(|t| t.is_late(cx.now)) {
            self.give_transfer_up(cx);
        }
        if cx.now >= self.pulse.due_at() {
            self.heartbeat(cx);
        }
        if self.asking && cx.now >= self.promises.resend_at() {
            self.ask_for_promises(cx);
        }
        self.resend(cx);
        self.answer_late(cx);
        true
    }

    /// Answers what has waited too long. What is in flight stays there, and may yet
    /// be chosen; what still stands in line surely is not.
    fn answer_late(&mut self, cx: &mut Cx<'_>) {
        self.steward.answer_late(cx);
        let mut answers = Answers::default();
        let now = cx.now;
        for open in self.flight.unchosen_mut().take_while(|o| o.deadline <= now) {
            for (origin, count) in open.origins.drain(..) {
                answers.add(origin, count, Verdict::Unknown, cx);
            }
        }
        while let Some(late) = self.line.expire(now) {
            answers.add(late.origin, late.commands.len() as u32, Verdict::Busy, cx);
        }
        answers.flush(cx);
    }

    /// Leads no more. What was proposed may or may not be chosen by whoever comes
    /// next; what still stood in line surely was not.
    pub(crate) fn fall(mut self, cx: &mut Cx<'_>) -> Fallen {
        core::mem::take(&mut self.steward).fall(cx);
        let mut answers = Answers::default();
        for open in self.flight.unchosen_mut() {
            for (origin, count) in open.origins.drain(..) {
                answers.add(origin, count, Verdict::Unknown, cx);
            }
        }
        let mut waiting = Vec::new();
        for proposal in self.line.drain() {
            match proposal.origin {
                Origin::Local(_) => waiting.push(proposal),
                origin => {
                    answers.add(origin, proposal.commands.len() as u32, Verdict::NotLeader, cx);
                }
            }
        }
        answers.flush(cx);
        Fallen { waiting }
    }

    /// Whether leading still makes sense: a quorum was heard for the last patience,
    /// and what we lack below our start is coming in. If the only donor is gone,
    /// another phase 1 finds the votes for those slots.
    fn check(&mut self, reached: (Slot, u64), cx: &Cx<'_>) -> bool {
        self.on_progress(cx.setting.me, cx.setting.disk, reached.0);
        let stuck = reached.0 < self.start && reached == self.reached;
        if !self.heard.is_chosen(cx.regime.current()) || stuck {
            return false;
        }
        self.reached = reached;
        self.looking = true;
        self.heard = Tally::default();
        self.check_at = cx.now + cx.setting.timing.patience;
        true
    }

    fn resend(&mut self, cx: &mut Cx<'_>) {
        let (ballot, chosen) = (self.ballot(), self.flight.chosen_below());
        let timing = &cx.setting.timing;
        let mut budget = RESEND_RUNS_MAX;
        for open in self.flight.unchosen_mut() {
            if budget == 0 {
                break;
            }
            if cx.now < open.resend_at {
                continue;
            }
            budget -= 1;
            // Each time the wait doubles, up to a bound: a slow disk or network
            // must not be made slower.
            open.resent = (open.resent + 1).min(4);
            open.resend_at = cx.now + timing.resend * (1 << open.resent);
            let missing = cx.regime.at(open.run.first).voters().without(open.tally.yes());
            cx.out.plain(missing, Accept { ballot, run: open.run.clone(), chosen });
        }
    }

    pub(super) fn heartbeat(&mut self, cx: &mut Cx<'_>) {
        let chosen = self.flight.chosen_below();
        self.announced = self.announced.max(chosen);
        let handed_over = self.transfer.as_ref().is_some_and(Transfer::is_told);
        self.pulse.begin(handed_over, cx);
        let beat = self.pulse.beat();
        cx.out.plain(others(cx), Heartbeat { ballot: self.ballot(), chosen, beat });
    }
}

fn others(cx: &Cx<'_>) -> NodeSet {
    cx.regime.everyone().without(NodeSet::of(cx.setting.me))
}
