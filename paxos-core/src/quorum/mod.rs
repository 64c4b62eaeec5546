//! Who must agree: sets of nodes, which sets are quorums, and counting votes.

mod membership;
mod node_set;
mod tally;

pub use membership::{Membership, Role};
pub use node_set::NodeSet;
pub use tally::Tally;
