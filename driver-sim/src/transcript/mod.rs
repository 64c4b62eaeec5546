//! The story of a run: a sum over all of it, and on request its last lines in words.
//!
//! Every run keeps the sum; the words cost more than the run itself, so they are asked for only
//! when somebody is going to read them. A run is its seed: whoever finds a violation runs the seed
//! again with words.

mod words;

use std::collections::VecDeque;
use std::fmt;
use std::hash::{Hash, Hasher};

use paxos_core::types::StateHasher;

pub(crate) use self::words::{EffectWords, InputWords};

/// How much of a run is put into words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Telling {
    /// Nothing.
    #[default]
    Silent,
    /// The last so many lines.
    Last(usize),
    /// Everything, to standard output, as it happens.
    Aloud,
}

/// The story of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    sum: StateHasher,
    telling: Telling,
    lines: VecDeque<String>,
}

impl Story {
    /// A story that is told so.
    pub(crate) fn new(telling: Telling) -> Story {
        Story { telling, ..Story::default() }
    }

    /// Folds something into the sum.
    pub(crate) fn note(&mut self, what: &impl Hash) {
        what.hash(&mut self.sum);
    }

    /// The sum so far: the same for the same seed, on every machine.
    pub(crate) fn sum(&self) -> u64 {
        self.sum.finish()
    }

    /// Tells a line, if anyone listens.
    pub(crate) fn tell(&mut self, now: u64, words: fmt::Arguments<'_>) {
        let line = match self.telling {
            Telling::Silent => return,
            Telling::Last(_) | Telling::Aloud => {
                format!("{:>6}.{:03}ms {words}", now / 1_000, now % 1_000)
            }
        };
        match self.telling {
            Telling::Last(most) => {
                if self.lines.len() >= most {
                    self.lines.pop_front();
                }
                self.lines.push_back(line);
            }
            _ => println!("{line}"),
        }
    }

    /// The lines told so far, as many as are kept.
    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut story = Story::new(Telling::Last(2));
        (0..5).for_each(|i| story.tell(1_000 * i, format_args!("line {i}")));
        assert_eq!(story.into_lines(), ["     3.000ms line 3", "     4.000ms line 4"]);
    }

    #[test]
    fn the_sum_knows_the_order() {
        let sum = |words: [u64; 2]| {
            let mut story = Story::default();
            words.iter().for_each(|word| story.note(word));
            story.sum()
        };
        assert_eq!(sum([1, 2]), sum([1, 2]));
        assert_ne!(sum([1, 2]), sum([2, 1]));
    }
}
