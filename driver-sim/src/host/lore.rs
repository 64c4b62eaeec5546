//! What a disk knows of lives: of its own node's, and of the peers' that it has heard of.
//!
//! The driver says who it is before anything else, on every connection; here every letter bears its
//! sender's life, and whoever receives one looks at it in the same way.

use paxos_core::types::{Incarnation, Life, Lives};

use crate::disk::Disk;
use crate::vault::Vault;

/// What one host knows of lives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lore {
    /// The latest lives that were heard of each peer's disks; as durable as the disk.
    pub(crate) heard: Lives,
    /// This life and the one before it, on this disk.
    pub(crate) life: Life,
    /// The disk as it was once, while it is still the same disk.
    pub(crate) copy: Option<Box<Copy>>,
    /// Whether the disk is such a copy, and nobody here has noticed.
    pub(crate) is_old: bool,
    /// How often a node has started on this disk since it came here.
    pub(crate) starts: usize,
}

/// A disk as it was between two lives, with its images.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    pub(crate) disk: Disk,
    pub(crate) vault: Vault,
    pub(crate) heard: Lives,
    /// Its last life.
    pub(crate) life: Life,
}

impl Lore {
    /// Takes in that a life begins.
    pub(crate) fn begin(&mut self, disk: u64, this: Incarnation) {
        self.life = Life { disk, this, before: self.life.so_far() };
        self.starts += 1;
    }

    /// An empty disk is put in.
    pub(crate) fn forget(&mut self) {
        *self = Lore::default();
    }
}
