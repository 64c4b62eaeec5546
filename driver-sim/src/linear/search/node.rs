//! The nodes of the search, and the ways on from each.

use smallvec::SmallVec;

use super::timeline::{Open, Return, Timeline};
use crate::linear::history::Operation;
use crate::linear::model::{Class, Model};

/// A point where orders fork: an operation returns that has not taken effect yet.
///
/// Equal nodes have equal futures.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Node<S> {
    /// Which return, as an index into [`Timeline::returns`].
    return_at: usize,
    /// Who of those under way has taken effect.
    done: Bits,
    /// Overwrites under way are excused if fewer returns than this came before their invocation.
    ///
    /// An overwrite that takes effect excuses all others under way. As small as it can be, so that
    /// equal sets of excused ones make equal nodes.
    overwritten: usize,
    state: S,
    lead: Lead,
}

/// Who took effect at this return so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Lead {
    /// Nobody.
    Fresh,
    /// Last, an overwrite that no read has seen yet: only an update can still make use of it.
    Unseen,
    /// Others.
    Seen,
}

impl<S> Node<S> {
    pub(super) fn return_at(&self) -> usize {
        self.return_at
    }

    pub(super) fn state(&self) -> &S {
        &self.state
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.lead == Lead::Fresh
    }
}

/// Moves from node to node.
pub(super) struct Walk<'a, M: Model> {
    model: &'a M,
    operations: &'a [Operation<M::Input, M::Output>],
    timeline: &'a Timeline,
}

/// Who may take effect next.
#[derive(Clone, Copy)]
struct Candidate {
    at: usize,
    bit: usize,
    class: Class,
}

