//! `paxos-sim`: the core in a simulated network and on simulated disks.
#![forbid(unsafe_code)]

pub mod choice;
pub mod linear;
