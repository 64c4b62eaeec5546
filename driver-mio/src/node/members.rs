//! Changes of the membership, as an operator asks for them.
//!
//! A new voter is a learner first, until it has caught up: so an order may take two
//! changes, with a wait between them. One order at a time; whoever leads carries it
//! out, and gives up when it leads no more. What was changed by then stays.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use paxos_core::effect::{Input, Outcome, Refusal};
use paxos_core::quorum::{Membership, Role};
use paxos_core::types::{Instant, NodeId, ProposalId};
use paxos_core::{Replica, Standing};

use super::desk::Waiter;
use super::event_loop::GROUP;
use crate::front::{Change, Kind, UNKNOWN};
use crate::resp::Reply;

/// What may be asked of the membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemberOrder {
    /// Who belongs to it.
    List,
    /// A change.
    Change(Change),
}

/// The order that is being carried out, and where nodes are reached.
#[derive(Debug, Default)]
pub(crate) struct Members {
    job: Option<Job>,
    /// Counts the proposals of all jobs.
    proposed: u64,
    /// Where nodes are reached of which the membership does not say.
    configured: BTreeMap<NodeId, SocketAddr>,
}

#[derive(Clone, Copy, Debug)]
struct Job {
    waiter: Waiter,
    change: Change,
    /// The proposal that is not answered yet.
    asked: Option<ProposalId>,
    /// Not to be tried before.
    retry_at: Instant,
    deadline: Instant,
}

/// What comes next of a job.
#[derive(Debug, PartialEq)]
enum Next {
    /// Propose this.
    Propose(Membership),
    /// Wait until the node has caught up.
    Wait,
    /// Nothing is left to do.
    Done,
    /// It cannot be done.
    Refuse(String),
}

impl Members {
    /// Nobody has asked for anything.
    pub(crate) fn new(configured: BTreeMap<NodeId, SocketAddr>) -> Members {
        Members { configured, ..Members::default() }
    }

    /// Whether time alone may bring an order on.
    pub(crate) fn is_busy(&self) -> bool {
        self.job.is_some()
    }

    /// Whether a proposal is one of ours.
    pub(crate) fn owns(proposal: ProposalId) -> bool {
        proposal.0 >= OURS
    }

    /// Whom to reach, and where if that is known.
    pub(crate) fn peers(&self, group: &Replica) -> BTreeMap<NodeId, Option<SocketAddr>> {
        let everyone = group.everyone();
        if everyone.is_empty() {
            return self.configured.iter().map(|(id, at)| (*id, Some(*at))).collect();
        }
        everyone.iter().map(|id| (id, self.address(id, group.newest_membership()))).collect()
    }

    /// Takes an order in. An answer if there is one at once.
    pub(crate) fn take(
        &mut self,
        waiter: Waiter,
        order: MemberOrder,
        group: &Replica,
        now: Instant,
    ) -> Option<Reply> {
        let MemberOrder::Change(change) = order else { return Some(self.list(group)) };
        if group.standing() != Standing::Leader {
            return Some(not_leader(group.leader()));
        }
        if self.job.is_some() {
            return Some(Reply::error("ERR another change of the members is under way"));
        }
        let deadline = now + PATIENCE;
        self.job = Some(Job { waiter, change, asked: None, retry_at: now, deadline });
        None
    }

    /// Does what can be done now of the order that is under way: what to tell the
    /// core, or whom to answer.
    pub(crate) fn turn(&mut self, group: &Replica, now: Instant) -> Turned {
        let Some(job) = self.job else { return Turned::Nothing };
        if group.standing() != Standing::Leader {
            return self.answer(not_leader(group.leader()));
        }
        if now >= job.deadline {
            return self.answer(Reply::error(
                "ERR not done in time, and perhaps in part: PAXOS MEMBERS tells what it is now",
            ));
        }
        if job.asked.is_some() || now < job.retry_at {
            return Turned::Nothing;
        }
        match next(job.change, group) {
            Next::Wait => self.retry(now),
            Next::Done => self.answer(Reply::OK),
            Next::Refuse(why) => self.answer(Reply::error(format!("ERR {why}"))),
            Next::Propose(membership) => {
                let proposal = ProposalId(OURS + self.proposed);
                self.proposed += 1;
                self.job = Some(Job { asked: Some(proposal), ..job });
                let membership = Arc::new(self.with_addresses(membership));
                Turned::Tell(Input::MembersProposed { group: GROUP, proposal, membership })
            }
        }
    }

