//! Reads that this node may answer: how many in one turn, and which of them later.
//!
//! To look at every key takes a while, and an answer may be long. So a turn answers only
//! so many, or its peers would hear nothing of this node for too long; and who has not
//! taken what was answered before gets no more. What is put off is read from a later
//! state, which is as good: who has asked still waits.
//!
//! Invariant: reads of one client that were let through are answered in that order.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use paxos_core::types::{Instant, QueryId};

use super::carry_out::answer;
use super::desk::{Aside, Waiter};
use super::event_loop::{EventLoop, GROUP};
use super::info;
use crate::front::{BUSY, READ_FAILED, is_walk};
use crate::kv::Query;

/// What was put off, and what this turn may still answer.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    put_off: VecDeque<(Waiter, Aside)>,
    /// What those take in memory.
    put_off_bytes: usize,
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

impl Reads {
    /// Begins a turn.
    pub(super) fn open(&mut self, now: Instant) {
        self.portion = Portion { began: now, ..Portion::default() };
    }

    /// Keeps a read for later; false if too many are kept.
    fn put_off(&mut self, waiter: Waiter, read: Aside) -> bool {
        let bytes = kept_bytes(&read);
        if self.put_off_bytes + bytes > PUT_OFF_BYTES_MAX {
            return false;
        }
        self.put_off_bytes += bytes;
        self.put_off.push_back((waiter, read));
        true
    }

    fn take_put_off(&mut self) -> VecDeque<(Waiter, Aside)> {
        self.put_off_bytes = 0;
        std::mem::take(&mut self.put_off)
    }
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

/// Answers the reads under `query`, which the group has let through.
pub(super) fn serve(cx: &mut EventLoop, query: QueryId) {
    let mut batch = cx.counter.queries().take(query);
    for (waiter, query) in batch.drain(..) {
        // None overtakes what was put off.
        if cx.reads.put_off.is_empty() && may_answer(cx, &waiter) {
            read(cx, waiter, &query);
        } else {
            put_off(cx, waiter, Aside::Granted(query));
        }
    }
    cx.counter.queries().recycle(batch);
}

/// Answers what this node can answer alone, and what was put off.
pub(super) fn asides(cx: &mut EventLoop, now: Instant) {
    for (waiter, aside) in cx.reads.take_put_off() {
        cx.counter.note(&waiter);
        one(cx, now, waiter, aside);
    }
    for (waiter, aside) in cx.counter.take_asides() {
        one(cx, now, waiter, aside);
    }
}

/// Whether the next turn can answer something that was put off.
pub(super) fn has_more(cx: &EventLoop) -> bool {
    let waits = |waiter: &Waiter| {
        waiter.client.and_then(|client| cx.clients.has_room(client, waiter.ticket)) == Some(false)
    };
    cx.reads.put_off.iter().any(|(waiter, _)| !waits(waiter))
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
        Aside::Stale(query, _) | Aside::Granted(query) if may_answer(cx, &waiter) => {
            read(cx, waiter, &query);
        }
        Aside::Stale(..) | Aside::Granted(_) => put_off(cx, waiter, aside),
    }
}

/// Whether what this node has is known to be no older than `within`.
fn is_recent(cx: &EventLoop, now: Instant, within: Option<Duration>) -> bool {
    within.is_none_or(|within| cx.core.age(GROUP, now).is_some_and(|age| age <= within))
}

/// Whether this turn may answer a read of this client. One that is gone is not in the way.
fn may_answer(cx: &EventLoop, waiter: &Waiter) -> bool {
    let Some(client) = waiter.client else { return true };
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
    if is_walk(query) {
        cx.reads.portion.look(cx.clock.now());
    }
    answer(cx, waiter, reply);
}

/// Whoever waits here for their own sake takes nobody else's place at the counter.
fn put_off(cx: &mut EventLoop, waiter: Waiter, read: Aside) {
    if cx.reads.put_off(waiter, read) {
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
/// What the reads that were put off may hold, over all clients. Beyond, they are refused.
const PUT_OFF_BYTES_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_answers_so_many_bytes_and_for_so_long() {
        let at = |ms: u64| Instant::from_micros(ms * 1000);
        let mut reads = Reads::default();
        reads.open(at(100));
        reads.portion.spend(TURN_BYTES_MAX - 1);
        reads.portion.look(at(119));
        assert!(!reads.portion.is_spent);
        reads.portion.spend(1);
        assert!(reads.portion.is_spent);
        reads.open(at(200));
        assert!(!reads.portion.is_spent);
        reads.portion.look(at(220));
        assert!(reads.portion.is_spent);
    }

    #[test]
    fn only_so_much_is_put_off() {
        let mut reads = Reads::default();
        let waiter = Waiter::of_nobody();
        let long = Query::Exists { keys: vec![vec![b'k'; 1 << 20].into(); 16] };
        let mut kept = 0;
        while reads.put_off(waiter, Aside::Granted(long.clone())) {
            kept += 1;
        }
        assert_eq!(kept, 3, "of somewhat more than 16 MiB each");
        assert_eq!(reads.take_put_off().len(), 3);
        assert!(reads.put_off(waiter, Aside::Granted(long)));
    }
}
