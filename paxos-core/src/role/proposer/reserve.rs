//! The reserve: when a leader calls upon its witnesses, and when it lets them forget.
//!
//! "Cheap Paxos" (Lamport, Massa; DSN 2004): as long as enough mains answer to make a
//! quorum, witnesses are asked for nothing but signs of life. They vote from when a main
//! is missing or slow until it is back, and may then forget what they voted for.
//!
//! Why that loses nothing. A witness that forgets a slot tells every candidate from then
//! on that the slot is chosen: so nobody proposes there again, and no other value can be
//! chosen; that is safe whatever else is lost. What may be lost is the value: a candidate
//! that is told "chosen" has to fetch it, and must not take even its own vote for it. So
//! the leader lets go of a slot only when, among every phase 1 quorum that a main belongs
//! to, one main has pledged to know the value and that it is chosen, on its disk
//! ([`Membership::is_held_by`]). Whoever comes to lead belongs to such a quorum, and
//! fetches from that main what the witness has forgotten. This is asked of every
//! membership that decides anything from the leader's frontier on; earlier ones decide
//! nothing any more. While one of two mains is gone for good, nothing is let go: the
//! witness keeps all that is chosen meanwhile, until that main is back or is replaced.
//!
//! A witness that lacks slots which the leader has trimmed could not tell how far the group
//! is, and would soon vote no more. It is let go of them by the same rule; and where too few
//! others hold them, as while a main is missing, it takes the leader's image in, and has a
//! state machine until it can be let go: a copy more, and never one less.

use alloc::vec::Vec;

use crate::message::Relieve;
use crate::quorum::{Membership, NodeSet, Regime};
use crate::role::Cx;
use crate::types::{Ballot, Instant, NodeId, Slot};

/// What a leader thinks of its voters, as far as it takes witnesses to replace them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Reserve {
    /// Voters that were not heard in the last patience, or are said to be down.
    absent: NodeSet,
    /// Voters that answer from disks which nobody vouches for: their votes do not count.
    strays: NodeSet,
    /// Until when witnesses vote because some vote was late.
    called_until: Instant,
    /// What witnesses were let go of last, and how often they were told.
    relieved: (Slot, u8),
    /// Whether a beat has begun since this leader last pledged to itself what it holds.
    has_beaten: bool,
}

/// So often is one thing said, for some of it may be lost; there will be more to say.
const TOLD_MAX: u8 = 3;

impl Reserve {
    /// Nobody was heard but `heard`.
    pub(super) fn starting(heard: NodeSet, cx: &Cx<'_>) -> Reserve {
        Reserve {
            absent: cx.regime.voters().without(heard),
            strays: NodeSet::EMPTY,
            called_until: Instant::default(),
            relieved: (Slot::FIRST, 0),
            has_beaten: false,
        }
    }

    /// Takes in a sign of life.
    pub(super) fn on_heard(&mut self, from: NodeId) {
        self.absent.remove(from);
    }

    /// Takes in who was heard in the last patience, and who of them from another disk than
    /// the one that votes.
    pub(super) fn on_checked(&mut self, heard: NodeSet, strays: NodeSet, regime: &Regime) {
        self.absent = regime.voters().without(heard);
        self.strays = strays;
    }

    /// Takes in that `peer` is said to be gone.
    pub(super) fn on_peer_down(&mut self, peer: NodeId) {
        self.absent.insert(peer);
    }

    /// Whose votes are missing: who was not heard in the last patience, is said to be down,
    /// or answers from a disk that does not vote.
    pub(super) fn missing(&self) -> NodeSet {
        self.absent.or(self.strays)
    }

    /// Takes in that a vote of `membership` is late: it may be that a main is gone.
    pub(super) fn on_late(&mut self, membership: &Membership, cx: &Cx<'_>) {
        if !membership.witnesses().is_empty() {
            self.called_until = cx.now + cx.setting.timing.patience;
        }
    }

    /// Whom to ask for votes: the mains, while enough of them answer.
    pub(super) fn called(&self, membership: &Membership, now: Instant) -> NodeSet {
        if membership.witnesses().is_empty() {
            return membership.voters();
        }
        let mains = membership.mains();
        let enough = mains.without(self.missing()).len() >= membership.accept_quorum();
        if enough && now >= self.called_until { mains } else { membership.voters() }
    }

    /// Takes in that a beat has begun.
    pub(super) fn on_beat(&mut self) {
        self.has_beaten = true;
    }

    /// Whether a beat has begun since this was asked last.
    pub(super) fn take_beat(&mut self) -> bool {
        core::mem::take(&mut self.has_beaten)
    }

    /// Takes in how far a witness is that has answered.
    pub(super) fn on_progress(&mut self, chosen: Slot) {
        if chosen < self.relieved.0 {
            self.relieved.1 = 0;
        }
    }

    /// Takes in that a peer is back, and has perhaps missed what was said.
    pub(super) fn on_peer_up(&mut self) {
        self.relieved.1 = 0;
    }

