//! One node: all its groups, one disk, one road.

use crate::effect::{Effects, Input};
use crate::log::Durable;
use crate::replica::Replica;
use crate::types::{GroupId, Instant};

mod config;

pub use config::{Config, ConfigError, GroupConfig};

/// A node: the state of all its groups, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {}

/// Why a node cannot start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// The embedder's fault.
    Config(ConfigError),
}

impl core::fmt::Display for RestoreError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            RestoreError::Config(e) => core::fmt::Display::fmt(e, f),
        }
    }
}

impl core::error::Error for RestoreError {}

impl Node {
    /// Starts a node from what its disk says. The only fallible call.
    pub fn restore(
        _config: Config,
        mut durable: Durable,
        _now: Instant,
    ) -> Result<Node, RestoreError> {
        let _ = durable.take(GroupId(0)).into_parts();
        unimplemented!()
    }

    /// Takes in one fact and appends what is to be done to `effects`. Total.
    pub fn step(&mut self, _now: Instant, _input: Input, _effects: &mut Effects) {
        unimplemented!()
    }

    /// When the next [`Input::Ticked`] is due, if ever. Earlier is harmless, later
    /// costs only liveness.
    pub fn wake_at(&self) -> Option<Instant> {
        unimplemented!()
    }

    /// A read-only view of one group.
    pub fn group(&self, _group: GroupId) -> Option<&Replica> {
        unimplemented!()
    }

    /// A sum over the whole state, equal for equal states on every machine.
    pub fn state_hash(&self) -> u64 {
        unimplemented!()
    }

    /// Checks what must hold after every step.
    pub fn check(&self) -> Result<(), &'static str> {
        unimplemented!()
    }
}
