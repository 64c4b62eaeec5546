//! Checkpoints and images: what the embedder tells of them, and what follows.

use super::roles::Roles;
use crate::message::{Fetch, Holding, Offer, Relieve};
use crate::quorum::{NodeSet, Regime};
use crate::role::{Cx, Want, offer};
use crate::types::{
    Ballot, Checkpoint, Image, ImageId, Limits, Mark, NodeId, Piece, Run, Schedule, Slot,
};

/// So many times `checkpoint_bytes` may a log weigh while a peer pulls an image.
const SPARED: u64 = 4;

/// So many times the bytes at which a checkpoint is due where images are large.
const SPARED_DUE: u64 = 2;

impl Roles {
    /// Hands out what is chosen, up to the bound of a step, and has the state
    /// machine captured exactly where that is due.
    #[inline]
    pub(super) fn deliver(&mut self, cx: &mut Cx<'_>) {
        if self.learner.has_all(&self.log) {
            self.learner.rest(&self.log, false, cx.now);
        } else {
            self.hand_out(cx);
        }
    }

    /// The same, where there is something to be handed out, or to be summed up.
    fn hand_out(&mut self, cx: &mut Cx<'_>) {
        let replaced = self.installer.is_installing() || self.sleeps(cx);
        while !replaced
            && !self.learner.has_all(&self.log)
            && let Some(run) = &mut self.next(cx)
        {
            // Where it is: runs are large.
            let place = self.archivist.count(run, &cx.setting.limits);
            if let Some((below, _)) = place {
                run.truncate(below);
            }
            self.sum(run);
            self.learner.deliver(core::mem::take(run), cx);
            if place.is_some_and(|(_, is_due)| is_due)
                && !self.spares(cx)
                && let Some(checkpoint) = self.checkpoint(cx)
            {
                self.archivist.capture(checkpoint, cx);
            }
        }
        self.learner.rest(&self.log, replaced, cx.now);
    }

    /// Whether a checkpoint that is due is passed over, because a peer is pulling the one
    /// there is: with the next, that image and the log above it would go, and a peer that
    /// needs longer for an image than we for the next would begin again for ever. A log
    /// that has far outgrown the image, or half of its room, is not spared.
    fn spares(&self, cx: &Cx<'_>) -> bool {
        let times = SPARED.max(self.archivist.stretch().saturating_mul(SPARED_DUE));
        let most = cx.setting.limits.checkpoint_bytes.saturating_mul(times);
        self.donor.is_giving(cx)
            && (self.log.bytes() as u64) < most
            && !self.is_crowded(&cx.setting.limits)
    }

    pub(super) fn on_checkpoint_requested(&mut self, cx: &mut Cx<'_>) {
        // Whoever was let go of more than its machine has cannot say who decided from there on.
        let replaced = self.installer.is_installing() || !self.is_able(cx);
        let now = self.checkpoint(cx).filter(|c| !replaced && c.below > self.shelf.covered());
        self.archivist.on_requested(now, cx);
    }

    /// Has the state machine captured, unless it is being captured or replaced.
    fn capture_now(&mut self, cx: &mut Cx<'_>) {
        let replaced = self.installer.is_installing() || !self.is_able(cx);
        let now = self.checkpoint(cx).filter(|c| !replaced && c.below > self.shelf.covered());
        if let Some(now) = now {
            self.archivist.capture(now, cx);
        }
    }

    pub(super) fn on_captured(&mut self, image: Image, cx: &mut Cx<'_>) {
        self.archivist.on_captured(image, &mut self.shelf, &mut self.log, cx);
        self.make_room(cx);
    }

    /// Has the state machine captured if half of the log is full: no other checkpoint comes to be
    /// due once all of it is.
    pub(super) fn make_room(&mut self, cx: &mut Cx<'_>) {
        if self.is_crowded(&cx.setting.limits) {
            self.capture_now(cx);
        }
    }

    pub(super) fn on_capture_failed(&mut self, below: Slot, cx: &mut Cx<'_>) {
        self.archivist.on_capture_failed(below, cx);
    }

