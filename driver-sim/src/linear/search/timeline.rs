//! What does not depend on the order: who is under way at each return.

use crate::linear::history::Operation;
use crate::linear::model::{Class, Model};

/// How many operations of unknown outcome are looked through for one with an equal input.
const TWIN_DISTANCE_MAX: usize = 64;

/// A history as the returns of its operations, in order of time.
pub(super) struct Timeline {
    /// All returns. Operations of unknown outcome have none.
    pub(super) returns: Vec<Return>,
    /// The operations of unknown outcome that may have an effect, in order of invocation.
    pub(super) unknown: Vec<Unknown>,
    /// The operations of known outcome, in order of invocation.
    known: Vec<Known>,
    /// How many slots there are: the most operations of known outcome under way at once.
    pub(super) slots: usize,
}

/// The return of an operation, and what was under way until then.
pub(super) struct Return {
    /// The place of the operation in the history.
    pub(super) at: usize,
    /// The slot that its return frees.
    pub(super) slot: usize,
    /// The operations of known outcome under way, this one first, in order of return; as indices
    /// into `Timeline::known`, for these lists are most of the memory of a search.
    open: Box<[u32]>,
    /// How many of [`Timeline::unknown`] had begun.
    pub(super) unknown: usize,
    /// How many operations had begun.
    pub(super) begun: usize,
    /// Whether an update was among those under way, known or unknown.
    pub(super) updates: bool,
}

impl Return {
    /// Returns how many operations of known outcome were under way.
    pub(super) fn open_len(&self) -> usize {
        self.open.len()
    }
}

/// An operation of known outcome.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) at: usize,
    /// Its bit while it is under way; reused after its return.
    pub(super) slot: usize,
    /// How many returns came before its invocation.
    pub(super) since: usize,
    pub(super) class: Class,
}

/// An operation of unknown outcome.
pub(super) struct Unknown {
    pub(super) at: usize,
    pub(super) class: Class,
    /// An older one with an equal input, as an index into [`Timeline::unknown`].
    pub(super) twin: Option<usize>,
}

impl Timeline {
    pub(super) fn new<M: Model>(model: &M, operations: &[Operation<M::Input, M::Output>]) -> Self
    where
        M::Input: PartialEq,
    {
        let class = |at: usize| model.class(&operations[at].input, operations[at].output());
        let mut builder = Builder::default();
        for (_, is_return, at) in events(operations) {
            match (is_return, operations[at].output()) {
                (true, _) => builder.end(at),
                (false, Some(_)) => builder.begin(at, class(at), operations[at].returned()),
                (false, None) => builder.begin_unknown(at, class(at)),
            }
        }
        let mut unknown = std::mem::take(&mut builder.unknown);
        pair_twins(&mut unknown, |a, b| operations[a].input == operations[b].input);
        let Builder { returns, known, slots, .. } = builder;
        Self { returns, unknown, known, slots }
    }

    /// Lists the operations of known outcome under way at a return, the one that returns first.
    pub(super) fn open<'a>(&'a self, moment: &'a Return) -> impl Iterator<Item = &'a Known> {
        moment.open.iter().map(|index| &self.known[*index as usize])
    }

    /// Returns one of these.
    pub(super) fn open_at(&self, moment: &Return, place: usize) -> Option<&Known> {
        moment.open.get(place).map(|index| &self.known[*index as usize])
    }
}

/// Lists invocations and returns in order of time; at equal times, invocations come first.
fn events<I, O>(operations: &[Operation<I, O>]) -> Vec<(u64, bool, usize)> {
    let mut events = Vec::with_capacity(2 * operations.len());
    for (at, operation) in operations.iter().enumerate() {
        events.push((operation.invoked, false, at));
        if operation.outcome.is_some() {
            events.push((operation.returned(), true, at));
        }
    }
    events.sort_unstable();
    events
}

fn pair_twins(unknown: &mut [Unknown], equal: impl Fn(usize, usize) -> bool) {
    for index in 0..unknown.len() {
        let near = index.saturating_sub(TWIN_DISTANCE_MAX)..index;
        let twin = near.rev().find(|older| equal(unknown[*older].at, unknown[index].at));
        unknown[index].twin = twin;
    }
}

/// An operation of known outcome that has not returned yet; the first of these returns first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Open {
    returned: u64,
    at: usize,
    /// Its place in [`Timeline::known`].
    index: u32,
}

/// Walks through the events once.
#[derive(Default)]
struct Builder {
    returns: Vec<Return>,
    unknown: Vec<Unknown>,
    unknown_updates: bool,
    known: Vec<Known>,
    /// Under way now, in order of return.
    open: Vec<Open>,
    free: Vec<usize>,
    slots: usize,
    begun: usize,
}

impl Builder {
    fn begin(&mut self, at: usize, class: Class, returned: u64) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        });
        let index = u32::try_from(self.known.len()).expect("memory holds fewer operations");
        self.known.push(Known { at, slot, since: self.returns.len(), class });
        let open = Open { returned, at, index };
        let place = self.open.partition_point(|other| *other < open);
        self.open.insert(place, open);
        self.begun += 1;
    }

    /// Notes an operation that never returns. A read that nobody saw the answer of says nothing.
    fn begin_unknown(&mut self, at: usize, class: Class) {
        self.begun += 1;
        self.unknown_updates |= class == Class::Update;
        if class != Class::Read {
            self.unknown.push(Unknown { at, class, twin: None });
        }
    }

    /// Ends the first of those under way, which is the one that returns.
    fn end(&mut self, at: usize) {
        let open: Box<[u32]> = self.open.iter().map(|open| open.index).collect();
        let ended = self.open.remove(0);
        assert!(ended.at == at, "operations end in order of return");
        let known = |index: &u32| self.known[*index as usize];
        let updates =
            self.unknown_updates || open.iter().any(|index| known(index).class == Class::Update);
        let slot = known(&ended.index).slot;
        self.free.push(slot);
        let (unknown, begun) = (self.unknown.len(), self.begun);
        self.returns.push(Return { at, slot, open, unknown, begun, updates });
    }
}
