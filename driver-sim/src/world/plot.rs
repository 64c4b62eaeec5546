//! What goes wrong on purpose: plots that a leader, its heir and its voters meet with at just the
//! moment when one of them may forget its word, or take it for released.
//!
//! Some begin at a nemesis tick, others when a node says something that makes it worth while. What
//! follows a while later is a [`Scheme`] on the agenda.

use paxos_core::effect::Input;
use paxos_core::message::{Envelope, Message};
use paxos_core::types::GroupId;

use super::{Event, World, group_id};
use crate::check::Checked;
use crate::choice::Choice;
use crate::tally::Mark;

/// What follows, a while after a plot has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Scheme {
    /// A leader that has told its heir to stand hears that the heir is gone.
    Disown {
        /// The leader.
        leader: u8,
        /// Its heir.
        heir: u8,
    },
    /// An heir is heard at last, but for the leader, who hears nobody.
    Unmute {
        /// The leader.
        leader: u8,
        /// Its heir.
        heir: u8,
    },
    /// A host crashes, and loses its disk.
    Rob {
        /// The host.
        host: u8,
        /// The life that was to lose it.
        life: u32,
    },
    /// Something that the former disk of a host has said arrives.
    Remind {
        /// The host.
        host: u8,
    },
    /// Whoever leads is asked to make way for a host.
    Recall {
        /// The host.
        host: u8,
    },
}

impl<C: Choice> World<C> {
    /// Brings a leader with a lease and those who gave it to it apart, at a moment when one of them
    /// may forget its word, or take it for released.
    pub(super) fn plot(&mut self) -> Checked {
        let Some(leader) = self.leader() else { return Ok(()) };
        self.tally.hit(Mark::Plot);
        if self.swarm.host.betray == 0 {
            let isolates = self.choice.chance(500_000);
            return if isolates { self.isolate(leader) } else { self.mute_heir(leader) };
        }
        self.race(leader);
        match self.choice.weighted(&[3, 1, 4, 2]) {
            0 => {
                self.tell_of_its_end(leader);
                self.isolate(leader)
            }
            1 => self.mute_heir(leader),
            2 => self.make_way(leader).map(|_| ()),
            _ => {
                self.freeze(leader);
                Ok(())
            }
        }
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
        let heir = self.make_way(leader)?;
        self.mute(heir);
        Ok(())
    }

    fn make_way(&mut self, leader: u8) -> Checked<u8> {
        let heir = self.choice.below(u32::from(self.swarm.nodes)) as u8;
        self.make_way_for(leader, heir)?;
        Ok(heir)
    }

    fn make_way_for(&mut self, leader: u8, heir: u8) -> Checked {
        let groups = (0..self.ghost.len()).map(group_id);
        let led: Vec<GroupId> = groups.filter(|group| self.leads(leader, *group)).collect();
        led.into_iter().try_for_each(|group| self.ask_to_make_way(leader, group, heir))
    }

    fn mute(&mut self, host: u8) {
        (0..self.swarm.nodes).filter(|to| *to != host).for_each(|to| {
            self.network.links.cut(host, to);
        });
    }

    fn deafen(&mut self, host: u8) {
        (0..self.swarm.nodes).filter(|from| *from != host).for_each(|from| {
            self.network.links.cut(from, host);
        });
    }

    /// Perhaps the leader's clock runs as slowly as it may from now on, and all others as fast: then
    /// it believes in its lease for as long as can be.
    fn race(&mut self, leader: u8) {
        let most = i64::from(self.swarm.host.skew);
        if most == 0 || !self.choice.chance(500_000) {
            return;
        }
        for host in 0..self.swarm.nodes {
            self.set_clock(host, 0, if host == leader { -most } else { most });
        }
    }

    /// The leader stands still for about as long as a lease: what it was told meanwhile, it reads
    /// when it is too late.
    fn freeze(&mut self, leader: u8) {
        let kept = self.swarm.timing.lease.map_or(0, |lease| lease.kept().as_micros() as u64);
        let wait = kept / 2 + self.choice.range(0..=kept * 2);
        self.pause_for(leader, wait);
        self.tell_of_its_end(leader);
    }

