//! Who the members of a group are, and which sets of them decide.

use alloc::collections::BTreeMap;

use bytes::Bytes;

use super::{NodeId, NodeSet};

/// The voters of a group and the sizes of its quorums; its learners; and what is to
/// be known of each.
///
/// Some of the voters may be witnesses, the auxiliaries of "Cheap Paxos" (Lamport,
/// Massa; DSN 2004). They promise and vote like any voter, but keep no state machine,
/// never lead, and are called upon only while another voter is missing. The voters
/// that are no witnesses are the group's mains; there is at least one.
///
/// Phase 1 and phase 2 may use quorums of different sizes as long as any two of
/// them meet (Howard, Malkhi, Spiegelman: "Flexible Paxos", OPODIS 2016); two
/// phase 2 quorums need not.
///
/// A group may change from any membership to any other: no two memberships rule the
/// same slot, so their quorums need not meet. See [`Schedule`](super::Schedule).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Membership {
    version: u64,
    /// How many slots after its own a membership rules from.
    window: u32,
    voters: NodeSet,
    /// Those among the voters that keep no state machine.
    witnesses: NodeSet,
    learners: NodeSet,
    prepare: u8,
    accept: u8,
    /// Only nodes of which there is something to say, members or not.
    members: BTreeMap<NodeId, Member>,
}

/// What a group knows of one member.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Member {
    /// The disk that its promises and votes count from; zero while any does.
    ///
    /// A node whose disk was lost or swapped is another voter under the same name:
    /// it does not know what it has promised.
    pub disk: u64,
    /// Where it is reached; the drivers' affair. At most
    /// [`ADDRESS_MAX`](Membership::ADDRESS_MAX) bytes.
    pub address: Bytes,
}

/// What a node is to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Role {
    /// Promises, votes, and may lead.
    Voter,
    /// Promises and votes while others are missing; as a rule keeps no state machine, and never
    /// leads.
    Witness,
    /// Is told everything, and has no vote.
    Learner,
    /// Not a member.
    Stranger,
}

impl Membership {
    /// Slots between a change and its coming into force, unless a group says
    /// otherwise. What a leader may have in flight beside.
    pub const WINDOW: u32 = 4096;

    /// The longest address.
    pub const ADDRESS_MAX: usize = 255;

    /// Voters that decide by majority in both phases.
    pub fn majority(voters: impl IntoIterator<Item = NodeId>) -> Membership {
        let voters: NodeSet = voters.into_iter().collect();
        let majority = (voters.len() / 2 + 1) as u8;
        Membership::flexible(voters.iter(), majority, majority)
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
        Membership {
            version: 0,
            window: Self::WINDOW,
            voters: voters.into_iter().collect(),
            witnesses: NodeSet::EMPTY,
            learners: NodeSet::EMPTY,
            prepare,
            accept,
            members: BTreeMap::new(),
        }
    }

    /// What a node starts from that is to be told by others who the members are:
    /// it votes for whom it is asked, and stands for nothing itself.
    pub fn unknown() -> Membership {
        Membership::flexible([], u8::MAX, u8::MAX)
    }

    /// The next membership after this one: these voters, deciding by majority, and
    /// these learners. Who stays a voter stays a witness if it is one. What is known of
    /// nodes is kept of those that stay.
    #[must_use]
    pub fn succeeded_by(
        &self,
        voters: impl IntoIterator<Item = NodeId>,
        learners: impl IntoIterator<Item = NodeId>,
    ) -> Membership {
        let mut next = Membership::majority(voters);
        next.learners = learners.into_iter().collect();
        next.witnesses = self.witnesses.and(next.voters);
        next.version = self.version.saturating_add(1);
        next.window = self.window;
        let stays = |node: &NodeId| next.role(*node) != Role::Stranger;
        let members = self.members.iter().filter(|(node, _)| stays(node));
        next.members = members.map(|(node, m)| (*node, m.clone())).collect();
        next
    }

    /// The same with another version.
    #[must_use]
    pub fn with_version(mut self, version: u64) -> Membership {
        self.version = version;
        self
    }

