//! Time as the embedder tells it.

use core::fmt;
use core::time::Duration;

/// A moment on one node's own monotonic clock, in microseconds since a moment of
/// the embedder's choice.
///
/// Clocks of two nodes are never compared, and safety never rests on any of
/// them: a clock that jumps or stops costs only liveness. Leases are the exception,
/// where they are asked for: see [`Lease`](super::Lease).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Instant(u64);

impl Instant {
    /// The moment `micros` microseconds after the clock's origin.
    pub const fn from_micros(micros: u64) -> Instant {
        Instant(micros)
    }

    /// Microseconds since the clock's origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl core::ops::Add<Duration> for Instant {
    type Output = Instant;

    /// The moment `wait` later, saturating.
    fn add(self, wait: Duration) -> Instant {
        let micros = wait.as_secs().saturating_mul(1_000_000);
        let micros = micros.saturating_add(u64::from(wait.subsec_micros()));
        Instant(self.0.saturating_add(micros))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_as_far_away_as_it_is_and_never_beyond_the_last() {
        let at = Instant::from_micros;
        let wait = Duration::from_secs(2) + Duration::from_micros(7);
        assert_eq!(at(3) + wait, at(2_000_010));
        assert_eq!(at(2_000_010).since(at(3)), wait);
        assert_eq!((at(3).since(at(4)), at(3).as_micros()), (Duration::ZERO, 3));
        assert_eq!(at(3) + Duration::MAX, at(u64::MAX));
    }
}
