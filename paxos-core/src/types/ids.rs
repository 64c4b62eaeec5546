//! Names of nodes, groups, clients, and of the things that are asked and answered.

use core::fmt;

/// A node: one process with one disk.
///
/// Ids `1..=127` may vote; that bound lets a set of voters be one machine word
/// pair. Zero is nobody.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NodeId(pub u16);

impl NodeId {
    /// The largest id that may vote.
    pub const VOTER_MAX: NodeId = NodeId(127);

    /// Whether this id may stand in a set of voters.
    pub fn can_vote(self) -> bool {
        self.0 >= 1 && self <= Self::VOTER_MAX
    }
}

/// A replicated log of its own; a node may host many.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GroupId(pub u64);

/// Counts the starts of one node. The driver raises it durably before every
/// start, so that an answer to a former life is never taken for one to this life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Incarnation(pub u64);

/// A client session for exactly-once execution; zero is "no session".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ClientId(pub u64);

/// The driver's handle for one proposal. The core gives it back in exactly one
/// [`Resolve`](crate::effect::Effect::Resolve); it never looks inside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ProposalId(pub u64);

impl ProposalId {
    /// The handle `n` places further, round and round.
    #[must_use]
    pub fn plus(self, n: u32) -> ProposalId {
        ProposalId(self.0.wrapping_add(u64::from(n)))
    }
}

/// The driver's handle for one linearizable read, or for a whole batch of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct QueryId(pub u64);

/// One batch of records on its way to the disk. Strictly increasing within an
/// incarnation; acknowledging one acknowledges all before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WriteId(pub u64);

impl WriteId {
    /// The batch after this one.
    pub fn next(self) -> WriteId {
        WriteId(self.0 + 1)
    }
}

macro_rules! shown {
    ($($name:ident $letter:literal),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}
shown!(NodeId "n", GroupId "g", Incarnation "i", ClientId "c", ProposalId "p", QueryId "q", WriteId "w");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_can_vote_and_those_that_follow() {
        for (id, votes) in [(0, false), (1, true), (127, true), (128, false), (u16::MAX, false)] {
            assert_eq!(NodeId(id).can_vote(), votes, "{id}");
        }
        assert_eq!(ProposalId(u64::MAX).plus(3), ProposalId(2), "round and round");
        assert_eq!(WriteId(4).next(), WriteId(5));
    }
}
