//! Which images a shelf keeps.

use super::*;
use crate::role::testing::Bench;
use crate::types::{Checkpoint, Checksum};

fn image(below: u64) -> Image {
    let schedule = Bench::new().regime.schedule().clone();
    let checkpoint = Checkpoint { below: Slot(below), sum: Checksum::FIRST, schedule };
    Image { checkpoint, bytes: 1, digest: 2 }
}

#[test]
fn the_newest_image_and_the_one_before_are_kept() {
    let [one, two, three] = [5, 9, 13].map(image);
    let mut shelf = Shelf::new(None);
    assert_eq!((shelf.newest(), shelf.covered()), (None, Slot::FIRST));
    for image in [&one, &two, &three] {
        shelf.put(image.clone());
        assert_eq!((shelf.newest(), shelf.covered()), (Some(image), image.checkpoint.below));
    }
    assert!(!shelf.has(one.id()) && shelf.has(two.id()) && shelf.has(three.id()));
    assert_eq!(Shelf::new(Some(one.clone())).newest(), Some(&one));
}

/// Also the newest: it stands in for nothing any more.
#[test]
fn an_image_that_is_gone_is_forgotten() {
    let [one, two] = [5, 9].map(image);
    let mut shelf = Shelf::new(Some(one.clone()));
    shelf.put(two.clone());
    shelf.forget(two.id());
    assert!(shelf.has(one.id()) && !shelf.has(two.id()));
    assert_eq!(shelf.covered(), Slot(5));
    shelf.forget(one.id());
    assert_eq!((shelf.newest(), shelf.covered()), (None, Slot::FIRST));
}
