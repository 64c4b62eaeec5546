//! Bytes on their way out of one connection.
//!
//! Small pieces are copied together, so that a turn's worth of replies leaves in
//! one piece; large ones are queued as they are and shared with whoever else
//! holds them. What is too much is the caller's decision: it reads [`len`] and
//! knows its own bound.
//!
//! [`len`]: OutQueue::len

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// A queue of bytes: filled at the end, drained at the front by partial writes.
#[derive(Debug, Default)]
pub(crate) struct OutQueue {
    /// Whole pieces, oldest first; none is empty.
    pieces: VecDeque<Bytes>,
    /// What comes after all pieces, still growing.
    tail: BytesMut,
    /// Bytes in `pieces`.
    sealed: usize,
}

impl OutQueue {
    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.sealed + self.tail.len()
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The end of the queue, to encode into. The caller may only append.
    pub(crate) fn tail(&mut self) -> &mut BytesMut {
        if self.tail.len() >= PIECE_BYTES {
            self.seal();
        }
        &mut self.tail
    }

    /// Appends `bytes`, without copying them if they are large.
    pub(crate) fn push(&mut self, bytes: &Bytes) {
        if bytes.len() <= COPIED_BYTES_MAX {
            self.tail().extend_from_slice(bytes);
        } else {
            self.seal();
            self.sealed += bytes.len();
            self.pieces.push_back(bytes.clone());
        }
    }

    /// Fills `slices` with the front of the queue and returns how many it filled.
    pub(crate) fn front<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let tail = Some(&self.tail[..]).filter(|tail| !tail.is_empty());
        let waiting = self.pieces.iter().map(|piece| &piece[..]).chain(tail);
        slices.iter_mut().zip(waiting).map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    /// Drops the first `written` bytes: they are with the system now.
    pub(crate) fn consume(&mut self, mut written: usize) {
        while let Some(piece) = self.pieces.front_mut() {
            if written < piece.len() {
                piece.advance(written);
                self.sealed -= written;
                return;
            }
            written -= piece.len();
            self.sealed -= piece.len();
            self.pieces.pop_front();
        }
        self.tail.advance(written);
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.sealed += self.tail.len();
            self.pieces.push_back(self.tail.split().freeze());
        }
    }
}

/// Up to this size, a copy is cheaper than a slice of its own in a vectored write.
const COPIED_BYTES_MAX: usize = 2 << 10;
/// The tail is sealed at about this size, so that growing it copies little.
const PIECE_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_leave_in_the_order_they_came(
            pieces in proptest::collection::vec((0usize..5000, any::<bool>()), 0..40),
            writes in proptest::collection::vec(1usize..9000, 1..20),
        ) {
            let mut queue = OutQueue::default();
            let mut expected = Vec::new();
            for (nth, (length, encoded)) in pieces.into_iter().enumerate() {
                let piece = vec![nth as u8; length];
                expected.extend_from_slice(&piece);
                if encoded {
                    queue.tail().extend_from_slice(&piece);
                } else {
                    queue.push(&Bytes::from(piece));
                }
                prop_assert_eq!(queue.len(), expected.len());
            }
            let mut left = Vec::new();
            for limit in writes.into_iter().cycle() {
                if queue.is_empty() {
                    break;
                }
                left.extend_from_slice(&take(&mut queue, limit));
            }
            prop_assert_eq!(left, expected);
        }
    }

    #[test]
    fn a_large_piece_is_shared_and_a_small_one_copied() {
        let mut queue = OutQueue::default();
        let large = Bytes::from(vec![1; COPIED_BYTES_MAX + 1]);
        let small = Bytes::from(vec![2; COPIED_BYTES_MAX]);
        queue.push(&small);
        queue.push(&large);
        queue.push(&small);
        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(queue.front(&mut slices), 3);
        assert_eq!(slices[1].as_ptr(), large.as_ptr());
        assert_ne!(slices[0].as_ptr(), small.as_ptr());
    }

    fn take(queue: &mut OutQueue, limit: usize) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 3];
        let count = queue.front(&mut slices);
        let mut seen: Vec<u8> = slices[..count].iter().flat_map(|s| s.iter().copied()).collect();
        seen.truncate(limit);
        queue.consume(seen.len());
        seen
    }
}
