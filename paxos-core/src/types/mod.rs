//! The words that everything else is written in.
//!
//! Two integers that must not mix are two types here. Nothing in this room knows
//! of messages, disks or roles.

mod ballot;
mod hasher;
mod ids;
mod limits;
mod rng;
mod slot;
mod time;
mod timing;
mod value;

pub use ballot::Ballot;
pub use hasher::StateHasher;
pub use ids::{ClientId, GroupId, Incarnation, NodeId, ProposalId, QueryId, WriteId};
pub use limits::Limits;
pub use rng::Rng;
pub use slot::Slot;
pub use time::Instant;
pub use timing::Timing;
pub use value::{Command, Run, Value};
