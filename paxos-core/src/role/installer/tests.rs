//! Which images an installer takes, from whom, and how it gets them.

mod pace;
mod reach;

use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::effect::Effect;
use crate::message::{Message, Pull};
use crate::quorum::Membership;
use crate::role::testing::{Bench, ME, N2, N3};
use crate::types::{Checkpoint, Checksum};

const GROUP: GroupId = GroupId(0);
const MICRO: Duration = Duration::from_micros(1);
const N4: NodeId = NodeId(4);

/// n1 of four, with pieces of ten bytes and room for three of them.
fn bench() -> Bench {
    let mut bench = Bench::of(Membership::majority([ME, N2, N3, N4]));
    let limits = &mut bench.setting.limits;
    (limits.piece_bytes_max, limits.transfer_bytes) = (10, 30);
    bench
}

/// An image of everything below that slot.
fn image(below: u64, bytes: u64) -> Image {
    let schedule = Bench::new().regime.schedule().clone();
    let checkpoint = Checkpoint { below: Slot(below), sum: Checksum::FIRST, schedule };
    Image { checkpoint, bytes, digest: 3 }
}

fn want() -> Want {
    Want { above: Slot(4), up_to: Slot(20), leader: None, is_urgent: false }
}

fn idle(bench: &Bench) -> Installer {
    Installer::new(GROUP, None, bench.now)
}

fn offer(installer: &mut Installer, from: NodeId, image: &Image, bench: &mut Bench) {
    let m = Offer { image: image.clone(), chosen: Slot(20) };
    installer.on_offer(from, &m, want(), &mut bench.cx());
    step(installer, bench);
}

fn step(installer: &mut Installer, bench: &mut Bench) {
    if installer.is_busy() {
        installer.on_step(want(), false, &mut bench.cx());
    }
}

/// Bytes from `offset` on.
fn piece(image: &Image, offset: u64, bytes: usize) -> Piece {
    Piece { image: image.id(), offset, payload: alloc::vec![7; bytes].into() }
}

fn give(installer: &mut Installer, from: NodeId, piece: Piece, bench: &mut Bench) {
    installer.on_piece(from, piece, want(), &mut bench.cx());
    step(installer, bench);
}

/// What is asked for: of whom, from where, and how many bytes.
fn asked(bench: &mut Bench) -> Vec<(NodeId, u64, u32)> {
    let said = bench.said().into_iter().map(|(to, m)| match m {
        Message::Pull(Pull { offset, bytes, .. }) => {
            (to.iter().next().expect("somebody"), offset, bytes)
        }
        other => panic!("{other:?}"),
    });
    said.collect()
}

/// What is ordered to be stored: from where to where.
fn stored(bench: &mut Bench) -> Vec<(u64, u64)> {
    let ordered = bench.ordered().into_iter().filter_map(|effect| match effect {
        Effect::Store { group: GROUP, piece } => Some((piece.offset, piece.end())),
        _ => None,
    });
    ordered.collect()
}

/// The notices and what is to be installed.
fn told(bench: &mut Bench) -> Vec<Effect> {
    let ordered = bench.ordered().into_iter();
    ordered.filter(|effect| !matches!(effect, Effect::Store { .. })).collect()
}

fn pulling(image: &Image, offset: u64, donor: NodeId) -> Effect {
    Effect::Note(Notice::Pulling { group: GROUP, image: image.id(), offset, donor })
}

fn failed(image: &Image, why: PullError) -> Effect {
    Effect::Note(Notice::PullFailed { group: GROUP, image: image.id(), why })
}

fn install(image: &Image) -> Effect {
    Effect::Install { group: GROUP, image: image.clone() }
}

/// Pulls and stores all of an image of ten bytes a piece.
fn pull_all(installer: &mut Installer, from: NodeId, image: &Image, bench: &mut Bench) {
    for offset in (0..image.bytes).step_by(10) {
        give(installer, from, piece(image, offset, 10), bench);
        installer.on_stored(image.id(), offset + 10);
    }
    step(installer, bench);
    bench.said();
}

