//! The machine: state, and the one way in which it changes.
//!
//! Invariants: `time` never goes back; equal sequences of payloads give equal
//! states and equal answers on every replica; nothing in a payload panics.

use std::cell::RefCell;
use std::collections::BTreeSet;

use bytes::Bytes;

use super::digest::Digest;
use super::errors::{MALFORMED, error};
use super::keyspace::Keyspace;
use super::reads::{Effort, Reads};
use super::trash::Trash;
use super::writes::Step;
use super::{Command, Image, Limits, Query};
use crate::resp::Reply;

/// A replica's copy of the key-value store.
#[derive(Clone, Debug)]
pub struct Machine {
    limits: Limits,
    /// The latest stamp applied, in milliseconds since the Unix epoch.
    time: u64,
    keyspace: Keyspace,
    /// No part of the state, and so may shrink whenever there is time.
    trash: RefCell<Trash>,
}

impl Machine {
    /// An empty store at time 0.
    pub fn new(limits: Limits) -> Self {
        Self::of(limits, 0, Keyspace::new())
    }

    pub(super) fn of(limits: Limits, time: u64, keyspace: Keyspace) -> Self {
        Self { limits, time, keyspace, trash: RefCell::default() }
    }

    /// Applies what was chosen at a slot. Total: whatever the payload holds,
    /// there is an answer, and it is the same on every replica.
    pub fn apply(&mut self, slot: u64, payload: &Bytes) -> Reply {
        let Ok((stamp, command)) = Command::decode(payload) else {
            return error(MALFORMED);
        };
        self.time = self.time.max(stamp.min(TIME_MAX));
        self.keyspace.purge(self.time, self.limits.purged_keys_max);
        let put_before = self.keyspace.put_so_far();
        let answer = Step {
            keyspace: &mut self.keyspace,
            trash: self.trash.get_mut(),
            limits: &self.limits,
            time: self.time,
            version: slot.saturating_add(1),
            payload_bytes: payload.len(),
            effort: Effort::default(),
            own: BTreeSet::new(),
        }
        .run(command);
        self.trash.get_mut().drop_for(self.keyspace.put_so_far().since(put_before));
        answer
    }

    /// Prepares for payloads that are about to be applied: what they will look for is read from
    /// memory for all of them at once. Whether this is called has no bearing on state or
    /// answers.
    pub fn prepare<'a>(&self, payloads: impl Iterator<Item = &'a Bytes>) {
        self.keyspace.glance(payloads.filter_map(|payload| Command::key_to_set(payload)));
    }

    /// The same for reads that are about to be answered; nothing where a processor has all
    /// of a store at hand.
    pub fn prepare_reads<'a>(&self, queries: impl Iterator<Item = &'a Query>) {
        if self.bytes() >= AT_HAND_BYTES_MAX {
            self.look_at_reads(queries);
        }
    }

    /// The same, however small the store is.
    pub(super) fn look_at_reads<'a>(&self, queries: impl Iterator<Item = &'a Query>) {
        let key = |query: &'a Query| match query {
            Query::Get { key } => Some(&key[..]),
            _ => None,
        };
        self.keyspace.glance(queries.filter_map(key));
    }

    /// Frees a little of what `FLUSHALL` has left in memory, if anything. Whether and how
    /// often this is called has no bearing on state or answers.
    pub fn tidy(&self) {
        self.trash.borrow_mut().drop_some();
    }

    /// Answers a read from the state as it is.
    pub fn query(&self, query: &Query) -> Reply {
        Reads { keyspace: &self.keyspace, limits: &self.limits, time: self.time }
            .answer(query, &mut Effort::default())
    }

    /// The earliest deadline, in milliseconds since the Unix epoch: when the
    /// wall clock has passed it, [`Command::Advance`] makes room. It may be past
    /// already, while expired keys wait to be purged.
    pub fn next_expiry(&self) -> Option<u64> {
        self.keyspace.first_deadline()
    }

    /// The machine's time, in milliseconds since the Unix epoch.
    pub fn time(&self) -> u64 {
        self.time
    }

    /// Number of keys, including those that have expired and wait to be purged.
    pub fn len(&self) -> usize {
        self.keyspace.len()
    }

    /// Tells whether there are no keys at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of keys with a deadline.
    pub fn expiring(&self) -> usize {
        self.keyspace.expiring()
    }

    /// What the keys take, in bytes: an estimate, the same on every replica.
    pub fn bytes(&self) -> u64 {
        self.keyspace.bytes()
    }

    /// Tells whether commands that [may grow](Command::may_grow) the store are
    /// to be refused before they are proposed.
    pub fn is_full(&self) -> bool {
        self.bytes() >= self.limits.store_bytes_max
    }

    /// Bytes that `FLUSHALL` has left in memory.
    #[cfg(test)]
    pub(super) fn trash_bytes(&self) -> u64 {
        self.trash.borrow().bytes()
    }

    /// The bounds that this machine was made with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A hash of the whole state: equal for equal states, however they came
    /// about. Looks at every entry.
    pub fn digest(&self) -> u64 {
        let mut digest = Digest::new(self.time);
        for (_, key, entry) in self.keyspace.entries_from(0) {
            digest.add(key, &entry);
        }
        digest.finish()
    }

    /// The state as it is now, frozen. Costs one pointer per leaf; may be
    /// written out elsewhere while the machine goes on.
    pub fn image(&self) -> Image {
        Image::new(self.time, self.keyspace.leaves().to_vec())
    }
}

/// A store of so many bytes is mostly in a processor's cache.
const AT_HAND_BYTES_MAX: u64 = 4 << 20;
/// Latest time that a stamp can set: adding any relative deadline that the
/// parser lets through stays within `i64`.
const TIME_MAX: u64 = 1 << 42;
