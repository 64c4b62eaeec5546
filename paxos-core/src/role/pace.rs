//! The pace at which a replica that catches up takes bytes in.
//!
//! Whoever gives them serves clients too, and shares a processor, a disk or a wire with
//! those who do. So what is asked for is paid for in time, at
//! [`catch_up_bytes_per_s`](crate::types::Limits::catch_up_bytes_per_s). A little may be
//! owed: what is small comes at once, and a step that comes late loses nothing.

use core::time::Duration;

use super::Cx;
use crate::types::Instant;

/// What was taken, and is not paid for yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Pace {
    /// When all that was taken is paid for.
    paid_at: Instant,
    /// When the first was taken.
    since: Option<Instant>,
}

impl Pace {
    /// When more may be taken: not before less than a burst is owed.
    pub(crate) fn ready_at(&self, cx: &Cx<'_>) -> Instant {
        let burst = cost(BURST_BYTES, cx).as_micros().min(BURST_MICROS_MAX) as u64;
        Instant::from_micros(self.paid_at.as_micros().saturating_sub(burst))
    }

    /// Whether more may be taken now, however much.
    pub(crate) fn is_ready(&self, cx: &Cx<'_>) -> bool {
        self.ready_at(cx) <= cx.now
    }

    /// Takes so many bytes of what comes twice as fast after every `doubling`. What is behind
    /// grows meanwhile, perhaps faster than the pace is: so there is an end.
    pub(crate) fn take(&mut self, bytes: u64, doubling: Duration, cx: &Cx<'_>) {
        let since = *self.since.get_or_insert(cx.now);
        let doublings = cx.now.since(since).as_secs() / doubling.as_secs().max(1);
        let cost = cost(bytes >> doublings.min(DOUBLINGS_MAX), cx);
        self.paid_at = self.paid_at.max(cx.now) + cost;
    }
}

/// How long so many bytes take; at most a minute a piece, so that the slowest pace, too,
/// comes to an end.
fn cost(bytes: u64, cx: &Cx<'_>) -> Duration {
    let per_s = u128::from(cx.setting.limits.catch_up_bytes_per_s.max(1));
    let micros = u128::from(bytes) * 1_000_000 / per_s;
    Duration::from_micros(micros.min(COST_MICROS_MAX) as u64)
}

/// Taken before anything is paid for: more than a replica lacks that was away for a moment.
const BURST_BYTES: u64 = 1 << 20;
/// And no more than comes in a second.
const BURST_MICROS_MAX: u128 = 1_000_000;
const COST_MICROS_MAX: u128 = 60_000_000;
const DOUBLINGS_MAX: u64 = 40;

#[cfg(test)]
mod tests;
