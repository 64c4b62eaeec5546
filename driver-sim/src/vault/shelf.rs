//! The images of one group on one machine: a few whole ones, and one that is being stored.

use std::hash::Hasher;

use bytes::{Bytes, BytesMut};
use paxos_core::types::{Image, ImageId, Piece, Slot, StateHasher};

use crate::choice::Choice;

/// A whole image on the disk.
#[derive(Clone, Debug)]
struct Kept {
    image: Image,
    /// What the disk holds, which may have rotted.
    bytes: Bytes,
}

impl Kept {
    fn is_sound(&self) -> bool {
        digest(&self.bytes) == self.image.digest
    }
}

/// The images of one group.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    /// Ascending by slot, no two of one slot; at most `keep`.
    kept: Vec<Kept>,
    keep: usize,
    /// A peer's image, as far as it has come.
    aside: Option<(ImageId, BytesMut)>,
    /// Whether what was stored aside was given up, and nothing was begun since.
    given_up: bool,
    /// Whether a bit of some image was ever turned.
    ever_rotted: bool,
    /// Whether what is stored aside comes from an earlier life.
    is_left_over: bool,
}

/// What names an image by its bytes.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = StateHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

impl Shelf {
    /// An empty shelf for so many images.
    pub(crate) fn new(keep: usize) -> Shelf {
        Shelf {
            kept: Vec::new(),
            keep: keep.max(1),
            aside: None,
            given_up: false,
            ever_rotted: false,
            is_left_over: false,
        }
    }

    /// An image is durable. Those that are older by too much are dropped.
    pub(crate) fn put(&mut self, image: Image, bytes: Bytes) {
        let below = image.checkpoint.below;
        self.kept.retain(|kept| kept.image.checkpoint.below != below);
        let at = self.kept.partition_point(|kept| kept.image.checkpoint.below < below);
        self.kept.insert(at, Kept { image, bytes });
        let surplus = self.kept.len().saturating_sub(self.keep);
        self.kept.drain(..surplus);
    }

    /// The slot below which some image stands in for the log.
    pub(crate) fn covers(&self) -> Slot {
        self.kept.last().map_or(Slot::FIRST, |kept| kept.image.checkpoint.below)
    }

    /// As [`covers`](Shelf::covers), by images whose bytes are sound.
    pub(crate) fn covers_soundly(&self) -> Slot {
        let sound = self.kept.iter().rev().find(|kept| kept.is_sound());
        sound.map_or(Slot::FIRST, |kept| kept.image.checkpoint.below)
    }

    /// The newest sound image. Drops all that are not, and says how many those were.
    pub(crate) fn newest(&mut self) -> (Option<(Image, Bytes)>, usize) {
        let before = self.kept.len();
        self.kept.retain(Kept::is_sound);
        let newest = self.kept.last().map(|kept| (kept.image.clone(), kept.bytes.clone()));
        (newest, before - self.kept.len())
    }

    /// What the disk holds of `image`; none if it is gone.
    pub(crate) fn bytes(&self, image: ImageId) -> Option<&Bytes> {
        self.kept.iter().find(|kept| kept.image.id() == image).map(|kept| &kept.bytes)
    }

    /// Whether some image is not what it was when it was written.
    pub(crate) fn is_rotten(&self) -> bool {
        self.kept.iter().any(|kept| !kept.is_sound())
    }

    /// Drops `image`, which has turned out not to be what it was.
    pub(crate) fn drop_image(&mut self, image: ImageId) {
        self.kept.retain(|kept| kept.image.id() != image);
    }

    /// Writes a piece aside; says whether it fits what is there already.
    pub(crate) fn store(&mut self, piece: &Piece) -> bool {
        let begins = piece.offset == 0;
        match &mut self.aside {
            Some((image, bytes)) if *image == piece.image && piece.offset == bytes.len() as u64 => {
                bytes.extend_from_slice(&piece.payload);
            }
            _ if begins => {
                self.aside = Some((piece.image, piece.payload[..].into()));
                self.given_up = false;
            }
            _ => return false,
        }
        true
    }

    /// What is stored aside, and how much of it.
    pub(crate) fn partial(&self) -> Option<(ImageId, u64)> {
        self.aside.as_ref().map(|(image, bytes)| (*image, bytes.len() as u64))
    }

    /// Of what is stored aside, a crash leaves so much.
    pub(crate) fn cut(&mut self, bytes: u64) {
        if let Some((_, aside)) = &mut self.aside {
            aside.truncate(bytes as usize);
        }
        self.aside.take_if(|(_, aside)| aside.is_empty());
    }

    /// Takes the stored image out; none, and nothing stored any more, if its bytes are not `image`.
    pub(crate) fn take(&mut self, image: ImageId) -> Option<Bytes> {
        let (stored, bytes) = self.aside.take()?;
        let is_whole = stored == image && bytes.len() as u64 == image.bytes;
        (is_whole && digest(&bytes) == image.digest).then(|| bytes.freeze())
    }

    /// Gives up what is stored aside.
    pub(crate) fn give_up(&mut self) {
        self.aside = None;
        self.given_up = true;
    }

    /// Whether pieces may still come of what was given up.
    pub(crate) fn was_given_up(&self) -> bool {
        self.given_up
    }

