//! What one client has told us so far, and what its next request therefore means.
//!
//! Leaves the order of requests to [`Pipeline`](super::Pipeline). Invariant: a
//! request that is refused changes nothing but the fate of an open transaction.

use std::time::Duration;

use bytes::Bytes;

use super::outcomes::STORE_FULL;
use super::table::{self, InTransaction, Spec};
use super::transaction::Transaction;
use super::{Action, Env};
use crate::kv::{self, Command, Constant, Query, Request, error, wrong_arity};
use crate::resp::{Protocol, Reply};

/// The state of one connection.
#[derive(Clone, Debug, Default)]
pub struct Front {
    pub(super) protocol: Protocol,
    pub(super) identity: Identity,
    pub(super) silence: Silence,
    /// From which state reads are answered (`READONLY`, `PAXOS STALE`).
    pub(super) staleness: Staleness,
    pub(super) transaction: Transaction,
}

/// How old what a client reads may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Staleness {
    /// All that was acknowledged before is seen.
    #[default]
    None,
    /// The state of this node, if it is known to be no older; linearizable otherwise.
    Within(Duration),
    /// The state of this node as it is.
    Any,
}

/// What the client says about itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Identity {
    pub(super) name: Bytes,
    pub(super) library: Bytes,
    pub(super) library_version: Bytes,
}

/// Which answers the client wants to hear (`CLIENT REPLY`).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Silence {
    pub(super) is_off: bool,
    /// Whether the request after this one goes unanswered.
    pub(super) skips_next: bool,
    /// Whether this one does.
    is_now: bool,
}

/// How the answer to a request is to be said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Voice {
    /// In which protocol.
    pub protocol: Protocol,
    /// Whether it is not said at all.
    pub is_silent: bool,
}

impl Front {
    /// A client that has said nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells what a request asks for. Total: whatever the words are, there is an action.
    pub fn on_request(&mut self, words: &[Bytes], env: &Env<'_>) -> Action {
        let is_skipped = std::mem::take(&mut self.silence.skips_next);
        let action = match words.first().and_then(|name| table::lookup(name)) {
            Some(spec) => self.on_own(spec, words, env),
            None => self.on_data(words, env),
        };
        self.silence.is_now = is_skipped || self.silence.is_off || self.silence.skips_next;
        action
    }

    /// How the answer to the latest request is to be said.
    pub fn voice(&self) -> Voice {
        Voice { protocol: self.protocol, is_silent: self.silence.is_now }
    }

    /// Takes the versions that a [`Action::Watch`] was for; answers the client's reply.
    pub fn on_watched(&mut self, versions: &Reply) -> Reply {
        self.transaction.on_watched(versions)
    }

    /// A command of the connection itself.
    fn on_own(&mut self, spec: &'static Spec, words: &[Bytes], env: &Env<'_>) -> Action {
        if !kv::takes(spec.arity, words.len()) {
            return self.refuse_arity(spec);
        }
        if !self.transaction.is_open() {
            return (spec.run)(self, words, env);
        }
        match spec.in_transaction {
            InTransaction::Runs => (spec.run)(self, words, env),
            InTransaction::Queues(constant) => {
                let request = constant(words).map(|constant| Query::Constant(constant).into());
                self.queue_request(request, env)
            }
            InTransaction::Refused => self.refuse(NOT_IN_TRANSACTION),
        }
    }

