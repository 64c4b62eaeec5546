//! The replicated state of a node: the key-value machine behind its sessions.
//!
//! | module  | its one thought                                   |
//! |---------|---------------------------------------------------|
//! | `image` | the whole state as a stream of bytes, and back    |
//! | `reply` | an answer that is kept for a retry, as bytes      |

mod image;
mod reply;

use bytes::Bytes;
use paxos_core::service::{Applied, Machine, Service, Sessions};
use paxos_core::types::{Slot, Value};

use crate::front::{FORGOTTEN, STALE_SEQUENCE};
use crate::kv::{self, Query};
use crate::resp::Reply;

pub(crate) use image::{Frozen, Restore, RestoreError};

/// The state machine, as the core's service layer wants it.
#[derive(Debug)]
struct Adapter(kv::Machine);

impl Machine for Adapter {
    type Reply = Reply;

    fn apply(&mut self, slot: Slot, payload: &Bytes) -> Reply {
        self.0.apply(slot.0, payload)
    }

    fn reply_bytes(reply: &Reply) -> usize {
        reply.weight()
    }
}

/// What the delivered slots have come to.
#[derive(Debug)]
pub(crate) struct Store {
    service: Service<Adapter>,
}

impl Store {
    /// An empty store before the first slot.
    pub(crate) fn new(limits: kv::Limits) -> Store {
        let machine = Adapter(kv::Machine::new(limits));
        Store { service: Service::new(machine, SESSIONS_MAX, REPLY_BYTES_MAX) }
    }

    /// The state with the effect of all slots below `next`.
    fn resume(machine: kv::Machine, sessions: Sessions<Reply>, next: Slot) -> Store {
        Store { service: Service::resume(Adapter(machine), sessions, next) }
    }

    /// A table without sessions.
    fn no_sessions() -> Sessions<Reply> {
        Sessions::new(SESSIONS_MAX, REPLY_BYTES_MAX)
    }

    /// The state as it is now, to be written out while it goes on. Copies nothing but a
    /// pointer for each leaf of up to 256 keys: a millisecond or so for ten million.
    pub(crate) fn freeze(&self) -> Frozen {
        let sessions = self.service.session_table().freeze();
        Frozen::new(self.service.next(), sessions, self.machine().image())
    }

    /// The slot that is to be applied next.
    pub(crate) fn next(&self) -> Slot {
        self.service.next()
    }

    /// Prepares for values that are about to be applied: some
    /// [`PREPARED_AT_ONCE`](kv::PREPARED_AT_ONCE). It makes that faster, and has no other effect.
    pub(crate) fn prepare<'a>(&self, values: impl Iterator<Item = &'a Value>) {
        self.machine().prepare(values.filter_map(|value| match value {
            Value::Command(command) => Some(&command.payload),
            Value::Noop | Value::Config(_) => None,
        }));
    }

    /// Applies what is chosen at `slot`, the one after the last; the answer for
    /// whoever has proposed it.
    pub(crate) fn apply(&mut self, slot: Slot, value: &Value) -> Option<Reply> {
        Some(match self.service.apply(slot, value)? {
            Applied::Done(reply) => reply,
            Applied::Stale => STALE_SEQUENCE,
            Applied::Forgotten => FORGOTTEN,
        })
    }

    /// Answers a read from the state as it is.
    pub(crate) fn query(&self, query: &Query) -> Reply {
        self.machine().query(query)
    }

    /// The machine, for what it tells about itself.
    pub(crate) fn machine(&self) -> &kv::Machine {
        &self.service.machine().0
    }
}

/// Clients that are remembered for exactly-once execution. Part of the replicated
/// state: the same on every node, or they disagree.
const SESSIONS_MAX: usize = 100_000;
/// Bytes of replies that are kept for them; replicated in the same way.
const REPLY_BYTES_MAX: usize = 64 << 20;