    pub(super) fn on_loaded(&mut self, to: NodeId, piece: Piece, cx: &mut Cx<'_>) {
        if let Some(gone) = self.donor.on_loaded(to, piece, &self.shelf, self.log.chosen(), cx) {
            self.shelf.forget(gone);
            if self.log.floor() > self.shelf.covered().max(Slot::FIRST) {
                // A crash would find no image for what is trimmed.
                self.capture_now(cx);
            }
        }
    }

    pub(super) fn on_stored(&mut self, image: ImageId, end: u64) {
        self.installer.on_stored(image, end);
    }

    pub(super) fn on_store_failed(&mut self, image: ImageId, cx: &mut Cx<'_>) {
        self.installer.on_store_failed(image, cx);
    }

    /// An image has taken the state machine's place, and the place of every slot
    /// below it. What was voted for there lost or won, and is forgotten.
    pub(super) fn on_installed(&mut self, image: ImageId, cx: &mut Cx<'_>) {
        let Some(image) = self.installer.on_installed(image, cx) else { return };
        let Checkpoint { below, sum, schedule } = image.checkpoint.clone();
        if self.counted_from().is_some_and(|counted| counted < below) {
            // Chosen by someone else, above where we count: we lead no more.
            self.fall(None, cx);
        }
        if below > cx.regime.frontier() {
            let news = schedule.newest().1.version() != cx.regime.newest().1.version();
            if news && !self.proposer.is_idle() {
                // Promises were asked for in ignorance of who the members are.
                self.fall(None, cx);
            }
            cx.regime.install(schedule, below);
        }
        // Whatever it was to have, be it a witness or not, it has.
        cx.regime.sleep();
        self.archivist.on_installed(&image, &mut self.log, cx);
        self.shelf.put(image);
        self.learner.on_installed(below, sum);
        self.auditor.on_summed((below, sum));
    }

    pub(super) fn on_install_failed(&mut self, image: ImageId, cx: &mut Cx<'_>) {
        self.installer.on_install_failed(image, cx);
    }

    /// Gives a peer what is chosen; in the place of what is trimmed, an image.
    pub(super) fn on_fetch(&mut self, from: NodeId, m: &Fetch, cx: &mut Cx<'_>) {
        // Who asks from a slot on has all below; perhaps it asks because we have not.
        self.fetcher.on_frontier(from, m.from, self.counted_from(), cx);
        let trimmed = m.image || (m.from < self.log.floor() && m.from < m.to);
        if trimmed && self.log.floor() > self.shelf.covered().max(Slot::FIRST) {
            // Nothing stands in for what is trimmed: the last image is gone, and another was not
            // made yet.
            self.capture_now(cx);
        }
        if m.image && m.to > self.shelf.covered() && cx.regime.everyone().contains(from) {
            // It has forgotten more than our image is of: it is or was a witness, or a newer image
            // was lost. The next one will do.
            if self.sleeps(cx) && !self.lacks_checkpoint() {
                // What we were not let go of may be nowhere else.
                cx.regime.wake();
            }
            return self.capture_now(cx);
        }
        if trimmed && cx.regime.is_witness(from) {
            return self.help_witness(from, cx);
        }
        if trimmed && self.shelf.newest().is_some_and(|image| takes_for_witness(from, image)) {
            // It has come to keep state since our image was made, which would tell it that it
            // has no use for any.
            self.capture_now(cx);
        }
        if !trimmed || !offer(from, &self.shelf, self.log.chosen(), cx) {
            self.fetcher.on_fetch(from, m, &self.log, cx);
        }
    }

    /// Does what can be done for a witness that lacks what is trimmed here.
    fn help_witness(&mut self, from: NodeId, cx: &mut Cx<'_>) {
        match (self.proposer.leading(), self.shelf.newest()) {
            // It takes its leader's word that it need not know. Where it may hold what too few
            // others do, and one of those is away, it keeps that in an image. Else they pledge
            // it soon.
            (Some(leading), Some(image)) if takes_for_witness(from, image) => {
                if !leading.on_stranded(from, &image.checkpoint, cx) && leading.lacks_mains(cx) {
                    offer(from, &self.shelf, self.log.chosen(), cx);
                }
            }
            // Nor is that word, where it still kept state. The next image will do.
            (Some(_), _) => self.capture_now(cx),
            // But what an image says of the members may be what it has to know before it
            // promises anybody, so that anybody can come to lead.
            (None, _) if !self.proposer.is_idle() || self.elector.leader().is_some() => {}
            (None, _) if offer(from, &self.shelf, self.log.chosen(), cx) => {}
            (None, _) => self.capture_now(cx),
        }
    }

