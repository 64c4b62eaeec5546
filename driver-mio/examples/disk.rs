//! What a disk gives: `cargo run --release --example disk -- DIR [BLOCKS]`.
//!
//! Appends small batches with a sync each, to the log and to a file that grows;
//! then reads the log.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use driver_mio::disk::{self, Options, Wal};
use paxos_core::codec::wal::Owner;
use paxos_core::log::{Batch, Entry, Record};
use paxos_core::types::{Ballot, Command, GroupId, NodeId, Run, Slot, Value, WriteId};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().ok_or("where? give a directory")?;
    let blocks = args.next().map_or(Ok(1000), |n| n.parse())?;
    let dir = Path::new(&dir).join("disk-bench");
    fs::create_dir_all(&dir)?;
    let outcome = bench(&dir, blocks);
    fs::remove_dir_all(&dir)?;
    outcome
}

fn bench(dir: &Path, blocks: u64) -> Outcome<()> {
    let owner = Owner { cluster: 0, node: NodeId(1) };
    let options = Options::new(dir.join("log"), owner);
    let began = Instant::now();
    let mut wal = disk::open(&options)?.wal;
    println!("first start: {:.1?}", began.elapsed());
    let mut next = 1;
    for group in [1, 64] {
        let times = append(&mut wal, &mut next, blocks, group)?;
        report(&format!("log, {group} batches a block"), group, &times);
    }
    let grown = grow(&dir.join("grown"), blocks)?;
    report("a file that grows, 4 KiB a sync", 1, &grown);
    let big = 256u64;
    let began = Instant::now();
    for _ in 0..big {
        wal.append(&[batch(next, 1 << 20)])?;
        next += 1;
    }
    println!("log, 1 MiB a block: {:.0} MB/s", mb(big << 20, began.elapsed()));
    drop(wal);
    let began = Instant::now();
    let again = disk::open(&options)?;
    let bytes: u64 = disk_bytes(dir)?;
    let took = began.elapsed();
    println!("start: {took:.1?} for {} MB, {:.0} MB/s", bytes >> 20, mb(bytes, took));
    drop(again);
    Ok(())
}

fn append(wal: &mut Wal, next: &mut u64, blocks: u64, group: u64) -> Outcome<Vec<Duration>> {
    let mut times = Vec::new();
    for _ in 0..blocks {
        let batches: Vec<Batch> = (*next..*next + group).map(|n| batch(n, 100)).collect();
        *next += group;
        let began = Instant::now();
        wal.append(&batches)?;
        times.push(began.elapsed());
    }
    Ok(times)
}

fn grow(path: &Path, blocks: u64) -> Outcome<Vec<Duration>> {
    let mut file = File::create(path)?;
    let mut times = Vec::new();
    for _ in 0..blocks {
        let began = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    Ok(times)
}

fn batch(n: u64, bytes: usize) -> Batch {
    let value = Value::Command(Command::plain(Bytes::from(vec![0x5a; bytes])));
    let entry = Entry::Voted { ballot: Ballot::new(1, NodeId(1)), run: Run::one(Slot(n), value) };
    Batch { id: WriteId(n), records: [Record { group: GroupId(0), entry }].into_iter().collect() }
}

fn report(what: &str, group: u64, times: &[Duration]) {
    let mut times = times.to_vec();
    times.sort_unstable();
    let total: Duration = times.iter().sum();
    let rate = times.len() as f64 * group as f64 / total.as_secs_f64();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("{what}: {rate:.0} batches/s; p50 {:.0?}, p99 {:.0?}", at(50), at(99));
}

fn disk_bytes(dir: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir.join("log"))? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

fn mb(bytes: u64, took: Duration) -> f64 {
    bytes as f64 / 1e6 / took.as_secs_f64()
}
