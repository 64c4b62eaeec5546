//! `paxos-sim`: the core in a simulated network and on simulated disks.
//!
//! A run is one number. The seed draws the cluster, its bounds, and how often each thing goes
//! wrong ([`swarm`]); then one loop over events in simulated time gives inputs to real
//! [`Node`](paxos_core::Node)s and carries out what they order ([`world`]). After every step an
//! omniscient observer ([`check`]) compares what has left the nodes with what their disks hold.
//! At the end a random core is healed, and must make progress.
//!
//! | room | what is in it |
//! |---|---|
//! | [`choice`] | every decision that could have been otherwise: a seed, bytes, a replay |
//! | [`swarm`] | the options of a run, drawn once |
//! | [`world`] | events in simulated time; faults; clients' traffic; the second phase |
//! | `host`, `disk`, `vault`, `network` | a machine and its clock; a log in real bytes; images; links and letters |
//! | [`small`] | worlds so small that every order of events is tried |
//! | `client`, `machine` | who asks what; the state that answers |
//! | [`check`] | the observer |
//! | [`conform`] | suites for logs, for vaults and for whole drivers, anybody's |
//! | [`linear`] | checkers of histories |
//! | [`replay`], [`shrink`] | a run in a file; the same failure in fewer events |
//! | [`picture`] | a run to look at |
//! | [`transcript`], [`tally`] | what a run says of itself: in words, and in counts |
//!
//! Planted bugs (`driver-sim/planted`) prove that the checks find what they are there for:
//! `paxos-sim prove` builds each and hunts for it.
//!
//! ```
//! use driver_sim::swarm::Plan;
//! use driver_sim::transcript::Telling;
//!
//! let plan = Plan { safety_us: Some(200_000), ..Plan::default() };
//! let report = driver_sim::run_seed(7, &plan, Telling::Silent);
//! assert_eq!(report.violation, None);
//! ```
#![forbid(unsafe_code)]

pub mod check;
pub mod choice;
mod client;
pub mod conform;
mod disk;
mod host;
pub mod linear;
mod machine;
mod network;
pub mod picture;
pub mod replay;
mod run;
pub mod shrink;
pub mod small;
pub mod swarm;
pub mod tally;
pub mod transcript;
mod vault;
pub mod world;

pub use run::{Report, run_choice, run_seed, run_setup};
