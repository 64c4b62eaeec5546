//! The state, frozen, as a stream of bytes, and back.
//!
//! ```text
//! stream = record*          record = length u32 | body     integers are little-endian
//! body   = HEAD u8 | format u8 | time u64
//!        | ENTRY u8 | key | value | expire + 1 or 0 u64 | version u64
//!        | END u8 | entries u64 | digest u64
//! ```
//! The stream may be cut anywhere for transfer. Equal states give equal streams.
//! The digest at the end is that of the machine: what was restored is what was frozen.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

use super::digest::Digest;
use super::keyspace::{Entry, Keyspace};
use super::leaf::{Leaf, View};
use super::record::SHORT_BYTES_MAX;
use super::wire::{Malformed, Reader, Sink};
use super::{Limits, Machine};

/// A machine's state at one moment. Holds no copy of it; the machine may go on.
#[derive(Clone, Debug)]
pub struct Image {
    time: u64,
    leaves: Vec<Arc<Leaf>>,
}

/// Why a stream did not restore a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageError {
    /// The stream holds something that no image holds, or in another order.
    Malformed,
    /// A record is longer than any that the limits allow, in bytes.
    TooLong(usize),
    /// The stream ends before its end record.
    Incomplete,
    /// The stream is whole but does not give the state that was frozen.
    Digest,
    /// A later version wrote it, in this format.
    Unsupported(u8),
}

impl std::fmt::Display for ImageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed => f.write_str("snapshot image is malformed"),
            Self::TooLong(bytes) => write!(f, "snapshot image holds a record of {bytes} bytes"),
            Self::Incomplete => f.write_str("snapshot image ends early"),
            Self::Digest => f.write_str("snapshot image does not match its digest"),
            Self::Unsupported(format) => {
                write!(f, "snapshot image is of a later version ({format})")
            }
        }
    }
}

impl std::error::Error for ImageError {}

impl From<Malformed> for ImageError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl Image {
    pub(super) fn new(time: u64, leaves: Vec<Arc<Leaf>>) -> Self {
        Self { time, leaves }
    }

    /// The stream in pieces of about `bytes` each: a piece ends with the record
    /// that makes it long enough.
    pub fn chunks(&self, bytes: usize) -> impl Iterator<Item = Bytes> {
        let mut records = self.records();
        std::iter::from_fn(move || {
            let mut chunk = Vec::new();
            while chunk.len() < bytes.max(1) {
                match records.next() {
                    Some(record) => put_record(&mut chunk, &record),
                    None => break,
                }
            }
            (!chunk.is_empty()).then(|| chunk.into())
        })
    }

    fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let mut digest = Digest::new(self.time);
        let mut entries = self.leaves.iter().flat_map(|leaf| leaf.entries_from(0));
        let mut head = Some(Record::Head { time: self.time });
        let mut end_is_due = true;
        std::iter::from_fn(move || {
            if let Some(head) = head.take() {
                return Some(head);
            }
            if let Some((_, key, entry)) = entries.next() {
                digest.add(key, &entry);
                return Some(Record::Entry(key, entry));
            }
            std::mem::take(&mut end_is_due)
                .then(|| Record::End { entries: digest.entries(), digest: digest.finish() })
        })
    }
}

enum Record<'a> {
    Head { time: u64 },
    Entry(&'a [u8], View<'a>),
    End { entries: u64, digest: u64 },
}

