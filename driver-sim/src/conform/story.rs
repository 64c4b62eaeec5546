//! What was done in a trial, and how it ends.

use std::collections::VecDeque;
use std::fmt;

/// How something under test breaks its word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach<C = super::Claim> {
    /// What it does not hold to.
    pub claim: C,
    /// The seed of the trial; the same every time.
    pub seed: u64,
    /// What was seen.
    pub why: String,
    /// What was done, oldest first; the end of it, if it is long.
    pub story: Vec<String>,
}

impl<C: fmt::Debug> fmt::Display for Breach<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?} is broken at seed {}: {}", self.claim, self.seed, self.why)?;
        self.story.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

impl<C: fmt::Debug> std::error::Error for Breach<C> {}

/// So much of what was done is told.
const LINES: usize = 40;

/// What was done in one trial.
#[derive(Debug)]
pub(super) struct Story {
    seed: u64,
    lines: VecDeque<String>,
}

impl Story {
    /// Begins the story of a seed.
    pub(super) fn new(seed: u64) -> Story {
        Story { seed, lines: VecDeque::new() }
    }

    /// Goes on.
    pub(super) fn tell(&mut self, line: impl Into<String>) {
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.into());
    }

    /// Goes on if `holds`, and ends in a breach of `claim` otherwise.
    pub(super) fn ensure<C>(&self, holds: bool, claim: C, why: &str) -> Result<(), Box<Breach<C>>> {
        if holds { Ok(()) } else { Err(self.breach(claim, why)) }
    }

    /// Ends.
    pub(super) fn breach<C>(&self, claim: C, why: impl Into<String>) -> Box<Breach<C>> {
        let story = self.lines.iter().cloned().collect();
        Box::new(Breach { claim, seed: self.seed, why: why.into(), story })
    }
}
