//! The donor: gives peers the bytes of our images, a piece at a time.

use smallvec::SmallVec;

use super::{Cx, Shelf};
use crate::effect::{Ignored, Notice};
use crate::message::{Offer, Pull};
use crate::quorum::NodeSet;
use crate::types::{GroupId, Image, ImageId, Instant, NodeId, Piece, Slot};

/// What the embedder is reading for peers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Donor {
    group: GroupId,
    /// Not answered yet; at most [`loads_max`](crate::types::Limits::loads_max).
    loads: SmallVec<[Load; 2]>,
    /// When a peer last asked for bytes of an image that is here.
    asked_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Load {
    to: NodeId,
    image: ImageId,
    offset: u64,
    bytes: usize,
}

impl Donor {
    /// A donor that nobody has asked.
    pub(crate) fn new(group: GroupId) -> Donor {
        Donor { group, loads: SmallVec::new(), asked_at: None }
    }

    /// How many pieces are being read.
    pub(crate) fn len(&self) -> usize {
        self.loads.len()
    }

    /// Whether a peer is pulling an image, for all that we know: it asked within the
    /// last patience.
    pub(crate) fn is_giving(&self, cx: &Cx<'_>) -> bool {
        self.asked_at.is_some_and(|at| cx.now < at + cx.setting.timing.patience)
    }

    /// Has the bytes read that a peer asks for, if we have the image. Who asks for
    /// another is offered our newest; without any, a piece without bytes says so.
    pub(crate) fn on_pull(
        &mut self,
        from: NodeId,
        m: &Pull,
        shelf: &Shelf,
        chosen: Slot,
        cx: &mut Cx<'_>,
    ) {
        if !shelf.has(m.image) {
            if !offer(from, shelf, chosen, cx) {
                let piece = Piece { image: m.image, offset: m.offset, payload: Default::default() };
                cx.out.plain(NodeSet::of(from), piece);
            }
            return;
        }
        self.asked_at = Some(cx.now);
        let left = usize::try_from(m.image.bytes - m.offset).unwrap_or(usize::MAX);
        let bytes = (m.bytes as usize).min(cx.setting.limits.piece_bytes_max).min(left);
        let load = Load { to: from, image: m.image, offset: m.offset, bytes };
        if self.loads.iter().any(|l| (l.to, l.image, l.offset) == (from, m.image, m.offset)) {
            return;
        }
        if self.loads.len() >= cx.setting.limits.loads_max {
            return cx.out.note(Notice::Ignored(Ignored::Overload(self.group, from)));
        }
        self.loads.push(load);
        cx.out.load(from, m.image, m.offset, bytes);
    }

    /// Passes on what was read. If nothing was, gives the image's name back: it is gone.
    pub(crate) fn on_loaded(
        &mut self,
        to: NodeId,
        piece: Piece,
        shelf: &Shelf,
        chosen: Slot,
        cx: &mut Cx<'_>,
    ) -> Option<ImageId> {
        let at = self.loads.iter().position(|l| {
            (l.to, l.image, l.offset) == (to, piece.image, piece.offset)
                && piece.payload.len() <= l.bytes
        });
        let Some(at) = at else {
            cx.out.note(Notice::Ignored(Ignored::NotOrdered(self.group)));
            return None;
        };
        self.loads.swap_remove(at);
        let gone = piece.payload.is_empty().then_some(piece.image);
        let newest = shelf.newest().map(Image::id);
        if gone.is_some() && newest.is_some_and(|n| n != piece.image) {
            offer(to, shelf, chosen, cx);
        } else {
            cx.out.plain(NodeSet::of(to), piece);
        }
        gone
    }
}

/// Offers the newest image to a peer that wants what is trimmed here. False if
/// there is none.
pub(crate) fn offer(to: NodeId, shelf: &Shelf, chosen: Slot, cx: &mut Cx<'_>) -> bool {
    let Some(image) = shelf.newest().cloned() else { return false };
    cx.out.plain(NodeSet::of(to), Offer { image, chosen });
    true
}

#[cfg(test)]
mod tests;
