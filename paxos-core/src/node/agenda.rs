//! When which group wants to be woken: an idle group costs nothing, and a busy one is
//! asked only when somebody wants to know.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use smallvec::SmallVec;

use crate::types::Instant;

/// So many groups may have been touched before they are asked.
const TOUCHED_MAX: usize = 8;

/// Wake-up times of groups, by their place in the node's list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Agenda {
    due: BTreeSet<(Instant, usize)>,
    /// What stands in `due` for each group.
    armed: Vec<Option<Instant>>,
    /// Groups to which something has happened since they were asked: what stands in
    /// `due` for them may be late.
    touched: SmallVec<[usize; TOUCHED_MAX]>,
}

impl Agenda {
    pub(super) fn new(groups: usize) -> Agenda {
        let (due, armed) = (BTreeSet::new(), alloc::vec![None; groups]);
        Agenda { due, armed, touched: SmallVec::new() }
    }

    /// Takes in that something happens to `group`. False if there is no room to note it:
    /// then those that are noted have to be asked first.
    #[inline]
    pub(super) fn touch(&mut self, group: usize) -> bool {
        // Mostly it is one group that is busy.
        self.touched.last() == Some(&group) || self.touch_another(group)
    }

    #[cold]
    fn touch_another(&mut self, group: usize) -> bool {
        if self.touched.contains(&group) {
            return true;
        }
        let fits = self.touched.len() < TOUCHED_MAX;
        if fits {
            self.touched.push(group);
        }
        fits
    }

    /// The groups that are to be asked beside what [`next`](Agenda::next) says.
    pub(super) fn touched(&self) -> impl Iterator<Item = usize> + '_ {
        self.touched.iter().copied()
    }

    /// Takes out a group that is to be asked.
    pub(super) fn take_touched(&mut self) -> Option<usize> {
        self.touched.pop()
    }

    /// The earliest time of all that were asked.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Makes sure that `group` is woken at `at` or earlier. A time that moves
    /// back stays where it was: waking early is harmless, and cheaper than
    /// writing down every postponement.
    pub(super) fn arm(&mut self, group: usize, at: Option<Instant>) {
        let Some(at) = at else { return };
        let armed = &mut self.armed[group];
        if armed.is_some_and(|before| before <= at) {
            return;
        }
        if let Some(before) = armed.replace(at) {
            self.due.remove(&(before, group));
        }
        self.due.insert((at, group));
    }

    /// Takes out a group that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<usize> {
        let &(at, group) = self.due.first()?;
        if at > now {
            return None;
        }
        self.due.pop_first();
        self.armed[group] = None;
        Some(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn groups_are_woken_when_they_are_due_and_never_later_than_they_asked() {
        let mut agenda = Agenda::new(3);
        assert_eq!((agenda.next(), agenda.take_due(at(99))), (None, None));
        agenda.arm(0, Some(at(30)));
        agenda.arm(1, Some(at(20)));
        agenda.arm(2, None);
        // What moves back stays; what moves ahead moves.
        agenda.arm(1, Some(at(25)));
        agenda.arm(0, Some(at(10)));
        assert_eq!(agenda.next(), Some(at(10)));
        assert_eq!(agenda.take_due(at(9)), None);
        assert_eq!((agenda.take_due(at(10)), agenda.take_due(at(19))), (Some(0), None));
        assert_eq!((agenda.take_due(at(99)), agenda.take_due(at(99))), (Some(1), None));
        agenda.arm(1, Some(at(40)));
        assert_eq!(agenda.next(), Some(at(40)), "it may ask for later, once it was woken");
    }

    #[test]
    fn so_many_groups_are_noted_each_once() {
        let mut agenda = Agenda::new(20);
        for group in 0..TOUCHED_MAX {
            assert!(agenda.touch(group) && agenda.touch(group) && agenda.touch(0));
        }
        assert!(!agenda.touch(TOUCHED_MAX), "those have to be asked first");
        assert!(agenda.touch(3), "it is noted already");
        assert!(agenda.touched().eq(0..TOUCHED_MAX));
        let taken = core::iter::from_fn(|| agenda.take_touched());
        assert!(taken.eq((0..TOUCHED_MAX).rev()));
        assert!(agenda.touch(TOUCHED_MAX));
    }
}
