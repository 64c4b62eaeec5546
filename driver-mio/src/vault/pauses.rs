//! Pauses in what takes long and is waited for by nobody.

use std::thread;
use std::time::{Duration, Instant};

/// So long an image takes longer than it has to, at most: the log grows meanwhile.
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
        thread::sleep(self.take(self.since.elapsed()));
        self.since = Instant::now();
    }

    /// How long the pause is after so much work.
    fn take(&mut self, worked: Duration) -> Duration {
        let pause = worked.min(self.left);
        self.left -= pause;
        pause
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
            assert_eq!(pauses.take(work), work);
            assert!(!pauses.are_over());
        }
        assert_eq!(pauses.take(work), MOST - work * 3);
        assert!(pauses.are_over());
        assert_eq!(pauses.take(work), Duration::ZERO);
    }
}
