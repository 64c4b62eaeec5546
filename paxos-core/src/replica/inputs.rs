//! What the embedder tells a replica: proposals, queries, hints, time.

use alloc::vec::Vec;

use super::roles::Roles;
use crate::effect::{Declined, Notice, Outcome, TransferEnd};
use crate::quorum::Membership;
use crate::role::{Cx, Leading, Origin, Proposal};
use crate::types::{Commands, NodeId, ProposalId, QueryId};

impl Roles {
    /// Takes proposals in. They leave in [`finish`](Roles::finish).
    pub(super) fn on_proposed(&mut self, first: ProposalId, commands: Commands, cx: &mut Cx<'_>) {
        if commands.fit(cx.setting.limits.value_bytes_max) {
            return self.on_fitting(first, commands, cx);
        }
        let most = cx.setting.limits.value_bytes_max;
        let fits: Vec<bool> = commands.iter().map(|c| c.payload.len() <= most).collect();
        let mut at = 0;
        // Neighbours of one fate are answered together.
        for alike in fits.chunk_by(|a, b| a == b) {
            let (begin, end) = (at, at + alike.len());
            let first = first.plus(begin as u32);
            match alike[0] {
                true => self.on_fitting(first, commands.cut(begin..end), cx),
                false => cx.out.resolve_all(first, alike.len() as u32, Outcome::TooLarge),
            }
            at = end;
        }
    }

    fn on_fitting(&mut self, first: ProposalId, commands: Commands, cx: &mut Cx<'_>) {
        let deadline = cx.now + cx.setting.timing.answer;
        match self.proposer.leading_mut() {
            Some(leading) => {
                let origin = Origin::Local(first);
                leading.on_proposal(Proposal { commands, origin, deadline }, cx);
            }
            None => self.courier.on_proposed(first, &commands, deadline, cx),
        }
    }

    /// Takes a change of the members in: ours to propose if we lead, and nobody else's.
    pub(super) fn on_members_proposed(
        &mut self,
        proposal: ProposalId,
        next: &Membership,
        cx: &mut Cx<'_>,
    ) {
        match self.proposer.leading_mut() {
            Some(leading) => leading.on_members(proposal, next, &self.log, cx),
            None => {
                let leader = self.elector.live_leader().map(|l| l.node);
                cx.out.resolve(proposal, Outcome::Redirected(leader));
            }
        }
    }

    /// Takes a query in. It leaves in [`finish`](Roles::finish).
    pub(super) fn on_query(&mut self, query: QueryId, cx: &mut Cx<'_>) {
        if cx.regime.is_witness(cx.setting.me) {
            return cx.out.decline(query, Declined::Witness);
        }
        self.reader.on_query(query, cx);
    }

    pub(super) fn on_peer_down(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        self.elector.on_peer_down(peer, self.acceptor.free_at(), cx);
        if let Some(leading) = self.proposer.leading_mut() {
            leading.on_peer_down(peer, cx);
        }
    }

    /// Makes way for `to`, if this replica leads.
    pub(super) fn on_transfer_requested(&mut self, to: NodeId, cx: &mut Cx<'_>) {
        let votes = to != cx.setting.me && cx.regime.current().mains().contains(to);
        let begun = match self.proposer.leading_mut() {
            None => Err(TransferEnd::NotLeader),
            Some(_) if !votes => Err(TransferEnd::NoSuccessor),
            Some(leading) => leading.on_transfer(to, cx),
        };
        if let Err(end) = begun {
            let group = cx.out.group();
            cx.out.note(Notice::TransferEnded { group, to, end });
        }
    }

    pub(super) fn on_peer_up(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        self.elector.on_peer_up(peer);
        if let Some(leading) = self.proposer.leading_mut() {
            leading.on_peer_up(peer, cx);
        }
    }

    /// Looks at every deadline.
    pub(super) fn on_tick(&mut self, cx: &mut Cx<'_>) {
        self.release();
        let reached = (self.log.chosen(), self.installer.progress());
        if !self.proposer.on_tick(reached, cx) {
            let farthest = self.proposer.leading().and_then(Leading::farthest);
            self.fall(None, cx);
            if let Some((known, node)) = farthest {
                // It counts no more: others may be believed.
                self.fetcher.on_frontier(node, known, None, cx);
            }
        }
        if self.archivist.looks(cx.now) {
            self.make_room(cx);
        }
        if let Some(leading) = self.proposer.leading() {
            self.auditor.on_tick(leading.ballot(), cx);
        }
        let is_witness = cx.regime.is_witness(cx.setting.me);
        let idle = self.proposer.is_idle() && (is_witness || !self.lacks_checkpoint());
        if self.proposer.is_idle() && !idle {
            self.elector.on_silence(cx);
        }
        self.elector.on_tick(self.acceptor.promised(), idle, cx);
        self.courier.on_tick(cx);
        let ballot = self.proposer.leading().map(|l| l.ballot());
        self.reader.on_tick(ballot, cx);
    }
}
