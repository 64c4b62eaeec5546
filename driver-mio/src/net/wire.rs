//! Messages on the wire, as frames of the core's codec.

use bytes::{Bytes, BytesMut};
use paxos_core::codec::frame::{self, Frame, FrameError};
use paxos_core::message::Envelope;
use paxos_core::types::{Limits, NodeId};

/// What is wrong with a peer's stream; there is no reading on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Garbled {
    /// It is no frame, or none of a message.
    Frame(FrameError),
    /// A second hello.
    HelloAgain,
    /// A message in another node's name.
    Impostor(NodeId),
}

/// One message as a frame, to be shared by all its receivers that speak this version.
pub(crate) fn encode(envelope: &Envelope, version: u8, buffer: &mut BytesMut) -> Bytes {
    frame::put_messages(buffer, version, [envelope]);
    buffer.split().freeze()
}

/// Takes every whole frame from the front of `input`, and hands on the messages
/// in them. All are from `from`, and in the version that was agreed on with it, or they do
/// not count.
pub(crate) fn decode(
    input: &mut BytesMut,
    (from, version): (NodeId, u8),
    body_bytes_max: usize,
    mut each: impl FnMut(Envelope),
) -> Result<(), Garbled> {
    while let Some(frame) = frame::take(input, body_bytes_max, version).map_err(Garbled::Frame)? {
        let Frame::Messages(messages) = frame else { return Err(Garbled::HelloAgain) };
        for envelope in messages {
            let envelope = envelope.map_err(|error| Garbled::Frame(error.into()))?;
            if envelope.from != from {
                return Err(Garbled::Impostor(envelope.from));
            }
            each(envelope);
        }
    }
    Ok(())
}

/// The longest body that a peer with these limits sends: a batch of values that
/// is full but for one byte, one value more, and what describes them.
pub(crate) fn body_bytes_max(limits: &Limits) -> usize {
    limits.run_bytes_max + limits.value_bytes_max + FIELDS_BYTES_MAX
}

impl std::fmt::Display for Garbled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Garbled::Frame(error) => error.fmt(f),
            Garbled::HelloAgain => f.write_str("it says hello twice"),
            Garbled::Impostor(node) => write!(f, "it speaks in the name of {node}"),
        }
    }
}

/// What a message holds beside payloads: numbers, some for each of its values,
/// and these are counted with the payloads already.
const FIELDS_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use paxos_core::message::Heartbeat;
    use paxos_core::types::{Ballot, GroupId, Slot};

    use super::*;

    fn heartbeat(from: u16) -> Envelope {
        let message = Heartbeat {
            ballot: Ballot::new(4, NodeId(1)),
            chosen: Slot(9),
            beat: 0,
            settled: true,
        }
        .into();
        Envelope { group: GroupId(0), from: NodeId(from), disk: 0, message }
    }

    #[test]
    fn messages_arrive_as_they_were_sent() {
        let mut input = BytesMut::new();
        let mut buffer = BytesMut::new();
        for _ in 0..2 {
            input.extend_from_slice(&encode(&heartbeat(2), 1, &mut buffer));
        }
        let mut seen = Vec::new();
        assert_eq!(decode(&mut input, (NodeId(2), 1), 1000, |e| seen.push(e)), Ok(()));
        assert_eq!(seen, [heartbeat(2), heartbeat(2)]);
        assert!(input.is_empty());
    }

    #[test]
    fn a_peer_speaks_for_itself_only() {
        let mut input = BytesMut::from(&encode(&heartbeat(3), 1, &mut BytesMut::new())[..]);
        let told = decode(&mut input, (NodeId(2), 1), 1000, |_| panic!("not from n2"));
        assert_eq!(told, Err(Garbled::Impostor(NodeId(3))));
    }

    #[test]
    fn a_peer_speaks_the_version_that_was_agreed_on() {
        for version in [1, 2] {
            let mut input = BytesMut::from(&encode(&heartbeat(2), 2, &mut BytesMut::new())[..]);
            let mut heard = 0;
            let told = decode(&mut input, (NodeId(2), version), 1000, |_| heard += 1);
            let error = Garbled::Frame(FrameError::BadVersion { found: 2, agreed: 1 });
            assert_eq!((told, heard), if version == 2 { (Ok(()), 1) } else { (Err(error), 0) });
        }
    }

    #[test]
    fn a_claimed_length_is_refused_before_it_is_there() {
        let mut input = BytesMut::from(&encode(&heartbeat(2), 1, &mut BytesMut::new())[..]);
        let told = decode(&mut input, (NodeId(2), 1), 1, |_| panic!("too long"));
        assert!(matches!(told, Err(Garbled::Frame(FrameError::TooLong { .. }))));
    }
}
