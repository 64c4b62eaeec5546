//! Program order on one connection, whatever the order of the answers.

use proptest::prelude::*;

use super::Client;
use crate::front::{Action, Order, Pipeline, PipelineLimits, Ticket, Voice, Work};
use crate::kv::{Command, Query};
use crate::resp::Reply;

#[test]
fn answers_leave_in_the_order_of_requests() {
    let mut client = Client::new();
    let first = client.send("set a 1").unwrap();
    let second = client.send("set b 2").unwrap();
    client.send("ping");
    client.answer(second.ticket, "second");
    assert!(client.replies().is_empty());
    client.answer(first.ticket, "first");
    assert_eq!(client.replies(), ["+first", "+second", "+PONG"]);
}

#[test]
fn reads_go_together_by_read_index() {
    let mut client = Client::new();
    for _ in 0..3 {
        assert!(matches!(client.send("get k").unwrap().work, Work::Query { .. }));
    }
}

#[test]
fn read_behind_a_write_goes_through_the_log() {
    let mut client = Client::new();
    let write = client.send("set k v").unwrap();
    let read = client.send("get k").unwrap();
    assert_eq!(read.work, logged_read());
    // The log still holds the read: another index read could overtake it, and see less.
    client.answer(write.ticket, "OK");
    let again = client.send("get k").unwrap();
    assert_eq!(again.work, logged_read());
    client.answer(read.ticket, "v");
    client.answer(again.ticket, "v");
    assert!(matches!(client.send("get k").unwrap().work, Work::Query { .. }));
}

#[test]
fn unknown_fate_of_a_logged_read_is_a_read_that_failed() {
    let mut client = Client::new();
    let write = client.send("set k v").unwrap();
    let read = client.send("get k").unwrap();
    client.connection.on_answer(write.ticket, crate::front::UNKNOWN);
    client.connection.on_answer(read.ticket, crate::front::UNKNOWN);
    let replies = client.replies();
    assert!(replies[0].starts_with("-UNKNOWN the write may have"), "{replies:?}");
    assert!(replies[1].starts_with("-NOTREADY the read was not"), "{replies:?}");
}

#[test]
fn write_behind_index_reads_is_held() {
    let mut client = Client::new();
    let one = client.send("get k").unwrap();
    let two = client.send("get k").unwrap();
    assert_eq!(client.send("set k v"), None);
    assert!(!client.connection.wants_request());
    assert_eq!(client.answer(two.ticket, "two"), None);
    let write = client.answer(one.ticket, "one").expect("the write is let go");
    assert!(matches!(write.work, Work::Propose { command: Command::Set(_), .. }));
    assert!(client.connection.wants_request());
    assert_eq!(client.replies(), ["+one", "+two"]);
    client.answer(write.ticket, "written");
    assert_eq!(client.replies(), ["+written"]);
}

#[test]
fn watch_behind_a_write_goes_through_the_log() {
    let mut client = Client::new();
    client.send("set k v");
    let watch = client.send("watch k").unwrap();
    assert!(matches!(watch.work, Work::Propose { command: Command::Read(_), .. }));
    assert!(!client.connection.wants_request());
}

#[test]
fn outstanding_requests_are_bounded() {
    let limits = PipelineLimits { outstanding_max: 3, ..PipelineLimits::default() };
    let mut pipeline = Pipeline::new(limits);
    let orders: Vec<_> = (0..3).filter_map(|_| pipeline.push(read(), Voice::default())).collect();
    assert!(!pipeline.is_open());
    // An answer makes no room; a reply taken does.
    pipeline.answer(orders[0].ticket, Reply::OK);
    assert!(!pipeline.is_open());
    assert!(pipeline.pop().is_some());
    assert!(pipeline.is_open());
}

