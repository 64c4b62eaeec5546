//! A driver's images, of one group: what it was ordered to capture, read, write and
//! install, and what it answers. Every order is checked.

use std::collections::VecDeque;

use bytes::Bytes;
use paxos_core::effect::{Effect, Input};
use paxos_core::types::{Checksum, GroupId, Image, ImageId, Limits, NodeId, Piece, Slot};

use super::source::Source;

/// Images that stay on the disk.
const IMAGES_MAX: usize = 2;

/// What one group has of images.
#[derive(Debug)]
pub(super) struct Vault {
    group: GroupId,
    /// Durable, oldest first.
    images: Vec<Image>,
    /// The image that comes in, and everything of it below what was ordered to be
    /// written.
    coming: Option<(ImageId, u64)>,
    /// And below what was said to be written.
    stored: u64,
    /// What is not answered yet.
    orders: VecDeque<Effect>,
}

impl Vault {
    pub(super) fn new(group: GroupId) -> Vault {
        Vault { group, images: Vec::new(), coming: None, stored: 0, orders: VecDeque::new() }
    }

    pub(super) fn newest(&self) -> Option<&Image> {
        self.images.last()
    }

    pub(super) fn partial(&self) -> Option<(ImageId, u64)> {
        self.coming.map(|(image, _)| (image, self.stored))
    }

    pub(super) fn is_idle(&self) -> bool {
        self.orders.is_empty()
    }

    /// Loses what was not done. `images_too`: and what was.
    pub(super) fn crash(&mut self, images_too: bool) {
        self.orders.clear();
        self.coming = self.partial();
        if images_too {
            self.images.clear();
        }
    }

    /// Takes an order of the node.
    pub(super) fn order(&mut self, order: Effect, limits: &Limits) {
        let is_capture = |o: &Effect| matches!(o, Effect::Capture { .. });
        let is_install = |o: &Effect| matches!(o, Effect::Install { .. });
        let is_load = |o: &Effect| matches!(o, Effect::Load { .. });
        let installs = self.orders.iter().any(is_install);
        match &order {
            Effect::Capture { .. } => {
                assert!(!self.orders.iter().any(is_capture), "two captures at once");
                assert!(!installs, "captured while it is replaced");
            }
            Effect::Load { image, offset, bytes, .. } => {
                let loads = self.orders.iter().filter(|o| is_load(o)).count();
                assert!(loads < limits.loads_max, "more loads than the bound");
                assert!((1..=limits.piece_bytes_max).contains(bytes), "a load of {bytes} bytes");
                assert!(offset + *bytes as u64 <= image.bytes, "a load past the end");
            }
            Effect::Store { piece, .. } => {
                assert!(!installs, "written while it is installed");
                let from = self.coming.filter(|(id, _)| *id == piece.image).map_or(0, |c| c.1);
                assert_eq!(piece.offset, from, "bytes out of order");
                assert!(!piece.payload.is_empty() && piece.end() <= piece.image.bytes);
                if self.coming.is_none_or(|(id, _)| id != piece.image) {
                    self.stored = 0;
                }
                self.coming = Some((piece.image, piece.end()));
                let open = piece.end() - self.stored;
                assert!(open <= limits.transfer_bytes as u64, "{open} bytes not stored yet");
            }
            Effect::Install { image, .. } => {
                assert!(!installs && !self.orders.iter().any(is_capture), "two at once");
                let whole = Some((image.id(), image.bytes));
                let is_whole = self.coming == whole && self.stored == image.bytes;
                assert!(is_whole || image.bytes == 0, "installed before it is whole");
            }
            other => panic!("no order for a vault: {other:?}"),
        }
        self.orders.push_back(order);
    }

    /// Does one of the things that were ordered, or fails to.
    pub(super) fn work(&mut self, source: &mut Source<'_>) -> Option<Done> {
        let at = source.below(self.orders.len());
        let order = self.orders.remove(at)?;
        let group = self.group;
        let fails = source.below(8) == 7;
        let input = match order {
            Effect::Capture { checkpoint, .. } if fails => {
                Input::CaptureFailed { group, below: checkpoint.below }
            }
            Effect::Capture { checkpoint, .. } => {
                let bytes = source.pick(&[40, 16, 0, 100]);
                let image = Image { checkpoint, bytes, digest: source.pick(&[1, 2]) };
                self.put(image.clone());
                Input::Captured { group, image }
            }
            Effect::Load { to, image, offset, bytes, .. } => {
                let known = self.images.iter().any(|i| i.id() == image) && !fails;
                let bytes = if known { bytes - source.pick(&[0, 0, 1]) } else { 0 };
                let piece = Piece { image, offset, payload: Bytes::from(vec![0; bytes]) };
                Input::Loaded { group, to, piece }
            }
            Effect::Store { piece, .. } => {
                let (image, end) = (piece.image, piece.end());
                let coming = self.coming.is_some_and(|(id, _)| id == image);
                if fails || !coming {
                    self.coming = self.coming.filter(|_| !coming);
                    Input::StoreFailed { group, image }
                } else {
                    self.stored = self.stored.max(end);
                    Input::Stored { group, image, end }
                }
            }
            Effect::Install { image, .. } => {
                self.coming = None;
                let id = image.id();
                if fails {
                    Input::InstallFailed { group, image: id }
                } else {
                    self.put(image.clone());
                    return Some(Done::Installed(image));
                }
            }
            other => panic!("no order for a vault: {other:?}"),
        };
        Some(Done::Told(input))
    }

    /// What a driver might say that has lost its mind.
    pub(super) fn nonsense(&self, source: &mut Source<'_>, image: Image) -> Input {
        let group = self.group;
        let mut image = self.newest().filter(|_| source.flag()).cloned().unwrap_or(image);
        image.digest = u64::MAX;
        image.checkpoint.sum = Checksum(source.pick(&[0, u64::MAX]));
        let id = image.id();
        let to = NodeId(source.pick(&[1, 3, 9]));
        match source.below(8) {
            0 => Input::Captured { group, image },
            1 => Input::CaptureFailed { group, below: Slot(0) },
            2 => {
                let piece = Piece { image: id, offset: 0, payload: Bytes::new() };
                Input::Loaded { group, to, piece }
            }
            3 => Input::Stored { group, image: id, end: source.pick(&[0, 5, u64::MAX]) },
            4 => Input::StoreFailed { group, image: id },
            5 => Input::Installed { group, image: id },
            6 => Input::InstallFailed { group, image: id },
            _ => Input::CheckpointRequested { group },
        }
    }

    fn put(&mut self, image: Image) {
        self.images.push(image);
        if self.images.len() > IMAGES_MAX {
            self.images.remove(0);
        }
    }
}

/// What a vault has done.
#[derive(Debug)]
pub(super) enum Done {
    /// Something that the node is told.
    Told(Input),
    /// This image is the state machine now, which the node is told too.
    Installed(Image),
}
