//! Where figures come from: what must stand beside them to mean anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::Outcome;

/// One line: cores, how busy they were before, and the file system of `dir`.
pub fn describe(dir: &Path) -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let kind = file_system(dir).unwrap_or_else(|| "an unknown file system".into());
    format!("{cores} cores, load average {load} before the start, {kind}")
}

/// A path as whoever is at the root of the repository means it: `cargo bench` runs its benches
/// elsewhere.
pub fn from_root(path: &Path) -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).join(path)
}

/// The command that runs this very measurement, named `bench`, as one would type it.
pub fn command(bench: &str) -> String {
    let words = std::env::args().skip(1).filter(|word| word != "--bench");
    let words: Vec<String> = words.collect();
    format!("cargo bench -p driver-mio --bench {bench} -- {}", words.join(" ")).trim_end().into()
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

/// Waits until the system has nothing more to write.
pub fn settle() -> Outcome<()> {
    let status = Command::new("sync").status().map_err(|error| format!("sync: {error}"))?;
    status.success().then_some(()).ok_or_else(|| format!("sync has ended ({status})").into())
}

/// Processor time of a process so far.
pub fn process_cpu(id: u32) -> Outcome<Duration> {
    spent(&format!("/proc/{id}/stat"), 2)
}

/// Processor time of this process, and of its children that have been waited for.
pub fn own_cpu() -> Outcome<Duration> {
    spent("/proc/self/stat", 4)
}

/// Memory of a process that is really there, in bytes.
pub fn resident(id: u32) -> Outcome<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes = line.trim().split(' ').next().unwrap_or_default();
    Ok(kilobytes.parse::<u64>()? * 1024)
}

/// Bytes that the files below `dir` take; those that go while we look do not count.
pub fn size_of_dir(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size_of_dir(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// The sum of the first fields of four: user, system, and the children's user and system.
fn spent(path: &str, fields: usize) -> Outcome<Duration> {
    let text = fs::read_to_string(path)?;
    // The name stands in parentheses, and may hold anything.
    let (_, after_name) = text.rsplit_once(')').ok_or("no name")?;
    let ticks = after_name.split_whitespace().skip(FIELDS_BEFORE).take(fields);
    let ticks: u64 = ticks.map(|word| word.parse::<u64>()).sum::<Result<_, _>>()?;
    Ok(Duration::from_millis(ticks * TICK_MS))
}

/// Between the name and the first time in `/proc/<id>/stat`.
const FIELDS_BEFORE: usize = 11;
/// Linux tells time to programs in hundredths of a second.
const TICK_MS: u64 = 10;
