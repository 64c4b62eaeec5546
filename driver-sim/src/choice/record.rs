//! Writing choices down, and making them again.

use super::bytes::{encode_below, encode_weighted};
use super::{Choice, live, live_at};

/// One question and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chosen {
    /// How many answers there were; at least 2. For a weighted choice, the options with a weight.
    pub of: u32,
    /// The answer, below `of`. For a weighted choice, the rank among the options with a weight.
    pub value: u32,
}

/// Passes questions on and writes the answers down, up to a limit.
///
/// Questions with only one answer are not written: they hold no decision.
#[derive(Clone, Debug)]
pub struct Recorder<C> {
    inner: C,
    choices: Vec<Chosen>,
    /// The same choices, as [`Bytes`](super::Bytes) reads them.
    schedule: Vec<u8>,
    choices_max: usize,
    dropped: u64,
}

impl<C: Choice> Recorder<C> {
    /// Records the first `choices_max` choices of `inner` (at most 12 bytes of memory each).
    pub fn new(inner: C, choices_max: usize) -> Self {
        Self { inner, choices: Vec::new(), schedule: Vec::new(), choices_max, dropped: 0 }
    }

    /// Returns what was chosen so far, for a [`Replay`].
    pub fn choices(&self) -> &[Chosen] {
        &self.choices
    }

    /// Returns what was chosen so far as a byte string, for [`Bytes`](super::Bytes).
    pub fn schedule(&self) -> &[u8] {
        &self.schedule
    }

    /// Returns how many choices came after the limit and are missing from the record.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Ends the recording; returns the choices.
    pub fn into_choices(self) -> Vec<Chosen> {
        self.choices
    }

    /// Ends the recording; returns it as a byte string, for [`Bytes`](super::Bytes).
    pub fn into_schedule(self) -> Vec<u8> {
        self.schedule
    }

    fn write(&mut self, chosen: Chosen, encode: fn(u32, u32, &mut Vec<u8>)) {
        if chosen.of < 2 {
            return;
        }
        if self.choices.len() == self.choices_max {
            self.dropped += 1;
            return;
        }
        self.choices.push(chosen);
        encode(chosen.of, chosen.value, &mut self.schedule);
    }
}

impl<C: Choice> Choice for Recorder<C> {
    fn below(&mut self, n: u32) -> u32 {
        let value = self.inner.below(n);
        self.write(Chosen { of: n, value }, encode_below);
        value
    }

    fn weighted(&mut self, weights: &[u32]) -> usize {
        let index = self.inner.weighted(weights);
        let before = weights.get(..index).unwrap_or_default();
        self.write(Chosen { of: live(weights), value: live(before) }, encode_weighted);
        index
    }
}

/// Makes recorded choices again; quiet once they run out.
///
/// A question that differs from the recorded one is answered all the same (the recorded value
/// modulo the new n), so that a shrinker may edit a record; it is counted as a divergence. On an
/// unedited record, a divergence means that the world is not deterministic.
#[derive(Clone, Debug)]
pub struct Replay<'a> {
    rest: &'a [Chosen],
    diverged: u64,
}

impl<'a> Replay<'a> {
    /// Replays `choices` from the front.
    #[must_use]
    pub fn new(choices: &'a [Chosen]) -> Self {
        Self { rest: choices, diverged: 0 }
    }

    /// Returns how many questions were not the recorded ones, or had no record left.
    #[must_use]
    pub fn diverged(&self) -> u64 {
        self.diverged
    }

    /// Tells whether every recorded choice was made.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.rest.is_empty()
    }
}

impl Choice for Replay<'_> {
    fn below(&mut self, n: u32) -> u32 {
        if n < 2 {
            return 0;
        }
        let Some((chosen, rest)) = self.rest.split_first() else {
            self.diverged += 1;
            return 0;
        };
        self.rest = rest;
        self.diverged += u64::from(chosen.of != n);
        chosen.value % n
    }

    fn weighted(&mut self, weights: &[u32]) -> usize {
        let rank = self.below(live(weights));
        live_at(weights, rank)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bytes, Seeded};
    use super::*;

    /// A run that asks every kind of question, later ones depending on earlier answers.
    fn run(choice: &mut impl Choice) -> Vec<u64> {
        let mut seen = Vec::new();
        for _ in 0..200 {
            let kind = choice.weighted(&[5, 0, 3, 1]);
            seen.push(match kind {
                0 => u64::from(choice.below(1_000)),
                2 => choice.range(10..=1 << 40),
                _ => u64::from(choice.chance(20_000)),
            });
            let mut items = [0, 1, 2, 3];
            choice.shuffle(&mut items);
            seen.extend(choice.pick(&items).copied());
        }
        seen
    }

    #[test]
    fn a_record_replays_the_run() {
        let mut recorder = Recorder::new(Seeded::new(21), 10_000);
        let first = run(&mut recorder);
        let mut replay = Replay::new(recorder.choices());
        assert_eq!(run(&mut replay), first);
        assert_eq!((replay.diverged(), replay.is_done()), (0, true));
        assert_eq!(recorder.dropped(), 0);
    }

    #[test]
    fn a_schedule_replays_the_run() {
        let mut recorder = Recorder::new(Seeded::new(22), 10_000);
        let first = run(&mut recorder);
        let mut bytes = Bytes::new(recorder.schedule());
        assert_eq!(run(&mut bytes), first);
        assert_eq!((bytes.len_left(), bytes.is_exhausted()), (0, false));
    }

    #[test]
    fn recording_changes_nothing() {
        assert_eq!(run(&mut Recorder::new(Seeded::new(23), 10)), run(&mut Seeded::new(23)));
    }

    #[test]
    fn a_full_record_counts_what_it_drops() {
        let mut recorder = Recorder::new(Seeded::new(1), 3);
        for _ in 0..5 {
            recorder.below(9);
        }
        assert_eq!((recorder.choices().len(), recorder.dropped()), (3, 2));
        assert_eq!(recorder.into_choices().len(), 3);
    }

    #[test]
    fn a_replay_counts_other_questions_and_answers_them() {
        let choices = [Chosen { of: 10, value: 7 }];
        let mut replay = Replay::new(&choices);
        assert_eq!(replay.below(4), 3);
        assert_eq!(replay.below(4), 0);
        assert_eq!(replay.diverged(), 2);
    }
}
