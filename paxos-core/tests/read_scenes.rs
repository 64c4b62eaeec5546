//! Scenes of clients: linearizable reads, retries, and answers that must be honest.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{Cluster, Fate, GROUP, SECOND, accepted, b, n, promise};
use paxos_core::Standing;
use paxos_core::effect::{Input, Outcome};
use paxos_core::message::{
    Confirmed, Forwarded, Heartbeat, Message, ReadAnswer, ReadId, Reject, Verdict,
};
use paxos_core::quorum::Membership;
use paxos_core::service::{Applied, Machine, Service};
use paxos_core::types::{ClientId, Command, Incarnation, Limits, NodeId, QueryId, Slot};

/// Counts how often it was asked, and answers with the count.
struct Counter(u64);

impl Machine for Counter {
    type Reply = u64;

    fn apply(&mut self, _: Slot, _: &Bytes) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// What a machine behind a session table makes of a node's deliveries.
fn execute(c: &Cluster, id: NodeId) -> (u64, Vec<Option<Applied<u64>>>) {
    let mut service = Service::new(Counter(0), 100, 1 << 20);
    let replies = c.host(id).delivered.iter().map(|(slot, v)| service.apply(*slot, v)).collect();
    (service.machine().0, replies)
}

fn in_session(client: u64, sequence: u64, payload: &'static str) -> Command {
    let payload = Bytes::from_static(payload.as_bytes());
    Command { client: ClientId(client), sequence, payload }
}

fn served(c: &Cluster, id: NodeId, q: QueryId) -> Option<Option<Slot>> {
    c.host(id).served.get(&q).copied()
}

#[test]
fn s60_a_command_proposed_at_two_leaders_is_executed_once() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.doom("Forwarded", Fate::Lose);
    c.run(c.timing.heartbeat);
    let first = c.propose_command(n(2), in_session(7, 1, "add"));
    c.settle();
    assert_eq!(c.outcome(n(2), first), None, "the answer is lost");
    c.calm();
    c.crash(n(1));
    c.elect_this(n(3));
    let again = c.propose_command(n(3), in_session(7, 1, "add"));
    c.run(SECOND);
    assert!(matches!(c.outcome(n(3), again), Some(Outcome::Chosen(_))));
    for id in [2, 3] {
        assert_eq!(c.payloads(n(id)).len(), 2, "chosen twice, in two slots");
        let (count, replies) = execute(&c, n(id));
        assert_eq!(count, 1, "n{id}");
        let done: Vec<_> = replies.into_iter().flatten().collect();
        assert_eq!(done, [Applied::Done(1), Applied::Done(1)], "the same answer");
    }
}

/// Right after an election the leader does not know yet what is chosen: a value
/// that its predecessor got chosen may be a mere vote to it.
#[test]
fn s61_a_read_after_an_election_waits_for_the_barrier() {
    let mut c = Cluster::alone(3);
    c.tell(n(1), n(3), common::accept(b(1, 3), 1, &["chosen before"]));
    c.sync_disk(n(1));
    let mine = c.stand();
    c.tell(n(1), n(2), promise(mine, 1, &[]));
    let q = c.query(n(1));
    c.tell(n(1), n(2), Confirmed { ballot: mine, round: 1 });
    assert_eq!(served(&c, n(1), q), None, "confirmed, and not delivered");
    c.sync_disk(n(1));
    c.tell(n(1), n(2), accepted(mine, 1, 2));
    assert_eq!(served(&c, n(1), q), Some(Some(Slot(2))));
}

#[test]
fn s62_a_late_confirmation_of_an_earlier_round_confirms_no_later_one() {
    let mut c = Cluster::alone(3);
    let mine = c.lead();
    let first = c.query(n(1));
    c.tell(n(1), n(2), Confirmed { ballot: mine, round: 1 });
    assert_eq!(served(&c, n(1), first), Some(Some(Slot(1))));
    let second = c.query(n(1));
    for from in [2, 3] {
        c.tell(n(1), n(from), Confirmed { ballot: mine, round: 1 });
        c.tell(n(1), n(from), Confirmed { ballot: mine.next(n(2), 0), round: 2 });
    }
    assert_eq!(served(&c, n(1), second), None);
    let third = c.query(n(1));
    c.tell(n(1), n(3), Confirmed { ballot: mine, round: 3 });
    assert_eq!(served(&c, n(1), second), Some(Some(Slot(1))), "asked before round 3 began");
    assert_eq!(served(&c, n(1), third), Some(Some(Slot(1))));
}

