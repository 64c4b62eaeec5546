//! How founders agree on the disks with which their group begins.

use crate::types::Founding;

/// What a founder says of the founding of its group, until it is founded; and what
/// anybody says who is asked for it.
///
/// Binds: who stands by a charter does so for as long as its disk lasts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Greet {
    /// How far the founding has come here.
    pub founding: Founding,
    /// Whether an answer is wanted.
    pub asks: bool,
}
