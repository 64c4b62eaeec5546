//! Which membership rules which slots.

use alloc::sync::Arc;

use smallvec::SmallVec;

use super::{Membership, NodeId, NodeSet, Slot, Value};

/// Memberships and the slots from which they rule, as far as the log is known.
///
/// A membership chosen at slot `i` rules from a fixed number of slots after `i`
/// on, its [`window`](Membership::window) (Lamport, "The Part-Time Parliament",
/// 3.3.7; "Reconfiguring a State Machine", 2.1), so who decides a slot is known
/// before anything is proposed there: a leader proposes only where it knows every
/// slot that could say otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Schedule {
    /// Ascending by slot; never empty.
    rules: SmallVec<[(Slot, Arc<Membership>); 1]>,
}

impl Schedule {
    /// One membership for all slots from `from` on.
    pub fn starting(from: Slot, membership: Arc<Membership>) -> Schedule {
        Schedule { rules: smallvec::smallvec![(from, membership)] }
    }

    /// These memberships, each from its slot on; none unless there is one and the
    /// slots ascend.
    pub fn from_rules(
        rules: impl IntoIterator<Item = (Slot, Arc<Membership>)>,
    ) -> Option<Schedule> {
        let rules: SmallVec<[(Slot, Arc<Membership>); 1]> = rules.into_iter().collect();
        let ascend = rules.windows(2).all(|two| two[0].0 < two[1].0);
        (!rules.is_empty() && ascend).then_some(Schedule { rules })
    }

    /// Who decides `slot`. For slots below the schedule, its first membership.
    pub fn at(&self, slot: Slot) -> &Arc<Membership> {
        &self.rules[self.index(slot)].1
    }

