//! Where figures come from: what must stand beside them to mean anything.

use std::fs;
use std::path::Path;
use std::thread;

/// One line: cores, how busy they were before, and the file system of `dir`.
pub fn describe(dir: &Path) -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let (dir, kind) = (dir.display(), file_system(dir).unwrap_or_else(|| "unknown".into()));
    format!("{cores} cores, load average {load} before the start; data under {dir} ({kind})")
}

/// The kind of the file system that holds `dir`, such as `ext4`.
fn file_system(dir: &Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((Path::new(words.next()?), words.next()?))
    });
    let above = mounts.filter(|(point, _)| dir.starts_with(point));
    let nearest = above.max_by_key(|(point, _)| point.components().count());
    nearest.map(|(_, kind)| kind.into())
}
