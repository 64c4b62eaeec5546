//! What ails a single machine, for a while or until it looks; and what came late to the list.

use paxos_core::types::{Limits, Timing};

use super::dial;
use crate::choice::Choice;

/// How often a machine is short of something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ills {
    /// Weight of a disk that becomes full at a nemesis tick.
    pub full: u32,
    /// How long it is full at most (µs).
    pub full_us: u64,
    /// A crash shows that something that was synced long ago is gone, or elsewhere.
    pub decay: u32,
    /// A start reads another block than it asks for.
    pub misled: u32,
    /// Weight of a processor that becomes slow at a nemesis tick.
    pub slow: u32,
    /// How long it is slow at most (µs).
    pub slow_us: u64,
    /// How long everything takes there at most (µs).
    pub lag_us: u64,
    /// Links that are cut leave a chain.
    pub chain: u32,
    /// Bytes in a second at which replicas catch up, if not as fast as they usually may.
    pub pace: Option<u64>,
    /// How often a start brings in another build, where hosts run builds that speak other versions
    /// of messages.
    pub upgrades: Option<u32>,
    /// How often an answer of a new disk is followed by one of the disk that was there before it.
    pub late: u32,
}

impl Ills {
    pub(super) fn draw<C: Choice>(choice: &mut C, limits: &Limits, timing: &Timing) -> Ills {
        Ills {
            full: dial(choice, 300_000),
            full_us: long(choice),
            decay: dial(choice, 150_000),
            misled: dial(choice, 100_000),
            slow: dial(choice, 300_000),
            slow_us: choice.range(50_000..=10_000_000),
            lag_us: choice.range(100..=300_000),
            chain: dial(choice, 500_000),
            pace: choice.chance(300_000).then(|| pace(choice, limits, timing)),
            upgrades: None,
            late: 0,
        }
    }

    /// Draws what makes hosts differ, after all else.
    pub(super) fn draw_differences<C: Choice>(&mut self, choice: &mut C) {
        self.upgrades = choice.chance(150_000).then(|| 300_000 + choice.below(700_000));
        self.late = dial(choice, 800_000);
    }
}

/// Some pieces in a patience at least, lest images are gone before they are pulled.
fn pace<C: Choice>(choice: &mut C, limits: &Limits, timing: &Timing) -> u64 {
    let least = 4 * limits.piece_bytes_max as u64 * 1_000_000;
    let least = least / (timing.patience.as_micros() as u64).max(1);
    choice.range(least..=least * 30)
}

/// How long a disk stays full at most (µs): about as long as an election takes, or longer than
/// anyone has patience.
fn long<C: Choice>(choice: &mut C) -> u64 {
    let most = if choice.chance(500_000) { 30_000_000 } else { 2_000_000 };
    choice.range(50_000..=most)
}
