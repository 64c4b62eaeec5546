//! The old stories about generals, staff officers and servers, as they would be
//! told to someone who has never heard of Paxos; and the flexible quorums that
//! the old texts did not know.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{Cluster, Fate, GROUP, SECOND, b, n, promise, text};
use paxos_core::effect::Outcome;
use paxos_core::log::{Entry, Record};
use paxos_core::message::Message;
use paxos_core::quorum::Membership;
use paxos_core::service::{Applied, Machine, Service};
use paxos_core::types::{ClientId, Command, Limits, NodeId, Slot};

fn has_voted(round: u64, node: u16, payload: &str) -> Vec<Record> {
    let entry = Entry::Voted { ballot: b(round, node), run: common::run(1, &[payload]) };
    vec![Record { group: GROUP, entry }]
}

/// A staff officer has got two of three generals to attack at dawn, and falls off
/// his horse. The next one has another time in mind, and must adopt the first's.
#[test]
fn t01_the_second_officer_adopts_the_first_ones_time() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.cut_both(n(1), n(3));
    c.propose(n(1), "dawn");
    c.settle();
    c.crash(n(1));
    c.heal();
    c.elect_this(n(3));
    c.propose(n(3), "dusk");
    c.run(SECOND);
    assert_eq!(c.payloads(n(3)), ["dawn", "dusk"], "dawn first, as agreed");
    assert_eq!(c.payloads(n(2)), ["dawn", "dusk"]);
}

/// Officer 1's messenger reaches general 1 only; officer 2 wins over generals 2
/// and 3. When officer 1 tries again with number 3, it must carry officer 2's
/// time, and general 1's stale acceptance does no harm.
#[test]
fn t02_crossed_officers_and_a_captured_messenger() {
    let mut c = Cluster::new(3);
    c.restart_with(n(1), has_voted(1, 1, "officer 1's"));
    c.crash(n(1));
    for id in [2, 3] {
        c.restart_with(n(id), has_voted(1, 2, "officer 2's"));
    }
    c.restart(n(1));
    let third = c.elect_this(n(1));
    assert!(third > b(1, 2));
    c.run(SECOND);
    c.assert_all(&["officer 2's"]);
}

/// Five servers, proposals 3.1 and 4.5. X was accepted at S3 before S5 asked it:
/// the quorums meet there, and S5 must propose X.
#[test]
fn t03_x_is_adopted_where_the_quorums_meet() {
    let mut c = Cluster::alone(5);
    // n1 plays S5; S3 and S4 are played by the test.
    c.tell(n(1), n(2), common::prepare(b(3, 2), 1));
    c.sync_disk(n(1));
    let mine = c.stand();
    c.tell(n(1), n(3), promise(mine, 1, &[(1, b(3, 2), "X")]));
    c.tell(n(1), n(4), promise(mine, 1, &[]));
    c.propose(n(1), "Y");
    assert_eq!(c.proposed(mine), [(1, "X".into()), (2, "Y".into())]);
}

/// The same, but S3 had only promised: Y wins, and S1's late request for X is
/// refused by S3.
#[test]
fn t03_y_wins_where_s3_had_only_promised() {
    let mut c = Cluster::alone(5);
    c.tell(n(1), n(2), common::prepare(b(3, 2), 1));
    c.sync_disk(n(1));
    let mine = c.stand();
    for id in [3, 4] {
        c.tell(n(1), n(id), promise(mine, 1, &[]));
    }
    c.propose(n(1), "Y");
    assert_eq!(c.proposed(mine), [(1, "Y".into())]);
    let late = c.tell(n(1), n(2), common::accept(b(3, 2), 1, &["X"]));
    assert_eq!(common::sent(&late, "Reject").len(), 1);
}

