//! Claims about real directories and the disk's thread.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bytes::Bytes;
use paxos_core::codec::wal::{Fault, Owner};
use paxos_core::effect::Input;
use paxos_core::log::{Batch, Durable, Entry, Record};
use paxos_core::types::{Ballot, Command, GroupId, NodeId, Run, Slot, Value, WriteId};
use smallvec::smallvec;
use tempfile::TempDir;

use super::file::{Seam, SegmentFile};
use super::open::open_with;
use super::*;

#[test]
fn a_log_returns_across_segments_and_starts() {
    let dir = dir();
    for life in 1..=4 {
        let mut opened = open(&options(&dir)).expect("opens");
        assert_eq!(opened.life.this.0, life);
        assert_eq!(opened.is_new, life == 1);
        assert_eq!(known(&opened.durable), (life - 1) * 20);
        for n in 1..=20 {
            let batches = [batch((life - 1) * 20 + n, 3500)];
            opened.wal.append(&batches).expect("appends");
        }
        assert_eq!(opened.wal.counters().rolls, 1, "{:?}", opened.wal);
    }
}

#[test]
fn several_batches_are_one_block() {
    let dir = dir();
    let mut opened = open(&options(&dir)).expect("opens");
    let batches: Vec<Batch> = (1..=64).map(|n| batch(n, 10)).collect();
    opened.wal.append(&batches).expect("appends");
    assert_eq!(opened.wal.counters().blocks, 1);
    drop(opened);
    assert_eq!(known(&open(&options(&dir)).expect("opens").durable), 64);
}

#[test]
fn a_batch_longer_than_a_segment_is_kept() {
    let dir = dir();
    let mut opened = open(&options(&dir)).expect("opens");
    for (n, bytes) in [(1, 10), (2, 500_000), (3, 10)] {
        opened.wal.append(&[batch(n, bytes)]).expect("appends");
    }
    drop(opened);
    assert_eq!(known(&open(&options(&dir)).expect("opens").durable), 3);
}

#[test]
fn a_directory_serves_one_process_at_a_time() {
    let dir = dir();
    let first = open(&options(&dir)).expect("opens");
    assert!(matches!(open(&options(&dir)), Err(OpenError::Locked(_))));
    drop(first);
    open(&options(&dir)).expect("opens again");
}

#[test]
fn another_nodes_directory_is_left_alone() {
    let dir = dir();
    drop(open(&options(&dir)).expect("opens"));
    let before = image(dir.path());
    for owner in [Owner { cluster: 9, ..OWNER }, Owner { node: NodeId(9), ..OWNER }] {
        let error = open(&Options { owner, ..options(&dir) }).expect_err("not mine");
        assert!(matches!(error, OpenError::Foreign { found: OWNER, .. }), "{error}");
    }
    assert_eq!(image(dir.path()), before);
}

#[test]
fn a_directory_that_cannot_be_is_an_error_with_its_name() {
    let dir = dir();
    fs::write(dir.path().join("file"), "no directory").expect("written");
    let path = dir.path().join("file/data");
    let error = open(&Options::new(path.clone(), OWNER)).expect_err("no directory");
    assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
}

#[test]
fn an_absurd_layout_is_refused_before_anything_is_made() {
    let dir = dir();
    let path = dir.path().join("data");
    for (segment_bytes, sector_bytes) in
        [(0, 512), (1 << 20, 0), (1 << 20, 1000), (1 << 20, 1 << 17), (u64::MAX, 512), (4095, 512)]
    {
        let usual = Options::new(path.clone(), OWNER);
        let error = open(&Options { segment_bytes, sector_bytes, ..usual }).expect_err("absurd");
        assert!(matches!(error, OpenError::Layout), "{error}");
    }
    assert!(!path.exists());
}

#[test]
fn an_identity_survives_one_slot_and_not_two() {
    let dir = dir();
    write(&dir, 1..=3);
    for slot in ["META.0", "META.1"] {
        let kept = image(dir.path());
        fs::write(dir.path().join(slot), "torn").expect("written");
        let opened = open(&options(&dir)).expect("opens");
        assert_eq!((known(&opened.durable), opened.life.this.0), (3, 2), "without {slot}");
        drop(opened);
        restore(dir.path(), &kept);
    }
    fs::write(dir.path().join("META.0"), "torn").expect("written");
    fs::write(dir.path().join("META.1"), "torn").expect("written");
    assert!(matches!(open(&options(&dir)), Err(OpenError::NoIdentity(_))));
}

