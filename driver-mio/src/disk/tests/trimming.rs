//! What is trimmed leaves the disk, wherever a crash comes in between.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use paxos_core::log::{Batch, Durable, Entry, Record};
use paxos_core::types::{GroupId, Slot, WriteId};
use smallvec::smallvec;
use tempfile::TempDir;

use super::super::file::Seam;
use super::super::open::open_with;
use super::*;

/// Writes, trims, and writes on: the disk holds what is not trimmed, and little more.
#[test]
fn what_is_trimmed_leaves_the_disk_and_its_files_are_used_again() {
    let dir = dir();
    let mut opened = open(&options(&dir)).expect("opens");
    for n in 1..=600 {
        opened.wal.append(&[batch(n, 3500)]).expect("appends");
        if n % 20 == 0 {
            opened.wal.append(&[trim(n, n - 9)]).expect("appends");
        }
    }
    assert!(opened.wal.counters().rolls > 30);
    // Twenty to thirty slots, of sixteen a segment.
    let (segments, bytes) = opened.wal.segments();
    assert!(segments <= 4 && bytes == segments * (64 << 10), "{segments}, {bytes}");
    drop(opened);
    // Those, two that lie ready, and two that are kept.
    assert!(list_segments(dir.path()).expect("listed").len() <= 4 + 2 + 2 + 1);
    let opened = open(&options(&dir)).expect("opens");
    assert_eq!(floor(&opened.durable), 591);
    assert!((591..=600).all(|n| vote(&opened.durable, n)));
    assert_eq!(promised(&opened.durable), 1, "restated, though its first record is gone");
}

#[test]
fn a_log_that_is_opened_over_and_over_does_not_pile_up_files() {
    let dir = dir();
    for life in 1..=30 {
        let mut opened = open(&options(&dir)).expect("opens");
        assert_eq!(floor(&opened.durable), if life == 1 { 1 } else { life - 1 });
        opened.wal.append(&[batch(life, 100), trim(life, life)]).expect("appends");
        opened.wal.mark().expect("alive");
    }
    assert!(list_segments(dir.path()).expect("listed").len() < 10);
    assert_eq!(open(&options(&dir)).expect("opens").life.this.0, 31);
}

/// The power fails before or after the start is on record, and after any of the
/// files is gone: the same log is there.
#[test]
fn a_crash_anywhere_while_segments_go_costs_nothing() {
    let dir = dir();
    let mut opened = open(&options(&dir)).expect("opens");
    for n in 1..=120 {
        opened.wal.append(&[batch(n, 3500)]).expect("appends");
    }
    drop(opened);
    let before = image(dir.path());
    let mut opened = open(&options(&dir)).expect("opens");
    opened.wal.append(&[trim(121, 110)]).expect("appends");
    drop(opened);
    let after = image(dir.path());
    let gone: Vec<_> =
        before.iter().filter(|(path, _)| after.iter().all(|(other, _)| other != path)).collect();
    assert!(gone.len() >= 2, "{}", gone.len());
    let said = |dir: &TempDir| {
        let opened = open(&options(dir)).expect("opens");
        let votes: Vec<u64> = (1..=120).filter(|n| vote(&opened.durable, *n)).collect();
        (floor(&opened.durable), promised(&opened.durable), votes)
    };
    let whole = said(&dir);
    assert_eq!((whole.0, whole.1, whole.2.len()), (110, 1, 11));
    for mask in 0..1u32 << gone.len().min(6) {
        restore(dir.path(), &after);
        for (i, (path, bytes)) in gone.iter().enumerate() {
            if mask >> i & 1 == 1 {
                fs::write(path, bytes).expect("written");
            }
        }
        assert_eq!(said(&dir), whole, "the start is on record, and {mask:b} are still there");
    }
    restore(dir.path(), &after);
    for (path, bytes) in &before {
        if gone.iter().any(|(other, _)| other == path) || path.ends_with("META.0") {
            fs::write(path, bytes).expect("written");
        }
    }
    fs::remove_file(dir.path().join("META.1")).expect("removed");
    assert_eq!(said(&dir), whole, "the start is not on record");
}

static HAS_ROOM: AtomicBool = AtomicBool::new(true);
static REFUSED: AtomicBool = AtomicBool::new(false);

fn room() -> io::Result<()> {
    if HAS_ROOM.load(Ordering::SeqCst) {
        return Ok(());
    }
    REFUSED.store(true, Ordering::SeqCst);
    Err(io::ErrorKind::StorageFull.into())
}

/// A disk that is full is no disk that has failed, and what is trimmed makes room.
#[test]
fn a_start_that_finds_no_room_is_put_on_record_when_there_is_some() {
    let dir = dir();
    let seam = Seam { room, ..Seam::REAL };
    let mut opened = open_with(&options(&dir), seam).expect("opens");
    for n in 1..=120 {
        opened.wal.append(&[batch(n, 3500)]).expect("appends");
    }
    let files = || list_segments(dir.path()).expect("listed").len();
    let before = files();
    HAS_ROOM.store(false, Ordering::SeqCst);
    opened.wal.append(&[trim(121, 110)]).expect("appends");
    let began = std::time::Instant::now();
    let mut wait = || {
        opened.wal.is_full().expect("it has not failed");
        assert!(began.elapsed() < PATIENCE);
        std::thread::yield_now();
    };
    while !REFUSED.load(Ordering::SeqCst) {
        wait();
    }
    assert_eq!(files(), before);
    HAS_ROOM.store(true, Ordering::SeqCst);
    while files() >= before {
        wait();
    }
    drop(opened);
    assert_eq!(floor(&open(&options(&dir)).expect("opens").durable), 110);
}

/// A file that is made anew stays under its old name until it is a segment: readers
/// pass over it, whatever it holds.
#[test]
fn a_half_remade_segment_is_passed_over() {
    let dir = dir();
    let mut opened = open(&options(&dir)).expect("opens");
    for n in 1..=100 {
        opened.wal.append(&[batch(n, 3500), trim(n, n)]).expect("appends");
    }
    drop(opened);
    let kept = image(dir.path());
    let oldest = list_segments(dir.path()).expect("listed").remove(0).1;
    for bytes in [vec![], vec![0; 9000], vec![0xa5; 64 << 10]] {
        restore(dir.path(), &kept);
        let before = oldest.with_file_name("seg-0000000000000001.wal");
        fs::write(&before, bytes).expect("written");
        assert_eq!(floor(&open(&options(&dir)).expect("opens").durable), 100);
        assert!(!before.exists(), "and removed");
    }
}

fn trim(id: u64, below: u64) -> Batch {
    let (group, below) = (GroupId(0), Slot(below));
    let chosen = Record { group, entry: Entry::Chosen { below } };
    let trimmed = Record { group, entry: Entry::Trimmed { below } };
    Batch { id: WriteId(id), records: smallvec![chosen, trimmed] }
}

fn floor(durable: &Durable) -> u64 {
    durable.group(GroupId(0)).map_or(1, |group| group.log().floor().0)
}

fn promised(durable: &Durable) -> u64 {
    durable.group(GroupId(0)).map_or(0, |group| group.promised().round)
}

fn vote(durable: &Durable, slot: u64) -> bool {
    durable.group(GroupId(0)).is_some_and(|group| group.log().get(Slot(slot)).is_some())
}
