//! Images: made, read for peers, stored, installed; and what a crash makes of all that.

use bytes::Bytes;
use paxos_core::effect::Input;
use paxos_core::types::{Checkpoint, GroupId, Image, ImageId, NodeId, Piece};

use super::{Event, World};
use crate::check::{Checked, Violation, ensure};
use crate::choice::Choice;
use crate::machine::Bank;
use crate::tally::Mark;
use crate::vault::{Job, digest};

impl<C: Choice> World<C> {
    /// A machine is frozen, at this moment.
    pub(super) fn capture(&mut self, at: u8, group: GroupId, checkpoint: Checkpoint) -> Checked {
        let host = &self.hosts[usize::from(at)];
        let Some(life) = &host.life else { return Ok(()) };
        let bank = &life.banks[group.0 as usize];
        ensure!(
            checkpoint.below == bank.next() && !host.vault.is_capturing(group),
            "I10 images",
            "{} wants an image of all below {}, while its machine is at {}",
            host.id,
            checkpoint.below,
            bank.next()
        );
        let bytes = bank.freeze();
        // The image of a wrong state is not made in the end: nobody may take it for a right one.
        if host.misread.is_none() {
            self.ghost[group.0 as usize].ledger.imaged(&checkpoint, &bytes)?;
        }
        let image = Image { checkpoint, bytes: bytes.len() as u64, digest: digest(&bytes) };
        self.commission(at, Job::Capture { group, image, bytes });
        Ok(())
    }

    pub(super) fn load(
        &mut self,
        at: u8,
        (group, to): (GroupId, NodeId),
        image: ImageId,
        (offset, bytes): (u64, usize),
    ) {
        self.commission(at, Job::Load { group, to, image, offset, bytes });
    }

    pub(super) fn store(&mut self, at: u8, group: GroupId, piece: Piece) {
        self.commission(at, Job::Store { group, piece });
    }

    pub(super) fn install(&mut self, at: u8, group: GroupId, image: Image) -> Checked {
        self.ghost[group.0 as usize].ledger.described(&image)?;
        self.commission(at, Job::Install { group, image });
        Ok(())
    }

    /// A vault begins with something.
    fn commission(&mut self, at: u8, job: Job) {
        let weights = &self.swarm.vault;
        let (low, high) = weights.work_us;
        let mut wait = self.choice.range(low..=high);
        if self.choice.chance(weights.slow) {
            wait += self.choice.range(0..=weights.slow_us);
            self.tally.hit(Mark::SlowVault);
        }
        let host = &mut self.hosts[usize::from(at)];
        let (job, due) = host.vault.order(self.agenda.now(), wait, job);
        self.agenda.at(due, Event::Vaulted { host: at, life: host.lives, job });
    }

    /// A vault is done with something.
    pub(super) fn vaulted(&mut self, at: u8, life: u32, job: u32) -> Checked {
        if self.hosts[usize::from(at)].in_life(life).is_none()
            || self.postponed(at, Event::Vaulted { host: at, life, job })
        {
            return Ok(());
        }
        let Some(job) = self.hosts[usize::from(at)].vault.done(job) else { return Ok(()) };
        match job {
            Job::Capture { group, image, bytes } => self.captured(at, group, image, bytes),
            Job::Load { group, to, image, offset, bytes } => {
                self.loaded(at, (group, to), image, (offset, bytes))
            }
            Job::Store { group, piece } => self.stored(at, group, &piece),
            Job::Install { group, image } => self.installed(at, group, image),
        }
    }

    fn captured(&mut self, at: u8, group: GroupId, image: Image, bytes: Bytes) -> Checked {
        let is_wrong = self.hosts[usize::from(at)].misread.is_some();
        if self.choice.chance(self.swarm.vault.fail) || is_wrong || self.lacks_room(at) {
            self.tally.hit(Mark::CaptureFailed);
            let below = image.checkpoint.below;
            return self.feed(at, Input::CaptureFailed { group, below });
        }
        self.tally.hit(Mark::Captured);
        let shelf = self.hosts[usize::from(at)].vault.shelf_mut(group);
        shelf.put(image.clone(), bytes);
        self.rot_image(at);
        self.feed(at, Input::Captured { group, image })
    }

    fn loaded(
        &mut self,
        at: u8,
        (group, to): (GroupId, NodeId),
        image: ImageId,
        (offset, bytes): (u64, usize),
    ) -> Checked {
        let shelf = self.hosts[usize::from(at)].vault.shelf_mut(group);
        let held = shelf.bytes(image).cloned();
        let is_rotten = held.as_ref().is_some_and(|held| digest(held) != image.digest);
        // Whoever reads a whole image notices; whoever reads a piece may pass the bad bit on.
        let is_noticed = is_rotten && self.choice.chance(500_000);
        let payload = held.filter(|_| !is_noticed).map_or_else(Bytes::new, |held| {
            let from = (offset as usize).min(held.len());
            held.slice(from..from.saturating_add(bytes).min(held.len()))
        });
        self.tally.hit(if payload.is_empty() { Mark::ImageGone } else { Mark::Loaded });
        if is_noticed {
            self.tally.hit(Mark::RotNoticed);
            self.hosts[usize::from(at)].vault.shelf_mut(group).drop_image(image);
        }
        let piece = Piece { image, offset, payload };
        self.feed(at, Input::Loaded { group, to, piece })?;
        // An image that is lost wants another to take its place.
        if is_noticed { self.feed(at, Input::CheckpointRequested { group }) } else { Ok(()) }
    }

