//! What must hold for any bytes. For fuzzers: a target is one call, and a failure
//! is a panic.
//!
//! Everything here is for testing; nothing in the crate uses it.

use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::frame::{self, Frame};
use super::{envelope as codec, wire};

pub use super::wal::harness::{wal_crash, wal_scan};

/// Any bytes are an envelope in its only spelling, or refused.
pub fn envelope(data: &[u8]) {
    let Ok(envelope) = codec::decode(&Bytes::copy_from_slice(data)) else { return };
    let mut again = Vec::new();
    codec::encode(&envelope, &mut again);
    assert_eq!(again, data, "two spellings of one envelope");
    // The tag and the group stand first; nothing but lists is longer than this.
    assert!(again.len() >= 3, "an envelope without a sender");
}

/// A stream says the same whether it arrives whole or in pieces: the first byte
/// says how long the pieces are.
pub fn frames(data: &[u8]) {
    let Some((piece, stream)) = data.split_first() else { return };
    let whole = read(stream, stream.len().max(1));
    let pieces = read(stream, usize::from(*piece).max(1));
    assert_eq!(whole, pieces, "pieces change what a stream says");
}

/// What a stream says until it ends or breaks; and whether it broke.
fn read(stream: &[u8], piece: usize) -> (Vec<Frame>, bool) {
    let mut frames = Vec::new();
    let mut buffer = BytesMut::new();
    for piece in stream.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            match frame::take(&mut buffer, wire::LIST_MAX, frame::VERSION) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, true),
            }
        }
    }
    for frame in &frames {
        if let Frame::Messages(messages) = frame {
            let envelopes = messages.clone().take_while(Result::is_ok).count();
            assert!(envelopes <= wire::LIST_MAX, "more envelopes than bytes");
        }
    }
    (frames, false)
}
