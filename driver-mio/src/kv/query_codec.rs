//! Queries as parts of a payload; see [`codec`](super::codec) for the words.

use super::wire::{Malformed, Measure, Reader, STRING_BYTES_MIN, Sink};
use super::{Constant, Query, Scan, TtlForm};

impl Query {
    /// Length of the encoded query, in bytes.
    pub fn encoded_len(&self) -> usize {
        let mut measure = Measure::default();
        self.put(&mut measure);
        measure.0
    }

    pub(super) fn put(&self, sink: &mut impl Sink) {
        match self {
            Self::Get { key } => put_keyed(sink, GET, key),
            Self::GetMany { keys } => put_keys(sink, GET_MANY, keys),
            Self::GetRange { key, start, end } => {
                put_keyed(sink, GET_RANGE, key);
                sink.put_i64(*start);
                sink.put_i64(*end);
            }
            Self::Exists { keys } => put_keys(sink, EXISTS, keys),
            Self::Type { key } => put_keyed(sink, TYPE, key),
            Self::Length { key } => put_keyed(sink, LENGTH, key),
            Self::Ttl { key, form } => {
                put_keyed(sink, TTL, key);
                sink.put_u8(*form as u8);
            }
            Self::Keys { pattern } => put_keyed(sink, KEYS, pattern),
            Self::Scan(scan) => {
                sink.put_u8(SCAN);
                put_scan(sink, scan);
            }
            Self::Count => sink.put_u8(COUNT),
            Self::Versions { keys } => put_keys(sink, VERSIONS, keys),
            Self::Constant(Constant::Ok) => sink.put_u8(OK),
            Self::Constant(Constant::Pong) => sink.put_u8(PONG),
            Self::Constant(Constant::Text(text)) => put_keyed(sink, TEXT, text),
            Self::Constant(Constant::Refusal(line)) => put_keyed(sink, REFUSAL, line),
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match reader.u8()? {
            GET => Self::Get { key: reader.string()? },
            GET_MANY => Self::GetMany { keys: reader.list(STRING_BYTES_MIN, Reader::string)? },
            GET_RANGE => {
                Self::GetRange { key: reader.string()?, start: reader.i64()?, end: reader.i64()? }
            }
            EXISTS => Self::Exists { keys: reader.list(STRING_BYTES_MIN, Reader::string)? },
            TYPE => Self::Type { key: reader.string()? },
            LENGTH => Self::Length { key: reader.string()? },
            TTL => Self::Ttl { key: reader.string()?, form: read_form(reader)? },
            KEYS => Self::Keys { pattern: reader.string()? },
            SCAN => Self::Scan(read_scan(reader)?),
            COUNT => Self::Count,
            VERSIONS => Self::Versions { keys: reader.list(STRING_BYTES_MIN, Reader::string)? },
            OK => Self::Constant(Constant::Ok),
            PONG => Self::Constant(Constant::Pong),
            TEXT => Self::Constant(Constant::Text(reader.string()?)),
            REFUSAL => Self::Constant(Constant::Refusal(reader.string()?)),
            _ => return Err(Malformed),
        })
    }
}

fn put_keyed(sink: &mut impl Sink, kind: u8, key: &[u8]) {
    sink.put_u8(kind);
    sink.put_string(key);
}

fn put_keys(sink: &mut impl Sink, kind: u8, keys: &[bytes::Bytes]) {
    sink.put_u8(kind);
    sink.put_count(keys.len());
    keys.iter().for_each(|key| sink.put_string(key));
}

fn put_scan(sink: &mut impl Sink, scan: &Scan) {
    sink.put_u64(scan.cursor);
    sink.put_u64(scan.count);
    sink.put_u8(u8::from(scan.strings));
    sink.put_u8(u8::from(scan.pattern.is_some()));
    if let Some(pattern) = &scan.pattern {
        sink.put_string(pattern);
    }
}

fn read_scan(reader: &mut Reader<'_>) -> Result<Scan, Malformed> {
    let (cursor, count, strings) = (reader.u64()?, reader.u64()?, reader.bool()?);
    let pattern = if reader.bool()? { Some(reader.string()?) } else { None };
    Ok(Scan { cursor, pattern, count, strings })
}

fn read_form(reader: &mut Reader<'_>) -> Result<TtlForm, Malformed> {
    Ok(match reader.u8()? {
        0 => TtlForm::Seconds,
        1 => TtlForm::Millis,
        2 => TtlForm::SecondsAt,
        3 => TtlForm::MillisAt,
        _ => return Err(Malformed),
    })
}

const GET: u8 = 1;
const GET_MANY: u8 = 2;
const GET_RANGE: u8 = 3;
const EXISTS: u8 = 4;
const TYPE: u8 = 5;
const LENGTH: u8 = 6;
const TTL: u8 = 7;
const KEYS: u8 = 8;
const SCAN: u8 = 9;
const COUNT: u8 = 10;
const VERSIONS: u8 = 11;
const OK: u8 = 12;
const PONG: u8 = 13;
const TEXT: u8 = 14;
const REFUSAL: u8 = 15;