#[test]
fn s63_a_deposed_leaders_reads_are_not_answered_by_late_confirmations() {
    let mut c = Cluster::alone(3);
    let mine = c.lead();
    let q = c.query(n(1));
    c.tell(n(1), n(2), Reject { ballot: mine, promised: b(9, 2) });
    assert_eq!(c.replica(n(1)).standing(), Standing::Follower);
    c.tell(n(1), n(3), Confirmed { ballot: mine, round: 1 });
    assert_eq!(served(&c, n(1), q), None);
    c.now = c.now + c.timing.answer;
    c.step(n(1), Input::Ticked);
    assert_eq!(served(&c, n(1), q), Some(None), "no leader came: declined");
}

/// The old leader does not know that it is one. Its read must not be served from
/// what it has.
#[test]
fn s63_a_leader_cut_off_by_a_newer_one_serves_nothing_stale() {
    let mut c = Cluster::new(5);
    c.elect_this(n(1));
    c.cut_both(n(1), n(3));
    c.cut_both(n(1), n(4));
    c.cut_both(n(1), n(5));
    c.elect_this(n(3));
    let p = c.propose(n(3), "newer");
    c.settle();
    assert!(matches!(c.outcome(n(3), p), Some(Outcome::Chosen(_))));
    let q = c.query(n(1));
    c.settle();
    assert!(served(&c, n(1), q).is_none_or(|at| at.is_none_or(|at| at > Slot(1))));
    c.heal();
    c.run(SECOND);
    assert_eq!(served(&c, n(1), q), Some(Some(Slot(2))), "by the new leader");
}

#[test]
fn s65_what_may_yet_be_chosen_is_unknown_and_never_failed() {
    let mut c = Cluster::new(5);
    c.elect_this(n(1));
    // n2 alone votes, n1 is cut off, and n2's vote wins the day later.
    for id in [3, 4, 5] {
        c.cut_both(n(1), n(id));
    }
    let p = c.propose(n(1), "later");
    c.settle();
    c.isolate(n(1));
    c.run(c.timing.patience * 2);
    assert_eq!(c.outcome(n(1), p), Some(Outcome::Unknown));
    c.heal();
    c.elect_this(n(2));
    c.run(SECOND);
    c.assert_all(&["later"]);
}

/// What was never proposed is not unknown: it waits, or is given back as a whole.
#[test]
fn s65_what_was_surely_not_taken_is_given_back() {
    let mut c = Cluster::new(3);
    c.isolate(n(1));
    let p = c.propose(n(1), "nobody is there");
    c.run(c.timing.answer + SECOND);
    assert_eq!(c.outcome(n(1), p), Some(Outcome::Redirected(None)));
    c.heal();
    c.run(SECOND * 3);
    assert!(c.payloads(n(1)).is_empty(), "and it is not executed after all");
    let big = "x".repeat(c.limits.value_bytes_max + 1);
    let p = c.propose(n(1), &big);
    assert_eq!(c.outcome(n(1), p), Some(Outcome::TooLarge));
}

#[test]
fn s66_a_followers_read_survives_a_change_of_leader() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.run(c.timing.heartbeat);
    c.propose(n(1), "seen");
    c.settle();
    c.doom("Confirmed", Fate::Lose);
    let q = c.query(n(3));
    c.settle();
    assert_eq!(served(&c, n(3), q), None);
    c.crash(n(1));
    c.calm();
    c.run(SECOND);
    let at = served(&c, n(3), q).expect("answered").expect("served by the new leader");
    assert!(at >= Slot(2));
}

/// An answer to a former life of the reader, or to nobody, answers nothing.
#[test]
fn s66_an_answer_to_a_former_life_is_not_taken() {
    let mut c = Cluster::alone(3);
    c.tell(
        n(1),
        n(2),
        paxos_core::message::Heartbeat { ballot: b(1, 2), chosen: Slot(1), beat: 0, settled: true },
    );
    let q = c.query(n(1));
    let asked = c.network.iter().find_map(|(_, e)| match &e.message {
        Message::ReadRequest(m) => Some(m.id),
        _ => None,
    });
    let id = asked.expect("the leader was asked");
    let index = Some(Slot(1));
    let former = Incarnation(id.incarnation.0 - 1);
    for stale in [ReadId { incarnation: former, ..id }, ReadId { number: id.number + 1, ..id }] {
        c.tell(n(1), n(2), ReadAnswer { id: stale, index });
        assert_eq!(served(&c, n(1), q), None);
    }
    c.tell(n(1), n(2), ReadAnswer { id, index: None });
    assert_eq!(served(&c, n(1), q), None, "not there: perhaps elsewhere");
    c.tell(n(1), n(2), ReadAnswer { id, index });
    assert_eq!(served(&c, n(1), q), Some(index));
    c.tell(n(1), n(2), ReadAnswer { id, index });
}

