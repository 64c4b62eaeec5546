//! Answers to queries. Nothing here changes anything.

use bytes::Bytes;

use super::errors::{ANSWER_TOO_LONG, KEYS_TOO_MANY, TOO_MUCH_WORK, error};
use super::keyspace::Keyspace;
use super::leaf::{Value, View};
use super::{Constant, Glob, Limits, Query, Scan, TtlForm};
use crate::resp::Reply;

/// The state as a query sees it.
pub(super) struct Reads<'a> {
    pub(super) keyspace: &'a Keyspace,
    pub(super) limits: &'a Limits,
    pub(super) time: u64,
}

/// What walks over keys and copies have cost so far, in one step of the log or for one query.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Effort {
    /// Keys looked at.
    keys: usize,
    /// Steps of the glob matcher.
    steps: u64,
    /// Bytes of long values copied, and of gaps in them filled.
    bytes: usize,
}

impl Effort {
    /// Counts bytes that are to be copied or filled; tells whether that is still allowed.
    pub(super) fn allows(&mut self, bytes: usize, limits: &Limits) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        self.bytes <= limits.copied_bytes_max
    }

    fn is_spent(&self, limits: &Limits) -> bool {
        self.keys > limits.keys_examined_max || self.steps > limits.glob_steps_max
    }
}