    pub(super) fn on_offer(&mut self, from: NodeId, m: &Offer, cx: &mut Cx<'_>) {
        self.fetcher.on_frontier(from, m.chosen, self.counted_from(), cx);
        let Checkpoint { below, schedule, .. } = &m.image.checkpoint;
        if self.is_told_of_members(*below, schedule, cx) {
            // It takes more than its word that all below is chosen: whoever made the image may be
            // the only one that knows the values, and what is here may be nowhere else. Both have
            // them from now on.
            cx.regime.wake();
        }
        if *below > cx.regime.frontier()
            && (!Regime::new(schedule.clone(), *below).is_witness(cx.setting.me)
                || self.elector.leader().is_some_and(|leader| leader.node == from))
        {
            // A leader offers images to those that it knows for more than witnesses, perhaps
            // by a change that comes after the image, or may hold what too few others do.
            cx.regime.wake();
        }
        if self.lacks_checkpoint() || self.fetcher.lacks(self.log.chosen()) {
            self.installer.on_offer(from, m, self.want(cx), cx);
        }
    }

    /// Whether this replica hears here, from beyond what it can get from anyone's log, of members
    /// that it did not know, and that it is a witness among them. Where nobody leads, nobody can
    /// let it go of what it lacks, and perhaps nobody comes to lead before it is told.
    fn is_told_of_members(&self, below: Slot, schedule: &Schedule, cx: &Cx<'_>) -> bool {
        let known = cx.regime.newest().1;
        let is_news = known.is_unknown() || schedule.newest().1.version() > known.version();
        is_news
            && below > self.log.chosen()
            && self.elector.leader().is_none()
            && self.proposer.is_idle()
            && !self.installer.is_busy()
            && Regime::new(schedule.clone(), below).is_witness(cx.setting.me)
    }

    /// Fills gaps: with an image if one is coming in, else slot by slot.
    pub(super) fn fill_gaps(&mut self, cx: &mut Cx<'_>) {
        if self.is_crowded(&cx.setting.limits) {
            self.archivist.see_to(cx);
            if self.sleeps(cx) {
                // Nobody lets it go of what it has voted for, perhaps for long: it keeps that in a
                // state machine, whose images let it trim its log.
                cx.regime.wake();
            }
        }
        if self.installer.is_busy() {
            self.installer.on_step(self.want(cx), self.archivist.is_capturing(), cx);
        }
        if self.installer.is_busy() {
            self.fetcher.pause();
        } else {
            self.fetcher.on_step(&self.log, self.learner.delivered(), cx);
        }
    }

    /// Whether half of the room in the log is taken, as far as can be said: what is forgotten
    /// weighs something until it is swept up.
    fn is_crowded(&self, limits: &Limits) -> bool {
        let slots = self.log.end().since(self.log.floor());
        let is_heavy = self.log.bytes() > limits.log_bytes_max / 2;
        slots > limits.log_slots_max as u64 / 2 || (is_heavy && !self.log.has_forgotten())
    }

    /// Which images would be of use.
    pub(super) fn want(&self, cx: &Cx<'_>) -> Want {
        let above = match self.lacks_checkpoint() {
            _ if cx.regime.is_asleep(cx.setting.me) => Slot::MAX,
            true => Slot(self.log.floor().0 - 1),
            false => self.log.chosen().max(self.learner.delivered()),
        };
        let up_to = self.counted_from().unwrap_or(Slot::MAX);
        let leader = self.elector.leader().map(|ballot| ballot.node);
        // Perhaps nobody comes to lead before this replica knows what is in the image.
        let is_urgent = leader.is_none() || self.fetcher.is_waited_for(cx.now);
        Want { above, up_to, leader, is_urgent }
    }

    /// Whether the log begins above what the state machine has: the image that stood
    /// in for the slots between was lost. Such a replica promises and votes, for its
    /// log is whole; it delivers nothing and leads nobody until it has an image.
    pub(super) fn lacks_checkpoint(&self) -> bool {
        self.learner.delivered() < self.log.floor()
    }

