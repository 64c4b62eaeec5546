//! A simulated disk: batches that wait, one block of them in flight, and what a crash leaves.
//!
//! What waits while a sync is under way goes out with the next one as one block, as on a real
//! node. A crash loses all that waits; of the block in flight it keeps any sectors. The next start
//! reads the bytes that are left.
//!
//! Invariant: `durable` is the replay of all batches on the platter, and of nothing else. It is
//! the omniscient view that the checks compare with what a node says, and with what the next start
//! finds (I15).

#[cfg(test)]
mod conform;
mod front;
mod platter;

use std::collections::VecDeque;

use bytes::Bytes;
use paxos_core::codec::wal::Verdict;
use paxos_core::log::{Batch, Durable, Entry, Record, ReplayError};
use paxos_core::types::{Command, GroupId, Incarnation, NodeId, Run, Slot, Value, WriteId};

pub(crate) use self::platter::Decay;
use self::platter::{Platter, Torn};
use crate::check::{Checked, Violation, ensure};
use crate::choice::Choice;

/// One node's disk.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    durable: Durable,
    waiting: VecDeque<Batch>,
    flying: VecDeque<Batch>,
    platter: Platter,
    is_rotten: bool,
}

/// What a crash left of what was not synced.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wreck {
    /// Batches that are on the disk after all.
    pub(crate) saved: Vec<Batch>,
    /// How many are not.
    pub(crate) lost: usize,
    /// Whether some sectors of a block survived, and others did not.
    pub(crate) is_torn: bool,
}

impl Disk {
    /// An empty disk with segments of so many bytes.
    pub(crate) fn new(node: NodeId, segment_bytes: u64) -> Disk {
        Disk {
            durable: Durable::default(),
            waiting: VecDeque::new(),
            flying: VecDeque::new(),
            platter: Platter::new(node, segment_bytes),
            is_rotten: false,
        }
    }

    /// Below which slot a witness was let go of what `group` has chosen, as far as is written or
    /// waits to be: with no room for more, that may take long.
    pub(crate) fn relieved(&self, group: GroupId) -> Option<Slot> {
        let records = self.flying.iter().chain(&self.waiting).flat_map(|batch| &batch.records);
        let waiting = records.filter_map(|record| match &record.entry {
            Entry::Relieved { below, .. } if record.group == group => Some(*below),
            _ => None,
        });
        let durable = self.durable.group(group).and_then(|durable| durable.relieved());
        waiting.chain(durable).max()
    }

    /// What a node would find after a crash that loses everything unsynced.
    pub(crate) fn durable(&self) -> &Durable {
        &self.durable
    }

    /// Takes a batch in.
    pub(crate) fn write(&mut self, batch: Batch) {
        self.waiting.push_back(batch);
    }

    /// Begins to write what waits as one block, or the first batch alone; says whether there is
    /// one to begin.
    pub(crate) fn sync(&mut self, single: bool) -> Checked<bool> {
        if !self.flying.is_empty() || self.waiting.is_empty() {
            return Ok(false);
        }
        let count = if single { 1 } else { self.waiting.len() };
        self.flying.extend(self.waiting.drain(..count));
        let written = self.platter.write(self.flying.iter().flat_map(|batch| &batch.records));
        written.map_err(|error| Violation::new("I17 bounds", error.to_string()))?;
        Ok(true)
    }

    /// The batch that a failing sync fails for.
    pub(crate) fn failing(&self) -> Option<WriteId> {
        self.flying.front().map(|batch| batch.id)
    }

    /// Ends the sync: returns what is on the platter now. `mark` is whether an idle disk leaves
    /// proof of that.
    pub(crate) fn synced(&mut self, mark: bool) -> Checked<VecDeque<Batch>> {
        self.platter.synced(mark && self.waiting.is_empty());
        let settled = std::mem::take(&mut self.flying);
        self.settle(settled.iter())?;
        Ok(settled)
    }

    /// The power fails.
    pub(crate) fn crash<C: Choice>(&mut self, choice: &mut C) -> Checked<Wreck> {
        let torn = self.platter.crash(choice);
        let flying = std::mem::take(&mut self.flying);
        let mut wreck = Wreck { lost: self.waiting.len(), ..Wreck::default() };
        self.waiting.clear();
        wreck.is_torn = torn == Torn::Part;
        if torn == Torn::Whole {
            self.settle(flying.iter())?;
            wreck.saved = flying.into();
        } else {
            wreck.lost += flying.len();
        }
        Ok(wreck)
    }

