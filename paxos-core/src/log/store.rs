//! Storing runs, also where something is known already.

use alloc::vec::Vec;

use super::piece::Piece;
use super::runs::Log;
use crate::types::{Ballot, Run, Slot};

/// Slots whose memory is given back at most when one run is stored, unless it is longer.
const RELEASED_MAX: usize = 1024;

impl Log {
    /// Stores votes at `ballot` for the slots of `run`, but where a vote at that ballot or
    /// a higher one is held, and below the floor. The caller has checked that it goes
    /// back on nothing.
    pub fn vote(&mut self, ballot: Ballot, run: Run) {
        let chosen = false;
        if run.first >= self.end() {
            return self.push(Piece { run, ballot, chosen });
        }
        self.overlay(&run, Piece { run: run.clone(), ballot, chosen }, |piece, run, out| {
            out.push(piece.voted(ballot, run));
        });
    }

    /// Stores values that are chosen, whatever was voted for. What was known to be
    /// chosen stays.
    pub fn learn(&mut self, run: &Run) {
        let fresh = Piece { run: run.clone(), ballot: Ballot::ZERO, chosen: true };
        if run.first >= self.end() {
            self.push(fresh);
        } else {
            self.overlay(run, fresh, |piece, run, out| piece.learned(&run, out));
        }
        self.advance();
    }

    /// Makes room for a piece, in the place of as much that is swept up: so a log takes no
    /// more memory than it took when it was trimmed, and no step is long because of that.
    fn make_room(&mut self, piece: &Piece) {
        self.release(RELEASED_MAX.max(piece.run.len()), piece.bytes());
    }

    /// Adds a piece at the end.
    fn push(&mut self, piece: Piece) {
        if !piece.run.is_empty() {
            self.make_room(&piece);
            self.count(&piece);
            self.pieces.push_back(piece);
        }
    }

    /// Puts `fresh` wherever nothing is known of the slots of `run`, and what `held`
    /// makes of it where something is.
    fn overlay(&mut self, run: &Run, fresh: Piece, held: impl Fn(Piece, Run, &mut Vec<Piece>)) {
        let (from, to) = (run.first.max(self.floor), run.end());
        if from >= to {
            return;
        }
        self.make_room(&fresh);
        self.split_around(from);
        self.split_around(to);
        let (low, high) = (self.seek(from), self.pieces.partition_point(|p| p.first() < to));
        let mut rest = self.pieces.split_off(low);
        let mut after = rest.split_off(high - low);
        let (mut all, mut next) = (Vec::new(), from);
        for piece in rest {
            self.discount(&piece);
            let (first, end) = (piece.first(), piece.end());
            if next < first {
                all.push(fresh.cut(next, first));
            }
            held(piece, run.cut(first, end), &mut all);
            next = end;
        }
        if next < to {
            all.push(fresh.cut(next, to));
        }
        all.iter().for_each(|piece| self.count(piece));
        self.pieces.extend(all);
        self.pieces.append(&mut after);
        let chosen = self.chosen;
        self.behind = self.pieces.partition_point(|piece| piece.end() <= chosen);
    }

    /// Makes sure that no piece lies on both sides of `slot`.
    fn split_around(&mut self, slot: Slot) {
        let at = self.seek(slot);
        if self.pieces.get(at).is_some_and(|piece| piece.first() < slot) {
            self.split(at, slot);
        }
    }

    fn count(&mut self, piece: &Piece) {
        self.bytes += piece.bytes();
        self.configs += piece.run.configs();
    }

    fn discount(&mut self, piece: &Piece) {
        self.bytes -= piece.bytes();
        self.configs -= piece.run.configs();
    }
}
