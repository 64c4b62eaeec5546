//! What commands do to the keyspace, and what they answer.

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};

use super::errors::{
    ANSWER_TOO_LONG, NOT_AN_INTEGER, OVERFLOW, STORE_FULL, STRING_TOO_LONG, TOO_MUCH_WORK, error,
};
use super::keyspace::{Entry, Keyspace};
use super::leaf::View;
use super::reads::{Effort, Reads, answer_bytes};
use super::record::SHORT_BYTES_MAX;
use super::trash::Trash;
use super::{
    Command, Deadline, ExpireIf, Expiry, Limits, Presence, Set, SetAnswer, Transaction, parse_i64,
};
use crate::resp::Reply;

/// One step of the log, at work on the state.
pub(super) struct Step<'a> {
    pub(super) keyspace: &'a mut Keyspace,
    pub(super) trash: &'a mut Trash,
    pub(super) limits: &'a Limits,
    pub(super) time: u64,
    /// What the entries changed in this step get for their version.
    pub(super) version: u64,
    /// Length of the payload that the values of this step are slices of.
    pub(super) payload_bytes: usize,
    /// What reads, copies and gaps of this step have cost so far.
    pub(super) effort: Effort,
    /// Keys of long values whose copies have been counted.
    pub(super) own: BTreeSet<Bytes>,
}

