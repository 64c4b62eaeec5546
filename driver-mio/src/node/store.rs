//! The replicated state of a node: the key-value machine behind its sessions.

use bytes::Bytes;
use paxos_core::service::{Applied, Machine, Service};
use paxos_core::types::{Slot, Value};

use crate::front::{FORGOTTEN, STALE_SEQUENCE};
use crate::kv::{self, Query};
use crate::resp::Reply;

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
