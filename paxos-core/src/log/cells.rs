//! One cell a slot: this replica's vote there, and whether it is chosen.

use alloc::collections::VecDeque;

use crate::types::{Ballot, Run, Slot, Value};

/// What a replica knows about one slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Cell {
    /// The ballot of this replica's vote for this value; [`Ballot::ZERO`] if it
    /// never cast one, and has learned the value from a peer.
    pub ballot: Ballot,
    /// Whether the value is known to be chosen. Never unset.
    pub chosen: bool,
    /// The value; means something only if `ballot` is not zero or `chosen` is set.
    pub value: Value,
}

impl Cell {
    /// Whether this cell says nothing.
    pub fn is_empty(&self) -> bool {
        self.ballot == Ballot::ZERO && !self.chosen
    }
}

/// The cells of one group from the floor on.
///
/// Invariants: every cell below `chosen` is chosen, the one at `chosen` is not;
/// no cell below `floor` or above `end`; `floor <= chosen`. What may be stored where is the caller's decision: the
/// acceptor's for votes, the learner's for chosen values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Log {
    cells: VecDeque<Cell>,
    floor: Slot,
    chosen: Slot,
    /// What the payloads weigh.
    payload_bytes: usize,
}

impl Default for Log {
    fn default() -> Log {
        Log { cells: VecDeque::new(), floor: Slot::FIRST, chosen: Slot::FIRST, payload_bytes: 0 }
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

    /// The slot after the last cell.
    pub fn end(&self) -> Slot {
        self.floor().plus(self.cells.len() as u64)
    }

    /// Roughly what the log holds in memory, in bytes.
    pub fn bytes(&self) -> usize {
        self.payload_bytes + self.cells.len() * size_of::<Cell>()
    }

    /// The cell at `slot`; none where nothing was ever stored.
    pub fn get(&self, slot: Slot) -> Option<&Cell> {
        let index = usize::try_from(slot.0.checked_sub(self.floor().0)?).ok()?;
        self.cells.get(index).filter(|c| !c.is_empty())
    }

    /// Stores a vote. The caller has checked that it goes back on nothing.
    pub fn vote(&mut self, slot: Slot, ballot: Ballot, value: Value) {
        let cell = self.cell_mut(slot);
        debug_assert!(!cell.chosen || cell.value == value, "a vote against a chosen value");
        debug_assert!(ballot > cell.ballot, "a vote below an earlier one");
        cell.ballot = ballot;
        let (old, new) = (cell.value.payload_len(), value.payload_len());
        cell.value = value;
        self.payload_bytes = self.payload_bytes + new - old;
    }

    /// Stores a value that is chosen, whatever was voted for.
    pub fn learn(&mut self, slot: Slot, value: Value) {
        let cell = self.cell_mut(slot);
        if cell.chosen {
            return;
        }
        // A vote for another value lost, and means nothing any more.
        let ballot = if cell.value == value { cell.ballot } else { Ballot::ZERO };
        let (old, new) = (cell.value.payload_len(), value.payload_len());
        *cell = Cell { ballot, chosen: true, value };
        self.payload_bytes = self.payload_bytes + new - old;
        self.advance();
    }

    /// Marks the value voted for at `slot` as chosen; says whether that is news.
    pub fn choose(&mut self, slot: Slot) -> bool {
        let cell = self.cell_mut(slot);
        debug_assert!(!cell.is_empty(), "a chosen slot without a value");
        if cell.chosen {
            return false;
        }
        cell.chosen = true;
        self.advance();
        true
    }

    /// Forgets everything below `below`; what lies there is chosen from now on, as a
    /// checkpoint knows.
    pub fn trim(&mut self, below: Slot) {
        while self.floor < below {
            let Some(cell) = self.cells.pop_front() else {
                self.floor = below;
                break;
            };
            self.payload_bytes -= cell.value.payload_len();
            self.floor = self.floor.next();
        }
        self.chosen = self.chosen.max(self.floor);
        self.advance();
    }

    /// Chosen values from `from` on, at most `slots` of them and about `bytes`,
    /// but at least one if there is one.
    pub fn chosen_run(&self, from: Slot, slots: usize, bytes: usize) -> Run {
        let mut weight = 0;
        let mut count = 0;
        while count < slots {
            let slot = from.plus(count as u64);
            let Some(cell) = self.get(slot).filter(|_| slot < self.chosen) else { break };
            weight += cell.value.weight();
            if weight > bytes && count > 0 {
                break;
            }
            count += 1;
        }
        let values = (0..count).filter_map(|i| self.get(from.plus(i as u64)));
        Run::collect(from, values.map(|c| c.value.clone()))
    }

    /// How far down the log may begin so that at most `slots` slots below `below`,
    /// and about `bytes` bytes, are kept.
    pub fn floor_keeping(&self, below: Slot, slots: u64, bytes: usize) -> Slot {
        let lowest = self.floor.max(Slot(below.0.saturating_sub(slots)));
        let mut floor = below;
        let mut weight = 0;
        while floor > lowest {
            let slot = Slot(floor.0 - 1);
            weight += size_of::<Cell>() + self.get(slot).map_or(0, |c| c.value.payload_len());
            if weight > bytes {
                break;
            }
            floor = slot;
        }
        floor
    }

    fn cell_mut(&mut self, slot: Slot) -> &mut Cell {
        debug_assert!(slot >= self.floor(), "a slot below the floor");
        let index = slot.since(self.floor()) as usize;
        if index >= self.cells.len() {
            self.cells.resize_with(index + 1, Cell::default);
        }
        &mut self.cells[index]
    }

    fn advance(&mut self) {
        while self.get(self.chosen).is_some_and(|c| c.chosen) {
            self.chosen = self.chosen.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Command, NodeId};
    use bytes::Bytes;

    fn value(payload: &'static str) -> Value {
        Value::Command(Command::plain(Bytes::from_static(payload.as_bytes())))
    }

    const VOTE: Ballot = Ballot::new(2, NodeId(1));

    #[test]
    fn a_learned_value_forgets_the_vote_that_lost_and_keeps_the_one_that_won() {
        for (learned, ballot) in [("mine", VOTE), ("other", Ballot::ZERO)] {
            let mut log = Log::default();
            log.vote(Slot(1), VOTE, value("mine"));
            log.learn(Slot(1), value(learned));
            let cell = log.get(Slot(1)).expect("learned");
            assert_eq!((cell.ballot, &cell.value), (ballot, &value(learned)));
            log.learn(Slot(1), value("too late"));
            assert_eq!(log.get(Slot(1)).map(|c| &c.value), Some(&value(learned)));
        }
    }

    #[test]
    fn the_frontier_stops_at_the_first_hole() {
        let mut log = Log::default();
        log.learn(Slot(3), value("c"));
        log.learn(Slot(1), value("a"));
        assert_eq!((log.chosen(), log.end()), (Slot(2), Slot(4)));
        assert_eq!(log.get(Slot(2)), None);
        log.vote(Slot(2), VOTE, value("b"));
        assert_eq!(log.chosen(), Slot(2), "a vote is not yet chosen");
        assert!(log.choose(Slot(2)) && !log.choose(Slot(2)));
        assert_eq!(log.chosen(), Slot(4));
    }

    #[test]
    fn what_is_trimmed_is_chosen_and_gone() {
        let mut log = Log::default();
        for slot in 1..=3 {
            log.learn(Slot(slot), value("old"));
        }
        log.vote(Slot(5), VOTE, value("kept"));
        log.trim(Slot(3));
        assert_eq!((log.floor(), log.chosen(), log.end()), (Slot(3), Slot(4), Slot(6)));
        assert_eq!((log.get(Slot(2)), log.chosen_run(Slot(1), 9, 999).len()), (None, 0));
        log.trim(Slot(5));
        assert_eq!((log.floor(), log.chosen()), (Slot(5), Slot(5)), "a hole below is chosen");
        assert!(log.get(Slot(5)).is_some_and(|c| !c.chosen));
        log.trim(Slot(100));
        assert_eq!((log.floor(), log.chosen(), log.end()), (Slot(100), Slot(100), Slot(100)));
        assert_eq!(log.bytes(), 0);
        log.trim(Slot(7));
        assert_eq!(log.floor(), Slot(100), "never back");
    }

    #[test]
    fn as_much_is_kept_as_both_bounds_allow() {
        let mut log = Log::default();
        for slot in 1..=9 {
            log.learn(Slot(slot), value("0123456789"));
        }
        let cell = size_of::<Cell>() + 10;
        assert_eq!(log.floor_keeping(Slot(9), 3, usize::MAX), Slot(6));
        assert_eq!(log.floor_keeping(Slot(9), 99, 2 * cell), Slot(7));
        assert_eq!(log.floor_keeping(Slot(9), 99, 0), Slot(9));
        assert_eq!(log.floor_keeping(Slot(9), 0, usize::MAX), Slot(9));
        log.trim(Slot(8));
        assert_eq!(log.floor_keeping(Slot(9), 99, usize::MAX), Slot(8), "never back");
    }

    #[test]
    fn a_run_ends_at_its_bounds_and_at_the_frontier() {
        let mut log = Log::default();
        for slot in 1..=5 {
            log.learn(Slot(slot), value("0123456789"));
        }
        log.vote(Slot(6), VOTE, value("open"));
        let weight = value("0123456789").weight();
        assert_eq!(log.chosen_run(Slot(1), 100, usize::MAX).len(), 5);
        assert_eq!(log.chosen_run(Slot(4), 100, usize::MAX).len(), 2);
        assert_eq!(log.chosen_run(Slot(1), 3, usize::MAX).len(), 3);
        assert_eq!(log.chosen_run(Slot(1), 100, 2 * weight).len(), 2);
        assert_eq!(log.chosen_run(Slot(1), 100, 0).len(), 1, "at least one");
        assert!(log.chosen_run(Slot(6), 100, usize::MAX).is_empty());
        assert!(log.chosen_run(Slot(1 << 40), 100, usize::MAX).is_empty());
    }
}
