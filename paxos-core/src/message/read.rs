//! Linearizable reads: the read index of "Consensus: Bridging Theory and Practice"
//! (Ongaro, section 6.4), with the rounds numbered.

use crate::types::{Ballot, Incarnation, Slot};

/// Names one read round of one life of one node.
///
/// The incarnation keeps an answer to a former life from answering this one: its
/// read index would be too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReadId {
    /// The life of the node that reads.
    pub incarnation: Incarnation,
    /// Counts its rounds, from 1.
    pub number: u64,
}

/// From a node with queries to the leader: up to where must I have delivered?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReadRequest {
    /// The round.
    pub id: ReadId,
}

/// From the leader to a node with queries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReadAnswer {
    /// The round.
    pub id: ReadId,
    /// The chosen frontier that the reader must have delivered; none if the
    /// receiver of the request does not lead, or is at a bound.
    pub index: Option<Slot>,
}

/// From the leader to every voter: do I still lead?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Confirm {
    /// The leader's ballot.
    pub ballot: Ballot,
    /// Counts the leader's rounds at this ballot. An answer confirms this round
    /// and all before it, never one after.
    pub round: u64,
}

/// From a voter that has promised nothing higher, to the leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Confirmed {
    /// The leader's ballot.
    pub ballot: Ballot,
    /// The round asked about.
    pub round: u64,
}
