//! What the clients have asked for in one turn of the loop.
//!
//! All writes of a turn leave as one run of proposals and all its reads under one
//! read-index round: that is where batches come from.
//!
//! | file        | what it does                                     |
//! |-------------|--------------------------------------------------|
//! | `take`      | what clients ask, taken in or refused at once    |
//! | `transfers` | who wants whom to lead                           |
//! | `load`      | how much is on its way                           |

mod load;
mod take;
mod transfers;

use std::time::Duration;

use load::Load;
use paxos_core::types::{ClientId, Command, NodeId, ProposalId, QueryId};
use transfers::Transfers;

use super::members::MemberOrder;
use super::waiting::{Proposals, Queries};
use crate::front::{Sections, Ticket};
use crate::kv::{self, Query};
use crate::net::clients::ClientKey;
use crate::resp::Reply;

/// Who waits for an answer, and to which of their requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiter {
    /// The client; none for what the node has proposed for itself.
    pub(crate) client: Option<ClientKey>,
    /// The request.
    pub(crate) ticket: Ticket,
    /// Bytes that the request keeps in flight.
    weight: usize,
}

impl Waiter {
    /// The node itself.
    pub(crate) fn of_nobody() -> Waiter {
        Waiter { client: None, ticket: Ticket(0), weight: 0 }
    }
}

/// Something that is answered by this node alone, at once.
#[derive(Debug)]
pub(crate) enum Aside {
    /// The facts of this node.
    Info(Sections),
    /// A read of the store as it is here and now, if that is no older than this.
    Stale(Query, Option<Duration>),
    /// A read that the group has let through.
    Granted(Query),
    /// A request that this node can take no part in.
    Refused(Reply),
}

/// The counter between the clients and the core.
#[derive(Debug)]
pub(crate) struct Counter {
    limits: kv::Limits,
    turn: Turn,
    /// Commands taken in this turn; their waiters stand last in `proposals`.
    commands: Vec<Command>,
    /// Reads taken in this turn.
    reads: Vec<(Waiter, Query)>,
    /// What else was asked in this turn.
    asides: Vec<(Waiter, Aside)>,
    proposals: Proposals<Waiter, Reply>,
    queries: Queries<(Waiter, Query)>,
    checkpoints: Checkpoints,
    transfers: Transfers,
    /// What was asked of the membership in this turn.
    member_orders: Vec<(Waiter, MemberOrder)>,
    load: Load,
    passage: Passage,
}

/// What holds in this turn.
#[derive(Debug, Default)]
struct Turn {
    /// The stamp of commands, in milliseconds since the epoch.
    wall_ms: u64,
    is_store_full: bool,
    is_disk_full: bool,
    /// What everybody is answered who asks for data; nothing if this node has any.
    without_data: Option<Reply>,
}

/// Who waits for a checkpoint.
#[derive(Debug, Default)]
struct Checkpoints {
    waiters: Vec<Waiter>,
    /// Whether one is to be ordered for them.
    are_wanted: bool,
}

/// How the node's own proposal, that time passes, stands.
#[derive(Debug)]
enum Passage {
    /// It may be proposed from this moment on, in milliseconds since the epoch.
    Due { at_ms: u64 },
    /// It is proposed, and not answered.
    UnderWay,
}

impl Counter {
    /// A counter where nobody waits.
    pub(crate) fn new(limits: kv::Limits) -> Counter {
        Counter {
            limits,
            turn: Turn::default(),
            commands: Vec::new(),
            reads: Vec::new(),
            asides: Vec::new(),
            proposals: Proposals::default(),
            queries: Queries::default(),
            checkpoints: Checkpoints::default(),
            transfers: Transfers::default(),
            member_orders: Vec::new(),
            load: Load::default(),
            passage: Passage::Due { at_ms: 0 },
        }
    }

