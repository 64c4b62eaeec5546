//! The disk's thread, and the loop that writes in its place: in order, and told once.

use std::fs::{self, File};
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};

use paxos_core::effect::Input;
use paxos_core::types::WriteId;

use super::super::file::{Seam, SegmentFile};
use super::super::open::open_with;
use super::*;

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
fn a_failure_of_the_loop_stays_the_reason_when_the_thread_meets_it_too() {
    static FAILS: AtomicBool = AtomicBool::new(false);
    #[derive(Debug)]
    struct Failing(File);
    impl SegmentFile for Failing {
        fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
            self.0.write(bytes, offset)
        }
        fn sync(&self) -> io::Result<()> {
            let fails = FAILS.load(Ordering::SeqCst);
            if fails { Err(io::Error::other("rotten")) } else { Ok(()) }
        }
    }
    let dir = dir();
    let seam = Seam { wrap: |file| Box::new(Failing(file)), ..Seam::REAL };
    let (mut disk, woken) = spawn(open_with(&options(&dir), seam).expect("opens").wal);
    let mut ordered = 0;
    let mut is_here = false;
    while !is_here {
        ordered += 1;
        disk.append(batch(ordered, 10));
        is_here = disk.write();
        if !is_here {
            woken.recv_timeout(PATIENCE).expect("the disk is alive");
        }
        assert_eq!(disk.next_input(), Some(Input::Persisted(WriteId(ordered))));
    }
    FAILS.store(true, Ordering::SeqCst);
    ordered += 1;
    disk.append(batch(ordered, 10));
    // Whoever writes it, the thread ends: it finds a log that has failed.
    disk.write();
    while woken.recv_timeout(PATIENCE).is_ok() {}
    assert_eq!(disk.next_input(), Some(Input::PersistFailed(WriteId(ordered))));
    assert_eq!(disk.failure().as_deref(), Some("the disk failed: rotten"));
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

static HAS_ROOM: AtomicBool = AtomicBool::new(true);

fn room() -> io::Result<()> {
    let is_full = !HAS_ROOM.load(Ordering::SeqCst);
    if is_full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
}

/// A file that cannot grow while there is no room.
#[derive(Debug)]
struct Tight(File);

impl SegmentFile for Tight {
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let grows = offset + bytes.len() as u64 > 64 << 10;
        if grows {
            room()?;
        }
        self.0.write(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

/// What waits for room may be more than a segment holds, and so may a batch: neither may go
/// where there is none, nor be taken for a failure.
#[test]
fn a_full_disk_waits_for_room_with_whatever_is_ordered() {
    for (batches, bytes) in [(100, 4000), (3, 100_000)] {
        HAS_ROOM.store(true, Ordering::SeqCst);
        let dir = dir();
        let seam = Seam { wrap: |file| Box::new(Tight(file)), room };
        let (mut disk, woken) = spawn(open_with(&options(&dir), seam).expect("opens").wal);
        HAS_ROOM.store(false, Ordering::SeqCst);
        let mut told = 0;
        let mut hear = |disk: &mut Disk| {
            woken.recv_timeout(PATIENCE).expect("the disk is alive");
            while let Some(input) = disk.next_input() {
                let Input::Persisted(WriteId(id)) = input else { panic!("{input:?}") };
                told = id;
            }
            told
        };
        (1..=batches).for_each(|n| disk.append(batch(n, bytes)));
        disk.hand_over();
        while !disk.is_full() {
            hear(&mut disk);
        }
        assert_eq!(disk.failure(), None);
        HAS_ROOM.store(true, Ordering::SeqCst);
        while hear(&mut disk) < batches {}
        drop(disk);
        assert_eq!(known(&open(&options(&dir)).expect("opens").durable), batches);
    }
}
