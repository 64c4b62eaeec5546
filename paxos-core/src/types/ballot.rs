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
