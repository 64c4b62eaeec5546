//! The stream between two peers: frames, each checked before anyone looks inside.
//!
//! ```text
//! length u32 | version u8 | kind u8 | reserved u16 | crc u32 | body
//! ```
//!
//! Numbers are little-endian. The length counts the body alone; the checksum
//! (CRC-32) covers everything but itself. Whatever is wrong with a frame, the
//! stream cannot be trusted any further: close it.
//!
//! The checksum is against rot, not against malice: who may connect, and that a
//! peer does not claim another's name, is the driver's business.

use core::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::wire::{Reader, Wire, wire_struct};
use super::{Malformed, envelope};
use crate::message::Envelope;
use crate::types::{Incarnation, Life, NodeId, Past};

/// The version of frames and of all that is in them. Another one is refused.
pub const VERSION: u8 = 1;

/// Bytes of a frame before its body.
pub const HEADER_BYTES: usize = 12;

/// Bodies from this size on are cut out of the read buffer; smaller ones are
/// copied, so that a short value that lives long does not keep a long buffer.
const CUT_BYTES_MIN: usize = 32 << 10;

const HELLO: u8 = 1;
const MESSAGES: u8 = 2;

/// What a peer says first, and once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hello {
    /// The cluster that the sender belongs to. Others are not spoken to.
    pub cluster: u64,
    /// The sender.
    pub node: NodeId,
    /// The receiver that the sender means to speak to: a stale or mistaken
    /// address shows here, before a live connection is given up for it.
    pub to: NodeId,
    /// The sender's disk and life: a connection of an earlier one is dead.
    pub life: Life,
    /// A disk of the receiver that the sender has heard of; zero if of none.
    pub heard_disk: u64,
    /// The latest life that the sender has heard of that disk. One that the receiver does
    /// not know of says that it runs on an older copy of it: see
    /// [`Lives`](crate::types::Lives).
    pub heard_life: Incarnation,
    /// The lease that the sender counts on and keeps, in microseconds; zero for none.
    /// One that keeps a shorter one than another counts on would let it read what is
    /// no longer so: those two are not to talk.
    pub lease_us: u64,
    /// What the sender can do beyond [`VERSION`]; unknown numbers are no error.
    pub minor: u32,
}

wire_struct! {
    Hello { cluster, node, to, life, heard_disk, heard_life, lease_us, minor }
    Life { disk, this, before }
}

impl Wire for Past {
    fn put(&self, out: &mut impl BufMut) {
        self.0.iter().for_each(|life| life.put(out));
    }

    fn take(reader: &mut Reader<'_>) -> Result<Past, Malformed> {
        let mut past = Past::default();
        for life in &mut past.0 {
            *life = Incarnation::take(reader)?;
        }
        Ok(past)
    }
}

/// What one frame carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The first frame of a stream, each way.
    Hello(Hello),
    /// Envelopes; not yet decoded.
    Messages(Messages),
}

/// The envelopes of one frame, decoded one by one as they are asked for: a
/// frame's worth of words never lies in memory at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Messages {
    body: Bytes,
}

/// Why a stream cannot be read any further. The peer's fault, or the network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The peer speaks another version.
    BadVersion(u8),
    /// A kind of frame that this version does not know.
    BadKind(u8),
    /// Bytes that must be zero are not.
    BadReserved,
    /// The frame does not match its checksum.
    BadCrc,
    /// The frame is longer than the reader allows.
    TooLong {
        /// The length that it claims.
        bytes: usize,
        /// The longest body that is allowed.
        bytes_max: usize,
    },
    /// The body is not what its kind says.
    Malformed(Malformed),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::BadVersion(v) => write!(f, "peer speaks version {v}, not {VERSION}"),
            FrameError::BadKind(kind) => write!(f, "unknown kind of frame {kind}"),
            FrameError::BadReserved => f.write_str("reserved bytes are not zero"),
            FrameError::BadCrc => f.write_str("checksum does not match"),
            FrameError::TooLong { bytes, bytes_max } => {
                write!(f, "frame of {bytes} bytes, at most {bytes_max} are allowed")
            }
            FrameError::Malformed(e) => write!(f, "malformed frame: {e}"),
        }
    }
}

