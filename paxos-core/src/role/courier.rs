//! The courier: proposals on a node that does not lead, on their way to the
//! leader; and on the leader, which of those were seen before.
//!
//! A proposal is handed on at most once per leadership, and a leadership takes it
//! at most once, so that no lost, late or doubled message executes it twice. What
//! is on its way when the leadership ends is answered `Unknown`; what never left,
//! or was surely not taken, waits for the next leader.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use smallvec::SmallVec;

use super::{Cx, earliest};
use crate::effect::Outcome;
use crate::message::{Forward, Forwarded, Verdict};
use crate::quorum::NodeSet;
use crate::types::{Ballot, Command, Commands, Incarnation, Instant, NodeId, ProposalId};

/// Who wants to know what becomes of commands that were proposed together: the name of
/// the first, from which the names of the others count up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Origin {
    /// This node's embedder.
    Local(ProposalId),
    /// A peer that handed it on.
    Remote {
        /// The peer.
        node: NodeId,
        /// The peer's life.
        incarnation: Incarnation,
        /// The peer's number for the whole message.
        number: u64,
        /// The place in that message.
        index: u32,
    },
}

impl Origin {
    /// The name of the command `n` places further.
    pub(crate) fn plus(self, n: u32) -> Origin {
        match self {
            Origin::Local(first) => Origin::Local(first.plus(n)),
            Origin::Remote { node, incarnation, number, index } => {
                Origin::Remote { node, incarnation, number, index: index.saturating_add(n) }
            }
        }
    }
}

/// Commands that were proposed together, and who wants to know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Proposal {
    /// The commands.
    pub commands: Commands,
    /// Who wants to know.
    pub origin: Origin,
    /// When to stop waiting, and say what is known by then. Stays the same from one
    /// leadership to the next: they may come and go for longer than that.
    pub deadline: Instant,
}

/// Proposals of this node's embedder that are not this node's to propose.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Courier {
    /// Not handed on yet, in order of arrival.
    waiting: VecDeque<Parcel>,
    waiting_bytes: usize,
    /// Handed on and not wholly answered, in order.
    sent: VecDeque<Sent>,
    /// How many proposals are in `sent`, answered or not.
    sent_count: usize,
    /// Counts arrivals: the order that `waiting` keeps.
    arrivals: u64,
    /// Counts handed on messages in this life.
    number: u64,
    /// The latest leadership that was over when it was handed something.
    over: Ballot,
    inbox: Inbox,
}

/// One proposal, here until it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Parcel {
    arrival: u64,
    proposal: ProposalId,
    command: Command,
    deadline: Instant,
    hops: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Sent {
    number: u64,
    ballot: Ballot,
    deadline: Instant,
    /// By place in the message; none once answered.
    parcels: SmallVec<[Option<Parcel>; 1]>,
}

/// What this node, as leader of one ballot, has taken from whom. Outlives the
/// leadership: a late duplicate must not be told that nothing happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Inbox {
    ballot: Ballot,
    last: SmallVec<[(NodeId, Incarnation, u64); 4]>,
}

