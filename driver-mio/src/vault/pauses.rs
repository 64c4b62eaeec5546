//! Pauses in what takes long, so that clients need not wait for all of it.

use std::thread;
use std::time::{Duration, Instant};

/// So long are all pauses of an image together: the log grows meanwhile.
const MOST: Duration = Duration::from_millis(250);

/// Pauses as long as the work between them, while there are any left: what clients wait for
/// comes in between, and need not wait for all of an image, unless that is a large one.
#[derive(Debug)]
pub(super) struct Pauses {
    left: Duration,
    /// When the last one ended.
    since: Instant,
}

impl Pauses {
    /// All are left; work begins now.
    pub(super) fn new() -> Pauses {
        Pauses { left: MOST, since: Instant::now() }
    }

    /// Whether none are left.
    pub(super) fn are_over(&self) -> bool {
        self.left.is_zero()
    }

    /// Pauses.
    pub(super) fn pause(&mut self) {
        let worked = self.since.elapsed();
        let began = Instant::now();
        thread::sleep(self.next(worked));
        self.since = Instant::now();
        // Systems sleep longer than they are asked to.
        self.spend(self.since - began);
    }

    /// How long the pause is to be after so much work.
    fn next(&self, worked: Duration) -> Duration {
        worked.min(self.left)
    }

    /// Takes in how long it was.
    fn spend(&mut self, paused: Duration) {
        self.left = self.left.saturating_sub(paused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_as_long_as_the_work_and_no_longer_in_all_than_their_bound() {
        let mut pauses = Pauses::new();
        let work = MOST / 4 + Duration::from_micros(1);
        for _ in 0..3 {
            assert_eq!(pauses.next(work), work);
            pauses.spend(work);
            assert!(!pauses.are_over());
        }
        assert_eq!(pauses.next(work), MOST - work * 3);
        pauses.spend(work);
        assert!(pauses.are_over());
        assert_eq!(pauses.next(work), Duration::ZERO);
    }
}
