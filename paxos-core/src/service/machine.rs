//! What an embedder's state machine must be able to do.

use bytes::Bytes;

use crate::types::Slot;

/// A deterministic state machine: two that apply the same commands at the same
/// slots are in the same state and give the same replies.
pub trait Machine {
    /// What a command answers. Kept in the session table for retries.
    type Reply: Clone;

    /// Applies the command chosen at `slot`. Never fails: what a payload cannot
    /// ask for is answered with a reply that says so.
    fn apply(&mut self, slot: Slot, payload: &Bytes) -> Self::Reply;
}
