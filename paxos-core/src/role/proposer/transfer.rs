//! Making way for another leader, without a gap longer than an election takes.
//!
//! While the target catches up, the leader goes on. Once the target is near, no new
//! command is proposed any more; once everything proposed is chosen and the target
//! has it, the target is told to stand. From there on it is a campaign like any
//! other: if it does not come, this leader goes on where it stopped.

use core::time::Duration;

use super::coverage::Coverage;
use crate::message::{Accepted, Handover};
use crate::quorum::NodeSet;
use crate::role::{Cx, earliest};
use crate::types::{Ballot, Instant, NodeId, Slot};

/// A transfer that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Transfer {
    to: NodeId,
    /// The chosen frontier when it was asked for.
    asked_at: Slot,
    /// What the target is known to hold: its votes at our ballot, and all below its
    /// chosen frontier.
    held: Coverage,
    /// Whether the target is near enough to stop for.
    near: bool,
    /// When to tell the target again; none before it was told first.
    retell_at: Option<Instant>,
    /// Whether that moment has passed, and the target could not be told since.
    overdue: bool,
    /// When to give up.
    deadline: Instant,
}

impl Transfer {
    /// Begins. `voted` is what the target has voted for in flight, ascending.
    pub(super) fn start(
        to: NodeId,
        asked_at: Slot,
        voted: impl Iterator<Item = (Slot, Slot)>,
        cx: &Cx<'_>,
    ) -> Transfer {
        let mut held = Coverage::starting(Slot::FIRST);
        for (first, end) in voted {
            held.add(first, Some(end));
        }
        let deadline = cx.now + cx.setting.timing.answer;
        Transfer { to, asked_at, held, near: false, retell_at: None, overdue: false, deadline }
    }

    /// Who is to lead.
    pub(super) fn to(&self) -> NodeId {
        self.to
    }

    /// Whether new commands must wait.
    pub(super) fn is_near(&self) -> bool {
        self.near
    }

    /// Whether the target was told to stand.
    pub(super) fn is_told(&self) -> bool {
        self.retell_at.is_some()
    }

    /// Whether it is time to give up.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.deadline <= now
    }

    /// Takes in that time has passed. What is due may have to wait for something else than
    /// time, and must not keep the node awake meanwhile.
    pub(super) fn on_tick(&mut self, now: Instant, resend: Duration) {
        if self.retell_at.is_some_and(|at| at <= now) {
            self.retell_at = Some(now + resend);
            self.overdue = true;
        }
    }

    pub(super) fn wake_at(&self) -> Instant {
        earliest(self.retell_at, Some(self.deadline)).unwrap_or(self.deadline)
    }

    /// Takes in a vote at our ballot.
    pub(super) fn on_accepted(&mut self, from: NodeId, m: &Accepted, cx: &Cx<'_>) {
        if from == self.to {
            self.held.add(m.first, Some(m.end));
            self.look(cx);
        }
    }

    /// Takes in a chosen frontier.
    pub(super) fn on_frontier(&mut self, from: NodeId, chosen: Slot, cx: &Cx<'_>) {
        if from == self.to {
            self.held.add(Slot::FIRST, Some(chosen));
            self.look(cx);
        }
    }

    /// Tells the target to stand, if it has all below `next` and was not told just
    /// now. The caller has nothing in flight.
    pub(super) fn tell(&mut self, ballot: Ballot, beat: u64, next: Slot, cx: &mut Cx<'_>) {
        let due = self.overdue || self.retell_at.is_none_or(|at| at <= cx.now);
        if !self.near || self.held.reached() < next || !due {
            return;
        }
        self.overdue = false;
        self.retell_at = Some(cx.now + cx.setting.timing.resend);
        cx.out.plain(NodeSet::of(self.to), Handover { ballot, beat, chosen: next });
    }

    fn look(&mut self, cx: &Cx<'_>) {
        if !self.near && self.held.reached() >= self.asked_at {
            self.near = true;
            self.deadline = cx.now + cx.setting.timing.patience;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::testing::{Bench, ME, N2, N3, b};

    #[test]
    fn what_is_due_and_cannot_be_done_does_not_keep_the_node_awake() {
        let (start, resend) = (Instant::default(), Duration::from_millis(50));
        let mut transfer = Transfer {
            to: NodeId(2),
            asked_at: Slot(1),
            held: Coverage::starting(Slot::FIRST),
            near: true,
            retell_at: Some(start + resend),
            overdue: false,
            deadline: start + 100 * resend,
        };
        for tick in 1..100 {
            let now = start + tick * resend;
            assert_eq!(transfer.wake_at(), now);
            transfer.on_tick(now, resend);
            assert!(transfer.overdue && transfer.is_told());
        }
    }

    /// The target stands when it has all, and is told so again until it does.
    #[test]
    fn the_target_is_told_when_it_has_all_and_again_when_that_is_due() {
        let mut bench = Bench::new();
        let resend = bench.setting.timing.resend;
        let voted = [(Slot(3), Slot(5))].into_iter();
        let mut transfer = Transfer::start(N2, Slot(3), voted, &bench.cx());
        let deadline = bench.now + bench.setting.timing.answer;
        assert!(!transfer.is_told() && !transfer.is_late(bench.now) && transfer.is_late(deadline));
        let tells = |transfer: &mut Transfer, bench: &mut Bench| {
            transfer.tell(b(1, ME), 1, Slot(6), &mut bench.cx());
            bench.said().len()
        };
        assert_eq!(tells(&mut transfer, &mut bench), 0, "not near");
        let vote = |first, end| Accepted { ballot: b(1, ME), first: Slot(first), end: Slot(end) };
        transfer.on_frontier(N3, Slot(9), &bench.cx());
        transfer.on_accepted(N3, &vote(1, 9), &bench.cx());
        assert!(!transfer.is_near(), "another node");
        transfer.on_frontier(N2, Slot(3), &bench.cx());
        assert!(transfer.is_near(), "with what it had voted for it has all but a slot");
        assert!(transfer.is_late(bench.now + bench.setting.timing.patience));
        assert_eq!(tells(&mut transfer, &mut bench), 0, "one slot is missing");
        transfer.on_accepted(N2, &vote(5, 6), &bench.cx());
        assert!(!transfer.is_told());
        assert_eq!(tells(&mut transfer, &mut bench), 1);
        assert!(transfer.is_told());
        assert_eq!(tells(&mut transfer, &mut bench), 0, "just told");
        bench.sleep(resend);
        assert_eq!(tells(&mut transfer, &mut bench), 1, "time has passed");
        bench.sleep(resend);
        transfer.on_tick(bench.now, resend);
        assert_eq!(tells(&mut transfer, &mut bench), 1, "and that was noticed before");
        assert_eq!(tells(&mut transfer, &mut bench), 0);
    }
}
