//! Draws what goes wrong next.

use std::sync::Arc;

use paxos_core::Standing;
use paxos_core::effect::Input;
use paxos_core::types::{GroupId, NodeId, ProposalId};

use super::{Event, World, group_id, skew};
use crate::check::Checked;
use crate::choice::Choice;
use crate::network::{Old, Shape};
use crate::picture::What;
use crate::swarm::drawn;
use crate::tally::Mark;

impl<C: Choice> World<C> {
    pub(super) fn nemesis(&mut self) -> Checked {
        if self.core.is_some() {
            return Ok(());
        }
        let (net, host) = (&self.swarm.net, &self.swarm.host);
        let weights = [
            host.nothing,
            host.crash,
            net.partition,
            net.heal,
            host.pause,
            host.clock,
            net.replay,
            net.wrong_hint,
            host.spurious_tick,
            self.swarm.vault.request,
            host.transfer,
            self.swarm.changes.as_ref().map_or(0, |changes| changes.weight),
            self.swarm.timing.lease.map_or(0, |_| host.plot),
            self.swarm.ills.full,
            self.swarm.ills.slow,
        ];
        let wait = self.choice.range(host.nemesis_us.0..=host.nemesis_us.1);
        self.agenda.after(wait, Event::Nemesis);
        match self.choice.weighted(&weights) {
            1 => self.crash_some(),
            2 => {
                let leader = self.leader();
                let links = &mut self.network.links;
                let shape = match self.choice.chance(self.swarm.ills.chain) {
                    true => links.chain(&mut self.choice),
                    false => links.redraw(&mut self.choice, leader),
                };
                self.tally.hit(Mark::Partition);
                self.tally.hit(mark(shape));
                self.happens(format_args!("the network is cut: {shape}"));
                Ok(())
            }
            3 => {
                self.network.links.heal();
                self.tally.hit(Mark::Mended);
                self.happens(format_args!("the network is whole"));
                Ok(())
            }
            4 => {
                self.pause();
                Ok(())
            }
            5 => {
                self.disturb_clock();
                Ok(())
            }
            6 => self.replay(),
            7 => self.mislead(),
            8 => {
                let host = self.any_host();
                self.tally.hit(Mark::SpuriousTick);
                if self.moves(host) { self.feed(host, Input::Ticked) } else { Ok(()) }
            }
            9 => self.request_checkpoint(),
            10 => self.ask_for_transfer(),
            11 => self.change_members(),
            12 => self.plot(),
            13 => self.fill_disk(),
            14 => {
                self.slow_down();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn request_checkpoint(&mut self) -> Checked {
        let host = self.any_host();
        let group = group_id(self.choice.below(self.ghost.len() as u32) as usize);
        if !self.moves(host) {
            return Ok(());
        }
        self.tally.hit(Mark::CheckpointRequested);
        self.feed(host, Input::CheckpointRequested { group })
    }

    /// Mostly asks a leader; sometimes one that leads nothing, or for itself.
    fn ask_for_transfer(&mut self) -> Checked {
        let leader = self.leader().filter(|_| self.choice.chance(900_000));
        let host = leader.unwrap_or_else(|| self.any_host());
        let group = self.choice.below(u32::from(self.swarm.groups)) as usize;
        let to = self.any_host();
        self.ask_to_make_way(host, group_id(group), to)
    }

    pub(super) fn ask_to_make_way(&mut self, host: u8, group: GroupId, to: u8) -> Checked {
        if !self.moves(host) {
            return Ok(());
        }
        let to = self.hosts[usize::from(to)].id;
        if let Some(life) = &mut self.hosts[usize::from(host)].life {
            life.desk.transfers.push((group, to));
        }
        self.tally.hit(Mark::Transfer);
        self.feed(host, Input::TransferRequested { group, to })
    }

    /// Mostly asks a leader, and mostly for what may follow the members that the host knows.
    fn change_members(&mut self) -> Checked {
        let leader = self.leader().filter(|_| self.choice.chance(800_000));
        let host = leader.unwrap_or_else(|| self.any_host());
        let index = self.choice.below(u32::from(self.swarm.groups)) as usize;
        let nodes = self.swarm.nodes;
        let mut voters = drawn(&mut self.choice, nodes, 600_000);
        if voters.is_empty() {
            voters.push(NodeId(u16::from(self.any_host()) + 1));
        }
        let mut learners = drawn(&mut self.choice, nodes, 200_000);
        learners.retain(|node| !voters.contains(node));
        let odds = self.swarm.changes.as_ref().map_or(0, |changes| changes.witnesses);
        let mut witnesses = voters.clone();
        witnesses.retain(|_| self.choice.chance(odds));
        witnesses.truncate(voters.len() - 1);
        let (group, handle) = (group_id(index), self.crowd.handles(1));
        if !self.moves(host) {
            return Ok(());
        }
        let Some(life) = &self.hosts[usize::from(host)].life else { return Ok(()) };
        let Some(replica) = life.node.group(group) else { return Ok(()) };
        let mut membership = replica.newest_membership().succeeded_by(voters, learners);
        if odds > 0 {
            membership = membership.with_witnesses(witnesses);
        }
        for host in &self.hosts {
            // Whoever adds a node says which disk it has.
            if membership.voters().contains(host.id) && membership.disk(host.id) == 0 {
                membership = membership.with_disk(host.id, host.disk_name);
            }
        }
        let (proposal, membership) = (ProposalId(handle), Arc::new(membership));
        self.ghost[index].members.wants(&membership);
        if !self.are_enough(&self.sound()) {
            // Too many of those members are out for good: nobody would ask for that.
            self.ghost[index].members.refused(&membership);
            return Ok(());
        }
        let Some(life) = &mut self.hosts[usize::from(host)].life else { return Ok(()) };
        life.desk.changes.push((group, proposal, membership.clone()));
        self.tally.hit(Mark::ChangeWanted);
        self.feed(host, Input::MembersProposed { group, proposal, membership })
    }

    fn crash_some(&mut self) -> Checked {
        let leader = self.leader().filter(|_| self.choice.chance(500_000));
        let first = leader.unwrap_or_else(|| self.any_host());
        self.crash(first)?;
        if !self.choice.chance(self.swarm.host.crash_many) {
            return Ok(());
        }
        let odds = [1_000_000, 500_000, 250_000][self.choice.below(3) as usize];
        for host in 0..self.swarm.nodes {
            if self.choice.chance(odds) {
                self.crash(host)?;
            }
        }
        Ok(())
    }

    fn pause(&mut self) {
        let leader = self.leader().filter(|_| self.choice.chance(500_000));
        let host = leader.unwrap_or_else(|| self.any_host());
        let wait = self.choice.range(0..=self.swarm.host.pause_us);
        self.pause_for(host, wait);
    }

    pub(super) fn pause_for(&mut self, host: u8, wait: u64) {
        let until = self.agenda.now() + wait;
        let machine = &mut self.hosts[usize::from(host)];
        machine.paused_until = machine.paused_until.max(until);
        let id = machine.id;
        self.tally.hit(Mark::Pause);
        self.story.pauses(self.agenda.now(), id, until);
    }

    fn disturb_clock(&mut self) {
        let host = self.any_host();
        let far = self.choice.range(0..=5_000_000) as i64;
        let jump = if self.choice.chance(250_000) { -far } else { far };
        // With leases, a clock may run fast or slow within its bound, and nothing else.
        let jump = if self.swarm.timing.lease.is_some() { 0 } else { jump };
        let skew = skew(&mut self.choice, self.swarm.host.skew);
        self.set_clock(host, jump, skew);
    }

    /// Has a clock jump, and run at another rate from now on.
    pub(super) fn set_clock(&mut self, host: u8, jump: i64, skew: i64) {
        let now = self.agenda.now();
        let machine = &mut self.hosts[usize::from(host)];
        machine.clock.disturb(now, jump, skew);
        // The planned wake is for the old clock.
        if let Some(life) = &mut machine.life {
            life.wake = None;
        }
        let id = machine.id;
        self.tally.hit(Mark::Clock);
        self.happens(format_args!("the clock of {id} jumps by {}ms", jump / 1_000));
        let planned = self.plan_wake(host);
        debug_assert!(planned.is_ok(), "planning checks nothing");
    }

    fn replay(&mut self) -> Checked {
        for _ in 0..=self.choice.below(4) {
            let index = self.choice.below(self.post.kept() as u32) as usize;
            let Some(old) = self.post.old(index) else { continue };
            let Old { to, version, mut envelope } = old;
            let is_heard = self.moves(to) && !self.lets_go_in_vain(&envelope);
            if is_heard && self.read(to, &mut envelope, version)? {
                self.tally.hit(Mark::Replayed);
                self.feed(to, Input::Received(envelope))?;
            }
        }
        Ok(())
    }

    fn mislead(&mut self) -> Checked {
        let (host, about) = (self.any_host(), self.any_host());
        if host == about || !self.moves(host) {
            return Ok(());
        }
        let peer = self.hosts[usize::from(about)].id;
        let up = self.choice.chance(500_000);
        self.tally.hit(Mark::WrongHint);
        self.feed(host, if up { Input::PeerUp(peer) } else { Input::PeerDown(peer) })
    }

    pub(super) fn any_host(&mut self) -> u8 {
        self.choice.below(u32::from(self.swarm.nodes)) as u8
    }

    /// Whether a process runs there and is not paused.
    pub(super) fn moves(&self, host: u8) -> bool {
        let host = &self.hosts[usize::from(host)];
        host.is_up() && host.paused_until <= self.agenda.now()
    }

    /// Someone who believes to lead some group.
    pub(super) fn leader(&self) -> Option<u8> {
        let leads = |host: &u8| (0..self.ghost.len()).any(|g| self.leads(*host, group_id(g)));
        (0..self.swarm.nodes).find(leads)
    }

    /// Whether a host believes to lead `group`.
    pub(super) fn leads(&self, host: u8, group: GroupId) -> bool {
        let life = self.hosts[usize::from(host)].life.as_ref();
        let replica = life.and_then(|life| life.node.group(group));
        replica.is_some_and(|replica| replica.standing() == Standing::Leader)
    }

    /// Tells of something that no node has done.
    pub(super) fn happens(&mut self, words: std::fmt::Arguments<'_>) {
        self.story.happens(self.agenda.now(), None, What::World, words);
    }
}

/// What is counted of a shape.
fn mark(shape: Shape) -> Mark {
    match shape {
        Shape::TwoSides => Mark::TwoSides,
        Shape::OneAlone => Mark::OneAlone,
        Shape::OneDeaf => Mark::OneDeaf,
        Shape::OneMute => Mark::OneMute,
        Shape::AnyLinks => Mark::AnyLinks,
        Shape::Hub => Mark::Hub,
        Shape::FlappingLink => Mark::FlappingLink,
        Shape::FlappingLinks => Mark::FlappingLinks,
        Shape::Chain => Mark::Chain,
    }
}
