//! The story of a run: a sum over all of it, and on request its last lines in words.
//!
//! Every run keeps the sum; the words cost more than the run itself, so they are asked for only
//! when somebody is going to read them. A run is its seed: whoever finds a violation runs the seed
//! again with words.

mod words;

use std::collections::VecDeque;
use std::fmt;
use std::hash::{Hash, Hasher};

use paxos_core::Node;
use paxos_core::effect::{Effect, Input};
use paxos_core::message::Envelope;
use paxos_core::types::{NodeId, StateHasher};

pub use self::words::{EffectWords, InputWords, MessageWords, ValueWords};
use crate::picture::{Fate, Film, What};

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
    /// The last so many lines; and the last so many frames are filmed.
    Filmed(usize, usize),
}

/// The story of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    sum: StateHasher,
    telling: Telling,
    lines: VecDeque<String>,
    film: Option<Film>,
}

impl Story {
    /// A story of these nodes that is told so.
    pub(crate) fn new(telling: Telling, nodes: impl Iterator<Item = NodeId>) -> Story {
        let film = match telling {
            Telling::Filmed(_, frames) => Some(Film::new(nodes, frames)),
            _ => None,
        };
        Story { telling, film, ..Story::default() }
    }

    /// A node is about to step.
    pub(crate) fn steps(&mut self, now: u64, node: NodeId, input: &Input) {
        self.tell(now, format_args!("{}", InputWords(node, input)));
        if let Some(film) = &mut self.film {
            film.steps(now, node, input);
        }
    }

    /// The node has stepped.
    pub(crate) fn stepped<'a>(&mut self, node: &Node, effects: impl Iterator<Item = &'a Effect>) {
        if let Some(film) = &mut self.film {
            film.stepped(node, effects);
        }
    }

    /// A process begins.
    pub(crate) fn starts(&mut self, now: u64, id: NodeId, lives: u32, node: Option<&Node>) {
        self.tell(now, format_args!("{id} starts, incarnation {lives}"));
        if let (Some(film), Some(node)) = (&mut self.film, node) {
            film.starts(now, id, node, format!("{id} starts, incarnation {lives}"));
        }
    }

    /// A process stands still until then.
    pub(crate) fn pauses(&mut self, now: u64, id: NodeId, until: u64) {
        let ms = (until.saturating_sub(now)) / 1_000;
        self.tell(now, format_args!("{id} is paused for {ms}ms"));
        if let Some(film) = &mut self.film {
            film.pauses_until(now, id, until, format!("{id} is paused for {ms}ms"));
        }
    }

    /// Something happens that is no step.
    pub(crate) fn happens(
        &mut self,
        now: u64,
        node: Option<NodeId>,
        what: What,
        words: fmt::Arguments<'_>,
    ) {
        self.tell(now, words);
        if let Some(film) = &mut self.film {
            film.happens(now, node, what, words.to_string());
        }
    }

    /// A message leaves, and this becomes of it.
    pub(crate) fn sends(
        &mut self,
        now: u64,
        to: NodeId,
        envelope: &Envelope,
        fate: Fate,
        is_twin: bool,
    ) {
        if let Some(film) = &mut self.film {
            film.sends(now, to, envelope, fate, is_twin);
        }
    }

    /// A message was under way in vain.
    pub(crate) fn misses(&mut self, now: u64, to: NodeId, envelope: &Envelope, fate: Fate) {
        if let Some(film) = &mut self.film {
            film.misses(now, to, envelope, fate);
        }
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
            Telling::Last(_) | Telling::Filmed(..) | Telling::Aloud => {
                format!("{:>6}.{:03}ms {words}", now / 1_000, now % 1_000)
            }
        };
        match self.telling {
            Telling::Last(most) | Telling::Filmed(most, _) => {
                if self.lines.len() >= most {
                    self.lines.pop_front();
                }
                self.lines.push_back(line);
            }
            _ => println!("{line}"),
        }
    }

    /// The lines told so far, as many as are kept, and the film.
    pub(crate) fn into_parts(self) -> (Vec<String>, Option<Film>) {
        (self.lines.into(), self.film)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut story = Story::new(Telling::Last(2), [].into_iter());
        (0..5).for_each(|i| story.tell(1_000 * i, format_args!("line {i}")));
        assert_eq!(story.into_parts().0, ["     3.000ms line 3", "     4.000ms line 4"]);
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
