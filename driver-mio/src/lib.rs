//! `paxos-node`: the core over real sockets and a real fsynced log.
#![forbid(unsafe_code)]

pub mod args;
pub mod front;
pub mod kv;
pub mod resp;
pub mod tool;