impl core::error::Error for FrameError {}

impl From<Malformed> for FrameError {
    fn from(e: Malformed) -> FrameError {
        FrameError::Malformed(e)
    }
}

/// Appends a frame with `hello` to `out`.
pub fn put_hello(out: &mut BytesMut, hello: &Hello) {
    put(out, HELLO, |out| hello.put(out));
}

/// Appends one frame with all of `envelopes` to `out`, in one pass.
///
/// For a frame that several peers get, encode into a buffer of its own and share
/// that.
pub fn put_messages<'a>(out: &mut BytesMut, envelopes: impl IntoIterator<Item = &'a Envelope>) {
    put(out, MESSAGES, |out| envelopes.into_iter().for_each(|e| envelope::encode(e, out)));
}

fn put(out: &mut BytesMut, kind: u8, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_bytes(0, HEADER_BYTES);
    body(out);
    let length = out.len() - start - HEADER_BYTES;
    let length = u32::try_from(length).expect("what a node sends at once is far below 4 GiB");
    let frame = &mut out[start..];
    frame[0..4].copy_from_slice(&length.to_le_bytes());
    frame[4] = VERSION;
    frame[5] = kind;
    let crc = checksum(frame);
    frame[8..12].copy_from_slice(&crc.to_le_bytes());
}

/// Takes the first frame out of `buffer`; none while it is not all there.
///
/// `body_bytes_max` bounds what a peer can make this node hold: a longer frame is
/// refused as soon as its header is there.
pub fn take(buffer: &mut BytesMut, body_bytes_max: usize) -> Result<Option<Frame>, FrameError> {
    let Some(header) = buffer.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let (bytes, kind) = check_header(header, body_bytes_max)?;
    if buffer.len() - HEADER_BYTES < bytes {
        return Ok(None);
    }
    let frame = &buffer[..HEADER_BYTES + bytes];
    if frame[8..12] != checksum(frame).to_le_bytes() {
        return Err(FrameError::BadCrc);
    }
    buffer.advance(HEADER_BYTES);
    let body = if bytes < CUT_BYTES_MIN {
        let copy = Bytes::copy_from_slice(&buffer[..bytes]);
        buffer.advance(bytes);
        copy
    } else {
        buffer.split_to(bytes).freeze()
    };
    decode_body(kind, body).map(Some)
}

/// How many bytes the frame at the front of `buffer` still lacks, as far as that
/// is known: worth reserving before the next read. Zero if it is all there.
pub fn lacks(buffer: &[u8], body_bytes_max: usize) -> usize {
    let Some(header) = buffer.first_chunk::<HEADER_BYTES>() else {
        return HEADER_BYTES - buffer.len();
    };
    match check_header(header, body_bytes_max) {
        Ok((bytes, _)) => (HEADER_BYTES + bytes).saturating_sub(buffer.len()),
        Err(_) => 0,
    }
}

fn check_header(header: &[u8; HEADER_BYTES], bytes_max: usize) -> Result<(usize, u8), FrameError> {
    let [l0, l1, l2, l3, version, kind, reserved @ ..] = *header;
    if version != VERSION {
        return Err(FrameError::BadVersion(version));
    }
    if kind != HELLO && kind != MESSAGES {
        return Err(FrameError::BadKind(kind));
    }
    if reserved[..2] != [0, 0] {
        return Err(FrameError::BadReserved);
    }
    let bytes = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    if bytes > bytes_max {
        return Err(FrameError::TooLong { bytes, bytes_max });
    }
    Ok((bytes, kind))
}

fn checksum(frame: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&frame[..8]);
    crc.update(&frame[HEADER_BYTES..]);
    crc.finalize()
}

fn decode_body(kind: u8, body: Bytes) -> Result<Frame, FrameError> {
    if kind == MESSAGES {
        return Ok(Frame::Messages(Messages { body }));
    }
    let mut reader = Reader::new(&body);
    let hello = Hello::take(&mut reader)?;
    reader.finish()?;
    Ok(Frame::Hello(hello))
}

impl Iterator for Messages {
    type Item = Result<Envelope, Malformed>;

