//! Who leads, where that is not all the same.

mod common;

use common::{Cluster, Fate, Message, SECOND, n};
use paxos_core::Standing;
use paxos_core::effect::Input;
use paxos_core::message::ProbeAck;
use paxos_core::types::Slot;

/// Nodes with these priorities.
fn preferring<const N: usize>(priorities: [u8; N]) -> Cluster {
    let mut c = Cluster::new(N as u16);
    for (id, priority) in (1..).zip(priorities) {
        c.priorities.insert(n(id), priority);
        c.restart(n(id));
    }
    c
}

fn leads(c: &Cluster, id: u16) -> bool {
    c.host(n(id)).up && c.replica(n(id)).standing() == Standing::Leader
}

#[test]
fn s25_a_preferred_node_takes_over_once_it_has_kept_up_for_a_while() {
    let mut c = preferring([100, 100, 150]);
    c.crash(n(3));
    c.elect_this(n(1));
    c.run(SECOND);
    c.restart(n(3));
    let since = c.now;
    while leads(&c, 1) {
        c.propose(n(1), "x");
        c.run(c.timing.heartbeat);
        assert!(c.now.since(since) < SECOND * 5, "it is never made way for");
    }
    assert!(c.now.since(since) > c.timing.patience * 7, "not before it has proved itself");
    c.run(SECOND);
    assert!(leads(&c, 3));
    let ballot = c.replica(n(3)).own_ballot();
    c.run(SECOND * 30);
    assert_eq!(c.replica(n(3)).own_ballot(), ballot, "and it stays");
}

#[test]
fn s25_nobody_makes_way_for_one_that_lags_or_comes_and_goes() {
    let mut c = preferring([100, 100, 150]);
    c.elect_this(n(1));
    c.whim(|to, e| {
        let tells = matches!(e.message, Message::Entries(_) | Message::Accept(_));
        if to == n(3) && tells { Fate::Lose } else { Fate::Deliver }
    });
    for _ in 0..40 {
        c.propose(n(1), "unknown to n3");
        c.run(SECOND / 4);
    }
    assert!(leads(&c, 1), "it lags");
    c.calm();
    for _ in 0..10 {
        c.crash(n(3));
        c.run(c.timing.patience * 3);
        c.restart(n(3));
        c.run(c.timing.patience * 5);
        assert!(leads(&c, 1), "it comes and goes");
    }
    c.run(c.timing.patience * 20);
    assert!(leads(&c, 3), "it stays");
}

/// It would depose the leader, find no quorum, and be made way for again.
#[test]
fn s29_nobody_makes_way_for_one_that_reaches_only_the_leader() {
    let mut c = preferring([100, 100, 100, 100, 150]);
    c.elect_this(n(1));
    c.link_only(&[(1, 2), (1, 3), (1, 4), (1, 5)]);
    let ballot = c.replica(n(1)).own_ballot();
    let until = c.now + c.timing.patience * 60;
    while c.now < until {
        assert!(c.is_chosen(n(1), "without a break"));
        c.run(c.timing.patience);
        assert_eq!(c.replica(n(1)).own_ballot(), ballot);
    }
    c.heal();
    // One link more, and it would have a quorum.
    c.link_only(&[(1, 2), (1, 3), (1, 4), (1, 5), (4, 5)]);
    c.run(c.timing.patience * 3);
    assert!(leads(&c, 5), "it kept up all the time, and needs not do so anew");
    c.run(c.timing.patience * 20);
    let ballot = c.replica(n(5)).own_ballot();
    c.run(c.timing.patience * 60);
    assert_eq!(c.replica(n(5)).own_ballot(), ballot, "and it stays");
}

/// Whom nobody answers says nothing; what a voter granted before its leader led says nothing.
#[test]
fn s29_only_who_was_asked_and_says_so_is_made_way_for() {
    let mut c = preferring([100, 100, 150]);
    c.elect_this(n(1));
    let ballot = c.replica(n(1)).own_ballot().expect("it leads");
    c.whim(|_, e| if matches!(e.message, Message::Probe(_)) { Fate::Lose } else { Fate::Deliver });
    c.run(c.timing.patience * 20);
    let early = |ballot, granted| ProbeAck { ballot, granted, promised: ballot, chosen: Slot(1) };
    for (from, m) in [
        (3, early(ballot, true)),
        (3, early(ballot.next(n(3), 0), false)),
        (2, early(ballot.next(n(2), 0), true)),
    ] {
        c.tell(n(1), n(from), m.clone());
        c.settle();
        assert!(leads(&c, 1), "{from} {m:?}");
    }
    c.tell(n(1), n(3), early(ballot.next(n(3), 0), true));
    c.settle();
    assert!(leads(&c, 3));
}

#[test]
fn s25_who_is_spared_leaves_the_first_attempt_to_others() {
    for seed in 1..20 {
        let mut c = preferring([100, 100, 20]);
        c.elect_this(n(1));
        c.run(SECOND / 10 * seed);
        c.crash(n(1));
        c.elect();
        assert!(leads(&c, 2), "after {seed}");
    }
}

#[test]
fn s25_the_last_that_can_stand_does_however_low_its_priority() {
    let mut c = preferring([1, 1, 0]);
    c.elect();
    assert!(!leads(&c, 3));
    let old = c.leader().expect("someone leads");
    let other = if old == n(1) { n(2) } else { n(1) };
    c.crash(old);
    c.elect();
    assert!(leads(&c, other.0));
    // Zero stands only when asked.
    c.restart(old);
    c.run(SECOND);
    c.step(other, Input::TransferRequested { group: common::GROUP, to: n(3) });
    c.settle();
    assert!(leads(&c, 3));
    c.run(c.timing.patience * 20);
    assert!(!leads(&c, 3), "and it makes way for whoever is more willing");
}
