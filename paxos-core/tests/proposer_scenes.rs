//! Scenes of one proposer: n1, with the test speaking for everyone else; and what
//! two proposers, one after the other or at once, may and may not get chosen.

mod common;

use std::time::Duration;

use common::{Cluster, Fate, SECOND, accepted, b, n, promise, sent};
use paxos_core::Standing;
use paxos_core::effect::{Input, Outcome};
use paxos_core::log::{Entry, Record};
use paxos_core::message::{
    Confirmed, Entries, HeartbeatAck, Message, Probe, ProbeAck, Promise, Reject, Vote,
};
use paxos_core::types::{Ballot, Slot};

/// What an acceptor's disk holds that has voted for `payload` in slot 1.
fn voted(ballot: Ballot, payload: &str) -> Vec<Record> {
    let entry = Entry::Voted { ballot, run: common::run(1, &[payload]) };
    vec![Record { group: common::GROUP, entry }]
}

#[test]
fn s05_a_later_proposer_adopts_what_one_acceptor_tells_of() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.cut_both(n(1), n(2));
    c.doom("Chosen", Fate::Lose);
    c.propose(n(1), "A");
    c.settle();
    assert_eq!(c.payloads(n(1)), ["A"]);
    c.crash(n(1));
    assert_eq!(c.replica(n(2)).log().end(), Slot(1), "n2 has never heard of A");
    c.elect_this(n(2));
    let p = c.propose(n(2), "B");
    c.settle();
    assert_eq!(c.outcome(n(2), p), Some(Outcome::Chosen(Slot(2))));
    assert_eq!(c.payloads(n(2)), ["A", "B"]);
}

/// A is accepted at n1 only under one ballot, B is chosen at n2 and n3 under the
/// next; a third one that hears of both must carry B.
#[test]
fn s06_of_two_votes_the_one_at_the_higher_ballot_is_adopted() {
    let mut c = Cluster::alone(3);
    c.crash(n(1));
    c.restart_with(n(1), voted(b(1, 1), "A"));
    let mine = c.stand();
    assert_eq!(mine, b(2, 1));
    c.tell(n(1), n(2), promise(mine, 1, &[(1, b(1, 2), "B")]));
    assert_eq!(c.proposed(mine), [(1, "B".into())]);
}

#[test]
fn s07_what_the_quorum_has_not_seen_may_be_replaced() {
    let mut c = Cluster::new(3);
    c.restart_with(n(1), voted(b(1, 1), "X"));
    c.crash(n(1));
    c.elect_this(n(3));
    c.propose(n(3), "Y");
    c.settle();
    assert_eq!(c.payloads(n(3)), ["Y"]);
    c.restart(n(1));
    c.run(SECOND);
    c.assert_all(&["Y"]);
}

#[test]
fn s10_a_promise_to_an_older_campaign_is_not_counted() {
    let mut c = Cluster::alone(5);
    let first = c.stand();
    c.tell(n(1), n(2), Reject { ballot: first, promised: b(first.round + 1, 5) });
    assert_eq!(c.replica(n(1)).standing(), Standing::Follower);
    let second = c.stand();
    assert!(second > first);
    for late in [2, 3, 4, 5] {
        c.tell(n(1), n(late), promise(first, 1, &[]));
    }
    assert_eq!(c.replica(n(1)).standing(), Standing::Candidate);
    c.tell(n(1), n(2), promise(second, 1, &[]));
    c.tell(n(1), n(3), promise(second, 1, &[]));
    assert_eq!(c.replica(n(1)).standing(), Standing::Leader);
}

#[test]
fn s11_a_promise_counts_once() {
    let mut c = Cluster::alone(5);
    let mine = c.stand();
    for _ in 0..3 {
        c.tell(n(1), n(2), promise(mine, 1, &[]));
    }
    assert_eq!(c.replica(n(1)).standing(), Standing::Candidate);
    c.tell(n(1), n(3), promise(mine, 1, &[]));
    assert_eq!(c.replica(n(1)).standing(), Standing::Leader);
}

#[test]
fn s11_a_vote_counts_once() {
    let mut c = Cluster::alone(5);
    let mine = c.lead();
    let p = c.propose(n(1), "v");
    c.sync_disk(n(1));
    for _ in 0..3 {
        c.tell(n(1), n(2), accepted(mine, 1, 2));
    }
    assert_eq!(c.outcome(n(1), p), None);
    c.tell(n(1), n(3), accepted(mine, 1, 2));
    assert_eq!(c.outcome(n(1), p), Some(Outcome::Chosen(Slot(1))));
}

