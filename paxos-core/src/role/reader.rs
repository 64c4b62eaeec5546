//! The reader: linearizable reads at any node, by read index.
//!
//! A read may be served once everything that was chosen before it arrived is
//! delivered here. Only a leader knows that frontier, and only if it still leads
//! when it is asked: it confirms that with a quorum, one numbered round for all
//! reads of a step. An answer confirms its round and all before it, because the
//! voter gave it after all of them had begun; never one after.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use smallvec::SmallVec;

use super::{Cx, earliest};
use crate::effect::Declined;
use crate::message::{Confirm, Confirmed, ReadAnswer, ReadId, ReadRequest};
use crate::quorum::{NodeSet, Tally};
use crate::types::{Ballot, Instant, NodeId, QueryId, Slot};

/// What a leader can say of itself at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lead {
    pub(crate) ballot: Ballot,
    /// What a read that arrives now must see.
    pub(crate) index: Slot,
    /// Whether it surely leads at this moment, without asking.
    pub(crate) is_leased: bool,
}

/// Reads on their way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Reader {
    /// As leader: rounds that are not confirmed, oldest first, all of one ballot.
    rounds: VecDeque<Round>,
    /// How many reads wait for `rounds`.
    in_rounds: usize,
    /// As leader: counts rounds of all ballots.
    round: u64,
    /// When to send the newest round's question again; while there are rounds.
    resend_at: Instant,
    /// This node's queries that no leader has taken or answered, oldest first and
    /// so in order of their numbers and deadlines.
    asked: VecDeque<Asked>,
    /// Counts this node's requests in this life.
    number: u64,
    /// Queries with a read index that is not delivered here yet. It may never be:
    /// a leader confirms an index below which not everything is chosen yet.
    ready: Vec<(Slot, Query)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Round {
    number: u64,
    index: Slot,
    yes: Tally,
    waiters: SmallVec<[Waiter; 1]>,
}

/// Who waits for a round.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Waiter {
    Local(Query),
    Remote(NodeId, ReadId),
}

/// A query of this node's embedder, and when it is declined. The deadline stays
/// with it wherever it waits: leaders may come and go for longer than that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Query {
    handle: QueryId,
    deadline: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Asked {
    number: u64,
    query: Query,
    /// The leadership that was asked; none while there is none.
    of: Option<Ballot>,
    resend_at: Instant,
}

