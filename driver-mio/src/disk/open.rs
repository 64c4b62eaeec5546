//! From a directory to a log that may be promised upon.
//!
//! 1. Take the lock; see whose directory it is.
//! 2. Read the log from end to end. Damaged: touch nothing and say so.
//! 3. Cut what is torn, and sync what was found: it may lie in a cache only.
//! 4. Count the life, durably.
//! 5. Begin a segment of this life's own, with a repetition of the last block.
//! 6. Give back, when there is time, what the life before has left unused of its own.
//!
//! A crash anywhere in here leaves a directory that opens again with the same
//! records.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use paxos_core::codec::wal::{
    Block, Expected, Fault, Ledger, Place, Scan, Scanner, Segment, Tail, Verdict,
};
use paxos_core::log::{Durable, ReplayError};
use paxos_core::types::Life;

use super::file::{Making, Seam, Spare, make_segment, read_segments, salt, sync_dir};
use super::maker::Spares;
use super::meta::{Found, Meta, lock, read_meta};
use super::names::{self, list_segments};
use super::wal::Front;
use super::zeros::{AT_ONCE, zero};
use super::{OpenError, Options, Wal, WalError};

/// A log that was opened.
#[derive(Debug)]
pub struct Opened {
    /// What it holds.
    pub durable: Durable,
    /// The life that has begun; durable, and never had before. Its disk's name, drawn at
    /// random when the directory was made, is never zero: a disk that was emptied comes
    /// back under another one.
    pub life: Life,
    /// Where it goes on.
    pub wal: Wal,
    /// The directory was empty: this node has promised nothing, as far as it can
    /// tell.
    pub is_new: bool,
    /// What was cut off as torn.
    pub cut: Option<Place>,
    /// Sectors that the disk could not read, and that held nothing of worth.
    pub bad_sectors: u64,
}

/// Opens the log in `options.dir`, or begins one.
///
/// # Errors
/// [`OpenError`]; a directory that is in use, damaged or another's is left as it was.
pub fn open(options: &Options) -> Result<Opened, OpenError> {
    open_with(options, Seam::REAL)
}

pub(super) fn open_with(options: &Options, seam: Seam) -> Result<Opened, OpenError> {
    let dir = &options.dir;
    options.check()?;
    make_dir(dir)?;
    refuse_what_is_no_file(dir)?;
    let lock = lock(dir).or_fail("lock", dir)?.ok_or_else(|| OpenError::Locked(dir.clone()))?;
    let segments = list_segments(dir).or_fail("list", dir)?;
    let (mut meta, is_new) = identify(options, segments.is_empty())?;
    let Log { durable, ledger, scan, bad_sectors } = read(dir, &meta, &segments)?;
    let cut = mend(dir, &scan)?;
    sync_found(dir, &scan)?;
    let making = Making { options, seam, pause: AT_ONCE };
    for seq in &scan.unmade {
        make_segment(making, *seq).or_fail("make a segment in", dir)?;
    }
    let ready = reopen(dir, &scan, seam)?;
    meta.made = meta.made.max(segments.last().map_or(0, |(seq, _)| *seq));
    if meta.disk == 0 {
        meta.disk = salt().max(1);
    }
    if meta.lives.last() < scan.incarnation {
        meta.lives = meta.lives.then(scan.incarnation);
    }
    let life = Life::after(meta.lives, meta.disk, options.life_min);
    meta.lives = life.so_far();
    meta.store(dir).or_fail("write the identity in", dir)?;
    let wal = begin(options, meta, &scan, ready, ledger, seam, lock)?;
    remove_old(&segments, meta.start.segment)?;
    Ok(Opened { durable, life, wal, is_new, cut, bad_sectors })
}

fn make_dir(dir: &Path) -> Result<(), OpenError> {
    let (way, was_there) = (to_sync(dir), dir.is_dir());
    fs::create_dir_all(dir).or_fail("make", dir)?;
    for parent in way {
        match sync_dir(&parent) {
            // It may be another's, who has made the directory for this node.
            Err(error) if was_there && is_refusal(&error) => {}
            synced => synced.or_fail("sync", &parent)?,
        }
    }
    Ok(())
}

/// The directories to be synced once `dir` is made, so that it stays: those that get a name
/// by that, and always its parent. Whoever has made it may have died before that was durable.
pub(super) fn to_sync(dir: &Path) -> Vec<PathBuf> {
    let or_here = |dir: &Path| if dir.as_os_str().is_empty() { ".".into() } else { dir.into() };
    let parents: Vec<PathBuf> = dir.ancestors().skip(1).map(or_here).collect();
    let made = parents.iter().take_while(|parent| !parent.is_dir()).count();
    parents.into_iter().take(made + 1).collect()
}

