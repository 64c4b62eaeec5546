//! What a film is made of: frames, flights and writings.
//!
//! A *frame* is one instant of one node, or of the world: an input with what the node ordered, or
//! a crash, a start, a cut of the network. A *flight* is one message on its way. A *writing* is
//! one batch on its way to the disk.

use std::hash::{Hash, Hasher};
use std::rc::Rc;

use paxos_core::message::Envelope;
use paxos_core::types::{NodeId, StateHasher};

use super::facts::{about, brief};
use super::portrait::Portrait;
use crate::transcript::MessageWords;

/// What a frame is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A step: a message came in.
    Received,
    /// A step: the disk has answered.
    Persisted,
    /// A step: a client asks for something.
    Asked,
    /// A step: time has passed.
    Ticked,
    /// A step with any other input.
    Stepped,
    /// A process began.
    Started,
    /// A process ended.
    Crashed,
    /// A process stands still for a while.
    Paused,
    /// Something that happens to no node: links cut, links mended, the end of the faults.
    World,
    /// An invariant broke.
    Broken,
}

impl What {
    /// All of them, in the order of their numbers.
    pub const ALL: [What; 10] = [
        What::Received,
        What::Persisted,
        What::Asked,
        What::Ticked,
        What::Stepped,
        What::Started,
        What::Crashed,
        What::Paused,
        What::World,
        What::Broken,
    ];

    /// One word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            What::Received => "received",
            What::Persisted => "persisted",
            What::Asked => "asked",
            What::Ticked => "ticked",
            What::Stepped => "stepped",
            What::Started => "started",
            What::Crashed => "crashed",
            What::Paused => "paused",
            What::World => "world",
            What::Broken => "broken",
        }
    }
}

/// One instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When (µs).
    pub at: u64,
    /// Whose; none if it is the world's.
    pub node: Option<NodeId>,
    /// What kind it is of.
    pub what: What,
    /// The input, or what happened, in words.
    pub words: String,
    /// What the node ordered, in words.
    pub effects: Vec<String>,
    /// What the node was like afterwards; none if it was down, or is the world.
    pub portrait: Option<Rc<Portrait>>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It is still under way.
    Flying,
    /// It was received.
    Arrived,
    /// The network lost it.
    Lost,
    /// The link was cut.
    Cut,
    /// Nobody was there to receive it.
    NobodyHome,
}

impl Fate {
    /// All of them, in the order of their numbers.
    pub const ALL: [Fate; 5] =
        [Fate::Flying, Fate::Arrived, Fate::Lost, Fate::Cut, Fate::NobodyHome];

    /// A few words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Fate::Flying => "under way",
            Fate::Arrived => "arrived",
            Fate::Lost => "lost",
            Fate::Cut => "cut off",
            Fate::NobodyHome => "nobody home",
        }
    }
}

/// One message on its way to one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    /// Who sent it.
    pub from: NodeId,
    /// For whom it is.
    pub to: NodeId,
    /// The frame in which it was sent; none if nobody saw that (an old letter, delivered again).
    pub sent: Option<u64>,
    /// The frame in which it ended.
    pub ended: Option<u64>,
    /// When it was sent and when it ended (µs).
    pub times: (u64, Option<u64>),
    /// What became of it.
    pub fate: Fate,
    /// Whether it is the second copy.
    pub is_twin: bool,
    /// What kind of message it is.
    pub name: &'static str,
    /// It, in words.
    pub words: Rc<str>,
    /// It, in as few words as stand along an arrow.
    pub brief: Rc<str>,
    /// Its group.
    pub group: u64,
    /// Its ballot.
    pub ballot: Option<String>,
    /// The slots that it is about.
    pub slots: Option<(u64, u64)>,
    /// By which an arrival is matched.
    pub(super) sum: u64,
}

/// One batch on its way to a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writing {
    /// Whose disk.
    pub node: NodeId,
    /// Its number.
    pub write: u64,
    /// The frame in which it was ordered.
    pub ordered: u64,
    /// The frame in which it was durable, or the process ended.
    pub ended: Option<u64>,
    /// Whether it was acknowledged.
    pub is_durable: bool,
    /// What is in it.
    pub words: String,
}

pub(super) fn flight(
    envelope: &Envelope,
    to: NodeId,
    times: (u64, Option<u64>),
    fate: Fate,
    is_twin: bool,
) -> Flight {
    let (ballot, slots) = about(&envelope.message);
    Flight {
        from: envelope.from,
        to,
        sent: None,
        ended: None,
        times,
        fate,
        is_twin,
        name: envelope.message.name(),
        words: MessageWords(&envelope.message).to_string().into(),
        brief: brief(&envelope.message).into(),
        group: envelope.group.0,
        ballot: ballot.map(|ballot| ballot.to_string()),
        slots,
        sum: sum(envelope),
    }
}

pub(super) fn sum(envelope: &Envelope) -> u64 {
    let mut hasher = StateHasher::default();
    envelope.hash(&mut hasher);
    hasher.finish()
}
