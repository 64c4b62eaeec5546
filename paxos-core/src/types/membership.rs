//! Who the members of a group are, and which sets of them decide.

use super::{NodeId, NodeSet};

/// The voters of a group and the sizes of its quorums.
///
/// Phase 1 and phase 2 may use quorums of different sizes as long as any two of
/// them meet (Howard, Malkhi, Spiegelman: "Flexible Paxos", OPODIS 2016); two
/// phase 2 quorums need not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Membership {
    version: u64,
    voters: NodeSet,
    prepare: u8,
    accept: u8,
}

/// What a node is to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Promises, votes, and may lead.
    Voter,
    /// Not a member.
    Stranger,
}

impl Membership {
    /// Voters that decide by majority in both phases.
    pub fn majority(voters: impl IntoIterator<Item = NodeId>) -> Membership {
        let voters: NodeSet = voters.into_iter().collect();
        let majority = (voters.len() / 2 + 1) as u8;
        Membership { version: 0, voters, prepare: majority, accept: majority }
    }

    /// Voters with a phase 1 quorum of any `prepare` of them and a phase 2 quorum
    /// of any `accept`.
    ///
    /// [`Config::check`](crate::Config::check) refuses sizes that need not
    /// meet.
    pub fn flexible(
        voters: impl IntoIterator<Item = NodeId>,
        prepare: u8,
        accept: u8,
    ) -> Membership {
        Membership { version: 0, voters: voters.into_iter().collect(), prepare, accept }
    }

    /// The same with another version.
    #[must_use]
    pub fn with_version(mut self, version: u64) -> Membership {
        self.version = version;
        self
    }

    /// Raised by one with every change of the membership.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Everyone whose vote counts.
    pub fn voters(&self) -> NodeSet {
        self.voters
    }

    /// What `node` is to the group.
    pub fn role(&self, node: NodeId) -> Role {
        if self.voters.contains(node) { Role::Voter } else { Role::Stranger }
    }

    /// How many voters make a phase 1 quorum.
    pub fn prepare_quorum(&self) -> usize {
        usize::from(self.prepare)
    }

    /// How many voters make a phase 2 quorum.
    pub fn accept_quorum(&self) -> usize {
        usize::from(self.accept)
    }

    /// Whether every phase 1 quorum meets every phase 2 quorum, and both can be had.
    pub fn quorums_meet(&self) -> bool {
        let n = self.voters.len();
        let (q1, q2) = (self.prepare_quorum(), self.accept_quorum());
        q1 >= 1 && q2 >= 1 && q1 <= n && q2 <= n && q1 + q2 > n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(n: u16) -> impl Iterator<Item = NodeId> {
        (1..=n).map(NodeId)
    }

    #[test]
    fn majorities_meet() {
        for n in 1..=9 {
            assert!(Membership::majority(nodes(n)).quorums_meet(), "{n}");
        }
        assert!(!Membership::majority(nodes(0)).quorums_meet());
    }

    /// Against the definition: every subset of size q1 meets every one of size q2.
    #[test]
    fn sizes_meet_exactly_when_all_sets_do() {
        for n in 1..=6u32 {
            for (q1, q2) in (0..=n + 1).flat_map(|a| (0..=n + 1).map(move |b| (a, b))) {
                let sets = |q: u32| (0..1u32 << n).filter(move |s| s.count_ones() == q);
                let real = q1 >= 1 && q2 >= 1 && q1 <= n && q2 <= n;
                let meet = real && sets(q1).all(|a| sets(q2).all(|b| a & b != 0));
                let membership = Membership::flexible(nodes(n as u16), q1 as u8, q2 as u8);
                assert_eq!(membership.quorums_meet(), meet, "n {n}, q1 {q1}, q2 {q2}");
            }
        }
    }
}
