//! The log in memory: the runs that were voted for or learned, as they came.
//!
//! What happens to a run happens to all its slots at once, so it is stored, chosen,
//! delivered and forgotten in one go, and its values stay where they came from.
//! Only where runs overlap are they cut: see [`store`](super::store).

use alloc::collections::VecDeque;
use core::hash::{Hash, Hasher};

use super::Cell;
use super::piece::Piece;
use crate::types::{Ballot, Run, Slot, Value};

/// What is known of one group's slots from the floor on.
///
/// Invariants: all slots below `chosen` are chosen, the one at `chosen` is not;
/// nothing is said of slots below `floor` or above `end`; `floor <= chosen`. What may
/// be stored where is the caller's decision: the acceptor's for votes, the learner's
/// for chosen values.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Log {
    /// Ascending, without overlap. Those that end at or below the floor are forgotten
    /// and only wait for [`sweep`](Log::sweep) and [`release`](Log::release).
    pub(super) pieces: VecDeque<Piece>,
    /// How many pieces, the first, are swept up: they count for nothing any more.
    pub(super) swept: usize,
    /// Whatever ends at or below this slot is swept up.
    pub(super) swept_below: Slot,
    pub(super) floor: Slot,
    pub(super) chosen: Slot,
    /// How many pieces end at or below the chosen frontier. No piece lies on both
    /// sides of it.
    pub(super) behind: usize,
    /// What all pieces hold but those that are swept up.
    pub(super) bytes: usize,
    /// How many slots of them change the membership.
    pub(super) configs: usize,
}

impl Default for Log {
    fn default() -> Log {
        let (floor, chosen) = (Slot::FIRST, Slot::FIRST);
        let pieces = VecDeque::new();
        let (swept, swept_below) = (0, floor);
        Log { pieces, swept, swept_below, floor, chosen, behind: 0, bytes: 0, configs: 0 }
    }
}

impl Log {
    /// The first slot that is still held.
    pub fn floor(&self) -> Slot {
        self.floor
    }

    /// The chosen frontier: all slots below are known to be chosen.
    pub fn chosen(&self) -> Slot {
        self.chosen
    }

    /// The slot after the last that anything is known of.
    pub fn end(&self) -> Slot {
        self.pieces.back().map_or(self.floor, |last| last.end().max(self.floor))
    }

    /// Roughly what the log holds in memory, in bytes; but for what is swept up.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether no slot that is held changes the membership.
    pub fn is_without_configs(&self) -> bool {
        self.configs == 0
    }

