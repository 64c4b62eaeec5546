//! A state machine behind a session table.

use bytes::Bytes;

use super::{Seen, Sessions};
use crate::types::{Slot, Value};

/// A deterministic state machine: two that apply the same commands at the same
/// slots are in the same state and give the same replies.
pub trait Machine {
    /// What a command answers. Kept in the session table for retries.
    type Reply: Clone;

    /// Applies the command chosen at `slot`. Never fails: what a payload cannot
    /// ask for is answered with a reply that says so.
    fn apply(&mut self, slot: Slot, payload: &Bytes) -> Self::Reply;

    /// Roughly what keeping `reply` costs in bytes. All replicas must agree on it:
    /// it decides which sessions are forgotten.
    fn reply_bytes(_reply: &Self::Reply) -> usize {
        size_of::<Self::Reply>()
    }
}

/// What became of a delivered command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied<R> {
    /// Executed, now or when it was first delivered: the machine's reply.
    Done(R),
    /// Not executed: the session has gone on to a later sequence, and the reply
    /// is forgotten. The command took effect if its client once had it answered.
    Stale,
    /// Not executed: the table knows no such session, and this is not its first
    /// command. Whether an earlier try took effect is forgotten.
    Forgotten,
}

/// A state machine that executes every command of a session once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Service<M: Machine> {
    machine: M,
    sessions: Sessions<M::Reply>,
    next: Slot,
}

impl<M: Machine> Service<M> {
    /// A service that starts at the first slot and remembers at most
    /// `sessions_max` clients, and `reply_bytes_max` bytes of replies to them.
    pub fn new(machine: M, sessions_max: usize, reply_bytes_max: usize) -> Service<M> {
        let sessions = Sessions::new(sessions_max, reply_bytes_max);
        Service { machine, sessions, next: Slot::FIRST }
    }

    /// A service that goes on where an image of it was taken: `machine` and `sessions`
    /// hold the effect of every slot below `next`, and of no other.
    pub fn resume(machine: M, sessions: Sessions<M::Reply>, next: Slot) -> Service<M> {
        Service { machine, sessions, next }
    }

    /// The state machine.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// The slot that is to be applied next.
    pub fn next(&self) -> Slot {
        self.next
    }

    /// How many sessions are remembered.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// The session table: as much part of the state as the machine is.
    pub fn session_table(&self) -> &Sessions<M::Reply> {
        &self.sessions
    }

    /// Applies what is chosen at `slot`, the one after the last. None for a no-op,
    /// and for a slot that is out of turn, which changes nothing.
    pub fn apply(&mut self, slot: Slot, value: &Value) -> Option<Applied<M::Reply>> {
        if slot != self.next {
            return None;
        }
        self.next = slot.next();
        let Value::Command(command) = value else { return None };
        let (client, sequence) = (command.client, command.sequence);
        match self.sessions.look_up(client, sequence) {
            Seen::Done(reply) => Some(Applied::Done(reply)),
            Seen::Stale => Some(Applied::Stale),
            Seen::Unknown => Some(Applied::Forgotten),
            Seen::New => {
                let reply = self.machine.apply(slot, &command.payload);
                let kept = (reply.clone(), M::reply_bytes(&reply));
                self.sessions.remember(client, sequence, slot, kept);
                Some(Applied::Done(reply))
            }
        }
    }
}
