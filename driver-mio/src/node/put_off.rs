//! Reads that wait for a later turn, or for their client to take what it was answered (pure).
//!
//! Each client has a line of its own: nobody waits because of somebody else's, and who has
//! the longest is refused first. A turn goes on where the last one stopped.
//!
//! Invariant: a line is in the order in which its client has asked. Answers are taken in
//! that order: one that stood before an earlier one would wait for room, and all the room
//! there is might be taken by answers that wait for the earlier one.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use super::desk::{Aside, Waiter};
use crate::net::clients::ClientKey;

/// The lines of all clients.
#[derive(Debug, Default)]
pub(crate) struct PutOff {
    /// None of them is empty.
    lines: BTreeMap<ClientKey, Line>,
    /// What all take in memory.
    bytes: usize,
    /// Whose turn was last.
    last: ClientKey,
}

#[derive(Debug, Default)]
struct Line {
    reads: VecDeque<(Waiter, Aside, usize)>,
    bytes: usize,
}

impl PutOff {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether something of this client waits.
    pub(super) fn holds(&self, client: ClientKey) -> bool {
        !self.lines.is_empty() && self.lines.contains_key(&client)
    }

    /// Keeps a read that takes so many bytes. False if all together take too much, and this
    /// client its share of that.
    pub(super) fn push(
        &mut self,
        client: ClientKey,
        waiter: Waiter,
        read: Aside,
        bytes: usize,
    ) -> bool {
        let line = self.lines.get(&client);
        let others = self.lines.len() - usize::from(line.is_some());
        let own = line.map_or(0, |line| line.bytes);
        if self.bytes + bytes > BYTES_MAX && own + bytes > BYTES_MAX / (others + 1) {
            return false;
        }
        let line = self.lines.entry(client).or_default();
        // Mostly the last: few come back from the group later than what was asked after them.
        let at = line.reads.partition_point(|(other, ..)| other.ticket <= waiter.ticket);
        line.reads.insert(at, (waiter, read, bytes));
        line.bytes += bytes;
        self.bytes += bytes;
        true
    }

    /// Takes the read that a client has asked first.
    pub(super) fn pop(&mut self, client: ClientKey) -> Option<(Waiter, Aside)> {
        let line = self.lines.get_mut(&client)?;
        let (waiter, read, bytes) = line.reads.pop_front()?;
        line.bytes -= bytes;
        self.bytes -= bytes;
        if line.reads.is_empty() {
            self.lines.remove(&client);
        }
        Some((waiter, read))
    }

    /// Who waits for the first read of a client.
    pub(super) fn first(&self, client: ClientKey) -> Option<&Waiter> {
        self.lines.get(&client).and_then(|line| line.reads.front()).map(|(waiter, ..)| waiter)
    }

    /// Those that wait, beginning after the one whose turn was last.
    pub(super) fn clients(&self) -> impl Iterator<Item = ClientKey> {
        let after = (Bound::Excluded(self.last), Bound::Unbounded);
        let lines = self.lines.range(after).chain(self.lines.range(..=self.last));
        lines.map(|(client, _)| *client)
    }

    /// Notes whose turn it was.
    pub(super) fn stopped_at(&mut self, client: ClientKey) {
        self.last = client;
    }
}

/// What all together may take, unless each takes its share only: then a few times as much.
const BYTES_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::Ticket;
    use crate::kv::Query;

    fn put(put_off: &mut PutOff, client: u32, bytes: usize) -> bool {
        let client = ClientKey::of_test(client);
        put_off.push(client, Waiter::of_nobody(), Aside::Granted(Query::Count), bytes)
    }

    #[test]
    fn who_takes_the_most_is_refused_first() {
        let mut put_off = PutOff::default();
        while put(&mut put_off, 1, 1 << 20) {}
        assert_eq!(put_off.bytes, BYTES_MAX);
        let mut others = 0;
        while put(&mut put_off, 2, 1 << 20) {
            others += 1;
        }
        assert_eq!(others, 32, "half, for one of two");
        assert!(put(&mut put_off, 3, 1 << 20) && !put(&mut put_off, 1, 1 << 20));
        for client in 1..=3 {
            while put_off.pop(ClientKey::of_test(client)).is_some() {}
        }
        assert_eq!((put_off.bytes, put_off.is_empty()), (0, true));
        assert!(put(&mut put_off, 1, 1 << 20));
    }

    #[test]
    fn the_read_that_was_asked_first_is_first_whenever_it_came() {
        let mut put_off = PutOff::default();
        let client = ClientKey::of_test(1);
        for ticket in [3, 5, 0, 4] {
            let mut waiter = Waiter::of_nobody();
            waiter.ticket = Ticket(ticket);
            assert!(put_off.push(client, waiter, Aside::Granted(Query::Count), 1));
        }
        let mut order = Vec::new();
        while let Some((waiter, _)) = put_off.pop(client) {
            order.push(waiter.ticket.0);
        }
        assert_eq!(order, [0, 3, 4, 5]);
    }

    #[test]
    fn each_has_its_turn() {
        let mut put_off = PutOff::default();
        for client in [4, 7, 9] {
            assert!(put(&mut put_off, client, 1));
        }
        let mut order = Vec::new();
        for _ in 0..4 {
            let client = put_off.clients().next().expect("three wait");
            assert!(put_off.holds(client) && put_off.first(client).is_some());
            put_off.stopped_at(client);
            order.push(client);
        }
        assert_eq!(order, [4, 7, 9, 4].map(ClientKey::of_test));
        assert_eq!(put_off.clients().count(), 3);
    }
}
