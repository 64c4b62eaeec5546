//! `paxos-node`: the core over real sockets and a real fsynced log.
//!
//! A node is one thread that turns around the core ([`node`]), one that syncs the log
//! ([`disk`]), one that makes the log's next segments, and two for images of the state. While
//! the disk is quick and idle the first syncs the log itself: a switch to another thread
//! and back would take as long as the sync. Whatever decides something is pure and has no socket, file
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
//! | [`exit`] | what the exit status says | |
//! | [`tool`], [`inspect`] | a client, a benchmark, a look into a directory | |
//!
//! Arrows point down: `resp <- kv <- front <- net <- node`, `front <- store <- vault <- node`,
//! and `disk <- vault`;
//! `tests/floors.rs` has the whole map, and fails on an arrow that is not on it.
//!
//! # Upgrades
//!
//! A running cluster is upgraded one node after the other, followers first: end the node
//! (SIGTERM has it make way), start the new program in its place, wait until `INFO` says
//! `role:follower` and `delivered_slot` is that of the others, go on with the next. A quorum
//! serves all the time.
//!
//! - **Between nodes.** Each says in its hello which versions of the protocol it speaks, and
//!   each two speak the highest that both know
//!   ([`Versions`](paxos_core::codec::hello::Versions)). A program that brings in version
//!   N + 1 goes on speaking N, so old and new nodes form one cluster; `peer_version_spoken` in
//!   `INFO` is N until the last old node is gone. Two that have no version in common do not
//!   talk: both log a line that names the versions, and count `peer_versions_refused`. So do
//!   not skip a release that speaks two versions.
//! - **On disk.** Every file names the version of its format, and one that the program does
//!   not know is refused at the start, untouched. A program that brings in a new format reads
//!   the one before; the way back is the old program with an empty directory.
//! - **Commands in the log** name the version of their spelling. All nodes have to know one
//!   before any proposes it: a new command comes in two releases, of which the first
//!   understands it and the second speaks it.
//!
//! There is one version of each so far.
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
