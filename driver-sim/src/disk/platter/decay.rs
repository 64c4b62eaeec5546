//! What may become of things that were synced long ago, beside a bit that turns: the disk has
//! written elsewhere than it was told, or not at all, or it has lost a file; or it reads from
//! elsewhere, once.
//!
//! The last block of a log alone cannot be told from a torn one: only what lies before others is
//! touched.

use std::collections::BTreeMap;

use paxos_core::codec::wal::HEADER_BYTES;

use super::{Lot, Platter};
use crate::choice::Choice;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decay {
    /// A block never came to its place: there is what was there before.
    LostWrite,
    /// A block came to the place of another, and is not at its own.
    Misdirected,
    /// The file of a segment is gone.
    LostSegment,
    /// A bit of a segment's header has turned.
    Header,
}

impl Decay {
    /// All of them.
    pub(crate) const ALL: [Decay; 4] =
        [Decay::LostWrite, Decay::Misdirected, Decay::LostSegment, Decay::Header];
}

/// A segment as a start reads it once, with the bytes of another place in one.
#[derive(Clone, Debug)]
pub(super) struct Mirage {
    segment: u64,
    bytes: Vec<u8>,
}

impl Mirage {
    /// These segments, with this one instead of its own.
    pub(super) fn over<'a>(
        mirage: Option<&'a Mirage>,
        segments: &'a BTreeMap<u64, Vec<u8>>,
    ) -> impl Iterator<Item = (u64, &'a [u8])> {
        segments.iter().map(move |(seq, own)| {
            let seen = mirage.filter(|mirage| mirage.segment == *seq);
            (*seq, seen.map_or(&own[..], |mirage| &mirage.bytes[..]))
        })
    }
}

impl Platter {
    /// Does that to something old, if there is enough of it; says whether it did.
    pub(in crate::disk) fn decay<C: Choice>(&mut self, what: Decay, choice: &mut C) -> bool {
        match what {
            Decay::LostWrite => self.lose_write(choice),
            Decay::Misdirected => self.misdirect(choice),
            Decay::LostSegment => self.lose_segment(choice),
            Decay::Header => self.turn_header(choice),
        }
    }

    /// Has the next start read another block's bytes than one that it asks for, if there are
    /// enough; says whether it will.
    pub(in crate::disk) fn mislead<C: Choice>(&mut self, choice: &mut C) -> bool {
        let Some((meant, found)) = self.two_old(choice) else { return false };
        let Some(mut bytes) = self.segments.get(&meant.segment).cloned() else { return false };
        let Some(other) = self.bytes_of(found) else { return false };
        lay_over(&mut bytes, meant, &other);
        self.mirage = Some(Mirage { segment: meant.segment, bytes });
        true
    }

    /// Whether the next start will read the wrong bytes.
    pub(in crate::disk) fn is_misled(&self) -> bool {
        self.mirage.is_some()
    }

    fn lose_write<C: Choice>(&mut self, choice: &mut C) -> bool {
        let old = self.old();
        let Some(lost) = choice.pick(&old).copied() else { return false };
        self.clear(lost)
    }

    fn misdirect<C: Choice>(&mut self, choice: &mut C) -> bool {
        let Some((place, lost)) = self.two_old(choice) else { return false };
        let Some(bytes) = self.bytes_of(lost) else { return false };
        let Some(file) = self.segments.get_mut(&place.segment) else { return false };
        lay_over(file, place, &bytes);
        self.clear(lost)
    }

    fn lose_segment<C: Choice>(&mut self, choice: &mut C) -> bool {
        let mut files = self.files();
        // Something has been written since.
        files.pop();
        let lost = choice.pick(&files).copied();
        lost.is_some_and(|segment| self.segments.remove(&segment).is_some())
    }

    fn turn_header<C: Choice>(&mut self, choice: &mut C) -> bool {
        let files = self.files();
        let segment = choice.pick(&files).copied();
        let Some(file) = segment.and_then(|segment| self.segments.get_mut(&segment)) else {
            return false;
        };
        let Some(byte) = file.get_mut(choice.below(HEADER_BYTES as u32) as usize) else {
            return false;
        };
        *byte ^= 1 << choice.below(8);
        true
    }

