//! Full disks: nothing that waits is written until there is room again; all else goes on.
//!
//! A host without room does what the driver does: it takes no more commands, makes way if it leads,
//! and asks for a checkpoint, at once and once more when there is room. What needs room beside the
//! log may find some left, or not: an image, a peer's piece, the segment of a start.

use paxos_core::effect::Input;
use paxos_core::quorum::NodeSet;
use paxos_core::types::{GroupId, NodeId};

use super::{Event, World, group_id};
use crate::check::Checked;
use crate::choice::Choice;
use crate::host::{Asked, Room};
use crate::tally::Mark;

impl<C: Choice> World<C> {
    /// Chance in a million that what needs room finds some left on a full disk.
    const LEFT: u32 = 500_000;

    /// A disk becomes full for a while, mostly a leader's.
    pub(super) fn fill_disk(&mut self) -> Checked {
        let leader = self.leader().filter(|_| self.choice.chance(600_000));
        let at = leader.unwrap_or_else(|| self.any_host());
        let wait = self.choice.range(0..=self.swarm.ills.full_us);
        let now = self.agenda.now();
        let patience = self.swarm.timing.patience.as_micros() as u64;
        let host = &mut self.hosts[usize::from(at)];
        let id = host.id;
        if !host.room.fill(now + wait) {
            return Ok(());
        }
        self.tally.hit(Mark::DiskFull);
        self.tally.add(Mark::LongFull, u64::from(wait > 4 * patience));
        self.happens(format_args!("the disk of {id} is full"));
        self.look_for_room(at)
    }

    /// Looks whether there is room again, and does what is to be done while there is none.
    pub(super) fn look_for_room(&mut self, at: u8) -> Checked {
        let now = self.agenda.now();
        let Some(until) = self.hosts[usize::from(at)].room.full_until() else { return Ok(()) };
        if until <= now {
            self.tally.hit(Mark::RoomAgain);
            return self.make_room(at);
        }
        self.agenda.at(until.min(now + Room::LOOK_US), Event::Room { host: at });
        if !self.moves(at) {
            return Ok(());
        }
        if self.hosts[usize::from(at)].room.wants_checkpoint(now) {
            self.ask_for_checkpoints(at)?;
        }
        (0..self.ghost.len()).map(group_id).try_for_each(|group| self.make_way_for_room(at, group))
    }

    /// There is room on a disk again, if there was none.
    pub(super) fn make_room(&mut self, at: u8) -> Checked {
        let host = &mut self.hosts[usize::from(at)];
        if !host.room.is_full() {
            return Ok(());
        }
        host.room.clear();
        let id = host.id;
        self.happens(format_args!("the disk of {id} has room again"));
        self.begin_sync(at)?;
        self.ask_for_checkpoints(at)
    }

    /// What could not be trimmed, perhaps can be after this.
    fn ask_for_checkpoints(&mut self, at: u8) -> Checked {
        for group in (0..self.ghost.len()).map(group_id) {
            if self.moves(at) && !self.hosts[usize::from(at)].vault.is_capturing(group) {
                self.feed(at, Input::CheckpointRequested { group })?;
            }
        }
        Ok(())
    }

    /// A leader without room asks the next of those who may lead instead.
    fn make_way_for_room(&mut self, at: u8, group: GroupId) -> Checked {
        if !self.leads(at, group) || !self.moves(at) {
            return Ok(());
        }
        let now = self.agenda.now();
        let up: NodeSet = self.hosts.iter().filter(|h| h.is_up()).map(|h| h.id).collect();
        let host = &mut self.hosts[usize::from(at)];
        let replica = host.life.as_ref().and_then(|life| life.node.group(group));
        let Some(replica) = replica else { return Ok(()) };
        let others = replica.membership().voters().without(NodeSet::of(host.id)).and(up);
        let peers = others.iter().map(|id: NodeId| (id, replica.progress(id)));
        let Some(to) = host.room.successor(now, group, peers) else { return Ok(()) };
        self.tally.hit(Mark::RoomWanted);
        self.ask_to_make_way(at, group, (to.0 - 1) as u8)
    }

    /// A host without room takes no commands: nothing has happened to them.
    pub(super) fn refuse_commands(&mut self, at: u8, inbox: &mut Vec<Asked>) {
        if !self.hosts[usize::from(at)].room.is_full() {
            return;
        }
        for asked in inbox.extract_if(.., |asked| asked.command.is_some()) {
            self.tally.hit(Mark::NoRoom);
            self.set_back(asked.ticket.client, asked.ticket.attempt, None);
        }
    }

    /// Whether a vault finds no room for what it was ordered to do.
    pub(super) fn lacks_room(&mut self, at: u8) -> bool {
        self.hosts[usize::from(at)].room.is_full() && !self.choice.chance(Self::LEFT)
    }

    /// Whether a start must wait until there is room for a segment of its own.
    pub(super) fn waits_for_room(&mut self, at: u8) -> bool {
        let Some(until) = self.hosts[usize::from(at)].room.full_until() else { return false };
        let waits = !self.choice.chance(Self::LEFT);
        if waits {
            self.agenda.at(until, Event::Start { host: at });
        }
        waits
    }
}

#[cfg(test)]
mod tests {
    use paxos_core::types::Slot;

    use super::*;
    use crate::choice::Seeded;
    use crate::swarm::{Plan, Swarm};
    use crate::transcript::Telling;

    /// Lets the run go on until then; returns what the disk of `at` holds.
    fn pass(world: &mut World<Seeded>, end: u64, at: usize) -> Slot {
        while let Some(event) = world.agenda.pop(end) {
            world.happen(event).expect("a calm run");
        }
        world.agenda.pass(end);
        let group = world.hosts[at].disk.durable().group(group_id(0));
        group.expect("a group").log().end()
    }

    #[test]
    fn nothing_is_written_to_a_full_disk_and_all_that_waits_when_there_is_room() {
        let plan = Plan { nodes: Some(3), groups: Some(1), calm: true, ..Plan::default() };
        let swarm = Swarm::draw(&mut Seeded::new(1), &plan);
        let mut world = World::new(Seeded::new(1), swarm, Telling::Silent);
        world.begin();
        pass(&mut world, 2_000_000, 0);
        let at = (world.leader().expect("a leader") + 1) % 3;
        world.hosts[usize::from(at)].room.fill(3_000_000);
        world.look_for_room(at).unwrap();
        // One sync was under way.
        let before = pass(&mut world, 2_010_000, at.into());
        assert_eq!(pass(&mut world, 2_999_999, at.into()), before);
        assert!(pass(&mut world, 4_000_000, at.into()) > before, "nothing is written any more");
        assert_eq!(world.tally.count(Mark::RoomAgain), 1);
    }
}
