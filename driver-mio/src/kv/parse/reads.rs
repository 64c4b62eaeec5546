//! Command lines that read.

use bytes::Bytes;

use super::{Request, integer, is};
use crate::kv::errors::{INVALID_CURSOR, SYNTAX, error};
use crate::kv::{Query, Scan, TtlForm};
use crate::resp::Reply;

type Parsed = Result<Request, Reply>;

pub(in crate::kv) fn get(words: &[Bytes]) -> Parsed {
    read(Query::Get { key: words[1].clone() })
}

pub(in crate::kv) fn mget(words: &[Bytes]) -> Parsed {
    read(Query::GetMany { keys: words[1..].to_vec() })
}

pub(in crate::kv) fn getrange(words: &[Bytes]) -> Parsed {
    let (start, end) = (integer(&words[2])?, integer(&words[3])?);
    read(Query::GetRange { key: words[1].clone(), start, end })
}

pub(in crate::kv) fn exists(words: &[Bytes]) -> Parsed {
    read(Query::Exists { keys: words[1..].to_vec() })
}

pub(in crate::kv) fn kind(words: &[Bytes]) -> Parsed {
    read(Query::Type { key: words[1].clone() })
}

pub(in crate::kv) fn strlen(words: &[Bytes]) -> Parsed {
    read(Query::Length { key: words[1].clone() })
}

pub(in crate::kv) fn ttl(words: &[Bytes]) -> Parsed {
    read(Query::Ttl { key: words[1].clone(), form: TtlForm::Seconds })
}

pub(in crate::kv) fn pttl(words: &[Bytes]) -> Parsed {
    read(Query::Ttl { key: words[1].clone(), form: TtlForm::Millis })
}

pub(in crate::kv) fn expiretime(words: &[Bytes]) -> Parsed {
    read(Query::Ttl { key: words[1].clone(), form: TtlForm::SecondsAt })
}

pub(in crate::kv) fn pexpiretime(words: &[Bytes]) -> Parsed {
    read(Query::Ttl { key: words[1].clone(), form: TtlForm::MillisAt })
}

pub(in crate::kv) fn keys(words: &[Bytes]) -> Parsed {
    read(Query::Keys { pattern: words[1].clone() })
}

pub(in crate::kv) fn dbsize(_: &[Bytes]) -> Parsed {
    read(Query::Count)
}

pub(in crate::kv) fn scan(words: &[Bytes]) -> Parsed {
    let cursor = cursor(&words[1]).ok_or(error(INVALID_CURSOR))?;
    let mut scan = Scan { cursor, pattern: None, count: COUNT_DEFAULT, strings: true };
    let mut options = words[2..].chunks_exact(2);
    for option in &mut options {
        let (name, value) = (&option[0], &option[1]);
        if is(name, "count") {
            scan.count = u64::try_from(integer(value)?).map_err(|_| error(SYNTAX))?;
            if scan.count == 0 {
                return Err(error(SYNTAX));
            }
        } else if is(name, "match") {
            scan.pattern = Some(value.clone());
        } else if is(name, "type") {
            scan.strings = is(value, "string");
        } else {
            return Err(error(SYNTAX));
        }
    }
    if !options.remainder().is_empty() {
        return Err(error(SYNTAX));
    }
    read(Query::Scan(scan))
}

/// Reads a cursor; leading zeros are harmless, as in Redis.
fn cursor(word: &[u8]) -> Option<u64> {
    if word.is_empty() || !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn read(query: Query) -> Parsed {
    Ok(Request::Read(query))
}

/// What Redis takes for `COUNT` when it is not given.
const COUNT_DEFAULT: u64 = 10;
