//! A set of voters as one bit each.

use core::fmt;

use super::NodeId;

/// A set of nodes that can vote. Ids that cannot are never members: inserting
/// one changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NodeSet(u128);

impl NodeSet {
    /// The set without members.
    pub const EMPTY: NodeSet = NodeSet(0);

    /// The set of one.
    pub fn of(node: NodeId) -> NodeSet {
        let mut set = NodeSet::EMPTY;
        set.insert(node);
        set
    }

    /// Adds `node`; says whether it was new.
    pub fn insert(&mut self, node: NodeId) -> bool {
        let bit = Self::bit(node);
        let new = self.0 & bit != bit;
        self.0 |= bit;
        new
    }

    /// Takes `node` out; says whether it was in.
    pub fn remove(&mut self, node: NodeId) -> bool {
        let bit = Self::bit(node);
        let was = self.0 & bit != 0;
        self.0 &= !bit;
        was
    }

    /// Whether `node` is a member.
    pub fn contains(self, node: NodeId) -> bool {
        // Nobody has put node zero in.
        node.0 <= NodeId::VOTER_MAX.0 && (self.0 >> node.0) & 1 != 0
    }

    /// How many members there are.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there are `count` members or more. Quorums are small, and not every
    /// processor counts bits.
    pub fn has_at_least(self, count: usize) -> bool {
        let mut left = self.0;
        for _ in 1..count {
            left &= left.wrapping_sub(1);
        }
        left != 0 || count == 0
    }

    /// Whether there is no member.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members of both.
    pub fn and(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 & other.0)
    }

    /// The members of either.
    #[must_use]
    pub fn or(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 | other.0)
    }

    /// The members that `other` lacks.
    pub fn without(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 & !other.0)
    }

    /// The members, ascending.
    pub fn iter(self) -> impl Iterator<Item = NodeId> + Clone {
        let mut left = self.0;
        core::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            let id = left.trailing_zeros() as u16;
            left &= left - 1;
            Some(NodeId(id))
        })
    }

    /// Zero for ids that cannot vote, so that they are never in and never new.
    fn bit(node: NodeId) -> u128 {
        if node.can_vote() { 1 << node.0 } else { 0 }
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> NodeSet {
        let mut set = NodeSet::EMPTY;
        for node in nodes {
            set.insert(node);
        }
        set
    }
}

impl fmt::Debug for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_new_once() {
        let mut set = NodeSet::EMPTY;
        assert!(set.insert(NodeId(127)));
        assert!(!set.insert(NodeId(127)));
        assert!(set.contains(NodeId(127)));
        assert!(!set.remove(NodeId(1)), "it was never in");
        assert!(set.remove(NodeId(127)) && set.is_empty());
        assert!(!set.remove(NodeId(127)));
    }

    #[test]
    fn a_set_has_at_least_what_it_counts() {
        for size in 0..5 {
            let set: NodeSet = (0..size).map(|n| NodeId(n * 40 + 7)).collect();
            for count in 0..7 {
                assert_eq!(set.has_at_least(count), set.len() >= count, "{count} of {size}");
            }
        }
    }

    #[test]
    fn what_cannot_vote_is_never_a_member() {
        let mut set = NodeSet::EMPTY;
        for id in [0, 128, u16::MAX] {
            assert!(!set.insert(NodeId(id)), "{id}");
            assert!(!set.contains(NodeId(id)), "{id}");
        }
        assert!(set.is_empty());
    }

    #[test]
    fn members_come_in_order() {
        let set: NodeSet = [5, 1, 64, 127].map(NodeId).into_iter().collect();
        assert!(set.iter().eq([1, 5, 64, 127].map(NodeId)));
        assert_eq!(set.len(), 4);
        assert_eq!(set.without(NodeSet::of(NodeId(64))).len(), 3);
    }
}
