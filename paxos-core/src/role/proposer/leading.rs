//! Phase 2: one ballot, many runs of slots, as long as nobody promises higher.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Fallen;
use super::answers::Answers;
use super::flight::Flight;
use super::line::{Line, Lot};
use super::promises::Promises;
use super::pulse::Pulse;
use super::steward::Steward;
use super::transfer::Transfer;
use crate::effect::{Notice, Outcome, TransferEnd};
use crate::log::Log;
use crate::message::{
    Accept, Accepted, Chosen, Forward, Heartbeat, HeartbeatAck, Promise, Verdict,
};
use crate::quorum::{Membership, NodeSet, Tally};
use crate::role::{Cx, Lead, Origin, Proposal, Setting};
use crate::types::{Ballot, Instant, Limits, NodeId, ProposalId, Run, Slot, Value};

/// A leadership.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Leading {
    /// Who has promised, and what they voted for in slots that we have not proposed.
    promises: Promises,
    /// The first slot that was not known to be chosen when this began.
    start: Slot,
    /// The first slot that nobody who has promised had voted on: whatever earlier
    /// leaders chose lies below. Reads wait for it.
    barrier: Slot,
    flight: Flight,
    line: Line,
    /// The chosen frontier that everyone was last told of.
    announced: Slot,
    steward: Steward,
    /// Whether promises are missing without which the newest members' slots cannot be
    /// proposed.
    asking: bool,
    /// Whether it is time to look whether every voter is bound to its disk.
    looking: bool,
    /// Nodes heard since the last check.
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
    /// Begins to lead from slot `start` on, by proposing again whatever was voted for
    /// below `barrier`.
    pub(super) fn start(
        promises: Promises,
        start: Slot,
        barrier: Slot,
        cx: &mut Cx<'_>,
    ) -> Leading {
        let mut heard = Tally::default();
        for node in promises.yes().iter() {
            heard.note(node);
        }
        let mut leading = Leading {
            promises,
            start,
            barrier,
            flight: Flight::starting(start),
            line: Line::default(),
            announced: Slot::FIRST,
            steward: Steward::default(),
            asking: false,
            looking: false,
            heard,
            reached: (Slot::FIRST, 0),
            check_at: cx.now + cx.setting.timing.patience,
            pulse: Pulse::starting(cx.now),
            transfer: None,
        };
        leading.on_progress(cx.setting.me, cx.setting.disk, start);
        leading.adopt(cx);
        leading.asking = !leading.promises.is_prepared_for_all(cx.regime);
        leading.heartbeat(cx);
        leading
    }

    /// The ballot led at.
    pub(crate) fn ballot(&self) -> Ballot {
        self.promises.ballot()
    }

    /// The first slot that was not known to be chosen when this began. What lies
    /// below is fetched, not counted.
    pub(crate) fn start_slot(&self) -> Slot {
        self.start
    }

    /// Who knew everything below [`start_slot`](Leading::start_slot) to be chosen.
    pub(crate) fn start_donor(&self) -> NodeId {
        self.promises.start().1
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

    /// What a read that is confirmed now must see at least; none while a confirmation
    /// says nothing: who decides may be unknown here from our start on, a change of the membership may be chosen that we do not know, or
    /// nobody of the new members has promised us, so that others may choose where we
    /// ask nobody.
    pub(crate) fn read_floor(&self, cx: &Cx<'_>) -> Option<Slot> {
        let clear = !self.flight.has_config()
            && !self.promises.has_config()
            && cx.regime.frontier() >= self.start
            && self.promises.is_prepared_for_all(cx.regime);
        clear.then_some(self.barrier)
    }

    /// What this leader can say of itself now.
    pub(crate) fn lead(&mut self, cx: &Cx<'_>) -> Lead {
        if !self.may_lease(cx) {
            self.pulse.release();
        }
        let is_leased = self.leased_until(cx.setting).is_some_and(|until| cx.now < until);
        Lead { ballot: self.ballot(), index: self.read_index(), is_leased }
    }

    /// Whether one membership decides all that is not chosen, and nobody can know of
    /// another: its quorums meet, so that whoever acknowledges keeps others out.
    fn may_lease(&self, cx: &Cx<'_>) -> bool {
        self.read_floor(cx).is_some() && cx.regime.coming().nth(1).is_none()
    }

    /// Until when a read may be served at [`read_index`](Leading::read_index) without
    /// asking anyone.
    pub(crate) fn leased_until(&self, setting: &Setting) -> Option<Instant> {
        self.pulse.leased_until(setting)
    }

    /// The latest moment at which nobody else can have led, for all that is known.
    pub(crate) fn heard_at(&self) -> Option<Instant> {
        self.pulse.heard_at()
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
        let wake = self.flight.wake_at().map_or(wake, |resend| wake.min(resend));
        if self.asking { wake.min(self.promises.resend_at()) } else { wake }
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
        if self.flight.pass(log.chosen()) {
            self.promises.forget_below(self.flight.next());
        }
        self.adopt(cx);
        if self.flight.next() < self.barrier {
            return;
        }
        if self.transfer.as_ref().is_some_and(Transfer::is_near) {
            return self.hand_over(cx);
        }
        if core::mem::take(&mut self.looking)
            && let Some(next) = self.steward.rebound(cx.regime)
        {
            self.change(None, next, log, cx);
        }
        let limits = &cx.setting.limits;
        while !self.line.is_empty() {
            if self.is_full(log, limits) {
                return self.refuse_line(cx);
            }
            let room = self.window(log, cx);
            if room == 0 {
                return;
            }
            let lot = self.line.next_run(self.flight.next(), room, limits);
            self.send(lot, cx);
        }
        self.fill(log, cx);
    }

    /// Proposes no-ops up to where the newest membership rules: it is meant to come
    /// into force soon, whether or not there is traffic.
    fn fill(&mut self, log: &Log, cx: &mut Cx<'_>) {
        let (border, _) = cx.regime.newest();
        let limits = &cx.setting.limits;
        let most = limits.run_slots_max.min(limits.run_bytes_max / Value::OVERHEAD).max(1);
        while self.flight.next() < border && !self.is_full(log, limits) {
            let left = border.since(self.flight.next()) as usize;
            let count = self.window(log, cx).min(left).min(most);
            if count == 0 {
                return;
            }
            self.send_for_nobody(alloc::vec![Value::Noop; count], cx);
        }
    }

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
        if !self.change(Some(proposal), bound, log, cx) {
            cx.out.resolve(proposal, Outcome::Busy);
        }
    }

    /// Proposes a change, if there is room for it now and nothing that an earlier
    /// leader has begun is open: that may be another.
    fn change(
        &mut self,
        proposal: Option<ProposalId>,
        next: Membership,
        log: &Log,
        cx: &mut Cx<'_>,
    ) -> bool {
        let settled = cx.regime.frontier() >= self.barrier && self.flight.next() >= self.barrier;
        if !settled || self.is_full(log, &cx.setting.limits) || self.window(log, cx) == 0 {
            return false;
        }
        let deadline = cx.now + cx.setting.timing.answer;
        self.steward.on_proposed(self.flight.next(), proposal, deadline, cx.regime);
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
        // The new members are given the time that the old ones had.
        self.check_at = cx.now + cx.setting.timing.patience;
        self.ask_for_promises(cx);
        self.heartbeat(cx);
    }

    /// Takes in a promise of a new member. False if it ends this leadership: somebody
    /// else leads the new members already.
    pub(super) fn on_promise(
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
        self.barrier = self.barrier.max(self.promises.end().unwrap_or_default());
        self.asking &= !self.promises.is_prepared_for_all(cx.regime);
        // What is chosen where we have not proposed was proposed by others.
        m.chosen <= self.flight.next()
    }

    fn ask_for_promises(&mut self, cx: &mut Cx<'_>) {
        self.asking = !self.promises.is_prepared_for_all(cx.regime);
        if self.asking {
            self.promises.ask_again(cx);
        }
    }

    /// How many slots from the next one on are ours to propose, for the same members:
    /// it is known who they are, and a quorum of them has promised.
    fn ours(&self, cx: &Cx<'_>) -> usize {
        let next = self.flight.next();
        let end = cx.regime.schedule().border_after(next);
        let end = end.map_or(cx.regime.bound(), |border| border.min(cx.regime.bound()));
        if end <= next || !self.promises.is_prepared(next, cx.regime) {
            return 0;
        }
        end.since(next) as usize
    }

    /// How many of them the bounds have room for.
    fn window(&self, log: &Log, cx: &Cx<'_>) -> usize {
        let limits = &cx.setting.limits;
        if self.flight.bytes() >= limits.window_bytes {
            return 0;
        }
        let held = self.flight.next().since(log.floor()) as usize;
        let room = limits.window_slots.saturating_sub(self.flight.slots());
        let room = room.min(limits.log_slots_max.saturating_sub(held));
        if room == 0 { 0 } else { room.min(self.ours(cx)) }
    }

    fn is_full(&self, log: &Log, limits: &Limits) -> bool {
        let held = self.flight.next().since(log.floor()) as usize;
        held >= limits.log_slots_max || log.bytes() >= limits.log_bytes_max
    }

    /// Counts a vote. Gives the run out the moment it is chosen.
    pub(crate) fn on_accepted(
        &mut self,
        from: NodeId,
        disk: u64,
        m: &Accepted,
        cx: &mut Cx<'_>,
    ) -> Option<Run> {
        if m.ballot != self.ballot() {
            return None;
        }
        self.on_heard(from);
        if let Some(transfer) = &mut self.transfer {
            transfer.on_accepted(from, m, cx);
        }
        let (run, origins) = self.flight.on_accepted(from, disk, m, cx.regime.schedule())?;
        let mut answers = Answers::default();
        for ((slot, _), origin) in run.iter().zip(origins) {
            answers.add(origin, Verdict::Chosen(slot), cx);
        }
        answers.flush(cx);
        Some(run)
    }

    /// Takes in a sign that `from` still follows this ballot.
    pub(crate) fn on_heard(&mut self, from: NodeId) {
        self.heard.note(from);
    }

    /// Takes in how far a node has come that follows this ballot.
    fn on_progress(&mut self, from: NodeId, disk: u64, chosen: Slot) {
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

    /// Begins to make way for `to`, or says why not.
    pub(crate) fn on_transfer(&mut self, to: NodeId, cx: &mut Cx<'_>) -> Result<(), TransferEnd> {
        if self.transfer.is_some() {
            return Err(TransferEnd::UnderWay);
        }
        let (ballot, chosen) = (self.ballot(), self.flight.chosen_below());
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
            // From here on the voters may be told that we do not count on them.
            self.pulse.release();
            transfer.tell(self.promises.ballot(), self.pulse.beat(), next, cx);
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
    pub(super) fn on_tick(&mut self, reached: (Slot, u64), cx: &mut Cx<'_>) -> bool {
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
        core::mem::take(&mut self.steward).fall(cx);
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

    /// Proposes again what was voted for at earlier ballots, as far as the slots are
    /// ours. Beyond the window too: it was in flight before.
    fn adopt(&mut self, cx: &mut Cx<'_>) {
        while self.flight.next() < self.barrier {
            let next = self.flight.next();
            let count = self.ours(cx).min(self.barrier.since(next) as usize);
            if count == 0 {
                return;
            }
            let limits = &cx.setting.limits;
            let mut values = Vec::new();
            let mut bytes = 0;
            for slot in (next.0..).map(Slot).take(count.min(limits.run_slots_max)) {
                bytes += self.promises.weight_at(slot);
                if bytes > limits.run_bytes_max && !values.is_empty() {
                    break;
                }
                values.push(self.promises.take_vote(slot));
            }
            self.send_for_nobody(values, cx);
        }
    }

    fn send_for_nobody(&mut self, values: Vec<Value>, cx: &mut Cx<'_>) {
        let origins = core::iter::repeat_n(Origin::Nobody, values.len()).collect();
        let run = Run::new(self.flight.next(), values);
        self.send(Lot { run, origins, deadline: cx.now }, cx);
    }

    fn send(&mut self, lot: Lot, cx: &mut Cx<'_>) {
        let resend_at = cx.now + cx.setting.timing.resend;
        let run = lot.run.clone();
        self.flight.push(lot, resend_at);
        let chosen = self.flight.chosen_below();
        self.announced = self.announced.max(chosen);
        let voters = cx.regime.at(run.first).voters();
        cx.out.plain(voters, Accept { ballot: self.ballot(), run, chosen });
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

    fn heartbeat(&mut self, cx: &mut Cx<'_>) {
        let chosen = self.flight.chosen_below();
        self.announced = self.announced.max(chosen);
        let handed_over = self.transfer.as_ref().is_some_and(Transfer::is_told);
        self.pulse.begin(handed_over, cx);
        let beat = self.pulse.beat();
        cx.out.plain(others(cx), Heartbeat { ballot: self.ballot(), chosen, beat });
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
    cx.regime.everyone().without(NodeSet::of(cx.setting.me))
}
