//! Bids, votes and choices, slot by slot.
//!
//! A bid is a value that someone proposes at a ballot; a vote counts once it is on a disk.

use paxos_core::types::{Ballot, Slot};
use smallvec::SmallVec;

use super::members::Quorum;
use super::{Checked, Nodes, ensure};

/// A value proposed for one slot at one ballot.
#[derive(Clone, Copy, Debug)]
struct Bid {
    ballot: Ballot,
    value: u64,
    /// Whose votes counted when they were cast.
    voters: Nodes,
    /// Whose disks hold a vote for it.
    held: Nodes,
}

/// What is chosen at a slot, and the first ballot that chose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The lowest ballot known to have chosen it.
    pub(crate) ballot: Ballot,
    /// The value's sum.
    pub(crate) value: u64,
}

/// One slot.
#[derive(Clone, Debug, Default)]
struct Place {
    chosen: Option<Choice>,
    bids: SmallVec<[Bid; 2]>,
}

/// All slots of one group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    places: Vec<Place>,
    /// How many slots from the first on are chosen, without a hole.
    prefix: usize,
}

impl Slots {
    /// Farther than any run gets; a slot beyond is nonsense.
    const MAX: u64 = 1 << 24;

    /// The first slot that is not chosen.
    pub(crate) fn frontier(&self) -> Slot {
        Slot::FIRST.plus(self.prefix as u64)
    }

    /// What is chosen at `slot`.
    pub(crate) fn chosen(&self, slot: Slot) -> Option<Choice> {
        self.places.get(index(slot)?)?.chosen
    }

    /// Takes in that `value` is proposed; says whether that is news.
    pub(crate) fn bid(&mut self, slot: Slot, ballot: Ballot, value: u64) -> Checked<bool> {
        let place = self.place(slot)?;
        if let Some(bid) = place.bids.iter().find(|bid| bid.ballot == ballot) {
            ensure!(
                bid.value == value,
                "I5 one value a ballot",
                "two values are proposed for slot {slot} at ballot {ballot}"
            );
            return Ok(false);
        }
        if let Some(chosen) = place.chosen {
            ensure!(
                chosen.ballot > ballot || chosen.value == value,
                "I6 leader safety",
                "ballot {ballot} proposes another value for slot {slot}, which ballot {} has chosen",
                chosen.ballot
            );
        }
        place.bids.push(Bid { ballot, value, voters: 0, held: 0 });
        Ok(true)
    }

    /// Takes in that the disk of `node` holds its vote, which counts if `node` is one of the
    /// quorum's voters; returns what it has chosen, if that is news.
    pub(crate) fn vote(
        &mut self,
        slot: Slot,
        ballot: Ballot,
        value: u64,
        node: Nodes,
        quorum: Quorum,
    ) -> Checked<Option<Choice>> {
        self.bid(slot, ballot, value)?;
        let place = self.place(slot)?;
        let Some(bid) = place.bids.iter_mut().find(|bid| bid.ballot == ballot) else {
            return Ok(None);
        };
        bid.held |= node;
        bid.voters |= node & quorum.voters;
        if quorum.count(bid.voters) < quorum.size {
            return Ok(None);
        }
        match place.chosen {
            Some(chosen) => {
                ensure!(
                    chosen.value == value,
                    "I1 agreement",
                    "slot {slot} is chosen twice: at ballot {} and, with another value, at {ballot}",
                    chosen.ballot
                );
                let ballot = chosen.ballot.min(ballot);
                place.chosen = Some(Choice { ballot, value });
                Ok(None)
            }
            None => {
                let chosen = Choice { ballot, value };
                place.chosen = Some(chosen);
                self.advance();
                Ok(Some(chosen))
            }
        }
    }

    /// The highest ballot below `ballot` that the disk of `node` holds a vote at.
    pub(crate) fn vote_below(&self, slot: Slot, ballot: Ballot, node: Nodes) -> Option<Ballot> {
        let place = self.places.get(index(slot)?)?;
        let bids = place.bids.iter().filter(|bid| bid.ballot < ballot && bid.held & node != 0);
        bids.map(|bid| bid.ballot).max()
    }

