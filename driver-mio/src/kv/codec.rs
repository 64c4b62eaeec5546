//! Commands as payloads of the log.
//!
//! ```text
//! payload = version u8 | stamp u64 | command        integers are little-endian
//! command = kind u8 | fields in the order of the type
//! string  = length u32 | bytes        list = count u32 | items
//! ```
//! Every command has exactly one encoding, and nothing may follow it. Decoding
//! copies no string: keys and values are slices of the payload.

use bytes::Bytes;

use super::wire::{Malformed, Measure, Reader, STRING_BYTES_MIN, Sink};
use super::{Command, Deadline, ExpireIf, Expiry, Presence, Query, Set, SetAnswer, Transaction};

impl Command {
    /// Encodes the command under the proposer's wall clock, in milliseconds
    /// since the Unix epoch. Allocates once.
    pub fn encode(&self, now_ms: u64) -> Bytes {
        let mut payload = Vec::with_capacity(self.encoded_len());
        payload.put_u8(VERSION);
        payload.put_u64(now_ms);
        put_command(&mut payload, self);
        payload.into()
    }

    /// Length of the encoded command, in bytes.
    pub fn encoded_len(&self) -> usize {
        let mut measure = Measure(HEADER_BYTES);
        put_command(&mut measure, self);
        measure.0
    }

    /// The same command in memory of its own, so that keeping it does not pin
    /// the buffer that it was read from.
    #[must_use]
    pub fn detached(self) -> Self {
        Self::decode(&self.encode(0)).map_or(self, |(_, command)| command)
    }

    /// The key of a payload that sets one, if it is as long as it says. Says nothing about the
    /// rest of it.
    pub(super) fn key_to_set(payload: &[u8]) -> Option<&[u8]> {
        let (head, rest) = payload.split_at_checked(HEADER_BYTES)?;
        let [SET, _, _, expiry, rest @ ..] = rest else { return None };
        if head[0] != VERSION || *expiry != NEVER {
            return None;
        }
        let (length, rest) = rest.split_first_chunk()?;
        rest.get(..u32::from_le_bytes(*length) as usize)
    }

    /// Decodes a payload into its stamp and its command.
    ///
    /// # Errors
    /// [`Malformed`] for anything that [`encode`](Self::encode) does not write.
    pub fn decode(payload: &Bytes) -> Result<(u64, Self), Malformed> {
        let mut reader = Reader::new(payload);
        if reader.u8()? != VERSION {
            return Err(Malformed);
        }
        let stamp = reader.u64()?;
        let command = read_command(&mut reader, Nesting::Outer)?;
        reader.end()?;
        Ok((stamp, command))
    }
}

fn put_command(sink: &mut impl Sink, command: &Command) {
    match command {
        Command::Set(set) => {
            sink.put_u8(SET);
            put_set(sink, set);
        }
        Command::SetMany { pairs, only_if_absent } => {
            sink.put_u8(SET_MANY);
            sink.put_u8(u8::from(*only_if_absent));
            sink.put_count(pairs.len());
            for (key, value) in pairs {
                sink.put_string(key);
                sink.put_string(value);
            }
        }
        Command::GetDel { key } => put_keyed(sink, GET_DEL, key),
        Command::GetExpire { key, expiry } => {
            put_keyed(sink, GET_EXPIRE, key);
            put_expiry(sink, *expiry);
        }
        Command::Remove { keys } => {
            sink.put_u8(REMOVE);
            sink.put_count(keys.len());
            keys.iter().for_each(|key| sink.put_string(key));
        }
        Command::Append { key, value } => {
            put_keyed(sink, APPEND, key);
            sink.put_string(value);
        }
        Command::SetRange { key, offset, value } => {
            put_keyed(sink, SET_RANGE, key);
            sink.put_u64(*offset);
            sink.put_string(value);
        }
        Command::Add { key, by } => {
            put_keyed(sink, ADD, key);
            sink.put_i64(*by);
        }
        Command::Expire { key, deadline, only_if } => {
            put_keyed(sink, EXPIRE, key);
            put_deadline(sink, *deadline);
            sink.put_u8(*only_if as u8);
        }
        Command::Persist { key } => put_keyed(sink, PERSIST, key),
        Command::Clear => sink.put_u8(CLEAR),
        Command::Advance => sink.put_u8(ADVANCE),
        Command::Read(query) => {
            sink.put_u8(READ);
            query.put(sink);
        }
        Command::Exec(transaction) => {
            sink.put_u8(EXEC);
            put_transaction(sink, transaction);
        }
    }
}

fn put_keyed(sink: &mut impl Sink, kind: u8, key: &[u8]) {
    sink.put_u8(kind);
    sink.put_string(key);
}

fn put_set(sink: &mut impl Sink, set: &Set) {
    sink.put_u8(set.only_if as u8);
    sink.put_u8(set.answer as u8);
    put_expiry(sink, set.expiry);
    sink.put_string(&set.key);
    sink.put_string(&set.value);
}

fn put_expiry(sink: &mut impl Sink, expiry: Expiry) {
    match expiry {
        Expiry::Never => sink.put_u8(NEVER),
        Expiry::Keep => sink.put_u8(KEEP),
        Expiry::At(deadline) => put_deadline(sink, deadline),
    }
}

