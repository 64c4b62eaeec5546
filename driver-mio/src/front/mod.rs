//! One client's connection, without the socket: what each request asks for, in
//! which order it may travel, and in which order it is answered.
//!
//! [`Connection`] is all that a driver needs: it is fed requests and answers,
//! and yields [`Order`]s and replies. Inside, [`Front`] knows what a request
//! means to this client (its protocol, its transaction, its watched keys) and
//! [`Pipeline`] keeps program order. Commands on keys are the business of
//! [`kv`](crate::kv), bytes that of [`resp`](crate::resp).
//!
//! Pure: no clock, no socket. What a client may know of the node comes in as
//! [`Env`] with every request, and as [`NodeFacts`] where `INFO` is rendered.

mod action;
mod client;
mod config;
mod connection;
mod env;
mod facts;
mod hello;
mod info;
mod introspection;
mod members;
mod once;
mod outcomes;
mod pipeline;
mod session;
mod table;
mod transaction;

pub use action::{Action, Change, Kind, OnceKey, Operation, Sections, Wanted};
pub use connection::Connection;
pub use env::Env;
pub use facts::{
    DamageFacts, Member, NodeFacts, PaxosFacts, ReadFacts, Role, ServerFacts, StorageFacts,
    StoreFacts,
};
pub use info::info;
pub use outcomes::{
    BUSY, FORGOTTEN, HALTED, NOT_READY, READ_FAILED, STALE_SEQUENCE, STORE_FULL, UNKNOWN, busy,
    without_data,
};
pub use pipeline::{Order, Pipeline, PipelineLimits, Ticket, Work};
pub use session::{Front, Voice};

#[cfg(test)]
mod tests;
