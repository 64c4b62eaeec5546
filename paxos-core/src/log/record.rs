//! What is written to the disk.

use smallvec::SmallVec;

use crate::types::{Ballot, Founding, GroupId, Run, Schedule, Slot, WriteId};

/// One fact that must survive a crash, of one group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Record {
    /// The group.
    pub group: GroupId,
    /// The fact.
    pub entry: Entry,
}

/// The facts that a group writes down.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Entry {
    /// Nothing below this ballot is promised or voted for from here on.
    Promised(Ballot),
    /// Voted for these values at this ballot. Promises the ballot too: one
    /// record, so that no crash can keep the vote and lose the promise.
    Voted {
        /// The ballot.
        ballot: Ballot,
        /// The values and their slots.
        run: Run,
    },
    /// These values are chosen, as a peer told. Promises nothing, and in
    /// particular lowers no promise.
    Learned {
        /// The values and their slots.
        run: Run,
    },
    /// All slots below are chosen, with the values that the records before this
    /// one hold. A hint: it rides along with other records and may be lost.
    Chosen {
        /// The chosen frontier.
        below: Slot,
    },
    /// A durable checkpoint stands in for all slots below; what the records before
    /// this one say of them is forgotten.
    Trimmed {
        /// The log's floor.
        below: Slot,
    },
    /// This replica is a witness, and was told that all slots below are chosen and are
    /// held by others; what the records before this one say of them is forgotten.
    Relieved {
        /// The log's floor.
        below: Slot,
        /// Who decides the slots from there on, as far as the slots below say: a witness
        /// has no checkpoint that could tell.
        schedule: Schedule,
    },
    /// How far the founding of the group has come on this disk.
    Founding(Founding),
    /// No record before this one speaks of a slot from `below` on. Where this is the
    /// first record of its group, the ones before were deleted, which means that all
    /// slots below are trimmed; elsewhere it changes nothing.
    ///
    /// Written by whoever deletes the front of a log, at places where it may begin:
    /// see [`Ledger`](crate::codec::wal::Ledger).
    Reached {
        /// After the highest slot that was spoken of, and not below the floor.
        below: Slot,
    },
}

/// Records that become durable together or not at all, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Batch {
    /// What to acknowledge it by.
    pub id: WriteId,
    /// The records; never empty.
    pub records: SmallVec<[Record; 2]>,
}
