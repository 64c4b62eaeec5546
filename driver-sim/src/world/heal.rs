//! The second phase: a random core of at least a quorum works again, everything else is broken for
//! good, and the core must make progress.
//!
//! Broken for good means down, cut off, deaf or mute. The links within the core all work, or only
//! those to one hub and any of the others: whoever reaches a quorum must be able to lead it.

use std::collections::BTreeSet;
use std::time::Duration;

use paxos_core::types::{GroupId, NodeId};
use paxos_core::{Replica, Standing};

use super::age::Ages;
use super::{World, group_id};
use crate::check::{Checked, Violation, ensure};
use crate::choice::Choice;
use crate::client::Mood;
use crate::swarm::{DiskWeights, Ills, NetWeights, VaultWeights};
use crate::tally::Mark;

/// Those who must make progress.
#[derive(Clone, Debug)]
pub(super) struct Core {
    members: Vec<u8>,
    /// Whether they surely reach each other only through the first of them.
    is_star: bool,
    /// Whether somebody outside may be both heard and told.
    is_tangled: bool,
    /// When the phase began (µs).
    since: u64,
    /// Writes and reads that were answered by then.
    answered: (u64, u64),
    /// Answers of each group by then.
    answers: Vec<u64>,
    /// Hosts outside of the core that have campaigned since, each group once: a ballot that was
    /// on its way to the disk when the phase began may depose a leader, if its owner is heard.
    disturbed: BTreeSet<(u8, GroupId)>,
    /// How often one of the core has come to lead since.
    led: u64,
}

impl Core {
    /// The hosts in it.
    pub(super) fn members(&self) -> Vec<u8> {
        self.members.clone()
    }

    /// Whether somebody outside may be both heard and told.
    pub(super) fn is_tangled(&self) -> bool {
        self.is_tangled
    }
}

/// How far the core has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Fresh writes and reads must be answered.
    Serve,
    /// No client asks any more; all must have applied the same.
    Converge,
}

impl<C: Choice> World<C> {
    /// Fresh writes, and fresh reads, that the core must answer.
    const FRESH: u64 = 10;

    /// How often progress is looked at (µs).
    const LOOK_US: u64 = 20_000;

    /// Letters from the first phase arrive within this time (µs).
    const LAST_POST_US: u64 = 20_000;

    pub(super) fn heal(&mut self) -> Checked {
        let core = self.draw_core();
        let is_tangled = self.swarm.net.tangle > 0 && core.len() < usize::from(self.swarm.nodes);
        if is_tangled {
            self.rob_outsiders(&core)?;
        }
        let is_star =
            self.may_be_hub(core[0], &core) && core.len() > 2 && self.choice.chance(250_000);
        // What a slow network still holds back would be a fault that goes on: a ballot that arrives
        // minutes later deposes a leader, as it must.
        self.agenda.hasten_letters(Self::LAST_POST_US);
        let calm = NetWeights { fifo: self.swarm.net.fifo, ..NetWeights::calm() };
        self.network.behave(calm, self.agenda.now() + Self::LAST_POST_US);
        self.network.links.heal();
        // Who talks to whom is still looked at: some disk may be an older copy.
        self.swarm.disk = DiskWeights { copied: self.swarm.disk.copied, ..DiskWeights::calm() };
        self.swarm.vault = VaultWeights { keep: self.swarm.vault.keep, ..VaultWeights::calm() };
        let Ills { upgrades, pace, .. } = self.swarm.ills;
        self.swarm.ills = Ills { upgrades: upgrades.map(|_| 0), pace, ..Ills::default() };
        let weights = &mut self.crowd.weights;
        weights.think_us = (1_000, 20_000);
        weights.retry = 1_000_000;
        weights.oversized = 0;
        // Impatient clients fill a short line with commands that nobody waits for any more.
        weights.timeout_us = weights.timeout_us.max(20_000_000);
        self.crowd.mood = Mood::Alternating;
        let shape = if is_star { "star" } else { "core" };
        let names: Vec<_> = core.iter().map(|at| self.hosts[usize::from(*at)].id).collect();
        self.happens(format_args!("the faults end; {shape} {names:?} must make progress"));
        self.core = Some(Core {
            members: core.clone(),
            is_star,
            is_tangled: false,
            since: self.agenda.now(),
            answered: self.answered(),
            answers: self.answers(),
            disturbed: BTreeSet::new(),
            led: 0,
        });
        (0..self.swarm.nodes).for_each(|host| self.speed_up(host));
        (0..self.swarm.nodes).try_for_each(|host| self.make_room(host))?;
        for host in 0..self.swarm.nodes {
            match core.contains(&host) {
                true => self.mend(host),
                false if is_tangled => {}
                false => self.spoil(host, &core)?,
            }
        }
        if is_tangled {
            let is_tangled = self.tangle(&core)?;
            self.core.iter_mut().for_each(|core| core.is_tangled = is_tangled);
        }
        if is_star {
            self.cut_spokes(&core[1..]);
        }
        self.finish_upgrade(&core)
    }

