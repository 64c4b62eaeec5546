//! A node's own clock: it starts anywhere, runs at its own rate, and may jump, even back.

use paxos_core::types::Instant;

/// Maps simulated time to one node's clock, in integers only.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// Simulated time since when the rate holds (µs).
    since: u64,
    /// What the clock said then (µs).
    said: u64,
    /// How much it runs per million µs.
    rate: u64,
}

const MILLION: u64 = 1_000_000;

impl Clock {
    /// A clock that says `said` at the start of the run and is off by `skew` parts in a million.
    pub(crate) fn new(said: u64, skew: i64) -> Clock {
        Clock { since: 0, said, rate: MILLION.saturating_add_signed(skew).max(1) }
    }

    /// What the clock says at the simulated time `at`.
    pub(crate) fn read(&self, at: u64) -> Instant {
        Instant::from_micros(self.said + scale(at.saturating_sub(self.since), self.rate, MILLION))
    }

    /// The simulated time from which on the clock says at least `local`.
    pub(crate) fn when(&self, local: Instant) -> u64 {
        let wait = local.as_micros().saturating_sub(self.said);
        self.since.saturating_add(scale_up(wait, MILLION, self.rate))
    }

    /// Jumps by `jump` µs at the simulated time `at`, and is off by `skew` from then on.
    pub(crate) fn disturb(&mut self, at: u64, jump: i64, skew: i64) {
        self.said = self.read(at).as_micros().saturating_add_signed(jump);
        self.since = at;
        self.rate = MILLION.saturating_add_signed(skew).max(1);
    }
}

fn scale(time: u64, by: u64, over: u64) -> u64 {
    u64::try_from(u128::from(time) * u128::from(by) / u128::from(over)).unwrap_or(u64::MAX)
}

fn scale_up(time: u64, by: u64, over: u64) -> u64 {
    u64::try_from((u128::from(time) * u128::from(by)).div_ceil(u128::from(over)))
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_is_never_early() {
        for skew in [-300_000, -7, 0, 3, 300_000] {
            let mut clock = Clock::new(12_345, skew);
            clock.disturb(999, 5, skew);
            for wait in [0, 1, 2, 3, 1_000, 123_457] {
                let local = Instant::from_micros(13_000 + wait);
                assert!(clock.read(clock.when(local)) >= local, "skew {skew}, wait {wait}");
            }
        }
    }

    #[test]
    fn a_jump_moves_the_clock_and_then_it_runs_on() {
        let mut clock = Clock::new(0, 0);
        clock.disturb(100, 50, -500_000);
        assert_eq!(clock.read(100).as_micros(), 150);
        assert_eq!(clock.read(200).as_micros(), 200);
        clock.disturb(200, -60, 0);
        assert_eq!(clock.read(210).as_micros(), 150);
    }
}
