//! The key-value machine: what the replicated log means.
//!
//! Every replica applies the same payloads in the same order to its own
//! [`Machine`] and so reaches the same state and the same answers. Nothing here
//! knows a clock, a random number or a socket: time enters as a stamp in the
//! payload, and the machine never lets it go back.
//!
//! A command takes this road: a client's words are parsed ([`parse`]) into a
//! [`Request`], everything that syntax alone can refuse is refused there; a
//! [`Command`] is encoded with the proposer's time, chosen at a slot, and
//! decoded and applied on every replica. A [`Query`] is answered by one replica
//! after a read-index round, or takes the road of a write as
//! [`Command::Read`] where program order asks for it.
//!
//! Where it differs from Redis on purpose: a key is gone at its deadline, not
//! one millisecond behind it; `DBSIZE` counts expired keys until they are purged,
//! a few with every step; a watched key that was absent and is absent again has
//! not changed; `GETEX` finds a wrong number before it finds no key; `SCAN`
//! takes digits only for a cursor; and there are limits on everything.
//!
//! Left to others: the protocol bytes (`resp`), the connection (`front`), and
//! exactly-once (the service layer of the core, on top of [`Machine::apply`]).

mod codec;
mod command;
mod digest;
mod errors;
mod glob;
pub mod harness;
mod image;
mod keyspace;
mod leaf;
mod limits;
mod machine;
mod number;
mod parse;
mod query;
mod query_codec;
mod reads;
mod record;
mod table;
mod trash;
mod wire;
mod writes;

pub use command::{Command, Deadline, ExpireIf, Expiry, Presence, Set, SetAnswer, Transaction};
pub(crate) use errors::{STORE_FULL, error_line};
pub use errors::{error, wrong_arity};
pub use glob::Glob;
pub use image::{Image, ImageError, Restore};
pub use keyspace::{Entry, PREPARED_AT_ONCE, key_hash};
pub use limits::Limits;
pub use machine::Machine;
pub use number::parse_i64;
pub use parse::{Request, parse};
pub use query::{Constant, Query, Scan, TtlForm};
pub(crate) use table::takes;
pub use table::{SPECS, Spec, lookup};
pub use wire::Malformed;

#[cfg(test)]
mod tests;
