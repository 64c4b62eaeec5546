//! Scenes of networks that are neither whole nor in two: bridges, chains, links
//! that work one way, and messages from long ago.

mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use common::{Cluster, Fate, SECOND, n};
use paxos_core::Standing;
use paxos_core::effect::{Input, Notice, Outcome};
use paxos_core::types::NodeId;

/// Proposes at `id` and asserts that it is chosen soon.
fn works(c: &mut Cluster, id: NodeId, what: &str) {
    let p = c.propose(id, what);
    c.run(Duration::from_millis(300));
    assert!(matches!(c.outcome(id, p), Some(Outcome::Chosen(_))), "{what}: {:?}", c.outcome(id, p));
}

/// How many leaderships have begun, on all nodes.
fn leaderships(c: &Cluster) -> usize {
    let led = |notice: &&Notice| matches!(notice, Notice::Leading { .. });
    c.hosts.values().map(|h| h.notices.iter().filter(led).count()).sum()
}

/// Five nodes; the leader n1 keeps links to a minority, and n3 alone reaches all
/// (Omni-Paxos, EuroSys 2023: quorum loss).
#[test]
fn s27_the_only_node_that_reaches_a_quorum_takes_over() {
    let mut c = Cluster::new(5);
    c.elect_this(n(1));
    works(&mut c, n(1), "before");
    c.link_only(&[(1, 3), (2, 3), (3, 4), (3, 5)]);
    c.run(c.timing.patience * 2 * 4);
    assert_eq!(c.leader(), Some(n(3)));
    works(&mut c, n(3), "after");
    let (ballot, round) = (c.replica(n(3)).own_ballot(), c.replica(n(3)).promised().round);
    c.run(SECOND * 20);
    assert_eq!(c.replica(n(3)).own_ballot(), ballot, "a stable leader");
    for id in [1, 2, 4, 5] {
        assert!(c.replica(n(id)).promised().round <= round, "n{id} raises ballots");
    }
}

/// As before, and n3, the hub, has the shortest log: it must win all the same.
#[test]
fn s28_the_hub_wins_with_the_shortest_log_and_pulls_the_rest() {
    let mut c = Cluster::new(5);
    c.elect_this(n(1));
    c.isolate(n(3));
    for i in 0..50 {
        c.propose(n(1), &format!("v{i}"));
    }
    c.settle();
    c.run(Duration::from_millis(60));
    c.heal();
    c.link_only(&[(1, 3), (2, 3), (3, 4), (3, 5)]);
    c.run(c.timing.patience * 2 * 4);
    assert_eq!(c.leader(), Some(n(3)));
    assert_eq!(c.payloads(n(3)).len(), 50, "it has pulled what it lacked");
    works(&mut c, n(3), "and goes on");
}

/// Constrained further: the old leader is gone, and with it the only node that
/// knew what is chosen; its followers only hold votes.
#[test]
fn s28_the_hub_completes_what_only_votes_tell_of() {
    let mut c = Cluster::new(5);
    c.elect_this(n(1));
    c.isolate(n(3));
    c.whim(|_, e| match e.message.name() {
        "Chosen" | "Heartbeat" => Fate::Lose,
        _ => Fate::Deliver,
    });
    for i in 0..5 {
        c.propose(n(1), &format!("v{i}"));
    }
    c.settle();
    assert_eq!(c.payloads(n(1)).len(), 5);
    c.crash(n(1));
    c.heal();
    c.link_only(&[(2, 3), (3, 4), (3, 5)]);
    c.run(c.timing.patience * 2 * 4);
    assert_eq!(c.leader(), Some(n(3)));
    assert_eq!(c.payloads(n(3)), c.payloads(n(1)));
}

/// Three in a line, the leader at one end (Omni-Paxos: chained). The other end
/// hears no leader, and must not take the lead back and forth.
#[test]
fn s29_a_chain_changes_its_leader_at_most_once() {
    for leader in [1, 2] {
        let mut c = Cluster::new(3);
        c.elect_this(n(leader));
        c.run(Duration::from_millis(60));
        let before = leaderships(&c);
        c.link_only(&[(1, 2), (2, 3)]);
        for i in 0..40 {
            works(&mut c, n(2), &format!("v{i}"));
        }
        assert!(leaderships(&c) <= before + 1, "{} leaderships", leaderships(&c) - before);
        c.run(SECOND);
        assert_eq!(c.payloads(n(3)).len(), 40, "the far end catches up through the middle");
    }
}

/// The leader speaks and does not hear: it steps down, the others go on.
#[test]
fn s30_a_leader_that_cannot_hear_is_replaced() {
    for nodes in [3, 5] {
        let mut c = Cluster::new(nodes);
        let old = c.elect();
        c.deafen(old);
        c.run(SECOND * 3);
        assert_eq!(c.replica(old).standing(), Standing::Follower);
        let new = c.leader().expect("a quorum hears itself");
        assert_ne!(new, old);
        works(&mut c, new, "goes on");
        assert_eq!(c.leader(), Some(new));
    }
}