    /// Begins a turn.
    pub(crate) fn open(&mut self, wall_ms: u64, is_store_full: bool, is_disk_full: bool) {
        let without_data = self.turn.without_data.take();
        self.turn = Turn { wall_ms, is_store_full, is_disk_full, without_data };
    }

    /// Sets what everybody is answered from now on who asks for data; nothing if this
    /// node has any.
    pub(crate) fn keep_data(&mut self, without_data: Option<Reply>) {
        self.turn.without_data = without_data;
    }

    /// The wall clock of this turn, in milliseconds since the epoch.
    pub(crate) fn wall_ms(&self) -> u64 {
        self.turn.wall_ms
    }

    /// Whether the disk was full at the begin of this turn.
    pub(crate) fn is_disk_full(&self) -> bool {
        self.turn.is_disk_full
    }

    /// Proposes that time passes, so that keys expire that nobody touches; once
    /// at a time.
    pub(crate) fn let_time_pass(&mut self) {
        if self.time_may_pass_at().is_some_and(|at| at <= self.turn.wall_ms) {
            self.passage = Passage::UnderWay;
            let waiter = Waiter::of_nobody();
            self.propose(waiter, ClientId(0), 0, &kv::Command::Advance);
        }
    }

    /// From when on that may be proposed, in milliseconds since the epoch; nothing
    /// while it is under way, or the disk is full.
    pub(crate) fn time_may_pass_at(&self) -> Option<u64> {
        match self.passage {
            _ if self.turn.is_disk_full => None,
            Passage::Due { at_ms } => Some(at_ms),
            Passage::UnderWay => None,
        }
    }

    /// Takes this turn's commands, and the handle of the first of them.
    pub(crate) fn take_commands(&mut self) -> Option<(ProposalId, Vec<Command>)> {
        if self.commands.is_empty() {
            return None;
        }
        let commands = std::mem::take(&mut self.commands);
        let first = ProposalId(self.proposals.next().0 - commands.len() as u64);
        Some((first, commands))
    }

    /// Has the group asked for a read, with the next turn's: this node is too far behind.
    pub(crate) fn ask_group(&mut self, waiter: Waiter, query: Query) {
        self.reads.push((waiter, query));
    }

    /// Takes this turn's reads, under one handle.
    pub(crate) fn take_reads(&mut self) -> Option<QueryId> {
        self.queries.push(&mut self.reads)
    }

    /// Whether someone has asked for a checkpoint that is not ordered yet.
    pub(crate) fn wants_checkpoint(&self) -> bool {
        self.checkpoints.are_wanted
    }

    /// Takes whether someone has asked for a checkpoint that is not ordered yet.
    pub(crate) fn take_checkpoint(&mut self) -> bool {
        std::mem::take(&mut self.checkpoints.are_wanted)
    }

    /// Takes the next node that someone wants to lead.
    pub(crate) fn take_transfer(&mut self) -> Option<NodeId> {
        self.transfers.tell()
    }

    /// Takes who has wanted `to` to lead: the one who asked last if that was refused
    /// because of one before, else the first. None if that was this node itself.
    pub(crate) fn transferred(&mut self, to: NodeId, was_last: bool) -> Option<Waiter> {
        self.transfers.ended(to, was_last)
    }

    /// Notes that the core is told now that this node itself wants `to` to lead: no client is
    /// to be answered with how that ends.
    pub(crate) fn note_own_transfer(&mut self, to: NodeId) {
        self.transfers.note_own(to);
    }

    /// Takes all who wait for a checkpoint.
    pub(crate) fn take_checkpoint_waiters(&mut self) -> Vec<Waiter> {
        std::mem::take(&mut self.checkpoints.waiters)
    }

    /// Takes what was asked of the membership.
    pub(crate) fn take_member_orders(&mut self) -> Vec<(Waiter, MemberOrder)> {
        std::mem::take(&mut self.member_orders)
    }

