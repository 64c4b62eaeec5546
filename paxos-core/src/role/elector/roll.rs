//! The roll: who answers while there is no leader, and from which disks.
//!
//! A voter that has lost its disk comes back on another, and has no vote until the group
//! has bound it to that one. If so many have lost theirs that those left are no quorum,
//! nobody can bind anybody: all wait, for ever, and nothing else says why. The roll tells
//! that from voters that are merely away: those do not answer, and may have their disks.
//!
//! Decides nothing. It begins with the first answer from a disk that is not bound, so
//! where there is none it costs nothing.

use super::Cx;
use crate::quorum::{NodeSet, Tally};
use crate::types::{NodeId, Slot};

/// Answers since the last count.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Roll {
    /// Voters on the disks that they are bound to.
    bound: Tally,
    /// Voters on other disks.
    unbound: NodeSet,
    /// How often patience has run out.
    patiences: u32,
    /// Counts on end, the last one included, that have found no quorum.
    lost: u32,
}

/// What a count has found: of voters whose disks may be bound there is no quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    /// Voters that are on disks which they are not bound to.
    pub(super) unbound: NodeSet,
    /// Voters that have not answered.
    pub(super) silent: NodeSet,
    /// Whether it is time to say so.
    pub(super) is_news: bool,
}

impl Roll {
    /// Takes in an answer of `from`. Everything below `chosen` is known there.
    pub(super) fn hear(
        roll: &mut Option<Roll>,
        (from, disk): (NodeId, u64),
        chosen: Slot,
        cx: &Cx<'_>,
    ) {
        let (regime, me) = (&cx.regime, cx.setting.me);
        let voters = regime.current().voters();
        if !voters.contains(from) || !voters.contains(me) {
            return;
        }
        if regime.vouches(from, disk) {
            let may_begin = !regime.vouches(me, cx.setting.disk);
            if let Some(roll) = begun(roll, may_begin) {
                roll.bound.note(from);
            }
        } else if chosen <= regime.frontier() {
            // Who knows more than we do may be bound by what we do not know yet.
            if let Some(roll) = begun(roll, true) {
                roll.unbound.insert(from);
            }
        }
    }

    /// Takes in that patience has run out once more; counts, when it is time. Ends the
    /// roll if there is nothing to tell.
    pub(super) fn on_patience(roll: &mut Option<Roll>, cx: &Cx<'_>) -> Option<Lost> {
        let open = roll.as_mut()?;
        open.patiences += 1;
        if open.patiences < PATIENCES {
            return None;
        }
        let found = open.count(cx);
        if found.is_none() {
            *roll = None;
        }
        found
    }

    /// Whether the last count has found no quorum.
    pub(super) fn is_lost(&self) -> bool {
        self.lost > 0
    }

    fn count(&mut self, cx: &Cx<'_>) -> Option<Lost> {
        let (current, me) = (cx.regime.current(), cx.setting.me);
        let Roll { mut bound, mut unbound, lost, .. } = core::mem::take(self);
        match cx.regime.vouches(me, cx.setting.disk) {
            true => _ = bound.note(me),
            false => _ = unbound.insert(me),
        }
        // Who has answered from both has changed its disk meanwhile.
        let unbound = unbound.and(current.voters()).without(bound.yes());
        if unbound.is_empty() || !current.voters().contains(me) {
            return None;
        }
        // Who is silent may be merely away.
        let left = Tally::of(current.voters().without(unbound));
        if left.is_prepared(current) && left.is_chosen(current) {
            return None;
        }
        self.lost = lost.saturating_add(1);
        let silent = current.voters().without(bound.yes()).without(unbound);
        Some(Lost { unbound, silent, is_news: lost.is_multiple_of(AGAIN) })
    }
}

/// The roll that is open; a new one if one may begin.
fn begun(roll: &mut Option<Roll>, may_begin: bool) -> Option<&mut Roll> {
    match may_begin {
        true => Some(roll.get_or_insert_default()),
        false => roll.as_mut(),
    }
}