    /// The segments that the log still needs, in order.
    fn files(&self) -> Vec<u64> {
        self.segments.range(self.front.start().segment..).map(|(segment, _)| *segment).collect()
    }

    /// All blocks that enough others lie behind.
    fn old(&mut self) -> Vec<Lot> {
        self.forget_trimmed();
        let count = self.blocks.len().saturating_sub(2);
        self.blocks.range(..count).copied().collect()
    }

    /// Two of them.
    fn two_old<C: Choice>(&mut self, choice: &mut C) -> Option<(Lot, Lot)> {
        let mut old = self.old();
        if old.len() < 2 {
            return None;
        }
        let one = old.remove(choice.below(old.len() as u32) as usize);
        choice.pick(&old).map(|other| (one, *other))
    }

    fn bytes_of(&self, lot: Lot) -> Option<Vec<u8>> {
        let at = lot.offset as usize;
        self.segments.get(&lot.segment)?.get(at..at + lot.bytes).map(<[u8]>::to_vec)
    }

    /// Where nothing was ever written, there are zeros.
    fn clear(&mut self, lot: Lot) -> bool {
        let file = self.segments.get_mut(&lot.segment);
        let at = lot.offset as usize;
        let place = file.and_then(|file| file.get_mut(at..at + lot.bytes));
        place.map(|place| place.fill(0)).is_some()
    }
}

/// Puts as much of `bytes` there as the block takes up that is there.
fn lay_over(file: &mut [u8], place: Lot, bytes: &[u8]) {
    let (at, count) = (place.offset as usize, place.bytes.min(bytes.len()));
    if let Some(place) = file.get_mut(at..at + count) {
        place.copy_from_slice(&bytes[..count]);
    }
}

#[cfg(test)]
mod tests {
    use paxos_core::log::{Batch, Entry, Record};
    use paxos_core::types::{GroupId, Incarnation, NodeId, Run, Slot, Value, WriteId};

    use super::*;
    use crate::choice::Seeded;
    use crate::disk::Disk;

    /// A disk after three lives of so many blocks each, and a crash.
    fn old_disk(choice: &mut Seeded, blocks: u64) -> Disk {
        let mut disk = Disk::new(NodeId(1), 4 * 512);
        for life in 0..3 {
            disk.open(Incarnation(life + 1)).unwrap();
            for id in life * blocks + 1..=(life + 1) * blocks {
                let run = Run::one(Slot(id), Value::Noop);
                let record = Record { group: GroupId(0), entry: Entry::Learned { run } };
                disk.write(Batch { id: WriteId(id), records: [record].into_iter().collect() });
                disk.sync(false).unwrap();
                disk.synced(false).unwrap();
            }
            disk.crash(choice).unwrap();
        }
        disk
    }

    /// Either the start finds damage, or all that was synced: a later life may have repeated it.
    #[test]
    fn nothing_is_lost_unnoticed() {
        for what in Decay::ALL {
            let mut noticed = 0;
            for seed in 0..200 {
                let mut choice = Seeded::new(seed);
                let mut disk = old_disk(&mut choice, 1 + seed % 7);
                let has_decayed = disk.decay(what, &mut choice);
                let found = disk.open(Incarnation(4)).unwrap();
                assert!(found.is_none() || found.as_ref() == Some(disk.durable()));
                assert!(has_decayed || found.is_some(), "{what:?}, seed {seed}");
                noticed += u32::from(found.is_none());
            }
            assert!(noticed > 100, "{what:?} is noticed {noticed} times");
        }
    }

    #[test]
    fn a_start_that_is_misled_notices_and_the_next_one_is_not() {
        let mut noticed = 0;
        for seed in 0..200 {
            let mut choice = Seeded::new(seed);
            let mut disk = old_disk(&mut choice, 1 + seed % 7);
            let is_misled = disk.mislead(&mut choice);
            let found = disk.open(Incarnation(4)).unwrap();
            assert!(is_misled || found.is_some(), "seed {seed}");
            if found.is_none() {
                noticed += 1;
                let found = disk.open(Incarnation(5)).unwrap();
                assert_eq!(found.as_ref(), Some(disk.durable()), "seed {seed}");
            }
        }
        assert!(noticed > 100, "only {noticed} were noticed");
    }
}
