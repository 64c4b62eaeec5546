//! Runs that were proposed at one ballot and are not all chosen yet.

use alloc::collections::VecDeque;

use super::line::{Lot, Origins};
use crate::message::Accepted;
use crate::quorum::Tally;
use crate::types::{Instant, NodeId, Run, Schedule, Slot};

/// The open part of the log, as its leader sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Flight {
    /// Oldest first.
    ///
    /// Invariant: runs ascend and end at `next` or below; what lies between them was
    /// known to be chosen without being proposed at this ballot; the first is not chosen.
    open: VecDeque<Open>,
    next: Slot,
    /// No slot from here on has been given out as chosen at this ballot.
    reach: Slot,
    bytes: usize,
    /// How many of the open slots change the membership.
    configs: usize,
    /// How many of the open runs are held back.
    held: usize,
}

/// One run, until it and all before it are chosen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Open {
    pub(super) run: Run,
    pub(super) tally: Tally,
    /// Whether a quorum has voted for it. Its origins were answered then, unless other members
    /// decide what is open below: see [`on_accepted`](Flight::on_accepted).
    pub(super) chosen: bool,
    /// Whether it is chosen, and nobody was told yet.
    held: bool,
    /// Who is to be answered; nobody any more once `deadline` has passed.
    pub(super) origins: Origins,
    pub(super) deadline: Instant,
    /// When to send it again to those who have not voted.
    pub(super) resend_at: Instant,
    /// How often it was sent again.
    pub(super) resent: u8,
}

impl Flight {
    pub(super) fn starting(next: Slot) -> Flight {
        Flight { open: VecDeque::new(), next, reach: next, bytes: 0, configs: 0, held: 0 }
    }

    /// The first slot that was never proposed at this ballot.
    pub(super) fn next(&self) -> Slot {
        self.next
    }

    /// Everything below is chosen, as far as this ballot proposed it.
    pub(super) fn chosen_below(&self) -> Slot {
        self.open.front().map_or(self.next, |o| o.run.first)
    }

    /// The slot after the last that was given out as chosen, whatever is open below it.
    pub(super) fn reach(&self) -> Slot {
        self.reach
    }

    /// Slots from the first that is not chosen on.
    pub(super) fn slots(&self) -> usize {
        self.next.since(self.chosen_below()) as usize
    }

