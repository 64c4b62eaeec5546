//! All durable state of a node, rebuilt from its records and handed over once.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry as Place;

use super::{Cell, Entry, Log, Record};
use crate::types::{Ballot, Founding, GroupId, Limits, Run, Schedule, Slot, Value};

/// What a node's disk says, from the first record to the last.
///
/// ```
/// use paxos_core::log::{Durable, Entry, Record};
/// use paxos_core::types::{Ballot, GroupId, NodeId};
///
/// let ballot = Ballot::new(4, NodeId(1));
/// let mut durable = Durable::default();
/// durable.replay(Record { group: GroupId(0), entry: Entry::Promised(ballot) })?;
/// assert_eq!(durable.group(GroupId(0)).unwrap().promised(), ballot);
/// # Ok::<(), paxos_core::log::ReplayError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Durable {
    groups: BTreeMap<GroupId, DurableGroup>,
}

/// What a node's disk says about one group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DurableGroup {
    promised: Ballot,
    log: Log,
    /// What a witness was told last in the place of the slots below.
    relieved: Option<(Slot, Schedule)>,
    founding: Founding,
}

/// Why a record cannot follow the ones before it. Not a torn write: those end at
/// the checksum. The file was written by something else, or the disk lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayError {
    /// A ballot or slot that no node could have written.
    Absurd(GroupId),
    /// A vote below a promise that was written earlier.
    BrokenPromise(GroupId, Ballot),
    /// Two values for one slot under one ballot, or over a chosen one.
    TwoValues(GroupId, Slot),
    /// Two ways in which the group was founded.
    TwoFoundings(GroupId),
}

impl core::fmt::Display for ReplayError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            ReplayError::Absurd(g) => write!(f, "group {}: absurd ballot or slot", g.0),
            ReplayError::BrokenPromise(g, b) => {
                write!(f, "group {}: a vote at {b} below an earlier promise", g.0)
            }
            ReplayError::TwoValues(g, s) => write!(f, "group {}: two values for slot {s}", g.0),
            ReplayError::TwoFoundings(g) => write!(f, "group {}: founded in two ways", g.0),
        }
    }
}

impl core::error::Error for ReplayError {}

impl Durable {
    /// How far a slot may lie above all slots before it. An acceptor never votes
    /// further ahead, so that a wild slot in a file cannot cost memory.
    pub const AHEAD_MAX: u64 = Limits::AHEAD_MAX as u64;

    /// Takes in the next record.
    pub fn replay(&mut self, record: Record) -> Result<(), ReplayError> {
        let group = record.group;
        match (self.groups.entry(group), record.entry) {
            // The log begins here.
            (Place::Vacant(place), Entry::Reached { below }) => {
                place.insert(DurableGroup::default()).trim(group, below)
            }
            (place, entry) => place.or_default().replay(group, entry),
        }
    }

    /// What the disk says about `group`; none if it says nothing.
    pub fn group(&self, group: GroupId) -> Option<&DurableGroup> {
        self.groups.get(&group)
    }

    /// The groups that the disk knows, ascending.
    pub fn groups(&self) -> impl Iterator<Item = (GroupId, &DurableGroup)> {
        self.groups.iter().map(|(id, group)| (*id, group))
    }

    /// Hands over what the disk says about `group`, leaving nothing.
    pub(crate) fn take(&mut self, group: GroupId) -> DurableGroup {
        self.groups.remove(&group).unwrap_or_default()
    }
}

impl DurableGroup {
    /// The highest ballot promised or voted at.
    pub fn promised(&self) -> Ballot {
        self.promised
    }

    /// Votes and chosen values.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Up to where a witness was told that it need not know what its log lacks; none if
    /// it never was.
    pub fn relieved(&self) -> Option<Slot> {
        self.relieved.as_ref().map(|(below, _)| *below)
    }

    /// How far the founding of the group has come.
    pub fn founding(&self) -> &Founding {
        &self.founding
    }

    /// Takes out what a witness was told.
    pub(crate) fn take_relieved(&mut self) -> Option<(Slot, Schedule)> {
        self.relieved.take()
    }

