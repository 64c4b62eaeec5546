//! What a request asks of the driver.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use paxos_core::quorum::{Membership, Role};
use paxos_core::types::NodeId;

use crate::kv::{Command, Query};
use crate::resp::Reply;

/// What is to be done for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The answer is known.
    Answer(Reply),
    /// A command for the log.
    Write {
        /// The command.
        command: Command,
        /// What makes it take effect once, however often it is sent.
        once: Option<OnceKey>,
    },
    /// A read, linearizable.
    Read {
        /// The read.
        query: Query,
    },
    /// A read from this node's state as it is, as the client has asked with `READONLY`
    /// or `PAXOS STALE`.
    StaleRead {
        /// The read.
        query: Query,
        /// How old that state may be: a linearizable read otherwise. Nothing is any age.
        within: Option<Duration>,
    },
    /// A linearizable read of versions, for `WATCH`: its answer goes to
    /// [`Front::on_watched`](super::Front::on_watched) before the next request is looked at.
    Watch {
        /// The read.
        query: Query,
    },
    /// The facts of this node: [`info`](super::info()) renders them.
    Info {
        /// Which of them.
        sections: Sections,
    },
    /// Something that an operator wants this very node to do.
    Operate(Operation),
    /// The last answer of this connection.
    Close(Reply),
}

/// What an operator may want of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Write the state out, so that the log may be trimmed; answered with the slot
    /// that the newest image is of, once that is durable.
    Checkpoint,
    /// Make way for this node, if it leads; answered when it has, or why not.
    Transfer(u16),
    /// Say who the members are.
    Members,
    /// Change who the members are; answered when that is chosen.
    Change(Change),
}

/// A change of the membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new node. One that is to vote and keep state is a learner first, until it has
    /// caught up.
    Add {
        /// The node.
        id: NodeId,
        /// Where its peers reach it.
        address: SocketAddr,
        /// What it is to be.
        kind: Kind,
    },
    /// A learner that has caught up gets a vote, or a witness becomes a full member.
    Promote(NodeId),
    /// A node is no member any more.
    Remove(NodeId),
    /// One node takes another's place, as soon as it has caught up.
    Replace {
        /// Who goes.
        old: NodeId,
        /// Who comes.
        new: NodeId,
        /// Where its peers reach it.
        address: SocketAddr,
    },
    /// These members and no others, unless somebody has changed them since. Who is to
    /// vote and keep state catches up first; then all the rest happens at once.
    Whole {
        /// The version that this follows.
        version: u64,
        /// Everyone, each once.
        members: Arc<[Wanted]>,
    },
}

/// A member as it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The node.
    pub id: NodeId,
    /// Where its peers reach it; if nothing is said, where they do now.
    pub address: Option<SocketAddr>,
    /// What it is to be.
    pub kind: Kind,
}

/// Who has sent a command, and as which of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnceKey {
    /// The client; never 0.
    pub client: u64,
    /// The number of the command; never 0.
    pub sequence: u64,
}

/// Names of `INFO` sections, as the client wrote them; none stands for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sections(pub Vec<Bytes>);

impl Sections {
    /// Tells whether a section, named in lower case, is asked for.
    pub fn include(&self, name: &str) -> bool {
        let is_meant = |asked: &Bytes| {
            let asked = asked.to_ascii_lowercase();
            asked == name.as_bytes() || matches!(&asked[..], b"default" | b"all" | b"everything")
        };
        self.0.is_empty() || self.0.iter().any(is_meant)
    }
}

/// What a member may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It votes and keeps state.
    Voter,
    /// It votes while others are missing, and keeps no state.
    Witness,
    /// It keeps state and has no vote.
    Learner,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Voter => "voter",
            Kind::Witness => "witness",
            Kind::Learner => "learner",
        })
    }
}

impl Kind {
    /// What `node` is to a group with this membership, of which it is a member.
    pub fn of(node: NodeId, membership: &Membership) -> Kind {
        match membership.role(node) {
            Role::Voter => Kind::Voter,
            Role::Witness => Kind::Witness,
            Role::Learner | Role::Stranger => Kind::Learner,
        }
    }
}
