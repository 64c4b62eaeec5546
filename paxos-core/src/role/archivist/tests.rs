//! When a checkpoint is due, and what of the log is kept below it.

use alloc::vec::Vec;

use super::*;
use crate::effect::Effect;
use crate::role::testing::{Bench, run};
use crate::types::Checksum;

const GROUP: GroupId = GroupId(0);

fn archivist() -> Archivist {
    Archivist::new(GROUP, Slot::FIRST, 0, &Limits::default())
}

fn checkpoint(below: u64, bench: &Bench) -> Checkpoint {
    let schedule = bench.regime.schedule().clone();
    Checkpoint { below: Slot(below), sum: Checksum::FIRST, schedule }
}

fn image(below: u64, bench: &Bench) -> Image {
    Image { checkpoint: checkpoint(below, bench), bytes: 5, digest: 0 }
}

/// A log in which everything below `end` is chosen.
fn chosen(end: u64) -> Log {
    let mut log = Log::default();
    (1..end).for_each(|slot| log.learn(&run(slot, &["v"])));
    log
}

fn ignored(why: Ignored) -> Effect {
    Effect::Note(Notice::Ignored(why))
}

/// Wherever runs are cut, as by deliveries of another size on another replica.
#[test]
fn a_checkpoint_is_due_at_the_same_slots_however_they_come() {
    let weight = run(1, &["v"]).weight() as u64;
    let bound = |slots, bytes| Limits {
        checkpoint_slots: slots,
        checkpoint_bytes: bytes,
        ..Limits::default()
    };
    for limits in [bound(4, u64::MAX), bound(u64::MAX, 4 * weight), bound(u64::MAX, 4 * weight - 1)]
    {
        for length in 1..=13 {
            let (mut archivist, mut due, mut next) = (archivist(), Vec::new(), 1);
            while next < 14 {
                let all = run(next, &["v"; 13][..length.min(14 - next as usize)]);
                // What comes after a checkpoint that is due is counted once it has come again.
                match archivist.count(&all, &limits) {
                    Some((below, is_due)) => {
                        assert!(is_due);
                        due.push(below.0);
                        next = below.0;
                    }
                    None => next = all.end().0,
                }
            }
            assert_eq!(due, [5, 9, 13], "{limits:?} in runs of {length}");
        }
    }
}

/// Where the state is large, what is written into images must not outweigh the log.
#[test]
fn checkpoints_lie_as_far_apart_as_the_last_image_is_large() {
    let bound = |most, slots, bytes| Limits {
        checkpoint_slots: 4,
        checkpoint_bytes: 100,
        checkpoint_stretch_max: most,
        log_slots_max: slots,
        log_bytes_max: bytes,
        ..Limits::default()
    };
    let wide = bound(u64::MAX, 1 << 26, 4 << 30);
    for (image, limits, times) in [
        (0, &wide, 1),
        (100, &wide, 1),
        (101, &wide, 2),
        (200, &wide, 2),
        (201, &wide, 4),
        (1000, &wide, 16),
        (u64::MAX, &wide, (1 << 26) / 4 / 4),
        (1000, &bound(1, 1 << 26, 4 << 30), 1),
        (1000, &bound(7, 1 << 26, 4 << 30), 4),
        (1000, &bound(8, 1 << 26, 4 << 30), 8),
        (1000, &bound(99, 16 * 3 + 15, 4 << 30), 2),
        (1000, &bound(99, 16 * 4, 4 << 30), 4),
        (1000, &bound(99, 1 << 26, 400 * 9 - 1), 8),
        (1000, &bound(99, 1 << 26, 400 * 8 - 1), 4),
        (1000, &bound(99, 1 << 26, 1), 1),
    ] {
        assert_eq!(stretch(image, limits), times, "{image} {limits:?}");
    }
    // Where slots do not say when a checkpoint is due, their room does not say how far apart.
    let by_bytes = Limits { checkpoint_slots: u64::MAX, ..wide.clone() };
    assert_eq!(stretch(1000, &by_bytes), 16);
    let never = Limits { checkpoint_bytes: u64::MAX, ..by_bytes };
    assert_eq!(stretch(u64::MAX, &never), 1);
}

impl Archivist {
    /// Counts slots of equal weight up to below `end`, and says where a checkpoint was due.
    fn due(&mut self, mut next: u64, end: u64, limits: &Limits) -> Vec<u64> {
        let mut due = Vec::new();
        while next < end {
            let all = run(next, &["v"; 64][..(end - next) as usize]);
            let (below, is_due) = self.count(&all, limits).unwrap_or((Slot(end), false));
            due.extend(is_due.then_some(below.0));
            next = below.0;
        }
        due
    }
}

