//! Phase 2: one ballot, many runs of slots, as long as nobody promises higher.

use alloc::vec::Vec;

use super::Fallen;
use super::answers::Answers;
use super::flight::Flight;
use super::line::{Line, Lot};
use super::pulse::Pulse;
use super::transfer::Transfer;
use crate::effect::{Notice, TransferEnd};
use crate::log::Log;
use crate::message::{Accept, Accepted, Chosen, Forward, Heartbeat, HeartbeatAck, Verdict};
use crate::quorum::{NodeSet, Tally};
use crate::role::{Cx, Origin, Proposal};
use crate::types::{Ballot, Instant, NodeId, Run, Slot, Value};

/// A leadership.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Leading {
    ballot: Ballot,
    /// The first slot that was not known to be chosen when this began.
    start: Slot,
    /// Who knew everything below to be chosen.
    donor: NodeId,
    /// The first slot that nobody in the promising quorum had voted on: whatever
    /// earlier leaders chose lies below. Reads wait for it.
    barrier: Slot,
    flight: Flight,
    line: Line,
    /// The chosen frontier that everyone was last told of.
    announced: Slot,
    /// Voters heard since the last check.
    heard: Tally,
    /// How far we had come at the last check in getting what lies below our start:
    /// our own chosen frontier, and how much of an image we have.
    reached: (Slot, u64),
    /// When to check that a quorum was heard.
    check_at: Instant,
    pulse: Pulse,
    /// Whom we are making way for.
    transfer: Option<Transfer>,
}

/// The most runs that one tick sends again: the network has just shown
/// that it is not well.
const RESEND_RUNS_MAX: usize = 64;

impl Leading {
    /// Begins to lead from slot `start` on, by proposing the `adopted` values.
    pub(super) fn start(
        ballot: Ballot,
        (start, donor): (Slot, NodeId),
        adopted: Vec<Value>,
        promised: NodeSet,
        cx: &mut Cx<'_>,
    ) -> Leading {
        let mut heard = Tally::default();
        for node in promised.iter() {
            heard.add(node, cx.membership);
        }
        let mut leading = Leading {
            ballot,
            start,
            donor,
            barrier: start.plus(adopted.len() as u64),
            flight: Flight::starting(start),
            line: Line::default(),
            announced: Slot::FIRST,
            heard,
            reached: (Slot::FIRST, 0),
            check_at: cx.now + cx.setting.timing.patience,
            pulse: Pulse::starting(cx.now),
            transfer: None,
        };
        leading.adopt(adopted, cx);
        leading.heartbeat(cx);
        leading
    }

    /// The ballot led at.
    pub(crate) fn ballot(&self) -> Ballot {
        self.ballot
    }

    /// The first slot that was not known to be chosen when this began. What lies
    /// below is fetched, not counted.
    pub(crate) fn start_slot(&self) -> Slot {
        self.start
    }

    /// Who knew everything below [`start_slot`](Leading::start_slot) to be chosen.
    pub(crate) fn start_donor(&self) -> NodeId {
        self.donor
    }

    /// How many proposals are not answered yet.
    pub(crate) fn unanswered(&self) -> usize {
        self.line.len() + self.flight.slots()
    }

    /// What a linearizable read that arrives now must see delivered: everything
    /// that may have been chosen before it arrived, also above slots that are
    /// still open, because its proposers were told.
    pub(crate) fn read_index(&self) -> Slot {
        self.barrier.max(self.flight.reach())
    }

    /// Everything below was chosen before this began, or counted since.
    pub(crate) fn chosen_below(&self) -> Slot {
        self.flight.chosen_below()
    }

    /// The first slot that this leadership never proposed.
    pub(crate) fn next(&self) -> Slot {
        self.flight.next()
    }

    pub(super) fn wake_at(&self) -> Instant {
        let wake = self.check_at.min(self.pulse.due_at());
        let wake = self.transfer.as_ref().map_or(wake, |t| wake.min(t.wake_at()));
        self.flight.wake_at().map_or(wake, |resend| wake.min(resend))
    }

    /// Puts a proposal in line; it leaves with [`propose`](Leading::propose).
    pub(crate) fn on_proposal(&mut self, proposal: Proposal, cx: &mut Cx<'_>) {
        if let Some(refused) = self.line.join(proposal, &cx.setting.limits) {
            let mut answers = Answers::default();
            answers.add(refused.origin, Verdict::Busy, cx);
            answers.flush(cx);
        }
    }

