//! Which membership rules which slots.

use alloc::sync::Arc;

use smallvec::SmallVec;

use super::{Membership, Slot};

/// Memberships and the slots from which they rule, as far as the log is known.
///
/// A membership chosen at slot `i` rules from a fixed number of slots after `i`
/// on (Lamport, "The Part-Time Parliament", 3.3.7; "Reconfiguring a State
/// Machine", 2.1), so who decides a slot is known before anything is proposed there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
        let after = self.rules.partition_point(|(from, _)| *from <= slot);
        &self.rules[after.saturating_sub(1)].1
    }

    /// Memberships with the slots that they rule from, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &Arc<Membership>)> {
        self.rules.iter().map(|(from, membership)| (*from, membership))
    }
}
