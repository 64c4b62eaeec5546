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
//! numbered by the clock ([`Life::after`]). And a disk knows only so many of its lives
//! ([`Past::LIVES_MAX`]): a copy that has started more often than that before it meets
//! anyone who remembers is not told from a disk that did so.

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
    /// The lives before, on this disk.
    pub before: Past,
}

/// The latest lives of a disk that are over, the last one first; zero where there were
/// not so many.
///
/// More than the last one, because a copy may start several times before it meets anyone
/// who remembers: then the life before is one that it has lived as a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Past(pub [Incarnation; Past::LIVES_MAX]);

impl Past {
    /// How many lives a disk knows of.
    pub const LIVES_MAX: usize = 16;

    /// These lives, the last one first; of more than are kept, the latest.
    pub fn of(lives: impl IntoIterator<Item = Incarnation>) -> Past {
        let mut past = Past::default();
        past.0.iter_mut().zip(lives).for_each(|(place, life)| *place = life);
        past
    }

    /// The last one; zero if there was none.
    pub fn last(&self) -> Incarnation {
        self.0[0]
    }

    /// The same and then `life`.
    #[must_use]
    pub fn then(&self, life: Incarnation) -> Past {
        Past::of(core::iter::once(life).chain(self.0))
    }

    /// Whether the disk has lived `life`, or it is too long ago to tell.
    pub fn has(&self, life: Incarnation) -> bool {
        let oldest = self.0[Past::LIVES_MAX - 1];
        life < oldest || self.0.contains(&life)
    }
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
    pub fn after(before: Past, disk: u64, clock: u64) -> Life {
        let next = before.last().0.saturating_add(1).max(clock);
        Life { disk, this: Incarnation(next), before }
    }

    /// All lives of the disk, this one too.
    pub fn so_far(&self) -> Past {
        self.before.then(self.this)
    }

    /// Whether a peer that remembers `heard` of this disk proves that a life was
    /// forgotten: one that is neither this one nor known to the disk.
    pub fn has_forgotten(&self, disk: u64, heard: Incarnation) -> bool {
        disk == self.disk && heard != self.this && !self.before.has(heard)
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
            // None of them is on trial.
            let before = Past([Incarnation(u64::MAX); Past::LIVES_MAX]);
            lives.hear(node, &Life { disk, this, before });
        }
        lives
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const N2: NodeId = NodeId(2);

    /// A life after those, the last one first.
    fn life<const N: usize>(disk: u64, this: u64, before: [u64; N]) -> Life {
        Life { disk, this: Incarnation(this), before: Past::of(before.map(Incarnation)) }
    }

    #[test]
    fn an_older_copy_of_a_disk_is_told_from_the_disk() {
        let mut lives = Lives::default();
        assert_eq!(lives.hear(N2, &life(7, 10, [])), Heard::New);
        assert_eq!(lives.hear(N2, &life(7, 10, [])), Heard::Known);
        assert_eq!(lives.hear(N2, &life(7, 20, [10])), Heard::New);
        // A copy from between the two starts after a clock that goes on, or back.
        for this in [30, 15] {
            let copy = life(7, this, [10]);
            assert_eq!(lives.hear(N2, &copy), Heard::Refused(Incarnation(20)), "{this}");
            let (disk, heard) = lives.latest(N2, copy.disk).expect("heard of");
            assert!(copy.has_forgotten(disk, heard), "and it can see why");
        }
        assert_eq!(lives.hear(N2, &life(7, 40, [20, 10])), Heard::New, "the disk itself goes on");
    }

    #[test]
    fn a_copy_that_has_started_before_is_still_told_from_the_disk() {
        let mut lives = Lives::default();
        lives.hear(N2, &life(7, 10, []));
        lives.hear(N2, &life(7, 20, [10]));
        // Nobody has heard of the copy's first life.
        let copy = life(7, 40, [30, 10]);
        assert_eq!(lives.hear(N2, &copy), Heard::Refused(Incarnation(20)));
        assert!(copy.has_forgotten(7, Incarnation(20)));
        assert!(!copy.has_forgotten(7, Incarnation(30)) && !copy.has_forgotten(7, Incarnation(40)));
    }

