//! A leader's beats: when the next is due, who has answered which, and what may be
//! concluded from that.
//!
//! A quorum that has acknowledged a beat had promised nobody higher when it did, so
//! this was the leader when the beat was sent. If leases are on, its members promise
//! nobody else for a while, and it still is: see [`Lease`](crate::types::Lease). All
//! is counted from when a beat was sent; how long answers took does not matter.

use alloc::collections::VecDeque;

use crate::message::HeartbeatAck;
use crate::quorum::Tally;
use crate::role::{Cx, Setting};
use crate::types::{Instant, NodeId};

/// The beats of one leadership.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Pulse {
    /// The latest beat.
    number: u64,
    /// When the next is due.
    due_at: Instant,
    /// Beats that no quorum has answered, oldest first.
    ///
    /// Invariant: at most `BEATS_MAX`.
    open: VecDeque<Beat>,
    /// When the newest beat was sent that a quorum has answered.
    heard_at: Option<Instant>,
    /// The beats up to this one were released: no lease comes from them.
    released: u64,
    /// From when on the lease counts.
    leased_at: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Beat {
    number: u64,
    sent_at: Instant,
    yes: Tally,
}

/// A quorum that needs longer for an answer than so many beats gives no lease.
const BEATS_MAX: usize = 32;

impl Pulse {
    /// No beat yet; the first is due now.
    pub(super) fn starting(now: Instant) -> Pulse {
        Pulse {
            number: 0,
            due_at: now,
            open: VecDeque::new(),
            heard_at: None,
            released: 0,
            leased_at: None,
        }
    }

    /// The latest beat.
    pub(super) fn beat(&self) -> u64 {
        self.number
    }

    /// When the next is due.
    pub(super) fn due_at(&self) -> Instant {
        self.due_at
    }

    /// When this surely led: everything acknowledged before is known here.
    pub(super) fn heard_at(&self) -> Option<Instant> {
        self.heard_at
    }

    /// Until when reads need no round.
    pub(super) fn leased_until(&self, setting: &Setting) -> Option<Instant> {
        Some(self.leased_at? + setting.timing.lease?.held())
    }

    /// Begins the next beat. One that follows a [`Handover`](crate::message::Handover)
    /// keeps its number: a later one would tell the target that it was given up, and
    /// bind the voters again.
    pub(super) fn begin(&mut self, handed_over: bool, cx: &Cx<'_>) {
        self.due_at = cx.now + cx.setting.timing.heartbeat;
        if handed_over {
            return;
        }
        self.number += 1;
        if self.open.len() >= BEATS_MAX {
            self.open.pop_front();
        }
        let mut yes = Tally::default();
        // We promise another only by falling, and a lease falls with us.
        yes.note(cx.setting.me);
        self.open.push_back(Beat { number: self.number, sent_at: cx.now, yes });
        self.count(cx);
    }

    /// Counts an answer of one who vouches for its disk. It was given after all beats up to this one were sent.
    pub(super) fn on_ack(&mut self, from: NodeId, m: &HeartbeatAck, cx: &Cx<'_>) {
        if m.beat > self.number {
            return;
        }
        for beat in self.open.iter_mut().take_while(|beat| beat.number <= m.beat) {
            beat.yes.note(from);
        }
        self.count(cx);
    }

    /// Gives the lease up, and with it all that answers to earlier beats could give.
    pub(super) fn release(&mut self) {
        self.released = self.number;
        self.leased_at = None;
    }

    fn count(&mut self, cx: &Cx<'_>) {
        // Each membership that decides anything from here on must know of no other leader.
        let heard = |beat: &Beat| cx.regime.coming().all(|(_, m)| beat.yes.is_chosen(m));
        while self.open.front().is_some_and(heard) {
            let Some(beat) = self.open.pop_front() else { break };
            self.heard_at = Some(beat.sent_at);
            if beat.number > self.released {
                self.leased_at = Some(beat.sent_at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::role::testing::{Bench, ME, N2, N3, b};
    use crate::types::Slot;

    const BEAT: Duration = Duration::from_millis(50);

    fn beaten(bench: &mut Bench, pulse: &mut Pulse) -> Instant {
        pulse.begin(false, &bench.cx());
        let sent_at = bench.now;
        assert_eq!(pulse.due_at(), sent_at + BEAT);
        bench.sleep(BEAT);
        sent_at
    }

    fn ack(pulse: &mut Pulse, from: NodeId, beat: u64, bench: &mut Bench) {
        let m = HeartbeatAck { ballot: b(1, ME), beat, chosen: Slot(1), priority: None };
        pulse.on_ack(from, &m, &bench.cx());
    }

    #[test]
    fn an_answer_counts_for_its_beat_and_those_before() {
        let mut bench = Bench::new();
        let mut pulse = Pulse::starting(bench.now);
        let sent: [Instant; 3] = core::array::from_fn(|_| beaten(&mut bench, &mut pulse));
        assert_eq!((pulse.beat(), pulse.heard_at()), (3, None));
        ack(&mut pulse, N2, 4, &mut bench);
        assert_eq!(pulse.heard_at(), None, "of a beat that never was");
        ack(&mut pulse, N2, 2, &mut bench);
        assert_eq!(pulse.heard_at(), Some(sent[1]));
        ack(&mut pulse, N3, 1, &mut bench);
        assert_eq!(pulse.heard_at(), Some(sent[1]), "late");
        ack(&mut pulse, N3, 3, &mut bench);
        assert_eq!(pulse.heard_at(), Some(sent[2]));
    }

    #[test]
    fn a_slow_quorum_costs_the_oldest_beats_and_no_memory() {
        let mut bench = Bench::new();
        let mut pulse = Pulse::starting(bench.now);
        let most = BEATS_MAX as u64;
        for beat in 1..=most + 2 {
            beaten(&mut bench, &mut pulse);
            assert_eq!(pulse.open.len() as u64, beat.min(most));
        }
        ack(&mut pulse, N2, 2, &mut bench);
        assert_eq!(pulse.heard_at(), None, "forgotten");
        ack(&mut pulse, N2, 3, &mut bench);
        assert!(pulse.heard_at().is_some(), "the oldest that is kept");
    }

    #[test]
    fn what_was_released_gives_no_lease_and_the_next_beat_does() {
        let mut bench = Bench::new().leasing();
        let mut pulse = Pulse::starting(bench.now);
        beaten(&mut bench, &mut pulse);
        let second = beaten(&mut bench, &mut pulse);
        pulse.release();
        ack(&mut pulse, N2, 2, &mut bench);
        assert_eq!((pulse.heard_at(), pulse.leased_until(&bench.setting)), (Some(second), None));
        let third = beaten(&mut bench, &mut pulse);
        ack(&mut pulse, N2, 3, &mut bench);
        let until = third + Duration::from_secs(1);
        assert_eq!(pulse.leased_until(&bench.setting), Some(until));
        pulse.begin(true, &bench.cx());
        assert_eq!(pulse.beat(), 3, "a beat after a handover is the same");
    }
}
