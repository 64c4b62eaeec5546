//! Checkpoints: what stands in for the slots below them.

use bytes::Bytes;

use super::{Checksum, Schedule, Slot};

/// All that the protocol must know of the slots that a checkpoint replaces. The
/// embedder keeps it with the image of its state machine, and hands it back at
/// [`restore`](crate::Node::restore).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Checkpoint {
    /// The image holds the effect of every slot below, and of none above.
    pub below: Slot,
    /// The running sum over those slots.
    pub sum: Checksum,
    /// Who decides the slots from `below` on, as far as the slots below say.
    pub schedule: Schedule,
}

/// A checkpoint with its image, durable on some node's disk.
///
/// The image's bytes are the embedder's. Images of the same `below`, `bytes` and
/// `digest` are taken for equal, whoever made them: a receiver that has half an
/// image of one donor goes on with another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Image {
    /// What it is an image of.
    pub checkpoint: Checkpoint,
    /// Its length in bytes.
    pub bytes: u64,
    /// A digest over all its bytes, of the embedder's choice.
    pub digest: u64,
}

impl Image {
    /// What names this image between nodes.
    pub fn id(&self) -> ImageId {
        ImageId { below: self.checkpoint.below, bytes: self.bytes, digest: self.digest }
    }
}

/// Names one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ImageId {
    /// See [`Checkpoint::below`].
    pub below: Slot,
    /// See [`Image::bytes`].
    pub bytes: u64,
    /// See [`Image::digest`].
    pub digest: u64,
}

/// Some bytes of an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Piece {
    /// Which image.
    pub image: ImageId,
    /// Where in it these bytes begin.
    pub offset: u64,
    /// The bytes; at most [`piece_bytes_max`](super::Limits::piece_bytes_max).
    pub payload: Bytes,
}

impl Piece {
    /// The offset after its last byte.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.payload.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_ends_after_its_last_byte() {
        let image = ImageId { below: Slot(3), bytes: 9, digest: 1 };
        let piece = |offset| Piece { image, offset, payload: Bytes::from_static(b"abc") };
        assert_eq!((piece(4).end(), piece(u64::MAX).end()), (7, u64::MAX));
    }
}
