//! Zeros: what a segment holds where nothing was written yet.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// What is done after so long was spent on writing zeros; the log's own writes wait for them.
pub(super) type Pause<'a> = &'a dyn Fn(Duration);

/// Nothing: somebody waits for the zeros.
pub(super) const AT_ONCE: Pause<'static> = &|_| ();

/// Zeros `file` from `from` up to `to`, and syncs it.
pub(super) fn zero(file: &File, from: u64, to: u64) -> io::Result<()> {
    fill(file, (from, to), &vec![0; ZEROS_BYTES], AT_ONCE)?;
    file.sync_data()
}

/// Zeros all of `file`, past the system's cache where that can be done: nobody is going to read
/// it, and copying zeros into the cache would take longer than what is written over them later.
///
/// Only where whole pages are written over them. Of another page, the system would have to
/// read the rest.
pub(super) fn zero_all(
    (file, path): (&File, &Path),
    capacity: u64,
    sector_bytes: u32,
    pause: Pause<'_>,
) -> io::Result<()> {
    let has_whole_pages = (sector_bytes as usize).is_multiple_of(ALIGNED);
    let zeros = vec![0; ZEROS_BYTES.min(capacity as usize) + ALIGNED];
    let zeros =
        &zeros[zeros.as_ptr().align_offset(ALIGNED).min(ALIGNED)..][..zeros.len() - ALIGNED];
    let past = match has_whole_pages {
        true => past_cache(path).and_then(|past| fill(&past, (0, capacity), zeros, pause)),
        false => Err(io::ErrorKind::Unsupported.into()),
    };
    match past {
        Err(error) if is_unsupported(&error) => fill(file, (0, capacity), zeros, pause),
        done => done,
    }
}

/// A file, to be written past the system's cache.
fn past_cache(path: &Path) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let direct = rustix::fs::OFlags::DIRECT.bits().cast_signed();
        OpenOptions::new().write(true).custom_flags(direct).open(path)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Whether a file system does not write past the cache, or not at such places.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

fn fill(file: &File, (mut at, to): (u64, u64), zeros: &[u8], pause: Pause<'_>) -> io::Result<()> {
    while at < to {
        let began = Instant::now();
        let n = zeros.len().min(usize::try_from(to - at).unwrap_or(usize::MAX));
        file.write_all_at(&zeros[..n], at)?;
        at += n as u64;
        // In bites: one huge sync would hold up the log's own.
        if at.is_multiple_of(SYNC_BYTES) {
            file.sync_data()?;
        }
        if at < to {
            pause(began.elapsed());
        }
    }
    Ok(())
}

/// Zeros written at once: the log's next write may have to wait for as many.
pub(super) const ZEROS_BYTES: usize = 1 << 18;
/// Where in memory, at least, what is written past the cache begins: at the start of a page.
const ALIGNED: usize = 4096;
/// Zeros synced at once.
const SYNC_BYTES: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// Also where it does not end with a page, or where the cache cannot be passed by.
    #[test]
    fn a_file_is_zeroed_as_far_as_it_is_to_be_and_no_further() {
        let dir = tempfile::tempdir().expect("a directory");
        for capacity in [512, 512 * 9, 4096 * 8, ZEROS_BYTES, ZEROS_BYTES * 9 + 512 * 3] {
            let path = dir.path().join(capacity.to_string());
            let open = || OpenOptions::new().read(true).write(true).open(&path).expect("there");
            std::fs::write(&path, vec![7; capacity + 10]).expect("written");
            let sector = if capacity % 4096 == 0 { 4096 } else { 512 };
            zero_all((&open(), &path), capacity as u64, sector, AT_ONCE).expect("zeroed");
            let mut wanted = vec![0; capacity];
            wanted.extend([7; 10]);
            assert!(std::fs::read(&path).expect("read") == wanted, "{capacity}");
        }
        let (path, elsewhere) = (dir.path().join("here"), dir.path().join("nowhere"));
        std::fs::write(&path, [7; 20]).expect("written");
        let file = OpenOptions::new().write(true).open(&path).expect("there");
        // Twenty bytes are no sector: past the cache they cannot be written.
        zero_all((&file, &path), 20, 4096, AT_ONCE).expect("zeroed");
        assert_eq!(std::fs::read(&path).expect("read"), [0; 20]);
        let error = zero_all((&file, &elsewhere), 4096, 4096, AT_ONCE).expect_err("no such file");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
