//! `MULTI`, `EXEC`, `DISCARD`, `WATCH` and `UNWATCH`.
//!
//! Invariant: what is queued fits into one payload of the log.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{Action, Env, Front};
use crate::kv::{self, Command, Limits, Query, error};
use crate::resp::Reply;

/// What a connection has queued and watched.
#[derive(Clone, Debug, Default)]
pub(super) struct Transaction {
    /// Present between `MULTI` and `EXEC`.
    queue: Option<Queue>,
    /// Keys with the versions that they had at `WATCH`.
    watched: Vec<(Bytes, u64)>,
    /// Keys whose versions are being read.
    watching: Vec<Bytes>,
}

#[derive(Clone, Debug, Default)]
struct Queue {
    commands: Vec<Command>,
    /// Length of the commands, encoded.
    bytes: usize,
    /// Whether something was refused, so that nothing may take effect.
    is_spoiled: bool,
}

impl Transaction {
    pub(super) fn is_open(&self) -> bool {
        self.queue.is_some()
    }

    /// Number of commands queued, if a transaction is open.
    pub(super) fn queued(&self) -> Option<usize> {
        self.queue.as_ref().map(|queue| queue.commands.len())
    }

    /// Bytes that are kept for it.
    pub(super) fn held_bytes(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.bytes) + self.watched_bytes()
    }

    pub(super) fn queue(&mut self, command: Command, limits: &Limits) -> Reply {
        let watched_bytes = self.watched_bytes();
        let Some(queue) = &mut self.queue else { return NO_EXEC };
        let bytes = queue.bytes + command.encoded_len();
        let is_full = queue.commands.len() >= limits.transaction_commands_max
            || bytes + watched_bytes + EXEC_BYTES > limits.command_bytes_max;
        if is_full {
            queue.is_spoiled = true;
            return error("ERR transaction is too long");
        }
        queue.bytes = bytes;
        // After a refusal nothing will take effect, so there is nothing to keep.
        if !queue.is_spoiled {
            queue.commands.push(command.detached());
        }
        Reply::Status("QUEUED")
    }

    pub(super) fn spoil(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.is_spoiled = true;
        }
    }

    /// Forgets what was queued and watched.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    pub(super) fn on_watched(&mut self, versions: &Reply) -> Reply {
        let watching = std::mem::take(&mut self.watching);
        let Reply::Array(versions) = versions else {
            // Whatever went wrong is what the client needs to hear.
            return versions.clone();
        };
        for (key, version) in watching.into_iter().zip(versions) {
            let Reply::Integer(version) = version else { continue };
            self.watched.push((Bytes::copy_from_slice(&key), *version as u64));
        }
        Reply::OK
    }

    /// Keys of a `WATCH` that are not watched yet. A key that is keeps the
    /// version of the first `WATCH`: a change since then must still be noticed.
    fn unwatched(&self, keys: &[Bytes]) -> Vec<Bytes> {
        let mut unwatched: BTreeSet<&Bytes> = keys.iter().collect();
        for (watched, _) in &self.watched {
            unwatched.remove(watched);
        }
        unwatched.into_iter().cloned().collect()
    }

    fn watched_bytes(&self) -> usize {
        bytes_of(self.watched.iter().map(|(key, _)| key))
    }
}

/// What watched keys take in an encoded transaction.
fn bytes_of<'a>(keys: impl IntoIterator<Item = &'a Bytes>) -> usize {
    keys.into_iter().map(|key| key.len() + WATCHED_OVERHEAD_BYTES).sum()
}

impl Front {
    pub(super) fn multi(&mut self, _: &[Bytes], _: &Env<'_>) -> Action {
        if self.transaction.is_open() {
            return Action::Answer(error("ERR MULTI calls can not be nested"));
        }
        self.transaction.queue = Some(Queue::default());
        Action::Answer(Reply::OK)
    }

    pub(super) fn exec(&mut self, _: &[Bytes], _: &Env<'_>) -> Action {
        if !self.transaction.is_open() {
            return Action::Answer(NO_EXEC);
        }
        let Transaction { queue, watched, .. } = std::mem::take(&mut self.transaction);
        let Queue { commands, is_spoiled, .. } = queue.unwrap_or_default();
        if is_spoiled {
            return Action::Answer(SPOILED);
        }
        if commands.is_empty() && watched.is_empty() {
            return Action::Answer(Reply::Array(Vec::new()));
        }
        let command = Command::Exec(kv::Transaction { watched, commands });
        Action::Write { command, once: None }
    }

    pub(super) fn discard(&mut self, _: &[Bytes], _: &Env<'_>) -> Action {
        if !self.transaction.is_open() {
            return Action::Answer(error("ERR DISCARD without MULTI"));
        }
        self.transaction.reset();
        Action::Answer(Reply::OK)
    }

    pub(super) fn watch(&mut self, words: &[Bytes], env: &Env<'_>) -> Action {
        if self.transaction.is_open() {
            return Action::Answer(error("ERR WATCH inside MULTI is not allowed"));
        }
        // Looked at first: to tell keys apart takes long if they are many and long.
        if words.len() - 1 > env.limits.watched_keys_max {
            return Action::Answer(TOO_MANY_WATCHED);
        }
        let bytes_max = env.limits.command_bytes_max.saturating_sub(EXEC_BYTES);
        if bytes_of(&words[1..]) > bytes_max {
            return Action::Answer(TOO_LONG_WATCHED);
        }
        let keys = self.transaction.unwatched(&words[1..]);
        if bytes_of(&keys) + self.transaction.watched_bytes() > bytes_max {
            return Action::Answer(TOO_LONG_WATCHED);
        }
        if keys.len() + self.transaction.watched.len() > env.limits.watched_keys_max {
            return Action::Answer(TOO_MANY_WATCHED);
        }
        if keys.iter().any(|key| key.len() > env.limits.key_bytes_max) {
            return Action::Answer(error("ERR watched key is too long"));
        }
        if keys.is_empty() {
            return Action::Answer(Reply::OK);
        }
        self.transaction.watching.clone_from(&keys);
        Action::Watch { query: Query::Versions { keys } }
    }

    pub(super) fn unwatch(&mut self, _: &[Bytes], _: &Env<'_>) -> Action {
        self.transaction.watched.clear();
        Action::Answer(Reply::OK)
    }
}

const TOO_MANY_WATCHED: Reply = error("ERR too many watched keys");
/// Together with them, no transaction would fit into the log.
const TOO_LONG_WATCHED: Reply = error("ERR watched keys are too long together");
const NO_EXEC: Reply = error("ERR EXEC without MULTI");
const SPOILED: Reply = error("EXECABORT Transaction discarded because of previous errors.");
/// Length and version of an encoded watched key.
const WATCHED_OVERHEAD_BYTES: usize = 12;
/// Header and counts of an encoded transaction.
const EXEC_BYTES: usize = 18;
