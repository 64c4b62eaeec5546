//! Scenes of leaders that read without asking. In every one, the watch fails as soon
//! as two nodes hold a lease at the same true moment, and on every stale read.

mod common;

use std::time::Duration;

use common::{Cluster, Fate, GROUP, SECOND, b, n, prepare, sent};
use paxos_core::Standing;
use paxos_core::effect::{Input, Notice};
use paxos_core::message::{Heartbeat, Prepare, Release};
use paxos_core::quorum::Membership;
use paxos_core::types::{Ballot, Lease, Limits, NodeId, Rng, Slot, Timing};

const LEASE: Lease = Lease { duration: Duration::from_millis(200), drift_ppm: 50_000 };

/// `nodes` with leases, their clocks off by these parts in a million.
fn cluster(nodes: u16, drift: &[i64]) -> Cluster {
    let membership = Membership::majority((1..=nodes).map(n));
    let timing = Timing { lease: Some(LEASE), ..Timing::default() };
    let drift = drift.iter().enumerate().map(|(i, ppm)| (n(i as u16 + 1), *ppm)).collect();
    Cluster::timed(membership, Limits::default(), timing, drift)
}

/// A leader that holds a lease, and two others.
fn leased(drift: &[i64]) -> (Cluster, NodeId, NodeId, NodeId) {
    let mut c = cluster(3, drift);
    c.elect_this(n(1));
    c.run(c.timing.heartbeat * 2);
    assert_eq!(c.leased(), [n(1)]);
    (c, n(1), n(2), n(3))
}

#[test]
fn s64_a_leader_with_a_lease_reads_without_a_round() {
    let (mut c, leader, follower, _) = leased(&[]);
    c.propose(leader, "seen");
    c.settle();
    let here = c.query(leader);
    assert_eq!(c.host(leader).served[&here], Some(Slot(2)), "in the very step");
    let there = c.query(follower);
    c.settle();
    assert_eq!(c.host(follower).served[&there], Some(Slot(2)));
    assert_eq!(c.under_way("Confirm"), 0);
    let asked = |c: &mut Cluster| {
        let effects =
            c.step(leader, Input::Queried { group: GROUP, query: paxos_core::types::QueryId(999) });
        sent(&effects, "Confirm").len()
    };
    assert_eq!(asked(&mut c), 0);
}

#[test]
fn s64_without_leases_every_read_asks_and_nobody_waits_to_promise() {
    let mut c = Cluster::new(3);
    let leader = c.elect();
    c.run(c.timing.heartbeat * 2);
    assert_eq!(c.leased(), []);
    let effects =
        c.step(leader, Input::Queried { group: GROUP, query: paxos_core::types::QueryId(999) });
    assert_eq!(sent(&effects, "Confirm").len(), 1);
    let voter = c.follower();
    let ballot = c.replica(voter).promised().next(n(3), 0);
    c.tell(voter, n(3), prepare(ballot, 1));
    assert_eq!(c.replica(voter).promised(), ballot);
}

/// Its clock runs as slow as it may, theirs as fast. It is cut off: by the time they
/// have another leader it must have stopped to read, by itself.
#[test]
fn s64_a_deposed_leader_has_no_lease_when_another_can_choose() {
    for drift in [[-50_000, 50_000, 50_000], [50_000, -50_000, -50_000], [0, 50_000, -50_000]] {
        let (mut c, leader, next, third) = leased(&drift);
        c.isolate(leader);
        // They know at once that it is gone; their word still binds them.
        c.step(next, Input::PeerDown(leader));
        c.step(third, Input::PeerDown(leader));
        let mut read_alone = 0;
        let cut_at = c.now;
        while c.replica(next).standing() != Standing::Leader
            && c.replica(third).standing() != Standing::Leader
        {
            let query = c.query(leader);
            read_alone += u32::from(c.host(leader).served.contains_key(&query));
            c.run(Duration::from_millis(1));
            let took = c.now.since(cut_at);
            assert!(took < LEASE.duration * 2, "nobody after {took:?}");
        }
        assert!(read_alone > 50, "it held a lease for {read_alone} ms only");
        assert!(!c.leased().contains(&leader));
        c.propose(c.leader().expect("another"), "what it does not know");
        c.settle();
        let query = c.query(leader);
        c.run(c.timing.answer * 2);
        assert_eq!(c.host(leader).served[&query], None);
    }
}