    /// The disk of `node` is gone, and its votes with it. Those that counted have been cast.
    pub(crate) fn forget(&mut self, node: Nodes) {
        let bids = self.places.iter_mut().flat_map(|place| &mut place.bids);
        bids.for_each(|bid| bid.held &= !node);
    }

    /// The slot after the last one that anyone has proposed a value for.
    pub(crate) fn end(&self) -> Slot {
        Slot::FIRST.plus(self.places.len() as u64)
    }

    fn advance(&mut self) {
        while self.places.get(self.prefix).is_some_and(|place| place.chosen.is_some()) {
            self.prefix += 1;
        }
    }

    fn place(&mut self, slot: Slot) -> Checked<&mut Place> {
        let at = index(slot).filter(|at| (*at as u64) < Self::MAX);
        ensure!(at.is_some(), "I17 bounds", "slot {slot} is absurd");
        let at = at.unwrap_or_default();
        if at >= self.places.len() {
            self.places.resize_with(at + 1, Place::default);
        }
        Ok(&mut self.places[at])
    }
}

fn index(slot: Slot) -> Option<usize> {
    usize::try_from(slot.0.checked_sub(1)?).ok()
}

#[cfg(test)]
mod tests {
    use paxos_core::types::NodeId;

    use super::*;

    fn ballot(round: u64) -> Ballot {
        Ballot::new(round, NodeId(1))
    }

    fn of(size: u32) -> Quorum {
        Quorum { voters: 0b1111_1110, size }
    }

    fn name<T>(checked: Checked<T>) -> &'static str {
        checked.err().map_or("fine", |violation| violation.invariant)
    }

    #[test]
    fn a_quorum_of_disks_chooses_once() {
        let mut slots = Slots::default();
        assert_eq!(slots.vote(Slot(1), ballot(1), 7, 0b0010, of(2)).unwrap(), None);
        assert_eq!(
            slots.vote(Slot(1), ballot(1), 7, 0b0010, of(2)).unwrap(),
            None,
            "the same disk"
        );
        assert!(slots.vote(Slot(1), ballot(1), 7, 0b0100, of(2)).unwrap().is_some());
        assert!(slots.vote(Slot(1), ballot(1), 7, 0b1000, of(2)).unwrap().is_none());
        assert_eq!(slots.frontier(), Slot(2));
    }

    #[test]
    fn a_hole_holds_the_frontier() {
        let mut slots = Slots::default();
        slots.vote(Slot(2), ballot(1), 7, 2, of(1)).unwrap();
        assert_eq!(slots.frontier(), Slot(1));
        slots.vote(Slot(1), ballot(1), 8, 2, of(1)).unwrap();
        assert_eq!(slots.frontier(), Slot(3));
    }

    #[test]
    fn two_chosen_values_are_found() {
        let mut slots = Slots::default();
        // Both bids stand before either is chosen, so only the votes can tell.
        slots.bid(Slot(1), ballot(1), 7).unwrap();
        slots.bid(Slot(1), ballot(2), 8).unwrap();
        slots.vote(Slot(1), ballot(1), 7, 2, of(1)).unwrap();
        assert_eq!(name(slots.vote(Slot(1), ballot(2), 8, 4, of(1))), "I1 agreement");
    }

    #[test]
    fn a_leader_that_ignores_a_chosen_value_is_found() {
        let mut slots = Slots::default();
        slots.vote(Slot(1), ballot(1), 7, 2, of(1)).unwrap();
        assert_eq!(name(slots.bid(Slot(1), ballot(2), 8)), "I6 leader safety");
        assert_eq!(name(slots.bid(Slot(1), ballot(2), 7)), "fine");
    }

    #[test]
    fn two_values_at_one_ballot_are_found() {
        let mut slots = Slots::default();
        slots.bid(Slot(1), ballot(1), 7).unwrap();
        assert_eq!(name(slots.bid(Slot(1), ballot(1), 8)), "I5 one value a ballot");
    }

    #[test]
    fn absurd_slots_cost_nothing() {
        let mut slots = Slots::default();
        assert_eq!(name(slots.bid(Slot(u64::MAX), ballot(1), 7)), "I17 bounds");
        assert_eq!(name(slots.bid(Slot(0), ballot(1), 7)), "I17 bounds");
    }
}