    /// Takes in what became of a proposal of ours.
    pub(crate) fn on_resolved(
        &mut self,
        proposal: ProposalId,
        outcome: Outcome,
        now: Instant,
    ) -> Turned {
        let Some(job) = self.job.filter(|job| job.asked == Some(proposal)) else {
            return Turned::Nothing;
        };
        self.job = Some(Job { asked: None, ..job });
        match outcome {
            Outcome::Chosen(_) => Turned::Nothing,
            // Someone else's change came first, or is not in force yet: on top of it.
            Outcome::Refused(Refusal::Pending | Refusal::Version(_) | Refusal::Unheard(_))
            | Outcome::Busy => self.retry(now),
            Outcome::Refused(_) | Outcome::TooLarge => {
                self.answer(Reply::error("ERR the group cannot have these members"))
            }
            Outcome::Redirected(leader) => self.answer(not_leader(leader)),
            Outcome::Unknown => self.answer(UNKNOWN),
        }
    }

    fn retry(&mut self, now: Instant) -> Turned {
        if let Some(job) = &mut self.job {
            job.retry_at = now + RETRY;
        }
        Turned::Nothing
    }

    fn answer(&mut self, reply: Reply) -> Turned {
        self.job.take().map_or(Turned::Nothing, |job| Turned::Answer(job.waiter, reply))
    }

    fn address(&self, id: NodeId, membership: &Membership) -> Option<SocketAddr> {
        let said = std::str::from_utf8(membership.address(id)).ok();
        let said = said.and_then(|address| address.parse().ok());
        said.or_else(|| self.configured.get(&id).copied())
    }

    /// The same, with where its founders are: new nodes have no other way to know.
    fn with_addresses(&self, membership: Membership) -> Membership {
        let unsaid = |id: &NodeId| membership.address(*id).is_empty();
        let unsaid: Vec<NodeId> = membership.everyone().iter().filter(unsaid).collect();
        unsaid.into_iter().fold(membership, |membership, id| match self.configured.get(&id) {
            Some(address) => membership.with_address(id, text(*address)),
            None => membership,
        })
    }

    fn list(&self, group: &Replica) -> Reply {
        let membership = group.newest_membership();
        let line = |id: NodeId| {
            let kind = Kind::of(id, membership);
            let address = self.address(id, membership);
            let address = address.map_or_else(|| "unknown".into(), |at| at.to_string());
            Reply::bulk(format!("id={},address={address},kind={kind}", id.0))
        };
        let version = Reply::bulk(format!("version={}", membership.version()));
        Reply::Array([version].into_iter().chain(membership.everyone().iter().map(line)).collect())
    }
}

/// What a turn came to.
#[derive(Debug)]
pub(crate) enum Turned {
    /// Nothing.
    Nothing,
    /// This is to be told to the core.
    Tell(Input),
    /// This is the answer for whoever has asked.
    Answer(Waiter, Reply),
}

