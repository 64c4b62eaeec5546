//! From a client's words to a typed request.
//!
//! Whatever syntax and size alone can refuse is refused here, in the words of
//! Redis, so that nothing reaches the log that every replica would only refuse.

pub(super) mod reads;
pub(super) mod writes;

use bytes::Bytes;

use super::errors::{NOT_AN_INTEGER, STRING_TOO_LONG, error, error_line, wrong_arity};
use super::{Command, Limits, Query, lookup, parse_i64};
use crate::resp::Reply;

/// What a client asks of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Something for the log.
    Write(Command),
    /// Something that one replica can answer.
    Read(Query),
}

/// Reads a command line, its name first; `None` if the machine has no such command.
pub fn parse(words: &[Bytes], limits: &Limits) -> Option<Result<Request, Reply>> {
    let spec = lookup(words.first()?)?;
    if !spec.takes(words.len()) {
        return Some(Err(wrong_arity(spec.name)));
    }
    Some((spec.parse)(words).and_then(|request| request.within(limits)))
}

impl From<Query> for Request {
    fn from(query: Query) -> Self {
        Self::Read(query)
    }
}

impl Request {
    /// The request as a command, for a transaction or for program order.
    pub fn into_command(self) -> Command {
        match self {
            Self::Write(command) => command,
            Self::Read(query) => Command::Read(query),
        }
    }

    fn within(self, limits: &Limits) -> Result<Self, Reply> {
        let mut key_longest = 0;
        let mut value_longest = 0;
        let mut see_key = |key: &Bytes| key_longest = key_longest.max(key.len());
        let (size, pattern) = match &self {
            Self::Write(command) => {
                command.each_key(&mut see_key);
                command.each_value(&mut |value| value_longest = value_longest.max(value.len()));
                (command.encoded_len(), None)
            }
            Self::Read(query) => {
                query.each_key(&mut see_key);
                (query.encoded_len(), query.pattern().map(Bytes::len))
            }
        };
        if key_longest > limits.key_bytes_max {
            return Err(too_long("key", limits.key_bytes_max));
        }
        if value_longest > limits.value_bytes_max {
            return Err(error(STRING_TOO_LONG));
        }
        if pattern.is_some_and(|length| length > limits.pattern_bytes_max) {
            return Err(too_long("pattern", limits.pattern_bytes_max));
        }
        if size > limits.command_bytes_max {
            return Err(too_long("command", limits.command_bytes_max));
        }
        Ok(self)
    }
}

fn too_long(what: &str, bytes: usize) -> Reply {
    error_line(format!("ERR {what} is longer than {bytes} bytes"))
}

fn integer(word: &[u8]) -> Result<i64, Reply> {
    parse_i64(word).ok_or(error(NOT_AN_INTEGER))
}

fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}
