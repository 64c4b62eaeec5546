//! What a message is about, as far as a picture shows it.

use paxos_core::message::Message;
use paxos_core::types::Ballot;

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
