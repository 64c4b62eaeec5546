//! Who has promised a ballot, and what they had voted for.
//!
//! A leader gathers promises as long as it leads: when the group changes its
//! members, the new ones have promised nothing yet. What they report then matters
//! only for slots that were not proposed at this ballot, and those are theirs to
//! decide.

use alloc::collections::BTreeMap;

use smallvec::SmallVec;

use super::coverage::Coverage;
use crate::message::{Prepare, Promise, Release, Vote};
use crate::quorum::{Membership, NodeSet, Regime, Tally};
use crate::role::{Cx, Ready};
use crate::types::{Ballot, Instant, NodeId, Slot, Value};

/// The promises of one ballot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Promises {
    ballot: Ballot,
    /// What our predecessor said, if it made way for us.
    released: Option<Release>,
    /// Our chosen frontier when we asked: promises cover everything from here.
    from: Slot,
    /// Those whose whole promise has arrived, with the disks that will remember it.
    promised: SmallVec<[(NodeId, u64); 8]>,
    /// What is here of those promises that are still arriving.
    arriving: SmallVec<[(NodeId, u64, Coverage); 8]>,
    /// The highest chosen frontier of anyone heard, ourselves included, and who
    /// named it. Nothing may be proposed below.
    start: (Slot, NodeId),
    /// The vote with the highest ballot for each slot.
    votes: BTreeMap<Slot, Vote>,
    /// The slot after the last that anyone heard has voted on, or knows to be chosen.
    end: Slot,
    resend_at: Instant,
}

impl Promises {
    /// Asks everyone who votes on anything from `from` on, ourselves included: our
    /// own promise takes the same road.
    pub(super) fn ask_for(ready: &Ready, from: Slot, cx: &mut Cx<'_>) -> Promises {
        let Ready { ballot, released, .. } = *ready;
        cx.out.pledge(cx.regime.voters(), Prepare { ballot, from, released });
        Promises {
            ballot,
            released,
            from,
            promised: SmallVec::new(),
            arriving: SmallVec::new(),
            start: (from, cx.setting.me),
            votes: BTreeMap::new(),
            end: from,
            resend_at: cx.now + cx.setting.timing.resend,
        }
    }

    /// The ballot asked for.
    pub(super) fn ballot(&self) -> Ballot {
        self.ballot
    }

    /// The highest chosen frontier of anyone heard, and whose it is.
    pub(super) fn start(&self) -> (Slot, NodeId) {
        self.start
    }

    /// The slot after the last that anyone heard has voted on, or knows to be chosen, whether or
    /// not that is forgotten here.
    pub(super) fn end(&self) -> Slot {
        self.end
    }

    /// Everyone who has promised.
    pub(super) fn yes(&self) -> NodeSet {
        self.promised.iter().map(|(node, _)| *node).collect()
    }

    /// Takes in one page of a promise. Says whether it told anything.
    pub(super) fn on_promise(&mut self, from: NodeId, disk: u64, m: &Promise) -> bool {
        // A promise to an older campaign of ours says nothing about this one.
        if m.ballot != self.ballot || self.promised.contains(&(from, disk)) {
            return false;
        }
        if !self.coverage_of(from, disk).add(m.from, m.to) {
            return false;
        }
        if m.chosen > self.start.0 {
            self.start = (m.chosen, from);
        }
        let last = m.votes.last().map_or(m.chosen, |vote| vote.slot.next());
        self.end = self.end.max(m.chosen).max(last);
        for vote in &m.votes {
            self.merge(vote);
        }
        if self.coverage_of(from, disk).is_whole() {
            self.forget(from);
            self.promised.push((from, disk));
        }
        true
    }

    /// Whether a phase 1 quorum of those who decide `slot` has promised, each with
    /// the disk that counts there.
    pub(super) fn is_prepared(&self, slot: Slot, regime: &Regime) -> bool {
        let membership = regime.at(slot);
        let mut tally = Tally::default();
        for (node, disk) in &self.promised {
            if regime.schedule().is_voter(*node, *disk, slot) {
                tally.add(*node, membership);
            }
        }
        tally.is_prepared(membership)
    }

    /// Whether that holds of everyone who decides anything yet.
    pub(super) fn is_prepared_for_all(&self, regime: &Regime) -> bool {
        regime.coming().all(|(slot, _)| self.is_prepared(slot, regime))
    }

    /// What may have been chosen at `slot`, as far as the promises say; a no-op where
    /// nobody has voted.
    pub(super) fn take_vote(&mut self, slot: Slot) -> Value {
        self.votes.remove(&slot).map_or(Value::Noop, |vote| vote.value)
    }

    /// What that value weighs.
    pub(super) fn weight_at(&self, slot: Slot) -> usize {
        self.votes.get(&slot).map_or(Value::OVERHEAD, |vote| vote.value.weight())
    }

    /// Forgets the votes below `slot`.
    pub(super) fn forget_below(&mut self, slot: Slot) {
        self.votes = self.votes.split_off(&slot);
    }

    /// Whether any vote that is left is for a change of the membership.
    pub(super) fn has_config(&self) -> bool {
        self.votes.values().any(|vote| matches!(vote.value, Value::Config(_)))
    }

    /// Takes in that the group changes its members. Who becomes a voter, or comes with
    /// another disk, has promised as somebody else.
    pub(super) fn on_config(&mut self, before: &Membership, next: &Membership) {
        for node in next.voters().iter() {
            let disk = before.disk(node);
            if !before.voters().contains(node) || (disk != 0 && disk != next.disk(node)) {
                self.forget(node);
            }
        }
    }

