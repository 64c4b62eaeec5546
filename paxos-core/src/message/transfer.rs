//! Catch-up of a replica that lacks slots which its donors have trimmed: a
//! checkpoint's image, asked for piece by piece.

use crate::types::{Image, ImageId, Slot};

/// The answer to a [`Fetch`](super::Fetch) of slots that the sender no longer has:
/// this stands in for them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Offer {
    /// The newest image of the sender.
    pub image: Image,
    /// The sender's chosen frontier.
    pub chosen: Slot,
}

/// From a receiver to any node that has the image: send me these bytes of it,
/// as [`Piece`](crate::types::Piece)s. One that has it no more answers with an [`Offer`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Pull {
    /// Which image.
    pub image: ImageId,
    /// Where to begin.
    pub offset: u64,
    /// How many bytes are wanted.
    pub bytes: u32,
}