fn put_deadline(sink: &mut impl Sink, deadline: Deadline) {
    let (kind, millis) = match deadline {
        Deadline::In(millis) => (IN, millis),
        Deadline::At(millis) => (AT, millis),
    };
    sink.put_u8(kind);
    sink.put_i64(millis);
}

fn put_transaction(sink: &mut impl Sink, transaction: &Transaction) {
    sink.put_count(transaction.watched.len());
    for (key, version) in &transaction.watched {
        sink.put_string(key);
        sink.put_u64(*version);
    }
    sink.put_count(transaction.commands.len());
    for command in &transaction.commands {
        debug_assert!(!matches!(command, Command::Exec(_)), "a transaction holds no other");
        put_command(sink, command);
    }
}

/// Whether a command stands for itself or in a transaction.
#[derive(Clone, Copy, PartialEq)]
enum Nesting {
    Outer,
    Inner,
}

fn read_command(reader: &mut Reader<'_>, nesting: Nesting) -> Result<Command, Malformed> {
    Ok(match reader.u8()? {
        SET => Command::Set(read_set(reader)?),
        SET_MANY => {
            let only_if_absent = reader.bool()?;
            let pair = |reader: &mut Reader<'_>| Ok((reader.string()?, reader.string()?));
            Command::SetMany { only_if_absent, pairs: reader.list(2 * STRING_BYTES_MIN, pair)? }
        }
        GET_DEL => Command::GetDel { key: reader.string()? },
        GET_EXPIRE => Command::GetExpire { key: reader.string()?, expiry: read_expiry(reader)? },
        REMOVE => Command::Remove { keys: reader.list(STRING_BYTES_MIN, Reader::string)? },
        APPEND => Command::Append { key: reader.string()?, value: reader.string()? },
        SET_RANGE => {
            let (key, offset) = (reader.string()?, reader.u64()?);
            Command::SetRange { key, offset, value: reader.string()? }
        }
        ADD => Command::Add { key: reader.string()?, by: reader.i64()? },
        EXPIRE => {
            let (key, kind) = (reader.string()?, reader.u8()?);
            let deadline = read_deadline(reader, kind)?;
            Command::Expire { key, deadline, only_if: read_expire_if(reader)? }
        }
        PERSIST => Command::Persist { key: reader.string()? },
        CLEAR => Command::Clear,
        READ => Command::Read(Query::read(reader)?),
        ADVANCE if nesting == Nesting::Outer => Command::Advance,
        EXEC if nesting == Nesting::Outer => Command::Exec(read_transaction(reader)?),
        _ => return Err(Malformed),
    })
}

fn read_set(reader: &mut Reader<'_>) -> Result<Set, Malformed> {
    let only_if = match reader.u8()? {
        0 => Presence::Any,
        1 => Presence::Absent,
        2 => Presence::Present,
        _ => return Err(Malformed),
    };
    let answer = match reader.u8()? {
        0 => SetAnswer::Ok,
        1 => SetAnswer::Old,
        2 => SetAnswer::Count,
        _ => return Err(Malformed),
    };
    let expiry = read_expiry(reader)?;
    Ok(Set { only_if, answer, expiry, key: reader.string()?, value: reader.string()? })
}

fn read_expiry(reader: &mut Reader<'_>) -> Result<Expiry, Malformed> {
    match reader.u8()? {
        NEVER => Ok(Expiry::Never),
        KEEP => Ok(Expiry::Keep),
        kind => read_deadline(reader, kind).map(Expiry::At),
    }
}

fn read_deadline(reader: &mut Reader<'_>, kind: u8) -> Result<Deadline, Malformed> {
    match kind {
        IN => reader.i64().map(Deadline::In),
        AT => reader.i64().map(Deadline::At),
        _ => Err(Malformed),
    }
}

fn read_expire_if(reader: &mut Reader<'_>) -> Result<ExpireIf, Malformed> {
    Ok(match reader.u8()? {
        0 => ExpireIf::Always,
        1 => ExpireIf::Unset,
        2 => ExpireIf::Set,
        3 => ExpireIf::Later,
        4 => ExpireIf::Earlier,
        5 => ExpireIf::SetAndEarlier,
        _ => return Err(Malformed),
    })
}

fn read_transaction(reader: &mut Reader<'_>) -> Result<Transaction, Malformed> {
    let pair = |reader: &mut Reader<'_>| Ok((reader.string()?, reader.u64()?));
    let watched = reader.list(STRING_BYTES_MIN + 8, pair)?;
    let commands = reader.list(1, |reader| read_command(reader, Nesting::Inner))?;
    Ok(Transaction { watched, commands })
}

/// First byte of a payload. Another layout takes another number.
const VERSION: u8 = 1;
/// Version and stamp.
const HEADER_BYTES: usize = 9;

const SET: u8 = 1;
const SET_MANY: u8 = 2;
const GET_DEL: u8 = 3;
const GET_EXPIRE: u8 = 4;
const REMOVE: u8 = 5;
const APPEND: u8 = 6;
const SET_RANGE: u8 = 7;
const ADD: u8 = 8;
const EXPIRE: u8 = 9;
const PERSIST: u8 = 10;
const CLEAR: u8 = 11;
const ADVANCE: u8 = 12;
const READ: u8 = 13;
const EXEC: u8 = 14;

const NEVER: u8 = 0;
const KEEP: u8 = 1;
const IN: u8 = 2;
const AT: u8 = 3;