/// Two proposers that outbid each other: an adversary delivers each one's requests
/// for votes only after the other's next request for promises. It loses its hold
/// as soon as it has to be fair.
#[test]
fn t04_outbidding_ends_when_scheduling_is_fair() {
    let mut c = Cluster::new(3);
    c.doom("Accept", Fate::Hold);
    let mut leaders = Vec::new();
    for turn in 0..10 {
        let id = n(1 + turn % 2);
        leaders.push(c.elect_this(id));
        c.propose(id, &format!("bid {turn}"));
        c.settle();
        c.network.clear();
    }
    assert!(leaders.windows(2).all(|w| w[0] < w[1]), "{leaders:?}");
    assert!(c.payloads(n(1)).is_empty() && c.payloads(n(2)).is_empty());
    c.calm();
    c.release();
    c.run(c.timing.patience * 6);
    let p = c.propose(n(3), "settled");
    c.run(SECOND);
    assert!(matches!(c.outcome(n(3), p), Some(Outcome::Chosen(_))));
}

struct Account(i64);

impl Machine for Account {
    type Reply = i64;

    fn apply(&mut self, _: Slot, payload: &Bytes) -> i64 {
        self.0 += payload.len() as i64;
        self.0
    }
}

/// A client loses the answer to its message and sends it again under the same id:
/// executed once, with the same answer.
#[test]
fn t06_a_message_sent_again_after_a_lost_answer_is_executed_once() {
    let mut c = Cluster::new(3);
    let leader = c.elect();
    let message = |sequence| Command {
        client: ClientId(42),
        sequence,
        payload: Bytes::from_static(b"ten coins!"),
    };
    for command in [message(1), message(1), message(2), message(1)] {
        c.propose_command(leader, command);
        c.settle();
    }
    let mut account = Service::new(Account(0), 10, 1 << 20);
    let answers: Vec<_> =
        c.host(leader).delivered.iter().filter_map(|(slot, v)| account.apply(*slot, v)).collect();
    let done = Applied::Done;
    assert_eq!(answers, [done(10), done(10), done(20), Applied::Stale]);
}

/// A client crashes after it has proposed. Whether its command (a) was chosen,
/// (b) was accepted somewhere and not chosen, or (c) was accepted nowhere, its
/// retry under the same id is executed once.
#[test]
fn s08_a_retry_after_a_crash_is_executed_once() {
    for case in ["chosen", "accepted by one", "accepted by none"] {
        let mut c = Cluster::new(3);
        c.elect_this(n(1));
        match case {
            "accepted by one" => c.doom("Accepted", Fate::Lose),
            "accepted by none" => c.doom("Accept", Fate::Lose),
            _ => {}
        }
        if case == "accepted by one" {
            c.cut_both(n(1), n(3));
        }
        let command =
            Command { client: ClientId(1), sequence: 1, payload: Bytes::from_static(b"once") };
        c.propose_command(n(1), command.clone());
        c.settle();
        c.crash(n(1));
        c.heal();
        c.elect_this(n(2));
        let again = c.propose_command(n(2), command);
        c.run(SECOND);
        assert!(matches!(c.outcome(n(2), again), Some(Outcome::Chosen(_))), "{case}");
        let copies = c.payloads(n(2)).len();
        assert_eq!(copies, if case == "accepted by none" { 1 } else { 2 }, "{case}");
        let mut account = Service::new(Account(0), 10, 1 << 20);
        for (slot, value) in &c.host(n(2)).delivered {
            account.apply(*slot, value);
        }
        assert_eq!(account.machine().0, 4, "{case}: executed once");
    }
}

/// A delivery that comes twice, or out of turn, is not executed: whatever an
/// embedder mixes up, the machine says so and stays as it is.
#[test]
fn t09_a_delivery_out_of_turn_changes_nothing() {
    let mut account = Service::new(Account(0), 10, 1000);
    assert_eq!(account.apply(Slot(2), &common::value("early")), None);
    assert_eq!(account.apply(Slot(1), &common::value("ten coins!")), Some(Applied::Done(10)));
    assert_eq!(account.apply(Slot(1), &common::value("ten coins!")), None);
    assert_eq!((account.machine().0, account.next()), (10, Slot(2)));
}

