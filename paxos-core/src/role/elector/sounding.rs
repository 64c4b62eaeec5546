//! Whether this replica would reach a quorum: a leader asks that would make way for it.
//!
//! All who decide are probed, at a ballot that is not stood with. Voters that hear that
//! leader grant nothing, but they answer, and that is all that is wanted.

use super::Cx;
use crate::message::{Probe, ProbeAck};
use crate::quorum::Tally;
use crate::types::{Ballot, NodeId};

/// Who has answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Sounding {
    /// Who asked.
    leader: Ballot,
    there: Tally,
}

impl Sounding {
    /// Asks who is there; nobody, where rounds end.
    pub(super) fn start(leader: Ballot, cx: &mut Cx<'_>) -> Option<Sounding> {
        let ballot = leader.next(cx.setting.me, cx.setting.disk);
        if !ballot.is_sane() {
            return None;
        }
        let chosen = cx.regime.frontier();
        cx.out.plain(cx.regime.voters(), Probe { ballot, chosen });
        Some(Sounding { leader, there: Tally::default() })
    }

    /// Who asked.
    pub(super) fn leader(&self) -> Ballot {
        self.leader
    }

    /// Counts an answer, whether it grants anything or not. True once both quorums of all
    /// memberships that decide are there.
    pub(super) fn is_enough_with(
        &mut self,
        (from, disk): (NodeId, u64),
        m: &ProbeAck,
        cx: &Cx<'_>,
    ) -> bool {
        if m.ballot != self.leader.next(cx.setting.me, cx.setting.disk) {
            return false;
        }
        if cx.regime.vouches(from, disk) {
            self.there.note(from);
        }
        cx.regime.coming().all(|(_, m)| self.there.is_prepared(m) && self.there.is_chosen(m))
    }
}