    /// Runs until the core has done what it must, or until it has had time enough.
    pub(super) fn live(&mut self) -> Checked {
        let bound = self.agenda.now() + self.patience();
        // A leader from before may still have to find out that it leads nobody.
        let settled = self.swarm.timing.patience.as_micros() as u64 * 3;
        let (mut stage, mut lagged) = (Stage::Serve, self.agenda.now());
        let mut ages = Ages::default();
        while self.agenda.now() < bound {
            self.run_until(self.agenda.now() + Self::LOOK_US)?;
            self.look_at_ages(&mut ages)?;
            if stage == Stage::Serve && self.has_served() {
                if self.core.as_ref().is_some_and(|core| core.is_tangled) {
                    return Ok(());
                }
                stage = Stage::Converge;
                self.crowd.mood = Mood::Done;
            }
            if stage == Stage::Serve || self.laggard().is_some() {
                lagged = self.agenda.now();
            } else if self.agenda.now() > lagged + settled {
                return self.stay();
            }
        }
        Err(self.stuck(stage))
    }

    /// A node campaigns. One outside of the core may have begun to before it was cut off, and one
    /// that has a say no more may not have been told: it may stand for slots that were its own.
    pub(super) fn campaigns(&mut self, at: u8, group: GroupId) {
        self.tally.hit(Mark::Campaign);
        let id = self.hosts[usize::from(at)].id;
        let is_done = !self.ghost[group.0 as usize].members.has(id);
        if let Some(core) = self.core.as_mut().filter(|c| is_done || !c.members.contains(&at)) {
            core.disturbed.insert((at, group));
        }
    }

    /// A node has come to lead. One outside of the core may, where it alone decided once: nobody is
    /// led by it.
    pub(super) fn begins_to_lead(&mut self, at: u8) {
        self.tally.hit(Mark::Leading);
        let Some(core) = &mut self.core else { return };
        if core.members.contains(&at) {
            core.led += 1;
        } else {
            self.tally.hit(Mark::LedFromOutside);
        }
    }

    /// Those outside of the core that ask for promises now, or have since it was drawn; and those
    /// that stand against its leader, as they will say once they come to read what it has asked them.
    fn disturbers(&self) -> usize {
        let Some(core) = &self.core else { return 0 };
        let groups = |at: u8| {
            let life = self.hosts[usize::from(at)].life.as_ref();
            life.into_iter().flat_map(|life| life.node.groups())
        };
        let leads = |replica: &&Replica| replica.standing() == Standing::Leader;
        let led: Vec<_> = core.members.iter().flat_map(|at| groups(*at).filter(leads)).collect();
        let stands_against = |one: &Replica| {
            let own = led.iter().filter(|leader| leader.id() == one.id());
            own.filter_map(|leader| leader.own_ballot()).any(|ballot| ballot < one.promised())
        };
        let mut disturbers = core.disturbed.clone();
        for at in (0..self.swarm.nodes).filter(|at| !core.members.contains(at)) {
            let disturbs = |one: &&Replica| one.own_ballot().is_some() || stands_against(one);
            disturbers.extend(groups(at).filter(disturbs).map(|one| (at, one.id())));
        }
        disturbers.len()
    }

    /// Groups whose leader leaves with a change that is taken, or may be: it makes way once.
    fn leavers(&self) -> usize {
        let leaves = |group: &usize| {
            let members = &self.ghost[*group].members;
            let mut leaders = (0..self.swarm.nodes).filter(|at| self.leads(*at, group_id(*group)));
            leaders.any(|at| !members.keeps(self.hosts[usize::from(at)].id))
        };
        (0..self.ghost.len()).filter(leaves).count()
    }

