//! The end of the log, where blocks are added: what to write, and where.
//!
//! Touches no file. The rules that the owner of the files must keep stand in
//! [`wal`](super).

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::block::{self, BLOCK_BYTES_MAX, BlockTooLong, HEAD_BYTES};
use super::{Chain, Scan, Segment, record};
use crate::log::Record;
use crate::types::Incarnation;

/// A block in the making. Reusable; keeps its memory.
#[derive(Clone)]
pub struct Draft {
    /// Room for a head, then the records so far.
    bytes: Vec<u8>,
    records: u32,
    scratch: Vec<u8>,
}

impl Default for Draft {
    fn default() -> Draft {
        Draft { bytes: vec![0; HEAD_BYTES], records: 0, scratch: Vec::new() }
    }
}

impl Draft {
    /// A draft without records.
    pub fn new() -> Draft {
        Draft::default()
    }

    /// Adds a record at the end; adds nothing if the block would be too long.
    pub fn push(&mut self, record: &Record) -> Result<(), BlockTooLong> {
        let before = self.bytes.len();
        record::put(record, &mut self.bytes, &mut self.scratch);
        if self.length() > BLOCK_BYTES_MAX {
            self.bytes.truncate(before);
            return Err(BlockTooLong);
        }
        self.records += 1;
        Ok(())
    }

    /// Bytes of records so far.
    pub fn length(&self) -> usize {
        self.bytes.len() - HEAD_BYTES
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Forgets all records, and keeps the memory up to `bytes_max`.
    pub fn clear(&mut self, bytes_max: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(bytes_max);
        self.bytes.resize(HEAD_BYTES, 0);
        self.scratch.shrink_to(bytes_max);
        self.records = 0;
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Draft({} records, {} bytes)", self.records, self.length())
    }
}

/// One write: these bytes, there. Durable after the next sync of that segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write<'a> {
    /// The segment's number.
    pub segment: u64,
    /// From the segment's front, in bytes; a multiple of its sector.
    pub offset: u64,
    /// What to write; whole sectors.
    pub bytes: &'a [u8],
}

/// Where the next block goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    segment: Segment,
    offset: u64,
    chain: Chain,
    incarnation: Incarnation,
}

impl Tail {
    /// The tail of the log that `scan` found, in a life of its own that writes into
    /// `segment`: a fresh one, behind all that were found.
    ///
    /// If there is a draft, it repeats the last block: seal it, write it and sync
    /// it before anything is promised.
    pub fn resume(
        scan: &Scan,
        segment: Segment,
        incarnation: Incarnation,
    ) -> (Tail, Option<Draft>) {
        let repeat = scan.last.as_ref().map(|last| Draft {
            bytes: [&[0; HEAD_BYTES][..], &last.bytes].concat(),
            records: last.records,
            scratch: Vec::new(),
        });
        let chain = scan.last.as_ref().map_or(scan.chain, |last| last.before);
        let offset = u64::from(segment.sector_bytes);
        (Tail { segment, offset, chain, incarnation }, repeat)
    }

    /// The segment that blocks are written into.
    pub fn segment(&self) -> &Segment {
        &self.segment
    }

    /// The life that writes.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Bytes from the front of the segment to where the next block goes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What the next block will say of its place in the log.
    pub fn chain(&self) -> Chain {
        self.chain
    }

    /// Whether `draft` may be sealed here. If not, [`enter`](Tail::enter) the next
    /// segment first. A segment without blocks takes any: its file grows.
    pub fn fits(&self, draft: &Draft) -> bool {
        let span = block::span(draft.length(), self.segment.sector_bytes) as u64;
        let first = self.offset == u64::from(self.segment.sector_bytes);
        first || self.offset.saturating_add(span) <= self.segment.capacity
    }

    /// Up to where the file of `segment` is written if `draft` is its first block: beyond the
    /// segment's capacity if the block is longer.
    pub fn end_of_first(segment: &Segment, draft: &Draft) -> u64 {
        let span = block::span(draft.length(), segment.sector_bytes) as u64;
        u64::from(segment.sector_bytes).saturating_add(span)
    }

    /// Goes on in `segment`: the next in number, its header durable, nothing
    /// behind it.
    pub fn enter(&mut self, segment: Segment) {
        debug_assert!(segment.seq > self.segment.seq, "a segment is entered once");
        self.offset = u64::from(segment.sector_bytes);
        self.segment = segment;
    }

