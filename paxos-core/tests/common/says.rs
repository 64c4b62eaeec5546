//! Words for tests: messages, values, and what effects say.

use bytes::Bytes;
use paxos_core::effect::{Effect, Ignored, Notice};
use paxos_core::message::{Accept, Accepted, Message, Prepare, Promise, Vote};
use paxos_core::types::{Ballot, Command, NodeId, Run, Slot, Value};

pub fn n(id: u16) -> NodeId {
    NodeId(id)
}

/// The ballot of `node` in `round`.
pub fn b(round: u64, node: u16) -> Ballot {
    Ballot::new(round, NodeId(node))
}

pub fn value(payload: &str) -> Value {
    Value::Command(Command::plain(Bytes::copy_from_slice(payload.as_bytes())))
}

/// What a value says; no-ops say nothing.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::Command(c) => Some(String::from_utf8_lossy(&c.payload).into_owned()),
        Value::Noop | Value::Config(_) => None,
    }
}

pub fn run(first: u64, payloads: &[&str]) -> Run {
    Run::new(Slot(first), payloads.iter().map(|p| value(p)).collect())
}

pub fn prepare(ballot: Ballot, from: u64) -> Message {
    Prepare { ballot, from: Slot(from), released: None }.into()
}

pub fn accept(ballot: Ballot, first: u64, payloads: &[&str]) -> Message {
    Accept { ballot, run: run(first, payloads), chosen: Slot::FIRST }.into()
}

pub fn accepted(ballot: Ballot, first: u64, end: u64) -> Message {
    Accepted { ballot, first: Slot(first), end: Slot(end) }.into()
}

/// A whole promise: `votes` are slot, ballot and payload.
pub fn promise(ballot: Ballot, from: u64, votes: &[(u64, Ballot, &str)]) -> Message {
    let vote = |(slot, ballot, payload): &(u64, Ballot, &str)| Vote {
        slot: Slot(*slot),
        ballot: *ballot,
        chosen: false,
        value: value(payload),
    };
    let votes = votes.iter().map(vote).collect();
    Promise { ballot, from: Slot(from), to: None, chosen: Slot(from), votes }.into()
}

/// All messages among effects, in order.
pub fn messages<'a>(effects: &'a [Effect]) -> Vec<&'a Message> {
    let message = |e: &'a Effect| match e {
        Effect::Send { envelope, .. } => Some(&envelope.message),
        _ => None,
    };
    effects.iter().filter_map(message).collect()
}

/// The messages called `name` among effects.
pub fn sent<'a>(effects: &'a [Effect], name: &str) -> Vec<&'a Message> {
    messages(effects).into_iter().filter(|m| m.name() == name).collect()
}

/// Why inputs were ignored, as effects tell.
pub fn ignored(effects: &[Effect]) -> Vec<Ignored> {
    let why = |e: &Effect| match e {
        Effect::Note(Notice::Ignored(why)) => Some(*why),
        _ => None,
    };
    effects.iter().filter_map(why).collect()
}
