//! What a log says, also against one that keeps each slot by itself.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::hash::BuildHasherDefault;

use bytes::Bytes;

use super::*;
use crate::types::{Command, Membership, NodeId, Rng, StateHasher};

const VOTE: Ballot = Ballot::new(2, NodeId(1));

fn value(payload: &'static str) -> Value {
    Value::Command(Command::plain(Bytes::from_static(payload.as_bytes())))
}

impl Log {
    /// All bytes, with those of what is swept up.
    fn memory(&self) -> usize {
        self.pieces.iter().map(Piece::bytes).sum()
    }
}

fn one(slot: u64, payload: &'static str) -> Run {
    Run::one(Slot(slot), value(payload))
}

#[test]
fn a_learned_value_forgets_the_vote_that_lost_and_keeps_the_one_that_won() {
    for (learned, ballot) in [("mine", VOTE), ("other", Ballot::ZERO)] {
        let mut log = Log::default();
        log.vote(VOTE, one(1, "mine"));
        log.learn(&one(1, learned));
        let cell = log.get(Slot(1)).expect("learned");
        assert_eq!((cell.ballot, cell.value), (ballot, &value(learned)));
        log.learn(&one(1, "too late"));
        assert_eq!(log.get(Slot(1)).map(|c| c.value), Some(&value(learned)));
    }
}

#[test]
fn the_frontier_stops_at_the_first_hole() {
    let mut log = Log::default();
    log.learn(&one(3, "c"));
    log.learn(&one(1, "a"));
    assert_eq!((log.chosen(), log.end()), (Slot(2), Slot(4)));
    assert_eq!(log.get(Slot(2)), None);
    log.vote(VOTE, one(2, "b"));
    assert_eq!(log.chosen(), Slot(2), "a vote is not yet chosen");
    log.choose(VOTE, Slot(1), Slot(9));
    assert_eq!(log.chosen(), Slot(4));
}

#[test]
fn what_is_trimmed_is_chosen_and_gone() {
    let mut log = Log::default();
    for slot in 1..=3 {
        log.learn(&one(slot, "old"));
    }
    log.vote(VOTE, one(5, "kept"));
    log.trim(Slot(3));
    assert_eq!((log.floor(), log.chosen(), log.end()), (Slot(3), Slot(4), Slot(6)));
    assert_eq!((log.get(Slot(2)), log.chosen_run(Slot(1), 9, 999).len()), (None, 0));
    log.trim(Slot(5));
    assert_eq!((log.floor(), log.chosen()), (Slot(5), Slot(5)), "a hole below is chosen");
    assert!(log.get(Slot(5)).is_some_and(|c| !c.chosen));
    log.trim(Slot(100));
    assert_eq!((log.floor(), log.chosen(), log.end()), (Slot(100), Slot(100), Slot(100)));
    log.trim(Slot(7));
    assert_eq!(log.floor(), Slot(100), "never back");
    log.sweep(usize::MAX);
    assert_eq!(log.bytes(), 0);
}

#[test]
fn memory_is_given_back_a_little_at_a_time() {
    let mut log = Log::default();
    for slot in 1..=100 {
        log.learn(&one(slot, "0123456789"));
    }
    let full = log.bytes();
    log.trim(Slot(91));
    assert_eq!((log.floor(), log.bytes()), (Slot(91), full), "forgotten at once, freed later");
    let mut steps = 0;
    while log.bytes() > full / 10 {
        let before = log.bytes();
        log.sweep(7);
        assert!(before - log.bytes() <= 7 * (full / 100));
        steps += 1;
    }
    assert_eq!(steps, 13);
    log.sweep(7);
    assert_eq!(log.bytes(), full / 10, "what is held stays");
}

#[test]
fn what_is_stored_takes_the_place_of_what_is_swept_up() {
    let mut log = Log::default();
    for slot in 1..=100 {
        log.learn(&one(slot, "0123456789"));
    }
    log.trim(Slot(91));
    log.sweep(usize::MAX);
    assert_eq!((log.pieces.len(), log.has_forgotten()), (100, false));
    for slot in 101..=200 {
        log.learn(&one(slot, "0123456789"));
        let held = log.end().since(log.floor()) as usize;
        assert_eq!(log.pieces.len(), held.max(100), "at {slot}");
    }
    log.trim(Slot(191));
    log.sweep(usize::MAX);
    log.release(7, usize::MAX);
    assert_eq!(log.pieces.len(), 103);
    log.release(usize::MAX, log.bytes());
    assert_eq!(log.pieces.len(), 93, "as many bytes as ten hold");
    log.release(usize::MAX, usize::MAX);
    assert_eq!((log.pieces.len(), log.swept, log.behind), (10, 0, 10));
}

