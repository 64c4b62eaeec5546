//! Images on the disks of the hosts, and what is read and written of them.

use std::collections::VecDeque;

use paxos_core::effect::{Effect, Input};
use paxos_core::types::{Checkpoint, Image, ImageId, NodeId, Piece, Slot, Value};

use super::{Cluster, GROUP};

/// What a host's disk holds of images. Outlives crashes.
#[derive(Clone, Default)]
pub struct Vault {
    /// Durable images with what they are of, oldest first.
    pub images: Vec<(Image, State)>,
    /// A peer's image that is coming in: its name, how much of it is here, and
    /// whether all of that is as it should be.
    pub aside: Option<(ImageId, u64, bool)>,
    /// Makes this host's images other ones than everyone else's.
    pub salt: u64,
    /// Whether captures and stores fail.
    pub full: bool,
    /// Whether bytes that are read are not those that were written.
    pub rotten: bool,
    /// What is ordered and not answered.
    pub orders: VecDeque<Effect>,
    /// What the state machine was at each capture that is not answered.
    frozen: VecDeque<State>,
}

/// What a state machine has applied, from the first slot on.
pub type State = Vec<(Slot, Value)>;

impl Vault {
    pub fn newest(&self) -> Option<&(Image, State)> {
        self.images.last()
    }

    pub(super) fn order(&mut self, effect: Effect, state: &State) {
        if let Effect::Capture { checkpoint, .. } = &effect {
            assert_eq!(next_after(state), checkpoint.below, "captured somewhere else");
            self.frozen.push_back(state.clone());
        }
        self.orders.push_back(effect);
    }

    pub(super) fn crash(&mut self) {
        self.orders.clear();
        self.frozen.clear();
    }

    /// Carries out one order; the fact that follows, and the machine's new state.
    fn carry_out(&mut self, order: Effect, size: u64) -> (Input, Option<State>) {
        let group = GROUP;
        match order {
            Effect::Capture { checkpoint, .. } => {
                let state = self.frozen.pop_front().expect("frozen when it was ordered");
                if self.full {
                    return (Input::CaptureFailed { group, below: checkpoint.below }, None);
                }
                let image = image(checkpoint, size, self.salt);
                self.images.push((image.clone(), state));
                (Input::Captured { group, image }, None)
            }
            Effect::Load { to, image, offset, bytes, .. } => {
                let has = self.images.iter().any(|(i, _)| i.id() == image);
                let mut payload = if has { bytes_of(image, offset, bytes) } else { Vec::new() };
                if self.rotten {
                    payload.iter_mut().for_each(|byte| *byte ^= 1);
                }
                let piece = Piece { image, offset, payload: payload.into() };
                (Input::Loaded { group, to, piece }, None)
            }
            Effect::Store { piece, .. } => (self.store(&piece), None),
            other => panic!("not for a vault: {other:?}"),
        }
    }

    fn store(&mut self, piece: &Piece) -> Input {
        let (group, image, end) = (GROUP, piece.image, piece.end());
        let here = self.aside.filter(|(id, ..)| *id == image).unwrap_or((image, 0, true));
        if self.full || here.1 != piece.offset {
            self.aside = None;
            return Input::StoreFailed { group, image };
        }
        let sound = piece.payload == bytes_of(image, piece.offset, piece.payload.len());
        self.aside = Some((image, end, here.2 && sound));
        Input::Stored { group, image, end }
    }
}

impl Cluster {
    /// Carries out the oldest order that a vault has. False if there is none.
    pub fn work(&mut self, id: NodeId) -> bool {
        let size = self.image_bytes;
        let host = self.host_mut(id);
        let Some(order) = host.vault.orders.pop_front().filter(|_| host.up) else { return false };
        let input = match order {
            Effect::Install { image, .. } => self.install(id, image),
            order => host.vault.carry_out(order, size).0,
        };
        self.step(id, input);
        true
    }

    /// Checks an image that has come in, and puts it in the machine's place.
    pub fn install(&mut self, id: NodeId, image: Image) -> Input {
        let (group, name) = (GROUP, image.id());
        let whole = Some((name, name.bytes, true));
        let known = |h: &super::Host| {
            h.vault.images.iter().find(|(i, _)| i.id() == name).map(|(_, s)| s.clone())
        };
        let state = self.hosts.values().find_map(known);
        let host = self.host_mut(id);
        let here = host.vault.aside.take();
        if here != whole {
            return Input::InstallFailed { group, image: name };
        }
        let state = state.expect("an image that someone has made");
        assert_eq!(next_after(&state), image.checkpoint.below, "an image of something else");
        host.delivered = state.clone();
        host.vault.images.push((image, state));
        Input::Installed { group, image: name }
    }

    /// Lets every vault that works do one thing. Says whether there was any.
    pub(super) fn work_all(&mut self) -> bool {
        let ids: Vec<NodeId> = self.hosts.keys().copied().collect();
        let works = |id: &NodeId| !self.idle_vaults.contains(id);
        let ids: Vec<NodeId> = ids.into_iter().filter(works).collect();
        ids.into_iter().filter(|id| self.work(*id)).count() > 0
    }

    /// The newest image of a node.
    pub fn image(&self, id: NodeId) -> Option<Image> {
        self.host(id).vault.newest().map(|(image, _)| image.clone())
    }
}

/// The image that a host makes of `checkpoint`: equal hosts make equal ones.
pub fn image(checkpoint: Checkpoint, bytes: u64, salt: u64) -> Image {
    let digest = checkpoint.sum.0 ^ salt;
    Image { checkpoint, bytes, digest }
}

/// What stands in an image at `offset`.
pub fn bytes_of(image: ImageId, offset: u64, bytes: usize) -> Vec<u8> {
    let byte = |at: u64| (image.digest ^ at.wrapping_mul(31)) as u8;
    (offset..image.bytes).take(bytes).map(byte).collect()
}

pub fn next_after(state: &State) -> Slot {
    state.last().map_or(Slot::FIRST, |(slot, _)| slot.next())
}