/// A follower reads its own writes, and everyone's.
#[test]
fn s66_a_read_anywhere_sees_every_write_that_was_answered() {
    let mut c = Cluster::new(5);
    c.elect_this(n(1));
    c.run(c.timing.heartbeat);
    for round in 0..20 {
        let writer = n(1 + round % 5);
        let p = c.propose(writer, &format!("v{round}"));
        c.settle();
        let Some(Outcome::Chosen(slot)) = c.outcome(writer, p) else { panic!("round {round}") };
        let reader = n(1 + (round * 2 + 1) % 5);
        let q = c.query(reader);
        c.settle();
        let at = served(&c, reader, q).flatten().expect("served");
        assert!(at > slot, "round {round}: {at} does not cover {slot}");
        assert!(c.replica(reader).delivered() >= at);
    }
}

/// Another proposer finishes a value whose own proposer was cut off. The owner
/// hears that it does not know, never that another's value is its own.
#[test]
fn s67_a_value_finished_by_another_is_delivered_to_its_owner() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.doom("Accepted", Fate::Lose);
    let mine = c.propose(n(1), "finished by another");
    c.settle();
    c.calm();
    c.elect_this(n(2));
    let p = c.propose(n(2), "another");
    c.run(SECOND);
    assert_eq!(c.outcome(n(1), mine), Some(Outcome::Unknown));
    assert_eq!(c.outcome(n(2), p), Some(Outcome::Chosen(Slot(2))));
    c.assert_all(&["finished by another", "another"]);
}

/// Reads have a bound; what is over it is told so at once, and the rest is served.
#[test]
fn s41_a_flood_of_reads_is_declined_at_the_bound() {
    let limits = Limits { reads_max: 10, ..Limits::default() };
    let mut c = Cluster::with(Membership::majority([1, 2, 3].map(NodeId)), limits);
    c.elect_this(n(1));
    c.run(c.timing.heartbeat);
    for id in [n(1), n(2)] {
        let flood: Vec<_> = (0..50).map(|_| c.query(id)).collect();
        let declined = flood.iter().filter(|q| served(&c, id, **q) == Some(None)).count();
        assert_eq!(declined, 40, "{id}");
        c.run(SECOND);
        assert!(flood.iter().all(|q| served(&c, id, *q).is_some()), "{id}");
        let q = c.query(id);
        c.settle();
        assert!(served(&c, id, q).flatten().is_some(), "{id}");
    }
}

/// The proposals of a life die with it; their numbers are used again.
#[test]
fn s37_an_answer_to_a_former_life_answers_no_proposal() {
    let mut c = Cluster::alone(3);
    c.crash(n(1));
    c.restart(n(1));
    c.tell(n(1), n(2), Heartbeat { ballot: b(1, 2), chosen: Slot(1), beat: 0, settled: true });
    let p = c.propose(n(1), "of this life");
    let forwarded = |incarnation| Forwarded {
        incarnation: Incarnation(incarnation),
        number: 1,
        first: 0,
        count: 1,
        verdict: Verdict::Chosen(Slot(1)),
    };
    c.tell(n(1), n(2), forwarded(1));
    assert_eq!(c.outcome(n(1), p), None);
    c.tell(n(1), n(2), forwarded(2));
    assert_eq!(c.outcome(n(1), p), Some(Outcome::Chosen(Slot(1))));
    c.tell(n(1), n(2), forwarded(2));
}

/// The leader is heard, and nobody's disk answers: its clients hear in time that
/// it does not know, or that it never got to them.
#[test]
fn s65_a_leader_that_cannot_get_anything_chosen_answers_in_time() {
    let limits = Limits { window_slots: 1, ..Limits::default() };
    let mut c = Cluster::with(Membership::majority([1, 2, 3].map(NodeId)), limits);
    let ballot = c.elect_this(n(1));
    c.run(c.timing.heartbeat);
    c.stuck.extend([n(2), n(3)]);
    let flying = c.propose(n(1), "in flight");
    let waiting = c.propose(n(1), "in line");
    let remote = c.propose(n(2), "from afar");
    c.run(c.timing.answer + c.timing.heartbeat * 2);
    assert_eq!(c.replica(n(1)).own_ballot(), Some(ballot), "it hears them all");
    assert_eq!(c.outcome(n(1), flying), Some(Outcome::Unknown));
    assert_eq!(c.outcome(n(1), waiting), Some(Outcome::Busy));
    assert!(c.outcome(n(2), remote).is_some());
    c.stuck.clear();
    c.run(SECOND * 3);
    c.assert_all(&["in flight"]);
    let p = c.propose(n(1), "after");
    c.settle();
    assert!(matches!(c.outcome(n(1), p), Some(Outcome::Chosen(_))));
}

