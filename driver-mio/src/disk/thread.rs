//! The disk's own thread: what queues up while a sync is under way goes out with
//! the next one.
//!
//! There is no order between persisting and sending, so nothing else needs to know when
//! a sync begins. A sync that has been quick lately, while the thread has nothing to do,
//! the event loop makes itself: with all that there was to send on its way, it has
//! nothing better to do than what the others wait for, and two changes of threads take
//! about as long as the sync. Everything else is handed over, and the loop never waits
//! for a slow disk but the first time.

use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use paxos_core::effect::Input;
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

/// A disk that syncs within this time, on average, is quick.
const QUICK: Duration = Duration::from_micros(600);

/// So many writes in a row must have been alone, one value each and nothing before them,
/// until the event loop makes them itself. More than one are a sign of many who ask at
/// once: what they ask meanwhile had better be heard, and go out with the next sync.
const ALONE: u32 = 16;

/// So much the event loop writes itself at once, at most.
const HERE_BYTES: usize = 128 << 10;

/// The event loop's end of the disk.
pub struct Disk {
    shared: Arc<Shared>,
    /// What this turn has ordered.
    turn: Vec<Batch>,
    /// What the core has been told.
    told: Option<WriteId>,
    has_told_failure: bool,
    /// So many writes in a row were alone.
    alone: u32,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    /// Held by whoever writes: the thread, or the event loop. Who holds `state` takes it
    /// only if the thread waits for work: then nobody has it.
    wal: Mutex<Wal>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    queue: Vec<Batch>,
    is_closed: bool,
    /// The thread waits for work.
    is_waiting: bool,
    durable: Option<WriteId>,
    failure: Option<Failure>,
    is_full: bool,
    counters: Counters,
    /// How many segments the log has, and their bytes.
    segments: (u64, u64),
    /// What a block has taken lately, on average; none if none was written.
    pace: Option<Duration>,
    /// Blocks that the event loop has written.
    here: u64,
    /// The last block has no mark behind it yet.
    lacks_mark: bool,
}

/// The first batch that may not be durable, and why.
struct Failure {
    id: WriteId,
    why: String,
}

impl Disk {
    /// Starts the thread. `wake` is called on it whenever there is something new to
    /// hear.
    ///
    /// # Errors
    /// When the system grants no thread.
    pub fn spawn(wal: Wal, wake: impl Fn() + Send + 'static) -> io::Result<Disk> {
        let state = Mutex::new(State { segments: wal.segments(), ..State::default() });
        let shared = Arc::new(Shared { state, wal: Mutex::new(wal), work: Condvar::new() });
        let keeper = Keeper { shared: Arc::clone(&shared), wake, taken: Vec::new() };
        let thread = thread::Builder::new().name("disk".into()).spawn(move || keeper.run())?;
        let (turn, thread) = (Vec::new(), Some(thread));
        Ok(Disk { shared, turn, told: None, has_told_failure: false, alone: 0, thread })
    }

    /// Orders `batch` to be written, in this order; [`hand_over`](Disk::hand_over)
    /// sends it on its way.
    ///
    /// What is ordered is bounded by the core: it has so many slots in flight and
    /// holds so many pledges, and no more.
    pub fn append(&mut self, batch: Batch) {
        self.turn.push(batch);
    }

    /// Hands over what this turn has ordered. Does not block. A disk that has failed
    /// takes nothing any more.
    pub fn hand_over(&mut self) {
        if self.turn.is_empty() {
            return;
        }
        let mut state = self.shared.lock();
        if state.failure.is_some() {
            self.turn.clear();
        } else if state.queue.is_empty() {
            std::mem::swap(&mut state.queue, &mut self.turn);
        } else {
            state.queue.append(&mut self.turn);
        }
        let wake = std::mem::take(&mut state.is_waiting);
        drop(state);
        if wake {
            self.shared.work.notify_one();
        }
    }

    /// Makes what this turn has ordered durable at once if that is quick, else hands it
    /// over. True if there is something to tell now.
    pub fn write(&mut self) -> bool {
        let is_written = self.write_here();
        self.hand_over();
        is_written
    }