impl Reader {
    /// When to look again.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let round = (!self.rounds.is_empty()).then_some(self.resend_at);
        let asked = self.asked.front().map(|a| match a.of {
            Some(_) => a.resend_at.min(a.query.deadline),
            None => a.query.deadline,
        });
        let ready = self.ready.first().map(|(_, query)| query.deadline);
        earliest(round, earliest(asked, ready))
    }

    /// Whether any query stands in line for a leader.
    pub(crate) fn has_asked(&self) -> bool {
        !self.asked.is_empty()
    }

    /// As leader: whether any round is open.
    pub(crate) fn has_rounds(&self) -> bool {
        !self.rounds.is_empty()
    }

    /// How many reads are here.
    pub(crate) fn len(&self) -> usize {
        self.in_rounds + self.asked.len() + self.ready.len()
    }

    /// Takes in a query of this node's embedder. It waits for a leader, perhaps
    /// ourselves: see [`ask`](Reader::ask) and [`lead`](Reader::lead).
    pub(crate) fn on_query(&mut self, query: QueryId, cx: &mut Cx<'_>) {
        if self.len() >= cx.setting.limits.reads_max {
            return cx.out.decline(query, Declined::Busy);
        }
        let deadline = cx.now + cx.setting.timing.answer;
        self.put_in_line(Query { handle: query, deadline }, cx);
    }

    /// As leader: begins one round for all queries that wait here; none is needed
    /// while there is a lease.
    pub(crate) fn lead(&mut self, lead: Lead, cx: &mut Cx<'_>) {
        if self.asked.is_empty() {
            return;
        }
        if lead.is_leased {
            return self.ready.extend(self.asked.drain(..).map(|a| (lead.index, a.query)));
        }
        let waiters = self.asked.drain(..).map(|a| Waiter::Local(a.query)).collect();
        self.begin(lead, waiters, cx);
    }

    /// As leader: begins a round for a peer's request, or answers it.
    pub(crate) fn on_request(&mut self, from: NodeId, id: ReadId, lead: Lead, cx: &mut Cx<'_>) {
        if lead.is_leased {
            let index = Some(lead.index);
            return cx.out.plain(NodeSet::of(from), ReadAnswer { id, index });
        }
        if self.len() >= cx.setting.limits.reads_max {
            return cx.out.plain(NodeSet::of(from), ReadAnswer { id, index: None });
        }
        self.begin(lead, SmallVec::from_elem(Waiter::Remote(from, id), 1), cx);
    }

    /// As leader: counts a confirmation of this ballot.
    pub(crate) fn on_confirmed(&mut self, from: NodeId, disk: u64, m: &Confirmed, cx: &Cx<'_>) {
        if !cx.regime.vouches(from, disk) {
            return;
        }
        for round in self.rounds.iter_mut().take_while(|r| r.number <= m.round) {
            round.yes.note(from);
        }
    }

    /// As leader: answers the rounds that are confirmed. `floor` is what a read must
    /// see at least that is confirmed now; see [`Leading::read_floor`](super::proposer::Leading::read_floor).
    pub(crate) fn on_floor(&mut self, floor: Slot, cx: &mut Cx<'_>) {
        // Any phase 1 quorum meets this one: had anybody been elected before the
        // round began, one of these would have refused. That is so for each membership
        // by itself, and whoever is elected by one that we do not know has had to get
        // a slot chosen first by one that we do.
        let confirmed = |r: &Round| cx.regime.coming().all(|(_, m)| r.yes.is_chosen(m));
        while self.rounds.front().is_some_and(confirmed) {
            let Some(mut round) = self.rounds.pop_front() else { break };
            round.index = round.index.max(floor);
            self.in_rounds -= round.waiters.len();
            for waiter in round.waiters {
                match waiter {
                    Waiter::Local(query) => self.ready.push((round.index, query)),
                    Waiter::Remote(node, id) => {
                        let index = Some(round.index);
                        cx.out.plain(NodeSet::of(node), ReadAnswer { id, index });
                    }
                }
            }
        }
    }

    /// As leader no more: a late confirmation must not answer anything.
    pub(crate) fn on_fallen(&mut self, cx: &mut Cx<'_>) {
        self.in_rounds = 0;
        for round in core::mem::take(&mut self.rounds) {
            for waiter in round.waiters {
                match waiter {
                    Waiter::Local(query) => self.put_in_line(query, cx),
                    Waiter::Remote(node, id) => {
                        cx.out.plain(NodeSet::of(node), ReadAnswer { id, index: None });
                    }
                }
            }
        }
    }

    /// As follower: asks the leader for every query that it was not asked for.
    pub(crate) fn ask(&mut self, leader: Option<Ballot>, cx: &mut Cx<'_>) {
        if self.asked.is_empty() {
            return;
        }
        let leader = leader.filter(|l| l.node != cx.setting.me);
        for asked in self.asked.iter_mut() {
            let Some(leader) = leader else {
                asked.of = None;
                continue;
            };
            if asked.of == Some(leader) && cx.now < asked.resend_at {
                continue;
            }
            asked.of = Some(leader);
            asked.resend_at = cx.now + cx.setting.timing.resend;
            let id = ReadId { incarnation: cx.setting.incarnation, number: asked.number };
            cx.out.plain(NodeSet::of(leader.node), ReadRequest { id });
        }
    }

    /// As follower: takes in a read index, or that there is none to be had there.
    pub(crate) fn on_answer(&mut self, m: &ReadAnswer, cx: &mut Cx<'_>) {
        if m.id.incarnation != cx.setting.incarnation {
            return;
        }
        let Ok(at) = self.asked.binary_search_by_key(&m.id.number, |a| a.number) else { return };
        if let Some(index) = m.index
            && let Some(asked) = self.asked.remove(at)
        {
            self.ready.push((index, asked.query));
        }
    }

    /// Serves what is delivered far enough.
    pub(crate) fn serve(&mut self, delivered: Slot, cx: &mut Cx<'_>) {
        if self.ready.is_empty() {
            return;
        }
        let out = &mut cx.out;
        self.ready.retain(|(index, query)| {
            if *index <= delivered {
                out.serve(query.handle, *index);
            }
            *index > delivered
        });
    }

    /// Asks again, and gives up on what has waited too long.
    pub(crate) fn on_tick(&mut self, ballot: Option<Ballot>, cx: &mut Cx<'_>) {
        self.give_up(cx);
        if let (Some(ballot), Some(newest)) = (ballot, self.rounds.back())
            && cx.now >= self.resend_at
        {
            self.resend_at = cx.now + cx.setting.timing.resend;
            let round = newest.number;
            cx.out.plain(cx.regime.voters(), Confirm { ballot, round });
        }
    }

    /// Declines whatever has waited too long, wherever it waits.
    fn give_up(&mut self, cx: &mut Cx<'_>) {
        let (now, out) = (cx.now, &mut cx.out);
        let mut stays = |query: &Query| {
            let late = query.deadline <= now;
            if late {
                out.decline(query.handle, Declined::NoLeader);
            }
            !late
        };
        self.asked.retain(|asked| stays(&asked.query));
        self.ready.retain(|(_, query)| stays(query));
        for round in self.rounds.iter_mut() {
            let before = round.waiters.len();
            round
                .waiters
                .retain(|w| if let Waiter::Local(query) = w { stays(query) } else { true });
            self.in_rounds -= before - round.waiters.len();
        }
        self.rounds.retain(|round| !round.waiters.is_empty());
    }

    fn put_in_line(&mut self, query: Query, cx: &Cx<'_>) {
        self.number += 1;
        let (number, resend_at) = (self.number, cx.now);
        self.asked.push_back(Asked { number, query, of: None, resend_at });
    }

    fn begin(&mut self, lead: Lead, waiters: SmallVec<[Waiter; 1]>, cx: &mut Cx<'_>) {
        let Lead { ballot, index, .. } = lead;
        self.round += 1;
        let number = self.round;
        self.in_rounds += waiters.len();
        self.rounds.push_back(Round { number, index, yes: Tally::default(), waiters });
        self.resend_at = cx.now + cx.setting.timing.resend;
        cx.out.plain(cx.regime.voters(), Confirm { ballot, round: number });
    }
}

#[cfg(test)]
mod tests;
