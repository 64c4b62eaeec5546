//! The words that everything else is written in.
//!
//! Two integers that must not mix are two types here. Nothing in this room knows
//! of messages, disks or roles.

mod ballot;
mod charter;
mod checkpoint;
mod hasher;
mod ids;
mod lease;
mod limits;
mod lives;
mod membership;
mod node_set;
mod rng;
mod run;
mod schedule;
mod slot;
mod sum;
mod time;
mod timing;
mod value;
mod values;

pub use ballot::Ballot;
pub use charter::{Charter, Founding};
pub use checkpoint::{Checkpoint, Image, ImageId, Piece};
pub use hasher::StateHasher;
pub use ids::{ClientId, GroupId, Incarnation, NodeId, ProposalId, QueryId, WriteId};
pub use lease::Lease;
pub use limits::Limits;
pub use lives::{Heard, Life, Lives, Past};
pub use membership::{Member, Membership, Role};
pub use node_set::NodeSet;
pub use rng::Rng;
pub use run::{Commands, Run};
pub use schedule::Schedule;
pub use slot::Slot;
pub use sum::{Checksum, Mark};
pub use time::Instant;
pub use timing::{PRIORITY, Timing};
pub use value::{Command, Value};
use values::Values;
