//! Files of the log: made, read, written, synced.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

use paxos_core::codec::wal::{Place, Segment};

use super::meta::is_bad_sector;
use super::zeros::{Pause, ZEROS_BYTES, zero_all};
use super::{Options, names};

/// A segment's file, as far as the end of the log needs one. The seam at which
/// tests let a disk fail.
pub(super) trait SegmentFile: Send + std::fmt::Debug {
    /// Writes all of `bytes` at `offset`.
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes all that was written durable.
    fn sync(&self) -> io::Result<()>;
}

impl SegmentFile for File {
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A segment that is ready: its header is durable, the rest is zeros.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) segment: Segment,
    pub(super) file: Box<dyn SegmentFile>,
}

impl Spare {
    /// Makes the file reach up to `end`, for a block that is longer than a segment: a disk that
    /// is full is found out before the block is begun.
    pub(super) fn reach(&self, end: u64) -> io::Result<()> {
        let mut at = self.segment.capacity;
        if at >= end {
            return Ok(());
        }
        let zeros = vec![0; ZEROS_BYTES];
        while at < end {
            let n = zeros.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            self.file.write(&zeros[..n], at)?;
            at += n as u64;
        }
        self.file.sync()
    }
}

/// Where tests let a disk fail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seam {
    /// How a file becomes a segment's file.
    pub(super) wrap: fn(File) -> Box<dyn SegmentFile>,
    /// Whether there is room for a segment, or for a new start.
    pub(super) room: fn() -> io::Result<()>,
}

impl Seam {
    /// The disk itself.
    pub(super) const REAL: Seam = Seam { wrap: |file| Box::new(file), room: || Ok(()) };
}

/// How segments are made.
#[derive(Clone, Copy)]
pub(super) struct Making<'a> {
    pub(super) options: &'a Options,
    pub(super) seam: Seam,
    pub(super) pause: Pause<'a>,
}

/// Makes segment `seq`, durably.
///
/// The zeros are durable before the header, the header and the name before anyone
/// writes a block: a crash in between leaves a file without a header.
pub(super) fn make_segment(making: Making<'_>, seq: u64) -> io::Result<Spare> {
    let Making { options, seam, .. } = making;
    (seam.room)()?;
    let path = names::segment(&options.dir, seq);
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
    let made = open.and_then(|file| make_file(making, seq, (file, &path)));
    if made.is_err() {
        // Room for others; the error that counts is the first.
        let _ = std::fs::remove_file(&path);
    }
    let (segment, file) = made?;
    sync_dir(&options.dir)?;
    Ok(Spare { segment, file: (seam.wrap)(file) })
}

/// Makes segment `seq` of the file of segment `old`, which lies before the log's
/// start; makes one anew if that is gone or has another length.
///
/// The file keeps its old name, which readers pass over, until it is what its new
/// name says.
pub(super) fn remake_segment(making: Making<'_>, old: u64, seq: u64) -> io::Result<Spare> {
    let Making { options, seam, .. } = making;
    let old = names::segment(&options.dir, old);
    let (segment, file) = match OpenOptions::new().read(true).write(true).open(&old) {
        Ok(file) if file.metadata()?.len() == capacity(options) => {
            make_file(making, seq, (file, &old))?
        }
        Ok(_) => {
            std::fs::remove_file(&old)?;
            return make_segment(making, seq);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return make_segment(making, seq);
        }
        Err(error) => return Err(error),
    };
    std::fs::rename(&old, names::segment(&options.dir, seq))?;
    sync_dir(&options.dir)?;
    Ok(Spare { segment, file: (seam.wrap)(file) })
}

fn capacity(options: &Options) -> u64 {
    options.segment_bytes.next_multiple_of(u64::from(options.sector_bytes))
}

/// Makes a segment of a file, whatever it held.
fn make_file(
    making: Making<'_>,
    seq: u64,
    (file, path): (File, &Path),
) -> io::Result<(Segment, File)> {
    let Making { options, pause, .. } = making;
    let sector_bytes = options.sector_bytes;
    let capacity = capacity(options);
    let segment = Segment { owner: options.owner, seq, salt: salt(), sector_bytes, capacity };
    zero_all((&file, path), capacity, sector_bytes, pause)?;
    file.sync_all()?;
    file.write_all_at(&segment.encode(), 0)?;
    file.sync_all()?;
    Ok((segment, file))
}