#[test]
fn an_image_is_taken_if_it_is_of_more_than_is_here_and_not_of_what_is_counted_here() {
    for (below, useful) in [(4, false), (5, true), (20, true), (21, false)] {
        let mut bench = bench();
        let (mut installer, image) = (idle(&bench), image(below, 10));
        offer(&mut installer, N2, &image, &mut bench);
        assert_eq!(installer.is_busy(), useful, "{below}");
        assert_eq!(asked(&mut bench).is_empty(), !useful);
        assert_eq!(told(&mut bench).is_empty(), !useful);
        assert_eq!(installer.wake_at().is_some(), useful);
    }
}

/// As many bytes as the window has room for, by what is stored.
#[test]
fn an_image_is_asked_for_in_pieces_stored_in_order_and_installed() {
    let mut bench = bench();
    let (mut installer, image) = (idle(&bench), image(9, 45));
    offer(&mut installer, N2, &image, &mut bench);
    assert_eq!(told(&mut bench), [pulling(&image, 0, N2)]);
    assert_eq!(asked(&mut bench), [(N2, 0, 10), (N2, 10, 10), (N2, 20, 10)]);
    give(&mut installer, N2, piece(&image, 10, 10), &mut bench);
    give(&mut installer, N2, piece(&image, 20, 10), &mut bench);
    assert_eq!((stored(&mut bench), installer.progress()), ([].to_vec(), 0), "out of turn");
    give(&mut installer, N2, piece(&image, 0, 10), &mut bench);
    assert_eq!(stored(&mut bench), [(0, 10), (10, 20), (20, 30)]);
    assert_eq!(asked(&mut bench), [], "nothing is stored yet");
    installer.on_stored(image.id(), 9);
    step(&mut installer, &mut bench);
    assert_eq!((asked(&mut bench), installer.progress()), ([].to_vec(), 39), "no room for ten");
    installer.on_stored(image.id(), 10);
    step(&mut installer, &mut bench);
    assert_eq!(asked(&mut bench), [(N2, 30, 10)]);
    installer.on_stored(image.id(), 5);
    installer.on_stored(image.id(), 31);
    installer.on_stored(self::image(9, 46).id(), 30);
    step(&mut installer, &mut bench);
    assert_eq!((asked(&mut bench), installer.progress()), ([].to_vec(), 40), "all are absurd");
    installer.on_stored(image.id(), 30);
    step(&mut installer, &mut bench);
    assert_eq!(asked(&mut bench), [(N2, 40, 5)]);
    give(&mut installer, N2, piece(&image, 30, 10), &mut bench);
    give(&mut installer, N2, piece(&image, 40, 5), &mut bench);
    assert_eq!(stored(&mut bench), [(30, 40), (40, 45)]);
    assert!(installer.wake_at().is_some() && !installer.is_installing());
    installer.on_stored(image.id(), 45);
    assert_eq!(installer.wake_at(), None, "whole");
    installer.on_step(want(), true, &mut bench.cx());
    assert_eq!(told(&mut bench), [], "not while the state machine is frozen");
    step(&mut installer, &mut bench);
    assert_eq!((told(&mut bench), installer.is_installing()), ([install(&image)].to_vec(), true));
    assert!(installer.is_busy() && installer.progress() == u64::MAX);
    assert_eq!(installer.on_installed(image.id(), &mut bench.cx()), Some(image));
    assert!(!installer.is_busy() && told(&mut bench).is_empty());
}

/// Twice, in part, with other borders, and never asked for.
#[test]
fn each_byte_is_stored_once() {
    let mut bench = bench();
    let (mut installer, image) = (idle(&bench), image(9, 45));
    offer(&mut installer, N2, &image, &mut bench);
    for (offset, bytes, stores) in [
        (0, 10, [(0, 10)].as_slice()),
        (0, 10, &[]),
        (25, 6, &[]),
        (5, 10, &[(10, 15)]),
        (20, 10, &[]),
        (15, 5, &[(15, 20), (20, 30)]),
        (30, 10, &[]),
    ] {
        installer.on_piece(N2, piece(&image, offset, bytes), want(), &mut bench.cx());
        assert_eq!(stored(&mut bench), stores, "{bytes} from {offset} on");
    }
    let other = self::image(9, 46);
    installer.on_piece(N2, piece(&other, 30, 10), want(), &mut bench.cx());
    assert_eq!((stored(&mut bench), installer.progress()), ([].to_vec(), 30));
}

