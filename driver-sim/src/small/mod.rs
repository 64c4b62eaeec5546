//! Small worlds, searched to the end: every order of every event, on the shipped code.
//!
//! Random runs find what is likely; here nothing is left to chance. A world is a few nodes, a
//! budget of bad luck, and a few things that clients want. Its states are real
//! [`Node`](paxos_core::Node)s with their disks, the writes that are not yet durable, and the
//! messages under way; a state that was seen is not entered twice. Messages are lost by never
//! being delivered. A search is breadth first, so the story of a violation is a shortest one.
//!
//! Disks and unsynced writes are part of a state on purpose: a model that saves and sends in one
//! action cannot see that a promise left before it was durable.
//!
//! | file | holds |
//! |---|---|
//! | `host` | a node, its disk, and what is not durable yet |
//! | `ghost` | what has been chosen, and what must hold of it |
//! | `state` | a whole world at one moment, and everything that can happen next |
//! | `search` | breadth first, each state once |
//! | `walk` | one way at a time, for any source of choices |
//! | `worlds` | the worlds that are searched |

mod ghost;
mod host;
mod search;
#[cfg(test)]
mod second_opinion;
mod state;
mod walk;
mod worlds;

pub use search::{Found, Search, search};
pub use walk::{Walk, walk};
pub use worlds::{World, worlds};
