//! The one big match: every message finds its role.

use super::front_door;
use super::roles::Roles;
use crate::effect::{Ignored, Notice};
use crate::message::{
    Accept, Envelope, Handover, HeartbeatAck, Message, Prepare, Probe, ProbeAck, ReadAnswer,
};
use crate::quorum::NodeSet;
use crate::role::{Cx, Promised, ask_for_news};
use crate::types::{Ballot, NodeId, Slot};

impl Roles {
    /// Takes in a message, from a peer or from ourselves: the road is the same.
    pub(super) fn on_received(&mut self, envelope: &mut Envelope, cx: &mut Cx<'_>) {
        let Envelope { from, disk, message, .. } = envelope;
        let (from, disk) = (*from, *disk);
        let leader = self.elector.leader();
        if let Some(ignored) = refuse((from, disk), message, leader, cx) {
            self.on_refused(from, message, cx);
            return cx.out.note(Notice::Ignored(ignored));
        }
        match message {
            Message::Prepare(m) => {
                // Who asks from a slot on knows all below to be chosen.
                self.fetcher.on_frontier(from, m.from, self.counted_from(), cx);
                let before = self.acceptor.promised();
                self.elector.on_seen(m.ballot);
                self.acceptor.on_prepare(from, m, &self.log, cx);
                if self.acceptor.promised() > before {
                    self.yield_to(m.ballot, cx);
                    // A leader asks new members for promises as it goes.
                    if self.elector.leader() != Some(m.ballot) {
                        self.elector.on_promised(cx);
                    }
                }
            }
            Message::Promise(m) => {
                match self.proposer.on_promise((from, disk), m, self.log.chosen(), cx) {
                    Promised::Nothing => {}
                    Promised::Leadership => self.on_leading(cx),
                    Promised::Overtaken => {
                        self.fall(None, cx);
                        self.fetcher.on_frontier(from, m.chosen, None, cx);
                    }
                }
            }
            Message::Accept(m) => self.on_accept(from, m, cx),
            Message::Accepted(m) => {
                if let Some(leading) = self.proposer.leading_mut()
                    && let Some(run) = leading.on_accepted(from, disk, m, cx)
                {
                    self.learner.on_chosen(m.ballot, &run, &mut self.log, cx);
                    while let Some(run) = leading.next_chosen(cx) {
                        self.learner.on_chosen(m.ballot, &run, &mut self.log, cx);
                    }
                }
            }
            Message::Reject(m) => {
                self.elector.on_seen(m.promised);
                if self.proposer.ballot() == Some(m.ballot) && m.ballot < m.promised {
                    self.yield_to(m.promised, cx);
                    ask_for_news(NodeSet::of(from), cx);
                }
            }
            Message::Chosen(m) => {
                if self.follow(m.ballot, cx) {
                    self.on_announced(from, m.ballot, m.below, cx);
                }
            }
            Message::Probe(m) => self.on_probe(from, m, cx),
            Message::ProbeAck(m) => self.on_probe_ack((from, disk), m, cx),
            Message::Heartbeat(m) => {
                if self.follow(m.ballot, cx) {
                    self.elector.on_beat(m.ballot, m.beat);
                    self.acceptor.on_beat(m.ballot, m.beat, cx);
                    self.news.on_beat(m.ballot, m.settled);
                    self.on_announced(from, m.ballot, m.chosen, cx);
                    let (ballot, beat, chosen) = (m.ballot, m.beat, self.log.chosen());
                    let priority = self.is_able(cx).then_some(cx.setting.priority);
                    let ack = HeartbeatAck { ballot, beat, chosen, priority };
                    cx.out.plain(NodeSet::of(from), ack);
                    self.hold(m.ballot, cx);
                }
            }
            Message::HeartbeatAck(m) => {
                if let Some(leading) = self.proposer.leading_mut()
                    && leading.ballot() == m.ballot
                {
                    leading.on_heartbeat_ack(from, disk, m, cx);
                }
            }
            Message::Holding(m) => {
                if let Some(leading) = self.proposer.leading_mut()
                    && leading.ballot() == m.ballot
                {
                    leading.on_holding(from, disk, m.below, cx);
                }
            }
            Message::Relieve(m) => self.on_relieve(m.clone(), cx),
            Message::Handover(m) => self.on_handover(from, m, cx),
            Message::Fetch(m) => self.on_fetch(from, m, cx),
            Message::Entries(m) => {
                self.elector.on_answer((from, disk), m.chosen, cx);
                let below = self.counted_from();
                self.fetcher.on_entries(from, m, below, &mut self.log, cx);
            }
            Message::Forward(m) => self.on_forward(from, m.clone(), cx),
            Message::Forwarded(m) => self.courier.on_forwarded(m, cx),
            Message::ReadRequest(m) => match self.proposer.leading_mut() {
                Some(l) => self.reader.on_request(from, m.id, l.lead(cx), cx),
                None => cx.out.plain(NodeSet::of(from), ReadAnswer { id: m.id, index: None }),
            },
            Message::Audit(m) => {
                if self.elector.leader() == Some(m.ballot) {
                    self.auditor.on_audit(from, m, cx);
                }
            }
            Message::Audited(m) => {
                if self.proposer.leading().is_some() {
                    self.auditor.on_audited(from, m, cx);
                }
            }
            Message::Offer(m) => self.on_offer(from, m, cx),
            Message::Pull(m) => self.donor.on_pull(from, m, &self.shelf, self.log.chosen(), cx),
            Message::Piece(m) => self.installer.on_piece(from, m.clone(), self.want(cx), cx),
            Message::ReadAnswer(m) => self.reader.on_answer(m, cx),
            // The founder's, and not for here.
            Message::Greet(_) => {}
            Message::Confirm(m) => {
                // Not a sign of life for the elector: one that was under way for
                // long would keep a dead leader alive.
                self.acceptor.on_confirm(from, m, cx);
            }
            Message::Confirmed(m) => {
                if let Some(leading) = self.proposer.leading_mut()
                    && leading.ballot() == m.ballot
                {
                    leading.on_heard(from);
                    self.reader.on_confirmed(from, disk, m, cx);
                }
            }
        }
    }

