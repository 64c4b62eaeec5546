//! Whether replicas have delivered the same: sums over what was chosen, compared
//! while the group goes on.

use crate::types::{Ballot, Mark, Slot};

/// From the leader to everyone, a beat after its own log reached `slot`, as long as
/// someone has not answered: what is your sum there?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Audit {
    /// The leader's ballot.
    pub ballot: Ballot,
    /// Where sums are to be compared.
    pub slot: Slot,
    /// The last sum that the leader has heard from a majority of the voters, itself
    /// included. Whoever has another one there halts.
    pub agreed: Option<Mark>,
}

/// The answer to an [`Audit`], from a replica that has delivered so far and still
/// knows its sum there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Audited {
    /// The sender's sum at the slot that was asked about.
    pub mark: Mark,
}
