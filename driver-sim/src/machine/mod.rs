//! What a node replicates in the simulator: a few cells and the real key-value machine, behind
//! the core's session table.
//!
//! The cells are for the checkers that follow each operation: small and obviously deterministic.
//! The bank's digest folds every slot, command and reply, in order: two banks with equal digests
//! have given equal answers throughout.

mod image;
mod shop;

use bytes::{BufMut, Bytes, BytesMut};
use paxos_core::service::{Applied, Machine, Service};
use paxos_core::types::{Slot, Value};

use self::shop::Shop;
use crate::check::mix;

/// What a command does to one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    /// Sets the cell.
    Set(u64),
    /// Sets the cell if it holds `old`.
    Swap {
        /// What it must hold.
        old: u64,
        /// What it holds afterwards.
        new: u64,
    },
    /// Adds to the cell, wrapping.
    Add(u64),
    /// Puts a digit behind the number in the cell (base 1,000, wrapping): orders matter.
    Append(u64),
}

impl Ask {
    /// Does it; the answer is whether something was done, and what the cell holds now.
    pub(crate) fn apply(self, cell: &mut u64) -> (bool, u64) {
        let old = *cell;
        let done = match self {
            Ask::Set(value) => replace(cell, value),
            Ask::Swap { old: expected, new } => expected == old && replace(cell, new),
            Ask::Add(by) => replace(cell, old.wrapping_add(by)),
            Ask::Append(digit) => replace(cell, old.wrapping_mul(1_000).wrapping_add(digit)),
        };
        (done, *cell)
    }
}

fn replace(cell: &mut u64, value: u64) -> bool {
    *cell = value;
    true
}

/// What a command answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reply {
    /// Whether something was done.
    pub(crate) done: bool,
    /// What the cell holds now.
    pub(crate) value: u64,
    /// Where the command took effect.
    pub(crate) slot: Slot,
}

/// Bytes of a payload that are for the cells; the rest is for the real machine.
pub(crate) const CELL_BYTES: usize = 26;

/// Writes a command's payload; `mark` makes it unlike every other, `length` makes it at least so
/// long.
pub(crate) fn encode(key: u8, mark: u64, ask: Ask, length: usize) -> Bytes {
    let shop = shop::payload(mark, length);
    let mut bytes = BytesMut::with_capacity(CELL_BYTES + shop.len());
    let (tag, one, two) = match ask {
        Ask::Set(value) => (0, value, 0),
        Ask::Swap { old, new } => (1, old, new),
        Ask::Add(by) => (2, by, 0),
        Ask::Append(digit) => (3, digit, 0),
    };
    bytes.put_u8(tag);
    bytes.put_u8(key);
    bytes.put_u64(mark);
    bytes.put_u64(one);
    bytes.put_u64(two);
    bytes.put(shop);
    bytes.freeze()
}

/// Reads a payload; none if it is no command.
pub(crate) fn decode(payload: &[u8]) -> Option<(u8, Ask)> {
    let (head, numbers) = payload.split_at_checked(2)?;
    let number = |at: usize| Some(u64::from_be_bytes(numbers.get(at..at + 8)?.try_into().ok()?));
    let (one, two) = (number(8)?, number(16)?);
    let ask = match head[0] {
        0 => Ask::Set(one),
        1 => Ask::Swap { old: one, new: two },
        2 => Ask::Add(one),
        3 => Ask::Append(one),
        _ => return None,
    };
    Some((head[1], ask))
}

/// What a node keeps for one group.
#[derive(Clone, Debug)]
struct Cells {
    cells: [u64; Bank::KEYS],
    shop: Shop,
}

impl Machine for Cells {
    type Reply = Reply;

    fn apply(&mut self, slot: Slot, payload: &Bytes) -> Reply {
        let cells = &mut self.cells;
        let (done, value) = decode(payload)
            .map_or((false, 0), |(key, ask)| ask.apply(&mut cells[usize::from(key) % Bank::KEYS]));
        if payload.len() > CELL_BYTES {
            self.shop.apply(slot, &payload.slice(CELL_BYTES..));
        }
        Reply { done, value, slot }
    }
}

