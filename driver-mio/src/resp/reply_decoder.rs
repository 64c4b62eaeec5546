//! What a server answers: bytes in, replies out; RESP2 and RESP3.
//!
//! Values leave the read buffer one by one, as soon as they are whole; what is
//! still open (arrays, maps, ..) waits on a stack, so no call recurses.
//!
//! Invariants: nothing is allocated for a length before its values are here; the
//! replies and the error do not depend on how the stream was cut into reads;
//! after an error nothing is read any more.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};

use super::wire::{Line, find_line};
use super::{Reply, ReplyLimits, parse_integer};

/// Cuts replies out of the bytes of one connection to a server.
///
/// Attributes (`|`) are read and dropped. The streamed strings and aggregates of
/// RESP3 (`$?`, `*?`) are refused; no server is known to send them.
#[derive(Debug)]
pub struct ReplyDecoder {
    limits: ReplyLimits,
    /// Everything before this index of the buffer is known to hold no newline.
    searched: usize,
    /// The payload that is being read, if its length line has been taken.
    blob: Option<Blob>,
    /// Aggregates that wait for values, outermost first.
    open: Vec<Open>,
    /// Values of the coming reply that are here already.
    values: u32,
    broken: Option<ReplyError>,
}

/// A payload that was announced: its mark (`$`, `!` or `=`) and its bytes.
#[derive(Clone, Copy, Debug)]
struct Blob {
    mark: u8,
    bytes: u32,
}

/// An aggregate that was announced, and what has arrived of it.
#[derive(Debug)]
struct Open {
    mark: u8,
    /// Values still to come, never zero; keys and values of a map both count.
    missing: u64,
    items: Vec<Reply>,
}

impl ReplyDecoder {
    /// A decoder at the beginning of a stream.
    pub fn new(limits: ReplyLimits) -> Self {
        Self { limits, searched: 0, blob: None, open: Vec::new(), values: 0, broken: None }
    }

