//! An image on its way: what was asked for, what has come, what is stored.

use alloc::collections::BTreeMap;
use core::time::Duration;

use bytes::Bytes;

use super::{Aside, Cx, Pace};
use crate::message::Pull;
use crate::quorum::NodeSet;
use crate::types::{Image, Instant, Limits, NodeId, Piece};

/// One image, from one donor at a time.
///
/// Invariant: `stored <= ordered <= asked <= image.bytes`, and at most
/// [`transfer_bytes`](Limits::transfer_bytes) or one piece lie between `stored` and `asked`.
/// Of what lies between `ordered` and `asked` no more is under way than the donor was seen to
/// [reach](Reach); `asked <= paid`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Pulling {
    image: Image,
    donor: NodeId,
    /// Everything below was asked for.
    asked: u64,
    /// Everything below was handed out to be stored.
    ordered: u64,
    /// Everything below was stored.
    stored: u64,
    /// Pieces that have overtaken others, by offset.
    early: BTreeMap<u64, Bytes>,
    /// Donors that have it not, or did not answer.
    refused: NodeSet,
    /// Donors that gave bytes of it.
    served: NodeSet,
    /// How often the donor was asked again without an answer.
    silences: u8,
    /// How often we came back to donors that had served, and were silent.
    returns: u8,
    resend_at: Instant,
    reach: Reach,
    pace: Pace,
    /// Everything below was asked for at the pace, now or before. To ask for it again costs
    /// nothing, and what comes of it late is welcome.
    paid: u64,
    /// When the pace lets us ask for more, if that is what we wait for.
    next_at: Option<Instant>,
}

/// A donor is asked so often before another takes its place.
const SILENCES_MAX: u8 = 2;

/// So often a donor that has served before is tried again before the image is
/// given up for another one: a slow donor is better than a new beginning.
const RETURNS_MAX: u8 = 3;

/// An image comes twice as fast after each of these.
const DOUBLING: Duration = Duration::from_secs(8);

impl Pulling {
    /// Pulls `image`, which has come as far as `aside`, from `donor`.
    pub(super) fn start(image: Image, aside: Aside, donor: NodeId, cx: &Cx<'_>) -> Pulling {
        Pulling {
            image,
            donor,
            asked: aside.ordered,
            ordered: aside.ordered,
            stored: aside.stored,
            early: BTreeMap::new(),
            refused: NodeSet::EMPTY,
            served: NodeSet::EMPTY,
            silences: 0,
            returns: 0,
            resend_at: cx.now + cx.setting.timing.resend,
            reach: Reach::new(&cx.setting.limits),
            pace: Pace::default(),
            paid: aside.ordered,
            next_at: None,
        }
    }

    pub(super) fn image(&self) -> &Image {
        &self.image
    }

    pub(super) fn donor(&self) -> NodeId {
        self.donor
    }

    pub(super) fn refused(&self) -> NodeSet {
        self.refused
    }

    pub(super) fn served(&self) -> NodeSet {
        self.served
    }

    pub(super) fn aside(&self) -> Aside {
        Aside { image: self.image.id(), ordered: self.ordered, stored: self.stored }
    }

    pub(super) fn progress(&self) -> u64 {
        self.ordered + self.stored
    }

    /// Whether none of its bytes was handed out to be stored, now or before.
    pub(super) fn is_empty(&self) -> bool {
        self.ordered == 0
    }

    pub(super) fn is_whole(&self) -> bool {
        self.stored == self.image.bytes
    }

    pub(super) fn wake_at(&self) -> Instant {
        self.next_at.map_or(self.resend_at, |at| at.min(self.resend_at))
    }

    /// Takes in that `donor` cannot help.
    pub(super) fn refuse(&mut self, donor: NodeId) {
        self.refused.insert(donor);
    }

    /// Whether to go back to those who gave bytes of this image, rather than to
    /// begin with another one. Forgives them their silence.
    pub(super) fn is_worth_another_try(&mut self) -> bool {
        if self.served.is_empty() || self.returns >= RETURNS_MAX {
            return false;
        }
        self.returns += 1;
        self.refused = self.refused.without(self.served);
        true
    }

    /// Goes on with another donor; says from where.
    pub(super) fn turn_to(&mut self, donor: NodeId, cx: &mut Cx<'_>) -> u64 {
        self.donor = donor;
        self.silences = 0;
        self.ask_again(cx);
        self.ordered
    }

    /// Forgets what is owed.
    pub(super) fn hurry(&mut self) {
        self.pace = Pace::default();
    }

