//! `paxos-node inspect DIR`: what a data directory holds, for people.
//!
//! Reads, and changes nothing. A running node's directory may be looked at as
//! well: what it is writing just then looks torn.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::Path;

use paxos_core::codec::wal::{Expected, Place, Scan, Scanner, Tally, Verdict};
use paxos_core::log::{Durable, DurableGroup, ReplayError};
use paxos_core::types::{Ballot, GroupId};

use crate::disk::{Found, LOCK, Meta, list_segments, read_meta, read_segments};
use crate::vault::{self, Look};

/// Writes what `dir` holds to `out`; says whether a node could start from it.
///
/// # Errors
/// When the directory cannot be read, or `out` not be written.
pub fn run(dir: &Path, out: &mut impl Write) -> io::Result<bool> {
    match read_meta(dir)? {
        Found::Meta(meta) => {
            tell_identity(&meta, is_locked(dir)?, out)?;
            tell_images(dir, &meta, out)?;
            tell_log(dir, &meta, out)
        }
        Found::Unsupported => {
            writeln!(out, "a later version has written this")?;
            Ok(false)
        }
        Found::Nothing => {
            writeln!(out, "no identity: neither META.0 nor META.1 can be read")?;
            let segments = list_segments(dir)?.len();
            writeln!(out, "{segments} segments")?;
            Ok(false)
        }
    }
}