/// How often patience runs out until answers are counted: whoever restarts, or is taken
/// up by a leader, is done long before.
const PATIENCES: u32 = 8;
/// So many counts come between two that are told.
const AGAIN: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quorum::Membership;
    use crate::role::testing::{Bench, ME, N2, N3};

    /// n1 of three, whose disks are called 10, 20 and 30.
    fn bench(membership: Membership) -> Bench {
        let bound = membership.with_disk(ME, 10).with_disk(N2, 20).with_disk(N3, 30);
        let mut bench = Bench::of(bound);
        bench.setting.disk = 10;
        bench
    }

    fn three() -> Bench {
        bench(Membership::majority([ME, N2, N3]))
    }

    /// What is found once these have answered, each from that disk.
    fn count(
        bench: &mut Bench,
        roll: &mut Option<Roll>,
        answers: &[(NodeId, u64)],
    ) -> Option<Lost> {
        for answer in answers {
            Roll::hear(roll, *answer, Slot::FIRST, &bench.cx());
        }
        for _ in 1..PATIENCES {
            assert_eq!(Roll::on_patience(roll, &bench.cx()), None, "not yet");
        }
        Roll::on_patience(roll, &bench.cx())
    }

    fn lost(unbound: &[NodeId], silent: &[NodeId]) -> Option<Lost> {
        let set = |nodes: &[NodeId]| nodes.iter().copied().collect();
        Some(Lost { unbound: set(unbound), silent: set(silent), is_news: true })
    }

    #[test]
    fn who_is_silent_may_come_back_and_who_is_on_another_disk_has_lost_its_own() {
        for (answers, found) in [
            (&[][..], None),
            (&[(N2, 20)], None),
            (&[(N2, 21)], None),
            (&[(N2, 21), (N3, 31)], lost(&[N2, N3], &[])),
            (&[(N2, 21), (N3, 30)], None),
            (&[(N2, 21), (N2, 20)], None),
            (&[(NodeId(9), 90)], None),
        ] {
            let mut roll = None;
            assert_eq!(count(&mut three(), &mut roll, answers), found, "{answers:?}");
            assert_eq!(roll.is_some_and(|roll| roll.is_lost()), found.is_some(), "{answers:?}");
        }
    }

    #[test]
    fn who_has_lost_its_own_disk_counts_itself_among_those_once_anyone_answers() {
        let mut bench = three();
        bench.setting.disk = 11;
        assert_eq!(count(&mut bench, &mut None, &[]), None, "all others may be merely down");
        assert_eq!(count(&mut bench, &mut None, &[(N2, 20)]), None, "as n3 may be");
        assert_eq!(count(&mut bench, &mut None, &[(N2, 21)]), lost(&[ME, N2], &[N3]));
        assert_eq!(count(&mut bench, &mut None, &[(N2, 20), (N3, 30)]), None);
    }

    #[test]
    fn both_quorums_are_needed() {
        for (prepare, accept, all) in [(3, 1, true), (2, 2, false)] {
            let mut bench = bench(Membership::flexible([ME, N2, N3], prepare, accept));
            let found = |who| if all { lost(&[who], &[]) } else { None };
            assert_eq!(count(&mut bench, &mut None, &[(N2, 21), (N3, 30)]), found(N2));
            // Also if all others are who they were.
            bench.setting.disk = 11;
            assert_eq!(count(&mut bench, &mut None, &[(N2, 20), (N3, 30)]), found(ME));
        }
    }

    #[test]
    fn who_is_no_voter_or_knows_less_than_those_who_answer_says_nothing() {
        let mut stranger = three();
        stranger.setting.me = NodeId(9);
        assert_eq!(count(&mut stranger, &mut None, &[(N2, 21), (N3, 31)]), None);
        let (mut roll, mut voter) = (None, three());
        for answer in [(N2, 21), (N3, 31)] {
            Roll::hear(&mut roll, answer, Slot::FIRST, &voter.cx());
        }
        assert!(roll.as_ref().is_some_and(|roll| !roll.is_lost()), "it is not counted yet");
        assert_eq!(count(&mut stranger, &mut roll, &[]), None, "nor who has left meanwhile");
        let (mut roll, mut bench) = (None, three());
        Roll::hear(&mut roll, (N2, 21), Slot::FIRST.next(), &bench.cx());
        assert_eq!(count(&mut bench, &mut roll, &[]), None);
    }

    #[test]
    fn no_roll_begins_with_an_answer_that_tells_nothing() {
        for (me, from, disk, begins) in [
            (ME, N2, 21, true),
            (ME, N2, 20, false),
            (ME, NodeId(9), 21, false),
            (NodeId(9), N2, 21, false),
        ] {
            let (mut roll, mut bench) = (None, three());
            bench.setting.me = me;
            Roll::hear(&mut roll, (from, disk), Slot::FIRST, &bench.cx());
            assert_eq!(roll.is_some(), begins, "{me} {from} {disk}");
        }
    }

    #[test]
    fn what_lasts_is_told_again_now_and_then_and_what_is_over_is_forgotten() {
        let (mut roll, mut bench) = (None, three());
        let mut news = |answers: &[(NodeId, u64)], counts| {
            let found = (0..counts).filter_map(|_| count(&mut bench, &mut roll, answers));
            found.map(|lost| u32::from(lost.is_news)).sum::<u32>()
        };
        let both = [(N2, 21), (N3, 31)];
        assert_eq!(news(&both, AGAIN), 1);
        assert_eq!(news(&both, AGAIN), 1);
        assert_eq!(news(&[(N2, 21), (N3, 30)], 1), 0);
        assert_eq!(news(&both, 1), 1, "a new one");
    }
}
