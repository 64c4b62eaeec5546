//! The installer: pulls a peer's image into the place of slots that its donors
//! have trimmed.
//!
//! One image at a time, in order, a window of pieces under way, and no faster than a
//! replica may that catches up. What was stored
//! stays: another donor, or another life of this node, goes on where it ended.
//! Donors that do not lead are asked first, so that nobody's latency pays for it.
//! Nothing here touches the log: that the image stands in for its slots is true
//! when the embedder says so, and the replica acts on it.

mod pulling;

use super::{Cx, Pace};
use crate::effect::{Ignored, Notice, PullError};
use crate::message::Offer;
use crate::quorum::NodeSet;
use crate::types::{GroupId, Image, ImageId, Instant, NodeId, Piece, Slot};
use pulling::{Candidates, Pulling};

/// What this replica does about an image that it needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Installer {
    group: GroupId,
    phase: Phase,
    /// What lies on the disk, whole or in part, of an image that is not under way. The
    /// first bytes of another one end it, and not before they are ordered.
    aside: Option<Aside>,
    /// Donors of bytes that did not make up the image that they should have.
    shunned: NodeSet,
    /// Who has offered an image since the last one was put in place, member or not.
    offered: NodeSet,
}

/// How far an image has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Aside {
    image: ImageId,
    /// Everything below was handed out to be stored.
    ordered: u64,
    /// Everything below was stored.
    stored: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Phase {
    /// Needs nothing, or has just failed: takes no offer before this moment.
    Idle { not_before: Instant },
    /// Asks, stores, waits.
    Pulling(alloc::boxed::Box<Pulling>),
    /// The embedder puts the image in the state machine's place.
    Installing { image: Image, served: NodeSet },
}

/// What the replica would do with an image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Want {
    /// Our own chosen frontier: what lies below is of no use.
    pub(crate) above: Slot,
    /// What lies beyond is not taken: a leader counts there itself.
    pub(crate) up_to: Slot,
    /// Whom to leave alone if possible.
    pub(crate) leader: Option<NodeId>,
    /// Whether our vote is missing for want of it, or may be: nobody leads.
    pub(crate) is_urgent: bool,
}

impl Want {
    fn wants(&self, image: Slot) -> bool {
        image > self.above && image <= self.up_to
    }

    /// Whether everyone waits for this replica, because it leads, or has no vote to give.
    fn is_waited_for(&self) -> bool {
        self.up_to < Slot::MAX || self.is_urgent
    }
}

impl Installer {
    /// An installer that finds a part of an image on its disk, if any.
    pub(crate) fn new(group: GroupId, aside: Option<(ImageId, u64)>, now: Instant) -> Installer {
        let aside = aside
            .filter(|(image, stored)| *stored <= image.bytes)
            .map(|(image, stored)| Aside { image, ordered: stored, stored });
        let phase = Phase::Idle { not_before: now };
        Installer { group, phase, aside, shunned: NodeSet::EMPTY, offered: NodeSet::EMPTY }
    }

    /// Whether an image is on its way.
    pub(crate) fn is_busy(&self) -> bool {
        !matches!(self.phase, Phase::Idle { .. })
    }

    /// Whether the embedder is replacing the state machine.
    pub(crate) fn is_installing(&self) -> bool {
        matches!(self.phase, Phase::Installing { .. })
    }

    /// Grows while an image is coming in, and is most when it is all here.
    pub(crate) fn progress(&self) -> u64 {
        match &self.phase {
            Phase::Idle { .. } => 0,
            Phase::Pulling(p) => p.progress(),
            Phase::Installing { .. } => u64::MAX,
        }
    }