/// Gives back what lies behind `end` in its segment, which may be gone by now.
pub(super) fn cut_off(options: &Options, end: Place) -> io::Result<()> {
    let path = names::segment(&options.dir, end.segment);
    let file = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    if file.metadata()?.len() > end.offset {
        file.set_len(end.offset)?;
        file.sync_all()?;
    }
    Ok(())
}

/// Random, and never the same: keys of the standard library's hash maps, which
/// the system draws.
pub(super) fn salt() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Makes names in `dir` durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Whether an error says that there is no room.
pub(super) fn is_disk_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// Reads a whole segment into `bytes`; says how many sectors the disk could not
/// read. Those are zeros: lost is lost, and the scan knows what to make of it.
///
/// A node that runs may cut the file off meanwhile, behind its last block: then it is read again.
fn read_segment(path: &Path, bytes: &mut Vec<u8>) -> io::Result<u64> {
    let file = File::open(path)?;
    let length = || Ok(file.metadata()?.len());
    read_whole(bytes, length, |part, at| file.read_exact_at(part, at))
}

/// Reads a file of this length, which may become shorter.
fn read_whole(
    bytes: &mut Vec<u8>,
    length: impl Fn() -> io::Result<u64>,
    read: impl Fn(&mut [u8], u64) -> io::Result<()>,
) -> io::Result<u64> {
    loop {
        let now = length()?;
        if now > FILE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "absurdly long"));
        }
        // What is there from before is read over, all of it, or zeroed.
        bytes.resize(now as usize, 0);
        match read_all(bytes, &read) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && length()? < now => {}
            done => return done,
        }
    }
}

