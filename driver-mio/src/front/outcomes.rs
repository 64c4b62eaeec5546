//! What a client is told when a command did not go the usual way.
//!
//! The first word tells a program what it may do next. Words that promise that
//! nothing happened must only be used where that is so.

use bytes::Bytes;
use paxos_core::types::NodeId;

use crate::kv::{self, error};
use crate::resp::Reply;

/// Nobody is known to lead, so the command went nowhere. Safe to send again.
pub const NOT_READY: Reply = error("NOTREADY no leader is known; nothing happened");

/// Too many commands are on their way. Safe to send again, later.
pub const BUSY: Reply = error("BUSY too many commands are on their way; nothing happened");

/// The command may have been chosen, or may still be: sending it again as it is
/// may do it twice.
pub const UNKNOWN: Reply = error("UNKNOWN the write may have taken effect; retry with PAXOS ONCE");

/// A read that could not be confirmed in time. Reads are always safe to repeat.
pub const READ_FAILED: Reply = error("NOTREADY the read was not confirmed by a quorum; try again");

/// A `PAXOS ONCE` whose sequence lies before one that this client has used since.
pub const STALE_SEQUENCE: Reply =
    error("STALE a later sequence of this client has taken effect; this answer is forgotten");

/// A `PAXOS ONCE` of a client that is not known, or not any more, whose sequence
/// is not its first: it was not done now, and what was done before is forgotten.
pub const FORGOTTEN: Reply = error(
    "FORGOTTEN no such client is known and its first sequence is 1; an earlier try may have \
     taken effect",
);

/// The store is full; Redis' words, which client libraries know.
pub const STORE_FULL: Reply = error(kv::STORE_FULL);

/// The node's disk has failed, and it will not take part until it is restarted.
pub const HALTED: Reply = error("HALTED this node's disk has failed; ask another node");

/// A node that keeps no data turns requests for data away, and says whom to ask.
pub fn without_data(leader: Option<NodeId>) -> Reply {
    let whom = leader.map_or_else(|| "another node".to_owned(), |id| format!("node {}", id.0));
    let text = format!("WITNESS this node votes and keeps no data: ask {whom}; nothing happened");
    Reply::Error(Bytes::from(text))
}

/// Like [`BUSY`], saying what there is too much of.
pub fn busy(what: &str) -> Reply {
    Reply::Error(Bytes::from(format!("BUSY {what}; nothing happened")))
}
