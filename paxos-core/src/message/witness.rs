//! What lets a witness forget: who holds which slots for good.
//!
//! A witness votes while a main is missing, and keeps what it voted for. It may forget
//! a slot once two things are sure: a value is chosen there, so that nobody has to hear
//! of the vote; and whoever may come to lead can get that value. The leader knows the
//! second by what the mains have pledged to hold.

use crate::types::{Ballot, Schedule, Slot};

/// The answer of a group's mains to a heartbeat, while the group has witnesses: I know
/// every value below `below`, and that it is chosen; my disk, or an image on it, will
/// remember both.
///
/// That the values are chosen must be durable too. A vote whose value is not known to be
/// chosen is of no help to a candidate that a witness has told only that there is
/// nothing to be proposed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Holding {
    /// The ballot of the leader that is answered.
    pub ballot: Ballot,
    /// The chosen frontier.
    pub below: Slot,
}

/// From the leader to a witness: all slots below `below` are chosen, and you need not
/// know how.
///
/// Among any of the group that can elect a leader, one has pledged with [`Holding`] to
/// know them: see [`Membership::is_held_by`](crate::quorum::Membership::is_held_by).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Relieve {
    /// The leader's ballot.
    pub ballot: Ballot,
    /// The first slot that the witness has to remember.
    pub below: Slot,
    /// Who decides the slots from `below` on, as far as the slots below say.
    pub schedule: Schedule,
}
