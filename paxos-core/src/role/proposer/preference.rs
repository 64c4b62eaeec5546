//! Whether somebody else should lead, for no other reason than that it is preferred.

use crate::quorum::{NodeSet, Regime};
use crate::types::{NodeId, Slot};

use super::steward::Steward;

/// So many checks in a row, a patience apart, a node must have answered and kept up
/// before it is made way for. A node that comes and goes does not take leadership with it;
/// and who is made way for has the higher priority, so it does not give it back.
const CHECKS: u8 = 8;

/// The node that is preferred to this leader, if there is one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Preference {
    /// Who has kept up, and for how many checks.
    rival: Option<(NodeId, u8)>,
    /// The chosen frontier at the last check: who has not reached it has not kept up.
    frontier: Slot,
}

impl Preference {
    /// Looks once a patience who has `heard` us, and gives out whom to make way for.
    pub(super) fn on_checked(
        &mut self,
        own: u8,
        heard: NodeSet,
        chosen: Slot,
        (steward, regime): (&Steward, &Regime),
    ) -> Option<NodeId> {
        let frontier = core::mem::replace(&mut self.frontier, chosen);
        let mains = regime.current().mains().and(heard);
        let best = steward.best(mains, frontier).filter(|(_, priority)| *priority > own);
        let Some((node, _)) = best else {
            self.rival = None;
            return None;
        };
        let before = self.rival.filter(|(rival, _)| *rival == node).map_or(0, |(_, checks)| checks);
        let checks = before + 1;
        self.rival = (checks < CHECKS).then_some((node, checks));
        (checks >= CHECKS).then_some(node)
    }
}
