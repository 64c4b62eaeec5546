//! A conformance suite for whole drivers, from outside: what any embedder can run against a
//! cluster of their own nodes.
//!
//! A driver can do much wrong that neither its log nor the core shows: acknowledge before the
//! disk has answered, hand a letter to the wrong node, forget an answer, apply a slot twice.
//! Whoever writes one implements [`Cluster`] for a few of its nodes, in one thread, in many, or in
//! processes, and lets [`check`] try it: drawn proposals at drawn nodes, nodes that lose power and
//! come back, one at a time or all at once. At the end all nodes are up, and all that was promised
//! must be everywhere.
//!
//! The shortest cluster: three nodes in one thread, and a list for each disk.
//!
//! ```
//! use std::collections::VecDeque;
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use driver_sim::conform::driver::{Cluster, Event, check};
//! use paxos_core::effect::{Effect, Effects, Input};
//! use paxos_core::log::{Durable, Record};
//! use paxos_core::quorum::Membership;
//! use paxos_core::types::*;
//! use paxos_core::{Config, GroupConfig, Node};
//!
//! const GROUP: GroupId = GroupId(0);
//!
//! #[derive(Default)]
//! struct Three {
//!     disks: [Vec<Record>; 3],
//!     nodes: [Option<Node>; 3],
//!     inbox: VecDeque<(NodeId, Input)>,
//!     now: Instant,
//!     starts: u64,
//! }
//!
//! impl Cluster for Three {
//!     fn nodes(&self) -> Vec<NodeId> {
//!         (1..=3).map(NodeId).collect()
//!     }
//!     fn start(&mut self, id: NodeId) -> Result<Slot, String> {
//!         self.starts += 1;
//!         let mut durable = Durable::default();
//!         for record in &self.disks[usize::from(id.0) - 1] {
//!             durable.replay(record.clone()).map_err(|e| e.to_string())?;
//!         }
//!         let config = Config {
//!             node: id,
//!             incarnation: Incarnation(self.starts),
//!             disk: 0,
//!             priority: Config::PRIORITY,
//!             seed: u64::from(id.0),
//!             groups: vec![GroupConfig::new(GROUP, Membership::majority(self.nodes()))],
//!             timing: Timing::default(),
//!             limits: Limits::default(),
//!         };
//!         let node = Node::restore(config, durable, self.now).map_err(|e| e.to_string())?;
//!         self.nodes[usize::from(id.0) - 1] = Some(node);
//!         Ok(Slot::FIRST)
//!     }
//!     fn kill(&mut self, id: NodeId) {
//!         self.nodes[usize::from(id.0) - 1] = None;
//!         self.inbox.retain(|(at, _)| *at != id);
//!     }
//!     fn propose(&mut self, at: NodeId, token: ProposalId, command: Bytes) {
//!         let commands = Command::plain(command).into();
//!         self.inbox.push_back((at, Input::Proposed { group: GROUP, first: token, commands }));
//!     }
//!     fn run(&mut self, time: Duration) -> Vec<Event> {
//!         let end = Instant::from_micros(self.now.as_micros() + time.as_micros() as u64);
//!         let (mut effects, mut events) = (Effects::new(), Vec::new());
//!         while self.now < end {
//!             let Some((at, input)) = self.inbox.pop_front() else {
//!                 let nodes = self.nodes.iter().flatten();
//!                 let wake = nodes.filter_map(Node::wake_at).min().unwrap_or(end);
//!                 self.now = wake.clamp(self.now, end);
//!                 self.inbox.extend((1..=3).map(|id| (NodeId(id), Input::Ticked)));
//!                 continue;
//!             };
//!             let Some(node) = &mut self.nodes[usize::from(at.0) - 1] else { continue };
//!             node.step(self.now, input, &mut effects);
//!             for effect in effects.drain() {
//!                 match effect {
//!                     Effect::Send { to, envelope } => {
//!                         let copy = |id| (id, Input::Received(envelope.clone()));
//!                         self.inbox.extend(to.iter().map(copy));
//!                     }
//!                     Effect::Persist(batch) => {
//!                         self.disks[usize::from(at.0) - 1].extend(batch.records);
//!                         self.inbox.push_back((at, Input::Persisted(batch.id)));
//!                     }
//!                     Effect::Deliver { run, .. } => events.extend(Event::delivered(at, &run)),
//!                     Effect::Resolve { first, count, outcome, .. } => {
//!                         events.extend(Event::answered(first, count, outcome));
//!                     }
//!                     _ => {}
//!                 }
//!             }
//!         }
//!         events
//!     }
//! }
//!
//! let report = check(Three::default, 0..5).unwrap();
//! assert!(report.chosen > 100 && report.kills > 20);
//! ```
//!
//! The suite is run here on a cluster with slow disks and a slow network, on real `paxos-node`
//! processes, and on drivers that are broken on purpose, each of which must fail it.