/// A follower that hears and is not heard neither campaigns nor disturbs.
#[test]
fn s30_a_follower_that_is_not_heard_keeps_quiet_and_up_to_date() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    let ballot = c.replica(n(1)).own_ballot();
    for other in [1, 2] {
        c.cut.insert((n(3), n(other)));
    }
    for i in 0..20 {
        works(&mut c, n(1), &format!("v{i}"));
    }
    assert_eq!(c.replica(n(1)).own_ballot(), ballot);
    assert_eq!(c.payloads(n(3)).len(), 20);
    let stood = |notice: &Notice| matches!(notice, Notice::Campaigning { .. });
    assert!(!c.host(n(3)).notices.iter().any(stood));
}

/// A follower that is not heard and has a gap cannot fetch what it lacks; when it
/// is heard again, it does.
#[test]
fn s30_a_gap_is_closed_as_soon_as_both_ways_work() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.cut_both(n(1), n(3));
    works(&mut c, n(1), "missed");
    c.cut.remove(&(n(1), n(3)));
    c.cut.insert((n(3), n(2)));
    c.run(SECOND);
    assert!(c.payloads(n(3)).is_empty());
    c.heal();
    c.run(c.timing.resend * 3);
    assert_eq!(c.payloads(n(3)), ["missed"]);
}

/// Everything that was ever said comes again, minutes later and backwards.
#[test]
fn s31_old_messages_change_nothing() {
    let mut c = Cluster::new(3);
    let said = Rc::new(RefCell::new(Vec::new()));
    let ear = said.clone();
    c.whim(move |to, e| {
        ear.borrow_mut().push((to, e.clone()));
        Fate::Deliver
    });
    for id in [1, 2, 3, 1] {
        c.elect_this(n(id));
        for i in 0..3 {
            c.propose(n(id), &format!("{id}.{i}"));
            c.settle();
        }
        c.query(n(id));
        c.run(Duration::from_millis(20));
    }
    c.run(SECOND);
    c.calm();
    let said = said.take();
    let leader = c.leader().expect("a leader");
    let (ballot, payloads) = (c.replica(leader).own_ballot(), c.payloads(leader));
    assert_eq!(payloads.len(), 12, "{payloads:?}");
    assert!(said.len() > 200, "{} messages", said.len());
    c.run(SECOND * 120);
    for (to, envelope) in said.into_iter().rev() {
        c.network.push_back((to, envelope));
    }
    c.settle();
    assert_eq!(c.replica(leader).own_ballot(), ballot);
    for id in [1, 2, 3] {
        assert_eq!(c.replica(n(id)).leadership(), ballot, "n{id}");
        assert_eq!(c.payloads(n(id)), payloads, "n{id}");
    }
}

/// Messages take up to a patience and come in any order; everything still works,
/// with the same values everywhere.
#[test]
fn s31_reordered_messages_lose_nothing() {
    for seed in 0..10 {
        let mut c = Cluster::new(3);
        let leader = c.elect();
        let mut rng = paxos_core::types::Rng::new(seed);
        c.whim(move |_, _| if rng.below(3) == 0 { Fate::Hold } else { Fate::Deliver });
        let mut asked = Vec::new();
        for i in 0..30 {
            asked.push(c.propose(leader, &format!("v{i}")));
            c.run(Duration::from_millis(20));
            if i % 5 == 4 {
                c.release_backwards();
            }
        }
        c.calm();
        c.release();
        c.run(SECOND * 2);
        for p in asked {
            assert!(c.outcome(leader, p).is_some(), "{p} has no answer");
        }
        let all = c.payloads(n(1));
        assert!(c.payloads(n(2)) == all && c.payloads(n(3)) == all);
    }
}

/// A hint that the leader is gone keeps proposals at home: what was never handed to
/// a dead leader is not unknown.
#[test]
fn s37_nothing_is_handed_to_a_leader_that_is_said_to_be_gone() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.run(c.timing.heartbeat);
    c.crash(n(1));
    for id in [2, 3] {
        c.step(n(id), Input::PeerDown(n(1)));
    }
    let p = c.propose(n(3), "kept at home");
    let q = c.query(n(3));
    assert_eq!(c.under_way("Forward") + c.under_way("ReadRequest"), 0);
    c.run(SECOND);
    assert!(matches!(c.outcome(n(3), p), Some(Outcome::Chosen(_))));
    assert!(matches!(c.host(n(3)).served.get(&q), Some(Some(_))));
}

/// It hears three of five, but one of them has come back on an empty disk, whose votes count for
/// nothing until the group has bound it anew: that takes votes of the two that it does not reach. The
/// other three would elect one of theirs, if one of them did not follow it.
#[test]
fn a_leader_gives_way_where_those_that_it_reaches_have_too_few_votes() {
    let mut c = Cluster::changing(5, 8);
    let leader = c.elect();
    c.run(SECOND);
    c.write(leader.0, "before");
    let others: Vec<NodeId> = (1..=5).map(n).filter(|id| *id != leader).collect();
    c.cut_both(leader, others[0]);
    c.cut_both(leader, others[1]);
    c.wipe_and_join(others[2]);
    c.run(SECOND * 10);
    let next = c.leader().expect("three votes that hear each other");
    assert_ne!(next, leader);
    c.write(next.0, "after");
}
