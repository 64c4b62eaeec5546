//! What nodes are to the groups beside voters that are like all others.

use paxos_core::Config;
use paxos_core::types::NodeId;

use crate::choice::Choice;

/// Who keeps no state machine, and who leads more or less willingly than others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Those among the founders that are witnesses; never all of them.
    pub witnesses: Vec<NodeId>,
    /// Each node's priority; empty if all have the one that nobody need mention.
    pub priorities: Vec<u8>,
}

impl Parts {
    /// Chance in a million that a run has witnesses, and that it has nodes that are preferred.
    const ODDS: [u32; 2] = [250_000, 200_000];

    /// Draws them for a run of so many nodes, of which these found the groups.
    pub(super) fn draw<C: Choice>(choice: &mut C, nodes: u8, founders: &[NodeId]) -> Parts {
        let mut parts = Parts::default();
        // Somebody must be able to lead.
        let main = choice.pick(founders).copied();
        let others = founders.iter().filter(|node| Some(**node) != main);
        if choice.chance(Self::ODDS[0]) {
            parts.witnesses = others.filter(|_| choice.chance(400_000)).copied().collect();
        }
        if choice.chance(Self::ODDS[1]) {
            let ladder = [Config::PRIORITY, Config::PRIORITY, 200, 150, 50, 1, 0];
            let mut each = || choice.pick(&ladder).copied().unwrap_or(Config::PRIORITY);
            parts.priorities = (0..nodes).map(|_| each()).collect();
        }
        if let Some(main) = main {
            let own = parts.priorities.get_mut(usize::from(main.0 - 1));
            own.into_iter().for_each(|own| *own = (*own).max(1));
        }
        parts
    }

    /// How willingly `node` leads.
    pub fn priority(&self, node: NodeId) -> u8 {
        let own = self.priorities.get(usize::from(node.0.saturating_sub(1)));
        own.copied().unwrap_or(Config::PRIORITY)
    }
}
