//! The elector: whether there is a leader, and when to campaign.
//!
//! Decides nothing about safety. It keeps elections rare (a probe before any
//! ballot is raised, stickiness to a live leader) and makes them happen (patience
//! drawn at random, so that two candidates do not meet for ever).

mod probing;
mod roll;
mod sounding;

use core::time::Duration;

use probing::Probing;
use roll::{Lost, Roll};
use sounding::Sounding;

use super::Cx;
use super::earliest;
use crate::effect::Notice;
use crate::message::{Fetch, Handover, Probe, ProbeAck, Release};
use crate::quorum::NodeSet;
use crate::types::{Ballot, GroupId, Instant, NodeId, Slot};

/// A quorum would promise this ballot: campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) ballot: Ballot,
    /// When to give the campaign up.
    pub(crate) deadline: Instant,
    /// What our predecessor said, if it made way for us.
    pub(crate) released: Option<Release>,
}

/// Whom this replica follows, and how long it will wait.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Elector {
    group: GroupId,
    /// The leadership that is believed in, perhaps our own.
    leader: Option<Ballot>,
    /// The latest beat that was heard of any leader.
    beat: (Ballot, u64),
    /// When the leader was last heard; means something only while there is one.
    heard_at: Instant,
    /// When to probe, or to probe again with a fresh ballot.
    deadline: Instant,
    /// How many campaigns we have seen, ours or others', since a leader was heard.
    /// Each doubles our patience, up to a bound: where disks are slow, a campaign
    /// needs the time, and the next one would only be in its way.
    campaigns: u32,
    /// The highest round that anyone has spoken of.
    seen: Ballot,
    /// The probe that is under way.
    probing: Option<Probing>,
    /// Whether we reach a quorum, if a leader that would make way for us wants to know.
    sounding: Option<Sounding>,
    /// Whether we have stood back for another candidate since we last probed or
    /// heard a leader. Once is polite; always would leave the field to candidates
    /// that cannot win, when we may be the only one that can.
    stood_back: bool,
    /// Peers whose process is gone, as the driver hints.
    down: NodeSet,
    /// Who answers from which disks; means something only while there is no leader.
    roll: Option<Roll>,
}

impl Elector {
    /// An elector that knows no leader. `deadline` is when it first probes.
    pub(crate) fn new(group: GroupId, deadline: Instant) -> Elector {
        Elector {
            group,
            leader: None,
            beat: (Ballot::ZERO, 0),
            heard_at: Instant::default(),
            deadline,
            campaigns: 0,
            seen: Ballot::ZERO,
            probing: None,
            sounding: None,
            stood_back: false,
            down: NodeSet::EMPTY,
            roll: None,
        }
    }

    /// The leadership that is believed in.
    pub(crate) fn leader(&self) -> Option<Ballot> {
        self.leader
    }

    /// The leadership that is worth talking to: not one whose process is gone.
    pub(crate) fn live_leader(&self) -> Option<Ballot> {
        self.leader.filter(|l| !self.down.contains(l.node))
    }

    /// Whether there is no leader, and too few voters are left on the disks that they are
    /// bound to for there ever to be one.
    pub(crate) fn is_quorum_lost(&self) -> bool {
        self.roll.as_ref().is_some_and(Roll::is_lost)
    }

