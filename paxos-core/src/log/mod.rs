//! What a replica remembers: in memory, runs as they came; on disk, records.

mod durable;
mod piece;
mod record;
mod runs;
mod store;

pub use durable::{Durable, DurableGroup, ReplayError};
pub use piece::Cell;
pub use record::{Batch, Entry, Record};
pub use runs::Log;