#[test]
fn s11_a_confirmation_of_a_read_counts_once() {
    let mut c = Cluster::alone(5);
    let mine = c.lead();
    let q = c.query(n(1));
    for _ in 0..3 {
        c.tell(n(1), n(2), Confirmed { ballot: mine, round: 1 });
    }
    assert_eq!(c.host(n(1)).served.get(&q), None);
    c.tell(n(1), n(3), Confirmed { ballot: mine, round: 1 });
    assert_eq!(c.host(n(1)).served[&q], Some(Slot(1)));
}

#[test]
fn s11_one_follower_that_answers_often_is_no_quorum() {
    let mut c = Cluster::alone(5);
    let ballot = c.lead();
    for _ in 0..40 {
        c.now = c.now + c.timing.heartbeat;
        c.tell(n(1), n(2), HeartbeatAck { ballot, beat: 0, chosen: Slot(1), priority: Some(1) });
        c.tell(n(1), n(2), HeartbeatAck { ballot, beat: 0, chosen: Slot(1), priority: Some(1) });
        c.step(n(1), Input::Ticked);
    }
    assert_eq!(c.replica(n(1)).standing(), Standing::Follower);
}

#[test]
fn s12_a_reject_makes_the_next_ballot_higher() {
    let mut c = Cluster::alone(3);
    let first = c.stand();
    c.tell(n(1), n(2), Reject { ballot: first, promised: b(40, 3) });
    assert_eq!(c.replica(n(1)).standing(), Standing::Follower, "backs off");
    assert_eq!(c.stand(), b(41, 1));
}

#[test]
fn s12_the_highest_ballot_wins_not_the_first_seen() {
    let mut c = Cluster::alone(5);
    c.crash(n(1));
    c.restart_with(n(1), voted(b(2, 1), "mine"));
    c.tell(n(1), n(5), common::prepare(b(5, 5), 1));
    c.sync_disk(n(1));
    let mine = c.stand();
    c.tell(n(1), n(2), promise(mine, 1, &[(1, b(3, 2), "low"), (2, b(5, 3), "high")]));
    c.tell(n(1), n(3), promise(mine, 1, &[(1, b(4, 4), "last"), (2, b(2, 2), "low")]));
    assert_eq!(c.proposed(mine), [(1, "last".into()), (2, "high".into())]);
}

#[test]
fn s14_nothing_is_proposed_before_a_quorum_has_promised() {
    let mut c = Cluster::alone(5);
    let mine = c.stand();
    let p = c.propose(n(1), "early");
    c.tell(n(1), n(2), promise(mine, 1, &[]));
    assert_eq!(c.proposed(mine), []);
    let effects = c.tell(n(1), n(3), promise(mine, 1, &[]));
    assert_eq!(sent(&effects, "Accept").len(), 1);
    assert_eq!(c.proposed(mine), [(1, "early".into())]);
    assert_eq!(c.outcome(n(1), p), None);
}

/// A promise in pages counts when all of them are there, in whatever order and
/// however often they come. Where the network reorders, a voter of many pages was
/// once asked for ever: only those in order were kept.
#[test]
fn s14_half_a_promise_is_none() {
    let mut c = Cluster::alone(3);
    c.tell(n(1), n(3), common::prepare(b(1, 3), 1));
    c.sync_disk(n(1));
    let mine = c.stand();
    let page = |from: u64, to: Option<u64>, slot: u64, payload: &str| {
        let vote = Vote {
            slot: Slot(slot),
            ballot: b(1, 3),
            chosen: false,
            value: common::value(payload),
        };
        let (from, to) = (Slot(from), to.map(Slot));
        Promise { ballot: mine, from, to, chosen: Slot(1), votes: vec![vote] }
    };
    c.tell(n(1), n(2), page(5, None, 5, "last"));
    c.tell(n(1), n(2), page(1, Some(3), 2, "first"));
    c.tell(n(1), n(2), page(1, Some(3), 2, "first"));
    assert_eq!(c.replica(n(1)).standing(), Standing::Candidate);
    // Asked again, n2 cuts its pages elsewhere.
    c.tell(n(1), n(2), page(4, Some(5), 4, "middle"));
    assert_eq!(c.replica(n(1)).standing(), Standing::Candidate, "slot 3 may hold a vote");
    c.tell(n(1), n(2), page(2, Some(5), 4, "middle"));
    let texts = ["", "first", "", "middle", "last"];
    let expected: Vec<(u64, String)> = (1..).zip(texts.map(String::from)).collect();
    assert_eq!(c.proposed(mine), expected);
}

