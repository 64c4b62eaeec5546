//! Clients: each asks one thing at a time and remembers what it was told.
//!
//! A client with a session may ask again after an unknown outcome, under the same session and
//! number, and must get exactly one effect. Any other client goes on under a new name and leaves
//! the operation open for ever.

mod history;

pub(crate) use self::history::Record;

use bytes::Bytes;
use paxos_core::types::{ClientId, Command, Slot};

use crate::check::hash;
use crate::choice::Choice;
use crate::machine::{Ask, encode};
use crate::swarm::ClientWeights;
use paxos_core::types::Value;

/// What an operation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A linearizable read of the key.
    Read,
    /// A command, with its sum.
    Write(Command, u64),
    /// A command that no node may take.
    TooLarge(Command, u64),
}

/// Where an operation was brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// The host.
    pub(crate) host: u8,
    /// The number of the attempt, unique in the run.
    pub(crate) number: u32,
}

/// An operation under way.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// Its number, unique for its client.
    pub(crate) number: u32,
    /// The group.
    pub(crate) group: u8,
    /// The key.
    pub(crate) key: u8,
    /// What it is.
    pub(crate) what: What,
    /// All slots below were answered to somebody before it was asked.
    pub(crate) floor: Slot,
    /// Where it was brought; none between two attempts.
    pub(crate) attempt: Option<Attempt>,
    /// Who is said to lead.
    pub(crate) hint: Option<u8>,
}

/// One client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    /// Its session; zero for none.
    pub(crate) session: ClientId,
    /// The number of its last command in the session.
    pub(crate) sequence: u64,
    /// What it waits for.
    pub(crate) operation: Option<Operation>,
    /// How many operations it has begun.
    pub(crate) begun: u32,
    /// Under which name the history knows it.
    pub(crate) process: u64,
}

/// What clients begin when they are done with what they had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Whatever is drawn.
    Any,
    /// Reads and writes in turn.
    Alternating,
    /// Nothing.
    Done,
}

/// All clients of a run.
#[derive(Clone, Debug)]
pub(crate) struct Crowd {
    /// The clients.
    pub(crate) clients: Vec<Client>,
    /// How they behave.
    pub(crate) weights: ClientWeights,
    /// What they saw.
    pub(crate) record: Record,
    /// What they begin.
    pub(crate) mood: Mood,
    names: u64,
    marks: u64,
    attempts: u32,
    handles: u64,
    groups: u8,
    value_bytes_max: usize,
}

impl Crowd {
    /// More bytes than a payload has around a long value.
    const AROUND_BYTES: usize = 100;

    /// The clients of a run, none of which has asked anything.
    pub(crate) fn new<C: Choice>(
        choice: &mut C,
        weights: ClientWeights,
        groups: u8,
        value_bytes_max: usize,
    ) -> Crowd {
        let mut crowd = Crowd {
            clients: vec![Client::default(); usize::from(weights.clients)],
            weights,
            record: Record::default(),
            mood: Mood::Any,
            names: 0,
            marks: 0,
            attempts: 0,
            handles: 0,
            groups,
            value_bytes_max,
        };
        for client in 0..crowd.clients.len() {
            crowd.rename(choice, client);
        }
        crowd
    }

    /// A client goes on under a new name.
    pub(crate) fn rename<C: Choice>(&mut self, choice: &mut C, client: usize) {
        self.names += 1;
        let session = if choice.chance(self.weights.sessions) { self.names } else { 0 };
        let client = &mut self.clients[client];
        client.session = ClientId(session);
        client.sequence = 0;
        client.process = self.names;
    }

    /// A handle that no node was ever given; `count` more follow it.
    pub(crate) fn handles(&mut self, count: usize) -> u64 {
        let first = self.handles + 1;
        self.handles += count as u64;
        first
    }

    /// How many attempts there were.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// A number for an attempt.
    pub(crate) fn attempt(&mut self) -> u32 {
        self.attempts += 1;
        self.attempts
    }

    /// Draws the next operation of a client.
    pub(crate) fn draw<C: Choice>(&mut self, choice: &mut C, at: usize) -> Operation {
        // A session lives in one group.
        let group = (at % usize::from(self.groups)) as u8;
        let key = choice.below(u32::from(self.weights.keys)) as u8;
        let reads = match self.mood {
            Mood::Alternating => self.clients[at].begun.is_multiple_of(2),
            Mood::Any | Mood::Done => choice.chance(self.weights.reads),
        };
        let what = if reads {
            What::Read
        } else if choice.chance(self.weights.oversized) {
            let command = Command::plain(Bytes::from(vec![0; self.value_bytes_max + 1]));
            self.write(command, What::TooLarge)
        } else {
            let command = self.command(choice, at, key);
            self.write(command, What::Write)
        };
        let client = &mut self.clients[at];
        client.begun += 1;
        let number = client.begun;
        Operation { number, group, key, what, floor: Slot::FIRST, attempt: None, hint: None }
    }

    fn write(&self, command: Command, what: fn(Command, u64) -> What) -> What {
        let sum = hash(&Value::Command(command.clone()));
        what(command, sum)
    }

    fn command<C: Choice>(&mut self, choice: &mut C, at: usize, key: u8) -> Command {
        self.marks += 1;
        let ask = match choice.below(4) {
            0 => Ask::Set(self.marks),
            1 => Ask::Add(1 + u64::from(choice.below(9))),
            2 => Ask::Append(u64::from(choice.below(1_000))),
            _ => Ask::Swap { old: self.record.last_seen(key), new: self.marks },
        };
        let length = if choice.chance(self.weights.long) {
            let room = self.value_bytes_max.saturating_sub(Self::AROUND_BYTES) as u64;
            choice.range(0..=room) as usize
        } else {
            0
        };
        let client = &mut self.clients[at];
        client.sequence += 1;
        let sequence = if client.session == ClientId(0) { 0 } else { client.sequence };
        Command { client: client.session, sequence, payload: encode(key, self.marks, ask, length) }
    }
}
