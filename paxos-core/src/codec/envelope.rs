//! One message and who it is from.
//!
//! `tag · group · sender · disk · fields`, nothing between and nothing after. A tag is
//! never used for another message, and a message never gets another tag.

use bytes::{BufMut, Bytes};

use super::Malformed;
use super::wire::{Reader, Wire, put_number, wire_struct};
use crate::message::{
    Accept, Accepted, Audit, Audited, Chosen, Confirm, Confirmed, Entries, Envelope, Fetch,
    Forward, Forwarded, Greet, Handover, Heartbeat, HeartbeatAck, Holding, Message, Offer, Prepare,
    Probe, ProbeAck, Promise, Pull, ReadAnswer, ReadId, ReadRequest, Reject, Release, Relieve,
    Verdict, Vote,
};
use crate::types::{GroupId, NodeId, Piece, Slot};

/// Appends `envelope` to `out`.
pub fn encode(envelope: &Envelope, out: &mut impl BufMut) {
    out.put_u8(tag_of(&envelope.message));
    envelope.group.put(out);
    envelope.from.put(out);
    envelope.disk.put(out);
    put_fields(&envelope.message, out);
}

/// Reads the one envelope that `bytes` hold. Payloads share their memory.
pub fn decode(bytes: &Bytes) -> Result<Envelope, Malformed> {
    let mut reader = Reader::new(bytes);
    let envelope = take(&mut reader)?;
    reader.finish().map(|()| envelope)
}

/// Reads the envelope that `reader` stands before.
pub fn take(reader: &mut Reader<'_>) -> Result<Envelope, Malformed> {
    let tag = reader.byte()?;
    let group = GroupId::take(reader)?;
    let from = NodeId::take(reader)?;
    let disk = u64::take(reader)?;
    take_fields(tag, reader).map(|message| Envelope { group, from, disk, message })
}

macro_rules! tags {
    ($($tag:literal $name:ident,)*) => {
        fn tag_of(message: &Message) -> u8 {
            match message { $(Message::$name(_) => $tag,)* }
        }

        fn put_fields(message: &Message, out: &mut impl BufMut) {
            match message { $(Message::$name(m) => m.put(out),)* }
        }

        fn take_fields(tag: u8, reader: &mut Reader<'_>) -> Result<Message, Malformed> {
            match tag {
                $($tag => $name::take(reader).map(Message::$name),)*
                tag => Err(Malformed::UnknownTag { of: "message", tag }),
            }
        }
    };
}

tags! {
    1 Prepare,
    2 Promise,
    3 Accept,
    4 Accepted,
    5 Reject,
    6 Chosen,
    7 Probe,
    8 ProbeAck,
    9 Heartbeat,
    10 HeartbeatAck,
    11 Fetch,
    12 Entries,
    13 Forward,
    14 Forwarded,
    15 ReadRequest,
    16 ReadAnswer,
    17 Confirm,
    18 Confirmed,
    19 Offer,
    20 Pull,
    21 Piece,
    22 Handover,
    23 Audit,
    24 Audited,
    25 Holding,
    26 Relieve,
    27 Greet,
}

wire_struct! {
    Prepare { ballot, from, released }
    Promise { ballot, from, to, chosen, votes }
    Vote { slot, ballot, chosen, value }
    Accept { ballot, run, chosen }
    Accepted { ballot, first, end }
    Reject { ballot, promised }
    Chosen { ballot, below }
    Probe { ballot, chosen }
    ProbeAck { ballot, granted, promised, chosen }
    Heartbeat { ballot, chosen, beat, settled }
    HeartbeatAck { ballot, beat, chosen, priority }
    Handover { ballot, beat, chosen }
    Release { ballot, beat }
    Fetch { from, to, image }
    Entries { run, chosen }
    Forward { ballot, incarnation, number, commands }
    Forwarded { incarnation, number, first, count, verdict }
    ReadId { incarnation, number }
    ReadRequest { id }
    ReadAnswer { id, index }
    Confirm { ballot, round }
    Confirmed { ballot, round }
    Offer { image, chosen }
    Pull { image, offset, bytes }
    Audit { ballot, slot, agreed }
    Audited { mark }
    Holding { ballot, below }
    Relieve { ballot, below, schedule }
    Greet { founding, asks }
}

impl Wire for Verdict {
    fn put(&self, out: &mut impl BufMut) {
        match self {
            Verdict::NotLeader => out.put_u8(0),
            Verdict::Busy => out.put_u8(1),
            Verdict::Unknown => out.put_u8(2),
            Verdict::Chosen(slot) => {
                out.put_u8(3);
                put_number(out, slot.0);
            }
        }
    }