#[test]
fn outstanding_bytes_are_bounded() {
    let limits = PipelineLimits { outstanding_bytes_max: 100, ..PipelineLimits::default() };
    let mut pipeline = Pipeline::new(limits);
    let first = pipeline.push(read(), Voice::default()).unwrap();
    let long = Command::Append { key: "k".into(), value: vec![b'v'; 100].into() };
    pipeline.answer(first.ticket, Reply::bulk(vec![b'v'; 100]));
    assert!(!pipeline.is_open(), "a long answer waits to be taken");
    pipeline.pop();
    assert!(pipeline.is_open());
    let write = pipeline.push(Action::Write { command: long, once: None }, Voice::default());
    assert!(!pipeline.is_open(), "a long command is on its way");
    pipeline.answer(write.unwrap().ticket, Reply::OK);
    assert!(pipeline.is_open());
}

#[test]
fn nothing_is_let_in_behind_a_walk_until_it_is_answered() {
    for walk in ["keys *", "scan 0"] {
        let mut client = Client::new();
        let order = client.send(walk).unwrap();
        assert!(!client.connection.wants_request(), "{walk}");
        client.answer(order.ticket, "keys");
        assert!(client.connection.wants_request(), "{walk}");
    }
}

#[test]
fn nothing_is_let_in_behind_a_walk_through_the_log() {
    let mut client = Client::new();
    let write = client.send("set k v").unwrap();
    let walk = client.send("keys *").unwrap();
    assert!(matches!(walk.work, Work::Propose { .. }));
    client.answer(write.ticket, "OK");
    assert!(!client.connection.wants_request());
    client.answer(walk.ticket, "keys");
    assert!(client.connection.wants_request());
}

#[test]
fn a_transaction_that_walks_is_alone_also_when_it_was_held() {
    let mut client = Client::new();
    let read = client.send("get k").unwrap();
    for line in ["multi", "keys *"] {
        assert_eq!(client.send(line), None);
    }
    assert_eq!(client.send("exec"), None, "it is held");
    let walk = client.answer(read.ticket, "read").expect("it is let go");
    assert!(!client.connection.wants_request());
    client.answer(walk.ticket, "keys");
    assert!(client.connection.wants_request());
}

#[test]
fn who_leaves_long_answers_gets_no_more_but_the_one_that_all_wait_for() {
    let limits = PipelineLimits { answered_bytes_max: 100, ..PipelineLimits::default() };
    let mut pipeline = Pipeline::new(limits);
    let mut ask = || pipeline.push(read(), Voice::default()).unwrap().ticket;
    let [first, second, third] = [ask(), ask(), ask()];
    assert!(pipeline.has_room(third));
    pipeline.answer(second, Reply::bulk(vec![b'v'; 100]));
    assert_eq!(pipeline.answered_bytes(), 100);
    assert!(!pipeline.has_room(third));
    assert!(pipeline.has_room(first), "or nothing would ever be taken");
    pipeline.answer(first, Reply::OK);
    assert!(!pipeline.has_room(third));
    for _ in 0..2 {
        assert!(pipeline.pop().is_some());
    }
    assert_eq!(pipeline.answered_bytes(), 0);
    assert!(pipeline.has_room(third));
}

#[test]
fn answers_to_nothing_are_ignored() {
    let mut pipeline = Pipeline::new(PipelineLimits::default());
    let order = pipeline.push(read(), Voice::default()).unwrap();
    pipeline.answer(Ticket(99), Reply::OK);
    pipeline.answer(order.ticket, Reply::Status("first"));
    pipeline.answer(order.ticket, Reply::Status("second"));
    assert_eq!(pipeline.pop().unwrap().0, Reply::Status("first"));
    pipeline.answer(order.ticket, Reply::Status("third"));
    assert_eq!(pipeline.pop(), None);
}

#[test]
fn closed_connection_forgets_what_was_held() {
    let mut client = Client::new();
    let read = client.send("get k").unwrap();
    client.send("set k v");
    client.connection.close();
    assert_eq!(client.answer(read.ticket, "read"), None);
    assert_eq!(client.replies(), ["+read"]);
    assert!(client.connection.is_finished());
}

