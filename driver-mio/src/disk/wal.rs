//! The end of the log in real files: one block at a time, written and synced.
//!
//! After any failed write or sync nothing is written any more. The system may
//! have dropped what it could not write and call the next sync a success, so no
//! sync is ever tried twice (Rebello et al.: "Can Applications Recover from fsync
//! Failures?", ATC 2020).

use std::collections::VecDeque;
use std::fs::File;
use std::io;

use paxos_core::codec::wal::{Draft, Ledger, Place, Start, Tail, Write};
use paxos_core::log::{Batch, Record};
use paxos_core::types::Incarnation;

use super::error::WalError;
use super::file::{SegmentFile, is_disk_full};
use super::maker::Spares;

/// The end of an open log.
#[derive(Debug)]
pub struct Wal {
    tail: Tail,
    file: Box<dyn SegmentFile>,
    spares: Spares,
    draft: Draft,
    front: Front,
    /// There is a mark behind the last block, perhaps unsynced.
    is_marked: bool,
    is_poisoned: bool,
    counters: Counters,
    /// Held for as long as the log is open.
    _lock: File,
}

/// The front of the log: which segments there are, and which of them are needed.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) ledger: Ledger,
    /// What is on record, or about to be.
    pub(super) start: Start,
    /// Segments from the log's start to the one in use, with their files' bytes.
    pub(super) live: VecDeque<(u64, u64)>,
}

/// What a log has done in this life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Blocks made durable: one write and one sync each.
    pub blocks: u64,
    /// Batches in them.
    pub batches: u64,
    /// Bytes of blocks, with heads and padding.
    pub bytes: u64,
    /// Segments entered.
    pub rolls: u64,
}

/// A draft keeps no more memory than this from one block to the next, in bytes.
const DRAFT_BYTES_MAX: usize = 16 << 20;

impl Wal {
    pub(super) fn new(
        tail: Tail,
        file: Box<dyn SegmentFile>,
        spares: Spares,
        mut front: Front,
        lock: File,
    ) -> Wal {
        front.live.push_back((tail.segment().seq, tail.segment().capacity));
        Wal {
            tail,
            front,
            file,
            spares,
            draft: Draft::new(),
            // An empty log has nothing to prove.
            is_marked: true,
            is_poisoned: false,
            counters: Counters::default(),
            _lock: lock,
        }
    }

    /// Gives back the rest of a segment that an earlier life wrote, when there is time.
    pub(super) fn give_back(&mut self, end: Place) {
        self.spares.give_back(end);
    }

    /// Makes `batches` durable, as one block: all of them or none.
    ///
    /// # Errors
    /// [`WalError::Full`] leaves the log as it was. Every other error is for good.
    pub fn append(&mut self, batches: &[Batch]) -> Result<(), WalError> {
        if self.append_if_it_fits(batches)? {
            return Ok(());
        }
        self.alive(|wal| {
            let restated: Vec<Record> = wal.front.ledger.restatement().collect();
            let records = || restated.iter().chain(batches.iter().flat_map(|b| &b.records));
            wal.fill(records())?;
            wal.roll()?;
            wal.add(records())?;
            wal.counters.batches += batches.len() as u64;
            Ok(())
        })
    }

    /// As [`append`](Wal::append), but does nothing where that would take another segment,
    /// for which one may have to wait. Whether it is done.
    ///
    /// # Errors
    /// As [`append`](Wal::append), but never [`WalError::Full`].
    pub fn append_if_it_fits(&mut self, batches: &[Batch]) -> Result<bool, WalError> {
        self.alive(|wal| {
            let records = || batches.iter().flat_map(|batch| &batch.records);
            wal.fill(records())?;
            if wal.draft.is_empty() {
                return Ok(true);
            }
            let grows = Tail::end_of_first(wal.tail.segment(), &wal.draft) > wal.segment_bytes();
            if grows || !wal.tail.fits(&wal.draft) {
                return Ok(false);
            }
            wal.add(records())?;
            wal.counters.batches += batches.len() as u64;
            Ok(true)
        })
    }

    /// Repeats the last block of the life before, and lets the log begin anew behind
    /// it, where there is room.
    pub(super) fn repeat(&mut self, last: Draft) -> Result<(), WalError> {
        self.alive(|wal| {
            wal.draft = last;
            // What it holds was found before.
            wal.add([])?;
            let restated: Vec<Record> = wal.front.ledger.restatement().collect();
            wal.fill(&restated)?;
            if wal.tail.fits(&wal.draft) && !restated.is_empty() {
                wal.add(&restated)
            } else {
                Ok(())
            }
        })
    }