/// The state of one group on one node: the core's own service, and a sum over its history.
#[derive(Clone, Debug)]
pub(crate) struct Bank {
    service: Service<Cells>,
    digest: u64,
    /// What each slot from `since` on answered, for answers that come late.
    replies: Vec<Option<Reply>>,
    /// The first slot that this very machine has applied: everything below came with an image.
    since: Slot,
}

impl Bank {
    /// How many cells there are.
    pub(crate) const KEYS: usize = 8;

    /// More sessions than a run has, so that none is ever forgotten.
    const SESSIONS_MAX: usize = 1 << 20;

    /// Nothing applied yet.
    pub(crate) fn new() -> Bank {
        let cells = Cells { cells: [0; Self::KEYS], shop: Shop::new() };
        Bank {
            service: Service::new(cells, Self::SESSIONS_MAX, usize::MAX),
            digest: 0,
            replies: Vec::new(),
            since: Slot::FIRST,
        }
    }

    /// The first slot that is not applied.
    pub(crate) fn next(&self) -> Slot {
        self.service.next()
    }

    /// The sum over everything applied so far.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// What a cell holds.
    pub(crate) fn read(&self, key: u8) -> u64 {
        self.service.machine().cells[usize::from(key) % Self::KEYS]
    }

    /// The first slot whose answer is known: those below came with an image.
    pub(crate) fn since(&self) -> Slot {
        self.since
    }

    /// What an applied slot answered; none if it is not known.
    pub(crate) fn reply(&self, slot: Slot) -> Option<Reply> {
        *self.replies.get(usize::try_from(slot.0.checked_sub(self.since.0)?).ok()?)?
    }

    /// Applies what is chosen at the next slot; `hash` is the value's. None for a no-op, and for
    /// a command that came too late in its session.
    pub(crate) fn apply(&mut self, value: &Value, hash: u64) -> Option<Reply> {
        let slot = self.service.next();
        let reply = match self.service.apply(slot, value) {
            Some(Applied::Done(reply)) => Some(reply),
            Some(Applied::Stale | Applied::Forgotten) | None => None,
        };
        let told = reply.map_or(0, |r| mix(r.value, r.slot.0 << 1 | u64::from(r.done)));
        let shop = self.service.machine().shop.digest();
        self.digest = mix(mix(self.digest, slot.0), mix(hash, mix(told, shop)));
        self.replies.push(reply);
        reply
    }
}

#[cfg(test)]
mod tests {
    use paxos_core::types::{ClientId, Command};

    use super::*;

    fn command(client: u64, sequence: u64, ask: Ask) -> Value {
        Value::Command(Command {
            client: ClientId(client),
            sequence,
            payload: encode(1, 9, ask, 0),
        })
    }

    #[test]
    fn payloads_come_back() {
        for ask in [Ask::Set(3), Ask::Swap { old: 1, new: 2 }, Ask::Add(u64::MAX), Ask::Append(5)] {
            assert_eq!(decode(&encode(7, 11, ask, 0)), Some((7, ask)));
            assert_eq!(decode(&encode(7, 11, ask, 99)), Some((7, ask)));
        }
        assert_eq!(decode(b"short"), None);
    }

    #[test]
    fn a_session_acts_once_and_answers_twice() {
        let mut bank = Bank::new();
        let first = bank.apply(&command(5, 1, Ask::Add(2)), 0);
        let again = bank.apply(&command(5, 1, Ask::Add(2)), 0);
        assert_eq!(first, again);
        assert_eq!(bank.read(1), 2);
        assert_eq!(again.map(|reply| reply.slot), Some(Slot(1)), "where it took effect");
        bank.apply(&command(5, 2, Ask::Add(2)), 0);
        assert_eq!(bank.apply(&command(5, 1, Ask::Add(2)), 0), None, "too late");
        assert_eq!(bank.read(1), 4);
    }

    #[test]
    fn digests_know_the_order() {
        let (one, two) = (command(0, 0, Ask::Add(1)), command(0, 0, Ask::Add(2)));
        let digest = |values: [(&Value, u64); 2]| {
            let mut bank = Bank::new();
            values.into_iter().for_each(|(value, hash)| {
                bank.apply(value, hash);
            });
            bank.digest()
        };
        assert_ne!(digest([(&one, 1), (&two, 2)]), digest([(&two, 2), (&one, 1)]));
    }
}