/// What is left to do of `change`.
fn next(change: Change, group: &Replica) -> Next {
    let newest = group.newest_membership();
    let (voters, learners) = (newest.voters(), newest.learners());
    let caught_up = |id| {
        let progress = group.progress(id);
        progress.is_some_and(|at| group.chosen().since(at) <= LAG_MAX)
    };
    let without =
        |set: paxos_core::quorum::NodeSet, id: NodeId| set.iter().filter(move |n| *n != id);
    let learn = |id: NodeId, address: SocketAddr| {
        let learners = learners.iter().chain([id]);
        Next::Propose(newest.succeeded_by(voters.iter(), learners).with_address(id, text(address)))
    };
    let promote = |id: NodeId, gone: Option<NodeId>| {
        if !caught_up(id) {
            return Next::Wait;
        }
        let stays = move |n: &NodeId| Some(*n) != gone;
        let voters = voters.iter().filter(stays).chain([id]);
        let learners = without(learners, id).filter(stays);
        Next::Propose(newest.succeeded_by(voters, learners))
    };
    // A witness needs no history. When it is to keep state, it has a vote already.
    let witness = |id: NodeId, address: SocketAddr| {
        let next = newest.succeeded_by(voters.iter().chain([id]), without(learners, id));
        let witnesses = newest.witnesses().iter().chain([id]);
        Next::Propose(next.with_witnesses(witnesses).with_address(id, text(address)))
    };
    let raise = |id: NodeId| {
        let next = newest.succeeded_by(voters.iter(), learners.iter());
        Next::Propose(next.with_witnesses(without(newest.witnesses(), id)))
    };
    // Whoever answers there is another node; a witness would count as a voter all the same.
    let is_taken = |id: NodeId, address: SocketAddr| {
        let there = |other: &NodeId| *other != id && *newest.address(*other) == text(address);
        newest.everyone().iter().find(there)
    };
    match change {
        Change::Add { id, address, .. } | Change::Replace { new: id, address, .. }
            if is_taken(id, address).is_some() =>
        {
            Next::Refuse(format!("another member is at {address}"))
        }
        Change::Add { id, kind, address } => match (newest.role(id), kind) {
            (Role::Voter, Kind::Voter) | (Role::Witness, Kind::Witness) => Next::Done,
            (Role::Learner, Kind::Learner) => Next::Done,
            (Role::Voter, _) => Next::Refuse(format!("{id} is a voter that keeps data")),
            (Role::Witness, Kind::Voter) => raise(id),
            (Role::Witness, _) => Next::Refuse(format!("{id} is a witness")),
            (Role::Stranger, _) => learn(id, address),
            // It has to be heard of first: with which disk it votes.
            (Role::Learner, Kind::Witness) if group.progress(id).is_none() => Next::Wait,
            (Role::Learner, Kind::Witness) => witness(id, address),
            (Role::Learner, _) => promote(id, None),
        },
        Change::Promote(id) => match newest.role(id) {
            Role::Voter => Next::Done,
            Role::Witness => raise(id),
            Role::Learner => promote(id, None),
            Role::Stranger => Next::Refuse(format!("{id} is no member: add it first")),
        },
        Change::Remove(id) => match newest.role(id) {
            Role::Stranger => Next::Done,
            Role::Voter if newest.mains().len() == 1 => {
                Next::Refuse("the last voter that keeps data stays".into())
            }
            _ => Next::Propose(newest.succeeded_by(without(voters, id), without(learners, id))),
        },
        Change::Replace { old, new, .. } if voters.contains(new) => match newest.role(old) {
            Role::Stranger => Next::Done,
            _ => Next::Propose(newest.succeeded_by(without(voters, old), without(learners, old))),
        },
        Change::Replace { old, .. } if !voters.contains(old) => {
            Next::Refuse(format!("{old} is no voter"))
        }
        Change::Replace { new, address, .. } if !learners.contains(new) => learn(new, address),
        Change::Replace { old, new, .. } => promote(new, Some(old)),
    }
}

fn not_leader(leader: Option<NodeId>) -> Reply {
    match leader {
        Some(leader) => Reply::error(format!("ERR only the leader changes members: ask {leader}")),
        None => Reply::error("NOTREADY there is no leader now; nothing happened"),
    }
}

fn text(address: SocketAddr) -> Bytes {
    address.to_string().into()
}

/// Proposals from here on are ours; those of clients count up from zero.
const OURS: u64 = 1 << 63;
/// How long an order may take, with all waiting.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two attempts.
const RETRY: Duration = Duration::from_millis(5);
/// Slots that a learner may lack and yet count as caught up.
const LAG_MAX: u64 = 4096;
