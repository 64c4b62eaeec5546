//! Images of the replicated state in files, and the threads that write and read them.
//!
//! The event loop freezes the state, which costs nothing that grows with it, and
//! hands it over; whatever takes time happens here. An image counts from the moment
//! its file has its final name, durably.
//!
//! | file | what |
//! |---|---|
//! | `snap-<group>-<slot>.img` | the state with the effect of all slots below; the newest two stay |
//! | `snap-<group>-<slot>.tmp` | one that is being written, or that a crash left |
//! | `incoming-<group>.part` | a peer's image, as far as it has come |
//! | `damaged-<group>-<slot>.img` | one that was found damaged, for a look at it |
//!
//! | module | its one thought |
//! |---|---|
//! | `file` | the bytes of an image's file, and their sums |
//! | `part` | a peer's image, piece by piece |
//! | `open` | from a directory to the state that a node starts with |
//! | `lane` | two threads: captures must not hold up peers |
//! | `pauses` | nor clients |

#[cfg(test)]
mod conform;
mod file;
mod lane;
mod names;
mod open;
mod part;
mod pauses;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use paxos_core::effect::Input;
use paxos_core::types::{Checkpoint, GroupId, Image, ImageId, NodeId, Piece, Slot};

use crate::kv;
use crate::store::{Frozen, Store};
use lane::{Lane, Order};

pub(crate) use open::{Look, Opened, look, open};

/// Where images are, and what they are of.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The directory, which is there; the log's own.
    pub(crate) dir: PathBuf,
    /// The group whose state it is.
    pub(crate) group: GroupId,
    /// The cluster; images of another are not read.
    pub(crate) cluster: u64,
    /// The bounds that a restored machine gets.
    pub(crate) limits: kv::Limits,
}

/// What the vault has to say.
#[derive(Debug)]
pub(crate) enum Told {
    /// Something for the core.
    Input(Input),
    /// The state that an image is of. Put it in place of the one there is, then tell
    /// the core.
    Installed(ImageId, Box<Store>),
    /// Something for the operator.
    Line(String),
}

/// The thread that writes images, for which no client waits.
const SLOW: &str = "images";

/// By how much it is nicer to other threads than they are.
#[cfg(target_os = "linux")]
const NICER: i32 = 5;

/// Lets other threads go first, where the system can do that for one thread: an image may
/// take a while, what clients wait for may not.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Ok(usual) = rustix::process::getpriority_process(None) {
        // If it may not, it takes its turn like the others.
        let _ = rustix::process::setpriority_process(None, usual + NICER);
    }
}

/// The event loop's end of the vault.
#[derive(Debug)]
pub(crate) struct Vault {
    /// For captures, installations and what is to be dropped.
    slow: Option<Sender<Order>>,
    /// For pieces of images, from and to peers.
    quick: Option<Sender<Order>>,
    told: Receiver<Told>,
    /// Ends what takes long.
    is_closing: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    /// Captures and installations under way.
    running: usize,
    newest: Slot,
}

impl Vault {
    /// Starts the threads. `wake` is called on them whenever there is something new
    /// to hear. `newest` is the slot of the newest image, from [`open`].
    ///
    /// # Errors
    /// When the system grants no thread.
    pub(crate) fn spawn(
        place: Place,
        newest: Slot,
        wake: impl Fn() + Send + Clone + 'static,
    ) -> io::Result<Vault> {
        let (tell, told) = channel();
        let is_closing = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        let mut lane = |name: &str| -> io::Result<Sender<Order>> {
            let (orders, taken) = channel();
            let lane =
                Lane::new(place.clone(), tell.clone(), wake.clone(), Arc::clone(&is_closing));
            let named = thread::Builder::new().name(name.into());
            let is_slow = name == SLOW;
            threads.push(named.spawn(move || {
                if is_slow {
                    give_way();
                }
                lane.run(&taken);
            })?);
            Ok(orders)
        };
        let (slow, quick) = (Some(lane(SLOW)?), Some(lane("pieces")?));
        Ok(Vault { slow, quick, told, is_closing, threads, running: 0, newest })
    }

    /// Writes `frozen` out as the image of `checkpoint`.
    pub(crate) fn capture(&mut self, checkpoint: Checkpoint, frozen: Frozen) {
        self.running += 1;
        self.slowly(Order::Capture(checkpoint, frozen));
    }

    /// Reads some bytes of an image for a peer.
    pub(crate) fn load(&mut self, to: NodeId, image: ImageId, offset: u64, bytes: usize) {
        self.quickly(Order::Load { to, image, offset, bytes });
    }

    /// Writes some bytes of a peer's image aside.
    pub(crate) fn store(&mut self, piece: Piece) {
        self.quickly(Order::Store(piece));
    }

    /// Makes a state of the peer's image that was stored.
    pub(crate) fn install(&mut self, image: Image) {
        self.running += 1;
        self.slowly(Order::Install(image));
    }

    /// Drops a state, which takes a while if it is a large one.
    pub(crate) fn discard(&mut self, store: Store) {
        self.slowly(Order::Discard(Box::new(store)));
    }

    /// What there is to hear.
    pub(crate) fn next(&mut self) -> Option<Told> {
        let told = self.told.try_recv().ok()?;
        match &told {
            Told::Input(Input::Captured { image, .. }) => self.done(image.checkpoint.below),
            Told::Installed(image, _) => self.done(image.below),
            Told::Input(Input::CaptureFailed { .. } | Input::InstallFailed { .. }) => {
                self.done(self.newest);
            }
            _ => {}
        }
        Some(told)
    }

    /// Whether an image is being written or put in place.
    pub(crate) fn is_running(&self) -> bool {
        self.running > 0
    }

    /// What the newest image is of: all slots below. The first slot if there is none.
    pub(crate) fn newest(&self) -> Slot {
        self.newest
    }

    fn done(&mut self, newest: Slot) {
        self.running = self.running.saturating_sub(1);
        self.newest = self.newest.max(newest);
    }

    fn slowly(&self, order: Order) {
        send(self.slow.as_ref(), order);
    }

    fn quickly(&self, order: Order) {
        send(self.quick.as_ref(), order);
    }
}

/// A lane ends only when its orders do: nobody is left to be told otherwise.
fn send(lane: Option<&Sender<Order>>, order: Order) {
    if let Some(lane) = lane {
        let _ = lane.send(order);
    }
}

impl Drop for Vault {
    /// Gives up what is under way, and waits for the threads.
    fn drop(&mut self) {
        self.is_closing.store(true, Ordering::Relaxed);
        (self.slow, self.quick) = (None, None);
        for thread in self.threads.drain(..) {
            // A panic over there has been told over there.
            let _ = thread.join();
        }
    }
}
