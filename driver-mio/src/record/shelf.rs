//! The files of a recording, by name, and which of them have to go.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use paxos_core::types::Incarnation;

/// How much a recorder may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes of all files together; some more while one gives way to the next.
    pub bytes_max: u64,
}

impl Default for Room {
    fn default() -> Room {
        Room { bytes_max: 512 << 20 }
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

    /// One file takes no more than that; nor do all others.
    pub(super) fn half(self) -> u64 {
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
    pub(super) room: Room,
}

impl Shelf {
    /// The files of this life; there are none yet.
    pub(super) fn new(dir: &Path, room: Room, life: Incarnation) -> io::Result<Shelf> {
        fs::create_dir_all(dir)?;
        Ok(Shelf { dir: dir.to_owned(), life, number: 0, room })
    }

    /// Begins the next file; the oldest ones make room for it.
    pub(super) fn next(&mut self) -> io::Result<File> {
        self.make_room()?;
        let file = File::create(self.dir.join(name(self.life, self.number)))?;
        self.number += 1;
        Ok(file)
    }

    /// Deletes the oldest files until the others take no more than half of the room.
    fn make_room(&self) -> io::Result<()> {
        let mut files: Vec<(PathBuf, u64)> = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| name.starts_with("life-") && name.ends_with(".rec"))
            {
                files.push((entry.path(), entry.metadata()?.len()));
            }
        }
        // Names are numbers of one width: by name is by age.
        files.sort();
        let mut taken: u64 = files.iter().map(|(_, bytes)| bytes).sum();
        for (path, bytes) in files {
            if taken <= self.room.half() {
                break;
            }
            fs::remove_file(path)?;
            taken -= bytes;
        }
        Ok(())
    }
}

pub(super) fn name(life: Incarnation, number: u32) -> String {
    format!("life-{:016x}-{number:08x}.rec", life.0)
}
