//! Makes segments ahead of time, on a thread of its own, so that the log rolls
//! into a file that is zeroed, synced and known by name.
//!
//! Keeps [`READY`] segments ready. The last of them is the reserve: when no more
//! can be made, the node takes no new work but can still vote for a while.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::file::{Seam, Spare, is_disk_full, make_segment};
use super::meta::Meta;
use super::{Options, WalError};

/// Segments that lie ready beside the one in use.
pub(super) const READY: usize = 2;

/// Between two attempts while the disk is full.
const RETRY: Duration = Duration::from_secs(1);

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
    /// One word for every segment wanted; closed to end the thread.
    wanted: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    is_full: bool,
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
        let (wanted, orders) = channel();
        let (told, news) = channel();
        let mut maker = Maker { options, meta, next, seam, told };
        let name = thread::Builder::new().name("segments".into());
        let thread = name.spawn(move || maker.run(&orders))?;
        for _ in ready.len()..READY {
            // It listens: it ends only when this end is dropped, or tells that it failed.
            let _ = wanted.send(());
        }
        let (wanted, thread) = (Some(wanted), Some(thread));
        Ok(Spares { ready, news, wanted, thread, is_full: false })
    }

    /// Takes the next segment; waits while it is being made, but not for room.
    pub(super) fn take(&mut self) -> Result<Spare, WalError> {
        loop {
            self.hear_news()?;
            if let Some(spare) = self.ready.pop_front() {
                if let Some(wanted) = &self.wanted {
                    let _ = wanted.send(());
                }
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
        self.wanted = None;
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
}

impl Maker {
    fn run(&mut self, orders: &Receiver<()>) {
        let mut wanted = 0;
        let mut is_full = false;
        loop {
            // While there is no room, try again when something is wanted, or in a while.
            let order = match (wanted, is_full) {
                (0, _) => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
                (_, true) => orders.recv_timeout(RETRY),
                (_, false) => Err(RecvTimeoutError::Timeout),
            };
            match order {
                Ok(()) => wanted += 1,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
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
        let spare = make_segment(&self.options, self.next, self.seam)?;
        self.meta.made = self.next;
        self.meta.store(&self.options.dir)?;
        self.next += 1;
        Ok(spare)
    }
}
