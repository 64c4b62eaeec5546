//! The bytes of a simulated disk: segments of sectors, one write in flight, and what a crash makes
//! of it.
//!
//! The same bytes as a real node's: what to write and what a set of files means is said by
//! [`wal`](paxos_core::codec::wal), here they are only kept, torn and found again.

use std::collections::{BTreeMap, VecDeque};

use paxos_core::codec::wal::{
    BlockTooLong, Draft, Expected, HEAD_BYTES, Owner, Scan, Segment, Start, Tail, Verdict, scan,
};
use paxos_core::log::Record;
use paxos_core::types::{Incarnation, NodeId};

mod decay;

pub(crate) use self::decay::Decay;
use self::decay::Mirage;
use super::front::Front;
use crate::choice::Choice;

/// The files of one node.
#[derive(Clone, Debug)]
pub(super) struct Platter {
    node: NodeId,
    /// What is on the platter, by segment.
    segments: BTreeMap<u64, Vec<u8>>,
    /// What is being written, each only once the one before it is durable.
    flying: VecDeque<Flying>,
    draft: Draft,
    /// Where this life writes; none while nothing runs.
    tail: Option<Tail>,
    /// Bytes of a segment.
    capacity: u64,
    /// Where the log begins.
    front: Front,
    /// Where the blocks are that no life has repeated.
    blocks: VecDeque<Lot>,
    /// What the next start will read instead of what is there.
    mirage: Option<Mirage>,
}

/// Where a block is.
#[derive(Clone, Copy, Debug)]
struct Lot {
    segment: u64,
    offset: u64,
    bytes: usize,
}

