//! One step of one node, and what follows from it.

use paxos_core::effect::{Effect, Effects, Input};
use paxos_core::message::{Envelope, Message};
use paxos_core::quorum::NodeSet;
use paxos_core::types::{GroupId, Slot, Value};

use super::sample::{flip, step_twice};
use super::{Event, World, group_id};
use crate::check::{Checked, Handed, Violation, ensure, hash};
use crate::choice::Choice;
use crate::network::{Fate, Old};
use crate::picture::Fate as Missed;
use crate::tally::Mark;
use crate::transcript::EffectWords;

impl<C: Choice> World<C> {
    /// One step in so many is repeated on a copy of the node.
    const PURITY: u64 = 509;

    pub(super) fn arrive(&mut self, to: u8, letter: u32) -> Checked {
        if self.postponed(to, Event::Arrive { to, letter }) {
            return Ok(());
        }
        let Some((mut envelope, stamp)) = self.post.take(letter) else { return Ok(()) };
        let from = (envelope.from.0 - 1) as u8;
        if self.network.loses_in_flight(self.agenda.now(), from, to) {
            self.tally.hit(Mark::CutInFlight);
            self.missed(to, &envelope, Missed::Cut);
            return Ok(());
        }
        if !self.hosts[usize::from(to)].is_up() {
            self.tally.hit(Mark::NobodyHome);
            self.missed(to, &envelope, Missed::NobodyHome);
            return Ok(());
        }
        let version = stamp.spelling[usize::from(to)];
        if self.choice.chance(self.network.weights().flip) {
            flip(&mut self.choice, &envelope, version)?;
            self.tally.hit(Mark::Flipped);
            self.missed(to, &envelope, Missed::Lost);
            return Ok(());
        }
        if !self.read(to, &mut envelope, version)? {
            self.missed(to, &envelope, Missed::Lost);
            return Ok(());
        }
        if !self.admits((from, stamp), to)? {
            self.missed(to, &envelope, Missed::Cut);
            return Ok(());
        }
        if self.lets_go_in_vain(&envelope) {
            self.missed(to, &envelope, Missed::Lost);
            return Ok(());
        }
        if self.network.weights().replay > 0 && self.choice.chance(10_000) {
            self.post.keep(Old { to, version, envelope: envelope.clone() });
        }
        self.feed(to, Input::Received(envelope))
    }

    /// A letter was under way in vain.
    fn missed(&mut self, to: u8, envelope: &Envelope, fate: Missed) {
        let (now, to) = (self.agenda.now(), self.hosts[usize::from(to)].id);
        self.story.misses(now, to, envelope, fate);
    }

    pub(super) fn wake(&mut self, host: u8, life: u32) -> Checked {
        let now = self.agenda.now();
        let machine = &mut self.hosts[usize::from(host)];
        let (until, local) = (machine.paused_until, machine.clock.read(now));
        let Some(life) = machine.in_life(life).filter(|life| life.wake == Some(now)) else {
            return Ok(());
        };
        life.wake = None;
        let (number, due) = (life.number, life.node.wake_at().is_some_and(|at| at <= local));
        if until > now {
            life.wake = Some(until);
            self.agenda.at(until, Event::Wake { host, life: number });
            return Ok(());
        }
        if due { self.feed(host, Input::Ticked) } else { self.plan_wake(host) }
    }

    /// Gives an input to a node, carries out its orders, and checks everything. Does nothing where
    /// no process runs.
    pub(super) fn feed(&mut self, at: u8, input: Input) -> Checked {
        let now = self.agenda.now();
        let host = &mut self.hosts[usize::from(at)];
        let (id, local) = (host.id, host.clock.read(now));
        let Some(life) = &mut host.life else { return Ok(()) };
        self.story.note(&(now, at, &input));
        self.story.steps(now, id, &input);
        let word = life.heard.hear(&life.node, &input);
        let mut effects = std::mem::take(&mut self.scratch.effects);
        self.scratch.counts.steps += 1;
        if self.scratch.counts.steps.is_multiple_of(Self::PURITY) {
            step_twice(&mut life.node, local, input, &mut effects)?;
            self.tally.hit(Mark::PureStep);
        } else {
            life.node.step(local, input, &mut effects);
        }
        self.story.stepped(&life.node, effects.iter());
        let looked = self.scratch.bounds.look(&effects).and_then(|()| Handed::look(word, &effects));
        if let Err(violation) = looked {
            effects
                .iter()
                .for_each(|e| self.story.tell(now, format_args!("{}", EffectWords(id, e))));
            return Err(violation);
        }
        let mid_step = self.core.is_none() && self.choice.chance(self.swarm.host.crash_mid_step);
        let most = if mid_step {
            self.choice.below(effects.len() as u32 + 1) as usize
        } else {
            usize::MAX
        };
        let carried = self.carry_out(at, &mut effects, most);
        effects.clear();
        self.scratch.effects = effects;
        carried?;
        if mid_step {
            self.tally.hit(Mark::CrashMidStep);
            return self.crash(at);
        }
        self.examine(at)?;
        self.leases()?;
        self.plan_wake(at)
    }

