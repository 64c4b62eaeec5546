//! The bytes of a simulated disk: segments of sectors, one write in flight, and what a crash makes
//! of it.
//!
//! The same bytes as a real node's: what to write and what a set of files means is said by
//! [`wal`](paxos_core::codec::wal), here they are only kept, torn and found again.

use std::collections::BTreeMap;

use paxos_core::codec::wal::{
    BlockTooLong, Draft, Expected, Owner, Scan, Segment, Start, Tail, Verdict, scan,
};
use paxos_core::log::Record;
use paxos_core::types::{Incarnation, NodeId};

use crate::choice::Choice;

/// The files of one node.
#[derive(Clone, Debug)]
pub(super) struct Platter {
    node: NodeId,
    /// What is on the platter, by segment.
    segments: BTreeMap<u64, Vec<u8>>,
    /// The write in flight: segment, offset, and the bytes in the draft.
    flying: Option<(u64, u64)>,
    draft: Draft,
    bytes: Vec<u8>,
    /// Where this life writes; none while nothing runs.
    tail: Option<Tail>,
    /// Bytes of a segment.
    capacity: u64,
    /// Where the first block is, and how many there are.
    first: Option<(u64, u64)>,
    blocks: u64,
}

const SECTOR: u32 = 512;

/// What a crash did to the write in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Torn {
    /// Nothing was in flight, or nothing of it is on the platter.
    Nothing,
    /// A part of it is on the platter.
    Part,
    /// All of it is.
    Whole,
}

impl Platter {
    pub(super) fn new(node: NodeId, capacity: u64) -> Platter {
        Platter {
            node,
            segments: BTreeMap::new(),
            flying: None,
            draft: Draft::new(),
            bytes: Vec::new(),
            tail: None,
            capacity,
            first: None,
            blocks: 0,
        }
    }

    /// Begins to write a block of these records.
    pub(super) fn write<'a>(
        &mut self,
        records: impl Iterator<Item = &'a Record>,
    ) -> Result<(), BlockTooLong> {
        self.draft.clear(1 << 16);
        for record in records {
            self.draft.push(record)?;
        }
        let Some(mut tail) = self.tail.take() else { return Ok(()) };
        if !tail.fits(&self.draft) {
            tail.enter(self.make());
        }
        let write = tail.seal(&mut self.draft);
        self.flying = Some((write.segment, write.offset));
        self.bytes.clear();
        self.bytes.extend_from_slice(write.bytes);
        self.tail = Some(tail);
        Ok(())
    }

    /// The write in flight has arrived. Where nothing follows it, a mark may.
    pub(super) fn synced(&mut self, mark: bool) {
        self.keep(|_| true);
        let Some(tail) = self.tail.as_ref().filter(|_| mark) else { return };
        if let Some(write) = tail.mark(&mut self.draft) {
            put(&mut self.segments, write.segment, write.offset, write.bytes);
        }
    }

    /// The power fails: any of the sectors in flight are on the platter, the others are not.
    pub(super) fn crash<C: Choice>(&mut self, choice: &mut C) -> Torn {
        self.tail = None;
        if self.flying.is_none() {
            return Torn::Nothing;
        }
        let sectors = self.bytes.len() as u32 / SECTOR;
        let one = choice.below(sectors);
        let kept = match choice.below(6) {
            0 => self.keep(|_| false),
            1 => self.keep(|_| true),
            2 => self.keep(|sector| sector < one),
            3 => self.keep(|sector| sector == one),
            4 => self.keep(|sector| sector != one),
            _ => self.keep(|_| choice.below(2) == 1),
        };
        match kept {
            0 => Torn::Nothing,
            kept if kept == sectors => Torn::Whole,
            _ => Torn::Part,
        }
    }

    /// Reads everything, cuts what is torn, and begins a life of its own behind it. Hands every
    /// record to `each`, in order.
    pub(super) fn open(&mut self, life: Incarnation, mut each: impl FnMut(Record)) -> Scan {
        let made = self.segments.keys().next_back().copied().unwrap_or(0);
        let expected = Expected { owner: self.owner(), start: Start::FIRST, made };
        let images = self.segments.iter().map(|(seq, bytes)| (*seq, &bytes[..]));
        let (blocks, found) = scan(expected, images);
        match &found.verdict {
            Verdict::Clean => {}
            Verdict::Damaged(_) => return found,
            Verdict::Torn(place) => {
                if let Some(segment) = self.segments.get_mut(&place.segment) {
                    segment[place.offset as usize..].fill(0);
                }
            }
        }
        blocks.into_iter().flat_map(|block| block.records).for_each(&mut each);
        let segment = self.make();
        let (mut tail, repeat) = Tail::resume(&found, segment, life);
        if let Some(mut repeat) = repeat {
            let write = tail.seal(&mut repeat);
            put(&mut self.segments, write.segment, write.offset, write.bytes);
        }
        self.tail = Some(tail);
        found
    }

    /// Turns one bit of the first block, if there are enough behind it; says whether it did.
    pub(super) fn rot<C: Choice>(&mut self, choice: &mut C) -> bool {
        // The last block of a log alone cannot be told from a torn one.
        let Some((segment, offset)) = self.first.filter(|_| self.blocks > 2) else { return false };
        let Some(file) = self.segments.get_mut(&segment) else { return false };
        let at = offset as usize + choice.below(SECTOR) as usize;
        let Some(byte) = file.get_mut(at) else { return false };
        *byte ^= 1 << choice.below(8);
        true
    }

    /// Keeps those sectors of the write in flight that `is_kept` names; returns how many.
    fn keep(&mut self, mut is_kept: impl FnMut(u32) -> bool) -> u32 {
        let Some((segment, offset)) = self.flying.take() else { return 0 };
        let mut kept = 0;
        for (index, sector) in self.bytes.chunks(SECTOR as usize).enumerate() {
            if is_kept(index as u32) {
                let at = offset + index as u64 * u64::from(SECTOR);
                put(&mut self.segments, segment, at, sector);
                kept += 1;
            }
        }
        if kept as usize == self.bytes.len() / SECTOR as usize {
            self.first = self.first.or(Some((segment, offset)));
            self.blocks += 1;
        }
        kept
    }

    /// A new segment, its header durable.
    fn make(&mut self) -> Segment {
        let seq = self.segments.keys().next_back().map_or(1, |last| last + 1);
        let segment = Segment {
            owner: self.owner(),
            seq,
            // Not random, but no two alike.
            salt: (seq << 16 | u64::from(self.node.0)).wrapping_mul(0x9E37_79B9_7F4A_7C15),
            sector_bytes: SECTOR,
            capacity: self.capacity,
        };
        let mut bytes = segment.encode();
        bytes.resize(self.capacity as usize, 0);
        self.segments.insert(seq, bytes);
        segment
    }

    fn owner(&self) -> Owner {
        Owner { cluster: 1, node: self.node }
    }
}

fn put(segments: &mut BTreeMap<u64, Vec<u8>>, segment: u64, offset: u64, bytes: &[u8]) {
    let Some(file) = segments.get_mut(&segment) else { return };
    let at = offset as usize;
    let end = at + bytes.len();
    file.resize(file.len().max(end), 0);
    file[at..end].copy_from_slice(bytes);
}