/// Stored in any order, and in runs that are longer or shorter than what they replace.
#[test]
fn what_comes_out_of_order_takes_the_place_of_what_is_swept_up() {
    let mut log = Log::default();
    let mut most = 0;
    for round in 0..300 {
        let first = 1 + 10 * round;
        let run = |from, count| Run::new(Slot(from), vec![value("0123456789"); count]);
        log.vote(VOTE, run(first + 5, 5));
        log.vote(VOTE, run(first, 3));
        log.learn(&run(first, 5));
        log.choose(VOTE, Slot(first), Slot(first + 10));
        log.trim(Slot(first));
        log.sweep(usize::MAX);
        most = most.max(log.pieces.len());
    }
    assert!(most < 20, "{most} pieces stand for 20 slots");
}

#[test]
fn a_long_run_takes_the_place_of_many_short_ones() {
    let mut log = Log::default();
    for slot in 1..=3000 {
        log.learn(&one(slot, "0123456789"));
    }
    log.trim(Slot(3001));
    log.sweep(usize::MAX);
    let before = log.memory();
    log.learn(&Run::new(Slot(3001), vec![value("0123456789"); 3000]));
    assert!(log.memory() <= before, "{} bytes after {before}", log.memory());
}

#[test]
fn as_much_is_kept_as_both_bounds_allow() {
    let mut log = Log::default();
    for slot in 1..=9 {
        log.learn(&one(slot, "0123456789"));
    }
    let cell = log.bytes() / 9;
    assert_eq!(log.floor_keeping(Slot(9), 3, usize::MAX), Slot(6));
    assert_eq!(log.floor_keeping(Slot(9), 99, 2 * cell), Slot(7));
    assert_eq!(log.floor_keeping(Slot(9), 99, 0), Slot(9));
    assert_eq!(log.floor_keeping(Slot(9), 0, usize::MAX), Slot(9));
    log.trim(Slot(8));
    assert_eq!(log.floor_keeping(Slot(9), 99, usize::MAX), Slot(8), "never back");
    let mut log = Log::default();
    log.learn(&Run::new(Slot(1), vec![value("0123456789"); 9]));
    assert_eq!(log.floor_keeping(Slot(6), 3, usize::MAX), Slot(3), "inside of a run");
}

