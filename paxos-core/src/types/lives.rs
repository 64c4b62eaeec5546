//! Which lives of a disk its peers have heard of: what tells an older copy of a disk
//! from the disk.
//!
//! A node that starts again on a copy of its disk from a while ago (a backup, a snapshot
//! of a virtual machine) has promised and voted since in a life that the copy does not
//! know of. The copy's next life follows the one that it was taken in; whoever remembers
//! a life in between knows that there was one, and that it is forgotten.
//!
//! **Covered** is what anyone remembers that the new life gets to talk to: a peer that
//! has heard the forgotten life refuses the new one, and tells it, so that it ends
//! before it has talked to others, or soon after. **Not covered** is what nobody alive
//! has heard: where all peers that did are away or have lost their own memory, the copy
//! votes as if it were the disk. Nor are two lives of one number told apart: let them be
//! numbered by the clock ([`Life::after`]).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Incarnation, NodeId};

/// One life of a node, as its disk knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Life {
    /// What names the disk; see [`Config::disk`](crate::Config::disk).
    pub disk: u64,
    /// This life.
    pub this: Incarnation,
    /// The life before, on this disk; zero if this is the first.
    pub before: Incarnation,
}

/// What is to be thought of a life that is heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Heard {
    /// It is the one that was heard last.
    Known,
    /// It is a later one. Remember it durably before taking anything from it.
    New,
    /// It is not to be listened to: it was followed by this one, or has forgotten it.
    Refused(Incarnation),
}

impl Life {
    /// The life that follows `before` on `disk`, where the clock stands at `clock` (in
    /// any unit, since any moment, as long as it is the same on every start).
    ///
    /// A copy of the disk counts from the same life, but not at the same time.
    pub fn after(before: Incarnation, disk: u64, clock: u64) -> Life {
        let next = before.0.saturating_add(1).max(clock);
        Life { disk, this: Incarnation(next), before }
    }

    /// Whether a peer that remembers `heard` of this disk proves that a life was
    /// forgotten: one that is neither this one nor known to the disk.
    pub fn has_forgotten(&self, disk: u64, heard: Incarnation) -> bool {
        disk == self.disk && heard != self.this && heard > self.before
    }
}

/// The latest life that was heard of each disk of each node.
///
/// Disks without a name (zero) are not remembered: nobody checks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Lives {
    /// Of each node its disks, the one heard last at the end.
    ///
    /// Invariant: at most [`DISKS_MAX`](Lives::DISKS_MAX) a node.
    known: BTreeMap<NodeId, Vec<(u64, Incarnation)>>,
}

impl Lives {
    /// How many disks of one node are remembered: those heard last.
    pub const DISKS_MAX: usize = 4;

    /// Takes in that `node` says it lives this life.
    pub fn hear(&mut self, node: NodeId, life: &Life) -> Heard {
        if life.disk == 0 || !node.can_vote() {
            return Heard::Known;
        }
        let disks = self.known.entry(node).or_default();
        let at = disks.iter().position(|(disk, _)| *disk == life.disk);
        if let Some((disk, heard)) = at.map(|at| disks[at]) {
            // One that came before is late, or counts by a clock that went back.
            if life.this < heard || life.has_forgotten(disk, heard) {
                return Heard::Refused(heard);
            }
            if life.this == heard {
                return Heard::Known;
            }
        }
        match at {
            Some(at) => _ = disks.remove(at),
            None if disks.len() >= Self::DISKS_MAX => _ = disks.remove(0),
            None => {}
        }
        disks.push((life.disk, life.this));
        Heard::New
    }

    /// The latest life that was heard of this disk of `node`; of the disk that was heard
    /// last, if none was of that one.
    pub fn latest(&self, node: NodeId, disk: u64) -> Option<(u64, Incarnation)> {
        let disks = self.known.get(&node)?;
        disks.iter().find(|(known, _)| *known == disk).or(disks.last()).copied()
    }

    /// All that is remembered: of each node its disks, the one heard last at the end.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, u64, Incarnation)> {
        let of = |(node, disks): (&NodeId, &Vec<_>)| {
            let node = *node;
            disks.clone().into_iter().map(move |(disk, life)| (node, disk, life))
        };
        self.known.iter().flat_map(of)
    }
}