    fn stored(&mut self, at: u8, group: GroupId, piece: &Piece) -> Checked {
        let (image, end) = (piece.image, piece.end());
        let fails = self.choice.chance(self.swarm.vault.fail) || self.lacks_room(at);
        let host = &mut self.hosts[usize::from(at)];
        let id = host.id;
        let shelf = host.vault.shelf_mut(group);
        let was_given_up = shelf.was_given_up();
        if fails || !shelf.store(piece) {
            ensure!(
                fails || was_given_up,
                "I10 images",
                "{id} stores {} bytes at {} of an image, which do not follow what is there",
                piece.payload.len(),
                piece.offset
            );
            shelf.give_up();
            self.tally.hit(Mark::StoreFailed);
            return self.feed(at, Input::StoreFailed { group, image });
        }
        let resumes = shelf.resumes(piece);
        self.tally.hit(Mark::Stored);
        self.tally.add(Mark::Resumed, resumes.into());
        self.feed(at, Input::Stored { group, image, end })
    }

    fn installed(&mut self, at: u8, group: GroupId, image: Image) -> Checked {
        let id = image.id();
        let fails = self.choice.chance(self.swarm.vault.fail) || self.lacks_room(at);
        let shelf = self.hosts[usize::from(at)].vault.shelf_mut(group);
        let stored = shelf.take(id).filter(|_| !fails);
        let Some(bytes) = stored else {
            self.tally.hit(Mark::InstallFailed);
            return self.feed(at, Input::InstallFailed { group, image: id });
        };
        self.tally.hit(Mark::Installed);
        let host = &self.hosts[usize::from(at)];
        let is_witness = self.ghost[group.0 as usize].members.is_witness(host.id);
        self.tally.add(Mark::InstalledByWitness, is_witness.into());
        let bank = self.thaw(group, &image, &bytes)?;
        let below = image.checkpoint.below;
        let host = &mut self.hosts[usize::from(at)];
        host.vault.shelf_mut(group).put(image, bytes);
        let Some(life) = &mut host.life else { return Ok(()) };
        let next = life.banks[group.0 as usize].next();
        ensure!(
            next < below,
            "I10 images",
            "{} installs an image of all below {below}, but has applied all below {next}",
            host.id
        );
        life.banks[group.0 as usize] = bank;
        for ticket in life.desk.overtaken(group.0 as u8, below) {
            // Its command took effect in the image; what it answered, nobody here can say.
            self.tally.hit(Mark::AnswerInImage);
            self.lost(ticket.client, ticket.attempt)?;
        }
        self.feed(at, Input::Installed { group, image: id })
    }

    /// The machine that an image holds: it must be the one that the chosen values make.
    pub(super) fn thaw(&mut self, group: GroupId, image: &Image, bytes: &Bytes) -> Checked<Bank> {
        let ledger = &self.ghost[group.0 as usize].ledger;
        ledger.described(image)?;
        let bank = Bank::thaw(bytes.clone());
        let bank = bank.filter(|bank| bank.next() == image.checkpoint.below);
        let whole = bank.filter(|bank| bank.freeze() == *bytes);
        let bank = whole.ok_or_else(|| {
            Violation::new("I10 images", "an image is not what it was frozen from".to_owned())
        })?;
        ledger.stands(bank.next(), bank.digest())?;
        Ok(bank)
    }

    /// A crash takes what the vault has under way, or finds it done.
    pub(super) fn crash_vault(&mut self, at: u8) {
        let is_wrong = self.hosts[usize::from(at)].misread.is_some();
        for job in self.hosts[usize::from(at)].vault.crash() {
            let is_done = self.choice.chance(500_000);
            let shelf = self.hosts[usize::from(at)].vault.shelf_mut(job.group());
            match job {
                Job::Capture { image, bytes, .. } => {
                    let is_done = is_done && !is_wrong;
                    self.tally.hit(if is_done { Mark::CaptureSaved } else { Mark::CaptureLost });
                    if is_done {
                        shelf.put(image, bytes);
                    }
                }
                Job::Store { piece, .. } if is_done => {
                    shelf.store(&piece);
                }
                Job::Install { image, .. } if is_done => {
                    if let Some(bytes) = shelf.take(image.id()) {
                        self.tally.hit(Mark::InstallSaved);
                        shelf.put(image, bytes);
                    }
                }
                Job::Install { .. } => self.tally.hit(Mark::InstallLost),
                Job::Load { .. } | Job::Store { .. } => {}
            }
        }
        for shelf in self.hosts[usize::from(at)].vault.shelves_mut() {
            if let Some((_, bytes)) = shelf.partial() {
                let lost = u64::from(self.choice.below(bytes as u32 + 1));
                shelf.cut(if self.choice.chance(500_000) { bytes - lost } else { bytes });
            }
        }
    }

    /// Perhaps a bit of some image turns, if the cluster can do without this host.
    pub(super) fn rot_image(&mut self, at: u8) {
        if self.may_ail(at) && self.choice.chance(self.swarm.vault.rot) {
            let group = self.choice.below(self.ghost.len() as u32) as usize;
            let vault = &mut self.hosts[usize::from(at)].vault;
            if vault.shelf_mut(super::group_id(group)).rot(&mut self.choice) {
                self.tally.hit(Mark::ImageRot);
            }
        }
    }
}
