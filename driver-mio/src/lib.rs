//! `paxos-node`: the core over real sockets and a real fsynced log.
//!
//! A node is one thread that turns around the core ([`node`]), one that syncs the log
//! ([`disk`]), and two for images of the state. Whatever decides something is pure and has no socket, file
//! or clock; whatever has one moves bytes.
//!
//! | room | holds | is |
//! |---|---|---|
//! | [`args`] | the command line | pure |
//! | [`resp`] | the Redis protocol | pure |
//! | [`kv`] | the key-value machine, which the log is about | pure |
//! | [`front`] | what a client's request means, and in which order it travels | pure |
//! | `store` | the machine behind its sessions, and images of both | pure |
//! | `net` | sockets of peers and of clients | moves bytes |
//! | [`disk`] | the log in files, group commit | moves bytes |
//! | `vault` | images of the state in files | moves bytes |
//! | [`record`] | what the core was told, to be told again | half pure |
//! | [`node`] | the loop around the core | brings them together |
//! | [`local`] | a whole cluster as child processes | |
//! | [`tool`], [`inspect`] | a client, a benchmark, a look into a directory | |
//!
//! Arrows point down: `resp <- kv <- front <- net <- node`, `front <- store <- vault <- node`,
//! and `disk <- vault`;
//! `tests/floors.rs` has the whole map, and fails on an arrow that is not on it.
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
pub mod record;
pub mod resp;
mod store;
pub mod tool;
mod vault;