    /// Carries out at most `most` orders; the rest is lost.
    fn carry_out(&mut self, at: u8, effects: &mut Effects, most: usize) -> Checked {
        for effect in effects.drain().take(most) {
            let now = self.agenda.now();
            let id = self.hosts[usize::from(at)].id;
            self.story.tell(now, format_args!("{}", EffectWords(id, &effect)));
            match effect {
                Effect::Send { to, envelope } => self.send(at, to, envelope)?,
                Effect::Persist(batch) => self.persist(at, batch)?,
                Effect::Deliver { group, run } => {
                    let mut each = run.iter();
                    each.try_for_each(|(slot, value)| self.deliver(at, group, slot, value))?;
                }
                Effect::Resolve { group, first, count, outcome } => {
                    let mut each = outcome.each(first, count);
                    each.try_for_each(|(id, outcome)| self.resolve(at, group, id, outcome))?;
                }
                Effect::Serve { group, query, at: index } => self.serve(at, group, query, index)?,
                Effect::Decline { group, query, .. } => self.decline(at, group, query)?,
                Effect::Capture { group, checkpoint } => self.capture(at, group, checkpoint)?,
                Effect::Load { group, to, image, offset, bytes } => {
                    self.load(at, (group, to), image, (offset, bytes));
                }
                Effect::Store { group, piece } => self.store(at, group, piece),
                Effect::Install { group, image } => self.install(at, group, image)?,
                Effect::Note(notice) => self.notice(at, notice)?,
                Effect::Halt(reason) => return self.halt(at, reason),
            }
        }
        Ok(())
    }

    fn send(&mut self, at: u8, to: NodeSet, envelope: Envelope) -> Checked {
        let host = &self.hosts[usize::from(at)];
        let group = envelope.group.0 as usize;
        ensure!(
            envelope.from == host.id && !to.contains(host.id) && group < self.ghost.len(),
            "I18 isolation",
            "{} sends as {} to {to:?} in {}",
            host.id,
            envelope.from,
            envelope.group
        );
        // Wrong values must not spread: the network loses them.
        let lies = matches!(envelope.message, Message::Entries(_) | Message::Promise(_));
        if lies && host.misread.is_some() {
            return Ok(());
        }
        // What an older copy says, nobody may take in; it need not be true.
        if !host.lore.is_old {
            self.ghost[group].on_sent(host.speaker(envelope.group), &envelope.message)?;
        }
        if let Message::Relieve(m) = &envelope.message
            && !host.lore.is_old
        {
            self.lets_go(at, envelope.group, m.below)?;
        }
        if matches!(envelope.message, Message::Accepted(_))
            && self.ghost[group].members.is_witness(host.id)
        {
            self.tally.hit(Mark::WitnessVote);
        }
        self.count_message(&envelope.message);
        self.overhear(at, &envelope);
        let now = self.agenda.now();
        let mut stamp = self.stamp(at);
        let (mut arrivals, mut copies) = ([(0, 0); 2 * 7], 0);
        for node in to.iter() {
            let Some(to) = u8::try_from(node.0 - 1).ok().filter(|to| *to < self.swarm.nodes) else {
                continue;
            };
            if !self.spell(at, to, &mut stamp) {
                self.story.sends(now, node, &envelope, Missed::Cut, false);
                continue;
            }
            self.remember(at, to, &envelope, &stamp);
            let mut arrives = |delay| {
                arrivals[copies] = (to, delay);
                copies += 1;
            };
            match self.network.route(&mut self.choice, now, at, to) {
                Fate::Lost => {
                    self.story.sends(now, node, &envelope, Missed::Lost, false);
                    self.tally.hit(Mark::Lost);
                }
                Fate::Cut => {
                    self.story.sends(now, node, &envelope, Missed::Cut, false);
                    self.tally.hit(Mark::CutOff);
                }
                Fate::Once(delay) => {
                    self.story.sends(now, node, &envelope, Missed::Flying, false);
                    arrives(delay);
                }
                Fate::Twice(first, second) => {
                    self.story.sends(now, node, &envelope, Missed::Flying, false);
                    self.story.sends(now, node, &envelope, Missed::Flying, true);
                    arrives(first);
                    arrives(second);
                    self.tally.hit(Mark::Doubled);
                }
            }
        }
        let heir = matches!(envelope.message, Message::Handover(_)).then(|| to.iter().next());
        if copies > 0 {
            let letter = self.post.put(envelope, stamp, copies as u8);
            for (to, delay) in &arrivals[..copies] {
                self.agenda.after(*delay, Event::Arrive { to: *to, letter });
            }
        }
        if let Some(heir) = heir.flatten().filter(|heir| heir.0 <= u16::from(self.swarm.nodes)) {
            self.betray(at, (heir.0 - 1) as u8);
        }
        Ok(())
    }

