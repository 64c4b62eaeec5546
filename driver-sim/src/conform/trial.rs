//! One life after another of one log.

use std::collections::VecDeque;

use paxos_core::log::{Batch, Durable};

use super::author::Author;
use super::story::Story;
use super::{Breach, Claim, Report, Storage};
use crate::choice::{Choice, Seeded};

/// So many lives has a log, and so many events a life at most.
const LIVES: u32 = 8;
const EVENTS: u32 = 24;

/// A log, and all that it must hold.
struct Trial<'a, S> {
    log: &'a mut S,
    report: &'a mut Report,
    choice: Seeded,
    author: Author,
    /// What the batches say that must be found.
    durable: Durable,
    /// What may be found besides, in this order.
    open: VecDeque<Batch>,
    story: Story,
}

/// Tries one log.
pub(super) fn run<S: Storage>(
    log: &mut S,
    seed: u64,
    report: &mut Report,
) -> Result<(), Box<Breach>> {
    let mut choice = Seeded::new(seed);
    let author = Author::new(choice.fork());
    let (durable, open, story) = (Durable::default(), VecDeque::new(), Story::new(seed));
    let mut trial = Trial { log, report, choice, author, durable, open, story };
    for _ in 0..LIVES {
        trial.start()?;
        trial.live()?;
    }
    trial.start()
}

impl<S: Storage> Trial<'_, S> {
    /// A start, perhaps two at once; what is found is what counts from now on.
    fn start(&mut self) -> Result<(), Box<Breach>> {
        let found = self.open()?;
        self.settle(found)?;
        if self.choice.chance(200_000) {
            self.end();
            let again = self.open()?;
            self.story.ensure(
                again == self.durable,
                Claim::Stable,
                "a second start finds other things",
            )?;
        }
        self.author.goes_on(&self.durable);
        Ok(())
    }

    fn open(&mut self) -> Result<Durable, Box<Breach>> {
        self.report.starts += 1;
        self.story.tell("open");
        self.log.open().map_err(|why| self.story.breach(Claim::Opens, why))
    }

    /// Finds how many of the batches that may be there are there.
    fn settle(&mut self, found: Durable) -> Result<(), Box<Breach>> {
        let mut said = self.durable.clone();
        let mut survived = (found == said).then(|| (0, said.clone()));
        for (index, batch) in self.open.iter().enumerate() {
            for record in &batch.records {
                said.replay(record.clone()).expect("written to fit");
            }
            if found == said {
                survived = Some((index + 1, said.clone()));
            }
        }
        let Some((count, said)) = survived else {
            let lost = lacks(&found, &self.durable);
            let claim = if lost { Claim::Durable } else { Claim::Prefix };
            return Err(self
                .story
                .breach(claim, "what is found is no prefix of what was appended"));
        };
        self.report.survived += count as u64;
        self.report.lost += (self.open.len() - count) as u64;
        self.story.tell(format!("found, with {count} of {} open batches", self.open.len()));
        (self.durable, self.open) = (said, VecDeque::new());
        Ok(())
    }

    fn live(&mut self) -> Result<(), Box<Breach>> {
        for _ in 0..self.choice.below(EVENTS + 1) {
            match self.choice.weighted(&[6, 4, 1]) {
                0 => self.append()?,
                1 => self.sync()?,
                _ if self.log.fail_next_sync() => {
                    self.fail()?;
                    break;
                }
                _ => {}
            }
        }
        self.end();
        Ok(())
    }

    fn append(&mut self) -> Result<(), Box<Breach>> {
        let batch = self.author.write();
        self.story.tell(format!("append {:?}: {} records", batch.id, batch.records.len()));
        self.open.push_back(batch.clone());
        self.report.batches += 1;
        self.log.append(batch).map_err(|why| self.story.breach(Claim::Opens, why))
    }

    fn sync(&mut self) -> Result<(), Box<Breach>> {
        let told = self.log.sync().map_err(|why| self.story.breach(Claim::Opens, why))?;
        self.story.tell(format!("sync: {told:?}"));
        let last = self.open.back().map(|batch| batch.id);
        if last.is_some() {
            self.story.ensure(told == last, Claim::Acknowledged, "not what was appended last")?;
        }
        for record in self.open.drain(..).flat_map(|batch| batch.records) {
            self.durable.replay(record).expect("written to fit");
        }
        self.report.syncs += 1;
        Ok(())
    }

    /// A sync that fails, and whatever is tried after it.
    fn fail(&mut self) -> Result<(), Box<Breach>> {
        self.append()?;
        self.report.failed += 1;
        for _ in 0..3 {
            let told = self.log.sync();
            self.story.tell(format!("sync, which cannot succeed: {told:?}"));
            self.story.ensure(told.is_err(), Claim::Halted, "acknowledged after a failure")?;
            let batch = self.author.write();
            if self.log.append(batch.clone()).is_ok() {
                self.open.push_back(batch);
            }
        }
        Ok(())
    }

    fn end(&mut self) {
        if self.choice.chance(700_000) {
            self.story.tell("crash");
            self.report.crashes += 1;
            self.log.crash(&mut self.choice);
        } else {
            self.story.tell("close");
            self.log.close();
        }
    }
}

/// Whether something that must be there surely is not: a promise, or the end of a log.
fn lacks(found: &Durable, durable: &Durable) -> bool {
    durable.groups().any(|(id, must)| {
        found.group(id).is_none_or(|is| {
            is.promised() < must.promised()
                || is.log().end() < must.log().end()
                || is.log().chosen() < must.log().chosen()
        })
    })
}
