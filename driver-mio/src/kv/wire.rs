//! Bytes and words of a payload: little-endian integers and counted strings.
//!
//! Reading never panics and never reserves more than the payload can fill.

use bytes::Bytes;

/// Where an encoder puts its bytes.
pub(super) trait Sink {
    fn put(&mut self, bytes: &[u8]);

    fn put_u8(&mut self, word: u8) {
        self.put(&[word]);
    }

    fn put_u32(&mut self, word: u32) {
        self.put(&word.to_le_bytes());
    }

    fn put_u64(&mut self, word: u64) {
        self.put(&word.to_le_bytes());
    }

    fn put_i64(&mut self, word: i64) {
        self.put(&word.to_le_bytes());
    }

    /// A string and its length. Longer than 4 GiB cannot be said; limits refuse it long before.
    fn put_string(&mut self, string: &[u8]) {
        self.put_count(string.len());
        self.put(string);
    }

    fn put_count(&mut self, count: usize) {
        self.put_u32(u32::try_from(count).unwrap_or(u32::MAX));
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Counts instead of writing, so that an encoder allocates once.
#[derive(Default)]
pub(super) struct Measure(pub(super) usize);

impl Sink for Measure {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// Bytes that are not what an encoder of ours writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Reads words from the front of a payload; strings are slices of it.
pub(super) struct Reader<'a> {
    payload: &'a Bytes,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(payload: &'a Bytes) -> Self {
        Self { payload, at: 0 }
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_le_bytes)
    }

    pub(super) fn bool(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    pub(super) fn string(&mut self) -> Result<Bytes, Malformed> {
        let length = self.u32()? as usize;
        let end = self.at.checked_add(length).filter(|end| *end <= self.payload.len());
        let end = end.ok_or(Malformed)?;
        let string = self.payload.slice(self.at..end);
        self.at = end;
        Ok(string)
    }

    /// Reads a list whose items take at least `item_bytes_min` each.
    pub(super) fn list<T>(
        &mut self,
        item_bytes_min: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.u32()? as usize;
        // A count that the rest cannot hold must not reserve memory.
        if count > (self.payload.len() - self.at) / item_bytes_min {
            return Err(Malformed);
        }
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    pub(super) fn end(&self) -> Result<(), Malformed> {
        if self.at == self.payload.len() { Ok(()) } else { Err(Malformed) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let rest = &self.payload[self.at..];
        let word = rest.first_chunk::<N>().ok_or(Malformed)?;
        self.at += N;
        Ok(*word)
    }
}

/// The least that a string takes, in bytes: its length.
pub(super) const STRING_BYTES_MIN: usize = 4;