    /// Puts proposals of a peer in line.
    pub(crate) fn on_forward(&mut self, from: NodeId, m: Forward, cx: &mut Cx<'_>) {
        let mut answers = Answers::default();
        let (incarnation, number) = (m.incarnation, m.number);
        let deadline = cx.now + cx.setting.timing.answer;
        for (index, command) in m.commands.into_iter().enumerate() {
            let index = index as u32;
            let origin = Origin::Remote { node: from, incarnation, number, index };
            let proposal = Proposal { command, origin, deadline };
            if let Some(full) = self.line.join(proposal, &cx.setting.limits) {
                answers.add(full.origin, Verdict::Busy, cx);
            }
        }
        answers.flush(cx);
    }

    /// Proposes what waits in line, as far as the window has room.
    pub(crate) fn propose(&mut self, log: &Log, cx: &mut Cx<'_>) {
        if self.transfer.as_ref().is_some_and(Transfer::is_near) {
            return self.hand_over(cx);
        }
        let limits = &cx.setting.limits;
        while !self.line.is_empty() {
            let room = limits.window_slots.saturating_sub(self.flight.slots());
            let held = self.flight.next().since(log.floor()) as usize;
            let room = room.min(limits.log_slots_max.saturating_sub(held));
            if held >= limits.log_slots_max || log.bytes() >= limits.log_bytes_max {
                return self.refuse_line(cx);
            }
            if room == 0 || self.flight.bytes() >= limits.window_bytes {
                return;
            }
            let lot = self.line.next_run(self.flight.next(), room, limits);
            self.send(lot, cx);
        }
    }

    /// Counts a vote. Gives the run out the moment it is chosen.
    pub(crate) fn on_accepted(
        &mut self,
        from: NodeId,
        m: &Accepted,
        cx: &mut Cx<'_>,
    ) -> Option<Run> {
        if m.ballot != self.ballot {
            return None;
        }
        self.on_heard(from, cx);
        if let Some(transfer) = &mut self.transfer {
            transfer.on_accepted(from, m, cx);
        }
        let (run, origins) = self.flight.on_accepted(from, m, cx.membership)?;
        let mut answers = Answers::default();
        for ((slot, _), origin) in run.iter().zip(origins) {
            answers.add(origin, Verdict::Chosen(slot), cx);
        }
        answers.flush(cx);
        Some(run)
    }

    /// Takes in a sign that `from` still follows this ballot.
    pub(crate) fn on_heard(&mut self, from: NodeId, cx: &Cx<'_>) {
        self.heard.add(from, cx.membership);
    }

    /// Takes in an answer to a beat of this ballot.
    pub(crate) fn on_heartbeat_ack(&mut self, from: NodeId, m: &HeartbeatAck, cx: &Cx<'_>) {
        self.on_heard(from, cx);
        if let Some(transfer) = &mut self.transfer {
            transfer.on_frontier(from, m.chosen, cx);
        }
    }

