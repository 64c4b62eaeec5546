//! Who waits for what: from the core's handles back to the clients.
//!
//! Bounded by what may be outstanding: the clients' connections bound what is
//! proposed, and the core gives every handle exactly one answer.

use std::collections::{BTreeMap, VecDeque};

use paxos_core::effect::Outcome;
use paxos_core::types::{ProposalId, QueryId, Slot};

use crate::resp::Reply;

/// Proposals on their way to a reply: handle, then slot, then reply.
///
/// Mostly a slot is delivered after the core has said whose it is. A command that
/// was handed on to a leader may be delivered here before the leader's answer
/// comes, so replies are kept for a while as long as answers are outstanding.
#[derive(Debug)]
pub(crate) struct Proposals<W, R> {
    /// The handle of the first of `open`.
    first: ProposalId,
    /// By handle, without holes in the numbers. What is resolved is taken out;
    /// the front is never empty.
    open: VecDeque<Option<W>>,
    /// Chosen, and not yet delivered here.
    chosen: BTreeMap<Slot, W>,
    /// All slots below are delivered.
    delivered: Slot,
    /// What nobody has waited for yet.
    replies: Replies<R>,
}

/// Replies that may still be asked for, by slot, ascending.
///
/// Invariant: `bytes` is their weight in all.
#[derive(Debug)]
struct Replies<R> {
    kept: VecDeque<(Slot, R)>,
    bytes: usize,
}

/// What keeping a reply costs.
pub(crate) trait Weight {
    /// In bytes, roughly.
    fn weight(&self) -> usize;
}

impl Weight for Reply {
    fn weight(&self) -> usize {
        Reply::weight(self)
    }
}

impl<W, R> Default for Proposals<W, R> {
    fn default() -> Proposals<W, R> {
        Proposals {
            first: ProposalId::default(),
            open: VecDeque::new(),
            chosen: BTreeMap::new(),
            delivered: Slot::FIRST,
            replies: Replies { kept: VecDeque::new(), bytes: 0 },
        }
    }
}

impl<W, R: Weight> Proposals<W, R> {
    /// The handle that the next [`push`](Proposals::push) takes.
    pub(crate) fn next(&self) -> ProposalId {
        ProposalId(self.first.0 + self.open.len() as u64)
    }

    /// `waiter` waits for the next handle.
    pub(crate) fn push(&mut self, waiter: W) {
        self.open.push_back(Some(waiter));
    }

    /// The core's answer to one handle. A waiter that comes back is answered now:
    /// with the reply, if there is one, or else by what the outcome says.
    pub(crate) fn resolve(
        &mut self,
        proposal: ProposalId,
        outcome: Outcome,
    ) -> Option<(W, Option<R>)> {
        let place = usize::try_from(proposal.0.checked_sub(self.first.0)?).ok()?;
        let waiter = self.open.get_mut(place)?.take()?;
        while let Some(None) = self.open.front() {
            self.open.pop_front();
            self.first.0 += 1;
        }
        match outcome {
            Outcome::Chosen(slot) if slot < self.delivered => {
                Some((waiter, self.replies.take(slot)))
            }
            Outcome::Chosen(slot) => {
                self.chosen.insert(slot, waiter);
                None
            }
            _ => Some((waiter, None)),
        }
    }

    /// What was delivered at `slot`, the one after the last, has this reply; none
    /// if it was a no-op. Gives it back with its waiter, if that is known.
    pub(crate) fn deliver(&mut self, slot: Slot, reply: Option<R>) -> Option<(W, Option<R>)> {
        self.delivered = slot.next();
        // The common case of a node without clients costs one comparison.
        if let Some(first) = self.chosen.first_entry()
            && *first.key() == slot
        {
            return Some((first.remove(), reply));
        }
        if self.open.is_empty() {
            self.replies.clear();
        } else if let Some(reply) = reply {
            self.replies.keep(slot, reply);
        }
        None
    }

    /// All slots below `below` have had their effect, and nobody knows what they
    /// answered. Gives back who has waited for one of them.
    pub(crate) fn skip(&mut self, below: Slot) -> Vec<W> {
        self.delivered = self.delivered.max(below);
        self.replies.drop_below(below);
        let later = self.chosen.split_off(&below);
        std::mem::replace(&mut self.chosen, later).into_values().collect()
    }

    /// How many wait.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.open.iter().flatten().count() + self.chosen.len()
    }
}

impl<R: Weight> Replies<R> {
    /// Keeps the reply of a slot behind all others, and forgets the oldest where they
    /// are too many or too long.
    fn keep(&mut self, slot: Slot, reply: R) {
        self.bytes += reply.weight();
        self.kept.push_back((slot, reply));
        // The newest stays, however long it is: its answer may be next.
        while self.kept.len() > 1 && self.is_too_much() {
            self.drop_first();
        }
    }

    fn take(&mut self, slot: Slot) -> Option<R> {
        let place = self.kept.binary_search_by_key(&slot, |(slot, _)| *slot).ok()?;
        let (_, reply) = self.kept.remove(place)?;
        self.bytes -= reply.weight();
        Some(reply)
    }

