//! The post office: letters under way, and some old ones to deliver again.

use paxos_core::message::Envelope;

use crate::world::Stamp;

/// A message on its way; a broadcast is one letter with several copies.
#[derive(Clone, Debug)]
struct Letter {
    envelope: Envelope,
    stamp: Stamp,
    copies: u8,
}

/// An old letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Old {
    /// Its receiver.
    pub(crate) to: u8,
    /// In which version it was spelled.
    pub(crate) version: u8,
    /// What it says.
    pub(crate) envelope: Envelope,
}

/// Letters by number, with the numbers used again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Post {
    letters: Vec<Option<Letter>>,
    free: Vec<u32>,
    /// Old letters, a ring.
    past: Vec<Old>,
    turn: usize,
}

impl Post {
    /// How many old letters are kept.
    const PAST_MAX: usize = 64;

    /// Takes a message in for `copies` deliveries; returns its number.
    pub(crate) fn put(&mut self, envelope: Envelope, stamp: Stamp, copies: u8) -> u32 {
        let letter = Some(Letter { envelope, stamp, copies });
        if let Some(number) = self.free.pop() {
            self.letters[number as usize] = letter;
            return number;
        }
        self.letters.push(letter);
        self.letters.len() as u32 - 1
    }

    /// Hands out one copy; none if all are out, which the caller never asks for.
    pub(crate) fn take(&mut self, number: u32) -> Option<(Envelope, Stamp)> {
        let place = self.letters.get_mut(number as usize)?;
        let letter = place.as_mut()?;
        letter.copies -= 1;
        if letter.copies > 0 {
            return Some((letter.envelope.clone(), letter.stamp));
        }
        self.free.push(number);
        place.take().map(|letter| (letter.envelope, letter.stamp))
    }

    /// Keeps a copy to deliver again some day.
    pub(crate) fn keep(&mut self, old: Old) {
        if self.past.len() < Self::PAST_MAX {
            self.past.push(old);
        } else {
            self.past[self.turn % Self::PAST_MAX] = old;
            self.turn += 1;
        }
    }

    /// How many old letters there are.
    pub(crate) fn kept(&self) -> usize {
        self.past.len()
    }

    /// One of them.
    pub(crate) fn old(&self, index: usize) -> Option<Old> {
        self.past.get(index).cloned()
    }
}

#[cfg(test)]
mod tests {
    use paxos_core::message::Probe;
    use paxos_core::types::{Ballot, GroupId, NodeId};

    use super::*;

    fn probe(round: u64) -> Envelope {
        let message =
            Probe { ballot: Ballot::new(round, NodeId(1)), chosen: paxos_core::types::Slot::FIRST }
                .into();
        Envelope { group: GroupId(0), from: NodeId(1), disk: 0, message }
    }

    #[test]
    fn numbers_are_used_again_after_the_last_copy() {
        let mut post = Post::default();
        let first = post.put(probe(1), Stamp::default(), 2);
        assert_eq!(post.take(first), Some((probe(1), Stamp::default())));
        assert_ne!(post.put(probe(2), Stamp::default(), 1), first);
        assert_eq!(post.take(first), Some((probe(1), Stamp::default())));
        assert_eq!(post.put(probe(3), Stamp::default(), 1), first);
    }

    #[test]
    fn the_past_is_bounded() {
        let mut post = Post::default();
        (0..1_000).for_each(|round| post.keep(Old { to: 0, version: 0, envelope: probe(round) }));
        assert_eq!(post.kept(), Post::PAST_MAX);
    }
}
