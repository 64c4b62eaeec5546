//! The bytes of an image's file.
//!
//! ```text
//! file   = header, 4096 bytes | the image | tail      integers are little-endian
//! header = magic "PAXOSIMG" | crc u32 | version u16 | zeros u16 | cluster u64
//!        | group u64 | image's length u64 | its digest u64 | tail's length u64 | tail's crc u32
//! tail   = crc u32 of every 64 KiB of the image | checkpoint and all, as the codec spells it
//! ```
//! The header is written last: a file with a sound header is whole. Every part of
//! the image can be read and checked by itself, for a peer; the digest is over all
//! of it, and says with the length which image it is.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::hash::Hasher;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;
use paxos_core::codec::{decode_image, encode_image};
use paxos_core::types::{Checkpoint, GroupId, Image};
use siphasher::sip::SipHasher13;

use super::Place;
use super::pauses::Pauses;
use crate::disk::is_bad_sector;
use crate::store::{Restore, RestoreError, Store};

/// Where the image begins in its file.
pub(super) const HEADER_BYTES: u64 = 4096;
/// Bytes of the image under one sum.
pub(super) const CHUNK_BYTES: usize = 64 << 10;
/// Written between two syncs: one huge sync would hold up the log's own.
const SYNC_BYTES: u64 = 8 << 20;
/// The same, while there are pauses.
const GENTLE_SYNC_BYTES: u64 = 1 << 20;
/// Written between two pauses.
const PAUSE_BYTES: u64 = 256 << 10;
const MAGIC: [u8; 8] = *b"PAXOSIMG";
const VERSION: u16 = 1;
const USED_BYTES: usize = 64;
const SUM_BYTES: usize = 4;
/// A tail is no longer: an image of 4 TiB.
const TAIL_BYTES_MAX: u64 = 256 << 20;

/// Why a file holds no image that can be used.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The system cannot read it.
    Io(io::Error),
    /// The header or the tail is none, or rotten.
    Unreadable,
    /// It is another cluster's or group's, or of another slot than its name says.
    Foreign,
    /// A later version wrote it.
    Unsupported(u16),
    /// The image is rotten, in the 64 KiB from this byte on.
    Rotten(u64),
    /// The image is not what its digest says.
    Digest,
    /// The image is sound, and no state can be made of it.
    State(RestoreError),
}

impl Fault {
    /// Whether the file is to blame, and not the system of this hour or this version.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Fault::Io(error) => is_bad_sector(error),
            Fault::Unsupported(_) => false,
            Fault::Unreadable
            | Fault::Foreign
            | Fault::Rotten(_)
            | Fault::Digest
            | Fault::State(_) => true,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Io(error) => error.fmt(f),
            Fault::Unreadable => f.write_str("unreadable header"),
            Fault::Foreign => f.write_str("of another cluster, group or slot"),
            Fault::Unsupported(version) => write!(f, "of a later version ({version})"),
            Fault::Rotten(at) => write!(f, "rotten around byte {at}"),
            Fault::Digest => f.write_str("not what its digest says"),
            Fault::State(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Fault {}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Io(error)
    }
}

impl From<RestoreError> for Fault {
    fn from(error: RestoreError) -> Fault {
        match error.later_format() {
            Some(format) => Fault::Unsupported(format.into()),
            None => Fault::State(error),
        }
    }
}

/// Sums over an image, taken in from front to back.
#[derive(Debug, Default)]
struct Sums {
    chunks: Vec<u8>,
    digest: SipHasher13,
    bytes: u64,
}

impl Sums {
    /// Takes in the next chunk: all but the last are whole.
    fn add(&mut self, chunk: &[u8]) {
        self.chunks.extend(crc32fast::hash(chunk).to_le_bytes());
        self.digest.write(chunk);
        self.bytes += chunk.len() as u64;
    }

    fn image(&self, checkpoint: Checkpoint) -> Image {
        Image { checkpoint, bytes: self.bytes, digest: self.digest.finish() }
    }
}

/// An image's file in the making.
#[derive(Debug)]
pub(super) struct Writer {
    file: File,
    chunk: Vec<u8>,
    sums: Sums,
    pauses: Pauses,
}

