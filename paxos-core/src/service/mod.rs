//! Downstream of delivery: the state machine and its sessions. Optional; the core
//! proper never looks here.

mod machine;

pub use machine::Machine;
