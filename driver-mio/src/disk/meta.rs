//! Who the node is, and how often it has started: two slots, written in turn.
//!
//! A crash tears at most the slot that was being written; the other one still
//! holds what was durable before.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use paxos_core::codec::wal::{Chain, Lsn, Owner, Start};
use paxos_core::types::{Incarnation, NodeId, Past};

use super::file::sync_dir;
use super::names;

/// What a node knows of itself before it reads its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Counts the writes of this.
    pub(crate) generation: u64,
    pub(crate) owner: Owner,
    /// The lives that have begun, the last one first.
    pub(crate) lives: Past,
    pub(crate) start: Start,
    /// The last segment whose header is durable.
    pub(crate) made: u64,
    /// What names this disk to the group: random, never zero once it is written.
    pub(crate) disk: u64,
}

/// One slot, as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    /// Never written, torn or rotten.
    Unreadable,
    Unsupported,
    Good(Meta),
}

/// What the two slots say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing.
    Nothing,
    /// A later version wrote one of them.
    Unsupported,
    /// The later of the sound ones.
    Meta(Meta),
}

/// Bytes of a slot.
const SLOT_BYTES: usize = 4096;
/// Bytes that mean something.
const USED_BYTES: usize = 256;
/// Where the lives before the last one stand.
const LIVES_AT: usize = 80;
const MAGIC: [u8; 8] = *b"PAXOSMET";
const VERSION: u16 = 1;

impl Meta {
    /// The identity of a node that has never started.
    pub(super) fn new(owner: Owner) -> Meta {
        let lives = Past::default();
        Meta { generation: 0, owner, lives, start: Start::FIRST, made: 0, disk: 0 }
    }

    /// Writes this into its slot, as the next generation, durably. A failure changes
    /// nothing here: another attempt goes to the same slot, and the other one stays.
    pub(super) fn store(&mut self, dir: &Path) -> io::Result<()> {
        let next = Meta { generation: self.generation.wrapping_add(1), ..*self };
        let path = dir.join(names::meta(next.generation));
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.write_all_at(&next.encode(), 0)?;
        file.sync_all()?;
        // Cheap when the name is an old one.
        sync_dir(dir)?;
        *self = next;
        Ok(())
    }

    fn encode(&self) -> [u8; SLOT_BYTES] {
        let mut slot = [0; SLOT_BYTES];
        let mut put = |at: usize, bytes: &[u8]| slot[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        put(12, &VERSION.to_le_bytes());
        put(14, &self.owner.node.0.to_le_bytes());
        put(16, &self.generation.to_le_bytes());
        put(24, &self.owner.cluster.to_le_bytes());
        put(32, &self.lives.last().0.to_le_bytes());
        put(40, &self.start.segment.to_le_bytes());
        put(48, &self.start.chain.lsn.0.to_le_bytes());
        put(56, &self.start.chain.link.to_le_bytes());
        put(64, &self.made.to_le_bytes());
        put(72, &self.disk.to_le_bytes());
        for (place, life) in self.lives.0.iter().enumerate().skip(1) {
            put(LIVES_AT + place * 8, &life.0.to_le_bytes());
        }
        let crc = crc32fast::hash(&slot[12..USED_BYTES]);
        slot[8..12].copy_from_slice(&crc.to_le_bytes());
        slot
    }
}

impl Slot {
    fn decode(bytes: &[u8]) -> Slot {
        let Some(slot) = bytes.first_chunk::<USED_BYTES>() else { return Slot::Unreadable };
        if slot[..8] != MAGIC || slot[8..12] != crc32fast::hash(&slot[12..]).to_le_bytes() {
            return Slot::Unreadable;
        }
        if u16::from_le_bytes(field(slot, 12)) != VERSION {
            return Slot::Unsupported;
        }
        let word = |at| u64::from_le_bytes(field(slot, at));
        let chain = Chain { lsn: Lsn(word(48)), link: u32::from_le_bytes(field(slot, 56)) };
        Slot::Good(Meta {
            generation: word(16),
            owner: Owner { cluster: word(24), node: NodeId(u16::from_le_bytes(field(slot, 14))) },
            lives: Past::of((0..Past::LIVES_MAX).map(|place| {
                let at = if place == 0 { 32 } else { LIVES_AT + place * 8 };
                Incarnation(word(at))
            })),
            start: Start { segment: word(40), chain },
            made: word(64),
            disk: word(72),
        })
    }
}

fn field<const N: usize>(slot: &[u8; USED_BYTES], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&slot[at..at + N]);
    field
}