/// Whether the system does not let this node sync a directory, as opposed to failing to.
fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(error.kind(), InvalidInput | PermissionDenied | ReadOnlyFilesystem | Unsupported)
}

/// Opening a pipe or a device may wait for ever, and nothing of ours is one.
fn refuse_what_is_no_file(dir: &Path) -> Result<(), OpenError> {
    for entry in fs::read_dir(dir).or_fail("list", dir)? {
        let path = entry.or_fail("list", dir)?.path();
        // A link that leads nowhere is for whoever opens it.
        let Ok(kind) = fs::metadata(&path).map(|found| found.file_type()) else { continue };
        if !kind.is_file() && !kind.is_dir() {
            let error = io::Error::other("it is not a file");
            return Err(OpenError::Io { doing: "use", path, error });
        }
    }
    Ok(())
}

/// The node's identity, checked; and whether it is a new one.
fn identify(options: &Options, is_empty: bool) -> Result<(Meta, bool), OpenError> {
    let dir = &options.dir;
    match read_meta(dir).or_fail("read the identity in", dir)? {
        Found::Meta(meta) if meta.owner == options.owner => Ok((meta, false)),
        Found::Meta(meta) => Err(OpenError::Foreign { path: dir.clone(), found: meta.owner }),
        Found::Unsupported => Err(OpenError::Unsupported(dir.clone())),
        // The identity is durable before the first segment is made.
        Found::Nothing if is_empty => Ok((Meta::new(options.owner), true)),
        Found::Nothing => Err(OpenError::NoIdentity(dir.clone())),
    }
}

/// A log, as read.
struct Log {
    durable: Durable,
    ledger: Ledger,
    scan: Scan,
    bad_sectors: u64,
}

/// Reads the whole log.
fn read(dir: &Path, meta: &Meta, segments: &[(u64, PathBuf)]) -> Result<Log, OpenError> {
    let Meta { owner, start, made, .. } = *meta;
    let mut scanner = Scanner::new(Expected { owner, start, made });
    let (mut durable, mut ledger) = (Durable::default(), Ledger::new());
    let mut wrong = None;
    // What lies before the start is about to be deleted, and may be anything.
    let before = segments.partition_point(|(seq, _)| *seq < start.segment);
    let read = read_segments(&segments[before..], |seq, bytes| {
        scanner.segment(seq, bytes, &mut |block| {
            let place = block.place;
            ledger.found(&block);
            if let Err(error) = replay(&mut durable, block) {
                wrong.get_or_insert((place, error));
            }
        });
    });
    let bad_sectors = read.or_else(|(path, error)| Err(error).or_fail("read", path))?;
    let scan = scanner.finish();
    if let Verdict::Damaged(damage) = scan.verdict {
        // Nothing is lost, but to this program: it is not to be put aside.
        if damage.fault == Fault::Unsupported {
            return Err(OpenError::Unsupported(dir.into()));
        }
        return Err(OpenError::Damaged(dir.into(), damage));
    }
    match wrong {
        Some((place, error)) => Err(OpenError::Contradiction(dir.into(), place, error)),
        None => Ok(Log { durable, ledger, scan, bad_sectors }),
    }
}

fn replay(durable: &mut Durable, block: Block) -> Result<(), ReplayError> {
    block.records.into_iter().try_for_each(|record| durable.replay(record))
}

/// Cuts what is torn; says what was cut.
fn mend(dir: &Path, scan: &Scan) -> Result<Option<Place>, OpenError> {
    let Verdict::Torn(place) = scan.verdict else { return Ok(None) };
    if scan.last.is_some() {
        // What stands before it must not be gone when that is.
        sync(&names::segment(dir, scan.end.segment))?;
    }
    let path = names::segment(dir, place.segment);
    let cut = |file: File| zero(&file, place.offset, file.metadata()?.len());
    OpenOptions::new().write(true).open(&path).and_then(cut).or_fail("cut", &path)?;
    Ok(Some(place))
}

