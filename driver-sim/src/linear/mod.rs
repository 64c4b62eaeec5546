//! Linearizability: is there an order of these operations that explains every answer and respects
//! real time?
//!
//! Three checkers, from the best informed to the most general. All take the same [`Operation`]s,
//! collected with a [`History`].
//!
//! | checker | knows | takes | cost |
//! |---|---|---|---|
//! | [`witness`] | where in the log each operation took effect | any operation | O(n log n) |
//! | [`zones`] | that each written value is unique | reads and writes of a register | O(n log n) |
//! | [`search`] | nothing | any [`Model`] | exponential at worst; has a budget |
//!
//! Rules that hold for all three:
//! - Times are nanoseconds of one clock that never goes back (or any counter). An operation
//!   precedes another when it returned *strictly before* the other was invoked; equal times count
//!   as concurrent. A caller whose clock is coarse loses power to convict, never gains a false alarm.
//! - An outcome that the client never learned is *open to infinity*: the operation may take effect
//!   at any time after its invocation, or never. A client that gave up on one goes on under a new
//!   process number, because its next operation does not wait for the lost one.
//! - What definitely did not happen is no part of the history; an answer that shows its effect is
//!   a violation.
//!
//! This room knows nothing about the simulator; only [`sample`] and [`fuzz`] draw from
//! [`choice`](crate::choice). Runs of real processes are checked with the same code.

mod cell;
pub mod fuzz;
mod history;
mod model;
mod register;
pub mod sample;
pub mod search;
mod verdict;
pub mod witness;
pub mod zones;

#[cfg(test)]
mod proof;

pub use self::cell::{Cell, CellAnswer, CellInput};
pub use self::history::{FOREVER, History, Misuse, Operation, Outcome};
pub use self::model::{Class, Model};
pub use self::register::{Register, RegisterInput};
pub use self::verdict::{Inconclusive, Tally, VIOLATIONS_MAX, Verdict, Violation};
