//! A state machine behind a session table.

use bytes::Bytes;

use super::{Seen, Sessions};
use crate::types::{Slot, Value};

/// A deterministic state machine: two that apply the same commands at the same
/// slots are in the same state and give the same replies.
pub trait Machine {
    /// What a command answers. Kept in the session table for retries.
    type Reply: Clone;

    /// Applies the command chosen at `slot`. Never fails: what a payload cannot
    /// ask for is answered with a reply that says so.
    fn apply(&mut self, slot: Slot, payload: &Bytes) -> Self::Reply;

    /// Roughly what keeping `reply` costs in bytes. All replicas must agree on it:
    /// it decides which sessions are forgotten.
    fn reply_bytes(_reply: &Self::Reply) -> usize {
        size_of::<Self::Reply>()
    }
}

/// What became of a delivered command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied<R> {
    /// Executed, now or when it was first delivered: the machine's reply.
    Done(R),
    /// Not executed: the session has gone on to a later sequence, and the reply
    /// is forgotten. The command took effect if its client once had it answered.
    Stale,
    /// Not executed: the table knows no such session, and this is not its first
    /// command. Whether an earlier try took effect is forgotten.
    Forgotten,
}

/// A state machine that executes every command of a session once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Service<M: Machine> {
    machine: M,
    sessions: Sessions<M::Reply>,
    next: Slot,
}

impl<M: Machine> Service<M> {
    /// A service that starts at the first slot and remembers at most
    /// `sessions_max` clients, and `reply_bytes_max` bytes of replies to them.
    pub fn new(machine: M, sessions_max: usize, reply_bytes_max: usize) -> Service<M> {
        let sessions = Sessions::new(sessions_max, reply_bytes_max);
        Service { machine, sessions, next: Slot::FIRST }
    }

    /// A service that goes on where an image of it was taken: `machine` and `sessions`
    /// hold the effect of every slot below `next`, and of no other.
    pub fn resume(machine: M, sessions: Sessions<M::Reply>, next: Slot) -> Service<M> {
        Service { machine, sessions, next }
    }

    /// The state machine.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// The slot that is to be applied next.
    pub fn next(&self) -> Slot {
        self.next
    }

    /// How many sessions are remembered.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// The session table: as much part of the state as the machine is.
    pub fn session_table(&self) -> &Sessions<M::Reply> {
        &self.sessions
    }

    /// Applies what is chosen at `slot`, the one after the last. None for a no-op,
    /// and for a slot that is out of turn, which changes nothing.
    pub fn apply(&mut self, slot: Slot, value: &Value) -> Option<Applied<M::Reply>> {
        if slot != self.next {
            return None;
        }
        self.next = slot.next();
        let Value::Command(command) = value else { return None };
        let (client, sequence) = (command.client, command.sequence);
        match self.sessions.look_up(client, sequence) {
            Seen::Done(reply) => Some(Applied::Done(reply)),
            Seen::Stale => Some(Applied::Stale),
            Seen::Unknown => Some(Applied::Forgotten),
            Seen::New => {
                let reply = self.machine.apply(slot, &command.payload);
                let kept = (reply.clone(), M::reply_bytes(&reply));
                self.sessions.remember(client, sequence, slot, kept);
                Some(Applied::Done(reply))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ClientId, Command, Membership, NodeId};

    /// Tells how much it has applied, and where.
    struct Tally(u64);

    impl Machine for Tally {
        type Reply = (u64, Slot);

        fn apply(&mut self, slot: Slot, payload: &Bytes) -> (u64, Slot) {
            self.0 += payload.len() as u64;
            (self.0, slot)
        }
    }

    fn command(client: u64, sequence: u64, payload: &'static [u8]) -> Value {
        let payload = Bytes::from_static(payload);
        Value::Command(Command { client: ClientId(client), sequence, payload })
    }

    #[test]
    fn each_slot_is_applied_once_and_in_order() {
        let mut service = Service::new(Tally(0), 2, 1000);
        let done = |sum, slot| Some(Applied::Done((sum, Slot(slot))));
        assert_eq!(service.next(), Slot::FIRST);
        assert_eq!(service.apply(Slot(2), &command(0, 0, b"early")), None);
        assert_eq!(service.apply(Slot(1), &command(0, 0, b"a")), done(1, 1));
        assert_eq!(service.apply(Slot(1), &command(0, 0, b"late")), None);
        assert_eq!(service.apply(Slot(2), &Value::Noop), None);
        let config = Value::Config(Membership::majority([NodeId(1)]).into());
        assert_eq!(service.apply(Slot(3), &config), None);
        assert_eq!((service.next(), service.machine().0), (Slot(4), 1));
        assert_eq!(service.apply(Slot(4), &command(0, 0, b"bb")), done(3, 4));
        assert_eq!((service.sessions(), service.session_table().len()), (0, 0));
    }

    #[test]
    fn a_command_of_a_session_is_executed_once_or_refused() {
        let mut service = Service::new(Tally(0), 1, 1000);
        let done = |sum, slot| Some(Applied::Done((sum, Slot(slot))));
        assert_eq!(service.apply(Slot(1), &command(8, 1, b"a")), done(1, 1));
        assert_eq!(service.apply(Slot(2), &command(8, 2, b"b")), done(2, 2));
        assert_eq!(service.apply(Slot(3), &command(8, 2, b"b")), done(2, 2));
        assert_eq!(service.apply(Slot(4), &command(8, 1, b"a")), Some(Applied::Stale));
        assert_eq!((service.sessions(), service.session_table().len()), (1, 1));
        assert_eq!(service.apply(Slot(5), &command(9, 1, b"c")), done(3, 5));
        assert_eq!(service.apply(Slot(6), &command(8, 3, b"d")), Some(Applied::Forgotten));
        let (table, next) = (service.session_table().clone(), service.next());
        let mut later = Service::resume(Tally(3), table, next);
        assert_eq!(later.apply(Slot(7), &command(9, 1, b"c")), done(3, 5));
    }

    /// Unless a machine says otherwise, a reply weighs what it takes itself.
    #[test]
    fn replies_have_a_weight() {
        assert_eq!(Tally::reply_bytes(&(1, Slot(1))), size_of::<(u64, Slot)>());
    }
}
