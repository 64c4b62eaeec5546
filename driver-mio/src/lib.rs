//! `paxos-node`: the core over real sockets and a real fsynced log.
#![forbid(unsafe_code)]

pub mod args;
pub mod disk;
pub mod exit;
pub mod front;
pub mod inspect;
pub mod kv;
pub mod local;
mod net;
pub mod node;
pub mod resp;
pub mod tool;