/// The same on who made the image, who took it from a peer, and who starts again from it.
#[test]
fn the_last_image_says_when_the_next_is_due_however_it_came_here() {
    let mut bench = Bench::new();
    let weight = run(1, &["v"]).weight() as u64;
    for (slots, bytes) in [(u64::MAX, 2 * weight), (2, 1 << 20)] {
        let limits =
            Limits { checkpoint_slots: slots, checkpoint_bytes: bytes, ..Limits::default() };
        bench.setting.limits = limits.clone();
        let large = Image { bytes: bytes * 2 + 1, ..image(9, &bench) };
        let (mut shelf, mut log) = (Shelf::new(None), chosen(20));
        let mut maker = archivist();
        assert_eq!(maker.due(1, 10, &limits), [3, 5, 7, 9]);
        maker.capture(checkpoint(9, &bench), &mut bench.cx());
        maker.on_captured(large.clone(), &mut shelf, &mut log, &mut bench.cx());
        let mut taker = archivist();
        taker.on_installed(&large, &mut log, &mut bench.cx());
        let starter = Archivist::new(GROUP, Slot(9), large.bytes, &limits);
        // Its first slot was counted before the image was durable.
        assert_eq!((maker.stretch(), maker.due(10, 42, &limits)), (4, [17, 25, 33, 41].to_vec()));
        for mut archivist in [taker, starter] {
            assert_eq!(archivist.stretch(), 4);
            assert_eq!(archivist.due(9, 42, &limits), [17, 25, 33, 41]);
        }
    }
}

/// One image that came late, failed or was passed over does not move all that follow.
#[test]
fn replicas_capture_at_the_same_slots_again_once_their_images_are_of_a_size() {
    let mut bench = Bench::new();
    let limits =
        Limits { checkpoint_slots: 2, checkpoint_bytes: 100, ..bench.setting.limits.clone() };
    bench.setting.limits = limits.clone();
    for late in 9..17 {
        let (mut shelf, mut log) = (Shelf::new(None), chosen(42));
        let large = Image { bytes: 300, ..image(9, &bench) };
        let mut archivist = archivist();
        archivist.due(1, 9, &limits);
        archivist.capture(checkpoint(9, &bench), &mut bench.cx());
        // Those that come meanwhile are passed over, whatever is said of them.
        archivist.due(9, late, &limits);
        archivist.on_captured(large, &mut shelf, &mut log, &mut bench.cx());
        assert_eq!(archivist.due(late, 42, &limits), [17, 25, 33, 41], "{late}");
    }
}

#[test]
fn one_checkpoint_is_taken_at_a_time() {
    let mut bench = Bench::new();
    let mut archivist = archivist();
    let [first, second] = [5, 9].map(|below| checkpoint(below, &bench));
    archivist.on_requested(None, &mut bench.cx());
    assert_eq!(bench.ordered(), [ignored(Ignored::NoCheckpoint(GROUP))]);
    assert!(!archivist.is_capturing());
    archivist.on_requested(Some(first.clone()), &mut bench.cx());
    assert_eq!(bench.ordered(), [Effect::Capture { group: GROUP, checkpoint: first }]);
    assert!(archivist.is_capturing());
    archivist.capture(second.clone(), &mut bench.cx());
    assert_eq!(bench.ordered(), [], "it is passed over");
    archivist.on_requested(Some(second.clone()), &mut bench.cx());
    assert_eq!(bench.ordered(), [ignored(Ignored::NoCheckpoint(GROUP))]);
    archivist.on_capture_failed(Slot(9), &mut bench.cx());
    assert_eq!(bench.ordered(), [ignored(Ignored::NotOrdered(GROUP))]);
    archivist.on_capture_failed(Slot(5), &mut bench.cx());
    let failed = Notice::CaptureFailed { group: GROUP, below: Slot(5) };
    assert_eq!(bench.ordered(), [Effect::Note(failed)]);
    archivist.on_capture_failed(Slot(5), &mut bench.cx());
    assert_eq!(bench.ordered(), [ignored(Ignored::NotOrdered(GROUP))], "nothing is under way");
    archivist.capture(second.clone(), &mut bench.cx());
    assert_eq!(bench.ordered(), [Effect::Capture { group: GROUP, checkpoint: second }]);
}

#[test]
fn a_log_is_trimmed_below_an_image_to_what_is_kept_for_others() {
    for (keep, floor) in [(0, 8), (3, 5), (7, 1), (20, 1)] {
        let mut bench = Bench::new();
        bench.setting.limits.keep_slots = keep;
        let (mut archivist, mut shelf, mut log) = (archivist(), Shelf::new(None), chosen(10));
        archivist.capture(checkpoint(8, &bench), &mut bench.cx());
        bench.ordered();
        let image = image(8, &bench);
        archivist.on_captured(image.clone(), &mut shelf, &mut log, &mut bench.cx());
        let mut told = [Effect::Note(Notice::Captured { group: GROUP, below: Slot(8) })].to_vec();
        let mut written = Vec::new();
        if floor > 1 {
            let below = Slot(floor);
            told.push(Effect::Note(Notice::Trimmed { group: GROUP, below }));
            written.push(Entry::Trimmed { below });
        }
        assert_eq!((log.floor(), bench.written()), (Slot(floor), written), "{keep}");
        assert_eq!((bench.ordered(), archivist.is_capturing()), (told, false), "{keep}");
        assert_eq!(shelf.newest(), Some(&image));
        archivist.on_captured(image, &mut shelf, &mut log, &mut bench.cx());
        assert_eq!(bench.ordered(), [ignored(Ignored::NotOrdered(GROUP))]);
    }
}