    /// Begins to make way for `to`, or says why not.
    pub(crate) fn on_transfer(&mut self, to: NodeId, cx: &mut Cx<'_>) -> Result<(), TransferEnd> {
        if self.transfer.is_some() {
            return Err(TransferEnd::UnderWay);
        }
        let (ballot, chosen) = (self.ballot, self.flight.chosen_below());
        let voted = self.flight.voted_by(to);
        self.transfer = Some(Transfer::start(to, chosen, voted, cx));
        let beat = self.pulse.beat();
        cx.out.plain(NodeSet::of(to), Heartbeat { ballot, chosen, beat });
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
    fn hand_over(&mut self, cx: &mut Cx<'_>) {
        let next = self.flight.next();
        if let Some(transfer) = &mut self.transfer
            && self.flight.chosen_below() == next
        {
            transfer.tell(self.ballot, self.pulse.beat(), next, cx);
        }
    }

    /// Tells everyone of newly chosen slots, unless an `Accept` of this step did.
    pub(crate) fn announce(&mut self, cx: &mut Cx<'_>) {
        let below = self.flight.chosen_below();
        if below > self.announced && below > Slot::FIRST {
            self.announced = below;
            cx.out.plain(others(cx), Chosen { ballot: self.ballot, below });
        }
    }

    /// Says again to `peer`, who was away, all that it has not voted for.
    pub(crate) fn on_peer_up(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        if peer == cx.setting.me || !cx.membership.voters().contains(peer) {
            return;
        }
        let (ballot, chosen) = (self.ballot, self.flight.chosen_below());
        let beat = self.pulse.beat();
        cx.out.plain(NodeSet::of(peer), Heartbeat { ballot, chosen, beat });
        for open in self.flight.unchosen_mut().take(RESEND_RUNS_MAX) {
            if !open.tally.yes().contains(peer) {
                cx.out.plain(NodeSet::of(peer), Accept { ballot, run: open.run.clone(), chosen });
            }
        }
    }

    /// Heartbeats, sends again what was lost. False when it is time to give up.
    /// `reached` is our own chosen frontier, and how much we have of an image.
    pub(super) fn on_tick(&mut self, reached: (Slot, u64), cx: &mut Cx<'_>) -> bool {
        if cx.now >= self.check_at && !self.check(reached, cx) {
            return false;
        }
        if self.transfer.as_ref().is_some_and(|t| t.is_late(cx.now)) {
            self.give_transfer_up(cx);
        }
        if cx.now >= self.pulse.due_at() {
            self.heartbeat(cx);
        }
        self.resend(cx);
        self.answer_late(cx);
        true
    }

    /// Answers what has waited too long. What is in flight stays there, and may yet
    /// be chosen; what still stands in line surely is not.
    fn answer_late(&mut self, cx: &mut Cx<'_>) {
        let mut answers = Answers::default();
        let now = cx.now;
        for open in self.flight.unchosen_mut().take_while(|o| o.deadline <= now) {
            for origin in open.origins.drain(..) {
                answers.add(origin, Verdict::Unknown, cx);
            }
        }
        while let Some(late) = self.line.expire(now) {
            answers.add(late.origin, Verdict::Busy, cx);
        }
        answers.flush(cx);
    }

    /// Leads no more. What was proposed may or may not be chosen by whoever comes
    /// next; what still stood in line surely was not.
    pub(super) fn fall(mut self, cx: &mut Cx<'_>) -> Fallen {
        let mut answers = Answers::default();
        for open in self.flight.unchosen_mut() {
            for origin in open.origins.drain(..) {
                answers.add(origin, Verdict::Unknown, cx);
            }
        }
        let mut waiting = Vec::new();
        for proposal in self.line.drain() {
            match proposal.origin {
                Origin::Local(_) => waiting.push(proposal),
                origin => answers.add(origin, Verdict::NotLeader, cx),
            }
        }
        answers.flush(cx);
        Fallen { waiting }
    }

    /// Whether leading still makes sense: a quorum was heard for the last patience,
    /// and what we lack below our start is coming in. If the only donor is gone,
    /// another phase 1 finds the votes for those slots.
    fn check(&mut self, reached: (Slot, u64), cx: &Cx<'_>) -> bool {
        self.heard.add(cx.setting.me, cx.membership);
        let stuck = reached.0 < self.start && reached == self.reached;
        if !self.heard.is_chosen(cx.membership) || stuck {
            return false;
        }
        self.reached = reached;
        self.heard = Tally::default();
        self.check_at = cx.now + cx.setting.timing.patience;
        true
    }

    fn adopt(&mut self, mut values: Vec<Value>, cx: &mut Cx<'_>) {
        while !values.is_empty() {
            let count = fitting(&values, cx);
            let rest = values.split_off(count);
            let origins = core::iter::repeat_n(Origin::Nobody, count).collect();
            let run = Run::new(self.flight.next(), values);
            self.send(Lot { run, origins, deadline: cx.now }, cx);
            values = rest;
        }
    }

    fn send(&mut self, lot: Lot, cx: &mut Cx<'_>) {
        let resend_at = cx.now + cx.setting.timing.resend;
        let run = lot.run.clone();
        self.flight.push(lot, resend_at);
        let chosen = self.flight.chosen_below();
        self.announced = self.announced.max(chosen);
        cx.out.plain(cx.membership.voters(), Accept { ballot: self.ballot, run, chosen });
    }

    fn resend(&mut self, cx: &mut Cx<'_>) {
        let (ballot, chosen) = (self.ballot, self.flight.chosen_below());
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
            let missing = cx.membership.voters().without(open.tally.yes());
            cx.out.plain(missing, Accept { ballot, run: open.run.clone(), chosen });
        }
    }

    fn heartbeat(&mut self, cx: &mut Cx<'_>) {
        let chosen = self.flight.chosen_below();
        self.announced = self.announced.max(chosen);
        let handed_over = self.transfer.as_ref().is_some_and(Transfer::is_told);
        self.pulse.begin(cx.now, cx.setting.timing.heartbeat, handed_over);
        let beat = self.pulse.beat();
        cx.out.plain(others(cx), Heartbeat { ballot: self.ballot, chosen, beat });
    }

    fn refuse_line(&mut self, cx: &mut Cx<'_>) {
        let mut answers = Answers::default();
        for proposal in self.line.drain() {
            answers.add(proposal.origin, Verdict::Busy, cx);
        }
        answers.flush(cx);
    }
}

fn others(cx: &Cx<'_>) -> NodeSet {
    cx.membership.voters().without(NodeSet::of(cx.setting.me))
}

/// How many of `values` make one run; at least one.
fn fitting(values: &[Value], cx: &Cx<'_>) -> usize {
    let limits = &cx.setting.limits;
    let mut bytes = 0;
    let fits = |v: &&Value| {
        bytes += v.weight();
        bytes <= limits.run_bytes_max
    };
    values.iter().take(limits.run_slots_max).take_while(fits).count().max(1)
}