impl<'a, M: Model> Walk<'a, M>
where
    M::State: Clone,
{
    pub(super) fn new(
        model: &'a M,
        operations: &'a [Operation<M::Input, M::Output>],
        timeline: &'a Timeline,
    ) -> Self {
        Self { model, operations, timeline }
    }

    /// Returns the first node.
    pub(super) fn start(&self) -> Option<Node<M::State>> {
        let node = Node {
            return_at: 0,
            done: Bits::new(self.timeline.bits),
            overwritten: 0,
            state: self.model.initial(),
            lead: Lead::Fresh,
        };
        Some(self.settle(node))
    }

    /// Tells whether every operation that returned has taken effect.
    pub(super) fn is_end(&self, node: &Node<M::State>) -> bool {
        node.return_at == self.timeline.returns.len()
    }

    /// Takes the next untried way on from `node`; `None` when all are tried.
    ///
    /// The ways, in order: excuse the operation that returns; let it take effect; let another one
    /// take effect before it, those first that return first, those of unknown outcome last.
    pub(super) fn fork(&self, node: &Node<M::State>, tried: &mut usize) -> Option<Node<M::State>> {
        let moment = &self.timeline.returns[node.return_at];
        loop {
            let way = *tried;
            *tried += 1;
            let next = match way.checked_sub(1) {
                None => self.excuse(node, moment),
                Some(index) => match self.candidate(moment, index) {
                    Some(candidate) => self.take(node, moment, candidate),
                    None => return None,
                },
            };
            if next.is_some() {
                return next;
            }
        }
    }

    /// Lets the returning overwrite have taken effect unseen, if it can.
    fn excuse(&self, node: &Node<M::State>, moment: &Return) -> Option<Node<M::State>> {
        let returning = moment.open.first()?;
        if node.lead != Lead::Fresh || !node.may_excuse(returning) {
            return None;
        }
        // Any state will do to check the answer: an overwrite gives the same one in all.
        self.applied(&node.state, returning.at)?;
        let (done, state) = (node.done.clone(), node.state.clone());
        Some(self.settle(Node { return_at: node.return_at + 1, done, state, ..*node }))
    }

    /// Lists those under way: the one that returns, others, those of unknown outcome.
    fn candidate(&self, moment: &Return, index: usize) -> Option<Candidate> {
        if let Some(open) = moment.open.get(index) {
            return Some(Candidate { at: open.at, bit: open.slot, class: open.class });
        }
        let index = index - moment.open.len();
        let unknown = self.timeline.unknown[..moment.unknown].get(index)?;
        Some(Candidate { at: unknown.at, bit: self.timeline.slots + index, class: unknown.class })
    }

    /// Lets a candidate take effect, if it can and if that may be of use.
    fn take(
        &self,
        node: &Node<M::State>,
        moment: &Return,
        candidate: Candidate,
    ) -> Option<Node<M::State>> {
        let useless = node.lead == Lead::Unseen && candidate.class != Class::Update;
        if node.done.has(candidate.bit) || useless || self.yields_to_twin(node, candidate) {
            return None;
        }
        let state = self.applied(&node.state, candidate.at)?;
        let mut next = Node { done: node.done.clone(), state, ..*node };
        next.done.set(candidate.bit);
        if candidate.class == Class::Overwrite {
            next.overwritten = node.return_at + 1;
        }
        let seen = self.serve_reads(&mut next, &moment.open);
        next.lead = match (candidate.class, seen) {
            (Class::Overwrite, false) => Lead::Unseen,
            _ => Lead::Seen,
        };
        let in_vain = next.lead == Lead::Unseen && candidate.at != moment.at && !moment.updates;
        (!in_vain).then(|| self.settle(next))
    }

    /// Returns the state after an operation; `None` when its answer is not what the client saw.
    fn applied(&self, state: &M::State, at: usize) -> Option<M::State> {
        let operation = &self.operations[at];
        let mut state = state.clone();
        let output = self.model.apply(&mut state, &operation.input);
        operation.output().is_none_or(|seen| *seen == output).then_some(state)
    }

    /// Tells whether an older operation of unknown outcome with an equal input goes first.
    fn yields_to_twin(&self, node: &Node<M::State>, candidate: Candidate) -> bool {
        let index = candidate.bit.checked_sub(self.timeline.slots);
        let twin = index.and_then(|index| self.timeline.unknown[index].twin);
        twin.is_some_and(|twin| !node.done.has(self.timeline.slots + twin))
    }

    /// Walks on through the returns of operations that have taken effect.
    fn settle(&self, mut node: Node<M::State>) -> Node<M::State> {
        while let Some(moment) = self.timeline.returns.get(node.return_at) {
            let from = node.return_at;
            if node.lead == Lead::Fresh {
                let begun = moment.open.iter().filter(|open| open.since == from);
                self.serve_reads(&mut node, begun);
            }
            if !node.done.has(moment.slot) {
                break;
            }
            node.done.clear(moment.slot);
            node.return_at += 1;
            node.lead = Lead::Fresh;
        }
        node.overwritten = self.excused(&node);
        node
    }

    /// Returns the least [`Node::overwritten`] that excuses the same overwrites under way.
    fn excused(&self, node: &Node<M::State>) -> usize {
        let open = self.timeline.returns.get(node.return_at).map_or(&[][..], |moment| &moment.open);
        let excused = open.iter().filter(|open| node.may_excuse(open) && !node.done.has(open.slot));
        excused.map(|open| open.since + 1).max().unwrap_or(0)
    }

    /// Lets every read under way take effect whose answer fits; tells whether there was one.
    fn serve_reads<'b>(
        &self,
        node: &mut Node<M::State>,
        open: impl IntoIterator<Item = &'b Open>,
    ) -> bool {
        let mut served = false;
        for read in open {
            if read.class != Class::Read || node.done.has(read.slot) {
                continue;
            }
            if self.applied(&node.state, read.at).is_some() {
                node.done.set(read.slot);
                served = true;
            }
        }
        served
    }
}

impl<S> Node<S> {
    /// Tells whether an overwrite took effect while `open`, itself one, was under way.
    fn may_excuse(&self, open: &Open) -> bool {
        open.class == Class::Overwrite && open.since < self.overwritten
    }
}

/// A set of operations under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bits(SmallVec<[u64; 2]>);

impl Bits {
    fn new(bits: usize) -> Self {
        Self(SmallVec::from_elem(0, bits.div_ceil(64)))
    }

    fn has(&self, bit: usize) -> bool {
        self.0[bit / 64] & (1 << (bit % 64)) != 0
    }

    fn set(&mut self, bit: usize) {
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    fn clear(&mut self, bit: usize) {
        self.0[bit / 64] &= !(1 << (bit % 64));
    }
}
