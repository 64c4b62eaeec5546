//! Counting votes of distinct members.

use super::{Membership, NodeSet};
use crate::types::NodeId;

/// Who has said yes to one question, each node once. Whose yes is worth counting,
/// the membership knows that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Tally {
    yes: NodeSet,
}

impl Tally {
    /// All of these have said yes, whatever they are.
    pub fn of(nodes: NodeSet) -> Tally {
        Tally { yes: nodes }
    }

    /// Counts `from`; says whether it was a voter that had not been counted yet.
    pub fn add(&mut self, from: NodeId, membership: &Membership) -> bool {
        // A stranger's yes is no vote, and a second yes of one voter is no second
        // vote: a duplicated reply must never complete a quorum.
        membership.voters().contains(from) && self.yes.insert(from)
    }

    /// Counts `from`, whatever it is; says whether it was counted before.
    pub fn note(&mut self, from: NodeId) -> bool {
        self.yes.insert(from)
    }

    /// Everyone counted so far.
    pub fn yes(&self) -> NodeSet {
        self.yes
    }

    /// Whether a phase 1 quorum has said yes.
    pub fn is_prepared(&self, membership: &Membership) -> bool {
        self.voters(membership).has_at_least(membership.prepare_quorum())
    }

    /// Whether a phase 2 quorum has said yes.
    pub fn is_chosen(&self, membership: &Membership) -> bool {
        self.voters(membership).has_at_least(membership.accept_quorum())
    }

    fn voters(&self, membership: &Membership) -> NodeSet {
        self.yes.and(membership.voters())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voter_counts_once_and_a_stranger_never() {
        let three = Membership::majority([1, 2, 3].map(NodeId));
        let mut tally = Tally::default();
        assert!(tally.add(NodeId(1), &three));
        assert!(!tally.add(NodeId(1), &three));
        assert!(!tally.add(NodeId(9), &three));
        assert!(!tally.is_chosen(&three) && !tally.is_prepared(&three));
        assert!(tally.add(NodeId(3), &three));
        assert!(tally.is_chosen(&three) && tally.is_prepared(&three));
    }

    #[test]
    fn one_tally_is_counted_by_each_membership_for_itself() {
        let three = Membership::majority([1, 2, 3].map(NodeId));
        let others = Membership::majority([3, 4, 5].map(NodeId));
        let mut tally = Tally::default();
        for node in [2, 3, 9] {
            assert!(tally.note(NodeId(node)) && !tally.note(NodeId(node)));
        }
        assert!(tally.is_chosen(&three) && !tally.is_chosen(&others));
    }

    #[test]
    fn flexible_phases_count_apart() {
        let five = Membership::flexible([1, 2, 3, 4, 5].map(NodeId), 4, 2);
        let mut tally = Tally::default();
        tally.add(NodeId(1), &five);
        tally.add(NodeId(2), &five);
        assert!(tally.is_chosen(&five) && !tally.is_prepared(&five));
    }
}
