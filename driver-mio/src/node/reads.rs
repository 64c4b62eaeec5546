//! Reads that this node may answer: how many in one turn, and which of them later.
//!
//! To look at every key takes a while, and an answer may be long. So a turn answers only
//! so many, or its peers would hear nothing of this node for too long; and who has not
//! taken what was answered before gets no more. What is put off is read from a later
//! state, which is as good: who has asked still waits.
//!
//! Invariant: what was put off of one client is answered in the order in which it was
//! asked, and before anything else that it has asked. The answer that all its others wait
//! for is never kept waiting by those.

use std::time::Duration;

use bytes::Bytes;
use paxos_core::types::{Instant, QueryId};

use super::carry_out::answer;
use super::desk::{Aside, Waiter};
use super::event_loop::{EventLoop, GROUP};
use super::info;
use super::put_off::PutOff;
use crate::front::{BUSY, READ_FAILED};
use crate::kv::{PREPARED_AT_ONCE, Query};
use crate::net::clients::ClientKey;

/// What was put off, and what this turn may still answer.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    put_off: PutOff,
    portion: Portion,
}

/// The reads of one turn.
#[derive(Debug, Default)]
struct Portion {
    began: Instant,
    /// What they have answered.
    bytes: usize,
    is_spent: bool,
}

impl Portion {
    /// Notes an answer of so many bytes.
    fn spend(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.is_spent |= self.bytes >= TURN_BYTES_MAX;
    }

    /// Notes what time it is after an answer that has taken a while.
    fn look(&mut self, now: Instant) {
        self.is_spent |= now.since(self.began) >= TURN_MAX;
    }
}

/// Begins a turn, with what was put off.
pub(super) fn open(cx: &mut EventLoop, now: Instant) {
    cx.reads.portion = Portion { began: now, ..Portion::default() };
    if !cx.reads.put_off.is_empty() {
        resume(cx, now);
    }
}

/// Answers the reads under `query`, which the group has let through.
pub(super) fn serve(cx: &mut EventLoop, query: QueryId) {
    let mut batch = cx.counter.queries().take(query);
    let (mut left, mut prepared) = (batch.drain(..), 0);
    loop {
        if prepared == 0 {
            prepared = prepare(cx, left.as_slice());
        }
        let Some((waiter, query)) = left.next() else { break };
        prepared -= 1;
        if may_answer(cx, &waiter) {
            read(cx, waiter, &query);
        } else {
            put_off(cx, waiter, Aside::Granted(query));
        }
    }
    drop(left);
    cx.counter.queries().recycle(batch);
}

/// Has the store prepare for the first of these reads, and says for how many.
fn prepare(cx: &EventLoop, reads: &[(Waiter, Query)]) -> usize {
    let next = &reads[..reads.len().min(PREPARED_AT_ONCE)];
    if next.len() > 1 {
        cx.store.machine().prepare_reads(next.iter().map(|(_, query)| query));
    }
    next.len()
}

/// Answers what this node can answer alone.
pub(super) fn asides(cx: &mut EventLoop, now: Instant) {
    for (waiter, aside) in cx.counter.take_asides() {
        let is_read = matches!(aside, Aside::Stale(..));
        if is_read && !may_answer(cx, &waiter) {
            put_off(cx, waiter, aside);
        } else {
            one(cx, now, waiter, aside);
        }
    }
}

/// Goes on with one client after the other, as far as this turn goes.
fn resume(cx: &mut EventLoop, now: Instant) {
    let clients: Vec<_> = cx.reads.put_off.clients().collect();
    for client in clients {
        while has_room(cx, client) {
            if cx.reads.portion.is_spent {
                return;
            }
            cx.reads.put_off.stopped_at(client);
            let Some((waiter, aside)) = cx.reads.put_off.pop(client) else { break };
            cx.counter.note(&waiter);
            one(cx, now, waiter, aside);
        }
    }
}

