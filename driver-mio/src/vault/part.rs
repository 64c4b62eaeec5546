//! A peer's image, piece by piece.
//!
//! The file is laid out as an image's own, so that the last step is a header and a
//! name. Until then its first sector says which image it will be:
//!
//! ```text
//! magic "PAXOSPRT" | crc u32 | zeros u32 | cluster u64 | group u64
//! | below u64 | image's length u64 | its digest u64
//! ```

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

use paxos_core::types::{ImageId, Piece, Slot};

use super::file::{CHUNK_BYTES, HEADER_BYTES};
use super::{Place, names};

const MAGIC: [u8; 8] = *b"PAXOSPRT";
const USED_BYTES: usize = 56;
/// Written between two syncs: a large one would hold up the log's own. What is not synced
/// may be lost in a crash.
const SYNC_BYTES: u64 = 1 << 20;

/// A peer's image that is not whole yet.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    image: ImageId,
    /// All bytes below are written.
    end: u64,
    /// All bytes below are durable.
    synced: u64,
}

impl Part {
    /// Begins the file of `image`; one that is there is lost.
    pub(super) fn create(place: &Place, image: ImageId) -> io::Result<Part> {
        let path = names::incoming(&place.dir, place.group);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        file.write_all_at(&front(place, image), 0)?;
        file.sync_all()?;
        Ok(Part { file, image, end: 0, synced: 0 })
    }

    /// The file that an earlier life, or this one, has left; none if there is none,
    /// or none that can be gone on with.
    pub(super) fn reopen(place: &Place) -> io::Result<Option<Part>> {
        let path = names::incoming(&place.dir, place.group);
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut found = [0; USED_BYTES];
        let length = file.metadata()?.len();
        if length < HEADER_BYTES || file.read_exact_at(&mut found, 0).is_err() {
            return Ok(None);
        }
        let word =
            |at: usize| found[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        let image = ImageId { below: Slot(word(32)), bytes: word(40), digest: word(48) };
        if found[..] != front(place, image)[..USED_BYTES] {
            return Ok(None);
        }
        // A crash may have kept the length and lost the last bytes.
        let end = (length - HEADER_BYTES).min(image.bytes).saturating_sub(SYNC_BYTES);
        let end = end - end % CHUNK_BYTES as u64;
        Ok(Some(Part { file, image, end, synced: end }))
    }

    /// Which image it will be.
    pub(super) fn image(&self) -> ImageId {
        self.image
    }

    /// All bytes below are there.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Whether `piece` goes on with this, or repeats some of it.
    pub(super) fn takes(&self, piece: &Piece) -> bool {
        piece.image == self.image && piece.offset <= self.end && piece.end() <= self.image.bytes
    }

    /// Writes a piece that it [takes](Part::takes).
    pub(super) fn write(&mut self, piece: &Piece) -> io::Result<()> {
        self.file.write_all_at(&piece.payload, HEADER_BYTES + piece.offset)?;
        self.end = self.end.max(piece.end());
        if self.end - self.synced >= SYNC_BYTES {
            self.file.sync_data()?;
            self.synced = self.end;
        }
        Ok(())
    }

    /// The file.
    pub(super) fn into_file(self) -> File {
        self.file
    }
}

fn front(place: &Place, image: ImageId) -> [u8; HEADER_BYTES as usize] {
    let mut front = [0; HEADER_BYTES as usize];
    let words = [place.cluster, place.group.0, image.below.0, image.bytes, image.digest];
    for (at, word) in (16..).step_by(8).zip(words) {
        front[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }
    front[..8].copy_from_slice(&MAGIC);
    let crc = crc32fast::hash(&front[12..USED_BYTES]);
    front[8..12].copy_from_slice(&crc.to_le_bytes());
    front
}
