//! Batches as a node might write them.
//!
//! Invariant: every batch can be replayed after those before it.

use bytes::Bytes;
use paxos_core::log::{Batch, Durable, Entry, Record};
use paxos_core::quorum::Membership;
use paxos_core::types::{
    Ballot, Charter, Checksum, Command, Founding, GroupId, NodeId, Run, Schedule, Slot, Value,
    WriteId,
};

use crate::choice::{Choice, Seeded};

/// Writes batches that make sense after what is on the disk.
#[derive(Clone, Debug)]
pub(super) struct Author {
    choice: Seeded,
    /// What all batches say so far, those included that may yet be lost.
    said: Durable,
    last: u64,
    /// Makes every value another.
    values: u64,
}

const GROUPS: u32 = 3;

impl Author {
    pub(super) fn new(choice: Seeded) -> Author {
        Author { choice, said: Durable::default(), last: 0, values: 0 }
    }

    /// Goes on after a start that has found this.
    pub(super) fn goes_on(&mut self, found: &Durable) {
        self.said = found.clone();
    }

    /// The next batch.
    pub(super) fn write(&mut self) -> Batch {
        self.last += 1;
        let count = 1 + self.choice.weighted(&[6, 3, 1]);
        let records = (0..count).map(|_| self.record()).collect();
        Batch { id: WriteId(self.last), records }
    }

    fn record(&mut self) -> Record {
        let group = GroupId(self.choice.below(GROUPS).into());
        let entry = self.entry(group);
        let record = Record { group, entry };
        self.said.replay(record.clone()).expect("written to fit");
        record
    }

    fn entry(&mut self, group: GroupId) -> Entry {
        let known = self.said.group(group);
        let promised = known.map_or(Ballot::default(), |g| g.promised());
        let log = known.map(|g| g.log());
        let (floor, chosen, end) = log
            .map_or((Slot::FIRST, Slot::FIRST, Slot::FIRST), |l| (l.floor(), l.chosen(), l.end()));
        let node = NodeId(1 + self.choice.below(3) as u16);
        let next = Ballot::new(promised.round + 1, node);
        match self.choice.weighted(&[2, 6, 3, 1, 1, 1, 1]) {
            1 => {
                // Upon slots that are open, and a little beyond the end.
                let open = end.since(chosen) + u64::from(self.choice.below(3));
                let first = Slot(chosen.0 + self.choice.range(0..=open.min(4)));
                let count = 1 + self.choice.below(3);
                let mut slots = (first.0..first.0 + u64::from(count)).map(Slot);
                let is_chosen = |slot| log.and_then(|l| l.get(slot)).is_some_and(|c| c.chosen);
                let first = if slots.any(is_chosen) { end } else { first };
                let run = self.run(first, count);
                Entry::Voted { ballot: next, run }
            }
            2 => {
                let count = 1 + self.choice.below(3);
                Entry::Learned { run: self.run(end, count) }
            }
            3 if self.is_whole(group, chosen, end) => Entry::Chosen { below: end },
            4 if chosen > floor => Entry::Trimmed { below: chosen },
            5 if end > floor => Entry::Relieved { below: end, schedule: schedule() },
            6 => Entry::Founding(founding(known.map(|g| g.founding()), self.choice.below(3))),
            _ => Entry::Promised(next),
        }
    }

    fn is_whole(&self, group: GroupId, from: Slot, end: Slot) -> bool {
        let Some(known) = self.said.group(group) else { return false };
        from < end && (from.0..end.0).all(|slot| known.log().get(Slot(slot)).is_some())
    }

    fn run(&mut self, first: Slot, count: u32) -> Run {
        let values: Vec<Value> = (0..count).map(|_| self.value()).collect();
        Run::collect(first, values.into_iter())
    }

    fn value(&mut self) -> Value {
        self.values += 1;
        let most = [0, 40, 700, 5_000, 70_000][self.choice.weighted(&[4, 20, 8, 2, 1])];
        let bytes = self.choice.below(most + 1) as usize;
        if bytes == 0 && self.choice.below(2) == 0 {
            return Value::Noop;
        }
        let mut payload = self.values.to_le_bytes().to_vec();
        payload.resize(8 + bytes, self.values as u8);
        Value::Command(Command::plain(Bytes::from(payload)))
    }
}

/// The next step of a founding, if there is one.
fn founding(so_far: Option<&Founding>, draw: u32) -> Founding {
    let charter = Charter::new(Checksum(5), [1, 2, 3].map(|id| (NodeId(id), u64::from(id) * 7)));
    let charter = charter.expect("three disks");
    match so_far {
        None | Some(Founding::Open) if draw > 0 => Founding::Named(charter),
        None | Some(Founding::Open) => Founding::Joined,
        Some(Founding::Named(charter)) => Founding::Founded(charter.clone()),
        Some(settled) => settled.clone(),
    }
}

/// What a witness is told of the members.
fn schedule() -> Schedule {
    let group = Membership::majority([1, 2, 3].map(NodeId)).with_witnesses([NodeId(3)]);
    Schedule::starting(Slot::FIRST, group.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_record_is_written_and_all_of_it_fits() {
        let mut kinds = std::collections::BTreeSet::new();
        for seed in 0..40 {
            let mut author = Author::new(Seeded::new(seed));
            for id in 1..=60 {
                let batch = author.write();
                assert_eq!(batch.id, WriteId(id));
                for record in &batch.records {
                    kinds.insert(match record.entry {
                        Entry::Promised(_) => "promised",
                        Entry::Voted { .. } => "voted",
                        Entry::Learned { .. } => "learned",
                        Entry::Chosen { .. } => "chosen",
                        Entry::Trimmed { .. } => "trimmed",
                        Entry::Relieved { .. } => "relieved",
                        Entry::Reached { .. } => "reached",
                        Entry::Founding(_) => "founding",
                    });
                }
            }
        }
        // Who deletes the front of a log writes `Reached` itself.
        assert_eq!(kinds.len(), 7, "{kinds:?}");
    }
}