fn select(slots: [Slot; 2]) -> Found {
    match slots {
        [Slot::Unsupported, _] | [_, Slot::Unsupported] => Found::Unsupported,
        [Slot::Good(a), Slot::Good(b)] => {
            Found::Meta(if a.generation > b.generation { a } else { b })
        }
        [Slot::Good(one), _] | [_, Slot::Good(one)] => Found::Meta(one),
        [Slot::Unreadable, Slot::Unreadable] => Found::Nothing,
    }
}

/// Reads what the slots in `dir` say together. Changes nothing.
pub(crate) fn read_meta(dir: &Path) -> io::Result<Found> {
    let read = |generation| match fs::read(dir.join(names::meta(generation))) {
        Ok(bytes) => Ok(Slot::decode(&bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound || is_bad_sector(&e) => Ok(Slot::Unreadable),
        Err(e) => Err(e),
    };
    Ok(select([read(0)?, read(1)?]))
}

/// Whether the disk cannot read its own sector, as opposed to the system refusing.
pub(crate) fn is_bad_sector(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    error.raw_os_error() == Some(EIO)
}

/// Locks `dir` for one node; the lock lasts as long as the file is open.
pub(super) fn lock(dir: &Path) -> io::Result<Option<File>> {
    let path = dir.join(names::LOCK);
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(generation: u64) -> Meta {
        let start = Start { segment: 4, chain: Chain { lsn: Lsn(9), link: 77 } };
        let owner = Owner { cluster: u64::MAX, node: NodeId(7) };
        let lives = Past::of([9, 7, 3].map(Incarnation));
        Meta { generation, owner, lives, start, made: 6, disk: 9 }
    }

    #[test]
    fn a_slot_returns() {
        assert_eq!(Slot::decode(&meta(8).encode()), Slot::Good(meta(8)));
    }

    #[test]
    fn every_torn_or_flipped_slot_is_noticed() {
        let slot = meta(8).encode();
        for at in 0..USED_BYTES {
            let mut flipped = slot;
            flipped[at] ^= 1;
            assert_eq!(Slot::decode(&flipped), Slot::Unreadable, "flipped at {at}");
            let mut torn = meta(6).encode();
            torn[..at].copy_from_slice(&slot[..at]);
            let either = [Slot::Unreadable, Slot::Good(meta(6)), Slot::Good(meta(8))];
            assert!(either.contains(&Slot::decode(&torn)), "torn at {at}");
        }
        assert_eq!(Slot::decode(&[]), Slot::Unreadable);
    }

    #[test]
    fn the_later_sound_slot_counts() {
        let good = |generation| Slot::Good(meta(generation));
        let bad = Slot::Unreadable;
        assert_eq!(select([good(8), good(7)]), Found::Meta(meta(8)));
        assert_eq!(select([good(8), good(9)]), Found::Meta(meta(9)));
        assert_eq!(select([bad, good(7)]), Found::Meta(meta(7)));
        assert_eq!(select([good(8), bad]), Found::Meta(meta(8)));
        assert_eq!(select([bad, bad]), Found::Nothing);
        assert_eq!(select([Slot::Unsupported, good(9)]), Found::Unsupported);
    }

    #[test]
    fn the_older_slot_survives_a_torn_write() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut now = meta(1);
        now.store(dir.path()).expect("stored");
        let before = now;
        now.store(dir.path()).expect("stored");
        assert_eq!(read_meta(dir.path()).expect("read"), Found::Meta(now));
        let path = dir.path().join(names::meta(now.generation));
        fs::write(&path, &now.encode()[..100]).expect("torn");
        assert_eq!(read_meta(dir.path()).expect("read"), Found::Meta(before));
    }
}
