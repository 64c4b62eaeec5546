//! The log in real files against the suite that any embedder's log can be tried with.
//!
//! Every write goes to the file; until a sync the bytes that it replaced are remembered, so that
//! a loss of power can take any sectors of it back.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard};

use driver_sim::choice::Choice;
use driver_sim::conform::{Storage, check};
use paxos_core::codec::wal::Owner;
use paxos_core::log::{Batch, Durable};
use paxos_core::types::{NodeId, WriteId};
use tempfile::TempDir;

use super::file::{Seam, SegmentFile};
use super::open::open_with;
use super::{Options, Wal};

const SECTOR: usize = 512;

/// What a loss of power may take back: the file, where, and what was there before.
type Unsynced = Vec<(File, u64, Vec<u8>)>;

/// The cache of the one disk under test.
static CACHE: Mutex<Cache> = Mutex::new(Cache { unsynced: Vec::new(), fails: false });

struct Cache {
    unsynced: Unsynced,
    fails: bool,
}

fn cache() -> MutexGuard<'static, Cache> {
    CACHE.lock().expect("no test has panicked with it")
}

/// A file on a disk with a cache.
#[derive(Debug)]
struct Cached(File);

impl SegmentFile for Cached {
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut before = vec![0; bytes.len()];
        // A block longer than its segment makes the file longer.
        let there = self.0.metadata()?.len().saturating_sub(offset).min(bytes.len() as u64);
        self.0.read_exact_at(&mut before[..there as usize], offset)?;
        cache().unsynced.push((self.0.try_clone()?, offset, before));
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        let mut cache = cache();
        if cache.fails {
            return Err(io::Error::other("a sync that is meant to fail"));
        }
        cache.unsynced.clear();
        Ok(())
    }
}

/// The log under test.
struct Real {
    dir: TempDir,
    wal: Option<Wal>,
    waiting: Vec<Batch>,
    last: Option<WriteId>,
    syncs: u32,
}

impl Real {
    fn new() -> Real {
        *cache() = Cache { unsynced: Vec::new(), fails: false };
        let dir = tempfile::tempdir().expect("a directory");
        Real { dir, wal: None, waiting: Vec::new(), last: None, syncs: 0 }
    }

    fn wal(&mut self) -> Result<&mut Wal, String> {
        self.wal.as_mut().ok_or_else(|| "not open".to_owned())
    }
}

impl Storage for Real {
    fn open(&mut self) -> Result<Durable, String> {
        let owner = Owner { cluster: 7, node: NodeId(2) };
        let usual = Options::new(self.dir.path().into(), owner);
        let options = Options { segment_bytes: 32 << 10, sector_bytes: SECTOR as u32, ..usual };
        let seam = Seam { wrap: |file| Box::new(Cached(file)), ..Seam::REAL };
        let opened = open_with(&options, seam).map_err(|error| error.to_string())?;
        // A start syncs what it has found.
        cache().unsynced.clear();
        (self.wal, self.last) = (Some(opened.wal), None);
        Ok(opened.durable)
    }

    fn append(&mut self, batch: Batch) -> Result<(), String> {
        self.waiting.push(batch);
        Ok(())
    }

    fn sync(&mut self) -> Result<Option<WriteId>, String> {
        let batches = std::mem::take(&mut self.waiting);
        let done = self.wal()?.append(&batches);
        done.map_err(|error| error.to_string())?;
        self.last = batches.last().map(|batch| batch.id).or(self.last);
        self.syncs += 1;
        if self.syncs.is_multiple_of(3) {
            self.wal()?.mark().map_err(|error| error.to_string())?;
        }
        Ok(self.last)
    }

    fn close(&mut self) {
        self.wal = None;
        self.waiting.clear();
        cache().fails = false;
    }

    fn crash(&mut self, choice: &mut dyn Choice) {
        cache().fails = true;
        let batches = std::mem::take(&mut self.waiting);
        if let Some(wal) = &mut self.wal {
            // What waits is on its way when the power fails.
            assert!(wal.append(&batches).is_err() || batches.is_empty());
        }
        self.wal = None;
        let mut cache = cache();
        for (file, offset, before) in std::mem::take(&mut cache.unsynced).iter().rev() {
            let mostly = [1, 500_000, 999_000][choice.weighted(&[1, 2, 1])];
            for (index, sector) in before.chunks(SECTOR).enumerate() {
                if choice.chance(mostly) {
                    let at = offset + (index * SECTOR) as u64;
                    file.write_all_at(sector, at).expect("it was written before");
                }
            }
        }
        cache.fails = false;
    }

    fn fail_next_sync(&mut self) -> bool {
        cache().fails = true;
        true
    }
}

#[test]
fn the_log_conforms() {
    let report = check(Real::new, 0..12).unwrap_or_else(|breach| panic!("{breach}"));
    assert!(report.survived > 20 && report.lost > 20 && report.failed > 4, "{report:?}");
}
