//! Conformance suites: what any embedder can run against what they have written themselves.
//!
//! | suite | of what |
//! |---|---|
//! | this one | the log under a node |
//! | [`vault`] | where images are kept |
//! | [`driver`] | whole nodes, from outside |
//!
//! The core hands out [`Batch`]es to a log, and trusts three things: they become durable in order,
//! each whole or not at all, and what was acknowledged is found again by every later start. Whoever
//! writes a log of their own implements [`Storage`] for it, and lets [`check`] try it: drawn
//! batches of every kind of record, synced or not; ends in order, crashes that leave any part of
//! what was not synced, starts upon starts; syncs that fail. After each start the log must hold
//! exactly what a prefix of the batches says, and that prefix must hold whatever was acknowledged.
//!
//! ```
//! use driver_sim::choice::Choice;
//! use driver_sim::conform::{Storage, check};
//! use paxos_core::log::{Batch, Durable};
//! use paxos_core::types::WriteId;
//!
//! /// The simplest log: a list on which a sync puts what waits.
//! #[derive(Default)]
//! struct List {
//!     durable: Vec<Batch>,
//!     waiting: Vec<Batch>,
//! }
//!
//! impl Storage for List {
//!     fn open(&mut self) -> Result<Durable, String> {
//!         let mut found = Durable::default();
//!         for record in self.durable.iter().flat_map(|batch| &batch.records) {
//!             found.replay(record.clone()).map_err(|e| e.to_string())?;
//!         }
//!         Ok(found)
//!     }
//!     fn append(&mut self, batch: Batch) -> Result<(), String> {
//!         self.waiting.push(batch);
//!         Ok(())
//!     }
//!     fn sync(&mut self) -> Result<Option<WriteId>, String> {
//!         self.durable.append(&mut self.waiting);
//!         Ok(self.durable.last().map(|batch| batch.id))
//!     }
//!     fn close(&mut self) {
//!         self.waiting.clear();
//!     }
//!     fn crash(&mut self, choice: &mut dyn Choice) {
//!         let survive = choice.below(self.waiting.len() as u32 + 1) as usize;
//!         self.durable.extend(self.waiting.drain(..survive));
//!         self.waiting.clear();
//!     }
//! }
//!
//! let report = check(List::default, 0..20).unwrap();
//! assert!(report.starts > 100);
//! ```
//!
//! The suite is run here on the real log of `paxos-node`, on the simulated disk, and on logs that
//! are broken on purpose, each of which must fail it.

mod author;
pub mod driver;
#[cfg(test)]
mod flawed;
mod story;
mod trial;
pub mod vault;

use std::ops::Range;

use paxos_core::log::{Batch, Durable};
use paxos_core::types::WriteId;

use crate::choice::Choice;

pub use self::story::Breach;

/// A log under test.
///
/// One value lives through all lives of the log: between [`close`](Storage::close) or
/// [`crash`](Storage::crash) and the next [`open`](Storage::open) it is only what lies on the
/// disk. The first `open` finds nothing.
pub trait Storage {
    /// Begins a life: reads back all that there is, and is ready to append behind it.
    ///
    /// # Errors
    /// In one line, why the log cannot be used. The suite damages nothing, so that any error
    /// is a breach.
    fn open(&mut self) -> Result<Durable, String>;

    /// Takes a batch in. Nothing is said of it before a [`sync`](Storage::sync).
    ///
    /// # Errors
    /// Allowed only after a sync that failed.
    fn append(&mut self, batch: Batch) -> Result<(), String>;

    /// Makes everything durable that was appended, and gives the last batch of which that is
    /// true; none if there was none in this life.
    ///
    /// # Errors
    /// When a sync was made to fail, in this life; then every later one fails too.
    fn sync(&mut self) -> Result<Option<WriteId>, String>;

    /// Ends a life in order. What was not synced may be kept or lost.
    fn close(&mut self);

    /// The power fails: of what was not synced any part survives, in the units that the disk
    /// writes as one (sectors, say); `choice` says which. A log that cannot tell may lose all.
    fn crash(&mut self, choice: &mut dyn Choice);

    /// Makes the next sync fail, as a disk may; false if that cannot be done.
    fn fail_next_sync(&mut self) -> bool {
        false
    }
}

/// What a sound log was tried with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Batches appended.
    pub batches: u64,
    /// Syncs that succeeded.
    pub syncs: u64,
    /// Syncs that failed on purpose.
    pub failed: u64,
    /// Starts.
    pub starts: u64,
    /// Crashes.
    pub crashes: u64,
    /// Batches that were never acknowledged, and found all the same. If this is zero the log
    /// was never torn: its `crash` loses everything.
    pub survived: u64,
    /// Batches that a crash has lost.
    pub lost: u64,
}

/// What a log must hold to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// A log opens whatever a crash has left, and takes batches.
    Opens,
    /// What was acknowledged is found by every later start.
    Durable,
    /// What is found is what the first so many batches say: none is left out, cut in two,
    /// changed, put before another, or found again after it was lost.
    Prefix,
    /// A sync acknowledges what was appended last, and nothing that was not.
    Acknowledged,
    /// A start changes nothing: the next finds the same.
    Stable,
    /// After a sync that failed nothing is acknowledged in that life.
    Halted,
}

/// Tries logs that `make` gives, empty ones, once for each seed.
///
/// # Errors
/// The first [`Breach`].
pub fn check<S: Storage>(
    mut make: impl FnMut() -> S,
    seeds: Range<u64>,
) -> Result<Report, Box<Breach>> {
    let mut report = Report::default();
    for seed in seeds {
        trial::run(&mut make(), seed, &mut report)?;
    }
    Ok(report)
}
