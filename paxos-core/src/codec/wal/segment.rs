//! The header of a segment.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::{Owner, field};
use crate::types::NodeId;

/// Bytes of a header that mean something; the rest of its sector is zero.
pub const HEADER_BYTES: usize = 64;

/// The smallest sector.
pub const SECTOR_BYTES_MIN: u32 = 512;

/// The largest sector.
pub const SECTOR_BYTES_MAX: u32 = 65_536;

const MAGIC: [u8; 8] = *b"PAXOSLOG";
const VERSION: u16 = 1;

/// One segment of a log, as its header describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segment {
    /// Whose log it is part of.
    pub owner: Owner,
    /// The place of the segment in the log, from 1.
    pub seq: u64,
    /// A random number that no other segment has had, and that leaves the node
    /// nowhere but in its files.
    pub salt: u64,
    /// Bytes of a sector: where blocks begin and end. A power of two from
    /// [`SECTOR_BYTES_MIN`] to [`SECTOR_BYTES_MAX`].
    pub sector_bytes: u32,
    /// Bytes of the file when it was made, header and all. A shorter one has lost
    /// its end.
    pub capacity: u64,
}

/// Why there is no header where one should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BadHeader {
    /// Not written, half written, or rotten.
    Unreadable,
    /// Written by a later version.
    Unsupported(u16),
}

impl fmt::Display for BadHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadHeader::Unreadable => f.write_str("unreadable header"),
            BadHeader::Unsupported(v) => write!(f, "format version {v}, this is {VERSION}"),
        }
    }
}

impl core::error::Error for BadHeader {}

impl Segment {
    /// The header sector.
    pub fn encode(&self) -> Vec<u8> {
        debug_assert!(is_sector(self.sector_bytes), "a sector that no reader accepts");
        let mut sector = vec![0; self.sector_bytes as usize];
        sector[0..8].copy_from_slice(&MAGIC);
        sector[12..14].copy_from_slice(&VERSION.to_le_bytes());
        sector[14] = self.sector_bytes.trailing_zeros() as u8;
        sector[16..24].copy_from_slice(&self.seq.to_le_bytes());
        sector[24..32].copy_from_slice(&self.salt.to_le_bytes());
        sector[32..40].copy_from_slice(&self.owner.cluster.to_le_bytes());
        sector[40..42].copy_from_slice(&self.owner.node.0.to_le_bytes());
        sector[48..56].copy_from_slice(&self.capacity.to_le_bytes());
        let crc = crc32fast::hash(&sector[12..HEADER_BYTES]);
        sector[8..12].copy_from_slice(&crc.to_le_bytes());
        sector
    }

    /// Reads the header at the front of a segment's bytes.
    pub fn decode(bytes: &[u8]) -> Result<Segment, BadHeader> {
        let header = bytes.get(..HEADER_BYTES).ok_or(BadHeader::Unreadable)?;
        let crc = crc32fast::hash(&header[12..]);
        if header[..8] != MAGIC || header[8..12] != crc.to_le_bytes() {
            return Err(BadHeader::Unreadable);
        }
        let version = u16::from_le_bytes(field(header, 12));
        if version != VERSION {
            return Err(BadHeader::Unsupported(version));
        }
        let sector_bytes = 1u32.checked_shl(u32::from(header[14])).unwrap_or(0);
        if !is_sector(sector_bytes) {
            return Err(BadHeader::Unreadable);
        }
        Ok(Segment {
            owner: Owner {
                cluster: u64::from_le_bytes(field(header, 32)),
                node: NodeId(u16::from_le_bytes(field(header, 40))),
            },
            seq: u64::from_le_bytes(field(header, 16)),
            salt: u64::from_le_bytes(field(header, 24)),
            sector_bytes,
            capacity: u64::from_le_bytes(field(header, 48)),
        })
    }
}

fn is_sector(bytes: u32) -> bool {
    bytes.is_power_of_two() && (SECTOR_BYTES_MIN..=SECTOR_BYTES_MAX).contains(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> Segment {
        let owner = Owner { cluster: 0x1122, node: NodeId(3) };
        Segment { owner, seq: 9, salt: 0xfeed_f00d, sector_bytes: 4096, capacity: 1 << 20 }
    }

    #[test]
    fn a_header_returns() {
        let sector = segment().encode();
        assert_eq!(sector.len(), 4096);
        assert_eq!(Segment::decode(&sector), Ok(segment()));
    }

    #[test]
    fn every_flipped_byte_of_a_header_is_noticed() {
        for at in 0..HEADER_BYTES {
            let mut sector = segment().encode();
            sector[at] ^= 0x40;
            assert_eq!(Segment::decode(&sector), Err(BadHeader::Unreadable), "{at}");
        }
        for cut in 0..HEADER_BYTES {
            assert!(Segment::decode(&segment().encode()[..cut]).is_err());
        }
    }

    #[test]
    fn a_later_version_and_an_absurd_sector_are_refused() {
        let resummed = |at: usize, byte: u8| {
            let mut sector = segment().encode();
            sector[at] = byte;
            let crc = crc32fast::hash(&sector[12..HEADER_BYTES]);
            sector[8..12].copy_from_slice(&crc.to_le_bytes());
            Segment::decode(&sector)
        };
        assert_eq!(resummed(12, 2), Err(BadHeader::Unsupported(2)));
        for log2 in [0, 8, 17, 31, 32, 255] {
            assert_eq!(resummed(14, log2), Err(BadHeader::Unreadable), "{log2}");
        }
    }
}
