//! A directory that is opened again is the same log, and nobody else's.

use std::fs;
use std::path::PathBuf;

use paxos_core::codec::wal::Owner;
use paxos_core::log::Batch;
use paxos_core::types::NodeId;

use super::super::open::to_sync;
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

/// A name is as durable as the directory that it stands in.
#[test]
fn every_directory_on_the_way_is_synced() {
    let dir = dir();
    let way = |path: &str| to_sync(&dir.path().join(path));
    let made = |paths: &[&str]| paths.iter().map(|path| dir.path().join(path)).collect::<Vec<_>>();
    assert_eq!(way("data"), made(&[""]));
    assert_eq!(way("a/b/data"), made(&["a/b", "a", ""]));
    // Whoever made it may have died before that was durable.
    fs::create_dir_all(dir.path().join("a/b/data")).expect("made");
    assert_eq!(way("a/b/data"), made(&["a/b"]));
    for (path, parent) in [("nowhere/data", &["nowhere", "."][..]), ("nowhere", &["."])] {
        assert_eq!(to_sync(Path::new(path)), parent.iter().map(PathBuf::from).collect::<Vec<_>>());
    }
    assert_eq!(to_sync(Path::new("/")), Vec::<PathBuf>::new());
}

#[test]
fn a_directory_is_made_with_all_that_leads_there() {
    let dir = dir();
    let path = dir.path().join("a/b/data");
    drop(open(&Options { dir: path.clone(), ..options(&dir) }).expect("opens"));
    open(&Options { dir: path, ..options(&dir) }).expect("opens again");
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

#[test]
fn a_start_gives_back_what_the_life_before_left_unused() {
    let dir = dir();
    write(&dir, 1..=1);
    write(&dir, 2..=2);
    let length = fs::metadata(segment_file(dir.path(), 1)).expect("there").len();
    assert_eq!(length, 2 * 512, "a header and one block");
    assert_eq!(known(&open(&options(&dir)).expect("opens").durable), 2);
}
