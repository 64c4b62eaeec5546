//! The names of files.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file that is locked while a node runs.
pub(crate) const LOCK: &str = "LOCK";

/// The slots of the identity, by generation.
pub(super) fn meta(generation: u64) -> &'static str {
    if generation.is_multiple_of(2) { "META.0" } else { "META.1" }
}

/// The file of segment `seq`.
pub(super) fn segment(dir: &Path, seq: u64) -> PathBuf {
    dir.join(format!("seg-{seq:016x}.wal"))
}

/// The number of the segment that a file of this name is; none if it is another
/// file. Inverse of [`segment`]: no two names are one number.
fn segment_number(name: &OsStr) -> Option<u64> {
    let digits = name.to_str()?.strip_prefix("seg-")?.strip_suffix(".wal")?;
    let plain =
        digits.len() == 16 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if plain { u64::from_str_radix(digits, 16).ok() } else { None }
}

/// The segments in `dir`, ascending.
pub(crate) fn list_segments(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        segments.extend(segment_number(&entry.file_name()).map(|seq| (seq, entry.path())));
    }
    segments.sort_unstable();
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_has_one_name() {
        for seq in [0, 1, 255, u64::MAX] {
            let path = segment(Path::new("d"), seq);
            assert_eq!(segment_number(path.file_name().expect("a file")), Some(seq));
        }
        for other in [
            "seg-1.wal",
            "seg-000000000000000A.wal",
            "seg-+00000000000000a.wal",
            "seg-0000000000000001.wal~",
            "META.0",
            "seg-.wal",
        ] {
            assert_eq!(segment_number(OsStr::new(other)), None, "{other}");
        }
    }
}
