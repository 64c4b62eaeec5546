//! Who must agree: sets of nodes, which sets are quorums, and counting votes.

mod regime;
mod tally;

pub use crate::types::{Membership, NodeSet, Role};
pub use regime::Regime;
pub use tally::Tally;