    fn drop_below(&mut self, below: Slot) {
        while self.kept.front().is_some_and(|(slot, _)| *slot < below) {
            self.drop_first();
        }
    }

    fn clear(&mut self) {
        self.kept.clear();
        self.bytes = 0;
    }

    fn is_too_much(&self) -> bool {
        self.kept.len() > REPLIES_MAX || self.bytes > REPLIES_BYTES_MAX
    }

    fn drop_first(&mut self) {
        if let Some((_, reply)) = self.kept.pop_front() {
            self.bytes -= reply.weight();
        }
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

/// Replies that are kept for answers that come late. Whose is older is told that
/// the outcome is unknown, although it is only the reply that is.
const REPLIES_MAX: usize = 4096;
/// Bytes of them; one reply may go beyond it.
const REPLIES_BYTES_MAX: usize = 32 << 20;
/// Batches in flight at once, mostly.
const SPARE_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// A number stands for a reply of so many bytes.
    impl Weight for u32 {
        fn weight(&self) -> usize {
            *self as usize
        }
    }

    fn three() -> Proposals<&'static str, u32> {
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
        assert_eq!(proposals.resolve(ProposalId(1), Outcome::Chosen(Slot(3))), None);
        assert_eq!(proposals.resolve(ProposalId(0), Outcome::Chosen(Slot(1))), None);
        assert_eq!(proposals.deliver(Slot(1), Some(10)), Some(("a", Some(10))));
        assert_eq!(proposals.deliver(Slot(2), Some(20)), None);
        assert_eq!(proposals.deliver(Slot(3), Some(30)), Some(("b", Some(30))));
        assert_eq!(proposals.len(), 1);
    }

    #[test]
    fn a_proposal_whose_slot_was_delivered_before_gets_the_reply_that_was_kept() {
        let mut proposals = three();
        for slot in 1..5 {
            assert_eq!(proposals.deliver(Slot(slot), (slot != 3).then_some(slot as u32)), None);
        }
        let late = |proposals: &mut Proposals<_, _>, id, slot| {
            proposals.resolve(ProposalId(id), Outcome::Chosen(Slot(slot)))
        };
        assert_eq!(late(&mut proposals, 1, 2), Some(("b", Some(2))));
        assert_eq!(late(&mut proposals, 0, 4), Some(("a", Some(4))));
        assert_eq!(late(&mut proposals, 2, 3), Some(("c", None)));
    }

    #[test]
    fn who_waits_for_a_slot_that_an_image_holds_is_given_back() {
        let mut proposals = three();
        for (id, slot) in [(0, 5), (1, 20)] {
            assert_eq!(proposals.resolve(ProposalId(id), Outcome::Chosen(Slot(slot))), None);
        }
        assert_eq!(proposals.skip(Slot(10)), ["a"]);
        // Heard of too late: it has had its effect, and nobody knows the answer.
        let late = proposals.resolve(ProposalId(2), Outcome::Chosen(Slot(9)));
        assert_eq!(late, Some(("c", None)));
        assert_eq!(proposals.deliver(Slot(20), Some(7)), Some(("b", Some(7))));
    }

    #[test]
    fn only_so_many_replies_are_kept_and_none_when_nobody_waits() {
        let mut proposals = three();
        let last = REPLIES_MAX as u64 + 1;
        for slot in 1..=last {
            proposals.deliver(Slot(slot), Some(7));
        }
        assert_eq!(proposals.replies.kept.len(), REPLIES_MAX);
        let oldest = proposals.resolve(ProposalId(0), Outcome::Chosen(Slot(1)));
        assert_eq!(oldest, Some(("a", None)));
        for id in [1, 2] {
            proposals.resolve(ProposalId(id), Outcome::Unknown);
        }
        proposals.deliver(Slot(last + 1), Some(7));
        assert!(proposals.replies.kept.is_empty() && proposals.replies.bytes == 0);
    }

    #[test]
    fn only_so_many_bytes_of_replies_are_kept_but_always_the_newest() {
        let mut proposals = three();
        let half = REPLIES_BYTES_MAX as u32 / 2;
        for slot in 1..=3 {
            proposals.deliver(Slot(slot), Some(half));
        }
        assert_eq!(proposals.resolve(ProposalId(0), Outcome::Chosen(Slot(1))), Some(("a", None)));
        let second = proposals.resolve(ProposalId(1), Outcome::Chosen(Slot(2)));
        assert_eq!(second, Some(("b", Some(half))));
        proposals.deliver(Slot(4), Some(3 * half));
        assert_eq!(proposals.replies.bytes, 3 * half as usize);
        let newest = proposals.resolve(ProposalId(2), Outcome::Chosen(Slot(4)));
        assert_eq!(newest, Some(("c", Some(3 * half))));
        assert_eq!(proposals.replies.bytes, 0);
    }

    #[test]
    fn any_other_outcome_is_the_answer() {
        for outcome in [Outcome::Busy, Outcome::TooLarge, Outcome::Unknown] {
            assert_eq!(three().resolve(ProposalId(2), outcome), Some(("c", None)));
        }
        let redirected = Outcome::Redirected(None);
        assert_eq!(three().resolve(ProposalId(0), redirected), Some(("a", None)));
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
