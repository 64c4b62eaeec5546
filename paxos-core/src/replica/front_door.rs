//! What a message must look like before any role sees it.
//!
//! Peers are not trusted to be sane: whatever is absurd by itself is turned away
//! here, so that roles may add, subtract and loop without fear.

use alloc::sync::Arc;

use crate::message::{Message, Promise, Vote};
use crate::types::{Ballot, Limits, Membership, NodeId, Run, Schedule, Slot, Value};

/// Whether `message` from `from` makes sense by itself.
pub(super) fn makes_sense(from: NodeId, message: &Message, limits: &Limits) -> bool {
    let own = |ballot: &Ballot| ballot.is_sane() && ballot.node == from;
    match message {
        Message::Prepare(m) => own(&m.ballot) && m.from.is_sane(),
        Message::Promise(m) => promise_makes_sense(m, limits),
        Message::Accept(m) => own(&m.ballot) && m.chosen.is_sane() && run_fits(&m.run, limits),
        Message::Accepted(m) => m.first.is_sane() && m.end.is_sane() && m.first < m.end,
        Message::Reject(m) => m.promised.is_sane(),
        Message::Chosen(m) => own(&m.ballot) && m.below.is_sane(),
        Message::Probe(m) => own(&m.ballot) && m.chosen.is_sane(),
        Message::ProbeAck(m) => {
            (m.promised.is_sane() || m.promised == Ballot::ZERO) && m.chosen.is_sane()
        }
        Message::Heartbeat(m) => own(&m.ballot) && m.chosen.is_sane(),
        Message::HeartbeatAck(m) => m.chosen.is_sane(),
        Message::Handover(m) => own(&m.ballot) && m.chosen.is_sane(),
        Message::ReadRequest(_) | Message::Confirmed(_) | Message::Greet(_) => true,
        Message::Fetch(m) => m.from.is_sane() && m.to.is_sane() && m.from <= m.to,
        Message::Entries(m) => {
            m.chosen.is_sane()
                && m.run.first.is_sane()
                && (m.run.is_empty() || run_fits(&m.run, limits))
        }
        Message::Forward(m) => {
            (1..=limits.run_slots_max).contains(&m.commands.len())
                && m.commands.fit(limits.value_bytes_max)
        }
        Message::Forwarded(m) => match m.verdict {
            crate::message::Verdict::Chosen(slot) => slot.is_sane(),
            _ => true,
        },
        Message::ReadAnswer(m) => m.index.is_none_or(Slot::is_sane),
        Message::Confirm(m) => own(&m.ballot),
        Message::Offer(m) => {
            let below = m.image.checkpoint.below;
            below.is_sane() && m.chosen.is_sane() && below <= m.chosen
        }
        Message::Pull(m) => m.image.below.is_sane() && m.offset < m.image.bytes && m.bytes > 0,
        Message::Audit(m) => {
            own(&m.ballot) && m.slot.is_sane() && m.agreed.is_none_or(|mark| mark.slot.is_sane())
        }
        Message::Audited(m) => m.mark.slot.is_sane(),
        Message::Holding(m) => m.ballot.is_sane() && m.below.is_sane(),
        Message::Relieve(m) => own(&m.ballot) && m.below.is_sane() && is_sound(&m.schedule),
        Message::Piece(m) => {
            m.image.below.is_sane()
                && m.payload.len() <= limits.piece_bytes_max
                && m.end() <= m.image.bytes
        }
    }
}

fn run_fits(run: &Run, limits: &Limits) -> bool {
    run.first.is_sane()
        && run.end().is_sane()
        && (1..=limits.run_slots_max).contains(&run.len())
        && run.fits(limits.value_bytes_max)
        && (run.configs() == 0 || values_fit(run, limits))
}

/// Rare: kept out of the way of what is not.
#[cold]
#[inline(never)]
fn values_fit(run: &Run, limits: &Limits) -> bool {
    run.iter().all(|(_, value)| value_fits(value, limits))
}

#[cold]
#[inline(never)]
fn is_sound(schedule: &Schedule) -> bool {
    let sound = |(slot, m): (Slot, &Arc<Membership>)| slot.is_sane() && m.is_sound();
    schedule.iter().all(sound)
}

fn value_fits(value: &Value, limits: &Limits) -> bool {
    match value {
        Value::Noop => true,
        Value::Command(c) => c.payload.len() <= limits.value_bytes_max,
        Value::Config(m) => m.is_sound(),
    }
}

/// Votes must be in the page, in order, and no further ahead of the voter's own
/// frontier than a voter votes: a candidate fills the holes below them.
#[cold]
#[inline(never)]
fn promise_makes_sense(m: &Promise, limits: &Limits) -> bool {
    if !m.from.is_sane()
        || !m.chosen.is_sane()
        || m.to.is_some_and(|to| !to.is_sane() || to <= m.from)
    {
        return false;
    }
    let end = m.chosen.plus(limits.ahead_slots_max as u64).min(m.to.unwrap_or(Slot::MAX));
    let mut floor = m.from;
    m.votes.iter().all(|vote| {
        if vote.slot < floor || vote.slot >= end {
            return false;
        }
        floor = vote.slot.next();
        vote_makes_sense(vote, m.ballot, limits)
    })
}

/// A promise reports only what was voted for below its ballot.
fn vote_makes_sense(vote: &Vote, promised: Ballot, limits: &Limits) -> bool {
    let cast = vote.ballot.is_sane() || (vote.chosen && vote.ballot == Ballot::ZERO);
    cast && vote.ballot <= promised && value_fits(&vote.value, limits)
}

#[cfg(test)]
mod tests;
