//! The real key-value machine, in the simulator: every command carries a payload for it beside
//! the one for the cells, so that it lives through the same crashes, retries and replays, with
//! stamps from clocks that disagree.
//!
//! What it answers and what it holds is folded into the bank's digest, and digests of all
//! replicas must agree at every slot.

use std::hash::{Hash, Hasher};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use driver_mio::kv::{Limits, Machine, Request, Restore, parse};
use paxos_core::types::{Slot, StateHasher};

use crate::check::mix;

/// The real machine, and what it has said so far.
#[derive(Clone, Debug)]
pub(super) struct Shop {
    machine: Machine,
    digest: u64,
}

/// Slots between two looks at the whole state.
const LOOK_EVERY: u64 = 64;

/// Keys that the commands are about.
const KEYS: u64 = 5;

impl Shop {
    pub(super) fn new() -> Shop {
        Shop { machine: Machine::new(Limits::default()), digest: 0 }
    }

    /// The sum over everything applied so far.
    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    /// Appends everything that it is, in the real machine's own image.
    pub(super) fn freeze(&self, out: &mut BytesMut) {
        out.put_u64(self.digest);
        self.machine.image().chunks(1 << 12).for_each(|chunk| out.put(chunk));
    }

    /// Reads what was frozen; none if the real machine refuses it.
    pub(super) fn thaw(bytes: &mut Bytes) -> Option<Shop> {
        let digest = bytes.try_get_u64().ok()?;
        let mut restore = Restore::new(Limits::default());
        restore.push(bytes).ok()?;
        bytes.clear();
        Some(Shop { machine: restore.finish().ok()?, digest })
    }

    pub(super) fn apply(&mut self, slot: Slot, payload: &Bytes) {
        let mut hasher = StateHasher::default();
        self.machine.apply(slot.0, payload).hash(&mut hasher);
        self.digest = mix(self.digest, hasher.finish());
        if slot.0.is_multiple_of(LOOK_EVERY) {
            self.digest = mix(self.digest, self.machine.digest());
        }
    }
}

/// A payload for the real machine; everything about it follows from `mark`, and from the `length`
/// that its value is to have, if any.
pub(super) fn payload(mark: u64, length: usize) -> Bytes {
    let draw = mix(mark, 0x5107);
    let line = match length {
        0 => line(draw >> 16, mark),
        _ => format!("SET k{} {}", draw % KEYS, "x".repeat(length)),
    };
    let words: Vec<Bytes> = line.split(' ').map(|word| Bytes::from(word.to_owned())).collect();
    // Clocks of proposers disagree by seconds.
    let stamp_ms = mark * 20 + draw % 4096;
    match parse(&words, &Limits::default()) {
        Some(Ok(Request::Write(command))) => command.encode(stamp_ms),
        other => unreachable!("{line} is a write, not {other:?}"),
    }
}

fn line(draw: u64, mark: u64) -> String {
    let key = format!("k{}", draw % KEYS);
    let other = format!("k{}", (draw >> 8) % KEYS);
    match (draw >> 16) % 14 {
        0 | 1 => format!("SET {key} {mark}"),
        2 => format!("SET {key} {mark} PX {}", 1 + draw % 3000),
        3 => format!("SET {key} {mark} NX"),
        4 => format!("SET {key} {mark} XX KEEPTTL"),
        5 => format!("INCRBY {key} {}", draw % 100),
        6 => format!("DECR {other}"),
        7 => format!("APPEND {key} {}", draw % 10),
        8 => format!("DEL {key} {other}"),
        9 => format!("GETDEL {key}"),
        10 => format!("PEXPIRE {key} {}", 1 + draw % 5000),
        11 => format!("PERSIST {other}"),
        12 => format!("MSET {key} {mark} {other} {}", draw % 7),
        _ if draw.is_multiple_of(40) => "FLUSHALL".to_owned(),
        _ => format!("GETSET {key} {}", draw % 50),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_write_and_does_something() {
        let mut shop = Shop::new();
        let mut digests = std::collections::BTreeSet::new();
        for mark in 0..2000 {
            shop.apply(Slot(mark + 1), &payload(mark, 0));
            digests.insert(shop.digest());
        }
        assert_eq!(digests.len(), 2000);
        assert!(!shop.machine.is_empty() && shop.machine.time() > 0);
    }

    #[test]
    fn a_long_value_is_long() {
        assert!((400..450).contains(&payload(3, 400).len()));
    }

    #[test]
    fn one_command_left_out_is_noticed_at_once() {
        let (mut whole, mut holed) = (Shop::new(), Shop::new());
        for mark in 0..100 {
            whole.apply(Slot(mark + 1), &payload(mark, 0));
            if mark != 50 {
                holed.apply(Slot(mark + 1), &payload(mark, 0));
            }
        }
        assert_ne!(whole.digest(), holed.digest());
    }
}
