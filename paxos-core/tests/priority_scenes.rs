//! Who leads, where that is not all the same.

mod common;

use common::{Cluster, Fate, GROUP, Message, SECOND, n, sent};
use paxos_core::Standing;
use paxos_core::effect::Input;
use paxos_core::message::{Envelope, Probe, ProbeAck};
use paxos_core::types::{NodeId, Slot};

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
    c.run(c.timing.patience * 14);
    assert!(leads(&c, 5));
    let ballot = c.replica(n(5)).own_ballot();
    c.run(c.timing.patience * 60);
    assert_eq!(c.replica(n(5)).own_ballot(), ballot, "and it stays");
}

#[test]
fn s29_nobody_makes_way_for_one_that_is_no_main_any_more_or_comes_with_another_disk() {
    let mut c = Cluster::changing(3, 4);
    c.priorities.insert(n(3), 150);
    c.restart(n(3));
    c.elect_this(n(1));
    c.whim(|_, e| if matches!(e.message, Message::Probe(_)) { Fate::Lose } else { Fate::Deliver });
    c.run(c.timing.patience * 20);
    let promised = c.replica(n(1)).own_ballot().expect("it leads");
    let begins = |c: &mut Cluster, disk| {
        let chosen = c.replica(n(1)).chosen();
        let ballot = promised.next(n(3), disk);
        let yes = ProbeAck { ballot, granted: true, promised, chosen };
        let message = Message::from(yes);
        let envelope = Envelope { group: GROUP, from: n(3), disk, message };
        !sent(&c.step(n(1), Input::Received(envelope)), "Heartbeat").is_empty()
    };
    assert!(!begins(&mut c, 999));
    c.change(n(1), &[1, 2], &[3]);
    c.settle();
    assert!(!begins(&mut c, 300));
    c.change(n(1), &[1, 2, 3], &[]);
    c.settle();
    assert!(begins(&mut c, 300), "it was asked before, and is again what it was");
}

#[test]
fn s29_one_that_reaches_only_the_leader_does_not_stand_in_the_way_of_the_next_best() {
    let mut c = preferring([100, 100, 100, 120, 150]);
    c.elect_this(n(1));
    c.link_only(&[(1, 2), (1, 3), (1, 4), (1, 5), (2, 4)]);
    c.run(c.timing.patience * 23);
    assert!(leads(&c, 4));
    let ballot = c.replica(n(4)).own_ballot();
    c.run(c.timing.patience * 60);
    assert_eq!(c.replica(n(4)).own_ballot(), ballot, "and it stays");
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

/// Who answers would be made way for, and writes would wait for it.
#[test]
fn s29_only_who_could_lead_looks_whom_it_would_reach() {
    let looks = |c: &mut Cluster, id: u16, leader: NodeId| {
        let ballot = c.replica(leader).own_ballot().expect("it leads");
        !sent(&c.tell(n(id), leader, Probe { ballot, chosen: Slot(1) }), "Probe").is_empty()
    };
    let mut c = Cluster::changing(3, 4);
    c.elect_this(n(1));
    c.run(SECOND);
    assert!(looks(&mut c, 2, n(1)));
    assert!(looks(&mut c, 3, n(1)));
    c.change(n(1), &[1, 2], &[3]);
    c.run(SECOND);
    assert!(looks(&mut c, 2, n(1)));
    assert!(!looks(&mut c, 3, n(1)), "a learner");
    // A leader that is no voter any more asks as before: it is to be followed by someone.
    c.change(n(1), &[2, 3], &[]);
    c.settle();
    assert!(leads(&c, 1), "until the others have it all");
    assert!(looks(&mut c, 2, n(1)));
    // A main without a state machine.
    let mut c = Cluster::changing(3, 4);
    c.elect_this(n(3));
    c.run(SECOND);
    let version = c.newest(n(3)).version() + 1;
    let next = c.newest(n(3)).with_witnesses([n(3)]).with_version(version);
    c.propose_members(n(3), next);
    c.run(SECOND * 5);
    let leader = c.elect();
    assert!(c.is_chosen(leader, "without it"));
    c.run(SECOND);
    c.idle_vaults.insert(n(3));
    let next = c.newest(leader).succeeded_by([1, 2, 3].map(n), []).with_witnesses([]);
    c.propose_members(leader, next);
    c.run(SECOND * 5);
    assert!(c.replica(n(3)).lacks_checkpoint());
    assert!(!looks(&mut c, 3, leader));
    c.idle_vaults.clear();
    c.run(SECOND * 5);
    assert!(looks(&mut c, 3, leader));
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