    /// Once all is done, leadership must not move any more, but for leaders that leave, and for
    /// those who speak without hearing, or do not know that they left: each may be late with one ballot.
    fn stay(&mut self) -> Checked {
        let patience = self.swarm.timing.patience.as_micros() as u64;
        let given_up = self.tally.count(Mark::GivenUp);
        if !self.swarm.parts.priorities.is_empty() {
            // Who is preferred is waited for, and made way for: once a group. In a star
            // those that reach nobody else are asked before it.
            let times = if self.core.as_ref().is_some_and(|core| core.is_star) { 3 } else { 1 };
            self.run_until(self.agenda.now() + patience * Self::PREFERENCE * times)?;
        }
        let led = |world: &Self| world.core.as_ref().map_or(0, |core| core.led);
        let before = led(self);
        let leavers = self.leavers() as u64;
        let late = self.disturbers() as u64;
        self.run_until(self.agenda.now() + patience * 6)?;
        let changes = led(self) - before;
        self.tally.add(Mark::LateBallot, changes);
        // Who was waited for in vain may be asked again later.
        if self.tally.count(Mark::GivenUp) == given_up {
            self.led_by_the_preferred()?;
        }
        ensure!(
            changes <= leavers + late.max(self.disturbers() as u64),
            "L1 stable leader",
            "leadership changes {changes} times in a quiet core that works"
        );
        Ok(())
    }

    /// So many patiences after the last of them has caught up, the one leads that is preferred.
    const PREFERENCE: u64 = 30;

    /// In a core where everyone hears everyone, nobody leads while one that it hears would lead
    /// more willingly.
    fn led_by_the_preferred(&self) -> Checked {
        let Some(core) = self.core.as_ref().filter(|core| !core.is_star) else { return Ok(()) };
        for group in 0..self.ghost.len() {
            let members = &self.ghost[group].members;
            let fits = self.fits(&core.members);
            let best = fits.iter().filter(|fit| members.may_lead(**fit));
            let best = best.map(|fit| self.swarm.parts.priority(fit.node)).max().unwrap_or(0);
            let leaders = core.members.iter().filter(|at| self.leads(**at, group_id(group)));
            for leader in leaders.map(|at| self.hosts[usize::from(*at)].id) {
                let own = self.swarm.parts.priority(leader);
                ensure!(
                    own >= best,
                    "L4 preferred leader",
                    "{leader} leads g{group} with priority {own}, while one with {best} could"
                );
            }
        }
        Ok(())
    }

    fn run_until(&mut self, end: u64) -> Checked {
        while let Some(event) = self.agenda.pop(end) {
            self.happen(event)?;
        }
        self.agenda.pass(end);
        Ok(())
    }

    /// However slow the pace of catching up, it doubles every few seconds.
    const CATCH_UP_US: u64 = 60_000_000;

    /// How long the core may take (µs): some elections, some answers, whatever was still under way
    /// from the first phase, and a while for each slot that someone may have to catch up with.
    fn patience(&self) -> u64 {
        let timing = &self.swarm.timing;
        let us = |duration: Duration| duration.as_micros() as u64;
        let slots: u64 = self.ghost.iter().map(|group| group.slots.frontier().0).sum();
        let left_over = self.swarm.net.slow_us + 20_000_000;
        // Clients may ask any member, and some may see no leader: those answer late.
        let members = self.core.as_ref().map_or(0, |core| self.asked(core).len() as u64);
        us(timing.patience + timing.lease.map_or(Duration::ZERO, |lease| lease.kept())) * 60
            + us(timing.answer) * 40 * members
            + us(timing.resend) * 50
            + left_over
            + slots * 10_000
            + self
                .swarm
                .ills
                .pace
                .map_or(0, |pace| Self::CATCH_UP_US.min(slots * 1_000_000_000 / pace))
    }

    fn answered(&self) -> (u64, u64) {
        (self.tally.count(Mark::Written), self.tally.count(Mark::Read))
    }

