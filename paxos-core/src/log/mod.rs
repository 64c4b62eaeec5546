//! What a replica remembers: in memory, one cell a slot; on disk, records.

mod cells;
mod durable;
mod record;

pub use cells::{Cell, Log};
pub use durable::{Durable, DurableGroup, ReplayError};
pub use record::{Batch, Entry, Record};