/// Five servers, S1 leads; S1 and S2 are cut from S3, S4, S5. The minority accepts
/// nothing, the majority elects and goes on; after the heal all are equal.
#[test]
fn t07_a_minority_stands_still_and_rejoins() {
    let mut c = Cluster::new(5);
    c.elect_this(n(1));
    c.propose(n(1), "before");
    c.settle();
    for (a, z) in [1, 2].iter().flat_map(|a| [3, 4, 5].map(|z| (*a, z))) {
        c.cut_both(n(a), n(z));
    }
    let lost = c.propose(n(1), "minority's");
    c.run(SECOND * 3);
    assert_eq!(c.outcome(n(1), lost), Some(Outcome::Unknown));
    assert_eq!(c.payloads(n(2)), ["before"]);
    let new = c.leader().expect("the majority elects");
    assert!(new >= n(3));
    c.propose(new, "majority's");
    c.settle();
    assert_eq!(c.payloads(new), ["before", "majority's"]);
    c.heal();
    c.run(SECOND * 2);
    c.assert_all(&["before", "majority's"]);
}

/// The machine says x, the log knows y: what lies between is replayed once and in
/// order; a machine that is ahead of the log is no reason to stop.
#[test]
fn t09_a_restart_replays_what_the_machine_lacks() {
    let mut c = Cluster::new(1);
    c.elect();
    for i in 0..8 {
        c.propose(n(1), &format!("v{i}"));
        c.settle();
    }
    for x in [1, 3, 8, 9, 20] {
        c.crash(n(1));
        c.restart_from(n(1), Slot(x));
        c.run(SECOND * 2);
        let slots: Vec<u64> = c.host(n(1)).delivered.iter().map(|(slot, _)| slot.0).collect();
        assert_eq!(slots, (x..9).collect::<Vec<_>>(), "the machine says {x}");
    }
}

/// Four of five promise, two choose: a leader with one friend goes on, and nobody
/// else can be elected while those two are together.
#[test]
fn a_small_quorum_chooses_and_a_large_one_elects() {
    let five = Membership::flexible([1, 2, 3, 4, 5].map(NodeId), 4, 2);
    let mut c = Cluster::with(five, Limits::default());
    let ballot = c.elect_this(n(1));
    c.run(c.timing.heartbeat);
    for id in [3, 4, 5] {
        c.crash(n(id));
    }
    let p = c.propose(n(1), "two are enough");
    c.run(SECOND * 3);
    assert!(matches!(c.outcome(n(1), p), Some(Outcome::Chosen(_))));
    assert_eq!(c.replica(n(1)).own_ballot(), Some(ballot), "it still hears its quorum");
    let q = c.query(n(1));
    c.settle();
    assert!(c.host(n(1)).served[&q].is_some());
    c.crash(n(1));
    for id in [3, 4] {
        c.restart(n(id));
    }
    c.run(SECOND * 4);
    assert_eq!(c.leader(), None, "three promises are not four");
    c.restart(n(5));
    c.run(SECOND * 4);
    let new = c.leader().expect("four are there");
    assert_eq!(c.payloads(new), ["two are enough"], "n2's vote alone told of it");
}

/// The tale's end: every command that anyone was told of is there, once, on all.
#[test]
fn t07_twenty_partitions_lose_and_double_nothing() {
    let mut c = Cluster::new(5);
    let mut told = Vec::new();
    for round in 0..20u16 {
        let leader = c.elect();
        let asked = ["a", "b"].map(|what| format!("{round}{what}"));
        let p = asked.clone().map(|what| c.propose(leader, &what));
        c.settle();
        for (what, p) in asked.iter().zip(p) {
            if matches!(c.outcome(leader, p), Some(Outcome::Chosen(_))) {
                told.push(what.clone());
            }
        }
        c.heal();
        for id in [1 + round % 5, 1 + (round * 3 + 1) % 5] {
            c.isolate(n(id));
        }
        c.run(Duration::from_millis(700));
    }
    c.heal();
    c.run(SECOND * 3);
    assert!(told.len() >= 30, "only {} were chosen", told.len());
    let all = c.payloads(n(1));
    for id in [2, 3, 4, 5] {
        assert_eq!(c.payloads(n(id)), all, "n{id}");
    }
    for what in told {
        assert_eq!(all.iter().filter(|v| **v == what).count(), 1, "{what}");
    }
    assert!(c.host(n(1)).delivered.iter().all(|(_, v)| text(v).is_none_or(|t| !t.is_empty())));
    assert!(!c.network.iter().any(|(_, e)| matches!(e.message, Message::Prepare(_))));
}
