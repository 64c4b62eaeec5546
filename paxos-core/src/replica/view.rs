//! What the outside may see of a replica.

use alloc::sync::Arc;

use super::Replica;
use crate::log::Log;
use crate::quorum::{Membership, NodeSet};
use crate::role::{Proposer, Setting};
use crate::types::{Ballot, Checksum, Image, Instant, NodeId, Schedule, Slot};

/// What a replica is doing in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Votes, delivers, and may know a leader.
    Follower,
    /// Asks for promises.
    Candidate,
    /// Proposes.
    Leader,
}

impl Replica {
    /// What this replica is doing.
    pub fn standing(&self) -> Standing {
        match self.roles.proposer {
            Proposer::Idle => Standing::Follower,
            Proposer::Preparing(_) => Standing::Candidate,
            Proposer::Leading(_) => Standing::Leader,
        }
    }

    /// The ballot that this replica campaigns or leads at.
    pub fn own_ballot(&self) -> Option<Ballot> {
        self.roles.proposer.ballot()
    }

    /// The leadership that this replica follows or holds.
    pub fn leadership(&self) -> Option<Ballot> {
        self.roles.elector.leader()
    }

    /// The leader that this replica follows or is.
    pub fn leader(&self) -> Option<NodeId> {
        self.leadership().map(|ballot| ballot.node)
    }

    /// The highest ballot that this replica has promised, durable or not.
    pub fn promised(&self) -> Ballot {
        self.roles.acceptor.promised()
    }

    /// The chosen frontier: all slots below are known here to be chosen.
    pub fn chosen(&self) -> Slot {
        self.roles.log.chosen()
    }

    /// The delivered frontier: all slots below were handed out for delivery.
    pub fn delivered(&self) -> Slot {
        self.roles.learner.delivered()
    }

    /// Votes and chosen values.
    pub fn log(&self) -> &Log {
        &self.roles.log
    }

    /// The running sum over everything below [`delivered`](Replica::delivered).
    ///
    /// None while a state machine that kept its own state is ahead of the log.
    pub fn checksum(&self) -> Option<Checksum> {
        self.roles.learner.sum()
    }

    /// The newest durable image: it stands in for every slot below the log's floor, unless one
    /// after it could not be read any more, and was not made anew yet.
    pub fn image(&self) -> Option<&Image> {
        self.roles.shelf.newest()
    }

    /// Whether the embedder is capturing a checkpoint.
    pub fn is_capturing(&self) -> bool {
        self.roles.archivist.is_capturing()
    }

    /// Whether the log begins above what the state machine has, because an image was
    /// lost: nothing is delivered until one of a peer is installed.
    pub fn lacks_checkpoint(&self) -> bool {
        self.roles.lacks_checkpoint()
    }

    /// Whether an image of a peer is on its way to take the place of slots that
    /// nobody has any more.
    pub fn is_pulling(&self) -> bool {
        self.roles.installer.is_busy()
    }

    /// Whether the embedder has been ordered to replace the state machine and has not
    /// answered yet: nothing is delivered meanwhile.
    pub fn is_installing(&self) -> bool {
        self.roles.installer.is_installing()
    }

    /// Until when this replica serves reads without asking anyone, by its node's clock.
    pub(crate) fn leased_until(&self, setting: &Setting) -> Option<Instant> {
        self.roles.proposer.leading()?.leased_until(setting)
    }

    /// The last moment at which the state here was the latest, by its node's clock.
    pub(crate) fn current_at(&self) -> Option<Instant> {
        self.roles.news.current_at()
    }

    /// The members that decide the first slot which is not known here to be chosen.
    pub fn membership(&self) -> &Membership {
        self.regime.current()
    }

    /// Whether `node` votes from the disk of this name, as far as is known here. Not if it
    /// is no voter, nor if it has come back on another disk than the one that the group has
    /// bound it to: then it votes again once the group has bound it anew.
    pub fn votes(&self, node: NodeId, disk: u64) -> bool {
        self.regime.schedule().is_voter(node, disk, self.regime.frontier())
    }

    /// Whether too few voters are left on the disks that they are bound to, as in
    /// [`Notice::QuorumLost`](crate::effect::Notice::QuorumLost). Over as soon as there is
    /// a leader.
    pub fn is_quorum_lost(&self) -> bool {
        self.roles.elector.is_quorum_lost()
    }

    /// The newest membership, in force or not.
    pub fn newest_membership(&self) -> &Arc<Membership> {
        self.regime.newest().1
    }

    /// Whether `node` is a witness and nothing more, as far as is known here. Such a
    /// node delivers nothing and serves no reads; it hands proposals on, and is told
    /// what became of them.
    pub fn is_witness(&self, node: NodeId) -> bool {
        self.regime.is_witness(node)
    }

    /// The founders that have to be heard of before the group can be founded; nobody, once
    /// it is. Until then nothing is promised or voted for here.
    pub fn missing_founders(&self, me: NodeId) -> NodeSet {
        self.founder.missing(me)
    }

    /// Whether this replica stands by disks of which one is lost. The group will never be
    /// founded by them, unless it is founded already and this replica has not heard: only
    /// where [`is_founded`](Replica::is_founded) is false of every founder may an embedder
    /// begin again, on empty disks, all founders at once.
    pub fn is_founding_stuck(&self) -> bool {
        self.founder.is_stuck()
    }

    /// Whether the group is founded, for all that this replica knows.
    pub fn is_founded(&self) -> bool {
        self.founder.is_settled()
    }

    /// Who decides which slots, as far as the chosen slots here say.
    pub fn schedule(&self) -> &Schedule {
        self.regime.schedule()
    }

    /// Everyone who votes on, or is told of, what is not known here to be chosen: whom
    /// the embedder should reach.
    pub fn everyone(&self) -> NodeSet {
        self.regime.everyone()
    }

    /// As leader: the chosen frontier of `node` when it last answered.
    pub fn progress(&self, node: NodeId) -> Option<Slot> {
        self.roles.proposer.leading()?.progress(node)
    }

    /// Proposals and reads of this node's embedder, and of peers if it leads,
    /// that are not answered yet.
    pub fn unanswered(&self) -> usize {
        let led = self.roles.proposer.leading().map_or(0, |l| l.unanswered());
        led + self.roles.courier.len() + self.roles.reader.len()
    }
}
