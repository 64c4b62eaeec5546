//! How long to wait for what.

use core::time::Duration;

use super::Lease;

/// How long to wait for what. Safety rests on none of these but the lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timing {
    /// A leader with nothing else to say speaks this often.
    pub heartbeat: Duration,
    /// A leader that is silent for this long, or longer by up to the same again
    /// (drawn from the seed), is given up. Also how long a leader leads without
    /// hearing a quorum. Should be several heartbeats, and longer than two syncs of
    /// a disk take: then an election is over at the first try.
    pub patience: Duration,
    /// After this long without an answer, a message is sent again.
    pub resend: Duration,
    /// A gap below the chosen frontier is fetched when it has stood this long:
    /// what fills it may just be late.
    pub gap: Duration,
    /// How long a proposal or a read may wait for a leader, and then for the
    /// leader's answer; and how long a leader lets its own clients wait.
    pub answer: Duration,
    /// After a hint that the leader is gone, the voters campaign this far apart,
    /// so that the first has won before the second tries.
    pub stagger: Duration,
    /// Whether a leader serves reads without a round, and for how long after it was
    /// heard. Off unless asked for: then reads rest on clocks.
    pub lease: Option<Lease>,
}

/// The priority of a node that leads neither more nor less willingly than others: see
/// [`Config::priority`](crate::Config::priority).
pub const PRIORITY: u8 = 100;

impl Default for Timing {
    /// Suits one data centre.
    fn default() -> Timing {
        Timing {
            heartbeat: Duration::from_millis(50),
            patience: Duration::from_millis(300),
            resend: Duration::from_millis(100),
            gap: Duration::from_millis(5),
            answer: Duration::from_secs(2),
            stagger: Duration::from_millis(15),
            lease: None,
        }
    }
}

impl Timing {
    /// The longest wait that is taken for meant; leaves room for every multiple
    /// that the core makes.
    pub const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

    /// Whether every wait is above zero and at most [`WAIT_MAX`](Self::WAIT_MAX),
    /// and the patience and the lease outlast a heartbeat.
    pub fn is_sane(&self) -> bool {
        let all = [self.heartbeat, self.patience, self.resend, self.gap, self.answer, self.stagger];
        let meant = |wait: &Duration| !wait.is_zero() && *wait <= Self::WAIT_MAX;
        let leases = self.lease.is_none_or(|lease| {
            meant(&lease.duration)
                && lease.drift_ppm <= Lease::DRIFT_MAX_PPM
                && lease.held() > self.heartbeat
        });
        all.iter().all(meant) && self.patience > self.heartbeat && leases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes that a sane timing does not survive, one at a time, and some that it does.
    #[test]
    fn a_wait_is_above_zero_and_at_most_a_day() {
        type Change<'a> = &'a dyn Fn(&mut Timing, Duration);
        let is_sane = |change: Change<'_>, wait| {
            // Above every heartbeat but an absurd one.
            let mut timing = Timing { patience: Timing::WAIT_MAX, ..Timing::default() };
            change(&mut timing, wait);
            timing.is_sane()
        };
        let micro = Duration::from_micros(1);
        assert_eq!(Timing::WAIT_MAX, Duration::from_secs(86_400));
        let all: [Change<'_>; 6] = [
            &|t, wait| t.heartbeat = wait,
            &|t, wait| t.patience = wait,
            &|t, wait| t.resend = wait,
            &|t, wait| t.gap = wait,
            &|t, wait| t.answer = wait,
            &|t, wait| t.stagger = wait,
        ];
        for (nth, one) in all.iter().enumerate() {
            assert!(!is_sane(one, Duration::ZERO), "{nth}");
            assert!(!is_sane(one, Timing::WAIT_MAX + micro), "{nth}");
            // The heartbeat must come before the patience is over, and so the patience.
            assert_eq!(is_sane(one, micro), nth != 1, "{nth}");
            assert_eq!(is_sane(one, Timing::WAIT_MAX), nth != 0, "{nth}");
        }
    }

    #[test]
    fn patience_and_a_lease_outlast_a_heartbeat() {
        let beat = Timing::default().heartbeat;
        let micro = Duration::from_micros(1);
        for (patience, sane) in [(beat, false), (beat + micro, true)] {
            assert_eq!(Timing { patience, ..Timing::default() }.is_sane(), sane);
        }
        for (duration, drift_ppm, sane) in [
            (beat, 0, false),
            (beat + micro, 0, true),
            (beat * 2, Lease::DRIFT_MAX_PPM, false),
            (beat * 3, Lease::DRIFT_MAX_PPM, true),
            (beat * 3, Lease::DRIFT_MAX_PPM + 1, false),
            (Timing::WAIT_MAX, 0, true),
            (Timing::WAIT_MAX + micro, 0, false),
        ] {
            let lease = Some(Lease { duration, drift_ppm });
            assert_eq!(Timing { lease, ..Timing::default() }.is_sane(), sane, "{lease:?}");
        }
    }
}