impl Step<'_> {
    pub(super) fn run(&mut self, command: Command) -> Reply {
        let is_exec = matches!(command, Command::Exec(_));
        // The commands of a transaction are looked at one by one, when their turn comes.
        if !is_exec && command.may_grow() && self.is_full(0) {
            return error(STORE_FULL);
        }
        match command {
            Command::Set(set) => self.set(set),
            Command::SetMany { pairs, only_if_absent } => self.set_many(&pairs, only_if_absent),
            Command::GetDel { key } => self.remove(&key).map_or(Reply::Null, Reply::Bulk),
            Command::GetExpire { key, expiry } => self.get_expire(&key, expiry),
            Command::Remove { keys } => {
                Reply::Integer(keys.iter().filter_map(|key| self.remove(key)).count() as i64)
            }
            Command::Append { key, value } => self.append(&key, &value),
            Command::SetRange { key, offset, value } => self.set_range(&key, offset, &value),
            Command::Add { key, by } => self.add(&key, by),
            Command::Expire { key, deadline, only_if } => self.expire(&key, deadline, only_if),
            Command::Persist { key } => self.persist(&key),
            Command::Clear => {
                self.trash.add(self.keyspace.clear());
                Reply::Status("OK")
            }
            Command::Advance => Reply::Status("OK"),
            Command::Read(query) => {
                let mut effort = self.effort;
                let answer = self.reads().answer(&query, &mut effort);
                self.effort = effort;
                answer
            }
            Command::Exec(transaction) => self.exec(transaction),
        }
    }

    fn set(&mut self, set: Set) -> Reply {
        let Set { key, value, only_if, expiry, answer } = set;
        // The plain case looks the key up once, when it is put.
        let needs_old =
            only_if != Presence::Any || expiry == Expiry::Keep || answer == SetAnswer::Old;
        let old = if needs_old { self.live(&key).map(View::to_entry) } else { None };
        let is_met = match only_if {
            Presence::Any => true,
            Presence::Absent => old.is_none(),
            Presence::Present => old.is_some(),
        };
        if is_met {
            let expire = self.resolve(expiry, old.as_ref());
            self.put(&key, value, expire);
        }
        match answer {
            SetAnswer::Ok if is_met => Reply::Status("OK"),
            SetAnswer::Ok => Reply::Null,
            SetAnswer::Old => old.map_or(Reply::Null, |entry| Reply::Bulk(entry.value)),
            SetAnswer::Count => Reply::Integer(i64::from(is_met)),
        }
    }

    fn set_many(&mut self, pairs: &[(Bytes, Bytes)], only_if_absent: bool) -> Reply {
        if only_if_absent && pairs.iter().any(|(key, _)| self.live(key).is_some()) {
            return Reply::Integer(0);
        }
        for (key, value) in pairs {
            self.put(key, value.clone(), None);
        }
        if only_if_absent { Reply::Integer(1) } else { Reply::Status("OK") }
    }

    fn get_expire(&mut self, key: &Bytes, expiry: Expiry) -> Reply {
        let Some(entry) = self.live(key).map(View::to_entry) else { return Reply::Null };
        let expire = self.resolve(expiry, Some(&entry));
        let value = entry.value.clone();
        self.set_expire(key, entry, expire);
        Reply::Bulk(value)
    }

    fn append(&mut self, key: &Bytes, tail: &Bytes) -> Reply {
        let Some(entry) = self.live(key) else {
            self.put(key, tail.clone(), None);
            return Reply::Integer(tail.len() as i64);
        };
        let before = entry.value.len();
        let length = before + tail.len();
        if length > self.limits.value_bytes_max {
            return error(STRING_TOO_LONG);
        }
        if !self.may_change(key, before, 0) {
            return error(TOO_MUCH_WORK);
        }
        // As in Redis, appending nothing still counts as a change.
        self.keyspace.change_value(key, self.version, |value| {
            let mut value = owned(value);
            value.extend_from_slice(tail);
            value.freeze()
        });
        Reply::Integer(length as i64)
    }

    fn set_range(&mut self, key: &Bytes, offset: u64, patch: &Bytes) -> Reply {
        let length = self.live(key).map_or(0, |entry| entry.value.len());
        if patch.is_empty() {
            return Reply::Integer(length as i64);
        }
        let end = usize::try_from(offset).ok().and_then(|offset| offset.checked_add(patch.len()));
        let Some(end) = end.filter(|end| *end <= self.limits.value_bytes_max) else {
            return error(STRING_TOO_LONG);
        };
        // A short command can ask for a long gap.
        let growth = end.saturating_sub(length);
        if self.is_full(growth) {
            return error(STORE_FULL);
        }
        if !self.may_change(key, length, growth) {
            return error(TOO_MUCH_WORK);
        }
        if self.live(key).is_none() {
            self.put(key, Bytes::new(), None);
        }
        self.keyspace.change_value(key, self.version, |value| {
            let mut value = owned(value);
            value.resize(end.max(length), 0);
            value[end - patch.len()..end].copy_from_slice(patch);
            value.freeze()
        });
        Reply::Integer(end.max(length) as i64)
    }

    fn add(&mut self, key: &Bytes, by: i64) -> Reply {
        let entry = self.live(key);
        let expire = entry.and_then(|entry| entry.expire);
        let Some(number) = entry.map_or(Some(0), |entry| parse_i64(&entry.value)) else {
            return error(NOT_AN_INTEGER);
        };
        let Some(sum) = number.checked_add(by) else {
            return error(OVERFLOW);
        };
        self.put(key, Bytes::from(sum.to_string()), expire);
        Reply::Integer(sum)
    }

    fn expire(&mut self, key: &Bytes, deadline: Deadline, only_if: ExpireIf) -> Reply {
        let Some(entry) = self.live(key).map(View::to_entry) else { return Reply::Integer(0) };
        let new = self.moment(deadline);
        // No deadline counts as one that never comes.
        let is_later = entry.expire.is_some_and(|old| new > old);
        let is_earlier = entry.expire.is_none_or(|old| new < old);
        let is_met = match only_if {
            ExpireIf::Always => true,
            ExpireIf::Unset => entry.expire.is_none(),
            ExpireIf::Set => entry.expire.is_some(),
            ExpireIf::Later => is_later,
            ExpireIf::Earlier => is_earlier,
            ExpireIf::SetAndEarlier => entry.expire.is_some() && is_earlier,
        };
        if is_met {
            self.set_expire(key, entry, Some(new));
        }
        Reply::Integer(i64::from(is_met))
    }

    fn persist(&mut self, key: &Bytes) -> Reply {
        match self.live(key).map(View::to_entry) {
            Some(entry) if entry.expire.is_some() => {
                self.set_expire(key, entry, None);
                Reply::Integer(1)
            }
            _ => Reply::Integer(0),
        }
    }

    fn exec(&mut self, transaction: Transaction) -> Reply {
        let reads = self.reads();
        if transaction.watched.iter().any(|(key, version)| reads.version(key) != *version) {
            return Reply::NullArray;
        }
        let mut room = self.limits.answer_bytes_max;
        let mut answers = Vec::with_capacity(transaction.commands.len());
        for command in transaction.commands {
            // The decoder lets no transaction into a transaction: this ends one level down.
            let answer = self.run(command);
            let size = answer_bytes(&answer);
            // What was done stays done; only the answer is left out.
            let fits = size <= room;
            room = room.saturating_sub(size);
            answers.push(if fits { answer } else { error(ANSWER_TOO_LONG) });
        }
        Reply::Array(answers)
    }

    /// Counts what it takes to change a value of some length where it lies, and to make it
    /// grow; tells whether this step may still do that.
    ///
    /// Snapshots, payloads and answers share long values, not the same on every replica. So
    /// a copy counts whether it is made or not, but once only: then the value is our own.
    /// An answer of this step may share it again; those have a bound of their own.
    fn may_change(&mut self, key: &Bytes, length: usize, growth: usize) -> bool {
        let is_shared = length > SHORT_BYTES_MAX && self.own.insert(key.clone());
        let copied = if is_shared { length } else { 0 };
        self.effort.allows(copied.saturating_add(growth), self.limits)
    }

    fn is_full(&self, growth: usize) -> bool {
        self.keyspace.bytes().saturating_add(growth as u64) >= self.limits.store_bytes_max
    }

    fn live(&self, key: &Bytes) -> Option<View<'_>> {
        self.keyspace.live(key, self.time)
    }

    fn reads(&self) -> Reads<'_> {
        Reads { keyspace: self.keyspace, limits: self.limits, time: self.time }
    }

    /// Removes a key; answers its value if it was not expired.
    fn remove(&mut self, key: &Bytes) -> Option<Bytes> {
        let entry = self.keyspace.remove(key)?;
        (!entry.is_expired(self.time)).then_some(entry.value)
    }

    /// Puts a new value.
    fn put(&mut self, key: &Bytes, value: Bytes, expire: Option<u64>) {
        let value = self.keep(value);
        self.store(key, value, expire);
    }

    fn set_expire(&mut self, key: &Bytes, entry: Entry, expire: Option<u64>) {
        self.store(key, entry.value, expire);
    }

    /// Stores a value that is ours; a deadline that has come removes the key at once.
    fn store(&mut self, key: &Bytes, value: Bytes, expire: Option<u64>) {
        let entry = Entry { value, expire, version: self.version };
        if entry.is_expired(self.time) {
            self.keyspace.remove(key);
        } else {
            self.keyspace.put(key, entry);
        }
    }

    /// A value is copied out of the payload that it came in, unless it is very long and most
    /// of it; the keyspace copies a short one anyway.
    fn keep(&self, value: Bytes) -> Bytes {
        let is_short = value.len() <= SHORT_BYTES_MAX;
        let is_most = value.len() >= self.limits.shared_value_bytes_min
            && value.len() >= self.payload_bytes / 2;
        if is_short || is_most { value } else { Bytes::copy_from_slice(&value) }
    }

    fn resolve(&self, expiry: Expiry, old: Option<&Entry>) -> Option<u64> {
        match expiry {
            Expiry::Never => None,
            Expiry::Keep => old.and_then(|entry| entry.expire),
            Expiry::At(deadline) => Some(self.moment(deadline)),
        }
    }

    /// A deadline on the machine's own clock; before the epoch counts as the epoch.
    fn moment(&self, deadline: Deadline) -> u64 {
        let millis = match deadline {
            Deadline::In(millis) => millis.saturating_add(self.time as i64),
            Deadline::At(millis) => millis,
        };
        u64::try_from(millis).unwrap_or(0)
    }
}

/// The value as a buffer of its own, without a copy if nobody else holds it.
fn owned(value: Bytes) -> BytesMut {
    value.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]))
}
