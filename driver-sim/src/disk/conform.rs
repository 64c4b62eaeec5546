//! The simulated disk against the suite for logs.

use paxos_core::log::{Batch, Durable};
use paxos_core::types::{Incarnation, NodeId, WriteId};

use super::Disk;
use crate::choice::Choice;
use crate::conform::{Storage, check};

struct Simulated {
    disk: Disk,
    lives: u64,
    last: Option<WriteId>,
    syncs: u64,
    fails: bool,
}

impl Simulated {
    fn new() -> Simulated {
        let disk = Disk::new(NodeId(1), 16 * 512);
        Simulated { disk, lives: 0, last: None, syncs: 0, fails: false }
    }
}

impl Storage for Simulated {
    fn open(&mut self) -> Result<Durable, String> {
        self.lives += 1;
        (self.last, self.fails) = (None, false);
        let found = self.disk.open(Incarnation(self.lives)).map_err(|v| v.to_string())?;
        found.ok_or_else(|| "damaged".to_owned())
    }

    fn append(&mut self, batch: Batch) -> Result<(), String> {
        self.last = Some(batch.id);
        self.disk.write(batch);
        Ok(())
    }

    fn sync(&mut self) -> Result<Option<WriteId>, String> {
        if self.fails {
            return Err("a sync that is meant to fail".to_owned());
        }
        self.syncs += 1;
        while self.disk.sync(self.syncs.is_multiple_of(4)).map_err(|v| v.to_string())? {
            self.disk.synced(self.syncs.is_multiple_of(3)).map_err(|v| v.to_string())?;
        }
        Ok(self.last)
    }

    fn close(&mut self) {
        self.crash(&mut crate::choice::Bytes::new(&[]));
    }

    fn crash(&mut self, choice: &mut dyn Choice) {
        // What waits is on its way when the power fails, or not yet.
        if choice.chance(700_000) {
            self.disk.sync(false).expect("blocks of a batch are short");
        }
        self.disk.crash(&mut &mut *choice).expect("what was written makes sense");
    }

    fn fail_next_sync(&mut self) -> bool {
        self.fails = true;
        true
    }
}

#[test]
fn the_simulated_disk_conforms() {
    let report = check(Simulated::new, 0..300).unwrap_or_else(|breach| panic!("{breach}"));
    assert!(report.survived > 100 && report.lost > 100, "{report:?}");
}