    /// What is known of `slot`; none where nothing was ever stored.
    pub fn get(&self, slot: Slot) -> Option<Cell<'_>> {
        let Piece { run, ballot, chosen } = self.piece(slot)?;
        let value = &run[slot.since(run.first) as usize];
        Some(Cell { ballot: *ballot, chosen: *chosen, value })
    }

    /// Slots from the first held one from `from` on, ascending, with what is known of
    /// each.
    pub fn iter(&self, from: Slot) -> impl Iterator<Item = (Slot, Cell<'_>)> {
        let from = from.max(self.floor);
        let pieces = self.pieces.range(self.seek(from)..);
        pieces.flat_map(Piece::cells).skip_while(move |(slot, _)| *slot < from)
    }

    /// Marks votes of `ballot` in `from..to` as chosen.
    #[inline]
    pub fn choose(&mut self, ballot: Ballot, from: Slot, to: Slot) {
        let from = from.max(self.chosen);
        if from < to {
            self.choose_open(ballot, from, to);
        }
    }

    /// The same, where nothing of `from..to` lies below the chosen frontier.
    fn choose_open(&mut self, ballot: Ballot, from: Slot, to: Slot) {
        let mut at =
            if from == self.chosen { self.choose_next(ballot, to) } else { self.search(from) };
        while let Some(piece) = self.pieces.get_mut(at)
            && piece.first() < to
        {
            if piece.ballot == ballot && !piece.chosen {
                if from <= piece.first() && piece.end() <= to {
                    piece.chosen = true;
                } else {
                    at = self.choose_part(at, from, to);
                }
            }
            at += 1;
        }
        self.advance();
    }

    /// Moves the chosen frontier over whole pieces that end at or below `to`, and says which
    /// piece is the next: mostly there is one, and it is all that is to be marked.
    fn choose_next(&mut self, ballot: Ballot, to: Slot) -> usize {
        while let Some(piece) = self.pieces.get_mut(self.behind)
            && piece.run.first == self.chosen
            && (piece.chosen || piece.ballot == ballot)
            && piece.run.end() <= to
        {
            piece.chosen = true;
            self.chosen = piece.run.end();
            self.behind += 1;
        }
        self.behind
    }

    /// Marks what lies in `from..to` of the piece at `at`, and says where that is now.
    #[cold]
    fn choose_part(&mut self, mut at: usize, from: Slot, to: Slot) -> usize {
        if self.pieces[at].first() < from {
            self.split(at, from);
            at += 1;
        }
        if to < self.pieces[at].end() {
            self.split(at, to);
        }
        self.pieces[at].chosen = true;
        at
    }

    /// Forgets everything below `below`; what lies there is chosen from now on, as a
    /// checkpoint knows. The memory goes with [`sweep`](Log::sweep) and
    /// [`release`](Log::release).
    pub fn trim(&mut self, below: Slot) {
        if below <= self.floor {
            return;
        }
        let at = self.seek(below);
        if self.pieces.get(at).is_some_and(|piece| piece.first() < below) {
            self.split(at, below);
        }
        self.floor = below;
        if below > self.chosen {
            self.chosen = below;
            self.behind = self.pieces.partition_point(|piece| piece.end() <= below);
        }
        self.advance();
    }

    /// Whether there are forgotten slots that still count.
    pub fn has_forgotten(&self) -> bool {
        self.swept_below < self.floor
    }

    /// Counts forgotten slots no more, about `slots` of them.
    pub fn sweep(&mut self, slots: usize) {
        let mut swept = 0;
        while let Some(piece) = self.pieces.get(self.swept)
            && piece.end() <= self.floor
        {
            if swept >= slots {
                return;
            }
            self.swept += 1;
            self.bytes -= piece.bytes();
            self.configs -= piece.run.configs();
            swept += piece.run.len();
        }
        self.swept_below = self.floor;
    }

    /// Gives the memory of what is swept up back, of about `slots` slots or `bytes` bytes.
    pub fn release(&mut self, mut slots: usize, mut bytes: usize) {
        while slots > 0
            && bytes > 0
            && self.swept > 0
            && let Some(piece) = self.pieces.front()
        {
            slots = slots.saturating_sub(piece.run.len());
            bytes = bytes.saturating_sub(piece.bytes());
            self.swept -= 1;
            self.behind -= 1;
            self.pieces.pop_front();
        }
    }

    /// Chosen values from `from` on that were stored together; none if there are none.
    /// Copies nothing.
    pub fn chosen_piece(&self, from: Slot) -> Option<Run> {
        let piece = self.piece(from).filter(|_| from < self.chosen)?;
        Some(if piece.first() == from {
            piece.run.clone()
        } else {
            piece.run.cut(from, piece.end())
        })
    }

    /// Chosen values from `from` on, at most `slots` of them and about `bytes`,
    /// but at least one if there is one.
    pub fn chosen_run(&self, from: Slot, slots: usize, bytes: usize) -> Run {
        let below = self.chosen;
        let held = from >= self.floor;
        let chosen = || self.iter(from).take_while(|(slot, _)| held && *slot < below);
        let mut weight = 0;
        let fits = |cell: &(Slot, Cell<'_>)| {
            weight += cell.1.value.weight();
            weight <= bytes
        };
        let most = chosen().take(slots).take_while(fits).count();
        let count = most.max(usize::from(slots > 0 && chosen().next().is_some()));
        match self.chosen_piece(from) {
            Some(one) if count <= one.len() => one.cut(from, from.plus(count as u64)),
            _ => Run::collect(from, chosen().take(count).map(|(_, cell)| cell.value.clone())),
        }
    }

    /// How far down the log may begin so that at most `slots` slots below `below`,
    /// and about `bytes` bytes, are kept.
    pub fn floor_keeping(&self, below: Slot, slots: u64, bytes: usize) -> Slot {
        let lowest = self.floor.max(Slot(below.0.saturating_sub(slots)));
        let mut floor = below;
        let mut left = bytes;
        let count = self.pieces.partition_point(|piece| piece.first() < below);
        let pieces = self.pieces.range(..count).rev();
        for piece in pieces.take_while(|piece| piece.end() > lowest) {
            left = left.saturating_sub(size_of::<Piece>());
            for (slot, value) in piece.run.iter().rev().skip_while(|(slot, _)| *slot >= below) {
                let weight = size_of::<Value>() + value.payload_len();
                if weight > left || floor <= lowest {
                    return floor;
                }
                left -= weight;
                floor = slot;
            }
        }
        floor
    }

    /// The piece that `slot` lies in.
    fn piece(&self, slot: Slot) -> Option<&Piece> {
        if slot < self.floor {
            return None;
        }
        self.pieces.get(self.seek(slot)).filter(|piece| piece.first() <= slot)
    }

    /// The place of the first piece that ends above `slot`.
    ///
    /// Most questions are about the end of the log or about its chosen frontier: they
    /// are answered without a search.
    #[inline]
    pub(super) fn seek(&self, slot: Slot) -> usize {
        if slot == self.chosen { self.behind } else { self.search(slot) }
    }

    fn search(&self, slot: Slot) -> usize {
        // Where anything is held below the frontier, the last piece behind it ends at it.
        if slot < self.chosen
            && let Some(last) = self.behind.checked_sub(1)
            && self.pieces[last].first() <= slot
        {
            return last;
        }
        if self.pieces.back().is_none_or(|last| last.end() <= slot) {
            return self.pieces.len();
        }
        let (mut low, mut high) = (self.behind, self.pieces.len());
        if slot < self.chosen {
            // A little behind, then further and further.
            let mut step = 1;
            high = self.behind;
            low = high.saturating_sub(step);
            while low > 0 && self.pieces[low].first() > slot {
                step *= 2;
                high = low;
                low = low.saturating_sub(step);
            }
        } else if self.pieces.get(low).is_some_and(|piece| piece.end() > slot) {
            return low;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if self.pieces[middle].end() <= slot { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Cuts the piece at `at` in two at `slot`, which lies inside.
    pub(super) fn split(&mut self, at: usize, slot: Slot) {
        let piece = &self.pieces[at];
        let (first, end) = (piece.first(), piece.end());
        debug_assert!(first < slot && slot < end, "a cut inside");
        let rest = piece.cut(slot, end);
        self.pieces[at] = piece.cut(first, slot);
        self.pieces.insert(at + 1, rest);
        self.bytes += size_of::<Piece>();
        self.behind += usize::from(at < self.behind);
    }

    pub(super) fn advance(&mut self) {
        while let Some(piece) = self.pieces.get(self.behind)
            && piece.chosen
            && piece.first() == self.chosen
        {
            self.chosen = piece.end();
            self.behind += 1;
        }
    }
}

/// Two logs are equal if the same is known of every slot, however it came.
impl PartialEq for Log {
    fn eq(&self, other: &Log) -> bool {
        (self.floor, self.chosen, self.end()) == (other.floor, other.chosen, other.end())
            && self.iter(self.floor).eq(other.iter(other.floor))
    }
}

impl Eq for Log {}

impl Hash for Log {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.floor, self.chosen, self.end()).hash(state);
        self.iter(self.floor).for_each(|cell| cell.hash(state));
    }
}

#[cfg(test)]
mod tests;
