//! Every decision of the simulator that could have been otherwise.
//!
//! The simulator owns no randomness. Whatever may differ between two runs (the option that a
//! swarm draws, the message that is delivered next, the sector that a crash forgets) is one
//! question to a [`Choice`]: *a number below n*. Who answers decides what a run is:
//!
//! | answerer | a run is |
//! |---|---|
//! | [`Seeded`] | one number, the same on every machine |
//! | [`Bytes`] | a fuzzer's byte string |
//! | [`Exhaustive`] | one of all runs of a small world, in order |
//! | [`Replay`] | what a [`Recorder`] wrote down |
//!
//! **Zero is the quiet answer.** Callers order their options so that 0 is "nothing happens", "no
//! fault", "first in line": a schedule that runs dry goes on quietly, and a shrinker that writes
//! zeros makes runs simpler. All provided methods keep to this: a run of zeros never meets a
//! [`chance`](Choice::chance) below certainty and never reorders a [`shuffle`](Choice::shuffle).
//!
//! Invariant: a `Choice` is total. No question and no state of it makes it panic, but for
//! [`Exhaustive`] in a world that is not deterministic, where to go on would prove nothing.

mod bytes;
mod exhaustive;
mod record;
mod seeded;

use std::ops::RangeInclusive;

pub use self::bytes::Bytes;
pub use self::exhaustive::Exhaustive;
pub use self::record::{Chosen, Recorder, Replay};
pub use self::seeded::Seeded;

/// The whole of [`Choice::chance`]: a chance of one million per million is certainty.
pub const MILLION: u32 = 1_000_000;

/// Answers the questions of a run.
///
/// One method is required. [`weighted`](Choice::weighted) is worth a second one wherever weights
/// should not be enumerated or spelled out bit by bit; everything else is built on these two.
///
/// ```
/// use driver_sim::choice::{Choice, Seeded};
///
/// let mut choice = Seeded::new(7);
/// let delay_ns = choice.range(50_000..=400_000);
/// assert!((50_000..=400_000).contains(&delay_ns));
/// assert!(!choice.chance(0), "a fault that is off never fires");
/// ```
pub trait Choice {
    /// Chooses a number below `n`; 0 when there is nothing to choose (`n` is 0 or 1).
    fn below(&mut self, n: u32) -> u32;

    /// Chooses an index into `weights`, in proportion; 0 when all weights are 0.
    ///
    /// An index whose weight is 0 is never chosen (but for that case). The weights may sum to at
    /// most `u32::MAX`; what lies beyond is cut off.
    fn weighted(&mut self, weights: &[u32]) -> usize {
        let total = weights.iter().fold(0_u32, |sum, weight| sum.saturating_add(*weight));
        let mut left = self.below(total);
        for (index, weight) in weights.iter().enumerate() {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return index,
            }
        }
        0
    }

    /// Answers whether something happens that has `per_million` chances in a million.
    ///
    /// 0 is never and [`MILLION`] (or more) is always; neither asks anything, so a fault that is
    /// off costs nothing and takes no byte of a schedule.
    fn chance(&mut self, per_million: u32) -> bool {
        match per_million {
            0 => false,
            MILLION.. => true,
            odds => self.weighted(&[MILLION - odds, odds]) == 1,
        }
    }

    /// Chooses a number in `range`, both ends included; its start when the range is empty.
    fn range(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = range.into_inner();
        let span = high.saturating_sub(low);
        match u32::try_from(span) {
            Ok(narrow) if narrow < u32::MAX => low + u64::from(self.below(narrow + 1)),
            _ => low + wide(self, span),
        }
    }

    /// Chooses one of `items`; `None` when there are none.
    fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T>
    where
        Self: Sized,
    {
        items.get(index_below(self, items.len()))
    }

    /// Puts `items` in any order; zeros leave them as they are.
    fn shuffle<T>(&mut self, items: &mut [T])
    where
        Self: Sized,
    {
        for at in 0..items.len() {
            let other = at + index_below(self, items.len() - at);
            items.swap(at, other);
        }
    }
}

impl<C: Choice + ?Sized> Choice for &mut C {
    fn below(&mut self, n: u32) -> u32 {
        (**self).below(n)
    }

    fn weighted(&mut self, weights: &[u32]) -> usize {
        (**self).weighted(weights)
    }

    fn chance(&mut self, per_million: u32) -> bool {
        (**self).chance(per_million)
    }
}

impl<C: Choice + ?Sized> Choice for Box<C> {
    fn below(&mut self, n: u32) -> u32 {
        (**self).below(n)
    }

    fn weighted(&mut self, weights: &[u32]) -> usize {
        (**self).weighted(weights)
    }

