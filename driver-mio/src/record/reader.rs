//! A recording as steps.

use std::fmt;

use bytes::{Buf, Bytes};
use paxos_core::Config;
use paxos_core::codec::Malformed;
use paxos_core::codec::wire::Reader;
use paxos_core::effect::Input;
use paxos_core::log::Durable;
use paxos_core::types::Instant;

use super::{MAGIC, words};

/// One life of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// What the node was started with.
    pub config: Config,
    /// What its disk held.
    pub durable: Durable,
    /// What its clock said.
    pub now: Instant,
    /// What it was told, in order.
    pub steps: Vec<Step>,
    /// Bytes at the end that are no whole step: the process was killed while it wrote them.
    pub torn: usize,
}

/// One input, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The file ends before the node has started.
    NoStart,
    /// A part whose bytes are as they were written does not say anything, from this offset on.
    Malformed(usize, Malformed),
}

impl fmt::Display for BadRecording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadRecording::NoRecording => f.write_str("not a recording of this version"),
            BadRecording::NoStart => f.write_str("the start of the node is missing"),
            BadRecording::Malformed(at, why) => write!(f, "at byte {at}: {why:?}"),
        }
    }
}

impl std::error::Error for BadRecording {}

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
    pub fn read(bytes: &Bytes) -> Result<Recording, BadRecording> {
        if !Self::is_one(bytes) {
            return Err(BadRecording::NoRecording);
        }
        let mut rest = bytes.slice(MAGIC.len()..);
        let at = |rest: &Bytes| bytes.len() - rest.len();
        let (offset, start) = (at(&rest), part(&mut rest).ok_or(BadRecording::NoStart)?);
        let malformed = |why| BadRecording::Malformed(offset, why);
        let (config, durable, now) = take_start(&start).map_err(malformed)?;
        let mut steps = Vec::new();
        loop {
            let offset = at(&rest);
            let Some(body) = part(&mut rest) else { break };
            steps.push(take_step(&body).map_err(|why| BadRecording::Malformed(offset, why))?);
        }
        Ok(Recording { config, durable, now, steps, torn: rest.len() })
    }
}

/// Takes the next part off the front: length, sum, body. None, and `rest` stays, if it is not whole.
fn part(rest: &mut Bytes) -> Option<Bytes> {
    let mut head = rest.get(..8)?;
    let (length, sum) = (head.get_u32_le() as usize, head.get_u32_le());
    let body = rest.get(8..)?.get(..length)?;
    if crc32fast::hash(body) != sum {
        return None;
    }
    let body = rest.slice(8..8 + length);
    rest.advance(8 + length);
    Some(body)
}

fn take_start(body: &Bytes) -> Result<(Config, Durable, Instant), Malformed> {
    let mut reader = Reader::of_own(body);
    let now = Instant::from_micros(reader.number()?);
    let config = words::take_config(&mut reader)?;
    let durable = words::take_durable(&mut reader)?;
    reader.finish().map(|()| (config, durable, now))
}

fn take_step(body: &Bytes) -> Result<Step, Malformed> {
    let mut reader = Reader::of_own(body);
    let (now, sum) = (Instant::from_micros(reader.number()?), reader.number()?);
    let input = words::take_input(&mut reader)?;
    reader.finish().map(|()| Step { now, input, sum })
}
