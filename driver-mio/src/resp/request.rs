//! What a client asks: bytes in, requests out.
//!
//! A request is an array of bulk strings, or one line of words. Only whole
//! requests leave the read buffer; of one that is still coming, the decoder
//! keeps where its arguments stand, and looks at no byte twice.
//!
//! Invariants: nothing is allocated for a length before its bytes are here; the
//! requests and the error do not depend on how the stream was cut into reads;
//! after an error nothing is read any more.

use std::fmt;
use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};
use smallvec::SmallVec;

use super::wire::{Line, find_line};
use super::{Reply, RespLimits, parse_integer, split_words};

/// A command and its arguments, never empty: slices of the read buffer.
///
/// A slice keeps its whole block of the read buffer alive. Whoever stores one
/// for long copies it first.
pub type Argv = SmallVec<[Bytes; 4]>;

/// Cuts requests out of the bytes of one connection.
///
/// ```
/// use bytes::BytesMut;
/// use driver_mio::resp::{RequestDecoder, RespLimits};
///
/// let mut decoder = RequestDecoder::new(RespLimits::default());
/// let mut buffer = BytesMut::from("*2\r\n$3\r\nGET\r\n$1\r\n");
/// assert_eq!(decoder.decode(&mut buffer), Ok(None));
///
/// buffer.extend_from_slice(b"k\r\nPING\r\n");
/// let get = decoder.decode(&mut buffer)?.expect("the first is whole");
/// let ping = decoder.decode(&mut buffer)?.expect("so is the second");
/// assert_eq!((&get[..], &ping[..]), (&["GET", "k"].map(Into::into)[..], &["PING".into()][..]));
/// # Ok::<(), driver_mio::resp::ProtocolError>(())
/// ```
#[derive(Debug)]
pub struct RequestDecoder {
    limits: RespLimits,
    phase: Phase,
    /// Bytes of the coming request that are understood.
    at: usize,
    /// Everything from `at` up to here is known to hold no newline.
    searched: usize,
    /// Where the arguments stand that are here already, as offsets into the
    /// request. Offsets, because the buffer may move while it grows.
    arguments: SmallVec<[Range<u32>; 4]>,
}

/// What the bytes at `at` begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A request.
    Request,
    /// The length line of an argument; this many arguments are missing.
    Length { missing: u32 },
    /// The payload of an argument; it is the first of the missing ones.
    Payload { missing: u32, bytes: u32 },
    /// Nothing that can be read: the stream is broken.
    Broken(ProtocolError),
}

/// What one look at the buffer came to.
enum Progress {
    /// A whole request.
    Whole(Argv),
    /// A part of one, or an empty one; there may be more.
    Moved,
    /// Nothing: it needs more bytes.
    Starved,
}

impl RequestDecoder {
    /// A decoder at the beginning of a stream.
    pub fn new(limits: RespLimits) -> Self {
        let arguments = SmallVec::new();
        Self { limits, phase: Phase::Request, at: 0, searched: 0, arguments }
    }

