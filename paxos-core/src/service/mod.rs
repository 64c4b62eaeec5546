//! Downstream of delivery: the state machine and its sessions. Optional; the core
//! proper never looks here.
//!
//! ```
//! use bytes::Bytes;
//! use paxos_core::service::{Applied, Machine, Service};
//! use paxos_core::types::{ClientId, Command, Slot, Value};
//!
//! struct Counter(u64);
//! impl Machine for Counter {
//!     type Reply = u64;
//!     fn apply(&mut self, _slot: Slot, _payload: &Bytes) -> u64 {
//!         self.0 += 1;
//!         self.0
//!     }
//! }
//!
//! let mut service = Service::new(Counter(0), 1000, 1 << 20);
//! let add = Command { client: ClientId(7), sequence: 1, payload: Bytes::new() };
//! let first = service.apply(Slot(1), &Value::Command(add.clone()));
//! let again = service.apply(Slot(2), &Value::Command(add));
//! assert_eq!(first, Some(Applied::Done(1)));
//! assert_eq!(again, Some(Applied::Done(1))); // the same answer, not a second addition
//! ```

mod machine;
mod sessions;

pub use machine::{Applied, Machine, Service};
pub use sessions::{FrozenSessions, Seen, Session, Sessions};
