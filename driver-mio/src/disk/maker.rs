//! Makes segments ahead of time, on a thread of its own, so that the log rolls
//! into a file that is zeroed, synced and known by name; and deletes those that the
//! log needs no more, once its new start is on record. A few of these are made anew
//! instead: that needs no room on the disk.
//!
//! Keeps [`READY`] segments ready. The last of them is the reserve: when no more
//! can be made, the node takes no new work but can still vote for a while.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use paxos_core::codec::wal::{Place, Start};

use super::file::{Making, Seam, Spare, cut_off, is_disk_full, make_segment, remake_segment};
use super::meta::Meta;
use super::{Options, WalError, names};

/// Segments that lie ready beside the one in use.
pub(super) const READY: usize = 2;

/// Segments that are kept to be made anew.
const KEPT: usize = 2;

/// The longest pause between zeros: one that has begun is not cut short.
const PAUSE_MAX: Duration = Duration::from_millis(20);

/// Between two attempts while the disk is full.
const RETRY: Duration = Duration::from_secs(1);

/// What is wanted of the thread.
#[derive(Debug)]
enum Order {
    /// One segment more.
    Make,
    /// The log begins here from now on.
    Begin(Start),
    /// Nothing will be written from here on to the end of the segment.
    GiveBack(Place),
}

enum News {
    Made(Spare),
    /// There is no room. Said once; attempts go on.
    Full,
    /// The disk has failed; no more will be made.
    Failed(io::Error),
}

/// The segments that lie ready, and the thread that makes more.
#[derive(Debug)]
pub(super) struct Spares {
    ready: VecDeque<Spare>,
    news: Receiver<News>,
    /// Closed to end the thread.
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
    lacking: Lacking,
    is_full: bool,
}

/// How many segments are to be made.
#[derive(Clone, Debug, Default)]
struct Lacking(Arc<AtomicUsize>);

impl Lacking {
    /// One more.
    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One is made.
    fn take(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// For how long the disk is left to the log after zeros that `took` so long: as long, unless
    /// no segment lies ready and the log may come to wait for this one.
    fn pause(&self, took: Duration) -> Duration {
        let is_leisurely = self.0.load(Ordering::Relaxed) < READY;
        if is_leisurely { took.min(PAUSE_MAX) } else { Duration::ZERO }
    }
}

impl Spares {
    /// Starts the thread; `ready` lie ready. What it makes is numbered from
    /// `next` on, and known to `meta` before it is handed out.
    pub(super) fn start(
        options: Options,
        meta: Meta,
        next: u64,
        ready: VecDeque<Spare>,
        seam: Seam,
    ) -> io::Result<Spares> {
        let (ordered, orders) = channel();
        let (told, news) = channel();
        let (old, let_go) = (VecDeque::new(), meta.start.segment);
        let lacking = Lacking::default();
        let mut maker = Maker {
            options,
            meta,
            next,
            seam,
            told,
            old,
            let_go,
            is_start_due: false,
            lacking: lacking.clone(),
        };
        let name = thread::Builder::new().name("segments".into());
        let thread = name.spawn(move || maker.run(&orders))?;
        let lacks = ready.len()..READY;
        let (orders, thread) = (Some(ordered), Some(thread));
        let spares = Spares { ready, news, orders, thread, lacking, is_full: false };
        lacks.for_each(|_| spares.replace());
        Ok(spares)
    }

    /// Has one more made, in the place of one that was taken and is in use now.
    pub(super) fn replace(&self) {
        self.lacking.add();
        self.order(Order::Make);
    }

    /// Takes the next segment; waits while it is being made, but not for room.
    pub(super) fn take(&mut self) -> Result<Spare, WalError> {
        loop {
            self.hear_news()?;
            if let Some(spare) = self.ready.pop_front() {
                return Ok(spare);
            }
            if self.is_full {
                return Err(WalError::Full);
            }
            match self.news.recv() {
                Ok(news) => self.hear(news)?,
                Err(_) => return Err(WalError::Failed(gone())),
            }
        }
    }

    /// Gives back what was [taken](Spares::take) last: it was not written to.
    pub(super) fn put_back(&mut self, spare: Spare) {
        self.ready.push_front(spare);
    }

    /// Lets the log begin at `start`, durably but not at once, and deletes what lies
    /// before.
    pub(super) fn begin(&mut self, start: Start) -> Result<(), WalError> {
        self.hear_news()?;
        self.order(Order::Begin(start));
        Ok(())
    }

    /// Gives the room from `end` to the end of its segment back, but not at once: nothing
    /// will be written there.
    pub(super) fn give_back(&self, end: Place) {
        self.order(Order::GiveBack(end));
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // Should the thread be gone, that is told with the next news.
            let _ = orders.send(order);
        }
    }

    /// Whether the last attempt to make a segment found no room.
    pub(super) fn is_full(&mut self) -> Result<bool, WalError> {
        self.hear_news()?;
        Ok(self.is_full)
    }