    /// Takes the next whole reply from the front of `buffer`, or takes what is
    /// there of it and returns nothing.
    ///
    /// Between calls the caller may only append to `buffer`.
    ///
    /// # Errors
    /// The server's fault, or an answer above the limits. The caller closes;
    /// further calls repeat the error.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Reply>, ReplyError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let reply = self.next_reply(buffer);
        self.broken = reply.as_ref().err().copied();
        reply
    }

    fn next_reply(&mut self, buffer: &mut BytesMut) -> Result<Option<Reply>, ReplyError> {
        loop {
            let value = match self.blob {
                Some(blob) => self.on_blob(buffer, blob)?,
                None => match self.take_line(buffer)? {
                    Some((mark, text)) => self.on_line(mark, text)?,
                    None => return Ok(None),
                },
            };
            match value {
                Value::Whole(reply) => {
                    if let Some(reply) = self.close(reply)? {
                        self.values = 0;
                        return Ok(Some(reply));
                    }
                }
                Value::Nothing => {}
                Value::Starved => return Ok(None),
            }
        }
    }

    /// Takes a whole line; returns its mark and what follows it.
    fn take_line(&mut self, buffer: &mut BytesMut) -> Result<Option<(u8, Bytes)>, ReplyError> {
        match find_line(buffer, 0, self.searched, self.limits.line_bytes_max) {
            Line::TooLong => Err(ReplyError::TooLongLine),
            Line::Searched(searched) => {
                self.searched = searched;
                Ok(None)
            }
            Line::EndsAt(end) => {
                self.searched = 0;
                let Some(text) = buffer[..end].strip_suffix(b"\r") else {
                    return Err(ReplyError::BareNewline);
                };
                let mark = *text.first().ok_or(ReplyError::UnknownMark(b'\r'))?;
                let mut line = buffer.split_to(end + 1).freeze();
                line.truncate(end - 1);
                line.advance(1);
                Ok(Some((mark, line)))
            }
        }
    }

    fn on_line(&mut self, mark: u8, text: Bytes) -> Result<Value, ReplyError> {
        let reply = match mark {
            b'+' => Reply::Simple(text),
            b'-' => Reply::Error(text),
            b':' => Reply::Integer(parse_integer(&text).ok_or(ReplyError::BadNumber)?),
            b',' => Reply::Double(is_double(&text).then_some(text).ok_or(ReplyError::BadNumber)?),
            b'(' => Reply::BigNumber(is_big(&text).then_some(text).ok_or(ReplyError::BadNumber)?),
            b'#' => Reply::Boolean(boolean(&text).ok_or(ReplyError::BadBoolean)?),
            b'_' if text.is_empty() => Reply::Null,
            b'$' if &text[..] == b"-1" => Reply::Null,
            b'*' if &text[..] == b"-1" => Reply::NullArray,
            b'$' | b'!' | b'=' => return self.open_blob(mark, &text),
            b'*' | b'~' | b'>' | b'%' | b'|' => return self.open_aggregate(mark, &text),
            other => return Err(ReplyError::UnknownMark(other)),
        };
        Ok(Value::Whole(reply))
    }

    fn open_blob(&mut self, mark: u8, text: &[u8]) -> Result<Value, ReplyError> {
        let bytes = parse_integer(text)
            .and_then(|bytes| u32::try_from(bytes).ok())
            .filter(|bytes| *bytes <= self.limits.bulk_bytes_max)
            .ok_or(ReplyError::BadLength)?;
        self.blob = Some(Blob { mark, bytes });
        Ok(Value::Nothing)
    }

    fn on_blob(&mut self, buffer: &mut BytesMut, blob: Blob) -> Result<Value, ReplyError> {
        let end = blob.bytes as usize;
        let Some(terminator) = buffer.get(end..end + 2) else {
            return Ok(Value::Starved);
        };
        if terminator != b"\r\n" {
            return Err(ReplyError::UnterminatedBlob);
        }
        let text = buffer.split_to(end).freeze();
        buffer.advance(2);
        self.blob = None;
        Ok(Value::Whole(match blob.mark {
            b'!' => Reply::Error(text),
            b'=' => verbatim(text).ok_or(ReplyError::BadVerbatim)?,
            _ => Reply::Bulk(text),
        }))
    }

    fn open_aggregate(&mut self, mark: u8, text: &[u8]) -> Result<Value, ReplyError> {
        let count = parse_integer(text).and_then(|count| u32::try_from(count).ok());
        let count = u64::from(count.ok_or(ReplyError::BadLength)?);
        let missing = if is_paired(mark) { 2 * count } else { count };
        if u64::from(self.values) + missing > u64::from(self.limits.values_max) {
            return Err(ReplyError::TooManyValues);
        }
        if missing == 0 {
            return Ok(aggregate(mark, Vec::new()).map_or(Value::Nothing, Value::Whole));
        }
        if self.open.len() >= self.limits.depth_max as usize {
            return Err(ReplyError::TooDeep);
        }
        self.open.push(Open { mark, missing, items: Vec::new() });
        Ok(Value::Nothing)
    }

    /// Puts a value where it belongs, and closes what becomes full by it.
    /// Returns the value that belongs nowhere else: the reply.
    fn close(&mut self, mut value: Reply) -> Result<Option<Reply>, ReplyError> {
        loop {
            if self.values >= self.limits.values_max {
                return Err(ReplyError::TooManyValues);
            }
            self.values += 1;
            let Some(innermost) = self.open.last_mut() else {
                return Ok(Some(value));
            };
            innermost.items.push(value);
            innermost.missing -= 1;
            if innermost.missing > 0 {
                return Ok(None);
            }
            let full = self.open.pop().expect("it was there a line ago");
            match aggregate(full.mark, full.items) {
                Some(whole) => value = whole,
                None => return Ok(None),
            }
        }
    }
}

