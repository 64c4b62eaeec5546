//! A conformance suite for where images are kept: what any embedder can run against their own.
//!
//! A checkpoint lets the log be trimmed: from then on nothing but its image knows of the slots
//! below. The core trusts that an image which it was told is durable is found by every later
//! start, whole; that a peer can read it, piece by piece; and that an image of a peer takes the
//! place of the state only if its bytes are what its digest says. Whoever keeps images implements
//! [`Vault`], and lets [`check`] try it: states of no bytes up to some millions, saved, read and
//! pulled from a second vault, in pieces of any size; ends in order, and losses of power at any
//! moment.
//!
//! A state is some bytes here, and how an image spells it is the vault's own affair.
//!
//! ```
//! use bytes::Bytes;
//! use driver_sim::choice::Choice;
//! use driver_sim::conform::vault::{Found, Order, Vault, check};
//! use paxos_core::types::{Checkpoint, Image, ImageId, Piece};
//!
//! /// The simplest vault: the newest two states, and what has come of a peer's.
//! #[derive(Default)]
//! struct List {
//!     kept: Vec<(Image, Vec<u8>)>,
//!     aside: Option<(ImageId, Vec<u8>)>,
//! }
//!
//! fn digest(bytes: &[u8]) -> u64 {
//!     bytes.iter().fold(7, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3))
//! }
//!
//! impl Vault for List {
//!     fn open(&mut self) -> Result<Found, String> {
//!         let partial = self.aside.as_ref().map(|(image, bytes)| (*image, bytes.len() as u64));
//!         Ok(Found { newest: self.kept.last().cloned(), partial })
//!     }
//!     fn save(&mut self, checkpoint: &Checkpoint, state: &[u8]) -> Result<Image, String> {
//!         let (checkpoint, bytes) = (checkpoint.clone(), state.len() as u64);
//!         let image = Image { checkpoint, bytes, digest: digest(state) };
//!         self.kept.push((image.clone(), state.to_vec()));
//!         self.kept.drain(..self.kept.len().saturating_sub(2));
//!         Ok(image)
//!     }
//!     fn read(&mut self, image: ImageId, offset: u64, bytes: usize) -> Result<Bytes, String> {
//!         let held = self.kept.iter().find(|(kept, _)| kept.id() == image);
//!         let rest = held.and_then(|(_, held)| held.get(offset as usize..)).unwrap_or(&[]);
//!         Ok(Bytes::copy_from_slice(&rest[..bytes.min(rest.len())]))
//!     }
//!     fn store(&mut self, piece: &Piece) -> Result<(), String> {
//!         let (image, mut bytes) = self.aside.take().unwrap_or((piece.image, Vec::new()));
//!         bytes.truncate(if image == piece.image { piece.offset as usize } else { 0 });
//!         bytes.extend(&piece.payload);
//!         self.aside = Some((piece.image, bytes));
//!         Ok(())
//!     }
//!     fn install(&mut self, image: &Image) -> Result<Vec<u8>, String> {
//!         let aside = self.aside.take().filter(|(stored, _)| *stored == image.id());
//!         let (_, state) = aside.unwrap_or((image.id(), Vec::new()));
//!         if digest(&state) != image.digest {
//!             return Err("not what its digest says".into());
//!         }
//!         self.save(&image.checkpoint, &state)?;
//!         Ok(state)
//!     }
//!     fn close(&mut self) {}
//!     fn crash(&mut self, during: Option<&Order>, choice: &mut dyn Choice) {
//!         if choice.chance(500_000) {
//!             let _ = during.map(|order| order.carry_out(self));
//!         }
//!     }
//! }
//!
//! let report = check(List::default, 0..20).unwrap();
//! assert!(report.saves > 100 && report.installs > 20);
//! ```
//!
//! The suite is run here on the real images of `paxos-node`, on the simulated ones, and on vaults
//! that are broken on purpose, each of which must fail it.

#[cfg(test)]
mod flawed;
mod model;
mod trial;

use std::ops::Range;

use bytes::Bytes;
use paxos_core::types::{Checkpoint, Image, ImageId, Piece};

use crate::choice::Choice;

/// How a vault breaks its word.
pub type Breach = super::Breach<Claim>;

/// A vault under test, for one group.
///
/// One value lives through all lives of the vault: between [`close`](Vault::close) or
/// [`crash`](Vault::crash) and the next [`open`](Vault::open) it is only what lies on the disk.
/// The first `open` finds nothing. Orders come as the core gives them: slots ascend, pieces of one
/// image come in order, and nothing is saved while an image is installed.
pub trait Vault {
    /// Begins a life: says what there is.
    ///
    /// # Errors
    /// In one line, why the vault cannot be used.
    fn open(&mut self) -> Result<Found, String>;

