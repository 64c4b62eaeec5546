//! The stream between two peers: frames, each checked before anyone looks inside.
//!
//! ```text
//! length u32 | version u8 | kind u8 | reserved u16 | crc u32 | body
//! ```
//!
//! Numbers are little-endian. The length counts the body alone; the checksum
//! (CRC-32) covers everything but itself. The version is the one that both nodes have
//! agreed on in their hellos ([`Versions`]); a hello itself bears 1, now and later. Whatever is wrong with a frame, the
//! stream cannot be trusted any further: close it.
//!
//! The checksum is against rot, not against malice: who may connect, and that a
//! peer does not claim another's name, is the driver's business.

use core::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};

pub use super::hello::{Hello, Versions};
use super::wire::{Reader, Wire};
use super::{Malformed, envelope};
use crate::message::Envelope;

/// The highest version of messages that this build speaks.
pub const VERSION: u8 = Versions::SPOKEN.highest();

/// What a hello bears instead of a version: it is spelled alike in all of them.
const HELLO_VERSION: u8 = 1;

/// Bytes of a frame before its body.
pub const HEADER_BYTES: usize = 12;

/// Bodies from this size on are cut out of the read buffer; smaller ones are
/// copied, so that a short value that lives long does not keep a long buffer.
const CUT_BYTES_MIN: usize = 32 << 10;

const HELLO: u8 = 1;
const MESSAGES: u8 = 2;

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
    /// The peer speaks another version than was agreed on.
    BadVersion {
        /// The version of the frame.
        found: u8,
        /// The one that was agreed on.
        agreed: u8,
    },
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
            FrameError::BadVersion { found, agreed } => {
                write!(f, "a frame of version {found}, where {agreed} is spoken")
            }
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
    put(out, HELLO_VERSION, HELLO, |out| hello.put(out));
}

/// Appends one frame with all of `envelopes` to `out`, in one pass, in the version that was
/// agreed on with its receiver.
///
/// For a frame that several peers get, encode into a buffer of its own and share
/// that.
pub fn put_messages<'a>(
    out: &mut BytesMut,
    version: u8,
    envelopes: impl IntoIterator<Item = &'a Envelope>,
) {
    // Where versions come to differ, here is where they part.
    put(out, version, MESSAGES, |out| envelopes.into_iter().for_each(|e| envelope::encode(e, out)));
}

fn put(out: &mut BytesMut, version: u8, kind: u8, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_bytes(0, HEADER_BYTES);
    body(out);
    let length = out.len() - start - HEADER_BYTES;
    let length = u32::try_from(length).expect("what a node sends at once is far below 4 GiB");
    let frame = &mut out[start..];
    frame[0..4].copy_from_slice(&length.to_le_bytes());
    frame[4] = version;
    frame[5] = kind;
    let crc = checksum(frame);
    frame[8..12].copy_from_slice(&crc.to_le_bytes());
}

/// Takes the first frame out of `buffer`; none while it is not all there. Messages are of
/// the version that was `agreed` on, or an error.
///
/// `body_bytes_max` bounds what a peer can make this node hold: a longer frame is
/// refused as soon as its header is there.
pub fn take(
    buffer: &mut BytesMut,
    body_bytes_max: usize,
    agreed: u8,
) -> Result<Option<Frame>, FrameError> {
    let Some(header) = buffer.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let (bytes, kind) = check_header(header, body_bytes_max, agreed)?;
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
pub fn lacks(buffer: &[u8], body_bytes_max: usize, agreed: u8) -> usize {
    let Some(header) = buffer.first_chunk::<HEADER_BYTES>() else {
        return HEADER_BYTES - buffer.len();
    };
    match check_header(header, body_bytes_max, agreed) {
        Ok((bytes, _)) => (HEADER_BYTES + bytes).saturating_sub(buffer.len()),
        Err(_) => 0,
    }
}

fn check_header(
    header: &[u8; HEADER_BYTES],
    bytes_max: usize,
    agreed: u8,
) -> Result<(usize, u8), FrameError> {
    let [l0, l1, l2, l3, found, kind, reserved @ ..] = *header;
    let agreed = match kind {
        HELLO => HELLO_VERSION,
        MESSAGES => agreed,
        _ => return Err(FrameError::BadKind(kind)),
    };
    if found != agreed {
        return Err(FrameError::BadVersion { found, agreed });
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
    // Whatever stands behind it, a later version has put there.
    Hello::take(&mut reader).map(Frame::Hello).map_err(FrameError::from)
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
mod tests;
