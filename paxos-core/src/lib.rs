//! A sans-IO Multi-Paxos.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod codec;
pub mod effect;
pub mod log;
pub mod message;
mod node;
pub mod quorum;
mod replica;
mod role;
pub mod service;
pub mod types;

pub use node::{Config, ConfigError, GroupConfig, Node, RestoreError};
pub use replica::{Replica, Standing};
