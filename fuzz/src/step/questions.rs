//! What was asked of the node in this life and is not answered yet.

use std::collections::BTreeMap;

use paxos_core::types::{GroupId, NodeId, ProposalId, QueryId};

/// Open proposals and queries.
#[derive(Debug)]
pub(super) struct Questions {
    proposals: BTreeMap<ProposalId, GroupId>,
    queries: BTreeMap<QueryId, GroupId>,
    /// Transfers of leadership, of which each ends once.
    transfers: Vec<(GroupId, NodeId)>,
    next: u64,
}

impl Questions {
    /// Nothing asked; the first handle is `next`.
    pub(super) fn new(next: u64) -> Questions {
        Questions {
            proposals: BTreeMap::new(),
            queries: BTreeMap::new(),
            transfers: Vec::new(),
            next,
        }
    }

    /// Hands out `count` handles for proposals; the first of them.
    pub(super) fn propose(&mut self, group: GroupId, count: usize) -> ProposalId {
        let first = ProposalId(self.next);
        for _ in 0..count {
            self.proposals.insert(ProposalId(self.next), group);
            self.next = self.next.wrapping_add(1);
        }
        first
    }

    /// Hands out a handle for a query.
    pub(super) fn query(&mut self, group: GroupId) -> QueryId {
        let query = QueryId(self.next);
        self.next = self.next.wrapping_add(1);
        self.queries.insert(query, group);
        query
    }

    /// Someone asks for another leader.
    pub(super) fn transfer(&mut self, group: GroupId, to: NodeId) {
        self.transfers.push((group, to));
    }

    pub(super) fn on_transfer_ended(&mut self, group: GroupId, to: NodeId) {
        let asked = self.transfers.iter().position(|open| *open == (group, to));
        let asked = asked.expect("a transfer ends twice, or was never asked for");
        self.transfers.swap_remove(asked);
    }

    pub(super) fn on_resolved(&mut self, group: GroupId, proposal: ProposalId) {
        let asked = self.proposals.remove(&proposal);
        assert_eq!(asked, Some(group), "{proposal} is answered twice, or was never asked");
    }

    pub(super) fn on_query_answered(&mut self, group: GroupId, query: QueryId) {
        let asked = self.queries.remove(&query);
        assert_eq!(asked, Some(group), "{query} is answered twice, or was never asked");
    }

    /// A crash: nobody will answer these any more.
    pub(super) fn forget(&mut self) {
        self.proposals.clear();
        self.queries.clear();
        self.transfers.clear();
    }

    /// Whether everything is answered.
    pub(super) fn none_is_open(&self) -> bool {
        self.proposals.is_empty() && self.queries.is_empty() && self.transfers.is_empty()
    }

    /// Names what is not answered, if anything.
    pub(super) fn assert_none_is_open(&self) {
        assert!(self.proposals.is_empty(), "never answered: {:?}", self.proposals);
        assert!(self.queries.is_empty(), "never answered: {:?}", self.queries);
        assert!(self.transfers.is_empty(), "never ended: {:?}", self.transfers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: GroupId = GroupId(0);

    #[test]
    #[should_panic(expected = "answered twice")]
    fn a_second_answer_is_noticed() {
        let mut questions = Questions::new(u64::MAX);
        let first = questions.propose(GROUP, 2);
        for proposal in [first, ProposalId(0), first] {
            questions.on_resolved(GROUP, proposal);
        }
    }

    #[test]
    #[should_panic(expected = "never answered")]
    fn a_missing_answer_is_noticed() {
        let mut questions = Questions::new(1);
        questions.query(GROUP);
        questions.assert_none_is_open();
    }
}
