//! Who waits for what: from the core's handles back to the clients.
//!
//! Bounded by what may be outstanding: the clients' connections bound what is
//! proposed, and the core gives every handle exactly one answer.

use std::collections::{BTreeMap, VecDeque};

use paxos_core::effect::Outcome;
use paxos_core::types::{ProposalId, QueryId, Slot};

/// Proposals on their way to a reply: handle, then slot, then reply.
#[derive(Debug)]
pub(crate) struct Proposals<W> {
    /// The handle of the first of `open`.
    first: ProposalId,
    /// By handle, without holes in the numbers. What is resolved is taken out;
    /// the front is never empty.
    open: VecDeque<Option<W>>,
    /// Chosen, and not yet delivered here.
    chosen: BTreeMap<Slot, W>,
}

impl<W> Default for Proposals<W> {
    fn default() -> Proposals<W> {
        let first = ProposalId::default();
        Proposals { first, open: VecDeque::new(), chosen: BTreeMap::new() }
    }
}

impl<W> Proposals<W> {
    /// The handle that the next [`push`](Proposals::push) takes.
    pub(crate) fn next(&self) -> ProposalId {
        ProposalId(self.first.0 + self.open.len() as u64)
    }

    /// `waiter` waits for the next handle.
    pub(crate) fn push(&mut self, waiter: W) {
        self.open.push_back(Some(waiter));
    }

    /// The core's answer to one handle. A waiter that comes back has its answer
    /// now: nothing will be delivered for it.
    pub(crate) fn resolve(&mut self, proposal: ProposalId, outcome: Outcome) -> Option<W> {
        let place = usize::try_from(proposal.0.checked_sub(self.first.0)?).ok()?;
        let waiter = self.open.get_mut(place)?.take()?;
        while let Some(None) = self.open.front() {
            self.open.pop_front();
            self.first.0 += 1;
        }
        match outcome {
            Outcome::Chosen(slot) => {
                self.chosen.insert(slot, waiter);
                None
            }
            _ => Some(waiter),
        }
    }

    /// Who waits for the reply of what was delivered at `slot`.
    pub(crate) fn deliver(&mut self, slot: Slot) -> Option<W> {
        // The common case of a follower with no clients costs one comparison.
        let first = self.chosen.first_entry()?;
        if *first.key() == slot { Some(first.remove()) } else { self.chosen.remove(&slot) }
    }

    /// How many wait.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.open.iter().flatten().count() + self.chosen.len()
    }
}

/// Reads on their way to be served, a batch under each handle.
#[derive(Debug)]
pub(crate) struct Queries<W> {
    next: QueryId,
    open: VecDeque<(QueryId, Vec<W>)>,
    /// Emptied batches, for their memory.
    spare: Vec<Vec<W>>,
}

impl<W> Default for Queries<W> {
    fn default() -> Queries<W> {
        Queries { next: QueryId::default(), open: VecDeque::new(), spare: Vec::new() }
    }
}

impl<W> Queries<W> {
    /// Takes all of `batch`, if there is any, under a new handle.
    pub(crate) fn push(&mut self, batch: &mut Vec<W>) -> Option<QueryId> {
        if batch.is_empty() {
            return None;
        }
        let query = self.next;
        self.next.0 += 1;
        let spare = self.spare.pop().unwrap_or_default();
        self.open.push_back((query, std::mem::replace(batch, spare)));
        Some(query)
    }

    /// The batch under `query`, which is answered now. Give the memory back with
    /// [`recycle`](Queries::recycle).
    pub(crate) fn take(&mut self, query: QueryId) -> Vec<W> {
        match self.open.iter().position(|(id, _)| *id == query) {
            Some(place) => self.open.remove(place).map(|(_, batch)| batch).unwrap_or_default(),
            None => Vec::new(),
        }
    }

    /// Keeps the memory of a batch that was answered.
    pub(crate) fn recycle(&mut self, mut batch: Vec<W>) {
        batch.clear();
        if self.spare.len() < SPARE_MAX {
            self.spare.push(batch);
        }
    }
}

/// Batches in flight at once, mostly.
const SPARE_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Proposals<&'static str> {
        let mut proposals = Proposals::default();
        for waiter in ["a", "b", "c"] {
            proposals.push(waiter);
        }
        proposals
    }

    #[test]
    fn a_chosen_proposal_is_answered_when_its_slot_is_delivered() {
        let mut proposals = three();
        assert_eq!(proposals.next(), ProposalId(3));
        assert_eq!(proposals.resolve(ProposalId(1), Outcome::Chosen(Slot(9))), None);
        assert_eq!(proposals.resolve(ProposalId(0), Outcome::Chosen(Slot(7))), None);
        assert_eq!(proposals.deliver(Slot(8)), None);
        assert_eq!(proposals.deliver(Slot(9)), Some("b"));
        assert_eq!(proposals.deliver(Slot(7)), Some("a"));
        assert_eq!(proposals.len(), 1);
    }

    #[test]
    fn any_other_outcome_is_the_answer() {
        for outcome in [Outcome::Busy, Outcome::TooLarge, Outcome::Unknown] {
            assert_eq!(three().resolve(ProposalId(2), outcome), Some("c"));
        }
        assert_eq!(three().resolve(ProposalId(0), Outcome::Redirected(None)), Some("a"));
    }

    #[test]
    fn a_handle_is_answered_once_and_never_reused() {
        let mut proposals = three();
        for id in [2, 0, 1] {
            assert!(proposals.resolve(ProposalId(id), Outcome::Unknown).is_some());
            assert!(proposals.resolve(ProposalId(id), Outcome::Unknown).is_none());
        }
        assert_eq!(proposals.resolve(ProposalId(77), Outcome::Unknown), None);
        assert_eq!(proposals.next(), ProposalId(3));
        assert_eq!(proposals.len(), 0);
    }

    #[test]
    fn batches_of_reads_are_answered_in_any_order() {
        let mut queries = Queries::default();
        assert_eq!(queries.push(&mut Vec::<u8>::new()), None);
        let mut batch = vec![1, 2];
        let first = queries.push(&mut batch).expect("not empty");
        batch.push(3);
        let second = queries.push(&mut batch).expect("not empty");
        assert_eq!(queries.take(second), [3]);
        assert_eq!(queries.take(first), [1, 2]);
        assert!(queries.take(first).is_empty());
        assert!(batch.is_empty());
    }
}
