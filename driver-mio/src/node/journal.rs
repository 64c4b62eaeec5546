//! What the node tells the operator: lines on stderr, and not too many.
//!
//! A stranger can make a node say something (by knocking at its peer port, say),
//! so lines come from a purse that fills slowly. What the purse does not pay for
//! is counted, and the count is told when there is room again.

use std::fmt;
use std::io::{self, Write};

use paxos_core::types::{Instant, NodeId};

/// A writer of lines with a limit.
#[derive(Debug)]
pub(crate) struct Journal {
    node: NodeId,
    purse: Purse,
}

impl Journal {
    /// The journal of one node.
    pub(crate) fn new(node: NodeId) -> Journal {
        Journal { node, purse: Purse::default() }
    }

    /// Says one line, if it is not too much.
    pub(crate) fn say(&mut self, now: Instant, line: impl fmt::Display) {
        if let Some(unsaid) = self.purse.spend(now) {
            if unsaid > 0 {
                self.write(&format_args!("{unsaid} lines were too many and are left out"));
            }
            self.write(&line);
        }
    }

    /// Says one line whatever was said before: for what comes once.
    pub(crate) fn insist(&self, line: impl fmt::Display) {
        self.write(&line);
    }

    fn write(&self, line: &dyn fmt::Display) {
        // One write a line, and none that can fail the node: nobody may be reading.
        let text = format!("paxos-node {}: {line}\n", self.node);
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// Pays for lines: some at once, and then so many a second.
#[derive(Debug)]
struct Purse {
    coins: u64,
    filled_at: Instant,
    unsaid: u64,
}

impl Default for Purse {
    fn default() -> Purse {
        Purse { coins: COINS_MAX, filled_at: Instant::default(), unsaid: 0 }
    }
}

impl Purse {
    /// Pays for a line, and tells how many before it were not paid for; nothing
    /// if there is no coin.
    fn spend(&mut self, now: Instant) -> Option<u64> {
        let earned = now.since(self.filled_at).as_millis() as u64 / COIN_MS;
        if earned > 0 {
            self.coins = (self.coins + earned).min(COINS_MAX);
            self.filled_at = now;
        }
        if self.coins == 0 {
            self.unsaid += 1;
            return None;
        }
        self.coins -= 1;
        Some(std::mem::take(&mut self.unsaid))
    }
}

/// Lines at once, at most.
const COINS_MAX: u64 = 50;
/// One more line after so many milliseconds.
const COIN_MS: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_its_size_told() {
        let mut purse = Purse::default();
        let at = |ms: u64| Instant::from_micros(ms * 1000);
        let said = (0..1000).filter(|_| purse.spend(at(1)).is_some()).count();
        assert_eq!(said as u64, COINS_MAX);
        assert_eq!(purse.spend(at(1 + COIN_MS)), Some(1000 - COINS_MAX));
        assert_eq!(purse.spend(at(1 + COIN_MS)), None);
        assert_eq!(purse.spend(at(1 + 3 * COIN_MS)), Some(1));
    }
}