    /// The same with another window, in slots. Stays the same for a group's life.
    #[must_use]
    pub fn with_window(mut self, window: u32) -> Membership {
        self.window = window;
        self
    }

    /// The same with these learners.
    #[must_use]
    pub fn with_learners(mut self, learners: impl IntoIterator<Item = NodeId>) -> Membership {
        self.learners = learners.into_iter().collect();
        self
    }

    /// The same with these of the voters as witnesses, and no others.
    #[must_use]
    pub fn with_witnesses(mut self, witnesses: impl IntoIterator<Item = NodeId>) -> Membership {
        self.witnesses = witnesses.into_iter().collect();
        self
    }

    /// The same with what is to be known of `node`.
    #[must_use]
    pub fn with_member(mut self, node: NodeId, member: Member) -> Membership {
        if member == Member::default() {
            self.members.remove(&node);
        } else {
            self.members.insert(node, member);
        }
        self
    }

    /// The same with `node` bound to `disk`.
    #[must_use]
    pub fn with_disk(self, node: NodeId, disk: u64) -> Membership {
        let address = self.address(node).clone();
        self.with_member(node, Member { disk, address })
    }

    /// The same with `node` at `address`.
    #[must_use]
    pub fn with_address(self, node: NodeId, address: Bytes) -> Membership {
        let disk = self.disk(node);
        self.with_member(node, Member { disk, address })
    }

    /// Raised by one with every change of the membership.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Chosen at some slot, this membership rules from that many slots after it on.
    pub fn window(&self) -> u32 {
        self.window
    }

    /// Everyone whose vote counts, witnesses too.
    pub fn voters(&self) -> NodeSet {
        self.voters
    }

    /// The voters that keep no state machine.
    pub fn witnesses(&self) -> NodeSet {
        self.witnesses
    }

    /// The voters that are no witnesses: who may lead.
    pub fn mains(&self) -> NodeSet {
        self.voters.without(self.witnesses)
    }

    /// Whether what every node of `holders` has is within reach of whoever may come to
    /// lead: every phase 1 quorum that a main belongs to has one of them.
    ///
    /// A candidate is a main and belongs to its quorum. So it is enough that all mains
    /// are holders; or that fewer than a quorum are not.
    pub fn is_held_by(&self, holders: NodeSet) -> bool {
        let holders = holders.and(self.voters);
        let others = self.voters.without(holders);
        self.mains().without(holders).is_empty() || others.len() < self.prepare_quorum()
    }

    /// Everyone who is told and does not vote.
    pub fn learners(&self) -> NodeSet {
        self.learners
    }

    /// Voters and learners.
    pub fn everyone(&self) -> NodeSet {
        self.voters.or(self.learners)
    }

    /// What `node` is to the group.
    pub fn role(&self, node: NodeId) -> Role {
        if self.witnesses.contains(node) {
            Role::Witness
        } else if self.voters.contains(node) {
            Role::Voter
        } else if self.learners.contains(node) {
            Role::Learner
        } else {
            Role::Stranger
        }
    }

    /// The disk that `node` is bound to; zero if none.
    pub fn disk(&self, node: NodeId) -> u64 {
        self.members.get(&node).map_or(0, |m| m.disk)
    }

    /// Where `node` is reached; empty if nobody has said.
    pub fn address(&self, node: NodeId) -> &Bytes {
        static NOWHERE: Bytes = Bytes::new();
        self.members.get(&node).map_or(&NOWHERE, |m| &m.address)
    }

    /// The nodes of which there is something to say, ascending.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (NodeId, &Member)> {
        self.members.iter().map(|(node, member)| (*node, member))
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

    /// Whether a group can be ruled by this: quorums meet, nobody is voter and
    /// learner, witnesses are voters but not all of them, the window is not empty, and only members with short addresses are
    /// spoken of.
    pub fn is_sound(&self) -> bool {
        let member = |(node, m): (&NodeId, &Member)| {
            self.role(*node) != Role::Stranger
                && *m != Member::default()
                && m.address.len() <= Self::ADDRESS_MAX
        };
        self.quorums_meet()
            && self.window >= 1
            && self.voters.and(self.learners).is_empty()
            && self.witnesses.without(self.voters).is_empty()
            && !self.mains().is_empty()
            && self.members.iter().all(member)
    }

