//! Small file systems, which can be filled to the last byte.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of its own in memory; gone with the value.
pub struct Small {
    at: PathBuf,
}

impl Small {
    /// Makes the directory `at` one of `size`, such as `2m`; or says why it may not.
    pub fn mount(at: &Path, size: &str) -> Result<Small, String> {
        fs::create_dir(at).expect("a directory");
        let options = ["-t", "tmpfs", "-o", &format!("size={size}"), "small"];
        match Command::new("mount").args(options).arg(at).output() {
            Ok(output) if output.status.success() => Ok(Small { at: at.into() }),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(format!("`mount` cannot be run: {error}")),
        }
    }

    /// The same; the reason goes to stderr.
    pub fn mount_or_say(at: &Path, size: &str) -> Option<Small> {
        let told = |why| eprintln!("left out: no small file system can be mounted: {why}");
        Small::mount(at, size).map_err(told).ok()
    }

    /// Takes all the room that there is.
    pub fn fill(&self) {
        let mut filler = File::create(self.filler()).expect("room for a name");
        for bytes in [64 << 10, 4 << 10, 1] {
            while filler.write_all(&vec![1; bytes]).is_ok() {}
        }
    }

    /// Gives it back.
    pub fn empty(&self) {
        fs::remove_file(self.filler()).expect("it was filled");
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily: a node that is killed later may have files open there.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}
