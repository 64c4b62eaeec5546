//! Syncs, crashes and starts: what becomes of a process and of what it wrote.

use paxos_core::effect::Input;
use paxos_core::log::{Batch, Durable, Entry};
use paxos_core::quorum::NodeSet;
use paxos_core::types::{Slot, Value};
use paxos_core::{Config, GroupConfig, Node, RestoreError};

use super::{Event, World, group_id};
use crate::check::{Checked, Handed, Violation, Watch, ensure};
use crate::choice::Choice;
use crate::disk::Disk;
use crate::host::{Desk, Life};
use crate::machine::Bank;
use crate::picture::What;
use crate::swarm::Swarm;
use crate::tally::Mark;
use crate::vault::Vault;

impl<C: Choice> World<C> {
    pub(super) fn persist(&mut self, at: u8, batch: Batch) -> Checked {
        let host = &self.hosts[usize::from(at)];
        for record in &batch.records {
            let group = self.ghost.get_mut(record.group.0 as usize);
            ensure!(group.is_some(), "I18 isolation", "a record of unknown {}", record.group);
            if let Some(group) = group.filter(|_| !host.lore.is_old) {
                group.on_written(host.speaker(record.group), record)?;
            }
            if let Entry::Relieved { below, .. } = record.entry {
                self.tally.hit(Mark::Relieved);
                self.lets_go(at, record.group, below)?;
            }
            if let Entry::Trimmed { below } = record.entry {
                self.tally.hit(Mark::Trimmed);
                ensure!(
                    below <= host.vault.shelf(record.group).covers(),
                    "I8 chosen is durable",
                    "{} forgets all below {below}, but no image on its disk stands in for that",
                    host.id
                );
            }
        }
        self.hosts[usize::from(at)].disk.write(batch);
        self.begin_sync(at)
    }

    pub(super) fn begin_sync(&mut self, at: u8) -> Checked {
        let weights = &self.swarm.disk;
        let host = &mut self.hosts[usize::from(at)];
        let life = host.lives;
        if host.room.is_full() || !host.disk.sync(weights.single)? {
            return Ok(());
        }
        let (low, high) = weights.sync_us;
        let mut wait = self.choice.range(low..=high);
        if self.choice.chance(weights.slow) {
            wait += self.choice.range(0..=weights.slow_us);
            self.tally.hit(Mark::SlowSync);
        }
        self.agenda.after(wait, Event::Synced { host: at, life });
        Ok(())
    }

    pub(super) fn synced(&mut self, at: u8, life: u32) -> Checked {
        if self.hosts[usize::from(at)].in_life(life).is_none()
            || self.postponed(at, Event::Synced { host: at, life })
        {
            return Ok(());
        }
        if self.choice.chance(self.swarm.disk.fail) {
            return self.fail_sync(at);
        }
        let mark = self.choice.chance(self.swarm.disk.mark);
        let batches = self.hosts[usize::from(at)].disk.synced(mark)?;
        self.tally.add(Mark::Synced, batches.len() as u64);
        let gone = self.hosts[usize::from(at)].disk.trim(&mut self.choice);
        self.tally.add(Mark::SegmentGone, gone);
        batches.iter().try_for_each(|batch| self.settled(at, batch))?;
        let from = if self.swarm.disk.ack_each { 0 } else { batches.len().saturating_sub(1) };
        for batch in batches.range(from..) {
            self.feed_in_life(at, life, Input::Persisted(batch.id))?;
        }
        if self.hosts[usize::from(at)].in_life(life).is_some() {
            self.begin_sync(at)
        } else {
            Ok(())
        }
    }

    fn feed_in_life(&mut self, at: u8, life: u32, input: Input) -> Checked {
        if self.hosts[usize::from(at)].in_life(life).is_none() {
            return Ok(());
        }
        self.feed(at, input)
    }

