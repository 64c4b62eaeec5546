//! What a donor reads, for whom, and what it says when it has nothing.

use core::time::Duration;

use super::*;
use crate::effect::Effect;
use crate::message::Message;
use crate::role::testing::{Bench, N2, N3};
use crate::types::{Checkpoint, Checksum};

const GROUP: GroupId = GroupId(0);
const CHOSEN: Slot = Slot(20);

fn image(below: u64, bench: &Bench) -> Image {
    let schedule = bench.regime.schedule().clone();
    let checkpoint = Checkpoint { below: Slot(below), sum: Checksum::FIRST, schedule };
    Image { checkpoint, bytes: 100, digest: 3 }
}

fn pull(image: &Image, offset: u64, bytes: u32) -> Pull {
    Pull { image: image.id(), offset, bytes }
}

fn piece(image: &Image, offset: u64, bytes: usize) -> Piece {
    Piece { image: image.id(), offset, payload: alloc::vec![7; bytes].into() }
}

fn load(to: NodeId, image: &Image, offset: u64, bytes: usize) -> Effect {
    Effect::Load { group: GROUP, to, image: image.id(), offset, bytes }
}

fn offered(image: &Image) -> Message {
    Message::Offer(Offer { image: image.clone(), chosen: CHOSEN })
}

#[test]
fn as_many_bytes_are_read_as_are_wanted_and_there_and_fit_a_piece() {
    for (offset, wanted, read) in [(0, 30, 30), (0, 41, 40), (70, 40, 30), (99, 40, 1)] {
        let mut bench = Bench::new();
        bench.setting.limits.piece_bytes_max = 40;
        let image = image(9, &bench);
        let shelf = Shelf::new(Some(image.clone()));
        let mut donor = Donor::new(GROUP);
        donor.on_pull(N2, &pull(&image, offset, wanted), &shelf, CHOSEN, &mut bench.cx());
        assert_eq!(bench.ordered(), [load(N2, &image, offset, read)]);
    }
}

#[test]
fn a_donor_reads_each_piece_once_and_not_more_than_its_bound_at_a_time() {
    let mut bench = Bench::new();
    bench.setting.limits.loads_max = 3;
    let image = image(9, &bench);
    let shelf = Shelf::new(Some(image.clone()));
    let mut donor = Donor::new(GROUP);
    for (from, offset) in [(N2, 0), (N2, 0), (N2, 10), (N3, 0), (N3, 10), (N3, 0)] {
        donor.on_pull(from, &pull(&image, offset, 10), &shelf, CHOSEN, &mut bench.cx());
    }
    let overload = Notice::Ignored(Ignored::Overload(GROUP, N3));
    let loads = [load(N2, &image, 0, 10), load(N2, &image, 10, 10), load(N3, &image, 0, 10)];
    assert_eq!(bench.ordered(), [&loads[..], &[Effect::Note(overload)]].concat());
    assert_eq!(donor.len(), 3);
}

#[test]
fn who_wants_another_image_is_offered_the_newest_or_told_that_there_is_none() {
    let mut bench = Bench::new();
    let (here, gone) = (image(9, &bench), image(5, &bench));
    let mut donor = Donor::new(GROUP);
    for (shelf, said) in [
        (Shelf::new(Some(here.clone())), offered(&here)),
        (Shelf::new(None), Message::Piece(piece(&gone, 10, 0))),
    ] {
        donor.on_pull(N2, &pull(&gone, 10, 10), &shelf, CHOSEN, &mut bench.cx());
        assert_eq!(bench.said(), [(NodeSet::of(N2), said)]);
        assert_eq!((donor.len(), donor.is_giving(&bench.cx())), (0, false));
    }
}

#[test]
fn what_was_read_goes_to_whom_it_was_read_for() {
    let mut bench = Bench::new();
    let (image, other) = (image(9, &bench), image(5, &bench));
    let shelf = Shelf::new(Some(image.clone()));
    let mut donor = Donor::new(GROUP);
    donor.on_pull(N2, &pull(&image, 10, 10), &shelf, CHOSEN, &mut bench.cx());
    bench.ordered();
    let ignored = Effect::Note(Notice::Ignored(Ignored::NotOrdered(GROUP)));
    for (to, wrong) in [
        (N3, piece(&image, 10, 10)),
        (N2, piece(&image, 11, 9)),
        (N2, piece(&other, 10, 10)),
        (N2, piece(&image, 10, 11)),
    ] {
        assert_eq!(donor.on_loaded(to, wrong, &shelf, CHOSEN, &mut bench.cx()), None);
        assert_eq!((bench.ordered(), bench.said()), ([ignored.clone()].to_vec(), [].to_vec()));
    }
    let right = piece(&image, 10, 10);
    assert_eq!(donor.on_loaded(N2, right.clone(), &shelf, CHOSEN, &mut bench.cx()), None);
    assert_eq!(bench.said(), [(NodeSet::of(N2), Message::Piece(right.clone()))]);
    assert_eq!(donor.on_loaded(N2, right, &shelf, CHOSEN, &mut bench.cx()), None);
    assert_eq!((bench.ordered(), donor.len()), ([ignored].to_vec(), 0), "it was answered");
}

/// Who pulls an image that is gone is offered another, if there is one.
#[test]
fn an_image_that_cannot_be_read_is_gone() {
    let mut bench = Bench::new();
    let (old, new) = (image(5, &bench), image(9, &bench));
    let mut both = Shelf::new(Some(old.clone()));
    both.put(new.clone());
    let nothing = piece(&old, 0, 0);
    for (shelf, said) in
        [(both, offered(&new)), (Shelf::new(Some(old.clone())), Message::Piece(nothing.clone()))]
    {
        let mut donor = Donor::new(GROUP);
        donor.on_pull(N2, &pull(&old, 0, 10), &shelf, CHOSEN, &mut bench.cx());
        let gone = donor.on_loaded(N2, nothing.clone(), &shelf, CHOSEN, &mut bench.cx());
        assert_eq!((gone, bench.said()), (Some(old.id()), [(NodeSet::of(N2), said)].to_vec()));
    }
}

#[test]
fn a_donor_gives_for_a_patience_after_it_was_asked() {
    let mut bench = Bench::new();
    let image = image(9, &bench);
    let shelf = Shelf::new(Some(image.clone()));
    let mut donor = Donor::new(GROUP);
    assert!(!donor.is_giving(&bench.cx()));
    donor.on_pull(N2, &pull(&image, 0, 10), &shelf, CHOSEN, &mut bench.cx());
    let (patience, micro) = (bench.setting.timing.patience, Duration::from_micros(1));
    bench.sleep(patience - micro);
    assert!(donor.is_giving(&bench.cx()));
    bench.sleep(micro);
    assert!(!donor.is_giving(&bench.cx()));
}
