//! What tears, rots, fails or fills up: cut, named or told apart, and never written over.

use std::fs::{self, File};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use paxos_core::codec::wal::Fault;

use super::super::file::{Seam, SegmentFile};
use super::super::open::open_with;
use super::*;

/// Whatever a crash makes of the last block, the ones before it are there, and
/// another life goes on behind them.
#[test]
fn a_torn_last_block_is_cut_wherever_it_tears() {
    let dir = dir();
    let mut opened = open(&options(&dir)).expect("opens");
    opened.wal.append(&[batch(1, 1000)]).expect("appends");
    opened.wal.append(&[batch(2, 2000)]).expect("appends");
    drop(opened);
    let whole = image(dir.path());
    let path = segment_file(dir.path(), 1);
    let bytes = fs::read(&path).expect("read");
    let end = bytes.iter().rposition(|b| *b != 0).expect("something") + 1;
    let last = 4 * 512..end;
    for at in last.clone().step_by(101).chain([last.start, last.end - 1]) {
        for garbage in [0, 0xa5] {
            restore(dir.path(), &whole);
            let mut torn = bytes.clone();
            torn[at..end].fill(garbage);
            fs::write(&path, &torn).expect("written");
            let mut opened = open(&options(&dir)).expect("a torn tail is cut");
            assert_eq!(known(&opened.durable), 1, "torn at {at} with {garbage}");
            opened.wal.append(&[batch(2, 10)]).expect("goes on");
            drop(opened);
            assert_eq!(known(&open(&options(&dir)).expect("opens").durable), 2);
        }
    }
}

#[test]
fn damage_is_named_and_nothing_is_touched() {
    let dir = dir();
    write(&dir, 1..=30);
    let path = segment_file(dir.path(), 1);
    let mut bytes = fs::read(&path).expect("read");
    bytes[3 * 512 + 99] ^= 1;
    fs::write(&path, &bytes).expect("written");
    let before = image(dir.path());
    let Err(OpenError::Damaged(_, damage)) = open(&options(&dir)) else { panic!("damaged") };
    assert!(matches!(damage.fault, Fault::Lost { .. }));
    assert_eq!(image(dir.path()), before);
}

/// An older program that is started again on what a newer one has written: nothing is
/// lost, and nothing may be put aside.
#[test]
fn what_a_later_version_has_written_is_no_loss() {
    let dir = dir();
    write(&dir, 1..=30);
    let path = segment_file(dir.path(), 1);
    let mut bytes = fs::read(&path).expect("read");
    bytes[12..14].copy_from_slice(&2_u16.to_le_bytes());
    let crc = crc32fast::hash(&bytes[12..64]);
    bytes[8..12].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, bytes).expect("written");
    let error = open(&options(&dir)).expect_err("of a later version");
    assert!(matches!(error, OpenError::Unsupported(_)), "{error}");
    assert!(!aside::is_loss(&error));
}

#[test]
fn a_missing_segment_is_damage_even_if_it_was_the_last() {
    let dir = dir();
    write(&dir, 1..=30);
    let segments = list_segments(dir.path()).expect("listed");
    for (_, path) in &segments {
        let kept = image(dir.path());
        fs::remove_file(path).expect("removed");
        let error = open(&options(&dir)).expect_err("one is missing");
        assert!(matches!(error, OpenError::Damaged(..)), "{error}");
        restore(dir.path(), &kept);
    }
}

#[test]
fn a_half_made_segment_is_made_anew() {
    let dir = dir();
    write(&dir, 1..=3);
    let next = list_segments(dir.path()).expect("listed").last().expect("some").0 + 1;
    fs::write(segment_file(dir.path(), next), [0; 9000]).expect("written");
    write(&dir, 4..=30);
    assert_eq!(known(&open(&options(&dir)).expect("opens").durable), 30);
}

#[test]
fn after_a_failed_sync_nothing_is_written_any_more() {
    static FAILS: AtomicBool = AtomicBool::new(false);
    static WRITES: AtomicUsize = AtomicUsize::new(0);
    #[derive(Debug)]
    struct Failing(File);
    impl SegmentFile for Failing {
        fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
            WRITES.fetch_add(1, Ordering::SeqCst);
            self.0.write(bytes, offset)
        }
        fn sync(&self) -> io::Result<()> {
            // Once, as the system does: it has forgotten by the next call.
            if FAILS.swap(false, Ordering::SeqCst) {
                Err(io::Error::other("rotten"))
            } else {
                Ok(())
            }
        }
    }
    let dir = dir();
    let seam = Seam { wrap: |file| Box::new(Failing(file)), ..Seam::REAL };
    let mut opened = open_with(&options(&dir), seam).expect("opens");
    opened.wal.append(&[batch(1, 10)]).expect("appends");
    FAILS.store(true, Ordering::SeqCst);
    let error = opened.wal.append(&[batch(2, 10)]).expect_err("the sync failed");
    assert!(matches!(error, WalError::Failed(_)), "{error}");
    let writes = WRITES.load(Ordering::SeqCst);
    assert!(matches!(opened.wal.append(&[batch(3, 10)]), Err(WalError::Poisoned)));
    assert!(matches!(opened.wal.mark(), Err(WalError::Poisoned)));
    assert!(matches!(opened.wal.is_full(), Err(WalError::Poisoned)));
    assert_eq!(WRITES.load(Ordering::SeqCst), writes);
}

#[test]
fn a_full_disk_is_told_apart_and_loses_nothing() {
    static ROOM: AtomicUsize = AtomicUsize::new(3);
    fn room() -> io::Result<()> {
        let take = |left: usize| left.checked_sub(1);
        let took = ROOM.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take);
        took.map(drop).map_err(|_| io::ErrorKind::StorageFull.into())
    }
    let dir = dir();
    let mut opened = open_with(&options(&dir), Seam { room, ..Seam::REAL }).expect("opens");
    let mut kept = 0;
    let error = loop {
        match opened.wal.append(&[batch(kept + 1, 30_000)]) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, WalError::Full), "{error}");
    assert!(opened.wal.is_full().expect("alive"));
    assert_eq!(kept, 6, "three segments of two");
    ROOM.store(1, Ordering::SeqCst);
    // The maker tries again by itself.
    while matches!(opened.wal.append(&[batch(kept + 1, 30_000)]), Err(WalError::Full)) {
        std::thread::yield_now();
    }
    drop(opened);
    assert_eq!(known(&open(&options(&dir)).expect("opens").durable), kept + 1);
}
