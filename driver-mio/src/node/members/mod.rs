//! Changes of the membership, as an operator asks for them.
//!
//! A new voter is a learner first, until it has caught up: so an order may take two
//! changes, with a wait between them. One order at a time; whoever leads carries it
//! out, and gives up when its leadership ends. What was changed by then stays.
//!
//! Nothing is undone that somebody else has changed: each change is made on top of the
//! newest membership, and an order that has begun ends when it does not find the members
//! as it has left them. One that names all of them ends before that, if they are not of
//! the version that it names.
//!
//! | file    | what it does                                             |
//! |---------|----------------------------------------------------------|
//! | `job`   | the order that is under way, and when there is no going on |
//! | `next`  | what is left to do of an order                           |
//! | `whole` | the same, of one that names all members                  |

mod job;
mod next;
mod whole;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use paxos_core::effect::{Input, Outcome, Refusal};
use paxos_core::quorum::{Membership, NodeSet};
use paxos_core::types::{Instant, NodeId, ProposalId};
use paxos_core::{Replica, Standing};

use super::desk::Waiter;
use super::event_loop::GROUP;
use crate::front::{Change, Kind};
use crate::kv::error;
use crate::resp::Reply;
use job::Job;
use next::{Next, Seen, text};

/// What may be asked of the membership.
#[derive(Clone, Debug, PartialEq, Eq)]
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
            return Some(self.not_leader(group));
        }
        if self.job.is_some() {
            return Some(Reply::error("ERR another change of the members is under way"));
        }
        self.job = Some(Job::new(waiter, change, group.own_ballot(), now));
        None
    }

    /// Does what can be done now of the order that is under way: what to tell the
    /// core, or whom to answer. `up` is who can be reached, this node included.
    pub(crate) fn turn(&mut self, group: &Replica, up: NodeSet, now: Instant) -> Turned {
        let Some(job) = &self.job else { return Turned::Nothing };
        if !job.is_of(group.own_ballot()) || group.standing() != Standing::Leader {
            let reply = if job.has_begun() { UNFINISHED } else { self.not_leader(group) };
            return self.answer(reply);
        }
        if now >= job.deadline {
            let reply = if job.asked.is_some() { UNFINISHED } else { LATE };
            return self.answer(reply);
        }
        if job.asked.is_some() || now < job.retry_at {
            return Turned::Nothing;
        }
        if let Some(reply) = job.objection(group.newest_membership()) {
            return self.answer(reply);
        }
        let newest = self.with_addresses(group.newest_membership().as_ref().clone());
        match Seen::of(group, &newest, up).next(&job.change) {
            Next::Wait => self.retry(now),
            Next::Done => self.answer(Reply::OK),
            // Who was there when it began may come back.
            Next::Refuse(_) if job.has_begun() => self.retry(now),
            Next::Refuse(why) => self.answer(Reply::error(format!("ERR {why}"))),
            Next::Propose(membership) => self.propose(membership),
        }
    }

    fn propose(&mut self, membership: Membership) -> Turned {
        let Some(job) = &mut self.job else { return Turned::Nothing };
        let proposal = ProposalId(OURS + self.proposed);
        self.proposed += 1;
        let membership = Arc::new(membership);
        job.asked = Some((proposal, membership.clone()));
        Turned::Tell(Input::MembersProposed { group: GROUP, proposal, membership })
    }

    /// Takes in what became of a proposal of ours.
    pub(crate) fn on_resolved(
        &mut self,
        proposal: ProposalId,
        outcome: Outcome,
        group: &Replica,
        now: Instant,
    ) -> Turned {
        let is_meant = |job: &&mut Job| job.asked.as_ref().is_some_and(|(id, _)| *id == proposal);
        let Some(job) = self.job.as_mut().filter(is_meant) else { return Turned::Nothing };
        let asked = job.asked.take().map(|(_, membership)| membership);
        match outcome {
            Outcome::Chosen(_) => {
                job.left = asked;
                Turned::Nothing
            }
            // Someone else's change came first, or is not in force yet: look again.
            Outcome::Refused(Refusal::Pending | Refusal::Version(_) | Refusal::Unheard(_))
            | Outcome::Busy => self.retry(now),
            Outcome::Refused(_) | Outcome::TooLarge => {
                self.answer(Reply::error("ERR the group cannot have these members"))
            }
            Outcome::Redirected(_) if !job.has_begun() => self.answer(self.not_leader(group)),
            Outcome::Redirected(_) | Outcome::Unknown => self.answer(UNFINISHED),
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

    fn not_leader(&self, group: &Replica) -> Reply {
        match self.leader(group) {
            Some(leader) => {
                Reply::error(format!("ERR only the leader changes members: ask {leader}"))
            }
            None => Reply::error("NOTREADY there is no leader now; nothing happened"),
        }
    }

    /// Who leads, and where its peers reach it: what clients know it by, nobody has told us.
    pub(crate) fn leader(&self, group: &Replica) -> Option<String> {
        let leader = group.leader()?;
        let address = self.address(leader, group.newest_membership());
        let place = address.map_or_else(String::new, |at| format!(" (peers reach it at {at})"));
        Some(format!("{leader}{place}"))
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

/// Proposals from here on are ours; those of clients count up from zero.
const OURS: u64 = 1 << 63;
/// Between two attempts.
const RETRY: Duration = Duration::from_millis(5);
/// Words that promise nothing.
const UNFINISHED: Reply =
    error("UNKNOWN the change may be done, in part, or not at all: PAXOS MEMBERS tells in a while");
const LATE: Reply =
    error("ERR not done in time, and perhaps in part: PAXOS MEMBERS tells what it is now");