/// A block under way.
#[derive(Clone, Debug)]
struct Flying {
    segment: u64,
    offset: u64,
    bytes: Vec<u8>,
    /// Where a log that begins with it begins.
    at: Start,
    records: Vec<Record>,
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
            flying: VecDeque::new(),
            draft: Draft::new(),
            tail: None,
            capacity,
            front: Front::new(),
            blocks: VecDeque::new(),
            mirage: None,
        }
    }

    /// Begins to write a block of these records.
    pub(super) fn write<'a>(
        &mut self,
        records: impl Iterator<Item = &'a Record>,
    ) -> Result<(), BlockTooLong> {
        let records: Vec<Record> = records.cloned().collect();
        let draft = draft(&records)?;
        let Some(mut tail) = self.tail.take() else { return Ok(()) };
        if !tail.fits(&draft) {
            tail.enter(self.make());
            self.restate(&mut tail, draft.length())?;
        }
        self.send(&mut tail, draft, records);
        self.tail = Some(tail);
        Ok(())
    }

    /// Begins a segment with what must be said again there, if `more` bytes fit behind that.
    fn restate(&mut self, tail: &mut Tail, more: usize) -> Result<(), BlockTooLong> {
        let records = self.front.restatement();
        let draft = draft(&records)?;
        let sectors = |bytes: usize| (bytes + HEAD_BYTES).div_ceil(SECTOR as usize) as u64;
        let span = (sectors(draft.length()) + sectors(more)) * u64::from(SECTOR);
        if !draft.is_empty() && tail.offset() + span <= self.capacity {
            self.send(tail, draft, records);
        }
        Ok(())
    }

    fn send(&mut self, tail: &mut Tail, mut draft: Draft, records: Vec<Record>) {
        let at = Start { segment: tail.segment().seq, chain: tail.chain() };
        let write = tail.seal(&mut draft);
        let (segment, offset, bytes) = (write.segment, write.offset, write.bytes.to_vec());
        self.flying.push_back(Flying { segment, offset, bytes, at, records });
    }

    /// What was in flight has arrived. Where nothing follows it, a mark may.
    pub(super) fn synced(&mut self, mark: bool) {
        while !self.flying.is_empty() {
            self.keep(|_| true);
        }
        let Some(tail) = self.tail.as_ref().filter(|_| mark) else { return };
        if let Some(write) = tail.mark(&mut self.draft) {
            put(&mut self.segments, write.segment, write.offset, write.bytes);
        }
    }

    /// The power fails: any of the sectors in flight are on the platter, the others are not.
    pub(super) fn crash<C: Choice>(&mut self, choice: &mut C) -> Torn {
        self.tail = None;
        if self.flying.len() > 1 && choice.chance(500_000) {
            self.keep(|_| true);
        }
        // The rest waits for the one before it.
        let is_last = self.flying.len() == 1;
        let Some(flying) = self.flying.front() else { return Torn::Nothing };
        let sectors = flying.bytes.len() as u32 / SECTOR;
        let one = choice.below(sectors);
        let kept = match choice.below(6) {
            0 => self.keep(|_| false),
            1 => self.keep(|_| true),
            2 => self.keep(|sector| sector < one),
            3 => self.keep(|sector| sector == one),
            4 => self.keep(|sector| sector != one),
            _ => self.keep(|_| choice.below(2) == 1),
        };
        self.flying.clear();
        match kept {
            0 => Torn::Nothing,
            kept if kept == sectors && is_last => Torn::Whole,
            _ => Torn::Part,
        }
    }

    /// Reads everything, cuts what is torn, and begins a life of its own behind it. Hands every
    /// record to `each`, in order.
    pub(super) fn open(&mut self, life: Incarnation, mut each: impl FnMut(Record)) -> Scan {
        let (start, made) = (self.front.start(), self.front.made());
        let expected = Expected { owner: self.owner(), start, made };
        let mirage = self.mirage.take();
        let images = Mirage::over(mirage.as_ref(), &self.segments);
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
        self.front.open(&blocks);
        blocks.into_iter().flat_map(|block| block.records).for_each(&mut each);
        let segment = self.make();
        let (mut tail, repeat) = Tail::resume(&found, segment, life);
        if let Some(mut repeat) = repeat {
            let write = tail.seal(&mut repeat);
            put(&mut self.segments, write.segment, write.offset, write.bytes);
        }
        // This may be done or left out.
        if life.0.is_multiple_of(2) && self.restate(&mut tail, 0).is_ok() && !self.flying.is_empty()
        {
            self.keep(|_| true);
        }
        self.tail = Some(tail);
        found
    }

    /// All records on the platter, in order.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> + use<> {
        let (start, made) = (self.front.start(), self.front.made());
        let expected = Expected { owner: self.owner(), start, made };
        let (blocks, _) = scan(expected, self.segments.iter().map(|(seq, b)| (*seq, &b[..])));
        blocks.into_iter().flat_map(|block| block.records)
    }

    /// Turns one bit of the first block, if there are enough behind it; says whether it did.
    pub(super) fn rot<C: Choice>(&mut self, choice: &mut C) -> bool {
        // The last block of a log alone cannot be told from a torn one.
        self.forget_trimmed();
        let first = self.blocks.front().copied().filter(|_| self.blocks.len() > 2);
        let Some(Lot { segment, offset, .. }) = first else { return false };
        let Some(file) = self.segments.get_mut(&segment) else { return false };
        let at = offset as usize + choice.below(SECTOR) as usize;
        let Some(byte) = file.get_mut(at) else { return false };
        *byte ^= 1 << choice.below(8);
        true
    }

    fn forget_trimmed(&mut self) {
        let start = self.front.start().segment;
        self.blocks.retain(|lot| lot.segment >= start);
    }

    /// Perhaps moves the beginning of the log, and perhaps deletes what lies before; returns how
    /// many segments are gone.
    pub(super) fn trim<C: Choice>(&mut self, choice: &mut C) -> u64 {
        self.front.advance(choice, &mut self.segments);
        self.front.gone()
    }

    /// Keeps those sectors of the first write in flight that `is_kept` names; returns how many.
    fn keep(&mut self, mut is_kept: impl FnMut(u32) -> bool) -> u32 {
        let Some(flying) = self.flying.pop_front() else { return 0 };
        let (segment, offset) = (flying.segment, flying.offset);
        let mut kept = 0;
        for (index, sector) in flying.bytes.chunks(SECTOR as usize).enumerate() {
            let at = offset + index as u64 * u64::from(SECTOR);
            // Zeros are there already, kept or not.
            if is_kept(index as u32) | self.holds(segment, at, sector) {
                put(&mut self.segments, segment, at, sector);
                kept += 1;
            }
        }
        if kept as usize == flying.bytes.len() / SECTOR as usize {
            self.front.synced(flying.at, &flying.records);
            self.blocks.push_back(Lot { segment, offset, bytes: flying.bytes.len() });
        }
        kept
    }

    /// Whether these bytes are what a segment has there.
    fn holds(&self, segment: u64, at: u64, bytes: &[u8]) -> bool {
        let file = self.segments.get(&segment);
        file.and_then(|file| file.get(at as usize..at as usize + bytes.len())) == Some(bytes)
    }

    /// A new segment, its header durable.
    fn make(&mut self) -> Segment {
        let seq = self.front.make();
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

fn draft(records: &[Record]) -> Result<Draft, BlockTooLong> {
    let mut draft = Draft::new();
    records.iter().try_for_each(|record| draft.push(record))?;
    Ok(draft)
}

fn put(segments: &mut BTreeMap<u64, Vec<u8>>, segment: u64, offset: u64, bytes: &[u8]) {
    let Some(file) = segments.get_mut(&segment) else { return };
    let at = offset as usize;
    let end = at + bytes.len();
    file.resize(file.len().max(end), 0);
    file[at..end].copy_from_slice(bytes);
}