/// Syncs what was found, all at once: each waits for the disk.
fn sync_found(dir: &Path, scan: &Scan) -> Result<(), OpenError> {
    let spare = |segment: &Segment| names::segment(dir, segment.seq);
    // The maker of a spare may have died before its header was durable,
    let mut found: Vec<PathBuf> = scan.spares.iter().map(spare).collect();
    // or before its name was.
    found.push(dir.into());
    if scan.last.is_some() {
        found.push(names::segment(dir, scan.end.segment));
    }
    thread::scope(|scope| {
        let part = |part| {
            let name = thread::Builder::new().name("sync".into());
            let all = move |part: &[PathBuf]| part.iter().try_for_each(|path| sync(path));
            name.spawn_scoped(scope, move || all(part)).or_fail("start a thread for", dir)
        };
        let parts = found.chunks(found.len().div_ceil(SYNCS_AT_ONCE)).map(part);
        let threads: Vec<_> = parts.collect::<Result<_, _>>()?;
        threads.into_iter().try_for_each(|thread| thread.join().expect("no sync panics"))
    })
}

fn sync(path: &Path) -> Result<(), OpenError> {
    File::open(path).and_then(|file| file.sync_all()).or_fail("sync", path)
}

/// Begins this life's own segment.
fn begin(
    options: &Options,
    mut meta: Meta,
    scan: &Scan,
    mut ready: VecDeque<Spare>,
    ledger: Ledger,
    seam: Seam,
    lock: File,
) -> Result<Wal, OpenError> {
    let dir = &options.dir;
    let mut next = scan.next_segment;
    let first = match ready.pop_front() {
        Some(spare) => spare,
        None => {
            let making = Making { options, seam, pause: AT_ONCE };
            let spare = make_segment(making, next).or_fail("make a segment in", dir)?;
            meta.made = next;
            meta.store(dir).or_fail("write the identity in", dir)?;
            next += 1;
            spare
        }
    };
    let (tail, repeat) = Tail::resume(scan, first.segment, meta.lives.last());
    let spares = Spares::start(options.clone(), meta, next, ready, seam)
        .or_fail("start a thread for", dir)?;
    let start = meta.start;
    let front = Front { ledger, start, live: live(dir, start.segment, first.segment.seq)? };
    let mut wal = Wal::new(tail, first.file, spares, front, lock);
    match repeat.map_or(Ok(()), |last| wal.repeat(last)) {
        Ok(()) => {
            if scan.last.is_some() {
                // This life has a block of its own: nothing will be written there any more.
                wal.give_back(scan.end);
            }
            Ok(wal)
        }
        Err(WalError::Failed(error)) => Err(error).or_fail("write to", dir),
        Err(other) => Err(io::Error::other(other)).or_fail("write to", dir),
    }
}

/// The segments from `start` up to the one before `end`, with their bytes.
fn live(dir: &Path, start: u64, end: u64) -> Result<VecDeque<(u64, u64)>, OpenError> {
    let segments = list_segments(dir).or_fail("list", dir)?.into_iter();
    let live = segments.filter(|(seq, _)| (start..end).contains(seq));
    let bytes = |path: PathBuf| fs::metadata(&path).map(|file| file.len()).or_fail("see", &path);
    live.map(|(seq, path)| bytes(path).map(|bytes| (seq, bytes))).collect()
}

/// Removes segments that the log does not begin with any more: a crash came before
/// they were removed, or reused.
fn remove_old(segments: &[(u64, PathBuf)], start: u64) -> Result<(), OpenError> {
    let mut old = segments.iter().filter(|(seq, _)| *seq < start);
    old.try_for_each(|(_, path)| fs::remove_file(path).or_fail("remove", path))
}

/// Opens the segments that earlier lives have made and not used.
fn reopen(dir: &Path, scan: &Scan, seam: Seam) -> Result<VecDeque<Spare>, OpenError> {
    let open = |segment: &Segment| {
        let path = names::segment(dir, segment.seq);
        let file = OpenOptions::new().read(true).write(true).open(&path).or_fail("open", &path)?;
        Ok(Spare { segment: *segment, file: (seam.wrap)(file) })
    };
    scan.spares.iter().map(open).collect()
}

/// Says of an error what was being done.
trait OrFail<T> {
    fn or_fail(self, doing: &'static str, path: &Path) -> Result<T, OpenError>;
}

impl<T> OrFail<T> for io::Result<T> {
    fn or_fail(self, doing: &'static str, path: &Path) -> Result<T, OpenError> {
        self.map_err(|error| OpenError::Io { doing, path: path.into(), error })
    }
}

/// More of them at once do not make it quicker: the file system syncs them together.
const SYNCS_AT_ONCE: usize = 4;
