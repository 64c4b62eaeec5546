//! The log on disk: its bytes, and what a crash or a rotten sector made of them.
//!
//! Pure: [`Tail`] says what to write where, [`Scanner`] says what a set of files
//! means. Whoever owns the files moves the bytes; a simulated disk does the same.
//!
//! # Format
//!
//! A log is a sequence of *segments*, files of any length that are written once
//! from front to back. A segment is a header sector, then *blocks*, then zeros or
//! whatever the file held before. Numbers are little-endian.
//!
//! ```text
//! segment  magic "PAXOSLOG" | crc u32 | version u16 | sector log2 u8 | 0 u8 | seq u64
//!          | salt u64 | cluster u64 | node u16 | zeros u48 | capacity u64
//!          | zeros up to the sector's end
//! block    magic "PXBK" | head crc u32 | body crc u32 | length u32 | records u32
//!          | version u16 | flags u16 | lsn u64 | link u32 | seq u32 | salt u64
//!          | incarnation u64 | records | zeros up to the sector's end
//! record   kind u8 | version u8 | flags u8 | length | fields
//! ```
//!
//! A block is what one write and one sync make durable, and it owns its sectors:
//! no later write touches a sector that holds acknowledged bytes. The head crc
//! covers the rest of the head, and thereby the body crc, which covers all that
//! follows up to the end of the last sector. The salt is drawn at random for every
//! segment and known to nobody outside: neither bytes that a recycled file held
//! before nor bytes that a client sends as a value pass for a block.
//!
//! Blocks are numbered by *lsn*, without holes, across segments; each carries the
//! head crc of the one before as its *link*.
//!
//! # Rules for the writer
//!
//! 1. A segment's header is durable before its first block is written.
//! 2. One block is in flight: the next is written when the one before is synced.
//! 3. After a failed write or sync, nothing is written any more in this life.
//! 4. Every life syncs what it found, and then begins in a segment of its own, with
//!    a repetition of the last block found: that one may have been read from a cache
//!    that will never be written, after a failed sync. Nothing is promised before
//!    the repetition is synced.
//! 5. When idle, an empty block may be written, unsynced: a *mark*. It proves that
//!    the block before it was synced. The next block is written over it, or, in the
//!    next segment, instead of it; before that segment is entered, the mark is synced.
//! 6. When a life has begun, the segment that the one before wrote into may be cut
//!    off behind its last block.
//!
//! 7. Whoever wants to delete the front of a log follows it with a [`Ledger`]. The
//!    first block of every segment that is entered begins with a *restatement*: the
//!    records that the ledger says must be there. Others may follow in the same block.
//!    In a life's first segment it stands behind the repetition, or is missing.
//! 8. The log's [`Start`] moves to where the ledger says, durably, before any segment
//!    before it is deleted. Segments before the start may be there or not, in any
//!    combination: a reader passes over them.
//! 9. A deleted segment's file may become another segment. It stays under its old
//!    name until the new header, with a fresh salt, is durable: then it is renamed.
//!
//! # What a reader concludes
//!
//! By rule 2, whatever follows a block proves that the block was synced. So where
//! the blocks end:
//!
//! - the next segment begins with the block that comes next (or repeats the last
//!   one, rule 4, or stands instead of a mark, rule 5): the log goes on there;
//! - the head of any other block stands anywhere behind, or something that was in
//!   flight in a later segment: synced blocks are lost, the log is *damaged*, and
//!   nothing may be cut or voted on;
//! - the file is shorter than it was made: it is damaged as well;
//! - nothing follows: what stands there was in flight in a crash and was never
//!   acknowledged. The tail is *torn*, and is cut.
//!
//! One case looks like another: a last block that was synced and has then rotted
//! looks torn. A mark behind it tells the difference.

mod block;
mod crash;
pub(super) mod harness;
mod ledger;
mod record;
mod scan;
mod segment;
mod tail;
#[cfg(test)]
mod tests;
mod verdict;

use crate::types::NodeId;

pub use block::{BLOCK_BYTES_MAX, BlockTooLong, HEAD_BYTES};
pub use ledger::Ledger;
pub use record::RecordError;
pub use scan::{Block, Expected, Last, Scan, Scanner, Start, Tally, scan};
pub use segment::{BadHeader, HEADER_BYTES, SECTOR_BYTES_MAX, SECTOR_BYTES_MIN, Segment};
pub use tail::{Draft, Tail, Write};
pub use verdict::{Damage, Fault, Hit, Place, Verdict};

/// Whose log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The cluster.
    pub cluster: u64,
    /// The node.
    pub node: NodeId,
}

/// Numbers a block; the first is 1. Goes on across restarts, other than a
/// [`WriteId`](crate::types::WriteId).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl core::fmt::Display for Lsn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What the next block must say to be the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chain {
    /// Its number.
    pub lsn: Lsn,
    /// The head crc of the block before it; zero before the first.
    pub link: u32,
}

impl Chain {
    /// Before the first block of a log.
    pub const FIRST: Chain = Chain { lsn: Lsn(1), link: 0 };

    /// What follows a block that continued this chain.
    fn after(self, head_crc: u32) -> Chain {
        // No node writes so many blocks, but a file may claim so.
        Chain { lsn: Lsn(self.lsn.0.saturating_add(1)), link: head_crc }
    }
}

/// Reads little-endian numbers of a fixed place; the caller has checked the length.
fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}
