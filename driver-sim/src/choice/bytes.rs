//! Choices from a byte string: the run of a fuzzer, and of a regression file.
//!
//! Encoding, stable because files of it are kept:
//! - a number below n takes as few bytes as hold n - 1 (none for n of 0 or 1), little endian,
//!   modulo n;
//! - a weighted choice among k live options takes one byte: the highest k values name the options
//!   in order, all others share them by weight. More than 128 options are a number below k;
//! - after the end, everything is 0 and the first live option.
//!
//! So every answer has an encoding (what a [`Recorder`](super::Recorder) writes down), a byte that
//! changes moves one decision and not those after it, and a certain answer costs nothing.

use super::{Choice, live, live_at};

/// The most options that one byte of a weighted choice serves.
const OPTIONS_MAX: u32 = 128;

/// Chooses as a byte string says; quiet once it runs out.
#[derive(Clone, Debug)]
pub struct Bytes<'a> {
    rest: &'a [u8],
    /// Set once a choice found too few bytes.
    exhausted: bool,
}

impl<'a> Bytes<'a> {
    /// Reads choices from the front of `schedule`.
    #[must_use]
    pub fn new(schedule: &'a [u8]) -> Self {
        Self { rest: schedule, exhausted: false }
    }

    /// Tells whether a choice was asked for that no byte was left for.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// Returns how many bytes are not read yet.
    #[must_use]
    pub fn len_left(&self) -> usize {
        self.rest.len()
    }

    fn byte(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((first, rest)) => {
                self.rest = rest;
                *first
            }
            None => {
                self.exhausted = true;
                0
            }
        }
    }
}

impl Choice for Bytes<'_> {
    fn below(&mut self, n: u32) -> u32 {
        let number = (0..width(n)).fold(0, |sum, at| sum | u32::from(self.byte()) << (8 * at));
        number.checked_rem(n).unwrap_or(0)
    }

    fn weighted(&mut self, weights: &[u32]) -> usize {
        let options = live(weights);
        if options < 2 {
            return live_at(weights, 0);
        }
        if options > OPTIONS_MAX {
            return live_at(weights, self.below(options));
        }
        let (byte, shared) = (u32::from(self.byte()), 256 - options);
        match byte.checked_sub(shared) {
            Some(rank) => live_at(weights, rank),
            None => by_share(weights, byte, shared),
        }
    }
}

/// Appends the bytes that make [`Bytes::below`] answer `value` to the question `n`.
pub(super) fn encode_below(n: u32, value: u32, schedule: &mut Vec<u8>) {
    schedule.extend_from_slice(&value.to_le_bytes()[..width(n)]);
}

/// Appends the bytes that make [`Bytes::weighted`] choose the live option with `rank` before it.
pub(super) fn encode_weighted(options: u32, rank: u32, schedule: &mut Vec<u8>) {
    match (options, rank) {
        (0 | 1, _) => {}
        (2..=OPTIONS_MAX, 0) => schedule.push(0),
        (2..=OPTIONS_MAX, _) => schedule.push((256 - options + rank) as u8),
        _ => encode_below(options, rank, schedule),
    }
}

/// Returns how many bytes a number below `n` takes.
fn width(n: u32) -> usize {
    match n {
        0 | 1 => 0,
        2..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        0x1_0001..=0x100_0000 => 3,
        _ => 4,
    }
}

/// Finds the option in whose share of the weights the point `byte` of `shared` lies.
fn by_share(weights: &[u32], byte: u32, shared: u32) -> usize {
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    let mut point = total * u64::from(byte) / u64::from(shared);
    for (index, weight) in weights.iter().enumerate() {
        match point.checked_sub(u64::from(*weight)) {
            Some(rest) => point = rest,
            None => return index,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::super::{MILLION, Seeded};
    use super::*;

    #[test]
    fn each_choice_takes_as_few_bytes_as_it_needs() {
        let schedule = [7, 1, 2, 255, 9];
        let mut choice = Bytes::new(&schedule);
        assert_eq!(choice.below(1), 0);
        assert_eq!(choice.len_left(), 5);
        assert_eq!(choice.below(5), 2);
        assert_eq!(choice.below(1_000), 0x201);
        assert!(choice.chance(1), "the highest byte always fires");
        assert_eq!(choice.len_left(), 1);
    }

    #[test]
    fn an_exhausted_schedule_is_quiet() {
        let mut choice = Bytes::new(&[]);
        assert!(!choice.is_exhausted());
        assert_eq!(choice.below(100), 0);
        assert!(!choice.chance(MILLION - 1));
        assert_eq!(choice.weighted(&[0, 0, 3, 4]), 2);
        assert!(choice.is_exhausted());
    }

    #[test]
    fn a_chance_of_one_byte_is_about_as_often_as_it_says() {
        let all: Vec<u8> = (0..=255).collect();
        let mut choice = Bytes::new(&all);
        let fired = (0..256).filter(|_| choice.chance(250_000)).count();
        assert!((60..68).contains(&fired), "{fired}");
    }

    #[test]
    fn every_answer_has_an_encoding() {
        let mut numbers = Seeded::new(8);
        for n in [2, 3, 255, 256, 257, 65_536, 65_537, 1 << 24, (1 << 24) + 1, u32::MAX] {
            for value in [0, 1, n - 1, numbers.below(n), numbers.below(n)] {
                let mut schedule = Vec::new();
                encode_below(n, value, &mut schedule);
                assert_eq!(Bytes::new(&schedule).below(n), value, "{value} below {n}");
            }
        }
        for options in [2, 3, 127, 128, 129, 300] {
            let mut weights = vec![1; options as usize];
            weights[0] = 1_000_000;
            for rank in 0..options {
                let mut schedule = Vec::new();
                encode_weighted(options, rank, &mut schedule);
                assert_eq!(Bytes::new(&schedule).weighted(&weights), rank as usize);
            }
        }
    }

    #[test]
    fn a_dead_option_is_never_chosen() {
        for byte in 0..=255 {
            let index = Bytes::new(&[byte]).weighted(&[0, 1, 0, 1_000, 0]);
            assert!(index == 1 || index == 3);
        }
    }
}