    fn forget(&mut self, node: NodeId) {
        self.promised.retain(|(known, _)| *known != node);
        self.arriving.retain(|(known, ..)| *known != node);
    }

    /// When to ask again.
    pub(super) fn resend_at(&self) -> Instant {
        self.resend_at
    }

    /// Asks whoever has not promised and whose promise counts for something.
    pub(super) fn ask_again(&mut self, cx: &mut Cx<'_>) {
        self.resend_at = cx.now + cx.setting.timing.resend;
        let mut missing = NodeSet::EMPTY;
        for (slot, membership) in cx.regime.coming() {
            let counts = |n: &(NodeId, u64)| cx.regime.schedule().is_voter(n.0, n.1, slot);
            let counted = self.promised.iter().filter(|n| counts(n)).map(|(node, _)| *node);
            missing = missing.or(membership.voters().without(counted.collect()));
        }
        let (ballot, from, released) = (self.ballot, self.from, self.released);
        cx.out.pledge(missing, Prepare { ballot, from, released });
    }

    fn coverage_of(&mut self, voter: NodeId, disk: u64) -> &mut Coverage {
        let at = self.arriving.iter().position(|(n, d, _)| (*n, *d) == (voter, disk));
        let at = at.unwrap_or_else(|| {
            self.arriving.retain(|(known, ..)| *known != voter);
            self.arriving.push((voter, disk, Coverage::starting(self.from)));
            self.arriving.len() - 1
        });
        &mut self.arriving[at].2
    }

    /// Keeps the vote with the highest ballot: if any value was chosen, it is this
    /// one ("Paxos Made Simple", P2c). A value known to be chosen beats every vote.
    fn merge(&mut self, vote: &Vote) {
        if vote.slot < self.start.0 {
            return;
        }
        let rank = |v: &Vote| (v.chosen, v.ballot);
        match self.votes.get_mut(&vote.slot) {
            Some(kept) if rank(kept) >= rank(vote) => {}
            Some(kept) => *kept = vote.clone(),
            None => {
                self.votes.insert(vote.slot, vote.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::testing::{Bench, ME, N2, N3, b};
    use alloc::vec::Vec;

    fn asked(bench: &mut Bench) -> Promises {
        let ready = Ready { ballot: b(7, ME), deadline: bench.now, released: None };
        let promises = Promises::ask_for(&ready, Slot(1), &mut bench.cx());
        bench.said();
        promises
    }

    fn page(from: u64, to: Option<u64>) -> Promise {
        let (from, to) = (Slot(from), to.map(Slot));
        Promise { ballot: b(7, ME), from, to, chosen: Slot(1), votes: Vec::new() }
    }

    fn nodes(ids: &[u16]) -> NodeSet {
        ids.iter().copied().map(NodeId).collect()
    }

    /// Pages from two disks do not add up: the second one may have forgotten what the first
    /// has promised.
    #[test]
    fn a_voter_that_changes_its_disk_promises_from_the_beginning() {
        let mut promises = asked(&mut Bench::new());
        assert!(promises.on_promise(N2, 7, &page(1, Some(5))));
        assert!(promises.on_promise(N3, 0, &page(1, Some(5))));
        assert!(promises.on_promise(N2, 8, &page(5, None)));
        assert_eq!(promises.yes(), nodes(&[]));
        assert!(promises.on_promise(N2, 7, &page(5, None)), "the first disk has gone");
        assert_eq!(promises.yes(), nodes(&[]));
        assert!(promises.on_promise(N3, 0, &page(5, None)), "another node's pages are kept");
        assert_eq!(promises.yes(), nodes(&[3]));
        assert!(!promises.on_promise(N3, 0, &page(1, None)), "said twice");
        assert!(promises.on_promise(N2, 7, &page(1, Some(5))));
        assert_eq!(promises.yes(), nodes(&[2, 3]));
        // With another disk it is somebody else, of whom there is one promise at a time.
        assert!(promises.on_promise(N2, 8, &page(1, None)));
        assert_eq!(promises.promised.iter().filter(|(node, _)| *node == N2).count(), 1);
    }

    /// Whoever becomes a voter, or another one under its name, has promised nothing yet as
    /// what it becomes.
    #[test]
    fn a_change_of_the_members_keeps_the_promises_of_those_who_stay() {
        let three = Membership::majority([ME, N2, N3]).with_disk(N2, 7);
        let five = three.succeeded_by([1, 2, 3, 4, 5].map(NodeId), []);
        for (next, kept) in [
            (five.clone(), &[1, 2, 3][..]),
            (five.clone().with_disk(N3, 9), &[1, 2, 3]),
            (five.clone().with_disk(N2, 8), &[1, 3]),
            (five.clone().with_disk(N2, 0), &[1, 3]),
            (three.succeeded_by([ME, N2], []), &[1, 2, 3, 4]),
        ] {
            let mut promises = asked(&mut Bench::new());
            for (node, disk) in [(1, 0), (2, 7), (3, 9), (4, 0)] {
                promises.on_promise(NodeId(node), disk, &page(1, None));
            }
            promises.on_config(&three, &next);
            assert_eq!(promises.yes(), nodes(kept), "{:?}", next.voters());
        }
    }
}