    fn count_message(&mut self, message: &Message) {
        match message {
            Message::Promise(m) if m.to.is_some() => self.tally.hit(Mark::PagedPromise),
            Message::Entries(m) if !m.run.is_empty() => self.tally.hit(Mark::Fetched),
            Message::Forward(_) => self.tally.hit(Mark::Forwarded),
            Message::Reject(_) => self.tally.hit(Mark::Rejected),
            Message::Offer(_) => self.tally.hit(Mark::Offered),
            Message::Pull(_) => self.tally.hit(Mark::Pulled),
            _ => {}
        }
    }

    fn deliver(&mut self, at: u8, group: GroupId, slot: Slot, value: &Value) -> Checked {
        let sum = hash(value);
        let host = &mut self.hosts[usize::from(at)];
        let ghost = &mut self.ghost[group.0 as usize];
        let is_wrong = host.misread.is_some();
        if !is_wrong {
            ghost.fact(host.speaker(group), slot, sum)?;
        }
        let id = host.id;
        let is_installing = host.vault.is_installing(group);
        let Some(life) = &mut host.life else { return Ok(()) };
        let bank = &mut life.banks[group.0 as usize];
        ensure!(
            slot == bank.next() && !is_installing,
            "I9 order",
            "{id} delivers slot {slot} after all below {}",
            bank.next()
        );
        let reply = bank.apply(value, sum);
        if is_wrong {
            while let Some(ticket) = self.arrived(at, group, slot) {
                self.lost(ticket.client, ticket.attempt)?;
            }
            return Ok(());
        }
        ghost.ledger.applied(slot, value, sum, bank.digest())?;
        if ghost.ledger.is_noop(sum) {
            self.tally.hit(Mark::Noop);
        }
        while let Some(ticket) = self.arrived(at, group, slot) {
            self.written(ticket, slot, sum, reply)?;
        }
        Ok(())
    }

    /// Asks the node what it thinks, and compares.
    fn examine(&mut self, at: u8) -> Checked {
        let host = &mut self.hosts[usize::from(at)];
        let Some(life) = &mut host.life else { return Ok(()) };
        for (index, (watch, bank)) in life.watches.iter_mut().zip(&life.banks).enumerate() {
            let group = group_id(index);
            let Some(replica) = life.node.group(group) else { continue };
            let durable = host.disk.durable().group(group).map(|g| g.promised());
            let frontier = self.ghost[index].slots.frontier();
            watch.look(replica, durable.unwrap_or_default(), bank.next(), frontier)?;
        }
        let checked = life.node.check();
        checked.map_err(|sentence| Violation::new("the node's own check", sentence.to_owned()))
    }

    /// Plans the wake that the node asks for, unless an earlier one is planned: that one will plan
    /// the next.
    pub(super) fn plan_wake(&mut self, at: u8) -> Checked {
        let now = self.agenda.now();
        let host = &mut self.hosts[usize::from(at)];
        let Some(life) = &mut host.life else { return Ok(()) };
        let Some(local) = life.node.wake_at() else { return Ok(()) };
        // A loop takes time: what is due at once comes a moment later.
        let due = host.clock.when(local).max(now + 1) + host.slow.lag(now);
        if life.wake.is_none_or(|planned| due < planned) {
            life.wake = Some(due);
            self.agenda.at(due, Event::Wake { host: at, life: life.number });
        }
        Ok(())
    }
}
