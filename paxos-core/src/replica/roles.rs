//! The roles of one replica, and what is passed between them.

use super::Found;
use crate::effect::{Notice, TransferEnd};
use crate::log::Log;
use crate::message::{Forwarded, Reject, Verdict};
use crate::quorum::{NodeSet, Regime};
use crate::role::{
    Acceptor, Archivist, Auditor, Courier, Cx, Donor, Elector, Fetcher, Installer, Learner, News,
    Origin, Proposer, Reader, Ready, Setting, Shelf, Vow, earliest,
};
use crate::types::{Ballot, Checksum, GroupId, Instant, NodeId, Rng, Slot, Value};

/// Slots that one step sweeps up at most, when many are forgotten at once.
const SWEPT_MAX: usize = 1024;

/// All roles of one replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Roles {
    pub(super) log: Log,
    pub(super) news: News,
    pub(super) acceptor: Acceptor,
    pub(super) learner: Learner,
    pub(super) fetcher: Fetcher,
    pub(super) elector: Elector,
    pub(super) proposer: Proposer,
    pub(super) reader: Reader,
    pub(super) courier: Courier,
    pub(super) shelf: Shelf,
    pub(super) archivist: Archivist,
    pub(super) auditor: Auditor,
    pub(super) donor: Donor,
    pub(super) installer: Installer,
}

impl Roles {
    pub(super) fn restore(
        group: GroupId,
        found: Found,
        rng: &mut Rng,
        (now, setting): (Instant, &Setting),
    ) -> Roles {
        let Found { applied, image, partial, durable } = found;
        let (promised, mut log) = durable.into_parts();
        let kept = image.as_ref().map_or(0, |image| image.bytes);
        let archivist = Archivist::new(group, log.floor(), kept, &setting.limits);
        let below = image.as_ref().map(|image| (image.checkpoint.below, image.checkpoint.sum));
        let summed = below.unwrap_or((Slot::FIRST, Checksum::FIRST));
        if log.chosen() < summed.0 {
            // The image was made durable, and what the log should have said of it not.
            log.trim(summed.0);
        }
        let vow = Vow::after_start(setting.incarnation, now, &setting.timing);
        let patience = setting.timing.patience;
        let extra = rng.below(patience.as_micros() as u64);
        let spared = if setting.is_spared() { patience * 2 } else { Default::default() };
        let deadline = now + patience + spared + core::time::Duration::from_micros(extra);
        let mut roles = Roles {
            acceptor: Acceptor::new(group, promised, vow),
            news: News::default(),
            learner: Learner::new(applied, summed, log.chosen(), now),
            fetcher: Fetcher::new(group),
            elector: Elector::new(group, deadline),
            proposer: Proposer::Idle,
            reader: Reader::default(),
            courier: Courier::default(),
            shelf: Shelf::new(image),
            archivist,
            auditor: Auditor::new(group),
            donor: Donor::new(group),
            installer: Installer::new(group, partial, now),
            log,
        };
        while let Some(run) = roles.learner.unsummed(&roles.log) {
            // A checkpoint that was due in an earlier life is not made up for.
            let place = roles.archivist.count(&run, &setting.limits);
            roles.sum(&if let Some((below, _)) = place { run.cut(run.first, below) } else { run });
        }
        roles
    }

    /// Takes in that this node joins a group that was founded without its disk. A disk
    /// that was lost may have spoken in this node's name. Its ballots are not known here,
    /// and must not come back: two values could be voted for at one.
    pub(super) fn on_joined(&mut self, setting: &Setting) {
        self.elector.on_seen(Ballot::beyond(setting.incarnation, setting.me));
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        [
            self.learner.wake_at(),
            self.fetcher.wake_at(),
            self.elector.wake_at(),
            self.proposer.wake_at(),
            self.reader.wake_at(),
            self.courier.wake_at(),
            self.installer.wake_at(),
            self.archivist.wake_at(),
        ]
        .into_iter()
        .fold(None, earliest)
    }

    /// What comes before anything that an event may write down.
    #[inline]
    pub(super) fn begin(&mut self, cx: &mut Cx<'_>) {
        let told = self.archivist.has_told_disk(&self.log);
        if self.log.has_forgotten() || !told || self.lacks_checkpoint() {
            self.begin_anew(cx);
        }
    }

