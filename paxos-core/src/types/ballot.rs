//! Ballots: totally ordered, and each owned by one node.

use core::fmt;

use super::{Incarnation, NodeId};

/// A proposal number: a round, made unique by the node that owns it and by its disk
/// ("The Part-Time Parliament", section 2.3; there called a decree's ballot number).
///
/// Ordered by round first, then by node, then by disk. A node never uses one ballot in
/// two lives: before it asks anyone, the ballot is on its disk. When that disk is lost,
/// nothing is known of its ballots any more, and they are as if of another node's: no
/// value is ever voted for at one of them again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ballot {
    /// The round; zero only in [`Ballot::ZERO`].
    pub round: u64,
    /// The owner.
    pub node: NodeId,
    /// The low half of the name of the owner's disk; zero if it has none.
    pub disk: u32,
}

impl Ballot {
    /// Below every ballot that anyone proposes under.
    pub const ZERO: Ballot = Ballot { round: 0, node: NodeId(0), disk: 0 };

    /// The largest round that is believed when a peer names it. A peer that
    /// claims more is lying or broken, and following it would leave no room above.
    pub const ROUND_MAX: u64 = 1 << 48;

    /// The ballot in `round` of `node`, whose disk has no name.
    pub const fn new(round: u64, node: NodeId) -> Ballot {
        Ballot { round, node, disk: 0 }
    }

    /// The ballot of the round after this one of `node`, whose disk is called `disk`.
    pub fn next(self, node: NodeId, disk: u64) -> Ballot {
        Ballot { round: self.round + 1, node, disk: disk as u32 }
    }

    /// A ballot below which `node` has spoken in no earlier life, if incarnations outrun
    /// rounds, as milliseconds do: all that keeps lives apart where disks have no names.
    pub(crate) fn beyond(incarnation: Incarnation, node: NodeId) -> Ballot {
        Ballot::new(incarnation.0.min(Self::ROUND_MAX / 2), node)
    }

    /// Whether a peer may speak of this ballot at all.
    pub fn is_sane(self) -> bool {
        (1..=Self::ROUND_MAX).contains(&self.round) && self.node.can_vote()
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.round, self.node)
    }
}

impl fmt::Debug for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ballots_are_ordered_by_round_then_node_then_disk() {
        let ballot = |round, node, disk| Ballot { round, node: NodeId(node), disk };
        let ascending =
            [Ballot::ZERO, ballot(1, 2, 9), ballot(1, 3, 1), ballot(1, 3, 2), ballot(2, 1, 0)];
        assert!(ascending.is_sorted_by(|one, next| one < next));
        let next = ballot(4, 9, 9).next(NodeId(2), 0xAAAA_0000_0007);
        assert_eq!((next, next > ballot(4, 9, 9)), (ballot(5, 2, 7), true));
    }

    #[test]
    fn a_round_has_room_above_it_and_an_owner() {
        const { assert!(Ballot::ROUND_MAX > 1 << 40 && Ballot::ROUND_MAX < u64::MAX / 2) };
        let (one, nobody) = (NodeId(1), NodeId(0));
        for (round, node, sane) in [
            (0, one, false),
            (1, one, true),
            (Ballot::ROUND_MAX, one, true),
            (Ballot::ROUND_MAX + 1, one, false),
            (1, nobody, false),
            (1, NodeId(128), false),
        ] {
            assert_eq!(Ballot::new(round, node).is_sane(), sane, "{round}.{node}");
        }
    }

    /// However its lives are numbered, half of all rounds are left to it.
    #[test]
    fn who_joins_stands_above_its_life_with_room_to_stand() {
        let one = NodeId(1);
        assert_eq!(Ballot::beyond(Incarnation(1_700_000_000_000), one).round, 1_700_000_000_000);
        let last = Ballot::beyond(Incarnation(u64::MAX), one);
        assert_eq!(last, Ballot::new(Ballot::ROUND_MAX / 2, one));
    }
}
