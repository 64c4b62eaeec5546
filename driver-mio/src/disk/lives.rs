//! Which lives of its peers a node has heard of, in a file: what a node that comes back
//! on an older copy of its disk is recognised by, after a restart of its peers, too.
//!
//! The file is written aside and renamed. One that is damaged is as good as none: it
//! only says less.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use paxos_core::types::{Incarnation, Lives, NodeId};

use super::file::sync_dir;

/// Reads the file in `dir`, if there is one; none if it cannot be understood.
///
/// # Errors
/// What the system says, but not that there is no such file.
pub(crate) fn load(dir: &Path) -> io::Result<Option<Lives>> {
    match fs::metadata(dir.join(NAME)) {
        Ok(file) if file.len() > FILE_BYTES_MAX => return Ok(None),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Some(Lives::default()));
        }
        Err(error) => return Err(error),
    }
    fs::read(dir.join(NAME)).map(|bytes| decode(&bytes))
}

/// Puts `lives` into the file in `dir`, durably.
///
/// # Errors
/// What the system says; the file is as it was, or as it should be.
pub(crate) fn store(dir: &Path, lives: &Lives) -> io::Result<()> {
    let aside = dir.join(ASIDE);
    let mut file = File::create(&aside)?;
    file.write_all(&encode(lives))?;
    file.sync_all()?;
    fs::rename(aside, dir.join(NAME))?;
    sync_dir(dir)
}

fn encode(lives: &Lives) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for (node, disk, life) in lives.iter() {
        bytes.extend(node.0.to_le_bytes());
        bytes.extend(disk.to_le_bytes());
        bytes.extend(life.0.to_le_bytes());
    }
    let crc = crc32fast::hash(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Lives> {
    let (rest, crc) = bytes.split_last_chunk::<4>()?;
    let entries = rest.strip_prefix(&MAGIC)?;
    if crc32fast::hash(rest) != u32::from_le_bytes(*crc) || entries.len() % ENTRY_BYTES != 0 {
        return None;
    }
    let entry = |bytes: &[u8]| {
        let (node, rest) = bytes.split_first_chunk::<2>()?;
        let (disk, rest) = rest.split_first_chunk::<8>()?;
        let life = rest.first_chunk::<8>()?;
        let node = NodeId(u16::from_le_bytes(*node));
        Some((node, u64::from_le_bytes(*disk), Incarnation(u64::from_le_bytes(*life))))
    };
    entries.chunks(ENTRY_BYTES).map(entry).collect()
}

const NAME: &str = "PEERS";
const ASIDE: &str = "PEERS.tmp";
/// The last byte is the version.
const MAGIC: [u8; 8] = *b"PAXOSLV\x01";
const ENTRY_BYTES: usize = 18;
/// 127 nodes with the disks that are remembered of each come to less.
const FILE_BYTES_MAX: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn lives() -> Lives {
        [(3, 5, 6), (3, 7, 2), (1, 9, u64::MAX)]
            .map(|(node, disk, life)| (NodeId(node), disk, Incarnation(life)))
            .into_iter()
            .collect()
    }

    #[test]
    fn what_was_stored_is_there_again() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(load(dir.path()).expect("readable"), Some(Lives::default()));
        for lives in [Lives::default(), lives()] {
            store(dir.path(), &lives).expect("stored");
            assert_eq!(load(dir.path()).expect("readable"), Some(lives));
        }
    }

    #[test]
    fn a_damaged_file_is_noticed() {
        let bytes = encode(&lives());
        assert_eq!(decode(&bytes), Some(lives()));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert_eq!(decode(&flipped), None, "flipped at {at}");
            assert_eq!(decode(&bytes[..at]), None, "cut at {at}");
        }
    }
}