/// The blocks remember the life that wrote them, in case a slot has rotted.
#[test]
fn a_life_is_never_had_twice() {
    let dir = dir();
    for n in 1..=5 {
        write(&dir, n..=n);
    }
    let newer = if known_generation(&dir, "META.0") > known_generation(&dir, "META.1") {
        "META.0"
    } else {
        "META.1"
    };
    fs::write(dir.path().join(newer), "rotten").expect("written");
    assert_eq!(open(&options(&dir)).expect("opens").life.this.0, 6);
}

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
fn a_start_gives_back_what_the_life_before_left_unused() {
    let dir = dir();
    write(&dir, 1..=1);
    write(&dir, 2..=2);
    let length = fs::metadata(segment_file(dir.path(), 1)).expect("there").len();
    assert_eq!(length, 2 * 512, "a header and one block");
    assert_eq!(known(&open(&options(&dir)).expect("opens").durable), 2);
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

#[test]
fn the_thread_makes_everything_durable_in_order() {
    let dir = dir();
    let (mut disk, woken) = spawn(open(&options(&dir)).expect("opens").wal);
    let mut told = WriteId(0);
    for n in 1..=50 {
        disk.append(batch(n, 100));
        disk.hand_over();
    }
    while told < WriteId(50) {
        woken.recv_timeout(PATIENCE).expect("the disk is alive");
        while let Some(input) = disk.next_input() {
            let Input::Persisted(id) = input else { panic!("{input:?}") };
            assert!(id > told);
            told = id;
        }
    }
    drop(disk);
    assert_eq!(known(&open(&options(&dir)).expect("opens").durable), 50);
}

#[test]
fn what_queues_up_during_a_sync_goes_out_with_the_next() {
    static GATE: Mutex<Option<Receiver<()>>> = Mutex::new(None);
    #[derive(Debug)]
    struct Gated(File);
    impl SegmentFile for Gated {
        fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
            self.0.write(bytes, offset)
        }
        fn sync(&self) -> io::Result<()> {
            let gate = GATE.lock().expect("unpoisoned");
            gate.as_ref().map_or(Ok(()), |gate| gate.recv().map_err(io::Error::other))
        }
    }
    let dir = dir();
    let seam = Seam { wrap: |file| Box::new(Gated(file)), ..Seam::REAL };
    let opened = open_with(&options(&dir), seam).expect("opens");
    let (open_gate, gate) = channel();
    *GATE.lock().expect("unpoisoned") = Some(gate);
    let (mut disk, woken) = spawn(opened.wal);
    disk.append(batch(1, 10));
    disk.hand_over();
    // The first is taken, and its sync is under way.
    while disk.counters().contains(&("disk_waiting", 1)) {
        std::thread::yield_now();
    }
    for n in 2..=40 {
        disk.append(batch(n, 10));
        disk.hand_over();
    }
    assert_eq!(disk.next_input(), None, "nothing is durable yet");
    for id in [1, 40] {
        open_gate.send(()).expect("the disk waits");
        woken.recv_timeout(PATIENCE).expect("the disk is alive");
        assert_eq!(disk.next_input(), Some(Input::Persisted(WriteId(id))));
    }
    assert!(disk.counters().contains(&("disk_syncs", 2)));
}

#[test]
fn a_failure_is_told_once_and_with_its_reason() {
    #[derive(Debug)]
    struct Broken;
    impl SegmentFile for Broken {
        fn write(&self, _: &[u8], _: u64) -> io::Result<()> {
            Ok(())
        }
        fn sync(&self) -> io::Result<()> {
            Err(io::Error::other("rotten"))
        }
    }
    let dir = dir();
    let seam = Seam { wrap: |_| Box::new(Broken), ..Seam::REAL };
    let (mut disk, woken) = spawn(open_with(&options(&dir), seam).expect("opens").wal);
    disk.append(batch(1, 10));
    disk.append(batch(2, 10));
    disk.hand_over();
    woken.recv_timeout(PATIENCE).expect("told");
    assert_eq!(disk.next_input(), Some(Input::PersistFailed(WriteId(1))));
    assert_eq!(disk.next_input(), None);
    assert_eq!(disk.failure().as_deref(), Some("the disk failed: rotten"));
    // Whatever comes now is never written, and never acknowledged.
    disk.append(batch(3, 10));
    disk.hand_over();
    assert!(disk.counters().contains(&("disk_waiting", 0)));
    assert_eq!(disk.next_input(), None);
}

/// A disk that syncs at once, until it fails.
#[derive(Debug)]
struct Quick(File);

static QUICK_FAILS: AtomicBool = AtomicBool::new(false);

impl SegmentFile for Quick {
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        let fails = QUICK_FAILS.load(Ordering::SeqCst);
        if fails { Err(io::Error::other("rotten")) } else { Ok(()) }
    }
}

