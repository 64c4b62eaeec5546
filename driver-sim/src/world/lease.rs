//! That at no true moment two nodes would read without asking; and what goes wrong on purpose to
//! bring that about.

use paxos_core::types::GroupId;

use super::{Event, World, group_id};
use crate::check::{Checked, ensure};
use crate::choice::Choice;
use crate::tally::Mark;

impl<C: Choice> World<C> {
    /// Brings a leader with a lease and those who gave it to it apart, at a moment when one of them
    /// may forget its word, or take it for released.
    pub(super) fn plot(&mut self) -> Checked {
        let Some(leader) = self.leader() else { return Ok(()) };
        self.tally.hit(Mark::Plot);
        if self.choice.chance(500_000) { self.isolate(leader) } else { self.mute_heir(leader) }
    }

    /// Nobody hears the leader any more, and some of the others start again at once.
    fn isolate(&mut self, leader: u8) -> Checked {
        self.happens(format_args!("the leader is cut off, and others start again"));
        for other in (0..self.swarm.nodes).filter(|other| *other != leader) {
            self.network.links.cut(leader, other);
            self.network.links.cut(other, leader);
            if self.choice.chance(700_000) {
                self.crash(other)?;
                let wait = self.choice.range(0..=5_000);
                self.agenda.after(wait, Event::Start { host: other });
            }
        }
        Ok(())
    }

    /// The leader makes way for someone who hears it, and is not heard until the links are mended.
    fn mute_heir(&mut self, leader: u8) -> Checked {
        let heir = self.choice.below(u32::from(self.swarm.nodes)) as u8;
        let groups = (0..self.ghost.len()).map(group_id);
        let led: Vec<GroupId> = groups.filter(|group| self.leads(leader, *group)).collect();
        for group in led {
            self.ask_to_make_way(leader, group, heir)?;
        }
        (0..self.swarm.nodes).filter(|to| *to != heir).for_each(|to| {
            self.network.links.cut(heir, to);
        });
        Ok(())
    }

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
