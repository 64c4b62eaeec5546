//! That at no true moment two nodes would read without asking.

use super::{World, group_id};
use crate::check::{Checked, ensure};
use crate::choice::Choice;
use crate::tally::Mark;

impl<C: Choice> World<C> {
    /// Asks every process for its lease, by its own clock. A lease begins in a step, so to look
    /// after each is enough.
    pub(super) fn leases(&mut self) -> Checked {
        if self.swarm.timing.lease.is_none() {
            return Ok(());
        }
        let now = self.agenda.now();
        for group in (0..self.ghost.len()).map(group_id) {
            let holds = |host: &&crate::host::Host| {
                let life = host.life.as_ref();
                life.is_some_and(|life| life.node.is_leased(group, host.clock.read(now)))
            };
            let mut holders = self.hosts.iter().filter(holds).map(|host| host.id);
            let (first, second) = (holders.next(), holders.next());
            ensure!(
                second.is_none(),
                "I14 one lease",
                "{first:?} and {second:?} hold a lease of {group} at once"
            );
            if first.is_some() {
                self.tally.hit(Mark::Leased);
            }
        }
        Ok(())
    }
}
