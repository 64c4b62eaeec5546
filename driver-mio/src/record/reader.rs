//! A recording as steps.

use std::fmt;

use paxos_core::effect::Input;
use paxos_core::log::Durable;
use paxos_core::types::Instant;
use paxos_core::{Config, Node, RestoreError};
use serde::{Deserialize, Serialize};

use super::{MAGIC, part, sum_of};

/// A while of one life of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// What it begins with.
    pub start: Start,
    /// What the node's clock said then.
    pub now: Instant,
    /// What the node was told, in order.
    pub steps: Vec<Step>,
    /// Bytes at the end that are no whole step: the process was killed while it wrote them.
    pub torn: usize,
}

/// What a recording begins with.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
pub enum Start {
    /// The node has just started, from this.
    Restored(Box<(Config, Durable)>),
    /// The node has been running, and is like this.
    Running(Box<Node>),
}

/// The same, not its own; spelled alike.
#[derive(Clone, Copy, Debug, Hash, Serialize)]
pub(super) enum Begun<'a> {
    Restored((&'a Config, &'a Durable)),
    Running(&'a Node),
}

/// One input, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Step {
    /// What the node's clock said.
    pub now: Instant,
    /// The input.
    pub input: Input,
    /// The [`sum`](super::sum) of what the core ordered.
    pub sum: u64,
}

/// What is wrong with a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadRecording {
    /// The file does not begin as recordings of this version do.
    NoRecording,
    /// The file ends before its start is told.
    NoStart,
    /// The start is not what it was when it was written: another build of the core has.
    OtherBuild,
    /// A part whose bytes are as they were written does not say anything, from this offset on:
    /// another build of the core has written it.
    Malformed(usize),
}

impl fmt::Display for BadRecording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadRecording::NoRecording => f.write_str("not a recording of this version"),
            BadRecording::NoStart => f.write_str("the start of the recording is missing"),
            BadRecording::OtherBuild => f.write_str("recorded by another build of the core"),
            BadRecording::Malformed(at) => {
                write!(f, "nothing that this build of the core has recorded, at byte {at}")
            }
        }
    }
}

impl std::error::Error for BadRecording {}

impl Start {
    /// The node as it was when the recording began.
    ///
    /// # Errors
    /// [`RestoreError`]: the core does not start from what it has started from then.
    pub fn node(&self, now: Instant) -> Result<Node, RestoreError> {
        match self {
            Start::Restored(from) => Node::restore(from.0.clone(), from.1.clone(), now),
            Start::Running(node) => Ok((**node).clone()),
        }
    }
}

impl Recording {
    /// Tells whether `bytes` begin as recordings do.
    #[must_use]
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`BadRecording`]; a torn end is none, see [`torn`](Recording::torn).
    pub fn read(bytes: &[u8]) -> Result<Recording, BadRecording> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(BadRecording::NoRecording)?;
        let malformed = |rest: &[u8]| BadRecording::Malformed(bytes.len() - rest.len());
        let (now, sum, start): (Instant, u64, Start) = part::take(&mut rest)
            .ok_or(BadRecording::NoStart)?
            .map_err(|_| BadRecording::OtherBuild)?;
        if sum_of(&start) != sum {
            return Err(BadRecording::OtherBuild);
        }
        let mut steps = Vec::new();
        while let Some(step) = part::take(&mut rest) {
            steps.push(step.map_err(|_| malformed(rest))?);
        }
        Ok(Recording { start, now, steps, torn: rest.len() })
    }
}
