//! The learner: which slots are chosen, and handing them out in order.
//!
//! A follower believes an announcement only where it voted at the announced
//! ballot: that vote is the leader's own proposal, and a leader proposes at a
//! chosen slot nothing but the chosen value. Everything else is fetched.
//!
//! The learner also keeps the running sum over what was chosen, by which replicas
//! find out that one of them has something else.

use super::Cx;
use crate::log::{Entry, Log};
use crate::types::{Ballot, Checksum, Instant, Run, Slot, Value};

/// What this replica knows of what is chosen, beside the log's own marks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Learner {
    /// The highest announcing ballot so far, and its frontier.
    announced: (Ballot, Slot),
    /// The delivered frontier: everything below was handed out.
    delivered: Slot,
    /// The running sum over everything below a slot.
    ///
    /// Invariant: that slot is at most `delivered`; it lies below while the log has
    /// not caught up with a state machine that kept its own state.
    summed: (Slot, Checksum),
    /// The chosen frontier that the disk was last told of.
    hinted: Slot,
    /// When there is more to deliver than one step may: at once.
    more_at: Option<Instant>,
}

impl Learner {
    /// A learner whose state machine has applied everything below `applied`, with
    /// the sum over everything below some slot at or before that.
    pub(crate) fn new(
        applied: Slot,
        summed: (Slot, Checksum),
        chosen: Slot,
        now: Instant,
    ) -> Learner {
        let announced = (Ballot::ZERO, Slot::FIRST);
        let more_at = (applied < chosen).then_some(now);
        let delivered = applied.max(Slot::FIRST);
        Learner { announced, delivered, summed, hinted: chosen, more_at }
    }

    /// The delivered frontier.
    pub(crate) fn delivered(&self) -> Slot {
        self.delivered
    }

    /// The running sum over everything below [`delivered`](Learner::delivered);
    /// none while the log does not tell.
    pub(crate) fn sum(&self) -> Option<Checksum> {
        let (slot, sum) = self.summed;
        (slot == self.delivered).then_some(sum)
    }

    /// The running sum, and up to where it goes.
    pub(crate) fn summed(&self) -> (Slot, Checksum) {
        self.summed
    }

    /// When deliveries go on.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.more_at
    }

    /// Takes in that the leader of `ballot` calls all slots below `below` chosen.
    pub(crate) fn on_announced(&mut self, ballot: Ballot, below: Slot, log: &mut Log) {
        if ballot < self.announced.0 {
            return;
        }
        let (last_ballot, last_below) = self.announced;
        // What the same leader announced before was marked then, or is marked
        // when the vote comes: see `on_voted`.
        let scanned = if ballot == last_ballot { last_below } else { Slot::FIRST };
        self.announced = (ballot, below.max(scanned));
        log.choose(ballot, scanned, below);
    }

    /// Takes in new votes: some may be for slots that were announced already.
    pub(crate) fn on_voted(&mut self, ballot: Ballot, (first, end): (Slot, Slot), log: &mut Log) {
        let (announced, below) = self.announced;
        if ballot == announced && first < below {
            log.choose(ballot, first, below.min(end));
        }
    }

    /// Takes in that this replica, as leader of `ballot`, has counted a quorum.
    pub(crate) fn on_chosen(&mut self, ballot: Ballot, run: &Run, log: &mut Log, cx: &mut Cx<'_>) {
        // Further ahead than we vote, and than a disk is read back, or beyond what we
        // have room for: fetched later.
        let limits = &cx.setting.limits;
        if run.end().since(log.chosen()) > limits.ahead_slots_max as u64
            || run.end().since(log.floor()) > limits.log_slots_max as u64
        {
            return;
        }
        log.choose(ballot, run.first, run.end());
        let known = |slot| slot < log.floor() || log.get(slot).is_some_and(|c| c.chosen);
        if log.chosen() < run.end() && !run.iter().all(|(slot, _)| known(slot)) {
            // Our own acceptor had no room for these votes; others had.
            log.learn(run);
            cx.out.record(Entry::Learned { run: run.clone() });
        }
    }

    /// Whether everything that is chosen was handed out and is in the sum.
    pub(crate) fn has_all(&self, log: &Log) -> bool {
        self.delivered >= log.chosen() && self.summed.0 >= log.chosen()
    }

    /// Slots that the state machine has applied in an earlier life, or in the place of
    /// an image, and that are not in the sum: the next of them that the log knows.
    #[inline]
    pub(crate) fn unsummed(&self, log: &Log) -> Option<Run> {
        let (from, _) = self.summed;
        let to = self.delivered.min(log.chosen());
        if from < to { self.unsummed_in(from, to, log) } else { None }
    }

    /// What of `from..to` the log knows first.
    #[cold]
    #[inline(never)]
    fn unsummed_in(&self, from: Slot, to: Slot, log: &Log) -> Option<Run> {
        let mut run = log.chosen_piece(from)?;
        if run.end() > to {
            run.truncate(to);
        }
        Some(run)
    }

    /// The next slots to be handed out; none if there are none, or this step has
    /// delivered as much as it may.
    pub(crate) fn undelivered(&self, log: &Log, cx: &Cx<'_>) -> Option<Run> {
        let from = self.delivered;
        if from >= log.chosen() {
            return None;
        }
        let most = cx.setting.limits.deliver_slots_max.saturating_sub(cx.out.deliveries());
        let mut run = if most > 0 { log.chosen_piece(from) } else { None };
        if let Some(run) = &mut run
            && run.len() > most
        {
            run.truncate(from.plus(most as u64));
        }
        run
    }

    /// Takes the values of the slots from `from` on into the sum, if it goes that far: it
    /// does not while the log does not tell of what the state machine has.
    pub(crate) fn sum_up(&mut self, from: Slot, values: &[Value]) {
        let (mut slot, mut sum) = self.summed;
        if slot == from {
            for value in values {
                sum = sum.extended(slot, value);
                slot = slot.next();
            }
            self.summed = (slot, sum);
        }
    }

    /// Hands `run` out, but for what was handed out before.
    pub(crate) fn deliver(&mut self, run: Run, cx: &mut Cx<'_>) {
        if run.first == self.delivered {
            self.delivered = run.end();
            cx.out.deliver(run);
        }
    }

    /// Ends the deliveries of a step: what is left follows at once, unless the state
    /// machine is being replaced, or has to be.
    pub(crate) fn rest(&mut self, log: &Log, replaced: bool, now: Instant) {
        let held = (log.floor()..log.chosen()).contains(&self.delivered);
        let more = held && !replaced;
        self.more_at = more.then_some(now);
    }

    /// Takes in that the state machine holds everything below `below` now, over
    /// which the sum is `sum`.
    pub(crate) fn on_installed(&mut self, below: Slot, sum: Checksum) {
        self.delivered = below;
        self.summed = (below, sum);
        self.hinted = self.hinted.max(below);
    }

    /// Lets a hint of the chosen frontier ride along with this step's records.
    pub(crate) fn hint(&mut self, log: &Log, cx: &mut Cx<'_>) {
        if cx.out.has_records() {
            self.write_down(log, cx);
        }
    }

    /// Writes the chosen frontier down, if the disk has not heard of it.
    pub(crate) fn write_down(&mut self, log: &Log, cx: &mut Cx<'_>) {
        if log.chosen() > self.hinted {
            self.hinted = log.chosen();
            cx.out.record(Entry::Chosen { below: self.hinted });
        }
    }
}

#[cfg(test)]
mod tests;
