//! The disk's own thread: what queues up while a sync is under way goes out with
//! the next one.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use paxos_core::log::{Batch, Entry};
use paxos_core::types::WriteId;

use super::wal::Counters;
use super::{Wal, WalError};

/// Bytes of records that one block takes from the queue, and no more than half a segment;
/// the first batch always fits. Bounds how long a batch waits for those behind it.
const BLOCK_BYTES: usize = 8 << 20;

/// Idle for this long, the disk leaves its mark behind the last block.
const IDLE: Duration = Duration::from_millis(10);

/// Between two attempts while the disk is full.
const RETRY: Duration = Duration::from_millis(500);

/// An idle thread looks so often whether the event loop has left a block without a mark, and
/// whether segments can be made.
const LOOK: Duration = Duration::from_millis(50);

pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    /// Held by whoever writes: the thread, or the event loop. Who holds `state` takes it
    /// only if the thread waits for work: then nobody has it.
    pub(super) wal: Mutex<Wal>,
    pub(super) work: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) queue: Vec<Batch>,
    pub(super) is_closed: bool,
    /// The thread waits for work.
    pub(super) is_waiting: bool,
    pub(super) durable: Option<WriteId>,
    pub(super) failure: Option<Failure>,
    pub(super) is_full: bool,
    pub(super) counters: Counters,
    /// How many segments the log has, and their bytes.
    pub(super) segments: (u64, u64),
    /// What a block has taken lately, on average; none if none was written.
    pub(super) pace: Option<Duration>,
    /// Blocks that the event loop has written.
    pub(super) here: u64,
    /// The last block has no mark behind it yet.
    pub(super) lacks_mark: bool,
}

/// The first batch that may not be durable, and why.
pub(super) struct Failure {
    pub(super) id: WriteId,
    pub(super) why: String,
}

impl Shared {
    /// The state is whole between any two lines that hold the lock, so a panic
    /// elsewhere does not spoil it.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A log that somebody has panicked with is [poisoned](WalError::Poisoned) by itself,
    /// or whole.
    pub(super) fn wal(&self) -> MutexGuard<'_, Wal> {
        self.wal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `batches` written, and takes down how that went if it was done.
    pub(super) fn timed(
        &self,
        wal: &mut Wal,
        batches: &[Batch],
        write: impl FnOnce(&mut Wal, &[Batch]) -> Result<bool, WalError>,
    ) -> Result<bool, WalError> {
        let began = Instant::now();
        if !write(wal, batches)? {
            return Ok(false);
        }
        let took = began.elapsed();
        let is_full = wal.is_full()?;
        let mut state = self.lock();
        state.durable = batches.last().map(|batch| batch.id).or(state.durable);
        state.is_full = is_full;
        state.counters = wal.counters();
        state.segments = wal.segments();
        state.lacks_mark = true;
        state.pace = Some(state.pace.map_or(took, |pace| (pace * 7 + took) / 8));
        Ok(true)
    }
}

/// The thread's end.
pub(super) struct Keeper<W: Fn()> {
    pub(super) shared: Arc<Shared>,
    pub(super) wake: W,
    /// Taken from the queue and not durable yet, oldest first.
    pub(super) taken: Vec<Batch>,
}

impl<W: Fn()> Keeper<W> {
    pub(super) fn run(mut self) {
        while self.take() {
            let done = if self.taken.is_empty() { self.rest() } else { self.write() };
            match done {
                Ok(()) => {}
                Err(WalError::Full) if self.wait_for_room() => {}
                Err(WalError::Full) => return,
                Err(error) => return self.fail(error.to_string()),
            }
        }
        // As good a moment as any; and if it fails, nothing is lost that was promised.
        let _ = self.shared.wal().mark();
    }

    /// Waits for work and takes it. False when there will be none; true without
    /// work when there is none for now and the disk has something of its own to do.
    fn take(&mut self) -> bool {
        let mut state = self.shared.lock();
        while state.queue.is_empty() && self.taken.is_empty() {
            if state.is_closed {
                return false;
            }
            let patience = match () {
                () if state.lacks_mark => IDLE,
                () if state.is_full => RETRY,
                () => LOOK,
            };
            let blocks = state.counters.blocks;
            state.is_waiting = true;
            let wait = self.shared.work.wait_timeout(state, patience);
            let (woken, timeout) = wait.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.is_waiting = false;
            // Also that there is no room for the next segment may be news by now.
            let is_idle = timeout.timed_out() && state.queue.is_empty();
            if is_idle && state.counters.blocks == blocks {
                return true;
            }
        }
        if self.taken.is_empty() {
            std::mem::swap(&mut self.taken, &mut state.queue);
        } else {
            self.taken.append(&mut state.queue);
        }
        true
    }

    /// Nothing to write: leaves the mark, and looks whether there is room again.
    fn rest(&mut self) -> Result<(), WalError> {
        let mut wal = self.shared.wal();
        wal.mark()?;
        let is_full = wal.is_full()?;
        let mut state = self.shared.lock();
        state.lacks_mark = !wal.is_marked();
        let was_full = std::mem::replace(&mut state.is_full, is_full);
        drop(state);
        if was_full != is_full {
            (self.wake)();
        }
        Ok(())
    }

    /// Makes a block of the oldest batches, and tells.
    fn write(&mut self) -> Result<(), WalError> {
        let append = |wal: &mut Wal, batches: &[Batch]| wal.append(batches).map(|()| true);
        let mut wal = self.shared.wal();
        let half = usize::try_from(wal.segment_bytes() / 2).unwrap_or(usize::MAX);
        let count = block_of(&self.taken, BLOCK_BYTES.min(half));
        self.shared.timed(&mut wal, &self.taken[..count], append)?;
        drop(wal);
        self.taken.drain(..count);
        (self.wake)();
        Ok(())
    }

    /// Nothing is lost, but nothing goes on before there is room. False when nobody
    /// waits any more.
    fn wait_for_room(&self) -> bool {
        let was_full = std::mem::replace(&mut self.shared.lock().is_full, true);
        if !was_full {
            (self.wake)();
        }
        let mut state = self.shared.lock();
        if !state.is_closed {
            let wait = self.shared.work.wait_timeout(state, RETRY);
            state = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        !state.is_closed
    }

    fn fail(&self, why: String) {
        let mut state = self.shared.lock();
        let first = self.taken.first().or(state.queue.first()).map(|batch| batch.id);
        let next = state.durable.map_or(WriteId(1), WriteId::next);
        // One that the event loop has met is the cause of all that fails after it.
        state.failure.get_or_insert(Failure { id: first.unwrap_or(next), why });
        drop(state);
        (self.wake)();
    }
}

impl<W: Fn()> Drop for Keeper<W> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.fail("the disk's thread has panicked".into());
        }
    }
}

/// How many of `batches`, at least one, make a block of at most so many bytes.
fn block_of(batches: &[Batch], most: usize) -> usize {
    let mut bytes = 0;
    let fits = |batch: &&Batch| {
        bytes += bytes_of(batch);
        bytes <= most
    };
    batches.iter().take_while(fits).count().max(1)
}

pub(super) fn bytes_of(batch: &Batch) -> usize {
    batch.records.iter().map(|record| weight(&record.entry)).sum()
}

fn weight(entry: &Entry) -> usize {
    match entry {
        Entry::Trimmed { .. } | Entry::Reached { .. } | Entry::Relieved { .. } => 0,
        Entry::Voted { run, .. } | Entry::Learned { run } => run.weight(),
        Entry::Promised(_) | Entry::Chosen { .. } | Entry::Founding(_) => 0,
    }
}