    fn fail_sync(&mut self, at: u8) -> Checked {
        let Some(write) = self.hosts[usize::from(at)].disk.failing() else { return Ok(()) };
        self.tally.hit(Mark::FailedSync);
        self.feed(at, Input::PersistFailed(write))?;
        ensure!(
            !self.hosts[usize::from(at)].is_up(),
            "I4 durable before sent",
            "a node goes on after a write that may not be durable"
        );
        Ok(())
    }

    /// Takes in that a batch is on the disk for good.
    fn settled(&mut self, at: u8, batch: &Batch) -> Checked {
        let host = &self.hosts[usize::from(at)];
        let by = (host.id, host.disk_name);
        if host.lore.is_old {
            return Ok(());
        }
        for record in &batch.records {
            self.ghost[record.group.0 as usize].on_durable(by, record)?;
        }
        Ok(())
    }

    /// Ends a process at this moment.
    pub(super) fn crash(&mut self, at: u8) -> Checked {
        let host = &mut self.hosts[usize::from(at)];
        if host.life.take().is_none() {
            return Ok(());
        }
        let (id, barred) = (host.id, host.barred);
        let wreck = host.disk.crash(&mut self.choice)?;
        wreck.saved.iter().try_for_each(|batch| self.settled(at, batch))?;
        let (saved, lost) = (wreck.saved.len() as u64, wreck.lost as u64);
        self.tally.hit(Mark::Crash);
        self.tally.add(Mark::SavedBatch, saved);
        self.tally.add(Mark::LostBatch, lost);
        self.tally.add(Mark::TornBlock, u64::from(wreck.is_torn));
        let now = self.agenda.now();
        self.story.note(&(now, at, saved, wreck.is_torn));
        self.story.happens(
            now,
            Some(id),
            What::Crashed,
            format_args!("{id} crashes; {saved} unsynced batches survive, {lost} do not"),
        );
        self.crash_vault(at);
        if self.choice.chance(self.swarm.disk.lost) && self.may_lose_disk(at) {
            self.tally.hit(Mark::DiskLost);
            self.replace_disk(at, true);
        }
        self.rot(at);
        self.copy_disk(at);
        if self.hosts.iter().all(|host| !host.is_up()) {
            self.tally.hit(Mark::AllDown);
        }
        self.hang_up(at)?;
        self.spread(at, false);
        if !barred {
            let (low, high) = self.swarm.host.down_us;
            let wait = self.choice.range(low..=high);
            self.agenda.after(wait, Event::Start { host: at });
        }
        Ok(())
    }

    /// Perhaps a crash does more to the disk than that. Never to so many that no quorum is left.
    fn rot(&mut self, at: u8) {
        if self.may_ail(at)
            && self.choice.chance(self.swarm.disk.rot)
            && self.hosts[usize::from(at)].disk.rot(&mut self.choice)
        {
            self.tally.hit(Mark::Rot);
        }
        self.decay(at);
        self.rot_image(at);
    }

    /// An empty disk takes the place of the one that is there. What that one knew is gone, perhaps
    /// but for its images.
    pub(super) fn replace_disk(&mut self, at: u8, with_vault: bool) {
        // As by a wall clock: further on than any round by now, unless it was set back.
        let starts = if self.choice.chance(500_000) { 1 << 20 } else { 1 };
        self.empty_disk(at, with_vault, starts);
    }

    /// The same, after so many starts of other systems.
    pub(super) fn empty_disk(&mut self, at: u8, with_vault: bool, starts: u32) {
        let disk = Disk::new(self.hosts[usize::from(at)].id, self.swarm.disk.segment_bytes);
        let keep = usize::from(self.swarm.vault.keep);
        self.spares += 1;
        let first = self.swarm.changes.as_ref().map_or(0, |changes| changes.disk);
        let host = &mut self.hosts[usize::from(at)];
        host.lives += starts;
        host.replace_disk(disk, first + u64::from(Swarm::NODES_MAX) + self.spares);
        if with_vault {
            host.vault = Vault::new(self.swarm.groups, keep);
        }
        let id = host.id;
        self.ghost.iter_mut().for_each(|group| group.slots.forget(1 << id.0));
        self.happens(format_args!("{id} has an empty disk"));
    }