impl Writer {
    /// Begins a file; one of this name that is there is lost.
    pub(super) fn create(path: &Path) -> io::Result<Writer> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        let (chunk, sums) = (Vec::with_capacity(CHUNK_BYTES), Sums::default());
        Ok(Writer { file, chunk, sums, pauses: Pauses::new() })
    }

    /// Adds bytes of the image.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = CHUNK_BYTES - self.chunk.len();
            let (part, rest) = bytes.split_at(room.min(bytes.len()));
            self.chunk.extend_from_slice(part);
            bytes = rest;
            if self.chunk.len() == CHUNK_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Ends the file, durably but for its name.
    pub(super) fn finish(mut self, place: &Place, checkpoint: Checkpoint) -> io::Result<Image> {
        if !self.chunk.is_empty() {
            self.flush()?;
        }
        let image = self.sums.image(checkpoint);
        seal(&self.file, place, &image, &self.sums)?;
        Ok(image)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.chunk, HEADER_BYTES + self.sums.bytes)?;
        self.sums.add(&self.chunk);
        self.chunk.clear();
        let is_gentle = !self.pauses.are_over();
        let sync_bytes = if is_gentle { GENTLE_SYNC_BYTES } else { SYNC_BYTES };
        if self.sums.bytes.is_multiple_of(sync_bytes) {
            self.file.sync_data()?;
        }
        if is_gentle && self.sums.bytes.is_multiple_of(PAUSE_BYTES) {
            self.pauses.pause();
        }
        Ok(())
    }
}

/// Writes tail and header around an image that is in `file`, durably.
fn seal(file: &File, place: &Place, image: &Image, sums: &Sums) -> io::Result<()> {
    let mut tail = sums.chunks.clone();
    encode_image(image, &mut tail);
    file.set_len(HEADER_BYTES + image.bytes)?;
    file.write_all_at(&tail, HEADER_BYTES + image.bytes)?;
    // The header stands for all of the file, so it comes after all of it.
    file.sync_all()?;
    file.write_all_at(&header(place, image, &tail), 0)?;
    file.sync_all()
}

fn header(place: &Place, image: &Image, tail: &[u8]) -> [u8; HEADER_BYTES as usize] {
    let mut header = [0; HEADER_BYTES as usize];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &MAGIC);
    put(12, &VERSION.to_le_bytes());
    put(16, &place.cluster.to_le_bytes());
    put(24, &place.group.0.to_le_bytes());
    put(32, &image.bytes.to_le_bytes());
    put(40, &image.digest.to_le_bytes());
    put(48, &(tail.len() as u64).to_le_bytes());
    put(56, &crc32fast::hash(tail).to_le_bytes());
    let crc = crc32fast::hash(&header[12..USED_BYTES]);
    header[8..12].copy_from_slice(&crc.to_le_bytes());
    header
}

/// Checks the bytes of a peer's image that lie in `file` behind room for a header,
/// makes a state of them, and makes the file an image's.
pub(super) fn complete(
    file: &File,
    place: &Place,
    image: &Image,
    go_on: &dyn Fn() -> bool,
) -> Result<Store, Fault> {
    let mut sums = Sums::default();
    let mut restore = Restore::new(place.limits.clone());
    let mut chunk = vec![0; CHUNK_BYTES];
    while sums.bytes < image.bytes {
        let left = usize::try_from(image.bytes - sums.bytes).unwrap_or(usize::MAX);
        let part = &mut chunk[..left.min(CHUNK_BYTES)];
        file.read_exact_at(part, HEADER_BYTES + sums.bytes)?;
        sums.add(part);
        restore.push(part)?;
        if !go_on() {
            return Err(Fault::Io(io::ErrorKind::Interrupted.into()));
        }
    }
    if sums.image(image.checkpoint.clone()) != *image {
        return Err(Fault::Digest);
    }
    let store = finish(restore, image)?;
    seal(file, place, image, &sums)?;
    Ok(store)
}

fn finish(restore: Restore, image: &Image) -> Result<Store, Fault> {
    let store = restore.finish()?;
    if store.next() == image.checkpoint.below { Ok(store) } else { Err(Fault::Foreign) }
}

/// An image's file that is whole, as far as header and tail tell.
#[derive(Debug)]
pub(super) struct Reader {
    file: File,
    image: Image,
    /// One sum after the other.
    chunks: Bytes,
}

