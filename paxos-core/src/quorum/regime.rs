//! Which membership decides which slot, as far as one replica's log says.

use alloc::sync::Arc;

use super::{Membership, NodeSet};
use crate::types::{NodeId, Schedule, Slot, Value};

/// A schedule, and up to where the log has been read for it.
///
/// Whatever a leader asks of a quorum, it asks of the membership that rules the slot
/// in question: [`at`](Regime::at). Questions that are not about one slot (who leads,
/// who is alive) go to the membership of the first slot that is not known to be
/// chosen: [`current`](Regime::current). What comes after it is asked when its slots
/// are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Regime {
    schedule: Schedule,
    /// Every membership that is chosen below is on the schedule.
    frontier: Slot,
    /// This replica has to learn what it missed, whatever the schedule says: somebody's checkpoint
    /// says that it is more than a witness, or is a copy that it had better have; its own is lost;
    /// or its log is about to be full.
    is_woken: bool,
}

impl Regime {
    /// What `schedule` says, read from slot `frontier` on.
    pub fn new(schedule: Schedule, frontier: Slot) -> Regime {
        Regime { schedule, frontier, is_woken: false }
    }

    /// The schedule.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Everything chosen below was taken in.
    pub fn frontier(&self) -> Slot {
        self.frontier
    }

    /// The first slot of which it is not known who decides it. Nothing may be
    /// proposed there or above.
    pub fn bound(&self) -> Slot {
        // A membership chosen at the frontier, with the window that all have.
        let (_, newest) = self.schedule.newest();
        self.frontier.plus(u64::from(newest.window()))
    }

    /// Who decides `slot`.
    pub fn at(&self, slot: Slot) -> &Arc<Membership> {
        self.schedule.at(slot)
    }

    /// Who decides the first slot that is not known to be chosen.
    pub fn current(&self) -> &Arc<Membership> {
        self.schedule.at(self.frontier)
    }

    /// The first slot that those decide who decide the first slot that is not known to be chosen.
    pub fn since(&self) -> Slot {
        let begun = self.schedule.iter().take_while(|(from, _)| *from <= self.frontier);
        begun.last().map_or(Slot::FIRST, |(from, _)| from)
    }

    /// The memberships that decide any slot that is not known to be chosen, each with
    /// the first such slot.
    pub fn coming(&self) -> impl DoubleEndedIterator<Item = (Slot, &Arc<Membership>)> {
        self.schedule.from(self.frontier)
    }

    /// The newest membership and the slot that it rules from, reached or not.
    pub fn newest(&self) -> (Slot, &Arc<Membership>) {
        self.schedule.newest()
    }

    /// The slot at which the newest membership was chosen; the one before the first for who
    /// founded the group.
    pub fn changed_at(&self) -> Slot {
        let (from, newest) = self.newest();
        Slot(from.0.saturating_sub(u64::from(newest.window())))
    }

    /// Whether more than one membership is on the schedule.
    pub fn is_changing(&self) -> bool {
        self.schedule.iter().nth(1).is_some()
    }

    /// Everyone who is to be told what happens.
    pub fn everyone(&self) -> NodeSet {
        self.schedule.everyone(self.frontier)
    }

    /// Everyone who votes or will.
    pub fn voters(&self) -> NodeSet {
        self.schedule.voters(self.frontier)
    }

    /// Whether `node`, with this disk, votes or will: it may stand, and be listened
    /// to.
    pub fn will_vote(&self, node: NodeId, disk: u64) -> bool {
        self.schedule.will_vote(node, disk, self.frontier)
    }

    /// Whether `node`, with this disk, may come to lead: it votes, or will, as a main.
    pub fn may_stand(&self, node: NodeId, disk: u64) -> bool {
        let is_main = |slot, m: &Membership| {
            m.mains().contains(node) && self.schedule.is_voter(node, disk, slot)
        };
        self.coming().any(|(slot, m)| is_main(slot, m))
    }

    /// Whether `node` is a witness and nothing more, as far as is known: it votes, and
    /// keeps no state machine.
    pub fn is_witness(&self, node: NodeId) -> bool {
        let newest = self.schedule.newest().1;
        let more = |m: &Membership| m.mains().or(m.learners()).contains(node);
        newest.witnesses().contains(node) && !self.coming().any(|(_, m)| more(m))
    }

    /// Whether `me`, whose regime this is, is a witness for all that it has heard, and
    /// so lacks nothing that is chosen and forgotten by others.
    pub fn is_asleep(&self, me: NodeId) -> bool {
        self.is_witness(me) && !self.is_woken
    }

