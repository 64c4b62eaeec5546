//! What is left to do of an order about the members. Pure: the membership as it is,
//! and who is ready to vote, in; the next proposal, or why there is none, out.

use std::net::SocketAddr;

use bytes::Bytes;
use paxos_core::Replica;
use paxos_core::quorum::{Membership, NodeSet, Role};
use paxos_core::types::NodeId;

use crate::front::{Change, Kind};

/// What comes next of an order.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Propose this.
    Propose(Membership),
    /// Wait until the node has caught up.
    Wait,
    /// Nothing is left to do.
    Done,
    /// It cannot be done.
    Refuse(String),
}

/// What a leader sees of its members.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    /// The newest membership, in force or not.
    pub(super) members: &'a Membership,
    /// Who has answered, so that it is known with which disk it would vote.
    pub(super) heard: NodeSet,
    /// Who of these has nearly all that is chosen.
    pub(super) caught_up: NodeSet,
    /// Who can be reached now, this node itself included.
    pub(super) up: NodeSet,
}

impl Seen<'_> {
    /// What the leader of `group` sees, if the newest membership reads like this.
    pub(super) fn of<'a>(group: &Replica, members: &'a Membership, up: NodeSet) -> Seen<'a> {
        let is_close =
            |id: &NodeId| group.progress(*id).is_some_and(|at| group.chosen().since(at) <= LAG_MAX);
        let heard: NodeSet =
            members.everyone().iter().filter(|id| group.progress(*id).is_some()).collect();
        Seen { members, heard, caught_up: heard.iter().filter(is_close).collect(), up }
    }

    /// What is left to do of `change`.
    pub(super) fn next(&self, change: &Change) -> Next {
        match self.left_of(change) {
            Next::Propose(members) if !self.can_go_on(&members) => {
                let up = members.voters().and(self.up).iter().map(|id| id.to_string());
                let up = up.collect::<Vec<_>>().join(" ");
                Next::Refuse(format!("these would wait for voters that are down: up is [{up}]"))
            }
            next => next,
        }
    }

    /// Whether a quorum of these is up, and one of them that keeps data.
    fn can_go_on(&self, members: &Membership) -> bool {
        let quorum = members.prepare_quorum().max(members.accept_quorum());
        members.voters().and(self.up).has_at_least(quorum)
            && !members.mains().and(self.up).is_empty()
    }

    fn left_of(&self, change: &Change) -> Next {
        match change {
            Change::Add { id, kind, address } => self.add(*id, *kind, *address),
            Change::Promote(id) => match self.members.role(*id) {
                Role::Voter => Next::Done,
                Role::Witness => self.raise(*id),
                Role::Learner => self.promote(*id, NodeSet::EMPTY),
                Role::Stranger => Next::Refuse(format!("{id} is no member: add it first")),
            },
            Change::Remove(id) => match self.members.role(*id) {
                Role::Stranger => Next::Done,
                Role::Voter if self.members.mains().len() == 1 => {
                    Next::Refuse("the last voter that keeps data stays".into())
                }
                _ => self.remove(*id),
            },
            Change::Replace { old, new, address } => self.replace(*old, *new, *address),
            Change::Whole { members, .. } => self.whole(members),
        }
    }

    fn add(&self, id: NodeId, kind: Kind, address: SocketAddr) -> Next {
        if let Some(refused) = self.taken(id, address) {
            return refused;
        }
        match (self.members.role(id), kind) {
            (Role::Voter, Kind::Voter) | (Role::Witness, Kind::Witness) => Next::Done,
            (Role::Learner, Kind::Learner) => Next::Done,
            (Role::Voter, _) => Next::Refuse(format!("{id} is a voter that keeps data")),
            (Role::Witness, Kind::Voter) => self.raise(id),
            (Role::Witness, _) => Next::Refuse(format!("{id} is a witness")),
            (Role::Stranger, _) => self.learn(id, address),
            // It has to be heard of first: with which disk it votes.
            (Role::Learner, Kind::Witness) if !self.heard.contains(id) => Next::Wait,
            (Role::Learner, Kind::Witness) => self.witness(id, address),
            (Role::Learner, _) => self.promote(id, NodeSet::EMPTY),
        }
    }

    fn replace(&self, old: NodeId, new: NodeId, address: SocketAddr) -> Next {
        if let Some(refused) = self.taken(new, address) {
            return refused;
        }
        let (voters, learners) = (self.members.voters(), self.members.learners());
        if voters.contains(new) {
            return match self.members.role(old) {
                Role::Stranger => Next::Done,
                _ => self.remove(old),
            };
        }
        if !voters.contains(old) {
            return Next::Refuse(format!("{old} is no voter"));
        }
        if !learners.contains(new) {
            return self.learn(new, address);
        }
        self.promote(new, NodeSet::of(old))
    }

    /// Whoever answers there is another node; a witness would count as a voter all the
    /// same.
    fn taken(&self, id: NodeId, address: SocketAddr) -> Option<Next> {
        let there = |other: &NodeId| *other != id && *self.members.address(*other) == text(address);
        self.members.everyone().iter().find(there)?;
        Some(Next::Refuse(format!("another member is at {address}")))
    }

    fn learn(&self, id: NodeId, address: SocketAddr) -> Next {
        let learners = self.members.learners().or(NodeSet::of(id));
        let next = self.succeeded_by(self.members.voters(), learners);
        Next::Propose(next.with_address(id, text(address)))
    }

    fn promote(&self, id: NodeId, gone: NodeSet) -> Next {
        if !self.caught_up.contains(id) {
            return Next::Wait;
        }
        let voters = self.members.voters().without(gone).or(NodeSet::of(id));
        let learners = self.members.learners().without(gone).without(NodeSet::of(id));
        Next::Propose(self.succeeded_by(voters, learners))
    }

    /// A witness needs no history. When it is to keep state, it has a vote already.
    fn witness(&self, id: NodeId, address: SocketAddr) -> Next {
        let this = NodeSet::of(id);
        let voters = self.members.voters().or(this);
        let next = self.succeeded_by(voters, self.members.learners().without(this));
        let next = next.with_witnesses(self.members.witnesses().or(this).iter());
        Next::Propose(next.with_address(id, text(address)))
    }

    fn raise(&self, id: NodeId) -> Next {
        let next = self.succeeded_by(self.members.voters(), self.members.learners());
        let witnesses = self.members.witnesses().without(NodeSet::of(id));
        Next::Propose(next.with_witnesses(witnesses.iter()))
    }

    fn remove(&self, id: NodeId) -> Next {
        let gone = NodeSet::of(id);
        let (voters, learners) = (self.members.voters(), self.members.learners());
        Next::Propose(self.succeeded_by(voters.without(gone), learners.without(gone)))
    }

    pub(super) fn succeeded_by(&self, voters: NodeSet, learners: NodeSet) -> Membership {
        self.members.succeeded_by(voters.iter(), learners.iter())
    }
}

/// An address as a membership holds it.
pub(super) fn text(address: SocketAddr) -> Bytes {
    address.to_string().into()
}

/// Slots that a learner may lack and yet count as caught up.
const LAG_MAX: u64 = 4096;