    /// Takes the next whole request from the front of `buffer`, or nothing if
    /// its end has not arrived yet.
    ///
    /// Between calls the caller may only append to `buffer`. The empty requests
    /// that Redis ignores (`*0`, a bare newline) are skipped without a word.
    ///
    /// # Errors
    /// The client's fault, always. The caller answers with
    /// [`ProtocolError::reply`] and closes; further calls repeat the error.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Argv>, ProtocolError> {
        loop {
            let progress = match self.phase {
                Phase::Request => self.on_request(buffer),
                Phase::Length { missing } => self.on_length(buffer, missing),
                Phase::Payload { missing, bytes } => self.on_payload(buffer, missing, bytes),
                Phase::Broken(error) => Err(error),
            };
            match progress {
                Ok(Progress::Whole(argv)) => return Ok(Some(argv)),
                Ok(Progress::Moved) => {}
                Ok(Progress::Starved) => return Ok(None),
                Err(error) => {
                    self.phase = Phase::Broken(error);
                    return Err(error);
                }
            }
        }
    }

    fn on_request(&mut self, buffer: &mut BytesMut) -> Result<Progress, ProtocolError> {
        match buffer.first() {
            None => Ok(Progress::Starved),
            Some(b'*') => self.on_count(buffer),
            Some(_) => self.on_inline(buffer),
        }
    }

    fn on_count(&mut self, buffer: &mut BytesMut) -> Result<Progress, ProtocolError> {
        let Some(end) = self.line_end(buffer, ProtocolError::TooBigCount)? else {
            return Ok(Progress::Starved);
        };
        let count = length_line(&buffer[..end])
            .filter(|count| *count <= i64::from(self.limits.arguments_max))
            .ok_or(ProtocolError::InvalidCount)?;
        match u32::try_from(count) {
            Ok(missing @ 1..) => {
                self.move_to(end + 1);
                self.phase = Phase::Length { missing };
            }
            _ => {
                buffer.advance(end + 1);
                self.move_to(0);
            }
        }
        Ok(Progress::Moved)
    }

    fn on_inline(&mut self, buffer: &mut BytesMut) -> Result<Progress, ProtocolError> {
        let Some(end) = self.line_end(buffer, ProtocolError::TooBigInline)? else {
            return Ok(Progress::Starved);
        };
        self.move_to(0);
        let mut line = buffer.split_to(end + 1).freeze();
        line.truncate(line.len() - newline_length(&line));
        let argv = split_words(&line).map_err(|_| ProtocolError::UnbalancedQuotes)?;
        if argv.len() > self.limits.arguments_max as usize {
            return Err(ProtocolError::TooBigInline);
        }
        Ok(if argv.is_empty() { Progress::Moved } else { Progress::Whole(argv) })
    }

    fn on_length(&mut self, buffer: &[u8], missing: u32) -> Result<Progress, ProtocolError> {
        match buffer.get(self.at) {
            None => return Ok(Progress::Starved),
            Some(b'$') => {}
            Some(other) => return Err(ProtocolError::ExpectedDollar(*other)),
        }
        let Some(end) = self.line_end(buffer, ProtocolError::TooBigLength)? else {
            return Ok(Progress::Starved);
        };
        let bytes = length_line(&buffer[self.at..end])
            .and_then(|bytes| u32::try_from(bytes).ok())
            .filter(|bytes| *bytes <= self.limits.bulk_bytes_max)
            .ok_or(ProtocolError::InvalidLength)?;
        let request_bytes = end as u64 + 1 + u64::from(bytes) + CRLF.len() as u64;
        if request_bytes > u64::from(self.limits.request_bytes_max) {
            return Err(ProtocolError::TooBigRequest);
        }
        self.move_to(end + 1);
        self.phase = Phase::Payload { missing, bytes };
        Ok(Progress::Moved)
    }

    fn on_payload(
        &mut self,
        buffer: &mut BytesMut,
        missing: u32,
        bytes: u32,
    ) -> Result<Progress, ProtocolError> {
        let end = self.at + bytes as usize;
        let Some(terminator) = buffer.get(end..end + CRLF.len()) else {
            return Ok(Progress::Starved);
        };
        if terminator != CRLF {
            return Err(ProtocolError::UnterminatedBulk);
        }
        // Both fit: `request_bytes_max` is a `u32`, and `on_length` held against it.
        self.arguments.push(self.at as u32..end as u32);
        self.move_to(end + CRLF.len());
        self.phase = Phase::Length { missing: missing - 1 };
        Ok(if missing == 1 { Progress::Whole(self.cut_request(buffer)) } else { Progress::Moved })
    }

    /// Takes the finished request out of the buffer, and gets ready for the next.
    fn cut_request(&mut self, buffer: &mut BytesMut) -> Argv {
        let request = buffer.split_to(self.at).freeze();
        let arguments = std::mem::take(&mut self.arguments);
        self.phase = Phase::Request;
        self.move_to(0);
        arguments.iter().map(|a| request.slice(a.start as usize..a.end as usize)).collect()
    }

    /// Finds the newline that ends the line at `at`; remembers how far it looked.
    fn line_end(
        &mut self,
        buffer: &[u8],
        too_long: ProtocolError,
    ) -> Result<Option<usize>, ProtocolError> {
        match find_line(buffer, self.at, self.searched, self.limits.inline_bytes_max) {
            Line::EndsAt(end) => Ok(Some(end)),
            Line::TooLong => Err(too_long),
            Line::Searched(searched) => {
                self.searched = searched;
                Ok(None)
            }
        }
    }

    fn move_to(&mut self, at: usize) {
        self.at = at;
        self.searched = at;
    }
}

/// Reads `*3\r` or `$5\r`: a line that ends before its newline.
fn length_line(line: &[u8]) -> Option<i64> {
    parse_integer(line.get(1..)?.strip_suffix(b"\r")?)
}

fn newline_length(line: &[u8]) -> usize {
    if line.ends_with(CRLF) { 2 } else { 1 }
}

/// Why the bytes of a client cannot be read any further; in the words of Redis,
/// where Redis has any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The line that counts the arguments does not end.
    TooBigCount,
    /// The number of arguments is not a number, or above the limit.
    InvalidCount,
    /// The line that says how long an argument is does not end.
    TooBigLength,
    /// The length of an argument is not a number, negative, or above the limit.
    InvalidLength,
    /// An argument does not begin with `$` but with this byte.
    ExpectedDollar(u8),
    /// An argument is longer than it said: its length and its end disagree.
    /// Redis does not look, and would read the next request askew.
    UnterminatedBulk,
    /// All arguments together are above the limit.
    TooBigRequest,
    /// A line of words does not end, or has too many of them.
    TooBigInline,
    /// A line of words has a quote that is not closed where it should be.
    UnbalancedQuotes,
}

impl ProtocolError {
    /// The last thing that the client is told.
    pub fn reply(self) -> Reply {
        Reply::error(format!("ERR Protocol error: {self}"))
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooBigCount => "too big mbulk count string",
            Self::InvalidCount => "invalid multibulk length",
            Self::TooBigLength => "too big bulk count string",
            Self::InvalidLength => "invalid bulk length",
            Self::UnterminatedBulk => "expected CRLF after bulk",
            Self::TooBigRequest => "too big request",
            Self::TooBigInline => "too big inline request",
            Self::UnbalancedQuotes => "unbalanced quotes in request",
            Self::ExpectedDollar(got @ (b' ' | b'!'..=b'~')) => {
                return write!(f, "expected '$', got '{}'", char::from(*got));
            }
            Self::ExpectedDollar(got) => return write!(f, "expected '$', got '\\x{got:02x}'"),
        })
    }
}

impl std::error::Error for ProtocolError {}

const CRLF: &[u8] = b"\r\n";

#[cfg(test)]
mod tests;
