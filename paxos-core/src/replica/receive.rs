//! The one big match: every message finds its role.

use super::front_door;
use super::roles::Roles;
use crate::effect::{Ignored, Notice};
use crate::message::{Accept, Handover, HeartbeatAck, Message, Probe, ProbeAck, ReadAnswer};
use crate::quorum::NodeSet;
use crate::role::Cx;
use crate::types::{Ballot, NodeId, Slot};

impl Roles {
    /// Takes in a message, from a peer or from ourselves: the road is the same.
    pub(super) fn on_received(&mut self, from: NodeId, message: Message, cx: &mut Cx<'_>) {
        if let Some(ignored) = refuse(from, &message, cx) {
            return cx.out.note(Notice::Ignored(ignored));
        }
        match message {
            Message::Prepare(m) => {
                let before = self.acceptor.promised();
                self.elector.on_seen(m.ballot);
                self.acceptor.on_prepare(from, &m, &self.log, cx);
                if self.acceptor.promised() > before {
                    self.yield_to(m.ballot, cx);
                    self.elector.on_promised(cx);
                }
            }
            Message::Promise(m) => {
                if self.proposer.on_promise(from, &m, self.log.chosen(), cx) {
                    self.on_leading(cx);
                }
            }
            Message::Accept(m) => self.on_accept(from, m, cx),
            Message::Accepted(m) => {
                if let Some(leading) = self.proposer.leading_mut()
                    && let Some(run) = leading.on_accepted(from, &m, cx)
                {
                    self.learner.on_chosen(m.ballot, &run, &mut self.log, cx);
                }
            }
            Message::Reject(m) => {
                self.elector.on_seen(m.promised);
                if self.proposer.ballot() == Some(m.ballot) {
                    self.yield_to(m.promised, cx);
                }
            }
            Message::Chosen(m) => {
                if self.follow(m.ballot, cx) {
                    self.on_announced(from, m.ballot, m.below, cx);
                }
            }
            Message::Probe(m) => self.on_probe(from, &m, cx),
            Message::ProbeAck(m) => {
                self.fetcher.on_frontier(from, m.chosen, self.counted_from(), cx);
                if let Some(ready) = self.elector.on_probe_ack(from, &m, cx) {
                    self.campaign(ready, cx);
                }
            }
            Message::Heartbeat(m) => {
                if self.follow(m.ballot, cx) {
                    self.elector.on_beat(m.ballot, m.beat);
                    self.on_announced(from, m.ballot, m.chosen, cx);
                    let (ballot, beat, chosen) = (m.ballot, m.beat, self.log.chosen());
                    cx.out.plain(NodeSet::of(from), HeartbeatAck { ballot, beat, chosen });
                }
            }
            Message::HeartbeatAck(m) => {
                if let Some(leading) = self.proposer.leading_mut()
                    && leading.ballot() == m.ballot
                {
                    leading.on_heartbeat_ack(from, &m, cx);
                }
            }
            Message::Handover(m) => self.on_handover(from, &m, cx),
            Message::Fetch(m) => self.on_fetch(from, &m, cx),
            Message::Entries(m) => {
                let below = self.counted_from();
                self.fetcher.on_entries(from, &m, below, &mut self.log, cx);
            }
            Message::Forward(m) => self.on_forward(from, m, cx),
            Message::Forwarded(m) => self.courier.on_forwarded(&m, cx),
            Message::ReadRequest(m) => match self.proposer.leading() {
                Some(l) => self.reader.on_request(from, m.id, l.ballot(), l.read_index(), cx),
                None => cx.out.plain(NodeSet::of(from), ReadAnswer { id: m.id, index: None }),
            },
            Message::Offer(m) => self.on_offer(from, &m, cx),
            Message::Pull(m) => self.donor.on_pull(from, &m, &self.shelf, self.log.chosen(), cx),
            Message::Piece(m) => self.installer.on_piece(from, m, self.want(), cx),
            Message::ReadAnswer(m) => self.reader.on_answer(&m, cx),
            Message::Confirm(m) => {
                // Not a sign of life for the elector: one that was under way for
                // long would keep a dead leader alive.
                self.acceptor.on_confirm(from, &m, cx);
            }
            Message::Confirmed(m) => {
                if self.proposer.leading().is_some_and(|l| l.ballot() == m.ballot) {
                    self.on_heard(from, m.ballot, cx);
                    self.reader.on_confirmed(from, &m, cx);
                }
            }
        }
    }

    fn on_accept(&mut self, from: NodeId, m: Accept, cx: &mut Cx<'_>) {
        self.elector.on_seen(m.ballot);
        if m.ballot >= self.acceptor.promised() {
            // First the news: what is chosen makes room for new votes.
            self.learner.on_announced(m.ballot, m.chosen, &mut self.log);
        }
        if !self.acceptor.on_accept(from, &m, &mut self.log, cx) || from == cx.setting.me {
            return;
        }
        if self.follow(m.ballot, cx) {
            self.learner.on_voted(m.ballot, &m.run, &mut self.log);
            self.fetcher.on_frontier(from, m.chosen, None, cx);
        }
    }

    fn on_announced(&mut self, from: NodeId, ballot: Ballot, below: Slot, cx: &mut Cx<'_>) {
        self.learner.on_announced(ballot, below, &mut self.log);
        self.fetcher.on_frontier(from, below, None, cx);
    }

    /// Stands, if our leader makes way for us.
    fn on_handover(&mut self, from: NodeId, m: &Handover, cx: &mut Cx<'_>) {
        let promised = self.acceptor.promised();
        if !self.proposer.is_idle() || !cx.membership.voters().contains(cx.setting.me) {
            return;
        }
        if let Some(ready) = self.elector.on_handover(m, promised, cx) {
            self.on_announced(from, m.ballot, m.chosen, cx);
            self.campaign(ready, cx);
        }
    }

    fn on_probe(&mut self, from: NodeId, m: &Probe, cx: &mut Cx<'_>) {
        let promised = self.acceptor.promised();
        let leading = self.proposer.leading().is_some();
        let granted = self.elector.on_probe(from, m, promised, leading, cx);
        let ack = ProbeAck { ballot: m.ballot, granted, promised, chosen: self.log.chosen() };
        cx.out.plain(NodeSet::of(from), ack);
    }

    fn on_heard(&mut self, from: NodeId, ballot: Ballot, cx: &mut Cx<'_>) {
        if let Some(leading) = self.proposer.leading_mut()
            && leading.ballot() == ballot
        {
            leading.on_heard(from, cx);
        }
    }
}

/// Whose fault it is if this message is no use at all.
fn refuse(from: NodeId, message: &Message, cx: &Cx<'_>) -> Option<Ignored> {
    let group = cx.out.group();
    if !cx.membership.voters().contains(from) {
        return Some(Ignored::Stranger(group, from));
    }
    if !front_door::makes_sense(from, message, &cx.setting.limits) {
        return Some(Ignored::Absurd(group, from));
    }
    None
}