    /// All others hear that this host is gone.
    fn tell_of_its_end(&mut self, about: u8) {
        for host in (0..self.swarm.nodes).filter(|host| *host != about) {
            let wait = self.choice.range(0..=5_000);
            self.agenda.after(wait, Event::Hint { host, about, up: false });
        }
    }

    /// Takes in that a host is about to send something.
    pub(super) fn overhear(&mut self, at: u8, envelope: &Envelope) {
        if self.core.is_some() {
            return;
        }
        if matches!(&envelope.message, Message::Prepare(m) if m.released.is_some()) {
            self.rob_candidate(at);
        }
    }

    /// A leader has told its heir to stand. Perhaps it hears nobody from here on; or nobody hears
    /// the heir until the leader has gone on without it.
    pub(super) fn betray(&mut self, leader: u8, heir: u8) {
        let odds = self.swarm.host.betray;
        if self.core.is_some() || self.swarm.timing.lease.is_none() || !self.choice.chance(odds) {
            return;
        }
        self.tally.hit(Mark::Betrayed);
        if self.choice.chance(400_000) {
            self.happens(format_args!("a leader that makes way hears nobody any more"));
            return self.deafen(leader);
        }
        self.happens(format_args!("an heir is not heard until its leader has gone on"));
        self.mute(heir);
        let beat = self.swarm.timing.heartbeat.as_micros() as u64;
        let patience = self.swarm.timing.patience.as_micros() as u64;
        let disowned = self.choice.range(0..=beat);
        self.agenda.after(disowned, Event::Plot(Scheme::Disown { leader, heir }));
        let heard = disowned + beat / 2 + self.choice.range(0..=beat + patience);
        self.agenda.after(heard, Event::Plot(Scheme::Unmute { leader, heir }));
    }

    /// Perhaps a candidate for whom a leader makes way is heard by nobody, and loses the disk that
    /// knows its ballot: when the leader makes way for it again, its ballot must be another one.
    fn rob_candidate(&mut self, at: u8) {
        if self.swarm.disk.robbed > 0
            && self.may_lose_disk(at)
            && self.choice.chance(self.swarm.disk.robbed)
        {
            self.mute(at);
            self.plan_robbery(at);
        }
    }

    fn plan_robbery(&mut self, host: u8) {
        let life = self.hosts[usize::from(host)].lives;
        let wait = self.choice.range(0..=20_000);
        self.agenda.after(wait, Event::Plot(Scheme::Rob { host, life }));
    }

    /// Goes on with a plot.
    pub(super) fn scheme(&mut self, scheme: Scheme) -> Checked {
        if self.core.is_some() {
            return Ok(());
        }
        match scheme {
            Scheme::Disown { leader, heir } => {
                let heir = self.hosts[usize::from(heir)].id;
                if self.moves(leader) { self.feed(leader, Input::PeerDown(heir)) } else { Ok(()) }
            }
            Scheme::Unmute { leader, heir } => {
                (0..self.swarm.nodes).for_each(|to| self.network.links.mend(heir, to));
                self.deafen(leader);
                Ok(())
            }
            Scheme::Rob { host, life } => self.rob(host, life),
            Scheme::Remind { host } => self.remind(host),
            Scheme::Recall { host } => match self.leader() {
                Some(leader) if leader != host => self.make_way_for(leader, host),
                _ => Ok(()),
            },
        }
    }

    fn rob(&mut self, host: u8, life: u32) -> Checked {
        if self.hosts[usize::from(host)].in_life(life).is_none() {
            return Ok(());
        }
        self.crash(host)?;
        (0..self.swarm.nodes).for_each(|to| self.network.links.mend(host, to));
        if !self.may_lose_disk(host) {
            return Ok(());
        }
        self.tally.hit(Mark::Robbed);
        // By a clock that was set back: no life tells the new disk of the old one's rounds.
        self.empty_disk(host, true, 0);
        let wait = self.choice.range(0..=20_000);
        self.agenda.after(wait, Event::Start { host });
        let patience = self.swarm.timing.patience.as_micros() as u64;
        for _ in 0..3 {
            let wait = self.choice.range(50_000..=50_000 + 8 * patience);
            self.agenda.after(wait, Event::Plot(Scheme::Recall { host }));
        }
        Ok(())
    }
}
