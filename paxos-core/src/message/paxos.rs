//! The messages of the two phases ("Paxos Made Simple", section 2.2), over runs of slots.

use alloc::vec::Vec;

use super::Release;
use crate::types::{Ballot, Run, Slot, Value};

/// Phase 1a, from a candidate to every voter: promise me, and tell me what you
/// have voted for. Covers all slots from `from` on, for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Prepare {
    /// The candidate's ballot.
    pub ballot: Ballot,
    /// The candidate's chosen frontier: it knows all below.
    pub from: Slot,
    /// What the candidate's predecessor said when it made way for it, if it did.
    pub released: Option<Release>,
}

/// One vote that a promise reports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Vote {
    /// The slot.
    pub slot: Slot,
    /// The ballot that the vote was cast at.
    pub ballot: Ballot,
    /// Whether the voter knows the value to be chosen.
    pub chosen: bool,
    /// The value voted for.
    pub value: Value,
}

/// Phase 1b, one page of it, from a voter to a candidate: I shall vote for nobody
/// below this ballot, and this is what I have voted for.
///
/// The pages of one promise cover `from..` without holes; each starts where the
/// one before ends. Slots below `chosen` are chosen: the candidate fetches them
/// and must not propose there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Promise {
    /// The candidate's ballot.
    pub ballot: Ballot,
    /// The first slot that this page covers.
    pub from: Slot,
    /// Where the next page starts; none in the last page, which covers the rest.
    pub to: Option<Slot>,
    /// The voter's chosen frontier.
    pub chosen: Slot,
    /// The votes in this page at or above `chosen`, ascending by slot.
    pub votes: Vec<Vote>,
}

/// Phase 2a, from the leader to every voter: vote for these values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Accept {
    /// The leader's ballot.
    pub ballot: Ballot,
    /// The values and their slots.
    pub run: Run,
    /// As in [`Chosen`]: saves a message of its own while the leader is busy.
    pub chosen: Slot,
}

/// Phase 2b, from a voter to the leader: my vote for these slots is on my disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Accepted {
    /// The ballot of the vote.
    pub ballot: Ballot,
    /// The first slot.
    pub first: Slot,
    /// The slot after the last.
    pub end: Slot,
}

/// From a voter that has promised a higher ballot, to whoever came with a lower one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Reject {
    /// The ballot that is refused.
    pub ballot: Ballot,
    /// The ballot that stands against it.
    pub promised: Ballot,
}

/// From the leader to everyone: all slots below `below` are chosen, and where you
/// voted at `ballot` you hold the chosen value.
///
/// Slots that were chosen at earlier ballots count: a later leader proposes
/// nothing else there. A receiver without a vote at this ballot must fetch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Chosen {
    /// The leader's ballot.
    pub ballot: Ballot,
    /// The chosen frontier.
    pub below: Slot,
}
