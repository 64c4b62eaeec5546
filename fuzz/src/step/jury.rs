//! Who has said yes to the node: whether it may call itself a leader, and a
//! command chosen.

use std::collections::BTreeMap;

use paxos_core::effect::{Effect, Input, Notice, Outcome};
use paxos_core::log::Durable;
use paxos_core::message::{Envelope, Message};
use paxos_core::quorum::NodeSet;
use paxos_core::types::{Ballot, GroupId, NodeId, Schedule, Slot};

use super::disk::promised;
use super::setting::ME;

/// What was heard in this life, by ballot.
#[derive(Debug, Default)]
pub(super) struct Jury {
    heard: BTreeMap<(GroupId, Ballot), Heard>,
    /// Whether a peer has just told what became of proposals: its word is taken.
    is_hearsay: bool,
}

#[derive(Debug, Default)]
struct Heard {
    /// Whose promise came to its last page.
    promised: NodeSet,
    /// Who has voted for which slots.
    voted: Vec<(NodeId, Slot, Slot)>,
}

impl Jury {
    /// Takes in what the node is about to take in.
    pub(super) fn on_input(&mut self, input: &Input) {
        self.is_hearsay = false;
        let Input::Received(Envelope { group, from, message, .. }) = input else { return };
        match message {
            Message::Promise(m) if m.to.is_none() => {
                self.heard.entry((*group, m.ballot)).or_default().promised.insert(*from);
            }
            Message::Accepted(m) => {
                let heard = self.heard.entry((*group, m.ballot)).or_default();
                heard.voted.push((*from, m.first, m.end));
            }
            Message::Forwarded(_) => self.is_hearsay = true,
            _ => {}
        }
    }

    /// Checks what the node says of itself.
    /// `members` is whom it goes by, and all below `known` is chosen.
    pub(super) fn on_order(
        &self,
        order: &Effect,
        durable: &Durable,
        (members, known): (&Schedule, Slot),
    ) {
        match order {
            Effect::Note(Notice::Leading { group, ballot, start, .. }) => {
                let mut yes = self.of(*group, *ballot).map_or(NodeSet::EMPTY, |h| h.promised);
                if promised(durable, *group) >= *ballot {
                    yes.insert(ME);
                }
                let members = members.at(known.min(*start));
                let count = yes.and(members.voters()).len();
                assert!(count >= members.prepare_quorum(), "leads by {count} promises");
            }
            Effect::Resolve { group, count, outcome: Outcome::Chosen(first), .. }
                if !self.is_hearsay =>
            {
                let ballot = promised(durable, *group);
                for slot in (0..*count).map(|i| first.plus(u64::from(i))) {
                    let votes = self.votes(*group, ballot, slot, durable);
                    let members = members.at(slot);
                    let count = votes.and(members.voters()).len();
                    assert!(count >= members.accept_quorum(), "chosen by {count} votes");
                }
            }
            _ => {}
        }
    }

    fn votes(&self, group: GroupId, ballot: Ballot, slot: Slot, durable: &Durable) -> NodeSet {
        let heard = self.of(group, ballot).into_iter().flat_map(|h| &h.voted);
        let of_slot = heard.filter(|(_, first, end)| *first <= slot && slot < *end);
        let mut yes: NodeSet = of_slot.map(|(voter, ..)| *voter).collect();
        let own = durable.group(group).and_then(|g| g.log().get(slot));
        let floor = durable.group(group).map_or(Slot::FIRST, |g| g.log().floor());
        if slot < floor || own.is_some_and(|cell| cell.ballot == ballot) {
            yes.insert(ME);
        }
        yes
    }

    fn of(&self, group: GroupId, ballot: Ballot) -> Option<&Heard> {
        self.heard.get(&(group, ballot))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use paxos_core::log::{Entry, Record};
    use paxos_core::message::{Accepted, Promise};
    use paxos_core::quorum::Membership;
    use paxos_core::types::{ProposalId, Run, Value};

    use super::*;

    const GROUP: GroupId = GroupId(0);
    const OURS: Ballot = Ballot::new(3, ME);

    fn three() -> Schedule {
        let membership = Membership::majority([1, 2, 3].map(NodeId));
        Schedule::starting(Slot::FIRST, Arc::new(membership))
    }

    fn received(from: u16, message: impl Into<Message>) -> Input {
        let (from, message) = (NodeId(from), message.into());
        Input::Received(Envelope { group: GROUP, from, disk: 0, message })
    }

    fn promise(to: Option<Slot>) -> Promise {
        let (from, chosen) = (Slot::FIRST, Slot::FIRST);
        Promise { ballot: OURS, from, to, chosen, votes: Default::default() }
    }

    fn leads(jury: &Jury, durable: &Durable) {
        let notice =
            Notice::Leading { group: GROUP, ballot: OURS, start: Slot::FIRST, next: Slot::FIRST };
        jury.on_order(&Effect::Note(notice), durable, (&three(), Slot::FIRST));
    }

    fn resolved(jury: &Jury, durable: &Durable) {
        let (first, outcome) = (ProposalId(1), Outcome::Chosen(Slot(1)));
        let order = Effect::Resolve { group: GROUP, first, count: 1, outcome };
        jury.on_order(&order, durable, (&three(), Slot::FIRST));
    }

    fn disk_that(entry: Entry) -> Durable {
        let mut durable = Durable::default();
        durable.replay(Record { group: GROUP, entry }).expect("the first entry");
        durable
    }

    #[test]
    fn a_quorum_with_ourselves_may_lead_and_choose() {
        let mut jury = Jury::default();
        jury.on_input(&received(1, promise(None)));
        let own = disk_that(Entry::Voted { ballot: OURS, run: Run::one(Slot(1), Value::Noop) });
        leads(&jury, &own);
        jury.on_input(&received(3, Accepted { ballot: OURS, first: Slot(1), end: Slot(2) }));
        resolved(&jury, &own);
    }

    #[test]
    #[should_panic(expected = "leads by 1 promises")]
    fn a_promise_that_came_twice_counts_once() {
        let mut jury = Jury::default();
        jury.on_input(&received(1, promise(None)));
        jury.on_input(&received(1, promise(None)));
        leads(&jury, &Durable::default());
    }

    #[test]
    #[should_panic(expected = "leads by 1 promises")]
    fn a_page_is_not_a_promise() {
        let mut jury = Jury::default();
        jury.on_input(&received(1, promise(Some(Slot(5)))));
        leads(&jury, &disk_that(Entry::Promised(OURS)));
    }

    #[test]
    #[should_panic(expected = "chosen by 1 votes")]
    fn an_own_vote_that_is_not_synced_does_not_count() {
        let mut jury = Jury::default();
        jury.on_input(&received(3, Accepted { ballot: OURS, first: Slot(1), end: Slot(2) }));
        resolved(&jury, &disk_that(Entry::Promised(OURS)));
    }
}