    fn hear_news(&mut self) -> Result<(), WalError> {
        loop {
            match self.news.try_recv() {
                Ok(news) => self.hear(news)?,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(WalError::Failed(gone())),
            }
        }
    }

    fn hear(&mut self, news: News) -> Result<(), WalError> {
        match news {
            News::Made(spare) => {
                self.is_full = false;
                self.ready.push_back(spare);
            }
            News::Full => self.is_full = true,
            News::Failed(error) => return Err(WalError::Failed(error)),
        }
        Ok(())
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        self.orders = None;
        // It is waited for now.
        (0..READY).for_each(|_| self.lacking.add());
        if let Some(thread) = self.thread.take() {
            // A panic over there has been told over there.
            let _ = thread.join();
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread that makes segments is gone")
}

struct Maker {
    options: Options,
    meta: Meta,
    next: u64,
    seam: Seam,
    told: Sender<News>,
    /// Segments before the start that are kept, oldest first.
    old: VecDeque<u64>,
    /// All segments below were let go: they lie before the start that is on record.
    let_go: u64,
    /// The start is not on record yet, for want of room.
    is_start_due: bool,
    lacking: Lacking,
}

impl Maker {
    fn run(&mut self, orders: &Receiver<Order>) {
        let mut wanted = 0;
        let mut is_full = false;
        loop {
            // While there is no room, try again when something is wanted, or in a while.
            let order = match wanted {
                0 if !self.is_start_due => {
                    orders.recv().map_err(|_| RecvTimeoutError::Disconnected)
                }
                1.. if !is_full => Err(RecvTimeoutError::Timeout),
                _ => orders.recv_timeout(RETRY),
            };
            let done = match order {
                Ok(Order::Begin(start)) => {
                    self.meta.start = start;
                    self.begin()
                }
                Ok(Order::GiveBack(end)) => match cut_off(&self.options, end) {
                    // It stays as long as it was, which costs room and nothing else.
                    Err(error) if is_disk_full(&error) => Ok(()),
                    done => done,
                },
                Ok(Order::Make) => {
                    wanted += 1;
                    Ok(())
                }
                // First, as it makes room.
                Err(RecvTimeoutError::Timeout) if self.is_start_due => self.begin(),
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if let Err(error) = done {
                let _ = self.told.send(News::Failed(error));
                return;
            }
            if wanted == 0 {
                continue;
            }
            let news = match self.make() {
                Ok(spare) => News::Made(spare),
                Err(error) if is_disk_full(&error) => News::Full,
                Err(error) => News::Failed(error),
            };
            let told = matches!(news, News::Full) && is_full;
            is_full = matches!(news, News::Full);
            wanted -= usize::from(!is_full);
            let last = matches!(news, News::Failed(_));
            if !told && self.told.send(news).is_err() || last {
                return;
            }
        }
    }

    /// Makes the next segment, and says so in the meta file: from then on it may
    /// not go missing.
    fn make(&mut self) -> Result<Spare, io::Error> {
        let pause = &|took| thread::sleep(self.lacking.pause(took));
        let making = Making { options: &self.options, seam: self.seam, pause };
        let spare = match self.old.pop_front() {
            Some(old) => remake_segment(making, old, self.next)?,
            None => make_segment(making, self.next)?,
        };
        self.meta.made = self.next;
        self.meta.store(&self.options.dir)?;
        self.next += 1;
        self.lacking.take();
        Ok(spare)
    }

    /// Puts the start on record; then what lies before may go. Where there is no room for
    /// that, it stays due: until then, the log begins where it did.
    fn begin(&mut self) -> io::Result<()> {
        let stored = (self.seam.room)().and_then(|()| self.meta.store(&self.options.dir));
        self.is_start_due = stored.as_ref().is_err_and(is_disk_full);
        if self.is_start_due {
            return Ok(());
        }
        stored?;
        let start = self.meta.start.segment;
        self.old.extend(self.let_go..start);
        self.let_go = self.let_go.max(start);
        while self.old.len() > KEPT {
            if let Some(seq) = self.old.pop_front() {
                self.remove(seq)?;
            }
        }
        Ok(())
    }

    fn remove(&self, seq: u64) -> io::Result<()> {
        match fs::remove_file(names::segment(&self.options.dir, seq)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_made_at_leisure_only_while_another_lies_ready() {
        let (lacking, took) = (Lacking::default(), Duration::from_millis(3));
        let maker = lacking.clone();
        for _ in 1..READY {
            lacking.add();
            assert_eq!(maker.pause(took), took);
        }
        lacking.add();
        assert_eq!(maker.pause(took), Duration::ZERO);
        maker.take();
        assert_eq!(maker.pause(took), took);
        assert_eq!(maker.pause(PAUSE_MAX * 9), PAUSE_MAX, "a disk that hangs is not hung on");
    }
}
