//! Scenes of elections among nodes that can all reach each other, most of the time.

mod common;

use std::time::Duration;

use common::{Cluster, Fate, GROUP, Message, SECOND, n, promise};
use paxos_core::effect::{Effects, Input, Notice, Outcome};
use paxos_core::log::Durable;
use paxos_core::message::{Accepted, HeartbeatAck, ReadAnswer, ReadId, ReadRequest, Reject};
use paxos_core::quorum::Membership;
use paxos_core::types::{Ballot, Incarnation, Instant, Limits, Rng, Slot, Timing};
use paxos_core::{Config, GroupConfig, Node, Standing};

/// The watch of every scene fails on two leaders at one ballot, and on two values
/// for one slot; here it looks at schedules that nobody has thought of.
#[test]
fn s13_one_leader_at_a_ballot_under_any_schedule() {
    let mut led = 0;
    for seed in 0..40 {
        let mut c = Cluster::new(3);
        let mut rng = Rng::new(seed);
        c.whim(move |_, _| match rng.below(10) {
            0 => Fate::Lose,
            1 | 2 => Fate::Hold,
            3 => Fate::Twice,
            _ => Fate::Deliver,
        });
        let mut rng = Rng::new(seed ^ 0xABCD);
        for i in 0..60 {
            let id = n(1 + rng.below(3) as u16);
            match rng.below(8) {
                0 if c.host(id).up => c.crash(id),
                0 | 1 if !c.host(id).up => c.restart(id),
                2 => c.release_backwards(),
                3 => c.sync = !c.sync,
                _ if c.host(id).up => drop(c.propose(id, &format!("{seed}.{i}"))),
                _ => {}
            }
            c.run(Duration::from_millis(rng.below(200)));
            led += u64::from(c.leader().is_some());
        }
    }
    assert!(led > 500, "leaders were there only {led} times: nothing was looked at");
}

#[test]
fn s16_a_leader_that_hears_a_higher_ballot_steps_down_at_once() {
    let mut c = Cluster::alone(3);
    let mine = c.lead();
    let flying = c.propose(n(1), "in flight");
    let local = c.query(n(1));
    let id = ReadId { incarnation: Incarnation(1), number: 1 };
    c.tell(n(1), n(2), ReadRequest { id });
    let effects = c.tell(n(1), n(2), Reject { ballot: mine, promised: common::b(9, 3) });
    assert_eq!(c.replica(n(1)).standing(), Standing::Follower);
    assert_eq!(c.outcome(n(1), flying), Some(Outcome::Unknown), "never: failed");
    let none = Message::from(ReadAnswer { id, index: None });
    assert_eq!(common::sent(&effects, "ReadAnswer"), [&none]);
    assert_eq!(c.host(n(1)).served.get(&local), None, "may wait for the next leader");
    c.sync_disk(n(1));
    let disk = c.host(n(1)).disk.group(GROUP).expect("written");
    assert_eq!(disk.log().get(Slot(1)).map(|c| c.ballot), Some(mine), "durable state stays");
}

#[test]
fn s17_an_isolated_leader_steps_down_and_late_answers_do_not_bring_it_back() {
    let mut c = Cluster::new(5);
    let old = c.elect();
    let ballot = c.replica(old).own_ballot().expect("it leads");
    c.whim(move |to, e| if to == old || e.from == old { Fate::Hold } else { Fate::Deliver });
    let p = c.propose(old, "slow");
    c.run(c.timing.patience * 2 + c.timing.heartbeat);
    assert_eq!(c.replica(old).standing(), Standing::Follower);
    assert_eq!(c.outcome(old, p), Some(Outcome::Unknown));
    for from in (1..=5).map(n).filter(|id| *id != old) {
        let chosen = c.replica(old).chosen().0;
        c.tell(old, from, HeartbeatAck { ballot, beat: 0, chosen: Slot(1), priority: Some(1) });
        c.tell(old, from, promise(ballot, chosen, &[]));
        c.tell(old, from, Accepted { ballot, first: Slot(chosen), end: Slot(chosen + 1) });
    }
    assert_eq!(c.replica(old).standing(), Standing::Follower);
    assert_eq!(c.replica(old).own_ballot(), None);
}

#[test]
fn s18_a_node_that_was_cut_off_deposes_nobody_when_it_returns() {
    let mut c = Cluster::new(3);
    let leader = c.elect();
    let ballot = c.replica(leader).own_ballot();
    let away = c.follower();
    c.isolate(away);
    c.run(SECOND * 20);
    assert_eq!(c.replica(away).leader(), None);
    c.heal();
    c.run(SECOND * 2);
    assert_eq!(c.replica(leader).own_ballot(), ballot, "the same leadership");
    assert_eq!(c.replica(away).leadership(), ballot);
}

