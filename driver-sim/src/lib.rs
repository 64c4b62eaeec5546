//! `paxos-sim`: the core in a simulated network and on simulated disks.
//!
//! A run is one number. The seed draws the cluster, its bounds, and how often each thing goes
//! wrong ([`swarm`]); then one loop over events in simulated time gives inputs to real
//! [`Node`](paxos_core::Node)s and carries out what they order ([`world`]). After every step an
//! omniscient observer ([`check`]) compares what has left the nodes with what their disks hold.
//! At the end a random core is healed, and must make progress.
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
mod disk;
mod host;
pub mod linear;
mod machine;
mod network;
mod run;
pub mod swarm;
pub mod tally;
pub mod transcript;
pub mod world;

pub use run::{Report, run_choice, run_seed};
