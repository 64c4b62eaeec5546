//! Who promised what to whom, and what a leader may conclude from it.

use std::collections::BTreeMap;

use paxos_core::message::Promise;
use paxos_core::types::{Ballot, NodeId, Slot};
use smallvec::SmallVec;

use super::members::Members;
use super::{Checked, Nodes, ensure, hash, owner_bit};

/// A node, and the disk that it speaks for.
pub(crate) type Voter = (NodeId, u64);

/// A vote that a promise told of.
#[derive(Clone, Copy, Debug)]
struct Told {
    slot: Slot,
    by: Voter,
    /// None if the voter knew that the value is chosen.
    ballot: Option<Ballot>,
    value: u64,
}

/// One ballot, from the first message that names it as its own.
#[derive(Clone, Debug, Default)]
struct Campaign {
    /// The life of the node that owns it.
    life: u64,
    /// Who has promised, and that all slots below are covered by the pages that it released.
    covered: SmallVec<[(Voter, u64); 4]>,
    told: SmallVec<[Told; 2]>,
}

/// All ballots of one group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Campaigns {
    by_ballot: BTreeMap<Ballot, Campaign>,
}

/// The owner's own vote in a slot, as its disk holds it.
pub(crate) type OwnVote = Option<(Ballot, u64)>;

impl Campaigns {
    /// Takes in that `node` in this life speaks under a ballot as its owner.
    pub(crate) fn owns(&mut self, ballot: Ballot, node: NodeId, life: u64) -> Checked {
        ensure!(
            ballot.node == node,
            "I5 one owner a ballot",
            "{node} speaks as the owner of ballot {ballot}"
        );
        let campaign = self
            .by_ballot
            .entry(ballot)
            .or_insert_with(|| Campaign { life, ..Campaign::default() });
        ensure!(
            campaign.life == life,
            "I5 one life a ballot",
            "{node} uses ballot {ballot} in lives {} and {life}",
            campaign.life
        );
        Ok(())
    }

    /// Takes in a page of a promise that `by` has released.
    pub(crate) fn promised(&mut self, by: Voter, page: &Promise) -> Checked {
        let campaign = self.by_ballot.get_mut(&page.ballot);
        ensure!(
            campaign.is_some(),
            "I5 one owner a ballot",
            "{} promises ballot {}, which nobody has asked for",
            by.0,
            page.ballot
        );
        let Some(campaign) = campaign else { return Ok(()) };
        let at = campaign.covered.iter().position(|(voter, _)| *voter == by);
        let at = at.unwrap_or_else(|| {
            campaign.covered.push((by, 0));
            campaign.covered.len() - 1
        });
        let covered = &mut campaign.covered[at].1;
        // The candidate knows all below `from` of the first page to be chosen.
        if *covered != 0 && page.from.0 > *covered {
            return Ok(());
        }
        *covered = (*covered).max(page.to.map_or(u64::MAX, |to| to.0));
        for vote in page.votes.iter().filter(|vote| vote.chosen || vote.ballot < page.ballot) {
            let ballot = (!vote.chosen).then_some(vote.ballot);
            let told = Told { slot: vote.slot, by, ballot, value: hash(&vote.value) };
            if !campaign.told.iter().any(|t| t.slot == told.slot && t.by == by) {
                campaign.told.push(told);
            }
        }
        Ok(())
    }

    /// Who has released a whole promise that counts at `slot`.
    pub(crate) fn promisers(&self, ballot: Ballot, slot: Slot, members: &Members) -> Nodes {
        let Some(campaign) = self.by_ballot.get(&ballot) else { return 0 };
        let whole = campaign.covered.iter().filter(|(_, covered)| *covered == u64::MAX);
        let counted = whole.filter(|(voter, _)| members.counts(*voter, slot));
        counted.fold(0, |set, ((node, _), _)| set | 1 << (node.0 & 7))
    }

