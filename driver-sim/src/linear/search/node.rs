//! The nodes of the search, and the ways on from each.

use smallvec::SmallVec;

use super::timeline::{Known, Return, Timeline, Unknown};
use crate::linear::history::Operation;
use crate::linear::model::{Class, Model};

/// A point where orders fork: an operation returns that has not taken effect yet.
///
/// Equal nodes have equal futures. Of two with equal forks, the one that has spent less has all
/// the futures of the other.
#[derive(Clone)]
pub(super) struct Node<S> {
    pub(super) fork: Fork<S>,
    /// Which operations of unknown outcome have taken effect, of [`Timeline::unknown`].
    pub(super) spent: Bits,
}

/// A node but for the operations of unknown outcome.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Fork<S> {
    /// Which return, as an index into [`Timeline::returns`].
    return_at: usize,
    /// Who of those under way has taken effect, by slot.
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
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
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
        self.fork.return_at
    }

    pub(super) fn state(&self) -> &S {
        &self.fork.state
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.fork.lead == Lead::Fresh
    }

    /// Tells whether a candidate is still there, and not to wait for an older one just like it.
    fn offers(&self, bit: Bit) -> bool {
        match bit {
            Bit::Known { slot } => !self.fork.done.has(slot),
            Bit::Unknown { index, twin } => {
                !self.spent.has(index) && twin.is_none_or(|twin| self.spent.has(twin))
            }
        }
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
    class: Class,
    bit: Bit,
}

/// Where it is noted that a candidate has taken effect.
#[derive(Clone, Copy)]
enum Bit {
    Known { slot: usize },
    Unknown { index: usize, twin: Option<usize> },
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
        let fork = Fork {
            return_at: 0,
            done: Bits::new(self.timeline.slots),
            overwritten: 0,
            state: self.model.initial(),
            lead: Lead::Fresh,
        };
        let spent = Bits::new(self.timeline.unknown.len());
        Some(Node { fork: self.settle(fork), spent })
    }

    /// Tells whether every operation that returned has taken effect.
    pub(super) fn is_end(&self, node: &Node<M::State>) -> bool {
        node.fork.return_at == self.timeline.returns.len()
    }

    /// Takes the next untried way on from `node`; `None` when all are tried.
    ///
    /// The ways, in order: excuse the operation that returns; let it take effect; let another one
    /// take effect before it, those first that return first, those of unknown outcome last.
    pub(super) fn fork(&self, node: &Node<M::State>, tried: &mut usize) -> Option<Node<M::State>> {
        let moment = &self.timeline.returns[node.fork.return_at];
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
        let (returning, fork) = (self.timeline.open_at(moment, 0)?, &node.fork);
        if fork.lead != Lead::Fresh || !fork.may_excuse(returning) {
            return None;
        }
        // Any state will do to check the answer: an overwrite gives the same one in all.
        self.applied(&fork.state, returning.at)?;
        let mut next = node.clone();
        next.fork.return_at += 1;
        next.fork = self.settle(next.fork);
        Some(next)
    }

    /// Lists those under way: the one that returns, others, those of unknown outcome.
    fn candidate(&self, moment: &Return, index: usize) -> Option<Candidate> {
        if let Some(Known { at, slot, class, .. }) = self.timeline.open_at(moment, index) {
            return Some(Candidate { at: *at, class: *class, bit: Bit::Known { slot: *slot } });
        }
        let index = index - moment.open_len();
        let Unknown { at, class, twin } = self.timeline.unknown[..moment.unknown].get(index)?;
        let bit = Bit::Unknown { index, twin: *twin };
        Some(Candidate { at: *at, class: *class, bit })
    }

    /// Lets a candidate take effect, if it can and if that may be of use.
    fn take(
        &self,
        node: &Node<M::State>,
        moment: &Return,
        candidate: Candidate,
    ) -> Option<Node<M::State>> {
        let useless = node.fork.lead == Lead::Unseen && candidate.class != Class::Update;
        if useless || !node.offers(candidate.bit) {
            return None;
        }
        let state = self.applied(&node.fork.state, candidate.at)?;
        let mut next = node.clone();
        next.fork.state = state;
        match candidate.bit {
            Bit::Known { slot } => next.fork.done.set(slot),
            Bit::Unknown { index, .. } => next.spent.set(index),
        }
        if candidate.class == Class::Overwrite {
            next.fork.overwritten = node.fork.return_at + 1;
        }
        let seen = self.serve_reads(&mut next.fork, self.timeline.open(moment));
        next.fork.lead = match (candidate.class, seen) {
            (Class::Overwrite, false) => Lead::Unseen,
            _ => Lead::Seen,
        };
        let last = candidate.at == moment.at;
        if next.fork.lead == Lead::Unseen && !last && !moment.updates {
            return None;
        }
        next.fork = self.settle(next.fork);
        Some(next)
    }

    /// Returns the state after an operation; `None` when its answer is not what the client saw.
    fn applied(&self, state: &M::State, at: usize) -> Option<M::State> {
        let operation = &self.operations[at];
        let mut state = state.clone();
        let output = self.model.apply(&mut state, &operation.input);
        operation.output().is_none_or(|seen| *seen == output).then_some(state)
    }

    /// Walks on through the returns of operations that have taken effect.
    fn settle(&self, mut fork: Fork<M::State>) -> Fork<M::State> {
        while let Some(moment) = self.timeline.returns.get(fork.return_at) {
            let from = fork.return_at;
            if fork.lead == Lead::Fresh {
                let begun = self.timeline.open(moment).filter(|open| open.since == from);
                self.serve_reads(&mut fork, begun);
            }
            if !fork.done.has(moment.slot) {
                break;
            }
            fork.done.clear(moment.slot);
            fork.return_at += 1;
            fork.lead = Lead::Fresh;
        }
        fork.overwritten = self.excused(&fork);
        fork
    }

    /// Returns the least [`Fork::overwritten`] that excuses the same overwrites under way.
    fn excused(&self, fork: &Fork<M::State>) -> usize {
        let moment = self.timeline.returns.get(fork.return_at);
        let open = moment.into_iter().flat_map(|moment| self.timeline.open(moment));
        let excused = open.filter(|open| fork.may_excuse(open) && !fork.done.has(open.slot));
        excused.map(|open| open.since + 1).max().unwrap_or(0)
    }

    /// Lets every read under way take effect whose answer fits; tells whether there was one.
    fn serve_reads<'b>(
        &self,
        fork: &mut Fork<M::State>,
        open: impl Iterator<Item = &'b Known>,
    ) -> bool {
        let mut served = false;
        for read in open {
            if read.class != Class::Read || fork.done.has(read.slot) {
                continue;
            }
            if self.applied(&fork.state, read.at).is_some() {
                fork.done.set(read.slot);
                served = true;
            }
        }
        served
    }
}

impl<S> Fork<S> {
    /// Tells whether an overwrite took effect while `open`, itself one, was under way.
    fn may_excuse(&self, open: &Known) -> bool {
        open.class == Class::Overwrite && open.since < self.overwritten
    }
}

/// A set of operations.
#[derive(Clone, PartialEq, Eq, Hash)]
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

    /// Tells whether all members are members of `other`, a set of the same operations.
    pub(super) fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(mine, theirs)| mine & !theirs == 0)
    }

    fn clear(&mut self, bit: usize) {
        self.0[bit / 64] &= !(1 << (bit % 64));
    }
}
