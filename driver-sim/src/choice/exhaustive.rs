//! All choices of a small world, one run after the other.
//!
//! An odometer: a run follows the digits that stand and appends zeros for questions beyond them;
//! [`next_run`](Exhaustive::next_run) turns the last digit that can still turn and drops those
//! after it. The first run is all zeros; every run of the world comes up exactly once.

use super::{Choice, Chosen, live, live_at};

/// Enumerates the runs of a deterministic world.
///
/// ```
/// use driver_sim::choice::{Choice, Exhaustive};
///
/// let mut choice = Exhaustive::new(10);
/// let mut runs = Vec::new();
/// loop {
///     runs.push((choice.below(2), choice.below(3)));
///     if !choice.next_run() {
///         break;
///     }
/// }
/// assert_eq!(runs, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
/// ```
#[derive(Clone, Debug)]
pub struct Exhaustive {
    /// The digits of this run, first question first.
    digits: Vec<Chosen>,
    /// How many of them this run has used.
    used: usize,
    depth_max: usize,
    clipped: u64,
}

impl Exhaustive {
    /// Enumerates the first `depth_max` choices of a run; those after it are always 0.
    ///
    /// Questions with only one answer do not count.
    #[must_use]
    pub fn new(depth_max: usize) -> Self {
        Self { digits: Vec::new(), used: 0, depth_max, clipped: 0 }
    }

    /// Prepares the next run; `false` when all runs were had.
    #[must_use]
    pub fn next_run(&mut self) -> bool {
        self.digits.truncate(self.used);
        self.used = 0;
        while let Some(last) = self.digits.last_mut() {
            last.value += 1;
            if last.value < last.of {
                return true;
            }
            self.digits.pop();
        }
        false
    }

    /// Returns how many questions, over all runs, lay beyond the depth: 0 means that the
    /// enumeration is complete, not only bounded.
    #[must_use]
    pub fn clipped(&self) -> u64 {
        self.clipped
    }

    /// Returns the choices of the current run so far, for a [`Replay`](super::Replay).
    #[must_use]
    pub fn choices(&self) -> &[Chosen] {
        &self.digits[..self.used]
    }
}

impl Choice for Exhaustive {
    /// Follows the current run.
    ///
    /// # Panics
    ///
    /// When the world asks another question than in the run before, though all answers up to here
    /// were the same: it is not deterministic, and the enumeration would be worthless.
    fn below(&mut self, n: u32) -> u32 {
        if n < 2 {
            return 0;
        }
        if self.used == self.depth_max {
            self.clipped += 1;
            return 0;
        }
        if self.used == self.digits.len() {
            self.digits.push(Chosen { of: n, value: 0 });
        }
        let digit = self.digits[self.used];
        assert!(digit.of == n, "same answers, another question: the world is not deterministic");
        self.used += 1;
        digit.value
    }

    /// Takes every option that has a weight once, whatever the weight.
    fn weighted(&mut self, weights: &[u32]) -> usize {
        let rank = self.below(live(weights));
        live_at(weights, rank)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{MILLION, Replay};
    use super::*;

    /// Runs `world` to the end of the enumeration; returns every outcome, in order.
    fn all<T>(choice: &mut Exhaustive, world: impl Fn(&mut Exhaustive) -> T) -> Vec<T> {
        let mut outcomes = Vec::new();
        loop {
            outcomes.push(world(choice));
            if !choice.next_run() {
                return outcomes;
            }
        }
    }

    #[test]
    fn every_order_of_five_comes_up_once() {
        let mut choice = Exhaustive::new(100);
        let orders = all(&mut choice, |choice| {
            let mut items = [0, 1, 2, 3, 4];
            choice.shuffle(&mut items);
            items
        });
        assert_eq!(orders.len(), 120);
        assert_eq!(orders.iter().collect::<BTreeSet<_>>().len(), 120);
        assert_eq!(choice.clipped(), 0);
    }

    #[test]
    fn later_questions_may_depend_on_earlier_answers() {
        let outcomes = all(&mut Exhaustive::new(100), |choice| match choice.below(3) {
            0 => 0,
            1 => 10 + choice.below(2),
            _ => 20 + choice.below(4),
        });
        assert_eq!(outcomes, [0, 10, 11, 20, 21, 22, 23]);
    }

    #[test]
    fn a_chance_is_two_runs_and_certainty_one() {
        let outcomes = all(&mut Exhaustive::new(9), |choice| {
            (choice.chance(1), choice.chance(0), choice.chance(MILLION), choice.weighted(&[0, 7]))
        });
        assert_eq!(outcomes, [(false, false, true, 1), (true, false, true, 1)]);
    }

    #[test]
    fn beyond_the_depth_everything_is_quiet_and_counted() {
        let mut choice = Exhaustive::new(2);
        let outcomes =
            all(&mut choice, |choice| (choice.below(2), choice.below(2), choice.below(2)));
        assert_eq!(outcomes, [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0)]);
        assert_eq!(choice.clipped(), 4);
    }

    #[test]
    fn a_run_can_be_replayed() {
        let mut choice = Exhaustive::new(9);
        let world = |choice: &mut dyn Choice| (choice.below(3), choice.chance(5), choice.below(2));
        while world(&mut choice) != (2, true, 0) {
            assert!(choice.next_run(), "the outcome exists");
        }
        assert_eq!(world(&mut Replay::new(choice.choices())), (2, true, 0));
    }

    #[test]
    #[should_panic(expected = "not deterministic")]
    fn a_world_that_changes_its_mind_is_found_out() {
        let mut choice = Exhaustive::new(9);
        choice.below(2);
        choice.below(2);
        assert!(choice.next_run());
        choice.below(3);
    }
}