#[test]
fn no_more_pieces_are_kept_early_than_a_window_holds() {
    let mut bench = bench();
    bench.setting.limits.transfer_bytes = 40;
    let (mut installer, image) = (idle(&bench), image(9, 100));
    offer(&mut installer, N2, &image, &mut bench);
    for offset in 1..=9 {
        give(&mut installer, N2, piece(&image, offset, 1), &mut bench);
    }
    bench.ordered();
    give(&mut installer, N2, piece(&image, 0, 1), &mut bench);
    assert_eq!(stored(&mut bench).last(), Some(&(5, 6)), "five of nine");
}

/// Two silences, and the next donor is asked, from where it had come.
#[test]
fn a_donor_that_is_silent_is_asked_again_once_and_then_replaced() {
    let mut bench = bench();
    let resend = bench.setting.timing.resend;
    let (mut installer, image) = (idle(&bench), image(9, 20));
    offer(&mut installer, N3, &image, &mut bench);
    give(&mut installer, N3, piece(&image, 0, 10), &mut bench);
    assert_eq!(asked(&mut bench), [(N3, 0, 10), (N3, 10, 10)]);
    told(&mut bench);
    for (next, offset) in [(N3, None), (N4, Some(10)), (N4, None), (N2, Some(10)), (N2, None)] {
        assert_eq!(installer.wake_at(), Some(bench.now + resend));
        bench.sleep(resend - MICRO);
        step(&mut installer, &mut bench);
        assert_eq!(asked(&mut bench), []);
        bench.sleep(MICRO);
        step(&mut installer, &mut bench);
        assert_eq!(asked(&mut bench), [(next, 10, 10)]);
        let notes: Vec<_> =
            offset.map(|offset| pulling(&image, offset, next)).into_iter().collect();
        assert_eq!(told(&mut bench), notes);
    }
    bench.sleep(resend);
    step(&mut installer, &mut bench);
    assert_eq!(told(&mut bench), [failed(&image, PullError::NoDonor)]);
    assert!(!installer.is_busy() && installer.wake_at().is_none());
    // After a patience, another offer goes on where this one ended.
    bench.sleep(bench.setting.timing.patience - MICRO);
    offer(&mut installer, N3, &image, &mut bench);
    assert!(!installer.is_busy());
    bench.sleep(MICRO);
    offer(&mut installer, N3, &image, &mut bench);
    assert_eq!(told(&mut bench), [pulling(&image, 10, N3)]);
    assert_eq!(asked(&mut bench), [(N3, 10, 10)]);
}

/// What is waited for then is our own disk, and nobody's fault.
#[test]
fn a_donor_that_has_given_all_it_was_asked_for_is_not_silent() {
    let mut bench = bench();
    let (mut installer, image) = (idle(&bench), image(9, 45));
    offer(&mut installer, N2, &image, &mut bench);
    for offset in [0, 10, 20] {
        give(&mut installer, N2, piece(&image, offset, 10), &mut bench);
    }
    asked(&mut bench);
    told(&mut bench);
    for _ in 0..5 {
        bench.sleep(bench.setting.timing.resend);
        step(&mut installer, &mut bench);
        assert_eq!((asked(&mut bench), told(&mut bench)), ([].to_vec(), [].to_vec()));
        assert_eq!(installer.wake_at(), Some(bench.now + bench.setting.timing.resend));
    }
}

/// Each piece puts the donor's silence off.
#[test]
fn a_slow_donor_is_not_silent() {
    let mut bench = bench();
    bench.setting.limits.piece_bytes_max = 5;
    let resend = bench.setting.timing.resend;
    let (mut installer, image) = (idle(&bench), image(9, 45));
    offer(&mut installer, N2, &image, &mut bench);
    for offset in [0, 5, 15, 10, 20] {
        bench.sleep(resend + MICRO);
        step(&mut installer, &mut bench);
        give(&mut installer, N2, piece(&image, offset, 5), &mut bench);
        assert_eq!(installer.wake_at(), Some(bench.now + resend));
    }
    assert!(asked(&mut bench).iter().all(|(donor, ..)| *donor == N2));
}