#[cfg(test)]
mod flawed;
mod judge;
#[cfg(test)]
mod three;
mod trial;

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use paxos_core::effect::Outcome;
use paxos_core::types::{NodeId, ProposalId, Run, Slot, Value};

/// How a driver breaks its word.
pub type Breach = super::Breach<Claim>;

/// A few nodes under test, of one group, founded with all of them. None runs at first.
pub trait Cluster {
    /// All nodes, up or down.
    fn nodes(&self) -> Vec<NodeId>;

    /// Starts a node that is down, on whatever its disk holds; gives the slot from which it will
    /// deliver. A machine that survives goes on where it says, one that does not begins at the
    /// first slot.
    ///
    /// # Errors
    /// In one line, why it does not start. The suite damages nothing, so that any error is a
    /// breach.
    fn start(&mut self, node: NodeId) -> Result<Slot, String>;

    /// The power of a node fails, at once. What it has not told by then it never tells.
    fn kill(&mut self, node: NodeId);

    /// Gives a command to a node that is up. No token is given twice, and no command; all are of
    /// one length.
    fn propose(&mut self, node: NodeId, token: ProposalId, command: Bytes);

    /// Lets so much time go by, simulated or real; what has happened, in order.
    fn run(&mut self, time: Duration) -> Vec<Event>;

    /// How long to wait for what must come: longer than anything ever takes.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// Something that a cluster has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A proposal was answered.
    Answered {
        /// Which.
        token: ProposalId,
        /// What became of it.
        answer: Answer,
    },
    /// A node has applied a command. Slots that hold none are not told of.
    Delivered {
        /// The node.
        node: NodeId,
        /// Where the command stands: any number that is the same at all nodes, and ascends.
        slot: Slot,
        /// The command.
        command: Bytes,
    },
    /// An image has taken the place of all slots below.
    Installed {
        /// The node.
        node: NodeId,
        /// The slot that is delivered next.
        below: Slot,
    },
}

impl Event {
    /// What a [`Deliver`](paxos_core::effect::Effect::Deliver) at a node comes to.
    pub fn delivered(node: NodeId, run: &Run) -> impl Iterator<Item = Event> {
        run.iter().filter_map(move |(slot, value)| match value {
            Value::Command(command) => {
                Some(Event::Delivered { node, slot, command: command.payload.clone() })
            }
            Value::Noop | Value::Config(_) => None,
        })
    }

    /// What a [`Resolve`](paxos_core::effect::Effect::Resolve) comes to.
    pub fn answered(
        first: ProposalId,
        count: u32,
        outcome: Outcome,
    ) -> impl Iterator<Item = Event> {
        let each = outcome.each(first, count);
        each.map(|(token, outcome)| Event::Answered { token, answer: outcome.into() })
    }
}

/// What became of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It stands at this slot, for ever.
    Chosen(Slot),
    /// Nothing happened, and nothing will.
    Nothing,
    /// Nobody can say.
    Unknown,
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Answer {
        match outcome {
            Outcome::Chosen(slot) => Answer::Chosen(slot),
            Outcome::Unknown => Answer::Unknown,
            Outcome::Redirected(_) | Outcome::Busy | Outcome::TooLarge | Outcome::Refused(_) => {
                Answer::Nothing
            }
        }
    }
}

/// What a sound driver was tried with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Commands proposed.
    pub proposals: u64,
    /// Those that were answered as chosen.
    pub chosen: u64,
    /// Those of which nothing came.
    pub nothing: u64,
    /// Those that were answered as unknown.
    pub unknown: u64,
    /// Commands delivered, at all nodes and in all lives.
    pub deliveries: u64,
    /// Starts of a node.
    pub starts: u64,
    /// Nodes that lost their power.
    pub kills: u64,
    /// Losses of power of all nodes at once.
    pub blackouts: u64,
}

/// What a driver must hold to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// A node starts on whatever a loss of power has left.
    Starts,
    /// Every proposal is answered once; by a node that was killed meanwhile, perhaps never.
    Answered,
    /// What was answered as chosen is delivered at that slot, at every node.
    Kept,
    /// What was answered with "nothing happened" is delivered nowhere.
    Nothing,
    /// No two nodes deliver two commands at one slot, and no node in two lives.
    Agreed,
    /// A node delivers in order: no slot twice in a life, none left out, and after a start from
    /// where its machine says, which is no further than it had come.
    InOrder,
    /// Nothing is delivered but what was proposed, byte for byte.
    Proposed,
    /// A command that was proposed once is delivered at one slot.
    Once,
    /// With a majority up, proposals are chosen, and every node that is up catches up.
    Progress,
}

/// Tries clusters that `make` gives, with nothing on their disks, once for each seed.
///
/// # Errors
/// The first [`Breach`].
pub fn check<C: Cluster>(
    mut make: impl FnMut() -> C,
    seeds: Range<u64>,
) -> Result<Report, Box<Breach>> {
    let mut report = Report::default();
    for seed in seeds {
        trial::run(&mut make(), seed, &mut report)?;
    }
    Ok(report)
}