    /// Whether what this turn has ordered is dealt with, for good or ill.
    fn write_here(&mut self) -> bool {
        if self.turn.is_empty() {
            return false;
        }
        let shared = Arc::clone(&self.shared);
        let state = shared.lock();
        // Nothing is before us, and the thread takes nothing but from the queue.
        let is_idle = state.is_waiting && state.queue.is_empty() && state.failure.is_none();
        let is_alone = is_idle && self.turn.iter().map(values_of).sum::<usize>() <= 1;
        self.alone = if is_alone { self.alone.saturating_add(1) } else { 0 };
        let is_quick = !state.is_full && state.pace.is_some_and(|pace| pace <= QUICK);
        let is_small = self.turn.iter().map(bytes_of).sum::<usize>() <= HERE_BYTES;
        if self.alone <= ALONE || !is_quick || !is_small {
            return false;
        }
        let mut wal = shared.wal();
        drop(state);
        match shared.timed(&mut wal, &self.turn, Wal::append_if_it_fits) {
            Ok(is_written) => {
                if is_written {
                    shared.lock().here += 1;
                    self.turn.clear();
                }
                is_written
            }
            Err(error) => {
                let id = self.turn[0].id;
                shared.lock().failure = Some(Failure { id, why: error.to_string() });
                true
            }
        }
    }

    /// What the core should be told next, if anything.
    pub fn next_input(&mut self) -> Option<Input> {
        let state = self.shared.lock();
        if state.durable > self.told {
            self.told = state.durable;
            return self.told.map(Input::Persisted);
        }
        let failure = state.failure.as_ref().filter(|_| !self.has_told_failure)?;
        self.has_told_failure = true;
        Some(Input::PersistFailed(failure.id))
    }

    /// Whether the disk has no room for more segments: take no new work. What is
    /// ordered all the same is written into the reserve, as long as that lasts, and
    /// waits for room after that.
    pub fn is_full(&self) -> bool {
        self.shared.lock().is_full
    }

    /// Why the disk has failed, in one line; none if it has not.
    pub fn failure(&self) -> Option<String> {
        self.shared.lock().failure.as_ref().map(|failure| failure.why.clone())
    }

    /// How long a block takes to be written and synced: a moving average, in which the last
    /// one weighs an eighth. None if none was written.
    pub fn pace(&self) -> Option<Duration> {
        self.shared.lock().pace
    }

    /// How many segments the log has, from its start to the one in use, and the
    /// bytes of their files.
    pub fn segments(&self) -> (u64, u64) {
        self.shared.lock().segments
    }

    /// What was done so far, and how many batches wait.
    pub fn counters(&self) -> [(&'static str, u64); 6] {
        let state = self.shared.lock();
        let Counters { blocks, batches, bytes, rolls } = state.counters;
        let waiting = state.queue.len() as u64;
        [
            ("disk_syncs", blocks),
            ("disk_syncs_in_loop", state.here),
            ("disk_batches", batches),
            ("disk_bytes", bytes),
            ("disk_rolls", rolls),
            ("disk_waiting", waiting),
        ]
    }
}

impl Drop for Disk {
    /// Writes what was handed over, and ends the thread.
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, has been told as a failure.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("told", &self.told).finish_non_exhaustive()
    }
}

impl Shared {
    /// The state is whole between any two lines that hold the lock, so a panic
    /// elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A log that somebody has panicked with is [poisoned](WalError::Poisoned) by itself,
    /// or whole.
    fn wal(&self) -> MutexGuard<'_, Wal> {
        self.wal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `batches` written, and takes down how that went if it was done.
    fn timed(
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
struct Keeper<W: Fn()> {
    shared: Arc<Shared>,
    wake: W,
    /// Taken from the queue and not durable yet, oldest first.
    taken: Vec<Batch>,
}

impl<W: Fn()> Keeper<W> {
    fn run(mut self) {
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

fn bytes_of(batch: &Batch) -> usize {
    batch.records.iter().map(|record| weight(&record.entry)).sum()
}

fn values_of(batch: &Batch) -> usize {
    let values = |entry: &Entry| match entry {
        Entry::Voted { run, .. } | Entry::Learned { run } => run.len(),
        _ => 0,
    };
    batch.records.iter().map(|record| values(&record.entry)).sum()
}

fn weight(entry: &Entry) -> usize {
    match entry {
        Entry::Trimmed { .. } | Entry::Reached { .. } | Entry::Relieved { .. } => 0,
        Entry::Voted { run, .. } | Entry::Learned { run } => run.weight(),
        Entry::Promised(_) | Entry::Chosen { .. } | Entry::Founding(_) => 0,
    }
}
