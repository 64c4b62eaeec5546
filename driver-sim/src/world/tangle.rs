//! Which hosts and links work in the second phase.
//!
//! All is well in the core, but perhaps for links between others than its hub. Outside of it hosts
//! are down, or cut off from the core in one direction at least; or else all are in a tangle, where
//! some of their links work. Whoever leads may then be outside, and so may those who answer; who
//! hears some of the core, or is heard there, must not keep it from going on: a quorum that one of
//! its own reaches decides, whatever the others hear of each other. More is not asked: who is
//! outside may lead, be behind, or be deposed as often as its links want. The worst of those who
//! lead there is snared: it hears a quorum, but not of those who can vote.

use super::World;
use super::heal::Core;
use crate::check::Checked;
use crate::choice::Choice;
use crate::tally::Mark;

/// A leader, and all who both hear it and are heard by it.
struct Snare {
    leader: u8,
    near: Vec<u8>,
}

impl Snare {
    /// Whether a link works, if it is one of the leader's.
    fn link(&self, one: u8, other: u8) -> Option<bool> {
        let far = if one == self.leader { other } else { one };
        (one == self.leader || other == self.leader).then(|| self.near.contains(&far))
    }
}

impl<C: Choice> World<C> {
    /// Puts the leader where the core cannot reach it both ways unless it must be in there: at the
    /// end of those of whom a core is drawn.
    pub(super) fn put_leader_last(&mut self, sound: &mut [u8]) {
        if self.swarm.net.tangle == 0 || !self.choice.chance(800_000) {
            return;
        }
        let leader = self.leader();
        if let Some(at) = sound.iter().position(|at| Some(*at) == leader) {
            sound[at..].rotate_left(1);
        }
    }

    /// Some of those outside of a core lose their disks: they answer, and their votes do not count.
    /// Where a leader is snared, all others do.
    pub(super) fn rob_outsiders(&mut self, core: &[u8]) -> Checked {
        let snared = self.snared(core);
        let mut robbed = 0;
        for at in (0..self.swarm.nodes).filter(|at| !core.contains(at)) {
            let is_robbed = match snared {
                Some(leader) => at != leader,
                None => self.choice.chance(500_000),
            };
            if is_robbed && self.may_lose_disk(at) {
                self.crash(at)?;
                self.tally.hit(Mark::DiskLost);
                self.replace_disk(at, true);
                robbed += 1;
            }
        }
        self.tally.add(Mark::Snare, (snared.is_some() && robbed > 0).into());
        Ok(())
    }

    /// Cuts any of the links to and from those outside of the core, each direction by itself or
    /// both at once; perhaps not those among them. Some of them go down, all others are well.
    /// Says whether any of those still both hears of the core and is heard there.
    pub(super) fn tangle(&mut self, core: &[u8]) -> Checked<bool> {
        let odds = self.swarm.net.tangle;
        let (is_mutual, is_close) = (self.choice.chance(700_000), self.choice.chance(700_000));
        let outside: Vec<u8> = (0..self.swarm.nodes).filter(|at| !core.contains(at)).collect();
        let snare = self.snare(core, &outside);
        for (place, one) in outside.iter().enumerate() {
            let earlier = &outside[..place];
            let others = earlier.iter().filter(|_| !is_close).chain(core);
            for other in others {
                let (there, back) = match snare.as_ref().and_then(|s| s.link(*one, *other)) {
                    Some(is_open) => (is_open, is_open),
                    None => {
                        let there = self.choice.chance(odds);
                        (there, if is_mutual { there } else { self.choice.chance(odds) })
                    }
                };
                if !there {
                    self.network.links.cut(*one, *other);
                }
                if !back {
                    self.network.links.cut(*other, *one);
                }
            }
        }
        outside.iter().try_for_each(|at| {
            let at = *at;
            // The network loses what one says who has misread something: the core has that from others.
            let lies = self.hosts[usize::from(at)].misread.is_some();
            if self.choice.chance(150_000) || lies {
                return self.bar(at);
            }
            self.mend(at);
            Ok(())
        })?;
        let up = outside.into_iter().filter(|at| !self.hosts[usize::from(*at)].barred);
        let now = self.agenda.now();
        let linked = |from, to| !self.network.links.is_cut(from, to, now);
        let (mut hears, mut is_heard) = (false, false);
        for (outside, member) in up.flat_map(|at| core.iter().map(move |member| (at, *member))) {
            hears |= linked(member, outside);
            is_heard |= linked(outside, member);
        }
        let is_tangled = hears && is_heard;
        self.tally.add(Mark::Tangle, is_tangled.into());
        Ok(is_tangled)
    }

    /// Who leads outside of the core, if that one is to hear barely enough.
    fn snared(&self, core: &[u8]) -> Option<u8> {
        self.leader().filter(|at| self.swarm.net.snare && !core.contains(at))
    }

    /// A leader outside of the core hears, of the core, as many as make a quorum with all who are
    /// outside. If those have lost their disks it can decide nothing, and must let go of the core.
    fn snare(&mut self, core: &[u8], outside: &[u8]) -> Option<Snare> {
        let leader = self.snared(core)?;
        let quorum = usize::from(self.swarm.nodes / 2 + 1);
        let mut near = core.to_vec();
        self.choice.shuffle(&mut near);
        near.truncate(quorum.saturating_sub(outside.len()).max(1));
        near.extend(outside);
        Some(Snare { leader, near })
    }

    /// All whom clients may ask when they are to be answered. In a tangle somebody outside of the
    /// core may lead, of whom the core's only main knows nothing.
    pub(super) fn asked(&self, core: &Core) -> Vec<u8> {
        let is_up = |at: &u8| !self.hosts[usize::from(*at)].barred;
        if core.is_tangled() {
            (0..self.swarm.nodes).filter(is_up).collect()
        } else {
            core.members()
        }
    }

    /// Cuts all links between spokes, or any of them, each direction by itself.
    pub(super) fn cut_spokes(&mut self, spokes: &[u8]) {
        let odds =
            if self.choice.chance(500_000) { self.choice.below(1_000_000) } else { 1_000_000 };
        for from in spokes {
            for to in spokes.iter().filter(|to| *to != from) {
                if self.choice.chance(odds) {
                    self.network.links.cut(*from, *to);
                }
            }
        }
    }

    /// All is well with this host again.
    pub(super) fn mend(&mut self, host: u8) {
        let now = self.agenda.now();
        let machine = &mut self.hosts[usize::from(host)];
        machine.paused_until = now;
        machine.clock.disturb(now, 0, 0);
        if let Some(life) = &mut machine.life {
            life.wake = None;
        }
        let wait = self.choice.range(0..=50_000);
        self.agenda.after(wait, super::Event::Start { host });
        let planned = self.plan_wake(host);
        debug_assert!(planned.is_ok(), "planning checks nothing");
    }

    /// A host is down, cut off, deaf or mute for good.
    pub(super) fn spoil(&mut self, host: u8, core: &[u8]) -> Checked {
        let fate = self.choice.below(4);
        if fate == 0 {
            return self.bar(host);
        }
        for member in core {
            if fate != 2 {
                self.network.links.cut(*member, host);
            }
            if fate != 3 {
                self.network.links.cut(host, *member);
            }
        }
        Ok(())
    }

    /// Takes a host down for good.
    pub(super) fn bar(&mut self, host: u8) -> Checked {
        self.hosts[usize::from(host)].barred = true;
        self.crash(host)
    }
}
