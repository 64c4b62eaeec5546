//! Claims about streams of frames: cut, flipped, too long, of another version.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::codec::testing::any_envelope;
use crate::message::Heartbeat;
use crate::types::{Ballot, GroupId, Incarnation, Life, NodeId, Past, Slot};

const MAX: usize = 1 << 20;

fn hello() -> Hello {
    Hello {
        versions: Versions::new(1, 3).expect("in order"),
        cluster: 7,
        node: NodeId(2),
        to: NodeId(3),
        life: Life {
            disk: 9,
            this: Incarnation(300),
            before: Past::of([Incarnation(299), Incarnation(7)]),
        },
        heard_disk: 8,
        heard_life: Incarnation(7),
        lease_us: 500_000,
    }
}

fn heartbeat() -> Envelope {
    let message =
        Heartbeat { ballot: Ballot::new(4, NodeId(1)), chosen: Slot(9), beat: 1, settled: true }
            .into();
    Envelope { group: GroupId(0), from: NodeId(1), disk: 0, message }
}

fn stream(turns: &[Vec<Envelope>]) -> BytesMut {
    let mut out = BytesMut::new();
    put_hello(&mut out, &hello());
    turns.iter().for_each(|turn| put_messages(&mut out, VERSION, turn));
    out
}

/// Everything that comes out when the stream arrives in pieces.
fn received(stream: &[u8], pieces: &[usize]) -> Result<Vec<Vec<Envelope>>, FrameError> {
    let mut buffer = BytesMut::new();
    let mut turns = Vec::new();
    let mut rest = stream;
    let mut pieces = pieces.iter().cycle();
    while !rest.is_empty() {
        let piece = pieces.next().map_or(rest.len(), |n| (*n).min(rest.len()));
        buffer.extend_from_slice(&rest[..piece]);
        rest = &rest[piece..];
        while let Some(frame) = take(&mut buffer, MAX, VERSION)? {
            match frame {
                Frame::Hello(h) => assert_eq!(h, hello()),
                Frame::Messages(m) => turns.push(m.collect::<Result<_, _>>()?),
            }
        }
    }
    assert!(buffer.is_empty());
    Ok(turns)
}

#[test]
fn the_header_is_as_documented() {
    let mut out = BytesMut::new();
    put_hello(&mut out, &hello());
    assert_eq!(out[..8], [30, 0, 0, 0, 1, HELLO, 0, 0]);
    assert_eq!(out[12..23], [1, 3, 7, 2, 3, 9, 0xac, 2, 0xab, 2, 7]);
    assert_eq!(out[23..37], [0; 14]);
    assert_eq!(out[37..], [8, 7, 0xa0, 0xc2, 0x1e]);
}

#[test]
fn a_long_frame_is_refused_before_it_is_there() {
    let mut out = stream(&[]);
    let error = take(&mut out, 4, VERSION);
    assert_eq!(error, Err(FrameError::TooLong { bytes: 30, bytes_max: 4 }));
    assert!(matches!(take(&mut out.clone(), 29, VERSION), Err(FrameError::TooLong { .. })));
    assert!(matches!(take(&mut out, 30, VERSION), Ok(Some(_))), "as long as it may be");
    let mut header = BytesMut::from(&[0xff, 0xff, 0xff, 0xff, VERSION, 2, 0, 0, 0, 0, 0, 0][..]);
    assert!(matches!(take(&mut header, MAX, VERSION), Err(FrameError::TooLong { .. })));
}

#[test]
fn another_version_and_unknown_kinds_are_named() {
    let mut out = stream(&[]);
    out[4] = 9;
    let error = Err(FrameError::BadVersion { found: 9, agreed: 1 });
    assert_eq!(take(&mut out.clone(), MAX, 2), error);
    (out[4], out[5]) = (HELLO_VERSION, 7);
    assert_eq!(take(&mut out.clone(), MAX, VERSION), Err(FrameError::BadKind(7)));
    (out[5], out[6]) = (HELLO, 1);
    assert_eq!(take(&mut out, MAX, VERSION), Err(FrameError::BadReserved));
}

#[test]
fn messages_are_of_the_version_that_was_agreed_on() {
    let mut out = BytesMut::new();
    put_messages(&mut out, 2, [&heartbeat()]);
    assert!(matches!(take(&mut out.clone(), MAX, 2), Ok(Some(Frame::Messages(_)))));
    for agreed in [1, 3] {
        let error = Err(FrameError::BadVersion { found: 2, agreed });
        assert_eq!(take(&mut out.clone(), MAX, agreed), error);
    }
}

/// It is all that two versions can be sure to understand of each other.
#[test]
fn a_hello_with_more_to_say_is_understood_as_far_as_it_goes() {
    let mut out = BytesMut::new();
    put(&mut out, HELLO_VERSION, HELLO, |out| {
        hello().put(out);
        out.put_slice(b"what comes later");
    });
    assert_eq!(take(&mut out, MAX, VERSION), Ok(Some(Frame::Hello(hello()))));
}

#[test]
fn a_frame_says_what_it_lacks() {
    let out = stream(&[]);
    for cut in 0..=out.len() {
        let known = if cut < HEADER_BYTES { HEADER_BYTES } else { out.len() };
        assert_eq!(lacks(&out[..cut], MAX, VERSION), known - cut);
    }
}

#[test]
fn an_envelope_that_is_cut_inside_a_sound_frame_is_an_error_once() {
    let mut out = BytesMut::new();
    put(&mut out, VERSION, MESSAGES, |out| {
        envelope::encode(&heartbeat(), out);
        out.put_u8(9);
    });
    let Ok(Some(Frame::Messages(mut messages))) = take(&mut out, MAX, VERSION) else {
        panic!("a sound frame");
    };
    assert_eq!(messages.next(), Some(Ok(heartbeat())));
    assert_eq!(messages.next(), Some(Err(Malformed::Truncated)));
    assert_eq!(messages.next(), None);
}

proptest! {
    #[test]
    fn frames_survive_any_cutting(
        turns in prop::collection::vec(prop::collection::vec(any_envelope(), 0..3), 0..4),
        pieces in prop::collection::vec(1..40usize, 1..6),
    ) {
        let stream = stream(&turns);
        prop_assert_eq!(received(&stream, &pieces), Ok(turns));
    }

    #[test]
    fn a_flipped_byte_is_never_delivered(
        envelope in any_envelope(), at in any::<prop::sample::Index>(), flip in 1..=255u8,
    ) {
        let mut frame = BytesMut::new();
        put_messages(&mut frame, VERSION, [&envelope]);
        let at = at.index(frame.len());
        frame[at] ^= flip;
        // A longer length may also just wait for more.
        prop_assert!(!matches!(take(&mut frame, MAX, VERSION), Ok(Some(_))));
    }
}

#[test]
fn long_bodies_are_cut_out_and_short_ones_copied() {
    for (payload, shared) in [(100, false), (CUT_BYTES_MIN, true)] {
        let mut buffer = BytesMut::new();
        put(&mut buffer, VERSION, MESSAGES, |out| out.put_bytes(0, payload));
        let range = buffer.as_ptr_range();
        let Ok(Some(Frame::Messages(m))) = take(&mut buffer, MAX, VERSION) else {
            panic!("a frame")
        };
        assert_eq!(range.contains(&m.body.as_ptr()), shared);
    }
}
