//! A block: its head, its body, its sums.

use alloc::vec::Vec;
use core::fmt;

use super::{Chain, Lsn, Segment, field};
use crate::types::Incarnation;

/// Bytes of a block before its records.
pub const HEAD_BYTES: usize = 56;

/// The most bytes of records in one block; far above what one step of a node
/// writes.
pub const BLOCK_BYTES_MAX: usize = 1 << 30;

const MAGIC: [u8; 4] = *b"PXBK";
const VERSION: u16 = 1;

/// More records at once than a block may hold: [`BLOCK_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockTooLong;

impl fmt::Display for BlockTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {BLOCK_BYTES_MAX} bytes of records at once")
    }
}

impl core::error::Error for BlockTooLong {}

/// What a head says. Its sum is right; whether the body is there is another matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) crc: u32,
    body_crc: u32,
    /// Bytes of records.
    length: u32,
    pub(super) records: u32,
    version: u16,
    flags: u16,
    /// The block's number, and the crc of the head before it.
    pub(super) chain: Chain,
    /// The low half of the segment's number.
    seq: u32,
    salt: u64,
    pub(super) incarnation: Incarnation,
}

impl Head {
    /// Reads the head at the front of `bytes`, if there is a sound one.
    pub(super) fn decode(bytes: &[u8]) -> Option<Head> {
        let head = bytes.get(..HEAD_BYTES)?;
        if head[..4] != MAGIC {
            return None;
        }
        let crc = u32::from_le_bytes(field(head, 4));
        if crc != crc32fast::hash(&head[8..]) {
            return None;
        }
        Some(Head {
            crc,
            body_crc: u32::from_le_bytes(field(head, 8)),
            length: u32::from_le_bytes(field(head, 12)),
            records: u32::from_le_bytes(field(head, 16)),
            version: u16::from_le_bytes(field(head, 20)),
            flags: u16::from_le_bytes(field(head, 22)),
            chain: Chain {
                lsn: Lsn(u64::from_le_bytes(field(head, 24))),
                link: u32::from_le_bytes(field(head, 32)),
            },
            seq: u32::from_le_bytes(field(head, 36)),
            salt: u64::from_le_bytes(field(head, 40)),
            incarnation: Incarnation(u64::from_le_bytes(field(head, 48))),
        })
    }

    /// Whether the block was written into `segment`, as that file is now.
    pub(super) fn is_of(&self, segment: &Segment) -> bool {
        self.salt == segment.salt && self.is_of_seq(segment.seq)
    }

    /// Whether the block was written into a segment of this number.
    pub(super) fn is_of_seq(&self, seq: u64) -> bool {
        self.seq == seq as u32
    }

    /// Whether this version knows how to read the block.
    pub(super) fn is_supported(&self) -> bool {
        self.version == VERSION && self.flags == 0
    }

    /// Bytes of the whole block.
    pub(super) fn span(&self, sector_bytes: u32) -> usize {
        span(self.length as usize, sector_bytes)
    }

    /// The bytes of the records, if the whole block is there. `bytes` begin with
    /// the block.
    pub(super) fn records<'a>(&self, bytes: &'a [u8], sector_bytes: u32) -> Option<&'a [u8]> {
        let body = bytes.get(HEAD_BYTES..self.span(sector_bytes))?;
        (crc32fast::hash(body) == self.body_crc).then(|| &body[..self.length as usize])
    }

    /// What is there of the bytes of the records, sound or not.
    pub(super) fn remains<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let body = bytes.get(HEAD_BYTES..).unwrap_or_default();
        &body[..body.len().min(self.length as usize)]
    }
}

/// Bytes of a block that holds `length` bytes of records.
pub(super) fn span(length: usize, sector_bytes: u32) -> usize {
    (HEAD_BYTES + length).next_multiple_of(sector_bytes as usize)
}

/// Makes a block of `bytes`, which begin with room for a head; pads them, and
/// returns the head's sum.
pub(super) fn seal(
    bytes: &mut Vec<u8>,
    records: u32,
    segment: &Segment,
    chain: Chain,
    incarnation: Incarnation,
) -> u32 {
    let length = bytes.len() - HEAD_BYTES;
    bytes.resize(span(length, segment.sector_bytes), 0);
    let (head, body) = bytes.split_at_mut(HEAD_BYTES);
    head[0..4].copy_from_slice(&MAGIC);
    head[8..12].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    head[12..16].copy_from_slice(&(length as u32).to_le_bytes());
    head[16..20].copy_from_slice(&records.to_le_bytes());
    head[20..22].copy_from_slice(&VERSION.to_le_bytes());
    head[22..24].copy_from_slice(&[0, 0]);
    head[24..32].copy_from_slice(&chain.lsn.0.to_le_bytes());
    head[32..36].copy_from_slice(&chain.link.to_le_bytes());
    head[36..40].copy_from_slice(&(segment.seq as u32).to_le_bytes());
    head[40..48].copy_from_slice(&segment.salt.to_le_bytes());
    head[48..56].copy_from_slice(&incarnation.0.to_le_bytes());
    let crc = crc32fast::hash(&head[8..]);
    head[4..8].copy_from_slice(&crc.to_le_bytes());
    crc
}