    /// Begins a new life: reads the bytes, and returns what they say; none if they are damaged,
    /// and were damaged on purpose, or it was misled.
    pub(crate) fn open(&mut self, life: Incarnation) -> Checked<Option<Durable>> {
        let is_misled = self.platter.is_misled();
        let (mut found, mut error) = (Durable::default(), None);
        let scan = self.platter.open(life, |record| {
            error = error.or(found.replay(record).err());
        });
        if let Some(error) = error {
            return Err(lies(error));
        }
        if let Verdict::Damaged(damage) = scan.verdict {
            ensure!(
                self.is_rotten || is_misled,
                "I15 log",
                "a sound log is called damaged at {damage}"
            );
            return Ok(None);
        }
        ensure!(
            found == self.durable,
            "I15 log",
            "what is found on the disk is not what was synced"
        );
        // The bit was in a block that a later life has repeated.
        self.is_rotten = false;
        Ok(Some(found))
    }

    /// What a start would find if memory lied about the value at `slot` of `group`.
    pub(crate) fn misread(&mut self, (group, slot): (GroupId, Slot)) -> Checked<Durable> {
        let mut durable = Durable::default();
        for mut record in self.platter.records() {
            if let Entry::Voted { run, .. } | Entry::Learned { run } = &mut record.entry
                && record.group == group
                && (run.first..run.end()).contains(&slot)
            {
                let lie = Value::Command(Command::plain(Bytes::from_static(b"a lie")));
                let values = run.iter().map(|(at, value)| if at == slot { &lie } else { value });
                *run = Run::collect(run.first, values.cloned());
            }
            durable.replay(record).map_err(lies)?;
        }
        Ok(durable)
    }

    /// Turns one bit of something that was synced, which the next start must notice; says whether
    /// there was enough to turn.
    pub(crate) fn rot<C: Choice>(&mut self, choice: &mut C) -> bool {
        self.is_rotten |= self.platter.rot(choice);
        self.is_rotten
    }

    /// Does this to something that was synced long ago, which the next start must notice; says
    /// whether there was enough of it.
    pub(crate) fn decay<C: Choice>(&mut self, what: Decay, choice: &mut C) -> bool {
        let has_decayed = !self.is_rotten && self.platter.decay(what, choice);
        self.is_rotten |= has_decayed;
        has_decayed
    }

    /// Has the next start read another block than it asks for, which it must notice; the one after
    /// it reads what is there. Says whether there are enough.
    pub(crate) fn mislead<C: Choice>(&mut self, choice: &mut C) -> bool {
        !self.is_rotten && self.platter.mislead(choice)
    }

    /// Whether something was damaged since the last start.
    pub(crate) fn is_rotten(&self) -> bool {
        self.is_rotten
    }

    /// Perhaps gives back what the log does not need any more; returns how many segments.
    pub(crate) fn trim<C: Choice>(&mut self, choice: &mut C) -> u64 {
        self.platter.trim(choice)
    }

    fn settle<'a>(&mut self, batches: impl Iterator<Item = &'a Batch>) -> Checked {
        let records = batches.flat_map(|batch| &batch.records).cloned();
        records.into_iter().try_for_each(|r: Record| self.durable.replay(r)).map_err(lies)
    }
}

/// A disk whose records contradict each other was written by a node that broke its word.
fn lies(error: ReplayError) -> Box<Violation> {
    Violation::new("I3 acceptor monotonicity", format!("a node wrote contradictions: {error}"))
}

#[cfg(test)]
mod tests {
    use paxos_core::types::{Ballot, Membership, Schedule};

    use super::*;
    use crate::choice::{Bytes, Seeded};

    fn disk() -> Disk {
        let mut disk = Disk::new(NodeId(1), 4 * 512);
        disk.open(Incarnation(1)).unwrap();
        disk
    }

    fn promise(id: u64) -> Batch {
        let entry = Entry::Promised(Ballot::new(id, NodeId(1)));
        let record = Record { group: GroupId(0), entry };
        Batch { id: WriteId(id), records: [record].into_iter().collect() }
    }

    fn promised(disk: &Disk) -> u64 {
        disk.durable().group(GroupId(0)).map_or(0, |group| group.promised().round)
    }

