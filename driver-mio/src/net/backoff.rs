//! When to dial again.

use std::time::Duration;

use paxos_core::types::Rng;

/// Growing, jittered waits between attempts at one peer.
///
/// ```text
/// nth attempt: somewhere in [w/2, w] with w = min(10 ms * 2^n, 1 s)
/// ```
#[derive(Debug)]
pub(crate) struct Backoff {
    failures: u32,
    rng: Rng,
}

impl Backoff {
    /// No failures yet; the jitter follows from `seed`.
    pub(crate) fn new(seed: u64) -> Backoff {
        Backoff { failures: 0, rng: Rng::new(seed) }
    }

    /// How long to wait after one more failure.
    pub(crate) fn next(&mut self) -> Duration {
        let whole = FIRST_MICROS.saturating_mul(1 << self.failures.min(DOUBLINGS)).min(LAST_MICROS);
        self.failures = self.failures.saturating_add(1);
        Duration::from_micros(whole / 2 + self.rng.below(whole / 2 + 1))
    }

    /// The peer was reached: the next failure is the first again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

const FIRST_MICROS: u64 = 10_000;
const LAST_MICROS: u64 = 1_000_000;
const DOUBLINGS: u32 = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_second_and_begin_anew_after_success() {
        let mut backoff = Backoff::new(7);
        for whole in [10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000] {
            let wait = backoff.next();
            let whole = Duration::from_millis(whole);
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} for {whole:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(10));
    }

    #[test]
    fn two_nodes_do_not_dial_in_step() {
        let (mut a, mut b) = (Backoff::new(1), Backoff::new(2));
        assert!((0..8).any(|_| a.next() != b.next()));
    }
}