impl FromIterator<(NodeId, u64, Incarnation)> for Lives {
    /// What [`iter`](Lives::iter) gave out; of more disks than are remembered the last.
    fn from_iter<T: IntoIterator<Item = (NodeId, u64, Incarnation)>>(items: T) -> Lives {
        let mut lives = Lives::default();
        for (node, disk, this) in items {
            lives.hear(node, &Life { disk, this, before: Incarnation(u64::MAX) });
        }
        lives
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const N2: NodeId = NodeId(2);

    fn life(disk: u64, this: u64, before: u64) -> Life {
        Life { disk, this: Incarnation(this), before: Incarnation(before) }
    }

    #[test]
    fn an_older_copy_of_a_disk_is_told_from_the_disk() {
        let mut lives = Lives::default();
        assert_eq!(lives.hear(N2, &life(7, 10, 0)), Heard::New);
        assert_eq!(lives.hear(N2, &life(7, 10, 0)), Heard::Known);
        assert_eq!(lives.hear(N2, &life(7, 20, 10)), Heard::New);
        // A copy from between the two starts after a clock that goes on, or back.
        for this in [30, 15] {
            let copy = life(7, this, 10);
            assert_eq!(lives.hear(N2, &copy), Heard::Refused(Incarnation(20)), "{this}");
            let (disk, heard) = lives.latest(N2, copy.disk).expect("heard of");
            assert!(copy.has_forgotten(disk, heard), "and it can see why");
        }
        assert_eq!(lives.hear(N2, &life(7, 40, 20)), Heard::New, "the disk itself goes on");
    }

    #[test]
    fn a_late_word_of_a_former_life_is_refused_and_accuses_nobody() {
        let mut lives = Lives::default();
        lives.hear(N2, &life(7, 20, 10));
        assert_eq!(lives.hear(N2, &life(7, 10, 0)), Heard::Refused(Incarnation(20)));
        let (disk, heard) = lives.latest(N2, 7).expect("heard of");
        assert!(!life(7, 20, 10).has_forgotten(disk, heard), "the present life is well");
    }

    #[test]
    fn lives_that_were_never_heard_of_are_no_fault() {
        let mut lives = Lives::default();
        lives.hear(N2, &life(7, 10, 0));
        // It started, and ended before it could say so.
        assert_eq!(lives.hear(N2, &life(7, 40, 30)), Heard::New);
        // Nor is another disk, and what was known of this one still holds.
        assert_eq!(lives.hear(N2, &life(8, 5, 0)), Heard::New);
        assert_eq!(lives.hear(N2, &life(7, 41, 10)), Heard::Refused(Incarnation(40)));
        assert_eq!(lives.latest(N2, 99), Some((8, Incarnation(5))), "the disk heard last");
        assert!(!life(9, 1, 0).has_forgotten(8, Incarnation(5)), "of another disk");
        assert_eq!(lives.hear(N2, &life(0, 1, 0)), Heard::Known, "nobody checks");
    }

    #[test]
    fn of_one_node_so_many_disks_are_remembered() {
        let mut lives = Lives::default();
        for disk in 1..=10 {
            lives.hear(N2, &life(disk, disk, 0));
        }
        assert_eq!(lives.iter().count(), Lives::DISKS_MAX);
        assert_eq!(lives.iter().collect::<Lives>(), lives);
    }

    proptest! {
        /// Starts on the disk itself are never refused by anyone; a start on a copy is,
        /// by whoever has heard a life since the copy was made.
        #[test]
        fn exactly_copies_are_refused(
            starts in prop::collection::vec((any::<bool>(), 0_u64..20), 1..20),
            copied_after in 0_usize..20,
            clock in 0_u64..2000,
        ) {
            let mut lives = Lives::default();
            let (mut on_disk, mut on_copy, mut heard) = (Incarnation(0), Incarnation(0), false);
            for (n, (is_heard, pause)) in starts.iter().enumerate() {
                let life = Life::after(on_disk, 7, on_disk.0 + pause);
                if *is_heard {
                    prop_assert_eq!(lives.hear(N2, &life), Heard::New);
                    heard |= n > copied_after;
                }
                on_disk = life.this;
                if n == copied_after.min(starts.len() - 1) {
                    on_copy = life.this;
                }
            }
            let copy = Life::after(on_copy, 7, clock);
            let told = lives.latest(N2, 7).is_some_and(|(d, known)| copy.has_forgotten(d, known));
            // One of the very same number is the one case that cannot be seen.
            let same = lives.latest(N2, 7).is_some_and(|(_, known)| known == copy.this);
            let refused = matches!(lives.hear(N2, &copy), Heard::Refused(_));
            prop_assert_eq!(refused, heard && !same);
            prop_assert_eq!(told, heard && !same);
        }
    }
}