/// What a part of the buffer came to.
enum Value {
    /// A whole value.
    Whole(Reply),
    /// The beginning of one, or something to drop.
    Nothing,
    /// It needs more bytes.
    Starved,
}

/// Makes an aggregate of its values; an attribute makes nothing.
fn aggregate(mark: u8, items: Vec<Reply>) -> Option<Reply> {
    match mark {
        b'~' => Some(Reply::Set(items)),
        b'>' => Some(Reply::Push(items)),
        b'%' => Some(Reply::Map(pairs(items))),
        b'|' => None,
        _ => Some(Reply::Array(items)),
    }
}

fn pairs(items: Vec<Reply>) -> Vec<(Reply, Reply)> {
    let mut items = items.into_iter();
    std::iter::from_fn(|| Some((items.next()?, items.next()?))).collect()
}

fn is_paired(mark: u8) -> bool {
    matches!(mark, b'%' | b'|')
}

fn is_double(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok())
}

fn is_big(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"t" => Some(true),
        b"f" => Some(false),
        _ => None,
    }
}

fn verbatim(mut text: Bytes) -> Option<Reply> {
    let [a, b, c, b':', ..] = text[..] else { return None };
    text.advance(4);
    Some(Reply::Verbatim([a, b, c], text))
}

/// Why the bytes of a server cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyError {
    /// A reply begins with this byte, which means nothing.
    UnknownMark(u8),
    /// A line ends without a carriage return.
    BareNewline,
    /// A line is above the limit.
    TooLongLine,
    /// A number is none.
    BadNumber,
    /// A boolean is neither `t` nor `f`.
    BadBoolean,
    /// A length is not a number, negative, or above the limit.
    BadLength,
    /// A string is longer than it said.
    UnterminatedBlob,
    /// A verbatim string does not begin with three letters and a colon.
    BadVerbatim,
    /// The reply has, or claims, more values than the limit.
    TooManyValues,
    /// Aggregates inside of one another, beyond the limit.
    TooDeep,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownMark(mark) => {
                return write!(f, "not a reply: it begins with '{}'", mark.escape_ascii());
            }
            Self::BareNewline => "a line of the reply ends without a carriage return",
            Self::TooLongLine => "a line of the reply is too long",
            Self::BadNumber => "a number of the reply is none",
            Self::BadBoolean => "a boolean of the reply is neither t nor f",
            Self::BadLength => "a length of the reply is no number or too big",
            Self::UnterminatedBlob => "a string of the reply is longer than it said",
            Self::BadVerbatim => "a verbatim string of the reply does not name its format",
            Self::TooManyValues => "the reply has too many values",
            Self::TooDeep => "the reply is nested too deeply",
        })
    }
}

