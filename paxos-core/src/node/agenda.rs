//! When which group wants to be woken: an idle group costs nothing.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::types::Instant;

/// Wake-up times of groups, by their place in the node's list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Agenda {
    due: BTreeSet<(Instant, usize)>,
    /// What stands in `due` for each group.
    armed: Vec<Option<Instant>>,
}

impl Agenda {
    pub(super) fn new(groups: usize) -> Agenda {
        Agenda { due: BTreeSet::new(), armed: alloc::vec![None; groups] }
    }

    /// The earliest time of all.
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