    /// When to look again.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        earliest(Some(self.deadline), self.probing.as_ref().map(Probing::resend_at))
    }

    /// Takes in that someone has spoken of `ballot`: ours must be higher.
    pub(crate) fn on_seen(&mut self, ballot: Ballot) {
        if ballot > self.seen {
            self.seen = ballot;
        }
    }

    /// Takes in a sign of life from the leader of `ballot`, which is not below
    /// our promise.
    #[inline]
    pub(crate) fn on_leader(&mut self, ballot: Ballot, cx: &mut Cx<'_>) {
        self.heard_at = cx.now;
        self.stood_back = false;
        if !self.down.is_empty() {
            self.down.remove(ballot.node);
        }
        self.on_seen(ballot);
        self.on_established(cx);
        self.probing = None;
        if self.leader != Some(ballot) {
            self.set_leader(Some(ballot), cx);
        }
    }

    /// Takes in that a quorum has promised us `ballot`. That is worth nothing yet: see
    /// [`on_established`](Elector::on_established).
    pub(crate) fn on_leading(&mut self, ballot: Ballot, cx: &mut Cx<'_>) {
        (self.heard_at, self.stood_back, self.probing) = (cx.now, false, None);
        self.down.remove(ballot.node);
        self.on_seen(ballot);
        self.set_leader(Some(ballot), cx);
    }

    /// Takes in that there is a leader, and that it lacks nothing from before it led, if that is
    /// us: the campaigns were not for nothing.
    #[inline]
    pub(crate) fn on_established(&mut self, cx: &mut Cx<'_>) {
        if self.campaigns > 0 {
            self.on_settled(cx);
        }
    }

    /// Takes in that we led, and never got what others had chosen before. Once may be bad luck;
    /// from the second time on others have their turn, however long they are bound to us by the
    /// beats that they have acknowledged.
    pub(crate) fn on_in_vain(&mut self, cx: &Cx<'_>) {
        let lease = cx.setting.timing.lease.filter(|_| self.campaigns > 1);
        self.deadline = self.deadline + lease.map_or(Duration::ZERO, |lease| lease.kept());
    }

    /// Takes in a look at the clock by one who could not lead: a leader that is silent for so long
    /// is believed in no more.
    pub(crate) fn on_silence(&mut self, cx: &mut Cx<'_>) {
        if self.leader.is_some() && cx.now >= self.heard_at + cx.setting.timing.patience * 2 {
            self.set_leader(None, cx);
        }
    }

    /// Takes in that the campaigns were not for nothing.
    #[cold]
    #[inline(never)]
    fn on_settled(&mut self, cx: &mut Cx<'_>) {
        self.campaigns = 0;
        self.deadline = self.deadline.min(self.draw_patience(cx));
    }

    /// Takes in a beat of the leader that is believed in.
    pub(crate) fn on_beat(&mut self, ballot: Ballot, beat: u64) {
        self.beat = self.beat.max((ballot, beat));
    }

    /// Takes in that we have promised another candidate.
    pub(crate) fn on_promised(&mut self, cx: &mut Cx<'_>) {
        self.on_leaderless(cx);
        self.campaigns = (self.campaigns + 1).min(DOUBLINGS_MAX);
    }

    /// Takes in that there is no leader any more, perhaps because we have ceased to
    /// be one: gives whoever comes next a full patience.
    pub(crate) fn on_leaderless(&mut self, cx: &mut Cx<'_>) {
        self.probing = None;
        self.deadline = self.draw_patience(cx);
        if self.leader.is_some() {
            self.set_leader(None, cx);
        }
    }

    /// Answers whether we would promise `m.ballot`. `bound` is whether we
    /// may not, whoever we believe to lead.
    pub(crate) fn on_probe(
        &mut self,
        from: NodeId,
        m: &Probe,
        promised: Ballot,
        bound: bool,
        cx: &mut Cx<'_>,
    ) -> bool {
        self.on_seen(m.ballot);
        let granted = m.ballot > promised && !bound && !self.is_sticky(cx);
        if granted && from != cx.setting.me && !self.stood_back {
            self.stood_back = true;
            self.deadline = self.deadline.max(self.draw_patience(cx));
        }
        granted
    }

    /// Takes in that `from` has answered, whatever it was asked. Everything below `chosen`
    /// is known there.
    pub(crate) fn on_answer(&mut self, from: (NodeId, u64), chosen: Slot, cx: &Cx<'_>) {
        if self.leader.is_none() {
            Roll::hear(&mut self.roll, from, chosen, cx);
        }
    }

    /// Counts an answer to our probe. A quorum of grants is worth a campaign.
    pub(crate) fn on_probe_ack(
        &mut self,
        from: NodeId,
        disk: u64,
        m: &ProbeAck,
        cx: &mut Cx<'_>,
    ) -> Option<Ready> {
        self.on_seen(m.promised);
        if !self.probing.as_mut()?.is_won_with((from, disk), m, cx) {
            return None;
        }
        self.probing = None;
        self.deadline = self.draw_patience(cx);
        self.campaigns = (self.campaigns + 1).min(DOUBLINGS_MAX);
        Some(Ready { ballot: m.ballot, deadline: self.deadline, released: None })
    }

    /// Takes in that `leader`, which is believed in, would make way for us.
    pub(crate) fn sound(&mut self, leader: Ballot, cx: &mut Cx<'_>) {
        self.sounding = Sounding::start(leader, cx);
    }

    /// Counts who is there. Gives out the leader that asked, if it is still believed in,
    /// once that is enough.
    pub(crate) fn on_sounded(
        &mut self,
        from: (NodeId, u64),
        m: &ProbeAck,
        cx: &Cx<'_>,
    ) -> Option<Ballot> {
        let sounding = self.sounding.as_mut()?;
        if !sounding.is_enough_with(from, m, cx) {
            return None;
        }
        let leader = sounding.leader();
        self.sounding = None;
        (self.leader == Some(leader)).then_some(leader)
    }

    /// Takes in that the leader of `m.ballot` makes way for us: stands at once, if
    /// that is the leadership that is believed in. `promised` is our promise.
    pub(crate) fn on_handover(
        &mut self,
        m: &Handover,
        promised: Ballot,
        cx: &mut Cx<'_>,
    ) -> Option<Ready> {
        // Once we have heard a later beat, this one was given up, or is a replay.
        if self.leader != Some(m.ballot) || promised > m.ballot || (m.ballot, m.beat) < self.beat {
            return None;
        }
        let ballot = m.ballot.max(self.seen).next(cx.setting.me, cx.setting.disk);
        if !ballot.is_sane() {
            return None;
        }
        self.on_promised(cx);
        let released = Some(Release { ballot: m.ballot, beat: m.beat });
        Some(Ready { ballot, deadline: self.deadline, released })
    }

    /// Takes in a hint that `peer` is gone. If it led, the voters after it
    /// campaign one after the other, starting with the next in line.
    /// `free_at` is from when on they may be promised.
    pub(crate) fn on_peer_down(&mut self, peer: NodeId, free_at: Instant, cx: &mut Cx<'_>) {
        self.down.insert(peer);
        if self.leader.is_none_or(|l| l.node != peer) {
            return;
        }
        let stagger = cx.setting.timing.stagger;
        let mains = cx.regime.current().mains();
        let spared = if cx.setting.is_spared() { mains.len() as u32 } else { 0 };
        let turn = rank(cx.setting.me, peer, mains) + spared;
        // A little after the hint even for the first in line: the others must
        // have lost sight of the leader too, or they refuse.
        let due = cx.now.max(free_at) + stagger / 8 + stagger * turn;
        self.deadline = self.deadline.min(due);
    }

    /// Takes in a hint that `peer` can be reached again.
    pub(crate) fn on_peer_up(&mut self, peer: NodeId) {
        self.down.remove(peer);
    }

    /// Probes when patience has run out. `idle` is whether we neither lead nor
    /// campaign.
    pub(crate) fn on_tick(&mut self, promised: Ballot, idle: bool, cx: &mut Cx<'_>) {
        if !idle {
            self.deadline = self.deadline.max(cx.draw_patience(1));
            self.probing = None;
            return;
        }
        if cx.now >= self.deadline {
            return self.on_deadline(promised, cx);
        }
        if let Some(probing) = &mut self.probing {
            probing.on_tick(cx);
        }
    }

    fn on_deadline(&mut self, promised: Ballot, cx: &mut Cx<'_>) {
        let hinted = self.leader.is_some_and(|l| self.down.contains(l.node));
        let patience = cx.setting.timing.patience + self.spare(cx);
        let heard = self.leader.is_some() && cx.now < self.heard_at + patience;
        if heard && !hinted {
            // Signs of life do not move the deadline, they only outdate it.
            let silent_for = cx.now.since(self.heard_at);
            let deadline = self.draw_patience(cx);
            self.deadline = Instant::from_micros(
                deadline.as_micros().saturating_sub(silent_for.as_micros() as u64),
            );
            return;
        }
        if self.leader.is_some() {
            self.set_leader(None, cx);
        }
        self.call_roll(cx);
        self.deadline = self.draw_patience(cx);
        self.stood_back = false;
        if !cx.regime.may_stand(cx.setting.me, cx.setting.disk) || cx.setting.priority == 0 {
            let ever = cx.regime.schedule().everyone(Slot::FIRST);
            return ask_for_news(ever.without(NodeSet::of(cx.setting.me)), cx);
        }
        let ballot = promised.max(self.seen).next(cx.setting.me, cx.setting.disk);
        if !ballot.is_sane() {
            return;
        }
        self.probing = Some(Probing::start(ballot, cx));
    }

    /// Says so, once in a while, if those who answer can never elect anybody.
    fn call_roll(&mut self, cx: &mut Cx<'_>) {
        let found = Roll::on_patience(&mut self.roll, cx);
        if let Some(Lost { unbound, silent, is_news: true }) = found {
            cx.out.note(Notice::QuorumLost { group: self.group, unbound, silent });
        }
    }

    /// A patience from now, a longer one after each campaign that led to nothing.
    /// Who is spared leaves the first attempt to others.
    fn draw_patience(&self, cx: &mut Cx<'_>) -> Instant {
        cx.draw_patience(1 << self.campaigns) + self.spare(cx)
    }

    /// What is added to the patience of who is spared.
    fn spare(&self, cx: &Cx<'_>) -> Duration {
        let spared = cx.setting.is_spared() && self.campaigns == 0;
        if spared { cx.setting.timing.patience * 2 } else { Duration::ZERO }
    }

    /// Whether we still believe in a leader and so refuse other candidates.
    fn is_sticky(&self, cx: &Cx<'_>) -> bool {
        self.leader.is_some_and(|leader| {
            !self.down.contains(leader.node) && cx.now < self.heard_at + cx.setting.timing.patience
        })
    }

    #[cold]
    #[inline(never)]
    fn set_leader(&mut self, leader: Option<Ballot>, cx: &mut Cx<'_>) {
        self.leader = leader;
        self.roll = None;
        cx.out.note(Notice::LeaderChanged { group: self.group, leader });
    }
}

/// Asks `others` how far they are.
///
/// Who does not vote does not stand. But it may be that the group has made us a voter
/// and that nobody who knows it is a member any more: then we have to ask everyone that ever
/// was one. And who is deposed may have stood where others have decided since, without it: it
/// asks who says so.
pub(crate) fn ask_for_news(others: NodeSet, cx: &mut Cx<'_>) {
    let from = cx.regime.frontier();
    cx.out.plain(others, Fetch { from, to: from, image: false });
}

/// How many campaigns are counted: patience grows to eight times itself.
const DOUBLINGS_MAX: u32 = 3;

/// How many voters come between `gone` and `me`, round and round.
fn rank(me: NodeId, gone: NodeId, voters: NodeSet) -> u32 {
    let before_me = |n: &NodeId| (*n > gone && *n < me) || (me < gone && (*n > gone || *n < me));
    voters.iter().filter(before_me).count() as u32
}

#[cfg(test)]
mod tests;
