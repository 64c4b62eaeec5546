//! `PAXOS`: what this server can and Redis cannot.
//!
//! `PAXOS ONCE <client> <sequence> <command ...>` does one write at most once,
//! however often it is sent and to whichever node: sent again, it is answered
//! with the first answer. A client numbers its commands 1, 2, 3, ... and sends
//! the next when it has heard of the one before.
//!
//! `PAXOS STALE <ms>` bounds how old what this connection reads may be, as `READONLY`
//! does not: while this node has heard within so many milliseconds from a leader all of
//! whose slots it has delivered, it answers alone. It may be further behind than it
//! knows by what the leader's word was under way, and by up to twice the election's
//! patience where a leader was deposed and does not know it yet.
//!
//! `PAXOS CHECKPOINT` is for operators, of this very node.

use std::hash::Hasher;
use std::time::Duration;

use bytes::Bytes;
use siphasher::sip::SipHasher13;

use super::members;
use super::outcomes::STORE_FULL;
use super::session::{Staleness, unknown_command, unknown_subcommand};
use super::{Action, Env, Front, OnceKey, Operation};
use crate::kv::{self, Request, error, parse_i64, wrong_arity};
use crate::resp::Reply;

impl Front {
    pub(super) fn paxos(&mut self, words: &[Bytes], env: &Env<'_>) -> Action {
        if let Some(action) = members::parse(&words[1..]) {
            return action;
        }
        match &words[1].to_ascii_lowercase()[..] {
            b"once" if words.len() < ONCE_WORDS_MIN => Action::Answer(wrong_arity("paxos|once")),
            b"once" => once(&words[2], &words[3], &words[4..], env),
            b"checkpoint" if words.len() > 2 => Action::Answer(wrong_arity("paxos|checkpoint")),
            b"checkpoint" => Action::Operate(Operation::Checkpoint),
            b"transfer" if words.len() != 3 => Action::Answer(wrong_arity("paxos|transfer")),
            b"transfer" => transfer(&words[2]),
            b"stale" if words.len() != 3 => Action::Answer(wrong_arity("paxos|stale")),
            b"stale" => Action::Answer(self.stale(&words[2])),
            b"help" => Action::Answer(Reply::Array(vec![
                Reply::Status("PAXOS ONCE <client> <sequence> <command> [<arg> ...]"),
                Reply::Status("    Do one write at most once, however often it is sent."),
                Reply::Status("    A client, a name or a number, counts its writes from 1."),
                Reply::Status("PAXOS CHECKPOINT"),
                Reply::Status("    Write this node's state out, and say up to which slot."),
                Reply::Status("PAXOS TRANSFER <id>"),
                Reply::Status("    Have this node, which leads, make way for that one."),
                Reply::Status("PAXOS STALE <milliseconds>|OFF"),
                Reply::Status("    Have this connection's reads answered by this node alone if"),
                Reply::Status("    it is known to be no further behind, and by the group if not."),
                Reply::Status("PAXOS MEMBERS"),
                Reply::Status("    Say who belongs to the group, and which version that is."),
                Reply::Status("PAXOS ADD <id> <host:port> [WITNESS|LEARNER]"),
                Reply::Status("    Add a node; with a vote once it has caught up, or without, or"),
                Reply::Status("    with a vote and no data, for while another is missing."),
                Reply::Status("PAXOS PROMOTE <id>"),
                Reply::Status("    Give a learner that has caught up a vote, or a witness data."),
                Reply::Status("PAXOS REMOVE <id>"),
                Reply::Status("    Take a node out of the group."),
                Reply::Status("PAXOS REPLACE <old> <new> <host:port>"),
                Reply::Status("    Have one node take another's place, once it has caught up."),
                Reply::Status("PAXOS CHANGE <version> <id>[=<host:port>][:<kind>] ..."),
                Reply::Status("    Have these members and no others, if their version is still"),
                Reply::Status("    this. A kind is VOTER (which is meant if none is given),"),
                Reply::Status("    WITNESS or LEARNER. Only new members need an address."),
            ])),
            _ => unknown_subcommand("PAXOS", &words[1]),
        }
    }
}

impl Front {
    /// How old what this connection reads may be from now on.
    fn stale(&mut self, bound: &[u8]) -> Reply {
        let off = bound.eq_ignore_ascii_case(b"off");
        self.staleness = match parse_i64(bound).and_then(|ms| u64::try_from(ms).ok()) {
            _ if off => Staleness::None,
            Some(ms) => Staleness::Within(Duration::from_millis(ms)),
            None => return error("ERR a bound is a number of milliseconds, or OFF"),
        };
        Reply::OK
    }
}

fn transfer(id: &[u8]) -> Action {
    match parse_i64(id).and_then(|id| u16::try_from(id).ok()) {
        Some(id) => Action::Operate(Operation::Transfer(id)),
        None => Action::Answer(error("ERR a node is a number from 1 to 127")),
    }
}

fn once(client: &[u8], sequence: &[u8], words: &[Bytes], env: &Env<'_>) -> Action {
    let sequence = parse_i64(sequence).and_then(|number| u64::try_from(number).ok());
    let Some(sequence) = sequence.filter(|sequence| *sequence > 0) else {
        return Action::Answer(error("ERR sequence must be an integer of at least 1"));
    };
    let once = OnceKey { client: client_number(client), sequence };
    match kv::parse(words, env.limits) {
        None => Action::Answer(unknown_command(words)),
        Some(Err(refusal)) => Action::Answer(refusal),
        Some(Ok(Request::Read(_))) => {
            Action::Answer(error("ERR PAXOS ONCE takes a write; a read is safe to repeat"))
        }
        Some(Ok(Request::Write(command))) if env.is_store_full && command.may_grow() => {
            Action::Answer(STORE_FULL)
        }
        Some(Ok(Request::Write(command))) => Action::Write { command, once: Some(once) },
    }
}

/// A number stands for itself, any other name for its hash. Never 0.
fn client_number(name: &[u8]) -> u64 {
    if let Some(number) = parse_i64(name).and_then(|number| u64::try_from(number).ok())
        && number > 0
    {
        return number;
    }
    let mut hasher = SipHasher13::new_with_keys(0x7061_786f_732d_6f6e, 0x6365_2d63_6c69_656e);
    hasher.write(name);
    // The upper half, so that no name stands for a number that a client may choose.
    hasher.finish() | (1 << 63)
}

/// `PAXOS ONCE client sequence command`.
const ONCE_WORDS_MIN: usize = 5;