    /// Bytes from the first slot that is not chosen on.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, lot: Lot, resend_at: Instant) {
        let Lot { run, origins, deadline } = lot;
        assert_eq!(run.first, self.next, "runs follow each other without holes");
        self.next = run.end();
        self.bytes += run.weight();
        self.configs += run.configs();
        let tally = Tally::default();
        let (chosen, held) = (false, false);
        let open = Open { run, tally, chosen, held, origins, deadline, resend_at, resent: 0 };
        self.open.push_back(open);
    }

    /// Takes in that everything below `chosen` is known to be chosen: what was not
    /// proposed at this ballot by then need not be. Slots that are open stay open until
    /// their votes are counted. Says whether that moved it.
    pub(super) fn pass(&mut self, chosen: Slot) -> bool {
        let passes = chosen > self.next;
        if passes {
            self.next = chosen;
            self.reach = self.reach.max(chosen);
        }
        passes
    }

    /// Counts a vote. Gives the run out the moment a quorum has voted for it.
    ///
    /// But not while other members decide a slot below that is open. Whoever they elect may not
    /// know of those who decide here, nor ask them what they have voted for: it may choose
    /// commands below that were proposed only after this one was answered. Such a run is given
    /// out by [`next_chosen`](Flight::next_chosen) when all below is chosen. All below `known` is,
    /// though votes may be missing here.
    ///
    /// A voter votes for a run as it was sent, so any other span is nonsense.
    pub(super) fn on_accepted(
        &mut self,
        from: NodeId,
        disk: u64,
        m: &Accepted,
        schedule: &Schedule,
        known: Slot,
    ) -> Option<(Run, Origins)> {
        // Mostly it is the oldest.
        let oldest = self.open.front()?.run.first >= m.first;
        let at = if oldest { 0 } else { self.open.partition_point(|o| o.run.first < m.first) };
        let open = self.open.get_mut(at)?;
        if open.run.first != m.first || open.run.end() != m.end || open.chosen {
            return None;
        }
        // All slots of a run have the same members: see `Leading::ours`.
        if !schedule.is_voter(from, disk, m.first) {
            return None;
        }
        let membership = schedule.at(m.first);
        open.tally.add(from, membership);
        if !open.tally.is_chosen(membership) {
            return None;
        }
        open.chosen = true;
        if at > 0 {
            let done = (open.run.clone(), core::mem::take(&mut open.origins));
            let border = schedule.border_after(known.max(self.chosen_below()));
            return self.or_hold(at, done, border);
        }
        self.reach = self.reach.max(m.end);
        let done = self.land();
        self.land_given();
        done
    }

    /// Gives out a run that is chosen above others that are open, or holds it back: from `border` on
    /// other members decide.
    fn or_hold(
        &mut self,
        at: usize,
        done: (Run, Origins),
        border: Option<Slot>,
    ) -> Option<(Run, Origins)> {
        let (first, end) = (done.0.first, done.0.end());
        if border.is_none_or(|border| first < border) {
            self.reach = self.reach.max(end);
            return Some(done);
        }
        self.held += 1;
        let open = &mut self.open[at];
        (open.origins, open.held) = (done.1, true);
        None
    }

    /// The next run that was held back, once all below is chosen.
    #[inline]
    pub(super) fn next_chosen(&mut self) -> Option<(Run, Origins)> {
        if self.held == 0 || !self.open.front()?.held {
            return None;
        }
        self.held -= 1;
        let (run, origins) = self.land()?;
        self.reach = self.reach.max(run.end());
        self.land_given();
        Some((run, origins))
    }

    /// Takes out what is chosen and was given out before.
    fn land_given(&mut self) {
        while self.open.front().is_some_and(|o| o.chosen && !o.held) {
            self.land();
        }
    }

    /// Takes the oldest run out.
    fn land(&mut self) -> Option<(Run, Origins)> {
        let Open { run, origins, .. } = self.open.pop_front()?;
        self.bytes -= run.weight();
        self.configs -= run.configs();
        Some((run, origins))
    }

    /// Which spans `node` has voted for, among the runs that are open, ascending.
    pub(super) fn voted_by(&self, node: NodeId) -> impl Iterator<Item = (Slot, Slot)> + '_ {
        let voted = self.open.iter().filter(move |o| o.tally.yes().contains(node));
        voted.map(|o| (o.run.first, o.run.end()))
    }

    /// Whether a change of the membership is open.
    pub(super) fn has_config(&self) -> bool {
        self.configs > 0
    }

    /// The earliest time to send anything again.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.open.front().map(|o| o.resend_at)
    }

    /// Runs that are not chosen, oldest first.
    pub(super) fn unchosen_mut(&mut self) -> impl Iterator<Item = &mut Open> {
        self.open.iter_mut().filter(|o| !o.chosen)
    }

    /// Runs that nobody was answered for, oldest first.
    pub(super) fn unanswered_mut(&mut self) -> impl Iterator<Item = &mut Open> {
        self.open.iter_mut().filter(|o| !o.chosen || o.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Ballot, Membership, Value};
    use alloc::vec;
    use alloc::vec::Vec;
    use core::cell::Cell;

    const BALLOT: Ballot = Ballot::new(1, NodeId(1));

    fn three() -> Schedule {
        let three = Membership::majority([1, 2, 3].map(NodeId)).with_disk(NodeId(3), 7);
        Schedule::starting(Slot::FIRST, three.into())
    }

    fn flight_of(runs: &[u64]) -> Flight {
        let mut flight = Flight::starting(Slot::FIRST);
        for length in runs {
            let values = vec![Value::Noop; *length as usize];
            let run = Run::new(flight.next(), values);
            let deadline = Instant::default();
            flight.push(Lot { run, origins: Origins::new(), deadline }, Instant::default());
        }
        flight
    }

    fn vote(flight: &mut Flight, from: u16, first: u64, end: u64) -> bool {
        let m = Accepted { ballot: BALLOT, first: Slot(first), end: Slot(end) };
        flight.on_accepted(NodeId(from), 7, &m, &three(), Slot::FIRST).is_some()
    }

    #[test]
    fn runs_are_chosen_out_of_order_and_leave_in_order() {
        let mut f = flight_of(&[2, 3]);
        let (bytes, third) = (f.bytes(), f.open[0].run.weight());
        assert!(!vote(&mut f, 1, 3, 6));
        assert!(vote(&mut f, 2, 3, 6));
        assert_eq!(f.chosen_below(), Slot(1), "the first run is still open");
        assert_eq!((f.bytes(), f.wake_at()), (bytes, Some(Instant::default())));
        assert!(!vote(&mut f, 3, 1, 3));
        assert!(vote(&mut f, 1, 1, 3));
        assert_eq!((f.chosen_below(), f.bytes(), f.slots()), (Slot(6), 0, 0));
        assert_eq!(f.wake_at(), None, "nothing is open");
        let mut f = flight_of(&[2, 3]);
        assert!(!vote(&mut f, 1, 1, 3) && vote(&mut f, 2, 1, 3));
        assert_eq!((f.bytes(), f.slots()), (bytes - third, 3));
    }

    /// Others decide from slot 3 on: who is told of what is chosen there knows that all below is,
    /// by then.
    #[test]
    fn what_other_members_have_chosen_waits_for_all_below() {
        let next = Membership::majority([4, 5, 6].map(NodeId)).with_version(1);
        let rules = [(Slot::FIRST, three().at(Slot(1)).clone()), (Slot(3), next.into())];
        let schedule = Schedule::from_rules(rules).expect("two rules");
        let mut f = flight_of(&[1, 1, 2, 1, 1]);
        let known = Cell::new(Slot::FIRST);
        let vote = |f: &mut Flight, first: u64, end: u64| -> Vec<u64> {
            let m = Accepted { ballot: BALLOT, first: Slot(first), end: Slot(end) };
            let voters = if first < 3 { [1, 2] } else { [4, 5] };
            let given = voters.map(|n| f.on_accepted(NodeId(n), 0, &m, &schedule, known.get()));
            let given = given.into_iter().flatten();
            given.chain(core::iter::from_fn(|| f.next_chosen())).map(|(r, _)| r.first.0).collect()
        };
        assert_eq!(vote(&mut f, 3, 5), []);
        assert_eq!(vote(&mut f, 6, 7), []);
        assert_eq!(f.unchosen_mut().count(), 3, "nobody is asked for it again");
        assert_eq!(f.unanswered_mut().count(), 5, "somebody waits for it");
        assert_eq!((f.reach(), f.chosen_below()), (Slot(1), Slot(1)));
        assert_eq!(vote(&mut f, 2, 3), [2], "the same members");
        assert_eq!(f.reach(), Slot(3));
        assert_eq!(vote(&mut f, 1, 2), [1, 3]);
        assert_eq!((f.reach(), f.chosen_below()), (Slot(5), Slot(5)));
        assert_eq!(vote(&mut f, 5, 6), [5, 6], "it was held back, and its members decide by now");
        assert_eq!((f.slots(), f.bytes(), f.held), (0, 0, 0));
        // Some votes for what is known to be chosen may never come.
        let mut f = flight_of(&[1, 1, 1, 1]);
        known.set(Slot(2));
        assert_eq!(vote(&mut f, 3, 4), []);
        known.set(Slot(3));
        assert_eq!(vote(&mut f, 4, 5), [4], "nothing below the border is open");
        assert_eq!((f.reach(), f.chosen_below()), (Slot(5), Slot(1)));
    }

    #[test]
    fn a_vote_counts_once_and_only_for_a_run_as_sent() {
        let mut f = flight_of(&[2]);
        assert!(!vote(&mut f, 1, 1, 3));
        assert!(!vote(&mut f, 1, 1, 3), "the same voter again");
        assert!(!vote(&mut f, 2, 1, 2), "half a run");
        assert!(!vote(&mut f, 2, 2, 3), "the other half");
        assert!(!vote(&mut f, 9, 1, 3), "a stranger");
        assert!(!vote(&mut f, 2, 1_000_000, 1_000_001), "never proposed");
        assert!(vote(&mut f, 2, 1, 3));
        assert!(!vote(&mut f, 3, 1, 3), "chosen only once");
    }

    #[test]
    fn what_is_known_to_be_chosen_is_passed_over() {
        let mut flight = flight_of(&[2]);
        let next = flight.next();
        assert!(!flight.pass(next), "nothing to pass");
        assert!(flight.pass(next.plus(3)));
        assert_eq!((flight.next(), flight.reach()), (next.plus(3), next.plus(3)));
        assert!(flight.chosen_below() < next, "what is open stays open");
    }

    #[test]
    fn a_change_of_the_membership_is_open_until_it_is_chosen() {
        let config = || Value::Config(Membership::majority([1, 2].map(NodeId)).into());
        let mut flight = flight_of(&[1]);
        assert!(!flight.has_config());
        let run = Run::new(flight.next(), vec![config(), Value::Noop, config()]);
        let deadline = Instant::default();
        flight.push(Lot { run, origins: Origins::new(), deadline }, Instant::default());
        assert!(flight.has_config());
        assert!(!vote(&mut flight, 1, 2, 5) && vote(&mut flight, 2, 2, 5));
        assert!(flight.has_config(), "chosen, and what comes before it is not");
        assert!(!vote(&mut flight, 1, 1, 2) && vote(&mut flight, 2, 1, 2));
        assert!(!flight.has_config());
    }
}