    fn chance(&mut self, per_million: u32) -> bool {
        (**self).chance(per_million)
    }
}

/// Chooses a number up to `span`, for spans that one question cannot hold.
fn wide<C: Choice + ?Sized>(choice: &mut C, span: u64) -> u64 {
    let bits = (0..4).fold(0_u64, |bits, _| bits << 16 | u64::from(choice.below(1 << 16)));
    let scaled = (u128::from(bits) * (u128::from(span) + 1)) >> 64;
    u64::try_from(scaled).unwrap_or(span)
}

/// Chooses an index below `len`; lists longer than `u32::MAX` are chosen from their front.
fn index_below<C: Choice>(choice: &mut C, len: usize) -> usize {
    choice.below(u32::try_from(len).unwrap_or(u32::MAX)) as usize
}

/// Counts the weights that can be chosen at all.
fn live(weights: &[u32]) -> u32 {
    u32::try_from(weights.iter().filter(|weight| **weight > 0).count()).unwrap_or(u32::MAX)
}

/// Finds the index of the live weight that has `rank` live ones before it; 0 when there is none.
fn live_at(weights: &[u32], rank: u32) -> usize {
    let mut live = weights.iter().enumerate().filter(|(_, weight)| **weight > 0);
    live.nth(rank as usize).map_or(0, |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers with the same number, or the highest allowed.
    struct Always(u32);

    impl Choice for Always {
        fn below(&mut self, n: u32) -> u32 {
            self.0.min(n.saturating_sub(1))
        }
    }

    #[test]
    fn zeros_are_quiet() {
        let mut items = [1, 2, 3, 4];
        Always(0).shuffle(&mut items);
        assert_eq!(items, [1, 2, 3, 4]);
        assert!(!Always(0).chance(MILLION - 1));
        assert_eq!(Always(0).range(5..=u64::MAX), 5);
        assert_eq!(Always(0).pick(&items), Some(&1));
    }

    #[test]
    fn the_highest_answer_reaches_the_end() {
        assert!(Always(u32::MAX).chance(1));
        assert_eq!(Always(u32::MAX).range(0..=u64::MAX), u64::MAX);
        assert_eq!(Always(u32::MAX).range(3..=3 + u64::from(u32::MAX)), 3 + u64::from(u32::MAX));
        assert_eq!(Always(u32::MAX).range(3..=9), 9);
        assert_eq!(Always(u32::MAX).weighted(&[1, 5, 0]), 1);
    }

    #[test]
    #[expect(clippy::reversed_empty_ranges, reason = "an empty range is the case under test")]
    fn nothing_to_choose_from_has_an_answer() {
        let mut choice = Seeded::new(1);
        assert_eq!(choice.below(0), 0);
        assert_eq!(choice.below(1), 0);
        assert_eq!(choice.pick::<u8>(&[]), None);
        assert_eq!(choice.weighted(&[]), 0);
        assert_eq!(choice.weighted(&[0, 0]), 0);
        assert_eq!(choice.range(9..=3), 9);
        choice.shuffle::<u8>(&mut []);
    }

    #[test]
    fn certainty_asks_nothing() {
        let mut choice = Recorder::new(Seeded::new(1), 8);
        assert!(choice.chance(MILLION));
        assert!(choice.chance(u32::MAX));
        assert!(!choice.chance(0));
        assert!(choice.choices().is_empty());
    }

    #[test]
    fn weights_are_proportions() {
        let mut choice = Seeded::new(3);
        let mut counts = [0_u32; 4];
        for _ in 0..40_000 {
            counts[choice.weighted(&[10, 0, 20, 10])] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((9_500..10_500).contains(&counts[0]), "{counts:?}");
        assert!((19_300..20_700).contains(&counts[2]), "{counts:?}");
    }

    #[test]
    fn a_shuffle_reaches_every_order_equally() {
        let mut choice = Seeded::new(11);
        let mut seen = std::collections::BTreeMap::new();
        for _ in 0..6_000 {
            let mut items = [1, 2, 3];
            choice.shuffle(&mut items);
            *seen.entry(items).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|count| (850..1_150).contains(count)), "{seen:?}");
    }

    #[test]
    fn a_boxed_choice_is_a_choice() {
        let mut plain = Seeded::new(5);
        let mut boxed: Box<dyn Choice> = Box::new(Seeded::new(5));
        let (one, other): (Vec<_>, Vec<_>) =
            (0..50).map(|_| (plain.range(0..=99), boxed.range(0..=99))).unzip();
        assert_eq!(one, other);
        assert_eq!(boxed.pick(&[4]), Some(&4));
    }
}
