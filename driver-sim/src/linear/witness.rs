//! Checks against the log: who knows where each operation took effect needs no search.
//!
//! The log is the order. What is left to check: that real time agrees with it, that each write
//! stands where it says, and that replaying the log gives every answer that a client got. Exact
//! for any operation, transactions included, in O(n log n).
//!
//! A read at slot s saw the writes up to s. Reads between the same two writes have no order among
//! themselves: none of them can see another. Where a slot carries several commands, number the
//! commands instead. Where a command is repeated in the log and its copy has no effect
//! (exactly-once sessions), leave the copy out.

use std::cmp::Ordering;

use super::history::Operation;
use super::model::Model;
use super::verdict::{Inconclusive, Verdict, Violation};

/// Where in the log an operation took effect; ordered by that: a read follows the write at its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A command that was chosen at a slot.
    Write {
        /// The slot.
        slot: u64,
    },
    /// A read of a state.
    Read {
        /// The last slot whose command the state holds; 0 also stands for the initial state if no
        /// write has that slot.
        slot: u64,
    },
}

impl Place {
    fn rank(self) -> (u64, bool) {
        match self {
            Self::Write { slot } => (slot, false),
            Self::Read { slot } => (slot, true),
        }
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// An operation and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<I, O> {
    /// Where it took effect. An operation of unknown outcome whose place is unknown as well is
    /// left out; the log still holds its effect, if it had one.
    pub place: Place,
    /// What the client did and saw.
    pub operation: Operation<I, O>,
}

/// Checks operations against the log that they went through.
///
/// `log` holds what took effect, slots going strictly upwards; no-ops may be left out.
pub fn check<M: Model>(
    model: &M,
    log: impl IntoIterator<Item = (u64, M::Input)>,
    placed: &[Placed<M::Input, M::Output>],
) -> Verdict
where
    M::Input: PartialEq,
{
    let sorted = by_place(placed);
    let flaw = order(&sorted).or_else(|| shared_slot(&sorted));
    match flaw {
        Some(violation) => Verdict::Violation(violation),
        None => replay(model, log, &sorted),
    }
}

/// Checks only that real time agrees with the places: for callers that replay the log themselves.
pub fn check_order<I, O>(placed: &[Placed<I, O>]) -> Verdict {
    let sorted = by_place(placed);
    match order(&sorted).or_else(|| shared_slot(&sorted)) {
        Some(violation) => Verdict::Violation(violation),
        None => Verdict::Linearizable,
    }
}

fn by_place<I, O>(placed: &[Placed<I, O>]) -> Vec<&Placed<I, O>> {
    let mut sorted: Vec<_> = placed.iter().collect();
    sorted.sort_by_key(|placed| placed.place);
    sorted
}

/// Finds an operation that was over before another began, and stands behind it all the same.
///
/// From the end of the log backwards, only the operation that returned first matters: whoever
/// was invoked after any of those behind it was invoked after that one.
fn order<I, O>(sorted: &[&Placed<I, O>]) -> Option<Violation> {
    let mut first_returned: Option<&Operation<I, O>> = None;
    for group in sorted.chunk_by(|a, b| a.place == b.place).rev() {
        if let Some(earlier) = first_returned
            && let Some(later) = group.iter().find(|later| earlier.precedes(&later.operation))
        {
            return Some(Violation::OutOfOrder { earlier: earlier.id, later: later.operation.id });
        }
        let operations = group.iter().map(|placed| &placed.operation);
        first_returned = first_returned
            .into_iter()
            .chain(operations)
            .min_by_key(|operation| operation.returned());
    }
    None
}

fn shared_slot<I, O>(sorted: &[&Placed<I, O>]) -> Option<Violation> {
    sorted.windows(2).find_map(|pair| match (pair[0].place, pair[1].place) {
        (Place::Write { slot: one }, Place::Write { slot: other }) if one == other => {
            let (first, second) = (pair[0].operation.id, pair[1].operation.id);
            Some(Violation::SharedSlot { first, second })
        }
        _ => None,
    })
}

/// Replays the log and compares all answers on the way.
fn replay<M: Model>(
    model: &M,
    log: impl IntoIterator<Item = (u64, M::Input)>,
    sorted: &[&Placed<M::Input, M::Output>],
) -> Verdict
where
    M::Input: PartialEq,
{
    let mut state = model.initial();
    let mut rest = sorted;
    let mut last = None;
    for (slot, input) in log {
        if last.is_some_and(|last| slot <= last) {
            return Verdict::Inconclusive(Inconclusive::UnsortedLog { slot });
        }
        last = Some(slot);
        let (before, from_here) =
            rest.split_at(rest.partition_point(|placed| placed.place < Place::Write { slot }));
        if let Some(violation) = answers(model, &mut state, before) {
            return Verdict::Violation(violation);
        }
        rest = from_here;
        let output = model.apply(&mut state, &input);
        if let Some((placed, behind)) = rest.split_first()
            && placed.place == (Place::Write { slot })
        {
            if placed.operation.input != input {
                return not_in_log(placed);
            }
            if placed.operation.output().is_some_and(|seen| *seen != output) {
                return Verdict::Violation(Violation::WrongAnswer {
                    operation: placed.operation.id,
                });
            }
            rest = behind;
        }
    }
    match answers(model, &mut state, rest) {
        Some(violation) => Verdict::Violation(violation),
        None => Verdict::Linearizable,
    }
}

/// Compares the answers of reads between two commands of the log.
fn answers<M: Model>(
    model: &M,
    state: &mut M::State,
    reads: &[&Placed<M::Input, M::Output>],
) -> Option<Violation> {
    for placed in reads {
        let Operation { id, input, .. } = &placed.operation;
        if matches!(placed.place, Place::Write { .. }) {
            return Some(Violation::NotInLog { operation: *id });
        }
        let output = model.apply(state, input);
        if placed.operation.output().is_some_and(|seen| *seen != output) {
            return Some(Violation::WrongAnswer { operation: *id });
        }
    }
    None
}

fn not_in_log<I, O>(placed: &Placed<I, O>) -> Verdict {
    Verdict::Violation(Violation::NotInLog { operation: placed.operation.id })
}