/// Not the leader, nor who gave bytes that made up nothing, as long as there are others.
#[test]
fn who_is_asked_first() {
    let candidates = |leader, shunned: &[NodeId]| Candidates {
        others: [N2, N3, N4].into_iter().collect(),
        leader,
        shunned: shunned.iter().copied().collect(),
    };
    let free = candidates(None, &[]);
    for (last, next) in [(N2, N2), (N3, N3), (N4, N4), (NodeId(9), N2), (ME, N2)] {
        assert_eq!(free.best(last, NodeSet::EMPTY), Some(next));
    }
    assert_eq!(free.best(N3, NodeSet::of(N3)), Some(N4));
    assert_eq!(free.best(N4, NodeSet::of(N4)), Some(N2));
    let led = candidates(Some(N3), &[]);
    assert_eq!(led.best(N3, NodeSet::EMPTY), Some(N4));
    let shy = candidates(Some(N3), &[N2, N4]);
    assert_eq!(shy.best(N2, NodeSet::EMPTY), Some(N3), "even the leader comes before them");
    assert_eq!(shy.best(N2, NodeSet::of(N3)), Some(N2));
    assert_eq!(free.best(N2, free.others), None);
}

/// Whoever offers an image has one, a stranger too; of members one that does not lead.
#[test]
fn an_image_is_pulled_from_who_offers_it_unless_another_is_better() {
    let stranger = NodeId(9);
    for (from, leader, donor) in [
        (N3, None, N3),
        (N3, Some(N3), N4),
        (stranger, None, stranger),
        (stranger, Some(stranger), stranger),
    ] {
        let mut bench = bench();
        let (mut installer, image) = (idle(&bench), image(9, 10));
        let m = Offer { image: image.clone(), chosen: Slot(20) };
        installer.on_offer(from, &m, Want { leader, ..want() }, &mut bench.cx());
        assert_eq!(told(&mut bench), [pulling(&image, 0, donor)]);
    }
    // A witness has none, unless it says so.
    let witnessed = Membership::majority([ME, N2, N3, N4]).with_witnesses([N4]);
    for (offers, donor) in [(false, N2), (true, N4)] {
        let mut bench = Bench::of(witnessed.clone());
        let (mut installer, image) = (idle(&bench), image(9, 10));
        offer(&mut installer, N3, &image, &mut bench);
        if offers {
            offer(&mut installer, N4, &image, &mut bench);
        }
        told(&mut bench);
        give(&mut installer, N3, piece(&image, 0, 0), &mut bench);
        assert_eq!(told(&mut bench), [pulling(&image, 0, donor)]);
    }
}

#[test]
fn who_has_it_not_is_not_asked_again() {
    let mut bench = bench();
    let (mut installer, image) = (idle(&bench), image(9, 10));
    offer(&mut installer, N2, &image, &mut bench);
    give(&mut installer, N3, piece(&image, 0, 0), &mut bench);
    assert_eq!(told(&mut bench), [pulling(&image, 0, N2)], "n3 was not asked");
    for next in [N3, N4] {
        let last = if next == N3 { N2 } else { N3 };
        give(&mut installer, last, piece(&image, 0, 0), &mut bench);
        assert_eq!(told(&mut bench), [pulling(&image, 0, next)]);
    }
    give(&mut installer, N4, piece(&image, 0, 0), &mut bench);
    assert_eq!(told(&mut bench), [failed(&image, PullError::NoDonor)]);
}

