//! How a group's members change in one run.

use paxos_core::quorum::Membership;
use paxos_core::types::NodeId;

use crate::choice::Choice;

/// Who founds the groups, and how often someone wants other members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Weight of asking for other members at a nemesis tick.
    pub weight: u32,
    /// Who founds every group; the others wait to be told.
    pub founders: Vec<NodeId>,
    /// Slots between a change and its coming into force.
    pub window: u32,
    /// Someone who wants other members wants a voter to be a witness.
    pub witnesses: u32,
    /// The first host's disk; the others have the next ones.
    pub disk: u64,
}

impl Changes {
    /// Chance in a million that members change, in a run of any kind and in one that is wanted for
    /// that.
    const ODDS: [u32; 2] = [300_000, 800_000];

    pub(super) fn draw<C: Choice>(
        choice: &mut C,
        nodes: u8,
        wanted: Option<bool>,
    ) -> Option<Changes> {
        let odds = wanted.map_or(Self::ODDS[0], |is_wanted| u32::from(is_wanted) * Self::ODDS[1]);
        if !choice.chance(odds) {
            return None;
        }
        let mut founders = drawn(choice, nodes, 700_000);
        if founders.is_empty() {
            founders.push(NodeId(1 + choice.below(u32::from(nodes)) as u16));
        }
        Some(Changes {
            weight: 1 + choice.below(1_000_000),
            founders,
            window: 1 + choice.below(64),
            witnesses: 0,
            disk: choice.range(1..=1 << 40),
        })
    }

    pub(super) fn founding(&self) -> Membership {
        Membership::majority(self.founders.iter().copied()).with_window(self.window)
    }
}

/// Some of the nodes, each by this chance in a million.
pub(crate) fn drawn<C: Choice>(choice: &mut C, nodes: u8, odds: u32) -> Vec<NodeId> {
    (1..=u16::from(nodes)).map(NodeId).filter(|_| choice.chance(odds)).collect()
}
