//! How much of an image a donor is asked for at once, and what is taken of it.

use super::*;

/// Who drops what is more than it can load is asked for less, and for what has come never again.
#[test]
fn of_a_silent_donor_less_is_asked_until_much_has_come() {
    let mut bench = bench();
    bench.setting.limits.transfer_bytes = 80;
    let resend = bench.setting.timing.resend;
    let (mut installer, image) = (idle(&bench), image(9, 1000));
    let offsets = |bench: &mut Bench| {
        let asked = asked(bench).into_iter();
        asked.map(|(donor, offset, _)| (donor.0, offset)).collect::<Vec<_>>()
    };
    offer(&mut installer, N2, &image, &mut bench);
    assert_eq!(offsets(&mut bench).len(), 8);
    give(&mut installer, N2, piece(&image, 20, 10), &mut bench);
    bench.sleep(resend);
    step(&mut installer, &mut bench);
    assert_eq!(offsets(&mut bench), [(2, 0), (2, 10), (2, 30)], "half: four, with the one here");
    give(&mut installer, N2, piece(&image, 60, 10), &mut bench);
    bench.sleep(resend);
    step(&mut installer, &mut bench);
    assert_eq!(offsets(&mut bench), [(2, 0), (2, 10)], "what came late is here, too");
    bench.sleep(resend);
    step(&mut installer, &mut bench);
    assert_eq!(offsets(&mut bench), [(3, 0)], "twice silent: another, and one at a time");

    let (mut below, mut under_way) = (10, Vec::new());
    for at in (0..400).step_by(10).filter(|at| ![20, 60].contains(at)) {
        give(&mut installer, N3, piece(&image, at, 10), &mut bench);
        let ordered = stored(&mut bench).last().expect("a piece").1;
        installer.on_stored(image.id(), ordered);
        step(&mut installer, &mut bench);
        below = offsets(&mut bench).last().map_or(below, |(_, last)| last + 10);
        under_way.push((below - ordered) / 10);
    }
    under_way.dedup();
    assert_eq!(under_way, [1, 2, 3, 4], "grows by one at a time");
}

/// A crash may have left any part of a piece. What is asked for from there on is taken, whatever
/// came of the pieces before.
#[test]
fn what_is_asked_for_is_taken_wherever_it_begins() {
    let mut bench = bench();
    bench.setting.limits.transfer_bytes = 15;
    let image = image(9, 40);
    let mut installer = Installer::new(GROUP, Some((image.id(), 3)), bench.now);
    offer(&mut installer, N2, &image, &mut bench);
    assert_eq!(asked(&mut bench), [(N2, 3, 10)]);
    // Asked for by an earlier life.
    give(&mut installer, N2, piece(&image, 0, 10), &mut bench);
    installer.on_stored(image.id(), 10);
    bench.sleep(bench.setting.timing.resend);
    step(&mut installer, &mut bench);
    let all = asked(&mut bench);
    assert_eq!(all.last(), Some(&(N2, 10, 10)), "{all:?}");
    give(&mut installer, N2, piece(&image, 10, 10), &mut bench);
    assert_eq!(stored(&mut bench).last(), Some(&(10, 20)));
}

/// Whoever is slow, and leaves nothing out, is asked for as much as ever.
#[test]
fn a_slow_donor_is_asked_for_as_much_as_ever() {
    let mut bench = bench();
    bench.setting.limits.transfer_bytes = 80;
    let resend = bench.setting.timing.resend;
    let (mut installer, image) = (idle(&bench), image(9, 1000));
    offer(&mut installer, N2, &image, &mut bench);
    for first in (0..400).step_by(80) {
        assert_eq!(asked(&mut bench).len(), 8, "{first}");
        bench.sleep(resend + resend / 2);
        step(&mut installer, &mut bench);
        assert_eq!(asked(&mut bench).len(), 8, "again");
        for at in (first..first + 80).step_by(10) {
            installer.on_piece(N2, piece(&image, at, 10), want(), &mut bench.cx());
            installer.on_stored(image.id(), at + 10);
        }
        step(&mut installer, &mut bench);
    }
}

/// Bounds that mean none.
#[test]
fn no_bound_is_too_large() {
    for piece_bytes in [1, 3, 1 << 18, usize::MAX] {
        let mut bench = bench();
        let limits = &mut bench.setting.limits;
        (limits.piece_bytes_max, limits.transfer_bytes) = (piece_bytes, usize::MAX);
        limits.catch_up_bytes_per_s = u64::MAX;
        let (mut installer, image) = (idle(&bench), image(9, 50));
        offer(&mut installer, N2, &image, &mut bench);
        assert!(!asked(&mut bench).is_empty(), "{piece_bytes}");
        bench.sleep(bench.setting.timing.resend);
        step(&mut installer, &mut bench);
        give(&mut installer, N2, piece(&image, 0, 1), &mut bench);
        assert!(!asked(&mut bench).is_empty(), "{piece_bytes}");
    }
}

/// Who is asked for more only when our own disk has room has all its time from then on.
#[test]
fn a_donor_is_not_silent_while_our_own_disk_is_slow() {
    let mut bench = bench();
    bench.setting.limits.transfer_bytes = 10;
    let (mut installer, image) = (idle(&bench), image(9, 40));
    offer(&mut installer, N2, &image, &mut bench);
    assert_eq!(asked(&mut bench), [(N2, 0, 10)]);
    give(&mut installer, N2, piece(&image, 0, 10), &mut bench);
    let resend = bench.setting.timing.resend;
    bench.sleep(resend - MICRO);
    installer.on_stored(image.id(), 10);
    step(&mut installer, &mut bench);
    assert_eq!(asked(&mut bench), [(N2, 10, 10)]);
    assert_eq!(installer.wake_at(), Some(bench.now + resend));
    bench.sleep(resend - MICRO);
    step(&mut installer, &mut bench);
    assert_eq!(asked(&mut bench), []);
}
