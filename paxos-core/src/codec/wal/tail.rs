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