    fn on_accept(&mut self, from: NodeId, m: &mut Accept, cx: &mut Cx<'_>) {
        let span = (m.run.first, m.run.end());
        self.elector.on_seen(m.ballot);
        if m.ballot >= self.acceptor.promised() {
            // First the news: what is chosen makes room for new votes.
            self.learner.on_announced(m.ballot, m.chosen, &mut self.log);
        }
        if !self.acceptor.on_accept(from, m, &mut self.log, cx) || from == cx.setting.me {
            return;
        }
        let ahead = span.1.since(self.log.chosen());
        if ahead > cx.setting.limits.ahead_slots_max as u64 {
            self.fetcher.on_too_far(span.0, cx);
        }
        if self.follow(m.ballot, cx) {
            self.learner.on_voted(m.ballot, span, &mut self.log);
            self.news.on_heard(cx.now, m.ballot, m.chosen);
            self.fetcher.on_frontier(from, m.chosen, None, cx);
        }
    }

    fn on_announced(&mut self, from: NodeId, ballot: Ballot, below: Slot, cx: &mut Cx<'_>) {
        self.learner.on_announced(ballot, below, &mut self.log);
        self.news.on_heard(cx.now, ballot, below);
        self.fetcher.on_frontier(from, below, None, cx);
    }

    /// Stands, if our leader makes way for us.
    fn on_handover(&mut self, from: NodeId, m: &Handover, cx: &mut Cx<'_>) {
        let promised = self.acceptor.promised();
        if !self.proposer.is_idle() || !cx.regime.may_stand(cx.setting.me, cx.setting.disk) {
            return;
        }
        if let Some(ready) = self.elector.on_handover(m, promised, cx) {
            self.on_announced(from, m.ballot, m.chosen, cx);
            self.campaign(ready, cx);
        }
    }

    fn on_probe(&mut self, from: NodeId, m: &Probe, cx: &mut Cx<'_>) {
        if self.elector.leader() == Some(m.ballot) && self.proposer.is_idle() {
            return self.on_asked_to_lead(m.ballot, cx);
        }
        self.fetcher.on_frontier(from, m.chosen, self.counted_from(), cx);
        let promised = self.acceptor.promised();
        // Who leads promises nobody else, nor does who has acknowledged a beat just now.
        let bound = self.proposer.leading().is_some() || !self.acceptor.frees(from, cx.now);
        let granted = self.elector.on_probe(from, m, promised, bound, cx);
        let ack = ProbeAck { ballot: m.ballot, granted, promised, chosen: self.log.chosen() };
        cx.out.plain(NodeSet::of(from), ack);
    }

