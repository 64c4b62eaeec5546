//! Phase 2: one ballot, many runs of slots, as long as nobody promises higher.

mod changing;
mod proposing;
mod watching;

use crate::message::{Accepted, Verdict};
use crate::quorum::Tally;
use crate::role::proposer::answers::Answers;
use crate::role::proposer::flight::Flight;
use crate::role::proposer::line::{Line, Origins};
use crate::role::proposer::preference::Preference;
use crate::role::proposer::promises::Promises;
use crate::role::proposer::pulse::Pulse;
use crate::role::proposer::reserve::Reserve;
use crate::role::proposer::steward::Steward;
use crate::role::proposer::transfer::Transfer;
use crate::role::{Cx, Lead, Setting};
use crate::types::{Ballot, Instant, NodeId, Run, Slot};

/// A leadership.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Leading {
    /// Who has promised, and what they voted for in slots that we have not proposed.
    promises: Promises,
    /// The first slot that was not known to be chosen when this began.
    start: Slot,
    /// The first slot that nobody who has promised had voted on, or knew to be chosen: whatever
    /// earlier leaders chose lies below. Reads wait for it.
    barrier: Slot,
    flight: Flight,
    line: Line,
    /// The chosen frontier that everyone was last told of.
    announced: Slot,
    steward: Steward,
    reserve: Reserve,
    preference: Preference,
    /// Whether promises are missing without which the newest members' slots cannot be
    /// proposed.
    asking: bool,
    /// Whether it is time to look whether every voter is bound to its disk.
    looking: bool,
    /// Whether a check has passed since this began or the members changed.
    is_settled: bool,
    /// Nodes heard since the last check.
    heard: Tally,
    /// How far we had come at the last check in getting what lies below our start:
    /// our own chosen frontier, and how much of an image we have.
    reached: (Slot, u64),
    /// Everything below was counted by the last check.
    counted: Slot,
    /// When to check that a quorum was heard.
    check_at: Instant,
    pulse: Pulse,
    /// Whom we are making way for.
    transfer: Option<Transfer>,
}

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
        let asking = !promises.is_prepared_for_all(cx.regime);
        let mut leading = Leading {
            promises,
            start,
            barrier,
            flight: Flight::starting(start),
            line: Line::default(),
            announced: Slot::FIRST,
            steward: Steward::default(),
            reserve: Reserve::starting(heard.yes(), cx),
            preference: Preference::default(),
            asking,
            looking: false,
            is_settled: false,
            heard,
            reached: (Slot(0), 0),
            counted: Slot(0),
            check_at: cx.now + cx.setting.timing.patience,
            pulse: Pulse::starting(cx.now),
            transfer: None,
        };
        let own = Some(cx.setting.priority);
        leading.on_progress((cx.setting.me, cx.setting.disk), 0, start, own);
        leading.adopt(cx);
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

    /// Whether all is chosen that anybody can have been told of by those who led before.
    fn is_whole(&self, cx: &Cx<'_>) -> bool {
        self.read_floor(cx).is_some_and(|floor| self.flight.chosen_below() >= floor)
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
    /// says nothing: who decides may be unknown here from our start on, a change of the membership
    /// may be chosen that we do not know, or have counted and had no room for, or
    /// nobody of the new members has promised us, so that others may choose where we
    /// ask nobody. Members who decide nothing any more are not asked: all that they have
    /// chosen must be seen.
    pub(crate) fn read_floor(&self, cx: &Cx<'_>) -> Option<Slot> {
        let clear = !self.flight.has_config()
            && !self.promises.has_config()
            && cx.regime.frontier() >= self.flight.chosen_below()
            && self.is_prepared(cx);
        clear.then(|| self.barrier.max(cx.regime.since()))
    }

    /// Gives a lease up the moment that it may not be held.
    pub(crate) fn keep_lease(&mut self, cx: &Cx<'_>) {
        if cx.setting.timing.lease.is_some() && !self.may_lease(cx) {
            self.pulse.release();
        }
    }

    /// What this leader can say of itself now.
    pub(crate) fn lead(&mut self, cx: &Cx<'_>) -> Lead {
        self.keep_lease(cx);
        let leases = cx.setting.timing.lease.is_some();
        let is_leased = leases && self.leased_until(cx.setting).is_some_and(|until| cx.now < until);
        Lead { ballot: self.ballot(), index: self.read_index(), is_leased }
    }

    /// Whether a quorum of each membership that decides anything yet has promised. While
    /// no promise is missing none can be lost, but with a change of the members.
    pub(super) fn is_prepared(&self, cx: &Cx<'_>) -> bool {
        !self.asking || self.promises.is_prepared_for_all(cx.regime)
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
        let (schedule, known) = (cx.regime.schedule(), cx.regime.frontier());
        let chosen = self.flight.on_accepted(from, disk, m, schedule, known)?;
        Some(self.answer(chosen, cx))
    }

    /// A run that was held back, now that all below is chosen: gives it out.
    #[inline]
    pub(crate) fn next_chosen(&mut self, cx: &mut Cx<'_>) -> Option<Run> {
        let chosen = self.flight.next_chosen()?;
        Some(self.answer(chosen, cx))
    }

    fn answer(&mut self, (run, origins): (Run, Origins), cx: &mut Cx<'_>) -> Run {
        let mut answers = Answers::default();
        let mut slot = run.first;
        for &(origin, count) in &origins {
            answers.add(origin, count, Verdict::Chosen(slot), cx);
            slot = slot.plus(u64::from(count));
        }
        answers.flush(cx);
        run
    }
}

#[cfg(test)]
mod tests;