fn is_locked(dir: &Path) -> io::Result<bool> {
    let file = match File::open(dir.join(LOCK)) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

fn tell_identity(meta: &Meta, is_locked: bool, out: &mut impl Write) -> io::Result<()> {
    let state = if is_locked { "running" } else { "not running" };
    let (node, cluster, lives) = (meta.owner.node.0, meta.owner.cluster, meta.lives.last().0);
    writeln!(out, "node {node} of cluster {cluster}, {state}, started {lives} times")
}

fn tell_images(dir: &Path, meta: &Meta, out: &mut impl Write) -> io::Result<()> {
    for Look { group, below, found } in vault::look(dir, meta.owner.cluster)? {
        write!(out, "group {}: image of all slots below {below}, ", group.0)?;
        match found {
            Ok(image) => writeln!(
                out,
                "{} bytes, digest {:016x}, sum {}",
                image.bytes, image.digest, image.checkpoint.sum
            )?,
            Err(fault) => writeln!(out, "DAMAGED: {fault}")?,
        }
    }
    Ok(())
}

fn tell_log(dir: &Path, meta: &Meta, out: &mut impl Write) -> io::Result<bool> {
    let mut scanner =
        Scanner::new(Expected { owner: meta.owner, start: meta.start, made: meta.made });
    let mut durable = Durable::default();
    let mut wrong: Option<(Place, ReplayError)> = None;
    let mut segments = list_segments(dir)?;
    segments.retain(|(seq, _)| *seq >= meta.start.segment);
    let bad_sectors = read_segments(&segments, |seq, bytes| {
        scanner.segment(seq, bytes, &mut |block| {
            let place = block.place;
            let replayed = block.records.into_iter().try_for_each(|record| durable.replay(record));
            if let Err(error) = replayed {
                wrong.get_or_insert((place, error));
            }
        });
    })
    .map_err(|(_, error)| error)?;
    let scan = scanner.finish();
    if meta.start.segment > 1 {
        writeln!(out, "begins with segment {}", meta.start.segment)?;
    }
    tell_scan(&scan, out)?;
    if bad_sectors > 0 {
        writeln!(out, "{bad_sectors} sectors cannot be read")?;
    }
    for (id, group) in durable.groups() {
        tell_group(id, group, out)?;
    }
    if let Some((place, error)) = wrong {
        writeln!(out, "CONTRADICTION at {place}: {error}")?;
    }
    match &scan.verdict {
        Verdict::Damaged(damage) => writeln!(out, "DAMAGED at {damage}")?,
        sound => writeln!(out, "{sound}")?,
    }
    Ok(wrong.is_none() && !matches!(scan.verdict, Verdict::Damaged(_)))
}

fn tell_scan(scan: &Scan, out: &mut impl Write) -> io::Result<()> {
    let Tally { segments, blocks, records, skipped, bytes } = scan.tally;
    let spares = scan.spares.len();
    writeln!(out, "{segments} segments, {spares} of them spare")?;
    writeln!(out, "{blocks} blocks, {records} records, {bytes} bytes up to {}", scan.end)?;
    if skipped > 0 {
        writeln!(out, "{skipped} records of a later version, passed over")?;
    }
    Ok(())
}

fn tell_group(id: GroupId, group: &DurableGroup, out: &mut impl Write) -> io::Result<()> {
    let log = group.log();
    let cells = log.iter(log.floor()).map(|(_, cell)| cell);
    let (mut votes, mut highest) = (0u64, Ballot::ZERO);
    for cell in cells.filter(|cell| cell.ballot != Ballot::ZERO) {
        votes += 1;
        highest = highest.max(cell.ballot);
    }
    write!(out, "group {}: promised {}, {votes} votes", id.0, group.promised())?;
    if votes > 0 {
        write!(out, " up to ballot {highest}")?;
    }
    writeln!(out, ", slots {}..{}, chosen below {}", log.floor(), log.end(), log.chosen())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use paxos_core::codec::wal::Owner;
    use paxos_core::log::{Batch, Entry, Record};
    use paxos_core::types::{NodeId, Run, Slot, Value, WriteId};
    use smallvec::smallvec;

    use super::*;
    use crate::disk::{self, Options};

    fn told(dir: &Path) -> (bool, String) {
        let mut out = Vec::new();
        let healthy = run(dir, &mut out).expect("readable");
        (healthy, String::from_utf8(out).expect("text"))
    }

    fn log(dir: &Path) -> disk::Wal {
        let owner = Owner { cluster: 7, node: NodeId(2) };
        let options = Options { segment_bytes: 64 << 10, ..Options::new(dir.into(), owner) };
        let mut wal = disk::open(&options).expect("opens").wal;
        for n in 1..=3 {
            let (ballot, run) = (Ballot::new(4, NodeId(2)), Run::one(Slot(n), Value::Noop));
            let group = GroupId(0);
            let voted = Record { group, entry: Entry::Voted { ballot, run } };
            let chosen = Record { group, entry: Entry::Chosen { below: Slot(n) } };
            let batch = Batch { id: WriteId(n), records: smallvec![voted, chosen] };
            wal.append(&[batch]).expect("appends");
        }
        wal
    }

    #[test]
    fn a_sound_directory_is_told_live_and_dead() {
        let dir = tempfile::tempdir().expect("a directory");
        let wal = log(dir.path());
        let (healthy, text) = told(dir.path());
        assert!(healthy && text.starts_with("node 2 of cluster 7, running, started 1 times\n"));
        drop(wal);
        let (healthy, text) = told(dir.path());
        assert!(healthy && text.starts_with("node 2 of cluster 7, not running"), "{text}");
        assert!(text.contains("3 blocks, 6 records, 12288 bytes"), "{text}");
        let group = "group 0: promised 4.n2, 3 votes up to ballot 4.n2, slots 1..4, chosen below 3";
        assert!(text.contains(group), "{text}");
        assert!(text.ends_with("clean\n"), "{text}");
    }

    #[test]
    fn damage_is_told_with_its_place() {
        let dir = tempfile::tempdir().expect("a directory");
        drop(log(dir.path()));
        let path = dir.path().join("seg-0000000000000001.wal");
        let mut bytes = fs::read(&path).expect("read");
        bytes[2 * 4096 + 60] ^= 1;
        fs::write(&path, bytes).expect("written");
        let (healthy, text) = told(dir.path());
        assert!(!healthy);
        assert!(text.contains("DAMAGED at segment 1, byte 8192: synced block 2 is lost"), "{text}");
    }

    #[test]
    fn a_directory_that_is_none_is_not_healthy() {
        let dir = tempfile::tempdir().expect("a directory");
        let (healthy, text) = told(dir.path());
        assert!(!healthy && text.starts_with("no identity"));
        assert!(run(&dir.path().join("nowhere"), &mut Vec::new()).is_err());
    }
}
