//! The two clocks of a node.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use paxos_core::types::Instant;
use rustix::time::{ClockId, clock_gettime};

/// The monotonic clock that the core is told about, and the wall clock that the
/// key-value store's deadlines are about.
///
/// The monotonic one goes on while the machine is suspended, where the system has such
/// a clock: a lease that ran out meanwhile must be seen to have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Duration,
}

impl Clock {
    /// A clock whose zero is now.
    pub(crate) fn start() -> Clock {
        Clock { origin: reading() }
    }

    /// Time since the start.
    pub(crate) fn now(&self) -> Instant {
        let micros = reading().saturating_sub(self.origin).as_micros();
        Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// Milliseconds since the Unix epoch; zero if the wall clock stands before it.
    pub(crate) fn wall_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

fn reading() -> Duration {
    let time = clock_gettime(MONOTONIC);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

#[cfg(target_os = "linux")]
const MONOTONIC: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const MONOTONIC: ClockId = ClockId::Monotonic;

/// How long to sleep at `now` until `wake_at`, rounded up to what a poll can
/// wait: a poll rounds down, and a turn that comes too early is a turn for nothing.
pub(crate) fn until(wake_at: Instant, now: Instant) -> Duration {
    let micros = wake_at.since(now).as_micros();
    Duration::from_millis(u64::try_from(micros.div_ceil(1000)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_to_a_millisecond_and_over_at_once_when_past() {
        let at = Instant::from_micros;
        assert_eq!(until(at(1001), at(1000)), Duration::from_millis(1));
        assert_eq!(until(at(3000), at(1000)), Duration::from_millis(2));
        assert_eq!(until(at(1000), at(1000)), Duration::ZERO);
        assert_eq!(until(at(999), at(1000)), Duration::ZERO);
    }
}
