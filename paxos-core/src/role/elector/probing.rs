//! Whether a quorum would promise a ballot: asked before anybody is deposed by it.

use super::Cx;
use crate::message::{Probe, ProbeAck};
use crate::quorum::Tally;
use crate::types::{Ballot, Instant, NodeId};

/// Who would promise it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Probing {
    ballot: Ballot,
    granted: Tally,
    resend_at: Instant,
    /// How often it was sent again: each time the wait doubles, up to a bound.
    resent: u8,
}

impl Probing {
    /// Asks all who decide.
    pub(super) fn start(ballot: Ballot, cx: &mut Cx<'_>) -> Probing {
        let resend_at = cx.now + cx.setting.timing.stagger;
        let chosen = cx.regime.frontier();
        cx.out.plain(cx.regime.current().voters(), Probe { ballot, chosen });
        Probing { ballot, granted: Tally::default(), resend_at, resent: 0 }
    }

    /// When to ask again.
    pub(super) fn resend_at(&self) -> Instant {
        self.resend_at
    }

    /// Asks those again who have not granted it, once it is time.
    pub(super) fn on_tick(&mut self, cx: &mut Cx<'_>) {
        if cx.now < self.resend_at {
            return;
        }
        self.resent = (self.resent + 1).min(3);
        self.resend_at = cx.now + cx.setting.timing.stagger * (1 << self.resent);
        let missing = cx.regime.current().voters().without(self.granted.yes());
        let (ballot, chosen) = (self.ballot, cx.regime.frontier());
        cx.out.plain(missing, Probe { ballot, chosen });
    }

    /// Counts an answer. True if it is the one that is worth a campaign.
    pub(super) fn is_won_with(
        &mut self,
        (from, disk): (NodeId, u64),
        m: &ProbeAck,
        cx: &Cx<'_>,
    ) -> bool {
        let current = cx.regime.current();
        if m.ballot != self.ballot || !m.granted || !cx.regime.vouches(from, disk) {
            return false;
        }
        // Who hears fewer than both quorums could win phase 1 and then choose
        // nothing: it has no business deposing anyone.
        self.granted.add(from, current)
            && self.granted.is_prepared(current)
            && self.granted.is_chosen(current)
    }
}
