//! What a vault must hold, and what its machine comes to.

use std::collections::BTreeMap;

use paxos_core::quorum::Membership;
use paxos_core::types::{Checkpoint, Checksum, Image, NodeId, Schedule, Slot};

use crate::choice::{Choice, Seeded};

/// A machine: its state is a function of the slots below, as on every replica.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    seed: u64,
}

impl Machine {
    pub(super) fn new(choice: &mut Seeded) -> Machine {
        Machine { seed: choice.next_u64() }
    }

    /// Its state with the effect of all slots below.
    pub(super) fn state(&self, below: Slot) -> Vec<u8> {
        let mut choice = self.draw(below);
        let sizes = [0, 40, 700, 5_000, 70_000, 400_000, 3_000_000];
        let most = sizes[choice.weighted(&[1, 4, 5, 4, 4, 6, 1])];
        let bytes = choice.below(most + 1) as usize;
        let words = (0..bytes.div_ceil(8)).flat_map(|_| choice.next_u64().to_le_bytes());
        words.take(bytes).collect()
    }

    /// What the protocol must know of the same slots.
    pub(super) fn checkpoint(&self, below: Slot) -> Checkpoint {
        let mut choice = self.draw(Slot(!below.0));
        let members = Membership::majority((1..=3 + choice.below(3) as u16).map(NodeId));
        let schedule = Schedule::starting(Slot::FIRST, members.into());
        Checkpoint { below, sum: Checksum(choice.next_u64()), schedule }
    }

    fn draw(&self, below: Slot) -> Seeded {
        Seeded::new(self.seed ^ below.0.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }
}

/// One image.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) image: Image,
    /// Its bytes, as they were first read.
    pub(super) bytes: Vec<u8>,
    /// Whether it has rotted, and need not be there.
    is_gone: bool,
}

/// The images that a vault holds, or has held.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    images: BTreeMap<Slot, Kept>,
    /// The newest that is there; the first slot if there is none.
    newest: Slot,
    /// So many of the newest must be there.
    firm: usize,
}

impl Shelf {
    pub(super) fn new() -> Shelf {
        Shelf { images: BTreeMap::new(), newest: Slot::FIRST, firm: 0 }
    }

    /// An image has become durable, the newest.
    pub(super) fn put(&mut self, image: Image, bytes: Vec<u8>) {
        self.newest = image.checkpoint.below;
        self.images.insert(self.newest, Kept { image, bytes, is_gone: false });
        self.firm = (self.firm + 1).min(FIRM);
    }

    /// All slots below are in the newest image.
    pub(super) fn newest(&self) -> Slot {
        self.newest
    }

    /// The image of all slots below, if there ever was one.
    pub(super) fn image(&self, below: Slot) -> Option<&Image> {
        self.images.get(&below).map(|kept| &kept.image)
    }

    /// Whether this may be the newest that is left, where one image has rotted.
    pub(super) fn may_fall_to(&self, below: Option<Slot>) -> bool {
        match below {
            // The other is not the one that has rotted.
            None => self.firm < FIRM,
            Some(below) => below < self.newest && self.images.contains_key(&below),
        }
    }

    /// One image has rotted, and this is the newest that is left.
    pub(super) fn falls_to(&mut self, below: Option<Slot>) {
        self.newest = below.unwrap_or(Slot::FIRST);
        self.firm = usize::from(below.is_some());
        let gone = self.images.range_mut(self.newest.next()..);
        gone.for_each(|(_, kept)| kept.is_gone = true);
    }

    /// One of all images that were ever there, and whether it must be there still.
    pub(super) fn any(&self, choice: &mut Seeded) -> Option<(&Kept, bool)> {
        let back = choice.weighted(&[6, 3, 1, 1]);
        let kept = self.images.values().rev().nth(back)?;
        let mut held = self.images.values().rev().filter(|kept| !kept.is_gone).take(self.firm);
        Some((kept, held.any(|firm| firm.image == kept.image)))
    }
}

/// The newest, and the one before it.
const FIRM: usize = 2;
