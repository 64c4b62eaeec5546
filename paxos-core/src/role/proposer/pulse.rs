//! A leader's beats: when the next is due, and which number it has.

use core::time::Duration;

use crate::types::Instant;

/// The beats of one leadership.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pulse {
    /// The latest beat.
    beat: u64,
    /// When the next is due.
    due_at: Instant,
}

impl Pulse {
    /// No beat yet; the first is due now.
    pub(super) fn starting(now: Instant) -> Pulse {
        Pulse { beat: 0, due_at: now }
    }

    /// The latest beat.
    pub(super) fn beat(&self) -> u64 {
        self.beat
    }

    /// When the next is due.
    pub(super) fn due_at(&self) -> Instant {
        self.due_at
    }

    /// Begins the next beat. One that follows a [`Handover`](crate::message::Handover)
    /// keeps its number: a later one would tell the target that it was given up.
    pub(super) fn begin(&mut self, now: Instant, every: Duration, handed_over: bool) {
        self.beat += u64::from(!handed_over);
        self.due_at = now + every;
    }
}