#[test]
fn protocol_error_is_the_last_reply() {
    let mut client = Client::new();
    let read = client.send("get k").unwrap();
    client.connection.on_protocol_error(Reply::error("ERR Protocol error"));
    assert!(!client.connection.wants_request());
    client.answer(read.ticket, "read");
    assert_eq!(client.replies(), ["+read", "-ERR Protocol error"]);
    assert!(client.connection.is_finished());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Read,
    Stale,
    Walk,
    Write,
    Watch,
    Known,
    /// The driver answers one of the orders in flight.
    Answer(usize),
    Pop,
}

proptest! {
    #[test]
    fn program_order_is_kept(steps in prop::collection::vec(step(), 0..200)) {
        let limits = PipelineLimits { outstanding_max: 16, ..PipelineLimits::default() };
        let mut world = World { pipeline: Pipeline::new(limits), ..World::default() };
        for step in steps {
            world.take(step);
            prop_assert!(world.pipeline.outstanding() <= 16);
        }
        // Whatever is in flight is answered in the end, and then everything has been said.
        while !world.flying.is_empty() {
            world.take(Step::Answer(0));
        }
        while world.pipeline.outstanding() > 0 {
            world.take(Step::Pop);
        }
        prop_assert_eq!(world.said, world.asked);
        prop_assert!(world.pipeline.is_open());
    }
}

/// A driver that answers in any order, with checks of what it is given.
#[derive(Default)]
struct World {
    pipeline: Pipeline,
    flying: Vec<(Ticket, bool)>,
    asked: i64,
    said: i64,
}

impl World {
    fn take(&mut self, step: Step) {
        let action = match step {
            Step::Answer(choice) => return self.answer(choice),
            Step::Pop => return self.pop(),
            Step::Read => read(),
            Step::Stale => Action::StaleRead { query: Query::Count, within: None },
            Step::Walk => Action::Read { query: Query::Keys { pattern: "*".into() } },
            Step::Write => Action::Write { command: Command::Clear, once: None },
            Step::Watch => Action::Watch { query: Query::Count },
            Step::Known => Action::Answer(Reply::Integer(self.asked)),
        };
        if self.pipeline.is_open() {
            self.asked += 1;
            let order = self.pipeline.push(action, Voice::default());
            self.fly(order);
        }
    }

    fn fly(&mut self, order: Option<Order>) {
        let Some(Order { ticket, work }) = order else { return };
        let is_logged = matches!(work, Work::Propose { .. });
        let is_write = matches!(&work, Work::Propose { command, .. } if !command.is_read());
        let has = |logged: bool| self.flying.iter().any(|(_, is_logged)| *is_logged == logged);
        // Index reads and log entries that overlap must be in an order that keeps.
        assert!(!is_write || !has(false), "a write is not sent while index reads are in flight");
        assert!(is_logged || !has(true), "an index read is not sent while the log is busy");
        self.flying.push((ticket, is_logged));
    }

    fn answer(&mut self, choice: usize) {
        if self.flying.is_empty() {
            return;
        }
        let (ticket, _) = self.flying.remove(choice % self.flying.len());
        let order = self.pipeline.answer(ticket, Reply::Integer(ticket.0 as i64));
        self.fly(order);
    }

    fn pop(&mut self) {
        if let Some((reply, _)) = self.pipeline.pop() {
            assert_eq!(reply, Reply::Integer(self.said), "replies leave in order");
            self.said += 1;
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Read),
        1 => Just(Step::Stale),
        1 => Just(Step::Walk),
        3 => Just(Step::Write),
        1 => Just(Step::Watch),
        1 => Just(Step::Known),
        6 => any::<usize>().prop_map(Step::Answer),
        4 => Just(Step::Pop),
    ]
}

fn read() -> Action {
    Action::Read { query: Query::Get { key: "k".into() } }
}

fn logged_read() -> Work {
    let command = Command::Read(Query::Get { key: "k".into() });
    Work::Propose { command, once: None }
}