    /// Whether this replica is a witness without a state machine, which delivers nothing, and need
    /// not have one.
    ///
    /// A main that becomes a witness goes on with its machine until it is let go of more
    /// than it has delivered: those that come after it may need an image of it.
    fn sleeps(&self, cx: &Cx<'_>) -> bool {
        !self.has_machine() && cx.regime.is_asleep(cx.setting.me)
    }

    fn has_machine(&self) -> bool {
        self.learner.delivered() > Slot::FIRST && !self.lacks_checkpoint()
    }

    /// Whether this replica could lead: its state machine is here, or there is none.
    pub(super) fn is_able(&self, cx: &Cx<'_>) -> bool {
        !self.lacks_checkpoint() && !self.sleeps(cx)
    }

    /// Pledges to the leader of `ballot` what this replica will not lose, so that
    /// witnesses may forget it.
    pub(super) fn hold(&mut self, ballot: Ballot, cx: &mut Cx<'_>) {
        let counts = !cx.regime.is_witness(cx.setting.me) && self.is_able(cx);
        if !cx.regime.has_witnesses() || !counts {
            return;
        }
        // Nor is a machine: who was let go of slots as a witness, and had a machine, has them
        // nowhere else until there is an image.
        if self.log.floor() > self.shelf.covered().max(Slot::FIRST) {
            return self.capture_now(cx);
        }
        // A vote is not enough: after a crash we must know that its value is chosen.
        self.learner.write_down(&self.log, cx);
        let below = self.log.chosen();
        cx.out.pledge(NodeSet::of(ballot.node), Holding { ballot, below });
    }

    /// Forgets what a leader says that others hold, if we are but a witness. Nor need it know what
    /// it was woken for.
    pub(super) fn on_relieve(&mut self, m: Relieve, cx: &mut Cx<'_>) {
        let Relieve { ballot, below, schedule } = m;
        if self.elector.leader() != Some(ballot) || below < self.log.floor() {
            return;
        }
        if self.proposer.leading().is_some() && below > self.learner.delivered() {
            // A change may make it a main again any time, and nobody leads without a machine.
            return;
        }
        let news = below > cx.regime.frontier();
        let then = Regime::new(schedule.clone(), below);
        if !(if news { &then } else { &*cx.regime }).is_witness(cx.setting.me) {
            return;
        }
        if below == self.log.floor() && !news {
            // Nothing to forget; and an image that is on its way may be of more.
            if !self.fetcher.lacks(self.log.chosen()) {
                cx.regime.sleep();
            }
            return;
        }
        cx.regime.sleep();
        self.archivist.on_relieved((below, schedule.clone()), &mut self.log, cx);
        if news {
            cx.regime.install(schedule, below);
        }
    }

    /// The next slots for the sum: those that the state machine has applied before it
    /// was told to, or that it is to be told of now.
    fn next(&mut self, cx: &Cx<'_>) -> Option<Run> {
        self.learner.unsummed(&self.log).or_else(|| self.learner.undelivered(&self.log, cx))
    }

    /// Takes slots into the sum. The auditor remembers it at its marks.
    pub(super) fn sum(&mut self, run: &Run) {
        let (mut at, mut left) = (run.first, &run[..]);
        while !left.is_empty() {
            let to_mark = Mark::STRIDE - at.0 % Mark::STRIDE;
            let (values, rest) = left.split_at(left.len().min(to_mark as usize));
            self.learner.sum_up(at, values);
            self.auditor.on_summed(self.learner.summed());
            (at, left) = (at.plus(values.len() as u64), rest);
        }
    }

    /// What the state machine is now; none if nobody can say.
    fn checkpoint(&self, cx: &Cx<'_>) -> Option<Checkpoint> {
        let below = self.learner.delivered();
        let schedule = cx.regime.schedule().as_of(below);
        // Who has not been told who founded the group cannot tell others.
        let told = !schedule.at(below).is_unknown();
        self.learner.sum().filter(|_| told).map(|sum| Checkpoint { below, sum, schedule })
    }
}

/// Whether `image` says that `node` is a witness and nothing more.
fn takes_for_witness(node: NodeId, image: &Image) -> bool {
    let Checkpoint { below, schedule, .. } = &image.checkpoint;
    Regime::new(schedule.clone(), *below).is_witness(node)
}

#[cfg(test)]
mod tests;
