//! The disk's own thread: what queues up while a sync is under way goes out with
//! the next one.
//!
//! The event loop hands batches over and never waits. There is no order between
//! persisting and sending, so nothing else needs to know when a sync begins.

use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use paxos_core::effect::Input;
use paxos_core::log::{Batch, Entry};
use paxos_core::types::WriteId;

use super::wal::Counters;
use super::{Wal, WalError};

/// Bytes of records that one block takes from the queue; the first batch always
/// fits. Bounds how long a batch waits for those behind it.
const BLOCK_BYTES: usize = 8 << 20;

/// Idle for this long, the disk leaves its mark behind the last block.
const IDLE: Duration = Duration::from_millis(10);

/// Between two attempts while the disk is full.
const RETRY: Duration = Duration::from_millis(500);

/// The event loop's end of the disk.
pub struct Disk {
    shared: Arc<Shared>,
    /// What this turn has ordered.
    turn: Vec<Batch>,
    /// What the core has been told.
    told: Option<WriteId>,
    has_told_failure: bool,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
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
        let state = State { segments: wal.segments(), ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), work: Condvar::new() });
        let keeper = Keeper { shared: Arc::clone(&shared), wal, wake, taken: Vec::new() };
        let thread = thread::Builder::new().name("disk".into()).spawn(move || keeper.run())?;
        let (turn, thread) = (Vec::new(), Some(thread));
        Ok(Disk { shared, turn, told: None, has_told_failure: false, thread })
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

    /// How many segments the log has, from its start to the one in use, and the
    /// bytes of their files.
    pub fn segments(&self) -> (u64, u64) {
        self.shared.lock().segments
    }

    /// What was done so far, and how many batches wait.
    pub fn counters(&self) -> [(&'static str, u64); 5] {
        let state = self.shared.lock();
        let Counters { blocks, batches, bytes, rolls } = state.counters;
        let waiting = state.queue.len() as u64;
        [
            ("disk_syncs", blocks),
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
}

/// The thread's end.
struct Keeper<W: Fn()> {
    shared: Arc<Shared>,
    wal: Wal,
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
        let _ = self.wal.mark();
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
                () if !self.wal.is_marked() => IDLE,
                () if state.is_full => RETRY,
                () => Duration::MAX,
            };
            state.is_waiting = true;
            let wait = self.shared.work.wait_timeout(state, patience);
            let (woken, timeout) = wait.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.is_waiting = false;
            if timeout.timed_out() && state.queue.is_empty() {
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
        self.wal.mark()?;
        let is_full = self.wal.is_full()?;
        let was_full = std::mem::replace(&mut self.shared.lock().is_full, is_full);
        if was_full != is_full {
            (self.wake)();
        }
        Ok(())
    }

    /// Makes a block of the oldest batches, and tells.
    fn write(&mut self) -> Result<(), WalError> {
        let count = block_of(&self.taken);
        self.wal.append(&self.taken[..count])?;
        let is_full = self.wal.is_full()?;
        let last = self.taken[count - 1].id;
        self.taken.drain(..count);
        let mut state = self.shared.lock();
        state.durable = Some(last);
        state.is_full = is_full;
        state.counters = self.wal.counters();
        state.segments = self.wal.segments();
        drop(state);
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
        state.failure = Some(Failure { id: first.unwrap_or(next), why });
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

/// How many of `batches`, at least one, make a block.
fn block_of(batches: &[Batch]) -> usize {
    let mut bytes = 0;
    let fits = |batch: &&Batch| {
        bytes += batch.records.iter().map(|record| weight(&record.entry)).sum::<usize>();
        bytes <= BLOCK_BYTES
    };
    batches.iter().take_while(fits).count().max(1)
}

fn weight(entry: &Entry) -> usize {
    match entry {
        Entry::Trimmed { .. } | Entry::Reached { .. } | Entry::Relieved { .. } => 0,
        Entry::Voted { run, .. } | Entry::Learned { run } => run.weight(),
        Entry::Promised(_) | Entry::Chosen { .. } => 0,
    }
}
