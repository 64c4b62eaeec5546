//! What goes by the clock: heartbeats, sending again, answers to what has waited too long, and
//! whether leading still makes sense.

use alloc::vec::Vec;

use super::Leading;
use crate::message::{Accept, Chosen, Heartbeat, HeartbeatAck, Probe, ProbeAck, Relieve, Verdict};
use crate::quorum::{NodeSet, Tally};
use crate::role::proposer::Fallen;
use crate::role::proposer::answers::Answers;
use crate::role::proposer::reserve::held_below;
use crate::role::proposer::transfer::Transfer;
use crate::role::{Cx, Origin};
use crate::types::{Ballot, Checkpoint, Instant, NodeId, Slot};

/// The most runs that one tick sends again: the network has just shown
/// that it is not well.
pub(super) const RESEND_RUNS_MAX: usize = 64;

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
        self.reserve.on_heard(from);
    }

    /// Takes in how far a node has come that has answered this beat.
    pub(super) fn on_progress(
        &mut self,
        who: (NodeId, u64),
        beat: u64,
        chosen: Slot,
        priority: Option<u8>,
    ) {
        self.on_heard(who.0);
        self.steward.on_heard(who, beat.min(self.pulse.beat()), chosen, priority);
    }

    /// How far `node` had come when it last answered.
    pub(crate) fn progress(&self, node: NodeId) -> Option<Slot> {
        self.steward.progress(node)
    }

    /// The highest chosen frontier that a node has answered with, and which.
    pub(crate) fn farthest(&self) -> Option<(Slot, NodeId)> {
        self.steward.farthest()
    }

    /// Takes in an answer to a beat of this ballot.
    pub(crate) fn on_heartbeat_ack(
        &mut self,
        from: NodeId,
        disk: u64,
        m: &HeartbeatAck,
        cx: &Cx<'_>,
    ) {
        self.on_progress((from, disk), m.beat, m.chosen, m.priority);
        if cx.regime.is_witness(from) {
            self.reserve.on_progress(m.chosen);
        }
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
            // Witnesses hear it with the next beat, or are asked to vote.
            let idle = cx.regime.current().witnesses().or(NodeSet::of(cx.setting.me));
            cx.out.plain(everyone.without(idle), Chosen { ballot: self.ballot(), below });
        }
    }

    /// Takes in that those who decide from `chosen` on hear of it anyhow. Others who decided
    /// until now are yet to be told: they would think that they still do.
    pub(super) fn on_said(&mut self, chosen: Slot, cx: &Cx<'_>) {
        let schedule = cx.regime.schedule();
        if schedule.everyone(self.announced) == schedule.everyone(chosen) {
            self.announced = self.announced.max(chosen);
        }
    }

    /// Says again to `peer`, who was away, all that it has not voted for.
    pub(crate) fn on_peer_up(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        if peer == cx.setting.me || !cx.regime.everyone().contains(peer) {
            return;
        }
        cx.out.plain(NodeSet::of(peer), self.beat(cx));
        self.reserve.on_peer_up();
        self.ask_for_votes(NodeSet::of(peer), cx);
    }

    /// Takes in a hint that `peer` is gone: whoever has to vote in its place is asked
    /// at once.
    pub(crate) fn on_peer_down(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        if self.successor() == Some(peer) {
            self.give_transfer_up(cx);
        }
        self.reserve.on_peer_down(peer);
        let witnesses = cx.regime.current().witnesses();
        if !witnesses.is_empty() {
            self.ask_for_votes(witnesses, cx);
        }
    }

    /// Asks those of `peers` that are called upon for the votes that are missing.
    fn ask_for_votes(&mut self, peers: NodeSet, cx: &mut Cx<'_>) {
        let (ballot, chosen) = (self.ballot(), self.flight.chosen_below());
        for open in self.flight.unchosen_mut().take(RESEND_RUNS_MAX) {
            let called = self.reserve.called(cx.regime.at(open.run.first), cx.now);
            let missing = peers.and(called).without(open.tally.yes());
            if !missing.is_empty() {
                cx.out.plain(missing, Accept { ballot, run: open.run.clone(), chosen });
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
        let member = cx.regime.may_stand(cx.setting.me, cx.setting.disk);
        if !member && self.steward.is_handed_over(cx.regime) {
            return false;
        }
        if self.transfer.as_ref().is_some_and(|t| t.is_late(cx.now)) {
            self.give_transfer_up(cx);
        }
        if let Some(transfer) = &mut self.transfer {
            transfer.on_tick(cx.now, cx.setting.timing.resend);
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
        for open in self.flight.unanswered_mut().take_while(|o| o.deadline <= now) {
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
        for open in self.flight.unanswered_mut() {
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

    /// Whether leading still makes sense: a quorum that can vote was heard for the last patience,
    /// and what we lack below our start, or of what we have counted, is coming in. If the
    /// only donor is gone, or does not hear from us that what it voted for is chosen,
    /// another phase 1 finds the votes for those slots. And if votes do not come for a
    /// slot that others have told us is chosen, or say that they have beyond it (its voters
    /// have lost their disks since, or were members only until then, and are out of reach),
    /// another phase 1 begins above it.
    fn check(&mut self, reached: (Slot, u64), cx: &mut Cx<'_>) -> bool {
        let own = Some(cx.setting.priority);
        self.on_progress((cx.setting.me, cx.setting.disk), self.pulse.beat(), reached.0, own);
        let counted = self.flight.chosen_below();
        let stuck = reached.0 < self.start.max(counted) && reached <= self.reached;
        let farthest = self.steward.farthest().filter(|_| reached.0 >= self.start);
        let known = farthest.map_or(reached.0, |(known, _)| known);
        let forsaken = counted < known && counted == self.counted;
        self.counted = counted;
        if !self.hears_quorum(cx) || stuck || forsaken {
            return false;
        }
        self.reached = reached;
        (self.looking, self.is_settled) = (true, true);
        self.reserve.on_checked(self.heard.yes(), self.steward.strays(cx.regime), cx.regime);
        self.prefer(cx);
        self.heard = Tally::default();
        self.check_at = cx.now + cx.setting.timing.patience;
        true
    }

    /// Whether votes can come from a quorum of those that answer: who has come back on another
    /// disk than the one that counts follows, and decides nothing. While promises are missing,
    /// they can come from one as well. A main is among them: witnesses alone decide nothing that
    /// anybody could be told of, and a main that reaches one of them could lead.
    fn hears_quorum(&self, cx: &Cx<'_>) -> bool {
        let counted = Tally::of(self.heard.yes().without(self.steward.uncounted(cx.regime)));
        let current = cx.regime.current();
        let has_main = !counted.yes().and(current.mains()).is_empty();
        let decides = counted.is_chosen(current) && has_main;
        decides && (self.is_prepared(cx) || counted.is_prepared(current))
    }

    /// Asks a node with a higher priority that has kept up for a while whether it reaches
    /// a quorum.
    fn prefer(&mut self, cx: &mut Cx<'_>) {
        let (heard, chosen) = (self.heard.yes(), self.flight.chosen_below());
        let known = (&self.steward, &*cx.regime);
        if self.transfer.is_some() {
            return;
        }
        let rival = self.preference.on_checked(cx.setting.priority, heard, chosen, known);
        if let Some(rival) = rival {
            cx.out.plain(NodeSet::of(rival), Probe { ballot: self.ballot(), chosen });
        }
    }

    /// Makes way for whom we have asked, if that is what it answers.
    pub(crate) fn on_probe_ack(
        &mut self,
        (from, disk): (NodeId, u64),
        m: &ProbeAck,
        cx: &mut Cx<'_>,
    ) {
        let yes = m.granted && m.ballot == self.ballot().next(from, disk);
        let fits = cx.regime.current().mains().contains(from) && cx.regime.vouches(from, disk);
        if yes && fits && self.transfer.is_none() && self.preference.on_sounded(from) {
            // It may be refused only while another is under way.
            let _ = self.on_transfer(from, cx);
        }
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
            let membership = cx.regime.at(open.run.first);
            self.reserve.on_late(membership, cx);
            let missing = membership.voters().without(open.tally.yes());
            cx.out.plain(missing, Accept { ballot, run: open.run.clone(), chosen });
        }
    }

    /// What this leader has to say at any time.
    pub(super) fn beat(&self, cx: &Cx<'_>) -> Heartbeat {
        Heartbeat {
            ballot: self.ballot(),
            chosen: self.flight.chosen_below(),
            beat: self.pulse.beat(),
            settled: self.is_whole(cx),
        }
    }

    pub(super) fn heartbeat(&mut self, cx: &mut Cx<'_>) {
        let chosen = self.flight.chosen_below();
        self.on_said(chosen, cx);
        let handed_over = self.transfer.as_ref().is_some_and(Transfer::is_told);
        self.pulse.begin(handed_over, cx);
        let beat = self.beat(cx);
        let ballot = beat.ballot;
        cx.out.plain(others(cx), beat);
        if cx.regime.has_witnesses() {
            self.reserve.on_beat();
            // Who decides from beyond the frontier on is not known here yet.
            let known = chosen.min(cx.regime.frontier());
            let below = held_below(self.steward.held(), cx.regime);
            self.reserve.relieve(ballot, below.min(known), cx);
        }
    }

    /// Its ballot, if this leader has to pledge to itself what it holds, as the other
    /// mains do at every beat.
    pub(crate) fn is_to_hold(&mut self) -> Option<Ballot> {
        self.reserve.take_beat().then(|| self.ballot())
    }

    /// Takes in that what a witness lacks is trimmed here. It is let go of all that `checkpoint` is
    /// of, if that is held well enough without it; else not, and this is false.
    pub(crate) fn on_stranded(
        &self,
        witness: NodeId,
        checkpoint: &Checkpoint,
        cx: &mut Cx<'_>,
    ) -> bool {
        let Checkpoint { below, schedule, .. } = checkpoint.clone();
        let is_held = held_below(self.steward.held(), cx.regime) >= below;
        if is_held {
            let ballot = self.ballot();
            cx.out.plain(NodeSet::of(witness), Relieve { ballot, below, schedule });
        }
        is_held
    }

    /// Whether the pledges that are missing may not come soon: a main is away, or all have had the
    /// time of a patience since the members are what they are.
    pub(crate) fn lacks_mains(&self, cx: &Cx<'_>) -> bool {
        let missing = self.reserve.missing();
        let is_missing = |mains: NodeSet| !mains.and(missing).is_empty();
        self.is_settled || cx.regime.coming().any(|(_, m)| is_missing(m.mains()))
    }

    /// Takes in what a main holds for good.
    pub(crate) fn on_holding(&mut self, from: NodeId, disk: u64, below: Slot, cx: &Cx<'_>) {
        if cx.regime.vouches(from, disk) {
            self.steward.on_holding(from, disk, below, cx.regime);
        }
    }
}

fn others(cx: &Cx<'_>) -> NodeSet {
    cx.regime.everyone().without(NodeSet::of(cx.setting.me))
}
