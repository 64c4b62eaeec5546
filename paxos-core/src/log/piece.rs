//! Slots in a row of which the same is known.

use alloc::vec::Vec;

use crate::types::{Ballot, Run, Slot, Value};

/// What a replica knows about one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cell<'a> {
    /// The ballot of this replica's vote for this value; [`Ballot::ZERO`] if it
    /// never cast one, and has learned the value from a peer.
    pub ballot: Ballot,
    /// Whether the value is known to be chosen. Never unset.
    pub chosen: bool,
    /// The value.
    pub value: &'a Value,
}

/// Slots in a row that share a ballot, and are all known to be chosen or all not.
///
/// Never empty; its ballot is not zero, or it is chosen.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Piece {
    pub(super) run: Run,
    pub(super) ballot: Ballot,
    pub(super) chosen: bool,
}

impl Piece {
    /// What is stored when a vote at `ballot` comes to `run`, the span of this piece:
    /// the higher ballot stays.
    pub(super) fn voted(self, ballot: Ballot, run: Run) -> Piece {
        debug_assert!(!self.chosen || self.run == run, "a vote against a chosen value");
        if self.ballot < ballot { Piece { run, ballot, ..self } } else { self }
    }

    /// What is stored when `run`, the span of this piece, is learned: a vote for
    /// another value lost, and means nothing any more.
    pub(super) fn learned(self, run: &Run, out: &mut Vec<Piece>) {
        if self.chosen {
            return out.push(self);
        }
        if self.run == *run {
            return out.push(Piece { chosen: true, ..self });
        }
        let mut from = 0;
        while from < run.len() {
            let won = self.run[from] == run[from];
            let same = |at: &usize| (self.run[*at] == run[*at]) == won;
            let to = (from..run.len()).take_while(same).count() + from;
            let part = run.cut(run.first.plus(from as u64), run.first.plus(to as u64));
            let ballot = if won { self.ballot } else { Ballot::ZERO };
            out.push(Piece { run: part, ballot, chosen: true });
            from = to;
        }
    }

    /// What lies in `from..to` of this piece.
    pub(super) fn cut(&self, from: Slot, to: Slot) -> Piece {
        Piece { run: self.run.cut(from, to), ..*self }
    }

    pub(super) fn first(&self) -> Slot {
        self.run.first
    }

    pub(super) fn end(&self) -> Slot {
        self.run.end()
    }

    /// Roughly what it holds in memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Piece>() + self.run.len() * size_of::<Value>() + self.run.payload_bytes()
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = (Slot, Cell<'_>)> {
        let (ballot, chosen) = (self.ballot, self.chosen);
        self.run.iter().map(move |(slot, value)| (slot, Cell { ballot, chosen, value }))
    }
}