    /// The same, where something has become of the log's floor. Rare: kept out of the way of
    /// what is not.
    #[cold]
    #[inline(never)]
    fn begin_anew(&mut self, cx: &mut Cx<'_>) {
        if self.log.has_forgotten() {
            self.log.sweep(SWEPT_MAX);
        }
        self.archivist.tell_disk(&self.log, cx);
        if self.lacks_checkpoint() && !cx.regime.is_witness(cx.setting.me) {
            self.archivist.tell_loss(&self.log, self.learner.delivered(), cx);
        }
    }

    /// Gives memory of what is swept up back, also where nothing new is stored.
    pub(super) fn release(&mut self) {
        self.log.release(SWEPT_MAX, usize::MAX);
    }

    /// What follows from whatever has just happened, in the order that answers
    /// soonest and says the least.
    pub(super) fn finish(&mut self, cx: &mut Cx<'_>) {
        self.yield_to(self.acceptor.promised(), cx);
        if cx.regime.frontier() < self.log.chosen() {
            self.on_chosen_configs(cx);
        }
        if cx.regime.is_changing() {
            cx.regime.forget(self.log.floor());
        }
        if let Proposer::Leading(_) = self.proposer {
            self.lead_on(cx);
        } else if self.courier.has_waiting() || self.reader.has_asked() {
            let leader = self.elector.live_leader();
            self.courier.hand_on(leader, cx);
            self.reader.ask(leader, cx);
        }
        self.fill_gaps(cx);
        self.deliver(cx);
        self.news.on_delivered(self.learner.delivered());
        self.reader.serve(self.learner.delivered(), cx);
        if let Proposer::Leading(leading) = &mut self.proposer {
            leading.announce(cx);
        }
        self.learner.hint(&self.log, cx);
    }

    /// What a leader does about whatever has just happened.
    fn lead_on(&mut self, cx: &mut Cx<'_>) {
        let Proposer::Leading(leading) = &mut self.proposer else { return };
        if let Some(ballot) = leading.is_to_hold() {
            self.hold(ballot, cx);
        }
        let Proposer::Leading(leading) = &mut self.proposer else { return };
        if self.log.chosen() >= leading.start_slot() {
            self.elector.on_established(cx);
        }
        leading.propose(&self.log, cx);
        leading.keep_lease(cx);
        if self.reader.has_asked() {
            self.reader.lead(leading.lead(cx), cx);
        }
        let heard_at = leading.heard_at().filter(|at| self.news.lacks(*at));
        if (heard_at.is_some() || self.reader.has_rounds())
            && let Some(floor) = leading.read_floor(cx)
        {
            if let Some(at) = heard_at {
                self.news.on_word(at, floor.max(leading.read_index()));
            }
            self.reader.on_floor(floor, cx);
        }
        self.fetcher.on_counted(leading.chosen_below());
    }

    /// Takes up the memberships that are chosen by now.
    fn on_chosen_configs(&mut self, cx: &mut Cx<'_>) {
        if self.log.is_without_configs() && cx.regime.frontier() >= self.log.floor() {
            cx.regime.pass(self.log.chosen());
        }
        while cx.regime.frontier() < self.log.chosen() {
            let slot = cx.regime.frontier();
            let Some(cell) = self.log.get(slot) else { break };
            let Value::Config(next) = cell.value else {
                cx.regime.take_in(cell.value);
                continue;
            };
            let (group, version) = (cx.out.group(), next.version());
            let before = cx.regime.newest().1.clone();
            let from = cx.regime.take_in(cell.value);
            if let Some(from) = from {
                cx.out.note(Notice::MembersChanged { group, version, from });
            }
            self.proposer.on_config(slot, &before, from.is_some(), cx);
        }
    }

    /// Reads what is known to be chosen already for changes of the members.
    pub(super) fn read_regime(&self, regime: &mut Regime) {
        if self.log.is_without_configs() && regime.frontier() >= self.log.floor() {
            return regime.pass(self.log.chosen());
        }
        while regime.frontier() < self.log.chosen()
            && let Some(cell) = self.log.get(regime.frontier())
        {
            regime.take_in(cell.value);
        }
    }

    /// A quorum would promise us: campaign, unless that has become pointless.
    pub(super) fn campaign(&mut self, ready: Ready, cx: &mut Cx<'_>) {
        let ballot = ready.ballot;
        self.acceptor.on_released(ready.released);
        let able = self.proposer.is_idle() && self.is_able(cx);
        let free = self.acceptor.frees(cx.setting.me, cx.now);
        if !able || ballot <= self.acceptor.promised() || !free {
            return;
        }
        let group = cx.out.group();
        cx.out.note(Notice::Campaigning { group, ballot });
        self.acceptor.campaign(ballot, cx);
        self.proposer.campaign(ready, self.log.chosen(), cx);
    }

