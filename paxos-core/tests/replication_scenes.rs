//! Scenes of phase 2: windows, losses, holes, catching up, and bounds.

mod common;

use std::time::Duration;

use common::{Cluster, Fate, GROUP, SECOND, accepted, b, ignored, n, promise, value};
use paxos_core::effect::{Ignored, Input, Outcome};
use paxos_core::log::{Entry, Record};
use paxos_core::message::{Chosen, Entries, Fetch, Heartbeat, Message, Promise};
use paxos_core::quorum::Membership;
use paxos_core::types::{Ballot, Command, Limits, NodeId, ProposalId, Run, Slot, Value};

fn three(limits: Limits) -> Cluster {
    Cluster::with(Membership::majority([1, 2, 3].map(NodeId)), limits)
}

/// Figure 7 of the Raft paper as votes on the disks of seven nodes: whatever was
/// chosen survives, the rest is settled by the ballots, and all become equal.
#[test]
fn s32_seven_diverging_disks_become_one() {
    let rounds: [&[u64]; 7] = [
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6],
        &[1, 1, 1, 4],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
        &[1, 1, 1, 4, 4, 4, 4],
        &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    let owner = |round: u64| 2 + (round % 6) as u16;
    let mut c = Cluster::new(7);
    for (id, rounds) in (1..).zip(rounds) {
        let mut votes: Vec<(u64, u64)> = (1..).zip(rounds.iter().copied()).collect();
        votes.sort_by_key(|(_, round)| *round);
        let record = |(slot, round): (u64, u64)| {
            let run = Run::one(Slot(slot), value(&format!("{round}@{slot}")));
            let entry = Entry::Voted { ballot: b(round, owner(round)), run };
            Record { group: GROUP, entry }
        };
        c.restart_with(n(id), votes.into_iter().map(record).collect());
    }
    c.elect_this(n(1));
    c.run(SECOND * 2);
    let all = c.payloads(n(1));
    for id in 2..=7 {
        assert_eq!(c.payloads(n(id)), all, "n{id}");
    }
    // Four of seven hold these at one ballot: they were chosen.
    let chosen = ["1@1", "1@2", "1@3", "4@4", "4@5", "5@6", "5@7", "6@8", "6@9"];
    assert_eq!(all[..9], chosen);
}

#[test]
fn s33_no_more_than_a_window_is_in_flight() {
    let limits = Limits { window_slots: 8, ..Limits::default() };
    let mut c = three(limits);
    c.elect_this(n(1));
    c.doom("Accepted", Fate::Lose);
    for i in 0..30 {
        c.propose(n(1), &format!("v{i}"));
    }
    c.settle();
    assert_eq!(c.replica(n(1)).log().end(), Slot(9));
    assert_eq!(c.replica(n(2)).log().end(), Slot(9));
    let effects = c.tell(n(1), n(2), Fetch { from: Slot(1), to: Slot(1), image: false });
    assert_eq!(common::sent(&effects, "Accept").len(), 0, "still closed");
    c.calm();
    c.run(c.timing.resend * 20);
    assert_eq!(c.payloads(n(1)).len(), 30, "resumes by itself");
    c.assert_all(&c.payloads(n(1)).iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn s33_a_window_of_bytes_closes_too() {
    let limits = Limits { window_bytes: 1000, run_bytes_max: 300, ..Limits::default() };
    let mut c = three(limits);
    c.elect_this(n(1));
    c.doom("Accepted", Fate::Lose);
    for _ in 0..30 {
        c.propose(n(1), &"x".repeat(100));
    }
    c.settle();
    let open = c.replica(n(1)).log().end().0 - 1;
    assert!((8..=11).contains(&open), "{open} values of 124 bytes in flight");
    c.calm();
    c.run(SECOND * 2);
    assert_eq!(c.payloads(n(3)).len(), 30);
}

#[test]
fn s34_a_follower_that_comes_back_is_streamed_to_again() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.crash(n(2));
    c.step(n(1), Input::PeerDown(n(2)));
    c.isolate(n(3));
    c.step(n(1), Input::PeerDown(n(3)));
    let p = c.propose(n(1), "waits");
    c.settle();
    c.heal();
    assert_eq!(c.outcome(n(1), p), None);
    // The hint alone, long before anything is due again.
    c.step(n(1), Input::PeerUp(n(3)));
    c.settle();
    assert_eq!(c.outcome(n(1), p), Some(Outcome::Chosen(Slot(1))));
    c.propose(n(1), "streams");
    c.settle();
    assert_eq!(c.payloads(n(3)), ["waits", "streams"]);
}

#[test]
fn s35_a_lost_last_announcement_is_made_up_for_by_a_heartbeat() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.doom("Chosen", Fate::Lose);
    c.propose(n(1), "v");
    c.settle();
    assert!(c.payloads(n(2)).is_empty() && c.payloads(n(3)).is_empty());
    c.run(c.timing.heartbeat);
    c.assert_all(&["v"]);
}