    fn answers(&self) -> Vec<u64> {
        self.ghost.iter().map(|group| group.ledger.answers()).collect()
    }

    /// Whether enough was answered that was asked in this phase, by each group that has clients. Each client may have had one
    /// operation under way when it began.
    fn has_served(&self) -> bool {
        let Some(core) = &self.core else { return false };
        let least = Self::FRESH + u64::from(self.crowd.weights.clients);
        let (writes, reads) = self.answered();
        let asked = self.answers().into_iter().zip(&core.answers).take(self.crowd.clients.len());
        let by_each = asked.into_iter().all(|(now, then)| now - then >= Self::FRESH / 2);
        by_each && writes - core.answered.0 >= least && reads - core.answered.1 >= least
    }

    /// Whether this node is to have the state machine of a group.
    fn tends(&self, node: NodeId, group: usize) -> bool {
        let members = &self.ghost[group].members;
        members.serves(node)
    }

    /// What has not converged yet, in words.
    fn laggard(&self) -> Option<String> {
        let core = self.core.as_ref()?;
        for host in core.members.iter().map(|at| &self.hosts[usize::from(*at)]) {
            let Some(life) = &host.life else { return Some(format!("{} is down", host.id)) };
            for (index, bank) in life.banks.iter().enumerate() {
                let frontier = self.ghost[index].slots.frontier();
                if bank.next() != frontier && self.tends(host.id, index) {
                    let group = group_id(index);
                    let next = bank.next();
                    return Some(format!("{} is at {next} of {frontier} in {group}", host.id));
                }
            }
            let belongs = |group: u8| self.tends(host.id, usize::from(group));
            if !life.desk.is_idle(belongs) {
                return Some(format!("somebody still waits for an answer at {}", host.id));
            }
        }
        let led = |group: &usize| core.members.iter().any(|at| self.leads(*at, group_id(*group)));
        let headless = (0..self.ghost.len()).find(|group| !led(group));
        let headless = headless.map(|group| format!("nobody leads {}", group_id(group)));
        headless.or_else(|| self.unchosen(core)).or_else(|| self.stray(core))
    }

    /// A leader that has begun what is not chosen yet: many slots, told of a few at a time, may
    /// take long where little is held for the disk.
    fn unchosen(&self, core: &Core) -> Option<String> {
        core.members.iter().map(|at| &self.hosts[usize::from(*at)]).find_map(|host| {
            let mut groups = host.life.iter().flat_map(|life| life.node.groups());
            let busy = |group: &&Replica| group.log().end() > group.chosen();
            let group = groups.find(|group| group.standing() == Standing::Leader && busy(group))?;
            let (chosen, end) = (group.chosen(), group.log().end());
            Some(format!("{} leads {} and has {chosen}..{end} not chosen", host.id, group.id()))
        })
    }

    /// One that has come back on another disk, and was not bound to that: it votes no more. In a
    /// star perhaps somebody leads who does not hear it.
    fn stray(&self, core: &Core) -> Option<String> {
        let fits = self.fits(&core.members);
        let mut groups = self.ghost.iter().enumerate().filter(|_| !core.is_star);
        groups.find_map(|(group, ghost)| {
            let stray = ghost.members.stray(&fits)?;
            Some(format!("{stray} is bound to another disk in {}", group_id(group)))
        })
    }

    fn stuck(&self, stage: Stage) -> Box<Violation> {
        let Some(core) = &self.core else { return Violation::new("simulator", String::new()) };
        let took = (self.agenda.now() - core.since) / 1_000;
        let shape = match (core.is_star, core.is_tangled) {
            (true, false) => "a star",
            (false, false) => "a core",
            (true, true) => "a star in a tangle",
            (false, true) => "a core in a tangle",
        };
        let what = match stage {
            Stage::Serve => {
                let (writes, reads) = self.answered();
                let (writes, reads) = (writes - core.answered.0, reads - core.answered.1);
                format!("only {writes} writes and {reads} reads are answered")
            }
            Stage::Converge => self.laggard().unwrap_or_default(),
        };
        let name = match stage {
            Stage::Serve => "L1 progress",
            Stage::Converge => "L1 convergence",
        };
        let size = core.members.len();
        Violation::new(name, format!("{shape} of {size} has had {took}ms, and {what}"))
    }
}
