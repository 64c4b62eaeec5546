//! The files of a recording, by name, and which of them have to go.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use paxos_core::types::Incarnation;

/// How much a recorder may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes of all files together; some more while one is written to.
    pub bytes_max: u64,
    /// What was last written to so long ago is not kept.
    pub age_max: Duration,
}

impl Default for Room {
    fn default() -> Room {
        Room { bytes_max: 512 << 20, age_max: Duration::from_secs(600) }
    }
}

impl Room {
    /// A file gives way to the next when its steps have taken so much.
    pub(super) fn share(self) -> u64 {
        self.bytes_max / 8
    }

    /// The state that a file begins with takes no more than that.
    pub(super) fn start_bytes_max(self) -> u64 {
        self.bytes_max / 4
    }

    /// The steps of a file take no more than that.
    pub(super) fn steps_bytes_max(self) -> u64 {
        self.bytes_max / 2
    }
}

/// The files of one life.
#[derive(Debug)]
pub(super) struct Shelf {
    dir: PathBuf,
    life: Incarnation,
    /// The next file's.
    number: u32,
    /// Bytes that nothing else takes: what there is of the newest file, and a share.
    reserved: u64,
    pub(super) room: Room,
}

impl Shelf {
    /// The files of this life; there are none yet.
    pub(super) fn new(dir: &Path, room: Room, life: Incarnation) -> io::Result<Shelf> {
        fs::create_dir_all(dir)?;
        Ok(Shelf { dir: dir.to_owned(), life, number: 0, reserved: 0, room })
    }

    /// Begins the next file, with these bytes; the oldest ones make room for it, and those that
    /// are too old go anyway.
    pub(super) fn next(&mut self, start: &[u8]) -> io::Result<File> {
        let path = self.dir.join(name(self.life, self.number));
        self.number += 1;
        self.reserved = 0;
        self.reserve(start.len() as u64)?;
        // Whoever is killed here leaves no recording without a start.
        let aside = self.dir.join("life-unborn.tmp");
        let mut file = File::create(&aside)?;
        file.write_all(start)?;
        fs::rename(aside, path)?;
        Ok(file)
    }

    /// Makes sure that the newest file, which has so many bytes, may go on growing.
    pub(super) fn reserve(&mut self, bytes: u64) -> io::Result<()> {
        if bytes < self.reserved {
            return Ok(());
        }
        self.reserved = bytes + self.room.share();
        self.make_room(self.room.bytes_max.saturating_sub(self.reserved))
    }

    /// Deletes the oldest files until the others, but for the newest, are young enough and take
    /// no more than that.
    fn make_room(&self, bytes_max: u64) -> io::Result<()> {
        let newest = name(self.life, self.number - 1);
        // A clock that is set forward makes files older than they are, and back, younger.
        let too_old = SystemTime::now().checked_sub(self.room.age_max);
        let mut files: Vec<(PathBuf, u64, bool)> = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_older =
                |name: &str| name.starts_with("life-") && name.ends_with(".rec") && name != newest;
            if name.to_str().is_some_and(is_older) {
                let file = entry.metadata()?;
                let is_old = too_old.is_some_and(|then| file.modified().is_ok_and(|at| at < then));
                files.push((entry.path(), file.len(), is_old));
            }
        }
        // Names are numbers of one width: by name is by age.
        files.sort();
        let mut taken: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (path, bytes, is_old) in files {
            if is_old || taken > bytes_max {
                fs::remove_file(path)?;
                taken -= bytes;
            }
        }
        Ok(())
    }
}

fn name(life: Incarnation, number: u32) -> String {
    format!("life-{:016x}-{number:08x}.rec", life.0)
}