    #[test]
    fn what_a_disk_does_not_know_any_more_it_has_not_forgotten() {
        let mut life = life(7, 1, []);
        for _ in 0..=Past::LIVES_MAX {
            life = Life::after(life.so_far(), 7, life.this.0 + 9);
        }
        assert!(!life.has_forgotten(7, Incarnation(1)) && !life.has_forgotten(7, Incarnation(2)));
        assert!(life.has_forgotten(7, Incarnation(life.this.0 - 1)));
        assert_eq!(life.so_far().last(), life.this);
    }

    #[test]
    fn a_late_word_of_a_former_life_is_refused_and_accuses_nobody() {
        let mut lives = Lives::default();
        lives.hear(N2, &life(7, 20, [10]));
        assert_eq!(lives.hear(N2, &life(7, 10, [])), Heard::Refused(Incarnation(20)));
        let (disk, heard) = lives.latest(N2, 7).expect("heard of");
        assert!(!life(7, 20, [10]).has_forgotten(disk, heard), "the present life is well");
    }

    #[test]
    fn lives_that_were_never_heard_of_are_no_fault() {
        let mut lives = Lives::default();
        lives.hear(N2, &life(7, 10, []));
        // It started, and ended before it could say so.
        assert_eq!(lives.hear(N2, &life(7, 40, [30, 10])), Heard::New);
        // Nor is another disk, and what was known of this one still holds.
        assert_eq!(lives.hear(N2, &life(8, 5, [])), Heard::New);
        assert_eq!(lives.hear(N2, &life(7, 41, [10])), Heard::Refused(Incarnation(40)));
        assert_eq!(lives.latest(N2, 99), Some((8, Incarnation(5))), "the disk heard last");
        assert!(!life(9, 1, []).has_forgotten(8, Incarnation(5)), "of another disk");
        assert_eq!(lives.hear(N2, &life(0, 1, [])), Heard::Known, "nobody checks");
    }

    #[test]
    fn of_one_node_so_many_disks_are_remembered() {
        let mut lives = Lives::default();
        for disk in 1..=10 {
            lives.hear(N2, &life(disk, disk, []));
        }
        assert_eq!(lives.iter().count(), Lives::DISKS_MAX);
        assert_eq!(lives.iter().collect::<Lives>(), lives);
    }

    proptest! {
        /// Starts on the disk itself are never refused by anyone; a start on a copy is,
        /// by whoever has heard a life since the copy was made, even if it is not the
        /// copy's first.
        #[test]
        fn exactly_copies_are_refused(
            starts in prop::collection::vec((any::<bool>(), 0_u64..20), 1..20),
            copied_after in 0_usize..20,
            clock in 0_u64..2000,
            unheard in 0_u64..4,
        ) {
            let mut lives = Lives::default();
            let (mut on_disk, mut on_copy, mut heard) = (Past::default(), Past::default(), false);
            for (n, (is_heard, pause)) in starts.iter().enumerate() {
                let life = Life::after(on_disk, 7, on_disk.last().0 + pause);
                if *is_heard {
                    prop_assert_eq!(lives.hear(N2, &life), Heard::New);
                    heard |= n > copied_after;
                }
                on_disk = life.so_far();
                if n == copied_after.min(starts.len() - 1) {
                    on_copy = life.so_far();
                }
            }
            for _ in 0..unheard {
                on_copy = Life::after(on_copy, 7, clock).so_far();
            }
            let copy = Life::after(on_copy, 7, clock);
            let told = lives.latest(N2, 7).is_some_and(|(d, known)| copy.has_forgotten(d, known));
            // One of the very same number is the one case that cannot be seen.
            let same = lives.latest(N2, 7).is_some_and(|(_, known)| {
                known == copy.this || on_copy.has(known)
            });
            let refused = matches!(lives.hear(N2, &copy), Heard::Refused(_));
            prop_assert_eq!(refused, heard && !same);
            prop_assert_eq!(told, heard && !same);
        }
    }
}
