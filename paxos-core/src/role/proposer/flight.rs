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
    /// No slot from here on has been chosen at this ballot.
    reach: Slot,
    bytes: usize,
    /// How many of the open slots change the membership.
    configs: usize,
}

/// One run, until it and all before it are chosen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Open {
    pub(super) run: Run,
    pub(super) tally: Tally,
    /// Whether a quorum has voted for it. Its origins were answered then.
    pub(super) chosen: bool,
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
        Flight { open: VecDeque::new(), next, reach: next, bytes: 0, configs: 0 }
    }

    /// The first slot that was never proposed at this ballot.
    pub(super) fn next(&self) -> Slot {
        self.next
    }

    /// Everything below is chosen, as far as this ballot proposed it.
    pub(super) fn chosen_below(&self) -> Slot {
        self.open.front().map_or(self.next, |o| o.run.first)
    }

    /// The slot after the last that is chosen, whatever is open below it.
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
        let open = Open { run, tally, chosen: false, origins, deadline, resend_at, resent: 0 };
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
    /// A voter votes for a run as it was sent, so any other span is nonsense.
    pub(super) fn on_accepted(
        &mut self,
        from: NodeId,
        disk: u64,
        m: &Accepted,
        schedule: &Schedule,
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
        self.reach = self.reach.max(m.end);
        if at > 0 {
            return Some((open.run.clone(), core::mem::take(&mut open.origins)));
        }
        let done = self.land();
        while self.open.front().is_some_and(|o| o.chosen) {
            self.land();
        }
        done
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Ballot, Membership, Value};
    use alloc::vec;

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
        flight.on_accepted(NodeId(from), 7, &m, &three()).is_some()
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
