//! Which hosts the groups cannot do without.
//!
//! Who decides is a matter of each group's log, and of what may yet be chosen there: see
//! [`Members`](crate::check::Members). A set of hosts is judged by what their disks hold, which is
//! what a crash at this moment would leave them at worst.

use paxos_core::message::{Envelope, Message};
use paxos_core::types::{Founding, GroupId, Slot};

use super::{World, group_id};
use crate::check::{Checked, Fit, ensure};
use crate::choice::Choice;
use crate::host::Host;

impl<C: Choice> World<C> {
    /// All hosts but those that are out for good.
    pub(super) fn sound(&self) -> Vec<u8> {
        let is_sound = |host: &u8| !self.hosts[usize::from(*host)].is_ailing();
        (0..self.swarm.nodes).filter(is_sound).collect()
    }

    /// Whether every group can go on with these hosts alone.
    pub(super) fn are_enough(&self, hosts: &[u8]) -> bool {
        let nodes = self.fits(hosts);
        (0..self.ghost.len()).all(|group| {
            let frontier = self.frontier_of(hosts, group);
            self.are_founded(hosts, group)
                && self.are_whole(hosts, group, frontier)
                && self.ghost[group].members.are_enough(frontier, &nodes)
        })
    }

    /// Whether none of these hosts was let go of what none of the others can give out. The core sees
    /// to that while no image is lost.
    fn are_whole(&self, hosts: &[u8], group: usize, frontier: Slot) -> bool {
        hosts.iter().all(|host| {
            let disk = &self.hosts[usize::from(*host)].disk;
            disk.relieved(group_id(group)).is_none_or(|below| below <= frontier)
        })
    }

    /// A leader lets witnesses go of all below `below`, or one of them goes by that: whoever comes to
    /// lead must have it, or find it at one of its quorum.
    pub(super) fn lets_go(&self, at: u8, group: GroupId, below: Slot) -> Checked {
        let host = &self.hosts[usize::from(at)];
        // Who has lost an image meanwhile is one of those that the group can do without.
        let has = |host: &&Host| {
            let covers = host.vault.shelf(group).covers();
            host.disk.durable().group(group).is_some_and(|durable| {
                durable.log().chosen() >= below
                    && (durable.log().floor() <= covers || host.is_ailing())
            })
        };
        let holders = self.hosts.iter().filter(has).map(|host| host.id).collect();
        let all: Vec<u8> = (0..self.swarm.nodes).collect();
        let members = &self.ghost[group.0 as usize].members;
        ensure!(
            members.is_held(below, holders, &self.fits(&all)),
            "I8 chosen is durable",
            "{} lets witnesses forget all below {below}, but only {holders:?} have that on their disks",
            host.id
        );
        Ok(())
    }

    /// Whether a witness is to let go, for a host that the groups could do without until now, or are
    /// to do without from now on, of what none of the others has. That would be more ills at once than
    /// there may be: such words are lost.
    pub(super) fn lets_go_in_vain(&self, envelope: &Envelope) -> bool {
        let Message::Relieve(m) = &envelope.message else { return false };
        let from = (envelope.from.0 - 1) as u8;
        let others = self.core.as_ref().map_or_else(|| self.sound(), |core| core.members());
        let frontier = self.frontier_of(&others, envelope.group.0 as usize);
        !others.contains(&from) && frontier < m.below
    }

    /// These hosts as members see them.
    pub(super) fn fits(&self, hosts: &[u8]) -> Vec<Fit> {
        let hosts = hosts.iter().map(|host| &self.hosts[usize::from(*host)]);
        let fit = |host: &Host| Fit {
            node: host.id,
            disk: host.disk_that_counts(),
            stands: self.swarm.parts.priority(host.id) > 0,
        };
        hosts.map(fit).collect()
    }

    /// Whether this host may lose its disk: the others are enough, and one of them can tell it
    /// that there is a group.
    pub(super) fn may_lose_disk(&self, host: u8) -> bool {
        self.swarm.changes.is_some()
            && self.hosts.iter().all(|host| !host.lore.is_old)
            && self.may_ail(host)
    }

    /// Whether one of `hosts` will remember how the group was founded; or all are there who are
    /// to found it.
    fn are_founded(&self, hosts: &[u8], group: usize) -> bool {
        let is_new = |host: &u8| self.hosts[usize::from(*host)].disk_name == 0;
        let founders = self.swarm.founding().voters();
        let here = hosts.iter().map(|host| self.hosts[usize::from(*host)].id).collect();
        hosts.iter().any(|host| is_new(host) || self.has_founded(*host, group))
            || founders.without(here).is_empty()
    }

    /// Whether a host's disk says by which disks the group was founded.
    fn has_founded(&self, host: u8, group: usize) -> bool {
        let durable = self.hosts[usize::from(host)].disk.durable().group(group_id(group));
        durable.is_some_and(|durable| matches!(durable.founding(), Founding::Founded(_)))
    }

    /// Whether a host was told of the founding members, and has not forgotten.
    fn is_founder(&self, host: u8) -> bool {
        let machine = &self.hosts[usize::from(host)];
        let told = !self.swarm.told(machine.id).is_unknown();
        let founded = (0..self.ghost.len()).all(|group| self.has_founded(host, group));
        told && (machine.disk_name == 0 || founded)
    }

    /// Draws those who must make progress: the first of them may be a hub.
    pub(super) fn draw_core(&mut self) -> Vec<u8> {
        let mut core = self.sound();
        self.choice.shuffle(&mut core);
        if self.swarm.calm {
            return core;
        }
        self.put_leader_last(&mut core);
        let mut goers = self.choice.below(u32::from(self.swarm.nodes));
        for at in (0..core.len()).rev() {
            let mut rest = core.clone();
            rest.remove(at);
            if goers > 0 && self.are_enough(&rest) {
                core = rest;
                goers -= 1;
            }
        }
        core
    }

    /// Whether a core can go on that reaches each other only through this host. One who joins is
    /// told by the leader who the members are, which need not be the hub; and one who is behind
    /// asks only those that it knows as members. And one who votes on no disk that counts cannot help
    /// two that do not hear each other.
    pub(super) fn may_be_hub(&self, host: u8, core: &[u8]) -> bool {
        let (id, fit) = (self.hosts[usize::from(host)].id, self.fits(&[host]));
        let is_known = |group: usize| {
            let known =
                core.iter().map(|at| self.hosts[usize::from(*at)].has_below(group_id(group)));
            let least = known.min().unwrap_or(Slot::FIRST);
            let members = &self.ghost[group].members;
            members.always_has(least, id) && fit.iter().all(|fit| members.may_lead(*fit))
        };
        !self.swarm.calm
            && self.swarm.parts.priority(id) > 0
            && core.iter().all(|at| self.is_founder(*at))
            && (0..self.ghost.len()).all(is_known)
    }

    /// Everything below can be had from one of `hosts`.
    fn frontier_of(&self, hosts: &[u8], group: usize) -> Slot {
        let group = group_id(group);
        let known = |host: &u8| self.hosts[usize::from(*host)].has_below(group);
        hosts.iter().map(known).max().unwrap_or(Slot::FIRST)
    }
}