    /// Checks that the promises allow to propose `value` for `slot`: that some quorum of them
    /// either told of no vote there, or told of this value at the highest ballot.
    ///
    /// `own` is the owner's own vote; none if its disk has not promised the ballot, or does not
    /// count at `slot`.
    pub(crate) fn allow(
        &self,
        slot: Slot,
        ballot: Ballot,
        value: u64,
        own: Option<OwnVote>,
        members: &Members,
    ) -> Checked {
        let Some(campaign) = self.by_ballot.get(&ballot) else { return Ok(()) };
        let counts = |voter: &Voter| members.counts(*voter, slot);
        // By node id: none if its promise does not cover the slot.
        let mut told: [Option<OwnVote>; 8] = [None; 8];
        for (voter, covered) in campaign.covered.iter().filter(|(voter, _)| counts(voter)) {
            told[usize::from(voter.0.0 & 7)] = (*covered > slot.0).then_some(None);
        }
        for t in campaign.told.iter().filter(|t| t.slot == slot && counts(&t.by)) {
            let highest = Ballot::new(u64::MAX, NodeId(u16::MAX));
            told[usize::from(t.by.0.0 & 7)] = Some(Some((t.ballot.unwrap_or(highest), t.value)));
        }
        if owner_bit(ballot) != 0 {
            told[usize::from(ballot.node.0)] = own;
        }
        let quorum = members.prepare(slot);
        for (id, vote) in told.iter_mut().enumerate() {
            *vote = vote.filter(|_| quorum.count(1 << id) > 0);
        }
        let quorum = quorum.size;
        let count = |fits: &dyn Fn(&OwnVote) -> bool| {
            told.iter().flatten().filter(|vote| fits(vote)).count() as u32
        };
        let promised = count(&|_| true);
        ensure!(
            promised >= quorum,
            "I7 quorums",
            "ballot {ballot} proposes for slot {slot} with {promised} of {quorum} promises"
        );
        let free = count(&|vote| vote.is_none()) >= quorum;
        let mine = told.iter().flatten().flatten().filter(|(_, v)| *v == value);
        let bound = mine
            .map(|(b, _)| *b)
            .max()
            .is_some_and(|highest| count(&|vote| vote.is_none_or(|(b, _)| b <= highest)) >= quorum);
        ensure!(
            free || bound,
            "I6 leader safety",
            "ballot {ballot} proposes for slot {slot} a value that no quorum of its promises allows"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use paxos_core::message::Vote;
    use paxos_core::quorum::Membership;
    use paxos_core::types::{Command, Value};

    use super::*;

    const MINE: Ballot = Ballot::new(9, NodeId(1));

    fn value(text: &'static str) -> Value {
        Value::Command(Command::plain(text.as_bytes().into()))
    }

    fn page(votes: &[(u64, u64, &'static str)]) -> Promise {
        let votes = votes.iter().map(|(slot, round, text)| Vote {
            slot: Slot(*slot),
            ballot: Ballot::new(*round, NodeId(2)),
            chosen: false,
            value: value(text),
        });
        Promise { ballot: MINE, from: Slot(1), to: None, chosen: Slot(1), votes: votes.collect() }
    }

    fn three() -> Members {
        Members::new(Membership::majority([1, 2, 3].map(NodeId)))
    }

    fn campaign(pages: &[(u16, Promise)]) -> Campaigns {
        let mut campaigns = Campaigns::default();
        campaigns.owns(MINE, NodeId(1), 1).unwrap();
        for (by, page) in pages {
            campaigns.promised((NodeId(*by), 0), page).unwrap();
        }
        campaigns
    }

    fn verdict(campaigns: &Campaigns, text: &'static str, own: Option<OwnVote>) -> &'static str {
        let checked = campaigns.allow(Slot(1), MINE, hash(&value(text)), own, &three());
        checked.err().map_or("fine", |violation| violation.invariant)
    }

    #[test]
    fn the_highest_vote_binds() {
        let campaigns = campaign(&[(2, page(&[(1, 3, "old")])), (3, page(&[(1, 5, "new")]))]);
        assert_eq!(verdict(&campaigns, "new", None), "fine");
        assert_eq!(verdict(&campaigns, "old", None), "I6 leader safety");
        assert_eq!(verdict(&campaigns, "mine", None), "I6 leader safety");
    }

    #[test]
    fn some_quorum_is_enough() {
        // The owner and n2 have not voted; that n3 has need not be known.
        let campaigns = campaign(&[(2, page(&[])), (3, page(&[(1, 5, "new")]))]);
        assert_eq!(verdict(&campaigns, "mine", Some(None)), "fine");
        assert_eq!(verdict(&campaigns, "new", Some(None)), "fine");
        assert_eq!(verdict(&campaigns, "mine", None), "I6 leader safety");
    }

    #[test]
    fn promises_are_counted() {
        let campaigns = campaign(&[(2, page(&[]))]);
        assert_eq!(verdict(&campaigns, "mine", None), "I7 quorums");
        assert_eq!(verdict(&campaigns, "mine", Some(None)), "fine");
    }

    #[test]
    fn a_page_that_does_not_reach_the_slot_is_no_promise_for_it() {
        let first = Promise { to: Some(Slot(1)), ..page(&[]) };
        let campaigns = campaign(&[(2, first)]);
        assert_eq!(verdict(&campaigns, "mine", Some(None)), "I7 quorums");
        assert_eq!(campaigns.promisers(MINE, Slot(1), &three()), 0);
    }

    #[test]
    fn a_promise_of_another_disk_is_none() {
        let members = Membership::majority([1, 2, 3].map(NodeId)).with_disk(NodeId(2), 7);
        let members = Members::new(members);
        let mut campaigns = campaign(&[]);
        let mut allowed = |disk| {
            campaigns.promised((NodeId(2), disk), &page(&[])).unwrap();
            let own = Some(None);
            campaigns.allow(Slot(1), MINE, hash(&value("x")), own, &members).is_ok()
        };
        assert!(!allowed(6) && allowed(7));
    }

    #[test]
    fn a_ballot_in_two_lives_is_found() {
        let mut campaigns = campaign(&[]);
        let violation = campaigns.owns(MINE, NodeId(1), 2).unwrap_err();
        assert_eq!(violation.invariant, "I5 one life a ballot");
        let violation = campaigns.owns(MINE, NodeId(2), 1).unwrap_err();
        assert_eq!(violation.invariant, "I5 one owner a ballot");
    }
}
