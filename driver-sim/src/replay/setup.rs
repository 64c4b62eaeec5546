//! What is decided before the first choice of a run: a plan, what is taken out of what the seed
//! draws, and where to stop.

use crate::swarm::{Plan, Swarm};
use crate::tally::Mark;

/// Everything about a run that its choices do not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// What is not drawn.
    pub plan: Plan,
    /// What is drawn and then taken out.
    pub cuts: Cuts,
    /// Stop, as if an invariant had broken, when this happens.
    pub goal: Option<Mark>,
    /// Stop after so many events, without a verdict.
    pub events_max: Option<u64>,
}

/// What is taken out of a drawn [`Swarm`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cuts {
    /// How many clients there are at most.
    pub clients: Option<u8>,
    /// How many keys they share at most.
    pub keys: Option<u8>,
    /// Faults that do not happen, by their place in [`FAULTS`].
    pub off: u64,
}

/// A fault that can be switched off.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// One word.
    pub name: &'static str,
    /// Takes it out of a swarm.
    pub off: fn(&mut Swarm),
}

/// All faults that can be switched off; at most 64.
pub const FAULTS: &[Fault] = &[
    Fault { name: "loss", off: |s| s.net.loss = 0 },
    Fault { name: "duplicates", off: |s| s.net.duplicate = 0 },
    Fault { name: "slow-messages", off: |s| s.net.slow = 0 },
    Fault { name: "reordering", off: |s| s.net.fifo = true },
    Fault { name: "cuts-in-flight", off: |s| s.net.cut_in_flight = false },
    Fault { name: "partitions", off: |s| s.net.partition = 0 },
    Fault { name: "replays", off: |s| s.net.replay = 0 },
    Fault { name: "wrong-hints", off: |s| s.net.wrong_hint = 0 },
    Fault { name: "slow-syncs", off: |s| s.disk.slow = 0 },
    Fault { name: "failed-syncs", off: |s| s.disk.fail = 0 },
    Fault { name: "rot", off: |s| s.disk.rot = 0 },
    Fault { name: "disk-marks", off: |s| s.disk.mark = 0 },
    Fault { name: "slow-vaults", off: |s| s.vault.slow = 0 },
    Fault { name: "failed-vaults", off: |s| s.vault.fail = 0 },
    Fault { name: "rotten-images", off: |s| s.vault.rot = 0 },
    Fault { name: "checkpoint-requests", off: |s| s.vault.request = 0 },
    Fault { name: "crashes", off: |s| s.host.crash = 0 },
    Fault { name: "many-crash", off: |s| s.host.crash_many = 0 },
    Fault { name: "crashes-mid-step", off: |s| s.host.crash_mid_step = 0 },
    Fault { name: "pauses", off: |s| s.host.pause = 0 },
    Fault { name: "clocks", off: |s| (s.host.clock, s.host.skew) = (0, 0) },
    Fault { name: "misreading", off: |s| s.host.misread = 0 },
    Fault { name: "hints", off: |s| s.host.hint = 0 },
    Fault { name: "spurious-ticks", off: |s| s.host.spurious_tick = 0 },
    Fault { name: "transfers", off: |s| s.host.transfer = 0 },
    Fault { name: "long-values", off: |s| (s.clients.long, s.clients.oversized) = (0, 0) },
    Fault { name: "reads", off: |s| s.clients.reads = 0 },
    Fault { name: "retries", off: |s| s.clients.retry = 0 },
    Fault { name: "lost-disks", off: |s| s.disk.lost = 0 },
    Fault { name: "plots", off: |s| s.host.plot = 0 },
    Fault { name: "betrayal", off: |s| s.host.betray = 0 },
    Fault { name: "robbed-candidates", off: |s| s.disk.robbed = 0 },
    Fault { name: "flipped-bits", off: |s| s.net.flip = 0 },
    Fault { name: "copied-disks", off: |s| s.disk.copied = 0 },
    Fault { name: "priorities", off: |s| s.parts.priorities.clear() },
    Fault { name: "witnesses", off: no_witnesses },
    Fault { name: "full-disks", off: |s| s.ills.full = 0 },
    Fault { name: "decay", off: |s| s.ills.decay = 0 },
    Fault { name: "misdirected-reads", off: |s| s.ills.misled = 0 },
    Fault { name: "slow-processors", off: |s| s.ills.slow = 0 },
    Fault { name: "chains", off: |s| s.ills.chain = 0 },
    Fault { name: "late-words", off: |s| s.ills.late = 0 },
    Fault { name: "upgrades", off: |s| s.ills.upgrades = None },
    Fault { name: "tangles", off: |s| s.net.tangle = 0 },
    Fault { name: "snares", off: |s| s.net.snare = false },
];

fn no_witnesses(swarm: &mut Swarm) {
    swarm.parts.witnesses.clear();
    swarm.changes.iter_mut().for_each(|changes| changes.witnesses = 0);
}

impl Cuts {
    /// Takes it all out of `swarm`.
    pub fn apply(&self, swarm: &mut Swarm) {
        let clients = &mut swarm.clients;
        clients.clients = self.clients.map_or(clients.clients, |most| clients.clients.min(most));
        clients.keys = self.keys.map_or(clients.keys, |most| clients.keys.min(most));
        for (at, fault) in FAULTS.iter().enumerate() {
            if self.is_off(at) {
                (fault.off)(swarm);
            }
        }
    }

    /// Whether the fault at this place in [`FAULTS`] is off.
    #[must_use]
    pub fn is_off(&self, at: usize) -> bool {
        self.off >> at & 1 == 1
    }

    /// The same, with one more fault off.
    #[must_use]
    pub fn without(&self, at: usize) -> Cuts {
        Cuts { off: self.off | 1 << at, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Seeded;

    #[test]
    fn every_fault_has_a_place_and_a_name_of_its_own() {
        assert!(FAULTS.len() <= 64);
        let names: std::collections::BTreeSet<_> = FAULTS.iter().map(|fault| fault.name).collect();
        assert_eq!(names.len(), FAULTS.len());
    }

    /// None of them is an empty word: each changes what some seed draws.
    #[test]
    fn every_fault_can_be_taken_out() {
        let swarms: Vec<Swarm> =
            (0..200).map(|seed| Swarm::draw(&mut Seeded::new(seed), &Plan::default())).collect();
        for fault in FAULTS {
            let differs = |swarm: &&Swarm| {
                let mut cut = (*swarm).clone();
                (fault.off)(&mut cut);
                cut != **swarm
            };
            assert!(swarms.iter().any(|swarm| differs(&swarm)), "{} is never drawn", fault.name);
        }
    }

    #[test]
    fn cuts_only_take_away() {
        let swarm = Swarm::draw(&mut Seeded::new(5), &Plan::default());
        let mut cut = swarm.clone();
        Cuts { clients: Some(u8::MAX), keys: Some(u8::MAX), off: 0 }.apply(&mut cut);
        assert_eq!(cut, swarm);
        Cuts { clients: Some(1), keys: Some(1), off: u64::MAX }.apply(&mut cut);
        assert_eq!((cut.clients.clients, cut.clients.keys, cut.net.loss), (1, 1, 0));
    }
}
