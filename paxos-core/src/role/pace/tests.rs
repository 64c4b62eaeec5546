//! How much a pace lets through, and when.

use super::*;
use crate::role::testing::Bench;

const MICRO: Duration = Duration::from_micros(1);
const NEVER: Duration = Duration::MAX;

/// A mebibyte takes a second.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.setting.limits.catch_up_bytes_per_s = BURST_BYTES;
    bench
}

/// Takes what it can of pieces of a quarter of a burst; says how many.
fn taken(pace: &mut Pace, bench: &mut Bench) -> usize {
    let mut pieces = 0;
    while pace.is_ready(&bench.cx()) {
        pace.take(BURST_BYTES / 4, NEVER, &bench.cx());
        pieces += 1;
    }
    pieces
}

/// One more is owed than a burst has: whoever owes less than a burst may take.
#[test]
fn a_burst_comes_at_once_and_the_rest_at_the_pace() {
    let (mut bench, mut pace) = (bench(), Pace::default());
    assert_eq!(taken(&mut pace, &mut bench), 5);
    let quarter = Duration::from_millis(250);
    for _ in 0..3 {
        assert_eq!(pace.ready_at(&bench.cx()), bench.now + quarter);
        bench.sleep(quarter - MICRO);
        assert_eq!(taken(&mut pace, &mut bench), 0);
        bench.sleep(MICRO);
        assert_eq!(taken(&mut pace, &mut bench), 1);
    }
}

/// A slow pace is slow from the beginning.
#[test]
fn a_burst_is_no_more_than_comes_in_a_second() {
    let (mut bench, mut pace) = (bench(), Pace::default());
    bench.setting.limits.catch_up_bytes_per_s = 1000;
    let mut pieces = 0;
    while pace.is_ready(&bench.cx()) {
        pace.take(100, NEVER, &bench.cx());
        pieces += 1;
    }
    assert_eq!(pieces, 11);
    assert_eq!(pace.ready_at(&bench.cx()), bench.now + Duration::from_millis(100));
}

/// But what was not taken in an hour is not saved up.
#[test]
fn a_step_that_comes_late_loses_nothing() {
    let (mut bench, mut pace) = (bench(), Pace::default());
    taken(&mut pace, &mut bench);
    bench.sleep(Duration::from_millis(750));
    assert_eq!(taken(&mut pace, &mut bench), 3);
    bench.sleep(Duration::from_secs(3600));
    assert_eq!(taken(&mut pace, &mut bench), 5);
}

/// However large it is, and however slow the pace.
#[test]
fn whatever_is_taken_is_paid_for_within_a_minute() {
    let mut bench = bench();
    for per_s in [0, 1, BURST_BYTES] {
        bench.setting.limits.catch_up_bytes_per_s = per_s;
        let mut pace = Pace::default();
        for _ in 0..3 {
            pace.take(u64::MAX, NEVER, &bench.cx());
            bench.sleep(Duration::from_secs(60));
            assert!(pace.is_ready(&bench.cx()), "{per_s} a second");
        }
    }
}

#[test]
fn without_a_bound_nothing_waits() {
    let (mut bench, mut pace) = (bench(), Pace::default());
    bench.setting.limits.catch_up_bytes_per_s = u64::MAX;
    for _ in 0..1000 {
        pace.take(1 << 40, NEVER, &bench.cx());
        assert!(pace.is_ready(&bench.cx()));
    }
}

/// However fast that grows which is behind.
#[test]
fn it_comes_twice_as_fast_every_few_seconds() {
    let (mut bench, mut pace) = (bench(), Pace::default());
    let doubling = Duration::from_secs(3);
    for takes_ms in [1000, 500, 250] {
        pace.take(BURST_BYTES, doubling, &bench.cx());
        assert_eq!(pace.paid_at, bench.now + Duration::from_millis(takes_ms));
        bench.sleep(doubling);
    }
    bench.sleep(doubling * DOUBLINGS_MAX as u32);
    pace.take(BURST_BYTES, doubling, &bench.cx());
    assert_eq!(pace.paid_at, bench.now, "in the end it costs nothing");
}