    pub(crate) fn into_parts(self) -> (Ballot, Log) {
        (self.promised, self.log)
    }

    fn replay(&mut self, group: GroupId, entry: Entry) -> Result<(), ReplayError> {
        match entry {
            Entry::Promised(ballot) => self.promise(group, ballot),
            Entry::Voted { ballot, run } => {
                self.check_span(group, run.first, run.end())?;
                if ballot < self.promised {
                    return Err(ReplayError::BrokenPromise(group, ballot));
                }
                self.promise(group, ballot)?;
                self.check_values(group, &run, |cell| cell.chosen || cell.ballot == ballot)?;
                self.log.vote(ballot, run);
                Ok(())
            }
            Entry::Learned { run } => {
                self.check_span(group, run.first, run.end())?;
                self.check_values(group, &run, |cell| cell.chosen)?;
                self.log.learn(&run);
                Ok(())
            }
            Entry::Chosen { below } => self.choose(group, below),
            Entry::Trimmed { below } => self.trim(group, below),
            Entry::Relieved { below, schedule } => {
                self.trim(group, below)?;
                self.relieved = Some((below, schedule));
                Ok(())
            }
            Entry::Founding(founding) => self.found(group, founding),
            Entry::Reached { below } if below < self.log.end() => Err(ReplayError::Absurd(group)),
            Entry::Reached { .. } => Ok(()),
        }
    }

    /// A disk stands by one charter, and goes no step back.
    fn found(&mut self, group: GroupId, next: Founding) -> Result<(), ReplayError> {
        let goes_on = match (&self.founding, &next) {
            (before, next) if before == next => true,
            (Founding::Open, _) | (Founding::Named(_), Founding::Joined) => next != Founding::Open,
            (Founding::Named(before), Founding::Founded(charter)) => before == charter,
            _ => false,
        };
        if !goes_on {
            return Err(ReplayError::TwoFoundings(group));
        }
        self.founding = next;
        Ok(())
    }

    fn trim(&mut self, group: GroupId, below: Slot) -> Result<(), ReplayError> {
        if !below.is_sane() {
            return Err(ReplayError::Absurd(group));
        }
        self.log.trim(below);
        self.log.sweep(usize::MAX);
        self.log.release(usize::MAX, usize::MAX);
        Ok(())
    }

    fn promise(&mut self, group: GroupId, ballot: Ballot) -> Result<(), ReplayError> {
        if !ballot.is_sane() {
            return Err(ReplayError::Absurd(group));
        }
        self.promised = self.promised.max(ballot);
        Ok(())
    }

    /// That no slot of `run` that is `bound` to what it holds would hold another value.
    fn check_values(
        &self,
        group: GroupId,
        run: &Run,
        bound: impl Fn(&Cell<'_>) -> bool,
    ) -> Result<(), ReplayError> {
        if run.first >= self.log.end() {
            return Ok(());
        }
        let held = |slot| self.log.get(slot).filter(&bound);
        let another =
            |(slot, value): &(Slot, &Value)| held(*slot).is_some_and(|c| c.value != *value);
        let broken = run.iter().find(another);
        broken.map_or(Ok(()), |(slot, _)| Err(ReplayError::TwoValues(group, slot)))
    }

    fn choose(&mut self, group: GroupId, below: Slot) -> Result<(), ReplayError> {
        if below > self.log.end() {
            return Err(ReplayError::Absurd(group));
        }
        while self.log.chosen() < below {
            // A hint never outruns the values: they stand in the records before it.
            let from = self.log.chosen();
            let Some(cell) = self.log.get(from) else { return Err(ReplayError::Absurd(group)) };
            let ballot = cell.ballot;
            self.log.choose(ballot, from, below);
        }
        Ok(())
    }

    fn check_span(&self, group: GroupId, first: Slot, end: Slot) -> Result<(), ReplayError> {
        let fits =
            first.is_sane() && end.is_sane() && end.since(self.log.end()) <= Durable::AHEAD_MAX;
        if fits { Ok(()) } else { Err(ReplayError::Absurd(group)) }
    }
}

#[cfg(test)]
mod tests;
