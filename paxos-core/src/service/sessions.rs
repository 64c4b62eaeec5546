//! The session table: which command of which client was executed last, and what
//! it answered. Part of the replicated state: it changes only by delivery, so all
//! replicas agree on it.
//!
//! A client counts its commands from 1 and has at most one under way. When the
//! table is full, by sessions or by bytes of replies, the session that was quiet for longest is forgotten; a retry
//! from a forgotten session is refused, never executed again, unless it is the
//! session's very first command: a first command opens the session.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use crate::types::{ClientId, Slot};

/// The table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sessions<R> {
    /// By a hash of the client. A shard that someone else looks at is copied before
    /// it is changed.
    shards: Vec<Arc<Shard<R>>>,
    /// By the slot of the last command: who has been quiet for longest.
    ///
    /// Invariant: holds exactly the sessions of `shards`.
    by_age: BTreeMap<Slot, ClientId>,
    max: usize,
    /// What all replies weigh.
    bytes: usize,
    bytes_max: usize,
}

type Shard<R> = BTreeMap<ClientId, Session<R>>;

/// One session: its last command, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session<R> {
    /// The command's number.
    pub sequence: u64,
    /// Where it was executed.
    pub slot: Slot,
    /// What it answered.
    pub reply: R,
    /// What that weighs.
    pub bytes: usize,
}

/// A table at one moment, which may be looked at while the table goes on.
#[derive(Clone, Debug)]
pub struct FrozenSessions<R> {
    shards: Vec<Arc<Shard<R>>>,
}

impl<R> FrozenSessions<R> {
    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every session, the quietest first: see [`Sessions::iter`]. Sorts them.
    pub fn oldest_first(&self) -> Vec<(ClientId, &Session<R>)> {
        let all = self.shards.iter().flat_map(|shard| shard.iter());
        let mut all: Vec<_> = all.map(|(client, session)| (*client, session)).collect();
        all.sort_unstable_by_key(|(_, session)| session.slot);
        all
    }
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
        // All shards are one until something is put into them.
        let (shards, by_age) = (vec![Arc::default(); SHARDS], BTreeMap::new());
        Sessions { shards, by_age, max, bytes: 0, bytes_max }
    }

    /// How many sessions are remembered.
    pub fn len(&self) -> usize {
        self.by_age.len()
    }

    /// Whether no session is remembered.
    pub fn is_empty(&self) -> bool {
        self.by_age.is_empty()
    }

    /// Every session, the quietest first: its client, the sequence, slot and reply of
    /// its last command, and what that reply weighs. A table of the same bounds that
    /// is told to [`remember`](Sessions::remember) them in this order is equal to this
    /// one: what an image of the state keeps.
    pub fn iter(&self) -> impl Iterator<Item = (ClientId, u64, Slot, (&R, usize))> {
        self.by_age.values().filter_map(|client| {
            let session = self.shards[shard_of(*client)].get(client)?;
            Some((*client, session.sequence, session.slot, (&session.reply, session.bytes)))
        })
    }

    /// The table as it is now, for as long as someone looks at it. Costs next to
    /// nothing, and the first change of each of a few hundred parts costs a copy of it.
    pub fn freeze(&self) -> FrozenSessions<R> {
        FrozenSessions { shards: self.shards.clone() }
    }

    /// Looks a command up. A command outside any session is always new.
    pub fn look_up(&self, client: ClientId, sequence: u64) -> Seen<R> {
        if client == ClientId(0) {
            return Seen::New;
        }
        match self.shards[shard_of(client)].get(&client) {
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
        let session = Session { sequence, slot, reply, bytes };
        if let Some(before) = self.shard(client).insert(client, session) {
            self.bytes -= before.bytes;
            self.by_age.remove(&before.slot);
        }
        self.by_age.insert(slot, client);
        while self.by_age.len() > 1 && (self.by_age.len() > self.max || self.bytes > self.bytes_max)
        {
            self.forget_quietest();
        }
    }

    fn forget_quietest(&mut self) {
        if let Some((_, quiet)) = self.by_age.pop_first()
            && let Some(session) = self.shard(quiet).remove(&quiet)
        {
            self.bytes -= session.bytes;
        }
    }

    fn shard(&mut self, client: ClientId) -> &mut Shard<R> {
        Arc::make_mut(&mut self.shards[shard_of(client)])
    }
}

/// With a hundred thousand sessions, a shard that is copied holds four hundred.
const SHARDS: usize = 1 << SHARD_BITS;
const SHARD_BITS: u32 = 8;

/// Clients draw their numbers as they like: the high bits of the product depend on
/// all of them.
fn shard_of(client: ClientId) -> usize {
    (client.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - SHARD_BITS)) as usize
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
        sessions.remember(ClientId(3), 1, Slot(11), ((), 999));
        assert_eq!((sessions.len(), sessions.bytes), (2, 1000), "to the byte");
    }

    #[test]
    fn a_frozen_table_sees_no_later_change_and_tells_all_in_order() {
        let mut sessions = Sessions::new(300, 1_000_000);
        for n in 1..=400u64 {
            sessions.remember(ClientId(n * 7), 1, Slot(n), (n, 8));
        }
        let (frozen, before) = (sessions.freeze(), sessions.clone());
        for n in 1..=400u64 {
            sessions.remember(ClientId(n * 7), 2, Slot(400 + n), (0, 8));
        }
        let mut retold = Sessions::new(300, 1_000_000);
        for (client, s) in frozen.oldest_first() {
            retold.remember(client, s.sequence, s.slot, (s.reply, s.bytes));
        }
        assert_eq!((frozen.len(), frozen.is_empty(), sessions.is_empty()), (300, false, false));
        assert!(Sessions::<u64>::new(1, 1).freeze().is_empty());
        assert_eq!(retold, before);
        assert_ne!(retold, sessions);
    }
}