#[test]
fn a_quick_disk_is_written_by_the_loop_in_order_until_it_fails() {
    let dir = dir();
    let seam = Seam { wrap: |file| Box::new(Quick(file)), ..Seam::REAL };
    let (mut disk, woken) = spawn(open_with(&options(&dir), seam).expect("opens").wal);
    let in_loop = |disk: &Disk| {
        let counters = disk.counters();
        counters.iter().find(|(name, _)| *name == "disk_syncs_in_loop").map_or(0, |c| c.1)
    };
    let (mut ordered, mut told) = (0, 0);
    let mut hear = |disk: &mut Disk, wait: bool| {
        if wait {
            woken.recv_timeout(PATIENCE).expect("the disk is alive");
        }
        while let Some(input) = disk.next_input() {
            let Input::Persisted(WriteId(id)) = input else { panic!("{input:?}") };
            assert!(id > told);
            told = id;
        }
        told
    };
    // Blocks of every length, so that segments end in all ways.
    while in_loop(&disk) < 200 {
        ordered += 1;
        disk.append(batch(ordered, (ordered as usize * 37) % 3000));
        let is_written = disk.write();
        let mut told = hear(&mut disk, false);
        assert!(!is_written || told == ordered, "written here, and heard");
        while told < ordered {
            told = hear(&mut disk, true);
        }
    }
    QUICK_FAILS.store(true, Ordering::SeqCst);
    disk.append(batch(ordered + 1, 10));
    disk.append(batch(ordered + 2, 10));
    while !disk.write() && disk.failure().is_none() {
        std::thread::yield_now();
    }
    assert_eq!(disk.next_input(), Some(Input::PersistFailed(WriteId(ordered + 1))));
    assert_eq!(disk.failure().as_deref(), Some("the disk failed: rotten"));
    disk.append(batch(ordered + 3, 10));
    assert!(!disk.write());
    assert_eq!(disk.next_input(), None);
    drop(disk);
    let found = known(&open(&options(&dir)).expect("opens").durable);
    // What the failed sync was about may have arrived all the same.
    assert!((ordered..=ordered + 2).contains(&found), "{found} of {ordered}");
}

#[test]
fn an_idle_disk_leaves_its_mark() {
    let dir = dir();
    let (mut disk, woken) = spawn(open(&options(&dir)).expect("opens").wal);
    disk.append(batch(1, 10));
    disk.hand_over();
    woken.recv_timeout(PATIENCE).expect("durable");
    let path = segment_file(dir.path(), 1);
    let began = std::time::Instant::now();
    let mut bytes = fs::read(&path).expect("read");
    while bytes[2 * 512] == 0 {
        assert!(began.elapsed() < PATIENCE, "no mark");
        std::thread::yield_now();
        bytes = fs::read(&path).expect("read");
    }
    drop(disk);
    // The mark proves the block: it is missed now.
    bytes[512 + 99] ^= 1;
    fs::write(&path, bytes).expect("written");
    assert!(matches!(open(&options(&dir)), Err(OpenError::Damaged(..))));
}

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

const OWNER: Owner = Owner { cluster: 7, node: NodeId(2) };

/// Only a disk that is dead takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

fn dir() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn options(dir: &TempDir) -> Options {
    let (segment_bytes, sector_bytes) = (64 << 10, 512);
    Options { segment_bytes, sector_bytes, ..Options::new(dir.path().into(), OWNER) }
}

fn batch(n: u64, bytes: usize) -> Batch {
    let ballot = Ballot::new(1, NodeId(2));
    let value = Value::Command(Command::plain(Bytes::from(vec![0xd5; bytes])));
    let entry = Entry::Voted { ballot, run: Run::one(Slot(n), value) };
    Batch { id: WriteId(n), records: smallvec![Record { group: GroupId(0), entry }] }
}

fn write(dir: &TempDir, slots: std::ops::RangeInclusive<u64>) {
    let mut opened = open(&options(dir)).expect("opens");
    for n in slots {
        opened.wal.append(&[batch(n, 400)]).expect("appends");
    }
}

/// How many slots, from the first on, hold a vote.
fn known(durable: &Durable) -> u64 {
    let log = durable.group(GroupId(0)).map(|group| group.log());
    log.map_or(0, |log| (1..).take_while(|n| log.get(Slot(*n)).is_some()).count() as u64)
}

fn known_generation(dir: &TempDir, slot: &str) -> u64 {
    let bytes = fs::read(dir.path().join(slot)).expect("read");
    u64::from_le_bytes(bytes[16..24].try_into().expect("eight bytes"))
}

fn segment_file(dir: &Path, seq: u64) -> std::path::PathBuf {
    names::segment(dir, seq)
}

type Image = Vec<(std::path::PathBuf, Vec<u8>)>;

fn image(dir: &Path) -> Image {
    let files = fs::read_dir(dir).expect("listed").map(|entry| entry.expect("an entry").path());
    let mut image: Image =
        files.map(|path| (path.clone(), fs::read(path).expect("read"))).collect();
    image.sort();
    image
}

fn restore(dir: &Path, image: &Image) {
    for entry in fs::read_dir(dir).expect("listed") {
        fs::remove_file(entry.expect("an entry").path()).expect("removed");
    }
    image.iter().for_each(|(path, bytes)| fs::write(path, bytes).expect("written"));
}

fn spawn(wal: Wal) -> (Disk, Receiver<()>) {
    let (wake, woken) = channel();
    let disk = Disk::spawn(wal, move || _ = wake.send(())).expect("a thread");
    (disk, woken)
}