#[test]
fn s36_any_message_may_be_lost_once() {
    let names = [
        "Probe",
        "ProbeAck",
        "Prepare",
        "Promise",
        "Accept",
        "Accepted",
        "Chosen",
        "Heartbeat",
        "HeartbeatAck",
        "Fetch",
        "Entries",
        "Confirm",
        "Confirmed",
        "ReadRequest",
        "ReadAnswer",
    ];
    for name in names {
        let mut c = Cluster::new(3);
        // n3 misses everything at first, so that fetching is part of the scene.
        c.isolate(n(3));
        c.elect_this(n(1));
        c.propose(n(1), "missed");
        c.settle();
        c.heal();
        c.lose_one(name);
        c.run(SECOND);
        let leader = c.leader().expect("a leader");
        let p = c.propose(leader, "v");
        let queries = [1, 2, 3].map(|id| (n(id), c.query(n(id))));
        c.run(SECOND * 2);
        assert!(matches!(c.outcome(leader, p), Some(Outcome::Chosen(_))), "lost {name}");
        c.assert_all(&["missed", "v"]);
        for (id, q) in queries {
            assert!(matches!(c.host(id).served.get(&q), Some(Some(_))), "lost {name}: {id}");
        }
    }
}

/// Each of these is lost once before anyone leads.
#[test]
fn s36_an_election_survives_the_loss_of_any_message() {
    for name in ["Probe", "ProbeAck", "Prepare", "Promise", "Heartbeat", "Accept"] {
        let mut c = Cluster::new(2);
        c.lose_one(name);
        c.run(SECOND * 3);
        let leader = c.leader().unwrap_or_else(|| panic!("nobody leads without one {name}"));
        c.propose(leader, "v");
        c.run(SECOND);
        c.assert_all(&["v"]);
    }
}

#[test]
fn s37_a_forwarded_proposal_that_is_lost_is_reported_and_never_doubled() {
    for name in ["Forward", "Forwarded"] {
        let mut c = Cluster::new(3);
        c.elect_this(n(1));
        c.run(c.timing.heartbeat);
        c.lose_one(name);
        let p = c.propose(n(2), "once");
        c.run(c.timing.answer + SECOND);
        assert_eq!(c.outcome(n(2), p), Some(Outcome::Unknown), "{name}");
        let times = usize::from(name == "Forwarded");
        assert_eq!(c.payloads(n(1)).len(), times, "{name}");
    }
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.run(c.timing.heartbeat);
    c.doom("Forward", Fate::Twice);
    let p = c.propose(n(2), "doubled on the way");
    c.settle();
    assert!(matches!(c.outcome(n(2), p), Some(Outcome::Chosen(_))));
    assert_eq!(c.payloads(n(1)).len(), 1);
}

/// Two nodes that each believe in the other: a proposal comes to rest.
#[test]
fn s38_a_proposal_does_not_bounce_for_ever() {
    let mut c = Cluster::alone(3);
    c.host_mut(n(2)).up = true;
    c.tell(n(1), n(2), Heartbeat { ballot: b(5, 2), chosen: Slot(1), beat: 0, settled: true });
    c.tell(n(2), n(1), Heartbeat { ballot: b(5, 1), chosen: Slot(1), beat: 0, settled: true });
    let p1 = c.propose(n(1), "to n2");
    let p2 = c.propose(n(2), "to n1");
    // Coming to rest at all is the point: messages go round in no time here.
    c.settle();
    c.isolate(n(3));
    c.cut_both(n(1), n(2));
    c.run(c.timing.answer * 3);
    for (id, p) in [(n(1), p1), (n(2), p2)] {
        let outcome = c.outcome(id, p).expect("answered in the end");
        assert!(matches!(outcome, Outcome::Unknown | Outcome::Redirected(_)), "{outcome:?}");
    }
}