#[test]
fn a_run_ends_at_its_bounds_and_at_the_frontier() {
    for pieces in [1, 5] {
        let mut log = Log::default();
        if pieces == 1 {
            log.learn(&Run::new(Slot(1), vec![value("0123456789"); 5]));
        } else {
            (1..=5).for_each(|slot| log.learn(&one(slot, "0123456789")));
        }
        log.vote(VOTE, one(6, "open"));
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

#[test]
fn a_part_of_a_run_is_chosen_and_no_more() {
    for (from, to) in [(3, 5), (1, 3), (3, 7), (1, 7), (6, 7), (1, 2)] {
        let mut log = Log::default();
        log.vote(VOTE, Run::new(Slot(1), vec![value("v"); 6]));
        log.choose(VOTE, Slot(from), Slot(to));
        let chosen = log.iter(Slot(1)).filter(|(_, c)| c.chosen).map(|(slot, _)| slot.0);
        assert!(chosen.eq(from..to), "{from}..{to}");
    }
}

#[test]
fn a_run_of_no_slots_is_asked_for_and_given() {
    let mut log = Log::default();
    assert!(log.chosen_run(Slot(1), 9, usize::MAX).is_empty(), "nothing is there");
    log.learn(&one(1, "a"));
    assert!(log.chosen_run(Slot(1), 0, usize::MAX).is_empty());
}

#[test]
fn only_what_is_chosen_is_given_out_as_such() {
    let mut log = Log::default();
    log.learn(&Run::new(Slot(1), vec![value("a"), value("b")]));
    log.vote(VOTE, one(3, "open"));
    assert_eq!(log.chosen_piece(Slot(2)), Some(one(2, "b")));
    assert_eq!(log.chosen_piece(Slot(3)), None, "voted for, and not chosen");
}

#[test]
fn what_was_stored_together_is_given_out_without_a_copy() {
    let mut log = Log::default();
    log.learn(&Run::new(Slot(1), vec![value("a"), value("b"), value("c")]));
    let held = |slot| core::ptr::from_ref(log.get(Slot(slot)).expect("learned").value);
    let given = log.chosen_run(Slot(2), 2, usize::MAX);
    assert_eq!(core::ptr::from_ref(&given[0]), held(2));
    assert_eq!(core::ptr::from_ref(&log.chosen_piece(Slot(1)).expect("chosen")[0]), held(1));
}

/// Whoever reads the log for changes of the membership may pass over one without any.
#[test]
fn a_change_of_the_membership_is_known_of_until_its_memory_is_given_back() {
    let members = || Value::Config(Membership::majority([1, 2].map(NodeId)).into());
    let mut log = Log::default();
    log.vote(VOTE, Run::new(Slot(1), vec![value("a"), members(), value("b")]));
    assert!(!log.is_without_configs());
    // Another vote takes its place.
    log.vote(Ballot::new(3, NodeId(1)), one(2, "c"));
    assert!(log.is_without_configs());
    log.learn(&Run::one(Slot(4), members()));
    assert!(!log.is_without_configs());
    log.trim(Slot(5));
    assert!(log.has_forgotten(), "and not yet freed");
    log.sweep(usize::MAX);
    assert!(log.is_without_configs() && !log.has_forgotten());
}

#[test]
fn two_logs_are_one_if_the_same_is_known_of_every_slot() {
    use core::hash::BuildHasher;
    let told = |log: &Log| BuildHasherDefault::<StateHasher>::default().hash_one(log);
    let mut base = Log::default();
    base.learn(&Run::new(Slot(1), vec![value("a"), value("b")]));
    let mut same = Log::default();
    same.vote(VOTE, one(1, "lost"));
    (1..=2).rev().for_each(|slot| same.learn(&one(slot, ["a", "b"][slot as usize - 1])));
    assert_eq!((&base, told(&base)), (&same, told(&same)), "however it came");
    let others: [fn(&mut Log); 4] = [
        |log| log.vote(VOTE, one(4, "more")),
        |log| log.learn(&one(4, "more")),
        |log| log.trim(Slot(2)),
        |log| log.trim(Slot(9)),
    ];
    let mut all = vec![base.clone()];
    for change in others {
        let mut other = base.clone();
        change(&mut other);
        assert!(all.iter().all(|one| *one != other && told(one) != told(&other)));
        all.push(other);
    }
    let mut chosen = all[1].clone();
    chosen.learn(&one(3, "c"));
    chosen.choose(VOTE, Slot(1), Slot(9));
    let mut open = all[1].clone();
    open.learn(&one(3, "c"));
    assert_ne!(chosen, open, "the same values, and one of them is not chosen");
}

/// A log of one cell a slot: slow, and plainly right.
#[derive(Default)]
struct Plain {
    cells: BTreeMap<u64, (Ballot, bool, Value)>,
    floor: u64,
    chosen: u64,
}

impl Plain {
    fn vote(&mut self, ballot: Ballot, run: &Run) {
        for (slot, value) in run.iter().filter(|(slot, _)| slot.0 >= self.floor) {
            let cell = self.cells.entry(slot.0).or_insert((Ballot::ZERO, false, Value::Noop));
            if cell.0 < ballot {
                (cell.0, cell.2) = (ballot, value.clone());
            }
        }
    }

    fn learn(&mut self, run: &Run) {
        for (slot, value) in run.iter().filter(|(slot, _)| slot.0 >= self.floor) {
            let none = (Ballot::ZERO, false, value.clone());
            let cell = self.cells.entry(slot.0).or_insert(none);
            if !cell.1 {
                let ballot = if cell.2 == *value { cell.0 } else { Ballot::ZERO };
                *cell = (ballot, true, value.clone());
            }
        }
        self.advance();
    }

    fn choose(&mut self, ballot: Ballot, from: u64, to: u64) {
        for (_, cell) in self.cells.range_mut(from.min(to)..to) {
            cell.1 |= cell.0 == ballot;
        }
        self.advance();
    }

    fn trim(&mut self, below: u64) {
        self.floor = self.floor.max(below);
        self.chosen = self.chosen.max(self.floor);
        self.cells = self.cells.split_off(&self.floor);
        self.advance();
    }

    fn advance(&mut self) {
        while self.cells.get(&self.chosen).is_some_and(|cell| cell.1) {
            self.chosen += 1;
        }
    }

    fn agrees_with(&self, log: &Log) {
        let cells = self.cells.iter().map(|(slot, (ballot, chosen, value))| {
            (Slot(*slot), Cell { ballot: *ballot, chosen: *chosen, value })
        });
        let held: Vec<_> = log.iter(log.floor()).collect();
        assert_eq!(held, cells.collect::<Vec<_>>());
        assert_eq!((log.floor().0, log.chosen().0), (self.floor, self.chosen));
        let last = self.cells.last_key_value().map_or(0, |(slot, _)| slot + 1);
        assert_eq!(log.end().0, last.max(self.floor));
        for slot in 0..60 {
            let there = held.iter().find(|(s, _)| s.0 == slot).map(|(_, cell)| *cell);
            assert_eq!(log.get(Slot(slot)), there, "slot {slot}");
        }
        let bytes: usize = log.pieces.iter().skip(log.swept).map(Piece::bytes).sum();
        assert_eq!(log.bytes(), bytes);
        let forgotten = log.pieces.iter().filter(|piece| piece.end() <= log.floor()).count();
        assert!(log.swept <= forgotten && (log.has_forgotten() || log.swept == forgotten));
        assert!(
            log.pieces.iter().zip(log.pieces.iter().skip(1)).all(|(a, b)| a.end() <= b.first())
        );
        let behind = log.pieces.iter().filter(|piece| piece.end() <= log.chosen()).count();
        assert_eq!(log.behind, behind);
    }
}

/// Whatever comes in whatever order. Each ballot has one value a slot, and what is
/// learned or chosen is what the highest ballot has, as the protocol sees to.
#[test]
fn runs_that_overlap_are_what_their_slots_are() {
    for seed in 0..400 {
        let mut rng = Rng::new(seed);
        let (mut log, mut plain) =
            (Log::default(), Plain { floor: 1, chosen: 1, ..Plain::default() });
        // From `settled` on everybody proposes the same.
        let settled = 1 + rng.below(4);
        let proposed = |round: u64, slot: u64| {
            let round = round.min(settled);
            Value::Command(Command::plain(alloc::format!("{round}/{slot}").into_bytes().into()))
        };
        for _ in 0..40 {
            let first = 1 + rng.below(40);
            let length = 1 + rng.below(12);
            let round = 1 + rng.below(6);
            let run = |round| {
                let values = (first..first + length).map(|slot| proposed(round, slot));
                Run::collect(Slot(first), values)
            };
            let ballot = Ballot::new(round, NodeId(1));
            match rng.below(8) {
                0 => {
                    log.learn(&run(settled));
                    plain.learn(&run(settled));
                }
                1 if round >= settled => {
                    log.choose(ballot, Slot(first), Slot(first + length));
                    plain.choose(ballot, first, first + length);
                }
                2 if rng.below(3) == 0 => {
                    let below = rng.below(plain.chosen + 2);
                    log.trim(Slot(below));
                    plain.trim(below);
                }
                3 => {
                    log.sweep(rng.below(9) as usize);
                    log.release(rng.below(9) as usize, usize::MAX);
                }
                _ => {
                    // Nobody votes against what is chosen.
                    let against = plain.cells.range(first..first + length);
                    if round < settled && against.clone().any(|(_, cell)| cell.1) {
                        continue;
                    }
                    log.vote(ballot, run(round));
                    plain.vote(ballot, &run(round));
                }
            }
            plain.agrees_with(&log);
        }
        let mut swept = log.clone();
        swept.sweep(usize::MAX);
        assert_eq!(log, swept);
    }
}