impl Courier {
    /// When the next proposal has waited too long.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let waiting = self.waiting.front().map(|p| p.deadline);
        earliest(waiting, self.sent.front().map(|s| s.deadline))
    }

    /// How many proposals are here, waiting or handed on.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.sent_count
    }

    /// Takes proposals in; hands them on at the end of the step. Proposals come in
    /// the order of their deadlines.
    pub(crate) fn on_proposed(
        &mut self,
        first: ProposalId,
        commands: &Commands,
        deadline: Instant,
        cx: &mut Cx<'_>,
    ) {
        let limits = &cx.setting.limits;
        let mut refused = 0;
        for (i, command) in (0..).zip(commands.iter()) {
            let bytes = self.waiting_bytes + command.payload.len();
            if self.waiting.len() >= limits.waiting_max || bytes > limits.waiting_bytes_max {
                refused += 1;
                continue;
            }
            refuse(first.plus(i - refused), core::mem::take(&mut refused), cx);
            self.waiting_bytes = bytes;
            self.arrivals += 1;
            let (arrival, command) = (self.arrivals, command.clone());
            let proposal = first.plus(i);
            self.waiting.push_back(Parcel { arrival, proposal, command, deadline, hops: 0 });
        }
        refuse(first.plus(commands.len() as u32 - refused), refused, cx);
    }

    /// Whether anything waits for a leader.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Hands on what waits to the leader of `ballot`, as much as may be under way.
    pub(crate) fn hand_on(&mut self, leader: Option<Ballot>, cx: &mut Cx<'_>) {
        let Some(ballot) = leader.filter(|l| l.node != cx.setting.me && *l != self.over) else {
            return;
        };
        while !self.waiting.is_empty() && self.sent_count < cx.setting.limits.forwarded_max {
            self.hand_on_one_message(ballot, cx);
        }
    }

    /// Gives back all that waits, to a node that now leads itself.
    pub(crate) fn take_waiting(&mut self) -> impl Iterator<Item = Proposal> + '_ {
        self.waiting_bytes = 0;
        self.waiting.drain(..).map(|p| Proposal {
            commands: p.command.into(),
            origin: Origin::Local(p.proposal),
            deadline: p.deadline,
        })
    }

    /// Gives up on what is under way to any leadership but `ballot`.
    pub(crate) fn on_leader_changed(&mut self, ballot: Ballot, cx: &mut Cx<'_>) {
        while self.sent.front().is_some_and(|s| s.ballot != ballot) {
            self.give_up_oldest(cx);
        }
    }

    /// Takes in what became of proposals that were handed on.
    pub(crate) fn on_forwarded(&mut self, m: &Forwarded, cx: &mut Cx<'_>) {
        if m.incarnation != cx.setting.incarnation {
            return;
        }
        let Some(at) = self.sent.iter().position(|s| s.number == m.number) else { return };
        if m.verdict == Verdict::NotLeader {
            self.over = self.sent[at].ballot;
        }
        for index in m.first..m.first.saturating_add(m.count) {
            let Some(place) = self.sent[at].parcels.get_mut(index as usize) else { break };
            let Some(parcel) = place.take() else { continue };
            self.answer(parcel, m.verdict, u64::from(index - m.first), cx);
        }
        if self.sent[at].parcels.iter().all(Option::is_none)
            && let Some(done) = self.sent.remove(at)
        {
            self.sent_count -= done.parcels.len();
        }
    }

    /// Gives up on what has waited too long.
    pub(crate) fn on_tick(&mut self, cx: &mut Cx<'_>) {
        while self.waiting.front().is_some_and(|p| p.deadline <= cx.now) {
            let Some(parcel) = self.waiting.pop_front() else { break };
            self.waiting_bytes -= parcel.command.payload.len();
            cx.out.resolve(parcel.proposal, Outcome::Redirected(None));
        }
        while self.sent.front().is_some_and(|s| s.deadline <= cx.now) {
            self.give_up_oldest(cx);
        }
    }

    /// As receiver: this node leads at `ballot` now, and has taken nothing yet.
    pub(crate) fn on_leading(&mut self, ballot: Ballot) {
        self.inbox = Inbox { ballot, last: SmallVec::new() };
    }

    /// As receiver: says whether this message is for our latest leadership, over
    /// or not, and was never seen before. From then on it was. Anything else must
    /// not even be answered: it may have been taken already.
    pub(crate) fn is_news(&mut self, from: NodeId, m: &Forward) -> bool {
        if m.ballot != self.inbox.ballot {
            return false;
        }
        let this = (m.incarnation, m.number);
        match self.inbox.last.iter_mut().find(|(node, ..)| *node == from) {
            Some((_, incarnation, number)) if (*incarnation, *number) >= this => false,
            Some((_, incarnation, number)) => {
                (*incarnation, *number) = this;
                true
            }
            None => {
                self.inbox.last.push((from, m.incarnation, m.number));
                true
            }
        }
    }

    fn hand_on_one_message(&mut self, ballot: Ballot, cx: &mut Cx<'_>) {
        let limits = &cx.setting.limits;
        let mut commands = Vec::with_capacity(self.waiting.len().min(limits.run_slots_max));
        let mut parcels = SmallVec::new();
        let mut weight = 0;
        while let Some(parcel) = self.waiting.front() {
            weight += parcel.command.payload.len() + crate::types::Value::OVERHEAD;
            let full = weight > limits.run_bytes_max || parcels.len() >= limits.run_slots_max;
            if full && !parcels.is_empty() {
                break;
            }
            let Some(parcel) = self.waiting.pop_front() else { break };
            self.waiting_bytes -= parcel.command.payload.len();
            commands.push(parcel.command.clone());
            parcels.push(Some(parcel));
        }
        self.number += 1;
        self.sent_count += parcels.len();
        let deadline = cx.now + cx.setting.timing.answer;
        let (number, incarnation) = (self.number, cx.setting.incarnation);
        self.sent.push_back(Sent { number, ballot, deadline, parcels });
        let to = NodeSet::of(ballot.node);
        cx.out.plain(to, Forward { ballot, incarnation, number, commands: commands.into() });
    }

    fn answer(&mut self, mut parcel: Parcel, verdict: Verdict, offset: u64, cx: &mut Cx<'_>) {
        let outcome = match verdict {
            Verdict::Chosen(first) => Outcome::Chosen(first.plus(offset)),
            Verdict::Busy => Outcome::Busy,
            Verdict::Unknown => Outcome::Unknown,
            Verdict::NotLeader => {
                parcel.hops += 1;
                if parcel.hops <= cx.setting.limits.hops_max {
                    return self.wait_again(parcel);
                }
                Outcome::Redirected(None)
            }
        };
        cx.out.resolve(parcel.proposal, outcome);
    }

    /// Puts a parcel back in its place in line: proposals keep their order.
    fn wait_again(&mut self, parcel: Parcel) {
        self.waiting_bytes += parcel.command.payload.len();
        let at = self.waiting.partition_point(|p| p.arrival < parcel.arrival);
        self.waiting.insert(at, parcel);
    }

    #[cold]
    fn give_up_oldest(&mut self, cx: &mut Cx<'_>) {
        let Some(sent) = self.sent.pop_front() else { return };
        self.sent_count -= sent.parcels.len();
        for parcel in sent.parcels.into_iter().flatten() {
            cx.out.resolve(parcel.proposal, Outcome::Unknown);
        }
    }
}

/// Answers that nothing was done with `count` proposals, for want of room.
fn refuse(first: ProposalId, count: u32, cx: &mut Cx<'_>) {
    if count > 0 {
        cx.out.resolve_all(first, count, Outcome::Busy);
    }
}

#[cfg(test)]
mod tests;