    /// Finds out whether it would reach a quorum, if it could lead at all.
    fn on_asked_to_lead(&mut self, leader: Ballot, cx: &mut Cx<'_>) {
        if cx.regime.may_stand(cx.setting.me, cx.setting.disk) && self.is_able(cx) {
            self.elector.sound(leader, cx);
        }
    }

    fn on_probe_ack(&mut self, (from, disk): (NodeId, u64), m: &ProbeAck, cx: &mut Cx<'_>) {
        self.fetcher.on_frontier(from, m.chosen, self.counted_from(), cx);
        self.elector.on_answer((from, disk), m.chosen, cx);
        if let Some(ready) = self.elector.on_probe_ack(from, disk, m, cx) {
            self.campaign(ready, cx);
        }
        if let Some(leading) = self.proposer.leading_mut() {
            leading.on_probe_ack((from, disk), m, cx);
        }
        if let Some(leader) = self.elector.on_sounded((from, disk), m, cx) {
            let (promised, chosen) = (self.acceptor.promised(), self.log.chosen());
            let ack = ProbeAck { ballot: m.ballot, granted: true, promised, chosen };
            cx.out.plain(NodeSet::of(leader.node), ack);
        }
    }

    /// What a node that has no say may still be good for: it may know more than we do,
    /// and it learns from us that it has none.
    fn on_refused(&mut self, from: NodeId, message: &Message, cx: &mut Cx<'_>) {
        if let Message::Probe(m) = message
            && front_door::makes_sense(from, message, &cx.setting.limits)
        {
            self.fetcher.on_frontier(from, m.chosen, self.counted_from(), cx);
            let (promised, chosen) = (self.acceptor.promised(), self.log.chosen());
            let ack = ProbeAck { ballot: m.ballot, granted: false, promised, chosen };
            cx.out.plain(NodeSet::of(from), ack);
        }
    }
}

/// Whose fault it is if this message is no use at all.
fn refuse(
    (from, disk): (NodeId, u64),
    message: &Message,
    leader: Option<Ballot>,
    cx: &Cx<'_>,
) -> Option<Ignored> {
    let group = cx.out.group();
    if !has_a_say((from, disk), message, leader, cx) {
        return Some(Ignored::Stranger(group, from));
    }
    if !front_door::makes_sense(from, message, &cx.setting.limits) {
        return Some(Ignored::Absurd(group, from));
    }
    None
}

/// Whether `from` may say this kind of thing, as far as we know who the members are.
///
/// Facts are welcome from everybody: we may be behind, and not know our own leader
/// yet. What asks us to promise, to vote or to work comes from members only: a leader
/// that we do not know yet tells us of itself by its heartbeats, and of its membership
/// by what is chosen.
fn has_a_say(
    (from, disk): (NodeId, u64),
    message: &Message,
    leader: Option<Ballot>,
    cx: &Cx<'_>,
) -> bool {
    if !from.can_vote() {
        return false;
    }
    match message {
        // Whom we follow may ask us: a leader that is no member any more leads on until
        // those who come after it have all that it knows.
        Message::Prepare(Prepare { ballot, .. }) | Message::Probe(Probe { ballot, .. }) => {
            leader == Some(*ballot) || cx.regime.will_vote(from, disk)
        }
        Message::Accept(m) => leader == Some(m.ballot) || cx.regime.everyone().contains(from),
        Message::Promise(_)
        | Message::Accepted(_)
        | Message::Reject(_)
        | Message::HeartbeatAck(_)
        | Message::Forward(_)
        | Message::ReadRequest(_)
        | Message::Confirmed(_)
        | Message::Holding(_)
        | Message::Audited(_) => cx.regime.everyone().contains(from),
        Message::Chosen(_)
        | Message::ProbeAck(_)
        | Message::Heartbeat(_)
        | Message::Handover(_)
        | Message::Fetch(_)
        | Message::Entries(_)
        | Message::Forwarded(_)
        | Message::ReadAnswer(_)
        | Message::Confirm(_)
        | Message::Offer(_)
        | Message::Pull(_)
        | Message::Piece(_)
        | Message::Relieve(_)
        | Message::Greet(_)
        | Message::Audit(_) => true,
    }
}