    /// A quorum has promised us: everyone here hears of it.
    pub(super) fn on_leading(&mut self, cx: &mut Cx<'_>) {
        let Some(leading) = self.proposer.leading_mut() else { return };
        let ballot = leading.ballot();
        self.elector.on_leading(ballot, cx);
        self.fetcher.set_target(leading.start_slot(), leading.start_donor());
        self.courier.on_leading(ballot);
        for proposal in self.courier.take_waiting() {
            leading.on_proposal(proposal, cx);
        }
        self.courier.on_leader_changed(ballot, cx);
    }

    /// Takes in a sign of life of the leader of `ballot`. False if it is deposed,
    /// which it is told.
    pub(super) fn follow(&mut self, ballot: Ballot, cx: &mut Cx<'_>) -> bool {
        // A leader that we follow without having promised it anything stands against
        // lower ballots as well: what an older one said may just be late.
        let followed = self.elector.leader();
        if ballot < self.acceptor.promised() || followed.is_some_and(|leader| ballot < leader) {
            self.reject(ballot, cx);
            return false;
        }
        self.yield_to(ballot, cx);
        self.elector.on_leader(ballot, cx);
        self.courier.on_leader_changed(ballot, cx);
        true
    }

    /// Tells the leader of `ballot` that another stands against it.
    #[cold]
    #[inline(never)]
    fn reject(&mut self, ballot: Ballot, cx: &mut Cx<'_>) {
        self.elector.on_seen(ballot);
        let promised = self.acceptor.promised().max(self.elector.leader().unwrap_or_default());
        cx.out.plain(NodeSet::of(ballot.node), Reject { ballot, promised });
    }

    /// Ends our own campaign or leadership if it is below `ballot`.
    pub(super) fn yield_to(&mut self, ballot: Ballot, cx: &mut Cx<'_>) {
        if self.proposer.ballot().is_some_and(|own| own < ballot) {
            self.fall(Some(ballot.node), cx);
        }
    }

    /// Ends our own campaign or leadership, because `to` stands against it if anyone
    /// does.
    #[cold]
    #[inline(never)]
    pub(super) fn fall(&mut self, to: Option<NodeId>, cx: &mut Cx<'_>) {
        if let Some(leading) = self.proposer.leading() {
            let group = cx.out.group();
            cx.out.note(Notice::SteppedDown { group, ballot: leading.ballot() });
            if let Some(successor) = leading.successor() {
                let yielded = to == Some(successor);
                let end = if yielded { TransferEnd::Yielded } else { TransferEnd::Fallen };
                cx.out.note(Notice::TransferEnded { group, to: successor, end });
            }
        }
        let led = self.proposer.leading();
        let in_vain = led.is_some_and(|leading| self.log.chosen() < leading.start_slot());
        let fallen = self.proposer.stop(cx);
        self.news.on_fallen();
        self.fetcher.pause();
        self.reader.on_fallen(cx);
        for proposal in fallen.waiting {
            if let Origin::Local(first) = proposal.origin {
                self.courier.on_proposed(first, &proposal.commands, proposal.deadline, cx);
            }
        }
        self.elector.on_leaderless(cx);
        if in_vain {
            self.elector.on_in_vain(cx);
        }
    }

    /// Takes proposals of a peer, or says that nothing was done with them.
    pub(super) fn on_forward(&mut self, from: NodeId, m: crate::message::Forward, cx: &mut Cx<'_>) {
        if !self.courier.is_news(from, &m) {
            return;
        }
        match self.proposer.leading_mut() {
            Some(leading) => leading.on_forward(from, m, cx),
            None => {
                let count = m.commands.len() as u32;
                let (incarnation, number) = (m.incarnation, m.number);
                let verdict = Verdict::NotLeader;
                let answer = Forwarded { incarnation, number, first: 0, count, verdict };
                cx.out.plain(NodeSet::of(from), answer);
            }
        }
    }

    /// The chosen frontier above which this replica, as leader, counts votes
    /// itself and takes nobody's word.
    pub(super) fn counted_from(&self) -> Option<Slot> {
        self.proposer.leading().map(|l| l.chosen_below())
    }
}

#[cfg(test)]
mod tests;
