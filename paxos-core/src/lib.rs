//! A sans-IO Multi-Paxos.
#![no_std]
#![forbid(unsafe_code)]
