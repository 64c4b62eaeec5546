//! The steward: changes of the membership, as a leader sees to them.
//!
//! One change at a time, and only one that follows what the group has. Whether it is
//! taken, the log says: the answer waits until every slot before it is chosen.

use alloc::collections::BTreeMap;

use crate::effect::{Outcome, Refusal};
use crate::quorum::{Membership, NodeSet, Regime, Tally};
use crate::role::Cx;
use crate::types::{Instant, NodeId, ProposalId, Slot};

/// What a leader knows of its group's nodes, and the change that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Steward {
    change: Option<Change>,
    /// Everyone that has answered this leadership.
    peers: BTreeMap<NodeId, Peer>,
    /// The first beat after the last change: who answers it has the disk that it was named with,
    /// or a later one.
    since: u64,
}

/// A change that is proposed and not yet taken in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Change {
    slot: Slot,
    /// Who is to be answered; nobody any more once `deadline` has passed.
    proposal: Option<ProposalId>,
    deadline: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Peer {
    disk: u64,
    /// The latest beat that it has answered with that disk.
    beat: u64,
    chosen: Slot,
    /// What that disk holds for good: everything below.
    held: Slot,
    /// How willingly it leads, if it could.
    priority: Option<u8>,
}

impl Steward {
    /// Takes in up to where a node has caught up that answers this beat, and with which disk.
    ///
    /// An answer given with a disk that it had before may come late. So a disk is taken for the
    /// node's only where it answers a later beat than the one known so far, or than the last
    /// change where nothing is known: the disk that is there does so sooner or later, the one that
    /// is gone soon no more.
    pub(super) fn on_heard(
        &mut self,
        (from, disk): (NodeId, u64),
        beat: u64,
        chosen: Slot,
        priority: Option<u8>,
    ) {
        let is_late = match self.peers.get(&from) {
            Some(peer) => peer.disk != disk && beat <= peer.beat,
            None => beat < self.since,
        };
        if is_late {
            return;
        }
        let peer = self.peer(from, disk);
        peer.beat = peer.beat.max(beat);
        peer.chosen = peer.chosen.max(chosen);
        peer.priority = priority;
    }

    /// Takes in what a node has pledged to hold that is known to have this disk.
    ///
    /// Only what it pledged when it knew the newest members counts: it may have been a witness
    /// since it pledged less, and have been let go of that.
    pub(super) fn on_holding(&mut self, from: NodeId, disk: u64, below: Slot, regime: &Regime) {
        if let Some(peer) = self.peers.get_mut(&from).filter(|peer| peer.disk == disk)
            && below > regime.changed_at()
        {
            peer.held = peer.held.max(below);
        }
    }