    /// Asks for as much as the window has room for, the donor has answered for, and the
    /// pace lets through.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>) {
        self.next_at = None;
        let limits = &cx.setting.limits;
        let piece = (limits.piece_bytes_max as u64).min(u64::from(u32::MAX));
        let window = piece.max(limits.transfer_bytes as u64);
        while self.asked < self.image.bytes {
            let bytes = piece.min(self.image.bytes - self.asked);
            if let Some(early) = self.early.get(&self.asked) {
                self.asked += early.len() as u64;
                continue;
            }
            let reach = self.reach.pieces.saturating_mul(piece);
            let room = window.min((self.ordered - self.stored).saturating_add(reach));
            if self.asked - self.stored + bytes > room {
                return;
            }
            let end = self.asked + bytes;
            if end > self.paid {
                if !self.pace.is_ready(cx) {
                    return self.wait_for_pace(cx);
                }
                self.pace.take(end - self.paid, DOUBLING, cx);
                self.paid = end;
            }
            if self.asked == self.ordered {
                // Nothing was under way: the donor has all its time from now on.
                self.resend_at = cx.now + cx.setting.timing.resend;
            }
            let pull = Pull { image: self.image.id(), offset: self.asked, bytes: bytes as u32 };
            self.asked += bytes;
            cx.out.plain(NodeSet::of(self.donor), pull);
        }
    }

    /// Nobody is silent who was asked for nothing.
    fn wait_for_pace(&mut self, cx: &Cx<'_>) {
        let at = self.pace.ready_at(cx);
        self.next_at = Some(at);
        if self.asked == self.ordered {
            self.resend_at = at + cx.setting.timing.resend;
        }
    }

    /// Stores a piece if its turn has come, and those after it that came too early.
    /// What has not been asked for is dropped.
    pub(super) fn on_piece(&mut self, from: NodeId, piece: Piece, cx: &mut Cx<'_>) {
        if piece.end() > self.paid || piece.end() <= self.ordered {
            return;
        }
        self.served.insert(from);
        self.silences = 0;
        self.returns = 0;
        self.resend_at = cx.now + cx.setting.timing.resend;
        self.reach.widen(&cx.setting.limits);
        if piece.offset > self.ordered {
            if self.early.len() < early_max(&cx.setting.limits) {
                self.early.insert(piece.offset, piece.payload);
            }
            return;
        }
        self.store(piece.offset, piece.payload, cx);
        while let Some(next) = self.early.first_entry().filter(|e| *e.key() <= self.ordered) {
            let (offset, payload) = next.remove_entry();
            self.store(offset, payload, cx);
        }
    }

    pub(super) fn on_stored(&mut self, end: u64) {
        if end <= self.ordered {
            self.stored = self.stored.max(end);
        }
    }

    /// Whether the donor has been silent for too long. Asks again before that.
    pub(super) fn is_silent(&mut self, cx: &mut Cx<'_>) -> bool {
        if cx.now < self.resend_at {
            return false;
        }
        if self.asked == self.ordered {
            // Our own disk is what we wait for.
            self.resend_at = cx.now + cx.setting.timing.resend;
            return false;
        }
        self.silences += 1;
        if !self.early.is_empty() {
            // It was not slow: it has left something out.
            self.reach.halve();
        }
        if self.silences >= SILENCES_MAX {
            self.refused.insert(self.donor);
            return true;
        }
        self.ask_again(cx);
        false
    }

    fn ask_again(&mut self, cx: &mut Cx<'_>) {
        self.resend_at = cx.now + cx.setting.timing.resend;
        self.asked = self.ordered;
        self.ask(cx);
    }

    fn store(&mut self, offset: u64, payload: Bytes, cx: &mut Cx<'_>) {
        let known = self.ordered.saturating_sub(offset) as usize;
        if known >= payload.len() {
            return;
        }
        let payload = payload.slice(known..);
        let piece = Piece { image: self.image.id(), offset: self.ordered, payload };
        self.ordered = piece.end();
        self.asked = self.asked.max(self.ordered);
        cx.out.store(piece);
    }
}

/// As many pieces as a window holds, and one that is shorter.
fn early_max(limits: &Limits) -> usize {
    (limits.transfer_bytes / limits.piece_bytes_max).saturating_add(1)
}

/// How many pieces are asked for at once.
///
/// A donor drops what is more than it can load. It would be asked for the same again, and
/// would load what happens to come first, again and again: so whoever has to ask again for
/// what was overtaken asks for half, and tries for more only when many have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Reach {
    /// At least one.
    pieces: u64,
    /// Pieces that came since that last grew or shrank.
    came: u64,
}

/// One piece more is asked for after so many times as many have come.
const TURNS_TO_WIDEN: u64 = 4;

impl Reach {
    /// All that a window has room for.
    fn new(limits: &Limits) -> Reach {
        Reach { pieces: early_max(limits) as u64, came: 0 }
    }

    fn halve(&mut self) {
        *self = Reach { pieces: (self.pieces / 2).max(1), came: 0 };
    }

    fn widen(&mut self, limits: &Limits) {
        self.came += 1;
        if self.came >= self.pieces.saturating_mul(TURNS_TO_WIDEN) {
            let pieces = self.pieces.saturating_add(1).min(early_max(limits) as u64);
            *self = Reach { pieces, came: 0 };
        }
    }
}

/// Who may have an image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidates {
    pub(super) others: NodeSet,
    /// Asked only when nobody else is left.
    pub(super) leader: Option<NodeId>,
    /// Asked only when nobody but the leader is left.
    pub(super) shunned: NodeSet,
}

impl Candidates {
    /// The best of those that are not `refused`: `last` if it is as good as any, else
    /// the next after it, round and round.
    pub(super) fn best(&self, last: NodeId, refused: NodeSet) -> Option<NodeId> {
        let rank = |node: &NodeId| {
            (self.shunned.contains(*node), self.leader == Some(*node), *node < last, *node)
        };
        self.others.without(refused).iter().min_by_key(rank)
    }
}