    /// What is found on the disk that a host starts from. A damaged log is put aside if the group
    /// can do without; else the host stays down.
    fn open_disk(&mut self, at: u8) -> Checked<Option<Durable>> {
        let is_misled = self.mislead_disk(at);
        let host = &mut self.hosts[usize::from(at)];
        let (id, incarnation) = (host.id, host.incarnation());
        if let Some(durable) = host.disk.open(incarnation)? {
            return Ok(Some(durable));
        }
        if is_misled && self.tries_again(at) {
            return Ok(None);
        }
        if !self.may_lose_disk(at) {
            self.hosts[usize::from(at)].barred = true;
            self.happens(format_args!("{id} finds its log damaged and stays down"));
            return Ok(None);
        }
        self.tally.hit(Mark::SetAside);
        self.happens(format_args!("{id} finds its log damaged and puts it aside"));
        let with_vault = self.choice.chance(500_000);
        self.replace_disk(at, with_vault);
        let host = &mut self.hosts[usize::from(at)];
        host.disk.open(host.incarnation())
    }

    /// Whether a quorum is left without this host and all others that are out for good.
    pub(super) fn may_ail(&self, at: u8) -> bool {
        let mut others = self.sound();
        others.retain(|other| *other != at);
        self.core.is_none() && self.are_enough(&others)
    }

    pub(super) fn start(&mut self, at: u8) -> Checked {
        let now = self.agenda.now();
        let seed = self.choice.range(0..=u64::MAX);
        let host = &mut self.hosts[usize::from(at)];
        if host.is_up() || host.barred || self.waits_for_room(at) {
            return Ok(());
        }
        let host = &mut self.hosts[usize::from(at)];
        host.lives += 1;
        host.room.begin();
        self.retire_copy(at);
        let Some(durable) = self.open_disk(at)? else { return Ok(()) };
        let host = &mut self.hosts[usize::from(at)];
        host.lore.begin(host.disk_name, host.incarnation());
        if host.lives > 1 {
            self.upgrade(at);
        }
        let (banks, groups) = self.restore_banks(at)?;
        let durable = self.misread(at, &banks)?.unwrap_or(durable);
        let host = &mut self.hosts[usize::from(at)];
        let config = Config {
            node: host.id,
            incarnation: host.incarnation(),
            disk: host.disk_name,
            priority: self.swarm.parts.priority(host.id),
            seed,
            groups,
            timing: self.swarm.timing.clone(),
            limits: self.swarm.limits.clone(),
        };
        let node = match Node::restore(config, durable, host.clock.read(now)) {
            Ok(node) => node,
            // A founder that was alone knows of nobody who may have what its images had.
            Err(RestoreError::Trimmed(..)) if !host.is_covered() => {
                host.barred = true;
                return Ok(());
            }
            Err(error) => {
                return Err(Violation::new("restore", format!("{}: {error}", host.id)));
            }
        };
        host.life = Some(Life {
            number: host.lives,
            node,
            banks,
            watches: vec![Watch::default(); self.ghost.len()],
            heard: Handed::default(),
            wake: None,
            desk: Desk::default(),
        });
        let (id, lives) = (host.id, host.lives);
        self.story.note(&(now, at, lives));
        self.story.starts(now, id, lives, host.life.as_ref().map(|life| &life.node));
        if lives > 1 {
            self.tally.hit(Mark::Restart);
            self.spread(at, true);
        }
        self.plan_wake(at)
    }