    /// Lets the witnesses go of all below `below`, which others hold.
    pub(super) fn relieve(&mut self, ballot: Ballot, below: Slot, cx: &mut Cx<'_>) {
        let (last, told) = self.relieved;
        let begins = cx.regime.schedule().iter().next().map_or(Slot::FIRST, |(from, _)| from);
        if below < last.max(begins) || below == Slot::FIRST || (below == last && told >= TOLD_MAX) {
            return;
        }
        if cx.regime.at(below).is_unknown() {
            // Who has not been told who decides there cannot tell others.
            return;
        }
        self.relieved = (below, if below == last { told + 1 } else { 1 });
        let schedule = cx.regime.schedule().as_of(below);
        let then = Regime::new(schedule.clone(), below);
        // Who becomes or was more than a witness has to know more.
        let only = |node: &NodeId| cx.regime.is_witness(*node) && then.is_witness(*node);
        let to: NodeSet = cx.regime.voters().iter().filter(only).collect();
        if !to.is_empty() {
            cx.out.plain(to, Relieve { ballot, below, schedule });
        }
    }
}

/// The first slot that is not known to be held well enough to be forgotten by
/// witnesses; `held` is how far each node holds everything.
pub(super) fn held_below(held: impl Iterator<Item = (NodeId, Slot)>, regime: &Regime) -> Slot {
    let mut held: Vec<(Slot, NodeId)> = held.map(|(node, below)| (below, node)).collect();
    held.sort_unstable_by(|a, b| b.cmp(a));
    let mut holders = NodeSet::EMPTY;
    for (below, node) in held {
        holders.insert(node);
        if regime.coming().all(|(_, m)| m.is_held_by(holders.and(m.mains()))) {
            return below;
        }
    }
    Slot::FIRST
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::role::testing::{Bench, ME, N3, b};
    use crate::types::Schedule;
    use alloc::sync::Arc;

    fn regime(mains: u16, witnesses: u16) -> Regime {
        let all = Membership::majority((1..=mains + witnesses).map(NodeId));
        let group = all.with_witnesses((mains + 1..=mains + witnesses).map(NodeId));
        Regime::new(Schedule::starting(Slot::FIRST, Arc::new(group)), Slot::FIRST)
    }

    fn below(regime: &Regime, held: &[u64]) -> u64 {
        let held = held.iter().enumerate().map(|(i, at)| (NodeId(i as u16 + 1), Slot(*at)));
        held_below(held, regime).0
    }

    #[test]
    fn what_every_quorum_with_a_main_has_may_be_forgotten() {
        assert_eq!(below(&regime(2, 1), &[9, 5]), 5, "either main may be left alone");
        assert_eq!(below(&regime(2, 1), &[9]), 1);
        assert_eq!(below(&regime(1, 2), &[9]), 9, "nobody else may lead");
        assert_eq!(below(&regime(3, 2), &[9, 7, 5]), 5);
        assert_eq!(below(&regime(4, 1), &[9, 7, 5, 1]), 5, "three of five are a quorum");
        assert_eq!(below(&regime(2, 1), &[9, 5, 100]), 5, "a witness holds nothing for others");
    }

    /// Two mains and two witnesses; from slot 5 on n2 is a witness, and n3 is a main.
    fn changing() -> Bench {
        // A change is known a slot before it comes into force.
        let all = Membership::majority([1, 2, 3, 4].map(NodeId)).with_window(1);
        let first = all.clone().with_witnesses([3, 4].map(NodeId));
        let next = all.with_witnesses([2, 4].map(NodeId)).with_version(1);
        let rules = [(Slot(1), Arc::new(first)), (Slot(5), Arc::new(next))];
        let mut bench = Bench::new();
        bench.regime = Regime::new(Schedule::from_rules(rules).expect("they ascend"), Slot(1));
        bench
    }

    fn relieved(reserve: &mut Reserve, below: u64, bench: &mut Bench) -> Vec<(NodeSet, u64)> {
        reserve.relieve(b(1, ME), Slot(below), &mut bench.cx());
        let said = bench.said().into_iter().map(|(to, m)| match m {
            Message::Relieve(m) => (to, m.below.0),
            other => panic!("{other:?}"),
        });
        said.collect()
    }

    /// The same is said a few times, for it may be lost; then again to who comes back.
    #[test]
    fn witnesses_are_told_a_few_times_and_again_when_one_has_missed_it() {
        let group = Membership::majority([1, 2, 3].map(NodeId)).with_witnesses([N3]);
        let mut bench = Bench::of(group);
        let mut reserve = Reserve::starting(NodeSet::EMPTY, &bench.cx());
        let told = |below| [(NodeSet::of(N3), below)];
        assert_eq!(relieved(&mut reserve, 1, &mut bench), [], "there is nothing to forget");
        for below in [4, 7] {
            for _ in 0..TOLD_MAX {
                assert_eq!(relieved(&mut reserve, below, &mut bench), told(below));
            }
            assert_eq!(relieved(&mut reserve, below, &mut bench), []);
        }
        assert_eq!(relieved(&mut reserve, 6, &mut bench), [], "never back");
        reserve.on_progress(Slot(7));
        assert_eq!(relieved(&mut reserve, 7, &mut bench), [], "it has heard");
        reserve.on_progress(Slot(6));
        for count in [1, 1, 1, 0] {
            assert_eq!(relieved(&mut reserve, 7, &mut bench).len(), count, "it has not");
        }
        reserve.on_peer_up();
        assert_eq!(relieved(&mut reserve, 7, &mut bench), told(7));
    }

    #[test]
    fn only_who_is_and_will_be_nothing_but_a_witness_may_forget() {
        let mut bench = changing();
        let mut reserve = Reserve::starting(NodeSet::EMPTY, &bench.cx());
        assert_eq!(relieved(&mut reserve, 3, &mut bench), [(NodeSet::of(NodeId(4)), 3)]);
    }
}