    /// Takes in that others know more than this, and that this replica is to know it, too, be it
    /// a witness or not.
    pub fn wake(&mut self) {
        self.is_woken = true;
    }

    /// Takes in that this replica need not know more than a witness has to.
    pub fn sleep(&mut self) {
        self.is_woken = false;
    }

    /// Whether anyone is a witness who votes or will.
    pub fn has_witnesses(&self) -> bool {
        self.coming().any(|(_, m)| !m.witnesses().is_empty())
    }

    /// Whether `node` with this disk is a voter wherever it is one by name, as far as
    /// is known: what it says of no slot in particular counts.
    pub fn vouches(&self, node: NodeId, disk: u64) -> bool {
        self.coming().all(|(slot, _)| {
            let bound = self.schedule.disk(node, slot);
            bound == 0 || bound == disk
        })
    }

    /// Takes in the value chosen at the frontier. If it changes the membership, says
    /// from where on.
    pub fn take_in(&mut self, value: &Value) -> Option<Slot> {
        let slot = self.frontier;
        self.frontier = slot.next();
        let from = self.schedule.take_in(slot, value);
        self.is_woken &= from.is_none();
        from
    }

    /// Takes in that no value chosen below `frontier` changes the membership.
    pub fn pass(&mut self, frontier: Slot) {
        self.frontier = self.frontier.max(frontier);
    }

    /// Starts over from what a checkpoint of everything below `below` says.
    pub fn install(&mut self, schedule: Schedule, below: Slot) {
        *self = Regime::new(schedule, below);
    }

    /// Forgets what rules no slot from `floor` on.
    pub fn forget(&mut self, floor: Slot) {
        self.schedule.forget(floor.min(self.frontier));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Membership {
        Membership::majority([1, 2, 3].map(NodeId)).with_window(4)
    }

    fn change(regime: &mut Regime, next: Membership) -> Option<Slot> {
        let version = regime.newest().1.version() + 1;
        regime.take_in(&Value::Config(next.with_window(4).with_version(version).into()))
    }

    /// However often a group changes, what is known of it stays small.
    #[test]
    fn what_rules_no_slot_any_more_is_forgotten_and_what_does_is_not() {
        let schedule = Schedule::starting(Slot::FIRST, three().into());
        let mut regime = Regime::new(schedule, Slot::FIRST);
        assert!(!regime.is_changing());
        let from = change(&mut regime, Membership::majority([3, 4, 5].map(NodeId)));
        assert_eq!((from, regime.is_changing()), (Some(Slot(5)), true));
        assert!(regime.has_both());
        regime.forget(Slot(4));
        assert!(regime.has_both(), "slot 4 is still the old ones'");
        regime.forget(Slot(9));
        assert!(regime.has_both(), "what is not chosen here is still to be decided");
        assert_eq!(regime.since(), Slot(1));
        regime.pass(Slot(5));
        assert_eq!(regime.since(), Slot(5));
        regime.forget(Slot(5));
        assert!(!regime.is_changing(), "the old ones have nothing to decide");
        assert_eq!((regime.since(), regime.changed_at()), (Slot(5), Slot(1)));
        assert_eq!(regime.everyone(), [3, 4, 5].map(NodeId).into_iter().collect());
    }

    impl Regime {
        fn has_both(&self) -> bool {
            self.schedule.iter().count() == 2
        }
    }

    /// A witness lacks nothing; who was or becomes more than that, does.
    #[test]
    fn a_witness_is_one_for_all_that_is_known() {
        let witnessed = |all: [u16; 3], mute: u16| {
            Membership::majority(all.map(NodeId)).with_witnesses([NodeId(mute)])
        };
        let (two, three) = (NodeId(2), NodeId(3));
        let starting = |m: Membership| {
            Regime::new(Schedule::starting(Slot::FIRST, m.with_window(4).into()), Slot::FIRST)
        };
        let mut regime = starting(witnessed([1, 2, 3], 3));
        assert!(regime.is_witness(three) && !regime.is_witness(two));
        assert!(!regime.is_witness(NodeId(9)), "a stranger");
        assert!(regime.is_asleep(three) && !regime.is_asleep(two));
        change(&mut regime, witnessed([1, 2, 3], 2));
        assert!(!regime.is_witness(three), "it will be a main");
        assert!(!regime.is_witness(two), "it has been a main until now");
        regime.pass(Slot(5));
        assert!(regime.is_witness(two) && !regime.is_witness(three));
        regime.wake();
        assert!(regime.is_witness(two) && !regime.is_asleep(two));
    }
}
