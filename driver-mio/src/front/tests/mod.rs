//! A connection with a machine behind it, talked to as a client would.

mod order;
mod server;
mod small_talk;
mod transactions;

use bytes::Bytes;

use super::{Connection, Env, Operation, Order, PipelineLimits, Ticket, Work, info};
use crate::kv::{Command, Limits, Machine};
use crate::resp::{Protocol, Reply, encode};

/// A client whose orders are carried out at once, or when the test says so.
pub(super) struct Client {
    pub(super) connection: Connection,
    pub(super) machine: Machine,
    pub(super) slot: u64,
    pub(super) is_store_full: bool,
}

impl Client {
    pub(super) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(super) fn with(limits: Limits) -> Self {
        let connection = Connection::new(PipelineLimits::default());
        Self { connection, machine: Machine::new(limits), slot: 0, is_store_full: false }
    }

    /// Sends a line and answers what comes back for it.
    pub(super) fn say(&mut self, line: &str) -> String {
        let mut order = self.send(line);
        while let Some(Order { ticket, work }) = order {
            let reply = self.carry_out(&work);
            order = self.connection.on_answer(ticket, reply);
        }
        self.connection.next_reply().map_or_else(String::new, |(reply, _)| shown(&reply))
    }

    pub(super) fn send(&mut self, line: &str) -> Option<Order> {
        assert!(self.connection.wants_request(), "{line}");
        let limits = self.machine.limits().clone();
        let env = Env {
            limits: &limits,
            connection: 7,
            address: "10.0.0.9:5000",
            local_address: "10.0.0.1:6379",
            is_store_full: self.is_store_full,
        };
        self.connection.on_request(&words(line), &env)
    }

    pub(super) fn carry_out(&mut self, work: &Work) -> Reply {
        match work {
            Work::Propose { command, .. } => self.apply(command),
            Work::Query { query } | Work::StaleQuery { query, .. } => self.machine.query(query),
            Work::Operate(Operation::Checkpoint) => Reply::Integer(8),
            Work::Operate(_) => Reply::Status("OK"),
            Work::Info { sections } => info(sections, &server::facts()),
        }
    }

    /// Someone else writes.
    pub(super) fn apply(&mut self, command: &Command) -> Reply {
        self.slot += 1;
        self.machine.apply(self.slot, &command.encode(1_000_000))
    }

    pub(super) fn answer(&mut self, ticket: Ticket, reply: &'static str) -> Option<Order> {
        self.connection.on_answer(ticket, Reply::Status(reply))
    }

    /// All replies whose turn has come.
    pub(super) fn replies(&mut self) -> Vec<String> {
        let next = || self.connection.next_reply().map(|(reply, _)| shown(&reply));
        std::iter::from_fn(next).collect()
    }

    pub(super) fn play(&mut self, script: &[(&str, &str)]) {
        for (number, (line, wanted)) in script.iter().enumerate() {
            assert_eq!(self.say(line), *wanted, "line {number}: {line}");
        }
    }
}

/// Plays a script from a fresh connection to an empty store.
pub(super) fn play(script: &[(&str, &str)]) {
    Client::new().play(script);
}

/// Words of a line; `_` in a word stands for a space.
pub(super) fn words(line: &str) -> Vec<Bytes> {
    line.split(' ').map(|word| Bytes::from(word.replace('_', " "))).collect()
}

/// A reply on one line, nearly as it goes over the wire in RESP3.
pub(super) fn shown(reply: &Reply) -> String {
    match reply {
        Reply::Bulk(bytes) => format!("\"{}\"", String::from_utf8_lossy(bytes)),
        Reply::Array(items) => {
            let items: Vec<_> = items.iter().map(shown).collect();
            format!("[{}]", items.join(" "))
        }
        Reply::Map(pairs) => {
            let pairs: Vec<_> =
                pairs.iter().map(|(name, value)| shown(name) + "=" + &shown(value)).collect();
            format!("{{{}}}", pairs.join(" "))
        }
        other => {
            let mut bytes = Vec::new();
            encode(other, Protocol::Resp3, &mut bytes);
            String::from_utf8_lossy(&bytes).trim_end().to_owned()
        }
    }
}
