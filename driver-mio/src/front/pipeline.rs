//! Order among the requests of one connection, and how many there may be.
//!
//! A client that sends many requests at once expects them to take effect, and
//! to be answered, in the order in which it sent them:
//!
//! | arrives | while in flight | what happens |
//! |---------|-----------------|--------------|
//! | read    | nothing, reads  | it goes by read index |
//! | read    | writes          | it goes through the log, behind them |
//! | write   | nothing, writes | it goes through the log |
//! | write   | index reads     | it is held, and no more is parsed until they are answered |
//! | watch   | anything        | as a read; no more is parsed until it is answered |
//! | walk    | anything        | as what it is; no more is parsed until it is answered |
//!
//! A walk looks at many keys: `KEYS`, `SCAN`, or a transaction with one of them.
//!
//! The driver's part: orders of one connection reach the log, and the machine,
//! in the order in which they were given.
//!
//! Invariants: `slots` is in the order of arrival, its tickets are `first..`
//! without holes; at most one request is held, and then nothing else is let in.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Action, OnceKey, Operation, READ_FAILED, Sections, UNKNOWN, Voice};
use crate::kv::{Command, Query};
use crate::resp::Reply;

/// Names a request that waits for its answer, on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Something that the driver is to do; it answers with the ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What the answer is for.
    pub ticket: Ticket,
    /// What is to be done.
    pub work: Work,
}

/// What the driver is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Propose a command, and answer what the machine said.
    Propose {
        /// The command.
        command: Command,
        /// What makes it take effect once.
        once: Option<OnceKey>,
    },
    /// Answer from the machine after a read-index round.
    Query {
        /// The read.
        query: Query,
    },
    /// Answer from the machine as it is.
    StaleQuery {
        /// The read.
        query: Query,
        /// If what it holds is known to be no older; after a read-index round otherwise.
        within: Option<Duration>,
    },
    /// Answer with [`info`](super::info()).
    Info {
        /// The sections.
        sections: Sections,
    },
    /// Do what an operator wants, and answer what came of it.
    Operate(Operation),
}

/// How old what a read sees may be.
#[derive(Clone, Copy, Debug)]
enum Age {
    /// As new as can be.
    Now,
    /// So old, or of any age.
    Any { within: Option<Duration> },
}

/// How much one connection may have on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipelineLimits {
    /// Most requests that wait for an answer or for their turn to be sent. Deep
    /// enough for a benchmark, shallow enough to be fair to others.
    pub outstanding_max: usize,
    /// Most bytes of commands on their way and of answers that wait for their
    /// turn. One request or answer may go beyond it.
    pub outstanding_bytes_max: usize,
    /// So many bytes of answers may wait for their turn before more is read for this
    /// connection. One answer may go beyond it.
    pub answered_bytes_max: usize,
}

impl Default for PipelineLimits {
    fn default() -> Self {
        Self { outstanding_max: 1024, outstanding_bytes_max: 16 << 20, answered_bytes_max: 1 << 20 }
    }
}

/// The requests of one connection that are not answered yet.
#[derive(Debug, Default)]
pub struct Pipeline {
    limits: PipelineLimits,
    slots: VecDeque<Slot>,
    /// Ticket of the first slot.
    first: u64,
    /// Bytes that the slots hold or have sent off.
    bytes: usize,
    /// Bytes of answers among them.
    answered_bytes: usize,
    index_reads: usize,
    log_entries: usize,
    gate: Gate,
}

/// What keeps further requests out.
#[derive(Debug, Default)]
enum Gate {
    #[default]
    Open,
    /// A write waits until the index reads before it are answered.
    Held(Order),
    /// A watch must be answered before the next request means anything.
    Watch(Ticket),
    /// A walk must be answered before there is another: each takes long, and has a long
    /// answer.
    Walk(Ticket),
    /// The last request has been seen.
    Closed,
}

#[derive(Debug)]
struct Slot {
    voice: Voice,
    bytes: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting(Lane),
    Answered(Reply),
}

/// The way that a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Index,
    Log,
    /// Through the log as well, but nothing is at stake.
    LogRead,
    /// None that others could overtake.
    Aside,
}

