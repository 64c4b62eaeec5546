//! The whole replicated state as a stream of bytes, and back.
//!
//! ```text
//! stream  = head | session* | what the machine's own image is
//! head    = "PXSTATE" | format u8 | next slot u64 | sessions u64
//! session = length u32 | client u64 | sequence u64 | slot u64 | weight u64 | reply
//! ```
//! Integers are little-endian. Equal states give equal streams: sessions come in the
//! order of their last commands. The stream may be cut anywhere.

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use paxos_core::service::{FrozenSessions, Sessions};
use paxos_core::types::{ClientId, Slot};

use super::{Store, reply};
use crate::kv;
use crate::resp::Reply;

/// The state at one moment. Holds no copy of it; the store may go on.
#[derive(Debug)]
pub(crate) struct Frozen {
    next: Slot,
    sessions: FrozenSessions<Reply>,
    machine: kv::Image,
}

impl Frozen {
    pub(super) fn new(next: Slot, sessions: FrozenSessions<Reply>, machine: kv::Image) -> Frozen {
        Frozen { next, sessions, machine }
    }

    /// Tells the stream to `each`, in pieces of about `bytes` each.
    ///
    /// # Errors
    /// Whatever `each` answers ends it.
    pub(crate) fn tell<E>(
        &self,
        bytes: usize,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut piece = Vec::new();
        let sessions = self.sessions.oldest_first();
        piece.put_slice(&MAGIC);
        piece.put_u8(FORMAT);
        piece.put_u64_le(self.next.0);
        piece.put_u64_le(sessions.len() as u64);
        for (client, session) in sessions {
            let start = piece.len();
            piece.put_u32_le(0);
            for word in [client.0, session.sequence, session.slot.0, session.bytes as u64] {
                piece.put_u64_le(word);
            }
            reply::put(&session.reply, &mut piece);
            // The machine's limits keep an answer far below 4 GiB.
            let length = (piece.len() - start - LENGTH_BYTES) as u32;
            piece[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
            if piece.len() >= bytes {
                each(&piece)?;
                piece.clear();
            }
        }
        each(&piece)?;
        self.machine.chunks(bytes).try_for_each(|chunk| each(&chunk))
    }
}

/// Why a stream did not restore a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestoreError {
    /// It holds something that no image holds.
    Malformed,
    /// It ends too early.
    Incomplete,
    /// A later version wrote the sessions, in this format.
    Unsupported(u8),
    /// The machine's part is not what it should be.
    Machine(kv::ImageError),
}

impl RestoreError {
    /// The format, if a later version has written it.
    pub(crate) fn later_format(&self) -> Option<u8> {
        match self {
            RestoreError::Unsupported(format)
            | RestoreError::Machine(kv::ImageError::Unsupported(format)) => Some(*format),
            _ => None,
        }
    }
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RestoreError::Malformed => f.write_str("the sessions are malformed"),
            RestoreError::Incomplete => f.write_str("the sessions end early"),
            RestoreError::Unsupported(format) => {
                write!(f, "the sessions are of a later version ({format})")
            }
            RestoreError::Machine(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RestoreError {}

impl From<reply::Malformed> for RestoreError {
    fn from(_: reply::Malformed) -> RestoreError {
        RestoreError::Malformed
    }
}

/// A state in the making, fed with a stream in pieces of any length.
#[derive(Debug)]
pub(crate) struct Restore {
    /// What has come of a head or a session that is not whole yet.
    rest: BytesMut,
    /// The next slot and how many sessions are still to come, once the head has come.
    head: Option<(Slot, u64)>,
    sessions: Sessions<Reply>,
    machine: kv::Restore,
}

impl Restore {
    /// Begins with nothing.
    pub(crate) fn new(limits: kv::Limits) -> Restore {
        let (rest, sessions) = (BytesMut::new(), Store::no_sessions());
        Restore { rest, head: None, sessions, machine: kv::Restore::new(limits) }
    }

    /// Takes the next piece of the stream.
    ///
    /// # Errors
    /// [`RestoreError`]; then nothing can be made of it any more.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), RestoreError> {
        if let Some((_, 0)) = self.head {
            return self.machine.push(piece).map_err(RestoreError::Machine);
        }
        self.rest.extend_from_slice(piece);
        while self.take_next()? {}
        if let Some((_, 0)) = self.head {
            let rest = std::mem::take(&mut self.rest);
            return self.machine.push(&rest).map_err(RestoreError::Machine);
        }
        Ok(())
    }

    /// Answers the store, once the whole stream has come.
    ///
    /// # Errors
    /// [`RestoreError`].
    pub(crate) fn finish(self) -> Result<Store, RestoreError> {
        let Some((next, 0)) = self.head else { return Err(RestoreError::Incomplete) };
        let machine = self.machine.finish().map_err(RestoreError::Machine)?;
        Ok(Store::resume(machine, self.sessions, next))
    }

    /// Takes the head or a session off the front of what has come; false if neither
    /// is there or to come.
    fn take_next(&mut self) -> Result<bool, RestoreError> {
        let Some((next, missing)) = self.head else {
            if self.rest.len() < HEAD_BYTES {
                return Ok(false);
            }
            let mut head = self.rest.split_to(HEAD_BYTES);
            if head[..MAGIC.len()] != MAGIC {
                return Err(RestoreError::Malformed);
            }
            match head[MAGIC.len()] {
                FORMAT => {}
                later if later > FORMAT => return Err(RestoreError::Unsupported(later)),
                _ => return Err(RestoreError::Malformed),
            }
            head.advance(MAGIC.len() + 1);
            self.head = Some((Slot(head.get_u64_le()), head.get_u64_le()));
            return Ok(true);
        };
        let Some(length) = self.rest.first_chunk::<LENGTH_BYTES>().filter(|_| missing > 0) else {
            return Ok(false);
        };
        let length = u32::from_le_bytes(*length) as usize;
        if !(SESSION_BYTES_MIN..=SESSION_BYTES_MAX).contains(&length) {
            return Err(RestoreError::Malformed);
        }
        if self.rest.len() < LENGTH_BYTES + length {
            return Ok(false);
        }
        self.rest.advance(LENGTH_BYTES);
        let session = self.rest.split_to(length).freeze();
        self.take_session(session)?;
        self.head = Some((next, missing - 1));
        Ok(true)
    }

    fn take_session(&mut self, mut bytes: Bytes) -> Result<(), RestoreError> {
        let (client, sequence) = (ClientId(bytes.get_u64_le()), bytes.get_u64_le());
        let (slot, weight) = (Slot(bytes.get_u64_le()), bytes.get_u64_le());
        let weight = usize::try_from(weight).ok().filter(|weight| *weight <= SESSION_BYTES_MAX);
        let weight = weight.ok_or(RestoreError::Malformed)?;
        let reply = reply::take(&mut bytes)?;
        if !bytes.is_empty() {
            return Err(RestoreError::Malformed);
        }
        self.sessions.remember(client, sequence, slot, (reply, weight));
        Ok(())
    }
}

const MAGIC: [u8; 7] = *b"PXSTATE";
const FORMAT: u8 = 1;
const HEAD_BYTES: usize = MAGIC.len() + 1 + 16;
const LENGTH_BYTES: usize = 4;
/// Four words, and a reply of one byte.
const SESSION_BYTES_MIN: usize = 33;
/// Far above what the machine answers at most.
const SESSION_BYTES_MAX: usize = 512 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::Command;
    use paxos_core::types::{self, Value};