#[test]
fn s19_a_node_that_lacks_chosen_slots_can_win_and_fetches_them() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.isolate(n(3));
    for i in 0..20 {
        c.propose(n(1), &format!("v{i}"));
    }
    c.settle();
    c.crash(n(1));
    c.heal();
    assert_eq!(c.replica(n(3)).chosen(), Slot(1));
    c.elect_this(n(3));
    c.propose(n(3), "next");
    c.run(SECOND);
    assert_eq!(c.payloads(n(3)).len(), 21);
    assert_eq!(c.payloads(n(3))[20], "next");
}

/// A node that has promised more than the leader's ballot, and cannot follow it.
#[test]
fn s20_a_node_stuck_at_a_higher_ballot_is_freed() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    let stuck = c.replica(n(1)).own_ballot().expect("it leads").next(n(3), 0);
    c.isolate(n(3));
    // n3 has bound itself to a ballot of its own that nobody ever hears of.
    let higher = Ballot { round: stuck.round + 7, ..stuck };
    let mut records = c.host(n(3)).records.clone();
    let entry = paxos_core::log::Entry::Promised(higher);
    records.push(paxos_core::log::Record { group: GROUP, entry });
    c.restart_with(n(3), records);
    c.heal();
    c.run(SECOND * 2);
    let leader = c.leader().expect("someone leads");
    let ballot = c.replica(leader).own_ballot().expect("a leader has a ballot");
    assert!(ballot >= higher, "led at {ballot}");
    for id in [1, 2, 3] {
        assert_eq!(c.replica(n(id)).leadership(), Some(ballot), "n{id}");
    }
    c.run(SECOND * 5);
    assert_eq!(c.replica(leader).own_ballot(), Some(ballot), "and stays");
}

#[test]
fn s21_a_split_vote_resolves_within_a_few_timeouts() {
    for round in 0..20 {
        let mut c = Cluster::new(3);
        // Everyone's first question meets everyone else's.
        c.doom("Probe", Fate::Hold);
        c.run(c.timing.patience * 2);
        c.release();
        c.calm();
        c.now = c.now + Duration::from_millis(round);
        c.run(c.timing.patience * 6);
        assert!(c.leader().is_some(), "round {round}");
    }
}

#[test]
fn s21_patience_is_drawn_from_the_seed_and_lies_in_its_range() {
    let first_wake = |seed: u64| {
        let node = Node::restore(config(1, seed), Durable::default(), Instant::default());
        node.expect("a sound configuration").wake_at().expect("it waits")
    };
    let patience = Timing::default().patience.as_micros() as u64;
    let drawn: Vec<u64> = (0..50).map(|seed| first_wake(seed).as_micros()).collect();
    assert!(drawn.iter().all(|at| (patience..patience * 2).contains(at)), "{drawn:?}");
    let spread: std::collections::BTreeSet<u64> = drawn.iter().copied().collect();
    assert!(spread.len() > 45, "{} different ones", spread.len());
    assert_eq!(first_wake(7), first_wake(7));
}

/// Each election draws anew.
#[test]
fn s21_patience_differs_from_one_election_to_the_next() {
    let mut c = Cluster::alone(3);
    let mut waits = std::collections::BTreeSet::new();
    for _ in 0..10 {
        let before = c.now;
        let asked = |c: &Cluster| c.network.iter().any(|(_, e)| e.message.name() == "Probe");
        c.network.clear();
        // The questions sent again belong to the same election.
        let ballot = |c: &Cluster| {
            c.network.iter().find_map(|(_, e)| match &e.message {
                Message::Probe(m) => Some(m.ballot),
                _ => None,
            })
        };
        let mut last = ballot(&c);
        while !asked(&c) || ballot(&c) == last {
            last = ballot(&c);
            c.network.clear();
            c.now = c.now.max(c.host(n(1)).node.wake_at().expect("it waits"));
            c.step(n(1), Input::Ticked);
        }
        waits.insert(c.now.since(before));
    }
    assert!(waits.len() >= 5, "{waits:?}");
}

#[test]
fn s22_who_is_no_member_never_campaigns() {
    let mut outsider = config(9, 1);
    outsider.groups = vec![GroupConfig::new(GROUP, Membership::majority([1, 2, 3].map(n)))];
    let mut node = Node::restore(outsider, Durable::default(), Instant::default()).expect("sound");
    let mut effects = Effects::new();
    for _ in 0..100 {
        let at = node.wake_at().unwrap_or_default();
        node.step(at, Input::Ticked, &mut effects);
        let effects: Vec<_> = effects.drain().collect();
        // It asks for news, since it may be a member by now; that binds nobody.
        let asks = |m: &&Message| matches!(m, Message::Fetch(_));
        assert!(common::messages(&effects).iter().all(asks), "{effects:?}");
    }
}

