//! With which disks a group was founded, and how far its founding has come.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Checksum, Membership, NodeId, NodeSet, Slot, Value};

/// What a group is founded as: its design, and the disk of each founder, by which the
/// group knows its voters from the first slot on.
///
/// Invariant: nodes ascend, all can vote, no disk is zero, and there is at least one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Charter {
    /// The sum of the membership that the founders were configured with.
    design: Checksum,
    disks: Vec<(NodeId, u64)>,
}

/// How far the founding of a group has come on one disk. It only goes on, never back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Founding {
    /// Nothing is written down: a new disk, or an emptied one.
    #[default]
    Open,
    /// This disk stands by these, and never by others.
    Named(Charter),
    /// All founders stand by these: the group is founded.
    Founded(Charter),
    /// The group was founded without this disk, or its founding is not known here.
    Joined,
}

impl Charter {
    /// These disks for a group of this design; none if they are not what a charter holds.
    pub fn new(
        design: Checksum,
        disks: impl IntoIterator<Item = (NodeId, u64)>,
    ) -> Option<Charter> {
        let disks: Vec<(NodeId, u64)> = disks.into_iter().collect();
        let ascend = disks.windows(2).all(|two| two[0].0 < two[1].0);
        let named = disks.iter().all(|(node, disk)| node.can_vote() && *disk != 0);
        (ascend && named && !disks.is_empty()).then_some(Charter { design, disks })
    }

    /// What `membership` says, if every voter of it is bound to a disk.
    pub fn of(membership: &Membership) -> Option<Charter> {
        let disks = membership.voters().iter().map(|node| (node, membership.disk(node)));
        Charter::new(Charter::design_of(membership), disks)
    }

    /// What tells `membership` from every other design.
    pub fn design_of(membership: &Membership) -> Checksum {
        let value = Value::Config(Arc::new(membership.clone()));
        Checksum::FIRST.extended(Slot::FIRST, &value)
    }

    /// What tells the design from every other.
    pub fn design(&self) -> Checksum {
        self.design
    }

    /// `membership` with its voters bound to these disks.
    #[must_use]
    pub fn bind(&self, membership: Membership) -> Membership {
        self.disks().fold(membership, |bound, (node, disk)| bound.with_disk(node, disk))
    }

    /// The founders and their disks, ascending.
    pub fn disks(&self) -> impl ExactSizeIterator<Item = (NodeId, u64)> + '_ {
        self.disks.iter().copied()
    }

    /// The founders.
    pub fn founders(&self) -> NodeSet {
        self.disks().map(|(node, _)| node).collect()
    }

    /// The disk of `node`; zero if it is no founder.
    pub fn disk(&self, node: NodeId) -> u64 {
        self.disks().find(|(founder, _)| *founder == node).map_or(0, |(_, disk)| disk)
    }
}

impl Founding {
    /// Whether the group is there, for all that this disk knows.
    pub fn is_settled(&self) -> bool {
        matches!(self, Founding::Founded(_) | Founding::Joined)
    }

    /// What this disk stands by.
    pub fn charter(&self) -> Option<&Charter> {
        match self {
            Founding::Named(charter) | Founding::Founded(charter) => Some(charter),
            Founding::Open | Founding::Joined => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use alloc::vec;

    /// Nobody, somebody without a vote or a disk, and a list that is out of order.
    #[test]
    fn a_charter_names_the_disk_of_each_founder_once() {
        let [one, two, three] = [1, 2, 3].map(NodeId);
        for wrong in [
            vec![],
            vec![(one, 11), (two, 0)],
            vec![(NodeId(0), 11), (one, 12)],
            vec![(one, 11), (NodeId(128), 12)],
            vec![(two, 12), (one, 11)],
            vec![(one, 11), (one, 11)],
        ] {
            assert_eq!(Charter::new(Checksum::FIRST, wrong.clone()), None, "{wrong:?}");
        }
        let charter = Charter::new(Checksum(7), [(one, 11), (two, 12)]).expect("a sound charter");
        assert_eq!((charter.disk(one), charter.disk(two), charter.disk(three)), (11, 12, 0));
        assert_eq!(charter.design(), Checksum(7));
        assert!(charter.founders().iter().eq([one, two]));
        let bound = charter.bind(Membership::majority([one, two]));
        assert_eq!((bound.disk(one), bound.disk(two)), (11, 12));
        let design = Charter::design_of(&bound);
        assert_eq!(Charter::of(&bound), Charter::new(design, [(one, 11), (two, 12)]));
        assert_eq!(Charter::of(&bound.with_disk(two, 0)), None, "not every voter is bound");
    }

    #[test]
    fn a_founding_is_settled_when_somebody_holds_it_for_done() {
        let charter = Charter::new(Checksum::FIRST, [(NodeId(1), 11)]).expect("a sound charter");
        for (founding, settled, stands_by) in [
            (Founding::Open, false, None),
            (Founding::Named(charter.clone()), false, Some(&charter)),
            (Founding::Founded(charter.clone()), true, Some(&charter)),
            (Founding::Joined, true, None),
        ] {
            assert_eq!((founding.is_settled(), founding.charter()), (settled, stands_by));
        }
    }
}