/// Reads whole segments, the next one while `each` looks at one; says how many sectors
/// the disk could not read, as [`read_segment`] does.
///
/// Two lie in memory at a time. The first error ends it.
pub(crate) fn read_segments(
    segments: &[(u64, PathBuf)],
    mut each: impl FnMut(u64, &[u8]),
) -> Result<u64, (&Path, io::Error)> {
    let mut lost = 0;
    thread::scope(|scope| {
        let (give, given) = sync_channel(0);
        let (give_back, back) = channel::<Vec<u8>>();
        let reader = move || {
            for (seq, path) in segments {
                let mut bytes = back.try_recv().unwrap_or_default();
                let read = read_segment(path, &mut bytes).map_err(|error| (&**path, error));
                let failed = read.is_err();
                // Nobody wants more where nobody listens.
                if give.send(read.map(|lost| (*seq, bytes, lost))).is_err() || failed {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("reader".into());
        let at = segments.first().map_or(Path::new("."), |(_, path)| path);
        thread.spawn_scoped(scope, reader).map_err(|error| (at, error))?;
        for read in given {
            let (seq, bytes, bad) = read?;
            lost += bad;
            each(seq, &bytes);
            // The reader may be through.
            let _ = give_back.send(bytes);
        }
        Ok(lost)
    })
}

fn read_all(bytes: &mut [u8], read: impl Fn(&mut [u8], u64) -> io::Result<()>) -> io::Result<u64> {
    let mut lost = 0;
    for (i, part) in (0..).zip(bytes.chunks_mut(READ_BYTES)) {
        let at = i * READ_BYTES as u64;
        match read(part, at) {
            Ok(()) => {}
            Err(e) if is_bad_sector(&e) => lost += read_sectors(part, at, &read)?,
            Err(e) => return Err(e),
        }
    }
    Ok(lost)
}

fn read_sectors(
    part: &mut [u8],
    at: u64,
    read: &impl Fn(&mut [u8], u64) -> io::Result<()>,
) -> io::Result<u64> {
    let mut lost = 0;
    for (i, sector) in (0..).zip(part.chunks_mut(BAD_BYTES)) {
        match read(sector, at + i * BAD_BYTES as u64) {
            Ok(()) => {}
            Err(e) if is_bad_sector(&e) => {
                sector.fill(0);
                lost += 1;
            }
            Err(e) => return Err(e),
        }
    }
    Ok(lost)
}

/// Read at once.
const READ_BYTES: usize = 1 << 20;
/// Given up at once, where the disk cannot read.
const BAD_BYTES: usize = 512;
/// No segment is longer: one block that is as long as can be, and one segment.
const FILE_BYTES_MAX: u64 = 4 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_sectors_read_as_zeros_and_the_rest_as_it_is() {
        let disk: Vec<u8> = (0..READ_BYTES * 2 + 700).map(|i| (i % 251) as u8 | 1).collect();
        let bad = READ_BYTES as u64 + 1024;
        let mut bytes = vec![0; disk.len()];
        let lost = read_all(&mut bytes, |part, at| {
            let end = at + part.len() as u64;
            if (at..end).contains(&bad) {
                return Err(io::Error::from_raw_os_error(5));
            }
            part.copy_from_slice(&disk[at as usize..end as usize]);
            Ok(())
        });
        assert_eq!(lost.expect("read"), 1);
        let bad = bad as usize..bad as usize + BAD_BYTES;
        assert!(bytes[bad.clone()].iter().all(|b| *b == 0));
        assert_eq!(bytes[..bad.start], disk[..bad.start]);
        assert_eq!(bytes[bad.end..], disk[bad.end..]);
    }

    #[test]
    fn a_file_that_is_cut_off_meanwhile_is_read_again() {
        let disk: Vec<u8> = (0..3 * READ_BYTES).map(|i| (i % 251) as u8).collect();
        let end = std::cell::Cell::new(disk.len());
        let mut bytes = Vec::new();
        let read = |part: &mut [u8], at: u64| {
            let from = at as usize;
            // While the second bite is read, the third goes, and a part of this one.
            end.set(if from > 0 { 2 * READ_BYTES - 7 } else { end.get() });
            let there = disk[..end.get()].get(from..from + part.len());
            part.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        };
        let lost = read_whole(&mut bytes, || Ok(end.get() as u64), read).expect("read");
        assert_eq!((lost, bytes.len()), (0, 2 * READ_BYTES - 7));
        assert!(bytes == disk[..bytes.len()]);
        // One that is as long as ever, and cannot be read to its end, is an error.
        let error =
            read_whole(&mut bytes, || Ok(9), |_, _| Err(io::ErrorKind::UnexpectedEof.into()));
        assert_eq!(error.expect_err("no end").kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn an_error_that_is_not_the_sectors_is_an_error() {
        let denied = |_: &mut [u8], _| Err(io::ErrorKind::PermissionDenied.into());
        assert!(read_all(&mut [0; 9], denied).is_err());
    }

    /// Buffers are used anew: what a longer segment has left must not show in a shorter one.
    #[test]
    fn segments_come_whole_and_in_order_up_to_the_first_error() {
        let dir = tempfile::tempdir().expect("a directory");
        let segments: Vec<(u64, PathBuf)> =
            (1..=6).map(|seq| (seq, dir.path().join(seq.to_string()))).collect();
        let bytes = |seq: u64| vec![seq as u8; [9000, 5000, 0, 12_000, 100, 7][seq as usize - 1]];
        segments.iter().for_each(|(seq, path)| std::fs::write(path, bytes(*seq)).expect("written"));
        let mut seen = Vec::new();
        let lost = read_segments(&segments, |seq, found| {
            assert_eq!(found, bytes(seq), "{seq}");
            seen.push(seq);
        });
        assert_eq!((lost.expect("read"), &seen[..]), (0, &[1, 2, 3, 4, 5, 6][..]));

        std::fs::remove_file(&segments[3].1).expect("there");
        seen.clear();
        let (path, error) = read_segments(&segments, |seq, _| seen.push(seq)).expect_err("gone");
        assert_eq!((path, error.kind()), (&*segments[3].1, io::ErrorKind::NotFound));
        assert_eq!(seen, [1, 2, 3]);
    }

    #[test]
    fn no_two_salts_are_alike() {
        let salts: std::collections::BTreeSet<u64> = (0..1000).map(|_| salt()).collect();
        assert_eq!(salts.len(), 1000);
    }
}