/// Answers that come late are worth what is left, counted from when it asked.
#[test]
fn s64_a_late_acknowledgement_gives_no_lease() {
    let mut c = cluster(3, &[]);
    c.doom("HeartbeatAck", Fate::Hold);
    c.elect_this(n(1));
    c.run(c.timing.heartbeat * 2);
    assert_eq!(c.leased(), []);
    c.calm();
    // Nobody's clock ticks: no new beat is sent while these are under way.
    c.network.clear();
    c.now = c.now + LEASE.duration;
    c.release();
    while let Some((to, envelope)) = c.network.pop_front() {
        c.step(to, Input::Received(envelope.clone()));
        c.step(to, Input::Received(envelope));
        assert_eq!(c.leased(), []);
    }
}

/// One voter that acknowledges a hundred times is one voter.
#[test]
fn s64_one_voter_is_no_quorum_however_often_it_answers() {
    let mut c = cluster(5, &[]);
    c.elect_this(n(1));
    c.whim(|_, e| match e.message.name() {
        "HeartbeatAck" if e.from == n(2) => Fate::Twice,
        "HeartbeatAck" => Fate::Lose,
        _ => Fate::Deliver,
    });
    c.run(c.timing.heartbeat * 4);
    assert_eq!(c.leased(), []);
}

/// It acknowledged, died and is back before the lease is over: it has forgotten, and
/// keeps its word all the same. Its disk holds nothing of it.
#[test]
fn s64_a_voter_that_starts_again_promises_nobody_for_a_lease() {
    let (mut c, leader, voter, third) = leased(&[-50_000, 50_000, 0]);
    c.isolate(leader);
    c.crash(voter);
    c.restart(voter);
    let ballot = c.replica(voter).promised().max(c.replica(third).promised()).next(third, 0);
    let restarted_at = c.now;
    while c.replica(voter).promised() != ballot {
        assert!(c.leased().len() <= 1);
        c.now = c.now + Duration::from_millis(1);
        c.tell(voter, third, prepare(ballot, 1));
        assert!(c.now.since(restarted_at) < LEASE.duration * 2, "never");
    }
    assert!(c.now.since(restarted_at) >= LEASE.duration);
    assert!(!c.leased().contains(&leader));
}

/// The first life of a node has said nothing before.
#[test]
fn a_node_that_never_lived_promises_at_once() {
    let mut c = cluster(3, &[]);
    c.tell(n(1), n(2), prepare(b(1, 2), 1));
    assert_eq!(c.replica(n(1)).promised(), b(1, 2));
}

#[test]
fn s64_a_lease_ends_before_a_handover_and_costs_it_nothing() {
    let (mut c, leader, to, _) = leased(&[]);
    let mut told = 0;
    c.step(leader, Input::TransferRequested { group: GROUP, to });
    // Nobody's clock moves, and the lease would hold for long.
    for _ in 0..10_000 {
        told += usize::from(c.under_way("Handover") > 0);
        assert!(c.under_way("Handover") == 0 || c.leased().is_empty());
        let Some((at, envelope)) = c.network.pop_front() else { break };
        c.step(at, Input::Received(envelope));
        for id in [1, 2, 3] {
            c.sync_disk(n(id));
        }
    }
    assert!(told > 0);
    assert_eq!(c.leader(), Some(to));
    c.run(c.timing.heartbeat * 2);
    assert_eq!(c.leased(), [to]);
}

/// The transfer came to nothing, and the leader reads on its lease again: the old
/// word frees nobody who has acknowledged since.
#[test]
fn s64_an_old_release_frees_nobody_who_acknowledged_since() {
    let (mut c, leader, to, third) = leased(&[]);
    c.doom("Handover", Fate::Lose);
    c.step(leader, Input::TransferRequested { group: GROUP, to });
    c.settle();
    let ballot = c.replica(leader).own_ballot().expect("it leads");
    assert_eq!(c.leased(), [], "until it is given up");
    c.run(c.timing.patience + c.timing.heartbeat * 4);
    assert_eq!(c.leased(), [leader], "the lease is back");
    let higher = ballot.next(to, 0);
    let beats = |c: &Cluster| c.held.len();
    assert_eq!(beats(&c), 0);
    for beat in 0..6 {
        let released = Some(Release { ballot, beat });
        c.tell(third, to, Prepare { ballot: higher, from: Slot(1), released });
        assert_eq!(c.replica(third).promised(), ballot, "beat {beat}");
    }
    let released = Some(Release { ballot, beat: 1_000 });
    c.isolate(leader);
    c.crash(leader);
    c.tell(third, to, Prepare { ballot: higher, from: Slot(1), released });
    assert_eq!(c.replica(third).promised(), higher, "a release that covers it does");
}

