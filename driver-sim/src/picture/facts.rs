//! What a message is about, as far as a picture shows it.

use paxos_core::message::Message;
use paxos_core::types::{Ballot, Run};

use crate::transcript::ValueWords;

/// The ballot of a message, and the slots that it is about: from the first to the one after the
/// last.
pub(super) fn about(message: &Message) -> (Option<Ballot>, Option<(u64, u64)>) {
    match message {
        Message::Prepare(m) => (Some(m.ballot), None),
        Message::Promise(m) => {
            let first = m.votes.iter().map(|vote| vote.slot.0).min();
            let last = m.votes.iter().map(|vote| vote.slot.0).max();
            (Some(m.ballot), first.zip(last.map(|last| last + 1)))
        }
        Message::Accept(m) => (Some(m.ballot), Some((m.run.first.0, m.run.end().0))),
        Message::Accepted(m) => (Some(m.ballot), Some((m.first.0, m.end.0))),
        Message::Reject(m) => (Some(m.promised), None),
        Message::Chosen(m) => (Some(m.ballot), Some((m.below.0.saturating_sub(1), m.below.0))),
        Message::Probe(m) => (Some(m.ballot), None),
        Message::ProbeAck(m) => (Some(m.ballot), None),
        Message::Heartbeat(m) => (Some(m.ballot), None),
        Message::HeartbeatAck(m) => (Some(m.ballot), None),
        Message::Fetch(m) => (None, Some((m.from.0, m.to.0))),
        Message::Entries(m) => (None, Some((m.run.first.0, m.run.end().0))),
        Message::Forward(m) => (Some(m.ballot), None),
        Message::Confirm(m) => (Some(m.ballot), None),
        Message::Confirmed(m) => (Some(m.ballot), None),
        _ => (None, None),
    }
}

/// A message in a few words, to stand along its arrow: what a reader of a picture must know of it.
pub(super) fn brief(message: &Message) -> String {
    let name = message.name();
    match message {
        Message::Promise(m) => {
            let votes = m.votes.iter().take(2).map(|vote| {
                format!(" has {} {} @{}", vote.slot, ValueWords(&vote.value), vote.ballot)
            });
            let more = if m.votes.len() > 2 { " .." } else { "" };
            let votes: String = votes.collect();
            match votes.is_empty() && m.chosen.0 > 1 {
                true => format!("{name} {}, chosen {}", m.ballot, slots(1, m.chosen.0)),
                false => format!("{name} {}{votes}{more}", m.ballot),
            }
        }
        Message::Accept(m) => format!("{name} {} {}", m.ballot, values(&m.run)),
        Message::Accepted(m) => format!("{name} {} {}", m.ballot, slots(m.first.0, m.end.0)),
        Message::Reject(m) => format!("{name}: {}", m.promised),
        Message::Chosen(m) => format!("{name} {}", slots(1, m.below.0)),
        Message::Fetch(m) => format!("{name} {}", slots(m.from.0, m.to.0)),
        Message::Entries(m) => format!("{name} {}", values(&m.run)),
        other => match about(other).0 {
            Some(ballot) => format!("{name} {ballot}"),
            None => name.to_owned(),
        },
    }
}

/// A run as its first slot and its first two values.
fn values(run: &Run) -> String {
    let values: Vec<_> = run.iter().take(2).map(|(_, v)| ValueWords(v).to_string()).collect();
    let more = if run.len() > 2 { " .." } else { "" };
    format!("{} {}{more}", run.first, values.join(" "))
}

/// Slots by the first and the last of them.
fn slots(first: u64, end: u64) -> String {
    match end.saturating_sub(first) {
        0 => "nothing".to_owned(),
        1 => first.to_string(),
        _ => format!("{first}–{}", end - 1),
    }
}