fn put_record(chunk: &mut Vec<u8>, record: &Record<'_>) {
    let start = chunk.len();
    chunk.put_u32(0);
    match record {
        Record::Head { time } => {
            chunk.put_u8(HEAD);
            chunk.put_u8(FORMAT);
            chunk.put_u64(*time);
        }
        Record::Entry(key, entry) => {
            chunk.put_u8(ENTRY);
            chunk.put_string(key);
            chunk.put_string(&entry.value);
            chunk.put_u64(entry.expire.map_or(0, |deadline| deadline.saturating_add(1)));
            chunk.put_u64(entry.version);
        }
        Record::End { entries, digest } => {
            chunk.put_u8(END);
            chunk.put_u64(*entries);
            chunk.put_u64(*digest);
        }
    }
    // Limits keep keys and values far below 4 GiB.
    let length = (chunk.len() - start - LENGTH_BYTES) as u32;
    chunk[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
}

/// A machine in the making, fed with a stream in pieces of any length.
#[derive(Debug)]
pub struct Restore {
    limits: Limits,
    /// What has come of a record that is not whole yet.
    rest: BytesMut,
    /// The machine's time, once the head record has come.
    time: Option<u64>,
    keyspace: Keyspace,
    /// Entries and digest, once the end record has come.
    end: Option<(u64, u64)>,
}

impl Restore {
    /// Begins with nothing.
    pub fn new(limits: Limits) -> Self {
        let (rest, keyspace) = (BytesMut::new(), Keyspace::new());
        Self { limits, rest, time: None, keyspace, end: None }
    }

    /// Takes the next piece of the stream. Holds at most one record beyond it.
    ///
    /// # Errors
    /// [`ImageError::Malformed`], [`ImageError::TooLong`] or [`ImageError::Unsupported`]; then
    /// nothing can be made of it any more.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), ImageError> {
        self.rest.extend_from_slice(piece);
        while let Some(length) = self.rest.first_chunk::<LENGTH_BYTES>() {
            let length = u32::from_le_bytes(*length) as usize;
            if length > self.record_bytes_max() {
                return Err(ImageError::TooLong(length));
            }
            if self.rest.len() < LENGTH_BYTES + length {
                return Ok(());
            }
            self.rest.advance(LENGTH_BYTES);
            let body = self.rest.split_to(length).freeze();
            self.record(&body)?;
        }
        Ok(())
    }

    /// Answers the machine, once the whole stream has come.
    ///
    /// # Errors
    /// [`ImageError::Incomplete`] or [`ImageError::Digest`].
    pub fn finish(self) -> Result<Machine, ImageError> {
        let (Some(time), Some((entries, digest))) = (self.time, self.end) else {
            return Err(ImageError::Incomplete);
        };
        if !self.rest.is_empty() {
            return Err(ImageError::Incomplete);
        }
        let machine = Machine::of(self.limits, time, self.keyspace);
        if (machine.len() as u64, machine.digest()) != (entries, digest) {
            return Err(ImageError::Digest);
        }
        Ok(machine)
    }

    fn record(&mut self, body: &Bytes) -> Result<(), ImageError> {
        let mut reader = Reader::new(body);
        match (reader.u8()?, self.time, self.end) {
            (HEAD, None, None) => match reader.u8()? {
                FORMAT => self.time = Some(reader.u64()?),
                later if later > FORMAT => return Err(ImageError::Unsupported(later)),
                _ => return Err(ImageError::Malformed),
            },
            (ENTRY, Some(_), None) => {
                let (key, value) = (reader.string()?, reader.string()?);
                let (expire, version) = (reader.u64()?.checked_sub(1), reader.u64()?);
                // A short one is copied anyway.
                let is_long = value.len() > SHORT_BYTES_MAX;
                let value = if is_long { Bytes::copy_from_slice(&value) } else { value };
                self.keyspace.put(&key, Entry { value, expire, version });
            }
            (END, Some(_), None) => self.end = Some((reader.u64()?, reader.u64()?)),
            _ => return Err(ImageError::Malformed),
        }
        Ok(reader.end()?)
    }

    fn record_bytes_max(&self) -> usize {
        self.limits.key_bytes_max + self.limits.value_bytes_max + RECORD_OVERHEAD_BYTES
    }
}

const FORMAT: u8 = 1;
const HEAD: u8 = 1;
const ENTRY: u8 = 2;
const END: u8 = 3;
const LENGTH_BYTES: usize = 4;
/// Kind, two lengths, expiry and version, with room to spare.
const RECORD_OVERHEAD_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::{Command, Deadline, Expiry, Presence, Set, SetAnswer};

    #[test]
    fn restored_machine_equals_the_frozen_one() {
        let machine = filled(300);
        for piece in [1, 7, 64, 1 << 20] {
            let stream = stream(&machine.image());
            let mut restore = Restore::new(Limits::default());
            stream.chunks(piece).for_each(|piece| restore.push(piece).unwrap());
            let restored = restore.finish().unwrap();
            assert_eq!(restored.digest(), machine.digest());
            assert_eq!(restored.next_expiry(), machine.next_expiry());
            assert_eq!(restored.bytes(), machine.bytes());
            assert_eq!(restored.expiring(), machine.expiring());
        }
    }

    #[test]
    fn image_does_not_see_later_writes() {
        let mut machine = filled(50);
        let (image, before) = (machine.image(), stream(&machine.image()));
        machine.apply(99, &Command::Clear.encode(1));
        assert_eq!(stream(&image), before);
        let mut machine = filled(50);
        let image = machine.image();
        machine.apply(99, &Command::Add { key: "7".into(), by: 1 }.encode(1));
        assert_eq!(stream(&image), before);
    }

    #[test]
    fn damaged_stream_is_refused() {
        let stream = stream(&filled(20).image());
        for at in 0..stream.len() {
            let mut damaged = stream.clone();
            damaged[at] ^= 0x10;
            let mut restore = Restore::new(Limits::default());
            let result = restore.push(&damaged).and_then(|()| restore.finish().map(drop));
            assert!(result.is_err(), "damage at {at}");
        }
        for length in 0..stream.len() {
            let mut restore = Restore::new(Limits::default());
            restore.push(&stream[..length]).unwrap();
            assert_eq!(restore.finish().unwrap_err(), ImageError::Incomplete);
        }
    }

    fn filled(keys: u64) -> Machine {
        let mut machine = Machine::new(Limits::default());
        for number in 0..keys {
            let deadline = Expiry::At(Deadline::In(1000 + number as i64));
            let expiry = if number % 3 == 0 { deadline } else { Expiry::Never };
            let (key, value) = (number.to_string().into(), number.to_string().into());
            let (only_if, answer) = (Presence::Any, SetAnswer::Ok);
            let set = Command::Set(Set { key, value, only_if, expiry, answer });
            machine.apply(number, &set.encode(number));
        }
        machine
    }

    fn stream(image: &Image) -> Vec<u8> {
        image.chunks(100).flatten().collect()
    }
}
