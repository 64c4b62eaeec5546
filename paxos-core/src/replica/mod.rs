//! One group on one node.

mod view;

pub use view::Standing;

/// One group on one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replica {}