#[test]
fn s39_a_hole_that_nobody_voted_on_is_closed_with_a_noop() {
    let mut c = Cluster::alone(3);
    c.tell(n(1), n(2), Message::from(Chosen { ballot: b(1, 2), below: Slot(1) }));
    c.tell(n(1), n(2), common::accept(b(1, 2), 1, &["five"]));
    c.tell(n(1), n(2), common::accept(b(1, 2), 3, &["seven"]));
    c.sync_disk(n(1));
    let mine = c.stand();
    c.tell(n(1), n(2), promise(mine, 1, &[(1, b(1, 2), "five"), (3, b(1, 2), "seven")]));
    assert_eq!(c.proposed(mine), [(1, "five".into()), (2, String::new()), (3, "seven".into())]);
    c.sync_disk(n(1));
    c.tell(n(1), n(2), accepted(mine, 1, 4));
    assert_eq!(c.replica(n(1)).chosen(), Slot(4));
    assert_eq!(c.host(n(1)).delivered[1], (Slot(2), Value::Noop));
}

/// {1,2} choose and deliver slot 1, n3 is empty. n1 dies; n3 leads with n2, who
/// reports no vote for it, only that it is chosen. n3 must fetch, not propose.
#[test]
fn s40_nothing_is_proposed_where_a_promise_says_chosen() {
    let mut c = Cluster::alone(3);
    let mine = c.stand();
    let chosen = Slot(4);
    let promise = Promise { ballot: mine, from: Slot(1), to: None, chosen, votes: vec![] };
    let effects = c.tell(n(1), n(2), promise);
    c.propose(n(1), "mine");
    assert_eq!(c.proposed(mine), [(4, "mine".into())]);
    let fetch = Message::from(Fetch { from: Slot(1), to: Slot(4), image: false });
    assert_eq!(common::sent(&effects, "Fetch"), [&fetch]);
    let run = common::run(1, &["a", "b", "c"]);
    c.tell(n(1), n(2), Entries { run, chosen });
    assert_eq!(c.payloads(n(1)), ["a", "b", "c"]);
}

#[test]
fn s41_a_flood_is_answered_busy_and_leaves_no_debt() {
    let limits =
        Limits { window_slots: 4, waiting_max: 10, waiting_bytes_max: 1000, ..Limits::default() };
    for leading in [true, false] {
        let mut c = three(limits.clone());
        let id = if leading { n(1) } else { n(2) };
        c.elect_this(n(1));
        c.run(Duration::from_millis(60));
        c.isolate(id);
        for _ in 0..3 {
            if !leading {
                c.run(SECOND);
            }
            let flood: Vec<_> = (0..100).map(|i| c.propose(id, &format!("v{i}"))).collect();
            let busy = |p: &&_| c.outcome(id, **p) == Some(Outcome::Busy);
            assert!(flood.iter().filter(busy).count() >= 80, "leading: {leading}");
            c.run(SECOND * 4);
            assert!(flood.iter().all(|p| c.outcome(id, *p).is_some()));
        }
        assert_eq!(c.replica(id).unanswered(), 0, "leading: {leading}");
        c.heal();
        c.run(SECOND * 2);
        let p = c.propose(id, "after");
        c.run(SECOND);
        assert!(matches!(c.outcome(id, p), Some(Outcome::Chosen(_))), "leading: {leading}");
    }
}

#[test]
fn s42_a_burst_is_delivered_in_pages_in_order_across_a_restart() {
    let mut c = three(Limits { deliver_slots_max: 3, ..Limits::default() });
    c.elect_this(n(1));
    c.isolate(n(3));
    for i in 0..50 {
        c.propose(n(1), &format!("v{i}"));
    }
    c.run(SECOND);
    let all = c.payloads(n(1));
    assert_eq!(all.len(), 50);
    c.heal();
    c.run(Duration::from_millis(70));
    c.crash(n(3));
    let applied = c.host(n(3)).delivered.last().map_or(Slot(1), |(slot, _)| slot.next());
    let before = c.payloads(n(3));
    c.restart_from(n(3), applied);
    c.run(SECOND);
    assert_eq!([before, c.payloads(n(3))].concat(), all);
}

