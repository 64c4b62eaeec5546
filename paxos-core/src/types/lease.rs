//! For how long a leader may read without asking.

use core::time::Duration;

/// A leader's lease: after a quorum has acknowledged a beat, its members promise
/// nobody else for a while, and for a little less than that the leader serves reads
/// without a round.
///
/// With leases, reads rest on clocks: while a true second passes, the clock of no
/// node may go on by less than `1 - drift` or more than `1 + drift` seconds, and the
/// `now` of a step must have been read after its input arrived. A virtual machine
/// that is frozen and whose clock does not count that breaks the bound. All members
/// must be given the same lease.
///
/// The price: when a leader dies, its successor is elected later by up to a lease,
/// and a node that was restarted promises nobody for that long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Lease {
    /// How long, in true time, counted from when the leader sent the beat.
    pub duration: Duration,
    /// The farthest that any clock runs fast or slow, in parts in a million.
    pub drift_ppm: u32,
}

impl Lease {
    /// The largest drift that is taken for meant: a half.
    pub const DRIFT_MAX_PPM: u32 = 500_000;

    /// How long the leader holds it by its own clock, which may be slow.
    pub fn held(&self) -> Duration {
        self.scaled(MILLION - u64::from(self.drift_ppm.min(Self::DRIFT_MAX_PPM)))
    }

    /// How long a voter keeps its word by its own clock, which may be fast.
    pub fn kept(&self) -> Duration {
        // What the division cuts off must not make it shorter.
        self.scaled(MILLION + u64::from(self.drift_ppm)) + Duration::from_micros(1)
    }

    fn scaled(&self, millionths: u64) -> Duration {
        let micros = self.duration.as_micros().saturating_mul(u128::from(millionths));
        Duration::from_micros((micros / u128::from(MILLION)).try_into().unwrap_or(u64::MAX))
    }
}

const MILLION: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the clocks do within the bound, the leader is done first.
    #[test]
    fn a_lease_is_held_shorter_than_it_is_kept_by_any_two_clocks() {
        for drift_ppm in [0, 1, 200, 50_000, 333_333, 500_000] {
            for micros in [1, 7, 1_000, 999_999, 3_600_000_000] {
                let duration = Duration::from_micros(micros);
                let lease = Lease { duration, drift_ppm };
                let drift = f64::from(drift_ppm) / 1e6;
                let held = lease.held().as_secs_f64() / (1.0 - drift);
                let kept = lease.kept().as_secs_f64() / (1.0 + drift);
                assert!(held <= duration.as_secs_f64() + 1e-12, "{lease:?} {held}");
                assert!(kept >= duration.as_secs_f64(), "{lease:?} {kept}");
            }
        }
    }
}
