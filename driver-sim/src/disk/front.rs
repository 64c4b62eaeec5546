//! The front of a simulated log: where it begins, and which segments are deleted.
//!
//! Follows the real [`Ledger`]; when it says that the log may begin later, that is put on record
//! after a while, and after another while the segments before go, one by one in any order. A
//! crash may come in between: it finds some of them gone.

use std::collections::BTreeMap;

use paxos_core::codec::wal::{Block, Ledger, Start};
use paxos_core::log::Record;

use crate::choice::Choice;

/// With more segments than that, a new beginning goes on record at once.
const SEGMENTS_MAX: usize = 64;

/// Where the log begins.
#[derive(Clone, Debug)]
pub(super) struct Front {
    /// What the real code knows of the durable records.
    ledger: Ledger,
    /// Where the log begins, as it is on record.
    start: Start,
    /// How many segments were ever made; survives every crash.
    made: u64,
    /// Segments that were deleted.
    gone: u64,
}

impl Front {
    pub(super) fn new() -> Front {
        Front { ledger: Ledger::new(), start: Start::FIRST, made: 0, gone: 0 }
    }

    pub(super) fn start(&self) -> Start {
        self.start
    }

    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// How many segments were deleted since it was last asked.
    pub(super) fn gone(&mut self) -> u64 {
        std::mem::take(&mut self.gone)
    }

    /// Another segment is made; returns its number.
    pub(super) fn make(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    /// A new life has read these blocks, and knows nothing else.
    pub(super) fn open(&mut self, blocks: &[Block]) {
        self.ledger = Ledger::new();
        blocks.iter().for_each(|block| self.ledger.found(block));
    }

    /// A block is durable.
    pub(super) fn synced(&mut self, at: Start, records: &[Record]) {
        self.ledger.synced(at, records);
    }

    /// What a segment begins with.
    pub(super) fn restatement(&self) -> Vec<Record> {
        self.ledger.restatement().collect()
    }

    /// Perhaps puts the new beginning on record, and perhaps deletes what lies before.
    pub(super) fn advance<C: Choice>(
        &mut self,
        choice: &mut C,
        segments: &mut BTreeMap<u64, Vec<u8>>,
    ) {
        // However it is chosen, the log does not grow for ever.
        if let Some(start) = self.ledger.start().filter(|start| *start != self.start)
            && (segments.len() > SEGMENTS_MAX || choice.chance(300_000))
        {
            self.start = start;
        }
        // There may be many segments, and few of them lie before.
        let before: Vec<u64> =
            segments.range(..self.start.segment).map(|(number, _)| *number).collect();
        for number in before {
            if !choice.chance(500_000) {
                segments.remove(&number);
                self.gone += 1;
            }
        }
    }
}