/// A donor that offers another image has not got this one. Those who gave bytes of it are
/// come back to some times, by way of the others, before a new beginning.
#[test]
fn an_image_that_its_donors_have_replaced_is_given_up_for_the_new_one() {
    let mut bench = bench();
    let (mut installer, old, new, newest) =
        (idle(&bench), image(9, 45), image(15, 45), image(18, 45));
    offer(&mut installer, N2, &old, &mut bench);
    told(&mut bench);
    offer(&mut installer, N3, &new, &mut bench);
    assert_eq!(told(&mut bench), [], "n3 was not asked for anything");
    offer(&mut installer, N2, &new, &mut bench);
    assert_eq!(told(&mut bench), [pulling(&new, 0, N2)], "nothing of the old one is here");
    give(&mut installer, N2, piece(&new, 0, 10), &mut bench);
    bench.ordered();
    for (from, next) in [(N2, N3), (N3, N4), (N4, N2)] {
        offer(&mut installer, from, &newest, &mut bench);
        assert_eq!(told(&mut bench), [pulling(&new, 10, next)]);
    }
    let mut again = installer.clone();
    offer(&mut installer, N2, &newest, &mut bench);
    assert_eq!(told(&mut bench), [pulling(&newest, 0, N2)]);
    // With bytes of it, the donor has shown that it is worth coming back to.
    give(&mut again, N2, piece(&new, 10, 10), &mut bench);
    bench.ordered();
    offer(&mut again, N2, &newest, &mut bench);
    assert_eq!(told(&mut bench), [failed(&new, PullError::NoDonor)], "all others have it not");
}

/// What it offers it has, though it has come to lead meanwhile.
#[test]
fn a_new_image_is_pulled_from_the_donor_that_has_it_instead() {
    let mut bench = bench();
    let (mut installer, old, new) = (idle(&bench), image(9, 45), image(15, 45));
    offer(&mut installer, N3, &old, &mut bench);
    told(&mut bench);
    let m = Offer { image: new.clone(), chosen: Slot(20) };
    installer.on_offer(N3, &m, Want { leader: Some(N3), ..want() }, &mut bench.cx());
    assert_eq!(told(&mut bench), [pulling(&new, 0, N3)]);
}

/// One that is of no use says no more than that the donor has nothing else.
#[test]
fn a_donor_that_offers_what_is_of_no_use_is_replaced() {
    let mut bench = bench();
    let (mut installer, image) = (idle(&bench), image(9, 45));
    offer(&mut installer, N2, &image, &mut bench);
    told(&mut bench);
    for (from, next) in [(N2, N3), (N3, N4)] {
        offer(&mut installer, from, &self::image(4, 10), &mut bench);
        assert_eq!(told(&mut bench), [pulling(&image, 0, next)]);
    }
}

#[test]
fn an_image_that_cannot_be_stored_or_installed_is_tried_again_later() {
    let mut bench = bench();
    let (mut installer, image) = (idle(&bench), image(9, 20));
    offer(&mut installer, N2, &image, &mut bench);
    give(&mut installer, N2, piece(&image, 0, 10), &mut bench);
    told(&mut bench);
    installer.on_store_failed(self::image(9, 21).id(), &mut bench.cx());
    assert!(installer.is_busy(), "another one");
    installer.on_store_failed(image.id(), &mut bench.cx());
    assert_eq!(told(&mut bench), [failed(&image, PullError::Store)]);
    offer(&mut installer, N2, &image, &mut bench);
    assert!(!installer.is_busy());
    bench.sleep(bench.setting.timing.patience);
    offer(&mut installer, N2, &image, &mut bench);
    assert_eq!(told(&mut bench), [pulling(&image, 0, N2)], "nothing of it is on the disk");
    pull_all(&mut installer, N2, &image, &mut bench);
    assert_eq!(told(&mut bench), [install(&image)]);
    let ignored = Effect::Note(Notice::Ignored(Ignored::NotOrdered(GROUP)));
    let other = self::image(9, 21);
    installer.on_install_failed(other.id(), &mut bench.cx());
    assert_eq!(installer.on_installed(other.id(), &mut bench.cx()), None);
    assert_eq!(told(&mut bench), [ignored.clone(), ignored.clone()]);
    assert!(installer.is_installing());
    installer.on_install_failed(image.id(), &mut bench.cx());
    assert_eq!(told(&mut bench), [failed(&image, PullError::Install)]);
    installer.on_install_failed(image.id(), &mut bench.cx());
    assert_eq!(installer.on_installed(image.id(), &mut bench.cx()), None);
    assert_eq!(told(&mut bench), [ignored.clone(), ignored], "nothing is under way");
    // Whoever gave those bytes is asked last from now on, until one was installed.
    bench.sleep(bench.setting.timing.patience);
    offer(&mut installer, N2, &image, &mut bench);
    assert_eq!(told(&mut bench), [pulling(&image, 0, N3)]);
    pull_all(&mut installer, N3, &image, &mut bench);
    told(&mut bench);
    assert!(installer.on_installed(image.id(), &mut bench.cx()).is_some());
    offer(&mut installer, N2, &self::image(15, 20), &mut bench);
    assert_eq!(told(&mut bench), [pulling(&self::image(15, 20), 0, N2)]);
}

