//! A part of a recording: length, checksum, words.
//!
//! ```text
//! length u32 | crc u32 | words, in postcard's spelling
//! ```
//! Numbers are little-endian; length and checksum (CRC-32) are of the words.

use std::mem;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A part that is being written at the end of some bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    start: usize,
}

impl Open {
    /// Begins a part.
    pub(super) fn begin(out: &mut Vec<u8>) -> Open {
        let start = out.len();
        out.extend_from_slice(&[0; HEAD_BYTES]);
        Open { start }
    }

    /// Appends words to it. Should they have none, which nothing that is recorded does, `out`
    /// is empty afterwards.
    pub(super) fn say(self, words: &impl Serialize, out: &mut Vec<u8>) {
        *out = postcard::to_extend(words, mem::take(out)).unwrap_or_default();
    }

    /// Ends the part. False, and it is not there, if it is over 4 GiB or has no words.
    #[must_use]
    pub(super) fn end(self, out: &mut Vec<u8>) -> bool {
        let written = out.get_mut(self.start..).and_then(|part| {
            let (head, body) = part.split_first_chunk_mut::<HEAD_BYTES>()?;
            let length = u32::try_from(body.len()).ok()?;
            head[..4].copy_from_slice(&length.to_le_bytes());
            head[4..].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
            Some(())
        });
        if written.is_none() {
            out.truncate(self.start);
        }
        written.is_some()
    }
}

/// Appends words as a part; false, and there is none, if they are over 4 GiB.
#[must_use]
pub(super) fn put(words: &impl Serialize, out: &mut Vec<u8>) -> bool {
    let part = Open::begin(out);
    part.say(words, out);
    part.end(out)
}

/// Takes the words of the next part off the front. None, and `rest` stays, if the part is not
/// whole; an error if it is, and says something else.
pub(super) fn take<T: DeserializeOwned>(rest: &mut &[u8]) -> Option<Result<T, postcard::Error>> {
    let (head, behind) = rest.split_first_chunk::<HEAD_BYTES>()?;
    let [l0, l1, l2, l3, c0, c1, c2, c3] = *head;
    let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).ok()?;
    let (body, behind) = behind.split_at_checked(length)?;
    if crc32fast::hash(body) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return None;
    }
    *rest = behind;
    Some(match postcard::take_from_bytes(body) {
        Ok((words, [])) => Ok(words),
        Ok(_) => Err(postcard::Error::DeserializeBadEncoding),
        Err(error) => Err(error),
    })
}

const HEAD_BYTES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_one_by_one_and_no_prefix_does() {
        let mut bytes = Vec::new();
        assert!(put(&(1_u64, "one"), &mut bytes) && put(&(2_u64, "two"), &mut bytes));
        let mut rest = &bytes[..];
        for part in [(1_u64, "one".to_owned()), (2, "two".to_owned())] {
            assert_eq!(take(&mut rest), Some(Ok(part)));
        }
        assert_eq!(take::<(u64, String)>(&mut rest), None);
        let end = bytes.len() / 2;
        for cut in 0..end {
            let mut rest = &bytes[..cut];
            assert_eq!(take::<(u64, String)>(&mut rest), None);
            assert_eq!(rest.len(), cut);
        }
    }

    #[test]
    fn words_of_another_kind_are_an_error_and_rot_is_an_end() {
        let mut bytes = Vec::new();
        assert!(put(&(1_u64, 2_u64), &mut bytes));
        assert!(matches!(take::<u64>(&mut &bytes[..]), Some(Err(_))), "a rest");
        assert!(matches!(take::<[u64; 3]>(&mut &bytes[..]), Some(Err(_))), "too few");
        bytes[9] ^= 1;
        assert_eq!(take::<(u64, u64)>(&mut &bytes[..]), None);
    }
}