/// A node that wins again and again, and never gets a word out, still answers.
#[test]
fn s65_a_proposal_keeps_its_deadline_through_leaderships() {
    let limits = Limits { window_slots: 1, ..Limits::default() };
    let mut c = Cluster::with(Membership::majority([1, 2, 3].map(NodeId)), limits);
    c.doom("Accept", Fate::Lose);
    c.elect_this(n(1));
    c.propose(n(1), "in flight");
    let p = c.propose(n(1), "in line");
    for _ in 0..8 {
        c.run(Duration::from_millis(400));
        if let Some(ballot) = c.replica(n(1)).own_ballot() {
            let promised = b(ballot.round + 1, 3);
            c.tell(n(1), n(3), Reject { ballot, promised });
            c.elect_this(n(1));
        }
    }
    assert!(c.outcome(n(1), p).is_some());
}

/// What comes back takes its old place in line.
#[test]
fn s37_proposals_that_come_back_keep_their_order() {
    let limits = Limits { forwarded_max: 1, ..Limits::default() };
    let mut c = Cluster::with(Membership::majority([1, 2, 3].map(NodeId)), limits);
    let ballot = c.elect_this(n(1));
    c.run(c.timing.heartbeat);
    for what in ["first", "second", "third"] {
        c.propose(n(2), what);
    }
    assert_eq!(c.under_way("Forward"), 1, "as many as may be under way");
    c.tell(n(1), n(3), Reject { ballot, promised: b(ballot.round + 1, 3) });
    c.settle();
    assert!(c.payloads(n(2)).is_empty(), "n1 has fallen, and n2 did not know");
    c.elect_this(n(3));
    c.run(SECOND);
    c.assert_all(&["first", "second", "third"]);
}

/// What was handed to a leader that is deposed may have been taken: nobody knows,
/// and nobody has to wait to hear that.
#[test]
fn s37_what_a_deposed_leader_was_handed_is_unknown_when_the_next_is_heard() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.run(c.timing.heartbeat);
    c.doom("Forward", Fate::Lose);
    let p = c.propose(n(2), "lost on the way");
    c.settle();
    c.calm();
    let handed_at = c.now;
    c.crash(n(1));
    c.elect_this(n(3));
    c.run(c.timing.heartbeat);
    assert_eq!(c.outcome(n(2), p), Some(Outcome::Unknown));
    assert!(c.now.since(handed_at) < c.timing.answer);
}

#[test]
fn s36_a_leader_asks_again_whether_it_leads() {
    let mut c = Cluster::alone(3);
    c.lead();
    c.query(n(1));
    c.network.clear();
    c.now = c.now + c.timing.resend;
    c.step(n(1), Input::Ticked);
    assert_eq!(c.under_way("Confirm"), 2);
}

/// A leader that was only just elected has perhaps not chosen yet what its predecessor has told of.
#[test]
fn the_word_of_an_unsettled_leader_makes_nobody_young() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.run(SECOND);
    c.whim(|to, e| match &e.message {
        Message::Accept(_) if to == n(3) => Fate::Lose,
        Message::Chosen(_) => Fate::Lose,
        _ => Fate::Deliver,
    });
    let p = c.propose(n(1), "told");
    c.settle();
    let Some(Outcome::Chosen(slot)) = c.outcome(n(1), p) else { panic!("n2 has voted") };
    c.crash(n(1));
    let died = c.now;
    c.elect_this(n(2));
    let age = |c: &Cluster| c.host(n(3)).node.age(GROUP, c.local(n(3))).expect("n1 has led");
    for _ in 0..3 {
        c.run(c.timing.heartbeat);
        assert_eq!(c.replica(n(2)).standing(), Standing::Leader);
        assert!(c.replica(n(3)).chosen() <= slot);
        assert!(age(&c) >= c.now.since(died), "n2 has not chosen slot {slot}");
    }
    c.calm();
    c.run(SECOND);
    assert!(c.replica(n(3)).chosen() > slot);
    assert!(age(&c) <= c.timing.heartbeat);
}