/// Part of an image that is found at the start, or whose gap has closed meanwhile.
#[test]
fn what_is_on_the_disk_is_not_asked_for_again() {
    let image = image(9, 45);
    for (found, begin) in [(20, 20), (45, 45), (46, 0)] {
        let mut bench = bench();
        let mut installer = Installer::new(GROUP, Some((image.id(), found)), bench.now);
        offer(&mut installer, N2, &image, &mut bench);
        assert_eq!(told(&mut bench).first(), Some(&pulling(&image, begin, N2)));
        assert_eq!(installer.is_installing(), begin == 45);
    }
    let mut bench = bench();
    let mut installer = idle(&bench);
    offer(&mut installer, N2, &image, &mut bench);
    for offset in [0, 10] {
        give(&mut installer, N2, piece(&image, offset, 10), &mut bench);
    }
    installer.on_step(Want { above: Slot(9), ..want() }, false, &mut bench.cx());
    assert!(!installer.is_busy(), "it is of no use any more");
    asked(&mut bench);
    told(&mut bench);
    installer.on_stored(image.id(), 21);
    installer.on_stored(self::image(9, 46).id(), 5);
    installer.on_stored(image.id(), 20);
    installer.on_stored(image.id(), 10);
    offer(&mut installer, N2, &image, &mut bench);
    assert_eq!(told(&mut bench), [pulling(&image, 20, N2)]);
    assert_eq!(asked(&mut bench), [(N2, 20, 10), (N2, 30, 10), (N2, 40, 5)], "all is stored");
    // The first bytes of another one end it.
    let other = self::image(9, 46);
    installer.on_step(Want { above: Slot(9), ..want() }, false, &mut bench.cx());
    offer(&mut installer, N2, &other, &mut bench);
    installer.on_step(Want { above: Slot(9), ..want() }, false, &mut bench.cx());
    told(&mut bench);
    offer(&mut installer, N2, &image, &mut bench);
    assert_eq!(told(&mut bench), [pulling(&image, 20, N2)], "not before they are ordered");
    installer.on_step(Want { above: Slot(9), ..want() }, false, &mut bench.cx());
    offer(&mut installer, N2, &other, &mut bench);
    give(&mut installer, N2, piece(&other, 0, 10), &mut bench);
    installer.on_step(Want { above: Slot(9), ..want() }, false, &mut bench.cx());
    told(&mut bench);
    offer(&mut installer, N2, &image, &mut bench);
    assert_eq!(told(&mut bench), [pulling(&image, 0, N2)]);
}

/// Also when nothing of it is stored yet in this attempt.
#[test]
fn an_image_that_is_put_aside_and_fails_to_be_stored_is_gone() {
    let mut bench = bench();
    let image = image(9, 45);
    let mut installer = Installer::new(GROUP, Some((image.id(), 20)), bench.now);
    installer.on_store_failed(self::image(9, 46).id(), &mut bench.cx());
    offer(&mut installer.clone(), N2, &image, &mut bench);
    assert_eq!(told(&mut bench), [pulling(&image, 20, N2)], "another one has failed");
    installer.on_store_failed(image.id(), &mut bench.cx());
    offer(&mut installer, N2, &image, &mut bench);
    assert_eq!(told(&mut bench), [pulling(&image, 0, N2)]);
}
