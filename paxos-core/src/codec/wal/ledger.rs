//! Which segments the log still needs.
//!
//! Follows the records that are durable, and answers three questions of whoever
//! owns the files: what must stand at the front of a new segment so that older ones
//! can go ([`restatement`](Ledger::restatement)), where the log may begin
//! ([`start`](Ledger::start)), and thereby which segments may be deleted: those
//! before the start, once it is on record. Touches no file.
//!
//! Invariant: a log that is read from [`start`](Ledger::start) gives the same
//! promises, the same floors, and the same cells at or above every floor as the
//! log that is read from its first block. The restatement repeats the promises, how the
//! group was founded, and what a witness was told in the place of slots that it forgot;
//! and it says how far slots had been spoken of, which is how far everything before
//! it must have been trimmed ere the log begins there.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::{Block, Chain, Start};
use crate::log::{Entry, Record};
use crate::types::{Ballot, Founding, GroupId, Schedule, Slot};

/// What the durable part of a log says, as far as deleting its front is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    groups: BTreeMap<GroupId, Group>,
    /// Where the log may begin now; none before the first restatement serves.
    start: Option<Start>,
    /// Restatements that do not serve yet, oldest first.
    later: VecDeque<Candidate>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    promised: Ballot,
    floor: Slot,
    /// No record speaks of a slot from here on.
    end: Slot,
    /// What a witness was told last in the place of the slots below.
    relieved: Option<(Slot, Schedule)>,
    /// How the group was founded.
    founding: Founding,
}

/// A durable restatement.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    start: Start,
    /// The log may begin here when these groups are trimmed up to there.
    waits: Vec<(GroupId, Slot)>,
}

impl Default for Group {
    fn default() -> Group {
        Group {
            promised: Ballot::ZERO,
            floor: Slot::FIRST,
            end: Slot::FIRST,
            relieved: None,
            founding: Founding::Open,
        }
    }
}

impl Ledger {
    /// The ledger of an empty log.
    pub fn new() -> Ledger {
        Ledger::default()
    }

    /// Takes in a block that a scan has found. Every block, in order.
    pub fn found(&mut self, block: &Block) {
        let chain = Chain { lsn: block.lsn, link: block.link };
        self.synced(Start { segment: block.place.segment, chain }, &block.records);
    }

    /// Takes in a block that was written and is durable now: its segment, what the
    /// tail's [`chain`](super::Tail::chain) was before it was sealed, and its records.
    pub fn synced<'a>(&mut self, at: Start, records: impl IntoIterator<Item = &'a Record>) {
        let mut is_restatement = false;
        let mut is_trimmed = false;
        for record in records {
            is_restatement |= matches!(record.entry, Entry::Reached { .. });
            is_trimmed |= matches!(record.entry, Entry::Trimmed { .. } | Entry::Relieved { .. });
            self.take(record);
        }
        if is_restatement {
            let waits = self.groups.iter().filter(|(_, group)| group.floor < group.end);
            let waits = waits.map(|(id, group)| (*id, group.end)).collect();
            self.later.push_back(Candidate { start: at, waits });
        }
        if is_restatement || is_trimmed {
            self.advance();
        }
    }

    /// What the first block of the next segment must begin with, or, behind the
    /// repetition, the second of a life's first one. Empty if there is nothing to say.
    pub fn restatement(&self) -> impl Iterator<Item = Record> {
        self.groups.iter().flat_map(|(id, group)| {
            let below = group.end.max(group.floor);
            // First, since it counts only where nothing of the group stands before.
            let reached = Record { group: *id, entry: Entry::Reached { below } };
            let promised = Record { group: *id, entry: Entry::Promised(group.promised) };
            let floor = Record { group: *id, entry: Entry::Trimmed { below: group.floor } };
            let is_promised = group.promised != Ballot::ZERO;
            let is_trimmed = group.floor > Slot::FIRST;
            let promised = is_promised.then_some(promised);
            let relieved = group.relieved.clone().map(|(below, schedule)| Record {
                group: *id,
                entry: Entry::Relieved { below, schedule },
            });
            let founding = Record { group: *id, entry: Entry::Founding(group.founding.clone()) };
            let founding = (group.founding != Founding::Open).then_some(founding);
            [Some(reached), founding, promised, is_trimmed.then_some(floor), relieved]
                .into_iter()
                .flatten()
        })
    }

    /// Where the log may begin: every slot that earlier segments speak of is
    /// trimmed, and whatever else they say is said again from there on, durably. None
    /// while the log must begin where it does.
    ///
    /// Put this on record, durably; then the segments before it may be deleted.
    pub fn start(&self) -> Option<Start> {
        self.start
    }

    /// The floor of `group`: slots below are trimmed.
    pub fn floor(&self, group: GroupId) -> Slot {
        self.groups.get(&group).map_or(Slot::FIRST, |group| group.floor)
    }

    fn take(&mut self, record: &Record) {
        let group = self.groups.entry(record.group).or_default();
        match &record.entry {
            Entry::Promised(ballot) => group.promised = group.promised.max(*ballot),
            Entry::Voted { ballot, run } => {
                group.promised = group.promised.max(*ballot);
                group.end = group.end.max(run.end());
            }
            Entry::Learned { run } => group.end = group.end.max(run.end()),
            Entry::Trimmed { below } => group.floor = group.floor.max(*below),
            Entry::Relieved { below, schedule } => {
                group.floor = group.floor.max(*below);
                group.relieved = Some((*below, schedule.clone()));
            }
            Entry::Reached { below } => group.end = group.end.max(*below),
            Entry::Founding(founding) => group.founding = founding.clone(),
            // The values stand in other records.
            Entry::Chosen { .. } => {}
        }
    }

    fn advance(&mut self) {
        let Ledger { groups, start, later } = self;
        while let Some(next) = later.front_mut() {
            next.waits.retain(|(id, end)| groups.get(id).is_some_and(|group| group.floor < *end));
            if !next.waits.is_empty() {
                return;
            }
            *start = Some(next.start);
            later.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
