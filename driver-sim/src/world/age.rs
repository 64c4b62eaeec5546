//! How old what a node has may be, as it says itself: checked while all is well.

use paxos_core::types::Slot;

use super::{World, group_id};
use crate::check::{Checked, ensure};
use crate::choice::Choice;
use crate::tally::Mark;

/// What was known when, from the beginning of the second phase.
#[derive(Debug, Default)]
pub(super) struct Ages {
    /// Moments (µs), with the slot of each group below which some client had seen the effects.
    looks: Vec<(u64, Vec<Slot>)>,
}

impl<C: Choice> World<C> {
    /// What a word of a leader may be late (µs), beside that the leader may be deposed already.
    const WORD_US: u64 = 50_000;

    /// Checks that every node of the core has all whose effects anybody has seen before the moment at
    /// which, as it says, what it has was the latest. Clocks that were set back tell no ages.
    pub(super) fn look_at_ages(&mut self, ages: &mut Ages) -> Checked {
        let now = self.agenda.now();
        let seen = self.ghost.iter().map(|group| group.ledger.seen()).collect();
        ages.looks.push((now, seen));
        let patience = self.swarm.timing.patience.as_micros() as u64;
        let late = Self::WORD_US + 3 * patience;
        let core = self.core.as_ref().map_or(Vec::new(), |core| core.members());
        let sound = |at: &u8| self.hosts[usize::from(*at)].misread.is_none();
        for at in core.into_iter().filter(sound).filter(|_| self.swarm.host.clock == 0) {
            let host = &self.hosts[usize::from(at)];
            let Some(life) = &host.life else { continue };
            for (group, bank) in life.banks.iter().enumerate() {
                let age = life.node.age(group_id(group), host.clock.read(now));
                let Some(age) = age.map(|age| age.as_micros() as u64) else { continue };
                let before = now.saturating_sub(age + late);
                let known = ages.looks.partition_point(|(at, _)| *at <= before);
                let Some((_, seen)) = known.checked_sub(1).map(|at| &ages.looks[at]) else {
                    continue;
                };
                self.tally.hit(Mark::AgeTold);
                ensure!(
                    bank.next() >= seen[group],
                    "I25 age",
                    "{} says that what it has was the latest {age}us ago, and is at {} of {}",
                    host.id,
                    bank.next(),
                    seen[group]
                );
            }
        }
        Ok(())
    }
}