    /// When to look again. A whole image waits for a capture to end, and for no time.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Pulling(p) if !p.is_whole() => Some(p.wake_at()),
            _ => None,
        }
    }

    /// Takes an image that a peer offers, if there is a use for it: begins to pull
    /// it, or goes on where an earlier attempt ended. A donor that is being asked for
    /// another image says thereby that it has not got that one.
    pub(crate) fn on_offer(&mut self, from: NodeId, m: &Offer, want: Want, cx: &mut Cx<'_>) {
        let image = &m.image;
        let useful = want.wants(image.checkpoint.below);
        if useful {
            self.offered.insert(from);
        }
        match &mut self.phase {
            Phase::Idle { not_before } if useful && cx.now >= *not_before => {}
            Phase::Pulling(p) if p.donor() == from && p.image().id() != image.id() => {
                if !useful || p.is_worth_another_try() {
                    p.refuse(from);
                    let others = self.candidates(want, cx);
                    return self.change_donor(others, cx);
                }
            }
            _ => return,
        }
        let others = self.candidates(want, cx);
        let donor = match &self.phase {
            Phase::Pulling(_) => from,
            // Who belongs to the group no more may be the only one that has it.
            _ if !cx.regime.everyone().contains(from) => from,
            _ => others.best(from, NodeSet::EMPTY).unwrap_or(from),
        };
        let fresh = Aside { image: image.id(), ordered: 0, stored: 0 };
        let aside = self.aside.take_if(|a| a.image == image.id()).unwrap_or(fresh);
        let pulling = Pulling::start(image.clone(), aside, donor, cx);
        self.note_pulling(image.id(), aside.ordered, donor, cx);
        self.phase = Phase::Pulling(pulling.into());
    }

    /// Takes in bytes of the image. None at all mean that the donor has no image.
    pub(crate) fn on_piece(&mut self, from: NodeId, piece: Piece, want: Want, cx: &mut Cx<'_>) {
        let Phase::Pulling(p) = &mut self.phase else { return };
        if p.image().id() != piece.image {
            return;
        }
        if !piece.payload.is_empty() {
            p.on_piece(from, piece, cx);
            self.aside = self.aside.filter(|_| p.is_empty());
            return;
        }
        if p.donor() == from {
            p.refuse(from);
            let others = self.candidates(want, cx);
            self.change_donor(others, cx);
        }
    }

    /// Takes in that bytes are written aside, which makes room for more.
    pub(crate) fn on_stored(&mut self, image: ImageId, end: u64) {
        match &mut self.phase {
            Phase::Pulling(p) if p.image().id() == image => p.on_stored(end),
            // Stores of an attempt that was given up: what they wrote is there.
            _ => {
                if let Some(aside) = self.aside.as_mut().filter(|a| a.image == image)
                    && end <= aside.ordered
                {
                    aside.stored = aside.stored.max(end);
                }
            }
        }
    }

    /// Takes in that nothing of this image lies on the disk any more.
    pub(crate) fn on_store_failed(&mut self, image: ImageId, cx: &mut Cx<'_>) {
        if self.aside.is_some_and(|a| a.image == image) {
            self.aside = None;
        }
        if let Phase::Pulling(p) = &self.phase
            && p.image().id() == image
        {
            self.give_up(image, PullError::Store, cx);
        }
    }

    /// Takes in that the image is in place, and gives it out.
    pub(crate) fn on_installed(&mut self, image: ImageId, cx: &mut Cx<'_>) -> Option<Image> {
        match core::mem::replace(&mut self.phase, Phase::Idle { not_before: cx.now }) {
            Phase::Installing { image: whole, .. } if whole.id() == image => {
                (self.shunned, self.offered) = (NodeSet::EMPTY, NodeSet::EMPTY);
                Some(whole)
            }
            other => {
                self.phase = other;
                cx.out.note(Notice::Ignored(Ignored::NotOrdered(self.group)));
                None
            }
        }
    }

    /// Takes in that the image is no good. Whoever gave bytes of it is asked last
    /// from now on.
    pub(crate) fn on_install_failed(&mut self, image: ImageId, cx: &mut Cx<'_>) {
        match &self.phase {
            Phase::Installing { image: whole, served } if whole.id() == image => {
                self.shunned = self.shunned.or(*served);
                self.give_up(image, PullError::Install, cx);
            }
            _ => cx.out.note(Notice::Ignored(Ignored::NotOrdered(self.group))),
        }
    }

    /// Asks for more, asks again, or has the image installed once it is whole.
    /// `capturing`: the embedder is freezing the state machine, and must not replace it.
    pub(crate) fn on_step(&mut self, want: Want, capturing: bool, cx: &mut Cx<'_>) {
        let Phase::Pulling(p) = &mut self.phase else { return };
        if !want.wants(p.image().checkpoint.below) {
            // The gap has closed by itself, or we have come to lead.
            return self.put_aside(cx.now);
        }
        if p.is_whole() {
            if !capturing {
                let (image, served) = (p.image().clone(), p.served());
                self.aside = None;
                cx.out.install(image.clone());
                self.phase = Phase::Installing { image, served };
            }
            return;
        }
        if p.is_silent(cx) {
            let others = self.candidates(want, cx);
            return self.change_donor(others, cx);
        }
        if want.is_waited_for() {
            p.hurry();
        }
        p.ask(cx);
    }

    fn change_donor(&mut self, others: Candidates, cx: &mut Cx<'_>) {
        let Phase::Pulling(p) = &mut self.phase else { return };
        let image = p.image().id();
        match others.best(p.donor(), p.refused()) {
            Some(donor) => {
                let offset = p.turn_to(donor, cx);
                self.note_pulling(image, offset, donor, cx);
            }
            None => {
                self.put_aside(cx.now);
                self.give_up(image, PullError::NoDonor, cx);
            }
        }
    }

    /// Ends the pulling, and remembers how far it came, or what it has not yet ended.
    fn put_aside(&mut self, now: Instant) {
        if let Phase::Pulling(p) = &self.phase {
            if !p.is_empty() {
                self.aside = Some(p.aside());
            }
            self.phase = Phase::Idle { not_before: now };
        }
    }

    /// Waits before the next attempt.
    fn give_up(&mut self, image: ImageId, why: PullError, cx: &mut Cx<'_>) {
        self.phase = Phase::Idle { not_before: cx.now + cx.setting.timing.patience };
        cx.out.note(Notice::PullFailed { group: self.group, image, why });
    }

    fn candidates(&self, want: Want, cx: &Cx<'_>) -> Candidates {
        let everyone = cx.regime.everyone();
        // A witness has an image only if it says so: it was a main, or has taken one in.
        let witnesses = everyone.iter().filter(|node| cx.regime.is_witness(*node)).collect();
        let others = everyone.without(witnesses).or(self.offered);
        let others = others.without(NodeSet::of(cx.setting.me));
        Candidates { others, leader: want.leader, shunned: self.shunned }
    }

    fn note_pulling(&self, image: ImageId, offset: u64, donor: NodeId, cx: &mut Cx<'_>) {
        cx.out.note(Notice::Pulling { group: self.group, image, offset, donor });
    }
}

#[cfg(test)]
mod tests;