#[test]
fn s23_a_restarted_node_uses_no_ballot_twice() {
    let mut c = Cluster::new(3);
    let mut used = Vec::new();
    for i in 0..6 {
        let ballot = c.elect_this(n(1));
        assert!(!used.contains(&ballot), "{ballot} again");
        used.push(ballot);
        c.propose(n(1), &format!("v{i}"));
        c.settle();
        c.crash(n(1));
        c.restart(n(1));
    }
}

/// The ballot is on the disk before anyone is asked: a crash in between may lose
/// it, but then nobody has heard of it.
#[test]
fn s23_a_ballot_is_durable_before_it_is_spoken() {
    let mut c = Cluster::alone(3);
    c.sync = false;
    c.now = c.now + SECOND;
    c.step(n(1), Input::Ticked);
    let ack = paxos_core::message::ProbeAck {
        ballot: common::b(1, 1),
        granted: true,
        promised: Ballot::ZERO,
        chosen: Slot(1),
    };
    c.tell(n(1), n(2), ack);
    assert_eq!(c.replica(n(1)).own_ballot(), Some(common::b(1, 1)));
    assert_eq!(c.under_way("Prepare"), 0);
    c.sync_disk(n(1));
    assert_eq!(c.under_way("Prepare"), 2);
}

#[test]
fn s26_a_single_node_elects_itself_and_persists_before_it_tells_anyone() {
    let mut c = Cluster::new(1);
    c.elect();
    c.sync = false;
    let p = c.propose(n(1), "alone");
    c.settle();
    assert_eq!(c.outcome(n(1), p), None, "its own vote is not durable");
    assert!(c.payloads(n(1)).is_empty());
    c.sync_disk(n(1));
    assert_eq!(c.outcome(n(1), p), Some(Outcome::Chosen(Slot(1))));
    let q = c.query(n(1));
    assert_eq!(c.host(n(1)).served[&q], Some(Slot(2)));
    assert!(c.network.is_empty(), "there is nobody to talk to");
}

/// A hint that is wrong, or comes again and again, deposes nobody and stops nobody.
#[test]
fn s18_wrong_hints_that_the_leader_is_gone_are_harmless() {
    let mut c = Cluster::new(3);
    let leader = c.elect();
    let ballot = c.replica(leader).own_ballot();
    let doubter = c.follower();
    for i in 0..50 {
        c.step(doubter, Input::PeerDown(leader));
        if i % 3 == 0 {
            c.step(doubter, Input::PeerUp(leader));
        }
        c.step(doubter, Input::PeerDown(doubter));
        c.run(Duration::from_millis(20));
    }
    assert_eq!(c.replica(leader).own_ballot(), ballot);
    c.run(SECOND);
    let p = c.propose(doubter, "still heard");
    c.settle();
    assert!(matches!(c.outcome(doubter, p), Some(Outcome::Chosen(_))));
    let changes = |notice: &&Notice| matches!(notice, Notice::Campaigning { .. });
    assert_eq!(c.host(doubter).notices.iter().filter(changes).count(), 0);
}

/// A right hint saves the wait: the next in line is elected well before patience
/// runs out.
#[test]
fn s18_a_right_hint_elects_the_next_in_line_early() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.run(Duration::from_millis(60));
    c.crash(n(1));
    for id in [2, 3] {
        c.step(n(id), Input::PeerDown(n(1)));
    }
    c.run(c.timing.stagger);
    assert_eq!(c.leader(), Some(n(2)));
}

fn config(node: u16, seed: u64) -> Config {
    Config {
        node: n(node),
        incarnation: Incarnation(1),
        disk: 0,
        priority: Config::PRIORITY,
        seed,
        groups: vec![GroupConfig::new(GROUP, Membership::majority([1, 2, 3].map(n)))],
        timing: Timing::default(),
        limits: Limits::default(),
    }
}

/// Patience that has grown with campaigns shrinks again as soon as someone leads:
/// the next failure is noticed as fast as the first.
#[test]
fn s21_patience_that_has_grown_shrinks_when_a_leader_is_heard() {
    let mut c = Cluster::alone(3);
    let mut ballot = Ballot::ZERO;
    for _ in 0..6 {
        ballot = c.stand();
        c.tell(n(1), n(2), Reject { ballot, promised: ballot.next(n(2), 0) });
    }
    let leader = ballot.next(n(2), 0);
    c.tell(
        n(1),
        n(2),
        paxos_core::message::Heartbeat { ballot: leader, chosen: Slot(1), beat: 0, settled: true },
    );
    let heard_at = c.now;
    c.ask();
    let waited = c.now.since(heard_at);
    assert!(waited <= c.timing.patience * 3, "{waited:?}");
}
