//! A clock that never goes back, made from one that might.

use crate::types::Instant;

/// Tells the core's time from the embedder's. When the embedder's clock jumps
/// back, the core's goes on from where it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Clock {
    /// The last time told, by the core's clock.
    last: Instant,
    /// How far the core's clock is ahead of the embedder's, in microseconds.
    ahead: u64,
}

impl Clock {
    /// The core's time when the embedder's is `now`.
    pub(super) fn tell(&mut self, now: Instant) -> Instant {
        let told = self.ahead_of(now);
        if told < self.last {
            self.ahead = self.ahead.saturating_add(self.last.as_micros() - told.as_micros());
        } else {
            self.last = told;
        }
        self.last
    }

    /// The core's time when the embedder's is `now`, for a look.
    pub(super) fn peek(&self, now: Instant) -> Instant {
        self.last.max(self.ahead_of(now))
    }

    /// The embedder's time when the core's is `at`.
    pub(super) fn untell(&self, at: Instant) -> Instant {
        Instant::from_micros(at.as_micros().saturating_sub(self.ahead))
    }

    fn ahead_of(&self, now: Instant) -> Instant {
        Instant::from_micros(now.as_micros().saturating_add(self.ahead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_back_goes_on_from_where_it_was() {
        let mut clock = Clock::default();
        let at = Instant::from_micros;
        assert_eq!(clock.tell(at(100)), at(100));
        assert_eq!(clock.tell(at(40)), at(100));
        assert_eq!(clock.tell(at(50)), at(110));
        assert_eq!(clock.untell(at(120)), at(60));
        assert_eq!(clock.untell(at(30)), at(0), "long ago");
    }

    #[test]
    fn a_look_at_a_clock_changes_nothing() {
        let mut clock = Clock::default();
        let at = Instant::from_micros;
        clock.tell(at(100));
        clock.tell(at(40));
        assert_eq!([30, 40, 41].map(|now| clock.peek(at(now))), [100, 100, 101].map(at));
        assert_eq!(clock.tell(at(40)), at(100));
        assert_eq!(clock.tell(at(41)), at(101));
        assert_eq!(clock.tell(at(u64::MAX)), at(u64::MAX), "and none is beyond the last moment");
    }
}