    /// Whether this is what [`unknown`](Membership::unknown) says.
    pub fn is_unknown(&self) -> bool {
        *self == Membership::unknown()
    }

    /// Bytes that this membership takes, roughly.
    pub(crate) fn weight(&self) -> usize {
        64 + self.members.values().map(|m| 24 + m.address.len()).sum::<usize>()
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
            assert!(Membership::majority(nodes(n)).is_sound(), "{n}");
        }
        assert!(!Membership::majority(nodes(0)).quorums_meet());
        assert!(!Membership::unknown().quorums_meet() && Membership::unknown().is_unknown());
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

    #[test]
    fn who_stays_keeps_its_disk_and_its_address() {
        let [one, two, four] = [1, 2, 4].map(NodeId);
        let first = Membership::majority(nodes(3)).with_window(7);
        let first = first.with_disk(one, 11).with_disk(two, 22).with_address(two, "b:1".into());
        let next = first.succeeded_by([two, four], [NodeId(3)]);
        assert_eq!((next.version(), next.window(), next.prepare_quorum()), (1, 7, 2));
        assert_eq!((next.disk(one), next.disk(two), next.disk(four)), (0, 22, 0));
        assert_eq!(next.address(two), "b:1");
        assert_eq!((next.role(NodeId(3)), next.role(one)), (Role::Learner, Role::Stranger));
        assert!(next.is_sound());
    }

    /// Against the definition, for every group of up to five and every set of holders.
    #[test]
    fn what_is_held_is_within_reach_of_every_quorum_with_a_main() {
        let set = |bits: u32| -> NodeSet {
            (1..=5).map(NodeId).filter(|n| bits >> (n.0 - 1) & 1 == 1).collect()
        };
        for n in 1..=5u32 {
            let all = 1..1u32 << n;
            for witnesses in 0..(1u32 << n) - 1 {
                let group = Membership::majority(nodes(n as u16));
                let group = group.with_witnesses(set(witnesses).iter());
                let quorum = group.prepare_quorum() as u32;
                for held in 0..1u32 << n {
                    let quorums = all.clone().filter(|q| q.count_ones() == quorum);
                    let mut led = quorums.filter(|q| q & !witnesses != 0);
                    let real = led.all(|q| q & held != 0);
                    assert_eq!(group.is_held_by(set(held)), real, "{group:?} {held:b}");
                }
            }
        }
    }

    #[test]
    fn a_witness_stays_one_and_is_a_voter() {
        let two = Membership::majority(nodes(3)).with_witnesses([NodeId(3)]);
        assert!(two.is_sound());
        assert_eq!((two.role(NodeId(3)), two.role(NodeId(2))), (Role::Witness, Role::Voter));
        assert!(two.mains().iter().eq(nodes(2)));
        let next = two.succeeded_by([2, 3, 4].map(NodeId), []);
        assert!(next.mains().iter().eq([2, 4].map(NodeId)) && next.is_sound());
        assert!(two.succeeded_by(nodes(2), [NodeId(3)]).witnesses().is_empty());
        assert!(!two.succeeded_by([NodeId(3)], []).is_sound(), "nobody to lead");
        assert!(!Membership::majority(nodes(2)).with_witnesses([NodeId(3)]).is_sound());
    }

    #[test]
    fn what_contradicts_itself_is_not_sound() {
        let three = || Membership::majority(nodes(3));
        let long = Bytes::from(alloc::vec![b'x'; Membership::ADDRESS_MAX + 1]);
        for wrong in [
            three().with_learners([NodeId(3)]),
            three().with_window(0),
            three().with_disk(NodeId(4), 9),
            three().with_address(NodeId(1), long),
        ] {
            assert!(!wrong.is_sound(), "{wrong:?}");
        }
    }
}
