//! Whole behaviours of a few nodes in one thread.

mod common;

use std::time::Duration;

use common::{Cluster, n};
use paxos_core::effect::{Input, Outcome};
use paxos_core::quorum::Membership;
use paxos_core::types::Limits;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn three_nodes_elect_choose_and_deliver() {
    let mut c = Cluster::new(3);
    let leader = c.elect();
    for i in 0..10 {
        let p = c.propose(leader, &format!("v{i}"));
        c.settle();
        assert!(matches!(c.host(leader).resolved[&p], Outcome::Chosen(_)));
    }
    let all: Vec<String> = (0..10).map(|i| format!("v{i}")).collect();
    for id in [1, 2, 3] {
        assert_eq!(c.payloads(n(id)), all, "n{id}");
    }
}

#[test]
fn a_single_node_persists_before_it_tells_anyone() {
    let mut c = Cluster::new(1);
    c.elect();
    c.sync = false;
    let p = c.propose(n(1), "alone");
    c.settle();
    assert!(!c.host(n(1)).resolved.contains_key(&p), "its own vote is not durable");
    c.sync_disk(n(1));
    assert!(matches!(c.host(n(1)).resolved[&p], Outcome::Chosen(_)));
}

#[test]
fn a_follower_hands_proposals_on() {
    let mut c = Cluster::new(3);
    let leader = c.elect();
    let follower = n(if leader == n(1) { 2 } else { 1 });
    let p = c.propose(follower, "from afar");
    c.settle();
    assert!(matches!(c.host(follower).resolved[&p], Outcome::Chosen(_)));
    assert_eq!(c.payloads(leader), ["from afar"]);
}

#[test]
fn a_new_leader_keeps_what_was_chosen() {
    let mut c = Cluster::new(3);
    let old = c.elect();
    c.propose(old, "kept");
    c.settle();
    c.crash(old);
    c.run(SECOND * 2);
    let new = c.leader().expect("a new leader");
    assert_ne!(new, old);
    c.propose(new, "next");
    c.settle();
    c.restart(old);
    c.run(SECOND);
    for id in [1, 2, 3] {
        assert_eq!(c.payloads(n(id)), ["kept", "next"], "n{id}");
    }
}

#[test]
fn reads_wait_for_what_was_chosen_before_them() {
    let mut c = Cluster::new(3);
    let leader = c.elect();
    c.propose(leader, "seen");
    c.settle();
    let chosen = c.host(leader).node.group(common::GROUP).expect("the group").chosen();
    for id in [1, 2, 3] {
        let q = c.query(n(id));
        c.settle();
        assert!(c.host(n(id)).served[&q].is_some_and(|at| at >= chosen), "n{id}");
    }
}

#[test]
fn an_isolated_leader_steps_down_and_answers_unknown() {
    let mut c = Cluster::new(5);
    let old = c.elect();
    c.isolate(old);
    let p = c.propose(old, "lost?");
    let q = c.query(old);
    c.run(SECOND * 4);
    assert_eq!(c.host(old).resolved[&p], Outcome::Unknown);
    assert_eq!(c.host(old).served[&q], None);
    let new = c.leader().expect("a majority elects");
    c.propose(new, "other");
    c.settle();
    c.cut.clear();
    c.run(SECOND * 2);
    for id in [1, 2, 3, 4, 5] {
        assert_eq!(c.payloads(n(id)), ["other"], "n{id}");
    }
}

/// A hub that alone reaches a quorum must not stand back for ever for neighbours
/// that cannot win.
#[test]
fn the_only_node_that_reaches_a_quorum_is_elected() {
    for hub in 1..=5 {
        let mut c = Cluster::new(5);
        c.elect();
        let mut others = (1..=5).filter(|id| *id != hub);
        let (a, b) = (others.next().expect("a neighbour"), others.next().expect("another"));
        for x in 1..=5 {
            for y in (x + 1)..=5 {
                let joined = [x, y].contains(&hub) && [a, b].iter().any(|n| [x, y].contains(n));
                if !joined {
                    c.cut_both(n(x), n(y));
                }
            }
        }
        c.run(SECOND * 6);
        assert_eq!(c.leader(), Some(n(hub)), "the hub is n{hub}");
    }
}

/// A window of one slot, and acceptors that vote one slot ahead: the news in an
/// `Accept` must make the room that its values need.
#[test]
fn a_narrow_window_does_not_wait_for_resends() {
    let limits = Limits { window_slots: 1, ahead_slots_max: 1, ..Limits::default() };
    let mut c = Cluster::with(Membership::majority([1, 2, 3].map(n)), limits);
    let leader = c.elect();
    for i in 0..50 {
        c.propose(leader, &format!("v{i}"));
    }
    c.settle();
    assert_eq!(c.payloads(leader).len(), 50);
}

#[test]
fn a_step_delivers_one_page() {
    let limits = Limits { deliver_slots_max: 16, ..Limits::default() };
    let mut c = Cluster::with(Membership::majority([1].map(n)), limits);
    c.elect();
    for i in 0..100 {
        c.propose(n(1), &format!("v{i}"));
        c.settle();
    }
    c.crash(n(1));
    c.restart(n(1));
    let mut most = 0;
    while c.host(n(1)).delivered.len() < 90 {
        let before = c.host(n(1)).delivered.len();
        c.now = c.host(n(1)).node.wake_at().expect("more to deliver").max(c.now);
        c.step(n(1), Input::Ticked);
        most = most.max(c.host(n(1)).delivered.len() - before);
    }
    assert_eq!(most, 16);
}

#[test]
fn a_full_log_answers_busy_and_loses_nothing() {
    let limits = Limits { log_bytes_max: 4096, window_bytes: 1024, ..Limits::default() };
    let mut c = Cluster::with(Membership::majority([1, 2, 3].map(n)), limits);
    let leader = c.elect();
    let mut chosen = Vec::new();
    for i in 0..100 {
        let payload = format!("{i:0>100}");
        let p = c.propose(leader, &payload);
        c.settle();
        match c.host(leader).resolved[&p] {
            Outcome::Chosen(_) => chosen.push(payload),
            outcome => assert_eq!(outcome, Outcome::Busy),
        }
    }
    assert!((10..90).contains(&chosen.len()), "{} were chosen", chosen.len());
    for id in [1, 2, 3] {
        assert_eq!(c.payloads(n(id)), chosen, "n{id}");
        assert!(c.host(n(id)).node.group(common::GROUP).expect("it").log().bytes() < 8192);
    }
}

/// Any voter alone is a phase 1 quorum here, but only the hub reaches all five.
#[test]
fn who_cannot_choose_anything_does_not_campaign() {
    for hub in 1..=5 {
        let everyone = Membership::flexible([1, 2, 3, 4, 5].map(n), 1, 5);
        let mut c = Cluster::with(everyone, Limits::default());
        for x in 1..=5 {
            for y in (x + 1)..=5 {
                if ![x, y].contains(&hub) {
                    c.cut_both(n(x), n(y));
                }
            }
        }
        c.run(SECOND * 6);
        assert_eq!(c.leader(), Some(n(hub)), "the hub is n{hub}");
        let p = c.propose(n(hub), "chosen by all");
        c.settle();
        assert!(matches!(c.host(n(hub)).resolved[&p], Outcome::Chosen(_)));
    }
}
