//! How fast pieces are asked for.

use super::*;

/// A burst, and then a piece as soon as the last one is paid for: here one a second.
#[test]
fn an_image_is_asked_for_no_faster_than_the_pace() {
    let mut bench = paced();
    let (mut installer, image) = (idle(&bench), image(9, 10 * MIB));
    follow(&mut installer, &image, &mut bench);
    assert_eq!(asked(&mut bench), [(N2, 0, MIB as u32), (N2, MIB, MIB as u32)]);
    for offset in [0, MIB] {
        installer.on_piece(N2, mebibyte(&image, offset), want(), &mut bench.cx());
        installer.on_stored(image.id(), offset + MIB);
    }
    let (second, resend) = (Duration::from_secs(1), bench.setting.timing.resend);
    for offset in [2 * MIB, 3 * MIB] {
        follow(&mut installer, &image, &mut bench);
        assert_eq!(installer.wake_at(), Some(bench.now + second));
        bench.sleep(second - MICRO);
        follow(&mut installer, &image, &mut bench);
        assert_eq!(asked(&mut bench), []);
        bench.sleep(MICRO);
        follow(&mut installer, &image, &mut bench);
        assert_eq!(asked(&mut bench), [(N2, offset, MIB as u32)]);
        assert_eq!(installer.wake_at(), Some(bench.now + resend), "the donor has all that time");
        installer.on_piece(N2, mebibyte(&image, offset), want(), &mut bench.cx());
        installer.on_stored(image.id(), offset + MIB);
    }
    assert_eq!(installer.progress(), 8 * MIB);
    assert_eq!(stored(&mut bench).len(), 4);
}

/// Of a slow donor, too, whatever it gives is taken.
#[test]
fn what_is_asked_for_again_costs_nothing_and_may_come_late() {
    let mut bench = paced();
    let (mut installer, image) = (idle(&bench), image(9, 10 * MIB));
    let both = |donor| [(donor, 0, MIB as u32), (donor, MIB, MIB as u32)];
    follow(&mut installer, &image, &mut bench);
    assert_eq!(asked(&mut bench), both(N2));
    bench.sleep(bench.setting.timing.resend);
    follow(&mut installer, &image, &mut bench);
    assert_eq!(asked(&mut bench), both(N2), "lost, perhaps");
    installer.on_piece(N2, piece(&image, 0, 0), want(), &mut bench.cx());
    follow(&mut installer, &image, &mut bench);
    assert_eq!(asked(&mut bench), both(N3), "of another donor, and no more than that");
    stored(&mut bench);
    installer.on_piece(N2, mebibyte(&image, 0), want(), &mut bench.cx());
    assert_eq!(stored(&mut bench).len(), 1);
}

/// Nobody can write before it has what it lacks.
#[test]
fn who_is_waited_for_asks_as_fast_as_it_stores() {
    let urgent = Want { up_to: Slot::MAX, is_urgent: true, ..want() };
    for waited_for in [want(), urgent] {
        let mut bench = paced();
        let (mut installer, image) = (idle(&bench), image(9, 10 * MIB));
        follow(&mut installer, &image, &mut bench);
        asked(&mut bench);
        for offset in [0, MIB, 2 * MIB, 3 * MIB] {
            installer.on_piece(N2, mebibyte(&image, offset), want(), &mut bench.cx());
            installer.on_stored(image.id(), offset + MIB);
            installer.on_step(waited_for, false, &mut bench.cx());
            assert!(!asked(&mut bench).is_empty(), "{offset}");
        }
    }
}

/// Pieces of a mebibyte, room for three, and one a second.
fn paced() -> Bench {
    let mut bench = bench();
    let limits = &mut bench.setting.limits;
    (limits.piece_bytes_max, limits.transfer_bytes) = (MIB as usize, 3 * MIB as usize);
    limits.catch_up_bytes_per_s = MIB;
    bench
}

/// Lets one that does not lead go on with this image, which n2 offers.
fn follow(installer: &mut Installer, image: &Image, bench: &mut Bench) {
    let want = Want { up_to: Slot::MAX, ..want() };
    if !installer.is_busy() {
        let m = Offer { image: image.clone(), chosen: Slot(20) };
        installer.on_offer(N2, &m, want, &mut bench.cx());
    }
    installer.on_step(want, false, &mut bench.cx());
}

fn mebibyte(image: &Image, offset: u64) -> Piece {
    piece(image, offset, MIB as usize)
}

const MIB: u64 = 1 << 20;