    fn take(reader: &mut Reader<'_>) -> Result<Verdict, Malformed> {
        match reader.byte()? {
            0 => Ok(Verdict::NotLeader),
            1 => Ok(Verdict::Busy),
            2 => Ok(Verdict::Unknown),
            3 => Slot::take(reader).map(Verdict::Chosen),
            tag => Err(Malformed::UnknownTag { of: "verdict", tag }),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::codec::testing::{any_envelope, one_of_each};
    use crate::types::{Ballot, ClientId, Command, Run, Value};

    fn encoded(envelope: &Envelope) -> Vec<u8> {
        let mut out = Vec::new();
        encode(envelope, &mut out);
        out
    }

    fn decoded(bytes: &[u8]) -> Result<Envelope, Malformed> {
        decode(&Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn every_message_has_a_strategy() {
        let mut tags: Vec<u8> = one_of_each().iter().map(tag_of).collect();
        tags.sort_unstable();
        assert!(tags.iter().copied().eq(1..=27), "raise the number with a new message");
    }

    /// Whoever changes these bytes speaks another version: see
    /// [`VERSION`](crate::codec::frame::VERSION).
    #[test]
    fn messages_are_spelled_as_they_were() {
        let ballot = Ballot { round: 300, node: NodeId(2), disk: 8 };
        let vote = Vote { slot: Slot(7), ballot, chosen: false, value: Value::Noop };
        let (from, to, chosen) = (Slot(5), Some(Slot(9)), Slot(6));
        let promise = Promise { ballot, from, to, chosen, votes: [vote].into_iter().collect() };
        let spelled =
            |message| encoded(&Envelope { group: GroupId(1), from: NodeId(3), disk: 0, message });
        let bytes = [2, 1, 3, 0, 0xac, 2, 2, 8, 5, 1, 9, 6, 1, 7, 0xac, 2, 2, 8, 0, 0];
        assert_eq!(spelled(promise.into()), bytes);
        let command = Command { client: ClientId(9), sequence: 1, payload: Bytes::from("pay") };
        let run = Run::one(Slot(7), Value::Command(command));
        let accept = Accept { ballot, run, chosen };
        let bytes = [3, 1, 3, 0, 0xac, 2, 2, 8, 7, 1, 1, 9, 1, 3, b'p', b'a', b'y', 6];
        assert_eq!(spelled(accept.into()), bytes);
    }

    #[test]
    fn unknown_tags_are_refused() {
        for tag in [0, 28, 255] {
            assert_eq!(
                decoded(&[tag, 0, 1, 0, 0]),
                Err(Malformed::UnknownTag { of: "message", tag })
            );
        }
    }

    #[test]
    fn a_run_past_the_last_number_is_refused() {
        let mut bytes = Vec::from([12, 0, 1, 0]);
        put_number(&mut bytes, u64::MAX);
        bytes.extend([2, 0, 0, 1]);
        assert_eq!(decoded(&bytes), Err(Malformed::OutOfRange("slot")));
    }

    #[test]
    fn payloads_share_the_memory_of_the_message() {
        let bytes = Bytes::from_static(
            b"\x0d\x00\x01\x00\x01\x01\x00\x01\x01\x02\x00\x00\x02hi\x00\x00\x02ho",
        );
        let Ok(Envelope { message: Message::Forward(forward), .. }) = decode(&bytes) else {
            panic!("a forward of two commands");
        };
        let range = bytes.as_ptr_range();
        assert_eq!(forward.commands.len(), 2);
        assert!(forward.commands.iter().all(|c| range.contains(&c.payload.as_ptr())));
    }

    proptest! {
        #[test]
        fn every_envelope_returns(envelope in any_envelope()) {
            prop_assert_eq!(decoded(&encoded(&envelope)), Ok(envelope));
        }

        #[test]
        fn every_cut_is_noticed(envelope in any_envelope()) {
            let bytes = encoded(&envelope);
            for cut in 0..bytes.len() {
                let error = decoded(&bytes[..cut]);
                // A list that is cut may also claim more than is left.
                prop_assert!(
                    matches!(error, Err(Malformed::Truncated | Malformed::TooMany { .. })),
                    "cut at {}: {:?}", cut, error,
                );
            }
        }

        #[test]
        fn trailing_bytes_are_refused(envelope in any_envelope(), more in 1..9usize) {
            let mut bytes = encoded(&envelope);
            bytes.resize(bytes.len() + more, 0);
            prop_assert_eq!(decoded(&bytes), Err(Malformed::Trailing(more)));
        }

        /// There is one spelling: a changed byte is an error or another message.
        #[test]
        fn a_flipped_byte_is_never_the_same_message(
            envelope in any_envelope(), at in any::<prop::sample::Index>(), flip in 1..=255u8,
        ) {
            let mut bytes = encoded(&envelope);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            if let Ok(other) = decoded(&bytes) {
                prop_assert_ne!(&other, &envelope);
                prop_assert_eq!(encoded(&other), bytes);
            }
        }

        #[test]
        fn noise_is_refused_or_canonical(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(envelope) = decoded(&bytes) {
                prop_assert_eq!(encoded(&envelope), bytes);
            }
        }
    }
}
