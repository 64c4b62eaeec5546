//! The session table: which command of which client was executed last, and what
//! it answered. Part of the replicated state: it changes only by delivery, so all
//! replicas agree on it.
//!
//! A client counts its commands from 1 and has at most one under way. When the
//! table is full, by sessions or by bytes of replies, the session that was quiet for longest is forgotten; a retry
//! from a forgotten session is refused, never executed again, unless it is the
//! session's very first command: a first command opens the session.

use alloc::collections::BTreeMap;

use crate::types::{ClientId, Slot};

/// The table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sessions<R> {
    table: BTreeMap<ClientId, Session<R>>,
    /// By the slot of the last command: who has been quiet for longest.
    ///
    /// Invariant: holds exactly the sessions of `table`.
    by_age: BTreeMap<Slot, ClientId>,
    max: usize,
    /// What all replies weigh.
    bytes: usize,
    bytes_max: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Session<R> {
    sequence: u64,
    slot: Slot,
    reply: R,
    bytes: usize,
}

/// What the table knows of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<R> {
    /// Nothing stands in the way of executing it.
    New,
    /// Executed before, with this reply.
    Done(R),
    /// A later one of the same session was executed.
    Stale,
    /// No such session.
    Unknown,
}

impl<R: Clone> Sessions<R> {
    /// A table for at most `max` sessions and `bytes_max` bytes of replies. The
    /// latest session is always remembered.
    pub fn new(max: usize, bytes_max: usize) -> Sessions<R> {
        let (table, by_age) = (BTreeMap::new(), BTreeMap::new());
        Sessions { table, by_age, max, bytes: 0, bytes_max }
    }

    /// How many sessions are remembered.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no session is remembered.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Every session, the quietest first: its client, the sequence, slot and reply of
    /// its last command, and what that reply weighs. A table of the same bounds that
    /// is told to [`remember`](Sessions::remember) them in this order is equal to this
    /// one: what an image of the state keeps.
    pub fn iter(&self) -> impl Iterator<Item = (ClientId, u64, Slot, (&R, usize))> {
        self.by_age.values().filter_map(|client| {
            let session = self.table.get(client)?;
            Some((*client, session.sequence, session.slot, (&session.reply, session.bytes)))
        })
    }

    /// Looks a command up. A command outside any session is always new.
    pub fn look_up(&self, client: ClientId, sequence: u64) -> Seen<R> {
        if client == ClientId(0) {
            return Seen::New;
        }
        match self.table.get(&client) {
            None if sequence <= 1 => Seen::New,
            None => Seen::Unknown,
            Some(s) if sequence == s.sequence => Seen::Done(s.reply.clone()),
            Some(s) if sequence < s.sequence => Seen::Stale,
            Some(_) => Seen::New,
        }
    }

    /// Remembers the reply to a command that was new and is executed now, with what
    /// it weighs in bytes.
    pub fn remember(&mut self, client: ClientId, sequence: u64, slot: Slot, reply: (R, usize)) {
        if client == ClientId(0) {
            return;
        }
        let (reply, bytes) = reply;
        self.bytes += bytes;
        if let Some(before) = self.table.insert(client, Session { sequence, slot, reply, bytes }) {
            self.bytes -= before.bytes;
            self.by_age.remove(&before.slot);
        }
        self.by_age.insert(slot, client);
        while self.table.len() > 1 && (self.table.len() > self.max || self.bytes > self.bytes_max) {
            self.forget_quietest();
        }
    }

    fn forget_quietest(&mut self) {
        if let Some((_, quiet)) = self.by_age.pop_first()
            && let Some(session) = self.table.remove(&quiet)
        {
            self.bytes -= session.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ClientId = ClientId(1);

    #[test]
    fn a_retry_gets_the_first_reply() {
        let mut sessions = Sessions::new(4, 1000);
        assert_eq!(sessions.look_up(A, 1), Seen::New);
        sessions.remember(A, 1, Slot(5), ("one", 3));
        assert_eq!(sessions.look_up(A, 1), Seen::Done("one"));
        sessions.remember(A, 2, Slot(6), ("two", 3));
        assert_eq!(sessions.look_up(A, 1), Seen::Stale);
        assert_eq!(sessions.look_up(A, 3), Seen::New);
    }

    #[test]
    fn commands_outside_sessions_are_always_new() {
        let mut sessions = Sessions::new(4, 1000);
        sessions.remember(ClientId(0), 1, Slot(1), ((), 0));
        assert_eq!(sessions.look_up(ClientId(0), 1), Seen::New);
        assert!(sessions.is_empty());
    }

    #[test]
    fn the_quietest_session_is_forgotten_first_and_never_executed_again() {
        let mut sessions = Sessions::new(2, 1000);
        for (client, sequence, slot) in [(1, 1, 1), (2, 1, 2), (1, 2, 3), (3, 1, 4)] {
            sessions.remember(ClientId(client), sequence, Slot(slot), (slot, 8));
        }
        assert_eq!(sessions.len(), 2);
        assert_eq!(sessions.look_up(ClientId(2), 2), Seen::Unknown);
        assert_eq!(sessions.look_up(ClientId(1), 2), Seen::Done(3));
        assert_eq!(sessions.look_up(ClientId(3), 1), Seen::Done(4));
    }

    #[test]
    fn a_table_told_again_is_equal() {
        let mut sessions = Sessions::new(3, 1000);
        for (client, sequence, slot) in [(4, 1, 1), (2, 1, 2), (9, 3, 3), (4, 2, 5), (7, 1, 6)] {
            sessions.remember(ClientId(client), sequence, Slot(slot), (slot, 100));
        }
        let mut told = Sessions::new(3, 1000);
        for (client, sequence, slot, (reply, bytes)) in sessions.iter() {
            told.remember(client, sequence, slot, (*reply, bytes));
        }
        assert_eq!(told, sessions);
        assert!(told.iter().map(|(client, ..)| client.0).eq([9, 4, 7]));
    }

    #[test]
    fn long_replies_crowd_out_quiet_sessions() {
        let mut sessions = Sessions::new(100, 1000);
        for client in 1..=4 {
            sessions.remember(ClientId(client), 1, Slot(client), ((), 300));
        }
        assert_eq!(sessions.len(), 3);
        sessions.remember(ClientId(9), 1, Slot(9), ((), 5000));
        assert_eq!((sessions.len(), sessions.bytes), (1, 5000), "the latest is always kept");
        sessions.remember(ClientId(9), 2, Slot(10), ((), 1));
        assert_eq!((sessions.len(), sessions.bytes), (1, 1));
    }
}
