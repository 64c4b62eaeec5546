//! Words about images and sums.

use std::sync::Arc;

use bytes::Bytes;
use paxos_core::message::{Audit, Audited, Message, Offer, Pull};
use paxos_core::types::{Checkpoint, Checksum, Image, ImageId, Mark, Piece, Schedule, Slot};

use super::words::Words;

impl Words<'_, '_> {
    /// Whatever a peer may say about images and sums, wanted or not.
    pub(super) fn about_images(&mut self, choice: u8) -> Message {
        match choice % 5 {
            0 => self.offer(),
            1 => {
                let image = self.image_id();
                self.pull(image)
            }
            2 => {
                let (image, offset) = (self.image_id(), self.offset());
                self.piece(image, offset)
            }
            3 => {
                let (ballot, slot) = (self.theirs(), self.slot());
                let agreed = (self.source.below(16) == 15).then(|| self.mark());
                Audit { ballot, slot, agreed }.into()
            }
            _ => Audited { mark: self.mark() }.into(),
        }
    }

    /// An image that a peer may have: of slots that matter to the node, or absurd.
    pub(super) fn image(&mut self) -> Image {
        let below = match self.source.below(4) {
            0 => self.replica.chosen().next(),
            1 => Slot(64),
            _ => self.slot(),
        };
        let rules = [(Slot::FIRST, Arc::new(self.replica.membership().clone()))];
        let schedule = Schedule::from_rules(rules).expect("one rule");
        let sum = self.replica.checksum().unwrap_or_default();
        let checkpoint = Checkpoint { below, sum, schedule };
        let bytes = self.source.pick(&[40, 16, 0, 100, 1, u64::MAX]);
        Image { checkpoint, bytes, digest: self.source.pick(&[1, 2]) }
    }

    pub(super) fn offer(&mut self) -> Message {
        let image = self.image();
        let below = image.checkpoint.below;
        let chosen = if self.source.below(8) == 7 { self.slot() } else { below };
        Offer { image, chosen }.into()
    }

    pub(super) fn pull(&mut self, image: ImageId) -> Message {
        let offset = self.offset();
        Pull { image, offset, bytes: self.source.pick(&[16, 1, 40, 0, u32::MAX]) }.into()
    }

    /// The bytes that were asked for, or nearly.
    pub(super) fn piece_of(&mut self, asked: &Pull) -> Message {
        let bytes = match self.source.below(8) {
            0..=5 => asked.bytes as usize,
            6 => 1,
            _ => return if self.source.flag() { self.offer() } else { none_of(asked) },
        };
        let payload = Bytes::from(vec![0; bytes.min(self.limits.piece_bytes_max)]);
        Piece { image: asked.image, offset: asked.offset, payload }.into()
    }

    pub(super) fn audited(&mut self, slot: Slot) -> Message {
        let sum = self.sum();
        Audited { mark: Mark { slot, sum } }.into()
    }

    fn piece(&mut self, image: ImageId, offset: u64) -> Message {
        let bytes = self.source.pick(&[16, 1, 40, 0, 17]);
        Piece { image, offset, payload: Bytes::from(vec![0; bytes]) }.into()
    }

    /// Mostly the newest image of the node.
    fn image_id(&mut self) -> ImageId {
        match (self.source.below(4), self.replica.image()) {
            (0..=2, Some(image)) => image.id(),
            _ => self.image().id(),
        }
    }

    fn offset(&mut self) -> u64 {
        self.source.pick(&[0, 16, 32, 1, 39, 40, u64::MAX])
    }

    fn mark(&mut self) -> Mark {
        let slot = if self.source.flag() { Slot(64) } else { self.slot() };
        Mark { slot, sum: self.sum() }
    }

    fn sum(&mut self) -> Checksum {
        match self.source.below(4) {
            0..=2 => self.replica.checksum().unwrap_or_default(),
            _ => Checksum(1),
        }
    }
}

fn none_of(asked: &Pull) -> Message {
    Piece { image: asked.image, offset: asked.offset, payload: Bytes::new() }.into()
}
