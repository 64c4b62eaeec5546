//! The voter's side of a lease: whom it may promise, and when.
//!
//! A voter that has acknowledged a beat promises no other node until the lease that
//! the leader may hold because of it is over. Any phase 1 quorum holds one of those
//! who acknowledged, so nobody is elected while a lease is held. Words of a former
//! life bind too, and are forgotten: so a node that starts again promises nobody for
//! as long as one of them might last.
//!
//! Without leases nothing here ever binds.

use super::Cx;
use crate::message::Release;
use crate::types::{Ballot, Incarnation, Instant, NodeId, Timing};

/// What this voter's acknowledgements bind it to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Vow {
    /// The latest beat that was acknowledged, of the leader that was heard last.
    beat: Option<Release>,
    /// Until when only that leader may be promised.
    until: Instant,
    /// Until when nobody else may be promised, because of leaders before that one, or
    /// of a former life.
    quiet_until: Instant,
}

impl Vow {
    /// What a former life may have said, if there was one.
    pub(crate) fn after_start(incarnation: Incarnation, now: Instant, timing: &Timing) -> Vow {
        let lived_before = incarnation > Incarnation(1);
        let kept = timing.lease.filter(|_| lived_before).map(|lease| lease.kept());
        let until = Instant::default();
        Vow { beat: None, until, quiet_until: kept.map_or(until, |kept| now + kept) }
    }

    /// Takes in that we acknowledge a beat now.
    pub(crate) fn on_beat(&mut self, ballot: Ballot, beat: u64, cx: &Cx<'_>) {
        let Some(lease) = cx.setting.timing.lease else { return };
        let last = self.beat.filter(|last| last.ballot.node == ballot.node);
        if last.is_none() {
            self.quiet_until = self.quiet_until.max(self.until);
        }
        let this = Release { ballot, beat };
        self.beat = Some(last.filter(|last| covers(last, &this)).unwrap_or(this));
        self.until = cx.now + lease.kept();
    }

    /// Takes in that a leader counts on our word no more.
    pub(crate) fn on_released(&mut self, released: Option<Release>) {
        if let (Some(beat), Some(released)) = (self.beat, released)
            && beat.ballot.node == released.ballot.node
            && covers(&released, &beat)
        {
            self.until = Instant::default();
        }
    }

    /// Whether `node` may be promised now.
    pub(crate) fn frees(&self, node: NodeId, now: Instant) -> bool {
        let is_its_own = self.beat.is_some_and(|beat| beat.ballot.node == node);
        now >= self.quiet_until && (is_its_own || now >= self.until)
    }

    /// When everyone may be promised.
    pub(crate) fn free_at(&self) -> Instant {
        self.until.max(self.quiet_until)
    }
}

/// Whether `later` is not before `earlier`.
fn covers(later: &Release, earlier: &Release) -> bool {
    (later.ballot, later.beat) >= (earlier.ballot, earlier.beat)
}