    /// Makes an image of a state, durable together with its checkpoint: what
    /// [`Capture`](paxos_core::effect::Effect::Capture) orders. Returns when
    /// [`Captured`](paxos_core::effect::Input::Captured) may be said.
    ///
    /// # Errors
    /// In one line, why it cannot be done.
    fn save(&mut self, checkpoint: &Checkpoint, state: &[u8]) -> Result<Image, String>;

    /// Reads some bytes of an image, fewer where it ends, and none if it is gone: what
    /// [`Load`](paxos_core::effect::Effect::Load) orders.
    ///
    /// # Errors
    /// In one line, why there is no answer.
    fn read(&mut self, image: ImageId, offset: u64, bytes: usize) -> Result<Bytes, String>;

    /// Writes a piece of a peer's image aside: what
    /// [`Store`](paxos_core::effect::Effect::Store) orders. A piece of another image ends the one
    /// before; need not be durable.
    ///
    /// # Errors
    /// In one line, why it cannot be done.
    fn store(&mut self, piece: &Piece) -> Result<(), String>;

    /// Makes the image that was stored the newest, durable together with its checkpoint, and gives
    /// the state that it is of: what [`Install`](paxos_core::effect::Effect::Install) orders. One
    /// of no bytes was never stored.
    ///
    /// # Errors
    /// In one line, why it cannot be used. What was stored of it is given up then.
    fn install(&mut self, image: &Image) -> Result<Vec<u8>, String>;

    /// Ends a life in order. What was stored may be kept or lost.
    fn close(&mut self);

    /// The power fails, perhaps in the midst of an order: then that is done, or any part of it,
    /// or nothing; `choice` says which. A vault that cannot tell may leave it undone.
    fn crash(&mut self, during: Option<&Order>, choice: &mut dyn Choice);

    /// Turns some bits of an image on the disk, between two lives; false if that cannot be done.
    fn rot(&mut self, choice: &mut dyn Choice) -> bool {
        let _ = choice;
        false
    }
}

/// What a start finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The newest image that is sound, and the state that it is of.
    pub newest: Option<(Image, Vec<u8>)>,
    /// A peer's image that was being stored, and how many of its bytes, from the first on, are
    /// there. None is always true.
    pub partial: Option<(ImageId, u64)>,
}

/// What was under way when the power failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// See [`Vault::save`].
    Save(Checkpoint, Vec<u8>),
    /// See [`Vault::store`].
    Store(Piece),
    /// See [`Vault::install`].
    Install(Image),
}

impl Order {
    /// Carries it out whole.
    ///
    /// # Errors
    /// What the vault says.
    pub fn carry_out<V: Vault + ?Sized>(&self, vault: &mut V) -> Result<(), String> {
        match self {
            Order::Save(checkpoint, state) => vault.save(checkpoint, state).map(drop),
            Order::Store(piece) => vault.store(piece),
            Order::Install(image) => vault.install(image).map(drop),
        }
    }
}

/// What a sound vault was tried with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Starts.
    pub starts: u64,
    /// Crashes.
    pub crashes: u64,
    /// States saved.
    pub saves: u64,
    /// Reads of some bytes.
    pub reads: u64,
    /// Pieces of a peer's image that were stored.
    pub pieces: u64,
    /// Images of a peer that were installed.
    pub installs: u64,
    /// Those that were refused, since their bytes were not what their digest says.
    pub refused: u64,
    /// Saves and installations in whose midst the power failed, and that were found done. If this
    /// is zero the vault was never torn: its `crash` leaves all undone.
    pub survived: u64,
    /// Saves and installations that a crash has undone.
    pub lost: u64,
    /// Starts that went on with what was stored before.
    pub resumed: u64,
    /// Images that have rotted.
    pub rotted: u64,
}

/// What a vault must hold to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// A vault opens whatever a crash has left, and does what it is ordered to.
    Opens,
    /// What was saved or installed is found by every later start, until something newer is
    /// durable.
    Durable,
    /// What is found is the state that was saved, byte for byte, under its own checkpoint. One
    /// that is torn or has rotted is passed over.
    Whole,
    /// A start changes nothing: the next finds the same.
    Stable,
    /// What is read of an image is what it holds there, in whatever pieces; nothing beyond its
    /// end, and nothing if it is gone.
    Reads,
    /// The image before the newest is there as well: a peer may be pulling it, and the newest may
    /// rot.
    Before,
    /// No more of a peer's image is said to be there than was stored of it.
    Partial,
    /// An image that was pulled whole gives the state that it is of.
    Installs,
    /// An image whose bytes are not what its digest says is not installed.
    Checked,
}

/// Tries vaults that `make` gives, empty ones, two for each seed: one to be tried, and one for its
/// peer.
///
/// # Errors
/// The first [`Breach`].
pub fn check<V: Vault>(
    mut make: impl FnMut() -> V,
    seeds: Range<u64>,
) -> Result<Report, Box<Breach>> {
    let mut report = Report::default();
    for seed in seeds {
        trial::run(&mut make(), &mut make(), seed, &mut report)?;
    }
    Ok(report)
}
