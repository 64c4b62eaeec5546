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
use crate::types::{Ballot, Checksum, Instant, Run, Slot};

/// What this replica knows of what is chosen, beside the log's own marks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
        mark(log, ballot, scanned.max(log.chosen()), below);
    }

    /// Takes in new votes: some may be for slots that were announced already.
    pub(crate) fn on_voted(&mut self, ballot: Ballot, run: &Run, log: &mut Log) {
        let (announced, below) = self.announced;
        if ballot == announced && run.first < below {
            mark(log, ballot, run.first, below.min(run.end()));
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
        let mut unvoted = false;
        let floor = log.floor();
        for (slot, value) in run.iter().filter(|(slot, _)| *slot >= floor) {
            let chosen = log.get(slot).map(|c| (c.ballot, c.chosen));
            match chosen {
                Some((_, true)) => {}
                Some((at, false)) if at == ballot => {
                    log.choose(slot);
                }
                // Our own acceptor had no room for this vote; others had.
                _ => {
                    log.learn(slot, value.clone());
                    unvoted = true;
                }
            }
        }
        if unvoted {
            cx.out.record(Entry::Learned { run: run.clone() });
        }
    }

    /// Takes the next slot into the sum that the state machine has applied in an
    /// earlier life; gives its weight. None if there is no such slot.
    pub(crate) fn sum_up(&mut self, log: &Log) -> Option<usize> {
        let (slot, sum) = self.summed;
        if slot >= self.delivered.min(log.chosen()) {
            return None;
        }
        let value = &log.get(slot)?.value;
        self.summed = (slot.next(), sum.extended(slot, value));
        Some(value.weight())
    }

    /// Hands out the next slot that is chosen; gives its weight. None if there is no
    /// such slot, or this step has delivered as much as it may.
    pub(crate) fn deliver(&mut self, log: &Log, cx: &mut Cx<'_>) -> Option<usize> {
        let full = cx.out.deliveries() >= cx.setting.limits.deliver_slots_max;
        let slot = self.delivered;
        if full || slot >= log.chosen() {
            return None;
        }
        let value = &log.get(slot)?.value;
        if let Some(sum) = self.sum() {
            self.summed = (slot.next(), sum.extended(slot, value));
        }
        self.delivered = slot.next();
        cx.out.deliver(slot, value.clone());
        Some(value.weight())
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
        if log.chosen() > self.hinted && cx.out.has_records() {
            self.hinted = log.chosen();
            cx.out.record(Entry::Chosen { below: self.hinted });
        }
    }
}

/// Marks votes of `ballot` in `from..to` as chosen.
fn mark(log: &mut Log, ballot: Ballot, from: Slot, to: Slot) {
    for slot in (from.0..to.min(log.end()).0).map(Slot) {
        if log.get(slot).is_some_and(|c| c.ballot == ballot && !c.chosen) {
            log.choose(slot);
        }
    }
}