impl Reads<'_> {
    /// Answers a query, and adds to the effort what it takes.
    pub(super) fn answer(&self, query: &Query, effort: &mut Effort) -> Reply {
        match query {
            Query::Get { key } => self.get(key),
            Query::GetMany { keys } => self.get_many(keys),
            Query::GetRange { key, start, end } => self.get_range(key, *start, *end, effort),
            Query::Exists { keys } => {
                count(keys.iter().filter(|key| self.live(key).is_some()).count())
            }
            Query::Type { key } => Reply::Status(match self.live(key) {
                Some(_) => "string",
                None => "none",
            }),
            Query::Length { key } => count(self.live(key).map_or(0, |entry| entry.value.len())),
            Query::Ttl { key, form } => Reply::Integer(self.ttl(key, *form)),
            Query::Keys { pattern } => self.keys(&Glob::new(pattern), effort),
            Query::Scan(scan) => self.scan(scan, effort),
            Query::Count => count(self.keyspace.len()),
            Query::Versions { keys } => {
                let version = |key| Reply::Integer(self.version(key) as i64);
                Reply::Array(keys.iter().map(version).collect())
            }
            Query::Constant(constant) => match constant {
                Constant::Ok => Reply::Status("OK"),
                Constant::Pong => Reply::Status("PONG"),
                Constant::Text(text) => Reply::Bulk(text.clone()),
                Constant::Refusal(line) => Reply::Error(line.clone()),
            },
        }
    }

    /// The version that `WATCH` sees.
    pub(super) fn version(&self, key: &Bytes) -> u64 {
        self.live(key).map_or(0, |entry| entry.version)
    }

    fn live(&self, key: &Bytes) -> Option<View<'_>> {
        self.keyspace.live(key, self.time)
    }

    fn get(&self, key: &Bytes) -> Reply {
        self.live(key).map_or(Reply::Null, |entry| Reply::Bulk(entry.value.to_bytes()))
    }

    fn get_many(&self, keys: &[Bytes]) -> Reply {
        let mut room = self.limits.answer_bytes_max;
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            let value = self.get(key);
            if let Reply::Bulk(value) = &value {
                let Some(left) = room.checked_sub(value.len()) else {
                    return error(ANSWER_TOO_LONG);
                };
                room = left;
            }
            values.push(value);
        }
        Reply::Array(values)
    }

    fn get_range(&self, key: &Bytes, start: i64, end: i64, effort: &mut Effort) -> Reply {
        let value = self.live(key).map_or(Value::Short(&[]), |entry| entry.value);
        let length = value.len() as i64;
        let from_end = |at: i64| if at < 0 { at.saturating_add(length).max(0) } else { at };
        if start < 0 && end < 0 && start > end {
            return Reply::Bulk(Bytes::new());
        }
        let (start, end) = (from_end(start), from_end(end).min(length - 1));
        if start > end {
            return Reply::Bulk(Bytes::new());
        }
        // Zero or more, and below the length: the casts lose nothing.
        let range = start as usize..end as usize + 1;
        if value.copies(range.len()) && !effort.allows(range.len(), self.limits) {
            return error(TOO_MUCH_WORK);
        }
        Reply::Bulk(value.slice(range))
    }

    fn ttl(&self, key: &Bytes, form: TtlForm) -> i64 {
        let Some(entry) = self.live(key) else { return -2 };
        let Some(deadline) = entry.expire else { return -1 };
        let millis = match form {
            TtlForm::Seconds | TtlForm::Millis => deadline - self.time,
            TtlForm::SecondsAt | TtlForm::MillisAt => deadline,
        };
        // Deadlines are at most `i64::MAX`, so neither the sum nor the cast goes wrong.
        match form {
            TtlForm::Seconds | TtlForm::SecondsAt => ((millis + 500) / 1000) as i64,
            TtlForm::Millis | TtlForm::MillisAt => millis as i64,
        }
    }

    fn keys(&self, glob: &Glob<'_>, effort: &mut Effort) -> Reply {
        effort.keys = effort.keys.saturating_add(self.keyspace.len());
        let mut bytes = 0;
        let mut found = Vec::new();
        for (_, key, entry) in self.keyspace.entries_from(0) {
            if effort.is_spent(self.limits) || bytes > self.limits.answer_bytes_max {
                return error(KEYS_TOO_MANY);
            }
            if glob.matches(key, &mut effort.steps) && !entry.is_expired(self.time) {
                bytes += key.len() + ITEM_BYTES;
                found.push(Reply::Bulk(Bytes::copy_from_slice(key)));
            }
        }
        Reply::Array(found)
    }

    /// One page. The next cursor is the place behind the last key looked at;
    /// keys that share a place are never parted.
    fn scan(&self, scan: &Scan, effort: &mut Effort) -> Reply {
        if effort.is_spent(self.limits) {
            return error(TOO_MUCH_WORK);
        }
        let count = usize::try_from(scan.count).unwrap_or(usize::MAX);
        let count = count.min(self.limits.scan_examined_max).max(1);
        let glob = scan.pattern.as_deref().map(Glob::new);
        let (mut examined, mut place) = (0, None);
        let mut found = Vec::new();
        for (at, key, entry) in self.keyspace.entries_from(scan.cursor) {
            let is_full = examined >= count || effort.is_spent(self.limits);
            if is_full && place.is_some_and(|place| place != at) {
                return page(at, found);
            }
            (examined, place) = (examined + 1, Some(at));
            effort.keys = effort.keys.saturating_add(1);
            let is_wanted = scan.strings && !entry.is_expired(self.time);
            if is_wanted && glob.is_none_or(|glob| glob.matches(key, &mut effort.steps)) {
                found.push(Reply::Bulk(Bytes::copy_from_slice(key)));
            }
        }
        Reply::Array(vec![Reply::Bulk(Bytes::from_static(b"0")), Reply::Array(found)])
    }
}

/// Bytes of the strings and the items in an answer.
pub(super) fn answer_bytes(answer: &Reply) -> usize {
    match answer {
        Reply::Bulk(bytes) => bytes.len(),
        Reply::Array(items) => items.iter().map(|item| ITEM_BYTES + answer_bytes(item)).sum(),
        _ => 0,
    }
}

/// A page that goes on at `next`, which is never the very first key.
fn page(next: u64, found: Vec<Reply>) -> Reply {
    let cursor = Bytes::from(next.to_string());
    Reply::Array(vec![Reply::Bulk(cursor), Reply::Array(found)])
}

fn count(number: usize) -> Reply {
    Reply::Integer(number as i64)
}

/// What an item of a list counts for besides its bytes; a number of the state
/// machine, whatever it really takes in memory.
const ITEM_BYTES: usize = 40;
