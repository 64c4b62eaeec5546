//! The omniscient ghost: what must hold after every step, and does it.
//!
//! The ghost sees what leaves a node and what its disk has kept, never what a node merely thinks;
//! on top of that it asks a few read-only questions of each node. A value is *chosen* here when
//! a phase 2 quorum of **disks** holds votes for it at one ballot: the definition of Paxos, and
//! earlier than anyone in the cluster can know it.
//!
//! | file | invariants (numbers as in the violations that they report) |
//! |---|---|
//! | `slots` | I1 agreement, I2 validity, I5 one value a ballot, I6 a leader proposes what it must |
//! | `campaigns` | I5 one life a ballot, I6 what the promises told, I7 quorums |
//! | `pledges` | I3 and I4: what leaves is already on the disk; claims of "chosen" are true |
//! | `ledger` | I2 and I13: commands are chosen as often as allowed; I9h one history, I14 real time |
//! | `reports` | I11 nothing goes back within a life, I3 nor across lives, I9 order |
//! | `members` | I16: everyone goes by the members that the chosen values name; I2 for those; I24 one charter |
//! | `handed` | L3 only a fresh word of the leader starts an election at once |
//! | `settled` | I6 a settled leader has chosen all that others may know of |
//! | `bounds` | I17 sizes |
//!
//! Made elsewhere, where the facts are: I14 real time and the rules for answers (R1 one each, R3
//! the right slot, R4 reads after delivery, R5 nothing told across a border) in `world/traffic`,
//! linearizability by search in `client/history`, I15 the log in `disk`, I18 isolation, I19 bytes
//! and I22 purity in `world/sample` (I19 also in `world/upgrade`), I25 ages in `world/age`, I21
//! determinism in the hunt, L1 liveness in `world/heal`.

mod bounds;
mod campaigns;
mod handed;
mod ledger;
mod members;
mod pledges;
mod reports;
mod settled;
mod slots;
mod violation;

pub(crate) use self::bounds::Bounds;
pub(crate) use self::handed::Handed;
pub(crate) use self::ledger::Ledger;
pub(crate) use self::members::Fit;
pub(crate) use self::pledges::Speaker;
pub(crate) use self::reports::Watch;
pub(crate) use self::violation::ensure;
pub use self::violation::{Checked, Violation};

use std::hash::{Hash, Hasher};

use paxos_core::types::{Ballot, StateHasher, Value};

use self::campaigns::Campaigns;
use self::members::Members;
use self::slots::Slots;
use crate::swarm::Swarm;

/// What the ghost knows of one group.
#[derive(Clone, Debug)]
pub(crate) struct GroupGhost {
    /// Votes and choices, by slot.
    pub(crate) slots: Slots,
    /// Who promised what, by ballot.
    pub(crate) campaigns: Campaigns,
    /// Commands, and the history that they make.
    pub(crate) ledger: Ledger,
    /// Who decides which slot.
    pub(crate) members: Members,
}

impl GroupGhost {
    /// A group in which nothing has happened.
    pub(crate) fn new(swarm: &Swarm) -> GroupGhost {
        GroupGhost {
            slots: Slots::default(),
            campaigns: Campaigns::default(),
            ledger: Ledger::default(),
            members: Members::new(swarm.founding()),
        }
    }
}

/// The sum of a value, by which the ghost compares.
pub(crate) fn hash(value: &Value) -> u64 {
    let mut hasher = StateHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Folds two words into one; order matters.
pub(crate) fn mix(one: u64, two: u64) -> u64 {
    let z = (one.rotate_left(29) ^ two).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z ^ (z >> 32)
}

/// A set of at most seven nodes: one bit an id.
pub(crate) type Nodes = u8;

/// The bit of a ballot's owner; zero if it is nobody in this world.
pub(crate) fn owner_bit(ballot: Ballot) -> Nodes {
    if (1..=7).contains(&ballot.node.0) { 1 << ballot.node.0 } else { 0 }
}