/// Whether something of this client was put off, and need not be any more.
fn has_room(cx: &EventLoop, client: ClientKey) -> bool {
    let first = cx.reads.put_off.first(client);
    first.is_some_and(|first| cx.clients.has_room(client, first.ticket) != Some(false))
}

/// Whether the next turn can answer something that was put off.
pub(super) fn has_more(cx: &EventLoop) -> bool {
    cx.reads.put_off.clients().any(|client| has_room(cx, client))
}

/// Whether nothing was put off.
pub(super) fn are_done(cx: &EventLoop) -> bool {
    cx.reads.put_off.is_empty()
}

fn one(cx: &mut EventLoop, now: Instant, waiter: Waiter, aside: Aside) {
    match aside {
        Aside::Info(sections) => {
            let reply = info::render(cx, now, &sections);
            answer(cx, waiter, reply);
        }
        Aside::Refused(reply) => answer(cx, waiter, reply),
        Aside::Stale(query, within) if !is_recent(cx, now, within) => {
            cx.counter.ask_group(waiter, query);
        }
        Aside::Stale(query, _) | Aside::Granted(query) => read(cx, waiter, &query),
    }
}

/// Whether what this node has is known to be no older than `within`.
fn is_recent(cx: &EventLoop, now: Instant, within: Option<Duration>) -> bool {
    within.is_none_or(|within| cx.core.age(GROUP, now).is_some_and(|age| age <= within))
}

/// Whether this turn may answer a read of this client. While others of theirs are put off, it
/// goes to its place among those. One that is gone is not in the way.
fn may_answer(cx: &EventLoop, waiter: &Waiter) -> bool {
    let Some(client) = waiter.client else { return true };
    if cx.reads.put_off.holds(client) {
        return false;
    }
    match cx.clients.has_room(client, waiter.ticket) {
        Some(has_room) => has_room && !cx.reads.portion.is_spent,
        None => true,
    }
}

fn read(cx: &mut EventLoop, waiter: Waiter, query: &Query) {
    let is_gone = |client| cx.clients.has_room(client, waiter.ticket).is_none();
    if waiter.client.is_some_and(is_gone) {
        return answer(cx, waiter, READ_FAILED);
    }
    let reply = cx.store.query(query);
    cx.reads.portion.spend(reply.weight());
    if !matches!(query, Query::Get { .. }) {
        cx.reads.portion.look(cx.clock.now());
    }
    answer(cx, waiter, reply);
}

/// Whoever waits here for their own sake takes nobody else's place at the counter.
fn put_off(cx: &mut EventLoop, waiter: Waiter, read: Aside) {
    let bytes = kept_bytes(&read);
    let is_kept =
        waiter.client.is_some_and(|client| cx.reads.put_off.push(client, waiter, read, bytes));
    if is_kept {
        cx.counter.settle(&waiter, false);
    } else {
        answer(cx, waiter, BUSY);
    }
}

fn kept_bytes(read: &Aside) -> usize {
    let mut bytes = size_of::<(Waiter, Aside)>();
    if let Aside::Granted(query) | Aside::Stale(query, _) = read {
        bytes += query.pattern().map_or(0, Bytes::len);
        query.each_key(&mut |key| bytes += size_of::<Bytes>() + key.len());
    }
    bytes
}

/// What the reads of one turn answer, in bytes; one answer may go beyond it.
const TURN_BYTES_MAX: usize = 32 << 20;
/// After so long, a turn answers no more reads. Much less than the patience of peers.
const TURN_MAX: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_answers_so_many_bytes_and_for_so_long() {
        let at = |ms: u64| Instant::from_micros(ms * 1000);
        let began = || Portion { began: at(100), ..Portion::default() };
        let mut portion = began();
        portion.spend(TURN_BYTES_MAX - 1);
        portion.look(at(119));
        assert!(!portion.is_spent);
        portion.spend(1);
        assert!(portion.is_spent);
        let mut portion = began();
        portion.look(at(120));
        assert!(portion.is_spent);
    }
}