    /// Perhaps the memory of a starting node lies about one chosen value that it is to deliver:
    /// the state that comes of it is wrong from there on.
    fn misread(&mut self, at: u8, banks: &[Bank]) -> Checked<Option<Durable>> {
        self.hosts[usize::from(at)].misread = None;
        if !self.may_ail(at) || !self.choice.chance(self.swarm.host.misread) {
            return Ok(None);
        }
        let group = self.choice.below(self.ghost.len() as u32) as usize;
        let next = banks[group].next();
        let group = group_id(group);
        let host = &mut self.hosts[usize::from(at)];
        let chosen = host.disk.durable().group(group).map_or(next, |g| g.log().chosen());
        let floor = host.disk.durable().group(group).map_or(next, |g| g.log().floor());
        if next < floor || next >= chosen {
            return Ok(None);
        }
        let slot = next.plus(u64::from(self.choice.below(chosen.since(next) as u32)));
        let value = host.disk.durable().group(group).and_then(|g| g.log().get(slot));
        if value.is_none_or(|cell| matches!(cell.value, Value::Config(_))) {
            return Ok(None);
        }
        let id = host.id;
        let lying = self.hosts.iter().filter(|host| host.misread.is_some()).map(|host| host.id);
        let lying: NodeSet = lying.chain([id]).collect();
        // More than one ill at once: nobody can tell the truth from what most say.
        if self.ghost.iter().any(|ghost| ghost.members.are_believed(lying)) {
            return Ok(None);
        }
        let host = &mut self.hosts[usize::from(at)];
        host.misread = Some((group, slot));
        let (id, durable) = (host.id, host.disk.misread((group, slot))?);
        self.tally.hit(Mark::Misread);
        self.happens(format_args!("{id} misreads slot {slot} of {group}"));
        Ok(Some(durable))
    }

    /// Each group's machine as its newest sound image has it, and what the core must know of that.
    fn restore_banks(&mut self, at: u8) -> Checked<(Vec<Bank>, Vec<GroupConfig>)> {
        let (mut banks, mut configs) = (Vec::new(), Vec::new());
        for group in (0..self.ghost.len()).map(group_id) {
            let host = &mut self.hosts[usize::from(at)];
            let durable = host.disk.durable().group(group);
            let floor = durable.map_or(Slot::FIRST, |g| g.log().floor());
            let relieved = durable.and_then(|g| g.relieved());
            let shelf = host.vault.shelf_mut(group);
            shelf.wake();
            let (newest, rotten) = shelf.newest();
            let (ever, partial) = (shelf.has_ever_rotted(), shelf.partial());
            let id = host.id;
            let mut config = GroupConfig::new(group, self.swarm.told(id));
            let mut bank = Bank::new();
            if let Some((image, bytes)) = newest {
                bank = self.thaw(group, &image, &bytes)?;
                self.tally.hit(if rotten > 0 { Mark::FellBack } else { Mark::RestoredFromImage });
                config.checkpoint = Some(image);
            }
            if bank.next() < floor && relieved.is_none_or(|below| below < floor) {
                ensure!(
                    ever,
                    "I8 chosen is durable",
                    "{id} has forgotten all below {floor}, but its image ends at {}",
                    bank.next()
                );
                self.tally.hit(Mark::Uncovered);
                self.happens(format_args!("{id} has no image for its log in {group}"));
            }
            config.applied = bank.next();
            config.partial = partial;
            self.tally.add(Mark::Partial, u64::from(partial.is_some()));
            banks.push(bank);
            configs.push(config);
        }
        Ok((banks, configs))
    }

    /// Lets some peers hear that a node went down or came up.
    fn spread(&mut self, about: u8, up: bool) {
        for host in (0..self.swarm.nodes).filter(|host| *host != about) {
            if self.choice.chance(self.swarm.host.hint) {
                let wait = self.choice.range(0..=5_000);
                self.agenda.after(wait, Event::Hint { host, about, up });
            }
        }
    }

    pub(super) fn hint(&mut self, host: u8, about: u8, up: bool) -> Checked {
        // Word from the first phase may be out of date, and nobody corrects it in the second.
        if self.core.is_some() || self.postponed(host, Event::Hint { host, about, up }) {
            return Ok(());
        }
        let peer = self.hosts[usize::from(about)].id;
        self.tally.hit(Mark::Hint);
        self.feed(host, if up { Input::PeerUp(peer) } else { Input::PeerDown(peer) })
    }
}