impl Pipeline {
    /// A connection that has asked for nothing yet.
    pub fn new(limits: PipelineLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Tells whether another request may be looked at. If not, its bytes are to
    /// stay where they are.
    pub fn is_open(&self) -> bool {
        matches!(self.gate, Gate::Open)
            && self.slots.len() < self.limits.outstanding_max
            && self.bytes < self.limits.outstanding_bytes_max
    }

    /// Tells whether the last answer has been taken and the connection is to be closed.
    pub fn is_finished(&self) -> bool {
        matches!(self.gate, Gate::Closed) && self.slots.is_empty()
    }

    /// Number of requests that have no answer yet or whose answer waits for its turn.
    pub fn outstanding(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of answers that wait for their turn, or to be taken.
    pub fn answered_bytes(&self) -> usize {
        self.answered_bytes
    }

    /// Tells whether a long answer had better come now: there is room, or all the
    /// others wait for it.
    pub fn has_room(&self, ticket: Ticket) -> bool {
        self.is_next(ticket) || self.answered_bytes < self.limits.answered_bytes_max
    }

    /// Tells whether all answers that are kept here wait for this one.
    pub fn is_next(&self, ticket: Ticket) -> bool {
        ticket.0 <= self.first
    }

    /// Takes what the next request asks for. To be called only while
    /// [open](Self::is_open): what comes behind the last request, or behind one
    /// that must be answered first, is dropped.
    pub fn push(&mut self, action: Action, voice: Voice) -> Option<Order> {
        if !matches!(self.gate, Gate::Open) {
            return None;
        }
        let ticket = Ticket(self.first + self.slots.len() as u64);
        match action {
            Action::Answer(reply) => {
                self.add(voice, reply_bytes(&reply), State::Answered(reply));
                None
            }
            Action::Close(reply) => {
                self.add(voice, 0, State::Answered(reply));
                self.gate = Gate::Closed;
                None
            }
            Action::Info { sections } => {
                self.add(voice, 0, State::Waiting(Lane::Aside));
                Some(Order { ticket, work: Work::Info { sections } })
            }
            Action::Operate(operation) => {
                self.add(voice, 0, State::Waiting(Lane::Aside));
                Some(Order { ticket, work: Work::Operate(operation) })
            }
            Action::Write { command, once } => self.write(ticket, voice, command, once),
            Action::Read { query } => Some(self.read(ticket, voice, query, Age::Now)),
            Action::StaleRead { query, within } => {
                Some(self.read(ticket, voice, query, Age::Any { within }))
            }
            Action::Watch { query } => {
                self.gate = Gate::Watch(ticket);
                Some(self.read(ticket, voice, query, Age::Now))
            }
        }
    }

    /// Takes the answer to an order. A ticket that waits for none is ignored.
    /// Answers the order that this lets through, if it does.
    pub fn answer(&mut self, ticket: Ticket, reply: Reply) -> Option<Order> {
        let at = usize::try_from(ticket.0.checked_sub(self.first)?).ok()?;
        let slot = self.slots.get_mut(at)?;
        let State::Waiting(lane) = slot.state else { return None };
        // Whether a read is chosen or not, it may be sent again.
        let is_harmless = lane == Lane::LogRead && reply == UNKNOWN;
        let reply = if is_harmless { READ_FAILED } else { reply };
        let bytes = reply_bytes(&reply);
        self.bytes = self.bytes - slot.bytes + bytes;
        slot.bytes = bytes;
        slot.state = State::Answered(reply);
        self.answered_bytes += bytes;
        match lane {
            Lane::Index => self.index_reads -= 1,
            Lane::Log | Lane::LogRead => self.log_entries -= 1,
            Lane::Aside => {}
        }
        self.reopen(ticket)
    }

    /// Takes the next answer whose turn has come, and how to say it.
    pub fn pop(&mut self) -> Option<(Reply, Voice)> {
        if !matches!(self.slots.front()?.state, State::Answered(_)) {
            return None;
        }
        let slot = self.slots.pop_front()?;
        self.first += 1;
        self.bytes -= slot.bytes;
        self.answered_bytes -= slot.bytes;
        match slot.state {
            State::Answered(reply) => Some((reply, slot.voice)),
            State::Waiting(_) => None,
        }
    }

    /// Lets no further request in; what is on its way is still answered.
    pub fn close(&mut self) {
        // A held request has not been sent: it goes nowhere, and neither does its answer.
        if matches!(std::mem::replace(&mut self.gate, Gate::Closed), Gate::Held(_)) {
            self.log_entries -= 1;
            if let Some(slot) = self.slots.pop_back() {
                self.bytes -= slot.bytes;
            }
        }
    }

    /// The ticket of the watch that is on its way.
    pub(super) fn watch(&self) -> Option<Ticket> {
        match self.gate {
            Gate::Watch(ticket) => Some(ticket),
            _ => None,
        }
    }

    fn write(
        &mut self,
        ticket: Ticket,
        voice: Voice,
        command: Command,
        once: Option<OnceKey>,
    ) -> Option<Order> {
        self.add(voice, command.encoded_len(), State::Waiting(Lane::Log));
        let order = Order { ticket, work: Work::Propose { command, once } };
        if self.index_reads == 0 {
            self.gate = Gate::behind(&order);
            return Some(order);
        }
        self.gate = Gate::Held(order);
        None
    }

    fn read(&mut self, ticket: Ticket, voice: Voice, query: Query, age: Age) -> Order {
        let is_behind_writes = self.log_entries > 0;
        let lane = if is_behind_writes { Lane::LogRead } else { Lane::Index };
        self.add(voice, query.encoded_len(), State::Waiting(lane));
        let work = match (is_behind_writes, age) {
            (true, _) => Work::Propose { command: Command::Read(query), once: None },
            (false, Age::Any { within }) => Work::StaleQuery { query, within },
            (false, Age::Now) => Work::Query { query },
        };
        let order = Order { ticket, work };
        if matches!(self.gate, Gate::Open) {
            self.gate = Gate::behind(&order);
        }
        order
    }

    fn add(&mut self, voice: Voice, bytes: usize, state: State) {
        match state {
            State::Waiting(Lane::Index) => self.index_reads += 1,
            State::Waiting(Lane::Log | Lane::LogRead) => self.log_entries += 1,
            State::Waiting(Lane::Aside) => {}
            State::Answered(_) => self.answered_bytes += bytes,
        }
        self.bytes += bytes;
        self.slots.push_back(Slot { voice, bytes, state });
    }

    fn reopen(&mut self, answered: Ticket) -> Option<Order> {
        match std::mem::take(&mut self.gate) {
            Gate::Watch(ticket) | Gate::Walk(ticket) if ticket == answered => None,
            Gate::Held(order) if self.index_reads == 0 => {
                self.gate = Gate::behind(&order);
                Some(order)
            }
            gate => {
                self.gate = gate;
                None
            }
        }
    }
}

impl Gate {
    /// What keeps others out once `order` is sent.
    fn behind(order: &Order) -> Gate {
        let walks = match &order.work {
            Work::Propose { command, .. } => has_walk(command),
            Work::Query { query } | Work::StaleQuery { query, .. } => is_walk(query),
            Work::Info { .. } | Work::Operate(_) => false,
        };
        if walks { Gate::Walk(order.ticket) } else { Gate::Open }
    }
}

/// Whether a read looks at many keys.
fn is_walk(query: &Query) -> bool {
    matches!(query, Query::Keys { .. } | Query::Scan(_))
}

fn has_walk(command: &Command) -> bool {
    match command {
        Command::Read(query) => is_walk(query),
        // One level: a transaction holds no other.
        Command::Exec(transaction) => {
            let walks = |command: &Command| matches!(command, Command::Read(q) if is_walk(q));
            transaction.commands.iter().any(walks)
        }
        _ => false,
    }
}

/// Bytes that an answer holds on to, besides itself.
fn reply_bytes(reply: &Reply) -> usize {
    // An item may hold nothing and still take its place.
    let item_bytes = |item: &Reply| size_of::<Reply>() + reply_bytes(item);
    match reply {
        Reply::Bulk(bytes) | Reply::Error(bytes) | Reply::Simple(bytes) => bytes.len(),
        Reply::Verbatim(_, bytes) => bytes.len(),
        Reply::Array(items) | Reply::Set(items) => items.iter().map(item_bytes).sum(),
        Reply::Map(pairs) => {
            pairs.iter().map(|(key, value)| item_bytes(key) + item_bytes(value)).sum()
        }
        _ => 0,
    }
}