    fn filled(sessions: u64) -> Store {
        let mut store = Store::new(kv::Limits::default());
        for n in 1..=sessions {
            let payload = Command::Add { key: (n % 7).to_string().into(), by: 1 }.encode(n);
            let client = ClientId(if n.is_multiple_of(2) { n } else { 0 });
            let command = types::Command { client, sequence: 1, payload };
            store.apply(Slot(n), &Value::Command(command));
        }
        store
    }

    fn stream(frozen: &Frozen) -> Vec<u8> {
        let mut stream = Vec::new();
        let told: Result<(), ()> = frozen.tell(100, |piece| {
            stream.extend_from_slice(piece);
            Ok(())
        });
        told.expect("memory takes everything");
        stream
    }

    fn restored(stream: &[u8], piece: usize) -> Result<Store, RestoreError> {
        let mut restore = Restore::new(kv::Limits::default());
        stream.chunks(piece).try_for_each(|piece| restore.push(piece))?;
        restore.finish()
    }

    #[test]
    fn what_was_frozen_is_restored_however_it_was_cut() {
        let store = filled(200);
        let bytes = stream(&store.freeze());
        for piece in [1, 23, 24, 25, 64, 1 << 20] {
            let again = restored(&bytes, piece).expect("an image");
            assert_eq!((again.next(), again.service.sessions()), (Slot(201), 100));
            assert_eq!(again.machine().digest(), store.machine().digest());
            assert_eq!(stream(&again.freeze()), bytes, "equal states, equal streams");
        }
    }

    #[test]
    fn a_retry_is_answered_from_an_image_and_takes_no_effect() {
        let mut store = filled(200);
        let mut again = restored(&stream(&store.freeze()), 999).expect("an image");
        let payload = Command::Add { key: "6".into(), by: 1 }.encode(6);
        let retry = types::Command { client: ClientId(6), sequence: 1, payload };
        let value = Value::Command(retry);
        let answer = again.apply(Slot(201), &value);
        assert_eq!(answer, Some(Reply::Integer(1)), "as it was answered at first");
        assert_eq!(answer, store.apply(Slot(201), &value));
    }

    #[test]
    fn what_comes_later_is_not_in_the_image() {
        let mut store = filled(10);
        let (frozen, before) = (store.freeze(), stream(&store.freeze()));
        let payload = Command::Clear.encode(1);
        let command = types::Command { client: ClientId(10), sequence: 2, payload };
        store.apply(Slot(11), &Value::Command(command));
        assert_eq!(stream(&frozen), before);
        assert_ne!(stream(&store.freeze()), before);
    }

    #[test]
    fn a_stream_that_is_cut_short_or_noise_is_refused() {
        let bytes = stream(&filled(20).freeze());
        for length in 0..bytes.len() {
            assert!(restored(&bytes[..length], 64).is_err(), "cut at {length}");
        }
        assert_eq!(restored(&[0; 999], 64).err(), Some(RestoreError::Malformed));
        let mut huge = bytes.clone();
        huge[HEAD_BYTES..HEAD_BYTES + 4].fill(0xff);
        assert_eq!(restored(&huge, 64).err(), Some(RestoreError::Malformed));
    }
}