    /// Takes what is to be answered at once.
    pub(crate) fn take_asides(&mut self) -> Vec<(Waiter, Aside)> {
        std::mem::take(&mut self.asides)
    }

    /// Whether something was taken that no step has been told yet.
    pub(crate) fn has_more(&self) -> bool {
        let is_empty = self.commands.is_empty()
            && self.reads.is_empty()
            && self.member_orders.is_empty()
            && self.transfers.are_told();
        !(is_empty && self.asides.is_empty())
    }

    /// Who waits for which command.
    pub(crate) fn proposals(&mut self) -> &mut Proposals<Waiter, Reply> {
        &mut self.proposals
    }

    /// Who waits for which read.
    pub(crate) fn queries(&mut self) -> &mut Queries<(Waiter, Query)> {
        &mut self.queries
    }

    /// Strikes out who is about to be answered.
    pub(crate) fn settle(&mut self, waiter: &Waiter, was_refused: bool) {
        if waiter.client.is_none() {
            let pause = if was_refused { REFUSED_PAUSE_MS } else { 0 };
            self.passage = Passage::Due { at_ms: self.turn.wall_ms + pause };
        }
        self.load.remove(waiter);
    }

    /// How many wait.
    pub(crate) fn outstanding(&self) -> usize {
        self.load.requests()
    }

    fn propose(&mut self, waiter: Waiter, client: ClientId, sequence: u64, command: &kv::Command) {
        let payload = command.encode(self.turn.wall_ms);
        let waiter = Waiter { weight: payload.len(), ..waiter };
        self.note(&waiter);
        self.proposals.push(waiter);
        self.commands.push(Command { client, sequence, payload });
    }

    /// Notes who waits.
    pub(crate) fn note(&mut self, waiter: &Waiter) {
        self.load.add(waiter);
    }
}

/// How long the node's own proposal waits after it was refused, in milliseconds.
const REFUSED_PAUSE_MS: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::{Operation, Order, Work};
    use crate::net::client::Desk;

    fn counter() -> Counter {
        Counter::new(kv::Limits::default())
    }

    #[test]
    fn time_passes_once_at_a_time() {
        let mut counter = counter();
        assert!(counter.take_commands().is_none());
        counter.let_time_pass();
        counter.let_time_pass();
        let (first, commands) = counter.take_commands().expect("one");
        assert_eq!((first, commands.len()), (ProposalId(0), 1));
        let outcome = paxos_core::effect::Outcome::Unknown;
        let (waiter, _) = counter.proposals().resolve(first, outcome).expect("it waits");
        counter.settle(&waiter, true);
        counter.let_time_pass();
        assert!(counter.take_commands().is_none(), "not at once again after a refusal");
        counter.open(REFUSED_PAUSE_MS, false, false);
        counter.let_time_pass();
        let (first, commands) = counter.take_commands().expect("another");
        assert_eq!((first, commands.len()), (ProposalId(1), 1));
        assert!(!counter.has_more());
    }

    /// While a client's is under way, the node's own is refused, and the other way round.
    #[test]
    fn nobody_is_answered_for_the_node_s_own_transfer() {
        let mut counter = counter();
        let (client, to) = (ClientKey::of_test(7), NodeId(2));
        let ask = |counter: &mut Counter| {
            let work = Work::Operate(Operation::Transfer(to.0));
            counter.take(client, Order { ticket: Ticket(1), work });
            assert_eq!(counter.take_transfer(), Some(to));
        };
        ask(&mut counter);
        counter.note_own_transfer(to);
        assert_eq!(counter.transferred(to, true), None, "the later one was refused");
        let asked = counter.transferred(to, false).expect("the client has waited");
        assert_eq!(asked.client, Some(client));

        counter.note_own_transfer(to);
        ask(&mut counter);
        assert_eq!(counter.transferred(to, true).and_then(|asked| asked.client), Some(client));
        assert_eq!(counter.transferred(to, false), None);
        assert!(!counter.has_more());
    }
}
