//! Choices from one number: the everyday run.
//!
//! SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014):
//! one addition, two multiplications, no table, and every seed is as good as any other. Written
//! out here, so that a seed means the same run on every machine, for ever.

use super::{Choice, MILLION};

/// Chooses pseudo-randomly; the same seed gives the same answers to the same questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeded {
    state: u64,
}

impl Seeded {
    /// Starts the sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Splits off a sequence of its own, so that two parts of a world do not disturb each other.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self { state: self.next_u64() }
    }

    /// Draws the next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }
}

impl Choice for Seeded {
    /// Multiplies and shifts instead of dividing, without a retry.
    ///
    /// The bias is what 2^64 leaves when cut into `n` shares: no answer is off by more than one
    /// draw in 2^64, at most a part in 2^32 of its probability. No run is long enough to see it.
    #[inline]
    fn below(&mut self, n: u32) -> u32 {
        let product = u128::from(self.next_u64()) * u128::from(n);
        (product >> 64) as u32
    }

    #[inline]
    fn chance(&mut self, per_million: u32) -> bool {
        match per_million {
            0 => false,
            MILLION.. => true,
            odds => self.below(MILLION) >= MILLION - odds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut choice = Seeded::new(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| choice.next_u64()).collect();
        assert_eq!(
            drawn,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn every_answer_is_below_n_and_equally_likely() {
        let mut choice = Seeded::new(9);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[choice.below(7) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_chance_fires_as_often_as_it_says() {
        let mut choice = Seeded::new(2);
        let fired = (0..100_000).filter(|_| choice.chance(30_000)).count();
        assert!((2_800..3_200).contains(&fired), "{fired}");
    }

    #[test]
    fn the_shortcut_agrees_with_the_weights() {
        let (mut short, mut long) = (Seeded::new(4), Seeded::new(4));
        for odds in 1..2_000 {
            assert_eq!(
                short.chance(odds * 499),
                long.weighted(&[MILLION - odds * 499, odds * 499]) == 1
            );
        }
    }

    #[test]
    fn forks_differ_from_their_parent_and_each_other() {
        let mut parent = Seeded::new(0);
        let mut forks = [parent.fork(), parent.fork(), parent];
        let drawn: std::collections::BTreeSet<u64> =
            forks.iter_mut().flat_map(|fork| [fork.next_u64(), fork.next_u64()]).collect();
        assert_eq!(drawn.len(), 6);
    }
}
