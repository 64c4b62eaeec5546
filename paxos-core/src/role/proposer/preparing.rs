//! Phase 1: asking for promises, and gathering what was voted for.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use smallvec::SmallVec;

use super::coverage::Coverage;
use super::leading::Leading;
use crate::effect::Notice;
use crate::message::{Prepare, Promise, Release, Vote};
use crate::quorum::Tally;
use crate::role::{Cx, Ready};
use crate::types::{Ballot, Instant, NodeId, Slot, Value};

/// A campaign.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Preparing {
    ballot: Ballot,
    /// What our predecessor said, if it made way for us.
    released: Option<Release>,
    /// Our chosen frontier when we asked: promises cover everything from here.
    from: Slot,
    /// Those whose whole promise has arrived.
    promised: Tally,
    /// What is here of those promises that are still arriving.
    arriving: SmallVec<[(NodeId, Coverage); 8]>,
    /// The highest chosen frontier of anyone heard, ourselves included. Nothing
    /// may be proposed below.
    start: Slot,
    /// Who named that frontier.
    donor: NodeId,
    /// The vote with the highest ballot for each slot.
    votes: BTreeMap<Slot, Vote>,
    resend_at: Instant,
    deadline: Instant,
}

impl Preparing {
    /// Asks every voter, ourselves included: our own promise takes the same road.
    pub(super) fn start(ready: Ready, from: Slot, cx: &mut Cx<'_>) -> Preparing {
        let Ready { ballot, deadline, released } = ready;
        cx.out.pledge(cx.membership.voters(), Prepare { ballot, from, released });
        Preparing {
            ballot,
            released,
            from,
            promised: Tally::default(),
            arriving: SmallVec::new(),
            start: from,
            donor: cx.setting.me,
            votes: BTreeMap::new(),
            resend_at: cx.now + cx.setting.timing.resend,
            deadline,
        }
    }

    /// The ballot asked for.
    pub(super) fn ballot(&self) -> Ballot {
        self.ballot
    }

    pub(super) fn wake_at(&self) -> Instant {
        self.resend_at.min(self.deadline)
    }

    /// Takes in one page of a promise.
    pub(super) fn on_promise(&mut self, from: NodeId, m: &Promise, cx: &Cx<'_>) {
        // A promise to an older campaign of ours says nothing about this one.
        if m.ballot != self.ballot || self.promised.yes().contains(from) {
            return;
        }
        if !self.coverage_of(from).add(m.from, m.to) {
            return;
        }
        if m.chosen > self.start {
            self.start = m.chosen;
            self.donor = from;
        }
        for vote in &m.votes {
            self.merge(vote);
        }
        if self.coverage_of(from).is_whole() {
            self.arriving.retain(|(node, _)| *node != from);
            self.promised.add(from, cx.membership);
        }
    }

    fn coverage_of(&mut self, voter: NodeId) -> &mut Coverage {
        let at = self.arriving.iter().position(|(node, _)| *node == voter);
        let at = at.unwrap_or_else(|| {
            self.arriving.push((voter, Coverage::starting(self.from)));
            self.arriving.len() - 1
        });
        &mut self.arriving[at].1
    }

    pub(super) fn is_prepared(&self, cx: &Cx<'_>) -> bool {
        self.promised.is_prepared(cx.membership)
    }

    /// Asks again whoever has not answered. False when it has taken too long.
    pub(super) fn on_tick(&mut self, cx: &mut Cx<'_>) -> bool {
        if cx.now >= self.deadline {
            return false;
        }
        if cx.now >= self.resend_at {
            self.resend_at = cx.now + cx.setting.timing.resend;
            let (missing, released) =
                (cx.membership.voters().without(self.promised.yes()), self.released);
            cx.out.pledge(missing, Prepare { ballot: self.ballot, from: self.from, released });
        }
        true
    }

    /// A quorum has promised: leads. Whatever may have been chosen is proposed
    /// again under our ballot; where nobody in the quorum has voted nothing was
    /// chosen, and a no-op closes the hole. Nothing is proposed below `chosen`, our
    /// own frontier: it may have moved since we asked, even past all the votes, if
    /// someone has outbid us already.
    pub(super) fn lead(self, chosen: Slot, cx: &mut Cx<'_>) -> Leading {
        let start = self.start.max(chosen);
        let next = self.votes.last_key_value().map_or(start, |(slot, _)| slot.next().max(start));
        let mut votes = self.votes;
        let adopted: Vec<Value> = (start.0..next.0)
            .map(|slot| votes.remove(&Slot(slot)).map_or(Value::Noop, |vote| vote.value))
            .collect();
        let group = cx.out.group();
        cx.out.note(Notice::Leading { group, ballot: self.ballot, start, next });
        Leading::start(self.ballot, (start, self.donor), adopted, self.promised.yes(), cx)
    }

    /// Keeps the vote with the highest ballot: if any value was chosen, it is this
    /// one ("Paxos Made Simple", P2c). A value known to be chosen beats every vote.
    fn merge(&mut self, vote: &Vote) {
        if vote.slot < self.start {
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