    /// Leaves the proof that the last block was synced, unsynced. To be called when
    /// there is nothing else to do; does nothing when it is there already.
    ///
    /// # Errors
    /// As [`append`](Wal::append).
    pub fn mark(&mut self) -> Result<(), WalError> {
        if self.is_marked {
            return Ok(());
        }
        self.alive(|wal| {
            wal.is_marked = true;
            match wal.tail.mark(&mut wal.draft) {
                Some(Write { offset, bytes, .. }) => Ok(wal.file.write(bytes, offset)?),
                None => Ok(()),
            }
        })
    }

    /// Whether there is nothing to [`mark`](Wal::mark).
    pub fn is_marked(&self) -> bool {
        self.is_marked
    }

    /// Whether there is no room to make more segments. Blocks may still go into
    /// those that lie ready.
    ///
    /// # Errors
    /// As [`append`](Wal::append), but never [`WalError::Full`].
    pub fn is_full(&mut self) -> Result<bool, WalError> {
        self.alive(|wal| wal.spares.is_full())
    }

    /// The life that writes.
    pub fn incarnation(&self) -> Incarnation {
        self.tail.incarnation()
    }

    /// Segments from the log's start to the one in use, and the bytes of their files.
    pub fn segments(&self) -> (u64, u64) {
        let bytes = self.front.live.iter().map(|(_, bytes)| bytes).sum();
        (self.front.live.len() as u64, bytes)
    }

    /// The bytes of a segment: a block that is longer needs room that was not set aside.
    pub fn segment_bytes(&self) -> u64 {
        self.tail.segment().capacity
    }

    /// What was done so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Goes on in the next segment, in which there is room for the draft.
    fn roll(&mut self) -> Result<(), WalError> {
        let next = self.spares.take()?;
        match next.reach(Tail::end_of_first(&next.segment, &self.draft)) {
            Ok(()) => self.spares.replace(),
            Err(error) if is_disk_full(&error) => {
                self.spares.put_back(next);
                return Err(WalError::Full);
            }
            Err(error) => return Err(error.into()),
        }
        if self.is_marked {
            // The mark must not be in flight together with the next block.
            self.file.sync()?;
        }
        if let Some((_, bytes)) = self.front.live.back_mut() {
            // A block longer than its segment has made the file grow.
            *bytes = self.tail.offset().max(*bytes);
        }
        self.front.live.push_back((next.segment.seq, next.segment.capacity));
        self.tail.enter(next.segment);
        self.file = next.file;
        self.counters.rolls += 1;
        Ok(())
    }

    /// Makes a draft of these records.
    fn fill<'a>(&mut self, records: impl IntoIterator<Item = &'a Record>) -> Result<(), WalError> {
        self.draft.clear(DRAFT_BYTES_MAX);
        records.into_iter().try_for_each(|r| self.draft.push(r).map_err(WalError::TooLong))
    }

    /// Lets segments go that are not needed for what is durable now.
    fn let_go(&mut self) -> Result<(), WalError> {
        let Front { ledger, start, live } = &mut self.front;
        let Some(next) = ledger.start().filter(|next| next.segment > start.segment) else {
            return Ok(());
        };
        *start = next;
        live.retain(|(seq, _)| *seq >= next.segment);
        self.spares.begin(next)
    }

    /// Adds the draft as a block, durably, and takes in what it holds: `records`.
    fn add<'a>(&mut self, records: impl IntoIterator<Item = &'a Record>) -> Result<(), WalError> {
        let at = Start { segment: self.tail.segment().seq, chain: self.tail.chain() };
        let Write { offset, bytes, .. } = self.tail.seal(&mut self.draft);
        self.file.write(bytes, offset)?;
        self.file.sync()?;
        self.is_marked = false;
        self.counters.blocks += 1;
        self.counters.bytes += bytes.len() as u64;
        self.front.ledger.synced(at, records);
        self.let_go()
    }

    /// Does something with a log that has never failed; if that fails, it has.
    fn alive<T>(
        &mut self,
        act: impl FnOnce(&mut Wal) -> Result<T, WalError>,
    ) -> Result<T, WalError> {
        if self.is_poisoned {
            return Err(WalError::Poisoned);
        }
        let done = act(self);
        self.is_poisoned = matches!(&done, Err(error) if !matches!(error, WalError::Full));
        done
    }
}

impl From<io::Error> for WalError {
    fn from(error: io::Error) -> WalError {
        WalError::Failed(error)
    }
}
