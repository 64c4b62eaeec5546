//! What is done with a log that has lost something: it is kept, and not used.
//!
//! A node that does not know what it has promised is not the voter that it was. Its
//! files go into a directory of their own, and it begins anew under another disk's
//! name: the group has to take that one up before it votes again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::OpenError;
use super::file::sync_dir;
use super::meta::lock;
use super::names::{self, list_segments};

/// Whether running on after `error` means to begin anew: the log is there, and has
/// lost something.
pub(crate) fn is_loss(error: &OpenError) -> bool {
    matches!(
        error,
        OpenError::Damaged(..) | OpenError::Contradiction(..) | OpenError::NoIdentity(_)
    )
}

/// Moves the log and the identity in `dir` into a directory beside them, and says
/// which. A crash in between leaves a log that is damaged still, or none.
///
/// # Errors
/// What the system says; or that another process runs on the directory.
pub(crate) fn set_aside(dir: &Path) -> io::Result<PathBuf> {
    let lock = lock(dir)?.ok_or_else(|| io::Error::other("another process runs on it"))?;
    let place = (1..).map(|n| dir.join(format!("{PREFIX}{n}")));
    let place = place.take(PLACES_MAX).find(|place| !place.exists());
    let place = place.ok_or_else(|| io::Error::other("too many damaged logs lie there"))?;
    fs::create_dir(&place)?;
    sync_dir(dir)?;
    let metas = [names::meta(0), names::meta(1)].map(|name| dir.join(name));
    let segments = list_segments(dir)?.into_iter().map(|(_, path)| path);
    for path in segments.chain(metas).filter(|path| path.exists()) {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        fs::rename(&path, place.join(name))?;
    }
    sync_dir(&place)?;
    sync_dir(dir)?;
    drop(lock);
    Ok(place)
}

/// How many logs lie aside in `dir`. Where there is one, what the node was founded with
/// says nothing of what it is now.
///
/// # Errors
/// What the system says; not if there is no such directory.
pub(crate) fn count(dir: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut count = 0;
    for entry in entries {
        count += u64::from(entry?.file_name().to_string_lossy().starts_with(PREFIX));
    }
    Ok(count)
}

const PREFIX: &str = "damaged-log-";
/// More than these nobody keeps without looking.
const PLACES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_moved_and_remembered() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(count(dir.path()).expect("readable"), 0);
        assert_eq!(count(&dir.path().join("nowhere")).expect("no matter"), 0);
        for name in ["META.0", "seg-0000000000000001.wal", "snap-1", "seg-x"] {
            fs::write(dir.path().join(name), name).expect("written");
        }
        let place = set_aside(dir.path()).expect("moved");
        let second = set_aside(dir.path()).expect("nothing left to move");
        assert_ne!(place, second);
        assert_eq!(count(dir.path()).expect("readable"), 2);
        for (name, moved) in [
            ("META.0", true),
            ("seg-0000000000000001.wal", true),
            ("snap-1", false),
            ("seg-x", false),
        ] {
            assert_eq!(place.join(name).exists(), moved, "{name}");
            assert_eq!(dir.path().join(name).exists(), !moved, "{name}");
        }
    }
}