    /// Up to where each node holds everything for good.
    pub(super) fn held(&self) -> impl Iterator<Item = (NodeId, Slot)> + '_ {
        self.peers.iter().map(|(node, peer)| (*node, peer.held))
    }

    /// What is known of a node with this disk: with another one it is somebody else.
    fn peer(&mut self, node: NodeId, disk: u64) -> &mut Peer {
        let fresh = Peer { disk, beat: 0, chosen: Slot::FIRST, held: Slot::FIRST, priority: None };
        let peer = self.peers.entry(node).or_insert_with(|| fresh.clone());
        if peer.disk != disk {
            *peer = fresh;
        }
        peer
    }

    /// The chosen frontier of `node` when it last answered.
    pub(super) fn progress(&self, node: NodeId) -> Option<Slot> {
        self.peers.get(&node).map(|peer| peer.chosen)
    }

    /// The highest chosen frontier that anyone has answered with, and who has.
    pub(super) fn farthest(&self) -> Option<(Slot, NodeId)> {
        self.peers.iter().map(|(node, peer)| (peer.chosen, *node)).max()
    }

    /// Who answers with a disk that nobody vouches for.
    pub(super) fn strays(&self, regime: &Regime) -> NodeSet {
        let stray = |(node, peer): &(&NodeId, &Peer)| !regime.vouches(**node, peer.disk);
        self.peers.iter().filter(stray).map(|(node, _)| *node).collect()
    }

    /// Who answers with a disk whose votes do not count at the frontier.
    pub(super) fn uncounted(&self, regime: &Regime) -> NodeSet {
        let (schedule, frontier) = (regime.schedule(), regime.frontier());
        let votes = |node: NodeId, peer: &Peer| schedule.is_voter(node, peer.disk, frontier);
        let others = self.peers.iter().filter(|(node, peer)| !votes(**node, peer));
        others.map(|(node, _)| *node).collect()
    }

    /// Why the group cannot change to `next` now.
    pub(super) fn refusal(&self, next: &Membership, regime: &Regime) -> Option<Refusal> {
        let (since, newest) = regime.newest();
        if next.version() != newest.version().saturating_add(1) {
            return Some(Refusal::Version(newest.version()));
        }
        if self.change.is_some() || since > regime.frontier() {
            return Some(Refusal::Pending);
        }
        if next.window() != newest.window() {
            return Some(Refusal::Window);
        }
        (!next.is_sound()).then_some(Refusal::Unsound)
    }

    /// `next` with every voter bound to the disk that it was last heard with, as a
    /// member: who was none may have another by now.
    pub(super) fn bound(&self, next: &Membership, regime: &Regime) -> Membership {
        let members = next.voters().and(regime.everyone());
        let heard = members.iter().filter_map(|node| Some((node, self.peers.get(&node)?.disk)));
        heard
            .filter(|(_, disk)| *disk != 0)
            .fold(next.clone(), |next, (node, disk)| next.with_disk(node, disk))
    }

    /// The membership that binds every voter to the disk that it answers with; none
    /// if that is so already. An emptied or exchanged disk comes back in this way.
    pub(super) fn rebound(&self, regime: &Regime) -> Option<Membership> {
        let (_, newest) = regime.newest();
        let answers = |node: &NodeId| self.peers.get(node).map_or(0, |peer| peer.disk);
        let strays =
            newest.voters().iter().filter(|node| ![0, newest.disk(*node)].contains(&answers(node)));
        let next =
            strays.fold(newest.as_ref().clone(), |next, node| next.with_disk(node, answers(&node)));
        let next = next.with_version(newest.version().saturating_add(1));
        let changes = next.members().ne(newest.members());
        (changes && self.refusal(&next, regime).is_none()).then_some(next)
    }

    /// Takes in that a change was proposed at `slot`, after this beat. What was known of nodes
    /// that are no members is forgotten: they may be others when they come back.
    pub(super) fn on_proposed(
        &mut self,
        slot: Slot,
        beat: u64,
        (proposal, deadline): (Option<ProposalId>, Instant),
        regime: &Regime,
    ) {
        self.peers.retain(|node, _| regime.everyone().contains(*node));
        self.change = Some(Change { slot, proposal, deadline });
        self.since = beat + 1;
    }

    /// Takes in whether the change that is chosen at `slot` was `taken` up by the group.
    pub(super) fn on_settled(&mut self, slot: Slot, taken: bool, cx: &mut Cx<'_>) {
        if taken {
            self.peers.values_mut().for_each(|peer| peer.held = Slot::FIRST);
        }
        let Some(change) = self.change.take_if(|c| c.slot == slot) else { return };
        let version = cx.regime.newest().1.version();
        let refused = Outcome::Refused(Refusal::Version(version));
        let outcome = if taken { Outcome::Chosen(slot) } else { refused };
        answer(change.proposal, outcome, cx);
    }

    /// Answers who has waited too long. The change may yet be chosen.
    pub(super) fn answer_late(&mut self, cx: &mut Cx<'_>) {
        if let Some(change) = &mut self.change
            && change.deadline <= cx.now
        {
            answer(change.proposal.take(), Outcome::Unknown, cx);
        }
    }

    /// Who of `nodes` leads most willingly, and how willingly: it could lead, and knows
    /// everything below `frontier`. Of equals, the one that has come farthest.
    pub(super) fn best(&self, nodes: NodeSet, frontier: Slot) -> Option<(NodeId, u8)> {
        let able = self
            .peers
            .iter()
            .filter(|(node, peer)| nodes.contains(**node) && peer.chosen >= frontier);
        let able = able.filter_map(|(node, peer)| Some((peer.priority?, peer.chosen, *node)));
        able.max().map(|(priority, _, node)| (node, priority))
    }

    /// Leads no more.
    pub(super) fn fall(self, cx: &mut Cx<'_>) {
        answer(self.change.and_then(|c| c.proposal), Outcome::Unknown, cx);
    }

    /// Whether a quorum of those who decide from now on knows all that was decided
    /// before them.
    pub(super) fn is_handed_over(&self, regime: &Regime) -> bool {
        let (since, newest) = regime.newest();
        let (mut told, mut able) = (Tally::default(), Tally::default());
        for (node, peer) in self.peers.iter().filter(|(_, peer)| peer.chosen >= since) {
            told.add(*node, newest);
            // Who knows that it is chosen need not have it.
            if peer.priority.is_some() {
                able.add(*node, newest);
            }
        }
        let knows = |tally: &Tally| tally.is_chosen(newest) && tally.is_prepared(newest);
        if newest.witnesses().is_empty() {
            return knows(&able);
        }
        knows(&told) && newest.is_held_by(able.yes().and(newest.mains()))
    }
}