#[test]
fn s44_a_bogus_acknowledgement_is_not_counted() {
    let mut c = Cluster::alone(3);
    let mine = c.lead();
    let p = c.propose(n(1), "v");
    let higher = mine.next(n(1), 0);
    for (from, m) in [
        (n(2), accepted(mine, 1_000_000, 1_000_001)),
        (n(2), accepted(higher, 1, 2)),
        (n(2), accepted(Ballot::ZERO, 1, 2)),
        (n(9), accepted(mine, 1, 2)),
        (n(1), accepted(mine, 1, 2)),
        (n(2), accepted(mine, 0, 2)),
        (n(2), accepted(mine, 2, 1)),
    ] {
        c.tell(n(1), from, m);
    }
    c.sync_disk(n(1));
    assert_eq!(c.outcome(n(1), p), None);
    let effects = c.tell(n(1), n(1), accepted(mine, 1, 2));
    assert_eq!(ignored(&effects), [Ignored::FromMyself]);
    c.tell(n(1), n(3), accepted(mine, 1, 2));
    assert_eq!(c.outcome(n(1), p), Some(Outcome::Chosen(Slot(1))));
}

/// Two at once catch up from peers; one donor dies in the middle.
#[test]
fn s45_two_latecomers_catch_up_though_a_donor_dies() {
    let limits = Limits { run_slots_max: 10, ..Limits::default() };
    let mut c = Cluster::with(Membership::majority((1..=5).map(NodeId)), limits);
    c.elect_this(n(1));
    c.isolate(n(4));
    c.isolate(n(5));
    for i in 0..300 {
        c.propose(n(1), &format!("v{i}"));
        c.settle();
    }
    c.heal();
    let mut batches = 0;
    c.whim(move |_, e| {
        batches += usize::from(e.message.name() == "Entries");
        if batches > 20 && e.message.name() == "Entries" { Fate::Lose } else { Fate::Deliver }
    });
    c.run(Duration::from_millis(60));
    assert!((50..250).contains(&c.payloads(n(4)).len()), "{}", c.payloads(n(4)).len());
    c.crash(n(1));
    c.calm();
    c.run(SECOND * 3);
    for id in [4, 5] {
        assert_eq!(c.payloads(n(id)), c.payloads(n(1)), "n{id}");
    }
    let leader = c.leader().expect("a new leader");
    c.propose(leader, "streamed");
    c.run(SECOND);
    assert_eq!(c.payloads(n(5)).last().map(String::as_str), Some("streamed"));
}

/// A log that is full takes nothing new. What it holds already must still find its
/// way through an election: reads wait for it.
#[test]
fn s41_a_full_log_can_still_change_its_leader() {
    let limits = Limits { log_bytes_max: 4096, window_bytes: 1024, ..Limits::default() };
    let mut c = three(limits);
    // No checkpoint makes room.
    c.idle_vaults.extend([1, 2, 3].map(n));
    c.elect_this(n(1));
    while c.replica(n(1)).log().bytes() < 3500 {
        c.propose(n(1), &"x".repeat(100));
        c.settle();
    }
    c.run(SECOND);
    // A last run passes the bound, and the leader does not live to count the votes.
    c.doom("Accepted", Fate::Lose);
    let large = Command::plain("y".repeat(900).into());
    let commands = std::iter::repeat_n(large, 5).collect();
    c.step(n(1), Input::Proposed { group: GROUP, first: ProposalId(1000), commands });
    c.settle();
    assert!(c.replica(n(2)).log().bytes() > 4096 + 1024, "{}", c.replica(n(2)).log().bytes());
    c.crash(n(1));
    c.calm();
    c.elect_this(n(2));
    let q = c.query(n(2));
    c.run(SECOND);
    assert!(matches!(c.host(n(2)).served.get(&q), Some(Some(_))), "{:?}", c.host(n(2)).served);
    let p = c.propose(n(2), "no room");
    assert_eq!(c.outcome(n(2), p), Some(Outcome::Busy));
}