/// The disk hears of each floor once, and of none that it knows.
#[test]
fn a_floor_is_written_down_once() {
    let mut bench = Bench::new();
    let (mut archivist, mut log) = (archivist(), chosen(9));
    archivist.recorded = Slot(3);
    log.trim(Slot(3));
    archivist.tell_disk(&log, &mut bench.cx());
    assert_eq!(bench.written(), []);
    log.trim(Slot(5));
    archivist.tell_disk(&log, &mut bench.cx());
    archivist.tell_disk(&log, &mut bench.cx());
    assert_eq!(bench.written(), [Entry::Trimmed { below: Slot(5) }]);
    let schedule = bench.regime.schedule().clone();
    archivist.on_relieved((Slot(7), schedule.clone()), &mut log, &mut bench.cx());
    archivist.tell_disk(&log, &mut bench.cx());
    assert_eq!(bench.written(), [Entry::Relieved { below: Slot(7), schedule }]);
    assert_eq!(log.floor(), Slot(7));
}

#[test]
fn after_an_image_was_installed_counting_starts_there() {
    let mut bench = Bench::new();
    let limits = Limits { checkpoint_slots: 4, ..Limits::default() };
    let (mut archivist, mut log) = (archivist(), chosen(9));
    assert_eq!(archivist.count(&run(1, &["v"; 3]), &limits), None);
    archivist.on_installed(&image(6, &bench), &mut log, &mut bench.cx());
    assert_eq!(
        (log.floor(), bench.written()),
        (Slot(6), [Entry::Trimmed { below: Slot(6) }].to_vec())
    );
    let installed = Notice::Installed { group: GROUP, below: Slot(6) };
    assert_eq!(bench.ordered(), [Effect::Note(installed)]);
    assert_eq!(archivist.count(&run(6, &["v"; 3]), &limits), None);
    assert_eq!(archivist.count(&run(9, &["v"; 3]), &limits), Some((Slot(10), true)));
}

#[test]
fn a_lost_image_is_told_of_once() {
    let mut bench = Bench::new();
    let (mut archivist, mut log) = (archivist(), chosen(9));
    log.trim(Slot(5));
    archivist.tell_loss(&log, Slot(5), &mut bench.cx());
    assert_eq!(bench.ordered(), [], "the state machine has all that the log lacks");
    let (applied, floor) = (Slot(4), Slot(5));
    archivist.tell_loss(&log, applied, &mut bench.cx());
    archivist.tell_loss(&log, applied, &mut bench.cx());
    let missing = Notice::CheckpointMissing { group: GROUP, applied, floor };
    assert_eq!(bench.ordered(), [Effect::Note(missing)]);
}

/// A log that is full must not be full for good.
#[test]
fn less_is_kept_below_a_checkpoint_where_there_is_little_room() {
    for (slots, bytes, keeps) in
        [(16, usize::MAX, 4), (19, usize::MAX, 4), (20, usize::MAX, 5), (400, 4, 0)]
    {
        let mut bench = Bench::new();
        let limits = &mut bench.setting.limits;
        (limits.log_slots_max, limits.log_bytes_max) = (slots, bytes);
        let (mut archivist, mut log, mut shelf) = (archivist(), chosen(13), Shelf::new(None));
        archivist.capture(checkpoint(13, &bench), &mut bench.cx());
        archivist.on_captured(image(13, &bench), &mut shelf, &mut log, &mut bench.cx());
        assert_eq!(log.chosen().since(log.floor()), keeps, "{slots} {bytes}");
    }
}

/// Nothing else may be due for long, or for ever.
#[test]
fn a_log_that_is_half_full_is_looked_at_after_a_while() {
    let mut bench = Bench::new();
    let mut archivist = archivist();
    archivist.capture(checkpoint(5, &bench), &mut bench.cx());
    archivist.see_to(&bench.cx());
    assert_eq!(archivist.wake_at(), None, "a checkpoint is being made");
    archivist.on_capture_failed(Slot(5), &mut bench.cx());
    let at = bench.now + bench.setting.timing.patience;
    for _ in 0..2 {
        archivist.see_to(&bench.cx());
        assert_eq!(archivist.wake_at(), Some(at));
        bench.sleep(bench.setting.timing.patience / 2);
    }
    assert!(!archivist.looks(Instant::default()) && archivist.looks(at));
    assert!(!archivist.looks(at) && archivist.wake_at().is_none());
}