    /// A new life begins: no piece of what was given up is under way any more.
    pub(crate) fn wake(&mut self) {
        self.given_up = false;
        self.is_left_over = self.aside.is_some();
    }

    /// Whether the piece that was just stored follows one of an earlier life; only once.
    pub(crate) fn resumes(&mut self, piece: &Piece) -> bool {
        std::mem::take(&mut self.is_left_over) && piece.offset > 0
    }

    /// Whether a bit of some image was ever turned: then some may be missing.
    pub(crate) fn has_ever_rotted(&self) -> bool {
        self.ever_rotted
    }

    /// Turns one bit of one of the images; says whether there was one.
    pub(crate) fn rot<C: Choice>(&mut self, choice: &mut C) -> bool {
        // The newest most of all: those behind it are rarely asked for.
        let back = choice.below(self.kept.len() as u32 + 1) as usize;
        let at = self.kept.len().checked_sub(back.max(1));
        let Some(kept) = at.and_then(|at| self.kept.get_mut(at)) else { return false };
        let mut bytes = BytesMut::from(&kept.bytes[..]);
        let Some(byte) = bytes.get_mut(choice.below(kept.bytes.len() as u32) as usize) else {
            return false;
        };
        *byte ^= 1 << choice.below(8);
        kept.bytes = bytes.freeze();
        self.ever_rotted = true;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use paxos_core::quorum::Membership;
    use paxos_core::types::{Checkpoint, Checksum, NodeId, Schedule};

    use super::*;
    use crate::choice::Seeded;

    fn image(below: u64, bytes: &[u8]) -> Image {
        let membership = Arc::new(Membership::majority([NodeId(1)]));
        let checkpoint = Checkpoint {
            below: Slot(below),
            sum: Checksum::FIRST,
            schedule: Schedule::starting(Slot::FIRST, membership),
        };
        Image { checkpoint, bytes: bytes.len() as u64, digest: digest(bytes) }
    }

    fn shelf(belows: &[u64]) -> Shelf {
        let mut shelf = Shelf::new(2);
        belows.iter().for_each(|below| shelf.put(image(*below, b"image"), b"image"[..].into()));
        shelf
    }

    fn piece(image: &Image, offset: u64, payload: &'static [u8]) -> Piece {
        Piece { image: image.id(), offset, payload: payload.into() }
    }

    #[test]
    fn the_newest_are_kept_in_whatever_order_they_come() {
        let mut shelf = shelf(&[3, 9, 6]);
        assert_eq!(shelf.covers(), Slot(9));
        assert_eq!(shelf.kept.len(), 2);
        assert!(shelf.bytes(image(3, b"image").id()).is_none(), "dropped");
        shelf.drop_image(image(9, b"image").id());
        assert_eq!(shelf.newest().0.map(|(image, _)| image.checkpoint.below), Some(Slot(6)));
    }

    #[test]
    fn a_rotten_image_is_noticed_and_the_one_before_it_stands_in() {
        for seed in 0..50 {
            let mut shelf = shelf(&[3, 9]);
            assert!(!shelf.is_rotten());
            assert!(shelf.rot(&mut Seeded::new(seed)));
            assert!(shelf.is_rotten(), "seed {seed}");
            let covered = shelf.covers_soundly();
            let (newest, dropped) = shelf.newest();
            assert_eq!((newest.map(|(i, _)| i.checkpoint.below), dropped), (Some(covered), 1));
        }
        assert!(!Shelf::new(2).rot(&mut Seeded::new(1)), "nothing there");
    }

    #[test]
    fn an_image_is_stored_in_order_or_not_at_all() {
        let whole = image(5, b"abcdef");
        let mut shelf = Shelf::new(1);
        assert!(!shelf.store(&piece(&whole, 2, b"cd")), "not the beginning");
        assert!(shelf.store(&piece(&whole, 0, b"abc")));
        assert!(!shelf.store(&piece(&whole, 4, b"ef")), "a hole");
        assert_eq!(shelf.partial(), Some((whole.id(), 3)));
        shelf.cut(2);
        assert!(shelf.store(&piece(&whole, 2, b"cdef")));
        assert_eq!(shelf.take(whole.id()).as_deref(), Some(&b"abcdef"[..]));
        assert_eq!(shelf.partial(), None);
    }

    #[test]
    fn another_image_ends_the_one_before() {
        let (one, two) = (image(5, b"abcdef"), image(6, b"abcxyz"));
        let mut shelf = Shelf::new(1);
        assert!(shelf.store(&piece(&one, 0, b"abc")));
        assert!(!shelf.store(&piece(&two, 3, b"xyz")), "of another image");
        assert!(shelf.store(&piece(&two, 0, b"abc")));
        assert!(!shelf.store(&piece(&one, 3, b"def")), "given up");
    }

    #[test]
    fn what_is_not_the_image_is_not_taken() {
        let whole = image(5, b"abcdef");
        for bytes in [&b"abcdeg"[..], b"abcde"] {
            let mut shelf = Shelf::new(1);
            shelf.store(&piece(&whole, 0, bytes));
            assert_eq!(shelf.take(whole.id()), None);
            assert_eq!(shelf.partial(), None, "given up");
        }
        let mut shelf = Shelf::new(1);
        shelf.store(&piece(&whole, 0, b"abc"));
        shelf.cut(0);
        assert_eq!(shelf.partial(), None);
    }
}