    #[test]
    fn what_is_not_synced_is_not_durable() {
        let mut disk = disk();
        disk.write(promise(1));
        assert!(disk.sync(false).unwrap());
        disk.write(promise(2));
        assert!(!disk.sync(false).unwrap(), "one sync at a time");
        assert_eq!(promised(&disk), 0);
        let ids: Vec<_> = disk.synced(false).unwrap().iter().map(|b| b.id).collect();
        assert_eq!(ids, [WriteId(1)], "the second came later");
        assert_eq!(promised(&disk), 1);
    }

    /// It is forgotten already, and will be on the disk whenever there is room.
    #[test]
    fn what_a_witness_forgets_counts_before_it_is_written() {
        let (mut disk, group) = (disk(), GroupId(0));
        let schedule = Schedule::starting(Slot(1), Membership::majority([NodeId(1)]).into());
        for (id, below) in [(1, 5), (2, 9)] {
            let entry = Entry::Relieved { below: Slot(below), schedule: schedule.clone() };
            let record = Record { group, entry };
            disk.write(Batch { id: WriteId(id), records: [record].into_iter().collect() });
            assert_eq!(disk.relieved(group), Some(Slot(below)));
            assert_eq!(disk.relieved(GroupId(1)), None);
            if id == 1 {
                disk.sync(false).unwrap();
                disk.synced(false).unwrap();
            }
        }
    }

    #[test]
    fn every_start_finds_what_was_synced_whatever_was_torn() {
        for seed in 0..300 {
            let (mut disk, mut choice) = (disk(), Seeded::new(seed));
            for id in 1..40 {
                disk.write(promise(id));
                disk.sync(choice.chance(300_000)).unwrap();
                if choice.chance(700_000) {
                    disk.synced(choice.chance(300_000)).unwrap();
                }
                if choice.chance(200_000) {
                    disk.crash(&mut choice).unwrap();
                    let found = disk.open(Incarnation(id + 1)).unwrap();
                    assert_eq!(found.as_ref(), Some(disk.durable()), "seed {seed}");
                }
            }
        }
    }

    fn learned(id: u64, entry: Entry) -> Batch {
        let record = Record { group: GroupId(0), entry };
        Batch { id: WriteId(id), records: [record].into_iter().collect() }
    }

    #[test]
    fn a_log_without_its_front_says_the_same() {
        let mut gone = 0;
        for seed in 0..200 {
            let (mut disk, mut choice) = (disk(), Seeded::new(seed));
            for id in 1..60 {
                let log = disk.durable().group(GroupId(0)).map(|group| group.log());
                let (chosen, end) = log.map_or((Slot(1), Slot(1)), |l| (l.chosen(), l.end()));
                disk.write(match choice.below(4) {
                    0 => promise(id),
                    1 => learned(id, Entry::Trimmed { below: chosen }),
                    _ => learned(id, Entry::Learned { run: Run::one(end, Value::Noop) }),
                });
                disk.sync(false).unwrap();
                if choice.chance(900_000) {
                    disk.synced(choice.chance(300_000)).unwrap();
                    gone += disk.trim(&mut choice);
                } else {
                    disk.crash(&mut choice).unwrap();
                    let found = disk.open(Incarnation(id + 1)).unwrap();
                    assert_eq!(found.as_ref(), Some(disk.durable()), "seed {seed}");
                }
            }
        }
        assert!(gone > 1_000, "only {gone} segments were deleted");
    }

    #[test]
    fn rot_is_noticed_and_nothing_else_is_called_rot() {
        for seed in 0..100 {
            let (mut disk, mut choice) = (disk(), Seeded::new(seed));
            for id in 1..10 {
                let run = Run::one(Slot(id), Value::Noop);
                let record = Record { group: GroupId(0), entry: Entry::Learned { run } };
                disk.write(Batch { id: WriteId(id), records: [record].into_iter().collect() });
                disk.sync(false).unwrap();
                disk.synced(false).unwrap();
            }
            disk.crash(&mut choice).unwrap();
            assert!(disk.rot(&mut choice));
            assert_eq!(disk.open(Incarnation(2)).unwrap(), None, "seed {seed}");
            assert!(disk.is_rotten());
        }
    }

    #[test]
    fn the_quiet_crash_loses_what_is_in_flight() {
        let mut disk = disk();
        disk.write(promise(1));
        disk.sync(false).unwrap();
        let wreck = disk.crash(&mut Bytes::new(&[])).unwrap();
        assert_eq!((wreck.saved.len(), wreck.lost, wreck.is_torn), (0, 1, false));
        assert_eq!(promised(&disk), 0);
    }
}