    /// The next envelope. After an error there is nothing more.
    fn next(&mut self) -> Option<Result<Envelope, Malformed>> {
        if self.body.is_empty() {
            return None;
        }
        let mut reader = Reader::new(&self.body);
        let envelope = envelope::take(&mut reader);
        let left = if envelope.is_ok() { reader.left() } else { 0 };
        self.body.advance(self.body.len() - left);
        Some(envelope)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::codec::testing::any_envelope;
    use crate::message::Heartbeat;
    use crate::types::{Ballot, GroupId, Slot};

    const MAX: usize = 1 << 20;

    fn hello() -> Hello {
        Hello {
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
            minor: 1,
        }
    }

    fn heartbeat() -> Envelope {
        let message =
            Heartbeat { ballot: Ballot::new(4, NodeId(1)), chosen: Slot(9), beat: 1 }.into();
        Envelope { group: GroupId(0), from: NodeId(1), disk: 0, message }
    }

    fn stream(turns: &[Vec<Envelope>]) -> BytesMut {
        let mut out = BytesMut::new();
        put_hello(&mut out, &hello());
        turns.iter().for_each(|turn| put_messages(&mut out, turn));
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
            while let Some(frame) = take(&mut buffer, MAX)? {
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
        assert_eq!(out[..8], [14, 0, 0, 0, VERSION, HELLO, 0, 0]);
        assert_eq!(out[12..], [7, 2, 3, 9, 0xac, 2, 0xab, 2, 8, 7, 0xa0, 0xc2, 0x1e, 1]);
    }

    #[test]
    fn a_long_frame_is_refused_before_it_is_there() {
        let mut out = stream(&[]);
        let error = take(&mut out, 4);
        assert_eq!(error, Err(FrameError::TooLong { bytes: 14, bytes_max: 4 }));
        let mut header =
            BytesMut::from(&[0xff, 0xff, 0xff, 0xff, VERSION, 2, 0, 0, 0, 0, 0, 0][..]);
        assert!(matches!(take(&mut header, MAX), Err(FrameError::TooLong { .. })));
    }

    #[test]
    fn another_version_and_unknown_kinds_are_named() {
        let mut out = stream(&[]);
        out[4] = 9;
        assert_eq!(take(&mut out.clone(), MAX), Err(FrameError::BadVersion(9)));
        (out[4], out[5]) = (VERSION, 7);
        assert_eq!(take(&mut out.clone(), MAX), Err(FrameError::BadKind(7)));
        (out[5], out[6]) = (HELLO, 1);
        assert_eq!(take(&mut out, MAX), Err(FrameError::BadReserved));
    }

    #[test]
    fn a_frame_says_what_it_lacks() {
        let out = stream(&[]);
        assert_eq!(lacks(&[], MAX), HEADER_BYTES);
        for cut in HEADER_BYTES..=out.len() {
            assert_eq!(lacks(&out[..cut], MAX), out.len() - cut);
        }
    }

    #[test]
    fn an_envelope_that_is_cut_inside_a_sound_frame_is_an_error_once() {
        let mut out = BytesMut::new();
        put(&mut out, MESSAGES, |out| {
            envelope::encode(&heartbeat(), out);
            out.put_u8(9);
        });
        let Ok(Some(Frame::Messages(mut messages))) = take(&mut out, MAX) else {
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
            put_messages(&mut frame, [&envelope]);
            let at = at.index(frame.len());
            frame[at] ^= flip;
            // A longer length may also just wait for more.
            prop_assert!(!matches!(take(&mut frame, MAX), Ok(Some(_))));
        }
    }

    #[test]
    fn long_bodies_are_cut_out_and_short_ones_copied() {
        for (payload, shared) in [(100, false), (CUT_BYTES_MIN, true)] {
            let mut buffer = BytesMut::new();
            put(&mut buffer, MESSAGES, |out| out.put_bytes(0, payload));
            let range = buffer.as_ptr_range();
            let Ok(Some(Frame::Messages(m))) = take(&mut buffer, MAX) else { panic!("a frame") };
            assert_eq!(range.contains(&m.body.as_ptr()), shared);
        }
    }
}