/// The Raft paper's figure 8: old votes on a majority decide nothing by being
/// there; only votes at the leader's own ballot do.
#[test]
fn s15_a_new_leader_counts_only_votes_at_its_own_ballot() {
    let mut c = Cluster::alone(5);
    c.crash(n(1));
    c.restart_with(n(1), voted(b(2, 1), "old"));
    let mine = c.stand();
    for id in [2, 3] {
        c.tell(n(1), n(id), promise(mine, 1, &[(1, b(2, 1), "old")]));
    }
    assert_eq!(c.proposed(mine), [(1, "old".into())]);
    c.sync_disk(n(1));
    // Three of five have voted for it at 2.n1, and say so late.
    for id in [2, 3, 4] {
        c.tell(n(1), n(id), accepted(b(2, 1), 1, 2));
    }
    assert_eq!(c.payloads(n(1)), Vec::<String>::new());
    for id in [2, 3] {
        c.tell(n(1), n(id), accepted(mine, 1, 2));
    }
    assert_eq!(c.payloads(n(1)), ["old"]);
}

/// Duelling proposers: nobody who is elected can get a word out, for as long as
/// the network likes; then it is fair.
#[test]
fn s09_duels_end_soon_after_the_network_is_fair() {
    for nodes in [3, 5] {
        let mut c = Cluster::new(nodes);
        c.whim(|_, e| match e.message {
            Message::Accept(_) | Message::Heartbeat(_) | Message::Chosen(_) => Fate::Lose,
            _ => Fate::Deliver,
        });
        c.run(SECOND * 60);
        let duels = c.replica(n(1)).promised().round;
        assert!(duels >= 20, "only {duels} ballots: no duel at all");
        c.calm();
        let p = c.propose(n(1), "v");
        c.run(c.timing.patience * 4);
        assert!(matches!(c.outcome(n(1), p), Some(Outcome::Chosen(_))), "{nodes} nodes");
    }
}

/// What was chosen before it is nowhere to be had: its only donor has gone silent.
/// Another phase 1 may find the votes.
#[test]
fn s40_a_leader_that_cannot_get_what_was_chosen_before_it_gives_up() {
    let mut c = Cluster::alone(3);
    let ballot = c.stand();
    let chosen = Slot(4);
    c.tell(n(1), n(2), Promise { ballot, from: Slot(1), to: None, chosen, votes: vec![] });
    assert_eq!(c.replica(n(1)).standing(), Standing::Leader);
    let mut beats = 0;
    while c.replica(n(1)).standing() == Standing::Leader {
        c.now = c.now + c.timing.heartbeat;
        c.tell(n(1), n(3), HeartbeatAck { ballot, beat: 0, chosen: Slot(1), priority: Some(1) });
        c.step(n(1), Input::Ticked);
        beats += 1;
        assert!(beats < 30, "it hears a quorum, and leads nowhere");
    }
}

#[test]
fn s36_what_a_candidate_asks_is_asked_again() {
    let mut c = Cluster::alone(3);
    let times = |c: &mut Cluster, name: &str, span: Duration| {
        c.network.clear();
        let end = c.now + span;
        while c.host(n(1)).node.wake_at().is_some_and(|at| at < end) {
            c.now = c.now.max(c.host(n(1)).node.wake_at().expect("just looked"));
            c.step(n(1), Input::Ticked);
        }
        c.network.iter().filter(|(to, e)| *to == n(2) && e.message.name() == name).count()
    };
    // Less than one patience: all of it belongs to one campaign.
    let span = c.timing.patience / 2;
    c.ask();
    assert!(times(&mut c, "Probe", span) >= 2);
    let mine = c.stand();
    assert!(times(&mut c, "Prepare", span) >= 1);
    assert_eq!(c.replica(n(1)).own_ballot(), Some(mine), "under the same ballot");
}

/// A leader counts votes for its own slots. Who says that more is chosen has been
/// led by someone else, or lies; neither is a reason to fetch.
#[test]
fn s15_a_leader_takes_nobodys_word_for_its_own_slots() {
    let mut c = Cluster::alone(3);
    let mine = c.lead();
    let (ballot, promised) = (mine, mine);
    c.tell(n(1), n(2), ProbeAck { ballot, granted: false, promised, chosen: Slot(50) });
    c.now = c.now + c.timing.gap;
    let effects = c.step(n(1), Input::Ticked);
    assert!(sent(&effects, "Fetch").is_empty());
    let run = common::run(1, &["not mine"]);
    c.tell(n(1), n(2), Entries { run, chosen: Slot(50) });
    assert_eq!(c.replica(n(1)).chosen(), Slot(1));
}

#[test]
fn s12_the_next_ballot_is_above_every_one_ever_heard_of() {
    let mut c = Cluster::alone(3);
    let first = c.stand();
    c.tell(n(1), n(2), Reject { ballot: first, promised: b(40, 3) });
    c.tell(n(1), n(2), Probe { ballot: b(3, 2), chosen: Slot::FIRST });
    assert_eq!(c.stand(), b(41, 1));
}
