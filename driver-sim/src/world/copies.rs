//! Older copies of disks: put in by a crash, told from the disk itself by whoever remembers a later
//! life of it.
//!
//! A copy that nobody can recognize breaks promises; the driver's documentation says so. So one is
//! put in only where every other host has heard of a later life: then whoever it reaches refuses
//! it and says why, and nothing that it says must ever be taken in.

use paxos_core::types::{Incarnation, Life, Past, Slot};

use super::upgrade::Spelling;
use super::{World, group_id};
use crate::check::{Checked, ensure};
use crate::choice::Choice;
use crate::host::{Copy, Lore};
use crate::tally::Mark;

/// Whose word a letter is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The sender's life.
    pub(crate) life: Life,
    /// Whether it was one on an older copy of a disk.
    pub(crate) is_old: bool,
    /// In which version it is spelled.
    pub(super) spelling: Spelling,
}

impl<C: Choice> World<C> {
    /// Whether anyone asks whose word a letter is.
    fn looks_at_lives(&self) -> bool {
        self.swarm.disk.copied > 0 && self.swarm.changes.is_some()
    }

    /// How the letters of this host are signed now.
    pub(super) fn stamp(&self, host: u8) -> Stamp {
        if !self.looks_at_lives() {
            return Stamp::default();
        }
        let Lore { life, is_old, .. } = self.hosts[usize::from(host)].lore;
        Stamp { life, is_old, ..Stamp::default() }
    }

    /// After a crash: perhaps the disk is copied, or an earlier copy of it is put in its place.
    pub(super) fn copy_disk(&mut self, at: u8) {
        if !self.looks_at_lives() {
            return;
        }
        if self.choice.chance(self.swarm.disk.copied) && self.may_put_copy_in(at) {
            return self.put_copy_in(at);
        }
        let host = &mut self.hosts[usize::from(at)];
        let is_sound = !host.is_ailing() && !host.lore.is_old;
        if is_sound && self.choice.chance(300_000) {
            let copy = Copy {
                disk: host.disk.clone(),
                vault: host.vault.clone(),
                heard: host.lore.heard.clone(),
                life: host.lore.life,
            };
            host.lore.copy = Some(Box::new(copy));
        }
    }

    /// Whether there is a copy, and everyone knows that it is old.
    fn may_put_copy_in(&self, at: u8) -> bool {
        let host = &self.hosts[usize::from(at)];
        let Some(copy) = &host.lore.copy else { return false };
        let remembers = |other: &crate::host::Host| {
            let heard = other.lore.heard.latest(host.id, host.disk_name);
            heard.is_some_and(|(disk, life)| disk == host.disk_name && life > copy.life.this)
        };
        let others = self.hosts.iter().filter(|other| other.id != host.id);
        // One that was a quorum by itself asks nobody.
        let alone = |group: usize| {
            let id = group_id(group);
            let known = copy.disk.durable().group(id).map_or(Slot::FIRST, |g| g.log().chosen());
            self.ghost[group].members.was_alone(known, host.id)
        };
        !(0..self.ghost.len()).any(alone)
            && !host.lore.is_old
            && others.into_iter().all(remembers)
            && self.may_lose_disk(at)
    }

    fn put_copy_in(&mut self, at: u8) {
        let host = &mut self.hosts[usize::from(at)];
        let Some(copy) = host.lore.copy.take() else { return };
        let Copy { disk, vault, heard, life } = *copy;
        (host.disk, host.vault) = (disk, vault);
        host.lore = Lore { heard, life, is_old: true, ..Lore::default() };
        let id = host.id;
        // What it has voted since is gone, though nobody but its peers can tell.
        self.ghost.iter_mut().for_each(|group| group.slots.forget(1 << id.0));
        self.tally.hit(Mark::DiskCopied);
        self.happens(format_args!("{id} has its disk of life {} again", life.this.0));
    }

    /// A disk knows so many of its lives: an older copy that has started as often without meeting
    /// anyone who remembers could not be told any more. An empty disk takes its place before that.
    pub(super) fn retire_copy(&mut self, at: u8) {
        let lore = &self.hosts[usize::from(at)].lore;
        if lore.is_old && lore.starts + 1 >= Past::LIVES_MAX {
            let with_vault = self.choice.chance(500_000);
            self.replace_disk(at, with_vault);
        }
    }

    /// Whether two hosts may talk: `from` in the life of its letter, and `to`.
    ///
    /// On a connection each says who it is, and what it has heard of the other.
    pub(super) fn admits(&mut self, (from, stamp): (u8, Stamp), to: u8) -> Checked<bool> {
        if !self.looks_at_lives() {
            return Ok(true);
        }
        let sender = self.hosts[usize::from(from)].id;
        let heard = self.hosts[usize::from(to)].lore.heard.hear(sender, &stamp.life);
        if let paxos_core::types::Heard::Refused(_) = heard {
            self.tally.hit(Mark::LifeRefused);
            self.tells(to, from)?;
            return Ok(false);
        }
        if self.tells(from, to)? {
            return Ok(false);
        }
        ensure!(
            !stamp.is_old,
            "I23 copies",
            "{} takes in what {sender} says on an older copy of its disk",
            self.hosts[usize::from(to)].id
        );
        Ok(true)
    }

    /// One host tells another which life of it it has heard of; says whether that one has forgotten
    /// it, and so begins anew.
    fn tells(&mut self, by: u8, to: u8) -> Checked<bool> {
        if !self.hosts[usize::from(to)].is_up() || self.is_cut(by, to) {
            return Ok(false);
        }
        let (teller, host) = (&self.hosts[usize::from(by)], &self.hosts[usize::from(to)]);
        let life = host.lore.life;
        let heard = teller.lore.heard.latest(host.id, life.disk);
        let Some((_, known)) = heard.filter(|(disk, known)| life.has_forgotten(*disk, *known))
        else {
            return Ok(false);
        };
        self.begins_anew(to, known)?;
        Ok(true)
    }

    /// A node that has heard that its disk is an older copy puts it aside.
    fn begins_anew(&mut self, at: u8, known: Incarnation) -> Checked {
        let host = &self.hosts[usize::from(at)];
        ensure!(
            host.lore.is_old,
            "I23 copies",
            "{} is said to have forgotten life {}, but its disk is its own",
            host.id,
            known.0
        );
        self.tally.hit(Mark::CopyNoticed);
        let id = host.id;
        self.happens(format_args!("{id} hears that its disk is an older copy of itself"));
        self.crash(at)?;
        let with_vault = self.choice.chance(500_000);
        self.replace_disk(at, with_vault);
        Ok(())
    }
}