impl std::error::Error for ReplyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_both_protocols_is_read() {
        let text = |text: &'static str| Bytes::from(text);
        for (wire, reply) in [
            ("+OK\r\n", Reply::Simple(text("OK"))),
            ("-ERR no\r\n", Reply::error("ERR no")),
            (":-7\r\n", Reply::Integer(-7)),
            ("$4\r\na\r\nb\r\n", Reply::bulk("a\r\nb")),
            ("$-1\r\n", Reply::Null),
            ("*-1\r\n", Reply::NullArray),
            ("_\r\n", Reply::Null),
            ("#t\r\n", Reply::Boolean(true)),
            (",-1.5e3\r\n", Reply::Double(text("-1.5e3"))),
            (",inf\r\n", Reply::Double(text("inf"))),
            ("(-123456789012345678901\r\n", Reply::BigNumber(text("-123456789012345678901"))),
            ("!6\r\nERR no\r\n", Reply::error("ERR no")),
            ("=5\r\nmkd:x\r\n", Reply::Verbatim(*b"mkd", text("x"))),
            ("*2\r\n*0\r\n:1\r\n", Reply::Array(vec![Reply::Array(vec![]), Reply::Integer(1)])),
            ("~1\r\n:1\r\n", Reply::Set(vec![Reply::Integer(1)])),
            (">1\r\n:1\r\n", Reply::Push(vec![Reply::Integer(1)])),
            ("%1\r\n:1\r\n_\r\n", Reply::Map(vec![(Reply::Integer(1), Reply::Null)])),
            ("|1\r\n+ttl\r\n:3\r\n:1\r\n", Reply::Integer(1)),
            ("*1\r\n|1\r\n+ttl\r\n:3\r\n:1\r\n", Reply::Array(vec![Reply::Integer(1)])),
        ] {
            assert_eq!(read_all(wire), Ok(vec![reply]), "{wire:?}");
        }
    }

    #[test]
    fn replies_in_one_buffer_come_out_in_order() {
        let wire = "+a\r\n:1\r\n$-1\r\n";
        let replies = vec![Reply::Simple("a".into()), Reply::Integer(1), Reply::Null];
        assert_eq!(read_all(wire), Ok(replies));
    }

    #[test]
    fn faults_are_named() {
        for (wire, error) in [
            ("?\r\n", ReplyError::UnknownMark(b'?')),
            ("\r\n", ReplyError::UnknownMark(b'\r')),
            ("+OK\n", ReplyError::BareNewline),
            (":1x\r\n", ReplyError::BadNumber),
            (",1x\r\n", ReplyError::BadNumber),
            ("(1x\r\n", ReplyError::BadNumber),
            ("#x\r\n", ReplyError::BadBoolean),
            ("_x\r\n", ReplyError::UnknownMark(b'_')),
            ("$-2\r\n", ReplyError::BadLength),
            ("$?\r\n", ReplyError::BadLength),
            ("*99999999999\r\n", ReplyError::BadLength),
            ("$1\r\nxyz", ReplyError::UnterminatedBlob),
            ("=2\r\nxx\r\n", ReplyError::BadVerbatim),
            ("*4294967295\r\n", ReplyError::TooManyValues),
        ] {
            assert_eq!(read_all(wire), Err(error), "{wire:?}");
        }
    }

    #[test]
    fn nesting_and_number_of_values_are_bounded() {
        let limits = ReplyLimits { depth_max: 2, values_max: 4, ..ReplyLimits::default() };
        for (wire, expected) in [
            ("*1\r\n*1\r\n:1\r\n", Ok(true)),
            ("*1\r\n*1\r\n*1\r\n", Err(ReplyError::TooDeep)),
            ("*1\r\n*1\r\n*0\r\n", Ok(true)),
            ("*3\r\n:1\r\n:1\r\n:1\r\n", Ok(true)),
            ("*3\r\n:1\r\n:1\r\n*1\r\n:1\r\n", Err(ReplyError::TooManyValues)),
            ("*5\r\n", Err(ReplyError::TooManyValues)),
            ("%3\r\n", Err(ReplyError::TooManyValues)),
        ] {
            let reply = ReplyDecoder::new(limits).decode(&mut BytesMut::from(wire));
            assert_eq!(reply.map(|reply| reply.is_some()), expected, "{wire:?}");
        }
    }

    #[test]
    fn an_error_is_final() {
        let mut decoder = ReplyDecoder::new(ReplyLimits::default());
        let error = decoder.decode(&mut BytesMut::from("?\r\n")).expect_err("no such mark");
        assert_eq!(decoder.decode(&mut BytesMut::from("+OK\r\n")), Err(error));
    }

    fn read_all(wire: &str) -> Result<Vec<Reply>, ReplyError> {
        let mut buffer = BytesMut::from(wire);
        let mut decoder = ReplyDecoder::new(ReplyLimits::default());
        std::iter::from_fn(|| decoder.decode(&mut buffer).transpose()).collect()
    }
}