    /// Makes `draft` the next block, and says where to write it.
    ///
    /// When the write or the sync after it fails, this tail is of no use any more.
    pub fn seal<'d>(&mut self, draft: &'d mut Draft) -> Write<'d> {
        debug_assert!(self.fits(draft), "a block past the end of its segment");
        let write = self.put(draft);
        let offset = self.offset;
        self.chain = self.chain.after(write);
        self.offset += draft.bytes.len() as u64;
        Write { segment: self.segment.seq, offset, bytes: &draft.bytes }
    }

    /// An empty block to write, unsynced, after the last one is synced and while
    /// nothing else is to be written: the proof that the last one was synced. None
    /// where there is no room. Changes nothing: the next block goes over it.
    pub fn mark<'d>(&self, draft: &'d mut Draft) -> Option<Write<'d>> {
        draft.clear(usize::MAX);
        if !self.fits(draft) {
            return None;
        }
        self.put(draft);
        Some(Write { segment: self.segment.seq, offset: self.offset, bytes: &draft.bytes })
    }

    fn put(&self, draft: &mut Draft) -> u32 {
        let Draft { bytes, records, .. } = draft;
        block::seal(bytes, *records, &self.segment, self.chain, self.incarnation)
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Image, SECTOR, scan_image, segment};
    use super::super::{Place, Verdict};
    use super::*;
    use crate::codec::wal::scan::Tally;
    use crate::log::Entry;
    use crate::types::{GroupId, Slot};

    fn hint(below: u64) -> Record {
        Record { group: GroupId(0), entry: Entry::Chosen { below: Slot(below) } }
    }

    #[test]
    fn a_draft_knows_what_it_holds_and_forgets_it() {
        let mut draft = Draft::new();
        assert!(draft.is_empty() && draft.length() == 0);
        draft.push(&hint(1)).expect("short");
        let one = draft.length();
        draft.push(&hint(2)).expect("short");
        assert_eq!((draft.is_empty(), draft.length()), (false, 2 * one));
        draft.clear(usize::MAX);
        assert!(draft.is_empty() && draft.length() == 0);
        draft.push(&hint(1)).expect("short");
        assert_eq!((draft.is_empty(), draft.length()), (false, one));
    }

    /// Two segments; in the second, a record that this version need not know.
    #[test]
    fn what_a_scan_counts_is_what_was_written() {
        let mut image = Image::new();
        let (_, empty) = scan_image(&image, 0);
        let (mut tail, _) = Tail::resume(&empty, segment(1), Incarnation(4));
        assert_eq!(tail.incarnation(), Incarnation(4));
        let mut draft = Draft::new();
        for (seq, records) in [(1, 3), (2, 2)] {
            if seq > 1 {
                tail.enter(segment(seq));
            }
            let mut file = segment(seq).encode();
            for _ in 0..2 {
                draft.clear(usize::MAX);
                (0..records).for_each(|below| draft.push(&hint(below)).expect("short"));
                if seq == 2 {
                    draft.bytes.extend([77, 1, 0, 1, 8]);
                    draft.records += 1;
                }
                file.extend(tail.seal(&mut draft).bytes);
            }
            file.resize(segment(seq).capacity as usize, 0);
            image.insert(seq, file);
        }
        let (blocks, found) = scan_image(&image, 2);
        assert_eq!((blocks.len(), &found.verdict), (4, &Verdict::Clean));
        let (bytes, records) = (4 * u64::from(SECTOR), 2 * 3 + 2 * 2);
        let tally = Tally { segments: 2, blocks: 4, records, skipped: 2, bytes };
        assert_eq!(found.tally, tally);
        // What was in flight in a crash need not look like a block.
        let (place, sector) = (tail.offset(), SECTOR as usize);
        image.get_mut(&2).expect("the last")[place as usize + sector - 1] = 1;
        let torn = Verdict::Torn(Place { segment: 2, offset: place });
        assert_eq!(scan_image(&image, 2).1.verdict, torn);
    }

    /// What a recycled file held before is no block of the segment that it was to become.
    #[test]
    fn a_segment_that_was_not_made_yet_may_hold_old_blocks() {
        let (_, empty) = scan_image(&Image::new(), 0);
        let (mut tail, _) = Tail::resume(&empty, segment(1), Incarnation(1));
        let mut file = segment(1).encode();
        file.extend(tail.seal(&mut Draft::new()).bytes);
        file.resize(segment(1).capacity as usize, 0);
        let mut recycled = file.clone();
        recycled[..SECTOR as usize].fill(0);
        let (_, found) = scan_image(&Image::from([(1, file), (2, recycled)]), 1);
        assert_eq!((found.verdict, found.unmade), (Verdict::Clean, [2].into()));
    }
}
