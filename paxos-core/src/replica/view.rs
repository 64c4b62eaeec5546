//! What the outside may see of a replica.

use super::Replica;
use crate::log::Log;
use crate::quorum::Membership;
use crate::types::{Ballot, NodeId, Slot};

/// What a replica is doing in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Votes, delivers, and may know a leader.
    Follower,
    /// Asks for promises.
    Candidate,
    /// Proposes.
    Leader,
}

impl Replica {
    /// What this replica is doing.
    pub fn standing(&self) -> Standing {
        unimplemented!()
    }

    /// The leader that this replica follows or is.
    pub fn leader(&self) -> Option<NodeId> {
        unimplemented!()
    }

    /// The highest ballot that this replica has promised, durable or not.
    pub fn promised(&self) -> Ballot {
        unimplemented!()
    }

    /// The chosen frontier: all slots below are known here to be chosen.
    pub fn chosen(&self) -> Slot {
        unimplemented!()
    }

    /// The delivered frontier: all slots below were handed out for delivery.
    pub fn delivered(&self) -> Slot {
        unimplemented!()
    }

    /// Votes and chosen values.
    pub fn log(&self) -> &Log {
        unimplemented!()
    }

    /// The group's members.
    pub fn membership(&self) -> &Membership {
        unimplemented!()
    }
}