    /// Memberships with the slots that they rule from, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Slot, &Arc<Membership>)> {
        self.rules.iter().map(|(from, membership)| (*from, membership))
    }

    /// The memberships that rule any slot from `slot` on, each with the first such
    /// slot, ascending.
    pub fn from(&self, slot: Slot) -> impl DoubleEndedIterator<Item = (Slot, &Arc<Membership>)> {
        self.rules[self.index(slot)..].iter().map(move |(from, m)| ((*from).max(slot), m))
    }

    /// The newest membership and the slot that it rules from.
    pub fn newest(&self) -> (Slot, &Arc<Membership>) {
        let (from, membership) = &self.rules[self.rules.len() - 1];
        (*from, membership)
    }

    /// The first slot above `slot` where another membership rules; none if none is
    /// known.
    pub fn border_after(&self, slot: Slot) -> Option<Slot> {
        self.rules.iter().map(|(from, _)| *from).find(|from| *from > slot)
    }

    /// Everyone who votes on or is told of any slot from `slot` on.
    pub fn everyone(&self, slot: Slot) -> NodeSet {
        if let [(_, only)] = &self.rules[..] {
            return only.everyone();
        }
        self.from(slot).fold(NodeSet::EMPTY, |all, (_, m)| all.or(m.everyone()))
    }

    /// Everyone who votes on any slot from `slot` on.
    pub fn voters(&self, slot: Slot) -> NodeSet {
        self.from(slot).fold(NodeSet::EMPTY, |all, (_, m)| all.or(m.voters()))
    }

    /// The disk that `node`'s votes at `slot` count from; zero if any does. A
    /// membership that says nothing is held to what the next one says: a disk that
    /// was bound was the node's before, too.
    pub fn disk(&self, node: NodeId, slot: Slot) -> u64 {
        if let [(_, only)] = &self.rules[..] {
            return if only.voters().contains(node) { only.disk(node) } else { 0 };
        }
        let rules = self.rules[self.index(slot)..].iter();
        let voting = rules.take_while(|(_, m)| m.voters().contains(node));
        voting.map(|(_, m)| m.disk(node)).find(|disk| *disk != 0).unwrap_or(0)
    }

    /// Whether `node`, with this disk, is a voter at `slot`.
    pub fn is_voter(&self, node: NodeId, disk: u64, slot: Slot) -> bool {
        if !self.at(slot).voters().contains(node) {
            return false;
        }
        let bound = self.disk(node, slot);
        bound == 0 || bound == disk
    }

    /// Whether `node`, with this disk, is a voter at any slot from `slot` on.
    pub fn will_vote(&self, node: NodeId, disk: u64, slot: Slot) -> bool {
        self.from(slot).any(|(from, _)| self.is_voter(node, disk, from))
    }

    /// Takes in the value chosen at `slot`, the next one. If it is a membership that
    /// follows the newest, says from where on it rules; any other changes nothing.
    ///
    /// A function of the log alone: what is void here is void everywhere.
    pub fn take_in(&mut self, slot: Slot, value: &Value) -> Option<Slot> {
        let Value::Config(next) = value else { return None };
        let (since, newest) = self.newest();
        let follows = newest.is_unknown() || next.version() == newest.version().saturating_add(1);
        let from = slot.plus(u64::from(next.window()));
        // One change at a time: the one before is in force.
        let fits = newest.is_unknown() || next.window() == newest.window();
        if !follows || !fits || slot < since || from <= since || !next.is_sound() {
            return None;
        }
        self.rules.push((from, next.clone()));
        Some(from)
    }

    /// What the slots below `below` say of who decides the slots from there on: what
    /// a checkpoint holds. The same on every replica.
    #[must_use]
    pub fn as_of(&self, below: Slot) -> Schedule {
        let said = |(from, m): &&(Slot, Arc<Membership>)| *from < below.plus(u64::from(m.window()));
        let first = self.index(below);
        let mut rules: SmallVec<_> = self.rules[first..].iter().filter(said).cloned().collect();
        if rules.is_empty() {
            rules.push(self.rules[first].clone());
        }
        Schedule { rules }
    }

    /// Forgets memberships that rule no slot from `floor` on.
    pub fn forget(&mut self, floor: Slot) {
        if self.rules.len() > 1 {
            let first = self.index(floor);
            self.rules.drain(..first);
        }
    }

    fn index(&self, slot: Slot) -> usize {
        if self.rules.len() == 1 {
            return 0;
        }
        self.rules.partition_point(|(from, _)| *from <= slot).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(voters: &[u16]) -> Membership {
        Membership::majority(voters.iter().map(|n| NodeId(*n))).with_window(3)
    }

    fn next(schedule: &Schedule, voters: &[u16]) -> Membership {
        schedule.newest().1.succeeded_by(voters.iter().map(|n| NodeId(*n)), [])
    }

    fn config(membership: Membership) -> Value {
        Value::Config(Arc::new(membership))
    }

    #[test]
    fn s68_a_membership_rules_from_its_window_on_and_not_one_slot_earlier() {
        let mut s = Schedule::starting(Slot::FIRST, Arc::new(of(&[1, 2, 3])));
        let four = next(&s, &[1, 2, 3, 4]);
        assert_eq!(s.take_in(Slot(5), &config(four.clone())), Some(Slot(8)));
        assert_eq!(s.at(Slot(7)).version(), 0);
        assert_eq!(**s.at(Slot(8)), four);
        assert_eq!((s.border_after(Slot(7)), s.border_after(Slot(8))), (Some(Slot(8)), None));
        assert_eq!(s.from(Slot(8)).count(), 1);
        assert_eq!(s.from(Slot(7)).map(|(from, _)| from.0).collect::<alloc::vec::Vec<_>>(), [7, 8]);
    }

    #[test]
    fn a_change_that_does_not_follow_the_newest_is_void() {
        let mut s = Schedule::starting(Slot::FIRST, Arc::new(of(&[1, 2, 3])));
        let first = next(&s, &[1]);
        let stale = next(&s, &[2]);
        assert!(s.take_in(Slot(1), &config(of(&[1]).with_version(2))).is_none(), "skips one");
        assert!(s.take_in(Slot(2), &config(first)).is_some());
        assert!(s.take_in(Slot(3), &config(stale)).is_none(), "the same version again");
        let early = next(&s, &[3]);
        assert!(s.take_in(Slot(4), &config(early.clone())).is_none(), "the first is not in force");
        assert!(s.take_in(Slot(5), &config(early)).is_some());
        assert!(s.take_in(Slot(9), &Value::Noop).is_none());
    }

    #[test]
    fn a_membership_that_is_not_sound_rules_nothing() {
        let mut s = Schedule::starting(Slot::FIRST, Arc::new(of(&[1, 2, 3])));
        let torn = next(&s, &[1, 2, 3]).with_learners([NodeId(1)]);
        assert_eq!(s.take_in(Slot(1), &config(torn)), None);
        assert_eq!(s.newest().1.version(), 0);
    }

    #[test]
    fn a_schedule_has_a_membership_and_its_slots_ascend() {
        let rules = |slots: &[u64]| {
            Schedule::from_rules(slots.iter().map(|slot| (Slot(*slot), Arc::new(of(&[1])))))
        };
        for (slots, sound) in [
            ([].as_slice(), false),
            (&[3], true),
            (&[3, 4], true),
            (&[3, 3], false),
            (&[4, 3], false),
        ] {
            assert_eq!(rules(slots).is_some(), sound, "{slots:?}");
        }
    }

    #[test]
    fn a_node_that_is_to_be_told_takes_what_comes_first() {
        let mut s = Schedule::starting(Slot::FIRST, Arc::new(Membership::unknown()));
        assert!(s.take_in(Slot(9), &config(of(&[1, 2]).with_version(4))).is_some());
        assert_eq!(s.newest().1.version(), 4);
    }

    #[test]
    fn a_disk_counts_from_where_it_is_bound_and_an_unbound_one_as_the_next_binding_says() {
        let mut s = Schedule::starting(Slot::FIRST, Arc::new(of(&[1, 2, 3])));
        let me = NodeId(3);
        assert!(s.is_voter(me, 7, Slot(1)), "any disk while nobody has said");
        let bound = next(&s, &[1, 2, 3]).with_disk(me, 7);
        s.take_in(Slot(1), &config(bound));
        assert!(s.is_voter(me, 7, Slot(1)) && !s.is_voter(me, 8, Slot(1)));
        let again = next(&s, &[1, 2, 3]).with_disk(me, 8);
        assert_eq!(s.take_in(Slot(4), &config(again)), Some(Slot(7)));
        assert!(s.is_voter(me, 7, Slot(6)) && !s.is_voter(me, 8, Slot(6)));
        assert!(s.is_voter(me, 8, Slot(7)) && !s.is_voter(me, 7, Slot(7)));
        assert!(s.will_vote(me, 8, Slot(1)) && !s.will_vote(me, 7, Slot(7)));
    }

    #[test]
    fn a_checkpoint_knows_what_the_slots_below_it_say_and_no_more() {
        let mut s = Schedule::starting(Slot::FIRST, Arc::new(of(&[1, 2, 3])));
        let config_at_5 = config(next(&s, &[1, 2]));
        s.take_in(Slot(5), &config_at_5);
        let versions =
            |s: &Schedule| s.iter().map(|(_, m)| m.version()).collect::<alloc::vec::Vec<_>>();
        assert_eq!(versions(&s.as_of(Slot(5))), [0], "slot 5 is not below 5");
        assert_eq!(versions(&s.as_of(Slot(6))), [0, 1]);
        assert_eq!(versions(&s.as_of(Slot(8))), [1]);
        // Replaying what lies above leads to the same, wherever it was cut.
        let mut cut = s.as_of(Slot(5));
        cut.take_in(Slot(5), &config_at_5);
        assert_eq!(cut, s);
        s.forget(Slot(8));
        assert_eq!(versions(&s), [1]);
    }
}
