//! The log in a directory of real files, and the thread that keeps it.
//!
//! What the bytes mean is [`paxos_core::codec::wal`]'s affair, with the rules that
//! the writer must keep; this room moves them. Nothing in here decides what is
//! durable but a sync that the system has called a success.
//!
//! | file | what |
//! |---|---|
//! | `LOCK` | held while a node runs on the directory |
//! | `PEERS` | which lives of its peers the node has heard of |
//! | `META.0`, `META.1` | who the node is, and how often it has started; written in turn |
//! | `seg-<number>.wal` | the segments of the log, made ahead of time |
//!
//! | module | its one thought |
//! |---|---|
//! | `open` | from a directory to a log that may be promised upon |
//! | `wal` | blocks at the end of the log |
//! | `maker` | segments made ahead, so that a roll does not wait; old ones let go |
//! | `zeros` | what a segment holds at first |
//! | `hand_over` | from the event loop to the thread, or written at once |
//! | `thread` | group commit |
//! | `lives` | whom the node has heard of |

pub(crate) mod aside;
#[cfg(test)]
mod conform;
mod error;
mod file;
mod hand_over;
pub(crate) mod lives;
mod maker;
mod meta;
mod names;
mod open;
#[cfg(test)]
mod tests;

mod thread;
mod wal;
mod zeros;

use std::path::PathBuf;

pub use error::{OpenError, WalError};
pub use hand_over::Disk;
pub use open::{Opened, open};
use paxos_core::codec::wal::{Owner, SECTOR_BYTES_MAX, SECTOR_BYTES_MIN};
pub use wal::Wal;

pub(crate) use file::{read_segments, sync_dir};
pub(crate) use meta::{Found, Meta, is_bad_sector, read_meta};
pub(crate) use names::{LOCK, list_segments};

/// Where a log is, and how it is laid out.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory; made if it is not there. No two nodes share one.
    pub dir: PathBuf,
    /// Whose log it is.
    pub owner: Owner,
    /// Bytes of a segment, at least eight sectors and at most 1 GiB; rounded up to
    /// whole sectors. One is in use, two lie ready, and two that are not needed any
    /// more are kept to be made anew.
    pub segment_bytes: u64,
    /// Bytes that the disk writes as one, or a multiple: a power of two from 512 to
    /// 65,536.
    pub sector_bytes: u32,
    /// The number of the life that begins, at least; zero to count only. One that grows
    /// with time keeps peers from taking a node whose disk was emptied for a ghost of its
    /// former self, and two lives that follow the same one, on a disk and on a copy of it,
    /// from being called the same.
    pub life_min: u64,
}

impl Options {
    /// Bytes of a segment, unless one is asked for: long enough that making them is
    /// rare, short enough that a start, which reads those that lie ready, is quick.
    pub const SEGMENT_BYTES: u64 = 16 << 20;

    /// Bytes of the longest segment.
    pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;

    /// Bytes of a sector, unless one is asked for.
    pub const SECTOR_BYTES: u32 = 4096;

    fn check(&self) -> Result<(), OpenError> {
        let sector = self.sector_bytes;
        let sectors = SECTOR_BYTES_MIN..=SECTOR_BYTES_MAX;
        let segments = 8 * u64::from(sector)..=Self::SEGMENT_BYTES_MAX;
        let fits = sector.is_power_of_two() && sectors.contains(&sector);
        let fits = fits && segments.contains(&self.segment_bytes);
        if fits { Ok(()) } else { Err(OpenError::Layout) }
    }

    /// The usual layout.
    pub fn new(dir: PathBuf, owner: Owner) -> Options {
        let (segment_bytes, sector_bytes) = (Self::SEGMENT_BYTES, Self::SECTOR_BYTES);
        Options { dir, owner, segment_bytes, sector_bytes, life_min: 0 }
    }
}