fn answer(proposal: Option<ProposalId>, outcome: Outcome, cx: &mut Cx<'_>) {
    if let Some(proposal) = proposal {
        cx.out.resolve(proposal, outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::testing::{Bench, ME, N2, N3};
    use crate::types::Schedule;
    use alloc::sync::Arc;
    use alloc::vec::Vec;

    /// Three until slot 5, and then n3, n4 and n5, of whom some are witnesses.
    fn regime(witnesses: &[u16]) -> Regime {
        let three = Membership::majority([ME, N2, N3]);
        let next = three.succeeded_by([3, 4, 5].map(NodeId), []);
        let next = next.with_witnesses(witnesses.iter().copied().map(NodeId));
        let rules = [(Slot(1), Arc::new(three)), (Slot(5), Arc::new(next))];
        Regime::new(Schedule::from_rules(rules).expect("they ascend"), Slot(1))
    }

    /// Late words of a disk that was there before bind nobody to it.
    #[test]
    fn who_changes_its_disk_does_not_go_back() {
        let mut steward = Steward::default();
        let disks = [(N2, 7), (N3, 9)].into_iter();
        let three = disks.fold(Membership::majority([ME, N2, N3]), |m, (n, d)| m.with_disk(n, d));
        let regime = Regime::new(Schedule::starting(Slot(1), Arc::new(three.clone())), Slot(1));
        let next = three.succeeded_by([ME, N2, N3], []);
        let held = |s: &Steward| s.held().find(|(node, _)| *node == N2).map(|(_, held)| held.0);
        let known =
            |s: &Steward| (s.bound(&next, &regime).disk(N2), s.progress(N2).map(|p| p.0), held(s));
        steward.on_heard((N2, 7), 4, Slot(6), Some(1));
        steward.on_holding(N2, 7, Slot(5), &regime);
        steward.on_heard((N2, 8), 4, Slot(1), Some(1));
        assert_eq!(known(&steward), (7, Some(6), Some(5)), "perhaps the other one is late");
        steward.on_heard((N2, 8), 5, Slot(2), Some(1));
        assert_eq!(known(&steward), (8, Some(2), Some(1)));
        for beat in [3, 4, 5] {
            steward.on_heard((N2, 7), beat, Slot(6), Some(1));
            steward.on_holding(N2, 7, Slot(6), &regime);
            assert_eq!(known(&steward), (8, Some(2), Some(1)), "{beat}");
        }
        steward.on_heard((N2, 8), 5, Slot(3), Some(1));
        assert_eq!(known(&steward), (8, Some(3), Some(1)));
    }

    /// Nor do late words of it where nothing else was heard since a change named the disk that
    /// is there now.
    #[test]
    fn who_was_not_heard_since_a_change_answers_a_later_beat() {
        let mut steward = Steward::default();
        let three = [(ME, 6), (N2, 8), (N3, 9)].into_iter();
        let three = three.fold(Membership::majority([ME, N2, N3]), |m, (n, d)| m.with_disk(n, d));
        let regime = Regime::new(Schedule::starting(Slot(1), Arc::new(three.clone())), Slot(1));
        steward.on_heard((N3, 9), 4, Slot(1), Some(1));
        steward.on_proposed(Slot(1), 4, (None, Instant::from_micros(0)), &regime);
        for beat in [1, 4] {
            steward.on_heard((N2, 7), beat, Slot(6), Some(1));
            steward.on_holding(N2, 7, Slot(6), &regime);
            assert_eq!((steward.progress(N2), steward.held().count()), (None, 1), "{beat}");
        }
        steward.change = None;
        assert_eq!(steward.rebound(&regime), None);
        assert_eq!(steward.progress(N3), Some(Slot(1)), "who was heard before is known");
        // An exchanged disk comes to be known all the same.
        steward.on_heard((N2, 7), 5, Slot(2), Some(1));
        let bound = steward.rebound(&regime).map(|next| next.disk(N2));
        assert_eq!((steward.progress(N2), bound), (Some(Slot(2)), Some(7)));
    }

    /// It may have been a witness since it pledged less, and have been let go of that.
    #[test]
    fn what_was_pledged_before_a_change_counts_no_more() {
        let mut bench = Bench::new();
        // The change was chosen at slot 5.
        let three = Membership::majority([ME, N2, N3]).with_window(4).with_version(1);
        let rules = [(Slot(9), Arc::new(three))];
        bench.regime = Regime::new(Schedule::from_rules(rules).expect("one"), Slot(6));
        let mut steward = Steward::default();
        let held = |s: &Steward| s.held().map(|(_, held)| held.0).collect::<Vec<_>>();
        steward.on_heard((N2, 7), 1, Slot(6), Some(1));
        for (below, found) in [(5, 1), (6, 6), (5, 6), (9, 9)] {
            steward.on_holding(N2, 7, Slot(below), &bench.regime);
            assert_eq!(held(&steward), [found], "{below}");
        }
        for (taken, found) in [(false, 9), (true, 1)] {
            steward.on_settled(Slot(9), taken, &mut bench.cx());
            assert_eq!(held(&steward), [found], "{taken}");
        }
    }

    /// A leader that is no member any more may go when a quorum of its successors knows all
    /// that was decided before them, and can tell it on.
    #[test]
    fn all_is_handed_over_when_a_quorum_of_the_next_has_all() {
        for (known, witnesses, over) in [
            (&[(3, 5, true), (4, 5, true)][..], &[][..], true),
            (&[(3, 5, true), (4, 4, true)], &[], false),
            (&[(3, 5, true), (4, 5, false)], &[], false),
            (&[(1, 5, true), (2, 5, true), (3, 5, true)], &[], false),
            (&[(3, 5, true), (5, 5, false)], &[5], false),
            (&[(3, 5, true), (4, 5, true)], &[5], true),
            (&[(3, 5, true)], &[4, 5], false),
            (&[(3, 5, true), (4, 5, false)], &[4, 5], true),
            (&[(4, 5, false), (5, 5, false)], &[4, 5], false),
        ] {
            let mut steward = Steward::default();
            for (node, chosen, leads) in known {
                steward.on_heard((NodeId(*node), 0), 1, Slot(*chosen), leads.then_some(1));
            }
            let found = steward.is_handed_over(&regime(witnesses));
            assert_eq!(found, over, "{known:?} with witnesses {witnesses:?}");
        }
        // Both phases must be possible without those who decided before.
        let all = |prepare, accept| {
            let next = Membership::flexible([3, 4, 5].map(NodeId), prepare, accept);
            Regime::new(Schedule::starting(Slot(5), Arc::new(next)), Slot(5))
        };
        let mut steward = Steward::default();
        for node in [3, 4] {
            steward.on_heard((NodeId(node), 0), 1, Slot(5), Some(1));
        }
        assert!(steward.is_handed_over(&all(2, 2)));
        assert!(!steward.is_handed_over(&all(3, 1)) && !steward.is_handed_over(&all(1, 3)));
    }
}
