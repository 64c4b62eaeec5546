//! The commands of the connection itself, and what becomes of them in a transaction.

use bytes::Bytes;

use super::{Action, Env, Front};
use crate::kv::Constant;
use crate::resp::Reply;

/// One command of the connection.
pub(super) struct Spec {
    /// The name in lower case.
    pub(super) name: &'static str,
    /// Number of words, the name included; below zero means at least so many.
    pub(super) arity: i32,
    pub(super) group: &'static str,
    pub(super) summary: &'static str,
    pub(super) in_transaction: InTransaction,
    pub(super) run: Run,
}

pub(super) type Run = fn(&mut Front, &[Bytes], &Env<'_>) -> Action;

/// What becomes of a command between `MULTI` and `EXEC`.
pub(super) enum InTransaction {
    /// It is done at once.
    Runs,
    /// Its answer is known and takes its place in the transaction.
    Queues(fn(&[Bytes]) -> Result<Constant, Reply>),
    /// It is refused.
    Refused,
}

/// Finds a command of the connection by name, in any case.
pub(super) fn lookup(name: &[u8]) -> Option<&'static Spec> {
    SPECS.iter().find(|spec| name.eq_ignore_ascii_case(spec.name.as_bytes()))
}

use InTransaction::{Queues, Refused, Runs};

const fn connection(
    name: &'static str,
    arity: i32,
    in_transaction: InTransaction,
    run: Run,
    summary: &'static str,
) -> Spec {
    Spec { name, arity, group: "connection", summary, in_transaction, run }
}

const fn server(name: &'static str, arity: i32, run: Run, summary: &'static str) -> Spec {
    Spec { name, arity, group: "server", summary, in_transaction: Refused, run }
}

const fn transaction(
    name: &'static str,
    arity: i32,
    in_transaction: InTransaction,
    run: Run,
    summary: &'static str,
) -> Spec {
    Spec { name, arity, group: "transactions", summary, in_transaction, run }
}

fn ok(_: &[Bytes]) -> Result<Constant, Reply> {
    Ok(Constant::Ok)
}

/// All commands of the connection.
pub(super) static SPECS: &[Spec] = &[
    connection("ping", -1, Queues(Front::ping_constant), Front::ping, "Answers PONG."),
    connection("echo", 2, Queues(Front::echo_constant), Front::echo, "Answers its argument."),
    transaction("multi", 1, Runs, Front::multi, "Begins a transaction."),
    transaction("exec", 1, Runs, Front::exec, "Lets a transaction take effect."),
    transaction("discard", 1, Runs, Front::discard, "Forgets a transaction."),
    transaction("watch", -2, Runs, Front::watch, "Makes the next transaction depend on keys."),
    transaction("unwatch", 1, Queues(ok), Front::unwatch, "Forgets the watched keys."),
    connection("hello", -1, Refused, Front::hello, "Agrees on a protocol version."),
    connection("auth", -2, Refused, Front::auth, "Accepts the default user."),
    connection("select", 2, Queues(Front::select_constant), Front::select, "Selects database 0."),
    connection("client", -2, Refused, Front::client, "Tells about this connection."),
    connection("readonly", 1, Refused, Front::readonly, "Allows reads that may be stale."),
    connection("readwrite", 1, Refused, Front::readwrite, "Asks for linearizable reads again."),
    connection("reset", 1, Runs, Front::reset, "Forgets all that this connection was told."),
    connection("quit", -1, Runs, Front::quit, "Closes the connection."),
    server("command", -1, Front::command, "Tells about commands."),
    server("config", -2, Front::config, "Tells the configuration."),
    server("info", -1, Front::info, "Tells the facts of this node."),
    server("paxos", -2, Front::paxos, "Does a write once, however often it is sent."),
];
