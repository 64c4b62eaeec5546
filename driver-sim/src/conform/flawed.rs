//! A log in blocks of bytes, sound or broken on purpose; and the proof that the suite can tell.

use paxos_core::log::{Batch, Durable};
use paxos_core::types::WriteId;

use super::{Claim, Storage, check};
use crate::choice::{Choice, MILLION};

/// What is wrong with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// Acknowledges what still lies in a cache.
    AcksTheCache,
    /// Says that more is durable than was appended.
    AcksTheFuture,
    /// Writes what it finds in its queue from the newest to the oldest.
    Reorders,
    /// Writes records, not batches: a crash may keep half of one.
    SplitsBatches,
    /// A start reads past what a crash has left out.
    SkipsHoles,
    /// A start leaves what is torn where it is, and writes before it.
    LeavesTheTail,
    /// Keeps only the first record of each batch.
    ForgetsRecords,
    /// A start finds what a crash has lost, in the memory of the process before.
    Remembers,
    /// Every second start begins with nothing.
    OpensEmpty,
    /// A start eats the last batch.
    EatsTheLast,
    /// Tries again after a failed sync, and calls that a success.
    Retries,
    /// Refuses what a crash has torn, instead of cutting it.
    RefusesTorn,
}

/// One piece of what lies on the disk: a batch, or a part of one that was torn.
#[derive(Clone, Debug)]
struct Block {
    batch: Batch,
    is_torn: bool,
}

#[derive(Debug)]
struct Flawed {
    flaw: Flaw,
    disk: Vec<Block>,
    cache: Vec<Batch>,
    ghost: Vec<Batch>,
    /// Where the next block goes: behind what the last start could read.
    at: usize,
    last: Option<WriteId>,
    starts: u32,
    fails: bool,
    is_dead: bool,
}

impl Flawed {
    fn new(flaw: Flaw) -> Flawed {
        Flawed {
            flaw,
            disk: Vec::new(),
            cache: Vec::new(),
            ghost: Vec::new(),
            at: 0,
            last: None,
            starts: 0,
            fails: false,
            is_dead: false,
        }
    }

    fn put(&mut self, batch: Batch, is_torn: bool) {
        let mut batch = batch;
        if self.flaw == Flaw::ForgetsRecords {
            batch.records.truncate(1);
        }
        let block = Block { batch, is_torn };
        if self.at < self.disk.len() {
            self.disk[self.at] = block;
        } else {
            self.disk.push(block);
        }
        self.at += 1;
    }
}

impl Storage for Flawed {
    fn open(&mut self) -> Result<Durable, String> {
        self.starts += 1;
        (self.is_dead, self.fails, self.last) = (false, false, None);
        if self.flaw == Flaw::Remembers {
            for batch in std::mem::take(&mut self.ghost) {
                self.put(batch, false);
            }
        }
        if self.flaw == Flaw::EatsTheLast {
            self.disk.pop();
        }
        if self.flaw == Flaw::RefusesTorn && self.disk.iter().any(|block| block.is_torn) {
            return Err("damaged".into());
        }
        let whole = self.disk.iter().take_while(|block| !block.is_torn).count();
        match self.flaw {
            Flaw::SkipsHoles => self.disk.retain(|block| !block.is_torn),
            // What lies behind the tear comes back when the tear is written over.
            Flaw::LeavesTheTail => {}
            _ => self.disk.truncate(whole),
        }
        self.at = if self.flaw == Flaw::SkipsHoles { self.disk.len() } else { whole };
        let mut found = Durable::default();
        if self.flaw == Flaw::OpensEmpty && self.starts.is_multiple_of(2) {
            return Ok(found);
        }
        for record in self.disk[..self.at].iter().flat_map(|block| &block.batch.records) {
            found.replay(record.clone()).map_err(|e| e.to_string())?;
        }
        Ok(found)
    }

    fn append(&mut self, batch: Batch) -> Result<(), String> {
        self.cache.push(batch);
        Ok(())
    }

    fn sync(&mut self) -> Result<Option<WriteId>, String> {
        if std::mem::take(&mut self.fails) {
            self.is_dead = self.flaw != Flaw::Retries;
            return Err("the disk says no".into());
        }
        if self.is_dead {
            return Err("the disk has said no".into());
        }
        self.last = self.cache.last().map(|batch| batch.id).or(self.last);
        match self.flaw {
            Flaw::AcksTheCache => return Ok(self.last),
            Flaw::AcksTheFuture => self.last = self.last.map(|id| WriteId(id.0 + 1)),
            Flaw::Reorders => self.cache.reverse(),
            _ => {}
        }
        for batch in std::mem::take(&mut self.cache) {
            self.put(batch, false);
        }
        Ok(self.last)
    }

    fn close(&mut self) {
        self.cache.clear();
    }

    fn crash(&mut self, choice: &mut dyn Choice) {
        let cache = std::mem::take(&mut self.cache);
        self.ghost.clone_from(&cache);
        for batch in cache {
            if self.flaw == Flaw::SplitsBatches && batch.records.len() > 1 {
                let mut half = batch;
                half.records.truncate(1);
                self.put(half, false);
                return;
            }
            self.put(batch, choice.chance(MILLION / 3));
        }
    }

    fn fail_next_sync(&mut self) -> bool {
        self.fails = true;
        true
    }
}

#[test]
fn a_sound_log_passes() {
    let report =
        check(|| Flawed::new(Flaw::None), 0..200).unwrap_or_else(|breach| panic!("{breach}"));
    assert!(report.survived > 100 && report.lost > 100 && report.failed > 100, "{report:?}");
    assert!(report.syncs > 1_000 && report.crashes > 500, "{report:?}");
}

#[test]
fn every_flaw_is_found_and_called_by_its_name() {
    use Claim::{Acknowledged, Durable, Halted, Opens, Prefix, Stable};
    let flaws: [(Flaw, &[Claim]); 12] = [
        (Flaw::AcksTheCache, &[Durable]),
        (Flaw::AcksTheFuture, &[Acknowledged]),
        (Flaw::Reorders, &[Prefix, Opens]),
        (Flaw::SplitsBatches, &[Prefix]),
        (Flaw::SkipsHoles, &[Prefix, Opens]),
        (Flaw::LeavesTheTail, &[Prefix, Opens]),
        (Flaw::ForgetsRecords, &[Prefix, Durable]),
        (Flaw::Remembers, &[Prefix, Stable, Opens]),
        (Flaw::OpensEmpty, &[Durable, Stable]),
        (Flaw::EatsTheLast, &[Durable, Prefix, Stable]),
        (Flaw::Retries, &[Halted]),
        (Flaw::RefusesTorn, &[Opens]),
    ];
    for (flaw, claims) in flaws {
        let breach = check(|| Flawed::new(flaw), 0..100).expect_err("it is broken");
        assert!(claims.contains(&breach.claim), "{flaw:?}: {breach}");
    }
}

#[test]
fn a_breach_tells_its_story() {
    let breach = check(|| Flawed::new(Flaw::AcksTheCache), 0..100).expect_err("it is broken");
    let again = check(|| Flawed::new(Flaw::AcksTheCache), breach.seed..breach.seed + 1);
    assert_eq!(again, Err(breach.clone()), "the seed is enough");
    assert!(breach.story.iter().any(|line| line.starts_with("sync")));
    assert!(breach.to_string().lines().count() > 3);
}