/// n1 hears n2 and then n3, who leads after it: n2's lease still binds n1 against n4,
/// and even against what n3 releases.
#[test]
fn a_word_to_an_earlier_leader_outlasts_a_later_one() {
    let mut c = cluster(5, &[]);
    let beat = |ballot: Ballot| Heartbeat { ballot, beat: 1, chosen: Slot(1), settled: true };
    c.tell(n(1), n(3), beat(b(2, 3)));
    // n3's followers here have lost it; an older leader is heard.
    c.crash(n(1));
    c.restart(n(1));
    c.tell(n(1), n(2), beat(b(1, 2)));
    let released = Some(Release { ballot: b(1, 2), beat: 9 });
    let ask = Prepare { ballot: b(3, 4), from: Slot(1), released };
    c.tell(n(1), n(4), ask.clone());
    assert_ne!(c.replica(n(1)).promised(), b(3, 4));
    c.now = c.now + LEASE.kept();
    c.tell(n(1), n(4), ask);
    assert_eq!(c.replica(n(1)).promised(), b(3, 4));
}

/// After a leader's death the next is elected at most a lease later than without.
#[test]
fn s64_an_election_takes_at_most_a_lease_longer() {
    let (mut c, leader, ..) = leased(&[0, 50_000, -50_000]);
    c.crash(leader);
    c.run(c.timing.patience * 3 + LEASE.kept());
    assert!(c.leader().is_some());
}

/// Clocks at the bound, messages lost, held, doubled, late by anything; restarts, and
/// leaders that make way.
#[test]
fn s64_no_two_hold_a_lease_at_once_under_any_schedule() {
    let (mut leased, mut transfers, mut leaders) = (0, 0, 0);
    for seed in 0..60 {
        let nodes = if seed % 3 == 0 { 5 } else { 3 };
        let mut rng = Rng::new(seed);
        let mut off = || [-50_000, 50_000, 0][rng.below(3) as usize];
        let drift: Vec<i64> = (0..nodes).map(|_| off()).collect();
        let mut c = cluster(nodes, &drift);
        let mut fate = Rng::new(seed ^ 5);
        c.whim(move |_, e| match (fate.below(24), &e.message) {
            (0, _) => Fate::Lose,
            (1 | 2, _) => Fate::Hold,
            (3, _) => Fate::Twice,
            _ => Fate::Deliver,
        });
        for _ in 0..200 {
            let id = n(1 + rng.below(nodes.into()) as u16);
            match rng.below(16) {
                0 if c.host(id).up => c.crash(id),
                0..=2 if !c.host(id).up => c.restart(id),
                3 => c.release_backwards(),
                4 => c.isolate(id),
                5 | 6 => c.cut.clear(),
                7 | 8 if c.host(id).up => {
                    let to = n(1 + rng.below(nodes.into()) as u16);
                    let at = c.leader().unwrap_or(id);
                    c.step(at, Input::TransferRequested { group: GROUP, to });
                }
                9 | 10 if c.host(id).up => drop(c.propose(id, "x")),
                11 | 12 if c.host(id).up => drop(c.query(id)),
                13 => c.step(id, Input::PeerDown(n(1 + rng.below(nodes.into()) as u16))).clear(),
                _ => {}
            }
            c.run(Duration::from_millis(rng.below(80)));
            leased += c.leased().len();
        }
        let count = |pick: fn(&Notice) -> bool| {
            c.hosts.values().flat_map(|h| &h.notices).filter(|note| pick(note)).count()
        };
        leaders += count(|note| matches!(note, Notice::Leading { .. }));
        transfers += count(|note| {
            matches!(
                note,
                Notice::TransferEnded { end: paxos_core::effect::TransferEnd::Yielded, .. }
            )
        });
    }
    assert!(leased > 2_000, "leases were held {leased} times only");
    assert!(leaders > 150 && transfers > 30, "{leaders} leaders, {transfers} transfers");
}

#[test]
fn a_lease_must_outlast_a_heartbeat() {
    let sane = |millis, drift_ppm| {
        let lease = Lease { duration: Duration::from_millis(millis), drift_ppm };
        Timing { lease: Some(lease), ..Timing::default() }.is_sane()
    };
    assert!(sane(200, 0) && sane(200, 500_000));
    assert!(!sane(50, 0) && !sane(0, 0) && !sane(99, 500_000) && !sane(200, 500_001));
    assert!(!sane(SECOND.as_millis() as u64 * 60 * 60 * 25, 0));
}
