//! The images that this replica has on its disk and gives to peers.

use smallvec::SmallVec;

use crate::types::{Image, ImageId, Slot};

/// Durable images, newest first.
///
/// Invariant: at most [`IMAGES_MAX`](Shelf::IMAGES_MAX).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Shelf {
    images: SmallVec<[Image; Shelf::IMAGES_MAX]>,
}

impl Shelf {
    /// Whoever is half through the image before the newest should not have to
    /// begin again; whoever is slower than that has to.
    const IMAGES_MAX: usize = 2;

    /// A shelf with the image that a restart has found.
    pub(crate) fn new(found: Option<Image>) -> Shelf {
        Shelf { images: found.into_iter().collect() }
    }

    /// The newest image.
    pub(crate) fn newest(&self) -> Option<&Image> {
        self.images.first()
    }

    /// What the newest image stands in for: every slot below.
    pub(crate) fn covered(&self) -> Slot {
        self.newest().map_or(Slot::FIRST, |image| image.checkpoint.below)
    }

    /// Whether this image was here when we last heard of it.
    pub(crate) fn has(&self, image: ImageId) -> bool {
        self.images.iter().any(|i| i.id() == image)
    }

    /// Takes in a newer image.
    pub(crate) fn put(&mut self, image: Image) {
        self.images.truncate(Shelf::IMAGES_MAX - 1);
        self.images.insert(0, image);
    }

    /// Takes in that an image is gone. If it was the newest, what is trimmed may be without
    /// one, until another is made.
    pub(crate) fn forget(&mut self, gone: ImageId) {
        self.images.retain(|image| image.id() != gone);
    }
}

#[cfg(test)]
mod tests;