    /// A command on keys, or one that nobody knows.
    fn on_data(&mut self, words: &[Bytes], env: &Env<'_>) -> Action {
        let Some(name) = words.first() else {
            return Action::Answer(error("ERR empty command"));
        };
        let Some(spec) = kv::lookup(name) else {
            return self.refuse(unknown_command(words));
        };
        if !spec.takes(words.len()) {
            return self.refuse(wrong_arity(spec.name));
        }
        let request = kv::parse(words, env.limits).unwrap_or_else(|| Err(unknown_command(words)));
        if self.transaction.is_open() {
            return self.queue_request(request, env);
        }
        match request {
            Err(refusal) => Action::Answer(refusal),
            Ok(Request::Write(command)) if env.is_store_full && command.may_grow() => {
                Action::Answer(STORE_FULL)
            }
            Ok(Request::Write(command)) => Action::Write { command, once: None },
            Ok(Request::Read(query)) => match self.staleness {
                Staleness::None => Action::Read { query },
                Staleness::Within(age) => Action::StaleRead { query, within: Some(age) },
                Staleness::Any => Action::StaleRead { query, within: None },
            },
        }
    }

    fn queue_request(&mut self, request: Result<Request, Reply>, env: &Env<'_>) -> Action {
        match request {
            Ok(request) => self.queue(request.into_command(), env),
            // As in Redis, wrong words are heard at `EXEC`, in their place.
            Err(Reply::Error(line)) => {
                self.queue(Command::Read(Query::Constant(Constant::Refusal(line))), env)
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    fn queue(&mut self, command: Command, env: &Env<'_>) -> Action {
        if env.is_store_full && command.may_grow() {
            return self.refuse(STORE_FULL);
        }
        Action::Answer(self.transaction.queue(command, env.limits))
    }

    fn refuse_arity(&mut self, spec: &Spec) -> Action {
        if spec.name != "exec" {
            return self.refuse(wrong_arity(spec.name));
        }
        // Redis' one exception: an `EXEC` that is wrong itself still ends the transaction.
        self.transaction.reset();
        Action::Answer(error(
            "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' \
             command",
        ))
    }

    /// Refuses a request; an open transaction will not take effect then.
    pub(super) fn refuse(&mut self, refusal: Reply) -> Action {
        self.transaction.spoil();
        Action::Answer(refusal)
    }
}

pub(super) fn unknown_command(words: &[Bytes]) -> Reply {
    let mut line = b"ERR unknown command '".to_vec();
    let name = words.first().map_or(&b""[..], |name| name);
    line.extend_from_slice(&name[..name.len().min(SHOWN_BYTES_MAX)]);
    line.extend_from_slice(b"', with args beginning with: ");
    let mut room = SHOWN_BYTES_MAX;
    for word in words.iter().skip(1) {
        if room == 0 {
            break;
        }
        let shown = &word[..word.len().min(room)];
        line.push(b'\'');
        line.extend_from_slice(shown);
        line.extend_from_slice(b"' ");
        room = room.saturating_sub(shown.len() + 3);
    }
    kv::error_line(line)
}

pub(super) fn unknown_subcommand(command: &str, word: &[u8]) -> Action {
    let mut line = b"ERR unknown subcommand '".to_vec();
    line.extend_from_slice(&word[..word.len().min(SHOWN_BYTES_MAX)]);
    line.extend_from_slice(b"'. Try ");
    line.extend_from_slice(command.as_bytes());
    line.extend_from_slice(b" HELP.");
    Action::Answer(kv::error_line(line))
}

/// What is said to a question that names more than anybody has a use for: each word of it
/// is held against all that there is, and everybody waits meanwhile.
pub(super) fn too_much_named(words: &[Bytes]) -> Option<Reply> {
    let is_long = |word: &Bytes| word.len() > NAMED_BYTES_MAX;
    (words.len() > NAMED_MAX || words.iter().any(is_long)).then_some(TOO_MUCH_NAMED)
}

const NOT_IN_TRANSACTION: Reply = error("ERR Command not allowed inside a transaction");

/// How much of a client's words an error repeats, in bytes; Redis' number.
const SHOWN_BYTES_MAX: usize = 128;
/// Most words that one question may name.
const NAMED_MAX: usize = 64;
/// Longest of them, in bytes.
const NAMED_BYTES_MAX: usize = 1024;
const TOO_MUCH_NAMED: Reply = error("ERR too much named: at most 64 words of 1024 bytes each");
