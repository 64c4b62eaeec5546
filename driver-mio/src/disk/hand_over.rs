//! The event loop's end of the disk: what it hands over to the [`thread`](super::thread),
//! and what it writes itself.
//!
//! There is no order between persisting and sending, so nothing else needs to know when
//! a sync begins. A sync that has been quick lately, while the thread has nothing to do,
//! the event loop makes itself: with all that there was to send on its way, it has
//! nothing better to do than what the others wait for, and two changes of threads take
//! about as long as the sync. Everything else is handed over, and the loop never waits
//! for a slow disk but the first time.

use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use paxos_core::effect::Input;
use paxos_core::log::{Batch, Entry};
use paxos_core::types::WriteId;

use super::Wal;
use super::thread::{Failure, Keeper, Shared, State, bytes_of};
use super::wal::Counters;

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

fn values_of(batch: &Batch) -> usize {
    let values = |entry: &Entry| match entry {
        Entry::Voted { run, .. } | Entry::Learned { run } => run.len(),
        _ => 0,
    };
    batch.records.iter().map(|record| values(&record.entry)).sum()
}
