//! Claims about real directories and the disk's thread, and what they share.

mod damage;
mod directory;
mod thread;
mod trimming;

use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bytes::Bytes;
use paxos_core::codec::wal::Owner;
use paxos_core::log::{Batch, Durable, Entry, Record};
use paxos_core::types::{Ballot, Command, GroupId, NodeId, Run, Slot, Value, WriteId};
use smallvec::smallvec;
use tempfile::TempDir;

use super::*;

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
