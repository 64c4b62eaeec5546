//! Whether somebody else should lead, for no other reason than that it is preferred.
//!
//! Who has kept up for long enough is asked whether it reaches a quorum, and only who
//! says so is made way for: one that hears nobody but the leader would depose it, fail to
//! lead, and be made way for again, without end.

use crate::quorum::{NodeSet, Regime};
use crate::types::{NodeId, Slot};

use super::steward::Steward;

/// So many checks in a row, a patience apart, a node must have answered and kept up
/// before it is asked. A node that comes and goes does not take leadership with it;
/// and who is made way for has the higher priority, so it does not give it back.
const CHECKS: u8 = 8;

/// How often it is asked. Who is silent that often does not stand in the way of the next
/// best, until all that are preferred were asked.
const QUESTIONS: u8 = 3;

/// The node that is preferred to this leader, if there is one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Preference {
    /// Who has kept up, and for how many checks.
    rival: Option<(NodeId, u8)>,
    /// Who was asked, and did not answer.
    silent: NodeSet,
    /// The chosen frontier at the last check: who has not reached it has not kept up.
    frontier: Slot,
}

impl Preference {
    /// Looks once a patience who has `heard` us, and gives out whom to ask whether it could
    /// lead.
    pub(super) fn on_checked(
        &mut self,
        own: u8,
        heard: NodeSet,
        chosen: Slot,
        (steward, regime): (&Steward, &Regime),
    ) -> Option<NodeId> {
        let frontier = core::mem::replace(&mut self.frontier, chosen);
        let before = self.rival.take_if(|(_, checks)| *checks < CHECKS + QUESTIONS - 1);
        if let Some((node, _)) = self.rival.take() {
            self.silent.insert(node);
        }
        let mains = regime.current().mains().and(heard);
        let better = |nodes| steward.best(nodes, frontier).filter(|(_, priority)| *priority > own);
        let mut best = better(mains.without(self.silent));
        if best.is_none() {
            self.silent = NodeSet::EMPTY;
            best = better(mains);
        }
        let (node, _) = best?;
        let checks = 1 + before.filter(|(rival, _)| *rival == node).map_or(0, |(_, checks)| checks);
        self.rival = Some((node, checks));
        (checks >= CHECKS).then_some(node)
    }

    /// Takes in that `from` reaches a quorum. True, once, if it was asked: it is to be made
    /// way for. Should it not come, it has to keep up anew.
    pub(super) fn on_sounded(&mut self, from: NodeId) -> bool {
        let asked = |(node, checks): &mut (NodeId, u8)| *node == from && *checks >= CHECKS;
        self.rival.take_if(asked).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quorum::Membership;
    use crate::types::Schedule;

    const OWN: u8 = 5;

    /// What comes of so many checks in which these answered; `rival` has that priority.
    /// n2 and n3 both do, if both answer: n2 has come farther.
    fn checked(preference: &mut Preference, heard: &[u16], priority: u8) -> Option<u16> {
        let three = Membership::majority([1, 2, 3].map(NodeId));
        let regime = Regime::new(Schedule::starting(Slot::FIRST, three.into()), Slot::FIRST);
        let mut steward = Steward::default();
        for node in heard {
            steward.on_heard((NodeId(*node), 0), 1, Slot(12 - u64::from(*node)), Some(priority));
        }
        let heard = heard.iter().copied().map(NodeId).collect();
        preference.on_checked(OWN, heard, Slot(9), (&steward, &regime)).map(|node| node.0)
    }

    #[test]
    fn a_preferred_node_is_asked_after_so_many_checks_in_a_row_until_it_answers() {
        let mut preference = Preference::default();
        for round in 0..3 {
            for _ in 1..CHECKS {
                assert_eq!(checked(&mut preference, &[2], OWN + 1), None, "round {round}");
                assert!(!preference.on_sounded(NodeId(2)), "it was not asked");
            }
            for _ in 0..=round {
                assert_eq!(checked(&mut preference, &[2], OWN + 1), Some(2));
                assert!(!preference.on_sounded(NodeId(3)), "nor was this one");
            }
            // Each time anew: it may not have come.
            assert!(preference.on_sounded(NodeId(2)));
            assert!(!preference.on_sounded(NodeId(2)), "once");
        }
    }

    /// Who reaches only the leader must not keep the next best from leading.
    #[test]
    fn who_does_not_answer_is_passed_over_until_all_were_asked() {
        let mut preference = Preference::default();
        let spell = |node| [[None; CHECKS as usize - 1].as_slice(), &[Some(node); 3]].concat();
        for heard in [&[2, 3][..], &[3], &[2, 3], &[3]] {
            let node = heard[0];
            for (at, asked) in spell(node).into_iter().enumerate() {
                assert_eq!(checked(&mut preference, &[2, 3], OWN + 1), asked, "{node}, {at}");
            }
        }
        // Who is preferred no more is forgotten, silent or not.
        assert_eq!(checked(&mut preference, &[2, 3], OWN), None);
        assert_eq!(preference, Preference { frontier: Slot(9), ..Preference::default() });
    }

    #[test]
    fn who_comes_and_goes_or_is_no_better_begins_anew() {
        for (heard, priority) in [(&[][..], OWN + 1), (&[3], OWN + 1), (&[2], OWN)] {
            let mut preference = Preference::default();
            for _ in 1..CHECKS {
                assert_eq!(checked(&mut preference, &[2], OWN + 1), None);
            }
            assert_eq!(checked(&mut preference, heard, priority), None);
            assert_eq!(checked(&mut preference, &[2], OWN + 1), None);
        }
    }
}
