//! The names of files.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use paxos_core::types::{GroupId, Slot};

/// The image of `group` below slot `below`.
pub(super) fn image(dir: &Path, group: GroupId, below: Slot) -> PathBuf {
    dir.join(format!("snap-{:x}-{:016x}.img", group.0, below.0))
}

/// The same while it is being written.
pub(super) fn unfinished(dir: &Path, group: GroupId, below: Slot) -> PathBuf {
    image(dir, group, below).with_extension("tmp")
}

/// A peer's image, as far as it has come.
pub(super) fn incoming(dir: &Path, group: GroupId) -> PathBuf {
    dir.join(format!("incoming-{:x}.part", group.0))
}

/// Where the image below slot `below` goes if it turned out to be damaged.
pub(super) fn damaged(dir: &Path, group: GroupId, below: Slot) -> PathBuf {
    dir.join(format!("damaged-{:x}-{:016x}.img", group.0, below.0))
}

/// What an image's name says; none if it is another file's. Inverse of [`image`].
fn parse(name: &OsStr) -> Option<(GroupId, Slot)> {
    let name = name.to_str()?;
    let (group, below) = name.strip_prefix("snap-")?.strip_suffix(".img")?.split_once('-')?;
    let (group, below) =
        (u64::from_str_radix(group, 16).ok()?, u64::from_str_radix(below, 16).ok()?);
    let (group, below) = (GroupId(group), Slot(below));
    (image(Path::new(""), group, below).as_os_str() == name).then_some((group, below))
}

/// The images in `dir`, the newest of every group last.
pub(super) fn images(dir: &Path) -> io::Result<Vec<(GroupId, Slot, PathBuf)>> {
    let mut images = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let named = parse(&entry.file_name());
        images.extend(named.map(|(group, below)| (group, below, entry.path())));
    }
    images.sort_unstable();
    Ok(images)
}

/// Removes images that a crash left half written.
pub(super) fn remove_unfinished(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let is_image = |name: &str| name.starts_with("snap-") && name.ends_with(".tmp");
        if path.file_name().and_then(OsStr::to_str).is_some_and(is_image) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_one_name() {
        for (group, below) in [(0, 1), (7, 255), (u64::MAX, u64::MAX)] {
            let path = image(Path::new("d"), GroupId(group), Slot(below));
            let parsed = parse(path.file_name().expect("a file"));
            assert_eq!(parsed, Some((GroupId(group), Slot(below))));
        }
        for other in
            ["snap-0-1.img", "snap-00-0000000000000001.img", "snap-0-0000000000000001.tmp", "x"]
        {
            assert_eq!(parse(OsStr::new(other)), None, "{other}");
        }
    }
}
