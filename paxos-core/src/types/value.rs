//! What a slot can hold.

use alloc::sync::Arc;
use core::fmt;

use bytes::Bytes;

use super::{ClientId, Membership};

/// A client's command. The core carries it and never looks into the payload.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Command {
    /// The session that asks for exactly-once execution; zero for none.
    pub client: ClientId,
    /// The command's number within its session; means nothing without one.
    pub sequence: u64,
    /// What the state machine will read; at most `Limits::value_bytes_max` bytes.
    pub payload: Bytes,
}

impl Command {
    /// A command outside any session: it may be executed twice if its proposer
    /// retries after an unknown outcome.
    pub fn plain(payload: Bytes) -> Command {
        Command { client: ClientId(0), sequence: 0, payload }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.client != ClientId(0) {
            write!(f, "{}#{}:", self.client, self.sequence)?;
        }
        let shown = &self.payload[..self.payload.len().min(24)];
        write!(f, "\"{}\"", shown.escape_ascii())?;
        if shown.len() < self.payload.len() {
            write!(f, "..{}B", self.payload.len())
        } else {
            Ok(())
        }
    }
}

/// What a slot holds.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Value {
    /// Nothing: a new leader fills a hole with it.
    #[default]
    Noop,
    /// A client's command.
    Command(Command),
    /// A change of the group's membership, for the slots from its window on. Nothing
    /// to a state machine.
    Config(Arc<Membership>),
}

impl Value {
    /// What this value counts against limits in bytes.
    pub fn weight(&self) -> usize {
        Self::OVERHEAD + self.payload_len()
    }

    /// Bytes of the payload, if there is one.
    pub fn payload_len(&self) -> usize {
        match self {
            Value::Noop => 0,
            Value::Command(c) => c.payload.len(),
            Value::Config(m) => m.weight(),
        }
    }

    /// What a value weighs besides its payload: roughly its header on the wire.
    pub const OVERHEAD: usize = 24;
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Noop => f.write_str("noop"),
            Value::Command(c) => fmt::Debug::fmt(c, f),
            Value::Config(m) => write!(f, "config {}", m.version()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::types::NodeId;

    #[test]
    fn a_value_weighs_its_payload_and_a_header() {
        let of =
            |payload: &'static [u8]| Value::Command(Command::plain(Bytes::from_static(payload)));
        assert_eq!(
            (Value::Noop.payload_len(), of(b"").payload_len(), of(b"abc").payload_len()),
            (0, 0, 3)
        );
        assert_eq!(
            (Value::Noop.weight(), of(b"abc").weight()),
            (Value::OVERHEAD, Value::OVERHEAD + 3)
        );
        // A change of the members grows with what is to be known of them.
        let plain = Membership::majority([1, 2, 3].map(NodeId));
        let named = plain.clone().with_address(NodeId(1), Bytes::from_static(b"a:1"));
        let [plain, named] = [plain, named].map(|m| Value::Config(m.into()).payload_len());
        assert!(plain > 0 && named >= plain + 3);
        let at = |address: &'static [u8]| {
            let one = Membership::majority([NodeId(1)]);
            one.with_address(NodeId(1), Bytes::from_static(address)).weight()
        };
        assert_eq!(at(b"longer:1") - at(b"a:1"), 5);
    }
}