impl Reader {
    /// Opens the image of `group` in `cluster` in this file.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) fn open(path: &Path, cluster: u64, group: GroupId) -> Result<Reader, Fault> {
        let file = File::open(path)?;
        let mut header = [0; USED_BYTES];
        file.read_exact_at(&mut header, 0).map_err(short)?;
        let word = |at: usize| u64::from_le_bytes(field(&header, at));
        if header[..8] != MAGIC || header[8..12] != crc32fast::hash(&header[12..]).to_le_bytes() {
            return Err(Fault::Unreadable);
        }
        let version = u16::from_le_bytes(field(&header, 12));
        if version != VERSION {
            return Err(Fault::Unsupported(version));
        }
        if (word(16), word(24)) != (cluster, group.0) {
            return Err(Fault::Foreign);
        }
        let (bytes, digest, length) = (word(32), word(40), word(48));
        let sums = chunks_of(bytes).filter(|sums| *sums as u64 <= length);
        let sums = sums.filter(|_| length <= TAIL_BYTES_MAX).ok_or(Fault::Unreadable)?;
        let mut tail = vec![0; length as usize];
        file.read_exact_at(&mut tail, HEADER_BYTES + bytes).map_err(short)?;
        if header[56..60] != crc32fast::hash(&tail).to_le_bytes() {
            return Err(Fault::Unreadable);
        }
        let mut chunks = Bytes::from(tail);
        let image = decode_image(&chunks.split_off(sums)).map_err(|_| Fault::Unreadable)?;
        if (image.bytes, image.digest) != (bytes, digest) {
            return Err(Fault::Unreadable);
        }
        Ok(Reader { file, image, chunks })
    }

    /// Which image it is.
    pub(super) fn image(&self) -> &Image {
        &self.image
    }

    /// Some bytes of the image, checked; fewer or none where it ends.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) fn read(&self, offset: u64, bytes: usize) -> Result<Bytes, Fault> {
        let end = offset.saturating_add(bytes as u64).min(self.image.bytes);
        if offset >= end {
            return Ok(Bytes::new());
        }
        let first = offset / CHUNK_BYTES as u64;
        let mut read = Vec::new();
        for nth in first..end.div_ceil(CHUNK_BYTES as u64) {
            self.chunk(nth, &mut read)?;
        }
        let skip = (offset - first * CHUNK_BYTES as u64) as usize;
        Ok(Bytes::from(read).slice(skip..skip + (end - offset) as usize))
    }

    /// The state that it is an image of; every byte is checked.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) fn restore(&self, place: &Place) -> Result<Store, Fault> {
        let mut restore = Restore::new(place.limits.clone());
        self.each_chunk(|chunk| restore.push(chunk).map_err(Fault::from))?;
        finish(restore, &self.image)
    }

    /// Checks every byte.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) fn verify(&self) -> Result<(), Fault> {
        self.each_chunk(|_| Ok(()))
    }

    fn each_chunk(&self, mut each: impl FnMut(&[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut sums = Sums::default();
        let mut chunk = Vec::new();
        for nth in 0..self.image.bytes.div_ceil(CHUNK_BYTES as u64) {
            chunk.clear();
            self.chunk(nth, &mut chunk)?;
            sums.add(&chunk);
            each(&chunk)?;
        }
        let same = sums.digest.finish() == self.image.digest;
        if same { Ok(()) } else { Err(Fault::Digest) }
    }

    /// Appends the `nth` chunk, checked.
    fn chunk(&self, nth: u64, out: &mut Vec<u8>) -> Result<(), Fault> {
        let Range { start, end } = span(nth, self.image.bytes);
        let before = out.len();
        out.resize(before + (end - start) as usize, 0);
        self.file.read_exact_at(&mut out[before..], HEADER_BYTES + start).map_err(short)?;
        let at = nth as usize * SUM_BYTES;
        let sum = crc32fast::hash(&out[before..]).to_le_bytes();
        let same = self.chunks.get(at..at + SUM_BYTES) == Some(&sum[..]);
        if same { Ok(()) } else { Err(Fault::Rotten(start)) }
    }
}

/// Where the `nth` chunk of an image of so many bytes lies in it.
fn span(nth: u64, bytes: u64) -> Range<u64> {
    let start = nth * CHUNK_BYTES as u64;
    start..bytes.min(start + CHUNK_BYTES as u64)
}

/// Bytes of all sums of an image of so many bytes.
fn chunks_of(bytes: u64) -> Option<usize> {
    let chunks = usize::try_from(bytes.div_ceil(CHUNK_BYTES as u64)).ok()?;
    chunks.checked_mul(SUM_BYTES)
}

/// A file that ends too early was whole once.
fn short(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Fault::Unreadable,
        _ => Fault::Io(error),
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}
